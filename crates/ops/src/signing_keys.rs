//! Signing keys: made at the first start, sealed at rest, rotated.
//!
//! A new key is published a day before it signs, so that clients with a cached key set know it in time; an old
//! one stays published until the last token it signed has expired.

use std::{sync::Arc, time::Duration};

use denizen_model::{
    RealmId, Timestamp,
    events::{EventType, SubjectKind, SubjectRef},
};
use denizen_store::{self as store, Events, keys::StoredSigningKey};
use serde_json::{Value, json};

use crate::{
    App, Cx, Error, Result,
    crypto::{Algorithm, SigningKey, Verifier},
    cx::Detail,
};

/// How long a key signs.
pub const ROTATE_AFTER: Duration = Duration::from_secs(90 * 24 * 3600);
/// How long a key is published before it signs.
pub const PUBLISHED_AHEAD: Duration = Duration::from_secs(24 * 3600);
/// How long a key stays published after a later one has taken over; no token lives longer.
pub const KEPT_AFTER: Duration = Duration::from_secs(48 * 3600);

const PURPOSE: &str = "signing-key";

/// A new key, sealed and ready to be stored.
#[derive(Debug, Clone)]
pub(crate) struct PreparedKey {
    kid: String,
    algorithm: Algorithm,
    sealed: String,
}

impl PreparedKey {
    pub(crate) fn stored(&self, generation: i64, now: Timestamp, active_at: Timestamp) -> StoredSigningKey {
        StoredSigningKey {
            id: self.kid.clone(),
            algorithm: self.algorithm.as_str().to_owned(),
            generation,
            private_sealed: self.sealed.clone(),
            created_at: now,
            active_at,
            retired_at: None,
        }
    }
}

/// Makes a key, off the async threads.
pub(crate) async fn generate(app: &App) -> Result<PreparedKey> {
    let algorithm = Algorithm::Es256;
    let made = tokio::task::spawn_blocking(move || {
        let key = SigningKey::generate(algorithm)?;
        let pkcs8 = key.to_pkcs8()?;
        Ok::<_, crate::crypto::jose::KeyError>((key.kid().to_owned(), pkcs8))
    });
    let (kid, pkcs8) = made
        .await
        .map_err(|error| Error::internal(error.to_string()))?
        .map_err(|error| Error::internal(error.to_string()))?;
    Ok(PreparedKey { kid, algorithm, sealed: app.sealer().seal(PURPOSE, &*pkcs8) })
}

/// A realm's keys, opened.
#[derive(Debug)]
pub(crate) struct KeyRing {
    /// From when on each signs, the latest first.
    keys: Vec<(Timestamp, Arc<SigningKey>)>,
    verifier: Verifier,
}

impl KeyRing {
    pub(crate) fn open(app: &App, stored: Vec<StoredSigningKey>) -> Result<Self> {
        let wrong = |what: &dyn std::fmt::Display| Error::internal(format!("a signing key cannot be opened: {what}"));
        let mut keys = Vec::new();
        let mut verifying = Vec::new();
        for key in stored {
            let algorithm = Algorithm::from_name(&key.algorithm).ok_or_else(|| wrong(&key.algorithm))?;
            let pkcs8 = app.sealer().open(PURPOSE, &key.private_sealed).map_err(|error| wrong(&error))?;
            let opened = SigningKey::from_pkcs8(algorithm, &pkcs8).map_err(|error| wrong(&error))?;
            verifying.push(opened.verifying_key().map_err(|error| wrong(&error))?);
            keys.push((key.active_at, Arc::new(opened)));
        }
        Ok(Self { keys, verifier: Verifier::new(verifying) })
    }

    /// The key that signs at this time.
    pub(crate) fn signing(&self, now: Timestamp) -> Result<&SigningKey> {
        let active = self.keys.iter().find(|(active_at, _)| *active_at <= now);
        active
            .or(self.keys.last())
            .map(|(_, key)| key.as_ref())
            .ok_or_else(|| Error::internal("the realm has no signing key"))
    }

    pub(crate) fn verifier(&self) -> &Verifier {
        &self.verifier
    }

    pub(crate) fn jwks(&self) -> Value {
        let keys: Vec<Value> = self.keys.iter().map(|(_, key)| key.public_jwk()).collect();
        json!({ "keys": keys })
    }
}

/// Makes a new key for each realm whose latest has signed long enough, and removes those long retired.
///
/// # Errors
/// When the database fails.
pub async fn rotate(app: &App) -> Result<()> {
    let realms = app.db().read(|tx| Ok::<_, Error>(store::realms::list(tx)?)).await?;
    for realm in realms {
        rotate_in(app, realm.id).await?;
    }
    Ok(())
}

async fn rotate_in(app: &App, realm: RealmId) -> Result<()> {
    let cx = Cx::system(app, "key rotation");
    let keys = app.db().read(move |tx| Ok::<_, Error>(store::keys::list_signing_keys(tx, realm)?)).await?;
    let Some(latest) = keys.first().cloned() else { return Ok(()) };
    if latest.active_at <= cx.now {
        retire_others(app, realm, &latest.id, &keys, cx.now).await?;
    }
    if cx.now.since(latest.created_at) < ROTATE_AFTER {
        return Ok(());
    }
    let key = generate(app).await?.stored(latest.generation + 1, cx.now, cx.now.plus(PUBLISHED_AHEAD));
    let (app2, cx2) = (app.clone(), cx.clone());
    let made = app
        .write_config(&cx, move |mut tx| {
            store::keys::insert_signing_key(&mut tx, realm, &key)?;
            let subject = SubjectRef { kind: SubjectKind::Realm, id: realm.to_string(), name: String::new() };
            let event = cx2
                .event(&app2, realm, EventType::SigningKeyCreated, subject)
                .detail("kid", key.id.as_str())
                .detail("active_at", key.active_at.to_string());
            Ok(tx.commit(Events::from(event), ())?)
        })
        .await;
    // Another node may have made the next generation at the same moment; the constraint let only one through.
    match made {
        Err(error) if error.context.as_deref().is_some_and(|text| text.contains("signing_keys_generation")) => Ok(()),
        other => other,
    }
}

async fn retire_others(
    app: &App,
    realm: RealmId,
    latest: &str,
    keys: &[StoredSigningKey],
    now: Timestamp,
) -> Result<()> {
    let retiring: Vec<String> =
        keys.iter().filter(|key| key.id != latest && key.retired_at.is_none()).map(|key| key.id.clone()).collect();
    let outdated = keys.iter().any(|key| key.retired_at.is_some_and(|at| now.since(at) > KEPT_AFTER));
    if retiring.is_empty() && !outdated {
        return Ok(());
    }
    let cx = Cx::system(app, "key rotation");
    app.write_config(&cx, move |mut tx| {
        for id in &retiring {
            store::keys::retire_signing_key(&mut tx, realm, id, now)?;
        }
        store::keys::delete_retired(&mut tx, realm, now.minus(KEPT_AFTER))?;
        Ok(tx.unaudited("the end of a key whose successor was announced", ())?)
    })
    .await
}
