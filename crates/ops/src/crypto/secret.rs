//! Randomness, secrets that don't print, and random tokens.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use aws_lc_rs::{constant_time, digest};
use base64::Engine as _;
use serde::{Deserialize, Deserializer};
use zeroize::{Zeroize as _, Zeroizing};

use super::B64;

/// Random bytes in a token: 256 bits, so that guessing and collisions are out of the question
/// and a plain SHA-256 is a sufficient stored form.
pub const TOKEN_BYTES: usize = 32;

/// Characters of [`TOKEN_BYTES`] in base64url without padding.
const TOKEN_CHARS: usize = 43;

/// A source of random bytes. Cheap to clone; clones draw from the same source.
#[derive(Clone)]
pub struct Rng(Source);

#[derive(Clone)]
enum Source {
    System(SystemRandom),
    Seeded { seed: u64, counter: Arc<AtomicU64> },
}

impl Rng {
    /// AWS-LC's generator, seeded by the operating system: the only source for anything real.
    #[must_use]
    pub fn system() -> Self {
        Self(Source::System(SystemRandom::new()))
    }

    /// A reproducible stream, **for tests only**: who knows the seed knows every byte.
    ///
    /// Clones share one position, so two draws never repeat within one source.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded { seed, counter: Arc::default() })
    }

    /// Fills `out` with random bytes.
    ///
    /// # Panics
    /// When the system's generator fails. AWS-LC aborts the process before it reports that, and going on
    /// with predictable bytes would be worse than stopping.
    #[expect(
        clippy::expect_used,
        reason = "AWS-LC's generator aborts instead of failing; predictable keys are no alternative"
    )]
    pub fn fill(&self, out: &mut [u8]) {
        match &self.0 {
            Source::System(random) => random.fill(out).expect("the system's random generator works"),
            Source::Seeded { seed, counter } => {
                for chunk in out.chunks_mut(digest::SHA256_OUTPUT_LEN) {
                    let mut block = digest::Context::new(&digest::SHA256);
                    block.update(b"denizen-test-rng-v1");
                    block.update(&seed.to_be_bytes());
                    block.update(&counter.fetch_add(1, Ordering::Relaxed).to_be_bytes());
                    for (to, from) in chunk.iter_mut().zip(block.finish().as_ref()) {
                        *to = *from;
                    }
                }
            }
        }
    }

    /// `N` random bytes.
    ///
    /// # Panics
    /// As [`Rng::fill`].
    #[must_use]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut out = [0; N];
        self.fill(&mut out);
        out
    }
}

impl fmt::Debug for Rng {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Source::System(_) => "Rng::System",
            Source::Seeded { .. } => "Rng::Seeded",
        })
    }
}

/// A password, key or token in the clear.
///
/// `Debug` shows nothing of it, it has no `Display` and no `Serialize`, and its memory is wiped when dropped.
/// It has no `==` either: compare with [`constant_time_eq`], or compare [`hash_token`]s.
#[derive(Clone, Default)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Takes ownership of the text, so that no copy is left behind.
    #[must_use]
    pub fn new(text: String) -> Self {
        Self(Zeroizing::new(text))
    }

    /// The text in the clear. Don't log it, don't store it, don't keep the reference for long.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.to_owned())
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(redacted)")
    }
}

/// What a token is for, told by its first characters, so that people and secret scanners recognize one that leaked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Prefix {
    /// `dzk_`: an API key.
    ApiKey,
    /// `dzs_`: a session cookie.
    Session,
    /// `dzr_`: a refresh token (built by [`super::mac::RefreshToken`], not at random).
    Refresh,
    /// `dzc_`: a client secret.
    ClientSecret,
    /// None: authorization codes, links in mails, states and nonces.
    Bare,
}

impl Prefix {
    /// The characters, with the underscore; empty for [`Prefix::Bare`].
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ApiKey => "dzk_",
            Self::Session => "dzs_",
            Self::Refresh => "dzr_",
            Self::ClientSecret => "dzc_",
            Self::Bare => "",
        }
    }
}

/// A random token of 256 bits: prefix, then base64url without padding.
#[derive(Clone, Debug)]
pub struct Token(Secret);

impl Token {
    /// A new token.
    ///
    /// # Panics
    /// As [`Rng::fill`].
    #[must_use]
    pub fn generate(rng: &Rng, prefix: Prefix) -> Self {
        let mut bytes: [u8; TOKEN_BYTES] = rng.bytes();
        let mut text = String::with_capacity(prefix.as_str().len() + TOKEN_CHARS);
        text.push_str(prefix.as_str());
        B64.encode_string(bytes, &mut text);
        bytes.zeroize();
        Self(Secret::new(text))
    }

