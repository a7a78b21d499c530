//! Whether an email or a phone number is verified, by an administrator's word or by a mail to its holder.

use denizen_model::{UserId, users::VerificationState};
use denizen_ops::users::{self, Contact};

use super::{Whose, show::user_href};
use crate::card::see_other;
use crate::console::{
    Answer, PageError,
    back::Back,
    flash::{self, Flash},
    forms::{Fields, Posted, mendable},
    frame::ConsoleCx,
};

async fn set(
    page: &ConsoleCx,
    id: UserId,
    (contact, wanted): (Contact, VerificationState),
    typed: &Fields,
    back: &Back,
    done: &str,
) -> Answer {
    let href = back.or(&user_href(page, id));
    let proof = page.may().map_err(|error| PageError::from(error).back_to(&href))?;
    match users::set_verification(page.app(), page.cx(), proof, id, contact, wanted, typed.version()).await {
        Ok(_) => page.done(&href, done),
        Err(error) => {
            let message = mendable(error)?.into_values().next().unwrap_or_default();
            Ok(flash::leave(page.app(), see_other(&href), &Flash::danger(message)))
        }
    }
}

const EMAIL: Contact = Contact::Email;
const PHONE: Contact = Contact::Phone;

pub(super) async fn verify_email(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    set(&page, id, (EMAIL, VerificationState::Verified), &typed, &back, "The email is marked as verified.").await
}

pub(super) async fn unverify_email(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    set(&page, id, (EMAIL, VerificationState::Unverified), &typed, &back, "The email is marked as not verified.").await
}

pub(super) async fn send_email(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    let wanted = (EMAIL, VerificationState::VerificationRequested);
    let done = if page.app().sends_mail() {
        "The verification mail is on its way. Its link works for a day."
    } else {
        "The verification mail waits: no mail server is configured."
    };
    set(&page, id, wanted, &typed, &back, done).await
}

pub(super) async fn verify_phone(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    set(&page, id, (PHONE, VerificationState::Verified), &typed, &back, "The phone number is marked as verified.").await
}

pub(super) async fn unverify_phone(page: ConsoleCx, Whose(id): Whose, back: Back, Posted(typed): Posted) -> Answer {
    let wanted = (PHONE, VerificationState::Unverified);
    set(&page, id, wanted, &typed, &back, "The phone number is marked as not verified.").await
}
