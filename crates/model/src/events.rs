//! Events: what happened, who did it, to whom (PRODUCT §11).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::{EventId, RealmId, SessionId, Timestamp, pages::Cursor, users::text_enum};

/// A realm's events stand in this many chains. An event belongs to the chain of its subject, so that what
/// happened to one user is in one order, while unrelated changes need not wait for each other.
pub const CHAINS: u8 = 16;

macro_rules! event_types {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $sentence:literal;)+) => {
        text_enum! {
            /// The type of an event.
            EventType { $($(#[$doc])* $variant = $text),+ }
        }

        impl EventType {
            /// What happened, as the beginning of a sentence for people.
            #[must_use]
            pub const fn sentence(self) -> &'static str {
                match self { $(EventType::$variant => $sentence),+ }
            }
        }
    };
}

event_types! {
    /// A user was created.
    UserCreated = "user.created", "Created the user";
    /// A user's record was changed.
    UserUpdated = "user.updated", "Changed the user's details";
    /// A user was deleted.
    UserDeleted = "user.deleted", "Deleted the user";
    /// A user was disabled.
    UserDeactivated = "user.deactivated", "Disabled the user";
    /// A user was enabled again.
    UserReactivated = "user.reactivated", "Enabled the user";
    /// Realm roles of a user were assigned or removed.
    UserRoleChanged = "user.role.changed", "Changed the user's roles";
    /// A user was added to a group or removed from one.
    UserGroupChanged = "user.group.changed", "Changed the user's groups";
    /// A user joined an organization or left one.
    UserMembershipChanged = "user.membership.changed", "Changed the user's organizations";
    /// Records that looked like one person's were said to be of different people.
    UserDuplicatesDismissed = "user.duplicates.dismissed", "Said that likely duplicates are different people";
    /// Users were exported.
    UserExported = "user.exported", "Exported users";
    /// Somebody was invited.
    UserInvited = "user.invited", "Invited somebody";
    /// An invitation was sent again.
    UserInvitationResent = "user.invitation.resent", "Sent the invitation again";
    /// An invitation was withdrawn.
    UserInvitationRevoked = "user.invitation.revoked", "Withdrew the invitation";
    /// An invitation was accepted.
    UserInvitationAccepted = "user.invitation.accepted", "Accepted the invitation";
    /// A mail to verify an address was asked for.
    UserEmailVerificationRequested = "user.email.verification-requested", "Asked for the email to be verified";
    /// It was taken back that an address is to be confirmed.
    UserEmailVerificationCancelled = "user.email.verification-cancelled", "Took back the change of the email";
    /// A message was sent.
    NotificationSent = "notification.sent", "Sent a message";
    /// A message could not be sent.
    NotificationFailed = "notification.failed", "Failed to send a message";
    /// An email was verified.
    UserEmailVerified = "user.email.verified", "Verified the email";
    /// A phone number was verified.
    UserPhoneVerified = "user.phone.verified", "Verified the phone number";
    /// A forgotten password: a link was sent.
    UserForgotPassword = "user.password.forgotten", "Asked for a link to a new password";
    /// A password reset was asked for.
    UserPasswordResetRequested = "user.password.reset-requested", "Required a password reset";
    /// A required reset was cancelled.
    UserPasswordResetCancelled = "user.password.reset-cancelled", "Cancelled the required password reset";
    /// A required reset was done.
    UserPasswordResetCompleted = "user.password.reset-completed", "Replaced the password as required";
    /// An administrator had a temporary password made.
    UserPasswordTemporaryIssued = "user.password.temporary-issued", "Issued a temporary password";
    /// A password was set or changed.
    UserPasswordChanged = "user.password.changed", "Set a new password";
    /// A password was removed.
    UserPasswordCleared = "user.password.cleared", "Cleared the password";
    /// An authenticator was registered.
    UserAuthenticatorRegistered = "user.authenticator.registered", "Registered an authenticator";
    /// An authenticator was removed.
    UserAuthenticatorRemoved = "user.authenticator.removed", "Removed an authenticator";
    /// An authenticator was given another name.
    UserAuthenticatorRenamed = "user.authenticator.renamed", "Renamed an authenticator";
    /// An authenticator was used up in part: a recovery code.
    UserAuthenticatorUsed = "user.authenticator.used", "Used a recovery code";
    /// A lockout rule, or an administrator, locked an authenticator.
    UserAuthenticatorLocked = "user.authenticator.locked", "Locked an authenticator";
    /// An administrator unlocked it.
    UserAuthenticatorUnlocked = "user.authenticator.unlocked", "Unlocked an authenticator";
    /// An administrator switched an authenticator off.
    UserAuthenticatorDeactivated = "user.authenticator.deactivated", "Switched an authenticator off";
    /// An administrator switched it on again.
    UserAuthenticatorReactivated = "user.authenticator.reactivated", "Switched an authenticator on again";
    /// A reset was asked for, or cancelled.
    UserRequiredActionChanged = "user.required-action.changed", "Changed what is required at the next sign-in";
    /// A user was asked to set up an authenticator again.
    UserAuthenticatorResetRequested = "user.authenticator.reset-requested", "Asked for an authenticator to be set up again";
    /// That is no longer asked.
    UserAuthenticatorResetCancelled = "user.authenticator.reset-cancelled", "Cancelled that an authenticator is set up again";
    /// It was done.
    UserAuthenticatorResetCompleted = "user.authenticator.reset-completed", "Set an authenticator up again as asked";
    /// The link of a reset was followed.
    UserResetLinkFollowed = "user.reset-link.followed", "Followed the link of a reset";
    /// A session began.
    UserSessionCreated = "user.session.created", "Started a session";
    /// A session was ended.
    UserSessionRevoked = "user.session.revoked", "Ended a session";
    /// A sign-in succeeded.
    UserSignInSucceeded = "user.sign-in.succeeded", "Signed in";
    /// A sign-in failed.
    UserSignInFailed = "user.sign-in.failed", "Failed to sign in";
    /// A used refresh token was presented again; its whole family was revoked.
    UserTokenReused = "user.token.reused", "A used token was presented again";
    /// An API key was made.
    ApiKeyCreated = "user.api-key.created", "Created an API key";
    /// An API key was removed.
    ApiKeyDeleted = "user.api-key.deleted", "Deleted an API key";
    /// An API key was shown again.
    ApiKeyRevealed = "user.api-key.revealed", "Showed an API key";
    /// An API key was replaced by a new one.
    ApiKeyRegenerated = "user.api-key.regenerated", "Regenerated an API key";
    /// A group was created.
    GroupCreated = "group.created", "Created the group";
    /// A group was changed.
    GroupUpdated = "group.updated", "Changed the group";
    /// A group was deleted.
    GroupDeleted = "group.deleted", "Deleted the group";
    /// An organization was created.
    OrganizationCreated = "organization.created", "Created the organization";
    /// An organization was changed.
    OrganizationUpdated = "organization.updated", "Changed the organization";
    /// An organization was deleted.
    OrganizationDeleted = "organization.deleted", "Deleted the organization";
    /// The definition of an attribute was created.
    AttributeDefinitionCreated = "attribute-definition.created", "Defined an attribute";
    /// The definition of an attribute was changed.
    AttributeDefinitionUpdated = "attribute-definition.updated", "Changed the definition of an attribute";
    /// The definition of an attribute was deleted.
    AttributeDefinitionDeleted = "attribute-definition.deleted", "Deleted the definition of an attribute";
    /// A message got a text of the realm's own.
    MessageTemplateUpdated = "message-template.updated", "Worded a message";
    /// A message has its usual text again.
    MessageTemplateReverted = "message-template.reverted", "Gave a message its usual text again";
    /// A message was sent to whoever words it.
    MessageTemplateTested = "message-template.tested", "Sent a test of a message";
    /// A job was started.
    JobCreated = "job.created", "Started a job";
    /// A job ended.
    JobFinished = "job.finished", "Finished a job";
    /// A job was cancelled.
    JobCancelled = "job.cancelled", "Cancelled a job";
    /// A view of the list of users was saved.
    SavedViewCreated = "saved-view.created", "Saved a view";
    /// A saved view was changed.
    SavedViewUpdated = "saved-view.updated", "Changed a saved view";
    /// A saved view was deleted.
    SavedViewDeleted = "saved-view.deleted", "Deleted a saved view";
    /// A realm role was created.
    RoleCreated = "role.created", "Created the role";
    /// A realm role was changed.
    RoleUpdated = "role.updated", "Changed the role";
    /// A realm role was deleted.
    RoleDeleted = "role.deleted", "Deleted the role";
    /// A client was created.
    ClientCreated = "client.created", "Created the client";
    /// A client was changed.
    ClientUpdated = "client.updated", "Changed the client";
    /// A client was deleted.
    ClientDeleted = "client.deleted", "Deleted the client";
    /// A client got a new secret.
    ClientSecretChanged = "client.secret.changed", "Made a new secret for the client";
    /// A token was revoked by its client.
    ClientTokenRevoked = "client.token.revoked", "Revoked a token";
    /// A realm was created.
    RealmCreated = "realm.created", "Created the realm";
    /// A realm was renamed, enabled or disabled.
    RealmUpdated = "realm.updated", "Changed the realm";
    /// A realm was deleted.
    RealmDeleted = "realm.deleted", "Deleted the realm";
    /// A realm's settings were changed.
    SettingsUpdated = "settings.updated", "Changed the settings";
    /// An admin role was granted.
    AdminGranted = "admin.granted", "Made an administrator";
    /// An admin role was taken away.
    AdminRevoked = "admin.revoked", "Removed an administrator";
    /// A new signing key was made.
    SigningKeyCreated = "signing-key.created", "Created a signing key";
}

text_enum! {
    /// How it ended.
    Outcome {
        /// It was done.
        Success = "success",
        /// It was refused.
        Failure = "failure",
    }
}

text_enum! {
    /// What acted.
    ActorKind {
        /// A user, human or machine.
        User = "user",
        /// A client on its own behalf.
        Client = "client",
        /// Somebody not signed in.
        Anonymous = "anonymous",
        /// Denizen itself, or its command line on the server's machine.
        System = "system",
    }
}

text_enum! {
    /// What was acted on.
    SubjectKind {
        /// A user.
        User = "user",
        /// A client.
        Client = "client",
        /// A realm role.
        Role = "role",
        /// A group.
        Group = "group",
        /// An organization.
        Organization = "organization",
        /// An invitation.
        Invitation = "invitation",
        /// The definition of an attribute.
        AttributeDefinition = "attribute_definition",
        /// What a message says.
        MessageTemplate = "message_template",
        /// A job.
        Job = "job",
        /// A saved view.
        SavedView = "saved_view",
        /// The realm itself.
        Realm = "realm",
    }
}

/// Who acted, as the event keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ActorRef {
    /// What it is.
    pub kind: ActorKind,
    /// Its id, for users and clients.
    pub id: Option<String>,
    /// Its name at that time.
    pub name: String,
}

