//! An upload, cut into pieces that end where rows end, so that it is never held whole and each piece stands alone.

use super::{
    ImportFormat,
    csv::{Scan, delimiter_of},
};

/// A piece is cut at the first end of a row after this many bytes, or after so many rows. One piece is imported in
/// one transaction.
pub const PIECE: usize = 128 * 1024;
/// See [`PIECE`].
pub const PIECE_ROWS: usize = 1000;
/// The longest row, in bytes.
pub const MAX_ROW: usize = 1024 * 1024;

/// Why a file cannot be read at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Line {line}: {message}")]
pub struct InputFault {
    /// Where, from 1.
    pub line: u64,
    /// What is wrong, in a sentence.
    pub message: &'static str,
}

/// The end of an upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastPieces {
    /// The last pieces.
    pub pieces: Vec<String>,
    /// What separates the columns.
    pub delimiter: u8,
    /// How many rows the whole upload had, the header included.
    pub rows: u64,
}

/// Cuts an upload.
#[derive(Debug)]
pub struct Pieces {
    format: ImportFormat,
    delimiter: Option<u8>,
    buffer: Vec<u8>,
    scan: Scan,
    /// How much of the buffer was scanned, and where in it the last whole row ends.
    scanned: usize,
    rows_end: usize,
    /// Rows in the buffer that are not blank lines, up to that end; and in all.
    rows: usize,
    all_rows: u64,
    /// Line breaks in the pieces that were handed out.
    lines: u64,
    begun: bool,
}

impl Pieces {
    /// An upload that begins.
    #[must_use]
    pub fn new(format: ImportFormat) -> Self {
        Self {
            format,
            delimiter: None,
            buffer: Vec::new(),
            scan: Scan::default(),
            scanned: 0,
            rows_end: 0,
            rows: 0,
            all_rows: 0,
            lines: 0,
            begun: false,
        }
    }

    /// Takes the next bytes; hands out the pieces that are whole.
    ///
    /// # Errors
    /// When a row is too long, or the text is not UTF-8.
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, InputFault> {
        self.buffer.extend_from_slice(bytes);
        let mut pieces = Vec::new();
        if self.begun || self.begin() {
            while self.scan() {
                pieces.push(self.cut(self.rows_end)?);
            }
        }
        self.check_length()?;
        Ok(pieces)
    }

    /// Hands out what is left.
    ///
    /// # Errors
    /// As [`push`](Self::push); when a quote is not closed.
    pub fn finish(mut self) -> Result<LastPieces, InputFault> {
        if !self.begun {
            self.skip_mark();
            self.delimiter = Some(delimiter_of(&self.buffer));
        }
        let mut pieces = Vec::new();
        while self.scan() {
            pieces.push(self.cut(self.rows_end)?);
        }
        if self.scan == Scan::Quoted {
            let line = self.line_at(self.rows_end);
            return Err(InputFault { line, message: "a quote of the row that begins here is never closed." });
        }
        self.note_row(self.buffer.len());
        if !self.buffer.is_empty() {
            pieces.push(self.cut(self.buffer.len())?);
        }
        Ok(LastPieces { pieces, delimiter: self.delimiter.unwrap_or(b','), rows: self.all_rows })
    }

    /// Looks at the beginning, as soon as the first line is there.
    fn begin(&mut self) -> bool {
        if !self.buffer.contains(&b'\n') {
            return false;
        }
        self.skip_mark();
        self.delimiter = Some(delimiter_of(&self.buffer));
        self.begun = true;
        true
    }

    /// The byte-order mark that some programs write before UTF-8.
    fn skip_mark(&mut self) {
        if self.buffer.starts_with(b"\xef\xbb\xbf") {
            self.buffer.drain(..3);
        }
    }

    /// Goes on to where a piece can be cut. Whether it found such a place.
    fn scan(&mut self) -> bool {
        let delimiter = self.delimiter.unwrap_or(b',');
        while let Some(byte) = self.buffer.get(self.scanned).copied() {
            self.scanned += 1;
            let ends = match self.format {
                ImportFormat::Csv => self.scan.step(byte, delimiter),
                ImportFormat::Jsonl => byte == b'\n',
            };
            if ends {
                self.note_row(self.scanned);
                if self.rows_end >= PIECE || self.rows >= PIECE_ROWS {
                    return true;
                }
            }
        }
        false
    }

    /// Notes that a row ends here.
    fn note_row(&mut self, end: usize) {
        let row = self.buffer.get(self.rows_end..end).unwrap_or_default();
        if !row.trim_ascii().is_empty() {
            self.rows += 1;
            self.all_rows += 1;
        }
        self.rows_end = end;
    }

    fn check_length(&self) -> Result<(), InputFault> {
        if self.buffer.len() - self.rows_end <= MAX_ROW {
            return Ok(());
        }
        let message = "the row that begins here is longer than 1 MiB. Perhaps a quote is not closed.";
        Err(InputFault { line: self.line_at(self.rows_end), message })
    }

