//! The embedded engine.

use std::{path::Path, time::Duration};

use rusqlite::{
    Connection, ErrorCode, OpenFlags, ToSql,
    types::{ToSqlOutput, ValueRef},
};

use crate::{
    error::{Error, Result},
    value::{Row, Value},
};

/// Opens the database file, for one writer or for one of many readers.
pub(crate) fn open(path: &Path, writable: bool) -> Result<Connection> {
    let access = if writable {
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
    } else {
        OpenFlags::SQLITE_OPEN_READ_ONLY
    };
    let conn = Connection::open_with_flags(path, access | OpenFlags::SQLITE_OPEN_NO_MUTEX).map_err(error)?;
    // Another process (the command line) may hold the write lock for a moment.
    conn.busy_timeout(Duration::from_secs(10)).map_err(error)?;
    conn.set_prepared_statement_cache_capacity(256);
    // What sorts keep aside stays in memory, but not what savepoints keep: SQLite walks that as a list for every
    // statement, so a transaction of thousands of rows would take time in the square of them.
    let own = if writable {
        "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 4000;"
    } else {
        "PRAGMA temp_store = MEMORY;"
    };
    conn.execute_batch(own).map_err(error)?;
    conn.execute_batch(
        "PRAGMA foreign_keys = ON; PRAGMA case_sensitive_like = ON;
         PRAGMA cache_size = -16000; PRAGMA mmap_size = 1099511627776;",
    )
    .map_err(error)?;
    Ok(conn)
}

pub(crate) fn execute(conn: &Connection, text: &str, params: &[Value<'_>]) -> Result<u64> {
    let mut statement = conn.prepare_cached(text).map_err(error)?;
    bind(&mut statement, params)?;
    let changed = statement.raw_execute().map_err(error)?;
    Ok(u64::try_from(changed).unwrap_or(0))
}

pub(crate) fn query(
    conn: &Connection,
    text: &str,
    params: &[Value<'_>],
    each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
) -> Result<()> {
    let mut statement = conn.prepare_cached(text).map_err(error)?;
    bind(&mut statement, params)?;
    let mut rows = statement.raw_query();
    while let Some(row) = rows.next().map_err(error)? {
        each(&Row::sqlite(row))?;
    }
    Ok(())
}

fn bind(statement: &mut rusqlite::CachedStatement<'_>, params: &[Value<'_>]) -> Result<()> {
    for (at, value) in params.iter().enumerate() {
        statement.raw_bind_parameter(at + 1, value).map_err(error)?;
    }
    Ok(())
}

impl ToSql for Value<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Value::Null => ValueRef::Null,
            Value::Bool(value) => ValueRef::Integer(i64::from(*value)),
            Value::I64(value) => ValueRef::Integer(*value),
            Value::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// Sorts SQLite's errors.
pub(crate) fn error(error: rusqlite::Error) -> Error {
    let text = error.to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::ConstraintViolation) => Error::Constraint(constraint_name(&text)),
        Some(ErrorCode::DiskFull) => Error::NotWritable(format!("the disk is full ({text})")),
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Error::NotWritable(text),
        Some(
            ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked | ErrorCode::CannotOpen | ErrorCode::SystemIoFailure,
        ) => Error::Unavailable(text),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Error::Corrupt(text),
        _ => Error::Internal(text),
    }
}

/// `UNIQUE constraint failed: users.realm_id, users.username_key` names columns; the rule it broke is named
/// after the table and the last of them, on PostgreSQL too.
fn constraint_name(text: &str) -> String {
    match text.split_once("UNIQUE constraint failed: ") {
        Some((_, columns)) => columns.rsplit(", ").next().unwrap_or("").trim().replace('.', "_"),
        None => "foreign_key".to_owned(),
    }
}
