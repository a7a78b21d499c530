//! What lists of users go by, kept beside the records: sort keys, searched text, and a mark for everything that a
//! filter can ask for. It is derived: [`reindex`] makes it anew from the records.

use std::collections::BTreeSet;

use denizen_model::{
    RealmId, Timestamp, UserId,
    authenticators::{AuthenticatorType, RequiredAction},
    text::fold,
    users::{Facet, User, is_one_typo_away, marks, typo_variants},
};

use super::{admin_rank, find};
use crate::{
    Db,
    error::{Error, Result},
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{params, to_json},
};

statements! {
    CONTEXT = "SELECT num, '' AS attribute_key FROM realms WHERE id = ?1 UNION ALL SELECT 0, attribute_key FROM attribute_definitions WHERE realm_id = ?1 AND searchable";
    HELD = "SELECT 'role' AS kind, role_id AS held FROM user_roles WHERE user_id = ?1 UNION ALL SELECT 'group', group_id FROM user_groups WHERE user_id = ?1 UNION ALL SELECT 'organization', organization_id FROM memberships WHERE user_id = ?1 UNION ALL SELECT 'authenticator', kind FROM authenticators WHERE user_id = ?1 AND kind NOT IN ('email_code', 'sms_code', 'magic_link') UNION ALL SELECT 'action', action FROM required_actions WHERE user_id = ?1 UNION ALL SELECT 'locked', kind FROM authenticators WHERE user_id = ?1 AND locked_at IS NOT NULL UNION ALL SELECT 'locked', kind FROM lockouts WHERE realm_id = ?2 AND subject = ?1 AND NOT is_over";
    PUT = "INSERT INTO user_index (num, realm_num, created_at, last_sign_in_at, admin_rank, name_key, email_key, phone_key, reference_key, search_text, near_text, facets) VALUES ((SELECT num FROM users WHERE id = ?1), ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12) ON CONFLICT (num) DO UPDATE SET last_sign_in_at = excluded.last_sign_in_at, admin_rank = excluded.admin_rank, name_key = excluded.name_key, email_key = excluded.email_key, phone_key = excluded.phone_key, reference_key = excluded.reference_key, search_text = excluded.search_text, near_text = excluded.near_text, facets = excluded.facets WHERE user_index.facets <> excluded.facets OR user_index.search_text <> excluded.search_text OR user_index.near_text <> excluded.near_text OR user_index.name_key <> excluded.name_key OR user_index.email_key <> excluded.email_key OR user_index.phone_key <> excluded.phone_key OR user_index.reference_key <> excluded.reference_key OR user_index.admin_rank <> excluded.admin_rank OR user_index.last_sign_in_at <> excluded.last_sign_in_at";
    SIGNED_IN = "UPDATE user_index SET last_sign_in_at = ?2 WHERE num = (SELECT num FROM users WHERE id = ?1)";
    LAST_UNINDEXED = "SELECT realm_id, id FROM users u WHERE num = (SELECT max(num) FROM users) AND NOT EXISTS (SELECT 1 FROM user_index i WHERE i.num = u.num)";
    UNINDEXED = "SELECT realm_id, id FROM users u WHERE NOT EXISTS (SELECT 1 FROM user_index i WHERE i.num = u.num) ORDER BY num LIMIT ?1";
    KNOWN_WORDS = "SELECT DISTINCT word FROM search_words WHERE word = variant AND variant IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT DISTINCT word FROM search_words WHERE word = variant AND variant IN (SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS JSON)))";
    ADD_WORD = "INSERT INTO search_words (variant, word) SELECT value, ?2 FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING",
        postgres: "INSERT INTO search_words (variant, word) SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS JSON)), ?2 ON CONFLICT DO NOTHING";
    ADD_MANY_WORDS = "INSERT INTO search_words (variant, word) SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]') FROM json_each(?1) WHERE true ON CONFLICT DO NOTHING",
        postgres: "INSERT INTO search_words (variant, word) SELECT value->>0, value->>1 FROM json_array_elements(CAST(CAST(?1 AS TEXT) AS json)) ON CONFLICT DO NOTHING";
    REMOVE_WORD = "DELETE FROM search_words WHERE word = ?2 AND variant IN (SELECT value FROM json_each(?1))",
        postgres: "DELETE FROM search_words WHERE word = ?2 AND variant IN (SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS JSON)))";
    WORD_IN_USE = "SELECT CAST(1 AS BIGINT) AS found FROM user_search WHERE user_search MATCH 'near_text : \" ' || ?1 || ' \"' LIMIT 1",
        postgres: "SELECT CAST(1 AS BIGINT) AS found FROM user_index WHERE near_text LIKE '% ' || ?1 || ' %' LIMIT 1";
    MEANT = "SELECT DISTINCT word FROM search_words WHERE variant IN (SELECT value FROM json_each(?1))",
        postgres: "SELECT DISTINCT word FROM search_words WHERE variant IN (SELECT json_array_elements_text(CAST(CAST(?1 AS TEXT) AS JSON)))";
}

