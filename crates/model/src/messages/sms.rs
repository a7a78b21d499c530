//! Text messages: how many segments a text takes (3GPP TS 23.038), and cutting it to what may be sent.

/// The most segments that one message may take.
pub const MAX_SEGMENTS: usize = 6;

/// What the default alphabet of GSM has, beside the printable letters of ASCII named below (3GPP TS 23.038, 6.2.1).
const BASIC: &str = "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./:;<=>?¡ÄÖÑÜ§¿äöñüà";
/// What takes two places (6.2.1.1).
const EXTENDED: &str = "^{}\\[~]|€\u{c}";

/// The places a letter takes in the default alphabet.
fn places(c: char) -> Option<usize> {
    if c.is_ascii_alphanumeric() || BASIC.contains(c) {
        Some(1)
    } else if EXTENDED.contains(c) {
        Some(2)
    } else {
        None
    }
}

/// How many segments a text takes: 160 places in one or 153 in each of several in the default alphabet; 70 or 67
/// UTF-16 units where a letter is not in it.
#[must_use]
pub fn segments(text: &str) -> usize {
    let plain: Option<usize> = text.chars().map(places).sum();
    let (length, alone, each) = match plain {
        Some(places) => (places, 160, 153),
        None => (text.encode_utf16().count(), 70, 67),
    };
    if length <= alone { 1 } else { length.div_ceil(each) }
}

/// A text that takes [`MAX_SEGMENTS`] at the most: cut at the end where it takes more.
#[must_use]
pub fn fit(text: &str) -> String {
    if segments(text) <= MAX_SEGMENTS {
        return text.to_owned();
    }
    let mut kept = String::new();
    for c in text.chars() {
        kept.push(c);
        if segments(&format!("{kept}...")) > MAX_SEGMENTS {
            kept.pop();
            break;
        }
    }
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn segments_are_counted_by_the_alphabet_a_text_needs() {
        assert_eq!(segments(""), 1);
        assert_eq!(segments(&"a".repeat(160)), 1);
        assert_eq!(segments(&"a".repeat(161)), 2);
        assert_eq!(segments(&"€".repeat(80)), 1);
        assert_eq!(segments(&"€".repeat(81)), 2);
        assert_eq!(segments(&"日".repeat(70)), 1);
        assert_eq!(segments(&"日".repeat(71)), 2);
        assert_eq!(segments(&"a".repeat(153 * 6)), 6);
        assert_eq!(segments(&"a".repeat(153 * 6 + 1)), 7);
        // A letter outside of the basic plane takes two units.
        assert_eq!(segments(&"😀".repeat(36)), 2);
    }

    #[test]
    fn what_is_too_long_is_cut_to_what_may_be_sent() {
        assert_eq!(fit("short"), "short");
        for letter in ["a", "日", "😀", "€"] {
            let cut = fit(&letter.repeat(2000));
            assert_eq!(segments(&cut), MAX_SEGMENTS, "{letter}");
            assert!(cut.ends_with("..."));
        }
    }
}
