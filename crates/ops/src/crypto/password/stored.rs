//! Password hashes as other systems wrote them, so that people who come with an import keep their passwords.
//!
//! | form | of |
//! |---|---|
//! | `$argon2id$v=19$m=…,t=…,p=…$salt$hash` (also `i` and `d`) | PHC |
//! | `$2a$`, `$2b$`, `$2y$` `cost$…` | bcrypt; what comes after 72 bytes of a password does not count |
//! | `$scrypt$ln=…,r=…,p=…$salt$hash` | PHC, passlib |
//! | `$firebase-scrypt$v=1$m=…,r=…,sk=…,ss=…$salt$hash` | Firebase's own, see [`StoredHash::parse`] |
//! | `$pbkdf2-sha256$i=…,l=…$salt$hash` (also `sha1`, `sha512`; `$pbkdf2$` is SHA-1) | PHC |
//! | `$pbkdf2-sha256$29000$salt$hash` | passlib |
//! | `pbkdf2_sha256$600000$salt$hash` | Django |
//! | `$5$…`, `$6$…` | SHA-crypt |
//! | `{SSHA}…`, `{SSHA256}…`, `{SSHA512}…` | LDAP: digest of password and salt |
//! | `$salted-sha256$salt$hash` (also `sha1`, `sha512`) | digest of salt and password, both in base64 |
//!
//! What a hash may cost is bounded, or one imported row could occupy a hashing thread for minutes at each sign-in.

mod parse;

use std::num::NonZeroU32;

use argon2::{Algorithm, Version};
use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    digest,
    iv::FixedLength,
    pbkdf2,
};
use sha_crypt::{PasswordHashRef, PasswordVerifier as _, ShaCrypt};

use super::{HashError, Params};
use crate::crypto::{Secret, constant_time_eq};

/// The longest stored hash, in bytes.
pub const MAX_STORED: usize = 1024;
/// The longest password that is checked against a hash of another system, in bytes. Some of them cost time in
/// proportion to it.
pub(super) const MAX_LEGACY_PASSWORD: usize = 512;
/// Argon2: memory in KiB times passes, 4 GiB once (libsodium's dearest setting): some 2 s.
const MAX_ARGON2_WORK: u64 = 4 * 1024 * 1024;
/// bcrypt: the highest cost; some 2 s.
const MAX_BCRYPT_COST: u32 = 15;
/// scrypt: N·r, whose 128-fold is the memory (256 MiB), and N·r·p, the time (some 2 s).
const MAX_SCRYPT_MEMORY: u64 = 1 << 21;
const MAX_SCRYPT_WORK: u64 = 1 << 22;
/// PBKDF2: iterations times blocks of output; some 1.5 s.
const MAX_PBKDF2_WORK: u64 = 10_000_000;
/// SHA-crypt: rounds; some 1 s.
const MAX_SHA_CRYPT_ROUNDS: u32 = 2_000_000;

/// What is wrong with a hash, in a sentence for whoever imports it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashFault {
    /// No form that is known here.
    #[error("This is no password hash of a form that Denizen knows.")]
    Unknown,
    /// It begins like a form that is known, but is not whole.
    #[error("This password hash is damaged: {0}.")]
    Malformed(&'static str),
    /// Checking it would take too long or too much memory.
    #[error("This password hash costs too much to be checked: {0}.")]
    TooDear(&'static str),
}

impl From<HashFault> for HashError {
    fn from(fault: HashFault) -> Self {
        match fault {
            HashFault::Unknown | HashFault::Malformed(_) => Self::Malformed,
            HashFault::TooDear(_) => Self::Params,
        }
    }
}

/// A digest that other systems build password hashes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sha {
    /// SHA-1.
    Sha1,
    /// SHA-256.
    Sha256,
    /// SHA-512.
    Sha512,
}

impl Sha {
    fn from_name(name: &str) -> Option<Self> {
        match name {
            "sha1" => Some(Self::Sha1),
            "sha256" => Some(Self::Sha256),
            "sha512" => Some(Self::Sha512),
            _ => None,
        }
    }

