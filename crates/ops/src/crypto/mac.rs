//! Prepared HMAC-SHA256 keys (RFC 2104), and refresh tokens, which carry one.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine as _;
use uuid::Uuid;
use zeroize::Zeroizing;

use super::B64;
use super::secret::{Prefix, Rng, Secret};

/// Bytes in a key and in a signature.
pub const MAC_BYTES: usize = 32;

/// An HMAC-SHA256 key whose inner and outer hashes are already begun: a signature costs no key set-up. `Debug` shows nothing.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl MacKey {
    /// Prepares a key of 32 uniformly random bytes.
    #[must_use]
    pub fn new(key: &[u8; MAC_BYTES]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A new random key with its bytes, for storing them sealed.
    ///
    /// # Panics
    /// As [`Rng::fill`].
    #[must_use]
    pub fn generate(rng: &Rng) -> (Self, Zeroizing<[u8; MAC_BYTES]>) {
        let mut bytes = Zeroizing::new([0; MAC_BYTES]);
        rng.fill(bytes.as_mut());
        (Self::new(&bytes), bytes)
    }

    /// The signature of `message`.
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; MAC_BYTES] {
        self.sign_parts(&[message])
    }

    /// The signature of the parts in a row. Where a part's end must be told, the caller gives it a fixed length or a length.
    #[must_use]
    pub fn sign_parts(&self, parts: &[&[u8]]) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        for part in parts {
            context.update(part);
        }
        let mut out = [0; MAC_BYTES];
        // Both sides are 32 bytes: the tag's length is the algorithm's.
        out.copy_from_slice(context.sign().as_ref());
        out
    }

    /// Whether `tag` is the signature of `message`, in constant time.
    #[must_use]
    pub fn verify(&self, message: &[u8], tag: &[u8]) -> bool {
        hmac::verify(&self.0, message, tag).is_ok()
    }

    /// A key for one use, told by its label; unrelated to those of other labels.
    ///
    /// A key that others are derived from should do nothing else: a signature of `denizen-derive-v1`, a zero byte and
    /// the label would be that derived key.
    #[must_use]
    pub fn derive(&self, label: &str) -> Self {
        let key = Zeroizing::new(self.sign_parts(&[b"denizen-derive-v1\0", label.as_bytes()]));
        Self::new(&key)
    }
}

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(redacted)")
    }
}

/// The text isn't a refresh token, or we didn't make it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the refresh token is not valid")]
pub struct RefreshTokenError;

/// What a refresh token says: its family (one per grant) and how often that family was rotated.
///
/// Written as `dzr_` and base64url of family (16 bytes) ‖ generation (8, big-endian) ‖ HMAC-SHA256 (32) over
/// `denizen-refresh-v1` ‖ family ‖ generation. The signature is what makes reuse provable (RFC 9700, section 4.14.2): a valid token of an
/// older generation was once issued by us, so somebody kept it; a token that doesn't verify says nothing about anyone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RefreshToken {
    /// The grant's row.
    pub family: Uuid,
    /// Rotations so far: 0 in the first token.
    pub generation: u64,
}

const FAMILY_BYTES: usize = 16;
const BODY_BYTES: usize = FAMILY_BYTES + 8;
const REFRESH_BYTES: usize = BODY_BYTES + MAC_BYTES;
const REFRESH_CHARS: usize = (REFRESH_BYTES * 4).div_ceil(3);
const REFRESH_DOMAIN: &[u8] = b"denizen-refresh-v1";

impl RefreshToken {
    /// The written form, 79 characters.
    #[must_use]
    pub fn encode(&self, key: &MacKey) -> Secret {
        let family = self.family.as_bytes();
        let generation = self.generation.to_be_bytes();
        let tag = key.sign_parts(&[REFRESH_DOMAIN, family, &generation]);
        let mut bytes = [0; REFRESH_BYTES];
        for (to, from) in bytes.iter_mut().zip(family.iter().chain(&generation).chain(&tag)) {
            *to = *from;
        }
        let mut text = String::with_capacity(Prefix::Refresh.as_str().len() + REFRESH_CHARS);
        text.push_str(Prefix::Refresh.as_str());
        B64.encode_string(bytes, &mut text);
        Secret::new(text)
    }

