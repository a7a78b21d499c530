//! The passwords that attackers try first: a list in the binary, which holds whether or not anything else can be asked.

use std::sync::LazyLock;

/// Lower-cased and sorted, one a line. Where it comes from stands beside it, in `common-passwords.LICENSE`.
const LIST: &str = include_str!("../../data/common-passwords.txt");

static LINES: LazyLock<Vec<&str>> = LazyLock::new(|| LIST.lines().collect());

/// Whether a password is on the list, in whatever case.
pub(super) fn contains(password: &str) -> bool {
    LINES.binary_search(&password.to_lowercase().as_str()).is_ok()
}

/// How many there are.
pub(super) fn count() -> usize {
    LINES.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_worth_asking() {
        assert!(LINES.is_sorted_by(|a, b| a < b), "binary search needs order");
        assert!(count() >= 10_000);
        for line in LINES.iter() {
            assert!(line.chars().count() >= 8 && *line == line.to_lowercase(), "{line}");
        }
    }

    #[test]
    fn case_makes_no_difference() {
        for common in ["password", "PASSWORD", "Password1", "iLoveYou1", "qwertyuiop", "12345678"] {
            assert!(contains(common), "{common}");
        }
        for other in ["correct horse battery staple", "demo-password", "", "passwor"] {
            assert!(!contains(other), "{other}");
        }
    }
}
