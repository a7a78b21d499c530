//! Lists of people to invite, as spreadsheets write them.

use denizen_model::invitations::{MAX_BULK, NewInvitation};

/// The columns a list may have; the first must be there.
const COLUMNS: [&str; 4] = ["email", "given_name", "family_name", "locale"];

/// A heading as people write it: `Given name`, `given-name` and `GIVEN_NAME` are one.
fn heading(text: &str) -> String {
    let plain = text.trim_start_matches('\u{feff}').trim().to_lowercase();
    plain.replace([' ', '-'], "_")
}

/// Reads a list: a line of headings, then a person a line. Commas, semicolons or tabs stand between the columns.
/// Lines with nothing in them are left out.
///
/// # Errors
/// A sentence that says what is wrong with the list as a whole.
pub fn read_csv(text: &str) -> Result<Vec<NewInvitation>, String> {
    let first = text.lines().find(|line| !line.trim().is_empty()).ok_or("The list is empty.")?;
    let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|delimiter| {
        // Of equally many the first, hence the comma for a list with one column.
        (first.bytes().filter(|byte| byte == delimiter).count(), u8::MAX - delimiter)
    });
    let mut reader = ::csv::ReaderBuilder::new()
        .delimiter(delimiter.unwrap_or(b','))
        .flexible(true)
        .trim(::csv::Trim::All)
        .from_reader(text.as_bytes());
    let unreadable = |error: ::csv::Error| match error.position() {
        Some(position) => format!("Line {} cannot be read.", position.line()),
        None => "The list cannot be read.".to_owned(),
    };
    let headings: Vec<String> = reader.headers().map_err(unreadable)?.iter().map(heading).collect();
    if let Some(unknown) = headings.iter().find(|name| !COLUMNS.contains(&name.as_str())) {
        return Err(format!(
            "The first line must name the columns: {}. There is no column “{}”.",
            COLUMNS.join(", "),
            unknown.chars().take(40).collect::<String>()
        ));
    }
    let place = |name: &str| headings.iter().position(|heading| heading == name);
    let email = place("email").ok_or("The first line must name the columns; one of them must be email.")?;
    let mut list = Vec::new();
    for record in reader.records() {
        let record = record.map_err(unreadable)?;
        let field = |at: Option<usize>| at.and_then(|at| record.get(at)).filter(|text| !text.is_empty());
        if record.iter().all(str::is_empty) {
            continue;
        }
        if list.len() == MAX_BULK {
            return Err(format!("The list has more than {MAX_BULK} people. Divide it."));
        }
        list.push(NewInvitation {
            email: field(Some(email)).unwrap_or("").to_owned(),
            given_name: field(place("given_name")).map(str::to_owned),
            family_name: field(place("family_name")).map(str::to_owned),
            locale: field(place("locale")).map(str::to_owned),
            ..NewInvitation::default()
        });
    }
    if list.is_empty() { Err("The list names nobody.".to_owned()) } else { Ok(list) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_spreadsheets_write_them() {
        let names = |text: &str| -> Vec<(String, Option<String>)> {
            read_csv(text).unwrap().into_iter().map(|new| (new.email, new.family_name)).collect()
        };
        let ana = || ("ana@example.com".to_owned(), Some("Lima, Jr.".to_owned()));
        assert_eq!(names("email,given_name,family_name\nana@example.com,Ana,\"Lima, Jr.\"\n"), [ana()]);
        assert_eq!(names("\u{feff}Email;Family name\r\nana@example.com; Lima, Jr. \r\n;\r\n"), [ana()]);
        assert_eq!(names("Family-Name\temail\nLima, Jr.\tana@example.com"), [ana()]);
        assert_eq!(names("email\n\nana@example.com\n"), [("ana@example.com".to_owned(), None)]);
    }

    #[test]
    fn what_is_no_list_says_what_is_wrong() {
        for (text, said) in [
            ("", "empty"),
            ("ana@example.com\n", "no column"),
            ("given_name\nAna\n", "must be email"),
            ("email\n", "nobody"),
            ("email,shoe size\na@example.com,44\n", "shoe_size"),
        ] {
            let message = read_csv(text).unwrap_err();
            assert!(message.contains(said), "{text:?}: {message}");
        }
        let long = format!("email\n{}", "a@example.com\n".repeat(501));
        assert!(read_csv(&long).unwrap_err().contains("more than 500"));
    }
}
