//! The filters of the list: those to choose from, grouped, and those in force as chips.

use denizen_model::users::{ATTRIBUTE_FILTER, FilterValues, filter_spec, filter_value_title};
use denizen_ops::users::Understood;
use serde::Serialize;

use super::state::State;
use crate::console::frame::ConsoleCx;

/// A filter in force.
#[derive(Serialize)]
pub(super) struct Chip {
    label: String,
    words: String,
    /// The list without it.
    remove_href: String,
}

pub(super) fn chips(page: &ConsoleCx, state: &State, understood: &Understood) -> Vec<Chip> {
    let chip = |one: &denizen_ops::users::Applied| Chip {
        label: one.label.clone(),
        words: one.words.clone(),
        remove_href: state.without(&one.name, &one.value).href(page),
    };
    understood.applied.iter().map(chip).collect()
}

/// Filters that belong together.
#[derive(Serialize)]
pub(super) struct Group {
    label: &'static str,
    filters: Vec<Filter>,
}

/// A filter to choose a value of.
#[derive(Serialize)]
pub(super) struct Filter {
    /// The parameter.
    name: String,
    /// What the field is called by the page.
    id: String,
    label: String,
    choices: Vec<Choice>,
    /// What may be typed: `completed`, `text`, or nothing.
    typed: Option<&'static str>,
    /// The parameters of a span of days.
    days: Option<Days>,
    placeholder: String,
}

#[derive(Serialize)]
struct Choice {
    value: &'static str,
    label: &'static str,
    current: bool,
}

#[derive(Serialize)]
struct Days {
    after: &'static str,
    before: &'static str,
    from: String,
    until: String,
}

/// The groups, in the order people look for them, by which two columns are about as long.
const GROUPS: &[(&str, &[&str])] = &[
    ("Account", &["status", "kind", "locked", "admin"]),
    ("Access", &["role", "group", "organization"]),
    ("Time", &["last_sign_in", "created"]),
    ("Verification", &["email_verified", "phone_verified"]),
    ("Sign-in", &["has_password", "authenticator", "provider", "required_action"]),
    ("Reference and attributes", &["reference"]),
];

const LAST_SIGN_IN: &[(&str, &str)] = &[
    ("7d", "Last 7 days"),
    ("30d", "Last 30 days"),
    (">30d", "Over 30 days ago"),
    (">90d", "Over 90 days ago"),
    ("never", "Never"),
];
const CREATED: &[(&str, &str)] =
    &[("1d", "Last day"), ("7d", "Last 7 days"), ("30d", "Last 30 days"), (">1y", "Over a year ago")];
const YES_NO: &[(&str, &str)] = &[("true", "Yes"), ("false", "No")];

/// All filters there are. Those that nothing can be chosen for are left out.
pub(super) fn groups(state: &State, searchable: &[String]) -> Vec<Group> {
    let mut groups: Vec<Group> = GROUPS
        .iter()
        .map(|(label, names)| Group { label, filters: names.iter().filter_map(|name| filter(state, name)).collect() })
        .collect();
    if let Some(last) = groups.last_mut() {
        last.filters.extend(searchable.iter().enumerate().map(|(at, key)| Filter {
            name: format!("{ATTRIBUTE_FILTER}{key}"),
            id: format!("filter-attr-{at}"),
            label: key.clone(),
            choices: Vec::new(),
            typed: Some("text"),
            days: None,
            placeholder: "Value".to_owned(),
        }));
    }
    groups.retain(|group| !group.filters.is_empty());
    groups
}

fn filter(state: &State, name: &'static str) -> Option<Filter> {
    let spec = filter_spec(name)?;
    let choices: Vec<(&'static str, &'static str)> = match spec.values {
        FilterValues::OneOf(allowed) => allowed.iter().map(|value| (*value, filter_value_title(value))).collect(),
        FilterValues::YesNo => YES_NO.to_vec(),
        FilterValues::SpanOrNever => LAST_SIGN_IN.to_vec(),
        FilterValues::Span => CREATED.to_vec(),
        _ => Vec::new(),
    };
    let typed = match spec.values {
        FilterValues::Role | FilterValues::Group | FilterValues::Organization => Some("completed"),
        FilterValues::Text => Some("text"),
        _ => None,
    };
    let held = |name: &str| {
        let found = state.filters.iter().find(|(known, _)| known == name);
        // What a field for days cannot show is left to the chip.
        found.map(|(_, value)| value.clone()).filter(|value| value.len() == 10).unwrap_or_default()
    };
    let days = match name {
        "last_sign_in" => Some(("last_sign_in_after", "last_sign_in_before")),
        "created" => Some(("created_after", "created_before")),
        _ => None,
    };
    let days = days.map(|(after, before)| Days { after, before, from: held(after), until: held(before) });
    if choices.is_empty() && typed.is_none() {
        return None;
    }
    let choice =
        |(value, label): (&'static str, &'static str)| Choice { value, label, current: state.has(name, value) };
    Some(Filter {
        name: name.to_owned(),
        id: format!("filter-{name}"),
        label: spec.label.to_owned(),
        choices: choices.into_iter().map(choice).collect(),
        typed,
        days,
        placeholder: if name == "reference" {
            "Whole reference".to_owned()
        } else {
            format!("Name of {}", article(name))
        },
    })
}

fn article(name: &str) -> String {
    if name == "organization" { format!("an {name}") } else { format!("a {name}") }
}

#[cfg(test)]
mod tests {
    use denizen_model::users::FILTERS;

    use super::*;

    #[test]
    fn every_filter_can_be_chosen() {
        let state = State::default();
        let groups = groups(&state, &["team".to_owned()]);
        let mut names: Vec<&str> = Vec::new();
        for filter in groups.iter().flat_map(|group| &group.filters) {
            names.push(&filter.name);
            names.extend(filter.days.iter().flat_map(|days| [days.after, days.before]));
        }
        assert!(names.contains(&"attr.team"));
        for spec in FILTERS.iter().filter(|spec| spec.values != FilterValues::OneOf(&[])) {
            assert!(names.contains(&spec.name), "{}", spec.name);
        }
    }
}
