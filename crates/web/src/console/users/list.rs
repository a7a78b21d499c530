//! The list of users: search as you type, filters, columns, sorting, paging that holds its place, saved views.

mod complete;
mod filters;
mod row;
mod state;
mod views;
mod words;

use axum::{Router, response::Response, routing::get};
use denizen_model::{
    pages::{Direction, Page, Total},
    permissions::Permission,
    users::{UserColumn, UserSort, as_typed, take_apart},
};
use denizen_ops::{
    saved_views,
    users::{self, Understood, Wrong},
};
use http::HeaderMap;
use serde::Serialize;

use self::{
    filters::{Chip, Group},
    row::Row,
    state::{Density, Place, Read, State},
    views::Views,
};
use crate::{
    Web,
    card::{see_other, with_cookie},
    console::{
        Answer, cookies,
        forms::Asked,
        frame::{At, ConsoleCx, Section},
        words::{count, number, query},
    },
};

/// The routes.
pub(super) fn router() -> Router<Web> {
    Router::new()
        .route("/admin/{realm}/users", get(show).post(super::new::create))
        .route("/admin/{realm}/users/complete", get(complete::complete))
        .merge(views::router())
}

#[derive(Serialize)]
struct ListPage {
    /// The address of what is shown.
    href: String,
    q: String,
    hidden: Vec<Hidden>,
    wrong: Vec<WrongView>,
    chips: Vec<Chip>,
    clear_href: Option<String>,
    filtered: bool,
    summary: String,
    groups: Vec<Group>,
    display: Display,
    density: &'static str,
    columns: Vec<Column>,
    users: Vec<Row>,
    bulk: Bulk,
    export_href: Option<String>,
    can_import: bool,
    total: TotalView,
    pages: Pages,
    views: Views,
}

