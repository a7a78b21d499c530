//! Keys that verify, and what is checked before claims are handed out.

use std::fmt;

use base64::Engine as _;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;

use super::{Algorithm, B64, MIN_RSA_BYTES, PublicKey, typ};

/// Why a JWK isn't a key to verify with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// A member is missing, isn't a string or isn't base64url of the right length.
    #[error("the JWK lacks a valid `{0}`")]
    Member(&'static str),
    /// Its `kty`, `crv` or `alg` isn't one of ours, or they don't belong together.
    #[error("the JWK's algorithm is not supported")]
    Unsupported,
    /// Its `use` isn't `sig`.
    #[error("the JWK is not for signatures")]
    Use,
}

/// Why a token was refused. For the log: a client learns no more than that its token is invalid.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum VerifyError {
    /// Not three parts of base64url with a JSON object in front.
    #[error("the token is malformed")]
    Malformed,
    /// The header's algorithm isn't the key's.
    #[error("the token's algorithm is not the key's")]
    Algorithm,
    /// The header names another key, or none although there are several.
    #[error("the token's key is not known")]
    UnknownKey,
    /// A token of another type.
    #[error("the token is of another type")]
    Type,
    /// The header demands an extension; we know none (RFC 7515, section 4.1.11).
    #[error("the token demands an unknown extension")]
    Critical,
    /// The signature doesn't match.
    #[error("the token's signature is wrong")]
    Signature,
    /// Signed, but the claims aren't JSON of the expected shape.
    #[error("the token's claims are not of the expected shape")]
    Claims,
}

/// A public key with its one algorithm.
#[derive(Clone)]
pub struct VerifyingKey {
    alg: Algorithm,
    kid: String,
    key: jsonwebtoken::DecodingKey,
}

impl VerifyingKey {
    /// Reads a public JWK (RFC 7517). Key type and curve decide the algorithm, and an `alg` must agree; without a `kid`
    /// the thumbprint serves. Private members are ignored.
    ///
    /// # Errors
    /// [`JwkError`].
    pub fn from_jwk(jwk: &Value) -> Result<Self, JwkError> {
        if jwk.get("use").is_some_and(|value| value != "sig") {
            return Err(JwkError::Use);
        }
        let (alg, public) = match (text(jwk, "kty")?, jwk.get("crv").and_then(Value::as_str)) {
            ("EC", Some("P-256")) => {
                (Algorithm::Es256, PublicKey::Ec { x: octets(jwk, "x", 32)?, y: octets(jwk, "y", 32)? })
            }
            ("OKP", Some("Ed25519")) => (Algorithm::EdDsa, PublicKey::Okp { x: octets(jwk, "x", 32)? }),
            ("RSA", None) => (Algorithm::Rs256, PublicKey::Rsa { n: modulus(jwk)?, e: text(jwk, "e")?.to_owned() }),
            _ => return Err(JwkError::Unsupported),
        };
        if jwk.get("alg").is_some_and(|value| value != alg.as_str()) {
            return Err(JwkError::Unsupported);
        }
        let kid = match jwk.get("kid") {
            Some(kid) => kid.as_str().ok_or(JwkError::Member("kid"))?.to_owned(),
            None => public.thumbprint(),
        };
        Self::from_public(alg, kid, &public)
    }

    pub(super) fn from_public(alg: Algorithm, kid: String, public: &PublicKey) -> Result<Self, JwkError> {
        let key = match public {
            PublicKey::Ec { x, y } => {
                jsonwebtoken::DecodingKey::from_ec_components(x, y).map_err(|_| JwkError::Member("x"))?
            }
            PublicKey::Okp { x } => {
                jsonwebtoken::DecodingKey::from_ed_components(x).map_err(|_| JwkError::Member("x"))?
            }
            PublicKey::Rsa { n, e } => {
                jsonwebtoken::DecodingKey::from_rsa_components(n, e).map_err(|_| JwkError::Member("e"))?
            }
        };
        Ok(Self { alg, kid, key })
    }

    /// The one algorithm it accepts.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// The JWK's key id, or its thumbprint.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// Checks a compact JWT and returns its claims, **whose times, issuer and audience the caller checks**.
    ///
    /// The type must be `typ`, as media types are compared (RFC 7515, section 4.1.9); [`typ::JWT`] also takes a token without one, since
    /// RFC 7519 makes it optional. A token that names no key is tried with this one.
    ///
    /// # Errors
    /// [`VerifyError`].
    pub fn verify<T: DeserializeOwned>(&self, typ: &str, token: &str) -> Result<T, VerifyError> {
        self.verify_parts(typ, &Parts::read(token)?)
    }

    fn verify_parts<T: DeserializeOwned>(&self, typ: &str, parts: &Parts<'_>) -> Result<T, VerifyError> {
        if !type_matches(typ, parts.header.typ.as_deref()) {
            return Err(VerifyError::Type);
        }
        serde_json::from_slice(&self.payload(parts)?).map_err(|_| VerifyError::Claims)
    }

