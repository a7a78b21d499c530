//! Encryption at rest: AES-256-GCM under a master key that can be rotated.
//!
//! A sealed value reads `v1.<key id>.<base64url(nonce ‖ ciphertext ‖ tag)>`. The key id finds the key, so old values
//! still open after a rotation and can be sealed again at leisure ([`Sealer::is_current`]). The purpose is authenticated
//! (AAD): a value sealed for one column doesn't open in another.

use std::fmt::{self, Write as _};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::{digest, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use zeroize::Zeroizing;

use super::B64;
use super::mac::MacKey;
use super::secret::{Rng, Secret};

/// Bytes in a master key.
pub const KEY_BYTES: usize = 32;

const VERSION: &str = "v1";

/// Why a sealed value didn't open. Deliberately coarse: a wrong purpose and a changed byte look alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Not of the form `v1.<key id>.<base64url>`.
    #[error("the sealed value is malformed")]
    Malformed,
    /// Sealed under a key that isn't configured.
    #[error("the sealed value's key is not known")]
    UnknownKey,
    /// Changed, cut, or sealed for another purpose.
    #[error("the sealed value does not open")]
    Refused,
}

/// The text isn't a master key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a master key is 32 bytes in base64")]
pub struct MasterKeyError;

/// The key above all others, 32 bytes. It never encrypts or signs itself: each use has a key derived from it.
///
/// `Debug` shows the key id only; the bytes are wiped when dropped.
#[derive(Clone)]
pub struct MasterKey {
    id: String,
    bytes: Zeroizing<[u8; KEY_BYTES]>,
}

impl MasterKey {
    /// A new random key.
    ///
    /// # Panics
    /// As [`Rng::fill`].
    #[must_use]
    pub fn generate(rng: &Rng) -> Self {
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        rng.fill(bytes.as_mut());
        Self::from_bytes(bytes)
    }

    /// Reads the written form. Both base64 alphabets, padded or not, and surrounding white space are accepted, because
    /// people make keys with `openssl rand -base64 32` and put them into files with a line end.
    ///
    /// # Errors
    /// [`MasterKeyError`] unless it is base64 of exactly 32 bytes.
    pub fn parse(text: &str) -> Result<Self, MasterKeyError> {
        let text = text.trim();
        let decoded = STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .or_else(|_| B64.decode(text.trim_end_matches('=')))
            .map(Zeroizing::new)
            .map_err(|_| MasterKeyError)?;
        let bytes = decoded.as_slice().try_into().map_err(|_| MasterKeyError)?;
        Ok(Self::from_bytes(Zeroizing::new(bytes)))
    }

    fn from_bytes(bytes: Zeroizing<[u8; KEY_BYTES]>) -> Self {
        let mut hash = digest::Context::new(&digest::SHA256);
        hash.update(b"denizen-master-key-id-v1");
        hash.update(bytes.as_ref());
        let hash = hash.finish();
        let mut id = String::with_capacity(8);
        for byte in hash.as_ref().iter().take(4) {
            // Writing into a string can't fail.
            let _ = write!(id, "{byte:02x}");
        }
        Self { id, bytes }
    }

    /// The written form: base64 with padding, 44 characters.
    #[must_use]
    pub fn to_base64(&self) -> Secret {
        Secret::new(STANDARD.encode(self.bytes.as_ref()))
    }

    /// The first 8 hexadecimal digits of SHA-256 over a label and the key. Not secret.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A signing key for one use, told by its label. Another label or another master key gives an unrelated one:
    /// what must outlive a rotation of the master key needs a random key of its own, stored sealed.
    #[must_use]
    pub fn mac_key(&self, label: &str) -> MacKey {
        MacKey::new(&self.derive("denizen-mac-v1", label))
    }

    /// HKDF-Expand (RFC 5869, section 2.3) of one block. The key is uniformly random, so Extract has nothing to do.
    fn derive(&self, domain: &str, label: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, self.bytes.as_ref()));
        context.update(domain.as_bytes());
        context.update(&[0]);
        context.update(label.as_bytes());
        context.update(&[1]);
        let mut out = Zeroizing::new([0; KEY_BYTES]);
        out.copy_from_slice(context.sign().as_ref());
        out
    }
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MasterKey").field("id", &self.id).finish_non_exhaustive()
    }
}

struct PreparedKey {
    id: String,
    key: LessSafeKey,
}