    /// The line of a place in the buffer.
    fn line_at(&self, at: usize) -> u64 {
        self.lines + count_lines(self.buffer.get(..at).unwrap_or_default()) + 1
    }

    fn cut(&mut self, end: usize) -> Result<String, InputFault> {
        let rest = self.buffer.split_off(end);
        let piece = std::mem::replace(&mut self.buffer, rest);
        self.scanned = self.scanned.saturating_sub(end);
        (self.rows_end, self.rows) = (0, 0);
        let before = self.lines;
        self.lines += count_lines(&piece);
        let piece = String::from_utf8(piece).map_err(|error| {
            let good = error.as_bytes().get(..error.utf8_error().valid_up_to()).unwrap_or_default();
            InputFault {
                line: before + count_lines(good) + 1,
                message: "this is not UTF-8. Save the file as UTF-8 and upload it again.",
            }
        })?;
        if let Some(at) = piece.find('\0') {
            let line = before + count_lines(piece.as_bytes().get(..at).unwrap_or_default()) + 1;
            return Err(InputFault { line, message: "there is a NUL character. The file must be a text in UTF-8." });
        }
        Ok(piece)
    }
}

fn count_lines(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.iter().filter(|byte| **byte == b'\n').count()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(format: ImportFormat, chunks: &[&[u8]]) -> Result<Vec<String>, InputFault> {
        let mut pieces = Pieces::new(format);
        let mut out = Vec::new();
        for chunk in chunks {
            out.extend(pieces.push(chunk)?);
        }
        out.extend(pieces.finish()?.pieces);
        Ok(out)
    }

    #[test]
    fn a_piece_ends_where_a_row_does() {
        let long = "x".repeat(PIECE - 10);
        let text = format!("\u{feff}a,b\n{long},\"line\nbreak\"\nlast,row\n");
        for size in [1000, 4096, PIECE, 3 * PIECE] {
            let chunks: Vec<&[u8]> = text.as_bytes().chunks(size).collect();
            let pieces = cut(ImportFormat::Csv, &chunks).unwrap();
            assert_eq!(pieces.concat(), text.trim_start_matches('\u{feff}'));
            assert!(pieces.iter().all(|piece| !piece.ends_with("line\n")), "{size}");
        }
    }

    #[test]
    fn a_piece_has_a_thousand_rows_at_the_most() {
        let text = format!("email\n\n{}a@example.com", "a@example.com\n".repeat(2500));
        let mut pieces = Pieces::new(ImportFormat::Csv);
        let mut found = pieces.push(text.as_bytes()).unwrap();
        let last = pieces.finish().unwrap();
        found.extend(last.pieces);
        let rows: Vec<usize> =
            found.iter().map(|piece| piece.lines().filter(|line| !line.is_empty()).count()).collect();
        assert_eq!((rows, last.rows), (vec![1000, 1000, 502], 2502));
        assert_eq!(found.concat(), text);
    }

    #[test]
    fn what_cannot_be_read_is_told_with_its_line() {
        let latin1 = cut(ImportFormat::Csv, &[b"email\nana@example.com\nJos\xe9\n"]).unwrap_err();
        assert_eq!(latin1.line, 3);
        assert!(latin1.to_string().starts_with("Line 3: this is not UTF-8"), "{latin1}");
        assert_eq!(cut(ImportFormat::Csv, &[b"a\n\"b\n\nc\n"]).unwrap_err().line, 2);
        assert_eq!(cut(ImportFormat::Jsonl, &[b"{}\n{\"a\": \"\0\"}\n"]).unwrap_err().line, 2);
        assert_eq!(cut(ImportFormat::Csv, &[b"\xff\xfee\0m\0\n\0"]).unwrap_err().line, 1);
        let endless = vec![b'x'; MAX_ROW + 1];
        assert_eq!(cut(ImportFormat::Csv, &[b"a\nb\n", &endless]).unwrap_err().line, 3);
        assert_eq!(cut(ImportFormat::Jsonl, &[&endless]).unwrap_err().line, 1);
    }

    #[test]
    fn a_quote_is_an_ordinary_character_in_json_lines() {
        assert_eq!(cut(ImportFormat::Jsonl, &[b"{\"a\": 1}\n\"\n"]).unwrap(), ["{\"a\": 1}\n\"\n"]);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_however_it_arrives(
            text in proptest::collection::vec(any::<u8>(), 0..200),
            size in 1_usize..50,
        ) {
            let chunks: Vec<&[u8]> = text.chunks(size).collect();
            for format in [ImportFormat::Csv, ImportFormat::Jsonl] {
                if let Ok(pieces) = cut(format, &chunks) {
                    let whole = pieces.concat();
                    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&text);
                    prop_assert_eq!(whole.as_bytes(), text);
                }
            }
        }
    }
}
