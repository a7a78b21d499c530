//! `denizen users`.

use std::{
    io::{self, IsTerminal, Write},
    path::Path,
    sync::Arc,
};

use serde_json::{Map, Value, json};

use super::{
    jobs,
    output::{self, Column},
};
use crate::{
    cli::remote::{
        Format, RealmOptions, UserCreateOptions, UserDeleteOptions, UserExportOptions, UserFilter, UserImportOptions,
        UserListOptions, UsersCommand, UsersOptions,
    },
    client::{Client, Query},
    failed::Failed,
    login,
};

/// Runs one of the commands.
pub(crate) async fn run(command: UsersCommand) -> Result<(), Failed> {
    match command {
        UsersCommand::List(options) => list(&options).await,
        UsersCommand::Show(options) => {
            let there = There::open(&options.at)?;
            let id = there.find(&options.user).await?;
            show(&there.client.get(&there.user(&id), &[]).await?, there.json)
        }
        UsersCommand::Create(options) => create(&options).await,
        UsersCommand::Disable(options) => {
            let body = json!({ "reason": options.reason });
            each(&options.which, "disable", "Disabled", Some(&body)).await
        }
        UsersCommand::Enable(options) => each(&options, "enable", "Enabled", None).await,
        UsersCommand::Delete(options) => delete(&options).await,
        UsersCommand::Export(options) => export(&options).await,
        UsersCommand::Import(options) => import(&options).await,
    }
}

/// The users of one realm of one server.
struct There<'a> {
    client: Client,
    realm: &'a str,
    json: bool,
}

impl<'a> There<'a> {
    fn open(at: &'a RealmOptions) -> Result<Self, Failed> {
        Ok(Self { client: login::client(&at.remote)?, realm: &at.realm, json: at.remote.json })
    }

    fn users(&self) -> [&str; 3] {
        ["realms", self.realm, "users"]
    }

    fn user<'b>(&'b self, id: &'b str) -> [&'b str; 4] {
        ["realms", self.realm, "users", id]
    }

    /// The id of the user that an id, a username or an email names.
    async fn find(&self, named: &str) -> Result<String, Failed> {
        if is_id(named) {
            return Ok(named.to_owned());
        }
        let query = [("q".to_owned(), named.to_owned()), ("limit".to_owned(), "100".to_owned())];
        let page = self.client.get(&self.users(), &query).await?;
        let items = page.get("items").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is = |item: &Value, field: &str| {
            item.get(field).and_then(Value::as_str).is_some_and(|text| text.to_lowercase() == named.to_lowercase())
        };
        let by_name: Vec<&Value> = items.iter().filter(|item| is(item, "username")).collect();
        let found = if by_name.is_empty() { items.iter().filter(|item| is(item, "email")).collect() } else { by_name };
        let ids: Vec<&str> = found.iter().filter_map(|item| item.get("id").and_then(Value::as_str)).collect();
        match ids.as_slice() {
            [id] => Ok((*id).to_owned()),
            [] => Err(Failed::Operation(format!("there is no user {named} in the realm {}", self.realm))),
            many => Err(Failed::Operation(format!("{named} is several users; name one by id: {}", many.join(", ")))),
        }
    }
}

/// Whether a text has the form of an id.
fn is_id(text: &str) -> bool {
    text.len() == 36
        && text.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

fn query_of(filter: &UserFilter) -> Query {
    let named = [("q", &filter.q), ("status", &filter.status), ("kind", &filter.kind), ("sort", &filter.sort)];
    let named = named.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value.clone()?)));
    named.chain(filter.filter.iter().cloned()).collect()
}

async fn list(options: &UserListOptions) -> Result<(), Failed> {
    let there = There::open(&options.at)?;
    let mut query = query_of(&options.filter);
    query.extend(options.cursor.iter().map(|cursor| ("cursor".to_owned(), cursor.clone())));
    let most = (!options.all).then_some(options.limit).and_then(|limit| usize::try_from(limit).ok());
    let page = there.client.list(&there.users(), &query, most).await?;
    let columns = [
        Column::text("ID", "id"),
        Column::text("NAME", "name"),
        Column::text("USERNAME", "username"),
        Column::text("KIND", "kind"),
        Column::flag("STATUS", "enabled", "active", "disabled"),
        Column::text("ADMIN", "admin_role"),
        Column::time("LAST SIGN-IN", "last_sign_in_at"),
    ];
    output::list(&page, &columns, there.json)
}

