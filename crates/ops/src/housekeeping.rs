//! What has to be removed by itself: expired codes, tokens, sessions; events past retention; deleted realms.

use std::time::Duration;

use denizen_model::{RealmId, events::CHAINS};
use denizen_store as store;

use crate::{App, Error, Result};

/// Removes everything that has expired, in small steps. Answers how many rows went.
///
/// # Errors
/// When the database fails; what was removed until then stays removed.
pub async fn remove_expired(app: &App) -> Result<u64> {
    let mut removed = 0;
    loop {
        let now = app.now();
        let step = app
            .db()
            .write(move |mut tx| {
                let removed = store::housekeeping::remove_expired(&mut tx, now)?;
                Ok::<_, Error>(tx.unaudited("expiry was decided when the row was made", removed)?)
            })
            .await?;
        removed += step;
        if step == 0 {
            break;
        }
    }
    let realms = app.db().read(|tx| Ok::<_, Error>(store::realms::list(tx)?)).await?;
    for realm in realms {
        removed += remove_old_events(app, realm.id, realm.settings.audit_retention_days).await?;
        removed += remove_old_messages(app, realm.id, realm.settings.audit_retention_days).await?;
    }
    note_ended_locks(app).await?;
    note_duplicates(app).await?;
    crate::messages::give_up_expired(app).await?;
    purge_deleted_realms(app).await?;
    Ok(removed)
}

/// Sorts what was written lately into the index that searches ask.
///
/// # Errors
/// When the database fails.
pub async fn merge_texts(app: &App) -> Result<()> {
    Ok(store::housekeeping::merge_texts(app.db()).await.map(drop)?)
}

/// Takes locks whose time is over out of what lists of users go by.
async fn note_ended_locks(app: &App) -> Result<()> {
    loop {
        let now = app.now();
        let ended = app
            .db()
            .write(move |mut tx| {
                let ended = store::lockouts::note_ended(&mut tx, now)?;
                Ok::<_, Error>(tx.unaudited("the lock's own end, which its event tells", ended)?)
            })
            .await?;
        if ended == 0 {
            return Ok(());
        }
    }
}

/// Finds the duplicates among new users whose transactions ran at the same moment.
async fn note_duplicates(app: &App) -> Result<()> {
    let since = app.now().minus(Duration::from_secs(600));
    app.db()
        .write(move |mut tx| {
            store::duplicates::note_recent(&mut tx, since)?;
            Ok::<_, Error>(tx.unaudited("what follows from records that have their events", ())?)
        })
        .await
}

async fn remove_old_events(app: &App, realm: RealmId, days: u32) -> Result<u64> {
    let before = app.now().minus(Duration::from_secs(u64::from(days) * 24 * 3600));
    let mut removed = 0;
    for chain in 0..CHAINS {
        loop {
            let step = app
                .db()
                .write(move |mut tx| {
                    let removed = store::events::remove_expired(&mut tx, realm, chain, before)?;
                    Ok::<_, Error>(tx.unaudited("the realm's retention, whose setting has its event", removed)?)
                })
                .await?;
            removed += step;
            if step == 0 {
                break;
            }
        }
    }
    Ok(removed)
}

/// Messages are a record like events and are kept as long.
async fn remove_old_messages(app: &App, realm: RealmId, days: u32) -> Result<u64> {
    let before = app.now().minus(Duration::from_secs(u64::from(days) * 24 * 3600));
    let mut removed = 0;
    loop {
        let step = app
            .db()
            .write(move |mut tx| {
                let removed = store::messages::remove_old(&mut tx, realm, before)?;
                Ok::<_, Error>(tx.unaudited("the realm's retention, whose setting has its event", removed)?)
            })
            .await?;
        removed += step;
        if step == 0 {
            return Ok(removed);
        }
    }
}

async fn purge_deleted_realms(app: &App) -> Result<()> {
    let deleted = app.db().read(|tx| Ok::<_, Error>(store::realms::list_deleted(tx)?)).await?;
    for realm in deleted {
        let mut gone = false;
        while !gone {
            gone = app
                .db()
                .write(move |mut tx| {
                    let gone = store::realms::purge(&mut tx, realm)?;
                    Ok::<_, Error>(tx.unaudited("the rest of a realm whose deletion has its event", gone)?)
                })
                .await?;
        }
    }
    Ok(())
}
