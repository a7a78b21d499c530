//! Passkeys (WebAuthn Level 3): questions put to a browser, and the check of its answers.
//!
//! The work is webauthn-rs's; this module holds what Denizen decides. Keys are discoverable, so that nobody has to say
//! first who they are; the device verifies its user each time, so that a passkey is two factors in one; no attestation
//! is asked for. A question that was put travels sealed through the browser, and whoever takes its answer sees to it
//! that it is answered once ([`Question::mark`]).

use std::time::Duration;

use denizen_model::UserId;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, Passkey, PasskeyRegistration, PublicKeyCredential,
    RegisterPublicKeyCredential, Url, Uuid, Webauthn, WebauthnBuilder, WebauthnError,
};

use super::{B64, hash_token};
use crate::{Error, Result};

/// How long a browser waits for its person. The flow that a question belongs to lives longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// The longest answer that is read, in bytes.
const MAX_ANSWER: usize = 32 * 1024;

/// The longest credential id there is (WebAuthn, section 4), in bytes.
const MAX_ID: usize = 1023;

/// Puts questions for the host of the public address.
pub struct Asker {
    webauthn: Webauthn,
}

/// A question that was put to a browser, with what is needed to judge its answer.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Question<S> {
    state: S,
    /// What the browser is given, as JSON.
    options: Value,
}

/// Which passkey do you have?
pub type AskedFor = Question<DiscoverableAuthentication>;
/// Make a passkey.
pub type Making = Question<PasskeyRegistration>;

impl<S> Question<S> {
    /// What the browser is given: `PublicKeyCredential…OptionsJSON`.
    #[must_use]
    pub fn options(&self) -> String {
        self.options.to_string()
    }

    /// A hash under which it can be noted that it was answered.
    #[must_use]
    pub fn mark(&self) -> String {
        hash_token(self.options.get("challenge").and_then(Value::as_str).unwrap_or_default())
    }
}

/// Why an answer was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// It is not what a browser sends.
    Unreadable,
    /// It answers another question.
    OtherQuestion,
    /// It was given to another site.
    OtherSite,
    /// The device did not verify who holds it.
    NotVerified,
    /// The counter went back: there may be a copy of the key.
    Cloned,
    /// The key was not made so that it is found without a name.
    NotDiscoverable,
    /// The signature, or something else in it, is wrong.
    Wrong,
}

impl Refusal {
    /// Every one.
    pub const ALL: &[Self] = &[
        Self::Unreadable,
        Self::OtherQuestion,
        Self::OtherSite,
        Self::NotVerified,
        Self::Cloned,
        Self::NotDiscoverable,
        Self::Wrong,
    ];

    /// The reason as events tell it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "the browser's answer cannot be read",
            Self::OtherQuestion => "the answer is to another question",
            Self::OtherSite => "the answer was given to another site",
            Self::NotVerified => "the device did not verify its user",
            Self::Cloned => "the passkey's counter went back: it may have been copied",
            Self::NotDiscoverable => "the passkey cannot be found without a name",
            Self::Wrong => "the passkey's signature is wrong",
        }
    }
}

impl From<WebauthnError> for Refusal {
    fn from(error: WebauthnError) -> Self {
        match error {
            WebauthnError::MismatchedChallenge => Self::OtherQuestion,
            WebauthnError::InvalidRPOrigin | WebauthnError::InvalidRPIDHash | WebauthnError::CredentialCrossOrigin => {
                Self::OtherSite
            }
            WebauthnError::UserNotVerified => Self::NotVerified,
            WebauthnError::CredentialPossibleCompromise => Self::Cloned,
            _ => Self::Wrong,
        }
    }
}

/// A passkey as it is kept: its public key, its counter, whether it is backed up.
#[derive(Clone)]
pub struct Key(Passkey);

impl Key {
    /// Reads what [`to_text`](Self::to_text) wrote.
    ///
    /// # Errors
    /// When it is damaged.
    pub fn read(text: &str) -> Result<Self> {
        let read = serde_json::from_str(text).map(Self);
        read.map_err(|error| Error::internal(format!("a passkey is damaged: {error}")))
    }

    /// As it is kept.
    ///
    /// # Errors
    /// Never in practice.
    pub fn to_text(&self) -> Result<String> {
        serde_json::to_string(&self.0).map_err(|error| Error::internal(error.to_string()))
    }

    /// Its credential id, base64url.
    #[must_use]
    pub fn credential(&self) -> String {
        encoded(self.0.cred_id())
    }
}

fn encoded(id: &[u8]) -> String {
    use base64::Engine as _;
    B64.encode(id)
}

