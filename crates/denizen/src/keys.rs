//! `denizen key create`.

use denizen_model::permissions::AdminRole;
use denizen_ops::{Cx, ErrorKind, api_keys};

use crate::{cli::KeyCreateOptions, config, open};

/// Makes an API key and prints it alone on standard output. The server may be running.
pub(crate) async fn create(options: &KeyCreateOptions) -> Result<(), String> {
    let role: AdminRole = options.role.parse().map_err(|error| format!("--role: {error}"))?;
    let storage = config::storage(&options.storage)?;
    // The public address is not needed to make a key, and must not be changed by it.
    let app = open::app(&storage, "", false).await?;
    let cx = Cx::system(&app, "command line");
    let made = api_keys::create_for_scripts(&app, &cx, &options.realm, &options.name, role).await;
    match made {
        Ok(key) => {
            println!("{}", key.expose());
            Ok(())
        }
        Err(error) => Err(match *error.kind {
            ErrorKind::NotFound(_) => format!("there is no realm {}", options.realm),
            ErrorKind::Invalid(errors) => {
                errors.iter().map(|(field, message)| format!("{field}: {message}")).collect::<Vec<_>>().join("; ")
            }
            _ => error.to_string(),
        }),
    }
}
