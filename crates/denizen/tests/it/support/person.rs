//! Somebody at a browser without JavaScript: follows links and redirects, fills forms, keeps cookies.

use reqwest::{Url, header};

/// A page that was shown.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) url: Url,
    pub(crate) status: u16,
    pub(crate) html: String,
}

/// Where a click led.
#[derive(Debug)]
pub(crate) enum Step {
    /// To a page of Denizen.
    Page(Page),
    /// Away, to an application's address.
    Left(Url),
}

impl Step {
    #[track_caller]
    pub(crate) fn page(self) -> Page {
        match self {
            Self::Page(page) => page,
            Self::Left(url) => panic!("was sent to {url}"),
        }
    }

    #[track_caller]
    pub(crate) fn left(self) -> Url {
        match self {
            Self::Left(url) => url,
            Self::Page(page) => panic!("stayed at {} ({}): {}", page.url, page.status, page.text()),
        }
    }
}

impl Page {
    /// What a person reads: the markup without its tags.
    pub(crate) fn text(&self) -> String {
        let body = self.html.split_once("<body").map_or(self.html.as_str(), |(_, body)| body);
        let mut out = String::new();
        let mut inside = true;
        for c in body.chars() {
            match c {
                '<' => inside = true,
                '>' => {
                    inside = false;
                    out.push(' ');
                }
                c if !inside => out.push(c),
                _ => {}
            }
        }
        unescape(&out.split_whitespace().collect::<Vec<_>>().join(" "))
    }

    fn form(&self) -> &str {
        let start = self
            .html
            .find("<form")
            .unwrap_or_else(|| panic!("no form on {} ({}): {}", self.url, self.status, self.text()));
        let rest = &self.html[start..];
        &rest[..rest.find("</form>").unwrap()]
    }

    /// The same page from the form on that is sent to an address with this end.
    pub(crate) fn at_form(&self, action_end: &str) -> Self {
        let mut forms = self.html.match_indices("<form").map(|(at, _)| at);
        let is_it = |at: &usize| {
            let tag = &self.html[*at..];
            attribute(&tag[..=tag.find('>').unwrap()], "action").is_some_and(|action| action.ends_with(action_end))
        };
        let at = forms.find(is_it).unwrap_or_else(|| panic!("no form to {action_end}: {}", self.text()));
        Self { html: self.html[at..].to_owned(), ..self.clone() }
    }

    /// The target of the first link whose address has this in it.
    pub(crate) fn href(&self, part: &str) -> String {
        let links = self.html.split("href=\"").skip(1).map(|rest| unescape(rest.split('"').next().unwrap()));
        let found = links.into_iter().find(|href| href.contains(part));
        let found = found.unwrap_or_else(|| panic!("no link to {part}: {}", self.text()));
        self.url.join(&found).unwrap().to_string()
    }

    /// The address the first form is sent to.
    pub(crate) fn action(&self) -> Url {
        let form = self.form();
        let tag = &form[..=form.find('>').unwrap()];
        self.url.join(&attribute(tag, "action").unwrap_or_default()).unwrap()
    }

    /// The first form's fields as they stand.
    pub(crate) fn fields(&self) -> Vec<(String, String)> {
        let tags = self.form().split("<input").skip(1).map(|rest| &rest[..=rest.find('>').unwrap()]);
        tags.filter_map(|tag| Some((attribute(tag, "name")?, attribute(tag, "value").unwrap_or_default()))).collect()
    }

    /// Whether the first form asks for this.
    pub(crate) fn asks_for(&self, name: &str) -> bool {
        self.html.contains("<form") && self.fields().iter().any(|(field, _)| field == name)
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let start = tag.find(&format!(" {name}=\""))? + name.len() + 3;
    let rest = &tag[start..];
    Some(unescape(&rest[..rest.find('"')?]))
}

fn unescape(text: &str) -> String {
    let mut text = text.to_owned();
    for (from, to) in [
        ("&#x2f;", "/"),
        ("&#x2F;", "/"),
        ("&#x27;", "'"),
        ("&#39;", "'"),
        ("&quot;", "\""),
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&amp;", "&"),
    ] {
        text = text.replace(from, to);
    }
    text
}

/// A person with a browser of their own.
pub(crate) struct Person {
    http: reqwest::Client,
}

impl Person {
    pub(crate) fn new() -> Self {
        Self::at([127, 0, 0, 1])
    }

    /// Somebody at another address of this machine.
    pub(crate) fn at(address: [u8; 4]) -> Self {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .redirect(reqwest::redirect::Policy::none())
            .local_address(std::net::IpAddr::from(address))
            .user_agent("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0")
            .build()
            .unwrap();
        Self { http }
    }

    async fn follow(&self, request: reqwest::RequestBuilder, url: Url) -> Step {
        self.follow_while(request, url, |from, to| from.origin() == to.origin()).await
    }

    async fn follow_while(
        &self,
        mut request: reqwest::RequestBuilder,
        mut url: Url,
        goes_on: impl Fn(&Url, &Url) -> bool,
    ) -> Step {
        for _ in 0..20 {
            let response = request.header(header::ACCEPT, "text/html").send().await.unwrap();
            if !response.status().is_redirection() {
                return Step::Page(Page {
                    url,
                    status: response.status().as_u16(),
                    html: response.text().await.unwrap(),
                });
            }
            let to = response.headers()[header::LOCATION].to_str().unwrap();
            let next = url.join(to).unwrap();
            if !goes_on(&url, &next) {
                return Step::Left(next);
            }
            url = next;
            request = self.http.get(url.clone());
        }
        panic!("redirected in circles, lastly to {url}");
    }

    /// Opens an address.
    pub(crate) async fn open(&self, url: &str) -> Step {
        let url: Url = url.parse().unwrap();
        self.follow(self.http.get(url.clone()), url).await
    }

    /// Opens an address and follows redirects wherever they lead, as a browser does.
    pub(crate) async fn travel(&self, url: &str) -> Page {
        let url: Url = url.parse().unwrap();
        self.follow_while(self.http.get(url.clone()), url, |_, _| true).await.page()
    }

    /// Fills the first form of a page and sends it.
    pub(crate) async fn submit(&self, page: &Page, values: &[(&str, &str)]) -> Step {
        let mut fields = page.fields();
        fields.retain(|(name, _)| !values.iter().any(|(given, _)| given == name));
        fields.extend(values.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let url = page.action();
        let request =
            self.http.post(url.clone()).form(&fields).header(header::ORIGIN, url.origin().ascii_serialization());
        self.follow(request.header("sec-fetch-site", "same-origin"), url).await
    }

    /// Signs in where an application sent them: the identifier, then the password.
    pub(crate) async fn sign_in(&self, url: &str, identifier: &str, password: &str) -> Step {
        let page = self.open(url).await.page();
        assert!(page.asks_for("identifier"), "{} {}", page.status, page.text());
        let page = self.submit(&page, &[("identifier", identifier)]).await.page();
        assert!(page.asks_for("password"), "{} {}", page.status, page.text());
        self.submit(&page, &[("password", password)]).await
    }
}
