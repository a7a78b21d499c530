//! Puts filters in force, or says what is wrong with one and what is allowed.

use denizen_model::{
    RealmId, Timestamp,
    authenticators::{AuthenticatorType, RequiredAction},
    text::fold,
    users::{
        ATTRIBUTE_FILTER, FILTERS, Facet, FilterValues, Span, UserFilters, UserKind, filter_spec, filter_value_title,
        parse_span, parse_time,
    },
};
use denizen_store::{
    ReadTx, realms,
    users::{
        index::IndexContext,
        names::{self, Named},
    },
};

use super::{Applied, OFFERED};
use crate::{Error, Result};

/// Puts one filter in force; or says what is wrong with it.
pub(super) fn apply(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    now: Timestamp,
    filters: &mut UserFilters,
    name: &str,
    value: &str,
) -> Result<std::result::Result<Applied, String>> {
    let Some(spec) = filter_spec(name) else {
        let names: Vec<&str> = FILTERS.iter().map(|filter| filter.name).collect();
        return Ok(Err(format!(
            "There is no filter {name}. There are {} and attr. with the key of an attribute. To search for the text itself, put it in quotes.",
            names.join(", ")
        )));
    };
    if let Some(fault) = plain_fault(spec.values, value) {
        return Ok(Err(fault));
    }
    let mut words = value.to_owned();
    let wrong = match spec.values {
        FilterValues::YesNo => {
            words = if value == "true" { "yes" } else { "no" }.to_owned();
            apply_yes_no(filters, name, value == "true");
            None
        }
        FilterValues::OneOf(allowed) => {
            apply_one_of(tx, realm, filters, name, value)?;
            let title = allowed.iter().find(|allowed| **allowed == value).map(|value| filter_value_title(value));
            words = title.unwrap_or(value).to_lowercase();
            None
        }
        FilterValues::Role => apply_named(tx, realm, filters, Named::Role, value, &mut words)?,
        FilterValues::Group => apply_named(tx, realm, filters, Named::Group, value, &mut words)?,
        FilterValues::Organization => apply_named(tx, realm, filters, Named::Organization, value, &mut words)?,
        FilterValues::Time => match parse_time(value) {
            Ok(at) => {
                apply_time(filters, name, at);
                None
            }
            Err(message) => Some(message.to_owned()),
        },
        FilterValues::SpanOrNever if value == "never" => {
            filters.never_signed_in = Some(true);
            None
        }
        FilterValues::Span | FilterValues::SpanOrNever => match parse_span(value, now) {
            Ok(span) => {
                let field = if name == "created" { &mut filters.created } else { &mut filters.last_sign_in };
                *field = field.and(span);
                words = span_words(value);
                None
            }
            Err(message) if spec.values == FilterValues::SpanOrNever => Some(format!("{message} Or never.")),
            Err(message) => Some(message.to_owned()),
        },
        FilterValues::Text if name == "reference" => {
            filters.reference = Some(fold(value));
            (value.trim().is_empty()).then(|| "Must not be empty.".to_owned())
        }
        FilterValues::Text => apply_attribute(tx, realm, filters, name, value)?,
    };
    let label = match name.strip_prefix(ATTRIBUTE_FILTER) {
        Some(key) => key.to_owned(),
        None => spec.label.to_owned(),
    };
    Ok(match wrong {
        Some(message) => Err(message),
        None => Ok(Applied { name: name.to_owned(), value: value.to_owned(), label, words }),
    })
}

/// What is wrong with a value that is one of a few, whatever the realm.
fn plain_fault(values: FilterValues, value: &str) -> Option<String> {
    match values {
        FilterValues::YesNo if !matches!(value, "true" | "false") => Some("Must be true or false.".to_owned()),
        FilterValues::OneOf([]) => Some("There is none in this realm yet.".to_owned()),
        FilterValues::OneOf(allowed) if !allowed.contains(&value) => Some(format!("Must be {}.", any_of(allowed))),
        _ => None,
    }
}

fn any_of(allowed: &[&str]) -> String {
    match allowed {
        [one] => (*one).to_owned(),
        [others @ .., last] => format!("{} or {last}", others.join(", ")),
        [] => String::new(),
    }
}

fn apply_yes_no(filters: &mut UserFilters, name: &str, yes: bool) {
    filters.facets.push(match name {
        "locked" => (Facet::Locked, yes),
        "admin" => (Facet::Admin, yes),
        "email_verified" => (Facet::EmailVerified(yes), true),
        "phone_verified" => (Facet::PhoneVerified(yes), true),
        _ => (Facet::HasPassword(yes), true),
    });
}

