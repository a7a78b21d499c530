//! The PostgreSQL engine, by the synchronous client: it lives on threads of its own, never on an async one.

use std::{collections::HashMap, sync::Arc, time::Duration};

use postgres::{
    Client, Config, NoTls, Statement,
    config::{Host, SslMode},
    error::SqlState,
    types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked},
};
use tokio_postgres_rustls::MakeRustlsConnect;

use crate::{
    error::{Error, Result},
    sql::postgres_text,
    value::{Row, Value},
};

/// So many prepared statements are kept: more than there are constant ones, and those that builders make are of few
/// shapes unless somebody thinks up many.
const KEPT: usize = 1000;

/// A connection that opens itself again after a loss.
pub(crate) struct PgConn {
    config: Config,
    client: Option<Client>,
    statements: HashMap<String, Statement>,
    /// Whether a failure was seen after which the same transaction may succeed when run again: a deadlock, a
    /// serialization failure, a connection that was lost.
    pub(crate) saw_transient: bool,
}

impl PgConn {
    pub(crate) fn new(config: Config) -> Self {
        Self { config, client: None, statements: HashMap::new(), saw_transient: false }
    }

    /// The open connection; opens one when there is none.
    pub(crate) fn client(&mut self) -> Result<&mut Client> {
        if self.client.as_ref().is_none_or(Client::is_closed) {
            self.client = None;
            self.statements.clear();
            self.client = Some(connect(&self.config)?);
        }
        self.client.as_mut().ok_or_else(|| Error::Unavailable("not connected".to_owned()))
    }

