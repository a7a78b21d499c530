//! The way back to where a button or a dialog was opened: `return=` in the address, of this realm's console alone.

use axum::extract::FromRequestParts;
use http::request::Parts;

use super::{PageError, forms::Asked, frame::ConsoleCx, words::query};

/// Where to go when it is done or not done after all, if the page before said so.
#[derive(Debug, Clone, Default)]
pub(super) struct Back(Option<String>);

impl Back {
    /// That place, or the page's own.
    pub(super) fn or(&self, own: &str) -> String {
        self.0.clone().unwrap_or_else(|| own.to_owned())
    }

    /// An address that knows the way back too.
    pub(super) fn carry(&self, href: &str) -> String {
        format!("{href}{}", query(&[("return", self.0.as_deref().unwrap_or(""))]))
    }
}

/// Whether an address is a page under `base`, and nothing that a browser takes for something else.
fn is_under(base: &str, address: &str) -> bool {
    let path = address.split(['?', '#']).next().unwrap_or("");
    let plain = |part: &str| {
        let part = part.to_ascii_lowercase().replace("%2e", ".");
        part != "." && part != ".."
    };
    let inside = path.strip_prefix(base).is_some_and(|rest| rest.starts_with('/') && !rest.starts_with("//"));
    inside
        && address.len() <= 4000
        && address.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'\\')
        && path.split('/').all(plain)
}

impl<S: Send + Sync> FromRequestParts<S> for Back {
    type Rejection = PageError;
    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, PageError> {
        let Some(page) = parts.extensions.get::<ConsoleCx>().cloned() else { return Ok(Self::default()) };
        // What cannot be read leads nowhere in particular.
        let Ok(Asked(asked)) = Asked::from_request_parts(parts, state).await else { return Ok(Self::default()) };
        let base = page.href("");
        Ok(Self(asked.given("return").filter(|address| is_under(base.trim_end_matches('/'), address))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_of_this_realm_are_led_back_to() {
        for fine in
            ["/admin/main/users", "/admin/main/users?q=a%20b&sort=-name", "/admin/main/users/x/roles#administrator"]
        {
            assert!(is_under("/admin/main", fine), "{fine}");
        }
        for bad in [
            "",
            "https://evil.example",
            "//evil.example/admin/main/users",
            "/admin/main",
            "/admin/mainly/users",
            "/admin/other/users",
            "/admin/main//evil.example",
            "/admin/main/../other/users",
            "/admin/main/%2e%2E/other",
            "/admin/main/.%2e/other",
            "/admin/main/\\evil.example",
            "/admin/main/users\r\nlocation: x",
            "/admin/main/us ers",
        ] {
            assert!(!is_under("/admin/main", bad), "{bad:?}");
        }
    }
}
