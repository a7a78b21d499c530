//! Events: appended at commit, read by anyone who may, verified link by link.

mod verify;

use std::collections::BTreeMap;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use denizen_model::{
    EventId, RealmId, Timestamp, UserId,
    events::{
        ActorKind, ActorRef, CHAINS, Event, EventQuery, EventType, NewEvent, Outcome, SubjectKind, SubjectRef, chain_of,
    },
    uuid_v7,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value as Json};

pub use self::verify::{Verification, verify};
use crate::{
    audit::{AuditKey, commitment},
    error::{Error, Result},
    sql::{Rows, statements},
    tx::{ReadTx, WriteTx},
    value::{Row, Value, params, to_json},
};

macro_rules! columns {
    () => {
        "id, realm_id, chain, sequence, at, kind, outcome, actor_kind, actor_id, subject_kind, subject_id, \
         client_id, session_id, ip, data, salt, digest, hash"
    };
}

statements! {
    ADVANCE = "UPDATE event_chains SET sequence = sequence + ?3 WHERE realm_id = ?1 AND chain = ?2 RETURNING sequence, hash";
    BEGIN_CHAIN = "INSERT INTO event_chains (realm_id, chain, sequence, hash, first_sequence, first_hash) VALUES (?1, ?2, 0, '', 0, '') ON CONFLICT DO NOTHING";
    SET_HASH = "UPDATE event_chains SET hash = ?3 WHERE realm_id = ?1 AND chain = ?2";
    HEADS = "SELECT chain, sequence, hash FROM event_chains WHERE realm_id = ?1 AND chain IN (SELECT value FROM json_each(?2)) ORDER BY chain",
        postgres: "SELECT chain, sequence, hash FROM event_chains WHERE realm_id = ?1 AND chain = ANY (ARRAY(SELECT CAST(json_array_elements_text(CAST(CAST(?2 AS TEXT) AS json)) AS BIGINT))) ORDER BY chain FOR UPDATE";
    SET_HEADS = "UPDATE event_chains SET sequence = json_extract(head.value, '$[1]'), hash = json_extract(head.value, '$[2]') FROM json_each(?2) AS head WHERE realm_id = ?1 AND chain = json_extract(head.value, '$[0]')",
        postgres: "UPDATE event_chains SET sequence = CAST(head.value->>1 AS BIGINT), hash = head.value->>2 FROM json_array_elements(CAST(CAST(?2 AS TEXT) AS json)) AS head (value) WHERE realm_id = ?1 AND chain = CAST(head.value->>0 AS BIGINT)";
    INSERT = concat!("INSERT INTO events (", columns!(), ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18)");
    FIND = concat!("SELECT ", columns!(), " FROM events WHERE realm_id = ?1 AND id = ?2");
    CHAIN_HEADS = "SELECT chain, sequence, hash, first_sequence, first_hash FROM event_chains WHERE realm_id = ?1 ORDER BY chain";
    CHAIN_PART = concat!("SELECT ", columns!(), " FROM events WHERE realm_id = ?1 AND chain = ?2 AND sequence > ?3 ORDER BY sequence LIMIT ?4");
    CHAIN_HEADS_OF = "SELECT first_sequence FROM event_chains WHERE realm_id = ?1 AND chain = ?2";
    REMOVE_EXPIRED = "DELETE FROM events WHERE realm_id = ?1 AND chain = ?2 AND sequence <= ?3";
    SET_FIRST = "UPDATE event_chains SET first_sequence = ?3, first_hash = ?4 WHERE realm_id = ?1 AND chain = ?2";
    OLDEST = "SELECT sequence, at, hash FROM events WHERE realm_id = ?1 AND chain = ?2 AND sequence > ?3 ORDER BY sequence LIMIT ?4";
}

/// The columns of a new event.
pub(crate) const EVENTS: Rows = Rows { table: "events", columns: columns!() };

/// From this many events on, a transaction's events are written by the hundred.
const MANY: usize = 8;

/// The part of an event that may be about a person; the chain holds its digest only.
#[derive(Serialize, Deserialize)]
struct Personal {
    actor: String,
    subject: String,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    place: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    user_agent: Option<String>,
    #[serde(skip_serializing_if = "Map::is_empty", default)]
    details: Map<String, Json>,
}