    fn prepared(&mut self, text: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(text)
            && self.client.as_ref().is_some_and(|client| !client.is_closed())
        {
            return Ok(statement.clone());
        }
        let prepared = self.client()?.prepare(&postgres_text(text));
        let statement = self.noting(prepared)?;
        // Those in use come back.
        if self.statements.len() >= KEPT {
            self.statements.clear();
        }
        self.statements.insert(text.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(crate) fn execute(&mut self, text: &str, params: &[Value<'_>]) -> Result<u64> {
        let statement = self.prepared(text)?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let done = self.client()?.execute(&statement, &params);
        self.noting(done)
    }

    pub(crate) fn query(
        &mut self,
        text: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let statement = self.prepared(text)?;
        let params: Vec<&(dyn ToSql + Sync)> = params.iter().map(|value| value as &(dyn ToSql + Sync)).collect();
        let rows = self.client()?.query(&statement, &params);
        for row in self.noting(rows)? {
            each(&Row::postgres(&row))?;
        }
        Ok(())
    }

    /// Sends rows in the text format of `COPY`.
    pub(crate) fn copy_in(&mut self, statement: &str, rows: &str) -> Result<()> {
        let done = send(self.client()?, statement, rows);
        self.noting(done)?
    }

    /// Runs a statement that is not kept, in one round trip.
    pub(crate) fn query_once(
        &mut self,
        text: &str,
        params: &[Value<'_>],
        each: &mut dyn FnMut(&Row<'_>) -> Result<()>,
    ) -> Result<()> {
        let typed: Vec<(&(dyn ToSql + Sync), Type)> = params
            .iter()
            .map(|value| {
                let kind = match value {
                    Value::I64(_) => Type::INT8,
                    Value::Bool(_) => Type::BOOL,
                    Value::Text(_) | Value::Null => Type::TEXT,
                };
                (value as &(dyn ToSql + Sync), kind)
            })
            .collect();
        let rows = self.client()?.query_typed(&postgres_text(text), &typed);
        for row in self.noting(rows)? {
            each(&Row::postgres(&row))?;
        }
        Ok(())
    }

    pub(crate) fn script(&mut self, text: &str) -> Result<()> {
        let done = self.client()?.batch_execute(text);
        self.noting(done)
    }

    #[cfg(test)]
    pub(crate) fn check(&mut self, text: &str) -> Result<()> {
        self.client()?.prepare(&postgres_text(text)).map(drop).map_err(error)
    }

    fn noting<T>(&mut self, result: std::result::Result<T, postgres::Error>) -> Result<T> {
        result.map_err(|failure| {
            let lost = match failure.code() {
                None => true,
                // The server ends the connection after telling so.
                Some(code) => code.code().starts_with("57P"),
            };
            if lost {
                self.client = None;
                self.statements.clear();
            }
            let again = [SqlState::T_R_DEADLOCK_DETECTED, SqlState::T_R_SERIALIZATION_FAILURE];
            self.saw_transient |= lost || failure.code().is_some_and(|code| again.contains(code));
            error(failure)
        })
    }
}

/// Reads a `postgres://…` address.
pub(crate) fn parse(url: &str) -> Result<Config> {
    let mut config: Config = url.parse().map_err(|failure: postgres::Error| {
        let cause = std::error::Error::source(&failure).map_or_else(|| failure.to_string(), ToString::to_string);
        Error::Unavailable(format!("the address of the database is not valid: {cause}"))
    })?;
    config.connect_timeout(Duration::from_secs(5)).application_name("denizen");
    config.keepalives_idle(Duration::from_secs(30)).tcp_user_timeout(Duration::from_secs(30));
    Ok(config)
}

pub(crate) fn connect(config: &Config) -> Result<Client> {
    // A server on this machine needs no TLS unless the address asks for it; `prefer` is the client's default.
    let plain = match config.get_ssl_mode() {
        SslMode::Disable => true,
        SslMode::Prefer => config.get_hosts().iter().all(is_local),
        _ => false,
    };
    let client = if plain { config.connect(NoTls) } else { config.connect(tls()?) };
    let mut client = client.map_err(error)?;
    // Nothing here runs long enough to earn back what compiling it costs; PostgreSQL would try for estimates that a
    // `LIMIT` never lets come true.
    client.batch_execute("SET jit = off").map_err(error)?;
    Ok(client)
}

fn is_local(host: &Host) -> bool {
    match host {
        Host::Tcp(name) => name == "localhost" || name.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback()),
        #[cfg(unix)]
        Host::Unix(_) => true,
    }
}

fn tls() -> Result<MakeRustlsConnect> {
    let mut roots = rustls::RootCertStore::empty();
    roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|failure| Error::Internal(failure.to_string()))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok(MakeRustlsConnect::new(config))
}

/// Sends the rows of a `COPY`. A connection that breaks meanwhile is told apart from what the server says at the end.
fn send(client: &mut Client, statement: &str, rows: &str) -> std::result::Result<Result<()>, postgres::Error> {
    use std::io::Write as _;
    let mut writer = client.copy_in(statement)?;
    let written = writer.write_all(rows.as_bytes());
    writer.finish()?;
    Ok(written.map_err(|failure| Error::Unavailable(failure.to_string())))
}

/// Adds a row in the text format of `COPY`: tabs between values, `\\N` for NULL, backslashes before what would end
/// a value.
pub(crate) fn write_copy_row(out: &mut String, row: &[Value<'_>]) {
    for (at, value) in row.iter().enumerate() {
        if at > 0 {
            out.push('\t');
        }
        match value {
            Value::Null => out.push_str("\\N"),
            Value::Bool(true) => out.push('t'),
            Value::Bool(false) => out.push('f'),
            Value::I64(number) => out.push_str(&number.to_string()),
            Value::Text(text) => {
                for c in text.chars() {
                    match c {
                        '\\' => out.push_str("\\\\"),
                        '\t' => out.push_str("\\t"),
                        '\n' => out.push_str("\\n"),
                        '\r' => out.push_str("\\r"),
                        other => out.push(other),
                    }
                }
            }
        }
    }
    out.push('\n');
}

impl ToSql for Value<'_> {
    fn to_sql(
        &self,
        ty: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(IsNull::Yes),
            Value::Bool(value) => value.to_sql(ty, out),
            Value::I64(value) if *ty == Type::INT4 => i32::try_from(*value)?.to_sql(ty, out),
            Value::I64(value) => value.to_sql(ty, out),
            Value::Text(text) => text.as_ref().to_sql(ty, out),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}

/// Sorts PostgreSQL's errors.
pub(crate) fn error(failure: postgres::Error) -> Error {
    let Some(database) = failure.as_db_error() else {
        let cause = std::error::Error::source(&failure).map(ToString::to_string);
        return Error::Unavailable(match cause {
            Some(cause) => format!("{failure}: {cause}"),
            None => failure.to_string(),
        });
    };
    let code = database.code();
    let text = format!("{} ({})", database.message(), code.code());
    if *code == SqlState::UNIQUE_VIOLATION {
        Error::Constraint(database.constraint().unwrap_or("").to_owned())
    } else if *code == SqlState::FOREIGN_KEY_VIOLATION {
        Error::Constraint("foreign_key".to_owned())
    } else if *code == SqlState::DISK_FULL || *code == SqlState::READ_ONLY_SQL_TRANSACTION {
        Error::NotWritable(text)
    } else if matches!(code.code().get(..2), Some("08" | "53" | "57" | "58" | "28" | "3D" | "40")) {
        Error::Unavailable(text)
    } else {
        Error::Internal(text)
    }
}
