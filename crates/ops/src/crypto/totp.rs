//! Codes of authenticator apps (RFC 6238): SHA-1, six digits, steps of 30 seconds, one step early or late; what every
//! app understands.

use denizen_model::Timestamp;
use qrcode::{EcLevel, QrCode, render::svg};
use totp_rs::{Builder, Secret as Key, Totp};
use zeroize::Zeroizing;

use super::{Rng, Secret};

/// Bytes of a secret, as RFC 4226, section 4, recommends.
const SECRET_BYTES: usize = 20;

/// The secret that an app and Denizen share.
#[derive(Clone)]
pub struct TotpSecret(Zeroizing<[u8; SECRET_BYTES]>);

impl TotpSecret {
    /// Makes one.
    #[must_use]
    pub fn generate(rng: &Rng) -> Self {
        Self(Zeroizing::new(rng.bytes()))
    }

    /// From its bytes; `None` when they are none.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        Some(Self(Zeroizing::new(bytes.try_into().ok()?)))
    }

    /// Its bytes, to be sealed.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_ref()
    }

    fn codes(&self) -> Builder {
        Builder::new().with_secret(Key::from(self.0.to_vec()))
    }

    /// The text that is typed into an app that cannot read the picture: base32 in groups of four.
    #[must_use]
    pub fn to_text(&self) -> Secret {
        let text = Key::from(self.0.to_vec()).to_base32();
        let mut out = String::with_capacity(40);
        for (place, letter) in text.chars().enumerate() {
            if place > 0 && place % 4 == 0 {
                out.push(' ');
            }
            out.push(letter);
        }
        Secret::new(out)
    }

    /// The time step that a code is of, if it is right at this time. Whether that step was used before, the caller
    /// must look (RFC 6238, section 5.2).
    #[must_use]
    pub fn check(&self, code: &str, now: Timestamp) -> Option<i64> {
        let digits: String = code.chars().filter(|c| !c.is_whitespace()).collect();
        if digits.len() != 6 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let totp: Totp = self.codes().build_noncompliant();
        let step = totp.check(&digits, u64::try_from(now.as_secs()).ok()?)?;
        i64::try_from(step).ok()
    }

    /// What the picture says: an `otpauth` address with the names that the app shows.
    fn address(&self, issuer: &str, account: &str) -> Option<String> {
        // A colon parts the two names in it.
        let plain = |text: &str| text.replace(':', " ");
        self.codes()
            .with_account_name(plain(account))
            .with_issuer(Some(plain(issuer)))
            .build_noncompliant()
            .to_url()
            .ok()
    }

    /// The picture to be scanned, as SVG without a size of its own. `None` when the names are too long for one.
    #[must_use]
    pub fn picture(&self, issuer: &str, account: &str) -> Option<Secret> {
        let code = QrCode::with_error_correction_level(self.address(issuer, account)?, EcLevel::M).ok()?;
        let drawn = code.render::<svg::Color<'_>>().min_dimensions(200, 200).quiet_zone(true).build();
        // The declaration has no place inside a page.
        Some(Secret::new(drawn.split_once("?>").map_or(drawn.as_str(), |(_, svg)| svg).to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B: the secret is the digits 1 to 0 twice; six digits are the last of the eight there.
    #[test]
    fn the_codes_are_those_of_the_rfc() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
        for (at, code) in
            [(59, "287082"), (1_111_111_109, "081804"), (1_234_567_890, "005924"), (20_000_000_000, "353130")]
        {
            assert_eq!(secret.check(code, Timestamp::from_secs(at)), Some(at / 30), "{at}");
        }
    }

    #[test]
    fn a_code_holds_one_step_early_and_late_and_no_longer() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
        let at = |seconds| secret.check("287082", Timestamp::from_secs(seconds));
        assert_eq!([at(0), at(30), at(59), at(60), at(89)], [Some(1); 5]);
        assert_eq!(at(90), None);
        for wrong in ["", "28708", "2870822", "28708a", "２８７０８２"] {
            assert_eq!(secret.check(wrong, Timestamp::from_secs(59)), None, "{wrong}");
        }
        assert_eq!(secret.check(" 287 082 ", Timestamp::from_secs(59)), Some(1), "as apps show it");
    }

    #[test]
    fn the_picture_names_realm_and_account() {
        let secret = TotpSecret::from_bytes(b"12345678901234567890").unwrap();
        let address = secret.address("Acme: Inc", "amara@acme.example").unwrap();
        assert!(address.starts_with("otpauth://totp/Acme"), "{address}");
        assert!(address.contains("secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"), "{address}");
        let picture = secret.picture("Acme: Inc", "amara@acme.example").unwrap();
        assert!(picture.expose().trim_start().starts_with("<svg"));
        assert_eq!(secret.to_text().expose(), "GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ");
    }
}
