//! JSON Web Signatures (RFC 7515) over JWTs, and their keys (RFC 7517, 7518, 7638, 8037).
//!
//! Signing keeps the parsed key and the encoded headers, because parsing the private key
//! each time makes a signature 1.6 (elliptic curves) to 2.5 times (RSA) as slow.
//! Verification goes through `jsonwebtoken`'s AWS-LC backend, after our own reading of the header: the algorithm is the
//! key's and never the token's choice (RFC 8725, section 3.1), and the type is checked, so that no kind of token passes
//! for another (section 3.11). **Claims are returned unchecked**: `exp`, `nbf`, `iss`, `aud` are the caller's, who has the clock.

mod verify;

use std::fmt;

use aws_lc_rs::digest;
use aws_lc_rs::encoding::{AsDer as _, Pkcs8V1Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RsaKeyPair,
    RsaPublicKeyComponents,
};
use base64::Engine as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use zeroize::Zeroizing;

pub use self::verify::{JwkError, Verifier, VerifyError, VerifyingKey};
use super::B64;

/// Types of token, the `typ` header.
pub mod typ {
    /// An ID token or any JWT without a type of its own (RFC 7519, section 5.1).
    pub const JWT: &str = "JWT";
    /// An access token (RFC 9068, section 2.1).
    pub const ACCESS_TOKEN: &str = "at+jwt";
    /// A logout token (`OpenID` Connect Back-Channel Logout 1.0, section 2.4).
    pub const LOGOUT_TOKEN: &str = "logout+jwt";
    /// A security event token (RFC 8417, section 2.3).
    pub const SECURITY_EVENT: &str = "secevent+jwt";
    /// A signed introspection response (RFC 9701, section 5).
    pub const INTROSPECTION: &str = "token-introspection+jwt";

    /// Those whose headers every signing key has ready.
    pub(super) const PREPARED: [&str; 5] = [ACCESS_TOKEN, JWT, LOGOUT_TOKEN, SECURITY_EVENT, INTROSPECTION];
}

/// Smallest RSA modulus accepted, in bytes (2048 bits; RFC 7518, section 3.3).
const MIN_RSA_BYTES: usize = 256;

/// How a key signs. There is no `none` and nothing symmetric.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Algorithm {
    /// ECDSA on P-256 with SHA-256 (RFC 7518, section 3.4).
    #[default]
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519 (RFC 8037, section 3.1).
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// RSASSA-PKCS1-v1_5 with SHA-256 (RFC 7518, section 3.3); for clients that can do nothing else: signing is
    /// some twenty times slower than with the others.
    #[serde(rename = "RS256")]
    Rs256,
}