    /// Takes a presented token if it has the shape of one with this prefix, so that a lookup is spent only on what can exist.
    /// Says nothing about whether the token exists.
    #[must_use]
    pub fn parse(text: &str, prefix: Prefix) -> Option<Self> {
        let body = text.strip_prefix(prefix.as_str())?;
        let fits =
            body.len() == TOKEN_CHARS && body.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'));
        fits.then(|| Self(Secret::from(text)))
    }

    /// The token in the clear, to be shown or sent once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// The stored form, [`hash_token`] of the whole token.
    #[must_use]
    pub fn hash(&self) -> String {
        hash_token(self.expose())
    }

    /// The token as a plain secret.
    #[must_use]
    pub fn into_secret(self) -> Secret {
        self.0
    }
}

/// The form in which a token is stored and looked up: SHA-256 in base64url, 43 characters.
///
/// Fast on purpose: 256 random bits can't be guessed, so there is nothing for a slow hash to protect.
/// Never for passwords or short codes.
#[must_use]
pub fn hash_token(token: &str) -> String {
    B64.encode(digest::digest(&digest::SHA256, token.as_bytes()))
}

/// Whether both are equal, in a time that depends on the length only.
#[must_use]
pub fn constant_time_eq(a: &[u8], b: &[u8]) -> bool {
    constant_time::verify_slices_are_equal(a, b).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    #[test]
    fn a_secret_does_not_print() {
        let secret = Secret::from("hunter2");
        assert_eq!(format!("{secret:?}"), "Secret(redacted)");
        let token = Token::generate(&Rng::seeded(1), Prefix::ApiKey);
        assert!(!format!("{token:?}").contains(token.expose()));
    }

    #[test]
    fn a_secret_is_read_from_json() {
        let secret: Secret = serde_json::from_str("\"hunter2\"").unwrap();
        assert_eq!(secret.expose(), "hunter2");
        assert!(!secret.is_empty());
    }

    #[test]
    fn a_token_carries_its_prefix_and_256_bits() {
        let rng = Rng::system();
        for prefix in [Prefix::ApiKey, Prefix::Session, Prefix::Refresh, Prefix::ClientSecret, Prefix::Bare] {
            let token = Token::generate(&rng, prefix);
            let body = token.expose().strip_prefix(prefix.as_str()).unwrap();
            assert_eq!(B64.decode(body).unwrap().len(), TOKEN_BYTES);
            assert_eq!(Token::parse(token.expose(), prefix).unwrap().hash(), token.hash());
            assert_ne!(Token::generate(&rng, prefix).expose(), token.expose());
        }
    }

    #[test]
    fn what_cannot_be_a_token_is_not_parsed() {
        let token = Token::generate(&Rng::seeded(1), Prefix::ApiKey);
        assert!(Token::parse(token.expose(), Prefix::Session).is_none());
        assert!(Token::parse(&token.expose().replace("dzk_", "dzk_ "), Prefix::ApiKey).is_none());
        assert!(Token::parse(&format!("{}x", token.expose()), Prefix::ApiKey).is_none());
        assert!(Token::parse("dzk_", Prefix::ApiKey).is_none());
    }

    #[test]
    fn a_token_is_stored_as_its_sha256() {
        // FIPS 180-2, B.1: SHA-256 of "abc".
        assert_eq!(hash_token("abc"), "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0");
    }

    #[test]
    fn a_seeded_source_repeats_and_its_clones_do_not() {
        assert_eq!(Rng::seeded(7).bytes::<80>(), Rng::seeded(7).bytes::<80>());
        assert_ne!(Rng::seeded(7).bytes::<32>(), Rng::seeded(8).bytes::<32>());
        let rng = Rng::seeded(7);
        let clone = rng.clone();
        assert_ne!(rng.bytes::<32>(), clone.bytes::<32>());
    }

    proptest! {
        #[test]
        fn constant_time_eq_is_equality(a: Vec<u8>, b: Vec<u8>) {
            prop_assert!(constant_time_eq(&a, &a));
            prop_assert_eq!(constant_time_eq(&a, &b), a == b);
        }

        #[test]
        fn parsing_a_token_never_panics(text: String) {
            let _ = Token::parse(&text, Prefix::Bare);
        }
    }
}
