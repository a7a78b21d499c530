//! Exports of users, as CSV or JSON Lines.

use axum::{http::StatusCode, response::Response};
use denizen_model::{Timestamp, permissions::markers::UsersExport, users::User, validation::FieldErrors};
use denizen_ops::{
    App, Cx, Error, May,
    users::{self, Export, ExportEnd},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{
    super::{answer::Answer, ask::Ask},
    view::UserView,
};
use crate::{
    Web,
    download::{self, CSV, JSONL, Lines, Pieces},
};

pub(super) fn endpoints() -> OpenApiRouter<Web> {
    OpenApiRouter::new().routes(routes!(export))
}

/// The format of an export.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Format {
    /// Comma-separated values with a header line.
    Csv,
    /// One JSON object a line.
    Jsonl,
}

impl Format {
    fn as_str(self) -> &'static str {
        match self {
            Self::Csv => "csv",
            Self::Jsonl => "jsonl",
        }
    }
}

macro_rules! columns {
    ($($variant:ident = $name:literal, $label:literal;)+) => {
        /// A column of an export: a field of the user, or one of the custom attributes.
        #[derive(Debug, Clone, PartialEq, Eq)]
        pub(crate) enum Column {
            $($variant,)+
            /// A custom attribute, by its key.
            Attribute(String),
        }

        impl Column {
            /// Every field, with its name and what people call it.
            pub(crate) const FIELDS: &[(Column, &str, &str)] = &[$((Column::$variant, $name, $label)),+];

            fn name(&self) -> String {
                match self {
                    $(Self::$variant => $name.to_owned(),)+
                    Self::Attribute(key) => format!("{ATTRIBUTE}{key}"),
                }
            }

            fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    other => other.strip_prefix(ATTRIBUTE).filter(|key| !key.is_empty()).map(|key| Self::Attribute(key.to_owned())),
                }
            }
        }
    };
}

const ATTRIBUTE: &str = "attr.";

columns! {
    Id = "id", "Id";
    Kind = "kind", "Kind";
    Username = "username", "Username";
    Email = "email", "Email";
    EmailState = "email_state", "Email state";
    Phone = "phone", "Phone";
    PhoneState = "phone_state", "Phone state";
    GivenName = "given_name", "Given name";
    FamilyName = "family_name", "Family name";
    Name = "name", "Name";
    Locale = "locale", "Language";
    Zoneinfo = "zoneinfo", "Time zone";
    Reference = "reference", "Reference";
    Attributes = "attributes", "Attributes, as JSON";
    Enabled = "enabled", "Enabled";
    DisabledAt = "disabled_at", "Disabled at";
    DisabledReason = "disabled_reason", "Why disabled";
    RequiresPasswordReset = "requires_password_reset", "Password reset required";
    AdminRole = "admin_role", "Administrator role";
    FailedPasswordAttempts = "failed_password_attempts", "Wrong passwords";
    FailedOtpAttempts = "failed_otp_attempts", "Wrong codes";
    LastSignInAt = "last_sign_in_at", "Last sign-in";
    CreatedAt = "created_at", "Created";
    UpdatedAt = "updated_at", "Changed";
}

/// What an export is asked for.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    format: Format,
    /// Empty is all of them.
    columns: Vec<Column>,
    /// The list's query string.
    filter: String,
}

impl Wanted {
    /// Reads the parameters of an address: `format`, `columns`, and those of the list.
    pub(crate) fn read(parameters: &[(String, String)]) -> Result<Self, FieldErrors> {
        let mut wanted = Self { format: Format::Csv, columns: Vec::new(), filter: String::new() };
        let mut filter = form_urlencoded::Serializer::new(String::new());
        let mut errors = FieldErrors::new();
        for (name, value) in parameters {
            match name.as_str() {
                "format" => match value.as_str() {
                    "csv" => wanted.format = Format::Csv,
                    "jsonl" => wanted.format = Format::Jsonl,
                    _ => errors.add("format", "Must be csv or jsonl."),
                },
                "columns" => {
                    for name in value.split(',').filter(|name| !name.is_empty()) {
                        match Column::from_name(name.trim()) {
                            Some(column) if wanted.columns.contains(&column) => {}
                            Some(column) => wanted.columns.push(column),
                            None => errors.add("columns", format!("There is no column {name}.")),
                        }
                    }
                }
                _ => drop(filter.append_pair(name, value)),
            }
        }
        wanted.filter = filter.finish();
        errors.into_result()?;
        Ok(wanted)
    }
}

