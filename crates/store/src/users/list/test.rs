//! Conditions on a user, and what can tell whether they hold: a row, an index, full text.

use denizen_model::{
    Timestamp,
    users::{UserFilters, UserSort, word_beginning},
};

use crate::{conn::Engine, users::index};

/// Up to so many characters the halves of a word are in too many texts.
const SHORTEST_HINTED: usize = 5;

/// A condition on a user.
#[derive(Debug, Clone)]
pub(super) enum Test {
    /// This is found in some column.
    Contains(String),
    /// This is found in some column, or one of those among what is near.
    Near { text: Option<String>, near: Vec<String> },
    /// Has a mark, or has it not.
    Facet { mark: String, present: bool },
    /// A number is at least this, and below that.
    Within { column: &'static str, from: i64, until: i64 },
    /// The application's own id is this.
    Reference(String),
    /// A text does not begin with this.
    NotBeginning { column: &'static str, text: String },
    /// A text is not this.
    IsNot { column: &'static str, text: String },
    /// It is not this user.
    NotUser(i64),
}

impl Test {
    /// That a word of a search is found.
    pub(super) fn contains(term: &str) -> Self {
        Self::Contains(Self::needle(term))
    }

    /// How a word is looked for: within words, or, where it is too short for trigrams, where words begin.
    pub(super) fn needle(term: &str) -> String {
        if term.chars().count() < 3 { word_beginning(term) } else { term.to_owned() }
    }

    /// The columns that tell whether a row passes.
    pub(super) fn columns(&self) -> Vec<&'static str> {
        match self {
            Self::Contains(_) => vec!["search_text"],
            Self::Near { .. } => vec!["search_text", "near_text"],
            Self::Facet { .. } => vec!["facets"],
            Self::Within { column, .. } | Self::NotBeginning { column, .. } | Self::IsNot { column, .. } => {
                vec![column]
            }
            Self::Reference(_) => vec!["reference_key"],
            Self::NotUser(_) => vec!["num"],
        }
    }

    /// Whether it looks at the keys of names, addresses and times only.
    pub(super) fn is_about_keys(&self) -> bool {
        match self {
            Self::Within { .. } | Self::NotUser(_) => true,
            Self::NotBeginning { column, .. } | Self::IsNot { column, .. } => {
                matches!(*column, "name_key" | "email_key")
            }
            _ => false,
        }
    }

    /// Texts of which a row that passes has one among its columns, though others may too: what is near to a word is a
    /// word of a column, or two words joined, of which one has either half of it. `None` where too many have them.
    pub(super) fn hints(&self) -> Option<Vec<&str>> {
        let Self::Near { text, near } = self else { return None };
        let mut hints: Vec<&str> = text.iter().map(String::as_str).collect();
        for word in near.iter().map(|near| near.trim()) {
            let length = word.chars().count();
            let (half, _) = word.char_indices().nth(length / 2).filter(|_| length >= SHORTEST_HINTED)?;
            hints.extend([word.get(..half)?, word.get(half..)?]);
        }
        hints.sort_unstable();
        hints.dedup();
        Some(hints)
    }

    /// The columns that the index of an order is asked for: all of them, or the one that hints at who passes.
    pub(super) fn columns_of_index(&self) -> Vec<&'static str> {
        if self.hints().is_some() { vec!["search_text"] } else { self.columns() }
    }

    /// Whether the index of this order tells who passes; of what has [`Test::hints`], who may.
    pub(super) fn is_in_index_of(&self, engine: Engine, sort: UserSort) -> bool {
        let (covered, text) = match (engine, sort) {
            (Engine::Sqlite, UserSort::LastSignInAt | UserSort::CreatedAt | UserSort::BestMatch) => (true, false),
            (Engine::Postgres, UserSort::CreatedAt | UserSort::BestMatch | UserSort::Name | UserSort::Email) => {
                (true, true)
            }
            _ => (false, false),
        };
        let told = |column: &str| match column {
            "num" | "created_at" | "last_sign_in_at" | "facets" => covered,
            "search_text" => text,
            _ => false,
        };
        self.columns_of_index().into_iter().all(told)
    }

    /// The order whose index has, next to each other, those that a test for a range passes.
    pub(super) fn order_of_range(&self) -> Option<UserSort> {
        match self {
            Self::Within { column: "created_at", .. } => Some(UserSort::CreatedAt),
            Self::Within { column: "last_sign_in_at", .. } => Some(UserSort::LastSignInAt),
            _ => None,
        }
    }

    /// Whether it is about what is near and not about the word itself.
    pub(super) fn is_near_alone(&self) -> bool {
        matches!(self, Self::Near { text: None, .. })
    }

    /// Whether those that pass have a mark.
    pub(super) fn is_mark(&self) -> bool {
        matches!(self, Self::Facet { present: true, .. })
    }

    /// Whether SQLite's full text finds those that pass.
    pub(super) fn is_text(&self) -> bool {
        matches!(self, Self::Contains(_) | Self::Near { .. } | Self::Facet { present: true, .. })
    }

    /// Whether it is about words, which an index of trigrams may be asked for in parts.
    pub(super) fn has_parts(&self, engine: Engine) -> bool {
        match self {
            Self::Contains(_) => true,
            Self::Near { .. } => engine == Engine::Sqlite,
            _ => false,
        }
    }

    /// The middle one of a word's parts, of a word that has several.
    pub(super) fn middle(&self) -> Option<&str> {
        let Self::Contains(text) = self else { return None };
        parts(text, 1).first().copied().filter(|part| part.len() < text.len())
    }

    /// Whether an index can find those that pass.
    pub(super) fn is_indexed(&self) -> bool {
        !matches!(
            self,
            Self::Facet { present: false, .. } | Self::NotBeginning { .. } | Self::IsNot { .. } | Self::NotUser(_)
        )
    }
}

/// Up to so many pieces of three characters, from the text's beginning to its end; a single one from its middle.
/// Whoever holds the text holds them all, and few others do: an index of trigrams finds these pieces in a fraction of
/// the time that it takes to find them side by side.
pub(super) fn parts(text: &str, most: usize) -> Vec<&str> {
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
    let length = starts.len() - 1;
    if length <= 3 {
        return vec![text];
    }
    let last = length - 3;
    let pieces = length.div_ceil(3).min(most.max(1));
    let piece = |at: usize| {
        let from = if pieces == 1 { last / 2 } else { last * at / (pieces - 1) };
        starts.get(from).zip(starts.get(from + 3)).and_then(|(from, until)| text.get(*from..*until))
    };
    (0..pieces).filter_map(piece).collect()
}

/// What filters ask of a user.
pub(super) fn filter_tests(filters: &UserFilters) -> Vec<Test> {
    let mut tests: Vec<Test> =
        filters.facets.iter().map(|(facet, present)| Test::Facet { mark: facet.mark(), present: *present }).collect();
    let micros = |at: Option<Timestamp>, open: i64| at.map_or(open, Timestamp::as_micros);
    if !filters.created.is_open() {
        let (from, until) = (micros(filters.created.after, i64::MIN), micros(filters.created.before, i64::MAX));
        tests.push(Test::Within { column: "created_at", from, until });
    }
    // Zero is never.
    let ever = filters.never_signed_in == Some(false) || !filters.last_sign_in.is_open();
    if ever {
        let (from, until) = (micros(filters.last_sign_in.after, 1), micros(filters.last_sign_in.before, i64::MAX));
        tests.push(Test::Within { column: "last_sign_in_at", from: from.max(1), until });
    }
    if filters.never_signed_in == Some(true) {
        tests.push(Test::Within { column: "last_sign_in_at", from: 0, until: 1 });
    }
    if let Some(reference) = &filters.reference {
        tests.push(Test::Reference(index::key(reference)));
    }
    tests
}

#[cfg(test)]
mod tests {
    use denizen_model::RealmId;