impl PreparedKey {
    #[expect(clippy::expect_used, reason = "AES-256 takes every key of 32 bytes")]
    fn new(master: &MasterKey) -> Self {
        let bytes = master.derive("denizen-seal-v1", "");
        let key = UnboundKey::new(&AES_256_GCM, bytes.as_ref()).expect("32 bytes are an AES-256 key");
        Self { id: master.id.clone(), key: LessSafeKey::new(key) }
    }
}

/// Seals under the current master key; opens under it and the older ones.
///
/// Nonces are random, 96 bits: rotate the master key before 2³² values were sealed under it (NIST SP 800-38D, section 8.3).
pub struct Sealer {
    rng: Rng,
    current: PreparedKey,
    older: Vec<PreparedKey>,
}

impl Sealer {
    /// Expands the keys once. `older` are only opened with.
    #[must_use]
    pub fn new(rng: Rng, current: &MasterKey, older: &[MasterKey]) -> Self {
        Self { rng, current: PreparedKey::new(current), older: older.iter().map(PreparedKey::new).collect() }
    }

    /// Seals `plaintext` for `purpose`, such as `"signing_keys.private"`. The same purpose opens it again.
    ///
    /// # Panics
    /// On a plaintext of 64 GiB, the limit of AES-GCM; and as [`Rng::fill`].
    #[must_use]
    #[expect(clippy::expect_used, reason = "AES-GCM seals whatever is shorter than 64 GiB")]
    pub fn seal(&self, purpose: &str, plaintext: impl AsRef<[u8]>) -> String {
        let plaintext = plaintext.as_ref();
        let nonce: [u8; NONCE_LEN] = self.rng.bytes();
        // Room for the tag from the start: growing would leave a copy of the plaintext in freed memory.
        let mut body = Vec::with_capacity(plaintext.len() + AES_256_GCM.tag_len());
        body.extend_from_slice(plaintext);
        self.current
            .key
            .seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()), &mut body)
            .expect("the plaintext is shorter than 64 GiB");

        let mut out =
            String::with_capacity(VERSION.len() + self.current.id.len() + 2 + (NONCE_LEN + body.len()).div_ceil(3) * 4);
        out.push_str(VERSION);
        out.push('.');
        out.push_str(&self.current.id);
        out.push('.');
        // 12 bytes end on a boundary of base64's 3, so two encodings in a row are the encoding of the whole.
        B64.encode_string(nonce, &mut out);
        B64.encode_string(&body, &mut out);
        out
    }

    /// Opens what [`Sealer::seal`] made for the same purpose.
    ///
    /// # Errors
    /// [`SealError`]; whatever it says, the value is unusable.
    pub fn open(&self, purpose: &str, sealed: &str) -> Result<Zeroizing<Vec<u8>>, SealError> {
        let (id, body) = split(sealed)?;
        let key = self.find(id).ok_or(SealError::UnknownKey)?;
        let mut body = Zeroizing::new(B64.decode(body).map_err(|_| SealError::Malformed)?);
        let nonce: [u8; NONCE_LEN] = *body.first_chunk().ok_or(SealError::Malformed)?;
        let len = key
            .open_within(Nonce::assume_unique_for_key(nonce), Aad::from(purpose.as_bytes()), &mut body, NONCE_LEN..)
            .map_err(|_| SealError::Refused)?
            .len();
        body.truncate(len);
        Ok(body)
    }

    /// Whether the value was sealed under the current key. `false` asks for sealing it again.
    #[must_use]
    pub fn is_current(&self, sealed: &str) -> bool {
        split(sealed).is_ok_and(|(id, _)| id == self.current.id)
    }

    /// The id of the key that seals.
    #[must_use]
    pub fn current_id(&self) -> &str {
        &self.current.id
    }

    fn find(&self, id: &str) -> Option<&LessSafeKey> {
        std::iter::once(&self.current).chain(&self.older).find(|key| key.id == id).map(|key| &key.key)
    }
}

impl fmt::Debug for Sealer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let older: Vec<_> = self.older.iter().map(|key| &key.id).collect();
        f.debug_struct("Sealer").field("current", &self.current.id).field("older", &older).finish_non_exhaustive()
    }
}

