//! Clients: the applications that sign their users in through Denizen.

use std::net::{Ipv4Addr, Ipv6Addr};

use crate::{ClientRowId, RealmId, Timestamp, users::text_enum, validation::FieldErrors};

/// The `client_id` of the console, which every realm has.
pub const CONSOLE_CLIENT: &str = "denizen-console";

text_enum! {
    /// Whether a client can keep a secret (RFC 6749, section 2.1).
    ClientType {
        /// It authenticates with a secret.
        Confidential = "confidential",
        /// It cannot keep one: browser and native applications.
        Public = "public",
    }
}

text_enum! {
    /// How a client may get tokens.
    GrantType {
        /// A user signs in; with PKCE always.
        AuthorizationCode = "authorization_code",
        /// Later tokens without the user.
        RefreshToken = "refresh_token",
        /// The client on its own behalf.
        ClientCredentials = "client_credentials",
    }
}

/// An application.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The record's id.
    pub id: ClientRowId,
    /// The realm.
    pub realm_id: RealmId,
    /// What it calls itself in OAuth, unique in the realm.
    pub client_id: String,
    /// What people call it.
    pub name: String,
    /// Whether it keeps a secret.
    pub kind: ClientType,
    /// SHA-256 of its secret, for confidential ones.
    pub secret_hash: Option<String>,
    /// Where a sign-in may lead back to; compared exactly (RFC 9700, section 4.1.3).
    pub redirect_uris: Vec<String>,
    /// Where a sign-out may lead to.
    pub post_logout_redirect_uris: Vec<String>,
    /// How it may get tokens.
    pub grant_types: Vec<GrantType>,
    /// The scopes it may ask for.
    pub scopes: Vec<String>,
    /// A disabled client gets no tokens and signs nobody in.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

impl Client {
    /// Whether it may use this grant.
    #[must_use]
    pub fn allows(&self, grant: GrantType) -> bool {
        self.grant_types.contains(&grant)
    }

    /// Whether this is Denizen's own console, which nobody may change.
    #[must_use]
    pub fn is_builtin(&self) -> bool {
        self.client_id == CONSOLE_CLIENT
    }

    /// Checks what a person typed.
    pub fn check(&self, errors: &mut FieldErrors) {
        errors.required_line("name", &self.name, 100);
        errors.required_line("client_id", &self.client_id, 100);
        if !self.client_id.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~".contains(&b)) {
            errors.add("client_id", "Must consist of letters, digits and - . _ ~ only.");
        }
        let lists =
            [("redirect_uris", &self.redirect_uris), ("post_logout_redirect_uris", &self.post_logout_redirect_uris)];
        for (field, uris) in lists {
            if uris.len() > 100 {
                errors.add(field, "Must be at most 100.");
            }
            for uri in uris {
                if let Err(message) = check_redirect_uri(uri) {
                    errors.add(field, format!("{uri}: {message}"));
                }
            }
        }
        if self.allows(GrantType::AuthorizationCode) && self.redirect_uris.is_empty() {
            errors.add("redirect_uris", "A client that signs users in needs at least one redirect URI.");
        }
        if self.allows(GrantType::ClientCredentials) && self.kind == ClientType::Public {
            errors.add("grant_types", "A public client keeps no secret, so it cannot use client_credentials.");
        }
        if self.grant_types.is_empty() {
            errors.add("grant_types", "Must name at least one.");
        }
        if self.allows(GrantType::RefreshToken) && !self.allows(GrantType::AuthorizationCode) {
            errors.add("grant_types", "refresh_token needs authorization_code.");
        }
        for scope in &self.scopes {
            if !is_scope(scope) || scope.len() > 100 {
                errors.add("scopes", format!("{scope}: Must be a scope name without blanks or quotes."));
            }
        }
        if self.scopes.len() > 100 {
            errors.add("scopes", "Must be at most 100.");
        }
    }
}

/// Whether this is a scope token of RFC 6749, section 3.3: visible ASCII but for `"` and `\`.
#[must_use]
pub fn is_scope(scope: &str) -> bool {
    !scope.is_empty() && scope.bytes().all(|b| b.is_ascii_graphic() && b != b'"' && b != b'\\')
}

/// Checks a redirect URI: absolute, no fragment, `https` — or `http` to the machine itself (RFC 8252, section
/// 7.3), or a private scheme with a dot (RFC 8252, section 7.1). Never `javascript:`, `data:` and their kin.
///
/// # Errors
/// A sentence that says what is wrong.
pub fn check_redirect_uri(uri: &str) -> Result<(), &'static str> {
    if uri.len() > 2000 {
        return Err("must be at most 2,000 characters long");
    }
    if !uri.bytes().all(|b| b.is_ascii_graphic()) || uri.contains(['"', '<', '>', '\\', '^', '`', '{', '|', '}', '*']) {
        return Err("must be plain ASCII without blanks, quotes or wildcards");
    }
    if uri.contains('#') {
        return Err("must not have a fragment");
    }
    let (scheme, rest) = uri.split_once(':').ok_or("must be an absolute URI")?;
    match scheme {
        "https" | "http" => {
            let authority = rest.strip_prefix("//").ok_or("must be an absolute URI")?;
            let authority = authority.split(['/', '?']).next().unwrap_or("");
            if authority.is_empty() || authority.contains('@') {
                return Err("must name a host, without user or password");
            }
            if scheme == "http" && !is_loopback(authority) {
                return Err("must use https (http is for this machine itself only)");
            }
            Ok(())
        }
        private
            if private.contains('.') && private.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b)) =>
        {
            Ok(())
        }
        _ => Err("must use https, http to this machine itself, or a private scheme such as com.example.app"),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    };
    host == "localhost"
        || host.ends_with(".localhost")
        || host.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
        || host.parse::<Ipv6Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn redirect_uris_that_lead_somewhere_safe_pass() {
        for good in [
            "https://app.example.com/callback",
            "http://127.0.0.1:8080/cb",
            "http://[::1]/cb",
            "http://localhost/cb",
            "com.example.app:/cb",
        ] {
            assert_eq!(check_redirect_uri(good), Ok(()), "{good}");
        }
        for bad in [
            "javascript:alert(1)",
            "data:text/html,x",
            "http://example.com/cb",
            "/cb",
            "https://a@b.example/cb",
            "https://a.example/cb#x",
            "https://a.example/\r\nx",
            "https://*.example/cb",
            "//evil.example",
            "https:///cb",
        ] {
            assert!(check_redirect_uri(bad).is_err(), "{bad}");
        }
    }
}
