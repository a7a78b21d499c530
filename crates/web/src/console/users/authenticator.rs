//! What agents do with one authenticator, with locks, and with what is required at the next sign-in.

use axum::extract::FromRequestParts;
use denizen_model::{
    AuthenticatorId, Timestamp,
    authenticators::{Authenticator, AuthenticatorType, RequiredAction},
    permissions::markers::CredentialsReset,
    reset_requests::ResetKind,
};
use denizen_ops::{
    Error,
    authenticators::state::{self, Change},
    lockouts, required_actions,
};
use http::request::Parts;
use serde::Serialize;

use super::{
    Whose,
    confirm::{About, Confirm, Field, codes_page},
    path_id,
    resets::is_offered,
    show::{Profile, user_href},
};
use crate::console::{
    Answer, PageError,
    back::Back,
    forms::{Errors, Posted, mendable_in},
    frame::ConsoleCx,
};

/// Something that can be done with a row.
#[derive(Serialize)]
pub(super) struct RowAction {
    label: &'static str,
    icon: &'static str,
    href: String,
    /// It asks first.
    dialog: bool,
    danger: bool,
}

/// What can be done with an authenticator.
pub(super) fn actions_on(page: &ConsoleCx, profile: &Profile, one: &Authenticator) -> Vec<RowAction> {
    let href = |verb: &str| format!("{}/authenticators/{}/{verb}", profile.href(page), one.id);
    let act = |label, icon, verb, dialog| RowAction { label, icon, href: href(verb), dialog, danger: false };
    let locked = one.locked_at.is_some() || one.locked_until(&profile.lockouts, page.now()).is_some();
    let reset = ResetKind::of_authenticator(one.kind).filter(|kind| is_offered(page, *kind));
    let reset = reset.map(|kind| RowAction {
        label: "Send reset…",
        icon: "mail",
        href: format!("{}/send-reset?which={kind}", profile.href(page)),
        dialog: true,
        danger: false,
    });
    let mut actions: Vec<RowAction> = reset.into_iter().collect();
    actions.extend([
        if locked { act("Unlock", "unlock", "unlock", false) } else { act("Lock", "lock", "lock", false) },
        if one.is_deactivated(page.now()) {
            act("Switch on", "check", "reactivate", false)
        } else {
            act("Switch off…", "ban", "deactivate", true)
        },
    ]);
    if !one.kind.comes_with_address() {
        actions.push(RowAction { danger: true, ..act("Delete…", "trash", "delete", true) });
    }
    actions
}

/// The authenticator in the path.
pub(super) struct Which(AuthenticatorId);

impl<S: Send + Sync> FromRequestParts<S> for Which {
    type Rejection = PageError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        path_id(parts, state, "authenticator").await.map(Self)
    }
}

fn tab_href(page: &ConsoleCx, id: denizen_model::UserId) -> String {
    format!("{}/authenticators", user_href(page, id))
}

async fn change(page: &ConsoleCx, id: denizen_model::UserId, which: AuthenticatorId, to: Change, done: &str) -> Answer {
    let result = state::change(page.app(), page.cx(), page.may()?, id, which, to).await;
    page.outcome(result, &tab_href(page, id), done)
}

pub(super) async fn lock(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    change(&page, id, which, Change::Lock, "It is locked until you unlock it.").await
}

pub(super) async fn unlock_one(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    change(&page, id, which, Change::Unlock, "It is unlocked.").await
}

pub(super) async fn reactivate(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    change(&page, id, which, Change::Reactivate, "It is switched on.").await
}

fn find(profile: &Profile, id: AuthenticatorId) -> Result<&Authenticator, Error> {
    profile.authenticators.iter().find(|one| one.id == id).ok_or_else(|| Error::not_found("authenticator"))
}

pub(super) async fn confirm_deactivate(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    page.may::<CredentialsReset>()?;
    ask_deactivate(&page, &Profile::load(&page, id).await?, which, "", Errors::new())
}

fn ask_deactivate(page: &ConsoleCx, profile: &Profile, id: AuthenticatorId, until: &str, errors: Errors) -> Answer {
    let one = find(profile, id)?;
    let about = About { page, user: &profile.user };
    let confirm = Confirm {
        title: format!("Switch off: {}?", one.kind.title().to_lowercase()),
        lead: format!("{} cannot use it until it is switched on again.", profile.user.display_name()),
        facts: vec!["Sessions that are open go on.".to_owned()],
        action: about.href(&format!("/authenticators/{id}/deactivate")),
        submit: "Switch off",
        danger: false,
        cancel_href: about.href("/authenticators"),
        fields: vec![Field::text("hours", "For how many hours", until, "Empty: for good.", true)],
    };
    about.ask("Switch off", confirm, errors)
}

/// The end of so many hours from now; nothing is for good.
fn read_hours(text: &str, now: Timestamp) -> Result<Option<Timestamp>, &'static str> {
    const MOST: u64 = 24 * 366;
    match text.trim() {
        "" => Ok(None),
        text => match text.parse::<u64>() {
            Ok(hours @ 1..=MOST) => Ok(Some(now.plus(std::time::Duration::from_secs(hours * 3600)))),
            _ => Err("A whole number of hours, up to a year."),
        },
    }
}

