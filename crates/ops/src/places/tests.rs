//! Places by a database that the test writes itself (MaxMind DB file format specification 2.0).

use serde_json::{Value, json};

use super::*;

/// A value in the data section: a control byte with type and size, then the bytes.
fn encode(value: &Value, out: &mut Vec<u8>) {
    let mut control = |kind: u8, size: usize| {
        assert!(size < 285);
        // Types over 7 take a byte of their own; sizes over 28 as well.
        let short = u8::try_from(size.min(29)).unwrap();
        let (first, second) = if kind > 7 { (short, Some(kind - 7)) } else { ((kind << 5) | short, None) };
        out.push(first);
        out.extend(second);
        if size >= 29 {
            out.push(u8::try_from(size - 29).unwrap());
        }
    };
    match value {
        Value::String(text) => {
            control(2, text.len());
            out.extend(text.as_bytes());
        }
        Value::Object(fields) => {
            control(7, fields.len());
            for (key, value) in fields {
                encode(&json!(key), out);
                // How wide a number is, the specification says for each field of the metadata.
                let Some(number) = value.as_u64() else {
                    encode(value, out);
                    continue;
                };
                let (kind, size) = match key.as_str() {
                    "build_epoch" => (9, 8),
                    "node_count" => (6, 4),
                    _ => (5, 2),
                };
                out.extend(if kind > 7 { vec![size, kind - 7] } else { vec![(kind << 5) | size] });
                out.extend(&number.to_be_bytes()[8 - usize::from(size)..]);
            }
        }
        Value::Array(items) => {
            control(11, items.len());
            items.iter().for_each(|item| encode(item, out));
        }
        other => panic!("{other}"),
    }
}

/// A database of IPv4 networks, each with a record.
pub(crate) fn database(networks: &[([u8; 4], u8, Value)]) -> Vec<u8> {
    /// What a branch leads to.
    #[derive(Clone, Copy)]
    enum Branch {
        Nothing,
        Node(usize),
        Data(usize),
    }
    let mut nodes = vec![[Branch::Nothing; 2]];
    let mut data = Vec::new();
    for (address, length, record) in networks {
        let bits = u32::from_be_bytes(*address);
        let mut node = 0;
        for depth in 0..*length {
            let side = usize::from(bits & (1 << (31 - depth)) != 0);
            if depth + 1 == *length {
                nodes[node][side] = Branch::Data(data.len());
            } else if let Branch::Node(next) = nodes[node][side] {
                node = next;
            } else {
                nodes.push([Branch::Nothing; 2]);
                nodes[node][side] = Branch::Node(nodes.len() - 1);
                node = nodes.len() - 1;
            }
        }
        encode(record, &mut data);
    }
    let count = nodes.len();
    let mut out = Vec::new();
    for branch in nodes.iter().flatten() {
        let value = match branch {
            Branch::Nothing => count,
            Branch::Node(node) => *node,
            // Data begins sixteen bytes after the tree.
            Branch::Data(at) => count + 16 + at,
        };
        out.extend(&u32::try_from(value).unwrap().to_be_bytes()[1..]);
    }
    out.extend([0; 16]);
    out.extend(data);
    out.extend(b"\xab\xcd\xefMaxMind.com");
    let metadata = json!({
        "binary_format_major_version": 2, "binary_format_minor_version": 0, "build_epoch": 1_790_000_000,
        "database_type": "Test-City", "description": {"en": "A test"}, "ip_version": 4, "languages": ["en"],
        "node_count": count, "record_size": 24,
    });
    encode(&metadata, &mut out);
    out
}

pub(crate) fn berlin() -> Value {
    json!({"city": {"names": {"de": "Berlin", "en": "Berlin"}}, "country": {"iso_code": "DE", "names": {"en": "Germany"}}})
}

fn written(bytes: &[u8]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("places.mmdb");
    std::fs::write(&path, bytes).unwrap();
    (folder, path)
}

#[test]
fn an_address_has_the_place_that_the_file_says() {
    let (_folder, path) = written(&database(&[
        ([192, 0, 2, 0], 24, berlin()),
        ([198, 51, 100, 0], 24, json!({"country": {"names": {"en": "Portugal"}}})),
        ([203, 0, 113, 0], 25, json!({"city": "Oslo", "country_name": "Norway"})),
        ([203, 0, 113, 128], 25, json!({"country_code": "KE"})),
        ([8, 8, 0, 0], 16, json!({"city": {"names": {"en": "Singapore"}}, "country": {"names": {"en": "Singapore"}}})),
        ([9, 9, 0, 0], 16, json!({"autonomous_system_number": 7})),
        // Nobody can know where a private network is, whatever a file says.
        ([10, 0, 0, 0], 8, berlin()),
    ]));
    let places = Places::open(&path).unwrap();
    let find = |ip: &str| places.find(ip.parse().unwrap());
    assert_eq!(find("192.0.2.7").as_deref(), Some("Berlin, Germany"));
    assert_eq!(find("::ffff:192.0.2.7").as_deref(), Some("Berlin, Germany"));
    assert_eq!(find("198.51.100.1").as_deref(), Some("Portugal"));
    assert_eq!(find("203.0.113.1").as_deref(), Some("Oslo, Norway"));
    assert_eq!(find("203.0.113.200").as_deref(), Some("KE"));
    assert_eq!(find("8.8.8.8").as_deref(), Some("Singapore"));
    for nowhere in
        ["9.9.9.9", "10.1.2.3", "127.0.0.1", "100.64.0.1", "1.1.1.1", "::1", "fd00::1", "fe80::1", "2001:db8::1"]
    {
        assert_eq!(find(nowhere), None, "{nowhere}");
    }
    assert_eq!(places.describe().as_deref(), Some("Test-City of 2026-09-21"));
}

#[test]
fn a_file_that_is_no_database_is_refused_with_what_to_do() {
    for wrong in [&b"this is no database"[..], b"", b"\x1f\x8b\x08\0compressed"] {
        let (_folder, path) = written(wrong);
        let said = Places::open(&path).unwrap_err();
        assert!(said.contains("places.mmdb is no GeoIP database") && said.contains("GeoLite2-City.mmdb"), "{said}");
    }
    let said = Places::open(Path::new("/nowhere/places.mmdb")).unwrap_err();
    assert!(said.starts_with("cannot read the GeoIP database /nowhere/places.mmdb"), "{said}");
}

#[test]
fn without_a_file_no_place_is_known() {
    assert_eq!(Places::default().find("192.0.2.7".parse().unwrap()), None);
    assert!(Places::demo().find("192.0.2.7".parse().unwrap()).is_some());
}
