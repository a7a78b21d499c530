//! Configuration: flags, then environment variables, then the file, then defaults.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use denizen_ops::{
    crypto::Secret,
    messages::{Mail, Sms, SmsConfig, SmtpConfig},
    passwords::Source,
    places::Places,
};

use crate::cli::{MailOptions, PasswordOptions, ServeOptions, SmsOptions, StorageOptions};

/// The configuration file. An unknown key is an error, so that a mistyped one is never silently ignored.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct File {
    data: Option<PathBuf>,
    database: Option<String>,
    master_key: Option<String>,
    listen: Option<String>,
    public_url: Option<String>,
    behind_proxy: Option<bool>,
    smtp_url: Option<String>,
    smtp_user: Option<String>,
    smtp_password: Option<String>,
    mail_from: Option<String>,
    geoip_file: Option<PathBuf>,
    sms_url: Option<String>,
    sms_headers: Option<String>,
    sms_headers_file: Option<PathBuf>,
    sms_body: Option<String>,
    sms_timeout: Option<u64>,
    breached_passwords: Option<String>,
}

/// Where the data is, decided.
pub(crate) struct Storage {
    pub(crate) data: PathBuf,
    pub(crate) database: Option<String>,
    pub(crate) master_key: Option<String>,
}

/// What Denizen talks to beside its database, decided.
#[derive(Default)]
pub(crate) struct Services {
    pub(crate) mail: Mail,
    pub(crate) sms: Sms,
    pub(crate) breaches: Source,
    pub(crate) places: Places,
}

/// How the server runs, decided.
pub(crate) struct Server {
    pub(crate) storage: Storage,
    pub(crate) listen: String,
    pub(crate) public_url: String,
    pub(crate) behind_proxy: bool,
    pub(crate) services: Services,
}

