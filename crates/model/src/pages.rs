//! Lists: a page of items, the cursor to the next, and the total.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The page size when none is asked for.
pub const DEFAULT_LIMIT: u32 = 50;
/// The largest page.
pub const MAX_LIMIT: u32 = 500;

/// How many items there are in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Total {
    /// The number of items.
    pub count: u64,
    /// Whether `count` is exact; otherwise it is a lower bound or an estimate.
    pub exact: bool,
}

impl Total {
    /// An exact total.
    #[must_use]
    pub const fn exact(count: u64) -> Self {
        Self { count, exact: true }
    }
}

/// One page of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page<T> {
    /// The items, in the order asked for.
    pub items: Vec<T>,
    /// Where the next page starts; `None` on the last.
    pub next: Option<Cursor>,
    /// How many items match in all.
    pub total: Total,
}

impl<T> Page<T> {
    /// The same page with other items.
    pub fn map<U>(self, f: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(f).collect(), next: self.next, total: self.total }
    }
}

/// A place in a sorted list: the sort key and the id of the last item seen (keyset paging). It stays right
/// while rows come and go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor {
    /// The sort key of the last item.
    pub key: CursorKey,
    /// The id of the last item, which makes the place unique.
    pub id: String,
}

/// A sort key inside a cursor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CursorKey {
    /// A number, such as a time in microseconds.
    Number(i64),
    /// A folded text.
    Text(String),
}

/// The text is not a cursor that a list has given out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a cursor: pass the next_cursor of the page before, unchanged")]
pub struct NotACursor;

impl Cursor {
    /// The opaque text that stands in URLs: hexadecimal of `n<number>` or `t<text>`, a zero byte, the id.
    #[must_use]
    pub fn encode(&self) -> String {
        let plain = match &self.key {
            CursorKey::Number(n) => format!("n{n}\0{}", self.id),
            CursorKey::Text(t) => format!("t{t}\0{}", self.id),
        };
        plain.bytes().fold(String::with_capacity(plain.len() * 2), |mut out, byte| {
            for nibble in [byte >> 4, byte & 15] {
                out.push(char::from_digit(u32::from(nibble), 16).unwrap_or('0'));
            }
            out
        })
    }

    /// Reads what [`encode`](Self::encode) wrote.
    ///
    /// # Errors
    /// [`NotACursor`] for any other text.
    pub fn decode(text: &str) -> Result<Self, NotACursor> {
        if text.len() > 4096 || !text.len().is_multiple_of(2) || !text.is_ascii() {
            return Err(NotACursor);
        }
        let bytes = (0..text.len())
            .step_by(2)
            .map(|at| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok()).ok_or(NotACursor))
            .collect::<Result<Vec<u8>, _>>()?;
        let plain = String::from_utf8(bytes).map_err(|_| NotACursor)?;
        let (key, id) = plain.rsplit_once('\0').ok_or(NotACursor)?;
        let key = match key.split_at_checked(1) {
            Some(("n", number)) => CursorKey::Number(number.parse().map_err(|_| NotACursor)?),
            // A NUL can be in no stored text, and PostgreSQL would refuse it.
            Some(("t", text)) if !text.contains('\0') => CursorKey::Text(text.to_owned()),
            _ => return Err(NotACursor),
        };
        Ok(Self { key, id: id.to_owned() })
    }
}

/// Which way a list is sorted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Smallest first.
    Ascending,
    /// Largest first.
    Descending,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn cursors_survive_their_text(number in any::<i64>(), text in "[^\0]{0,20}") {
            for key in [CursorKey::Number(number), CursorKey::Text(text.clone())] {
                let cursor = Cursor { key, id: "0197a1b2".into() };
                prop_assert_eq!(Cursor::decode(&cursor.encode()), Ok(cursor));
            }
        }

        #[test]
        fn no_text_makes_decoding_panic(text in "\\PC{0,60}") {
            let _ = Cursor::decode(&text);
        }
    }
}
