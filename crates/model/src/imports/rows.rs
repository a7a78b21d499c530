//! A row of a file and what it says of a user.

use serde_json::{Map, Value};

use super::{
    ImportFormat,
    columns::{Columns, ImportField},
    csv::CsvRows,
};
use crate::{
    Timestamp,
    attribute_definitions::AttributeDefinitions,
    text::fold,
    users::{UserKind, detect_attribute},
    validation::FieldErrors,
};

/// One value of a row. A blank cell of CSV is none: it says nothing.
#[derive(Debug, Clone, PartialEq)]
enum Cell {
    Text(String),
    Json(Value),
    /// JSON's `null`: the field is cleared.
    Clear,
}

/// A row: what it calls each of its fields, and the values.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportRow {
    /// Its line in the file, from 1.
    pub line: u64,
    cells: Vec<(ImportField, Cell)>,
}

/// What a row says of a user: `None` says nothing, `Some(None)` that there is none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportUser {
    /// Person or machine.
    pub kind: Option<UserKind>,
    /// Sign-in name.
    pub username: Option<String>,
    /// Email.
    pub email: Option<Option<String>>,
    /// Whether it is confirmed.
    pub email_verified: Option<bool>,
    /// Phone.
    pub phone: Option<Option<String>>,
    /// Whether it is confirmed.
    pub phone_verified: Option<bool>,
    /// Given name.
    pub given_name: Option<Option<String>>,
    /// Family name.
    pub family_name: Option<Option<String>>,
    /// Name of a machine.
    pub name: Option<String>,
    /// Language.
    pub locale: Option<Option<String>>,
    /// Time zone.
    pub zoneinfo: Option<Option<String>>,
    /// The application's own id.
    pub reference: Option<Option<String>>,
    /// Attributes; a null removes one.
    pub attributes: Map<String, Value>,
    /// Whether they can sign in.
    pub enabled: Option<bool>,
    /// When they were made.
    pub created_at: Option<Timestamp>,
    /// When they last signed in.
    pub last_sign_in_at: Option<Timestamp>,
    /// Their password's hash.
    pub password_hash: Option<String>,
    /// Names of roles.
    pub roles: Vec<String>,
    /// Names of groups.
    pub groups: Vec<String>,
    /// Names of organizations.
    pub organizations: Vec<String>,
}

/// The rows of a piece, whose first line is `first_line`. A CSV file's first piece begins with its header.
#[must_use]
pub fn rows_of(
    format: ImportFormat,
    text: &str,
    delimiter: u8,
    first_line: u64,
    columns: &Columns,
) -> Vec<(u64, Result<ImportRow, FieldErrors>)> {
    match format {
        ImportFormat::Csv => CsvRows::new(text, delimiter)
            .skip(usize::from(first_line == 1))
            .map(|row| (first_line + row.line, row.values))
            .map(|(line, values)| (line, values.map_err(|message| FieldErrors::one("row", message))))
            .map(|(line, values)| (line, values.and_then(|values| csv_row(line, values, columns))))
            .collect(),
        ImportFormat::Jsonl => text
            .split('\n')
            .zip(first_line..)
            .filter(|(text, _)| !text.trim().is_empty())
            .map(|(text, line)| (line, json_row(line, text, columns)))
            .collect(),
    }
}

