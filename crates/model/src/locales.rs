//! Languages that pages and mails are written in, and which of them somebody reads.

mod plurals;
mod times;

use serde::{Deserialize, Serialize};

pub use plurals::Plural;
pub use times::{moment, told};

use crate::users::text_enum;

text_enum! {
    /// A language of the sign-in and account pages and of mails, by its tag (BCP 47).
    Language {
        /// English.
        English = "en",
        /// German.
        German = "de",
        /// Spanish.
        Spanish = "es",
        /// French.
        French = "fr",
        /// Japanese.
        Japanese = "ja",
        /// Arabic.
        Arabic = "ar",
    }
}

/// The time zones to choose from: places, by their names in the IANA database.
#[must_use]
pub fn zones() -> Vec<String> {
    const PARTS: [&str; 9] =
        ["Africa", "America", "Antarctica", "Asia", "Atlantic", "Australia", "Europe", "Indian", "Pacific"];
    let of_a_place = |name: &str| name.split_once('/').is_some_and(|(part, _)| PARTS.contains(&part));
    let names = jiff::tz::db().available().map(|name| name.to_string());
    names.filter(|name| of_a_place(name)).collect()
}

/// Which way a language is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From left to right.
    Ltr,
    /// From right to left.
    Rtl,
}

impl Direction {
    /// As HTML's `dir` spells it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ltr => "ltr",
            Self::Rtl => "rtl",
        }
    }
}

impl Language {
    /// What those who speak it call it.
    #[must_use]
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "Deutsch",
            Self::Spanish => "Español",
            Self::French => "Français",
            Self::Japanese => "日本語",
            Self::Arabic => "العربية",
        }
    }

    /// What it is called in English, for the console.
    #[must_use]
    pub const fn english_name(self) -> &'static str {
        match self {
            Self::English => "English",
            Self::German => "German",
            Self::Spanish => "Spanish",
            Self::French => "French",
            Self::Japanese => "Japanese",
            Self::Arabic => "Arabic",
        }
    }

    /// Which way it is written.
    #[must_use]
    pub const fn direction(self) -> Direction {
        match self {
            Self::Arabic => Direction::Rtl,
            _ => Direction::Ltr,
        }
    }

    /// The one of these languages that a tag asks for: lookup as in RFC 4647, section 3.4, where the tag loses its
    /// subtags from the end until one is offered. `de-AT` is German; `*` asks for none.
    #[must_use]
    pub fn lookup(tag: &str, offered: &[Self]) -> Option<Self> {
        let mut rest = tag;
        loop {
            if let Some(found) = offered.iter().find(|language| language.as_str().eq_ignore_ascii_case(rest)) {
                return Some(*found);
            }
            rest = rest.rsplit_once('-')?.0;
        }
    }

    /// The first of these languages that a list of tags asks for, the most wanted first (`ui_locales`, OpenID Connect
    /// Core, section 3.1.2.1: apart by blanks).
    #[must_use]
    pub fn lookup_in_order(tags: &str, offered: &[Self]) -> Option<Self> {
        tags.split(' ').take(MAX_TAGS).find_map(|tag| Self::lookup(tag, offered))
    }

    /// The language that an `Accept-Language` header asks for (RFC 9110, section 12.5.4): the highest `q` first, of
    /// equal ones the first. What has `q=0` is not acceptable, though a wider range would allow it.
    #[must_use]
    pub fn accepted(header: &str, offered: &[Self]) -> Option<Self> {
        let mut ranges: Vec<(u16, &str)> = header.split(',').take(MAX_TAGS).filter_map(range).collect();
        let refused: Vec<&str> = ranges.iter().filter(|(quality, _)| *quality == 0).map(|(_, tag)| *tag).collect();
        let is_refused = |language: Self| refused.iter().any(|tag| tag.eq_ignore_ascii_case(language.as_str()));
        let offered: Vec<Self> = offered.iter().copied().filter(|language| !is_refused(*language)).collect();
        // Sorting keeps the order of equal ones.
        ranges.sort_by_key(|(quality, _)| std::cmp::Reverse(*quality));
        let wanted = ranges.into_iter().filter(|(quality, _)| *quality > 0);
        wanted.map(|(_, tag)| tag).find_map(|tag| Self::lookup(tag, &offered))
    }
}

/// How many tags of a list are looked at; browsers send a handful.
const MAX_TAGS: usize = 32;

/// One range of `Accept-Language` with its quality in thousandths; `None` when it cannot be read.
fn range(text: &str) -> Option<(u16, &str)> {
    let mut parts = text.split(';').map(str::trim);
    let tag = parts.next().filter(|tag| !tag.is_empty())?;
    let quality = match parts.next() {
        None => 1000,
        Some(parameter) => {
            let (name, value) = parameter.split_once('=')?;
            if !name.trim().eq_ignore_ascii_case("q") {
                return None;
            }
            thousandths(value.trim())?
        }
    };
    Some((quality, tag))
}

/// A `qvalue` (RFC 9110, section 12.4.2): 0 to 1 with up to three decimals.
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 || !decimals.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let fraction: u16 = format!("{decimals:0<3}").parse().ok()?;
    match whole {
        "0" => Some(fraction),
        "1" if fraction == 0 => Some(1000),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_looked_up_from_the_end() {
        use Language::{Arabic, English, German};
        let offered = [English, German];
        for (tag, found) in [
            ("de", Some(German)),
            ("DE-at", Some(German)),
            ("de-Latn-DE-1996", Some(German)),
            ("en-GB", Some(English)),
            ("ar", None),
            ("den", None),
            ("*", None),
            ("", None),
            ("-de", None),
        ] {
            assert_eq!(Language::lookup(tag, &offered), found, "{tag}");
        }
        assert_eq!(Language::lookup("ar-EG", Language::ALL), Some(Arabic));
        assert_eq!(Language::lookup_in_order("pt-BR de-CH en", &offered), Some(German));
        assert_eq!(Language::lookup_in_order("pt  it", &offered), None);
    }

    #[test]
    fn what_a_browser_wants_most_is_taken_first() {
        use Language::{English, French, German, Japanese};
        for (header, found) in [
            ("de-AT,de;q=0.9,en;q=0.8", Some(German)),
            ("en;q=0.5, fr;q=0.7 ,de;q=0.2", Some(French)),
            ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", Some(French)),
            ("pt-BR, ja;q=0.1", Some(Japanese)),
            ("en;q=0.8,de;q=0.8", Some(English)),
            ("de;q=0, en;q=0.1", Some(English)),
            ("de-AT, de;q=0", None),
            ("*", None),
            ("en;q=1.5, de;q=2, fr;q=x", None),
            ("en;level=1", None),
            ("ja;q=1.000", Some(Japanese)),
            (";;;,,,=", None),
            ("", None),
        ] {
            assert_eq!(Language::accepted(header, Language::ALL), found, "{header:?}");
        }
        assert_eq!(Language::accepted("ja, de;q=0.2", &[English, German]), Some(German));
        assert_eq!(Language::accepted(&format!("{}de", "x,".repeat(100_000)), Language::ALL), None);
    }

    #[test]
    fn every_language_has_a_name_and_a_direction() {
        for language in Language::ALL {
            assert!(!language.own_name().is_empty() && !language.english_name().is_empty());
            assert_eq!(language.direction() == Direction::Rtl, *language == Language::Arabic);
        }
    }
}
