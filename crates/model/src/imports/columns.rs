//! From a file's own column names to the fields of a user.

use std::{collections::BTreeMap, fmt};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{text::fold, validation::FieldErrors};

/// The most columns of a file.
pub const MAX_COLUMNS: usize = 500;

macro_rules! import_fields {
    ($($(#[$doc:meta])* $variant:ident = $name:literal, $label:literal, [$($alias:literal),*];)+) => {
        /// A field of a user that a column can hold.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ImportField {
            $($(#[$doc])* $variant,)+
            /// The custom attribute of that key.
            Attribute(String),
        }

        impl ImportField {
            /// The fields that every user has, with what to call them.
            pub const FIXED: &[(ImportField, &str)] = &[$((ImportField::$variant, $label)),+];

            /// The field of that name: `email`, `attributes.customer_number`.
            #[must_use]
            pub fn from_name(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => {
                        let key = name.strip_prefix("attributes.")?;
                        (!key.is_empty()).then(|| Self::Attribute(key.to_owned()))
                    }
                }
            }

            /// The field that a column of this name means, whatever its case, blanks, hyphens and underscores.
            #[must_use]
            pub fn guess(column: &str) -> Option<Self> {
                if let Some(field) = Self::from_name(column.trim()) {
                    return Some(field);
                }
                let plain: String = fold(column).chars().filter(|c| c.is_alphanumeric()).collect();
                match plain.as_str() {
                    $($($alias)|* => Some(Self::$variant),)+
                    _ => None,
                }
            }
        }

        impl fmt::Display for ImportField {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($name),)+
                    Self::Attribute(key) => write!(f, "attributes.{key}"),
                }
            }
        }
    };
}

import_fields! {
    /// Sign-in name.
    Username = "username", "Username", ["username", "login", "loginname", "userid", "uid", "user", "signinname"];
    /// Email.
    Email = "email", "Email", ["email", "mail", "emailaddress", "mailaddress", "primaryemail"];
    /// Whether the email is confirmed.
    EmailVerified = "email_verified", "Email verified", ["emailverified", "emailconfirmed", "verified"];
    /// Phone.
    Phone = "phone", "Phone", ["phone", "phonenumber", "mobile", "mobilephone", "telephone", "tel", "cell"];
    /// Whether the phone number is confirmed.
    PhoneVerified = "phone_verified", "Phone verified", ["phoneverified", "phonenumberverified", "phoneconfirmed"];
    /// Given name.
    GivenName = "given_name", "Given name", ["givenname", "firstname", "forename"];
    /// Family name.
    FamilyName = "family_name", "Family name", ["familyname", "lastname", "surname", "sn"];
    /// The name of a machine.
    Name = "name", "Name (machines)", ["name", "displayname"];
    /// Person or machine.
    Kind = "kind", "Kind", ["kind", "type", "usertype"];
    /// Language.
    Locale = "locale", "Language", ["locale", "language", "lang", "preferredlanguage"];
    /// Time zone.
    Zoneinfo = "zoneinfo", "Time zone", ["zoneinfo", "timezone", "tz"];
    /// The application's own id.
    Reference = "reference", "Reference", ["reference", "externalid", "customerid", "localid"];
    /// Whether they can sign in.
    Enabled = "enabled", "Enabled", ["enabled", "active", "isactive"];
    /// When they were made.
    CreatedAt = "created_at", "Created at", ["createdat", "created", "creationdate", "createdon", "registeredat"];
    /// When they last signed in.
    LastSignInAt = "last_sign_in_at", "Last signed in at", ["lastsigninat", "lastlogin", "lastloginat", "lastsignin", "lastsignedinat"];
    /// The password's hash.
    PasswordHash = "password_hash", "Password hash", ["passwordhash", "hashedpassword", "userpassword", "hash"];
    /// Realm roles.
    Roles = "roles", "Roles", ["roles", "role"];
    /// Groups.
    Groups = "groups", "Groups", ["groups", "group"];
    /// Organizations.
    Organizations = "organizations", "Organizations", ["organizations", "organization", "organisations", "organisation", "company"];
}

impl Serialize for ImportField {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ImportField {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::from_name(&name).ok_or_else(|| D::Error::custom(format!("there is no field {name}")))
    }
}