/// The names of the columns and the first rows below them, to be looked at.
///
/// # Errors
/// A sentence that says why there is no header.
pub fn preview(
    format: ImportFormat,
    text: &str,
    delimiter: u8,
    rows: usize,
) -> Result<(Vec<String>, Vec<Vec<String>>), &'static str> {
    match format {
        ImportFormat::Csv => {
            let mut all = CsvRows::new(text, delimiter);
            let header = all.next().ok_or("The file is empty.")?.values?;
            Ok((header, all.filter_map(|row| row.values.ok()).take(rows).collect()))
        }
        ImportFormat::Jsonl => {
            let mut names: Vec<String> = Vec::new();
            let mut objects = Vec::new();
            for line in text.lines().filter(|line| !line.trim().is_empty()).take(1000) {
                let Ok(Value::Object(object)) = serde_json::from_str(line) else { continue };
                let flat = flatten(object);
                for (name, _) in &flat {
                    if !names.contains(name) {
                        names.push(name.clone());
                    }
                }
                if objects.len() < rows {
                    objects.push(flat);
                }
            }
            if names.is_empty() {
                return Err("There is no JSON object in the first lines of the file.");
            }
            let cell = |object: &Vec<(String, Value)>, name: &String| match object.iter().find(|(key, _)| key == name) {
                Some((_, Value::String(text))) => text.clone(),
                Some((_, value)) if !value.is_null() => value.to_string(),
                _ => String::new(),
            };
            let rows = objects.iter().map(|object| names.iter().map(|name| cell(object, name)).collect()).collect();
            Ok((names, rows))
        }
    }
}

fn csv_row(line: u64, values: Vec<String>, columns: &Columns) -> Result<ImportRow, FieldErrors> {
    let expected = columns.fields.len();
    let surplus = values.iter().skip(expected).any(|value| !value.trim().is_empty());
    if surplus || values.len() < expected {
        let message = format!("There are {} values, but {expected} columns.", values.len());
        return Err(FieldErrors::one("row", message));
    }
    let cells = columns
        .fields
        .iter()
        .zip(values)
        .filter_map(|(field, value)| Some((field.clone()?, value)))
        .filter(|(_, value)| !value.trim().is_empty())
        .map(|(field, value)| (field, Cell::Text(value)))
        .collect();
    Ok(ImportRow { line, cells })
}

/// The object's own attributes stand beside its fields, as in a file of columns.
fn flatten(object: Map<String, Value>) -> Vec<(String, Value)> {
    let mut flat = Vec::with_capacity(object.len());
    for (key, value) in object {
        match value {
            Value::Object(inner) if key == "attributes" => {
                flat.extend(inner.into_iter().map(|(key, value)| (format!("attributes.{key}"), value)));
            }
            value => flat.push((key, value)),
        }
    }
    flat
}

fn json_row(line: u64, text: &str, columns: &Columns) -> Result<ImportRow, FieldErrors> {
    let object = match serde_json::from_str(text) {
        Ok(Value::Object(object)) => object,
        Ok(_) => return Err(FieldErrors::one("row", "This is JSON, but no object.")),
        Err(error) => return Err(FieldErrors::one("row", format!("This is not JSON: {error}."))),
    };
    let mut errors = FieldErrors::new();
    let mut cells: Vec<(ImportField, Cell)> = Vec::with_capacity(object.len());
    for (key, value) in flatten(object) {
        match columns.of_key(&key) {
            Err(message) => errors.add(&key, message),
            Ok(None) => {}
            Ok(Some(field)) if cells.iter().any(|(other, _)| *other == field) => {
                errors.add(&key, format!("Two keys are both {field}."));
            }
            Ok(Some(field)) => cells.push((field, if value.is_null() { Cell::Clear } else { Cell::Json(value) })),
        }
    }
    errors.into_result()?;
    Ok(ImportRow { line, cells })
}

impl ImportRow {
    /// What to call the row's user before anything is read: the username, else the email.
    #[must_use]
    pub fn subject(&self) -> String {
        let of = |wanted: &ImportField| {
            self.cells.iter().find(|(field, _)| field == wanted).and_then(|(_, cell)| cell.text().ok()).flatten()
        };
        of(&ImportField::Username).or_else(|| of(&ImportField::Email)).unwrap_or_default()
    }

