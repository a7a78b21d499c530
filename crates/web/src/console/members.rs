//! The members on the page of a group or an organization: the list, adding somebody, taking somebody out.

use axum::extract::FromRequestParts;
use denizen_model::{UserId, pages::Page, users::User};
use denizen_ops::{Error, ErrorKind, members};
use http::request::Parts;
use serde::Serialize;

use super::{
    PageError,
    forms::Fields,
    frame::ConsoleCx,
    users::{Pager, path_id},
    words::{Label, count, number, query, user_labels},
};
use crate::render::{hue, initials};

/// How many members a page shows.
pub(super) const SHOWN: u32 = 50;

/// Serializes to what `console/_members.html` shows.
#[derive(Serialize)]
pub(super) struct MembersView {
    rows: Vec<Row>,
    page: Pager,
    /// Where a new member is sent to; nothing for those who may not.
    add_href: Option<String>,
    typed: String,
}

#[derive(Serialize)]
struct Row {
    href: String,
    name: String,
    identifier: String,
    initials: String,
    hue: u8,
    kind: &'static str,
    labels: Vec<Label>,
    remove_href: Option<String>,
}

impl MembersView {
    /// The members of what is at `href`.
    pub(super) fn new(page: &ConsoleCx, href: &str, may_change: bool, found: Page<User>, typed: &Fields) -> Self {
        let row = |user: &User| Row {
            href: page.href(&format!("users/{}", user.id)),
            name: user.display_name().to_owned(),
            identifier: user.email.clone().unwrap_or_else(|| user.username.clone()),
            initials: initials(user.display_name()),
            hue: hue(&user.id.to_string()),
            kind: user.kind.as_str(),
            labels: user_labels(user, false),
            remove_href: may_change.then(|| format!("{href}/members/{}/remove", user.id)),
        };
        Self {
            rows: found.items.iter().map(row).collect(),
            page: Pager {
                summary: count(found.total.count, "member", "members"),
                prev_href: None,
                next_href: found.next.map(|cursor| format!("{href}{}", query(&[("cursor", &cursor.encode())]))),
            },
            add_href: may_change.then(|| format!("{href}/members")),
            typed: typed.text("user").to_owned(),
        }
    }
}

/// The user that was typed into the form that adds one.
pub(super) async fn typed_user(page: &ConsoleCx, typed: &Fields) -> Result<User, Error> {
    let Some(text) = typed.given("user") else {
        return Err(Error::field("user", "Type the username or the email of a user."));
    };
    let found = members::find_user(page.app(), page.cx(), page.may()?, &text).await?;
    found.ok_or_else(|| {
        Error::field("user", "No user has this username, and not exactly one this email. Try their username or id.")
    })
}

/// What is said of a user or thing that was deleted while the page was open, beside the field.
pub(super) fn gone(error: Error, what: &str, field: &str) -> Error {
    match *error.kind {
        ErrorKind::NotFound(missing) if missing == what => Error::field(field, "This does not exist any more."),
        _ => error,
    }
}

/// What deleting takes from whom, in numbers.
pub(super) fn consequence(member_count: u64) -> String {
    match member_count {
        0 => "It has no members.".to_owned(),
        1 => "1 member loses it.".to_owned(),
        more if more > u64::from(members::MAX_DELETED_WITH) => format!(
            "It has {} members. With more than {} it cannot be deleted: remove its members first.",
            number(more),
            number(u64::from(members::MAX_DELETED_WITH))
        ),
        more => format!("{} members lose it.", number(more)),
    }
}

/// The `{user}` of the path.
pub(super) struct Member(pub(super) UserId);

impl<S: Send + Sync> FromRequestParts<S> for Member {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        Ok(Self(path_id(parts, state, "user").await?))
    }
}
