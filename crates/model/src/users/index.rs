//! What lists of users go by (PRODUCT §4): the text that is searched, what is searched when nothing is spelled
//! that way, and a mark for everything that a filter can ask for.

use serde_json::{Map, Value};

use super::{User, UserKind, VerificationState};
use crate::{
    GroupId, OrganizationId, RoleId,
    authenticators::{AuthenticatorType, RequiredAction},
    text::{fold, words},
};

/// The shortest word that may be meant where it is not what was typed.
const SHORTEST_MISTYPED: usize = 4;
/// The longest word that is kept for finding mistyped ones.
const LONGEST_WORD: usize = 24;

impl User {
    /// The text that search looks through: every column and the searchable attributes, folded, with two blanks
    /// before each word, so that [`word_beginning`] is at least three characters that an index of trigrams can
    /// find.
    #[must_use]
    pub fn search_text(&self, searchable: &[String]) -> String {
        let mut parts: Vec<String> = vec![self.name.clone()];
        if !self.email.as_deref().is_some_and(|email| email.eq_ignore_ascii_case(&self.username)) {
            parts.push(self.username.clone());
        }
        parts.extend([&self.email, &self.phone, &self.reference].into_iter().flatten().cloned());
        for key in searchable {
            parts.extend(self.attributes.get(key).into_iter().flat_map(scalars));
        }
        let folded = fold(&parts.join(" \u{1f} "));
        folded.split(' ').flat_map(|word| ["  ", word]).collect()
    }

    /// The words of the name and of the addresses, and what people make of them: of John Smith `johnsmith`,
    /// `smithjohn` and `jsmith`. Each has a blank before and after it.
    #[must_use]
    pub fn near_text(&self) -> String {
        let mut all: Vec<String> = Vec::new();
        for source in self.named_by() {
            let words: Vec<String> = words(&source).collect();
            if let [first, .., last] = words.as_slice() {
                let initial: String = first.chars().take(1).collect();
                all.extend([format!("{first}{last}"), format!("{last}{first}"), format!("{initial}{last}")]);
            }
            all.extend(words);
        }
        all.sort_unstable();
        all.dedup();
        all.iter().flat_map(|word| ["  ", word]).chain([" "]).collect()
    }

    /// The words by which this user may be found although they were mistyped: letters only, four or more.
    #[must_use]
    pub fn fuzzy_words(&self) -> Vec<String> {
        let mut all: Vec<String> =
            self.named_by().iter().flat_map(|source| words(source).collect::<Vec<_>>()).collect();
        all.retain(|word| {
            (SHORTEST_MISTYPED..=LONGEST_WORD).contains(&word.chars().count()) && word.chars().all(char::is_alphabetic)
        });
        all.sort_unstable();
        all.dedup();
        all
    }

    /// What people are called by, folded: the name, and the part of address and username before the `@`.
    fn named_by(&self) -> Vec<String> {
        let local = |text: &str| fold(text.split('@').next().unwrap_or(""));
        let mut sources = vec![fold(&self.name), local(self.email.as_deref().unwrap_or("")), local(&self.username)];
        sources.dedup();
        sources.retain(|source| !source.is_empty());
        sources
    }

    /// The marks of what the record itself says.
    #[must_use]
    pub fn own_facets(&self, searchable: &[String]) -> Vec<Facet> {
        let verified = |state: VerificationState| state == VerificationState::Verified;
        let mut facets = vec![
            Facet::Kind(self.kind),
            Facet::Enabled(self.enabled),
            Facet::EmailVerified(self.email.is_some() && verified(self.email_state)),
            Facet::PhoneVerified(self.phone.is_some() && verified(self.phone_state)),
        ];
        if self.admin_role.is_some() {
            facets.push(Facet::Admin);
        }
        if self.requires_password_reset {
            facets.push(Facet::RequiredAction(RequiredAction::UpdatePassword));
        }
        facets.extend(self.of_addresses().map(|(kind, _)| Facet::authenticator(kind)));
        facets.extend(attribute_facets(&self.attributes, searchable));
        facets
    }
}

fn attribute_facets(attributes: &Map<String, Value>, searchable: &[String]) -> Vec<Facet> {
    let found = searchable.iter().filter_map(|key| attributes.get(key).map(|value| (key, value)));
    found.flat_map(|(key, value)| scalars(value).into_iter().map(|text| Facet::attribute(key, &text))).collect()
}

/// An attribute's value, or each of its values, as text.
fn scalars(value: &Value) -> Vec<String> {
    match value {
        Value::Array(items) => items.iter().flat_map(scalars).collect(),
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Object(_) => Vec::new(),
        other => vec![other.to_string()],
    }
}