    /// Reads the values; of attributes those that are defined as their type says.
    ///
    /// # Errors
    /// What is wrong, by the fields' names.
    pub fn read(self, definitions: &AttributeDefinitions) -> Result<ImportUser, FieldErrors> {
        let mut user = ImportUser::default();
        let mut errors = FieldErrors::new();
        for (field, cell) in self.cells {
            if let Err(message) = user.set(&field, cell, definitions) {
                errors.add(&field.to_string(), message);
            }
        }
        errors.into_result()?;
        Ok(user)
    }
}

impl ImportUser {
    fn set(&mut self, field: &ImportField, cell: Cell, definitions: &AttributeDefinitions) -> Result<(), String> {
        match field {
            ImportField::Kind => {
                let kind =
                    cell.text()?.map(|text| UserKind::from_name(&fold(&text)).ok_or("Must be human or machine."));
                self.kind = kind.transpose()?;
            }
            ImportField::Username => self.username = cell.text()?,
            ImportField::Email => self.email = Some(cell.text()?),
            ImportField::EmailVerified => self.email_verified = cell.truth()?,
            ImportField::Phone => self.phone = Some(cell.text()?.map(|text| plain_phone(&text))),
            ImportField::PhoneVerified => self.phone_verified = cell.truth()?,
            ImportField::GivenName => self.given_name = Some(cell.text()?),
            ImportField::FamilyName => self.family_name = Some(cell.text()?),
            ImportField::Name => self.name = cell.text()?,
            ImportField::Locale => self.locale = Some(cell.text()?.map(|text| text.replace('_', "-"))),
            ImportField::Zoneinfo => self.zoneinfo = Some(cell.text()?),
            ImportField::Reference => self.reference = Some(cell.text()?),
            ImportField::Enabled => self.enabled = cell.truth()?,
            ImportField::CreatedAt => self.created_at = cell.time()?,
            ImportField::LastSignInAt => self.last_sign_in_at = cell.time()?,
            ImportField::PasswordHash => self.password_hash = cell.text()?,
            ImportField::Roles => self.roles = cell.names()?,
            ImportField::Groups => self.groups = cell.names()?,
            ImportField::Organizations => self.organizations = cell.names()?,
            ImportField::Attribute(key) => {
                let value = match cell {
                    Cell::Text(text) => match definitions.get(key) {
                        Some(definition) => match definition.spec.read(&text)? {
                            Some(value) => value,
                            None => return Ok(()),
                        },
                        None => detect_attribute(&text),
                    },
                    Cell::Json(value) => value,
                    Cell::Clear => Value::Null,
                };
                self.attributes.insert(key.clone(), value);
            }
        }
        Ok(())
    }
}

impl Cell {
    /// A text; of JSON also a number, which ids often are.
    fn text(&self) -> Result<Option<String>, &'static str> {
        let text = match self {
            Self::Text(text) | Self::Json(Value::String(text)) => text.trim().to_owned(),
            Self::Json(Value::Number(number)) => number.to_string(),
            Self::Json(_) => return Err("Must be a text."),
            Self::Clear => String::new(),
        };
        Ok(Some(text).filter(|text| !text.is_empty()))
    }

    fn truth(&self) -> Result<Option<bool>, &'static str> {
        const WRONG: &str = "Must be true or false.";
        match self {
            Self::Json(Value::Bool(truth)) => Ok(Some(*truth)),
            Self::Clear => Ok(None),
            _ => match self.text()?.as_deref().map(fold).as_deref() {
                None => Ok(None),
                Some("true" | "t" | "yes" | "y" | "1" | "active" | "enabled") => Ok(Some(true)),
                Some("false" | "f" | "no" | "n" | "0" | "inactive" | "disabled") => Ok(Some(false)),
                Some(_) => Err(WRONG),
            },
        }
    }

    /// RFC 3339; also a date, and date and time with a blank between, which are taken as UTC.
    fn time(&self) -> Result<Option<Timestamp>, &'static str> {
        const WRONG: &str = "Must be a time such as 2026-11-21T09:30:00Z or a date such as 2026-11-21.";
        let Some(text) = self.text()? else { return Ok(None) };
        if let Ok(time) = text.parse::<Timestamp>() {
            return Ok(Some(time));
        }
        let civil: jiff::civil::DateTime = text.parse().map_err(|_| WRONG)?;
        let zoned = civil.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| WRONG)?;
        Ok(Some(Timestamp::from_micros(zoned.timestamp().as_microsecond())))
    }

    /// Names, separated by semicolons; of JSON also a list.
    fn names(&self) -> Result<Vec<String>, &'static str> {
        let mut names: Vec<String> = match self {
            Self::Json(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map(|name| name.trim().to_owned()).ok_or("Must be a list of names."))
                .collect::<Result<_, _>>()?,
            cell => {
                let text = cell.text()?.unwrap_or_default();
                text.split(';').map(|name| name.trim().to_owned()).collect()
            }
        };
        names.retain(|name| !name.is_empty());
        let mut seen = std::collections::BTreeSet::new();
        names.retain(|name| seen.insert(fold(name)));
        Ok(names)
    }
}

