//! The admin API, as a script uses it.

use reqwest::Method;
use serde_json::{Value, json};

use super::PASSWORD;

/// What the server answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) async fn read(response: reqwest::Response) -> Self {
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        let text = response.text().await.unwrap();
        Self { status, headers, text }
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|error| panic!("{error}: {} {}", self.status, self.text))
    }

    /// A text in the body.
    pub(crate) fn str(&self, name: &str) -> String {
        self.json()[name].as_str().unwrap_or_else(|| panic!("no {name} in {}", self.text)).to_owned()
    }

    /// Asserts the status.
    #[track_caller]
    pub(crate) fn expect(self, status: u16) -> Self {
        assert_eq!(self.status, status, "{}", self.text);
        self
    }
}

/// The admin API with one key.
#[derive(Clone)]
pub(crate) struct Api {
    http: reqwest::Client,
    base: String,
    key: Option<String>,
}

impl Api {
    pub(crate) fn new(base: String, key: Option<String>) -> Self {
        Self { http: reqwest::Client::new(), base, key }
    }

    /// The same key at another address.
    pub(crate) fn at(&self, base: &str) -> Self {
        Self { base: base.to_owned(), ..self.clone() }
    }

    /// The same address with another key.
    pub(crate) fn with_key(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// A request that has not been sent.
    pub(crate) fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}/api/v1{path}", self.base));
        match &self.key {
            Some(key) => request.bearer_auth(key),
            None => request,
        }
    }

    /// Sends it; an error is a connection that failed.
    pub(crate) async fn try_call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Answer, reqwest::Error> {
        let mut request = self.request(method, path);
        if let Some(body) = body {
            request = request.json(body);
        }
        let response = request.send().await?;
        let status = response.status().as_u16();
        let headers = response.headers().clone();
        Ok(Answer { status, headers, text: response.text().await? })
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.try_call(Method::GET, path, None).await.unwrap()
    }

    pub(crate) async fn post(&self, path: &str, body: &Value) -> Answer {
        self.try_call(Method::POST, path, Some(body)).await.unwrap()
    }

    pub(crate) async fn put(&self, path: &str, body: &Value) -> Answer {
        self.try_call(Method::PUT, path, Some(body)).await.unwrap()
    }

    pub(crate) async fn patch(&self, path: &str, body: &Value) -> Answer {
        self.try_call(Method::PATCH, path, Some(body)).await.unwrap()
    }

    pub(crate) async fn delete(&self, path: &str) -> Answer {
        self.try_call(Method::DELETE, path, None).await.unwrap()
    }

    /// Creates a person of realm `main` who can sign in with [`PASSWORD`]; answers the id.
    pub(crate) async fn create_person(&self, email: &str) -> String {
        let body = json!({ "kind": "human", "email": email, "given_name": "Test", "family_name": "Person", "password": PASSWORD });
        self.post("/realms/main/users", &body).await.expect(201).str("id")
    }

    /// Every item of a list, page after page.
    pub(crate) async fn all(&self, path: &str) -> Vec<Value> {
        let joint = if path.contains('?') { '&' } else { '?' };
        let mut items = Vec::new();
        let mut cursor = None;
        loop {
            let from = cursor.map(|cursor: String| format!("&cursor={cursor}")).unwrap_or_default();
            let page = self.get(&format!("{path}{joint}limit=500{from}")).await.expect(200).json();
            items.extend(page["items"].as_array().unwrap().iter().cloned());
            match page["next_cursor"].as_str() {
                Some(next) => cursor = Some(next.to_owned()),
                None => return items,
            }
        }
    }

    /// The events about one subject of realm `main`, newest first.
    pub(crate) async fn events(&self, subject: &str) -> Vec<Value> {
        let answer = self.get(&format!("/realms/main/events?subject={subject}&limit=200")).await.expect(200);
        answer.json()["items"].as_array().unwrap().clone()
    }

    /// Whether there is an event of this type about the subject.
    pub(crate) async fn has_event(&self, subject: &str, kind: &str) -> bool {
        self.events(subject).await.iter().any(|event| event["type"] == kind)
    }
}

impl Answer {
    /// Asserts a 2xx status.
    #[track_caller]
    pub(crate) fn succeed(self) -> Self {
        assert!((200..300).contains(&self.status), "{} {}", self.status, self.text);
        self
    }
}
