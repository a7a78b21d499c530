//! Recovery codes: ten that are shown once and work once each, for the day the phone is lost.

use denizen_model::{
    AuthenticatorId,
    authenticators::{Authenticator, AuthenticatorType},
    events::{EventType, NewEvent},
    users::User,
};
use denizen_store::{self as store, Events, WriteTx, authenticators::Stored};

use super::readable_secret;
use crate::{
    Actor, App, Cx, Error, Result,
    crypto::{Secret, hash_token},
    cx::Detail,
    flows::sign_in::Taken,
};

/// How many there are in a set.
const CODES: usize = 10;

/// Makes a set.
pub(crate) fn generate(app: &App) -> Vec<Secret> {
    (0..CODES).map(|_| readable_secret(app.rng())).collect()
}

/// The stored form of a code, however it was typed. Codes have 79 bits, so a plain hash is enough.
fn hash(code: &str) -> String {
    let letters: String = code.chars().filter(char::is_ascii_alphanumeric).collect();
    hash_token(&letters.to_ascii_lowercase())
}

fn read(secret: &str) -> Result<Vec<String>> {
    serde_json::from_str(secret).map_err(|error| Error::internal(format!("recovery codes are damaged: {error}")))
}

fn written(hashes: &[String]) -> Result<String> {
    serde_json::to_string(hashes).map_err(|error| Error::internal(error.to_string()))
}

/// How many of a set are left.
pub(crate) fn left(stored: &Stored) -> Result<usize> {
    Ok(read(&stored.secret)?.len())
}

/// Stores a set in the place of the one there was. Answers the events.
pub(crate) fn replace_in(
    tx: &mut WriteTx<'_>,
    app: &App,
    cx: &Cx,
    user: &User,
    codes: &[Secret],
) -> Result<Vec<NewEvent>> {
    let kind = AuthenticatorType::RecoveryCodes;
    let gone = store::authenticators::delete_kind(tx, user.realm_id, user.id, kind)?;
    let new = Authenticator::new(AuthenticatorId::new(cx.now, app.id_bytes()), user.id, kind, "", cx.now);
    let hashes: Vec<String> = codes.iter().map(|code| hash(code.expose())).collect();
    store::authenticators::put(tx, user.realm_id, &new, None, &written(&hashes)?)?;
    let event = cx
        .user_event(app, EventType::UserAuthenticatorRegistered, user)
        .detail("method", kind.as_str())
        .detail("authenticator_id", new.id.to_string())
        .detail("replaced", !gone.is_empty());
    Ok(vec![event])
}

/// Looks at a code, and uses it up if it is right.
pub(crate) async fn take(
    app: &App,
    cx: &Cx,
    user: &User,
    stored: &[Stored],
    code: Secret,
    client: Option<&str>,
) -> Result<Taken> {
    let typed = hash(code.expose());
    for one in stored {
        let hashes = read(&one.secret)?;
        let left: Vec<String> = hashes.iter().filter(|hash| **hash != typed).cloned().collect();
        if left.len() == hashes.len() {
            continue;
        }
        let (id, before, after, count) = (one.authenticator.id, one.secret.clone(), written(&left)?, left.len());
        let own = cx.acting_as(Actor::User(user.id, user.display_name().to_owned()));
        let (app2, user, client) = (app.clone(), user.clone(), client.map(str::to_owned));
        let first = app
            .write(cx, move |mut tx| {
                if !store::authenticators::set_secret(&mut tx, id, &before, &after)? {
                    // Another code of the set, or this one, was used at this moment.
                    return Ok(tx.unaudited("nothing was changed", false)?);
                }
                let mut event = own
                    .user_event(&app2, EventType::UserAuthenticatorUsed, &user)
                    .detail("method", AuthenticatorType::RecoveryCodes.as_str())
                    .detail("authenticator_id", id.to_string())
                    .detail("codes_left", count);
                event.client_id.clone_from(&client);
                Ok(tx.commit(Events::from(event), true)?)
            })
            .await?;
        return Ok(if first { Taken::Right(id) } else { Taken::UsedBefore });
    }
    Ok(Taken::Wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_the_same_however_it_is_typed() {
        assert_eq!(hash("abcd-efgh-jkmn-pqrs"), hash(" ABCD efgh JKMNPQRS "));
        assert_ne!(hash("abcd-efgh-jkmn-pqrs"), hash("abcd-efgh-jkmn-pqrt"));
    }
}
