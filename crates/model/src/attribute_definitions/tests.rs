//! The rules, case by case.

use proptest::prelude::*;
use serde_json::json;

use super::*;

const NOW: Timestamp = Timestamp::from_secs(1_800_000_000);

fn definition(key: &str, position: i64, spec: AttributeSpec) -> AttributeDefinition {
    AttributeDefinition {
        id: AttributeDefinitionId::new(NOW, [u8::try_from(position).unwrap(); 10]),
        realm_id: RealmId::new(NOW, [0; 10]),
        key: key.to_owned(),
        spec,
        position,
        created_at: NOW,
        updated_at: NOW,
        version: 1,
    }
}

/// A definition from the JSON that an administrator sends.
fn said(key: &str, spec: Value) -> AttributeDefinition {
    let mut whole = json!({"label": key});
    whole.as_object_mut().unwrap().extend(spec.as_object().unwrap().clone());
    definition(key, 0, serde_json::from_value(whole).unwrap())
}

fn map(value: Value) -> Map<String, Value> {
    value.as_object().unwrap().clone()
}

fn wrong(definition: &AttributeDefinition) -> Vec<String> {
    let mut errors = FieldErrors::new();
    definition.check(&mut errors);
    errors.iter().map(|(field, _)| field.to_owned()).collect()
}

#[test]
fn definitions_that_hold_together_pass_and_others_name_the_field() {
    for good in [
        json!({"type": "string", "validation": {"min_length": 2, "max_length": 2, "pattern": "[A-Z]+"}, "default": "DE"}),
        json!({"type": "integer", "validation": {"minimum": -5, "maximum": 5}, "default": 5}),
        json!({"type": "number", "validation": {"minimum": 0.5}, "default": 1}),
        json!({"type": "boolean", "default": false, "required": true}),
        json!({"type": "date", "default": "2027-01-31", "claim": "birthdate"}),
        json!({"type": "choice", "validation": {"choices": [{"value": "a"}, {"value": "b", "label": "B"}]}, "default": "b"}),
        json!({"type": "integer", "list": true, "default": [1, 2]}),
        json!({"type": "string", "claim": "https://example.com/plan"}),
    ] {
        assert_eq!(wrong(&said("plan", good.clone())), Vec::<String>::new(), "{good}");
    }
    for (bad, field) in [
        (json!({"type": "string", "label": ""}), "label"),
        (json!({"type": "string", "validation": {"minimum": 1}}), "validation.minimum"),
        (json!({"type": "integer", "validation": {"max_length": 1}}), "validation.max_length"),
        (json!({"type": "integer", "validation": {"pattern": "a"}}), "validation.pattern"),
        (json!({"type": "integer", "validation": {"choices": [{"value": "a"}]}}), "validation.choices"),
        (json!({"type": "integer", "validation": {"minimum": 2, "maximum": 1}}), "validation.maximum"),
        (json!({"type": "string", "validation": {"min_length": 2, "max_length": 1}}), "validation.max_length"),
        (json!({"type": "string", "validation": {"max_length": 10_001}}), "validation.max_length"),
        (json!({"type": "string", "validation": {"pattern": "("}}), "validation.pattern"),
        (json!({"type": "string", "validation": {"pattern": "a)|(b"}}), "validation.pattern"),
        (json!({"type": "string", "validation": {"pattern": r"(a)\1"}}), "validation.pattern"),
        (json!({"type": "string", "validation": {"pattern": r"(\w{1000}){1000}"}}), "validation.pattern"),
        (json!({"type": "string", "validation": {"pattern": "x".repeat(501)}}), "validation.pattern"),
        (json!({"type": "choice"}), "validation.choices"),
        (json!({"type": "choice", "validation": {"choices": [{"value": "a"}, {"value": "a"}]}}), "validation.choices"),
        (json!({"type": "choice", "validation": {"choices": [{"value": " a"}]}}), "validation.choices"),
        (json!({"type": "integer", "default": "1"}), "default"),
        (json!({"type": "integer", "list": true, "default": 1}), "default"),
        (json!({"type": "string", "validation": {"pattern": "[A-Z]{2}"}, "default": "DEU"}), "default"),
        (json!({"type": "string", "claim": "sub"}), "claim"),
        (json!({"type": "string", "claim": "roles"}), "claim"),
        (json!({"type": "string", "claim": "act"}), "claim"),
        (json!({"type": "string", "claim": ""}), "claim"),
        (json!({"type": "string", "claim": "a b"}), "claim"),
        (json!({"type": "string", "claim": "größe"}), "claim"),
    ] {
        assert_eq!(wrong(&said("plan", bad.clone())), [field], "{bad}");
    }
    for key in ["", "a b", "größe", "a\0b", &"x".repeat(101), "a=b", "a\"b"] {
        assert_eq!(wrong(&said(key, json!({"type": "string", "label": "x"}))), ["key"], "{key:?}");
    }
    for key in ["plan", "cost-center", "https://a.example/x", "a.b_c:1"] {
        assert!(wrong(&said(key, json!({"type": "string"}))).is_empty(), "{key}");
    }
}

