//! Why an operation did not happen. Two messages: one for whoever asked, one for the log.

use denizen_model::{
    permissions::Permission,
    validation::{FieldErrors, Message, USERNAME_TAKEN},
};
use denizen_store as store;

use crate::crypto::password::HashError;

/// The result of an operation.
pub type Result<T> = std::result::Result<T, Error>;

/// What kind of failure it is; each face says it in its own words and codes.
#[derive(Debug, Clone)]
pub enum ErrorKind {
    /// Something is wrong with the input, field by field.
    Invalid(FieldErrors),
    /// Nobody is signed in, or the credentials are wrong.
    Unauthenticated,
    /// The actor lacks this permission.
    Forbidden(Option<Permission>),
    /// The actor has the permission but must prove anew who they are.
    ReauthenticationRequired,
    /// There is no such thing, or the actor may not know of it.
    NotFound(&'static str),
    /// It cannot be done in the present state; the text is a stable code.
    Conflict(&'static str),
    /// The record was changed by somebody else in the meantime.
    Changed,
    /// The database or a pool is not there or overloaded; trying again later may help.
    Unavailable,
    /// The disk is full or read-only.
    NotWritable,
    /// A defect.
    Internal,
}

/// A failure.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{message}")]
pub struct Error {
    /// What kind it is.
    pub kind: Box<ErrorKind>,
    /// What to tell whoever asked.
    pub message: String,
    /// What to write to the log besides.
    pub context: Option<String>,
}

impl Error {
    fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind: Box::new(kind), message: message.into(), context: None }
    }

    /// The input is wrong.
    #[must_use]
    pub fn invalid(errors: FieldErrors) -> Self {
        Self::new(ErrorKind::Invalid(errors), "Some of the input is not acceptable.")
    }

    /// One field of the input is wrong.
    #[must_use]
    pub fn field(field: &str, message: impl Into<Message>) -> Self {
        Self::invalid(FieldErrors::one(field, message))
    }

    /// There is no such thing.
    #[must_use]
    pub fn not_found(what: &'static str) -> Self {
        Self::new(ErrorKind::NotFound(what), format!("There is no such {what}."))
    }

    /// It cannot be done in the present state.
    #[must_use]
    pub fn conflict(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict(code), message)
    }

    /// The record was changed in the meantime.
    #[must_use]
    pub fn changed() -> Self {
        Self::new(
            ErrorKind::Changed,
            "Somebody else has changed this in the meantime. Load it again and repeat your change.",
        )
    }

    /// Nobody is signed in.
    #[must_use]
    pub fn unauthenticated() -> Self {
        Self::new(ErrorKind::Unauthenticated, "Sign in, or send a valid API key or access token.")
    }

    /// The actor may not.
    #[must_use]
    pub fn forbidden(permission: Permission) -> Self {
        let message = format!("This needs the permission {permission}.");
        Self::new(ErrorKind::Forbidden(Some(permission)), message)
    }

    /// The actor may not, for a reason other than a single permission.
    #[must_use]
    pub fn refused(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Forbidden(None), message)
    }

    /// The actor must prove anew who they are.
    #[must_use]
    pub fn reauthentication_required() -> Self {
        Self::new(
            ErrorKind::ReauthenticationRequired,
            "Confirm that it is you: this needs a sign-in within the last ten minutes.",
        )
    }

    /// A defect, with what the log should say.
    #[must_use]
    pub fn internal(context: impl Into<String>) -> Self {
        let mut error = Self::new(ErrorKind::Internal, "Something went wrong here. Nothing was changed.");
        error.context = Some(context.into());
        error
    }

    fn with_context(mut self, context: String) -> Self {
        self.context = Some(context);
        self
    }
}

impl From<FieldErrors> for Error {
    fn from(errors: FieldErrors) -> Self {
        Self::invalid(errors)
    }
}

impl From<store::Error> for Error {
    fn from(error: store::Error) -> Self {
        let context = error.to_string();
        let taken = |field: &str, what: &str| Self::field(field, format!("{what} is taken already."));
        match &error {
            store::Error::Constraint(name) => match name.as_str() {
                "users_username_key" => Self::field("username", &USERNAME_TAKEN),
                "roles_name_key" | "groups_name_key" | "organizations_name_key" | "saved_views_name_key" => {
                    taken("name", "This name")
                }
                "attribute_definitions_attribute_key" => taken("key", "This key"),
                "clients_client_id" => taken("client_id", "This client id"),
                "realms_slug" => taken("slug", "This name"),
                "foreign_key" => Self::conflict("gone", "Something this refers to was deleted in the meantime."),
                _ => Self::internal(context),
            },
            store::Error::Unavailable(_) => {
                Self::new(ErrorKind::Unavailable, "The database is not available at the moment. Try again shortly.")
                    .with_context(context)
            }
            store::Error::NotWritable(_) => {
                Self::new(ErrorKind::NotWritable, "The disk is full or read-only. Nothing was changed.")
                    .with_context(context)
            }
            store::Error::Corrupt(_) | store::Error::Internal(_) => Self::internal(context),
        }
    }
}

impl From<HashError> for Error {
    fn from(error: HashError) -> Self {
        match error {
            HashError::Busy => {
                Self::new(ErrorKind::Unavailable, "Too many people are signing in at this moment. Try again shortly.")
            }
            other => Self::internal(other.to_string()),
        }
    }
}
