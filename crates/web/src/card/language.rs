//! The language menu at the foot of card pages.

use axum::{Form, Router, extract::State, response::Response, routing::post};
use denizen_ops::flows::sign_in::Flow;
use serde::Deserialize;

use super::{error_page, links::open, see_other, sign_in::page_of};
use crate::{
    Web,
    cx::Anonymous,
    language::{self, Kept},
    path_segment,
};

pub(crate) fn router() -> Router<Web> {
    Router::new().route("/realms/{realm}/language", post(choose)).route("/setup/language", post(choose))
}

/// What the menu sends: the language, and what it takes to show the page again.
#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    to: String,
    /// The path of the page.
    #[serde(default)]
    at: String,
    /// The address that shows the page again.
    #[serde(default)]
    back: String,
    /// The state of the sign-in that the page belongs to.
    #[serde(default)]
    flow: String,
    /// The secret of the link that the page belongs to.
    #[serde(default)]
    token: String,
}

/// Pages with a link's secret, under a realm's path.
const WITH_TOKEN: [&str; 7] =
    ["change-email", "invitation", "register/complete", "reset-otp", "reset-passkey", "reset-password", "verify-email"];

/// The address only if it leads to a page under `place`, so that no link sends people elsewhere.
fn within<'p>(place: &str, path: &'p str) -> Option<&'p str> {
    let rest = path.strip_prefix(place)?;
    let under = rest.is_empty() || rest.starts_with(['/', '?']);
    let plain = path.len() <= 8000 && path.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    let before = rest.split(['?', '#']).next().unwrap_or("").to_ascii_lowercase();
    let up =
        before.contains("//") || before.contains("%2e") || before.split('/').any(|part| matches!(part, "." | ".."));
    (under && plain && !up).then_some(path)
}

async fn choose(State(web): State<Web>, Anonymous(cx): Anonymous, Form(form): Form<Choice>) -> Response {
    language::choose(&form.to, Kept::Year);
    let place = language::place().unwrap_or_default();
    if let Some(back) = within(&place, &form.back).filter(|back| !back.is_empty()) {
        return see_other(back);
    }
    let page = form.at.strip_prefix(&place).and_then(|rest| rest.strip_prefix('/')).unwrap_or("");
    let Some(slug) = place.strip_prefix("/realms/") else {
        return see_other(&format!("{place}/{}", path_segment(&form.token)));
    };
    if !form.token.is_empty() && WITH_TOKEN.contains(&page) {
        return see_other(&format!("{place}/{page}?token={}", path_segment(&form.token)));
    }
    if page == "register" {
        return see_other(&format!("{place}/register?flow={}", path_segment(&form.flow)));
    }
    let realm = match open(&web, &cx, slug).await {
        Ok(realm) => realm,
        Err(page) => return page,
    };
    match Flow::open(&web.app, &realm, cx.now, &form.flow) {
        Some(flow) => page_of(&web, &cx, &realm, &flow)
            .await
            .unwrap_or_else(|error| error_page(&web, &error, cx.request_id, Some(&realm))),
        None => see_other(&format!("{place}/account")),
    }
}

#[cfg(test)]
mod tests {
    use super::within;

    #[test]
    fn the_way_back_stays_in_the_realm() {
        for good in ["/realms/main/account", "/realms/main/authorize?a=//b&c=../d", "/realms/main", "/realms/main?x"] {
            assert_eq!(within("/realms/main", good), Some(good));
        }
        for bad in [
            "https://evil.example/realms/main",
            "//evil.example",
            "/realms/mainly/account",
            "/realms/other/account",
            "/realms/main/../other/account",
            "/realms/main/%2E%2e/other",
            "/realms/main//evil.example",
            "/realms/main\\evil",
            "/realms/main/\r\nSet-Cookie: a=b",
            "",
        ] {
            assert_eq!(within("/realms/main", bad), None, "{bad:?}");
        }
    }
}
