//! Commands that are clients of the admin API.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};

/// Which server, with which key, in which realm; the same for all of them.
#[derive(Args, Clone)]
pub(crate) struct RemoteOptions {
    /// Address of the server [default: that of denizen login]
    #[arg(long, env = "DENIZEN_URL", value_name = "URL")]
    pub(crate) url: Option<String>,
    /// API key [default: that of denizen login]
    #[arg(long, env = "DENIZEN_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Args, Clone)]
pub(crate) struct RealmOptions {
    #[command(flatten)]
    pub(crate) remote: RemoteOptions,
    /// The realm
    #[arg(long, env = "DENIZEN_REALM", default_value = "main", value_name = "REALM")]
    pub(crate) realm: String,
}

#[derive(Args, Clone)]
pub(crate) struct LoginOptions {
    /// Address of the server
    #[arg(long, env = "DENIZEN_URL", value_name = "URL")]
    pub(crate) url: String,
    /// API key; asked for when absent
    #[arg(long, env = "DENIZEN_KEY", value_name = "KEY", hide_env_values = true)]
    pub(crate) key: Option<String>,
    /// The realm that the key is tried in
    #[arg(long, env = "DENIZEN_REALM", default_value = "main", value_name = "REALM")]
    pub(crate) realm: String,
}

#[derive(Subcommand)]
pub(crate) enum UsersCommand {
    /// List users, newest first
    List(UserListOptions),
    /// Show one user
    Show(UserOptions),
    /// Create a person or a machine
    Create(Box<UserCreateOptions>),
    /// Disable users: they cannot sign in, and their sessions end at once
    Disable(UserDisableOptions),
    /// Enable users again
    Enable(UsersOptions),
    /// Delete users for good
    Delete(UserDeleteOptions),
    /// Write users to a file or to standard output
    Export(UserExportOptions),
    /// Import users from CSV or JSON Lines
    Import(UserImportOptions),
}

/// Which users; the same for a list and an export.
#[derive(Args, Clone)]
pub(crate) struct UserFilter {
    /// Search text
    #[arg(short, long, value_name = "TEXT")]
    pub(crate) q: Option<String>,
    /// Only enabled ones, or only disabled ones: active or disabled
    #[arg(long, value_name = "STATUS")]
    pub(crate) status: Option<String>,
    /// Only people, or only machines: human or machine
    #[arg(long, value_name = "KIND")]
    pub(crate) kind: Option<String>,
    /// Any filter of the API, such as group=beta or last_sign_in=30d; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) filter: Vec<(String, String)>,
    /// created_at, last_sign_in_at, name, email or role; with - before it largest first
    #[arg(long, value_name = "COLUMN", allow_hyphen_values = true)]
    pub(crate) sort: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct UserListOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    #[command(flatten)]
    pub(crate) filter: UserFilter,
    /// How many to show at the most
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Show all, however many there are
    #[arg(long, conflicts_with = "limit")]
    pub(crate) all: bool,
    /// Go on where a list ended: its next_cursor
    #[arg(long, value_name = "CURSOR")]
    pub(crate) cursor: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct UserOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    /// Id, username or email
    #[arg(value_name = "USER")]
    pub(crate) user: String,
}

#[derive(Args, Clone)]
pub(crate) struct UsersOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    /// Ids, usernames or emails
    #[arg(value_name = "USER", required = true)]
    pub(crate) users: Vec<String>,
}

#[derive(Args, Clone)]
pub(crate) struct UserDisableOptions {
    #[command(flatten)]
    pub(crate) which: UsersOptions,
    /// The reason, for other administrators
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
}