/// What a person says of a file's columns: each to a field, or `None` to be left out. What is not in it is guessed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Mapping(pub BTreeMap<String, Option<ImportField>>);

impl Mapping {
    /// Reads `{"E-Mail": "email", "Cust No": "attributes.customer_number", "x": null}`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let names: BTreeMap<String, Option<String>> = serde_json::from_str(text)
            .map_err(|_| "Must be a JSON object of column names, each with a field's name or null.".to_owned())?;
        let mut mapping = BTreeMap::new();
        for (column, name) in names {
            let field = match name {
                None => None,
                Some(name) => Some(field_named(&name)?),
            };
            mapping.insert(column, field);
        }
        Ok(Self(mapping))
    }

    /// The field of a column: `Ok(None)` leaves it out.
    fn field(&self, column: &str) -> Result<Option<ImportField>, Unknown> {
        match self.0.get(column) {
            Some(field) => Ok(field.clone()),
            None if is_password(column) => Err(Unknown::Password),
            None => ImportField::guess(column).map(Some).ok_or(Unknown::Column),
        }
    }
}

/// The field of that name.
///
/// # Errors
/// A sentence that says which there are.
pub fn field_named(name: &str) -> Result<ImportField, String> {
    if is_password(name) {
        return Err(PASSWORD.to_owned());
    }
    ImportField::from_name(name).ok_or_else(|| {
        let names: Vec<String> = ImportField::FIXED.iter().map(|(field, _)| field.to_string()).collect();
        format!("There is no field {name:?}. There are {} and attributes.KEY.", names.join(", "))
    })
}

fn is_password(column: &str) -> bool {
    matches!(fold(column).as_str(), "password" | "passwd" | "pwd")
}

/// Passwords in the clear would lie in the database until the import is done, and in the file for ever.
const PASSWORD: &str = "Passwords are not imported in the clear. Import their hashes as password_hash, or leave the column \
                        out and send resets.";

enum Unknown {
    Column,
    Password,
}

/// The columns of a CSV file, in their order; of JSON Lines, the keys are looked up one by one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Columns {
    /// The names in the header; empty for JSON Lines.
    pub names: Vec<String>,
    /// What each means.
    pub fields: Vec<Option<ImportField>>,
    /// What was said about them.
    pub mapping: Mapping,
}

impl Columns {
    /// The columns of a header under a mapping.
    ///
    /// # Errors
    /// Under `columns` what is wrong with the file, under `mapping` what is wrong with the mapping.
    pub fn resolve(names: Vec<String>, mapping: Mapping) -> Result<Self, FieldErrors> {
        let names: Vec<String> = names.into_iter().map(|name| name.trim().to_owned()).collect();
        let mut errors = FieldErrors::new();
        if names.len() > MAX_COLUMNS {
            errors.add("columns", format!("There are more than {MAX_COLUMNS} columns."));
        }
        let absent: Vec<&str> = mapping.0.keys().filter(|name| !names.contains(name)).map(String::as_str).collect();
        if !absent.is_empty() {
            errors.add("mapping", format!("The file has no column {}.", quoted(&absent)));
        }
        let (mut fields, mut unknown) = (Vec::new(), Vec::new());
        for name in &names {
            match mapping.field(name) {
                Ok(field) => fields.push(field),
                Err(Unknown::Password) => errors.add("columns", PASSWORD),
                // A column without a name holds nothing that was meant.
                Err(Unknown::Column) if name.is_empty() => fields.push(None),
                Err(Unknown::Column) => unknown.push(name.as_str()),
            }
        }
        if !unknown.is_empty() {
            let message = "Say what is in the column, or map it to null to leave it out:";
            errors.add("columns", format!("{message} {}.", quoted(&unknown)));
        }
        let twice = fields.iter().enumerate().find_map(|(at, field)| {
            let field = field.as_ref()?;
            fields.iter().skip(at + 1).any(|other| other.as_ref() == Some(field)).then_some(field)
        });
        if let Some(field) = twice {
            errors.add("columns", format!("Two columns are both {field}."));
        }
        let key = |field: &Option<ImportField>| matches!(field, Some(ImportField::Username | ImportField::Email));
        if errors.is_empty() && !fields.iter().any(key) {
            errors.add("columns", "There is no column with usernames or emails.");
        }
        errors.into_result()?;
        Ok(Self { names, fields, mapping })
    }

