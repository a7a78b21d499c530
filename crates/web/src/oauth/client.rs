//! Who calls: client credentials from the `Authorization` header or the form (RFC 6749, section 2.3.1).

use axum::http::{HeaderMap, header};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use denizen_ops::{
    crypto::Secret,
    oauth::{OAuthError, client_auth::Credentials},
};

/// The credentials of a request; a client must not show them in two ways.
pub(super) fn credentials(
    headers: &HeaderMap,
    client_id: Option<String>,
    secret: Option<Secret>,
) -> Result<Credentials, OAuthError> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Ok(Credentials { client_id: client_id.ok_or(OAuthError::InvalidClient)?, secret });
    };
    let (id, password) = basic(value.to_str().unwrap_or("")).ok_or(OAuthError::InvalidClient)?;
    if secret.is_some() || client_id.is_some_and(|given| given != id) {
        let text = "The client authenticated in two ways at once.".to_owned();
        return Err(OAuthError::Refused("invalid_request", text));
    }
    Ok(Credentials { client_id: id, secret: Some(Secret::new(password)) })
}

fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let plain = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
    let (id, secret) = plain.split_once(':')?;
    // Both parts are form-encoded first (RFC 6749, section 2.3.1).
    Some((form_decoded(id)?, form_decoded(secret)?))
}

fn form_decoded(text: &str) -> Option<String> {
    if !text.contains(['%', '+']) {
        return Some(text.to_owned());
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let digit = |byte: Option<u8>| char::from(byte?).to_digit(16).and_then(|d| u8::try_from(d).ok());
                digit(rest.next())? * 16 + digit(rest.next())?
            }
            plain => plain,
        });
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn basic_credentials_are_form_decoded() {
        assert_eq!(basic("Basic YSUzQWI6YytkJTI1"), Some(("a:b".into(), "c d%".into())));
        assert_eq!(basic("Basic !!!"), None);
        assert_eq!(basic("Bearer abc"), None);
        assert_eq!(form_decoded("%2"), None);
    }
}