/// The key id and the base64 of a sealed value.
fn split(sealed: &str) -> Result<(&str, &str), SealError> {
    let mut parts = sealed.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(VERSION), Some(id), Some(body), None) => Ok((id, body)),
        _ => Err(SealError::Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{prop_assert, prop_assert_eq, proptest};

    fn sealer(seed: u64) -> Sealer {
        let rng = Rng::seeded(seed);
        Sealer::new(rng.clone(), &MasterKey::generate(&rng), &[])
    }

    #[test]
    fn a_master_key_survives_being_written() {
        let key = MasterKey::generate(&Rng::system());
        let text = key.to_base64();
        assert_eq!(text.expose().len(), 44);
        let spellings = [
            text.expose().to_owned(),
            format!(" {}\n", text.expose()),
            text.expose().trim_end_matches('=').to_owned(),
            text.expose().replace('+', "-").replace('/', "_"),
        ];
        for spelling in spellings {
            assert_eq!(MasterKey::parse(&spelling).unwrap().id(), key.id());
        }
        assert!(!format!("{key:?}").contains(text.expose()));
    }

    #[test]
    fn a_key_of_another_length_is_no_master_key() {
        for text in ["", "AAAA", "not base64!", &STANDARD.encode([0; 31]), &STANDARD.encode([0; 33])] {
            assert_eq!(MasterKey::parse(text).unwrap_err(), MasterKeyError);
        }
    }

    #[test]
    fn a_key_id_is_stable() {
        let key = MasterKey::parse(&STANDARD.encode([0; 32])).unwrap();
        let hash = digest::digest(&digest::SHA256, &[b"denizen-master-key-id-v1".as_slice(), &[0; 32]].concat());
        let start: [u8; 4] = hash.as_ref()[..4].try_into().unwrap();
        assert_eq!(key.id(), format!("{:08x}", u32::from_be_bytes(start)));
    }

    #[test]
    fn a_value_opens_only_for_its_purpose() {
        let room = sealer(1);
        let sealed = room.seal("totp.secret", "abc");
        assert_eq!(room.open("totp.secret", &sealed).unwrap().as_slice(), b"abc");
        assert_eq!(room.open("totp.other", &sealed).unwrap_err(), SealError::Refused);
        assert!(sealed.starts_with(&format!("v1.{}.", room.current_id())));
    }

    #[test]
    fn the_same_value_never_seals_alike() {
        let room = sealer(1);
        assert_ne!(room.seal("p", "abc"), room.seal("p", "abc"));
    }

    #[test]
    fn an_older_key_opens_and_asks_to_be_replaced() {
        let rng = Rng::seeded(1);
        let (old, new) = (MasterKey::generate(&rng), MasterKey::generate(&rng));
        let sealed = Sealer::new(rng.clone(), &old, &[]).seal("p", "abc");
        let rotated = Sealer::new(rng.clone(), &new, std::slice::from_ref(&old));
        assert_eq!(rotated.open("p", &sealed).unwrap().as_slice(), b"abc");
        assert!(!rotated.is_current(&sealed));
        assert!(rotated.is_current(&rotated.seal("p", "abc")));
        assert_eq!(Sealer::new(rng, &new, &[]).open("p", &sealed).unwrap_err(), SealError::UnknownKey);
    }

    #[test]
    fn a_changed_or_cut_value_is_refused() {
        let room = sealer(1);
        let sealed = room.seal("p", "some plaintext");
        let (head, body) = sealed.rsplit_once('.').unwrap();
        let bytes = B64.decode(body).unwrap();
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert_eq!(room.open("p", &format!("{head}.{}", B64.encode(changed))).unwrap_err(), SealError::Refused);
            let cut = room.open("p", &format!("{head}.{}", B64.encode(&bytes[..at])));
            assert!(matches!(cut.unwrap_err(), SealError::Refused | SealError::Malformed));
        }
        for malformed in
            ["", "v1", "v1.x", &format!("v2{}", &sealed[2..]), &format!("{sealed}.x"), &format!("{sealed}=")]
        {
            assert!(room.open("p", malformed).is_err());
        }
    }

    #[test]
    fn labels_give_unrelated_signing_keys() {
        let key = MasterKey::generate(&Rng::seeded(1));
        let tag = key.mac_key("refresh").sign(b"x");
        assert!(key.mac_key("refresh").verify(b"x", &tag));
        assert!(!key.mac_key("events").verify(b"x", &tag));
    }

    proptest! {
        #[test]
        fn what_is_sealed_opens(purpose: String, plaintext: Vec<u8>) {
            let room = sealer(2);
            let sealed = room.seal(&purpose, &plaintext);
            prop_assert!(sealed.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_')));
            let opened = room.open(&purpose, &sealed).unwrap();
            prop_assert_eq!(opened.as_slice(), plaintext.as_slice());
        }

        #[test]
        fn opening_rubbish_is_an_error(text: String) {
            prop_assert!(sealer(3).open("p", &text).is_err());
        }
    }
}
