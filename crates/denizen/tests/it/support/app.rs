//! An application that signs its users in through Denizen, as plain HTTP.

use std::collections::HashMap;

use aws_lc_rs::{digest, signature};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use reqwest::Url;
use serde_json::{Value, json};

use super::{Answer, Api, Person, unique};

/// How a client is registered.
pub(crate) struct NewApp<'a> {
    pub(crate) realm: &'a str,
    pub(crate) redirect_uri: &'a str,
    pub(crate) post_logout_redirect_uri: &'a str,
    pub(crate) confidential: bool,
    pub(crate) grants: &'a [&'a str],
}

impl Default for NewApp<'_> {
    fn default() -> Self {
        Self {
            realm: "main",
            redirect_uri: "http://127.0.0.1:9/callback",
            post_logout_redirect_uri: "http://127.0.0.1:9/signed-out",
            confidential: true,
            grants: &["authorization_code", "refresh_token"],
        }
    }
}

/// A registered client that has read the discovery document.
#[derive(Clone)]
pub(crate) struct App {
    pub(crate) http: reqwest::Client,
    pub(crate) row: String,
    pub(crate) client_id: String,
    pub(crate) secret: Option<String>,
    pub(crate) redirect_uri: String,
    pub(crate) post_logout_redirect_uri: String,
    pub(crate) metadata: Value,
}

/// One sign-in that an application started.
pub(crate) struct Attempt {
    pub(crate) url: String,
    pub(crate) verifier: String,
    pub(crate) state: String,
    pub(crate) nonce: String,
}

impl Attempt {
    /// The address with a parameter changed, or removed.
    pub(crate) fn with(&self, name: &str, value: Option<&str>) -> String {
        let mut url: Url = self.url.parse().unwrap();
        let kept: Vec<(String, String)> = url.query_pairs().into_owned().filter(|(key, _)| key != name).collect();
        url.query_pairs_mut().clear().extend_pairs(kept).extend_pairs(value.map(|value| (name, value)));
        url.into()
    }
}

/// The parameters at the end of an address.
pub(crate) fn query(url: &Url) -> HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

impl App {
    /// Registers a client by the admin API.
    pub(crate) async fn register(api: &Api, issuer: &str, new: NewApp<'_>) -> Self {
        let body = json!({
            "client_id": unique("app-"),
            "name": "Test application",
            "type": if new.confidential { "confidential" } else { "public" },
            "redirect_uris": [new.redirect_uri],
            "post_logout_redirect_uris": [new.post_logout_redirect_uri],
            "grant_types": new.grants,
            "scopes": ["openid", "profile", "email", "offline_access"],
        });
        let made = api.post(&format!("/realms/{}/clients", new.realm), &body).await.expect(201).json();
        let http = reqwest::Client::new();
        let discovery = format!("{issuer}/.well-known/openid-configuration");
        let metadata: Value = http.get(discovery).send().await.unwrap().json().await.unwrap();
        assert_eq!(metadata["issuer"], issuer);
        Self {
            http,
            row: made["id"].as_str().unwrap().to_owned(),
            client_id: made["client_id"].as_str().unwrap().to_owned(),
            secret: made["client_secret"].as_str().map(str::to_owned),
            redirect_uri: new.redirect_uri.to_owned(),
            post_logout_redirect_uri: new.post_logout_redirect_uri.to_owned(),
            metadata,
        }
    }

    /// The same client with endpoints at another address: another node.
    pub(crate) fn at(&self, from: &str, to: &str) -> Self {
        let mut moved = self.clone();
        moved.metadata = serde_json::from_str(&self.metadata.to_string().replace(from, to)).unwrap();
        moved
    }

