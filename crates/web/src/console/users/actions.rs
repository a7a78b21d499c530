//! What an agent does to one user: disable, enable, delete, and the password panel.

use denizen_model::{
    permissions::markers::{CredentialsSet, UsersDelete, UsersWrite},
    users::User,
};
use denizen_ops::{authenticators, users};
use serde::Serialize;

use super::{
    Whose,
    confirm::{About, Confirm, Field, temporary_page},
    new::password_hint,
    show::{Profile, at, user_href},
};
use crate::console::{
    Answer,
    back::Back,
    forms::{Errors, Fields, Posted, mendable_in},
    frame::ConsoleCx,
    words::count,
};

/// `2 sessions end at once: Firefox on macOS, Chrome on Android.`
pub(super) fn sessions_fact(page: &ConsoleCx, profile: &Profile) -> Option<String> {
    let live: Vec<&str> = profile
        .sessions
        .iter()
        .filter(|session| session.is_live(page.now()))
        .map(|session| session.device.as_str())
        .collect();
    let number = u64::try_from(live.len()).unwrap_or(0);
    let verb = if number == 1 { "ends" } else { "end" };
    let named: Vec<&str> = live.iter().copied().take(5).collect();
    let more = if live.len() > named.len() { " and others" } else { "" };
    (number > 0)
        .then(|| format!("{} {verb} at once: {}{more}.", count(number, "session", "sessions"), named.join(", ")))
}

fn token_fact(page: &ConsoleCx) -> String {
    let lifetime = super::super::words::duration(page.settings().access_token_seconds);
    format!("Access tokens that applications hold already run out within {lifetime}.")
}

pub(super) async fn confirm_disable(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    page.may::<UsersWrite>()?;
    ask_disable(&page, &Profile::load(&page, id).await?, &back, "", Errors::new())
}

fn ask_disable(page: &ConsoleCx, profile: &Profile, back: &Back, reason: &str, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let name = profile.user.display_name();
    let facts = sessions_fact(page, profile).into_iter().chain([token_fact(page)]).collect();
    let confirm = Confirm {
        title: format!("Disable {name}?"),
        lead: "They cannot sign in until somebody enables the account again. Everything is kept.".to_owned(),
        facts,
        action: back.carry(&about.href("/disable")),
        submit: "Disable user",
        danger: true,
        cancel_href: back.or(&about.href("")),
        fields: vec![Field::text("reason", "Reason", reason, "Shown in the audit log and on the profile.", true)],
    };
    about.ask("Disable", confirm, errors)
}

pub(super) async fn disable(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    match users::disable(page.app(), page.cx(), page.may()?, id, typed.given("reason")).await {
        Ok(user) => {
            let text = format!("{} is disabled and signed out everywhere.", user.display_name());
            page.done(&back.or(&user_href(&page, id)), text)
        }
        Err(error) => {
            let errors = mendable_in(error, &["reason"])?;
            ask_disable(&page, &Profile::load(&page, id).await?, &back, typed.text("reason"), errors)
        }
    }
}

pub(super) async fn enable(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    let result = users::enable(page.app(), page.cx(), page.may()?, id).await;
    page.outcome(result, &back.or(&user_href(&page, id)), "Enabled. They can sign in again.")
}

#[derive(Serialize)]
struct DeletePage {
    errors: Errors,
    user: DeletedUser,
    action: String,
    cancel_href: String,
    expected: String,
    facts: Vec<String>,
    values: DeleteValues,
}

#[derive(Serialize)]
struct DeletedUser {
    name: String,
    kind: &'static str,
}

#[derive(Serialize)]
struct DeleteValues {
    confirmation: String,
}

/// What must be typed to delete a user: the email, else the username.
fn expected(user: &User) -> &str {
    user.email.as_deref().unwrap_or(&user.username)
}

