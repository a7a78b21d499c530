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

use std::num::NonZeroU32;

use argon2::{Algorithm, Version, password_hash::phc::PasswordHash};
use aws_lc_rs::{
    cipher::{AES_256, EncryptingKey, EncryptionContext, UnboundCipherKey},
    digest,
    iv::FixedLength,
    pbkdf2,
};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
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
    /// Takes a stored hash apart and checks what it costs. The forms are in the table above.
    ///
    /// Firebase keeps a project's parameters apart from its users; here they stand in each hash: `m` is
    /// `mem_cost`, `r` is `rounds`, `sk` is `base64_signer_key`, `ss` is `base64_salt_separator`, then come the
    /// user's `salt` and `passwordHash`. Base64 is read with or without padding, in either alphabet.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, HashFault> {
        if text.len() > MAX_STORED {
            return Err(HashFault::Malformed("longer than 1024 characters"));
        }
        if let Some(rest) = text.strip_prefix('{') {
            return parse_ldap(rest);
        }
        if let Some(rest) = text.strip_prefix("pbkdf2_") {
            return parse_django(rest);
        }
        let rest = text.strip_prefix('$').ok_or(HashFault::Unknown)?;
        let (id, rest) = rest.split_once('$').ok_or(HashFault::Unknown)?;
        match id {
            "argon2i" | "argon2d" | "argon2id" => parse_argon2(text),
            "2a" | "2b" | "2y" => parse_bcrypt(rest),
            "scrypt" => parse_scrypt(rest),
            "firebase-scrypt" => parse_firebase(rest),
            "5" | "6" => parse_sha_crypt(text, id == "5", rest),
            "pbkdf2" => parse_pbkdf2(Sha::Sha1, rest),
            _ => {
                let (kind, name) = id.split_once('-').ok_or(HashFault::Unknown)?;
                let sha = Sha::from_name(name).ok_or(HashFault::Unknown)?;
                match kind {
                    "pbkdf2" => parse_pbkdf2(sha, rest),
                    "salted" => parse_salted(sha, rest),
                    _ => Err(HashFault::Unknown),
                }
            }
        }
    }

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