/// A passkey that was made.
pub struct Made {
    /// What is kept.
    pub key: Key,
    /// Who keeps it, where that is somebody known.
    pub provider: Option<&'static str>,
}

/// A browser's answer to the question which passkey somebody has; not judged yet.
pub struct Answer(PublicKeyCredential);

impl Answer {
    /// Reads what the page sent; `None` when it is nothing a browser sends.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        if text.len() > MAX_ANSWER {
            return None;
        }
        serde_json::from_str(text).ok().map(Self)
    }

    /// Which passkey it says it is of: the credential id, base64url.
    #[must_use]
    pub fn credential(&self) -> String {
        encoded(self.0.get_credential_id())
    }

    /// Whose the device says it is.
    #[must_use]
    pub fn user(&self) -> Option<UserId> {
        let bytes = self.0.get_user_unique_id()?;
        Uuid::from_slice(bytes).ok().map(UserId::from)
    }

    /// Whether the device says anything about whose it is.
    #[must_use]
    pub fn names_user(&self) -> bool {
        self.0.get_user_unique_id().is_some_and(|bytes| !bytes.is_empty())
    }
}

/// What a right answer says.
#[derive(Clone)]
pub struct Proved {
    /// The passkey as it is to be kept from now on; `None` when nothing in it changed.
    pub after: Option<Key>,
    /// The device verified its user.
    pub user_verified: bool,
}

impl Asker {
    /// For a public address. `None` when its host is none that passkeys can belong to: an IP address.
    #[must_use]
    pub fn at(public_url: &str) -> Option<Self> {
        let mut origin = Url::parse(public_url).ok()?;
        origin.set_path("");
        let host = origin.domain()?.to_owned();
        let builder = WebauthnBuilder::new(&host, &origin).ok()?;
        Some(Self { webauthn: builder.timeout(PATIENCE).build().ok()? })
    }

    /// Asks for a passkey: for one of these, or for whichever the person chooses.
    ///
    /// # Errors
    /// Never in practice.
    pub fn ask(&self, of: &[Key]) -> Result<AskedFor> {
        let (mut asked, state) = self.webauthn.start_discoverable_authentication().map_err(internal)?;
        asked.public_key.extensions = None;
        if !of.is_empty() {
            let keys: Vec<Passkey> = of.iter().map(|key| key.0.clone()).collect();
            let (listed, _) = self.webauthn.start_passkey_authentication(&keys).map_err(internal)?;
            asked.public_key.allow_credentials = listed.public_key.allow_credentials;
        }
        Ok(Question { state, options: json(&asked.public_key)? })
    }

    /// Judges an answer by the key that it names.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn judge(&self, asked: &AskedFor, answer: &Answer, key: &Key) -> std::result::Result<Proved, Refusal> {
        let found = self.webauthn.finish_discoverable_authentication_v2(&answer.0, asked.state.clone(), &key.0)?;
        let mut after = key.0.clone();
        let changed = after.update_credential(&found).unwrap_or(false);
        Ok(Proved { after: changed.then_some(Key(after)), user_verified: found.user_verified() })
    }

    /// Asks a browser to make a passkey for somebody, on none of the devices that have one of `present`.
    ///
    /// # Errors
    /// Never in practice.
    pub fn make(&self, realm: &str, user: UserId, name: &str, display_name: &str, present: &[Key]) -> Result<Making> {
        let exclude: Vec<CredentialID> = present.iter().map(|key| key.0.cred_id().clone()).collect();
        let exclude = (!exclude.is_empty()).then_some(exclude);
        let (asked, state) =
            self.webauthn.start_passkey_registration(user.uuid(), name, display_name, exclude).map_err(internal)?;
        let mut options = json(&asked.public_key)?;
        // What the library leaves to chance: a passkey is found without anybody saying who they are.
        if let Some(wanted) = options.get_mut("authenticatorSelection").and_then(Value::as_object_mut) {
            wanted.insert("residentKey".to_owned(), "required".into());
            wanted.insert("requireResidentKey".to_owned(), true.into());
        }
        if let Some(party) = options.get_mut("rp").and_then(Value::as_object_mut) {
            party.insert("name".to_owned(), realm.into());
        }
        Ok(Question { state, options })
    }

    /// Takes a passkey that was made.
    ///
    /// # Errors
    /// Why it is not taken.
    pub fn take(&self, making: &Making, answer: &str) -> std::result::Result<Made, Refusal> {
        if answer.len() > MAX_ANSWER {
            return Err(Refusal::Unreadable);
        }
        let answer: RegisterPublicKeyCredential = serde_json::from_str(answer).map_err(|_| Refusal::Unreadable)?;
        let key = self.webauthn.finish_passkey_registration(&answer, &making.state)?;
        if answer.extensions.cred_props.as_ref().and_then(|props| props.rk) == Some(false) {
            return Err(Refusal::NotDiscoverable);
        }
        if key.cred_id().len() > MAX_ID {
            return Err(Refusal::Unreadable);
        }
        let provider = aaguid(&answer.response.attestation_object).and_then(provider);
        Ok(Made { key: Key(key), provider })
    }
}