pub(super) async fn confirm_delete(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    page.may::<UsersDelete>()?;
    ask_delete(&page, &Profile::load(&page, id).await?, &back, "", Errors::new())
}

fn ask_delete(page: &ConsoleCx, profile: &Profile, back: &Back, typed: &str, errors: Errors) -> Answer {
    let user = &profile.user;
    let gone = [
        (profile.authenticators.len(), "authenticator", "authenticators"),
        (profile.keys.len(), "API key", "API keys"),
        (profile.roles.len(), "role", "roles"),
        (profile.groups.len(), "group", "groups"),
        (profile.memberships.len(), "membership", "memberships"),
        (user.attributes.len(), "attribute", "attributes"),
    ];
    let gone = gone.into_iter().filter(|(number, ..)| *number > 0);
    let gone: Vec<String> =
        gone.map(|(number, one, many)| count(u64::try_from(number).unwrap_or(0), one, many)).collect();
    let record = if gone.is_empty() {
        "The record is removed.".to_owned()
    } else {
        format!("The record is removed, with {}.", gone.join(", "))
    };
    let kept = "Past events stay in the audit log as they are.".to_owned();
    let fine = errors.is_empty();
    let content = DeletePage {
        errors,
        user: DeletedUser { name: user.display_name().to_owned(), kind: user.kind.as_str() },
        action: back.carry(&format!("{}/delete", user_href(page, user.id))),
        cancel_href: back.or(&user_href(page, user.id)),
        expected: expected(user).to_owned(),
        facts: sessions_fact(page, profile).into_iter().chain([record, kept]).collect(),
        values: DeleteValues { confirmation: typed.to_owned() },
    };
    let (template, at) = ("console/users/delete.html", at(page, user, Some("Delete")));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

pub(super) async fn delete(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    let proof = page.may()?;
    let profile = Profile::load(&page, id).await?;
    let confirmation = typed.text("confirmation").trim();
    if confirmation != expected(&profile.user) {
        let message = format!("This is not {}. Nothing was deleted.", expected(&profile.user));
        let errors = Errors::from([("confirmation".to_owned(), message)]);
        return ask_delete(&page, &profile, &back, confirmation, errors);
    }
    match users::delete(page.app(), page.cx(), proof, id, None).await {
        Ok(()) => {
            // Their own pages are gone; the list is not.
            let list = page.href("users");
            let own = user_href(&page, id);
            let href = Some(back.or(&list)).filter(|href| !href.starts_with(&own)).unwrap_or(list);
            page.done(&href, format!("{} is deleted.", profile.user.display_name()))
        }
        Err(error) => ask_delete(&page, &profile, &back, confirmation, mendable_in(error, &[])?),
    }
}

pub(super) async fn new_password(page: ConsoleCx, Whose(id): Whose) -> Answer {
    page.may::<CredentialsSet>()?;
    ask_password(&page, &Profile::load(&page, id).await?, None, Errors::new())
}

fn ask_password(page: &ConsoleCx, profile: &Profile, typed: Option<&Fields>, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let live = u64::try_from(profile.live_sessions(page)).unwrap_or(0);
    let open = if live == 1 {
        "1 session is open.".to_owned()
    } else {
        format!("{} are open.", count(live, "session", "sessions"))
    };
    let ticked = |name| typed.is_none_or(|typed| typed.ticked(name));
    let lead = if profile.password().is_none() {
        "They can sign in with it at once."
    } else {
        "It replaces the present one at once."
    };
    let confirm = Confirm {
        title: format!("Set a password for {}", profile.user.display_name()),
        lead: lead.to_owned(),
        facts: Vec::new(),
        action: about.href("/password"),
        submit: "Set password",
        danger: false,
        cancel_href: about.href("/authenticators"),
        fields: vec![
            Field::password(password_hint(page)),
            Field::tick(
                "require_reset",
                "Ask for a new one at the next sign-in",
                String::new(),
                ticked("require_reset"),
            ),
            Field::tick("end_sessions", "End all sessions", open, ticked("end_sessions")),
        ],
    };
    about.ask("Set password", confirm, errors)
}

pub(super) async fn set_password(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    let password = typed.text("password").to_owned();
    let (change, end) = (typed.ticked("require_reset"), typed.ticked("end_sessions"));
    match authenticators::set_password(page.app(), page.cx(), page.may()?, id, password, change, end).await {
        Ok(()) => page.done(&format!("{}/authenticators", user_href(&page, id)), "The password is set."),
        Err(error) => {
            let errors = mendable_in(error, &["password"])?;
            ask_password(&page, &Profile::load(&page, id).await?, Some(&typed), errors)
        }
    }
}

pub(super) async fn confirm_temporary(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    page.may::<CredentialsSet>()?;
    ask_temporary(&page, &Profile::load(&page, id).await?, &back, Errors::new())
}

fn ask_temporary(page: &ConsoleCx, profile: &Profile, back: &Back, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let replaced = profile.password().is_some().then(|| "The present password stops working at once.".to_owned());
    let confirm = Confirm {
        title: format!("Generate a temporary password for {}?", profile.user.display_name()),
        lead: "It is shown to you once. They choose their own at the next sign-in.".to_owned(),
        facts: replaced.into_iter().chain(sessions_fact(page, profile)).collect(),
        action: back.carry(&about.href("/temporary-password")),
        submit: "Generate password",
        danger: false,
        cancel_href: back.or(&about.href("/authenticators")),
        fields: Vec::new(),
    };
    about.ask("Temporary password", confirm, errors)
}

pub(super) async fn temporary_password(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    match authenticators::issue_temporary_password(page.app(), page.cx(), page.may()?, id).await {
        Ok(password) => {
            let user = users::get(page.app(), page.cx(), page.may()?, id).await?;
            let heading = format!("A temporary password for {}", user.display_name());
            temporary_page(&page, &user, heading, &password, &back)
        }
        Err(error) => ask_temporary(&page, &Profile::load(&page, id).await?, &back, mendable_in(error, &[])?),
    }
}

pub(super) async fn confirm_clear(page: ConsoleCx, Whose(id): Whose) -> Answer {
    page.may::<CredentialsSet>()?;
    ask_clear(&page, &Profile::load(&page, id).await?, Errors::new())
}

fn ask_clear(page: &ConsoleCx, profile: &Profile, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let confirm = Confirm {
        title: format!("Clear the password of {}?", profile.user.display_name()),
        lead: "They cannot sign in with a password until a new one is set.".to_owned(),
        facts: vec!["Sessions that are open go on.".to_owned()],
        action: about.href("/password/clear"),
        submit: "Clear password",
        danger: true,
        cancel_href: about.href("/authenticators"),
        fields: Vec::new(),
    };
    about.ask("Clear password", confirm, errors)
}

pub(super) async fn clear_password(page: ConsoleCx, Whose(id): Whose) -> Answer {
    match authenticators::clear_password(page.app(), page.cx(), page.may()?, id).await {
        Ok(()) => page.done(&format!("{}/authenticators", user_href(&page, id)), "The password is cleared."),
        Err(error) => ask_clear(&page, &Profile::load(&page, id).await?, mendable_in(error, &[])?),
    }
}

async fn change_reset(page: &ConsoleCx, id: denizen_model::UserId, back: &Back, required: bool, text: &str) -> Answer {
    let result = authenticators::require_password_reset(page.app(), page.cx(), page.may()?, id, required).await;
    page.outcome(result, &back.or(&format!("{}/authenticators", user_href(page, id))), text)
}

pub(super) async fn require_reset(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    change_reset(&page, id, &back, true, "A new password is asked for at the next sign-in.").await
}

pub(super) async fn cancel_reset(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    change_reset(&page, id, &back, false, "The password reset is cancelled.").await
}