/// So many words are tried in the place of a mistyped one.
const MEANT_AT_MOST: usize = 12;

/// What indexing a user needs to know of the realm.
#[derive(Debug, Clone)]
pub struct IndexContext {
    realm_num: i64,
    searchable: Vec<String>,
}

impl IndexContext {
    /// Reads it.
    ///
    /// # Errors
    /// When the database fails.
    pub fn load(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<Self> {
        let mut context = Self { realm_num: 0, searchable: Vec::new() };
        for (num, key) in tx.list(&CONTEXT, params![realm], |row| Ok((row.i64("num")?, row.text("attribute_key")?)))? {
            if key.is_empty() { context.realm_num = num } else { context.searchable.push(key) }
        }
        Ok(context)
    }

    /// The keys of the attributes that can be searched and filtered by.
    #[must_use]
    pub fn searchable(&self) -> &[String] {
        &self.searchable
    }
}

/// A user's row in the index.
pub(crate) struct Entry {
    pub(crate) realm_num: i64,
    pub(crate) name_key: String,
    pub(crate) email_key: String,
    pub(crate) phone_key: String,
    pub(crate) reference_key: String,
    pub(crate) search_text: String,
    pub(crate) near_text: String,
    pub(crate) facets: String,
}

impl Entry {
    /// The row of a user who holds these besides what the record says.
    pub(crate) fn new(context: &IndexContext, user: &User, held: &[Facet]) -> Self {
        let mut facets = user.own_facets(&context.searchable);
        facets.push(Facet::Realm(context.realm_num));
        facets.push(Facet::HasPassword(held.contains(&Facet::Authenticator(AuthenticatorType::Password))));
        facets.extend(held);
        let key = |text: &Option<String>| key(text.as_deref().unwrap_or(""));
        Self {
            realm_num: context.realm_num,
            name_key: self::key(&user.name),
            email_key: key(&user.email),
            phone_key: key(&user.phone),
            reference_key: key(&user.reference),
            search_text: user.search_text(&context.searchable),
            near_text: user.near_text(),
            facets: marks(&facets),
        }
    }
}

/// What a column is ordered and compared by: folded, and no longer than an entry of an index may be. (A letter of
/// Unicode may unfold to eighteen.)
pub(crate) fn key(text: &str) -> String {
    let mut folded = fold(text);
    folded.truncate(folded.floor_char_boundary(KEY_LENGTH));
    folded
}

/// In bytes.
const KEY_LENGTH: usize = 800;

/// Puts a user into the index, who holds these besides what the record says.
///
/// # Errors
/// When the database fails.
pub(crate) fn put(tx: &mut WriteTx<'_>, context: &IndexContext, user: &User, held: &[Facet]) -> Result<()> {
    let entry = Entry::new(context, user, held);
    tx.execute(
        &PUT,
        params![
            user.id,
            entry.realm_num,
            user.created_at,
            user.last_sign_in_at.map_or(0, Timestamp::as_micros),
            admin_rank(user.admin_role),
            &entry.name_key,
            &entry.email_key,
            &entry.phone_key,
            &entry.reference_key,
            &entry.search_text,
            &entry.near_text,
            &entry.facets,
        ],
    )?;
    add_words(tx, user.fuzzy_words())
}

/// Brings up to date what lists of users go by: searched text, sort keys, and marks of what filters ask for. To be
/// called, in the same transaction, after a change of anything that hangs on a user: roles, groups, organizations,
/// authenticators. Changes of the record itself do it by themselves.
///
/// # Errors
/// When the database fails.
pub fn reindex(tx: &mut WriteTx<'_>, realm: RealmId, id: UserId) -> Result<()> {
    let context = IndexContext::load(tx, realm)?;
    reindex_in(tx, &context, realm, id)
}

/// As [`reindex`], for many users of one realm.
///
/// # Errors
/// When the database fails.
pub fn reindex_in(tx: &mut WriteTx<'_>, context: &IndexContext, realm: RealmId, id: UserId) -> Result<()> {
    let Some(user) = find(tx, realm, id)? else { return Ok(()) };
    let held = held(tx, realm, id)?;
    put(tx, context, &user, &held)
}

/// What a user holds besides the record; what comes with an address, the record itself says.
pub(crate) fn held(tx: &mut ReadTx<'_>, realm: RealmId, id: UserId) -> Result<Vec<Facet>> {
    tx.list(&HELD, params![id, realm], |row| {
        let kind = row.text("kind")?;
        Ok(match kind.as_str() {
            "role" => Facet::Role(row.parse("held")?),
            "group" => Facet::Group(row.parse("held")?),
            "organization" => Facet::Organization(row.parse("held")?),
            "action" => Facet::RequiredAction(row.named("held", RequiredAction::from_name)?),
            "locked" => Facet::Locked,
            _ => Facet::Authenticator(row.named("held", AuthenticatorType::from_name)?),
        })
    })
}

/// Notes a sign-in.
pub(crate) fn note_sign_in(tx: &mut WriteTx<'_>, id: UserId, now: Timestamp) -> Result<()> {
    tx.execute(&SIGNED_IN, params![id, now]).map(drop)
}

/// Whether the last user is not in the index: so it is in a database that an older Denizen made, until all are.
fn is_behind(tx: &mut ReadTx<'_>) -> Result<bool> {
    Ok(tx.find(&LAST_UNINDEXED, &[], |row| row.text("id"))?.is_some())
}

/// Up to so many users who are not in the index yet, the oldest first.
fn list_unindexed(tx: &mut ReadTx<'_>, limit: u32) -> Result<Vec<(RealmId, UserId)>> {
    tx.list(&UNINDEXED, params![limit], |row| Ok((row.parse("realm_id")?, row.parse("id")?)))
}

/// Puts everybody into the index who is not in it, in portions: the users of a database that an older Denizen made.
/// Answers how many they were.
///
/// # Errors
/// When the database fails.
pub async fn complete(db: &Db) -> Result<usize> {
    let mut indexed = 0;
    while db.read(is_behind).await? {
        let portion = db.read(|tx| list_unindexed(tx, 500)).await?;
        indexed += portion.len();
        db.write(move |mut tx| {
            for (realm, id) in &portion {
                reindex(&mut tx, *realm, *id)?;
            }
            tx.unaudited("derived from records that have their events", ())
        })
        .await?;
    }
    Ok(indexed)
}

/// Keeps words by which people may be found although they were mistyped.
pub(crate) fn add_words(tx: &mut WriteTx<'_>, words: Vec<String>) -> Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    let known = tx.list(&KNOWN_WORDS, params![to_json(&words)?], |row| row.text("word"))?;
    let known: BTreeSet<String> = known.into_iter().collect();
    for word in words.into_iter().filter(|word| !known.contains(word)) {
        tx.execute(&ADD_WORD, params![to_json(&typo_variants(&word))?, &word])?;
    }
    Ok(())
}

/// As [`add_words`], for the words of many.
pub(super) fn add_many_words(tx: &mut WriteTx<'_>, mut words: BTreeSet<String>) -> Result<()> {
    if words.is_empty() {
        return Ok(());
    }
    for known in tx.list(&KNOWN_WORDS, params![to_json(&words)?], |row| row.text("word"))? {
        words.remove(&known);
    }
    let variants: Vec<(String, &String)> =
        words.iter().flat_map(|word| typo_variants(word).into_iter().map(move |variant| (variant, word))).collect();
    if variants.is_empty() { Ok(()) } else { tx.execute(&ADD_MANY_WORDS, params![to_json(&variants)?]).map(drop) }
}

/// Forgets the words of somebody who is gone, but for those that others have too.
pub(crate) fn remove_words(tx: &mut WriteTx<'_>, user: &User) -> Result<()> {
    for word in user.fuzzy_words() {
        if tx.find(&WORD_IN_USE, params![&word], |row| row.i64("found"))?.is_none() {
            tx.execute(&REMOVE_WORD, params![to_json(&typo_variants(&word))?, &word])?;
        }
    }
    Ok(())
}

/// The words that may have been meant by a mistyped one.
pub(super) fn meant(tx: &mut ReadTx<'_>, typed: &str) -> Result<Vec<String>> {
    if typed.chars().count() < 4 || !typed.chars().all(char::is_alphabetic) {
        return Ok(Vec::new());
    }
    let mut words = tx.list(&MEANT, params![to_json(&typo_variants(typed))?], |row| row.text("word"))?;
    words.retain(|word| is_one_typo_away(typed, word));
    words.sort_unstable();
    words.truncate(MEANT_AT_MOST);
    Ok(words)
}

/// The number of a realm, by which the index knows it.
pub(super) fn realm_num(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<i64> {
    let context = IndexContext::load(tx, realm)?;
    if context.realm_num == 0 {
        Err(Error::Internal("a realm without a number".to_owned()))
    } else {
        Ok(context.realm_num)
    }
}

#[cfg(test)]
mod tests;
