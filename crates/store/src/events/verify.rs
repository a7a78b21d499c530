//! The audit log, checked link by link.

use denizen_model::{RealmId, events::CHAINS};

use super::{CHAIN_HEADS, CHAIN_PART, Link};
use crate::{
    audit::{AuditKey, commitment},
    db::Db,
    error::{Error, Result},
    value::{Row, params},
};

/// What verification found in a realm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verification {
    /// Events whose link was checked.
    pub checked: u64,
    /// What is wrong, each in a sentence; empty when the audit log is whole.
    pub faults: Vec<String>,
}

/// Recomputes every chain of a realm, in portions.
///
/// # Errors
/// When the database fails.
pub async fn verify(db: &Db, realm: RealmId) -> Result<Verification> {
    let mut found = Verification { checked: 0, faults: Vec::new() };
    for chain in 0..CHAINS {
        verify_chain(db, realm, chain, &mut found).await?;
    }
    Ok(found)
}

struct Head {
    sequence: i64,
    hash: String,
    first_sequence: i64,
    first_hash: String,
}

async fn find_head(db: &Db, realm: RealmId, chain: u8) -> Result<Option<Head>> {
    let heads: Vec<(u8, Head)> = db
        .read(move |tx| {
            tx.list(&CHAIN_HEADS, params![realm], |row| {
                let chain = u8::try_from(row.i64("chain")?).unwrap_or(CHAINS);
                let (sequence, hash) = (row.i64("sequence")?, row.text("hash")?);
                Ok((
                    chain,
                    Head {
                        sequence,
                        hash,
                        first_sequence: row.i64("first_sequence")?,
                        first_hash: row.text("first_hash")?,
                    },
                ))
            })
        })
        .await?;
    Ok(heads.into_iter().find(|(number, _)| *number == chain).map(|(_, head)| head))
}

async fn verify_chain(db: &Db, realm: RealmId, chain: u8, found: &mut Verification) -> Result<()> {
    const PORTION: i64 = 2000;
    // Events may arrive while this reads, so the walk goes up to the head as it was at the start.
    let Some(head) = find_head(db, realm, chain).await? else { return Ok(()) };
    let (mut sequence, mut hash) = (head.first_sequence, head.first_hash);
    let mut fault = |text: String| found.faults.push(format!("chain {chain}: {text}"));
    while sequence < head.sequence {
        let (from, before, reader) = (sequence, hash.clone(), db.clone());
        let end = head.sequence;
        let part = db
            .read(move |tx| {
                let (mut last, mut hash) = (from, before.clone());
                let mut checked = 0_u64;
                let links = tx.list(&CHAIN_PART, params![realm, chain, from, PORTION], |row| {
                    if row.i64("sequence")? > end {
                        return Ok(None);
                    }
                    checked += 1;
                    check_link(row, reader.audit_key(), &mut last, &mut hash)
                })?;
                Ok::<_, Error>((last, hash, checked, links.into_iter().flatten().collect::<Vec<String>>()))
            })
            .await?;
        let (last, next, checked, faults) = part;
        faults.into_iter().for_each(&mut fault);
        found.checked += checked;
        if checked == 0 {
            fault(format!("events {} to {end} are missing", sequence + 1));
            return Ok(());
        }
        (sequence, hash) = (last, next);
    }
    if hash != head.hash {
        fault("the last event is not the one the chain ends in".to_owned());
    }
    Ok(())
}

/// Checks one event against the hash before it; answers what is wrong.
fn check_link(row: &Row<'_>, key: &AuditKey, last: &mut i64, hash: &mut String) -> Result<Option<String>> {
    let id = row.text("id")?;
    let sequence = row.i64("sequence")?;
    let ip = row.opt_text("ip")?.unwrap_or_default();
    let (data, salt, digest) = (row.text("data")?, row.text("salt")?, row.text("digest")?);
    let text = |name: &str| row.opt_text(name).map(Option::unwrap_or_default);
    let (kind, outcome, actor_kind, actor_id) =
        (text("kind")?, text("outcome")?, text("actor_kind")?, text("actor_id")?);
    let (subject_kind, subject_id, client_id) = (text("subject_kind")?, text("subject_id")?, text("client_id")?);
    let link = Link {
        id: id.clone(),
        realm: text("realm_id")?,
        sequence: sequence.to_string(),
        at: row.i64("at")?.to_string(),
        kind: &kind,
        outcome: &outcome,
        actor_kind: &actor_kind,
        actor_id: &actor_id,
        subject_kind: &subject_kind,
        subject_id: &subject_id,
        client_id: &client_id,
        session_id: text("session_id")?,
        digest: digest.clone(),
    };
    let expected = link.hash(key, hash)?;
    let stored = row.text("hash")?;
    let fault = if sequence != *last + 1 {
        Some(format!("events {} to {} are missing", *last + 1, sequence - 1))
    } else if commitment(&salt, &format!("{ip}\n{data}")) != digest {
        Some(format!("the details of event {id} were altered"))
    } else if expected != stored {
        Some(format!("event {id} was altered"))
    } else {
        None
    };
    (*last, *hash) = (sequence, stored);
    Ok(fault)
}