/// An export as a file that is made while it is sent.
pub(crate) async fn stream(app: &App, cx: &Cx, may: May<UsersExport>, wanted: Wanted) -> Result<Response, Error> {
    let Wanted { format, mut columns, filter } = wanted;
    let all = columns.is_empty();
    if all {
        columns = Column::FIELDS.iter().map(|(column, ..)| column.clone()).collect();
    }
    let names: Vec<String> = columns.iter().map(Column::name).collect();
    let export = users::export(app, cx, may, &filter, format.as_str(), &names).await?;
    let day: String = cx.now.to_string().chars().take(10).collect();
    let name = format!("users-{}-{day}.{}", export.realm_name(), format.as_str());
    Ok(match format {
        Format::Csv => download::file(&name, CSV, move |pieces| {
            let header = csv_header(&names);
            send(export, pieces, header, move |users| csv_piece(users, &columns))
        }),
        Format::Jsonl if all => download::file(&name, JSONL, move |pieces| {
            send(export, pieces, Ok(Vec::new()), |users| json_piece(users, UserView::from))
        }),
        Format::Jsonl => download::file(&name, JSONL, move |pieces| {
            send(export, pieces, Ok(Vec::new()), move |users| json_piece(users, |user| chosen(user, &columns, &names)))
        }),
    })
}

type Piece = Result<Vec<u8>, String>;

/// Reads page after page; while one is written and sent, the next is read.
async fn send<W>(mut export: Export, pieces: Pieces, header: Piece, write: W)
where
    W: Fn(Vec<User>) -> Piece + Send + 'static,
{
    let end = match send_all(&mut export, &pieces, header, write).await {
        Ok(end) => end,
        Err(message) => {
            tracing::error!(error = message, "An export failed");
            pieces.fail().await;
            ExportEnd::Failed
        }
    };
    if let Err(error) = export.end(end).await {
        tracing::error!(error = %error, context = error.context.as_deref(), "How an export ended could not be recorded");
    }
}

async fn send_all<W>(export: &mut Export, pieces: &Pieces, header: Piece, write: W) -> Result<ExportEnd, String>
where
    W: Fn(Vec<User>) -> Piece + Send + 'static,
{
    let failed = |error: Error| error.context.unwrap_or(error.message);
    if !pieces.send(header?).await {
        return Ok(ExportEnd::Cancelled);
    }
    let mut users = export.next().await.map_err(failed)?;
    while !users.is_empty() {
        let rows = users.len();
        let sent = async { Ok::<_, String>(pieces.send(write(users)?).await) };
        let (next, sent) = tokio::join!(export.next(), sent);
        if !sent? {
            return Ok(ExportEnd::Cancelled);
        }
        export.handed_out(rows);
        users = next.map_err(failed)?;
    }
    Ok(ExportEnd::Finished)
}

fn csv_header(names: &[String]) -> Piece {
    let mut lines = Lines::new();
    let written = names.iter().try_for_each(|name| lines.cell(name)).and_then(|()| lines.end());
    written.map_err(|error| error.to_string())?;
    Ok(lines.into_bytes())
}

fn csv_piece(users: Vec<User>, columns: &[Column]) -> Piece {
    let mut lines = Lines::new();
    let mut scratch = String::new();
    for user in &users {
        for column in columns {
            csv_cell(&mut lines, &mut scratch, user, column).map_err(|error| error.to_string())?;
        }
        lines.end().map_err(|error| error.to_string())?;
    }
    Ok(lines.into_bytes())
}