fn show(user: &Value, as_json: bool) -> Result<(), Failed> {
    if as_json {
        return output::json(user);
    }
    let field = |name: &str| user.get(name).unwrap_or(&Value::Null);
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut row = |label: &str, text: String| rows.push(vec![label.to_owned(), text]);
    row("Id", output::text(field("id")));
    row("Name", output::text(field("name")));
    row("Kind", output::text(field("kind")));
    row("Username", output::text(field("username")));
    for (label, value, state) in [("Email", "email", "email_state"), ("Phone", "phone", "phone_state")] {
        if !field(value).is_null() {
            let state = output::text(field(state)).replace('_', " ");
            row(label, format!("{} ({state})", output::text(field(value))));
        }
    }
    row("Status", if field("enabled") == &Value::Bool(true) { "active" } else { "disabled" }.to_owned());
    for (label, name) in [("Disabled at", "disabled_at"), ("Last sign-in", "last_sign_in_at")] {
        if !field(name).is_null() || name == "last_sign_in_at" {
            row(label, output::time(field(name)));
        }
    }
    for (label, name) in [
        ("Reason", "disabled_reason"),
        ("Admin role", "admin_role"),
        ("Reference", "reference"),
        ("Language", "locale"),
        ("Time zone", "zoneinfo"),
    ] {
        if !field(name).is_null() {
            row(label, output::text(field(name)));
        }
    }
    if field("requires_password_reset") == &Value::Bool(true) {
        row("Password", "must be changed at the next sign-in".to_owned());
    }
    for (label, name) in [("Failed passwords", "failed_password_attempts"), ("Failed codes", "failed_otp_attempts")] {
        if field(name).as_u64().unwrap_or(0) > 0 {
            row(label, output::text(field(name)));
        }
    }
    for (key, value) in field("attributes").as_object().into_iter().flatten() {
        row(&format!("attributes.{}", output::printable(key)), output::text(value));
    }
    row("Created", output::time(field("created_at")));
    row("Updated", output::time(field("updated_at")));
    output::rows(rows)
}

fn ask_password() -> Result<String, Failed> {
    let failed = |error: io::Error| Failed::Operation(format!("cannot read the password: {error}"));
    if io::stdin().is_terminal() {
        return rpassword::prompt_password("Password: ").map_err(failed);
    }
    let mut line = String::new();
    io::stdin().read_line(&mut line).map_err(failed)?;
    Ok(line.trim_end_matches(['\r', '\n']).to_owned())
}

async fn create(options: &UserCreateOptions) -> Result<(), Failed> {
    let there = There::open(&options.at)?;
    let mut body = Map::new();
    body.insert("kind".to_owned(), if options.machine { "machine" } else { "human" }.into());
    for (name, value) in [
        ("email", &options.email),
        ("username", &options.username),
        ("given_name", &options.given_name),
        ("family_name", &options.family_name),
        ("name", &options.name),
        ("phone", &options.phone),
        ("locale", &options.locale),
        ("zoneinfo", &options.zoneinfo),
        ("reference", &options.reference),
    ] {
        if let Some(value) = value {
            body.insert(name.to_owned(), value.as_str().into());
        }
    }
    if options.email_verified {
        body.insert("email_verified".to_owned(), true.into());
    }
    if options.temporary_password {
        body.insert("temporary_password".to_owned(), true.into());
    }
    let attributes: Map<String, Value> = options
        .attribute
        .iter()
        .map(|(key, text)| (key.clone(), serde_json::from_str(text).unwrap_or_else(|_| text.as_str().into())))
        .collect();
    if !attributes.is_empty() {
        body.insert("attributes".to_owned(), attributes.into());
    }
    if options.password {
        body.insert("password".to_owned(), ask_password()?.into());
    }
    let made = there.client.post(&there.users(), Some(&body.into())).await?;
    show(&made, there.json)?;
    if !there.json {
        if let Some(password) = made.get("temporary_password").and_then(Value::as_str) {
            output::line(&format!("\nTemporary password, shown this once: {}", output::printable(password)))?;
        }
        if let Some(key) = made.pointer("/api_key/key").and_then(Value::as_str) {
            output::line(&format!("\nAPI key, shown this once: {}", output::printable(key)))?;
        }
    }
    Ok(())
}

/// Does the same to each of the users named; goes on after a failure and fails at the end.
async fn each(options: &UsersOptions, action: &str, done: &str, body: Option<&Value>) -> Result<(), Failed> {
    let there = There::open(&options.at)?;
    let mut results = Vec::new();
    let mut failures = Failures::default();
    for named in &options.users {
        let result = match there.find(named).await {
            Ok(id) => {
                let path = ["realms", there.realm, "users", &id, action];
                there.client.post(&path, body).await.map_err(Failed::from)
            }
            Err(failed) => Err(failed),
        };
        match result {
            Ok(user) if there.json => results.push(user),
            Ok(user) => {
                output::line(&format!("{done} {}", output::text(user.get("username").unwrap_or(&Value::Null))))?;
            }
            Err(failed) => failures.note(named, &failed),
        }
    }
    if there.json {
        output::json(&json!({ "items": results }))?;
    }
    failures.outcome(options.users.len())
}

#[derive(Default)]
struct Failures(Vec<String>);

impl Failures {
    fn note(&mut self, named: &str, failed: &Failed) {
        self.0.push(format!("{named}: {}", failed.message()));
    }

    fn outcome(self, of: usize) -> Result<(), Failed> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] if of == 1 => Err(Failed::Operation(one.clone())),
            many => Err(Failed::Operation(format!("{} of {of} failed\n{}", many.len(), many.join("\n")))),
        }
    }
}