fn apply_one_of(tx: &mut ReadTx<'_>, realm: RealmId, filters: &mut UserFilters, name: &str, value: &str) -> Result<()> {
    let facet = match name {
        "kind" => UserKind::from_name(value).map(Facet::Kind),
        "status" => Some(Facet::Enabled(value == "active")),
        "authenticator" => {
            let kind = AuthenticatorType::from_name(value);
            if let Some(kind) = kind.filter(|kind| kind.comes_with_address()) {
                // An address alone is none, where the realm has no use for what comes with it.
                filters.nobody |= !realms::get(tx, realm)?.settings.uses(kind);
            }
            kind.map(Facet::authenticator)
        }
        _ => RequiredAction::from_name(value).map(Facet::RequiredAction),
    };
    filters.facets.extend(facet.map(|facet| (facet, true)));
    Ok(())
}

fn apply_time(filters: &mut UserFilters, name: &str, at: Timestamp) {
    let span = match name.ends_with("_after") {
        true => Span { after: Some(at), before: None },
        false => Span { after: None, before: Some(at) },
    };
    let field = if name.starts_with("created") { &mut filters.created } else { &mut filters.last_sign_in };
    *field = field.and(span);
}

fn apply_named(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    filters: &mut UserFilters,
    what: Named,
    value: &str,
    words: &mut String,
) -> Result<Option<String>> {
    let Some((id, name)) = names::find(tx, realm, what, value)? else {
        let noun = match what {
            Named::Role => "role",
            Named::Group => "group",
            Named::Organization => "organization",
        };
        let mut near = names::list(tx, realm, what, value.get(..1).unwrap_or(""), OFFERED)?;
        if near.is_empty() {
            near = names::list(tx, realm, what, "", OFFERED)?;
        }
        return Ok(Some(match near.as_slice() {
            [] => format!("There is no {noun} in this realm yet."),
            near => format!("There is no {noun} of that name. There are {}.", near.join(", ")),
        }));
    };
    *words = name;
    let unreadable = |_| Error::internal("an id that is none");
    filters.facets.push(match what {
        Named::Role => (Facet::Role(id.parse().map_err(unreadable)?), true),
        Named::Group => (Facet::Group(id.parse().map_err(unreadable)?), true),
        Named::Organization => (Facet::Organization(id.parse().map_err(unreadable)?), true),
    });
    Ok(None)
}

fn apply_attribute(
    tx: &mut ReadTx<'_>,
    realm: RealmId,
    filters: &mut UserFilters,
    name: &str,
    value: &str,
) -> Result<Option<String>> {
    let key = name.strip_prefix(ATTRIBUTE_FILTER).unwrap_or(name);
    let context = IndexContext::load(tx, realm)?;
    if !context.searchable().iter().any(|known| known == key) {
        return Ok(Some(match context.searchable() {
            [] => "No attribute of this realm is searchable yet.".to_owned(),
            known => format!("There is no searchable attribute {key}. Searchable are {}.", known.join(", ")),
        }));
    }
    filters.facets.push((Facet::attribute(key, value), true));
    Ok(None)
}

/// A span of time in words.
fn span_words(text: &str) -> String {
    let ago = |text: &str| {
        let unit = match text.chars().next_back()? {
            'd' => "days",
            'w' => "weeks",
            'm' => "months",
            'y' => "years",
            _ => return None,
        };
        let number = text.get(..text.len().checked_sub(1)?)?;
        number.parse::<u32>().ok().map(|number| match number {
            1 => format!("1 {}", unit.trim_end_matches('s')),
            number => format!("{number} {unit}"),
        })
    };
    let plain = text.trim_start_matches(['<', '>', '=']);
    match (text.split_once(".."), ago(plain)) {
        (Some(("", until)), _) => format!("before {until}"),
        (Some((from, "")), _) => format!("from {from}"),
        (Some((from, until)), _) => format!("{from} to {until}"),
        (None, Some(ago)) if text.starts_with('>') => format!("more than {ago} ago"),
        (None, Some(ago)) => format!("in the last {ago}"),
        (None, None) if text.starts_with('>') => format!("after {plain}"),
        (None, None) if text.starts_with('<') => format!("before {plain}"),
        (None, None) => format!("on {text}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_put_into_words() {
        for (text, words) in [
            (">30d", "more than 30 days ago"),
            ("7d", "in the last 7 days"),
            ("1w", "in the last 1 week"),
            ("2026-01-01..2026-02-01", "2026-01-01 to 2026-02-01"),
            (">2026-01-01", "after 2026-01-01"),
            ("..2026-01-01", "before 2026-01-01"),
            ("2026-01-01", "on 2026-01-01"),
        ] {
            assert_eq!(span_words(text), words);
        }
    }
}
