//! An authenticator app: set up, with the first code from it as the proof, or replaced by another one.

use std::collections::BTreeMap;

use axum::{Form, response::Response};
use denizen_model::{authenticators::AuthenticatorType, validation::FieldErrors};
use denizen_ops::{
    Error,
    account::{Fresh, authenticators as own},
    crypto::Secret,
    flows::sign_in::actions::TotpSetUp,
};
use serde::{Deserialize, Serialize};

use super::{APP, PATH, recovery_codes::codes_page};
use crate::card::{
    Card,
    account::{
        Navigation,
        visit::{Answer, Door, Visit, mendable},
    },
    field_messages,
};

#[derive(Serialize)]
struct AppPage {
    card: Card,
    navigation: Navigation,
    action: String,
    cancel_href: String,
    state: String,
    /// SVG of our own making, with nothing in it that anybody typed.
    picture: Option<String>,
    secret: String,
    /// There is an app already, in whose place this one comes.
    replaces: bool,
    errors: BTreeMap<String, String>,
}

#[derive(Deserialize)]
pub(super) struct AppForm {
    #[serde(default)]
    state: String,
    #[serde(default)]
    code: Secret,
}

async fn app_page(
    visit: &Visit<Fresh>,
    (set_up, state): (TotpSetUp, String),
    errors: &FieldErrors,
) -> Result<Response, Error> {
    let (listed, _) = own::list(&visit.web.app, &visit.cx, &visit.realm, visit.signed_in()).await?;
    let context = AppPage {
        card: visit.card(visit.text("sign_in.configure_otp.title")),
        navigation: visit.navigation(PATH),
        action: visit.href(APP),
        cancel_href: visit.href(PATH),
        state,
        picture: set_up.picture.map(|picture| picture.expose().to_owned()),
        secret: set_up.text.expose().to_owned(),
        replaces: listed.authenticators.iter().any(|one| one.kind == AuthenticatorType::Totp),
        errors: field_messages(&visit.web, errors),
    };
    Ok(visit.form_page(errors, "card/account/app.html", &context))
}

pub(super) async fn begin(door: Door) -> Answer {
    let visit = door.enter_fresh(APP).await?;
    visit
        .answer(async {
            let begun = own::begin_app(&visit.web.app, &visit.cx, &visit.realm, &visit.who)?;
            app_page(&visit, begun, &FieldErrors::new()).await
        })
        .await
}

pub(super) async fn confirm(door: Door, Form(form): Form<AppForm>) -> Answer {
    let visit = door.enter_fresh_form(APP).await?;
    let (app, cx, realm, who) = (&visit.web.app, &visit.cx, &visit.realm, &visit.who);
    visit
        .answer(async {
            match own::confirm_app(app, cx, realm, who, &form.state, &form.code).await {
                Ok(Some(codes)) => Ok(codes_page(&visit, &codes, Some("account.app.done"))),
                Ok(None) => Ok(visit.lead_to("/authenticators?done=app")),
                Err(error) => {
                    let errors = mendable(error)?;
                    let set_up = own::app_again(app, cx, realm, who, &form.state)?;
                    app_page(&visit, (set_up, form.state), &errors).await
                }
            }
        })
        .await
}
