//! One thing done to many users: the question with its count, and the job that it starts.

use axum::response::Response;
use denizen_model::{
    GroupId, UserId,
    jobs::{BulkAction, BulkUsers, MAX_BULK_IDS, UserSet},
    pages::{Page, Total},
    permissions::{
        Permission,
        markers::{CredentialsReset, GroupsWrite, SessionsRevoke, UsersDelete, UsersWrite},
    },
    users::{User, UserKind},
};
use denizen_ops::{Error, groups, jobs, members::NameQuery};
use serde::Serialize;

use crate::console::{
    Answer, PageError,
    forms::{Asked, Errors, Fields, Posted, mendable_in},
    frame::{At, ConsoleCx, Section},
    jobs::{job_href, readable},
    words::{count, number},
};

/// How many groups are offered while one is typed.
const OFFERED: u32 = 500;

#[derive(Serialize)]
struct BulkPage {
    title: String,
    lead: &'static str,
    who: String,
    names: Vec<String>,
    more: Option<String>,
    action: String,
    hidden: Vec<(&'static str, String)>,
    groups: Option<Vec<String>>,
    asks_reason: bool,
    word: Option<&'static str>,
    submit: &'static str,
    danger: bool,
    cancel_href: String,
    values: Values,
    errors: Errors,
}

#[derive(Serialize)]
struct Values {
    group: String,
    reason: String,
    confirmation: String,
}

/// What is asked for, as the list and the question's own form send it.
struct Wanted {
    action: BulkAction,
    set: UserSet,
}

impl Wanted {
    fn read(fields: &Fields) -> Result<Self, Error> {
        let action = BulkAction::from_name(fields.text("action"))
            .ok_or_else(|| Error::field("action", "There is no such action."))?;
        if fields.ticked("all") {
            let query = list_query(fields.text("query"));
            let expected_count = fields.text("expected_count").parse().ok();
            return Ok(Self { action, set: UserSet::Filter { query, expected_count } });
        }
        let ids: Vec<UserId> = fields.all("ids").iter().filter_map(|id| id.parse().ok()).take(MAX_BULK_IDS).collect();
        if ids.is_empty() {
            return Err(Error::field("form", "No user is selected."));
        }
        Ok(Self { action, set: UserSet::Ids(ids) })
    }

    /// The address at which the same is asked again, for whoever has to sign in in between.
    fn href(&self, page: &ConsoleCx) -> String {
        let mut out = form_urlencoded::Serializer::new(format!("{}?", page.href("users/bulk")));
        for (name, value) in self.hidden() {
            out.append_pair(name, &value);
        }
        out.finish()
    }

    fn hidden(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("action", self.action.as_str().to_owned())];
        match &self.set {
            UserSet::Ids(ids) => fields.extend(ids.iter().map(|id| ("ids", id.to_string()))),
            UserSet::Filter { query, .. } => {
                fields.extend([("all", "true".to_owned()), ("query", query.clone())]);
            }
        }
        fields
    }

    fn words(&self) -> Words {
        match self.action {
            BulkAction::Delete => Words {
                question: "Delete {}?",
                submit: "Delete users",
                lead: "They are removed for good, with all that hangs on them. This cannot be undone.",
            },
            BulkAction::Enable => {
                Words { question: "Enable {}?", submit: "Enable users", lead: "They can sign in again." }
            }
            BulkAction::Disable => Words {
                question: "Disable {}?",
                submit: "Disable users",
                lead: "They cannot sign in until somebody enables them again, and their sessions end at once. Everything is kept.",
            },
            BulkAction::AddToGroup => Words {
                question: "Add {} to a group?",
                submit: "Add to group",
                lead: "The group is in their next tokens. Whoever is in it already stays in it.",
            },
            BulkAction::RemoveFromGroup => Words {
                question: "Remove {} from a group?",
                submit: "Remove from group",
                lead: "Access to applications for this group only ends at the next token refresh at the latest.",
            },
            BulkAction::RequirePasswordReset => Words {
                question: "Require a password reset of {}?",
                submit: "Require reset",
                lead: "They choose a new password at their next sign-in. Open sessions go on.",
            },
            BulkAction::EndSessions => Words {
                question: "End the sessions of {}?",
                submit: "End sessions",
                lead: "They are signed out everywhere and can sign in again.",
            },
        }
    }

    fn is_grave(&self) -> bool {
        matches!(self.action, BulkAction::Delete | BulkAction::Disable | BulkAction::RemoveFromGroup)
    }
}

struct Words {
    /// The title, with a place for the count.
    question: &'static str,
    submit: &'static str,
    lead: &'static str,
}

/// The parameters that make up a list, without its place and its looks.
pub(super) fn list_query(query: &str) -> String {
    let kept = form_urlencoded::parse(query.trim_start_matches('?').as_bytes())
        .filter(|(name, value)| !matches!(&**name, "cursor" | "before" | "limit" | "columns") && !value.is_empty());
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}

/// Refuses whoever may not do this to one user.
fn check(page: &ConsoleCx, action: BulkAction) -> Result<(), Error> {
    match action.permission() {
        Permission::UsersDelete => page.may::<UsersDelete>().map(drop),
        Permission::GroupsWrite => page.may::<GroupsWrite>().map(drop),
        Permission::CredentialsReset => page.may::<CredentialsReset>().map(drop),
        Permission::SessionsRevoke => page.may::<SessionsRevoke>().map(drop),
        _ => page.may::<UsersWrite>().map(drop),
    }
}

/// The question, asked by the list's form.
pub(super) async fn ask_posted(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    open(page, &typed).await
}