#[test]
fn each_type_takes_its_own_values_and_no_others() {
    let choice = json!({"type": "choice", "validation": {"choices": [{"value": "red"}, {"value": "blue"}]}});
    let cases = [
        (
            json!({"type": "string"}),
            vec![json!("abc"), json!(""), json!("1"), json!("a\nb")],
            vec![json!(1), json!(true), json!(["a"]), json!(null), json!("a\u{202e}b")],
        ),
        (
            json!({"type": "string", "required": true, "validation": {"min_length": 2, "max_length": 3}}),
            vec![json!("ab"), json!("äöü")],
            vec![json!("a"), json!("abcd"), json!(""), json!("   ")],
        ),
        (
            json!({"type": "string", "validation": {"pattern": "a|ab"}}),
            vec![json!("a"), json!("ab")],
            vec![json!("abc"), json!("xa"), json!("a\n")],
        ),
        (
            json!({"type": "integer"}),
            vec![json!(1), json!(-7), json!(u64::MAX)],
            vec![json!("abc"), json!("1"), json!(1.5), json!(true)],
        ),
        (
            json!({"type": "integer", "validation": {"minimum": 1, "maximum": 3}}),
            vec![json!(1), json!(3)],
            vec![json!(0), json!(4), json!(u64::MAX)],
        ),
        (
            json!({"type": "integer", "validation": {"maximum": 9_007_199_254_740_993_i64}}),
            vec![json!(9_007_199_254_740_993_i64)],
            vec![json!(9_007_199_254_740_994_i64)],
        ),
        (
            json!({"type": "number", "validation": {"minimum": 0.5}}),
            vec![json!(0.5), json!(1)],
            vec![json!(0.4), json!(0), json!("1")],
        ),
        (json!({"type": "boolean"}), vec![json!(true), json!(false)], vec![json!("true"), json!(0)]),
        (
            json!({"type": "date"}),
            vec![json!("2027-01-31"), json!("2024-02-29")],
            vec![
                json!("2027-02-29"),
                json!("20270131"),
                json!("2027-1-31"),
                json!("2027-01-31T00:00:00"),
                json!("today"),
                json!(20_270_131),
            ],
        ),
        (choice, vec![json!("red"), json!("blue")], vec![json!("green"), json!("Red"), json!(1), json!(["red"])]),
        (json!({"type": "integer", "list": true}), vec![json!([]), json!([1, 2])], vec![json!(1), json!([1, "a"])]),
        (json!({"type": "integer", "list": true, "required": true}), vec![json!([1])], vec![json!([])]),
    ];
    for (spec, good, bad) in cases {
        let all = AttributeDefinitions::new(vec![said("key", spec.clone())]);
        for value in good {
            assert_eq!(all.check_value("key", &value), Ok(()), "{spec} takes {value}");
        }
        for value in bad {
            assert!(all.check_value("key", &value).is_err(), "{spec} refuses {value}");
        }
    }
}

