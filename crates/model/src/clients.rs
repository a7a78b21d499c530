//! Clients: the applications that sign their users in through Denizen.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

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
    /// Where it is told of the end of its users' sessions (OpenID Connect Back-Channel Logout 1.0, section 2.2).
    pub backchannel_logout_uri: Option<String>,
    /// Whether it needs the session's id to be told; it always is.
    pub backchannel_logout_session_required: bool,
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
        if let Some(uri) = &self.backchannel_logout_uri
            && let Err(message) = check_backchannel_uri(uri)
        {
            errors.add("backchannel_logout_uri", format!("It {message}."));
        }
        if self.backchannel_logout_session_required && self.backchannel_logout_uri.is_none() {
            errors.add("backchannel_logout_session_required", "Needs backchannel_logout_uri.");
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

/// Checks an address that Denizen itself calls: as [`check_redirect_uri`], but `https`, or `http` to the machine
/// itself, and nowhere that [`is_off_limits`].
///
/// # Errors
/// What is wrong, as the end of a sentence.
pub fn check_backchannel_uri(uri: &str) -> Result<(), &'static str> {
    check_redirect_uri(uri)?;
    let authority = uri.strip_prefix("https://").or_else(|| uri.strip_prefix("http://"));
    let authority = authority.ok_or("must use https, or http to this machine itself")?;
    let host = host_of(authority.split(['/', '?']).next().unwrap_or(""));
    if host.parse::<IpAddr>().is_ok_and(is_off_limits) {
        return Err("must not be a link-local address");
    }
    // Whatever else is all digits and dots or hexadecimal, resolvers may take for an address written oddly.
    let last = host.rsplit('.').find(|label| !label.is_empty()).unwrap_or("");
    let numeric = last.starts_with("0x") || (!last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()));
    if host.parse::<IpAddr>().is_err() && numeric {
        return Err("must name a host, or an address in its usual form");
    }
    Ok(())
}

/// Whether Denizen never calls this address on behalf of a client: link-local ones, where clouds keep their
/// machines' credentials, and what clouds use for the same elsewhere.
#[must_use]
pub fn is_off_limits(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => {
            v4.is_link_local() || v4.is_unspecified() || v4.is_broadcast() || v4.is_multicast()
                // Alibaba Cloud's metadata.
                || v4 == Ipv4Addr::new(100, 100, 100, 200)
        }
        IpAddr::V6(v6) => {
            v6.is_unicast_link_local() || v6.is_unspecified() || v6.is_multicast()
                // Amazon's metadata by IPv6.
                || v6 == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)
        }
    }
}

/// The host of an authority, without port and brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(""),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

fn is_loopback(authority: &str) -> bool {
    let host = host_of(authority);
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

    #[test]
    fn denizen_calls_no_address_where_clouds_keep_credentials() {
        for good in [
            "https://app.example.com/backchannel-logout",
            "https://10.0.0.5:8443/logout?tenant=7",
            "https://[2001:db8::1]/logout",
            "http://localhost:3000/logout",
            "http://127.0.0.1:3000/logout",
            "http://[::1]:3000/logout",
        ] {
            assert_eq!(check_backchannel_uri(good), Ok(()), "{good}");
        }
        for bad in [
            "http://app.example.com/logout",
            "com.example.app:/logout",
            "https://169.254.169.254/latest",
            "https://[fe80::1]/",
            "https://[::ffff:169.254.169.254]/",
            "https://[fd00:ec2::254]/",
            "https://2852039166/",
            "https://0xa9fea9fe/",
            "https://169.254.43518/",
            "https://0.0.0.0/",
            "https://app.example.com/#x",
        ] {
            assert!(check_backchannel_uri(bad).is_err(), "{bad}");
        }
    }
}