fn internal(error: WebauthnError) -> Error {
    Error::internal(format!("webauthn: {error}"))
}

fn json(value: &impl Serialize) -> Result<Value> {
    serde_json::to_value(value).map_err(|error| Error::internal(error.to_string()))
}

/// The kind of authenticator that a registration names. Without attestation nobody vouches for it, so it is good for a
/// label and nothing else; that is why it is looked for, rather than the CBOR around it parsed a second time.
fn aaguid(attestation_object: &[u8]) -> Option<Uuid> {
    const NAME: &[u8] = b"\x68authData";
    /// The hash of the host, the flags, the counter (WebAuthn, section 6.1).
    const BEFORE: usize = 32 + 1 + 4;
    let at = attestation_object.windows(NAME.len()).position(|window| window == NAME)?;
    let rest = attestation_object.get(at + NAME.len()..)?;
    let data = match *rest.first()? {
        0x58 => rest.get(2..)?,
        0x59 => rest.get(3..)?,
        _ => return None,
    };
    Uuid::from_slice(data.get(BEFORE..BEFORE + 16)?).ok()
}

/// Who keeps passkeys of this kind.
fn provider(aaguid: Uuid) -> Option<&'static str> {
    const LIST: &str = include_str!("../../data/passkey-providers.txt");
    let text = aaguid.to_string();
    LIST.lines().find_map(|line| line.strip_prefix(text.as_str())).map(str::trim)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passkeys_belong_to_a_host_with_a_name() {
        for good in ["https://id.example.com", "https://id.example.com:8443/base", "http://localhost:7000"] {
            assert!(Asker::at(good).is_some(), "{good}");
        }
        for bad in ["http://127.0.0.1:7000", "https://[::1]", "https://10.0.0.5", "nonsense"] {
            assert!(Asker::at(bad).is_none(), "{bad}");
        }
    }

    #[test]
    fn every_question_is_another_and_asks_for_verified_discoverable_keys() {
        let asker = Asker::at("https://id.example.com:8443").unwrap();
        let (one, two) = (asker.ask(&[]).unwrap(), asker.ask(&[]).unwrap());
        assert_ne!(one.mark(), two.mark());
        let options: Value = serde_json::from_str(&one.options()).unwrap();
        assert_eq!(options["rpId"], "id.example.com");
        assert_eq!(options["userVerification"], "required");
        assert_eq!(options["allowCredentials"], serde_json::json!([]));
        let user = UserId::from(Uuid::from_u128(7));
        let making = asker.make("Acme", user, "ana@example.com", "Ana", &[]).unwrap();
        let options: Value = serde_json::from_str(&making.options()).unwrap();
        assert_eq!(options["attestation"], "none");
        assert_eq!(options["rp"], serde_json::json!({ "id": "id.example.com", "name": "Acme" }));
        assert_eq!(options["user"]["id"], encoded(user.uuid().as_bytes()));
        let wanted = &options["authenticatorSelection"];
        assert_eq!(
            (&wanted["residentKey"], &wanted["requireResidentKey"], &wanted["userVerification"]),
            (&"required".into(), &true.into(), &"required".into())
        );
    }

    #[test]
    fn providers_are_known_by_what_a_registration_names() {
        let known = Uuid::parse_str("bada5566-a7aa-401f-bd96-45619a55120d").unwrap();
        assert_eq!(provider(known), Some("1Password"));
        assert_eq!(provider(Uuid::nil()), None);
        let mut object = b"\xa3\x63fmt\x64none\x67attStmt\xa0\x68authData\x58\x94".to_vec();
        object.extend([0; 37]);
        object.extend(known.as_bytes());
        assert_eq!(aaguid(&object), Some(known));
        object.truncate(60);
        assert_eq!(aaguid(&object), None);
        assert_eq!(aaguid(b"\x68authData"), None);
    }

    #[test]
    fn the_list_of_providers_is_well_formed() {
        let lines = include_str!("../../data/passkey-providers.txt").lines().filter(|line| !line.starts_with('#'));
        for line in lines {
            let (id, name) = line.split_once(' ').unwrap();
            assert_eq!(Uuid::parse_str(id).unwrap().to_string(), id);
            assert!(!name.trim().is_empty() && name.chars().count() < 60, "{line}");
        }
    }
}