fn csv_cell(lines: &mut Lines, scratch: &mut String, user: &User, column: &Column) -> csv::Result<()> {
    use std::fmt::Write as _;
    scratch.clear();
    let truth = |is: bool| if is { "true" } else { "false" };
    let mut time = |at: Option<Timestamp>| {
        if let Some(at) = at {
            // Writing to a string cannot fail.
            let _ = write!(scratch, "{at}");
        }
    };
    match column {
        Column::Id => {
            let mut buffer = uuid::Uuid::encode_buffer();
            return lines.cell(user.id.uuid().hyphenated().encode_lower(&mut buffer));
        }
        Column::Kind => return lines.cell(user.kind.as_str()),
        Column::Username => return lines.cell(&user.username),
        Column::Email => return lines.cell(user.email.as_deref().unwrap_or("")),
        Column::EmailState => return lines.cell(user.email_state.as_str()),
        Column::Phone => return lines.cell(user.phone.as_deref().unwrap_or("")),
        Column::PhoneState => return lines.cell(user.phone_state.as_str()),
        Column::GivenName => return lines.cell(user.given_name.as_deref().unwrap_or("")),
        Column::FamilyName => return lines.cell(user.family_name.as_deref().unwrap_or("")),
        Column::Name => return lines.cell(&user.name),
        Column::Locale => return lines.cell(user.locale.as_deref().unwrap_or("")),
        Column::Zoneinfo => return lines.cell(user.zoneinfo.as_deref().unwrap_or("")),
        Column::Reference => return lines.cell(user.reference.as_deref().unwrap_or("")),
        Column::Enabled => return lines.cell(truth(user.enabled)),
        Column::DisabledReason => return lines.cell(user.disabled_reason.as_deref().unwrap_or("")),
        Column::RequiresPasswordReset => return lines.cell(truth(user.requires_password_reset)),
        Column::AdminRole => return lines.cell(user.admin_role.map_or("", |role| role.as_str())),
        Column::Attributes if user.attributes.is_empty() => return lines.cell("{}"),
        Column::Attributes => scratch.push_str(&serde_json::to_string(&user.attributes).unwrap_or_default()),
        Column::Attribute(key) => match user.attributes.get(key) {
            None => {}
            Some(Value::String(text)) => return lines.cell(text),
            Some(other) => scratch.push_str(&other.to_string()),
        },
        Column::DisabledAt => time(user.disabled_at),
        Column::LastSignInAt => time(user.last_sign_in_at),
        Column::CreatedAt => time(Some(user.created_at)),
        Column::UpdatedAt => time(Some(user.updated_at)),
        Column::FailedPasswordAttempts => drop(write!(scratch, "{}", user.failed_password_attempts)),
        Column::FailedOtpAttempts => drop(write!(scratch, "{}", user.failed_otp_attempts)),
    }
    lines.cell(scratch)
}

fn json_piece<V: Serialize>(users: Vec<User>, view: impl Fn(User) -> V) -> Piece {
    let mut out = Vec::with_capacity(users.len() * 512);
    for user in users {
        serde_json::to_writer(&mut out, &view(user)).map_err(|error| error.to_string())?;
        out.push(b'\n');
    }
    Ok(out)
}

/// A user's chosen columns, in their order.
fn chosen(user: User, columns: &[Column], names: &[String]) -> Map<String, Value> {
    let attributes = user.attributes.clone();
    let mut fields = match serde_json::to_value(UserView::from(user)) {
        Ok(Value::Object(fields)) => fields,
        _ => Map::new(),
    };
    let value = |(column, name): (&Column, &String)| {
        let value = match column {
            Column::Attribute(key) => attributes.get(key).cloned(),
            _ => fields.remove(name),
        };
        (name.clone(), value.unwrap_or(Value::Null))
    };
    columns.iter().zip(names).map(value).collect()
}

#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "only described: the parameters of the list stand beside these")]
struct ExportUsers {
    /// `csv`, which is also what comes when it is absent, or `jsonl`.
    #[param(inline)]
    format: Option<Format>,
    /// The columns, with commas between: names of the user's fields, and `attr.KEY` for a custom attribute. All fields
    /// when absent.
    columns: Option<String>,
    /// Search text, as in the list of users.
    q: Option<String>,
}

/// Export users
///
/// Everything that the list shows for the same parameters (each of its filters, and `sort`), streamed, without a limit. In CSV, a
/// cell that a spreadsheet would take for a formula begins with `'`. The export and its end are in the audit log.
#[utoipa::path(get, path = "/realms/{realm}/users/export", operation_id = "export_users", tag = "Users", params(ExportUsers),
    responses((status = 200, description = "The file.", content((String = "text/csv"), (UserView = "application/jsonl")))),
    extensions(("x-permission" = json!("users:export"))))]
async fn export(ask: Ask<UsersExport, Vec<(String, String)>>) -> Answer<Response> {
    let wanted = Wanted::read(&ask.query).map_err(Error::from)?;
    let mut response = stream(&ask.app, &ask.cx, ask.may, wanted).await?;
    *response.status_mut() = StatusCode::OK;
    Ok(response)
}
