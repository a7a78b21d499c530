//! Ids: a distinct type for each thing, so that none can stand in another's place.
//!
//! All are UUIDv7 (RFC 9562, section 5.7): they sort by the millisecond they were made in.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::Timestamp;

/// The text was not a UUID.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an id: expected a UUID such as 0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")]
pub struct NotAnId;

/// Makes a UUIDv7 from a time and 80 bits of randomness (74 of them are used).
#[must_use]
pub fn uuid_v7(now: Timestamp, random: [u8; 10]) -> Uuid {
    let millis = u64::try_from(now.as_millis()).unwrap_or(0);
    uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, ToSchema)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// Makes a new id from the request's time and fresh randomness.
            #[must_use]
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                Self(uuid_v7(now, random))
            }

            /// The bare UUID.
            #[must_use]
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self.0)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(text: &str) -> Result<Self, NotAnId> {
                Uuid::try_parse(text).map(Self).map_err(|_| NotAnId)
            }
        }
    )+};
}

ids! {
    /// A realm.
    RealmId,
    /// A user, human or machine.
    UserId,
    /// One authenticator of a user.
    AuthenticatorId,
    /// One API key of a machine user.
    ApiKeyId,
    /// A signed-in browser or device.
    SessionId,
    /// A realm role.
    RoleId,
    /// The record of a client. What the client calls itself in OAuth is its `client_id`, a text.
    ClientRowId,
    /// One audit record.
    EventId,
    /// What a user granted a client in one session: the family of refresh tokens.
    GrantId,
    /// A group of users.
    GroupId,
    /// An organization.
    OrganizationId,
    /// A message to a user.
    MessageId,
    /// An invitation.
    InvitationId,
    /// The definition of a custom attribute.
    AttributeDefinitionId,
    /// A piece of long work.
    JobId,
    /// A saved view of the list of users.
    SavedViewId,
    /// A reset that was asked of a user.
    ResetRequestId,
    /// One request, for logs and error pages.
    RequestId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_sort_by_time_and_survive_text() {
        let early = UserId::new(Timestamp::from_micros(1_000_000), [0xff; 10]);
        let late = UserId::new(Timestamp::from_micros(1_002_000), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().parse(), Ok(early));
        assert_eq!("nonsense".parse::<UserId>(), Err(NotAnId));
    }
}
