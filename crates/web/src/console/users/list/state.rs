//! The state of the list, all of which lives in the address.

use denizen_model::{
    SavedViewId,
    pages::{Cursor, Direction},
    users::{ATTRIBUTE_FILTER, COLUMNS_PARAMETER, UserColumn, UserSort},
};
use denizen_ops::{
    saved_views,
    users::{self, Wrong},
};

use crate::console::{forms::Fields, frame::ConsoleCx, words::query};

const PAGE: u32 = 50;
/// The value of `before` that leads to the last page.
const END: &str = "end";

/// Where the page is.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) enum Place {
    /// At the beginning.
    #[default]
    First,
    /// After this.
    After(Cursor),
    /// Before this.
    Before(Cursor),
    /// At the end.
    Last,
}

/// What the list shows and how.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct State {
    /// Search text, in which filters may be typed.
    pub(super) q: String,
    /// The filters: names with values.
    pub(super) filters: Vec<(String, String)>,
    pub(super) sort: Option<(UserSort, Direction)>,
    /// The columns, where the address names them.
    pub(super) columns: Option<Vec<UserColumn>>,
    /// The saved view that this began as.
    pub(super) view: Option<SavedViewId>,
    pub(super) place: Place,
}

/// An address as it was read.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) state: State,
    /// What it asks for that there is not.
    pub(super) wrong: Vec<Wrong>,
    /// It says the same in more words than are needed: it was put together by a form.
    pub(super) wordy: bool,
    /// The columns are to be remembered.
    pub(super) remember: bool,
    /// How close rows are to stand from now on.
    pub(super) density: Option<Density>,
}

/// How close rows stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Density {
    #[default]
    Comfortable,
    Compact,
}

impl Density {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Comfortable => "comfortable",
            Self::Compact => "compact",
        }
    }

    pub(super) fn from_name(name: &str) -> Option<Self> {
        [Self::Comfortable, Self::Compact].into_iter().find(|density| density.as_str() == name)
    }
}

/// Whether a filter may hold several values at once.
fn holds_several(name: &str) -> bool {
    matches!(name, "role" | "group" | "organization") || name.starts_with(ATTRIBUTE_FILTER)
}

impl Read {
    /// Reads the parameters of the list's address. Of what may be given once, the last counts.
    pub(super) fn of(asked: &Fields) -> Self {
        let mut read = Self::default();
        let mut columns: Option<String> = None;
        for (name, value) in asked.pairs() {
            read.wordy |= value.trim().is_empty();
            match (name, value.trim()) {
                (_, "") => {}
                ("q", text) => {
                    read.wordy |= !read.state.q.is_empty();
                    text.clone_into(&mut read.state.q);
                }
                ("sort", text) => {
                    read.wordy |= read.state.sort.is_some();
                    match users::parse_sort(text) {
                        Ok(sort) => read.state.sort = Some(sort),
                        Err(message) => read.not(name, text, message),
                    }
                }
                ("view", text) => read.state.view = text.parse().ok(),
                ("cursor", text) => read.state.place = Cursor::decode(text).map_or(Place::First, Place::After),
                ("before", END) => read.state.place = Place::Last,
                ("before", text) => read.state.place = Cursor::decode(text).map_or(Place::First, Place::Before),
                (COLUMNS_PARAMETER, text) => {
                    read.wordy |= columns.is_some();
                    let before = columns.take().map(|before| before + ",").unwrap_or_default();
                    columns = Some(before + text);
                }
                ("remember", _) => (read.remember, read.wordy) = (true, true),
                ("density", text) => (read.density, read.wordy) = (Density::from_name(text), true),
                // Whether there is such a filter is for the operations to say.
                (name, text) => read.filter(name, text),
            }
        }
        match columns.as_deref() {
            None | Some("default") => {}
            Some(names) => match UserColumn::read_all(names) {
                // Those that everybody has need not be remembered.
                Ok(columns) if read.remember && columns == UserColumn::DEFAULT => {}
                Ok(columns) => read.state.columns = Some(columns),
                Err(message) => read.not(COLUMNS_PARAMETER, names, message),
            },
        }
        read
    }

    fn not(&mut self, name: &str, value: &str, message: String) {
        self.wrong.push(Wrong { name: name.to_owned(), value: value.to_owned(), typed: false, message });
    }

    fn filter(&mut self, name: &str, value: &str) {
        let filters = &mut self.state.filters;
        let before = filters.len();
        filters.retain(|(other, known)| other != name || (holds_several(name) && known != value));
        self.wordy |= filters.len() < before;
        filters.push((name.to_owned(), value.to_owned()));
    }
}

