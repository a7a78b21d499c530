//! `denizen clients`.

use super::output::{self, Column};
use crate::{cli::remote::ClientsCommand, failed::Failed, login};

/// Runs one of the commands.
pub(crate) async fn run(command: ClientsCommand) -> Result<(), Failed> {
    let ClientsCommand::List(options) = command;
    let client = login::client(&options.at.remote)?;
    let path = ["realms", &options.at.realm, "clients"];
    let page = client.list(&path, &[], usize::try_from(options.limit).ok()).await?;
    let columns = [
        Column::text("CLIENT", "client_id"),
        Column::text("NAME", "name"),
        Column::text("TYPE", "type"),
        Column::flag("STATUS", "enabled", "active", "disabled"),
        Column::text("ID", "id"),
    ];
    output::list(&page, &columns, options.at.remote.json)
}
