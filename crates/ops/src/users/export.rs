//! Exports of the list of users: page after page, in constant memory (PRODUCT §4).

use denizen_model::{
    events::{EventType, NewEvent},
    permissions::markers::UsersExport,
    realms::Realm,
    users::{User, UserQuery},
};
use denizen_store::{self as store, Events};

use super::asked_in;
use crate::{
    App, Cx, Error, May, Result,
    cx::{Detail, realm_subject},
};

/// How many users are read at a time.
const PAGE: u32 = 2000;

/// An export under way. Its first event is recorded before anything can be read from it.
pub struct Export {
    app: App,
    cx: Cx,
    realm: Realm,
    query: UserQuery,
    id: String,
    rows: u64,
    ended: bool,
}

/// How an export ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExportEnd {
    /// Everything was handed out.
    Finished,
    /// Whoever asked for it went away.
    Cancelled,
    /// The database failed under way.
    Failed,
}

/// Begins an export of all users that a list's query string shows, in its order. `format` and `columns` are noted
/// in the audit log.
///
/// # Errors
/// When the query string is not acceptable.
pub async fn export(
    app: &App,
    cx: &Cx,
    may: May<UsersExport>,
    filter: &str,
    format: &'static str,
    columns: &[String],
) -> Result<Export> {
    let realm = crate::realms::get_in_scope(app, may.realm()).await?;
    let (id, text, now) = (realm.id, filter.to_owned(), cx.now);
    let query = app.db().read(move |tx| asked_in(tx, id, &text, now)).await?;
    let event = cx
        .event(app, realm.id, EventType::UserExported, realm_subject(&realm))
        .detail("state", "started")
        .detail("format", format)
        .detail("filter", filter)
        .detail("columns", columns.to_vec());
    let export = Export {
        app: app.clone(),
        cx: cx.clone(),
        realm,
        query: UserQuery { limit: PAGE, ..query },
        id: event.id.to_string(),
        rows: 0,
        ended: false,
    };
    export.record(event).await?;
    Ok(export)
}

impl Export {
    /// The realm's name in URLs.
    #[must_use]
    pub fn realm_name(&self) -> &str {
        &self.realm.slug
    }

    /// The next users; none when there are no more.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn next(&mut self) -> Result<Vec<User>> {
        // A page may hold nobody, when all of it was deleted in the meantime.
        while !self.ended {
            let (realm, query) = (self.realm.id, self.query.clone());
            let page = self.app.db().read(move |tx| Ok::<_, Error>(store::users::list(tx, realm, &query)?)).await?;
            self.ended = page.next.is_none();
            self.query.after = page.next;
            if !page.items.is_empty() {
                return Ok(page.items);
            }
        }
        Ok(Vec::new())
    }

    /// Notes that so many more users were handed out.
    pub fn handed_out(&mut self, rows: usize) {
        self.rows += u64::try_from(rows).unwrap_or(0);
    }

    /// Records how it ended and how many users were handed out.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn end(self, how: ExportEnd) -> Result<()> {
        let event = NewEvent {
            id: denizen_model::EventId::new(self.app.now(), self.app.id_bytes()),
            at: self.app.now(),
            ..self.cx.event(&self.app, self.realm.id, EventType::UserExported, realm_subject(&self.realm))
        };
        let event = event.detail("export", self.id.as_str()).detail("rows", self.rows);
        let event = match how {
            ExportEnd::Finished => event.detail("state", "finished"),
            ExportEnd::Cancelled => event.detail("state", "cancelled").failed("the client went away"),
            ExportEnd::Failed => event.detail("state", "failed").failed("the database failed"),
        };
        self.record(event).await
    }

    async fn record(&self, event: NewEvent) -> Result<()> {
        self.app.db().write(move |tx| Ok(tx.commit(Events::from(event.clone()), ())?)).await
    }
}
