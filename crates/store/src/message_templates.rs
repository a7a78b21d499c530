//! Message templates: what a realm says in its own words (PRODUCT §12).

use denizen_model::{
    RealmId, Timestamp,
    locales::Language,
    messages::{MessageTemplate, Template, TemplateText},
};

use crate::{
    error::Result,
    sql::statements,
    tx::{ReadTx, WriteTx},
    value::{Row, params},
};

macro_rules! columns {
    () => {
        "realm_id, template, language, subject, body_text, body_html, created_at, updated_at, version"
    };
}

statements! {
    INSERT = "INSERT INTO message_templates (realm_id, template, language, subject, body_text, body_html, created_at, updated_at, version) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
    UPDATE = "UPDATE message_templates SET subject = ?5, body_text = ?6, body_html = ?7, updated_at = ?8, version = version + 1 WHERE realm_id = ?1 AND template = ?2 AND language = ?3 AND version = ?4";
    DELETE = "DELETE FROM message_templates WHERE realm_id = ?1 AND template = ?2 AND language = ?3 AND version = ?4";
    FIND = concat!("SELECT ", columns!(), " FROM message_templates WHERE realm_id = ?1 AND template = ?2 AND language = ?3");
    LIST = concat!("SELECT ", columns!(), " FROM message_templates WHERE realm_id = ?1 ORDER BY template, language");
}

fn read_template(row: &Row<'_>) -> Result<MessageTemplate> {
    Ok(MessageTemplate {
        realm_id: row.parse("realm_id")?,
        template: row.named("template", Template::from_name)?,
        language: row.named("language", Language::from_name)?,
        text: TemplateText {
            subject: row.text("subject")?,
            text: row.text("body_text")?,
            html: row.text("body_html")?,
        },
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        version: row.i64("version")?,
    })
}

/// Stores a realm's first text of its own for a template in a language.
///
/// # Errors
/// When there is one.
pub fn insert(tx: &mut WriteTx<'_>, own: &MessageTemplate) -> Result<()> {
    tx.execute(
        &INSERT,
        params![
            own.realm_id,
            own.template.as_str(),
            own.language.as_str(),
            &own.text.subject,
            &own.text.text,
            &own.text.html,
            own.created_at,
            own.updated_at,
            own.version
        ],
    )
    .map(drop)
}

/// Stores a changed text, if nobody changed it since it was read. Answers whether it was stored.
///
/// # Errors
/// When the database fails.
pub fn update(tx: &mut WriteTx<'_>, own: &MessageTemplate, now: Timestamp) -> Result<bool> {
    let changed = tx.execute(
        &UPDATE,
        params![
            own.realm_id,
            own.template.as_str(),
            own.language.as_str(),
            own.version,
            &own.text.subject,
            &own.text.text,
            &own.text.html,
            now
        ],
    )?;
    Ok(changed == 1)
}

/// Removes a realm's own text, if nobody changed it since it was read. Answers whether it was removed.
///
/// # Errors
/// When the database fails.
pub fn delete(tx: &mut WriteTx<'_>, own: &MessageTemplate) -> Result<bool> {
    let key = params![own.realm_id, own.template.as_str(), own.language.as_str(), own.version];
    Ok(tx.execute(&DELETE, key)? == 1)
}

/// A realm's own text for a template in a language, if it has one.
///
/// # Errors
/// When the database fails.
pub fn find(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    template: Template,
    language: Language,
) -> Result<Option<MessageTemplate>> {
    tx.find(&FIND, params![realm, template.as_str(), language.as_str()], read_template)
}

/// All texts of its own that a realm has.
///
/// # Errors
/// When the database fails.
pub fn list(tx: &mut ReadTx<'_>, realm: RealmId) -> Result<Vec<MessageTemplate>> {
    tx.list(&LIST, params![realm], read_template)
}