#[test]
fn an_entry_of_a_list_is_named_by_its_place() {
    let all = AttributeDefinitions::new(vec![said("seats", json!({"type": "integer", "list": true}))]);
    assert_eq!(all.check_value("seats", &json!([1, "x"])), Err("Entry 2: Must be a whole number.".to_owned()));
}

fn realm() -> AttributeDefinitions {
    AttributeDefinitions::new(vec![
        definition(
            "plan",
            1,
            AttributeSpec {
                required: true,
                default: Some(json!("free")),
                claim: Some("plan".to_owned()),
                ..AttributeSpec::new("Plan", AttributeType::String)
            },
        ),
        definition(
            "seats",
            0,
            AttributeSpec {
                required: true,
                claim: Some("seats".to_owned()),
                ..AttributeSpec::new("Seats", AttributeType::Integer)
            },
        ),
    ])
}

fn checked(undeclared: bool, before: Option<Value>, after: Value) -> Vec<String> {
    let mut errors = FieldErrors::new();
    realm().check(undeclared, before.map(map).as_ref(), &map(after), &mut errors);
    errors.iter().map(|(field, _)| field.to_owned()).collect()
}

#[test]
fn records_are_held_against_all_definitions() {
    // New ones need what is required.
    assert_eq!(checked(true, None, json!({})), ["attributes.plan", "attributes.seats"]);
    assert_eq!(checked(true, None, json!({"plan": "x", "seats": "abc"})), ["attributes.seats"]);
    assert!(checked(true, None, json!({"plan": "x", "seats": 1, "more": "y"})).is_empty());
    assert_eq!(checked(false, None, json!({"plan": "x", "seats": 1, "more": "y"})), ["attributes.more"]);
    // Older ones keep what they have until it is changed.
    let old = json!({"seats": "many", "more": "y"});
    assert!(checked(false, Some(old.clone()), old.clone()).is_empty());
    assert_eq!(
        checked(false, Some(old.clone()), json!({"seats": "few", "more": "z"})),
        ["attributes.more", "attributes.seats"]
    );
    assert_eq!(checked(false, Some(old.clone()), json!({"more": "y"})), ["attributes.seats"], "required: not removed");
    assert!(checked(false, Some(old), json!({"seats": "many"})).is_empty(), "what is not declared can go");
}

#[test]
fn defaults_fill_what_was_not_given() {
    assert_eq!(Value::Object(realm().with_defaults(map(json!({"seats": 1})))), json!({"seats": 1, "plan": "free"}));
    assert_eq!(Value::Object(realm().with_defaults(map(json!({"plan": "pro"})))), json!({"plan": "pro"}));
}

#[test]
fn claims_carry_the_values_of_those_that_have_one() {
    let user = map(json!({"plan": "pro", "more": "y"}));
    assert_eq!(Value::Object(realm().claims(&user)), json!({"plan": "pro"}));
    let stolen = definition(
        "x",
        0,
        AttributeSpec { claim: Some("sub".to_owned()), ..AttributeSpec::new("X", AttributeType::String) },
    );
    assert!(AttributeDefinitions::new(vec![stolen]).claims(&map(json!({"x": "root"}))).is_empty());
}

#[test]
fn definitions_come_in_order_of_position() {
    assert_eq!(realm().iter().map(|one| one.key.as_str()).collect::<Vec<_>>(), ["seats", "plan"]);
    assert_eq!(realm().get("plan").map(|one| one.position), Some(1));
}

