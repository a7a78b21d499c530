//! The language that a card page is shown in.
//!
//! It is settled once, before the page's handler runs, and holds for all that the request makes: the page's texts, its
//! times, its errors. First comes what was chosen: by `ui_locales` in the address (OpenID Connect Core, section 3.1.2.1)
//! or in the page's menu, both kept in a cookie of the realm's own path, of which the later one stands. Then comes the
//! language of the user who is signed in, then what the browser asks for, then the realm's default. Only languages
//! that the realm offers count.
//!
//! Outside of [`layer`], as in the console, it is English.

use std::{cell::Cell, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::Response,
};
use denizen_model::{locales::Language, realms::MAIN_REALM};
use denizen_ops::RealmState;
use serde::Serialize;

use crate::{Web, card::cookie, card::with_cookie};

tokio::task_local! {
    static READER: Reader;
}

/// Who reads the page that a request leads to.
struct Reader {
    realm: Option<Arc<RealmState>>,
    /// The path under which the choice is kept: the realm's, or the set-up's.
    place: Option<String>,
    /// The path of the request.
    path: String,
    /// The address that shows the same page again; `None` after a form.
    again: Option<String>,
    language: Cell<Language>,
    /// Whether somebody chose it.
    chosen: Cell<bool>,
    /// What the browser is to keep.
    keep: Cell<Option<(Language, Kept)>>,
}

/// For how long a choice is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kept {
    /// Until the browser is closed: an application has asked for it.
    Session,
    /// For a year: the reader has chosen it.
    Year,
}

const COOKIE: &str = "denizen_language";
const YEAR: u32 = 365 * 24 * 3600;
/// The parameter by which an address asks for languages.
pub(crate) const PARAMETER: &str = "ui_locales";

/// The path that a realm's or the set-up's pages have in common.
fn place_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/realms/");
    match rest.map(|rest| rest.split('/').next().unwrap_or(rest)) {
        Some(slug) if !slug.is_empty() => path.get(.."/realms/".len() + slug.len()),
        Some(_) => None,
        None => (path == "/setup" || path.starts_with("/setup/")).then_some("/setup"),
    }
}

/// The address without what it asks for in languages: the cookie knows by then.
fn address_again(uri: &Uri) -> String {
    let query = uri.query().unwrap_or("");
    let kept: Vec<&str> =
        query.split('&').filter(|pair| pair.split('=').next() != Some(PARAMETER) && !pair.is_empty()).collect();
    if kept.is_empty() { uri.path().to_owned() } else { format!("{}?{}", uri.path(), kept.join("&")) }
}

impl Reader {
    async fn of(web: &Web, method: &Method, uri: &Uri, headers: &HeaderMap) -> Self {
        let place = place_of(uri.path());
        let slug = place.and_then(|place| place.strip_prefix("/realms/")).unwrap_or(MAIN_REALM);
        // Whatever is wrong here, the page's own handler will find and tell.
        let realm = web.app.realm(slug).await.ok();
        let again = matches!(*method, Method::GET | Method::HEAD).then(|| address_again(uri));
        let reader = Self {
            language: Cell::new(realm.as_ref().map_or(Language::English, |realm| realm.realm.settings.locale)),
            realm,
            place: place.map(str::to_owned),
            path: uri.path().to_owned(),
            again,
            chosen: Cell::new(false),
            keep: Cell::new(None),
        };
        let accepted = headers.get_all(header::ACCEPT_LANGUAGE).iter().find_map(|line| line.to_str().ok());
        if let Some(language) = accepted.and_then(|header| Language::accepted(header, reader.offered())) {
            reader.language.set(language);
        }
        if let Some(language) = cookie::find(headers, COOKIE).and_then(|tag| Language::lookup(&tag, reader.offered())) {
            reader.language.set(language);
            reader.chosen.set(true);
        }
        let mut pairs = form_urlencoded::parse(uri.query().unwrap_or("").as_bytes());
        if let Some((_, tags)) = pairs.find(|(name, _)| name == PARAMETER) {
            reader.choose(&tags, Kept::Session);
        }
        reader
    }

    fn offered(&self) -> &[Language] {
        self.realm.as_ref().map_or(Language::ALL, |realm| &realm.realm.settings.locales)
    }

    fn choose(&self, tags: &str, kept: Kept) {
        let Some(language) = Language::lookup_in_order(tags, self.offered()) else { return };
        // What a browser keeps for a year already is not shortened by an application that asks for the same.
        if !(self.chosen.get() && self.language.get() == language && kept == Kept::Session) {
            self.keep.set(Some((language, kept)));
        }
        self.language.set(language);
        self.chosen.set(true);
    }