async fn delete(options: &UserDeleteOptions) -> Result<(), Failed> {
    let there = There::open(&options.which.at)?;
    let users = &options.which.users;
    if !options.yes {
        let whom = if let [one] = users.as_slice() { one.clone() } else { format!("{} users", users.len()) };
        confirm(&format!("Delete {whom} for good, with all that hangs on them?"))?;
    }
    let mut deleted = Vec::new();
    let mut failures = Failures::default();
    for named in users {
        let result = match there.find(named).await {
            Ok(id) => there.client.delete(&there.user(&id)).await.map(|_| id).map_err(Failed::from),
            Err(failed) => Err(failed),
        };
        match result {
            Ok(id) => {
                if !there.json {
                    output::line(&format!("Deleted {}", output::printable(named)))?;
                }
                deleted.push(id);
            }
            Err(failed) => failures.note(named, &failed),
        }
    }
    if there.json {
        output::json(&json!({ "deleted": deleted }))?;
    }
    failures.outcome(users.len())
}

/// Asks on the terminal; where nobody can be asked, says what to do.
fn confirm(question: &str) -> Result<(), Failed> {
    if !io::stdin().is_terminal() {
        return Err(Failed::Usage("nobody can be asked here; say --yes".to_owned()));
    }
    eprint!("{question} [y/N] ");
    let mut answer = String::new();
    let read = io::stderr().flush().and_then(|()| io::stdin().read_line(&mut answer));
    read.map_err(|error| Failed::Operation(format!("cannot read the answer: {error}")))?;
    match answer.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(Failed::Operation("nothing was done".to_owned())),
    }
}

fn format_of(file: &Path) -> Option<Format> {
    match file.extension()?.to_str()? {
        "csv" => Some(Format::Csv),
        "jsonl" | "ndjson" => Some(Format::Jsonl),
        _ => None,
    }
}

async fn export(options: &UserExportOptions) -> Result<(), Failed> {
    let there = There::open(&options.at)?;
    let format = options.format.or(options.output.as_deref().and_then(format_of)).unwrap_or(Format::Csv);
    let mut query = query_of(&options.filter);
    query.push(("format".to_owned(), format.as_str().to_owned()));
    query.extend(options.columns.iter().map(|columns| ("columns".to_owned(), columns.clone())));
    let mut answer = there.client.download(&["realms", there.realm, "users", "export"], &query).await?;
    output::save(&there.client, &mut answer, options.output.as_deref()).await
}

async fn import(options: &UserImportOptions) -> Result<(), Failed> {
    let Some(format) = options.format.or(format_of(&options.file)) else {
        return Err(Failed::Usage("say --format csv or --format jsonl; the file's name does not".to_owned()));
    };
    let there = There::open(&options.at)?;
    let mut query: Query = vec![("format".to_owned(), format.as_str().to_owned())];
    if options.dry_run {
        query.push(("dry_run".to_owned(), "true".to_owned()));
    }
    query.extend(options.mode.iter().map(|mode| ("mode".to_owned(), mode.clone())));
    if !options.map.is_empty() {
        let field = |field: &String| if field.is_empty() { Value::Null } else { field.as_str().into() };
        let columns: Map<String, Value> = options.map.iter().map(|(column, to)| (column.clone(), field(to))).collect();
        query.push(("mapping".to_owned(), Value::from(columns).to_string()));
    }
    let content_type = match format {
        Format::Csv => "text/csv",
        Format::Jsonl => "application/x-ndjson",
    };
    let length = std::fs::metadata(&options.file).ok().filter(std::fs::Metadata::is_file).map(|file| file.len());
    let bar = output::bar(length, "sending [{bar:30}] {decimal_bytes}/{decimal_total_bytes} {eta}");
    let shown = bar.clone();
    let sent = Arc::new(move |bytes| shown.set_position(bytes));
    let path = ["realms", there.realm, "users", "import"];
    let job = there.client.upload(&path, &query, content_type, &options.file, sent).await;
    bar.finish_and_clear();
    let job = job?;
    let Some(id) = job.get("id").and_then(Value::as_str).filter(|_| !options.no_wait) else {
        return jobs::show(&job, there.json);
    };
    let job = jobs::wait(&there.client, there.realm, id).await?;
    if let Some(file) = &options.report {
        jobs::report(&there.client, there.realm, id, Some(file)).await?;
    }
    jobs::show(&job, there.json)?;
    jobs::outcome(&job)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_told_from_names() {
        assert!(is_id("01939f0e-7c3b-7f3a-9d2e-0123456789ab"));
        for name in ["jane@example.com", "01939f0e-7c3b-7f3a-9d2e-0123456789ag", ""] {
            assert!(!is_id(name), "{name}");
        }
    }

    #[test]
    fn the_format_follows_from_the_name() {
        assert!(format_of(Path::new("a.csv")) == Some(Format::Csv));
        assert!(format_of(Path::new("a.ndjson")) == Some(Format::Jsonl));
        assert!(format_of(Path::new("a.txt")).is_none());
    }
}