impl State {
    /// The state of a view's query string; as much of it as is understood.
    pub(super) fn of_query(text: &str) -> Self {
        let Ok((asked, columns)) = saved_views::read_query(text) else { return Self::default() };
        let users::Asked { q, filters, sort, .. } = asked;
        Self { q, filters, sort, columns, ..Self::default() }
    }

    /// What to ask the operations.
    pub(super) fn asked(&self) -> users::Asked {
        let (cursor, backward) = match &self.place {
            Place::First => (None, false),
            Place::After(cursor) => (Some(cursor.clone()), false),
            Place::Before(cursor) => (Some(cursor.clone()), true),
            Place::Last => (None, true),
        };
        users::Asked {
            q: self.q.clone(),
            filters: self.filters.clone(),
            sort: self.sort,
            cursor,
            backward,
            limit: Some(PAGE),
        }
    }

    /// As a view would keep it.
    pub(super) fn view_query(&self) -> String {
        saved_views::write_query(&self.asked().untyped(), self.columns.as_deref())
    }

    /// Whether both show the same, wherever they are; columns count when a view names them.
    pub(super) fn shows_as(&self, view: &Self) -> bool {
        let sorted = |state: &Self| {
            let mut pairs = state.asked().untyped().view();
            pairs.sort_unstable();
            pairs
        };
        sorted(self) == sorted(view) && (view.columns.is_none() || self.columns == view.columns)
    }

    /// Search, filters and sort, which narrow and order the list.
    pub(super) fn pairs(&self) -> Vec<(String, String)> {
        let mut pairs = self.asked().view();
        if let Some(columns) = &self.columns {
            pairs.push((COLUMNS_PARAMETER.to_owned(), UserColumn::write_all(columns)));
        }
        pairs.extend(self.view.map(|view| ("view".to_owned(), view.to_string())));
        pairs
    }

    /// Its address.
    pub(super) fn href(&self, page: &ConsoleCx) -> String {
        let mut pairs = self.pairs();
        pairs.extend(match &self.place {
            Place::First => None,
            Place::After(cursor) => Some(("cursor".to_owned(), cursor.encode())),
            Place::Before(cursor) => Some(("before".to_owned(), cursor.encode())),
            Place::Last => Some(("before".to_owned(), END.to_owned())),
        });
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        format!("{}{}", page.href("users"), query(&pairs))
    }

    /// The same but for one thing, from the first page.
    pub(super) fn with(&self, change: impl FnOnce(&mut Self)) -> Self {
        let mut other = Self { place: Place::First, ..self.clone() };
        change(&mut other);
        other
    }

    /// The same list elsewhere.
    pub(super) fn at(&self, place: Place) -> Self {
        Self { place, ..self.clone() }
    }

    /// The same without a filter.
    pub(super) fn without(&self, name: &str, value: &str) -> Self {
        self.with(|state| state.filters.retain(|(known, held)| known != name || held != value))
    }

    pub(super) fn has(&self, name: &str, value: &str) -> bool {
        self.filters.iter().any(|(known, held)| known == name && held == value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Read {
        Read::of(&Fields::made(text))
    }

    #[test]
    fn an_address_of_a_form_is_put_short() {
        let sent = read(
            "q=ana&status=active&created_after=&status=disabled&group=a&group=b&group=a&columns=name&columns=email&remember=1",
        );
        assert!(sent.wordy && sent.remember && sent.wrong.is_empty());
        assert_eq!(sent.state.view_query(), "q=ana&status=disabled&group=b&group=a&columns=email");
        let short = read("q=ana&status=disabled&group=b&group=a&columns=email");
        assert!(!short.wordy);
        assert_eq!(short.state, sent.state);
    }

    #[test]
    fn what_there_is_not_is_named() {
        let names = |text: &str| read(text).wrong.into_iter().map(|one| one.name).collect::<Vec<_>>();
        assert_eq!(names("statsu=x&sort=age&columns=emial&before=zz&cursor=zz&view=zz"), ["sort", "columns"]);
    }

    #[test]
    fn a_state_shows_as_its_view_in_any_order_and_at_any_place() {
        let view = State::of_query("status=disabled&q=ana");
        assert!(read("q=ana+status:disabled&before=end&columns=email").state.shows_as(&view));
        assert!(!read("q=ana").state.shows_as(&view));
        assert!(!read("columns=email").state.shows_as(&State::of_query("columns=phone")));
    }
}
