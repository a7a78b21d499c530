//! Parameters of statements and the rows they answer with, alike for both engines.

use std::{borrow::Cow, cell::Cell, str::FromStr};

use denizen_model::Timestamp;

use crate::error::{Error, Result};

/// A parameter.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Null,
    Bool(bool),
    I64(i64),
    Text(Cow<'a, str>),
}

macro_rules! into_value {
    ($($from:ty => |$v:ident| $to:expr;)+) => {
        $(impl<'a> From<$from> for Value<'a> {
            fn from($v: $from) -> Self { $to }
        })+
    };
}

into_value! {
    bool => |v| Value::Bool(v);
    i64 => |v| Value::I64(v);
    u32 => |v| Value::I64(i64::from(v));
    u8 => |v| Value::I64(i64::from(v));
    &'a str => |v| Value::Text(Cow::Borrowed(v));
    &'a String => |v| Value::Text(Cow::Borrowed(v));
    String => |v| Value::Text(Cow::Owned(v));
    Timestamp => |v| Value::I64(v.as_micros());
}

macro_rules! ids_into_value {
    ($($id:ident),+) => {
        $(impl From<denizen_model::$id> for Value<'_> {
            fn from(id: denizen_model::$id) -> Self { Value::Text(Cow::Owned(id.to_string())) }
        })+
    };
}
ids_into_value!(
    RealmId,
    UserId,
    AuthenticatorId,
    ApiKeyId,
    SessionId,
    RoleId,
    ClientRowId,
    EventId,
    GrantId,
    GroupId,
    OrganizationId,
    MessageId,
    InvitationId,
    AttributeDefinitionId,
    JobId,
    SavedViewId,
    ResetRequestId
);

impl<'a, T: Into<Value<'a>>> From<Option<T>> for Value<'a> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Value::Null, Into::into)
    }
}

impl<'a> From<&'a Option<String>> for Value<'a> {
    fn from(value: &'a Option<String>) -> Self {
        value.as_deref().into()
    }
}

/// Parameters in the order of their numbers: `params![id, name]` are `?1` and `?2`.
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::value::Value::from($value)),*] };
}
pub(crate) use params;

/// A row of an answer, read by column name.
///
/// A constructor reads columns in the order in which the statement lists them, so the column after the one
/// read last is tried first and finding a name costs one comparison.
pub(crate) struct Row<'r> {
    source: Source<'r>,
    hint: Cell<usize>,
}

enum Source<'r> {
    Sqlite(&'r rusqlite::Row<'r>),
    Postgres(&'r postgres::Row),
}

impl<'r> Row<'r> {
    pub(crate) fn sqlite(row: &'r rusqlite::Row<'r>) -> Self {
        Self { source: Source::Sqlite(row), hint: Cell::new(0) }
    }

    pub(crate) fn postgres(row: &'r postgres::Row) -> Self {
        Self { source: Source::Postgres(row), hint: Cell::new(0) }
    }

    fn position(&self, name: &str) -> Result<usize> {
        let named = |at: usize| match &self.source {
            Source::Sqlite(row) => row.as_ref().column_name(at).ok().map(|column| column == name),
            Source::Postgres(row) => row.columns().get(at).map(|column| column.name() == name),
        };
        let hint = self.hint.get();
        let found = if named(hint) == Some(true) {
            Some(hint)
        } else {
            (0..).map_while(|at| named(at).map(|hit| (at, hit))).find(|(_, hit)| *hit).map(|(at, _)| at)
        };
        let at = found.ok_or_else(|| Error::Internal(format!("the answer has no column {name}")))?;
        self.hint.set(at + 1);
        Ok(at)
    }

    fn get<T>(&self, name: &str) -> Result<T>
    where
        T: rusqlite::types::FromSql + for<'a> postgres::types::FromSql<'a>,
    {
        let at = self.position(name)?;
        match &self.source {
            Source::Sqlite(row) => row.get(at).map_err(|error| Error::Corrupt(format!("{name}: {error}"))),
            Source::Postgres(row) => row.try_get(at).map_err(|error| Error::Corrupt(format!("{name}: {error}"))),
        }
    }

    pub(crate) fn text(&self, name: &str) -> Result<String> {
        self.get(name)
    }

    pub(crate) fn opt_text(&self, name: &str) -> Result<Option<String>> {
        self.get(name)
    }

    pub(crate) fn i64(&self, name: &str) -> Result<i64> {
        self.get(name)
    }

    pub(crate) fn bool(&self, name: &str) -> Result<bool> {
        self.get(name)
    }

    pub(crate) fn count(&self, name: &str) -> Result<u64> {
        u64::try_from(self.i64(name)?).map_err(|_| Error::Corrupt(format!("{name} is negative")))
    }

    pub(crate) fn opt_count(&self, name: &str) -> Result<Option<u64>> {
        let number = self.get::<Option<i64>>(name)?;
        number.map(|n| u64::try_from(n).map_err(|_| Error::Corrupt(format!("{name} is negative")))).transpose()
    }

    pub(crate) fn time(&self, name: &str) -> Result<Timestamp> {
        self.i64(name).map(Timestamp::from_micros)
    }

    pub(crate) fn opt_time(&self, name: &str) -> Result<Option<Timestamp>> {
        Ok(self.get::<Option<i64>>(name)?.map(Timestamp::from_micros))
    }

    /// A text that a type of the model reads: ids, mostly.
    pub(crate) fn parse<T: FromStr>(&self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        text.parse().map_err(|_| Error::Corrupt(format!("{name}: {text}")))
    }

    pub(crate) fn opt_parse<T: FromStr>(&self, name: &str) -> Result<Option<T>> {
        let text = self.opt_text(name)?;
        text.map(|text| text.parse().map_err(|_| Error::Corrupt(format!("{name}: {text}")))).transpose()
    }

    /// A value of one of the model's named enumerations.
    pub(crate) fn named<T>(&self, name: &str, from: impl FnOnce(&str) -> Option<T>) -> Result<T> {
        let text = self.text(name)?;
        from(&text).ok_or_else(|| Error::Corrupt(format!("{name}: {text}")))
    }

    /// A JSON text.
    pub(crate) fn json<T: serde::de::DeserializeOwned>(&self, name: &str) -> Result<T> {
        let text = self.text(name)?;
        serde_json::from_str(&text).map_err(|error| Error::Corrupt(format!("{name}: {error}")))
    }
}

/// JSON for a column.
pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::Internal(error.to_string()))
}
