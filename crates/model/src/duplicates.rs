//! Likely duplicates: records that may be of one person (PRODUCT §10).

use serde_json::Value;

use crate::{
    text::fold,
    users::{User, UserKind, text_enum},
};

/// The most users that are shown of one group, and that can be said at once to be different people.
pub const MAX_GROUP: usize = 10;

text_enum! {
    /// Why records are taken for duplicates.
    DuplicateReason {
        /// Emails that are equal but for case, dots and what follows a plus sign.
        Email = "email",
        /// The same phone number.
        Phone = "phone",
        /// The same name and birthday.
        Birthday = "name_and_birthday",
        /// The same name and reference.
        Reference = "name_and_reference",
    }
}

impl DuplicateReason {
    /// The letter that a stored key of this reason begins with.
    #[must_use]
    pub const fn letter(self) -> char {
        match self {
            Self::Birthday => 'b',
            Self::Email => 'e',
            Self::Phone => 'p',
            Self::Reference => 'r',
        }
    }
}

/// The attributes that hold a birthday, as OpenID Connect and others call it.
const BIRTHDAYS: [&str; 3] = ["birthdate", "birthday", "date_of_birth"];

/// An address as the one mailbox that many ways of writing lead to: no case, no dots in the local part, nothing
/// after a plus sign.
#[must_use]
pub fn mailbox(email: &str) -> Option<String> {
    let folded = fold(email);
    let (local, domain) = folded.rsplit_once('@')?;
    let bare: String = local.split('+').next().unwrap_or("").chars().filter(|c| *c != '.').collect();
    let domain = if domain == "googlemail.com" { "gmail.com" } else { domain };
    (!bare.is_empty() && !domain.is_empty()).then(|| format!("{bare}@{domain}"))
}

/// What a person's record shares with its likely duplicates. Machines have none: their addresses are those of the
/// people who look after them.
#[must_use]
pub fn traits(user: &User) -> Vec<(DuplicateReason, String)> {
    let mut found = Vec::new();
    if user.kind == UserKind::Machine {
        return found;
    }
    let address = user.email.as_deref().unwrap_or(&user.username);
    found.extend(mailbox(address).map(|mailbox| (DuplicateReason::Email, mailbox)));
    found.extend(user.phone.clone().map(|phone| (DuplicateReason::Phone, phone)));
    let name = fold(&user.name);
    if name.is_empty() {
        return found;
    }
    let birthday = BIRTHDAYS.iter().find_map(|key| user.attributes.get(*key)).and_then(Value::as_str).map(fold);
    let reference = user.reference.as_deref().map(fold);
    let named = [(DuplicateReason::Birthday, birthday), (DuplicateReason::Reference, reference)];
    let named = named.into_iter().filter_map(|(reason, text)| Some((reason, text.filter(|text| !text.is_empty())?)));
    found.extend(named.map(|(reason, text)| (reason, format!("{name}\u{1f}{text}"))));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_mailbox_has_many_spellings() {
        let plain = mailbox("jane.doe@gmail.com");
        for same in ["JaneDoe@gmail.com", "jane.doe+news@gmail.com", "j.a.n.e.doe@googlemail.com"] {
            assert_eq!(mailbox(same), plain, "{same}");
        }
        for other in ["janedoe@example.com", "jane.do@gmail.com"] {
            assert_ne!(mailbox(other), plain, "{other}");
        }
        for none in ["jane", "@example.com", "+tag@example.com", "jane@"] {
            assert_eq!(mailbox(none), None, "{none}");
        }
    }
}
