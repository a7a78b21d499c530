//! The console's cookies: HttpOnly, SameSite=Lax, bound to the host wherever Denizen is reached over https.

use std::time::Duration;

use denizen_ops::App;
use http::{HeaderMap, HeaderValue, header::COOKIE};

/// The cookie that holds the console's session.
pub(super) const SESSION: &str = "denizen_console";
/// The cookie of a sign-in on its way, completed by the beginning of its state.
pub(super) const PENDING: &str = "denizen_console_login_";
/// The cookie that carries a message to the next page.
pub(super) const FLASH: &str = "denizen_flash";
/// The cookie that remembers the realm last used.
pub(super) const REALM: &str = "denizen_realm";
/// The cookie that remembers the columns of the list of users.
pub(super) const COLUMNS: &str = "denizen_columns";
/// The cookie that remembers how close the rows of lists stand.
pub(super) const DENSITY: &str = "denizen_density";
/// For how long these are remembered.
pub(super) const A_YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

fn is_https(app: &App) -> bool {
    app.public_url().starts_with("https://")
}

/// The full name: `__Host-` binds a cookie to this very host and to https (RFC 6265bis, section 4.1.3.2).
fn full_name(app: &App, name: &str) -> String {
    if is_https(app) { format!("__Host-{name}") } else { name.to_owned() }
}

/// The value a browser sent.
pub(super) fn find<'h>(app: &App, headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let name = full_name(app, name);
    let sent = headers.get_all(COOKIE).iter().filter_map(|value| value.to_str().ok());
    sent.flat_map(|line| line.split(';')).find_map(|pair| pair.trim().strip_prefix(name.as_str())?.strip_prefix('='))
}

/// A `Set-Cookie` value. Without `max_age` the cookie goes with the browser's session. The value must be of
/// characters a cookie may hold.
pub(super) fn set(app: &App, name: &str, value: &str, max_age: Option<Duration>) -> Option<HeaderValue> {
    let age = max_age.map(|age| format!("; Max-Age={}", age.as_secs())).unwrap_or_default();
    let secure = if is_https(app) { "; Secure" } else { "" };
    HeaderValue::try_from(format!("{}={value}; Path=/{age}; HttpOnly; SameSite=Lax{secure}", full_name(app, name))).ok()
}

/// A `Set-Cookie` value that makes the browser forget a cookie.
pub(super) fn forget(app: &App, name: &str) -> Option<HeaderValue> {
    set(app, name, "", Some(Duration::ZERO))
}