    fn length(self) -> usize {
        match self {
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn digest(self) -> &'static digest::Algorithm {
        match self {
            Self::Sha1 => &digest::SHA1_FOR_LEGACY_USE_ONLY,
            Self::Sha256 => &digest::SHA256,
            Self::Sha512 => &digest::SHA512,
        }
    }

    fn pbkdf2(self) -> pbkdf2::Algorithm {
        match self {
            Self::Sha1 => pbkdf2::PBKDF2_HMAC_SHA1,
            Self::Sha256 => pbkdf2::PBKDF2_HMAC_SHA256,
            Self::Sha512 => pbkdf2::PBKDF2_HMAC_SHA512,
        }
    }
}

/// A stored hash, taken apart and found affordable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredHash {
    /// Argon2 in its three kinds (RFC 9106).
    Argon2 {
        /// Which kind.
        algorithm: Algorithm,
        /// Which version.
        version: Version,
        /// What it costs.
        params: Params,
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
    /// bcrypt.
    Bcrypt {
        /// Two to the power of this many rounds.
        cost: u32,
        /// The salt.
        salt: [u8; 16],
        /// The hash: all but the last byte of what is computed.
        hash: Vec<u8>,
    },
    /// scrypt (RFC 7914).
    Scrypt {
        /// What it costs.
        params: ScryptParams,
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
    /// Firebase's: scrypt makes a key, under which a secret of the project is encrypted.
    Firebase {
        /// What it costs.
        params: ScryptParams,
        /// The salt with the project's separator after it.
        salt: Vec<u8>,
        /// The project's secret.
        signer_key: Vec<u8>,
        /// The secret, encrypted.
        hash: Vec<u8>,
    },
    /// PBKDF2 (RFC 8018).
    Pbkdf2 {
        /// With HMAC of this digest.
        sha: Sha,
        /// How often.
        iterations: NonZeroU32,
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
    /// SHA-crypt with SHA-256 or SHA-512, whole.
    ShaCrypt(String),
    /// One digest of password and salt.
    SaltedSha {
        /// The digest.
        sha: Sha,
        /// Whether the salt stands before the password.
        salt_first: bool,
        /// The salt.
        salt: Vec<u8>,
        /// The hash.
        hash: Vec<u8>,
    },
}

/// What scrypt costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScryptParams {
    /// log2 of N.
    log_n: u8,
    r: u32,
    p: u32,
}

impl ScryptParams {
    fn new(log_n: u32, r: u32, p: u32) -> Result<Self, HashFault> {
        if log_n == 0 || r == 0 || p == 0 {
            return Err(HashFault::Malformed("a cost of zero"));
        }
        if log_n > 30 {
            return Err(HashFault::TooDear("scrypt's N is above the limit"));
        }
        let memory = (1_u64 << log_n).saturating_mul(u64::from(r));
        if memory > MAX_SCRYPT_MEMORY || memory.saturating_mul(u64::from(p)) > MAX_SCRYPT_WORK {
            return Err(HashFault::TooDear("scrypt may take 256 MiB, and N·r·p may be 4194304 at the most"));
        }
        let log_n = u8::try_from(log_n).map_err(|_| HashFault::Malformed("N"))?;
        Ok(Self { log_n, r, p })
    }

    fn derive(self, password: &[u8], salt: &[u8], out: &mut [u8]) -> Result<(), HashError> {
        let params = scrypt::Params::new(self.log_n, self.r, self.p).map_err(|_| HashError::Params)?;
        scrypt::scrypt(password, salt, &params, out).map_err(|_| HashError::Failed)
    }
}

impl StoredHash {
    /// Whether a password of this hash should be hashed anew with `wanted`.
    pub(super) fn needs_upgrade(&self, wanted: Params) -> bool {
        match self {
            Self::Argon2 { algorithm, version, params, salt, hash } => {
                *algorithm != Algorithm::Argon2id
                    || *version != Version::V0x13
                    || params.is_weaker_than(wanted)
                    || salt.len() < super::SALT_BYTES
                    || hash.len() < super::HASH_BYTES
            }
            _ => true,
        }
    }

    /// Whether it is of another family than argon2.
    pub(super) fn is_legacy(&self) -> bool {
        !matches!(self, Self::Argon2 { .. })
    }

    /// Checks a password of at most [`MAX_LEGACY_PASSWORD`] bytes against a hash that is not argon2.
    pub(super) fn verify_legacy(&self, password: &Secret) -> Result<bool, HashError> {
        let password = password.expose().as_bytes();
        // A NUL ends bcrypt's key and pads HMAC's, so a password that ends in one would match a shorter one.
        if password.contains(&0) {
            return Ok(false);
        }
        match self {
            Self::Argon2 { .. } => Err(HashError::Failed),
            Self::Bcrypt { cost, salt, hash } => {
                let key: Vec<u8> = password.iter().copied().chain([0]).take(72).collect();
                let computed = bcrypt::bcrypt(*cost, *salt, &key);
                Ok(constant_time_eq(computed.get(..hash.len()).unwrap_or_default(), hash))
            }
            Self::Scrypt { params, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                params.derive(password, salt, &mut computed)?;
                Ok(constant_time_eq(&computed, hash))
            }
            Self::Firebase { params, salt, signer_key, hash } => {
                let mut key = [0; 32];
                params.derive(password, salt, &mut key)?;
                let mut computed = signer_key.clone();
                encrypt_under(&key, &mut computed)?;
                Ok(constant_time_eq(&computed, hash))
            }
            Self::Pbkdf2 { sha, iterations, salt, hash } => {
                let mut computed = vec![0; hash.len()];
                pbkdf2::derive(sha.pbkdf2(), *iterations, salt, password, &mut computed);
                Ok(constant_time_eq(&computed, hash))
            }
            Self::ShaCrypt(text) => {
                let stored = PasswordHashRef::new(text).map_err(|_| HashError::Malformed)?;
                Ok(ShaCrypt::default().verify_password(password, stored).is_ok())
            }
            Self::SaltedSha { sha, salt_first, salt, hash } => {
                let mut context = digest::Context::new(sha.digest());
                let (first, second): (&[u8], &[u8]) = if *salt_first { (salt, password) } else { (password, salt) };
                context.update(first);
                context.update(second);
                Ok(constant_time_eq(context.finish().as_ref(), hash))
            }
        }
    }
}

/// AES-256 in counter mode from zero: the key is used for this one text.
fn encrypt_under(key: &[u8; 32], text: &mut [u8]) -> Result<(), HashError> {
    let key = UnboundCipherKey::new(&AES_256, key).and_then(EncryptingKey::ctr).map_err(|_| HashError::Failed)?;
    let from_zero = EncryptionContext::Iv128(FixedLength::from([0; 16]));
    key.less_safe_encrypt(text, from_zero).map(drop).map_err(|_| HashError::Failed)
}

#[cfg(test)]
mod tests;
