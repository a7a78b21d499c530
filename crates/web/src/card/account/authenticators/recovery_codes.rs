//! Recovery codes: made, and made anew, which ends the earlier ones.

use axum::response::Response;
use denizen_ops::{
    Error,
    account::{
        Fresh,
        authenticators::{self as own, recovery_codes_are_used},
    },
    crypto::Secret,
};
use serde::Serialize;

use super::{PATH, RECOVERY_CODES};
use crate::card::{
    Card,
    account::{
        Navigation,
        questions::{Button, button_page},
        visit::{Answer, Door, Visit},
    },
};

#[derive(Serialize)]
struct CodesPage {
    card: Card,
    navigation: Navigation,
    done: Option<String>,
    codes: Vec<String>,
    done_href: String,
}

/// The page that shows new recovery codes, once.
pub(super) fn codes_page(visit: &Visit<Fresh>, codes: &[Secret], done: Option<&str>) -> Response {
    let context = CodesPage {
        card: visit.card(visit.text("sign_in.recovery_codes.title")),
        navigation: visit.navigation(PATH),
        done: done.map(|id| visit.text(id)),
        codes: codes.iter().map(|code| code.expose().to_owned()).collect(),
        done_href: visit.href(PATH),
    };
    visit.page("card/account/codes.html", &context)
}

pub(super) async fn ask(door: Door) -> Answer {
    let visit = door.enter_fresh(RECOVERY_CODES).await?;
    visit
        .answer(async {
            let (listed, _) = own::list(&visit.web.app, &visit.cx, &visit.realm, visit.signed_in()).await?;
            if !recovery_codes_are_used(&visit.realm.realm.settings, &listed.authenticators) {
                return Err(Error::not_found("page"));
            }
            let first = listed.recovery_codes_left.is_none();
            let button = Button {
                of: PATH,
                path: RECOVERY_CODES,
                heading: visit.text("account.codes.title"),
                why: visit.text(if first { "account.codes.why_first" } else { "account.codes.why" }),
                submit: Some(visit.text("account.codes.submit")),
                danger: false,
            };
            Ok(button_page(&visit, button))
        })
        .await
}

pub(super) async fn make(door: Door) -> Answer {
    let visit = door.enter_fresh_form(RECOVERY_CODES).await?;
    visit
        .answer(async {
            let codes = own::replace_recovery_codes(&visit.web.app, &visit.cx, &visit.realm, &visit.who).await?;
            Ok(codes_page(&visit, &codes, None))
        })
        .await
}