    /// The keys of JSON Lines.
    #[must_use]
    pub fn keys(mapping: Mapping) -> Self {
        Self { names: Vec::new(), fields: Vec::new(), mapping }
    }

    /// What a key of JSON Lines means.
    ///
    /// # Errors
    /// A sentence that says that nobody knows.
    pub fn of_key(&self, key: &str) -> Result<Option<ImportField>, String> {
        self.mapping.field(key).map_err(|unknown| match unknown {
            Unknown::Password => PASSWORD.to_owned(),
            Unknown::Column => "There is no such field. Map it, or map it to null to leave it out.".to_owned(),
        })
    }

    /// Whether the file may say something about a field.
    #[must_use]
    pub fn may_have(&self, field: &ImportField) -> bool {
        self.names.is_empty() || self.fields.iter().flatten().any(|found| found == field)
    }

    /// What the file calls a field.
    #[must_use]
    pub fn name_of(&self, field: &str) -> String {
        let at = self.fields.iter().position(|found| found.as_ref().is_some_and(|found| found.to_string() == field));
        at.and_then(|at| self.names.get(at)).cloned().unwrap_or_else(|| field.to_owned())
    }
}

fn quoted(names: &[&str]) -> String {
    let mut quoted: Vec<String> = names.iter().take(20).map(|name| format!("{name:?}")).collect();
    if names.len() > quoted.len() {
        quoted.push(format!("and {} more", names.len() - quoted.len()));
    }
    quoted.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn common_names_are_understood() {
        for (column, field) in [
            ("email", "email"),
            ("E-Mail", "email"),
            ("EMAIL ADDRESS", "email"),
            ("First name", "given_name"),
            ("lastName", "family_name"),
            ("Prénom", "-"),
            ("phone_number", "phone"),
            ("external-id", "reference"),
            ("attributes.plan", "attributes.plan"),
            ("attributes.Two Words", "attributes.Two Words"),
            ("password_hash", "password_hash"),
            ("Attributes.plan", "-"),
            ("", "-"),
        ] {
            let guessed = ImportField::guess(column).map_or("-".to_owned(), |field| field.to_string());
            assert_eq!(guessed, field, "{column}");
        }
    }

    #[test]
    fn a_mapping_overrides_and_leaves_out() {
        let mapping =
            Mapping::parse(r#"{"Cust No": "attributes.customer_number", "x": null, "email": "username"}"#).unwrap();
        let columns = Columns::resolve(names(&["email", "Cust No", "x"]), mapping).unwrap();
        let fields: Vec<String> =
            columns.fields.iter().map(|field| field.as_ref().map_or("-".into(), ToString::to_string)).collect();
        assert_eq!(fields, ["username", "attributes.customer_number", "-"]);
        assert_eq!(columns.name_of("attributes.customer_number"), "Cust No");
        assert_eq!(columns.name_of("phone"), "phone");
    }

    #[test]
    fn what_is_wrong_with_the_columns_is_named() {
        let wrong = |header: &[&str], mapping: &str, field: &str| {
            let errors = Columns::resolve(names(header), Mapping::parse(mapping).unwrap()).unwrap_err();
            errors.get(field).unwrap_or_default().to_owned()
        };
        assert!(wrong(&["email", "Shoe size"], "{}", "columns").contains("\"Shoe size\""));
        assert!(wrong(&["email"], r#"{"y": "phone"}"#, "mapping").contains("\"y\""));
        assert!(wrong(&["email", "mail"], "{}", "columns").contains("both email"));
        assert!(wrong(&["email", "password"], "{}", "columns").contains("in the clear"));
        assert!(wrong(&["given_name"], "{}", "columns").contains("usernames or emails"));
        assert!(Mapping::parse(r#"{"a": "emial"}"#).unwrap_err().contains("\"emial\""));
        assert!(Mapping::parse(r#"{"a": "password"}"#).unwrap_err().contains("in the clear"));
        assert!(Mapping::parse("[]").is_err());
    }
}
