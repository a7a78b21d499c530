//! Transactions: what a storage closure holds.
//!
//! A [`WriteTx`] ends in one of two ways that keep its changes: [`WriteTx::commit`] with at least one event, or
//! [`WriteTx::unaudited`] with a reason. Both consume it and hand out the [`Audited`] value that a write closure
//! must return; dropping it rolls everything back. So no change can be committed without its event by oversight.

use std::ops::{Deref, DerefMut};

use denizen_model::events::NewEvent;

use crate::{
    audit::AuditKey,
    conn::{Conn, Engine},
    epoch,
    error::{Error, Result},
    events,
    sql::{Rows, Sql},
    value::{Row, Value},
};

/// A transaction that reads.
pub struct ReadTx<'c> {
    conn: &'c mut Conn,
}

impl<'c> ReadTx<'c> {
    pub(crate) fn new(conn: &'c mut Conn) -> Self {
        Self { conn }
    }

    pub(crate) fn engine(&self) -> Engine {
        self.conn.engine()
    }

    fn collect<T>(
        &mut self,
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
        ask: impl FnOnce(&mut Conn, &mut dyn FnMut(&Row<'_>) -> Result<()>) -> Result<()>,
    ) -> Result<Vec<T>> {
        let mut items = Vec::new();
        ask(self.conn, &mut |row| {
            items.push(read(row)?);
            Ok(())
        })?;
        Ok(items)
    }

    /// All rows of an answer.
    pub(crate) fn list<T>(
        &mut self,
        sql: &Sql,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.collect(read, |conn, each| conn.query(sql, params, each))
    }

    /// All rows of the answer to a text that a builder of this crate made.
    pub(crate) fn list_text<T>(
        &mut self,
        text: &str,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.collect(read, |conn, each| conn.query_text(text, params, each))
    }

    /// As [`Self::list_text`], for a text whose plan depends on none of the values.
    pub(crate) fn list_shape<T>(
        &mut self,
        text: &str,
        params: &[Value<'_>],
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        self.collect(read, |conn, each| conn.query_shape(text, params, each))
    }

    /// The first row of an answer, if any.
    pub(crate) fn find<T>(
        &mut self,
        sql: &Sql,
        params: &[Value<'_>],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        let mut found = None;
        self.conn.query(sql, params, &mut |row| {
            if found.is_none() {
                found = Some(read(row)?);
            }
            Ok(())
        })?;
        Ok(found)
    }
}

/// A transaction that reads and writes.
pub struct WriteTx<'c> {
    read: ReadTx<'c>,
    audit: &'c AuditKey,
    random: &'c dyn Fn(&mut [u8]),
}

impl<'c> Deref for WriteTx<'c> {
    type Target = ReadTx<'c>;
    fn deref(&self) -> &ReadTx<'c> {
        &self.read
    }
}

impl<'c> DerefMut for WriteTx<'c> {
    fn deref_mut(&mut self) -> &mut ReadTx<'c> {
        &mut self.read
    }
}

/// The result of a write whose events stand beside it, or that needs none.
pub struct Audited<T>(T);

impl<T> Audited<T> {
    pub(crate) fn into_inner(self) -> T {
        self.0
    }
}

/// One or more events: what every change comes with.
pub struct Events(Vec<NewEvent>);

impl From<NewEvent> for Events {
    fn from(event: NewEvent) -> Self {
        Self(vec![event])
    }
}

impl Events {
    /// A first event and perhaps more.
    #[must_use]
    pub fn new(first: NewEvent, more: impl IntoIterator<Item = NewEvent>) -> Self {
        let mut events = vec![first];
        events.extend(more);
        Self(events)
    }
}

impl<'c> WriteTx<'c> {
    pub(crate) fn new(conn: &'c mut Conn, audit: &'c AuditKey, random: &'c dyn Fn(&mut [u8])) -> Self {
        Self { read: ReadTx::new(conn), audit, random }
    }

    pub(crate) fn execute(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<u64> {
        self.read.conn.execute(sql, params)
    }

    /// Inserts rows by the hundred.
    pub(crate) fn insert_rows<'v>(
        &mut self,
        table: &Rows,
        rows: impl Iterator<Item = Result<Vec<Value<'v>>>>,
    ) -> Result<()> {
        self.read.conn.insert_rows(table, rows)
    }

    /// Runs statements without parameters.
    pub(crate) fn script(&mut self, text: &str) -> Result<()> {
        self.read.conn.script(text)
    }

    /// Tells all nodes, when this transaction is committed, that configuration they may have cached has changed.
    ///
    /// # Errors
    /// When the database fails.
    pub fn announce(&mut self) -> Result<()> {
        epoch::announce(self.read.conn)
    }

    /// Does something and undoes it, whatever it answers: to see what would happen. Nothing else of this transaction
    /// is touched.
    ///
    /// # Errors
    /// What the closure answers, or when the database fails.
    pub fn rehearse<T, E: From<Error>>(
        &mut self,
        f: impl FnOnce(&mut Self) -> std::result::Result<T, E>,
    ) -> std::result::Result<T, E> {
        self.script("SAVEPOINT rehearsal")?;
        let outcome = f(self)?;
        self.script("ROLLBACK TO SAVEPOINT rehearsal; RELEASE SAVEPOINT rehearsal")?;
        Ok(outcome)
    }

    /// Records the events and keeps the changes.
    ///
    /// # Errors
    /// When the events cannot be written; then nothing is kept.
    pub fn commit<T>(mut self, events: impl Into<Events>, value: T) -> Result<Audited<T>> {
        let (audit, random) = (self.audit, self.random);
        events::append(&mut self, audit, random, events.into().0)?;
        Ok(Audited(value))
    }

    /// Keeps the changes without an event. The reason is for whoever reads the call.
    ///
    /// # Errors
    /// None today; a result so that both endings read alike.
    pub fn unaudited<T>(self, _reason: &'static str, value: T) -> Result<Audited<T>> {
        Ok(Audited(value))
    }
}
