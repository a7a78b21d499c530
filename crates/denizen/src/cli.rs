//! The command line. Every setting has a flag, an environment variable and a key in the configuration file.

pub(crate) mod remote;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use self::remote::{ClientsCommand, JobsCommand, LoginOptions, RealmsCommand, UsersCommand};

/// User management and sign-in for everything your organization runs.
#[derive(Parser)]
#[command(version, about, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// Run the server
    Serve(ServeOptions),
    /// Try Denizen on a throw-away realm full of believable people
    Demo(DemoOptions),
    /// API keys for scripts, on the machine that holds the database
    #[command(subcommand)]
    Key(KeyCommand),
    /// The audit log
    #[command(subcommand)]
    Audit(AuditCommand),
    /// Check configuration, database, mail, clock and keys, and say what to do
    Doctor(DoctorOptions),
    /// Keep an address and an API key for the commands below
    Login(LoginOptions),
    /// Forget them
    Logout,
    /// Users, by the admin API
    #[command(subcommand)]
    Users(UsersCommand),
    /// Long work, by the admin API
    #[command(subcommand)]
    Jobs(JobsCommand),
    /// Realms, by the admin API
    #[command(subcommand)]
    Realms(RealmsCommand),
    /// Clients, by the admin API
    #[command(subcommand)]
    Clients(ClientsCommand),
}

#[derive(Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a machine with an admin role and print its API key, alone, on standard output
    Create(KeyCreateOptions),
}

#[derive(Subcommand)]
pub(crate) enum AuditCommand {
    /// Prove that no event was altered or removed
    Verify(AuditVerifyOptions),
}

