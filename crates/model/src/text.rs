//! Folding: how names, addresses and search terms are compared and sorted, on every database alike.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Folds text for comparison: compatibility decomposition, marks removed, lower case, `ß` as `ss`, inner
/// white space as one blank. `José` and `JOSE` fold alike.
#[must_use]
pub fn fold(text: &str) -> String {
    if text.is_ascii() {
        return squeeze(text.chars().map(|c| c.to_ascii_lowercase()), text.len());
    }
    let lowered = text.nfkd().filter(|c| !is_combining_mark(*c)).flat_map(char::to_lowercase);
    let folded = lowered.flat_map(|c| {
        // Letters that have no decomposition but that people type without their stroke or ligature.
        let plain = match c {
            'ß' => "ss",
            'ø' => "o",
            'ł' => "l",
            'đ' | 'ð' => "d",
            'æ' => "ae",
            'œ' => "oe",
            'þ' => "th",
            'ı' => "i",
            _ => "",
        };
        plain.chars().chain(plain.is_empty().then_some(c))
    });
    squeeze(folded.filter(|c| !is_combining_mark(*c)), text.len())
}

fn squeeze(chars: impl Iterator<Item = char>, capacity: usize) -> String {
    let mut out = String::with_capacity(capacity);
    for c in chars {
        if !c.is_whitespace() {
            out.push(c);
        } else if !out.is_empty() && !out.ends_with(' ') {
            out.push(' ');
        }
    }
    if out.ends_with(' ') {
        out.pop();
    }
    out
}

/// The words of a folded text: what stands between characters that are neither letters nor digits.
pub fn words(folded: &str) -> impl Iterator<Item = String> {
    folded.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_owned)
}

/// Whether the text holds a control character (NUL, line breaks, escapes), which no single-line field may.
#[must_use]
pub fn has_control(text: &str) -> bool {
    text.chars().any(char::is_control)
}

/// Whether the text holds a character that can make a name read as something it is not: bidirectional
/// overrides and isolates, zero-width spaces, the byte-order mark (Unicode TR 36, section 2.4).
#[must_use]
pub fn has_deceptive(text: &str) -> bool {
    text.chars().any(|c| matches!(c, '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn accents_case_and_strokes_fold_away() {
        assert_eq!(fold("  José  ÁLVAREZ "), "jose alvarez");
        assert_eq!(fold("Łukasz Groß"), "lukasz gross");
        assert_eq!(fold("Ｗｉｄｅ"), "wide");
        assert_eq!(fold("Иван Ёлкин"), "иван елкин");
        assert_eq!(fold("山田 太郎"), "山田 太郎");
    }

    proptest! {
        #[test]
        fn folding_twice_changes_nothing(text in "\\PC{0,40}") {
            let once = fold(&text);
            prop_assert_eq!(fold(&once), once);
        }
    }
}