    pub(crate) fn endpoint(&self, name: &str) -> String {
        self.metadata[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.metadata)).to_owned()
    }

    /// Begins a sign-in.
    pub(crate) fn begin(&self) -> Attempt {
        let (verifier, state, nonce) =
            (unique("verifier-0123456789-0123456789-0123456789-"), unique("state-"), unique("nonce-"));
        let challenge = URL_SAFE_NO_PAD.encode(digest::digest(&digest::SHA256, verifier.as_bytes()));
        let mut url: Url = self.endpoint("authorization_endpoint").parse().unwrap();
        url.query_pairs_mut().extend_pairs([
            ("response_type", "code"),
            ("client_id", &self.client_id),
            ("redirect_uri", &self.redirect_uri),
            ("scope", "openid profile email offline_access"),
            ("state", &state),
            ("nonce", &nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ]);
        Attempt { url: url.into(), verifier, state, nonce }
    }

    /// Posts a form to an endpoint as this client.
    pub(crate) async fn post(&self, endpoint: &str, fields: &[(&str, &str)]) -> Answer {
        let mut fields = fields.to_vec();
        let mut request = self.http.post(self.endpoint(endpoint));
        match &self.secret {
            Some(secret) => request = request.basic_auth(&self.client_id, Some(secret)),
            None => fields.push(("client_id", &self.client_id)),
        }
        Answer::read(request.form(&fields).send().await.unwrap()).await
    }

    pub(crate) async fn exchange(&self, code: &str, verifier: &str) -> Answer {
        self.post(
            "token_endpoint",
            &[
                ("grant_type", "authorization_code"),
                ("code", code),
                ("redirect_uri", &self.redirect_uri),
                ("code_verifier", verifier),
            ],
        )
        .await
    }

    pub(crate) async fn refresh(&self, token: &str) -> Answer {
        self.post("token_endpoint", &[("grant_type", "refresh_token"), ("refresh_token", token)]).await
    }

    pub(crate) async fn introspect(&self, token: &str) -> Value {
        self.post("introspection_endpoint", &[("token", token)]).await.expect(200).json()
    }

    pub(crate) async fn revoke(&self, token: &str) -> Answer {
        self.post("revocation_endpoint", &[("token", token)]).await
    }

    pub(crate) async fn userinfo(&self, token: &str) -> Answer {
        Answer::read(self.http.get(self.endpoint("userinfo_endpoint")).bearer_auth(token).send().await.unwrap()).await
    }

    /// The code of a sign-in that came back.
    #[track_caller]
    pub(crate) fn code(&self, attempt: &Attempt, came_back: &Url) -> String {
        assert!(came_back.as_str().starts_with(&self.redirect_uri), "{came_back}");
        let query = query(came_back);
        assert_eq!(query.get("state"), Some(&attempt.state), "{came_back}");
        query.get("code").unwrap_or_else(|| panic!("no code in {came_back}")).clone()
    }

    /// A whole sign-in: the tokens.
    pub(crate) async fn sign_in(&self, person: &Person, identifier: &str, password: &str) -> Answer {
        let attempt = self.begin();
        let came_back = person.sign_in(&attempt.url, identifier, password).await.left();
        self.exchange(&self.code(&attempt, &came_back), &attempt.verifier).await.expect(200)
    }

    /// The claims of a token, whose signature is checked against the published keys.
    pub(crate) async fn claims(&self, token: &str) -> Value {
        let parts: Vec<&str> = token.split('.').collect();
        assert_eq!(parts.len(), 3, "{token}");
        let decode = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
        let header: Value = serde_json::from_slice(&decode(parts[0])).unwrap();
        assert_eq!(header["alg"], "ES256");
        let keys: Value = self.http.get(self.endpoint("jwks_uri")).send().await.unwrap().json().await.unwrap();
        let key = keys["keys"].as_array().unwrap().iter().find(|key| key["kid"] == header["kid"]).unwrap();
        let mut point = vec![4];
        for coordinate in ["x", "y"] {
            point.extend(decode(key[coordinate].as_str().unwrap()));
        }
        let signed = format!("{}.{}", parts[0], parts[1]);
        signature::UnparsedPublicKey::new(&signature::ECDSA_P256_SHA256_FIXED, point)
            .verify(signed.as_bytes(), &decode(parts[2]))
            .unwrap();
        serde_json::from_slice(&decode(parts[1])).unwrap()
    }
}
