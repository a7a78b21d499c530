//! The list of users: search as you type, filters, sorting, paging that holds its place.

use denizen_model::{
    pages::{Cursor, Direction, Page, Total},
    users::{User, UserKind, UserSort},
};
use denizen_ops::{Error, ErrorKind, users};
use http::HeaderMap;
use serde::Serialize;

use super::show::{failed_attempts, user_href};
use crate::{
    console::{
        Answer,
        forms::{Asked, Fields},
        frame::{At, ConsoleCx, Section},
        words::{Label, count, number, query, user_labels},
    },
    render::{TimeView, hue, initials},
};

const PAGE: u32 = 50;

#[derive(Serialize)]
struct ListPage {
    q: String,
    hidden: Vec<Hidden>,
    filters: Vec<Filter>,
    clear_href: Option<String>,
    filtered: bool,
    columns: Vec<Column>,
    users: Vec<Row>,
    /// What can be done to several at once; empty hides the boxes.
    bulk: [(); 0],
    total: TotalView,
    page: Pager,
}

#[derive(Serialize)]
struct Hidden {
    name: &'static str,
    value: String,
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

#[derive(Serialize)]
struct Column {
    id: &'static str,
    label: &'static str,
    sort: Option<&'static str>,
    href: Option<String>,
}

#[derive(Serialize)]
struct Row {
    id: String,
    href: String,
    name: String,
    identifier: String,
    initials: String,
    hue: u8,
    kind: &'static str,
    labels: Vec<Label>,
    last_sign_in_at: Option<TimeView>,
    created_at: TimeView,
    failed_attempts: Option<Failed>,
    enabled: bool,
    is_admin: bool,
    actions: RowActions,
}

#[derive(Serialize)]
struct Failed {
    text: String,
    title: String,
}

#[derive(Serialize)]
struct RowActions {
    require_reset: bool,
    temporary_password: bool,
    administrator: bool,
    disable: bool,
    enable: bool,
    delete: bool,
}

#[derive(Serialize)]
struct TotalView {
    text: String,
    exact: bool,
}

/// Serializes to what the pager shows.
#[derive(Serialize)]
pub(in crate::console) struct Pager {
    pub summary: String,
    pub prev_href: Option<String>,
    pub next_href: Option<String>,
}

/// The state of the list, all of which lives in the address.
#[derive(Clone)]
struct State {
    q: String,
    kind: Option<UserKind>,
    enabled: Option<bool>,
    sort: Option<(UserSort, Direction)>,
}

impl State {
    fn read(asked: &Fields) -> Self {
        Self {
            q: asked.text("q").trim().to_owned(),
            kind: UserKind::from_name(asked.text("kind")),
            enabled: match asked.text("status") {
                "active" => Some(true),
                "disabled" => Some(false),
                _ => None,
            },
            sort: users::parse_sort(asked.text("sort")).ok(),
        }
    }

    fn status(&self) -> &'static str {
        match self.enabled {
            Some(true) => "active",
            Some(false) => "disabled",
            None => "",
        }
    }

    fn sort_text(&self) -> String {
        let text = |(sort, direction): (UserSort, Direction)| {
            format!("{}{sort}", if direction == Direction::Descending { "-" } else { "" })
        };
        self.sort.map(text).unwrap_or_default()
    }

    /// The address of the list in this state, at a place in it.
    fn href(&self, page: &ConsoleCx, place: (&str, &str)) -> String {
        let kind = self.kind.map_or("", UserKind::as_str);
        let sort = self.sort_text();
        let pairs = [("q", self.q.as_str()), ("kind", kind), ("status", self.status()), ("sort", &sort), place];
        format!("{}{}", page.href("users"), query(&pairs))
    }

    /// The same state but for one thing, from the first page.
    fn with(&self, page: &ConsoleCx, change: impl FnOnce(&mut Self)) -> String {
        let mut other = self.clone();
        change(&mut other);
        other.href(page, ("", ""))
    }

    fn filters(&self, page: &ConsoleCx) -> Vec<Filter> {
        let kind = |label, kind| FilterOption {
            label,
            href: self.with(page, |state| state.kind = Some(kind)),
            current: self.kind == Some(kind),
        };
        let status = |label, enabled| FilterOption {
            label,
            href: self.with(page, |state| state.enabled = Some(enabled)),
            current: self.enabled == Some(enabled),
        };
        vec![
            filter("kind", "Kind", vec![kind("Person", UserKind::Human), kind("Machine", UserKind::Machine)], || {
                self.with(page, |state| state.kind = None)
            }),
            filter("status", "Status", vec![status("Active", true), status("Disabled", false)], || {
                self.with(page, |state| state.enabled = None)
            }),
        ]
    }

    fn column(
        &self,
        page: &ConsoleCx,
        id: &'static str,
        label: &'static str,
        sort: UserSort,
        first: Direction,
    ) -> Column {
        let newest_first = (UserSort::CreatedAt, Direction::Descending);
        let in_force = self.sort.or_else(|| self.q.is_empty().then_some(newest_first));
        let (next, shown) = match in_force.filter(|(by, _)| *by == sort) {
            Some((_, Direction::Ascending)) => (Direction::Descending, Some("ascending")),
            Some((_, Direction::Descending)) => (Direction::Ascending, Some("descending")),
            None => (first, None),
        };
        let href = self.with(page, |state| state.sort = Some((sort, next)));
        Column { id, label, sort: shown, href: Some(href) }
    }

