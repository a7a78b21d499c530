//! At most once: a change that carries an `Idempotency-Key` claims it in its own transaction.

use std::time::Duration;

use denizen_store::{self as store, Audited, Db, WriteTx};

use crate::{App, Cx, Error, Result, cx::IdempotencyKey};

/// How long a key is remembered.
const KEPT_FOR: Duration = Duration::from_secs(24 * 3600);

impl App {
    /// One audited transaction of an operation. Claims the request's `Idempotency-Key` in it, so that the change
    /// happens at most once whatever breaks in between.
    pub(crate) async fn write<T, F>(&self, cx: &Cx, mut f: F) -> Result<T>
    where
        F: FnMut(WriteTx<'_>) -> Result<Audited<T>> + Send + 'static,
        T: Send + 'static,
    {
        let db: &Db = self.db();
        let Some(IdempotencyKey { actor, key, request_hash }) = cx.idempotency.clone() else {
            return db.write(f).await;
        };
        let expires_at = cx.now.plus(KEPT_FOR);
        db.write(move |mut tx| {
            if !store::idempotency::claim(&mut tx, &actor, &key, &request_hash, expires_at)? {
                return Err(Error::conflict(
                    "idempotency-key-used",
                    "A request with this Idempotency-Key is being or was carried out.",
                ));
            }
            f(tx)
        })
        .await
    }

    /// As [`write`](Self::write), for a change of configuration that nodes hold in their caches.
    pub(crate) async fn write_config<T, F>(&self, cx: &Cx, mut f: F) -> Result<T>
    where
        F: FnMut(WriteTx<'_>) -> Result<Audited<T>> + Send + 'static,
        T: Send + 'static,
    {
        let done = self
            .write(cx, move |mut tx| {
                tx.announce()?;
                f(tx)
            })
            .await;
        self.db().config_changed();
        done
    }
}

/// What is to be done with a request that carries a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Replay {
    /// Nobody used the key: carry the request out.
    Fresh,
    /// The same request was answered with this before.
    Answered(String),
}

/// Looks a key up before a request is carried out.
///
/// # Errors
/// A conflict when the key was used for another request, or when the first one's answer is not known.
pub async fn look_up(app: &App, key: &IdempotencyKey) -> Result<Replay> {
    let (actor, name) = (key.actor.clone(), key.key.clone());
    let used = app.db().read(move |tx| Ok::<_, Error>(store::idempotency::find(tx, &actor, &name)?)).await?;
    let Some(used) = used else { return Ok(Replay::Fresh) };
    if used.request_hash != key.request_hash {
        return Err(Error::conflict("idempotency-key-reused", "This Idempotency-Key was used for another request."));
    }
    let sealed = used.response_sealed.ok_or_else(|| {
        Error::conflict(
            "idempotency-outcome-unknown",
            "A request with this Idempotency-Key was carried out, but its answer was not kept. Look at the record itself.",
        )
    })?;
    let opened = app.sealer().open(PURPOSE, &sealed).map_err(|error| Error::internal(error.to_string()))?;
    String::from_utf8(opened.to_vec()).map(Replay::Answered).map_err(|error| Error::internal(error.to_string()))
}

const PURPOSE: &str = "idempotency";

/// Notes the answer that was given, sealed, since it may hold a secret that is shown once.
///
/// # Errors
/// When the database fails.
pub async fn note_answer(app: &App, key: &IdempotencyKey, answer: &str) -> Result<()> {
    let sealed = app.sealer().seal(PURPOSE, answer);
    let (actor, name) = (key.actor.clone(), key.key.clone());
    app.db()
        .write(move |mut tx| {
            store::idempotency::note_answer(&mut tx, &actor, &name, &sealed)?;
            Ok(tx.unaudited("the answer to a request whose change has its event", ())?)
        })
        .await
}
