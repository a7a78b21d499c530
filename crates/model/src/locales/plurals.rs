//! Which form of a word a number takes: the cardinal rules of Unicode CLDR 48 for whole numbers
//! (<https://www.unicode.org/cldr/charts/48/supplemental/language_plural_rules.html>).

use super::Language;
use crate::users::text_enum;

text_enum! {
    /// A form that nouns take beside a number.
    Plural {
        /// For nothing.
        Zero = "zero",
        /// For one.
        One = "one",
        /// For two.
        Two = "two",
        /// For a few.
        Few = "few",
        /// For many.
        Many = "many",
        /// For all others.
        Other = "other",
    }
}

impl Plural {
    /// The form beside a number.
    #[must_use]
    pub const fn of(language: Language, count: u64) -> Self {
        match language {
            Language::English | Language::German => match count {
                1 => Self::One,
                _ => Self::Other,
            },
            Language::Spanish => match count {
                1 => Self::One,
                _ if is_millions(count) => Self::Many,
                _ => Self::Other,
            },
            Language::French => match count {
                0 | 1 => Self::One,
                _ if is_millions(count) => Self::Many,
                _ => Self::Other,
            },
            Language::Japanese => Self::Other,
            Language::Arabic => match (count, count % 100) {
                (0, _) => Self::Zero,
                (1, _) => Self::One,
                (2, _) => Self::Two,
                (_, 3..=10) => Self::Few,
                (_, 11..=99) => Self::Many,
                _ => Self::Other,
            },
        }
    }

    /// Every form that a language has.
    #[must_use]
    pub const fn all_of(language: Language) -> &'static [Self] {
        match language {
            Language::English | Language::German => &[Self::One, Self::Other],
            Language::Spanish | Language::French => &[Self::One, Self::Many, Self::Other],
            Language::Japanese => &[Self::Other],
            Language::Arabic => Self::ALL,
        }
    }
}

/// `un millón de días`, `deux millions de jours`.
const fn is_millions(count: u64) -> bool {
    count != 0 && count.is_multiple_of(1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The samples that CLDR gives with its rules.
    #[test]
    fn numbers_take_the_forms_that_cldr_gives_as_samples() {
        use Language::{Arabic, English, French, German, Japanese, Spanish};
        use Plural::{Few, Many, One, Other, Two, Zero};
        let samples: [(Language, Plural, &[u64]); 18] = [
            (English, One, &[1]),
            (English, Other, &[0, 2, 16, 100, 1_000, 1_000_000]),
            (German, One, &[1]),
            (German, Other, &[0, 2, 16, 101, 1_000_000]),
            (Spanish, One, &[1]),
            (Spanish, Many, &[1_000_000, 2_000_000]),
            (Spanish, Other, &[0, 2, 16, 100, 1_001, 1_000_001]),
            (French, One, &[0, 1]),
            (French, Many, &[1_000_000, 6_000_000]),
            (French, Other, &[2, 17, 100, 1_000, 1_000_001]),
            (Japanese, Other, &[0, 1, 2, 15, 100, 1_000_000]),
            (Arabic, Zero, &[0]),
            (Arabic, One, &[1]),
            (Arabic, Two, &[2]),
            (Arabic, Few, &[3, 10, 103, 110, 1_003]),
            (Arabic, Many, &[11, 26, 99, 111, 1_011]),
            (Arabic, Other, &[100, 102, 200, 202, 300, 1_000, 10_000, 1_000_000]),
            (Arabic, Other, &[101, 201, 501]),
        ];
        for (language, form, numbers) in samples {
            assert!(Plural::all_of(language).contains(&form), "{language} {form}");
            for number in numbers {
                assert_eq!(Plural::of(language, *number), form, "{language} {number}");
            }
        }
    }
}