    /// The header that makes the browser keep a choice.
    fn cookie(&self, web: &Web) -> Option<HeaderValue> {
        let (language, kept) = self.keep.get()?;
        let place = self.place.as_deref()?;
        let age = if kept == Kept::Year { format!("; Max-Age={YEAR}") } else { String::new() };
        let secure = if web.is_https() { "; Secure" } else { "" };
        HeaderValue::try_from(format!("{COOKIE}={language}; Path={place}{age}; HttpOnly; SameSite=Lax{secure}")).ok()
    }
}

/// Settles the language of a request, and lets the browser keep what was chosen.
pub(crate) async fn layer(State(web): State<Web>, request: Request, next: Next) -> Response {
    let reader = Reader::of(&web, request.method(), request.uri(), request.headers()).await;
    let answer = async {
        let response = next.run(request).await;
        let cookie = READER.try_with(|reader| reader.cookie(&web)).ok().flatten();
        with_cookie(response, cookie)
    };
    READER.scope(reader, answer).await
}

/// The language of the page that is made; English outside of [`layer`].
pub(crate) fn current() -> Language {
    reader().unwrap_or(Language::English)
}

/// The language of the page that is made, where pages have several.
pub(crate) fn reader() -> Option<Language> {
    READER.try_with(|reader| reader.language.get()).ok()
}

/// Takes the first of these languages that is offered, until somebody chooses another one.
pub(crate) fn choose(tags: &str, kept: Kept) {
    // Where pages have one language there is nothing to choose.
    let _ = READER.try_with(|reader| reader.choose(tags, kept));
}

/// Takes the language of the user who turned out to be signed in, unless somebody chose one.
pub(crate) fn prefer(tag: Option<&str>) {
    let _ = READER.try_with(|reader| {
        let found = tag.and_then(|tag| Language::lookup(tag, reader.offered()));
        if let Some(language) = found.filter(|_| !reader.chosen.get()) {
            reader.language.set(language);
        }
    });
}

/// The path under which the pages lie that the choice holds for.
pub(crate) fn place() -> Option<String> {
    READER.try_with(|reader| reader.place.clone()).ok().flatten()
}

/// The menu at the foot of a page.
#[derive(Debug, Serialize)]
pub(crate) struct Menu {
    /// Where a choice is sent to.
    action: String,
    /// The path of the page.
    at: String,
    /// The address that shows the page again, if there is one.
    back: Option<String>,
    current: &'static str,
    choices: Vec<Choice>,
}

#[derive(Debug, Serialize)]
struct Choice {
    tag: &'static str,
    name: &'static str,
    dir: &'static str,
    current: bool,
}

/// The menu of the page that is made; `None` where there is nothing to choose from.
pub(crate) fn menu() -> Option<Menu> {
    let of = |reader: &Reader| {
        let place = reader.place.as_deref()?;
        // At an address of no realm there is nothing that a choice could be kept for.
        reader.realm.as_ref()?;
        let language = reader.language.get();
        let choice = |one: &Language| Choice {
            tag: one.as_str(),
            name: one.own_name(),
            dir: one.direction().as_str(),
            current: *one == language,
        };
        let choices: Vec<Choice> = reader.offered().iter().map(choice).collect();
        (choices.len() > 1).then(|| Menu {
            action: format!("{place}/language"),
            at: reader.path.clone(),
            back: reader.again.clone(),
            current: language.own_name(),
            choices,
        })
    };
    READER.try_with(of).ok().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_kept_for_a_realm_or_the_set_up() {
        for (path, place) in [
            ("/realms/main/sign-in", Some("/realms/main")),
            ("/realms/main", Some("/realms/main")),
            ("/realms/", None),
            ("/realms//x", None),
            ("/setup", Some("/setup")),
            ("/setup/abc", Some("/setup")),
            ("/setups", None),
            ("/admin/main", None),
        ] {
            assert_eq!(place_of(path), place, "{path}");
        }
    }

    #[test]
    fn the_way_back_does_not_choose_again() {
        let of = |text: &str| address_again(&text.parse().unwrap());
        assert_eq!(of("/a?ui_locales=de%20en&client_id=x&ui_locales=fr"), "/a?client_id=x");
        assert_eq!(of("/a?ui_locales=de"), "/a");
        assert_eq!(of("/a?token=%41&&b"), "/a?token=%41&b");
        assert_eq!(of("/a"), "/a");
    }

    #[test]
    fn without_a_reader_pages_are_english() {
        choose("de", Kept::Year);
        prefer(Some("de"));
        assert_eq!((current(), reader(), place()), (Language::English, None, None));
        assert!(menu().is_none());
    }
}
