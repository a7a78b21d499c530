//! What the demo's realm wants to know of its people.

use denizen_model::{
    RealmId,
    attribute_definitions::{AttributeAccess, AttributeSpec, AttributeType, Choice, Validation},
};
use denizen_ops::{App, Cx, attribute_definitions::create};

/// Defines the attributes.
pub(super) async fn make(app: &App, cx: &Cx, realm: RealmId) -> Result<(), denizen_ops::Error> {
    let choice = |value: &str, label: &str| Choice { value: value.to_owned(), label: label.to_owned() };
    let cost_center = AttributeSpec {
        validation: Validation { minimum: Some(1000.into()), maximum: Some(9999.into()), ..Validation::default() },
        searchable: true,
        claim: Some("cost_center".to_owned()),
        ..AttributeSpec::new("Cost center", AttributeType::Integer)
    };
    let badges = AttributeSpec {
        list: true,
        validation: Validation {
            choices: vec![
                choice("forklift", "Forklift"),
                choice("first-aid", "First aid"),
                choice("fire", "Fire protection"),
            ],
            ..Validation::default()
        },
        claim: Some("badges".to_owned()),
        ..AttributeSpec::new("Badges", AttributeType::Choice)
    };
    let newsletter = AttributeSpec {
        self_service: AttributeAccess::Edit,
        ..AttributeSpec::new("Gets the newsletter", AttributeType::Boolean)
    };
    let birthday = AttributeSpec {
        self_service: AttributeAccess::View,
        claim: Some("birthdate".to_owned()),
        ..AttributeSpec::new("Date of birth", AttributeType::Date)
    };
    let all = [("cost_center", cost_center), ("badges", badges), ("newsletter", newsletter), ("birthdate", birthday)];
    for (key, spec) in all {
        create(app, cx, cx.may(realm)?, key, spec).await?;
    }
    Ok(())
}