impl Algorithm {
    /// The name in the `alg` header.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::EdDsa => "EdDSA",
            Self::Rs256 => "RS256",
        }
    }

    /// The algorithm of that name, if it is one of ours.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Es256, Self::EdDsa, Self::Rs256].into_iter().find(|alg| alg.as_str() == name)
    }

    const fn backend(self) -> jsonwebtoken::Algorithm {
        match self {
            Self::Es256 => jsonwebtoken::Algorithm::ES256,
            Self::EdDsa => jsonwebtoken::Algorithm::EdDSA,
            Self::Rs256 => jsonwebtoken::Algorithm::RS256,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What went wrong with one of our own keys.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// The key could not be made or written.
    #[error("the key could not be generated")]
    Generate,
    /// Not a PKCS#8 key of the algorithm.
    #[error("the private key is not a valid PKCS#8 key for {0}")]
    Pkcs8(Algorithm),
    /// AWS-LC refused to sign.
    #[error("the token could not be signed")]
    Sign,
    /// The claims have no JSON form.
    #[error("the claims could not be written as JSON")]
    Claims(#[source] serde_json::Error),
}

/// The public half of a key: its required members (RFC 7638, section 3.2) in base64url.
#[derive(Clone, Debug)]
enum PublicKey {
    Ec { x: String, y: String },
    Okp { x: String },
    Rsa { n: String, e: String },
}

impl PublicKey {
    /// The thumbprint: SHA-256 of the required members in lexicographic order without white space (RFC 7638, section 3).
    fn thumbprint(&self) -> String {
        // Every value is base64url and needs no escaping.
        let text = match self {
            Self::Ec { x, y } => format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#),
            Self::Okp { x } => format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#),
            Self::Rsa { n, e } => format!(r#"{{"e":"{e}","kty":"RSA","n":"{n}"}}"#),
        };
        B64.encode(digest::digest(&digest::SHA256, text.as_bytes()))
    }

    fn jwk(&self, kid: &str, alg: Algorithm) -> Value {
        let alg = alg.as_str();
        match self {
            Self::Ec { x, y } => {
                json!({"kty": "EC", "crv": "P-256", "x": x, "y": y, "use": "sig", "alg": alg, "kid": kid})
            }
            Self::Okp { x } => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": x, "use": "sig", "alg": alg, "kid": kid})
            }
            Self::Rsa { n, e } => {
                json!({"kty": "RSA", "n": n, "e": e, "use": "sig", "alg": alg, "kid": kid})
            }
        }
    }
}

enum Pair {
    Es256(EcdsaKeyPair),
    EdDsa(Ed25519KeyPair),
    Rs256(RsaKeyPair),
}

impl Pair {
    fn public_key(&self) -> Option<PublicKey> {
        Some(match self {
            // SEC 1, section 2.3.3: 0x04 ‖ x ‖ y.
            Self::Es256(pair) => {
                let (x, y) = pair.public_key().as_ref().strip_prefix(&[4])?.split_at_checked(32)?;
                PublicKey::Ec { x: B64.encode(x), y: B64.encode(y) }
            }
            Self::EdDsa(pair) => PublicKey::Okp { x: B64.encode(pair.public_key().as_ref()) },
            Self::Rs256(pair) => {
                let public = RsaPublicKeyComponents::<Vec<u8>>::from(pair.public_key());
                PublicKey::Rsa { n: B64.encode(public.n), e: B64.encode(public.e) }
            }
        })
    }
}

/// A private key, parsed once, that signs JWTs. Share it in an `Arc`. `Debug` shows the algorithm and the key id.
pub struct SigningKey {
    alg: Algorithm,
    kid: String,
    pair: Pair,
    public: PublicKey,
    /// `typ` and the encoded header with its dot, for [`typ::PREPARED`].
    headers: Vec<(&'static str, String)>,
}

impl SigningKey {
    /// A new key, from AWS-LC's own generator (it takes no other). RSA keys have
    /// 2048 bits and take many times longer than the others: not on an async thread.
    ///
    /// # Errors
    /// [`KeyError::Generate`].
    pub fn generate(alg: Algorithm) -> Result<Self, KeyError> {
        let pair = match alg {
            Algorithm::Es256 => EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).map(Pair::Es256),
            Algorithm::EdDsa => Ed25519KeyPair::generate().map(Pair::EdDsa),
            Algorithm::Rs256 => RsaKeyPair::generate(KeySize::Rsa2048).map(Pair::Rs256),
        };
        Self::new(alg, pair.map_err(|_| KeyError::Generate)?).ok_or(KeyError::Generate)
    }

    /// Reads a key that [`SigningKey::to_pkcs8`] wrote, or another PKCS#8 DER (RFC 5958) of that algorithm.
    ///
    /// # Errors
    /// [`KeyError::Pkcs8`], also for an RSA key under 2048 bits.
    pub fn from_pkcs8(alg: Algorithm, der: &[u8]) -> Result<Self, KeyError> {
        let pair = match alg {
            Algorithm::Es256 => EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, der).map(Pair::Es256),
            // "Maybe unchecked": OpenSSL writes version 1, which leaves the public key out.
            Algorithm::EdDsa => Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).map(Pair::EdDsa),
            Algorithm::Rs256 => RsaKeyPair::from_pkcs8(der).map(Pair::Rs256),
        };
        let pair = pair.map_err(|_| KeyError::Pkcs8(alg))?;
        if matches!(&pair, Pair::Rs256(pair) if pair.public_modulus_len() < MIN_RSA_BYTES) {
            return Err(KeyError::Pkcs8(alg));
        }
        Self::new(alg, pair).ok_or(KeyError::Pkcs8(alg))
    }

    fn new(alg: Algorithm, pair: Pair) -> Option<Self> {
        let public = pair.public_key()?;
        let kid = public.thumbprint();
        let headers = typ::PREPARED.into_iter().map(|typ| (typ, encode_header(alg, &kid, typ))).collect();
        Some(Self { alg, kid, pair, public, headers })
    }

    /// The private key as PKCS#8 DER, to be sealed at once.
    ///
    /// # Errors
    /// [`KeyError::Generate`].
    pub fn to_pkcs8(&self) -> Result<Zeroizing<Vec<u8>>, KeyError> {
        let der = match &self.pair {
            Pair::Es256(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::EdDsa(pair) => pair.to_pkcs8v1().map(|der| der.as_ref().to_vec()),
            Pair::Rs256(pair) => pair.as_der().map(|der: Pkcs8V1Der<'_>| der.as_ref().to_vec()),
        };
        der.map(Zeroizing::new).map_err(|_| KeyError::Generate)
    }

    /// How it signs.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.alg
    }

    /// The key id: the JWK's SHA-256 thumbprint (RFC 7638) in base64url.
    #[must_use]
    pub fn kid(&self) -> &str {
        &self.kid
    }

    /// The public key for the JWKS, with `use`, `alg` and `kid`.
    #[must_use]
    pub fn public_jwk(&self) -> Value {
        self.public.jwk(&self.kid, self.alg)
    }

    /// The half that verifies.
    ///
    /// # Errors
    /// As [`VerifyingKey::from_jwk`]; a key that AWS-LC made has none.
    pub fn verifying_key(&self) -> Result<VerifyingKey, JwkError> {
        VerifyingKey::from_public(self.alg, self.kid.clone(), &self.public)
    }

    /// Signs claims as a compact JWT of the type, one of [`typ`] or another.
    ///
    /// # Errors
    /// [`KeyError::Claims`] or [`KeyError::Sign`].
    pub fn sign(&self, typ: &str, claims: &impl Serialize) -> Result<String, KeyError> {
        self.sign_json(typ, &serde_json::to_vec(claims).map_err(KeyError::Claims)?)
    }

    /// Signs claims that are JSON already; they are not looked at.
    ///
    /// # Errors
    /// [`KeyError::Sign`].
    pub fn sign_json(&self, typ: &str, claims: &[u8]) -> Result<String, KeyError> {
        match self.headers.iter().find(|(prepared, _)| *prepared == typ) {
            Some((_, header)) => self.sign_compact(header, claims),
            None => self.sign_compact(&encode_header(self.alg, &self.kid, typ), claims),
        }
    }

    /// `header` is encoded and ends in its dot. The string is allocated once, at its final size.
    fn sign_compact(&self, header: &str, payload: &[u8]) -> Result<String, KeyError> {
        let signature_len = match &self.pair {
            Pair::Es256(_) | Pair::EdDsa(_) => 64,
            Pair::Rs256(pair) => pair.public_modulus_len(),
        };
        let mut token = String::with_capacity(header.len() + base64_len(payload.len()) + 1 + base64_len(signature_len));
        token.push_str(header);
        B64.encode_string(payload, &mut token);
        match &self.pair {
            Pair::Es256(pair) => {
                let signature = pair.sign(&SystemRandom::new(), token.as_bytes()).map_err(|_| KeyError::Sign)?;
                push_signature(&mut token, signature.as_ref());
            }
            Pair::EdDsa(pair) => {
                let signature = pair.try_sign(token.as_bytes()).map_err(|_| KeyError::Sign)?;
                push_signature(&mut token, signature.as_ref());
            }
            Pair::Rs256(pair) => {
                let mut signature = vec![0; signature_len];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), token.as_bytes(), &mut signature)
                    .map_err(|_| KeyError::Sign)?;
                push_signature(&mut token, &signature);
            }
        }
        Ok(token)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").field("alg", &self.alg).field("kid", &self.kid).finish_non_exhaustive()
    }
}

fn push_signature(token: &mut String, signature: &[u8]) {
    token.push('.');
    B64.encode_string(signature, token);
}

/// The encoded protected header with the dot behind it.
fn encode_header(alg: Algorithm, kid: &str, typ: &str) -> String {
    let header = json!({"alg": alg.as_str(), "kid": kid, "typ": typ}).to_string();
    let mut encoded = B64.encode(header);
    encoded.push('.');
    encoded
}

const fn base64_len(bytes: usize) -> usize {
    (bytes * 4).div_ceil(3)
}

#[cfg(test)]
mod tests;
