//! Organizations and who belongs to them (PRODUCT §8).

use std::collections::HashSet;

use crate::{
    OrganizationId, RealmId, Timestamp,
    groups::check_name,
    validation::{FieldErrors, check_domain},
};

/// The most domains an organization may have.
pub const MAX_DOMAINS: usize = 100;

/// A company or another body whose people use the realm's applications.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Organization {
    /// Stable id.
    pub id: OrganizationId,
    /// The realm it belongs to.
    pub realm_id: RealmId,
    /// Its name, also in tokens; unique in the realm without regard to case.
    pub name: String,
    /// What it is.
    pub description: String,
    /// Its domains, in lower case, each once.
    pub domains: Vec<String>,
    /// How many users belong to it.
    pub member_count: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was last changed; members come and go without it.
    pub updated_at: Timestamp,
    /// Grows with each change; the API's `ETag`.
    pub version: i64,
}

/// That a user belongs to an organization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The organization.
    pub organization: Organization,
    /// Since when.
    pub joined_at: Timestamp,
}

/// Checks what a person typed.
pub fn check_organization(name: &str, description: &str, domains: &[String], errors: &mut FieldErrors) {
    check_name(name, errors);
    errors.line("description", description, 500);
    if domains.len() > MAX_DOMAINS {
        errors.add("domains", format!("Must be at most {MAX_DOMAINS} domains."));
        return;
    }
    let mut seen = HashSet::new();
    for domain in domains {
        if let Err(message) = check_domain(domain) {
            errors.add("domains", message);
        } else if domain.chars().any(char::is_uppercase) {
            errors.add("domains", format!("Must be in lower case: {domain}."));
        } else if !seen.insert(domain) {
            errors.add("domains", format!("Must not name {domain} twice."));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(domains: &[&str]) -> Option<String> {
        let domains: Vec<String> = domains.iter().map(|domain| (*domain).to_owned()).collect();
        let mut errors = FieldErrors::new();
        check_organization("Acme", "", &domains, &mut errors);
        errors.get("domains").map(str::to_owned)
    }

    #[test]
    fn domains_are_valid_in_lower_case_and_named_once() {
        assert_eq!(wrong(&["acme.example", "mail.acme.example", "münchen.example"]), None);
        for bad in
            ["acme", "", "acme..example", "-acme.example", "a b.example", "https://acme.example", "@acme.example"]
        {
            assert!(wrong(&[bad]).is_some_and(|message| message.contains("domain")), "{bad:?}");
        }
        assert!(wrong(&["Acme.example"]).is_some_and(|message| message.contains("lower case")));
        assert!(wrong(&["acme.example", "acme.example"]).is_some_and(|message| message.contains("twice")));
        let many: Vec<String> = (0..=MAX_DOMAINS).map(|n| format!("d{n}.example")).collect();
        assert!(wrong(&many.iter().map(String::as_str).collect::<Vec<_>>()).is_some());
    }

    #[test]
    fn the_name_is_checked_as_a_groups_is() {
        let mut errors = FieldErrors::new();
        check_organization("", &"x".repeat(501), &[], &mut errors);
        assert!(errors.get("name").is_some() && errors.get("description").is_some());
    }
}