#[test]
fn what_is_typed_is_read_in_the_type_of_the_attribute() {
    let read = |spec: Value, typed: &str| said("key", spec).spec.read(typed);
    assert_eq!(read(json!({"type": "string"}), " 12 "), Ok(Some(json!("12"))));
    assert_eq!(read(json!({"type": "integer"}), "12"), Ok(Some(json!(12))));
    assert_eq!(read(json!({"type": "integer"}), " "), Ok(None));
    assert!(read(json!({"type": "integer"}), "abc").is_err());
    assert!(read(json!({"type": "number"}), "true").is_err());
    assert_eq!(read(json!({"type": "boolean"}), "true"), Ok(Some(json!(true))));
    assert_eq!(read(json!({"type": "integer", "list": true}), "1\r\n\r\n 2\n"), Ok(Some(json!([1, 2]))));
    assert_eq!(
        read(json!({"type": "integer", "list": true}), "1\nx"),
        Err("Entry 2: Must be a whole number.".to_owned())
    );
    assert_eq!(read(json!({"type": "string", "list": true}), "\n"), Ok(None));
}

#[test]
fn no_reserved_name_is_listed_twice() {
    let mut names = RESERVED_CLAIMS.to_vec();
    names.dedup();
    assert!(names.is_sorted() && names.len() == RESERVED_CLAIMS.len());
    for name in ["iss", "sub", "aud", "exp", "roles", "groups", "organizations", "permissions", "act"] {
        assert!(is_reserved_claim(name), "{name}");
    }
}

fn any_type() -> impl Strategy<Value = AttributeType> {
    proptest::sample::select(vec![
        AttributeType::String,
        AttributeType::Integer,
        AttributeType::Number,
        AttributeType::Boolean,
        AttributeType::Date,
    ])
}

proptest! {
    /// Whatever a form shows of a value that fits reads back as the same value.
    #[test]
    fn a_number_survives_the_form(number in any::<i64>(), list in any::<bool>()) {
        let spec = AttributeSpec { list, ..AttributeSpec::new("N", AttributeType::Integer) };
        let value = if list { json!([number, number]) } else { json!(number) };
        let typed = if list { format!("{number}\n{number}") } else { number.to_string() };
        prop_assert_eq!(spec.read(&typed), Ok(Some(value)));
    }

    /// No text makes reading or checking panic, and what is read of a type that passes is of that type.
    #[test]
    fn no_text_is_taken_for_another_type(kind in any_type(), list in any::<bool>(), typed in "\\PC{0,30}") {
        let spec = AttributeSpec { list, ..AttributeSpec::new("X", kind) };
        let all = AttributeDefinitions::new(vec![definition("x", 0, spec.clone())]);
        if let Ok(Some(value)) = spec.read(&typed)
            && all.check_value("x", &value).is_ok()
        {
            let ones = value.as_array().cloned().unwrap_or_else(|| vec![value.clone()]);
            for one in ones {
                let fits = match kind {
                    AttributeType::Integer => one.is_i64() || one.is_u64(),
                    AttributeType::Number => one.is_number(),
                    AttributeType::Boolean => one.is_boolean(),
                    _ => one.is_string(),
                };
                prop_assert!(fits);
            }
        }
    }

    /// A record that passed once passes when it is saved unchanged, whatever the definitions say.
    #[test]
    fn what_does_not_change_is_never_refused(keys in proptest::collection::btree_map("[a-z]{1,6}", "\\PC{0,10}", 0..6)) {
        let attributes: Map<String, Value> = keys.into_iter().map(|(key, value)| (key, json!(value))).collect();
        let mut errors = FieldErrors::new();
        realm().check(false, Some(&attributes), &attributes, &mut errors);
        prop_assert!(errors.is_empty());
    }

    /// No pattern makes the check panic or take long: it compiles within its bounds or is refused.
    #[test]
    fn any_pattern_compiles_or_is_refused(pattern in "\\PC{0,40}") {
        let rules = Validation { pattern: Some(pattern), ..Validation::default() };
        let _ = rules.compiled();
    }
}
