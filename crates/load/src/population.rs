//! A population as a file of JSON Lines, and what its people belong to, for the server's own import.

use std::{
    fs::File,
    io::{BufWriter, Write as _},
    path::Path,
};

use argon2::{Algorithm, Argon2, Params, Version};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use denizen_model::Timestamp;
use serde_json::{Value, json};

use crate::{
    failure::{Failure, Result},
    http,
    people::{self, Dice},
};

/// The realm with the population.
pub(crate) const REALM: &str = "load";
/// The population's people were made over this long.
const YEARS: i64 = 3;
const DAY: i64 = 24 * 3600 * 1_000_000;

const GROUPS: u32 = 40;
const ORGANIZATIONS: u64 = 60;
const ROLES: u32 = 12;
/// The searchable attribute.
pub(crate) const DEPARTMENT: &str = "department";
const DEPARTMENTS: &[&str] = &[
    "Sales",
    "Support",
    "Engineering",
    "Finance",
    "Legal",
    "Marketing",
    "Operations",
    "Research",
    "Logistics",
    "Purchasing",
    "Facilities",
    "Training",
];

/// Groups are called so, from 1, which one in five belongs to, to 40, which one in ten thousand belongs to.
fn group(number: u32) -> String {
    format!("Team {number}")
}

/// Organizations, from 1, the largest, to 60.
fn organization(number: u64) -> String {
    format!("Customer {number}")
}

/// Roles, from 1, which one in ten has, to 12, which one in five thousand has.
fn role(number: u32) -> String {
    format!("role-{number}")
}

/// Of a million people, how many have the thing of this number, the first of which `most` have and the last `least`.
fn share(number: u32, of: u32, most: f64, least: f64) -> u64 {
    let step = (least / most).powf(1.0 / f64::from(of - 1));
    let people = most * step.powi(i32::try_from(number - 1).unwrap_or(0));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between ten and a million")]
    let people = people.round() as u64;
    people
}

/// The requests that make groups, organizations, roles and attribute definitions.
pub(crate) fn preparations(authorization: &str) -> Vec<Vec<u8>> {
    let headers = [("authorization", authorization)];
    let post = |what: &str, body: &Value| http::post_json(&format!("/api/v1/realms/{REALM}/{what}"), &headers, body);
    let mut requests = Vec::new();
    requests.extend((1..=GROUPS).map(|number| post("groups", &json!({"name": group(number)}))));
    requests.extend((1..=ORGANIZATIONS).map(|number| post("organizations", &json!({"name": organization(number)}))));
    requests.extend((1..=ROLES).map(|number| post("roles", &json!({"name": role(number)}))));
    for (key, label, kind, searchable) in [
        (DEPARTMENT, "Department", "string", true),
        ("level", "Level", "integer", false),
        ("remote", "Works remotely", "boolean", false),
    ] {
        let body = json!({"key": key, "label": label, "type": kind, "searchable": searchable});
        requests.push(post("attribute-definitions", &body));
    }
    requests
}

/// A hash with the product's parameters, as another installation would have exported it.
fn password_hash() -> Result<String> {
    let failed = |error: argon2::Error| Failure::new(error.to_string());
    let params = Params::new(19 * 1024, 2, 1, Some(32)).map_err(failed)?;
    let (salt, mut out) = (b"sixteen bytes sa", [0; 32]);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    argon2.hash_password_into(b"correct horse battery staple", salt, &mut out).map_err(failed)?;
    Ok(format!("$argon2id$v=19$m=19456,t=2,p=1${}${}", STANDARD_NO_PAD.encode(salt), STANDARD_NO_PAD.encode(out)))
}

/// Writes the people of these numbers, one a line; the file's size.
pub(crate) fn write_file(path: &Path, numbers: std::ops::Range<u64>, now: Timestamp) -> Result<u64> {
    let hash = password_hash()?;
    let groups: Vec<(String, u64)> =
        (1..=GROUPS).map(|number| (group(number), share(number, GROUPS, 200_000.0, 100.0))).collect();
    let roles: Vec<(String, u64)> =
        (1..=ROLES).map(|number| (role(number), share(number, ROLES, 100_000.0, 200.0))).collect();
    let mut file = BufWriter::with_capacity(1 << 20, File::create(path)?);
    for number in numbers {
        serde_json::to_writer(&mut file, &line(number, now, &hash, &groups, &roles))?;
        file.write_all(b"\n")?;
    }
    file.flush()?;
    Ok(std::fs::metadata(path)?.len())
}

fn line(number: u64, now: Timestamp, hash: &str, groups: &[(String, u64)], roles: &[(String, u64)]) -> Value {
    let mut dice = Dice::new(number ^ 0x00d1_ce00);
    let ago = |dice: &mut Dice, span: i64| {
        let back = i64::try_from(dice.below(u64::try_from(span).unwrap_or(1))).unwrap_or(0);
        // A little before now, whichever clock the server goes by.
        Timestamp::from_micros(now.as_micros() - 60_000_000 - back).to_string()
    };
    let drawn = |dice: &mut Dice, from: &[(String, u64)]| -> Vec<String> {
        from.iter().filter(|(_, share)| dice.below(1_000_000) < *share).map(|(name, _)| name.clone()).collect()
    };
    let person = people::person(number);
    let created_at = ago(&mut dice, YEARS * 365 * DAY);
    let mut out = json!({"email": person.email, "created_at": created_at});
    let mut put = |name: &str, value: Value| {
        if let Some(map) = out.as_object_mut() {
            map.insert(name.to_owned(), value);
        }
    };
    if dice.below(100) < 3 {
        put("enabled", json!(false));
    }
    if dice.below(100) < 70 {
        put("last_sign_in_at", json!(ago(&mut dice, 200 * DAY)));
    }
    if dice.below(100) < 50 {
        put("reference", json!(format!("crm-{number:08}")));
    }
    let department = dice.pick(DEPARTMENTS).copied().unwrap_or("");
    put("attributes", json!({DEPARTMENT: department, "level": 1 + dice.below(9), "remote": dice.below(3) == 0}));
    put("groups", json!(drawn(&mut dice, groups)));
    put("roles", json!(drawn(&mut dice, roles)));
    if dice.below(100) < 40 {
        // Two throws: the first organizations are much larger than the last.
        let number = dice.below(ORGANIZATIONS) * dice.below(ORGANIZATIONS) / ORGANIZATIONS;
        put("organizations", json!([organization(1 + number)]));
    }
    if dice.below(100) == 0 {
        put("kind", json!("machine"));
        put("username", json!(person.email));
        put("name", json!(format!("{} export {number}", person.family)));
        return out;
    }
    put("given_name", json!(person.given));
    put("family_name", json!(person.family));
    put("locale", json!(person.locale));
    put("zoneinfo", json!(person.zone));
    put("email_verified", json!(dice.below(100) < 80));
    if let Some(phone) = person.phone {
        put("phone", json!(phone));
        put("phone_verified", json!(dice.below(100) < 40));
    }
    if dice.below(100) < 50 {
        put("password_hash", json!(hash));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_from_common_to_rare() {
        assert_eq!(share(1, GROUPS, 200_000.0, 100.0), 200_000);
        assert_eq!(share(GROUPS, GROUPS, 200_000.0, 100.0), 100);
    }

    #[test]
    fn a_person_is_the_same_each_time() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let groups = [("Team 1".to_owned(), 1_000_000)];
        let one = line(4711, now, "hash", &groups, &[]);
        assert_eq!(one, line(4711, now, "hash", &groups, &[]));
        assert_eq!(one["groups"], json!(["Team 1"]));
    }
}