/// What was acted on, as the event keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct SubjectRef {
    /// What it is.
    pub kind: SubjectKind,
    /// Its id.
    pub id: String,
    /// Its name at that time.
    pub name: String,
}

/// An event that is about to be recorded.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// Its id.
    pub id: EventId,
    /// The realm it belongs to.
    pub realm_id: RealmId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventType,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: ActorRef,
    /// To whom.
    pub subject: SubjectRef,
    /// Through which client.
    pub client_id: Option<String>,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// From which address.
    pub ip: Option<String>,
    /// The place of that address.
    pub place: Option<String>,
    /// With which user agent.
    pub user_agent: Option<String>,
    /// What else is worth keeping: before and after, reasons. Never a secret.
    pub details: Map<String, Value>,
}

/// A recorded event.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When it happened.
    pub at: Timestamp,
    /// What happened.
    pub kind: EventType,
    /// How it ended.
    pub outcome: Outcome,
    /// Who did it.
    pub actor: ActorRef,
    /// To whom.
    pub subject: SubjectRef,
    /// Through which client.
    pub client_id: Option<String>,
    /// In which session.
    pub session_id: Option<SessionId>,
    /// From which address.
    pub ip: Option<String>,
    /// The place of that address, where a GeoIP database was configured.
    pub place: Option<String>,
    /// With which user agent.
    pub user_agent: Option<String>,
    /// What else was kept.
    pub details: Map<String, Value>,
    /// Its chain, 0 to 15.
    pub chain: u8,
    /// Its place in the chain, from 1.
    pub sequence: i64,
    /// The chain's hash after it: HMAC-SHA-256, base64url.
    pub hash: String,
}

/// The chain of a subject: the last hexadecimal digit of its id.
#[must_use]
pub fn chain_of(subject_id: &str) -> u8 {
    subject_id.chars().next_back().and_then(|c| c.to_digit(16)).and_then(|d| u8::try_from(d).ok()).unwrap_or(0) % CHAINS
}

/// What a list of events is asked for.
#[derive(Debug, Clone, Default)]
pub struct EventQuery {
    /// Only this type.
    pub kind: Option<EventType>,
    /// Only what this actor did, by id.
    pub actor: Option<String>,
    /// Only what was done to this subject, by id.
    pub subject: Option<String>,
    /// Only through this client.
    pub client: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
    /// Only from this address.
    pub ip: Option<String>,
    /// Not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
    /// Where the page starts.
    pub after: Option<Cursor>,
    /// How many at the most.
    pub limit: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_subject_always_has_the_same_chain() {
        assert_eq!(chain_of("0197a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b"), 11);
        assert_eq!(chain_of(""), 0);
    }

    #[test]
    fn event_names_are_unique() {
        let mut names: Vec<_> = EventType::ALL.iter().map(|kind| kind.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), EventType::ALL.len());
    }
}
