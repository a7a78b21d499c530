//! `denizen realms`.

use super::output::{self, Column};
use crate::{cli::remote::RealmsCommand, failed::Failed, login};

/// Runs one of the commands.
pub(crate) async fn run(command: RealmsCommand) -> Result<(), Failed> {
    let RealmsCommand::List(options) = command;
    let page = login::client(&options)?.get(&["realms"], &[]).await?;
    let columns = [
        Column::text("REALM", "slug"),
        Column::text("NAME", "display_name"),
        Column::flag("STATUS", "enabled", "active", "disabled"),
        Column::time("CREATED", "created_at"),
    ];
    output::list(&page, &columns, options.json)
}
