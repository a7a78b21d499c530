//! Why a sign-in fails: in the words of its event, with what helps, which a diagnosis tells. A reason cannot be added
//! without both.

use crate::{crypto::webauthn::Refusal, diagnosis::Fix, flows::rules::Barrier};

/// What helps against a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Advice {
    /// In a sentence for an agent.
    pub(crate) sentence: &'static str,
    /// What the agent does, or where they look further.
    pub(crate) fix: Fix,
}

const fn advice(sentence: &'static str, fix: Fix) -> Advice {
    Advice { sentence, fix }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $variant:ident = $text:literal, $sentence:literal, $fix:ident;)+) => {
        /// Why a sign-in failed.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(crate) enum Reason {
            /// The user is kept out, whatever they prove.
            Barred(Barrier),
            /// A passkey's answer was not taken.
            Passkey(Refusal),
            $($(#[$doc])* $variant,)+
        }

        impl Reason {
            const PLAIN: &[Self] = &[$(Self::$variant),+];

            /// As its event tells it.
            pub(crate) const fn as_str(self) -> &'static str {
                match self {
                    Self::Barred(barrier) => barrier.as_str(),
                    Self::Passkey(refusal) => refusal.as_str(),
                    $(Self::$variant => $text,)+
                }
            }

            /// What helps.
            pub(crate) const fn advice(self) -> Advice {
                match self {
                    Self::Barred(barrier) => of_barrier(barrier),
                    Self::Passkey(refusal) => of_refusal(refusal),
                    $(Self::$variant => advice($sentence, Fix::$fix),)+
                }
            }
        }
    };
}

reasons! {
    /// The name is nobody's.
    UnknownUser = "unknown identifier", "Nobody has the name that was typed: ask them for its spelling.", ReadActivity;
    /// A password was typed, and there is none.
    NoPassword = "the user has no password", "Set a password, or have them sign in in another way.", SetPassword;
    /// An administrator holds it.
    NotUsable = "the authenticator is locked or switched off", "Unlock it, or switch it on again.", RestoreAuthenticator;
    /// The realm does not let people begin with it.
    NotAllowed = "the realm does not let people sign in this way", "Have them choose another way, or allow this one in the settings.", ChangeSettings;
    /// The password is another.
    WrongPassword = "wrong password", "If they have forgotten it, send them a reset.", SendReset;
    /// The code is another.
    WrongCode = "wrong code", "An app's codes are right only while the device's clock is; recovery codes let them in meanwhile.", IssueRecoveryCodes;
    /// The code was right once.
    UsedCode = "the code was used before", "A code works once: they wait for the app's next one, or ask for another.", ReadActivity;
    /// The code was right for a while.
    ExpiredCode = "the code has expired", "A code that is sent works for ten minutes: they ask for another.", ReadActivity;
    /// What was sent went to an address that is no longer theirs.
    AddressChanged = "the address that it was sent to was changed since", "They ask for another, which goes to the present address.", ReadActivity;
    /// The link was followed before.
    UsedLink = "the link was used before", "A link works once: they ask for another.", ReadActivity;
    /// The link worked for a while.
    ExpiredLink = "the link has expired", "They ask for another, and follow it in time.", ReadActivity;
    /// There is nowhere to send it to.
    NoAddress = "the user has no address for it", "Add an email or a phone number, or have them sign in in another way.", ChangeEmail;
    /// Nobody fills somebody's mailbox.
    TooManySent = "too much was sent to this address already", "They wait for up to an hour, or use what was sent last; see whether messages arrive.", ReadMessages;
    /// The passkey is not known here.
    UnknownPasskey = "a passkey that nobody in this realm has", "It was deleted here, or is of another realm: they sign in in another way and make a new one.", SendReset;
    /// The passkey is known as somebody else's.
    AnothersPasskey = "the passkey is another user's", "They choose the passkey of this account, or make one.", SendReset;
    /// The page was sent twice.
    UsedPasskey = "the passkey's answer was used before", "They open the sign-in page anew.", ReadActivity;
    /// A lockout rule holds.
    Locked = "locked after too many failures", "Unlock them, or have them wait until the lock ends.", Unlock;
    /// Nothing from there is looked at.
    TooManyFromAddress = "too many failures from this address", "They wait some minutes, or sign in from another network.", ReadActivity;
}

const fn of_barrier(barrier: Barrier) -> Advice {
    match barrier {
        Barrier::Machine => advice("Machines call the API with their keys.", Fix::CreateApiKey),
        Barrier::Disabled => advice("Enable them.", Fix::EnableUser),
    }
}

const fn of_refusal(refusal: Refusal) -> Advice {
    match refusal {
        Refusal::Unreadable => {
            advice("They try another browser: an extension may have put itself in between.", Fix::ReadActivity)
        }
        Refusal::OtherQuestion => advice("They open the sign-in page anew.", Fix::ReadActivity),
        Refusal::OtherSite => advice(
            "They open the sign-in page at its public address; if that address has changed, they need a new passkey.",
            Fix::SendReset,
        ),
        Refusal::NotVerified => advice(
            "Their device must ask for a PIN, a finger or the face: they switch its screen lock on, or make a passkey \
             elsewhere.",
            Fix::SendReset,
        ),
        Refusal::Cloned => advice("Delete this passkey, and have them make a new one.", Fix::RestoreAuthenticator),
        Refusal::NotDiscoverable => {
            advice("They make the passkey with another device or password manager.", Fix::SendReset)
        }
        Refusal::Wrong => advice("Delete this passkey, and have them make a new one.", Fix::RestoreAuthenticator),
    }
}

impl Reason {
    /// Every reason there is.
    pub(crate) fn all() -> impl Iterator<Item = Self> {
        let barred = Barrier::ALL.iter().map(|barrier| Self::Barred(*barrier));
        let refused = Refusal::ALL.iter().map(|refusal| Self::Passkey(*refusal));
        Self::PLAIN.iter().copied().chain(barred).chain(refused)
    }

    /// The reason that an event tells; nothing where it is one of an older Denizen's.
    pub(crate) fn told_as(text: &str) -> Option<Self> {
        Self::all().find(|reason| reason.as_str() == text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_is_read_back_from_its_event_with_what_helps() {
        let mut count = 0;
        for reason in Reason::all() {
            assert_eq!(Reason::told_as(reason.as_str()), Some(reason), "two reasons are told as {}", reason.as_str());
            let Advice { sentence, fix } = reason.advice();
            assert!(sentence.ends_with('.') && !fix.as_str().is_empty(), "{reason:?}");
            count += 1;
        }
        assert_eq!(count, Reason::PLAIN.len() + 2 + 7, "every barrier and every refusal is in its ALL");
        assert_eq!(Reason::told_as("the moon was full"), None);
    }
}