    /// The payload, once key, algorithm and signature are right.
    pub(super) fn payload(&self, parts: &Parts<'_>) -> Result<Vec<u8>, VerifyError> {
        if parts.header.crit.is_some() {
            return Err(VerifyError::Critical);
        }
        if parts.header.kid.as_ref().is_some_and(|kid| *kid != self.kid) {
            return Err(VerifyError::UnknownKey);
        }
        if parts.header.alg != self.alg.as_str() {
            return Err(VerifyError::Algorithm);
        }
        let valid =
            jsonwebtoken::crypto::verify(parts.signature, parts.message.as_bytes(), &self.key, self.alg.backend());
        if !valid.unwrap_or(false) {
            return Err(VerifyError::Signature);
        }
        B64.decode(parts.payload).map_err(|_| VerifyError::Malformed)
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VerifyingKey").field("alg", &self.alg).field("kid", &self.kid).finish_non_exhaustive()
    }
}

/// The keys of an issuer; the token's `kid` picks one.
#[derive(Clone, Debug, Default)]
pub struct Verifier {
    keys: Vec<VerifyingKey>,
}

impl Verifier {
    /// Of these keys.
    #[must_use]
    pub fn new(keys: Vec<VerifyingKey>) -> Self {
        Self { keys }
    }

    /// Of a JWK set (RFC 7517, section 5). Keys that we can't use are left out, as the section asks; nothing usable gives an empty verifier.
    #[must_use]
    pub fn from_jwks(jwks: &Value) -> Self {
        let keys = jwks.get("keys").and_then(Value::as_array);
        Self::new(keys.into_iter().flatten().filter_map(|jwk| VerifyingKey::from_jwk(jwk).ok()).collect())
    }

    /// The keys.
    #[must_use]
    pub fn keys(&self) -> &[VerifyingKey] {
        &self.keys
    }

    /// As [`VerifyingKey::verify`], with the key the token names. A token that names none is taken only if there is one key.
    ///
    /// # Errors
    /// [`VerifyError`]; [`VerifyError::UnknownKey`] is the sign to fetch a foreign issuer's keys again.
    pub fn verify<T: DeserializeOwned>(&self, typ: &str, token: &str) -> Result<T, VerifyError> {
        let parts = Parts::read(token)?;
        let key = match (&parts.header.kid, self.keys.as_slice()) {
            (Some(kid), keys) => keys.iter().find(|key| key.kid == *kid),
            (None, [key]) => Some(key),
            (None, _) => None,
        };
        key.ok_or(VerifyError::UnknownKey)?.verify_parts(typ, &parts)
    }
}

/// The header members that matter. Serde refuses one that comes twice; others are ignored.
#[derive(Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    typ: Option<String>,
    kid: Option<String>,
    #[serde(default, deserialize_with = "present")]
    crit: Option<Value>,
}

/// `Some` for whatever is there, `null` too: a `crit` of any form is more than we understand.
fn present<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

pub(super) struct Parts<'a> {
    pub(super) header: Header,
    /// Header and payload, encoded, with the dot between: what is signed.
    message: &'a str,
    payload: &'a str,
    signature: &'a str,
}

impl<'a> Parts<'a> {
    pub(super) fn read(token: &'a str) -> Result<Self, VerifyError> {
        let (message, signature) = token.rsplit_once('.').ok_or(VerifyError::Malformed)?;
        let (header, payload) = message.split_once('.').ok_or(VerifyError::Malformed)?;
        let header = B64.decode(header).map_err(|_| VerifyError::Malformed)?;
        let header = serde_json::from_slice(&header).map_err(|_| VerifyError::Malformed)?;
        Ok(Self { header, message, payload, signature })
    }
}

/// Media types without their `application/`, ignoring case (RFC 7515, section 4.1.9).
fn type_matches(expected: &str, actual: Option<&str>) -> bool {
    let Some(actual) = actual else {
        return expected == typ::JWT;
    };
    let short = match actual.split_once('/') {
        Some((top, rest)) if top.eq_ignore_ascii_case("application") => rest,
        _ => actual,
    };
    short.eq_ignore_ascii_case(expected)
}

fn text<'a>(jwk: &'a Value, name: &'static str) -> Result<&'a str, JwkError> {
    jwk.get(name).and_then(Value::as_str).ok_or(JwkError::Member(name))
}

/// A member that is base64url of exactly `len` bytes.
fn octets(jwk: &Value, name: &'static str, len: usize) -> Result<String, JwkError> {
    let text = text(jwk, name)?;
    let fits = B64.decode(text).is_ok_and(|bytes| bytes.len() == len);
    fits.then(|| text.to_owned()).ok_or(JwkError::Member(name))
}

fn modulus(jwk: &Value) -> Result<String, JwkError> {
    let text = text(jwk, "n")?;
    let fits = B64.decode(text).is_ok_and(|bytes| bytes.len() >= MIN_RSA_BYTES);
    fits.then(|| text.to_owned()).ok_or(JwkError::Member("n"))
}