/// A term of one or two characters as it stands in a search text where a word begins with it.
#[must_use]
pub fn word_beginning(term: &str) -> String {
    let blanks = 3_usize.saturating_sub(term.chars().count()).max(1);
    format!("{}{term}", " ".repeat(blanks))
}

/// Something a filter can ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Facet {
    /// In the realm of this number.
    Realm(i64),
    /// Person or machine.
    Kind(UserKind),
    /// Can sign in or not.
    Enabled(bool),
    /// Has an admin role.
    Admin,
    /// An authenticator is locked.
    Locked,
    /// Has an address that is confirmed; `false` is everybody else.
    EmailVerified(bool),
    /// Has a number that is confirmed; `false` is everybody else.
    PhoneVerified(bool),
    /// Has a password; `false` is everybody else.
    HasPassword(bool),
    /// Has such an authenticator, or the address that it comes with; made by [`Facet::authenticator`].
    Authenticator(AuthenticatorType),
    /// Must do this at the next sign-in.
    RequiredAction(RequiredAction),
    /// Has this role.
    Role(RoleId),
    /// Is in this group.
    Group(GroupId),
    /// Is a member of this organization.
    Organization(OrganizationId),
    /// Has an attribute of a value; made by [`Facet::attribute`].
    Attribute(u64),
}

impl Facet {
    /// Has this attribute with this value, or with this among its values; without regard to case.
    #[must_use]
    pub fn attribute(key: &str, value: &str) -> Self {
        // FNV-1a. That somebody might make two values meet is no harm: these marks are a range of their own.
        let bytes = key.bytes().chain([0]).chain(fold(value).into_bytes());
        let hash =
            bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        Self::Attribute(hash ^ (hash >> 48))
    }

    /// Has such an authenticator. A link comes with the same address as a code that is mailed: one mark does for both.
    #[must_use]
    pub const fn authenticator(kind: AuthenticatorType) -> Self {
        match kind {
            AuthenticatorType::MagicLink => Self::Authenticator(AuthenticatorType::EmailCode),
            kind => Self::Authenticator(kind),
        }
    }

    /// The mark: three characters that nobody types, so that an index of trigrams finds it by one look.
    #[must_use]
    pub fn mark(self) -> String {
        let fixed = |kind: u32, value: u32| private(0xe000, [kind, value, 0]);
        let named = |all: &[&str], name: &str| {
            all.iter().position(|one| *one == name).and_then(|at| u32::try_from(at).ok()).unwrap_or(0)
        };
        let random = |id: uuid::Uuid| {
            // The end of a UUIDv7 is random.
            let [.., a, b, c, d, e, f] = id.into_bytes();
            let pair = |high: u8, low: u8| (u32::from(high) << 8) | u32::from(low);
            private(0xf_0000, [pair(a, b), pair(c, d), pair(e, f)])
        };
        match self {
            Self::Realm(number) => {
                let number = u32::try_from(number).unwrap_or(0);
                private(0xe000, [64 + number / 4_000_000, 128 + number / 2000 % 2000, 128 + number % 2000])
            }
            Self::Kind(kind) => fixed(1, u32::from(kind == UserKind::Machine)),
            Self::Enabled(on) => fixed(2, u32::from(on)),
            Self::Admin => fixed(3, 1),
            Self::Locked => fixed(4, 1),
            Self::EmailVerified(on) => fixed(5, u32::from(on)),
            Self::PhoneVerified(on) => fixed(6, u32::from(on)),
            Self::HasPassword(on) => fixed(7, u32::from(on)),
            Self::Authenticator(kind) => fixed(
                8,
                named(&AuthenticatorType::ALL.iter().map(|kind| kind.as_str()).collect::<Vec<_>>(), kind.as_str()),
            ),
            Self::RequiredAction(action) => fixed(
                9,
                named(&RequiredAction::ALL.iter().map(|one| one.as_str()).collect::<Vec<_>>(), action.as_str()),
            ),
            Self::Role(id) => random(id.uuid()),
            Self::Group(id) => random(id.uuid()),
            Self::Organization(id) => random(id.uuid()),
            Self::Attribute(hash) => {
                let part = |shift: u32| u32::try_from((hash >> shift) & 0xffff).unwrap_or(0);
                private(0x10_0000, [part(32), part(16), part(0)])
            }
        }
    }
}

/// Three characters of a range for private use; none is a noncharacter.
fn private(base: u32, parts: [u32; 3]) -> String {
    parts.iter().filter_map(|part| char::from_u32(base + (*part).min(0xfffd))).collect()
}

/// All marks, as they are stored: each once, a blank between.
#[must_use]
pub fn marks(facets: &[Facet]) -> String {
    let mut marks: Vec<String> = facets.iter().map(|facet| facet.mark()).collect();
    marks.sort_unstable();
    marks.dedup();
    marks.join(" ")
}

