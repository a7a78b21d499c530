//! Statements: constant texts that only this crate can write.
//!
//! The text is what SQLite and PostgreSQL share, with `?1`, `?2` … for parameters. Where one of the two needs
//! other words, the statement says both.

/// A statement.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sql {
    pub(crate) sqlite: &'static str,
    pub(crate) postgres: &'static str,
}

/// A table whose rows come by the hundred: on SQLite a statement for each, on PostgreSQL one `COPY` for all.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rows {
    pub(crate) table: &'static str,
    pub(crate) columns: &'static str,
}

impl Rows {
    /// The statement for one row.
    pub(crate) fn insert_text(&self) -> String {
        let values: Vec<String> = (1..=self.columns.split(',').count()).map(|at| format!("?{at}")).collect();
        format!("INSERT INTO {} ({}) VALUES ({})", self.table, self.columns, values.join(", "))
    }

    /// The statement for all of them.
    pub(crate) fn copy_text(&self) -> String {
        format!("COPY {} ({}) FROM STDIN", self.table, self.columns)
    }
}

/// A room's statements, with a list of them all for the test that prepares each on both engines.
macro_rules! statements {
    ($($name:ident = $text:expr $(, postgres: $postgres:expr)?;)+) => {
        $(const $name: $crate::sql::Sql = statements!(@one $text $(, $postgres)?);)+
        #[cfg(test)]
        pub(crate) const STATEMENTS: &[(&str, $crate::sql::Sql)] = &[$((stringify!($name), $name)),+];
    };
    (@one $text:expr) => { $crate::sql::Sql { sqlite: $text, postgres: $text } };
    (@one $sqlite:expr, $postgres:expr) => { $crate::sql::Sql { sqlite: $sqlite, postgres: $postgres } };
}
pub(crate) use statements;

/// The same statement with PostgreSQL's `$1` for `?1`; quoted text stays as it is.
pub(crate) fn postgres_text(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut quoted = false;
    for c in sql.chars() {
        match c {
            '\'' => {
                quoted = !quoted;
                out.push(c);
            }
            '?' if !quoted => out.push('$'),
            _ => out.push(c),
        }
    }
    out
}

/// Escapes `%`, `_` and the escape character itself for `LIKE … ESCAPE '!'`, and wraps the text in `%`.
pub(crate) fn like_containing(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '!') {
            out.push('!');
        }
        out.push(c);
    }
    out.push('%');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_change_and_quoted_text_does_not() {
        assert_eq!(postgres_text("a = ?1 AND b = 'what?' AND c = ?2"), "a = $1 AND b = 'what?' AND c = $2");
    }

    #[test]
    fn wildcards_in_a_term_are_taken_literally() {
        assert_eq!(like_containing("50%_!"), "%50!%!_!!%");
    }
}