/// Appends events to their chains. Chains are taken in order, so that two transactions never wait for each other.
pub(crate) fn append(
    tx: &mut WriteTx<'_>,
    key: &AuditKey,
    random: &dyn Fn(&mut [u8]),
    events: Vec<NewEvent>,
) -> Result<()> {
    let many = events.len() >= MANY;
    let mut chains: BTreeMap<(RealmId, u8), Vec<NewEvent>> = BTreeMap::new();
    for event in events {
        chains.entry((event.realm_id, chain_of(&event.subject.id))).or_default().push(event);
    }
    if many {
        return append_many(tx, key, random, chains);
    }
    for ((realm, chain), events) in chains {
        let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
        let (end, mut hash) = advance(tx, realm, chain, count)?;
        for (sequence, event) in (end - count + 1..).zip(events) {
            let linked = Linked::new(key, random, event, chain, sequence, &hash)?;
            tx.execute(&INSERT, &linked.values())?;
            hash = linked.hash;
        }
        tx.execute(&SET_HASH, params![realm, chain, &hash])?;
    }
    Ok(())
}

/// The same with a few statements for all of them.
fn append_many(
    tx: &mut WriteTx<'_>,
    key: &AuditKey,
    random: &dyn Fn(&mut [u8]),
    mut chains: BTreeMap<(RealmId, u8), Vec<NewEvent>>,
) -> Result<()> {
    while let Some(((realm, _), _)) = chains.first_key_value() {
        let realm = *realm;
        let later = chains.split_off(&(realm, CHAINS));
        let own = std::mem::replace(&mut chains, later);
        let mut heads = find_heads(tx, realm, own.keys().map(|(_, chain)| *chain).collect())?;
        let mut linked = Vec::with_capacity(own.values().map(Vec::len).sum());
        for ((_, chain), events) in own {
            let head = heads.iter_mut().find(|(number, _, _)| *number == chain);
            let (_, sequence, hash) = head.ok_or_else(|| Error::Internal("an event chain is missing".to_owned()))?;
            for event in events {
                *sequence += 1;
                let link = Linked::new(key, random, event, chain, *sequence, hash)?;
                hash.clone_from(&link.hash);
                linked.push(link);
            }
        }
        tx.insert_rows(&EVENTS, linked.iter().map(|link| Ok(link.values().to_vec())))?;
        tx.execute(&SET_HEADS, params![realm, to_json(&heads)?])?;
    }
    Ok(())
}

/// The heads of chains, which are held until the transaction ends; those that were never used are begun.
fn find_heads(tx: &mut WriteTx<'_>, realm: RealmId, chains: Vec<u8>) -> Result<Vec<(u8, i64, String)>> {
    let read = |row: &Row<'_>| {
        Ok((u8::try_from(row.i64("chain")?).unwrap_or(CHAINS), row.i64("sequence")?, row.text("hash")?))
    };
    let wanted = to_json(&chains)?;
    let heads = tx.list(&HEADS, params![realm, &wanted], read)?;
    if heads.len() == chains.len() {
        return Ok(heads);
    }
    for chain in chains {
        tx.execute(&BEGIN_CHAIN, params![realm, chain])?;
    }
    tx.list(&HEADS, params![realm, &wanted], read)
}

/// An event with its place in its chain.
struct Linked {
    event: NewEvent,
    chain: u8,
    sequence: i64,
    data: String,
    salt: String,
    digest: String,
    hash: String,
}