    /// Reads a presented token; only one that was made with this key comes back. Each token has exactly one spelling.
    ///
    /// # Errors
    /// [`RefreshTokenError`], whether malformed or forged.
    pub fn decode(text: &str, key: &MacKey) -> Result<Self, RefreshTokenError> {
        let body = text.strip_prefix(Prefix::Refresh.as_str()).ok_or(RefreshTokenError)?;
        if body.len() != REFRESH_CHARS {
            return Err(RefreshTokenError);
        }
        // The decoder wants room for whole groups of four characters.
        let mut buffer = [0; REFRESH_CHARS.div_ceil(4) * 3];
        let len = B64.decode_slice(body, &mut buffer).map_err(|_| RefreshTokenError)?;
        let bytes = buffer.get(..len).ok_or(RefreshTokenError)?;
        let (family, rest) = bytes.split_first_chunk::<FAMILY_BYTES>().ok_or(RefreshTokenError)?;
        let (generation, tag) = rest.split_first_chunk::<8>().ok_or(RefreshTokenError)?;
        let expected = key.sign_parts(&[REFRESH_DOMAIN, family, generation]);
        if !super::constant_time_eq(&expected, tag) {
            return Err(RefreshTokenError);
        }
        Ok(Self { family: Uuid::from_bytes(*family), generation: u64::from_be_bytes(*generation) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn key(seed: u64) -> MacKey {
        MacKey::generate(&Rng::seeded(seed)).0
    }

    #[test]
    fn a_signature_is_hmac_sha256() {
        // RFC 4231, section 4.2 (test case 1) with its 20-byte key zero-padded to 32 bytes, which HMAC does itself.
        let mut bytes = [0; 32];
        bytes[..20].fill(0x0b);
        let tag = MacKey::new(&bytes).sign(b"Hi There");
        let expected: [u128; 2] =
            [0xb034_4c61_d8db_3853_5ca8_afce_af0b_f12b, 0x881d_c200_c983_3da7_26e9_376c_2e32_cff7];
        assert_eq!(tag.as_slice(), expected.map(u128::to_be_bytes).concat());
    }

    #[test]
    fn a_signature_verifies_only_for_its_message_and_key() {
        let tag = key(1).sign(b"message");
        assert!(key(1).verify(b"message", &tag));
        assert!(!key(1).verify(b"massage", &tag));
        assert!(!key(2).verify(b"message", &tag));
        assert!(!key(1).verify(b"message", &tag[..31]));
        assert!(!key(1).derive("a").verify(b"message", &tag));
        assert_eq!(key(1).derive("a").sign(b"x"), key(1).derive("a").sign(b"x"));
        assert_ne!(key(1).derive("a").sign(b"x"), key(1).derive("b").sign(b"x"));
        assert_eq!(format!("{:?}", key(1)), "MacKey(redacted)");
    }

    #[test]
    fn a_refresh_token_keeps_its_layout() {
        let token = RefreshToken { family: Uuid::from_u128(0x0123), generation: 5 };
        let text = token.encode(&key(1));
        assert_eq!(text.expose().len(), 79);
        let bytes = B64.decode(text.expose().strip_prefix("dzr_").unwrap()).unwrap();
        assert_eq!(&bytes[..16], token.family.as_bytes());
        assert_eq!(bytes[16..24], 5u64.to_be_bytes());
        let message = [b"denizen-refresh-v1", &bytes[..24]].concat();
        assert!(key(1).verify(&message, &bytes[24..]));
    }

    #[test]
    fn a_changed_refresh_token_is_refused() {
        let text = RefreshToken { family: Uuid::from_u128(1), generation: 1 }.encode(&key(1));
        assert!(RefreshToken::decode(text.expose(), &key(1)).is_ok());
        assert!(RefreshToken::decode(text.expose(), &key(2)).is_err());
        for at in 0..text.expose().len() {
            for replacement in ["A", "B", "_", "=", "."] {
                let mut changed = text.expose().to_owned();
                changed.replace_range(at..=at, replacement);
                if changed != text.expose() {
                    assert!(RefreshToken::decode(&changed, &key(1)).is_err(), "{changed}");
                }
            }
            assert!(RefreshToken::decode(&text.expose()[..at], &key(1)).is_err());
        }
        assert!(RefreshToken::decode(&format!("{}A", text.expose()), &key(1)).is_err());
    }

    proptest! {
        #[test]
        fn a_refresh_token_survives_being_written(family: u128, generation: u64) {
            let token = RefreshToken { family: Uuid::from_u128(family), generation };
            prop_assert_eq!(RefreshToken::decode(token.encode(&key(1)).expose(), &key(1)).unwrap(), token);
        }

        #[test]
        fn rubbish_is_no_refresh_token(text: String, body in "[A-Za-z0-9_-]{75}") {
            prop_assert!(RefreshToken::decode(&text, &key(1)).is_err());
            let forged = format!("dzr_{body}");
            prop_assert!(RefreshToken::decode(&forged, &key(1)).is_err());
        }
    }
}
