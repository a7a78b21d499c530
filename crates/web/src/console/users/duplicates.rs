//! Likely duplicates, side by side, to be looked at one after the other.

use denizen_model::{
    UserId,
    duplicates::{DuplicateReason, MAX_GROUP},
    pages::{Cursor, Total},
    users::User,
};
use denizen_ops::users::duplicates::{self, Duplicates};
use serde::Serialize;

use super::{
    list::{Filter, FilterOption, filter},
    show::user_href,
};
use crate::{
    card::see_other,
    console::{
        Answer,
        flash::{self, Flash},
        forms::{Asked, Posted, mendable},
        frame::{At, ConsoleCx, Section},
        words::{Label, count, number, query, user_labels},
    },
    render::{TimeView, hue, initials},
};

/// How many groups a page shows.
const SHOWN: u32 = 20;

#[derive(Serialize)]
struct DuplicatesPage {
    summary: String,
    filter: Filter,
    groups: Vec<GroupView>,
    next_href: Option<String>,
    here: String,
}

#[derive(Serialize)]
struct GroupView {
    id: String,
    heading: &'static str,
    more: Option<String>,
    people: Vec<PersonView>,
    facts: Vec<FactRow>,
}

#[derive(Serialize)]
struct PersonView {
    id: String,
    href: String,
    name: String,
    initials: String,
    hue: u8,
    kind: &'static str,
    labels: Vec<Label>,
}

/// A row of the comparison: one cell a person.
#[derive(Serialize)]
struct FactRow {
    label: &'static str,
    cells: Vec<Cell>,
    /// Whether all have the same.
    same: bool,
}

#[derive(Serialize)]
struct Cell {
    text: Option<String>,
    time: Option<TimeView>,
}

fn words(reason: DuplicateReason) -> &'static str {
    match reason {
        DuplicateReason::Email => "Emails that lead to one mailbox",
        DuplicateReason::Phone => "The same phone number",
        DuplicateReason::Birthday => "The same name and birthday",
        DuplicateReason::Reference => "The same name and reference",
    }
}

fn facts(page: &ConsoleCx, users: &[User]) -> Vec<FactRow> {
    let texts = |label, of: fn(&User) -> Option<String>| {
        let cells: Vec<Cell> = users.iter().map(|user| Cell { text: of(user), time: None }).collect();
        let first = users.first().and_then(of);
        FactRow { label, same: users.iter().all(|user| of(user) == first), cells }
    };
    let times = |label, of: fn(&User) -> Option<denizen_model::Timestamp>| FactRow {
        label,
        same: false,
        cells: users.iter().map(|user| Cell { text: None, time: page.time_opt(of(user)) }).collect(),
    };
    let rows = [
        texts("Username", |user| Some(user.username.clone())),
        texts("Email", |user| user.email.clone()),
        texts("Phone", |user| user.phone.clone()),
        texts("Reference", |user| user.reference.clone()),
    ];
    let told = rows.into_iter().filter(|row| row.cells.iter().any(|cell| cell.text.is_some()));
    let when = [times("Last sign-in", |user| user.last_sign_in_at), times("Created", |user| Some(user.created_at))];
    told.chain(when).collect()
}

fn group(page: &ConsoleCx, found: &Duplicates) -> GroupView {
    let person = |user: &User| PersonView {
        id: user.id.to_string(),
        href: user_href(page, user.id),
        name: user.display_name().to_owned(),
        initials: initials(user.display_name()),
        hue: hue(&user.id.to_string()),
        kind: user.kind.as_str(),
        labels: user_labels(user, true),
    };
    let first = found.users.first().map(|user| user.id.to_string()).unwrap_or_default();
    GroupView {
        id: format!("{}-{first}", found.reason.letter()),
        heading: words(found.reason),
        more: found.more.then(|| format!("The first {MAX_GROUP} are shown; there are more.")),
        people: found.users.iter().map(person).collect(),
        facts: facts(page, &found.users),
    }
}

fn summary(total: Total) -> String {
    if total.exact {
        count(total.count, "group to review", "groups to review")
    } else {
        format!("More than {} groups to review", number(total.count))
    }
}

pub(super) async fn show(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    let reason = DuplicateReason::from_name(asked.text("reason"));
    let name = reason.map_or("", DuplicateReason::as_str);
    let after = Cursor::decode(asked.text("cursor")).ok();
    let found = duplicates::list(page.app(), page.cx(), page.may()?, reason, after, SHOWN).await?;
    let href = page.href("users/duplicates");
    let with = |reason: &str, cursor: &str| format!("{href}{}", query(&[("reason", reason), ("cursor", cursor)]));
    let options = DuplicateReason::ALL.iter().map(|reason| FilterOption {
        label: words(*reason),
        href: with(reason.as_str(), ""),
        current: reason.as_str() == name,
    });
    let content = DuplicatesPage {
        summary: summary(found.total),
        filter: filter("reason", "Reason", options.collect(), || href.clone()),
        groups: found.items.iter().map(|item| group(&page, item)).collect(),
        next_href: found.next.map(|cursor| with(name, &cursor.encode())),
        here: with(name, asked.text("cursor")),
    };
    let at = At::under(Section::Users, &[("Users", page.href("users"))], "Likely duplicates");
    page.page("console/users/duplicates.html", at, &content)
}

pub(super) async fn dismiss(page: ConsoleCx, Asked(asked): Asked, Posted(typed): Posted) -> Answer {
    let href = format!(
        "{}{}",
        page.href("users/duplicates"),
        query(&[("reason", asked.text("reason")), ("cursor", asked.text("cursor"))])
    );
    let ids: Vec<UserId> = typed.all("user").into_iter().filter_map(|id| id.parse().ok()).collect();
    match duplicates::dismiss(page.app(), page.cx(), page.may()?, ids).await {
        Ok(()) => page.done(&href, "Noted: they are different people."),
        Err(error) => {
            let mut errors = mendable(error)?;
            let message = errors.remove("user_ids").map(|_| "Tick at least two people.".to_owned());
            let message = message.or(errors.into_values().next()).unwrap_or_default();
            Ok(flash::leave(page.app(), see_other(&href), &Flash::danger(message)))
        }
    }
}