/// Base64 as found in the wild: the standard alphabet, the one for URLs, passlib's with a dot; padded or not.
fn base64(text: &str, what: &'static str) -> Result<Vec<u8>, HashFault> {
    let plain: String = text
        .chars()
        .map(|c| match c {
            '-' | '.' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    decode(&alphabet::STANDARD, &plain).ok_or(HashFault::Malformed(what))
}

fn decode(alphabet: &alphabet::Alphabet, text: &str) -> Option<Vec<u8>> {
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    GeneralPurpose::new(alphabet, config).decode(text).ok()
}

fn salt_of(text: &str) -> Result<Vec<u8>, HashFault> {
    let salt = base64(text, "the salt is not base64")?;
    if salt.is_empty() { Err(HashFault::Malformed("there is no salt")) } else { Ok(salt) }
}

/// A hash of 16 to 128 bytes: a shorter one could be met by chance.
fn hash_of(text: &str) -> Result<Vec<u8>, HashFault> {
    let hash = base64(text, "the hash is not base64")?;
    if (16..=128).contains(&hash.len()) { Ok(hash) } else { Err(HashFault::Malformed("the hash has a wrong length")) }
}

fn parse_argon2(text: &str) -> Result<StoredHash, HashFault> {
    const DAMAGED: HashFault = HashFault::Malformed("it is not a whole PHC string");
    let parsed = PasswordHash::new(text).map_err(|_| DAMAGED)?;
    let (Some(salt), Some(hash)) = (&parsed.salt, &parsed.hash) else { return Err(DAMAGED) };
    let algorithm = Algorithm::try_from(parsed.algorithm.as_str()).map_err(|_| DAMAGED)?;
    // Strings from before version 19 carry none (argon2's reference implementation, encoding.c).
    let version = Version::try_from(parsed.version.unwrap_or(0x10))
        .map_err(|_| HashFault::Malformed("a version of argon2 that does not exist"))?;
    let raw = argon2::Params::try_from(&parsed).map_err(|_| DAMAGED)?;
    let params = Params::new(raw.m_cost(), raw.t_cost(), raw.p_cost())
        .map_err(|_| HashFault::TooDear("argon2 may take 1 GiB, 64 passes and 64 lanes at the most"))?;
    if u64::from(params.memory_kib()) * u64::from(params.passes()) > MAX_ARGON2_WORK {
        return Err(HashFault::TooDear("argon2 may pass over 4 GiB in all"));
    }
    Ok(StoredHash::Argon2 { algorithm, version, params, salt: salt.to_vec(), hash: hash.as_bytes().to_vec() })
}

fn parse_bcrypt(rest: &str) -> Result<StoredHash, HashFault> {
    const DAMAGED: HashFault = HashFault::Malformed("bcrypt has a cost of two digits and 53 characters");
    let (cost, rest) = rest.split_once('$').ok_or(DAMAGED)?;
    if cost.len() != 2 || rest.len() != 53 {
        return Err(DAMAGED);
    }
    let cost = number(cost).filter(|cost| *cost >= 4).ok_or(DAMAGED)?;
    if cost > MAX_BCRYPT_COST {
        return Err(HashFault::TooDear("bcrypt's cost may be 15 at the most"));
    }
    let (salt, hash) = rest.split_at_checked(22).ok_or(DAMAGED)?;
    let salt = decode(&alphabet::BCRYPT, salt).and_then(|salt| salt.try_into().ok()).ok_or(DAMAGED)?;
    let hash = decode(&alphabet::BCRYPT, hash).filter(|hash| hash.len() == 23).ok_or(DAMAGED)?;
    Ok(StoredHash::Bcrypt { cost, salt, hash })
}

/// A decimal number without sign or leading zeros beyond what two digits have.
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// `a=1,b=2` as PHC strings have it; every key must be one of `keys`, each at most once.
fn parameters<'t, const N: usize>(text: &'t str, keys: [&str; N]) -> Result<[Option<&'t str>; N], HashFault> {
    const DAMAGED: HashFault = HashFault::Malformed("its parameters cannot be read");
    let mut found = [None; N];
    for pair in text.split(',') {
        let (key, value) = pair.split_once('=').ok_or(DAMAGED)?;
        let slot = keys.iter().position(|known| *known == key).and_then(|at| found.get_mut(at)).ok_or(DAMAGED)?;
        if slot.replace(value).is_some() {
            return Err(DAMAGED);
        }
    }
    Ok(found)
}

fn required(value: Option<&str>) -> Result<u32, HashFault> {
    value.and_then(number).ok_or(HashFault::Malformed("a cost is missing or no number"))
}

fn parse_scrypt(rest: &str) -> Result<StoredHash, HashFault> {
    let [costs, salt, hash] = parts(rest)?;
    let [log_n, r, p] = parameters(costs, ["ln", "r", "p"])?;
    let params = ScryptParams::new(required(log_n)?, required(r)?, required(p)?)?;
    Ok(StoredHash::Scrypt { params, salt: salt_of(salt)?, hash: hash_of(hash)? })
}

fn parse_firebase(rest: &str) -> Result<StoredHash, HashFault> {
    let [version, costs, salt, hash] = parts(rest)?;
    if version != "v=1" {
        return Err(HashFault::Malformed("the version of firebase-scrypt must be 1"));
    }
    let [m, r, key, separator] = parameters(costs, ["m", "r", "sk", "ss"])?;
    let params = ScryptParams::new(required(m)?, required(r)?, 1)?;
    let signer_key = base64(key.unwrap_or(""), "the signer key is not base64")?;
    let mut salt = salt_of(salt)?;
    salt.extend(base64(separator.unwrap_or(""), "the salt separator is not base64")?);
    let hash = hash_of(hash)?;
    if signer_key.len() < 16 || signer_key.len() != hash.len() {
        return Err(HashFault::Malformed("the hash is not as long as the signer key"));
    }
    Ok(StoredHash::Firebase { params, salt, signer_key, hash })
}

fn pbkdf2(sha: Sha, iterations: Option<u32>, salt: Vec<u8>, hash: Vec<u8>) -> Result<StoredHash, HashFault> {
    let iterations = iterations
        .and_then(NonZeroU32::new)
        .ok_or(HashFault::Malformed("the number of iterations is missing or no number"))?;
    let blocks = u64::try_from(hash.len().div_ceil(sha.length())).unwrap_or(u64::MAX);
    if u64::from(iterations.get()).saturating_mul(blocks) > MAX_PBKDF2_WORK {
        return Err(HashFault::TooDear("PBKDF2 may have 10000000 iterations at the most"));
    }
    Ok(StoredHash::Pbkdf2 { sha, iterations, salt, hash })
}

fn parse_pbkdf2(sha: Sha, rest: &str) -> Result<StoredHash, HashFault> {
    let [costs, salt, hash] = parts(rest)?;
    let hash = hash_of(hash)?;
    let iterations = if costs.contains('=') {
        let [iterations, length] = parameters(costs, ["i", "l"])?;
        if length.is_some_and(|length| number(length).and_then(|n| usize::try_from(n).ok()) != Some(hash.len())) {
            return Err(HashFault::Malformed("the hash is not as long as it says"));
        }
        iterations.and_then(number)
    } else {
        number(costs)
    };
    pbkdf2(sha, iterations, salt_of(salt)?, hash)
}

fn parse_django(rest: &str) -> Result<StoredHash, HashFault> {
    let (name, rest) = rest.split_once('$').ok_or(HashFault::Unknown)?;
    let sha = Sha::from_name(name).ok_or(HashFault::Unknown)?;
    let [iterations, salt, hash] = parts(rest)?;
    if salt.is_empty() {
        return Err(HashFault::Malformed("there is no salt"));
    }
    pbkdf2(sha, number(iterations), salt.as_bytes().to_vec(), hash_of(hash)?)
}

fn parse_sha_crypt(text: &str, short: bool, rest: &str) -> Result<StoredHash, HashFault> {
    const DAMAGED: HashFault = HashFault::Malformed("it is not a whole SHA-crypt string");
    let (rounds, rest) = match rest.strip_prefix("rounds=") {
        Some(rest) => rest.split_once('$').map(|(rounds, rest)| (number(rounds), rest)).ok_or(DAMAGED)?,
        None => (Some(5000), rest),
    };
    let rounds =
        rounds.filter(|rounds| *rounds >= 1000).ok_or(HashFault::Malformed("it has fewer than 1000 rounds"))?;
    if rounds > MAX_SHA_CRYPT_ROUNDS {
        return Err(HashFault::TooDear("SHA-crypt may have 2000000 rounds at the most"));
    }
    let [salt, hash] = parts(rest)?;
    let letters = |text: &str| text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'.' || b == b'/');
    let salt_ok = (1..=16).contains(&salt.len()) && salt.is_ascii();
    if !salt_ok || hash.len() != if short { 43 } else { 86 } || !letters(hash) {
        return Err(DAMAGED);
    }
    Ok(StoredHash::ShaCrypt(text.to_owned()))
}

