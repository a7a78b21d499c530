//! Sending the mail that verifies a user's email.

use denizen_ops::users;

use super::{Whose, show::user_href};
use crate::console::{Answer, frame::ConsoleCx};

pub(super) async fn send(page: ConsoleCx, Whose(id): Whose) -> Answer {
    let result = users::request_email_verification(page.app(), page.cx(), page.may()?, id).await;
    let text = if page.app().sends_mail() {
        "The verification mail is on its way. Its link works for a day."
    } else {
        "The verification mail waits: no mail server is configured."
    };
    page.outcome(result, &user_href(&page, id), text)
}