impl Linked {
    fn new(
        key: &AuditKey,
        random: &dyn Fn(&mut [u8]),
        mut event: NewEvent,
        chain: u8,
        sequence: i64,
        before: &str,
    ) -> Result<Self> {
        let mut salt = [0; 12];
        random(&mut salt);
        let salt = URL_SAFE_NO_PAD.encode(salt);
        let personal = Personal {
            actor: std::mem::take(&mut event.actor.name),
            subject: std::mem::take(&mut event.subject.name),
            place: event.place.take(),
            user_agent: event.user_agent.take(),
            details: std::mem::take(&mut event.details),
        };
        let data = to_json(&personal)?;
        let digest = commitment(&salt, &format!("{}\n{data}", event.ip.as_deref().unwrap_or("")));
        let link = Link {
            id: event.id.to_string(),
            realm: event.realm_id.to_string(),
            sequence: sequence.to_string(),
            at: event.at.as_micros().to_string(),
            kind: event.kind.as_str(),
            outcome: event.outcome.as_str(),
            actor_kind: event.actor.kind.as_str(),
            actor_id: event.actor.id.as_deref().unwrap_or(""),
            subject_kind: event.subject.kind.as_str(),
            subject_id: &event.subject.id,
            client_id: event.client_id.as_deref().unwrap_or(""),
            session_id: event.session_id.map(|id| id.to_string()).unwrap_or_default(),
            digest: digest.clone(),
        };
        let hash = link.hash(key, before)?;
        Ok(Self { event, chain, sequence, data, salt, digest, hash })
    }

    fn values(&self) -> [Value<'_>; 18] {
        let event = &self.event;
        [
            event.id.into(),
            event.realm_id.into(),
            self.chain.into(),
            self.sequence.into(),
            event.at.into(),
            event.kind.as_str().into(),
            event.outcome.as_str().into(),
            event.actor.kind.as_str().into(),
            event.actor.id.as_deref().into(),
            event.subject.kind.as_str().into(),
            (&event.subject.id).into(),
            event.client_id.as_deref().into(),
            event.session_id.into(),
            event.ip.as_deref().into(),
            (&self.data).into(),
            (&self.salt).into(),
            (&self.digest).into(),
            (&self.hash).into(),
        ]
    }
}

fn advance(tx: &mut WriteTx<'_>, realm: RealmId, chain: u8, count: i64) -> Result<(i64, String)> {
    let head = |row: &Row<'_>| Ok((row.i64("sequence")?, row.text("hash")?));
    if let Some(found) = tx.find(&ADVANCE, params![realm, chain, count], head)? {
        return Ok(found);
    }
    tx.execute(&BEGIN_CHAIN, params![realm, chain])?;
    tx.find(&ADVANCE, params![realm, chain, count], head)?
        .ok_or_else(|| Error::Internal("an event chain could not be begun".to_owned()))
}

/// What a link of the chain covers, in this order.
struct Link<'a> {
    id: String,
    realm: String,
    sequence: String,
    at: String,
    kind: &'a str,
    outcome: &'a str,
    actor_kind: &'a str,
    actor_id: &'a str,
    subject_kind: &'a str,
    subject_id: &'a str,
    client_id: &'a str,
    session_id: String,
    digest: String,
}

impl Link<'_> {
    fn hash(&self, key: &AuditKey, before: &str) -> Result<String> {
        key.link(
            before,
            &[
                &self.id,
                &self.realm,
                &self.sequence,
                &self.at,
                self.kind,
                self.outcome,
                self.actor_kind,
                self.actor_id,
                self.subject_kind,
                self.subject_id,
                self.client_id,
                &self.session_id,
                &self.digest,
            ],
        )
    }
}

fn read_event(row: &Row<'_>) -> Result<Event> {
    let id = row.parse("id")?;
    let chain = u8::try_from(row.i64("chain")?).unwrap_or(CHAINS);
    let sequence = row.i64("sequence")?;
    let at = row.time("at")?;
    let kind = row.named("kind", EventType::from_name)?;
    let outcome = row.named("outcome", Outcome::from_name)?;
    let actor_kind = row.named("actor_kind", ActorKind::from_name)?;
    let actor_id = row.opt_text("actor_id")?;
    let subject_kind = row.named("subject_kind", SubjectKind::from_name)?;
    let subject_id = row.text("subject_id")?;
    let client_id = row.opt_text("client_id")?;
    let session_id = row.opt_parse("session_id")?;
    let ip = row.opt_text("ip")?;
    let personal: Personal = row.json("data")?;
    Ok(Event {
        id,
        at,
        kind,
        outcome,
        actor: ActorRef { kind: actor_kind, id: actor_id, name: personal.actor },
        subject: SubjectRef { kind: subject_kind, id: subject_id, name: personal.subject },
        client_id,
        session_id,
        ip,
        place: personal.place,
        user_agent: personal.user_agent,
        details: personal.details,
        chain,
        sequence,
        hash: row.text("hash")?,
    })
}