/// A number as E.164 has it, without what people write between the digits.
fn plain_phone(text: &str) -> String {
    if text.starts_with('+') {
        text.chars().filter(|c| !matches!(c, ' ' | '-' | '.' | '/' | '(' | ')')).collect()
    } else {
        text.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Mapping;
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn csv(text: &str) -> Vec<(u64, Result<ImportUser, FieldErrors>)> {
        let (names, _) = preview(ImportFormat::Csv, text, b',', 0).unwrap();
        let columns = Columns::resolve(names, Mapping::default()).unwrap();
        let rows = rows_of(ImportFormat::Csv, text, b',', 1, &columns);
        rows.into_iter()
            .map(|(line, row)| (line, row.and_then(|row| row.read(&AttributeDefinitions::default()))))
            .collect()
    }

    fn jsonl(text: &str) -> Vec<(u64, Result<ImportUser, FieldErrors>)> {
        let rows = rows_of(ImportFormat::Jsonl, text, b',', 1, &Columns::keys(Mapping::default()));
        rows.into_iter()
            .map(|(line, row)| (line, row.and_then(|row| row.read(&AttributeDefinitions::default()))))
            .collect()
    }

    #[test]
    fn both_formats_say_the_same() {
        let of_csv = csv(concat!(
            "email,Email verified,phone,first name,locale,enabled,created_at,roles,attributes.plan,attributes.n,reference\n",
            "ana@example.com,yes,+49 (30) 123-456,Ana,pt_BR,0,2024-05-01,buyer; VIP ;buyer,gold,7,=1+1\n"
        ));
        let of_json = jsonl(
            "{\"email\": \"ana@example.com\", \"email_verified\": true, \"phone\": \"+4930123456\", \"given_name\": \"Ana\",\
             \"locale\": \"pt-BR\", \"enabled\": false, \"created_at\": \"2024-05-01T00:00:00Z\", \"roles\": [\"buyer\", \"VIP\"],\
             \"attributes\": {\"plan\": \"gold\", \"n\": 7}, \"reference\": \"=1+1\"}\n",
        );
        assert_eq!(of_csv[0].1, of_json[0].1);
        let user = of_csv[0].1.clone().unwrap();
        assert_eq!((of_csv[0].0, of_json[0].0), (2, 1));
        assert_eq!(user.roles, ["buyer", "VIP"]);
        assert_eq!(user.attributes, json!({"plan": "gold", "n": 7}).as_object().unwrap().clone());
        assert_eq!(user.reference, Some(Some("=1+1".to_owned())), "a formula is a text like any other");
        assert_eq!(user.family_name, None);
    }

    #[test]
    fn a_blank_cell_says_nothing_and_null_clears() {
        assert_eq!(csv("email,phone\na@example.com, \n")[0].1.clone().unwrap().phone, None);
        assert_eq!(jsonl("{\"phone\": null, \"attributes\": {\"a\": null}}")[0].1.clone().unwrap().phone, Some(None));
    }

    #[test]
    fn what_is_wrong_is_told_by_line_and_field() {
        let rows = csv(
            "email,enabled,created_at,kind\na,perhaps,yesterday,robot\nb,1\n\"c\"x,1,,\nd,true,,\n\"e\",,,,\nf,,,,g\n",
        );
        let wrong: Vec<(u64, Vec<&str>)> = rows
            .iter()
            .filter_map(|(line, row)| Some((*line, row.as_ref().err()?.iter().map(|(field, _)| field).collect())))
            .collect();
        assert_eq!(
            wrong,
            [(2, vec!["created_at", "enabled", "kind"]), (3, vec!["row"]), (4, vec!["row"]), (7, vec!["row"])]
        );
        let rows = jsonl(
            "{\"emial\": 1, \"password\": \"x\"}\n\n[1]\n{\n{\"email\": {}, \"roles\": [1]}\n{\"email\": \"a\", \"mail\": \"b\"}\n",
        );
        let wrong: Vec<(u64, Vec<&str>)> = rows
            .iter()
            .map(|(line, row)| (*line, row.as_ref().unwrap_err().iter().map(|(field, _)| field).collect()))
            .collect();
        assert_eq!(
            wrong,
            [
                (1, vec!["emial", "password"]),
                (3, vec!["row"]),
                (4, vec!["row"]),
                (5, vec!["email", "roles"]),
                (6, vec!["mail"])
            ]
        );
    }

    #[test]
    fn later_pieces_have_no_header_and_lines_go_on() {
        let columns = Columns::resolve(vec!["email".into()], Mapping::default()).unwrap();
        let lines = |text: &str, first| {
            let rows = rows_of(ImportFormat::Csv, text, b',', first, &columns);
            rows.into_iter().map(|(line, _)| line).collect::<Vec<_>>()
        };
        assert_eq!(lines("email\na\n\nb\n", 1), [2, 4]);
        assert_eq!(lines("\n\nemail\na\n", 1), [4]);
        assert_eq!(lines("c\nd\n", 5), [5, 6]);
    }

    #[test]
    fn a_preview_shows_the_first_rows() {
        let (names, rows) = preview(ImportFormat::Csv, "a,b\n1,2\n3,4\n5,6\n", b',', 2).unwrap();
        assert_eq!(
            (names, rows),
            (vec!["a".into(), "b".into()], vec![vec!["1".into(), "2".into()], vec!["3".into(), "4".into()]])
        );
        let text = "{\"email\": \"a\", \"attributes\": {\"x\": 1}}\nbroken\n{\"phone\": null, \"email\": \"b\"}\n";
        let (names, rows) = preview(ImportFormat::Jsonl, text, b',', 2).unwrap();
        assert_eq!(names, ["attributes.x", "email", "phone"]);
        assert_eq!(rows, [["1", "a", ""], ["", "b", ""]]);
        assert!(preview(ImportFormat::Csv, "\n\n", b',', 2).is_err());
        assert!(preview(ImportFormat::Jsonl, "nothing", b',', 2).is_err());
    }

    proptest! {
        #[test]
        fn no_input_makes_it_panic(text in "[a-z\",;:{}\\[\\]\n\r\t0-9é\u{feff}]{0,60}", first in 1_u64..9) {
            let columns = Columns::resolve(vec!["email".into(), "enabled".into()], Mapping::default()).unwrap();
            for format in [ImportFormat::Csv, ImportFormat::Jsonl] {
                for (_, row) in rows_of(format, &text, b',', first, &columns) {
                    let _ = row.and_then(|row| row.read(&AttributeDefinitions::default()));
                }
                let _ = preview(format, &text, b';', 3);
            }
        }
    }
}
