//! CSV as spreadsheets and databases write it (RFC 4180): quotes around values that hold delimiters, quotes or line
//! breaks; a quote inside doubled; rows end in LF or CRLF.

/// Where a scan of CSV stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum Scan {
    /// At the beginning of a value.
    #[default]
    Start,
    /// In a value without quotes, where a quote is a character like others.
    Plain,
    /// In a quoted value.
    Quoted,
    /// After a quote in a quoted value: its end, unless another quote follows.
    Closing,
}

impl Scan {
    /// Goes over one byte. Whether a row ends with it.
    pub(super) fn step(&mut self, byte: u8, delimiter: u8) -> bool {
        let ends = byte == b'\n' && *self != Self::Quoted;
        *self = match (*self, byte) {
            (Self::Quoted, b'"') => Self::Closing,
            (Self::Quoted, _) | (Self::Start | Self::Closing, b'"') => Self::Quoted,
            (_, b'\n') => Self::Start,
            (_, byte) if byte == delimiter => Self::Start,
            (Self::Closing, b'\r') => Self::Closing,
            _ => Self::Plain,
        };
        ends
    }
}

/// Which of comma, semicolon and tab separates the columns of this header: the most frequent one outside quotes.
#[must_use]
pub fn delimiter_of(header: &[u8]) -> u8 {
    let mut quoted = false;
    let mut counts = [(b',', 0_usize), (b';', 0), (b'\t', 0)];
    for byte in header {
        match byte {
            b'"' => quoted = !quoted,
            b'\n' if !quoted => break,
            byte if !quoted => {
                if let Some((_, count)) = counts.iter_mut().find(|(delimiter, _)| delimiter == byte) {
                    *count += 1;
                }
            }
            _ => {}
        }
    }
    // The first of equals: a comma where there is but one column.
    counts.iter().rev().max_by_key(|(_, count)| *count).map_or(b',', |(delimiter, _)| *delimiter)
}

/// A row of CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CsvRow {
    /// How many line breaks stand before it in the text.
    pub line: u64,
    /// Its values, or what is wrong with its form.
    pub values: Result<Vec<String>, &'static str>,
}

/// The rows of a text; blank lines are left out.
#[derive(Debug, Clone)]
pub struct CsvRows<'t> {
    rest: &'t str,
    delimiter: u8,
    line: u64,
}

impl<'t> CsvRows<'t> {
    /// The rows of a text that begins and ends where rows do.
    #[must_use]
    pub fn new(text: &'t str, delimiter: u8) -> Self {
        Self { rest: text, delimiter, line: 0 }
    }

    fn take_row(&mut self) -> Option<CsvRow> {
        if self.rest.is_empty() {
            return None;
        }
        let mut scan = Scan::default();
        let end =
            self.rest.bytes().position(|byte| scan.step(byte, self.delimiter)).map_or(self.rest.len(), |at| at + 1);
        let (row, rest) = self.rest.split_at_checked(end)?;
        let line = self.line;
        self.line += u64::try_from(row.bytes().filter(|byte| *byte == b'\n').count()).unwrap_or(0);
        self.rest = rest;
        let row = row.strip_suffix('\n').unwrap_or(row);
        let row = row.strip_suffix('\r').unwrap_or(row);
        Some(CsvRow { line, values: values_of(row, self.delimiter) })
    }
}

impl Iterator for CsvRows<'_> {
    type Item = CsvRow;

    fn next(&mut self) -> Option<CsvRow> {
        loop {
            let row = self.take_row()?;
            let blank = row.values.as_ref().is_ok_and(|values| values.iter().all(|value| value.trim().is_empty()));
            if !blank {
                return Some(row);
            }
        }
    }
}

fn values_of(row: &str, delimiter: u8) -> Result<Vec<String>, &'static str> {
    let delimiter = char::from(delimiter);
    let mut values = Vec::new();
    let mut rest = row;
    loop {
        let (value, after) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_value(quoted)?,
            None => {
                let end = rest.find(delimiter).unwrap_or(rest.len());
                let (value, after) = rest.split_at_checked(end).unwrap_or((rest, ""));
                (value.to_owned(), after)
            }
        };
        values.push(value);
        match after.strip_prefix(delimiter) {
            Some(next) => rest = next,
            None if after.is_empty() => return Ok(values),
            None => return Err("There is text after a closing quote."),
        }
    }
}

/// The value up to its closing quote, and what comes after that.
fn quoted_value(text: &str) -> Result<(String, &str), &'static str> {
    let mut value = String::new();
    let mut rest = text;
    loop {
        let (part, after) = rest.split_once('"').ok_or("A quote is not closed.")?;
        value.push_str(part);
        match after.strip_prefix('"') {
            Some(next) => {
                value.push('"');
                rest = next;
            }
            None => return Ok((value, after)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &str) -> Vec<Result<Vec<String>, &'static str>> {
        CsvRows::new(text, b',').map(|row| row.values).collect()
    }

    fn row(values: &[&str]) -> Result<Vec<String>, &'static str> {
        Ok(values.iter().map(|value| (*value).to_owned()).collect())
    }

    #[test]
    fn values_are_read_as_they_were_written() {
        for (text, expected) in [
            ("a,b\n1,2\n", vec![row(&["a", "b"]), row(&["1", "2"])]),
            ("a,b\r\n1,2", vec![row(&["a", "b"]), row(&["1", "2"])]),
            ("\"x,y\",\"he said \"\"no\"\"\"\n", vec![row(&["x,y", "he said \"no\""])]),
            ("\"two\r\nlines\",b\n", vec![row(&["two\r\nlines", "b"])]),
            ("a,,\n", vec![row(&["a", "", ""])]),
            ("\"\",x\n", vec![row(&["", "x"])]),
            ("5\" pipe,6\n", vec![row(&["5\" pipe", "6"])]),
            ("a\n\n , \nb\n", vec![row(&["a"]), row(&["b"])]),
            ("=1+1,@x\n", vec![row(&["=1+1", "@x"])]),
            ("\"a\"b,c\nd,e\n", vec![Err("There is text after a closing quote."), row(&["d", "e"])]),
            ("a,\"b", vec![Err("A quote is not closed.")]),
        ] {
            assert_eq!(read(text), expected, "{text:?}");
        }
    }

    #[test]
    fn rows_know_their_line() {
        let lines: Vec<u64> = CsvRows::new("a\n\"1\n2\n3\"\n\nb\n", b',').map(|row| row.line).collect();
        assert_eq!(lines, [0, 1, 5]);
    }

    #[test]
    fn the_delimiter_is_recognized() {
        for (header, delimiter) in
            [("a,b", b','), ("a;b;c,d", b';'), ("a\tb", b'\t'), ("email", b','), ("\"a;b;c\",d\nx;y;z;w", b',')]
        {
            assert_eq!(delimiter_of(header.as_bytes()), delimiter, "{header}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in proptest::collection::vec("[a-z\",\n\r é]{0,6}", 1..5)) {
            let quoted: Vec<String> = values.iter().map(|value| format!("\"{}\"", value.replace('"', "\"\""))).collect();
            let text = format!("x\n{}\r\ny\n", quoted.join(","));
            let rows = read(&text);
            let blank = values.iter().all(|value| value.trim().is_empty());
            let mut expected = vec![row(&["x"])];
            if !blank {
                expected.push(Ok(values));
            }
            expected.push(row(&["y"]));
            prop_assert_eq!(rows, expected);
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a-z\",;\n\r\té]{0,40}") {
            let _ = CsvRows::new(&text, delimiter_of(text.as_bytes())).count();
        }
    }
}