/// The question at an address of its own.
pub(super) async fn ask(page: ConsoleCx, Asked(asked): Asked) -> Answer {
    open(page, &asked).await
}

async fn open(page: ConsoleCx, typed: &Fields) -> Answer {
    let wanted = match Wanted::read(typed) {
        Ok(wanted) => wanted,
        Err(error) => return nothing_selected(&page, typed, error),
    };
    check(&page, wanted.action).map_err(|error| PageError::from(error).back_to(&wanted.href(&page)))?;
    show(&page, &wanted, typed, Errors::new()).await
}

/// Back to the list with what is wrong.
fn nothing_selected(page: &ConsoleCx, typed: &Fields, error: Error) -> Answer {
    let errors = mendable_in(error, &[])?;
    let text = errors.into_values().next().unwrap_or_default();
    let query = list_query(typed.text("query"));
    let joint = if query.is_empty() { "" } else { "?" };
    let refused: Result<(), Error> = Err(Error::conflict("nothing-selected", text));
    page.outcome(refused, &format!("{}{joint}{query}", page.href("users")), "")
}

fn counted(total: Total) -> String {
    let text = count(total.count, "user", "users");
    if total.exact { text } else { format!("about {text}") }
}

async fn show(page: &ConsoleCx, wanted: &Wanted, typed: &Fields, errors: Errors) -> Answer {
    let Page { items, total, .. } = jobs::preview(page.app(), page.cx(), page.may()?, wanted.set.clone()).await?;
    let words = wanted.words();
    let shown = u64::try_from(items.len()).unwrap_or(0);
    let mut hidden = wanted.hidden();
    if matches!(wanted.set, UserSet::Filter { .. }) {
        hidden.push(("expected_count", total.count.to_string()));
    }
    let list = match &wanted.set {
        UserSet::Filter { query, .. } if !query.is_empty() => format!("{}?{query}", page.href("users")),
        _ => page.href("users"),
    };
    let fine = errors.is_empty();
    let content = BulkPage {
        title: words.question.replace("{}", &counted(total)),
        lead: words.lead,
        who: match &wanted.set {
            UserSet::Ids(_) => "The users you have selected".to_owned(),
            UserSet::Filter { query, .. } => format!("All users in the list: {}", readable(query)),
        },
        names: items.iter().map(named).collect(),
        more: (total.count > shown).then(|| format!("and {} more", number(total.count - shown))),
        action: page.href("users/bulk/start"),
        hidden,
        groups: if wanted.action.names_group() { Some(group_names(page).await?) } else { None },
        asks_reason: wanted.action == BulkAction::Disable,
        word: (wanted.action == BulkAction::Delete).then_some(WORD),
        submit: words.submit,
        danger: wanted.is_grave(),
        cancel_href: list,
        values: Values {
            group: typed.text("group").to_owned(),
            reason: typed.text("reason").to_owned(),
            confirmation: typed.text("confirmation").to_owned(),
        },
        errors,
    };
    let at = At::under(Section::Users, &[("Users", page.href("users"))], words.submit);
    let template = "console/users/bulk.html";
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

/// What must be typed to delete many.
const WORD: &str = "delete";

fn named(user: &User) -> String {
    match (user.kind, user.name.is_empty()) {
        (UserKind::Human, false) => format!("{} ({})", user.name, user.email.as_deref().unwrap_or(&user.username)),
        _ => user.display_name().to_owned(),
    }
}

async fn group_names(page: &ConsoleCx) -> Result<Vec<String>, Error> {
    let query = NameQuery { limit: OFFERED, ..NameQuery::default() };
    let found = groups::list(page.app(), page.cx(), page.may()?, query).await?;
    Ok(found.items.into_iter().map(|group| group.name).collect())
}

async fn find_group(page: &ConsoleCx, typed: &str) -> Result<Option<GroupId>, Error> {
    Ok(groups::find_by_name(page.app(), page.cx(), page.may()?, typed).await?.map(|group| group.id))
}

/// Starts the job.
pub(super) async fn start(page: ConsoleCx, Posted(typed): Posted) -> Result<Response, PageError> {
    let wanted = match Wanted::read(&typed) {
        Ok(wanted) => wanted,
        Err(error) => return nothing_selected(&page, &typed, error),
    };
    check(&page, wanted.action).map_err(|error| PageError::from(error).back_to(&wanted.href(&page)))?;
    let mut errors = Errors::new();
    if wanted.action == BulkAction::Delete && !typed.text("confirmation").trim().eq_ignore_ascii_case(WORD) {
        errors.insert("confirmation".to_owned(), format!("Type {WORD} to confirm."));
    }
    let mut group_id = None;
    if wanted.action.names_group() {
        match typed.given("group") {
            None => drop(errors.insert("group".to_owned(), "Say which group.".to_owned())),
            Some(name) => {
                group_id = find_group(&page, &name).await?;
                if group_id.is_none() {
                    errors.insert("group".to_owned(), "There is no group of that name.".to_owned());
                }
            }
        }
    }
    if !errors.is_empty() {
        return show(&page, &wanted, &typed, errors).await;
    }
    let reason = typed.given("reason").filter(|_| wanted.action == BulkAction::Disable);
    let asked = BulkUsers { action: wanted.action, users: wanted.set.clone(), group_id, reason };
    match jobs::bulk(page.app(), page.cx(), page.may()?, asked).await {
        Ok(job) => Ok(crate::card::see_other(&job_href(&page, job.id))),
        Err(error) => show(&page, &wanted, &typed, mendable_in(error, &["reason"])?).await,
    }
}
