//! `denizen audit verify`.

use denizen_ops::events;
use serde_json::json;

use crate::{cli::AuditVerifyOptions, config, open};

/// Recomputes every chain; fails when anything was altered or removed.
pub(crate) async fn verify(options: &AuditVerifyOptions) -> Result<(), String> {
    let storage = config::storage(&options.storage)?;
    let app = open::app(&storage, "", false).await?;
    let found = events::verify(&app).await.map_err(|error| error.to_string())?;
    let faults: usize = found.iter().map(|(_, realm)| realm.faults.len()).sum();
    if options.json {
        let realms: Vec<_> = found
            .iter()
            .map(|(realm, found)| json!({"realm": realm, "events": found.checked, "faults": found.faults}))
            .collect();
        println!("{}", json!({"ok": faults == 0, "realms": realms}));
    } else {
        for (realm, found) in &found {
            println!("{realm}: {} events verified", found.checked);
            for fault in &found.faults {
                println!("  {fault}");
            }
        }
    }
    if faults == 0 { Ok(()) } else { Err(format!("the audit log is not whole: {faults} faults")) }
}