pub(super) async fn deactivate(
    page: ConsoleCx,
    Whose(id): Whose,
    Which(which): Which,
    Posted(typed): Posted,
) -> Answer {
    let hours = typed.text("hours");
    let until = match read_hours(hours, page.now()) {
        Ok(until) => until,
        Err(message) => {
            let profile = Profile::load(&page, id).await?;
            let errors = Errors::from([("hours".to_owned(), message.to_owned())]);
            return ask_deactivate(&page, &profile, which, hours, errors);
        }
    };
    change(&page, id, which, Change::Deactivate(until), "It is switched off.").await
}

pub(super) async fn confirm_delete(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    page.may::<CredentialsReset>()?;
    ask_delete(&page, &Profile::load(&page, id).await?, which, Errors::new())
}

fn ask_delete(page: &ConsoleCx, profile: &Profile, id: AuthenticatorId, errors: Errors) -> Answer {
    let one = find(profile, id)?;
    let about = About { page, user: &profile.user };
    let rest = profile.authenticators.iter().filter(|other| other.id != id).count();
    let left = if rest == 0 { "It is the only one they have." } else { "They keep the others." };
    let confirm = Confirm {
        title: format!("Delete: {}?", one.kind.title().to_lowercase()),
        lead: "It stops working at once. This is final.".to_owned(),
        facts: vec![left.to_owned(), "Browsers that were remembered are forgotten.".to_owned()],
        action: about.href(&format!("/authenticators/{id}/delete")),
        submit: "Delete",
        danger: true,
        cancel_href: about.href("/authenticators"),
        fields: Vec::new(),
    };
    about.ask("Delete authenticator", confirm, errors)
}

pub(super) async fn delete(page: ConsoleCx, Whose(id): Whose, Which(which): Which) -> Answer {
    match state::change(page.app(), page.cx(), page.may()?, id, which, Change::Remove).await {
        Ok(()) => page.done(&tab_href(&page, id), "It is deleted."),
        Err(error) => ask_delete(&page, &Profile::load(&page, id).await?, which, mendable_in(error, &[])?),
    }
}

/// Ends the locks of lockout rules.
pub(super) async fn unlock(page: ConsoleCx, Whose(id): Whose, back: Back) -> Answer {
    let result = lockouts::unlock(page.app(), page.cx(), page.may()?, id).await.map(drop);
    page.outcome(result, &back.or(&tab_href(&page, id)), "They are unlocked, and failed attempts are forgotten.")
}

pub(super) async fn confirm_codes(page: ConsoleCx, Whose(id): Whose) -> Answer {
    page.may::<CredentialsReset>()?;
    ask_codes(&page, &Profile::load(&page, id).await?, Errors::new())
}

fn ask_codes(page: &ConsoleCx, profile: &Profile, errors: Errors) -> Answer {
    let about = About { page, user: &profile.user };
    let has = profile.authenticators.iter().any(|one| one.kind == AuthenticatorType::RecoveryCodes);
    let facts = if has { vec!["The codes they have stop working.".to_owned()] } else { Vec::new() };
    let confirm = Confirm {
        title: format!("Issue recovery codes for {}?", profile.user.display_name()),
        lead: "Ten codes are shown on the next page, to be handed over. Each stands in once for the second factor."
            .to_owned(),
        facts,
        action: about.href("/recovery-codes"),
        submit: "Issue codes",
        danger: false,
        cancel_href: about.href("/authenticators"),
        fields: Vec::new(),
    };
    about.ask("Recovery codes", confirm, errors)
}

pub(super) async fn issue_codes(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let issued = state::issue_recovery_codes(page.app(), page.cx(), page.may()?, id).await;
    let profile = Profile::load(&page, id).await?;
    match issued {
        Ok(codes) => codes_page(&page, &profile.user, &codes),
        Err(error) => ask_codes(&page, &profile, mendable_in(error, &[])?),
    }
}

pub(super) async fn require_otp(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let done = "An authenticator app is set up at the next sign-in.";
    let result =
        required_actions::set(page.app(), page.cx(), page.may()?, id, RequiredAction::ConfigureOtp, true).await;
    page.outcome(result, &tab_href(&page, id), done)
}

pub(super) async fn require_passkey(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let done = "A passkey is made at the next sign-in; those there are stay valid.";
    let action = RequiredAction::RegisterPasskey;
    let result = required_actions::set(page.app(), page.cx(), page.may()?, id, action, true).await;
    page.outcome(result, &tab_href(&page, id), done)
}

/// Requires what the form names.
pub(super) async fn require_action(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    page.may::<CredentialsReset>()?;
    let action = RequiredAction::from_name(typed.text("action")).ok_or_else(|| Error::not_found("required action"))?;
    let result = required_actions::set(page.app(), page.cx(), page.may()?, id, action, true).await;
    page.outcome(result, &tab_href(&page, id), "It is asked for at the next sign-in.")
}

pub(super) async fn cancel_action(page: ConsoleCx, Whose(id): Whose, Posted(typed): Posted) -> Answer {
    page.may::<CredentialsReset>()?;
    let action = RequiredAction::from_name(typed.text("action")).ok_or_else(|| Error::not_found("required action"))?;
    let result = required_actions::set(page.app(), page.cx(), page.may()?, id, action, false).await;
    page.outcome(result, &tab_href(&page, id), "It is no longer required.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_whole_and_at_most_a_year() {
        let now = Timestamp::from_secs(1000);
        assert_eq!(read_hours(" ", now), Ok(None));
        assert_eq!(read_hours("2", now), Ok(Some(Timestamp::from_secs(8200))));
        for wrong in ["0", "-1", "1.5", "9000", "x", "99999999999999999999"] {
            assert!(read_hours(wrong, now).is_err(), "{wrong}");
        }
    }
}