/// Where the data is; the same for all commands.
#[derive(Args, Clone, Default)]
pub(crate) struct StorageOptions {
    /// Folder of the embedded database and of the master key [default: ./data]
    #[arg(long, env = "DENIZEN_DATA", value_name = "DIR")]
    pub(crate) data: Option<PathBuf>,
    /// PostgreSQL instead of the embedded database, as postgres://user:password@host/name
    #[arg(long, env = "DENIZEN_DATABASE", value_name = "URL", hide_env_values = true)]
    pub(crate) database: Option<String>,
    /// The key that seals secrets at rest, base64; else it is read from master.key in the data folder
    #[arg(long, env = "DENIZEN_MASTER_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) master_key: Option<String>,
    /// Configuration file, TOML; flags and environment variables come first
    #[arg(long, env = "DENIZEN_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

/// Which mail server takes the mails.
#[derive(Args, Clone, Default)]
pub(crate) struct MailOptions {
    /// Mail server, as smtps://user:password@host:465 or smtp://host:587?tls=required (or none)
    #[arg(long, env = "DENIZEN_SMTP_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) smtp_url: Option<String>,
    /// User at the mail server, where it is not in the address
    #[arg(long, env = "DENIZEN_SMTP_USER", value_name = "USER", hide_env_values = true)]
    pub(crate) smtp_user: Option<String>,
    /// Password at the mail server, where it is not in the address
    #[arg(long, env = "DENIZEN_SMTP_PASSWORD", value_name = "PASSWORD", hide_env_values = true)]
    pub(crate) smtp_password: Option<String>,
    /// Who mails come from, as "Denizen <no-reply@example.com>"
    #[arg(long, env = "DENIZEN_MAIL_FROM", value_name = "ADDRESS")]
    pub(crate) mail_from: Option<String>,
}

/// Which gateway takes the text messages.
#[derive(Args, Clone, Default)]
pub(crate) struct SmsOptions {
    /// SMS gateway that text messages are posted to, as https://user:password@host/path
    #[arg(long, env = "DENIZEN_SMS_URL", value_name = "URL", hide_env_values = true)]
    pub(crate) sms_url: Option<String>,
    /// Headers for the SMS gateway, one a line, as "Authorization: Bearer …"
    #[arg(long, env = "DENIZEN_SMS_HEADERS", value_name = "LINES", hide_env_values = true)]
    pub(crate) sms_headers: Option<String>,
    /// File with the headers for the SMS gateway
    #[arg(long, env = "DENIZEN_SMS_HEADERS_FILE", value_name = "FILE")]
    pub(crate) sms_headers_file: Option<PathBuf>,
    /// What the SMS gateway is sent, JSON or a form, with {to}, {text} and {id}
    #[arg(long, env = "DENIZEN_SMS_BODY", value_name = "TEMPLATE", hide_env_values = true)]
    pub(crate) sms_body: Option<String>,
    /// How many seconds the SMS gateway may take [default: 20]
    #[arg(long, env = "DENIZEN_SMS_TIMEOUT", value_name = "SECONDS")]
    pub(crate) sms_timeout: Option<u64>,
}

/// What new passwords are held against.
#[derive(Args, Clone, Default)]
pub(crate) struct PasswordOptions {
    /// Where breached passwords are looked up: an address in Have I Been Pwned's range format, a downloaded file, or off
    /// [default: https://api.pwnedpasswords.com/range]
    #[arg(long, env = "DENIZEN_BREACHED_PASSWORDS", value_name = "SOURCE", hide_env_values = true)]
    pub(crate) breached_passwords: Option<String>,
}

#[derive(Args, Clone, Default)]
pub(crate) struct ServeOptions {
    #[command(flatten)]
    pub(crate) storage: StorageOptions,
    #[command(flatten)]
    pub(crate) mail: MailOptions,
    #[command(flatten)]
    pub(crate) sms: SmsOptions,
    #[command(flatten)]
    pub(crate) passwords: PasswordOptions,
    /// Address to listen on [default: 127.0.0.1:7000]
    #[arg(long, env = "DENIZEN_LISTEN", value_name = "ADDR")]
    pub(crate) listen: Option<String>,
    /// Address under which people and clients reach this server [default: http://ADDR]
    #[arg(long, env = "DENIZEN_PUBLIC_URL", value_name = "URL")]
    pub(crate) public_url: Option<String>,
    /// Take the client's address from the last entry of X-Forwarded-For, as the proxy in front set it
    #[arg(long, env = "DENIZEN_BEHIND_PROXY")]
    pub(crate) behind_proxy: bool,
    /// GeoIP database in MaxMind's format, such as GeoLite2-City.mmdb, for the places of sessions and events
    #[arg(long, env = "DENIZEN_GEOIP_FILE", value_name = "FILE")]
    pub(crate) geoip_file: Option<PathBuf>,
    /// Email of the owner made on a first start
    #[arg(long, env = "DENIZEN_OWNER_EMAIL", value_name = "EMAIL", hide = true)]
    pub(crate) owner_email: Option<String>,
    /// Password of the owner made on a first start
    #[arg(long, env = "DENIZEN_OWNER_PASSWORD", value_name = "PASSWORD", hide = true, hide_env_values = true)]
    pub(crate) owner_password: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct DemoOptions {
    /// How many people to make
    #[arg(long, default_value_t = 4000, value_name = "N")]
    pub(crate) users: u32,
    /// Address to listen on
    #[arg(long, env = "DENIZEN_LISTEN", default_value = "127.0.0.1:7000", value_name = "ADDR")]
    pub(crate) listen: String,
}

#[derive(Args, Clone)]
pub(crate) struct KeyCreateOptions {
    #[command(flatten)]
    pub(crate) storage: StorageOptions,
    /// The realm it works in; with the role owner in `main`, in every realm
    #[arg(long, default_value = "main")]
    pub(crate) realm: String,
    /// What it is for
    #[arg(long)]
    pub(crate) name: String,
    /// owner, admin, support or auditor
    #[arg(long)]
    pub(crate) role: String,
}

#[derive(Args, Clone)]
pub(crate) struct AuditVerifyOptions {
    #[command(flatten)]
    pub(crate) storage: StorageOptions,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Clone)]
pub(crate) struct DoctorOptions {
    #[command(flatten)]
    pub(crate) storage: StorageOptions,
    #[command(flatten)]
    pub(crate) mail: MailOptions,
    /// GeoIP database in MaxMind's format
    #[arg(long, env = "DENIZEN_GEOIP_FILE", value_name = "FILE")]
    pub(crate) geoip_file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) sms: SmsOptions,
    #[command(flatten)]
    pub(crate) passwords: PasswordOptions,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}