#[derive(Args, Clone)]
pub(crate) struct UserDeleteOptions {
    #[command(flatten)]
    pub(crate) which: UsersOptions,
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Args, Clone)]
pub(crate) struct UserCreateOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    /// Make a machine, with an API key that is shown once
    #[arg(long)]
    pub(crate) machine: bool,
    /// Email address
    #[arg(long)]
    pub(crate) email: Option<String>,
    /// The address counts as confirmed
    #[arg(long)]
    pub(crate) email_verified: bool,
    /// Sign-in name, where it is not the email
    #[arg(long)]
    pub(crate) username: Option<String>,
    /// Given name
    #[arg(long)]
    pub(crate) given_name: Option<String>,
    /// Family name
    #[arg(long)]
    pub(crate) family_name: Option<String>,
    /// Name of a machine
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Phone number, such as +4930123456
    #[arg(long)]
    pub(crate) phone: Option<String>,
    /// Language, such as de-AT
    #[arg(long)]
    pub(crate) locale: Option<String>,
    /// Time zone, such as Europe/Berlin
    #[arg(long)]
    pub(crate) zoneinfo: Option<String>,
    /// The application's own id for the user
    #[arg(long)]
    pub(crate) reference: Option<String>,
    /// A custom attribute; the value is read as JSON where it is that (1, true, ["a"]), else as text
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    pub(crate) attribute: Vec<(String, String)>,
    /// Read a first password from standard input, or ask for it
    #[arg(long, conflicts_with = "temporary_password")]
    pub(crate) password: bool,
    /// Make a temporary password and show it once
    #[arg(long)]
    pub(crate) temporary_password: bool,
}

/// The two formats of files of users.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Comma-separated values with a header line
    Csv,
    /// One JSON object a line
    Jsonl,
}

impl Format {
    /// Its name in the API.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

#[derive(Args, Clone)]
pub(crate) struct UserExportOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    #[command(flatten)]
    pub(crate) filter: UserFilter,
    /// Format; by the file's name when absent, else csv
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Columns, separated by commas
    #[arg(long, value_name = "COLUMNS")]
    pub(crate) columns: Option<String>,
    /// File to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct UserImportOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    /// File to read; - is standard input
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Format; by the file's name when absent
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// Check every line and change nothing
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// What happens to users that exist already: create leaves them alone, upsert changes them
    #[arg(long, value_name = "MODE")]
    pub(crate) mode: Option<String>,
    /// What a column is, where its name does not say so, such as "E-Mail=email"; "Column=" leaves it out
    #[arg(long, value_name = "COLUMN=FIELD", value_parser = pair)]
    pub(crate) map: Vec<(String, String)>,
    /// File to write the outcome of each refused line to, as CSV
    #[arg(long, value_name = "FILE", conflicts_with = "no_wait")]
    pub(crate) report: Option<PathBuf>,
    /// Do not wait for the job to end
    #[arg(long)]
    pub(crate) no_wait: bool,
}

#[derive(Subcommand)]
pub(crate) enum JobsCommand {
    /// List jobs, newest first
    List(ListOptions),
    /// Show one job
    Show(JobShowOptions),
    /// Cancel a job; what it did so far stays
    Cancel(JobOptions),
    /// Write what became of each item, as CSV
    Report(JobReportOptions),
}

#[derive(Args, Clone)]
pub(crate) struct JobReportOptions {
    #[command(flatten)]
    pub(crate) job: JobOptions,
    /// File to write [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Args, Clone)]
pub(crate) struct JobOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    /// The job's id
    #[arg(value_name = "JOB")]
    pub(crate) job: String,
}

#[derive(Args, Clone)]
pub(crate) struct JobShowOptions {
    #[command(flatten)]
    pub(crate) job: JobOptions,
    /// Wait until it has ended, with a progress bar; fails when the job did
    #[arg(long)]
    pub(crate) wait: bool,
}

#[derive(Args, Clone)]
pub(crate) struct ListOptions {
    #[command(flatten)]
    pub(crate) at: RealmOptions,
    /// How many to show at the most
    #[arg(long, default_value_t = 50, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
}

#[derive(Subcommand)]
pub(crate) enum RealmsCommand {
    /// List realms
    List(RemoteOptions),
}

#[derive(Subcommand)]
pub(crate) enum ClientsCommand {
    /// List clients by name
    List(ListOptions),
}

fn pair(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("must be KEY=VALUE".to_owned()),
    }
}
