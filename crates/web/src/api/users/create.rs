//! Creating a person or a machine.

use denizen_model::{
    permissions::markers::UsersWrite,
    users::{NewHuman, NewMachine, NewPassword, UserKind},
    validation::FieldErrors,
};
use denizen_ops::{
    crypto::Secret,
    users::{self, Created},
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use super::{
    super::{
        answer::{Answer, Record},
        ask::Ask,
        body::Body,
    },
    api_keys::NewApiKey,
    view::UserView,
};
use crate::problem::Problem;

/// A user to be created.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CreateUser {
    /// Person or machine; a person when absent.
    kind: Option<UserKind>,
    /// Address for messages; of people also the username, where the realm says so.
    email: Option<String>,
    /// Whether the address counts as confirmed from the start; people only.
    #[serde(default)]
    email_verified: bool,
    /// Sign-in name, where it is not the email. Of machines made up when absent.
    username: Option<String>,
    /// Given name; people only.
    given_name: Option<String>,
    /// Family name; people only.
    family_name: Option<String>,
    /// Name; machines only, which need one.
    name: Option<String>,
    /// E.164 phone number; people only.
    phone: Option<String>,
    /// BCP 47 language tag; people only.
    locale: Option<String>,
    /// IANA time zone; people only.
    zoneinfo: Option<String>,
    /// The application's own id for the user.
    reference: Option<String>,
    /// Custom attributes.
    #[serde(default)]
    attributes: Map<String, Value>,
    /// A first password; people only.
    #[schema(value_type = Option<String>)]
    password: Option<Secret>,
    /// Whether Denizen makes a temporary password, which the answer shows this once; people only.
    #[serde(default)]
    temporary_password: bool,
}

/// A created user, with what is shown this once.
#[derive(Serialize, ToSchema)]
pub(super) struct CreatedUser {
    #[serde(flatten)]
    user: UserView,
    /// The temporary password, when one was asked for.
    temporary_password: Option<String>,
    /// The first API key of a machine.
    api_key: Option<NewApiKey>,
}

/// Create a user
///
/// A person or a machine. No mail goes out. The answer holds a temporary password or an API key, shown this once.
#[utoipa::path(post, path = "/realms/{realm}/users", operation_id = "create_user", tag = "Users", request_body = CreateUser,
    responses((status = 201, description = "The created user.", body = CreatedUser)),
    extensions(("x-permission" = json!("users:write"))))]
pub(super) async fn create(ask: Ask<UsersWrite>, Body(new): Body<CreateUser>) -> Answer<Record<CreatedUser>> {
    let created = match new.kind.unwrap_or(UserKind::Human) {
        UserKind::Human => {
            let (human, password) = new.into_human()?;
            users::create_human(&ask.app, &ask.cx, ask.may, human, password).await?
        }
        UserKind::Machine => users::create_machine(&ask.app, &ask.cx, ask.may, new.into_machine()?).await?,
    };
    let Created { user, temporary_password, api_key } = created;
    let location = format!("/api/v1/realms/{}/users/{}", ask.realm.realm.slug, user.id);
    let version = user.version;
    let body = CreatedUser {
        user: user.into(),
        temporary_password: temporary_password.map(|text| text.expose().to_owned()),
        api_key: api_key.map(|(key, secret)| NewApiKey::new(key, &secret)),
    };
    Ok(Record::created(version, location, body))
}

impl CreateUser {
    fn into_human(self) -> Result<(NewHuman, NewPassword), Problem> {
        if self.name.is_some() {
            let message = "A person's name is made of given_name and family_name; give these.";
            return Err(Problem::field("name", message));
        }
        let password = match (self.password, self.temporary_password) {
            (None, false) => NewPassword::None,
            (Some(password), false) => NewPassword::Set(password.expose().to_owned()),
            (None, true) => NewPassword::Temporary,
            (Some(_), true) => {
                return Err(Problem::field(
                    "temporary_password",
                    "Give a password, or ask for a temporary one, not both.",
                ));
            }
        };
        let human = NewHuman {
            email: self.email,
            username: self.username,
            given_name: self.given_name,
            family_name: self.family_name,
            phone: self.phone,
            locale: self.locale,
            zoneinfo: self.zoneinfo,
            reference: self.reference,
            attributes: self.attributes,
            email_verified: self.email_verified,
        };
        Ok((human, password))
    }

    fn into_machine(self) -> Result<NewMachine, Problem> {
        let mut errors = FieldErrors::new();
        let of_people = [
            ("email_verified", self.email_verified),
            ("given_name", self.given_name.is_some()),
            ("family_name", self.family_name.is_some()),
            ("phone", self.phone.is_some()),
            ("locale", self.locale.is_some()),
            ("zoneinfo", self.zoneinfo.is_some()),
            ("password", self.password.is_some()),
            ("temporary_password", self.temporary_password),
        ];
        for (field, _) in of_people.into_iter().filter(|(_, given)| *given) {
            errors.add(field, "Only people have this.");
        }
        if !errors.is_empty() {
            return Err(Problem::invalid(&errors));
        }
        Ok(NewMachine {
            name: self.name.unwrap_or_default(),
            username: self.username,
            email: self.email,
            reference: self.reference,
            attributes: self.attributes,
        })
    }
}