/// The event of this id in this realm.
///
/// # Errors
/// When the database fails.
pub fn find(tx: &mut ReadTx<'_>, realm: RealmId, id: EventId) -> Result<Option<Event>> {
    tx.find(&FIND, params![realm, id], read_event)
}

/// The lowest id that an event at this time can have.
fn id_floor(at: Timestamp) -> String {
    uuid_v7(at, [0; 10]).to_string()
}

/// A list's statement, built from constant fragments; values only ever stand in its parameters.
fn list_text<'q>(realm: RealmId, query: &'q EventQuery, after: Option<&'q str>) -> (String, Vec<Value<'q>>) {
    let mut text = concat!("SELECT ", columns!(), " FROM events WHERE realm_id = ?1").to_owned();
    let mut values: Vec<Value<'q>> = vec![realm.into()];
    let mut condition = |sql: &str, value: Value<'q>| {
        values.push(value);
        text.push_str(&format!(" AND {sql} ?{}", values.len()));
    };
    if let Some(kind) = query.kind {
        condition("kind =", kind.as_str().into());
    }
    if let Some(actor) = &query.actor {
        condition("actor_id =", actor.into());
    }
    if let Some(subject) = &query.subject {
        condition("subject_id =", subject.into());
    }
    if let Some(client) = &query.client {
        condition("client_id =", client.into());
    }
    if let Some(outcome) = query.outcome {
        condition("outcome =", outcome.as_str().into());
    }
    if let Some(ip) = &query.ip {
        condition("ip =", ip.into());
    }
    if let Some(from) = query.from {
        condition("id >=", id_floor(from).into());
    }
    if let Some(until) = query.until {
        condition("id <", id_floor(until).into());
    }
    if let Some(after) = after {
        condition("id <", after.into());
    }
    values.push(i64::from(query.limit).into());
    text.push_str(&format!(" ORDER BY id DESC LIMIT ?{}", values.len()));
    (text, values)
}

/// Events, newest first.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId, query: &EventQuery) -> Result<Vec<Event>> {
    let after = query.after.as_ref().map(|cursor| cursor.id.as_str());
    let (text, values) = list_text(realm, query, after);
    tx.list_text(&text, &values, read_event)
}

/// What was done to a user and what they did, newest first: two index walks, merged.
///
/// # Errors
/// When the database fails.
pub fn list_activity(tx: &mut ReadTx<'_>, realm: RealmId, user: UserId, query: &EventQuery) -> Result<Vec<Event>> {
    let id = user.to_string();
    let mut events = list(tx, realm, &EventQuery { subject: Some(id.clone()), ..query.clone() })?;
    events.extend(list(tx, realm, &EventQuery { actor: Some(id), ..query.clone() })?);
    events.sort_by_key(|event| std::cmp::Reverse(event.id));
    events.dedup_by(|a, b| a.id == b.id);
    events.truncate(usize::try_from(query.limit).unwrap_or(usize::MAX));
    Ok(events)
}

/// Removes up to a thousand of a chain's events that are older than `before`, and moves its beginning. Answers
/// how many went.
///
/// # Errors
/// When the database fails.
pub fn remove_expired(tx: &mut WriteTx<'_>, realm: RealmId, chain: u8, before: Timestamp) -> Result<u64> {
    let head = tx.find(&CHAIN_HEADS_OF, params![realm, chain], |row| row.i64("first_sequence"))?;
    let Some(first) = head else { return Ok(0) };
    let oldest = tx.list(&OLDEST, params![realm, chain, first, 1000_i64], |row| {
        Ok((row.i64("sequence")?, row.time("at")?, row.text("hash")?))
    })?;
    // Only an unbroken run from the beginning may go, or the rest would not verify.
    let Some((sequence, _, hash)) = oldest.into_iter().take_while(|(_, at, _)| *at < before).last() else {
        return Ok(0);
    };
    tx.execute(&SET_FIRST, params![realm, chain, sequence, hash])?;
    tx.execute(&REMOVE_EXPIRED, params![realm, chain, sequence])
}
