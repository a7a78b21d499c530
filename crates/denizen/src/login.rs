//! `denizen login`: which server the other commands speak to, and with which key.

use std::{
    fs::{self, OpenOptions},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

use crate::{
    cli::remote::{LoginOptions, RemoteOptions},
    client::{Client, parse_url},
    failed::Failed,
};

/// What a login keeps.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Login {
    url: String,
    key: String,
}

/// `$XDG_CONFIG_HOME/denizen/login.json`, which is `~/.config/denizen/login.json` where nothing else is said.
fn path() -> Result<PathBuf, Failed> {
    let set = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let folder = set("XDG_CONFIG_HOME").or_else(|| set("HOME").map(|home| home.join(".config")));
    folder.map(|folder| folder.join("denizen").join("login.json")).ok_or_else(|| {
        Failed::Operation("there is no home folder to keep a login in; set DENIZEN_URL and DENIZEN_KEY".to_owned())
    })
}

fn read(path: &Path) -> Result<Option<Login>, Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed::Operation(format!("cannot read {}: {error}", path.display()));
    match fs::read_to_string(path) {
        Ok(text) => serde_json::from_str(&text).map(Some).map_err(|error| failed(&error)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(failed(&error)),
    }
}

/// Writes it so that nobody else can read it, and whole or not at all.
fn write(path: &Path, login: &Login) -> io::Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder)?;
    let fresh = folder.join(format!(".login.{}", std::process::id()));
    let _ = fs::remove_file(&fresh);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&fresh)?;
    file.write_all(serde_json::to_string_pretty(login)?.as_bytes())?;
    file.sync_all()?;
    fs::rename(&fresh, path)
}

/// The server and key that the flags, the environment or the login name.
pub(crate) fn client(options: &RemoteOptions) -> Result<Client, Failed> {
    let (url, key) = match (&options.url, &options.key) {
        (Some(url), Some(key)) => (url.clone(), key.clone()),
        (url, key) => match (read(&path()?)?, url, key) {
            // A key that was kept for one server is not sent to another.
            (Some(login), Some(url), None) if parse_url(url).ok() != parse_url(&login.url).ok() => {
                return Err(Failed::Usage(format!(
                    "the login is for {}, not for {url}; name a key with DENIZEN_KEY or --key",
                    login.url
                )));
            }
            (Some(login), None, Some(key)) => (login.url, key.clone()),
            (Some(login), ..) => (login.url, login.key),
            (None, None, _) => {
                return Err(Failed::Usage(
                    "which server? Run denizen login, or set DENIZEN_URL and DENIZEN_KEY, or give --url and --key"
                        .to_owned(),
                ));
            }
            (None, Some(_), _) => {
                return Err(Failed::Usage(
                    "with which key? Run denizen login, or set DENIZEN_KEY, or give --key".to_owned(),
                ));
            }
        },
    };
    Client::new(&url, key.trim())
}

fn ask_key() -> Result<String, Failed> {
    let failed = |error: io::Error| Failed::Operation(format!("cannot read the key: {error}"));
    let typed = if io::stdin().is_terminal() {
        rpassword::prompt_password("API key: ").map_err(failed)?
    } else {
        let mut line = String::new();
        io::stdin().read_line(&mut line).map_err(failed)?;
        line
    };
    let key = typed.trim().to_owned();
    if key.is_empty() { Err(Failed::Usage("no key was given on standard input".to_owned())) } else { Ok(key) }
}

/// Asks for a key, tries it, and keeps it for the commands that follow.
pub(crate) async fn login(options: &LoginOptions) -> Result<(), Failed> {
    let url = parse_url(&options.url).map_err(Failed::Usage)?;
    if url.scheme() == "http" && !is_this_machine(&url) {
        eprintln!("denizen: {url} is not encrypted; whoever is on the way can read the key");
    }
    let key = match &options.key {
        Some(key) => key.trim().to_owned(),
        None => ask_key()?,
    };
    let client = Client::new(&options.url, &key)?;
    let query = [("limit".to_owned(), "1".to_owned())];
    match client.get(&["realms", &options.realm, "users"], &query).await {
        Ok(_) => {}
        // The key is good; what it may do, each command will see.
        Err(refusal) if refusal.status() == Some(403) => {}
        Err(refusal) if refusal.status() == Some(401) => {
            return Err(Failed::Operation(format!("{url} does not know this key")));
        }
        Err(refusal) => return Err(refusal.into()),
    }
    let path = path()?;
    let login = Login { url: url.as_str().trim_end_matches('/').to_owned(), key };
    write(&path, &login).map_err(|error| Failed::Operation(format!("cannot write {}: {error}", path.display())))?;
    eprintln!("Signed in to {}. The key is kept in {}.", login.url, path.display());
    Ok(())
}

fn is_this_machine(url: &reqwest::Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let address = host.trim_matches(['[', ']']).parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

/// Forgets the key. It goes on working until it is deleted on the server.
pub(crate) fn logout() -> Result<(), Failed> {
    let path = path()?;
    match fs::remove_file(&path) {
        Ok(()) => {
            eprintln!("The key is forgotten here. It works until it is deleted on the server.");
            Ok(())
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            eprintln!("There is no login.");
            Ok(())
        }
        Err(error) => Err(Failed::Operation(format!("cannot remove {}: {error}", path.display()))),
    }
}