    fn columns(&self, page: &ConsoleCx) -> Vec<Column> {
        use Direction::{Ascending, Descending};
        vec![
            self.column(page, "name", "Name", UserSort::Name, Ascending),
            // Administrators come to the top.
            self.column(page, "labels", "Labels", UserSort::Role, Descending),
            self.column(page, "last_sign_in_at", "Last sign-in", UserSort::LastSignInAt, Descending),
            self.column(page, "created_at", "Created", UserSort::CreatedAt, Descending),
        ]
    }

    /// What is asked for at a place of this list. With `backward` the page ends there.
    fn asked(&self, cursor: Option<Cursor>, backward: bool) -> users::Asked {
        let kind = self.kind.map_or("", UserKind::as_str);
        let filters = [("kind", kind), ("status", self.status())];
        let filters = filters.iter().filter(|(_, value)| !value.is_empty());
        users::Asked {
            q: self.q.clone(),
            filters: filters.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            sort: self.sort,
            cursor,
            backward,
            limit: Some(PAGE),
        }
    }
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

fn total_text(total: Total) -> String {
    if total.exact { count(total.count, "user", "users") } else { format!("About {} users", number(total.count)) }
}

pub(super) async fn show(page: ConsoleCx, Asked(asked): Asked, headers: HeaderMap) -> Answer {
    let state = State::read(&asked);
    let place = |name| Cursor::decode(asked.text(name)).ok();
    let (after, before) = (place("cursor"), place("before"));
    let backward = before.is_some();
    let wanted = state.asked(before.or(after), backward);
    let found = match users::list(page.app(), page.cx(), page.may()?, wanted).await {
        // A cursor made for another order leads nowhere; the list then begins at its beginning.
        Err(error) if is_about_the_place(&error) => {
            users::list(page.app(), page.cx(), page.may()?, state.asked(None, false)).await?
        }
        found => found?,
    };
    let content = content(&page, &state, found.users);
    let at = At::top(Section::Users, "Users");
    if headers.get("x-partial").is_some_and(|part| part == "rows") {
        return page.part("console/users/_rows.html", at, &content);
    }
    page.page("console/users/list.html", at, &content)
}

fn is_about_the_place(error: &Error) -> bool {
    matches!(&*error.kind, ErrorKind::Invalid(errors) if errors.get("cursor").is_some())
}

fn content(page: &ConsoleCx, state: &State, found: users::UserPage) -> ListPage {
    let users::UserPage { page: Page { items, next, total }, previous } = found;
    let link = |name, place: Option<Cursor>| place.map(|place| state.href(page, (name, &place.encode())));
    let pager =
        Pager { summary: total_text(total), prev_href: link("before", previous), next_href: link("cursor", next) };
    let filtered = state.kind.is_some() || state.enabled.is_some();
    let sort = state.sort_text();
    let hidden = [("kind", state.kind.map_or("", UserKind::as_str)), ("status", state.status()), ("sort", &sort)];
    let hidden = hidden.into_iter().filter(|(_, value)| !value.is_empty());
    ListPage {
        hidden: hidden.map(|(name, value)| Hidden { name, value: value.to_owned() }).collect(),
        filters: state.filters(page),
        clear_href: filtered.then(|| state.with(page, |state| (state.kind, state.enabled) = (None, None))),
        filtered: filtered || !state.q.is_empty(),
        columns: state.columns(page),
        users: items.iter().map(|user| row(page, user)).collect(),
        bulk: [],
        total: TotalView { text: total_text(total), exact: total.exact },
        page: pager,
        q: state.q.clone(),
    }
}

fn row(page: &ConsoleCx, user: &User) -> Row {
    let (can, human) = (page.can(), user.kind == UserKind::Human);
    let attempts = user.failed_password_attempts.saturating_add(user.failed_otp_attempts);
    let failed = failed_attempts(user).map(|parts| Failed {
        text: count(u64::from(attempts), "failed attempt", "failed attempts"),
        title: format!("Wrong since the last success: {parts}"),
    });
    Row {
        id: user.id.to_string(),
        href: user_href(page, user.id),
        name: user.display_name().to_owned(),
        identifier: user.email.clone().unwrap_or_else(|| user.username.clone()),
        initials: initials(user.display_name()),
        hue: hue(&user.id.to_string()),
        kind: user.kind.as_str(),
        labels: user_labels(user, false),
        last_sign_in_at: page.time_opt(user.last_sign_in_at),
        created_at: page.time(user.created_at),
        failed_attempts: failed,
        enabled: user.enabled,
        is_admin: user.admin_role.is_some(),
        actions: RowActions {
            require_reset: human && can.credentials_reset && !user.requires_password_reset,
            temporary_password: human && can.credentials_set,
            administrator: can.admins_manage,
            disable: can.users_write && user.enabled,
            enable: can.users_write && !user.enabled,
            delete: can.users_delete,
        },
    }
}
