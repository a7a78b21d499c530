//! The key of the audit chains.
//!
//! Each event's hash is an HMAC over the event and the hash before it, under a key that the database holds only
//! sealed. Who can write to the database but does not have the master key cannot make a chain that verifies.

use std::sync::OnceLock;

use aws_lc_rs::{digest, hmac};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::error::{Error, Result};

/// The key, known once the secrets have been opened.
#[derive(Default)]
pub struct AuditKey(OnceLock<hmac::Key>);

impl AuditKey {
    /// Sets the key; a second call is ignored.
    pub fn set(&self, key: &[u8; 32]) {
        let _ = self.0.set(hmac::Key::new(hmac::HMAC_SHA256, key));
    }

    /// The chain's hash after an event: HMAC over the hash before it and the event's fields, each preceded by
    /// its length so that no two different events read alike.
    pub(crate) fn link(&self, before: &str, fields: &[&str]) -> Result<String> {
        let key = self.0.get().ok_or_else(|| Error::Internal("the audit key is not set".to_owned()))?;
        let mut context = hmac::Context::with_key(key);
        for field in std::iter::once(&before).chain(fields) {
            context.update(&u64::try_from(field.len()).unwrap_or(u64::MAX).to_be_bytes());
            context.update(field.as_bytes());
        }
        Ok(URL_SAFE_NO_PAD.encode(context.sign()))
    }
}

/// The digest that stands in the chain for an event's personal data, so that the data can be erased later
/// while the chain still verifies: SHA-256 over a random salt and the data.
pub(crate) fn commitment(salt: &str, data: &str) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(salt.as_bytes());
    context.update(data.as_bytes());
    URL_SAFE_NO_PAD.encode(context.finish())
}
