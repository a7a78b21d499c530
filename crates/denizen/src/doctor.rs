//! `denizen doctor`: what is well, what is not, and what to do.

use denizen_model::Timestamp;
use denizen_ops::{App, messages, passwords, setup};
use serde_json::json;

use crate::{
    cli::DoctorOptions,
    config::{self, Storage},
    open,
};

/// Below this the machine's clock cannot be right: it is when this version was made.
const BUILT_AFTER: Timestamp = Timestamp::from_secs(1_763_000_000);

struct Finding {
    what: &'static str,
    ok: bool,
    text: String,
}

/// Runs every check; fails when one does.
pub(crate) async fn run(options: &DoctorOptions) -> Result<(), String> {
    let mut findings = Vec::new();
    let mut note = |what, result: Result<String, String>| {
        let ok = result.is_ok();
        findings.push(Finding { what, ok, text: result.unwrap_or_else(|text| text) });
    };
    let clock = open::system_clock();
    note(
        "clock",
        if clock() > BUILT_AFTER {
            Ok(clock().to_string())
        } else {
            Err(format!("{} cannot be right; set the machine's clock", clock()))
        },
    );
    match config::storage_and_services(
        &options.storage,
        &options.mail,
        &options.sms,
        &options.passwords,
        options.geoip_file.as_deref(),
    ) {
        Err(error) => note("configuration", Err(error)),
        Ok((storage, services)) => {
            note("configuration", Ok("understood".to_owned()));
            note("master key", check_master_key(&storage));
            note(
                "places",
                Ok(services
                    .places
                    .describe()
                    .unwrap_or_else(|| "no GeoIP database: sessions have no place".to_owned())),
            );
            match open::app_with(&storage, "", false, services).await {
                Err(error) => note("database", Err(error)),
                Ok(app) => {
                    note("database", Ok(format!("{} answers, schema up to date, secrets open", app.engine_name())));
                    note("signing keys", check_signing_keys(&app).await);
                    note("owner", check_owner(&app).await);
                    note("mail", check_mail(&app).await);
                    note("sms", check_sms(&app).await);
                    note("breached passwords", check_breaches(&app).await);
                }
            }
        }
    }
    print(&findings, options.json);
    let bad = findings.iter().filter(|finding| !finding.ok).count();
    if bad == 0 { Ok(()) } else { Err(format!("{bad} of {} checks failed", findings.len())) }
}

fn print(findings: &[Finding], as_json: bool) {
    if as_json {
        let list: Vec<_> = findings.iter().map(|f| json!({"check": f.what, "ok": f.ok, "text": f.text})).collect();
        println!("{}", json!({"ok": findings.iter().all(|f| f.ok), "checks": list}));
        return;
    }
    let mut table = comfy_table::Table::new();
    table.load_style(comfy_table::presets::NOTHING);
    for finding in findings {
        table.add_row([if finding.ok { "ok" } else { "FAILED" }, finding.what, &finding.text]);
    }
    println!("{table}");
}

fn check_master_key(storage: &Storage) -> Result<String, String> {
    if storage.master_key.is_some() {
        return Ok("from the environment or the configuration".to_owned());
    }
    let path = storage.data.join("master.key");
    let found = std::fs::metadata(&path)
        .map_err(|error| format!("{}: {error}; restore it from your backup", path.display()))?;
    #[cfg(unix)]
    let open_to_others = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o077 != 0;
    #[cfg(not(unix))]
    let open_to_others = found.len() == 0;
    if open_to_others {
        return Err(format!("others can read {0}; run: chmod 600 {0}", path.display()));
    }
    Ok(format!("{}, readable by its owner alone", path.display()))
}

async fn check_signing_keys(app: &App) -> Result<String, String> {
    let realm = app.main_realm().await.map_err(|error| error.to_string())?;
    let keys = realm.jwks().get("keys").and_then(|keys| keys.as_array()).map_or(0, Vec::len);
    if keys == 0 { Err("the realm main has none".to_owned()) } else { Ok(format!("{keys} in the realm main")) }
}

fn waiting(messages: u64) -> String {
    match messages {
        0 => "nothing waits".to_owned(),
        1 => "1 message waits".to_owned(),
        more => format!("{more} messages wait"),
    }
}

async fn check_sms(app: &App) -> Result<String, String> {
    let status = messages::overview(app).await.map_err(|error| error.to_string())?;
    let waiting = waiting(status.sms_waiting);
    // Whether it would take a text can only be told by sending one.
    Ok(match status.sms_gateway {
        Some(place) => format!("gateway at {place}, {waiting}"),
        None => format!("no gateway, so no text messages; {waiting}"),
    })
}

async fn check_mail(app: &App) -> Result<String, String> {
    let (status, answer) = messages::check(app).await.map_err(|error| error.to_string())?;
    let waiting = waiting(status.waiting);
    match (status.server, answer) {
        // Denizen works without; the words say what does not.
        (None, _) => Ok(format!("no mail server; {waiting} to be sent until --smtp-url and --mail-from are given")),
        (Some((place, from)), Ok(())) => Ok(format!("{place} answers, mails come from {from}, {waiting}")),
        (Some((place, _)), Err(error)) => Err(format!("{place} does not take mails: {error}; {waiting}")),
    }
}

async fn check_breaches(app: &App) -> Result<String, String> {
    let answer = passwords::check_source(app).await;
    answer.map_err(|error| {
        format!("{error}; until it answers, only common passwords are refused. Name another with --breached-passwords, or off")
    })
}

async fn check_owner(app: &App) -> Result<String, String> {
    match setup::has_owner(app).await {
        Ok(true) => Ok("made".to_owned()),
        Ok(false) => Err("not made yet; start denizen serve and open the link it prints".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}