/// A word with itself less one letter, for each letter. Two words that are one typo apart have one of these in
/// common (Garbe's symmetric delete).
#[must_use]
pub fn typo_variants(word: &str) -> Vec<String> {
    let letters: Vec<char> = word.chars().collect();
    let less = |at: usize| letters.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, c)| c).collect::<String>();
    let mut variants: Vec<String> = (0..letters.len()).map(less).collect();
    variants.push(word.to_owned());
    variants.sort_unstable();
    variants.dedup();
    variants
}

/// Whether a word may have been meant where `typed` was typed: one letter too many, one missing, one wrong, or two
/// neighbours the wrong way round, in a word of five letters or more.
#[must_use]
pub fn is_one_typo_away(typed: &str, word: &str) -> bool {
    let (a, b): (Vec<char>, Vec<char>) = (typed.chars().collect(), word.chars().collect());
    if a.len().max(b.len()) < 5 || a.len().abs_diff(b.len()) > 1 || a == b {
        return false;
    }
    let same = a.iter().zip(&b).take_while(|(x, y)| x == y).count();
    let (a, b) = (a.get(same..).unwrap_or_default(), b.get(same..).unwrap_or_default());
    let rest = |letters: &[char], from: usize| letters.get(from..).unwrap_or_default().to_vec();
    match a.len().cmp(&b.len()) {
        std::cmp::Ordering::Less => a == rest(b, 1),
        std::cmp::Ordering::Greater => rest(a, 1) == b,
        std::cmp::Ordering::Equal => {
            let swapped = matches!((a, b), ([x, y, ..], [p, q, ..]) if x == q && y == p) && rest(a, 2) == rest(b, 2);
            swapped || rest(a, 1) == rest(b, 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_shortest_term_is_three_characters_where_a_word_begins() {
        assert_eq!(word_beginning("王"), "  王");
        assert_eq!(word_beginning("jo"), " jo");
    }

    #[test]
    fn one_typo_is_one_letter_more_less_other_or_swapped() {
        for (typed, word) in [
            ("smiht", "smith"),
            ("smth", "smith"),
            ("smithh", "smith"),
            ("snith", "smith"),
            ("msith", "smith"),
            ("smit", "smith"),
            ("иваноф", "иванов"),
        ] {
            assert!(is_one_typo_away(typed, word), "{typed} {word}");
        }
        for (typed, word) in
            [("smith", "smith"), ("john", "jahn"), ("smxxh", "smith"), ("thsmi", "smith"), ("smihtt", "smithe")]
        {
            assert!(!is_one_typo_away(typed, word), "{typed} {word}");
        }
    }

    #[test]
    fn every_mark_is_three_characters_and_its_own() {
        let id = |n: u128| uuid::Uuid::from_u128(n);
        let mut facets = vec![
            Facet::Admin,
            Facet::Locked,
            Facet::Role(id(1).into()),
            Facet::Group(id(2).into()),
            Facet::Organization(id(3).into()),
            Facet::attribute("team", "blue"),
            Facet::attribute("team", "red"),
            Facet::attribute("teamb", "lue"),
        ];
        facets.extend(UserKind::ALL.iter().map(|kind| Facet::Kind(*kind)));
        facets.extend(AuthenticatorType::ALL.iter().map(|kind| Facet::Authenticator(*kind)));
        facets.extend(RequiredAction::ALL.iter().map(|action| Facet::RequiredAction(*action)));
        facets.extend([1, 2, 1999, 2000, 2001, 4_000_001].map(Facet::Realm));
        for on in [true, false] {
            facets.extend([
                Facet::Enabled(on),
                Facet::EmailVerified(on),
                Facet::PhoneVerified(on),
                Facet::HasPassword(on),
            ]);
        }
        let mut marks: Vec<String> = facets.iter().map(|facet| facet.mark()).collect();
        assert!(marks.iter().all(|mark| mark.chars().count() == 3));
        marks.sort_unstable();
        marks.dedup();
        assert_eq!(marks.len(), facets.len());
    }

    proptest! {
        #[test]
        fn words_one_typo_apart_have_a_variant_in_common(word in "[a-z]{5,9}", at in 0_usize..5, letter in "[a-z]", how in 0_u8..4) {
            let mut letters: Vec<char> = word.chars().collect();
            let letter = letter.chars().next().unwrap();
            match how {
                0 => { letters.remove(at); }
                1 => letters.insert(at, letter),
                2 => letters[at] = letter,
                _ if at + 1 < letters.len() => letters.swap(at, at + 1),
                _ => {}
            }
            let typed: String = letters.into_iter().collect();
            prop_assert!(typed == word || is_one_typo_away(&typed, &word));
            let variants = typo_variants(&word);
            prop_assert!(typo_variants(&typed).iter().any(|variant| variants.contains(variant)));
        }
    }
}
