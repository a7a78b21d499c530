//! Opening the application: data folder, master key, database.

use std::{
    fs::{self, File, OpenOptions},
    io::Write,
    path::Path,
    sync::Arc,
};

use denizen_model::Timestamp;
use denizen_ops::{
    App, Clock, Config, Location,
    crypto::{MasterKey, Rng, password},
};

use crate::config::{Services, Storage};

/// The machine's clock: the one place that reads it.
#[expect(clippy::disallowed_methods, reason = "this is where the clock that everything is given comes from")]
pub(crate) fn system_clock() -> Clock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
    })
}

/// The database that a configuration names.
pub(crate) fn location(storage: &Storage) -> Location {
    match &storage.database {
        Some(url) => Location::Postgres(url.clone()),
        None => Location::Sqlite(storage.data.join("denizen.db")),
    }
}

/// Opens the application. With `create`, an absent data folder and master key are made; without, they must be
/// there, so that a mistyped path is an error and not a new database.
pub(crate) async fn app(storage: &Storage, public_url: &str, create: bool) -> Result<App, String> {
    app_with(storage, public_url, create, Services::default()).await
}

/// As [`app`], for what also sends messages and looks up passwords.
pub(crate) async fn app_with(
    storage: &Storage,
    public_url: &str,
    create: bool,
    services: Services,
) -> Result<App, String> {
    if storage.database.is_none() && !create && !storage.data.join("denizen.db").exists() {
        return Err(format!("there is no database in {}; name the data folder with --data", storage.data.display()));
    }
    let rng = Rng::system();
    let config = Config {
        location: location(storage),
        master_key: master_key(storage, &rng, create)?,
        public_url: public_url.to_owned(),
        clock: system_clock(),
        rng,
        hashing: password::Config::default(),
        mail: services.mail,
        sms: services.sms,
        breaches: services.breaches,
        places: services.places,
    };
    App::open(config).await.map_err(|error| match &error.context {
        Some(context) => format!("{error} ({context})"),
        None => error.to_string(),
    })
}

fn master_key(storage: &Storage, rng: &Rng, create: bool) -> Result<MasterKey, String> {
    let parse = |text: &str, whence: &str| MasterKey::parse(text.trim()).map_err(|error| format!("{whence}: {error}"));
    if let Some(text) = &storage.master_key {
        return parse(text, "DENIZEN_MASTER_KEY");
    }
    let path = storage.data.join("master.key");
    match fs::read_to_string(&path) {
        Ok(text) => parse(&text, &path.display().to_string()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && create => {
            let key = MasterKey::generate(rng);
            fs::create_dir_all(&storage.data)
                .and_then(|()| write_private(&path, key.to_base64().expose()))
                .map_err(|error| format!("cannot write {}: {error}", path.display()))?;
            Ok(key)
        }
        Err(error) => Err(format!("cannot read {}: {error}", path.display())),
    }
}

/// Writes a file that only its owner can read, durably, and never over an existing one.
fn write_private(path: &Path, text: &str) -> std::io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    writeln!(file, "{text}")?;
    file.sync_all()
}

/// Holds the data folder for one server; another one on the same folder is refused. Ends with the process.
pub(crate) fn lock(data: &Path) -> Result<File, String> {
    fs::create_dir_all(data).map_err(|error| format!("cannot make the data folder {}: {error}", data.display()))?;
    let path = data.join("denizen.lock");
    let opened = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
    let file = opened.map_err(|error| format!("cannot write in the data folder: {}: {error}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(format!(
            "another denizen is running on the data folder {}; stop it first, or use PostgreSQL for several nodes",
            data.display()
        )),
        Err(std::fs::TryLockError::Error(error)) => Err(format!("cannot lock {}: {error}", path.display())),
    }
}