    use super::*;
    use crate::tests::{NOW, bytes, user};

    #[test]
    fn parts_of_a_text_reach_from_its_beginning_to_its_end() {
        assert_eq!(parts("an", 4), ["an"]);
        assert_eq!(parts("ann", 4), ["ann"]);
        assert_eq!(parts("anna", 4), ["ann", "nna"]);
        assert_eq!(parts("gonzalez", 4), ["gon", "nza", "lez"]);
        assert_eq!(parts("Ольга", 4), ["Оль", "ьга"]);
        assert_eq!(parts("maria.gonzalez@example.com", 4), ["mar", "onz", "exa", "com"]);
        assert_eq!(parts("gonzalez", 1), ["nza"]);
        assert_eq!(parts("anna", 1), ["ann"]);
        assert_eq!(parts("an", 1), ["an"]);
        for length in 4..40 {
            let text: String = ('a'..='z').cycle().take(length).collect();
            let parts = parts(&text, 4);
            assert!(parts.iter().all(|part| part.len() == 3 && text.contains(part)), "{parts:?}");
            assert!(text.starts_with(parts[0]) && text.ends_with(parts[parts.len() - 1]), "{parts:?}");
        }
    }

    #[test]
    fn whoever_has_what_is_near_has_one_of_its_hints() {
        let names =
            ["Gon Zalez", "Maria Gonzalez", "Ana-María de la Cruz", "Jo Li", "O'Brien Áine", "Ольга Петрова", "X Æ"];
        let addresses = ["m.gonzalez7@example.com", "gonza@lez.example", "alez.gonz@example.com", "ab@example.com"];
        let realm = RealmId::new(NOW, bytes());
        let mut hinted = 0;
        for (name, address) in names.iter().flat_map(|name| addresses.iter().map(move |address| (name, address))) {
            let somebody = user(realm, address, name);
            let (text, near_text) = (somebody.search_text(&[]), somebody.near_text());
            for word in near_text.split_whitespace() {
                let letters: Vec<char> = word.chars().collect();
                let beginnings = (1..=letters.len()).map(|most| format!(" {}", String::from_iter(&letters[..most])));
                for near in beginnings.chain([format!(" {word} ")]) {
                    assert!(near_text.contains(&near));
                    let test = Test::Near { text: None, near: vec![near.clone()] };
                    let Some(hints) = test.hints() else {
                        assert!(near.trim().chars().count() < 5, "{near:?}");
                        continue;
                    };
                    assert!(hints.iter().any(|hint| text.contains(hint)), "{near:?} of {name}, {address}: {hints:?}");
                    hinted += 1;
                }
            }
        }
        assert!(hinted > 300, "{hinted}");
        let typed = Test::Near { text: Some("an".into()), near: vec![" abcde".into(), " abcdf ".into()] };
        assert_eq!(typed.hints().unwrap(), ["ab", "an", "cde", "cdf"]);
        assert_eq!(Test::contains("abcde").hints(), None);
    }
}
