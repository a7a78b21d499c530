//! A downloaded list of breached passwords: one file of `SHA-1:count` lines in the order of their hashes, some 40 GB.
//! It is searched where it lies, by some thirty small reads, and never loaded.

use std::{
    cmp::Ordering,
    io::{Error, ErrorKind, Read, Result, Seek, SeekFrom},
};

use super::range::{DIGITS, Sha1, entry};

/// No line is longer: hash, colon, a count of twenty digits, line end.
const LONGEST: usize = 64;
/// What is left is read at once when it is no more than this.
const BLOCK: u64 = 4096;
/// How many places are looked at to see whether the file is in order.
const SAMPLES: u64 = 64;

/// Whether the hash is in the file.
pub(super) fn contains(file: &mut (impl Read + Seek), hash: &Sha1) -> Result<bool> {
    let wanted = hash.as_str().as_bytes();
    // The line is looked for in what begins at `low`, the start of a line, and ends before `high`.
    let (mut low, mut high) = (0, file.seek(SeekFrom::End(0))?);
    while high - low > BLOCK {
        let (start, found) = line_after(file, low + (high - low) / 2)?;
        match found.as_slice().cmp(wanted) {
            Ordering::Less => low = start,
            Ordering::Equal => return Ok(true),
            Ordering::Greater => high = start,
        }
    }
    let block = read_at(file, low, usize::try_from(high - low).unwrap_or(0))?;
    for line in block.split(|byte| *byte == b'\n').map(<[u8]>::trim_ascii).filter(|line| !line.is_empty()) {
        if hash_of(line)? == wanted {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Looks at some lines, whether they are what they should be and in order.
pub(super) fn check(file: &mut (impl Read + Seek)) -> Result<()> {
    let size = file.seek(SeekFrom::End(0))?;
    let head = read_at(file, 0, LONGEST)?;
    let mut last = hash_of(head.split(|byte| *byte == b'\n').next().unwrap_or_default().trim_ascii())?;
    for sample in 1..SAMPLES {
        let place = size / SAMPLES * sample;
        // Too little is left for a whole line, or there are too few lines for so many places.
        if place == 0 || place + 2 * LONGEST as u64 > size {
            continue;
        }
        let (_, hash) = line_after(file, place)?;
        if hash < last {
            let text = "it is not in the order of its hashes; download the list that is ordered by hash";
            return Err(Error::new(ErrorKind::InvalidData, text));
        }
        last = hash;
    }
    Ok(())
}

/// The first line that begins after a place: where, and its hash.
fn line_after(file: &mut (impl Read + Seek), place: u64) -> Result<(u64, [u8; DIGITS])> {
    let bytes = read_at(file, place, 2 * LONGEST)?;
    let end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(malformed)?;
    let line = bytes.get(end + 1..).unwrap_or_default();
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    Ok((place + end as u64 + 1, hash_of(line.trim_ascii())?))
}

fn read_at(file: &mut (impl Read + Seek), place: u64, most: usize) -> Result<Vec<u8>> {
    file.seek(SeekFrom::Start(place))?;
    let mut bytes = Vec::with_capacity(most);
    file.take(most as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn hash_of(line: &[u8]) -> Result<[u8; DIGITS]> {
    entry::<DIGITS>(line).map(|(hash, _)| hash).ok_or_else(malformed)
}

fn malformed() -> Error {
    Error::new(
        ErrorKind::InvalidData,
        "it does not consist of lines like 5BAA61E4C9B93F3F0682250B6CF8331B7EE68FD8:3861493",
    )
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    /// Passwords `p0`, `p1` … as a list, with counts of different lengths.
    fn list(count: usize, end: &str) -> String {
        let mut lines: Vec<String> =
            (0..count).map(|n| format!("{}:{}", Sha1::of(&format!("p{n}")).as_str(), n * n * n + 1)).collect();
        lines.sort();
        lines.iter().map(|line| format!("{line}{end}")).collect()
    }

    #[test]
    fn every_password_of_a_list_is_found_and_no_other() {
        for count in [1, 2, 3, 50, 100, 101, 3000] {
            for end in ["\n", "\r\n"] {
                let text = list(count, end);
                for text in [text.trim_end(), &text] {
                    let mut file = Cursor::new(text.as_bytes());
                    check(&mut file).unwrap();
                    for n in 0..count {
                        assert!(contains(&mut file, &Sha1::of(&format!("p{n}"))).unwrap(), "{n} of {count}");
                    }
                    for n in 0..200 {
                        assert!(!contains(&mut file, &Sha1::of(&format!("q{n}"))).unwrap());
                    }
                }
            }
        }
        assert!(!contains(&mut Cursor::new(b""), &Sha1::of("p0")).unwrap());
    }

    #[test]
    fn lower_case_digits_are_digits() {
        let text = list(3000, "\n").to_lowercase();
        assert!(contains(&mut Cursor::new(text.as_bytes()), &Sha1::of("p17")).unwrap());
    }

    /// A file that counts what is read of it.
    struct Counted(Cursor<Vec<u8>>, usize);

    impl Read for Counted {
        fn read(&mut self, out: &mut [u8]) -> Result<usize> {
            let read = self.0.read(out)?;
            self.1 += read;
            Ok(read)
        }
    }

    impl Seek for Counted {
        fn seek(&mut self, to: SeekFrom) -> Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn a_large_file_is_not_read() {
        let mut file = Counted(Cursor::new(list(50_000, "\r\n").into_bytes()), 0);
        let size = file.0.get_ref().len();
        assert!(size > 2_000_000);
        assert!(contains(&mut file, &Sha1::of("p4711")).unwrap());
        assert!(file.1 < 10_000, "{} of {size} bytes were read", file.1);
    }

    #[test]
    fn another_file_is_refused_by_name() {
        let unordered: String = list(3000, "\n").lines().rev().map(|line| format!("{line}\n")).collect();
        assert!(check(&mut Cursor::new(unordered.as_bytes())).unwrap_err().to_string().contains("order"));
        let ntlm = "8846F7EAEE8FB117AD06BDD830B7586C:3861493\n".repeat(3000);
        for other in ["", "hello", "<html>\n</html>", &ntlm] {
            assert!(check(&mut Cursor::new(other.as_bytes())).is_err(), "{other:.40}");
        }
        assert!(contains(&mut Cursor::new(ntlm.as_bytes()), &Sha1::of("p0")).is_err());
    }
}
