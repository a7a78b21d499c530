//! What the search box and the filters offer while somebody types.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use denizen_model::{
    text::fold,
    users::{ATTRIBUTE_FILTER, FILTERS, FilterSpec, FilterValues, as_typed},
};
use denizen_ops::users;
use serde::Serialize;

use crate::console::{PageError, forms::Asked, frame::ConsoleCx};

#[derive(Serialize)]
struct Offer {
    items: Vec<Item>,
}

#[derive(Serialize)]
struct Item {
    /// The value alone.
    value: String,
    /// What is put into the search box.
    text: String,
    /// What it is called.
    label: String,
    /// What may follow, or what it means.
    detail: String,
}

/// `?name=` names the filters that begin with `q`; `?name=group&q=be` names groups that begin so.
pub(in crate::console::users) async fn complete(page: ConsoleCx, Asked(asked): Asked) -> Result<Response, PageError> {
    let (name, typed) = (asked.text("name").trim(), asked.text("q").trim());
    let items = if name.is_empty() {
        let keys = users::searchable_attributes(page.app(), page.cx(), page.may()?).await?;
        names(typed, &keys)
    } else {
        let found = users::complete(page.app(), page.cx(), page.may()?, name.to_owned(), typed.to_owned()).await?;
        found.into_iter().map(|value| item(name, value)).collect()
    };
    Ok(Json(Offer { items }).into_response())
}

fn item(name: &str, value: String) -> Item {
    let detail = match value.as_str() {
        "7d" => "In the last 7 days",
        "30d" => "In the last 30 days",
        ">30d" => "More than 30 days ago",
        ">90d" => "More than 90 days ago",
        ">1y" => "More than a year ago",
        "true" => "Yes",
        "false" => "No",
        _ => "",
    };
    Item { text: as_typed(name, &value), label: value.clone(), value, detail: detail.to_owned() }
}

/// The filters whose name begins so, or a word of whose label does.
fn names(typed: &str, attributes: &[String]) -> Vec<Item> {
    let wanted = fold(typed);
    let begins = |name: &str, label: &str| {
        name.starts_with(&wanted) || fold(label).split(' ').any(|word| word.starts_with(&wanted))
    };
    let of = |spec: &&FilterSpec| spec.values != FilterValues::OneOf(&[]) && begins(spec.name, spec.label);
    let known = FILTERS.iter().filter(of).map(|spec| Item {
        value: spec.name.to_owned(),
        text: format!("{}:", spec.name),
        label: spec.label.to_owned(),
        detail: example(spec.values),
    });
    let attributes = attributes.iter().filter(|key| begins(&format!("{ATTRIBUTE_FILTER}{}", fold(key)), key));
    let attributes = attributes.map(|key| Item {
        value: format!("{ATTRIBUTE_FILTER}{key}"),
        text: format!("{ATTRIBUTE_FILTER}{key}:"),
        label: key.clone(),
        detail: "attribute".to_owned(),
    });
    known.chain(attributes).collect()
}

fn example(values: FilterValues) -> String {
    match values {
        FilterValues::OneOf(allowed) => allowed.join(", ").replace('_', " "),
        FilterValues::YesNo => "true, false".to_owned(),
        FilterValues::Role | FilterValues::Group | FilterValues::Organization => "name".to_owned(),
        FilterValues::Time => "2026-01-31".to_owned(),
        FilterValues::Span => "7d, >30d".to_owned(),
        FilterValues::SpanOrNever => "7d, >30d, never".to_owned(),
        FilterValues::Text => "text".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filters_are_found_by_name_and_by_label() {
        let found =
            |typed: &str| names(typed, &["Team".to_owned()]).into_iter().map(|item| item.text).collect::<Vec<_>>();
        assert_eq!(found("st"), ["status:"]);
        assert_eq!(found("sign"), ["last_sign_in:", "last_sign_in_after:", "last_sign_in_before:"]);
        assert_eq!(found("te"), ["attr.Team:"]);
        assert_eq!(found("attr.t"), ["attr.Team:"]);
        assert!(found("").len() > 15);
        assert_eq!(item("group", "Beta testers".to_owned()).text, "group:\"Beta testers\"");
    }
}
