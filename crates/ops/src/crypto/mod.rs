//! The crypto room: everything that touches a key, a token or a password.
//!
//! * [`secret`]: randomness, secrets that don't print, random tokens and their stored hashes;
//! * [`seal`]: encryption at rest under a master key that can be rotated;
//! * [`mac`]: prepared HMAC keys and the refresh token codec;
//! * [`totp`]: codes of authenticator apps;
//! * [`jose`]: JWT signing with prepared keys, verification with pinned algorithms, JWKs;
//! * [`webauthn`]: passkeys, as WebAuthn has them;
//! * [`password`]: argon2id on a bounded pool of its own threads, and other systems' hashes.
//!
//! Nothing here reads a clock; randomness comes from the [`Rng`] that the caller hands in. Two things
//! draw from AWS-LC's own generator because it accepts no other: key pairs and ECDSA nonces.

pub mod jose;
pub mod mac;
pub mod password;
pub mod seal;
pub mod secret;
pub mod totp;
pub mod webauthn;

pub use jose::{Algorithm, SigningKey, Verifier, VerifyingKey};
pub use mac::{MacKey, RefreshToken};
pub use password::Hasher;
pub use seal::{MasterKey, Sealer};
pub use secret::{Prefix, Rng, Secret, Token, constant_time_eq, hash_token};

use base64::engine::general_purpose::{GeneralPurpose, URL_SAFE_NO_PAD};

/// Base64url without padding (RFC 4648, section 5), the one alphabet of every token.
///
/// Its decoder refuses padding and stray trailing bits, so each value has exactly one spelling.
pub(crate) const B64: GeneralPurpose = URL_SAFE_NO_PAD;
