//! Takes stored hashes apart, form by form, and refuses what would cost too much.

use std::num::NonZeroU32;

use argon2::{Algorithm, Version, password_hash::phc::PasswordHash};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

use super::{
    HashFault, MAX_ARGON2_WORK, MAX_BCRYPT_COST, MAX_PBKDF2_WORK, MAX_SHA_CRYPT_ROUNDS, MAX_STORED, Params,
    ScryptParams, Sha, StoredHash,
};

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