fn read(path: Option<&Path>) -> Result<File, String> {
    let Some(path) = path else { return Ok(File::default()) };
    let text = fs::read_to_string(path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
    toml::from_str(&text).map_err(|error| format!("{} is not a valid configuration:\n{error}", path.display()))
}

fn storage_of(options: &StorageOptions, file: &mut File) -> Result<Storage, String> {
    let database = options.database.clone().or(file.database.take());
    if database.as_deref().is_some_and(|url| !url.starts_with("postgres://") && !url.starts_with("postgresql://")) {
        return Err("--database must be an address such as postgres://user:password@host/name".to_owned());
    }
    Ok(Storage {
        data: options.data.clone().or(file.data.take()).unwrap_or_else(|| PathBuf::from("data")),
        database,
        master_key: options.master_key.clone().or(file.master_key.take()),
    })
}

/// The configuration of a command that only needs the data.
pub(crate) fn storage(options: &StorageOptions) -> Result<Storage, String> {
    storage_of(options, &mut read(options.config.as_deref())?)
}

fn mail_of(options: &MailOptions, file: &mut File) -> Result<Mail, String> {
    let pick = |given: &Option<String>, file: Option<String>| given.clone().or(file);
    let address = pick(&options.smtp_url, file.smtp_url.take());
    let user = pick(&options.smtp_user, file.smtp_user.take());
    let password = pick(&options.smtp_password, file.smtp_password.take()).map(Secret::new);
    let from = pick(&options.mail_from, file.mail_from.take());
    match address.map(Secret::new) {
        Some(address) => {
            SmtpConfig::parse(address.expose(), user.as_deref(), password, from.as_deref()).map(Mail::Smtp)
        }
        None if user.is_some() || password.is_some() => {
            Err("a user or password of a mail server is given, but not the server: give --smtp-url".to_owned())
        }
        None => Ok(Mail::None),
    }
}

/// Reads the GeoIP database, where one is configured. A path in the configuration file is one from where Denizen was
/// started, like every other.
fn places_of(given: Option<&Path>, file: &mut File) -> Result<Places, String> {
    let path = given.map(Path::to_owned).or(file.geoip_file.take());
    path.map_or_else(|| Ok(Places::default()), |path| Places::open(&path))
}

fn sms_of(options: &SmsOptions, file: &mut File) -> Result<Sms, String> {
    let address = options.sms_url.clone().or(file.sms_url.take()).map(Secret::new);
    let headers = options.sms_headers.clone().or(file.sms_headers.take()).map(Secret::new);
    let path = options.sms_headers_file.clone().or(file.sms_headers_file.take());
    let body = options.sms_body.clone().or(file.sms_body.take());
    let timeout = options.sms_timeout.or(file.sms_timeout.take());
    let Some(address) = address else {
        if headers.is_some() || path.is_some() || body.is_some() {
            return Err(
                "headers or a body for an SMS gateway are given, but not the gateway: give --sms-url".to_owned()
            );
        }
        return Ok(Sms::None);
    };
    let headers = match (headers, path) {
        (Some(_), Some(_)) => return Err("give --sms-headers or --sms-headers-file, not both".to_owned()),
        (headers, None) => headers,
        (None, Some(path)) => {
            let text = fs::read_to_string(&path).map_err(|error| format!("cannot read {}: {error}", path.display()))?;
            Some(Secret::new(text))
        }
    };
    SmsConfig::parse(address.expose(), headers.as_ref(), body.as_deref(), timeout)
        .map(|config| Sms::Gateway(Box::new(config)))
}

fn breaches_of(options: &PasswordOptions, file: &mut File) -> Result<Source, String> {
    let given = options.breached_passwords.clone().or(file.breached_passwords.take());
    Source::parse(given.as_deref().unwrap_or(Source::HAVE_I_BEEN_PWNED))
}

/// The configuration of a command that needs the data and what Denizen talks to.
pub(crate) fn storage_and_services(
    options: &StorageOptions,
    mail: &MailOptions,
    sms: &SmsOptions,
    passwords: &PasswordOptions,
    geoip_file: Option<&Path>,
) -> Result<(Storage, Services), String> {
    let mut file = read(options.config.as_deref())?;
    let services = Services {
        mail: mail_of(mail, &mut file)?,
        sms: sms_of(sms, &mut file)?,
        breaches: breaches_of(passwords, &mut file)?,
        places: places_of(geoip_file, &mut file)?,
    };
    Ok((storage_of(options, &mut file)?, services))
}

/// The configuration of the server.
pub(crate) fn server(options: &ServeOptions) -> Result<Server, String> {
    let mut file = read(options.storage.config.as_deref())?;
    let listen = options.listen.clone().or(file.listen.take()).unwrap_or_else(|| "127.0.0.1:7000".to_owned());
    let public_url = options.public_url.clone().or(file.public_url.take());
    Ok(Server {
        storage: storage_of(&options.storage, &mut file)?,
        services: Services {
            mail: mail_of(&options.mail, &mut file)?,
            sms: sms_of(&options.sms, &mut file)?,
            breaches: breaches_of(&options.passwords, &mut file)?,
            places: places_of(options.geoip_file.as_deref(), &mut file)?,
        },
        public_url: check_public_url(public_url.unwrap_or_else(|| format!("http://{listen}")))?,
        listen,
        behind_proxy: options.behind_proxy || file.behind_proxy.unwrap_or(false),
    })
}

/// The address as issuers and links use it: scheme and host, no path, no slash at the end.
fn check_public_url(url: String) -> Result<String, String> {
    let url = url.trim_end_matches('/').to_owned();
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    match host {
        Some(host) if !host.is_empty() && !host.contains(['/', '?', '#', '@', ' ']) => Ok(url),
        _ => Err(format!("--public-url must be scheme and host, such as https://id.example.com, not {url}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_addresses_are_scheme_and_host() {
        assert_eq!(check_public_url("https://id.example.com/".into()), Ok("https://id.example.com".into()));
        for bad in ["id.example.com", "ftp://x", "https://", "https://a/b", "https://u@h"] {
            assert!(check_public_url(bad.into()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_mail_server_may_stand_in_the_file_and_its_password_apart() {
        let file = |text: &str| toml::from_str::<File>(text).unwrap();
        let whole = "smtp_url = \"smtps://mail.example.com\"\nmail_from = \"Acme <no-reply@example.com>\"";
        let options = MailOptions {
            smtp_user: Some("denizen".into()),
            smtp_password: Some("hidden".into()),
            ..MailOptions::default()
        };
        let mail = mail_of(&options, &mut file(whole)).unwrap();
        assert_eq!(format!("{mail:?}"), "Smtp(mail.example.com:465 (TLS))");
        assert!(mail_of(&options, &mut file("")).is_err());
        assert!(mail_of(&MailOptions::default(), &mut file("smtp_url = \"smtps://a:hidden@b\"")).is_err());
        assert!(matches!(mail_of(&MailOptions::default(), &mut file("")), Ok(Mail::None)));
    }

    #[test]
    fn a_geoip_database_that_is_none_is_an_error_at_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("places.mmdb");
        fs::write(&path, "no database").unwrap();
        let mut file = File { geoip_file: Some(path.clone()), ..File::default() };
        let said = places_of(None, &mut file).unwrap_err();
        assert!(said.contains("is no GeoIP database"), "{said}");
        let absent = folder.path().join("absent.mmdb");
        let said = places_of(Some(&absent), &mut File::default()).unwrap_err();
        assert!(said.contains("cannot read") && said.contains("absent.mmdb"), "{said}");
        assert!(places_of(None, &mut File::default()).unwrap().describe().is_none());
    }

    #[test]
    fn the_sms_gateways_headers_may_stand_in_a_file_of_their_own() {
        let file = |text: &str| toml::from_str::<File>(text).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("headers");
        fs::write(&path, "Authorization: Bearer hidden\n").unwrap();
        let options = SmsOptions { sms_headers_file: Some(path), ..SmsOptions::default() };
        let whole = "sms_url = \"https://sms.example.com/hidden\"\nsms_body = \"to={to}&text={text}\"\nsms_timeout = 5";
        let sms = sms_of(&options, &mut file(whole)).unwrap();
        assert_eq!(format!("{sms:?}"), "Gateway(sms.example.com)");
        assert!(matches!(sms_of(&SmsOptions::default(), &mut file("")), Ok(Sms::None)));
        assert!(sms_of(&options, &mut file("")).unwrap_err().contains("--sms-url"));
        let both = SmsOptions { sms_headers: Some("X: hidden".into()), ..options };
        assert!(sms_of(&both, &mut file(whole)).unwrap_err().contains("not both"));
        let gone = SmsOptions { sms_headers_file: Some(folder.path().join("gone")), ..SmsOptions::default() };
        assert!(sms_of(&gone, &mut file(whole)).unwrap_err().contains("cannot read"));
    }

    #[test]
    fn breached_passwords_are_looked_up_where_the_operator_says() {
        let file = |text: &str| toml::from_str::<File>(text).unwrap();
        let source = |given: Option<&str>, text: &str| {
            let options = PasswordOptions { breached_passwords: given.map(str::to_owned) };
            breaches_of(&options, &mut file(text)).map(|source| source.to_string())
        };
        let set = "breached_passwords = \"/srv/pwned.txt\"";
        assert_eq!(source(None, "").unwrap(), "https://api.pwnedpasswords.com/range");
        assert_eq!(source(None, set).unwrap(), "/srv/pwned.txt");
        assert_eq!(source(Some("off"), set).unwrap(), "off");
        assert!(source(Some("ftp://example.com"), set).is_err());
    }

    #[test]
    fn an_unknown_key_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("denizen.toml");
        fs::write(&path, "listne = \"127.0.0.1:1\"").unwrap();
        let message = read(Some(&path)).err().unwrap();
        assert!(message.contains("listne"), "{message}");
    }
}