#[derive(Serialize)]
struct Hidden {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct WrongView {
    what: String,
    message: String,
}

/// What the Display menu offers.
#[derive(Serialize)]
struct Display {
    columns: Vec<ColumnChoice>,
    sorts: Vec<SortChoice>,
}

#[derive(Serialize)]
struct ColumnChoice {
    name: &'static str,
    label: &'static str,
    shown: bool,
}

#[derive(Serialize)]
struct SortChoice {
    value: String,
    label: String,
    current: bool,
}

#[derive(Serialize)]
struct Column {
    id: &'static str,
    label: &'static str,
    sort: Option<&'static str>,
    href: Option<String>,
}

/// What can be done to several at once.
#[derive(Serialize)]
struct Bulk {
    actions: Vec<BulkAction>,
    /// The list's query string: all that match.
    query: String,
    expected_count: u64,
    /// `12,482`, when more match than the page shows.
    all: Option<String>,
}

#[derive(Serialize)]
struct BulkAction {
    action: &'static str,
    label: &'static str,
    danger: bool,
}

#[derive(Serialize)]
struct TotalView {
    text: String,
    exact: bool,
}

/// The ways to other pages of the list.
#[derive(Serialize)]
struct Pages {
    summary: String,
    first_href: Option<String>,
    prev_href: Option<String>,
    next_href: Option<String>,
    last_href: Option<String>,
}

/// Serializes to what the pager shows.
#[derive(Serialize)]
pub(in crate::console) struct Pager {
    pub summary: String,
    pub prev_href: Option<String>,
    pub next_href: Option<String>,
}

/// A filter as a chip with its menu.
#[derive(Serialize)]
pub(super) struct Filter {
    pub(super) id: &'static str,
    pub(super) label: &'static str,
    pub(super) value: Option<&'static str>,
    pub(super) clear_href: Option<String>,
    pub(super) options: Vec<FilterOption>,
}

#[derive(Serialize)]
pub(super) struct FilterOption {
    pub(super) label: &'static str,
    pub(super) href: String,
    pub(super) current: bool,
}

/// A filter whose value is its current option's.
pub(super) fn filter(
    id: &'static str,
    label: &'static str,
    options: Vec<FilterOption>,
    clear: impl FnOnce() -> String,
) -> Filter {
    let value = options.iter().find(|option| option.current).map(|option| option.label);
    Filter { id, label, value, clear_href: value.map(|_| clear()), options }
}

/// What this browser remembers of lists.
struct Remembered {
    columns: Vec<UserColumn>,
    density: Density,
}

impl Remembered {
    fn find(page: &ConsoleCx, headers: &HeaderMap) -> Self {
        let cookie = |name| cookies::find(page.app(), headers, name);
        let columns = cookie(cookies::COLUMNS).and_then(|text| UserColumn::read_all(&text.replace('.', ",")).ok());
        Self {
            columns: columns.unwrap_or_else(|| UserColumn::DEFAULT.to_vec()),
            density: cookie(cookies::DENSITY).and_then(Density::from_name).unwrap_or_default(),
        }
    }
}

/// Leaves what was chosen in the browser.
fn remember(page: &ConsoleCx, mut response: Response, read: &Read) -> Response {
    let year = Some(cookies::A_YEAR);
    if let Some(density) = read.density {
        response = with_cookie(response, cookies::set(page.app(), cookies::DENSITY, density.as_str(), year));
    }
    if read.remember {
        let cookie = match &read.state.columns {
            Some(columns) => {
                let names = UserColumn::write_all(columns).replace(',', ".");
                cookies::set(page.app(), cookies::COLUMNS, &names, year)
            }
            None => cookies::forget(page.app(), cookies::COLUMNS),
        };
        response = with_cookie(response, cookie);
    }
    response
}

/// The order of a list that names none.
fn default_order(understood: &Understood) -> (UserSort, Direction) {
    match understood.query.search {
        Some(_) => (UserSort::BestMatch, Direction::Ascending),
        None => (UserSort::CreatedAt, Direction::Descending),
    }
}

/// The state with what is in force: filters that were typed have moved from the text to the others. What is not
/// understood stays in the text, to be mended, and nowhere else.
fn settled(asked: &State, understood: &Understood) -> State {
    let order = (understood.query.sort, understood.query.direction);
    let typed = !take_apart(&asked.q).filters.is_empty();
    State {
        q: if typed { understood.left_typed() } else { asked.q.clone() },
        filters: understood.applied.iter().map(|one| (one.name.clone(), one.value.clone())).collect(),
        sort: asked.sort.filter(|sort| *sort == order && order != default_order(understood)),
        place: match &asked.place {
            Place::After(_) | Place::Before(_) if understood.query.after.is_none() => Place::First,
            place => place.clone(),
        },
        columns: asked.columns.clone(),
        view: asked.view,
    }
}

async fn show(page: ConsoleCx, Asked(asked): Asked, headers: HeaderMap) -> Answer {
    let mut read = Read::of(&asked);
    let listed = users::list_what_is_understood(page.app(), page.cx(), page.may()?, read.state.asked()).await?;
    let users::Listed { users, understood } = listed;
    let state = settled(&read.state, &understood);
    read.wrong.extend(understood.wrong.iter().cloned());
    let part = headers.get("x-partial").is_some_and(|part| part == "rows");
    // The address says in the fewest words what is shown.
    if !part && read.wrong.is_empty() && (read.wordy || state.q != read.state.q) {
        return Ok(remember(&page, see_other(&state.href(&page)), &read));
    }
    let searchable = match part {
        true => Vec::new(),
        false => users::searchable_attributes(page.app(), page.cx(), page.may()?).await?,
    };
    let saved = saved_views::list(page.app(), page.cx(), page.may()?).await?;
    let remembered = Remembered::find(&page, &headers);
    let shown = Shown {
        page: &page,
        in_force: State { q: understood.asked(None).q, ..state.clone() },
        columns: state.columns.clone().unwrap_or(remembered.columns),
        density: read.density.unwrap_or(remembered.density),
        state,
        understood,
    };
    let content = shown.content(users, &read.wrong, Views::of(&page, &shown.in_force, saved), &searchable);
    let at = At::top(Section::Users, "Users");
    let response = match part {
        true => page.part("console/users/_parts.html", at, &content)?,
        false => page.page("console/users/list.html", at, &content)?,
    };
    Ok(remember(&page, response, &read))
}

/// A list that is to be shown.
struct Shown<'p> {
    page: &'p ConsoleCx,
    state: State,
    /// The state without what is not understood.
    in_force: State,
    understood: Understood,
    columns: Vec<UserColumn>,
    density: Density,
}

