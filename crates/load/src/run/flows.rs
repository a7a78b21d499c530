//! What clients and people do: signing in, refreshing, creating users.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde_json::json;

use crate::{
    failure::{Failure, Result},
    http::{self, Next, Response, Script},
    people,
};

/// Where sign-ins lead back to. Nobody listens there.
pub(crate) const REDIRECT: &str = "http://127.0.0.1:9/callback";
const VERIFIER: &str = "denizen-load-denizen-load-denizen-load-denizen-load";

/// The client under whose name everything is asked for.
#[derive(Clone)]
pub(crate) struct AppClient {
    /// `/realms/{realm}`.
    pub(crate) base: String,
    pub(crate) id: String,
    /// The value of its `authorization` header.
    pub(crate) basic: String,
}

impl AppClient {
    /// A `POST` to one of the endpoints at which the client authenticates.
    pub(crate) fn post(&self, endpoint: &str, fields: &[(&str, &str)]) -> Vec<u8> {
        http::post_form(&format!("{}/{endpoint}", self.base), &[("authorization", &self.basic)], fields)
    }

    /// The link with which a sign-in begins.
    pub(crate) fn authorize(&self) -> Vec<u8> {
        let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, VERIFIER.as_bytes());
        let challenge = URL_SAFE_NO_PAD.encode(digest);
        let path = format!(
            "{}/authorize?response_type=code&client_id={}&redirect_uri={}&scope=openid%20profile%20email&state=s&nonce=n&code_challenge={challenge}&code_challenge_method=S256",
            self.base,
            http::escape(&self.id),
            http::escape(REDIRECT),
        );
        http::get(&path, &[])
    }
}

/// The form of a page of the sign-in.
pub(crate) struct Form {
    action: String,
    flow: String,
}

impl Form {
    pub(crate) fn read(response: &Response<'_>) -> Result<Self> {
        response.expect(200..201)?;
        let found = |before: &str| {
            let html = response.text();
            html.find(before)
                .and_then(|at| html.get(at + before.len()..))
                .and_then(|rest| rest.split('"').next())
                .map(unescape)
        };
        match (found("action=\""), found("name=\"flow\" value=\"")) {
            (Some(action), Some(flow)) => Ok(Self { action, flow }),
            _ => Err(Failure::new("a page without the form of a sign-in")),
        }
    }

    /// Sends it with this field.
    pub(crate) fn post(&self, field: &str, value: &str) -> Vec<u8> {
        http::post_form(&self.action, &[], &[("flow", &self.flow), (field, value)])
    }
}

/// The tokens of a sign-in.
#[derive(Clone, Default)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
}

impl Tokens {
    fn read(response: &Response<'_>) -> Result<Self> {
        response.expect(200..201)?;
        let text = response.text();
        let named = |name: &str| {
            let at = text.find(&format!("\"{name}\":\""))? + name.len() + 4;
            text.get(at..)?.split('"').next()
        };
        match (named("access_token"), named("refresh_token")) {
            (Some(access), Some(refresh)) => Ok(Self { access: access.to_owned(), refresh: refresh.to_owned() }),
            _ => Err(Failure::new("an answer without tokens")),
        }
    }
}

/// A person who signs in with a password, from the client's link to the client's tokens; then another time, each
/// time in a browser that has no cookie.
pub(crate) struct SignIn {
    client: AppClient,
    email: String,
    password: String,
    step: Step,
    /// Of the last sign-in.
    pub(crate) tokens: Tokens,
}

enum Step {
    Authorize,
    Identifier(Form),
    Password(Form),
    Exchange { code: String },
}

impl SignIn {
    pub(crate) fn new(client: &AppClient, email: &str, password: &str) -> Self {
        Self {
            client: client.clone(),
            email: email.to_owned(),
            password: password.to_owned(),
            step: Step::Authorize,
            tokens: Tokens::default(),
        }
    }

    fn advance(&mut self, response: &Response<'_>) -> Result<Next> {
        self.step = match &self.step {
            Step::Authorize => Step::Identifier(Form::read(response)?),
            Step::Identifier(_) => Step::Password(Form::read(response)?),
            Step::Password(_) => {
                response.expect(303..304)?;
                let location = response.header("location").unwrap_or("");
                let code = location.split(['?', '&']).find_map(|pair| pair.strip_prefix("code="));
                let code = code.ok_or_else(|| Failure::new(format!("a redirect without a code, to {location}")))?;
                Step::Exchange { code: code.to_owned() }
            }
            Step::Exchange { .. } => {
                self.tokens = Tokens::read(response)?;
                self.step = Step::Authorize;
                return Ok(Next::Done);
            }
        };
        Ok(Next::More)
    }
}

impl Script for SignIn {
    fn request(&mut self, out: &mut Vec<u8>) {
        let request = match &self.step {
            Step::Authorize => self.client.authorize(),
            Step::Identifier(form) => form.post("identifier", &self.email),
            Step::Password(form) => form.post("password", &self.password),
            Step::Exchange { code } => {
                let fields = [
                    ("grant_type", "authorization_code"),
                    ("code", code),
                    ("redirect_uri", REDIRECT),
                    ("code_verifier", VERIFIER),
                ];
                self.client.post("token", &fields)
            }
        };
        out.extend_from_slice(&request);
    }

    fn response(&mut self, response: &Response<'_>) -> Result<Next> {
        let advanced = self.advance(response);
        if advanced.is_err() {
            self.step = Step::Authorize;
        }
        advanced
    }
}

/// The characters that a template writes as entities.
fn unescape(text: &str) -> String {
    text.replace("&#x2f;", "/")
        .replace("&#x2F;", "/")
        .replace("&#x27;", "'")
        .replace("&quot;", "\"")
        .replace("&amp;", "&")
}

/// A client that refreshes, with the newest token each time.
pub(crate) struct Refresh {
    client: AppClient,
    token: String,
}

impl Refresh {
    pub(crate) fn new(client: &AppClient, tokens: &Tokens) -> Self {
        Self { client: client.clone(), token: tokens.refresh.clone() }
    }
}

impl Script for Refresh {
    fn request(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(
            &self.client.post("token", &[("grant_type", "refresh_token"), ("refresh_token", &self.token)]),
        );
    }

    fn response(&mut self, response: &Response<'_>) -> Result<Next> {
        self.token = Tokens::read(response)?.refresh;
        Ok(Next::Done)
    }
}

/// An administrator's program that creates one user after the other.
pub(crate) struct Create {
    pub(crate) path: String,
    pub(crate) authorization: String,
    pub(crate) next: Arc<AtomicU64>,
}

impl Script for Create {
    fn request(&mut self, out: &mut Vec<u8>) {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let person = people::person(number);
        let body = json!({
            "email": format!("new{number}.{}", person.email),
            "given_name": person.given,
            "family_name": person.family,
            "locale": person.locale,
        });
        out.extend_from_slice(&http::post_json(&self.path, &[("authorization", &self.authorization)], &body));
    }

    fn response(&mut self, response: &Response<'_>) -> Result<Next> {
        response.expect(201..202).map(|()| Next::Done)
    }
}