fn parse_salted(sha: Sha, rest: &str) -> Result<StoredHash, HashFault> {
    let [salt, hash] = parts(rest)?;
    let hash = hash_of(hash)?;
    if hash.len() != sha.length() {
        return Err(HashFault::Malformed("the hash has a wrong length"));
    }
    Ok(StoredHash::SaltedSha { sha, salt_first: true, salt: salt_of(salt)?, hash })
}

fn parse_ldap(rest: &str) -> Result<StoredHash, HashFault> {
    let (scheme, text) = rest.split_once('}').ok_or(HashFault::Unknown)?;
    let sha = match scheme.to_ascii_uppercase().as_str() {
        "SSHA" => Sha::Sha1,
        "SSHA256" => Sha::Sha256,
        "SSHA512" => Sha::Sha512,
        _ => return Err(HashFault::Unknown),
    };
    let mut hash = base64(text, "it is not base64")?;
    if hash.len() <= sha.length() {
        return Err(HashFault::Malformed("there is no salt"));
    }
    let salt = hash.split_off(sha.length());
    Ok(StoredHash::SaltedSha { sha, salt_first: false, salt, hash })
}

fn parts<const N: usize>(text: &str) -> Result<[&str; N], HashFault> {
    let found: Vec<&str> = text.split('$').collect();
    found.try_into().map_err(|_| HashFault::Malformed("a part is missing or too many"))
}

#[cfg(test)]
mod tests;
