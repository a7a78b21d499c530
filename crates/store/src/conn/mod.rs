//! One connection to either engine, and the few verbs that statements need.

pub(crate) mod postgres;
pub(crate) mod sqlite;

use crate::{
    error::Result,
    sql::{Rows, Sql},
    value::{Row, Value},
};

/// Which engine holds the data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// The embedded database.
    Sqlite,
    /// A PostgreSQL server.
    Postgres,
}

/// A connection. It is used by one thread at a time.
pub(crate) enum Conn {
    Sqlite(rusqlite::Connection),
    Postgres(Box<postgres::PgConn>),
}

impl Conn {
    pub(crate) fn engine(&self) -> Engine {
        match self {
            Self::Sqlite(_) => Engine::Sqlite,
            Self::Postgres(_) => Engine::Postgres,
        }
    }

    fn pick<'s>(&self, sql: &'s Sql) -> &'s str {
        match self {
            Self::Sqlite(_) => sql.sqlite,
            Self::Postgres(_) => sql.postgres,
        }
    }

    /// Runs a statement and answers how many rows it changed.
    pub(crate) fn execute(&mut self, sql: &Sql, params: &[Value<'_>]) -> Result<u64> {
        let text = self.pick(sql);
        match self {
            Self::Sqlite(conn) => sqlite::execute(conn, text, params),
            Self::Postgres(conn) => conn.execute(text, params),
        }
    }

    /// Inserts rows by the hundred.
    pub(crate) fn insert_rows<'v>(
        &mut self,
        table: &Rows,
        rows: impl Iterator<Item = Result<Vec<Value<'v>>>>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(conn) => {
                let text = table.insert_text();
                for row in rows {
                    sqlite::execute(conn, &text, &row?)?;
                }
                Ok(())
            }
            Self::Postgres(conn) => {
                let mut text = String::new();
                for row in rows {
                    postgres::write_copy_row(&mut text, &row?);
                }
                if text.is_empty() { Ok(()) } else { conn.copy_in(&table.copy_text(), &text) }
            }
        }
    }

    /// Runs a statement text and hands each row to `each`. Only builders in this crate make such texts. PostgreSQL
    /// plans it anew each time, with the values in view: which way is right depends on them.
    pub(crate) fn query_text(
        &mut self,
        text: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(conn) => sqlite::query(conn, text, params, each),
            Self::Postgres(conn) => conn.query_once(text, params, each),
        }
    }

    /// As [`Self::query_text`], for a text whose plan depends on none of the values: PostgreSQL plans it once.
    pub(crate) fn query_shape(
        &mut self,
        text: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        match self {
            Self::Sqlite(conn) => sqlite::query(conn, text, params, each),
            Self::Postgres(conn) => conn.query(text, params, each),
        }
    }

    /// Runs a statement and hands each row to `each`.
    pub(crate) fn query(
        &mut self,
        sql: &Sql,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        self.query_shape(self.pick(sql), params, each)
    }

    /// Runs a script of statements without parameters.
    pub(crate) fn script(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.execute_batch(text).map_err(sqlite::error),
            Self::Postgres(conn) => conn.script(text),
        }
    }

    /// Checks that a statement is understood, without running it.
    #[cfg(test)]
    pub(crate) fn check(&mut self, text: &str) -> Result<()> {
        match self {
            Self::Sqlite(conn) => conn.prepare(text).map(drop).map_err(sqlite::error),
            Self::Postgres(conn) => conn.check(text),
        }
    }
}
