//! The answers of a range source, in the format of Have I Been Pwned: for the first five digits of a SHA-1 hash, the
//! remaining 35 of every known one, each with how often it was seen.

use aws_lc_rs::digest;

/// Digits of a hash that the source learns.
pub(super) const PREFIX: usize = 5;
/// Digits of a hash.
pub(super) const DIGITS: usize = 40;

/// The SHA-1 hash of a password, in upper-case hexadecimal digits. It says nothing to whoever prints it.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Sha1(String);

impl Sha1 {
    pub(super) fn of(password: &str) -> Self {
        let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, password.as_bytes());
        Self(hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect())
    }

    pub(super) fn as_str(&self) -> &str {
        &self.0
    }

    /// The first digits and the others.
    pub(super) fn parts(&self) -> (&str, &str) {
        self.0.split_at_checked(PREFIX).unwrap_or_default()
    }
}

/// The hashes of one range. Those that pad an answer (count 0) are left out.
pub(super) struct Range(Vec<[u8; DIGITS - PREFIX]>);

impl Range {
    /// Reads an answer; `None` when it is none, such as a proxy's page that says to sign in.
    pub(super) fn parse(answer: &[u8]) -> Option<Self> {
        let mut hashes = Vec::new();
        for line in answer.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
            let (hash, count) = entry::<{ DIGITS - PREFIX }>(line)?;
            if count > 0 {
                hashes.push(hash);
            }
        }
        hashes.sort_unstable();
        Some(Self(hashes))
    }

    /// Whether the rest of a hash is among them.
    pub(super) fn contains(&self, rest: &str) -> bool {
        self.0.binary_search_by(|hash| hash.as_slice().cmp(rest.as_bytes())).is_ok()
    }
}

/// A line: so many hexadecimal digits, in upper case from here on, `:`, and a count.
pub(super) fn entry<const N: usize>(line: &[u8]) -> Option<([u8; N], u64)> {
    let (digits, rest) = line.split_at_checked(N)?;
    let mut hash: [u8; N] = digits.try_into().ok()?;
    hash.make_ascii_uppercase();
    let count = std::str::from_utf8(rest.strip_prefix(b":")?).ok()?.trim().parse().ok()?;
    hash.iter().all(u8::is_ascii_hexdigit).then_some((hash, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_found_by_its_rest() {
        let hash = Sha1::of("password");
        assert_eq!(hash.parts(), ("5BAA6", "1E4C9B93F3F0682250B6CF8331B7EE68FD8"));
        let answer = "1D2DA4053E34E76F6576ED1DA63134B5E2A:2\r\n1e4c9b93f3f0682250b6cf8331b7ee68fd8:3861493\r\n\
                      1E4C9B93F3F0682250B6CF8331B7EE68FD9:0";
        let range = Range::parse(answer.as_bytes()).unwrap();
        assert!(range.contains(hash.parts().1));
        assert!(!range.contains("1E4C9B93F3F0682250B6CF8331B7EE68FD9"), "padding is no hit");
        assert!(!range.contains("FFFFFB93F3F0682250B6CF8331B7EE68FD8"));
        assert!(!Range::parse(b"").unwrap().contains(hash.parts().1));
    }

    #[test]
    fn what_is_no_range_is_not_taken_for_one() {
        for other in [
            "<html>Sign in to the hotel's network</html>",
            "1E4C9B93F3F0682250B6CF8331B7EE68FD8",
            "1E4C9B93F3F0682250B6CF8331B7EE68FD8:many",
            "5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:1",
            "GE4C9B93F3F0682250B6CF8331B7EE68FD8:1",
        ] {
            assert!(Range::parse(other.as_bytes()).is_none(), "{other}");
        }
    }
}