impl Shown<'_> {
    fn content(&self, found: users::UserPage, wrong: &[Wrong], views: Views, searchable: &[String]) -> ListPage {
        let (page, state) = (self.page, &self.state);
        let users::UserPage { page: Page { items, next, total }, previous } = found;
        let link = |place| Some(state.at(place).href(page));
        let pages = Pages {
            summary: words::total(total),
            first_href: previous.is_some().then(|| state.at(Place::First).href(page)),
            prev_href: previous.and_then(|place| link(Place::Before(place))),
            last_href: next.is_some().then(|| state.at(Place::Last).href(page)),
            next_href: next.and_then(|place| link(Place::After(place))),
        };
        let filtered = !state.filters.is_empty();
        let back = state.href(page);
        ListPage {
            hidden: self.hidden(),
            wrong: wrong.iter().map(wrong_view).collect(),
            chips: filters::chips(page, state, &self.understood),
            clear_href: filtered.then(|| state.with(|state| state.filters.clear()).href(page)),
            filtered: filtered || !state.q.is_empty(),
            summary: words::summary(total, &self.understood),
            groups: filters::groups(state, searchable),
            display: self.display(),
            density: self.density.as_str(),
            columns: self.columns(),
            users: items.iter().map(|user| row::row(page, user, &self.columns, &back)).collect(),
            bulk: self.bulk(total, items.len()),
            export_href: self.export_href(),
            can_import: page.can().users_write,
            total: TotalView { text: words::total(total), exact: total.exact },
            pages,
            views,
            q: state.q.clone(),
            href: back,
        }
    }

    /// What a form of this page sends along besides its own fields.
    fn hidden(&self) -> Vec<Hidden> {
        let pairs = self.state.pairs().into_iter().filter(|(name, _)| name != "q");
        pairs.map(|(name, value)| Hidden { name, value }).collect()
    }

    fn order(&self) -> (UserSort, Direction) {
        (self.understood.query.sort, self.understood.query.direction)
    }

    fn display(&self) -> Display {
        use Direction::{Ascending, Descending};
        let choice = |column: &UserColumn| ColumnChoice {
            name: column.as_str(),
            label: column.label(),
            shown: self.columns.contains(column),
        };
        let (searched, order) = (self.understood.query.search.is_some(), self.order());
        let sorts = UserSort::ALL.iter().filter(|sort| **sort != UserSort::BestMatch || searched).flat_map(|sort| {
            let ways: &[_] = if *sort == UserSort::BestMatch { &[Ascending] } else { &[Ascending, Descending] };
            ways.iter().map(move |direction| {
                let words = words::order(*sort, *direction);
                let mut label: String = words.chars().take(1).flat_map(char::to_uppercase).collect();
                label.extend(words.chars().skip(1));
                SortChoice {
                    value: format!("{}{sort}", if *direction == Descending { "-" } else { "" }),
                    label,
                    current: order == (*sort, *direction),
                }
            })
        });
        Display { columns: UserColumn::ALL.iter().map(choice).collect(), sorts: sorts.collect() }
    }

    fn columns(&self) -> Vec<Column> {
        let name = self.column("name", "Name", Some(UserSort::Name));
        let others = self.columns.iter().map(|column| self.column(column.as_str(), column.label(), column.sort()));
        [name].into_iter().chain(others).collect()
    }

    fn column(&self, id: &'static str, label: &'static str, sort: Option<UserSort>) -> Column {
        use Direction::{Ascending, Descending};
        let shown = sort.filter(|sort| self.order().0 == *sort).map(|_| self.order().1);
        let href = sort.map(|sort| {
            let next = match shown {
                Some(Ascending) => Descending,
                Some(Descending) => Ascending,
                None => sort.natural(),
            };
            self.state.with(|state| state.sort = Some((sort, next))).href(self.page)
        });
        let sort = shown.map(|direction| if direction == Ascending { "ascending" } else { "descending" });
        Column { id, label, sort, href }
    }

    fn bulk(&self, total: Total, shown: usize) -> Bulk {
        use Permission::{CredentialsReset, GroupsWrite, SessionsRevoke, UsersDelete, UsersWrite};
        let all = [
            (UsersWrite, "enable", "Enable", false),
            (UsersWrite, "disable", "Disable", false),
            (GroupsWrite, "add_to_group", "Add to group…", false),
            (GroupsWrite, "remove_from_group", "Remove from group…", false),
            (CredentialsReset, "require_password_reset", "Require password reset", false),
            (SessionsRevoke, "end_sessions", "End sessions", false),
            (UsersDelete, "delete", "Delete…", true),
        ];
        let held = self.page.holds();
        let may = all.into_iter().filter(|(permission, ..)| held.contains(*permission));
        let more = !total.exact || usize::try_from(total.count).unwrap_or(usize::MAX) > shown;
        let about = if total.exact { "" } else { "about " };
        Bulk {
            actions: may.map(|(_, action, label, danger)| BulkAction { action, label, danger }).collect(),
            query: self.in_force.with(|state| state.columns = None).view_query(),
            expected_count: total.count,
            all: more.then(|| format!("{about}{}", number(total.count))),
        }
    }

    /// Where this list is exported, with its columns.
    fn export_href(&self) -> Option<String> {
        let mut pairs = self.in_force.with(|state| (state.columns, state.view) = (None, None)).pairs();
        pairs.push(("columns".to_owned(), row::exported(&self.columns)));
        let pairs: Vec<(&str, &str)> = pairs.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let may = self.page.holds().contains(Permission::UsersExport);
        may.then(|| format!("{}{}", self.page.href("users/export"), query(&pairs)))
    }
}

fn wrong_view(wrong: &Wrong) -> WrongView {
    let what = if wrong.value.is_empty() { wrong.name.clone() } else { as_typed(&wrong.name, &wrong.value) };
    WrongView { what, message: wrong.message.clone() }
}

/// `3 failed attempts`.
fn attempts(number: u32) -> String {
    count(u64::from(number), "failed attempt", "failed attempts")
}
