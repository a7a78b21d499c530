//! Where an address is, by a GeoIP database that the operator supplies (PRODUCT §9).

use std::{fmt, net::IpAddr, path::Path, sync::Arc};

use maxminddb::{MaxMindDbError, Reader};
use serde_json::Value;

/// The longest place that is kept, in characters.
const LONGEST: usize = 100;

/// What knows where addresses are. Cheap to clone.
#[derive(Clone, Default)]
pub struct Places(Way);

#[derive(Clone, Default)]
enum Way {
    /// Nothing is known.
    #[default]
    None,
    /// By a database in MaxMind's format, held in memory.
    File(Arc<Reader<Vec<u8>>>),
    /// Made up, for the addresses that are for documentation.
    Demo,
}

impl fmt::Debug for Places {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            Way::None => "Places(none)",
            Way::File(_) => "Places(file)",
            Way::Demo => "Places(demo)",
        })
    }
}

impl Places {
    /// Reads a database in MaxMind's format: cities or countries, of MaxMind or of others.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the file.
    pub fn open(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let reader = Reader::open_readfile(path).map_err(|error| match error {
            MaxMindDbError::Io(error) => format!("cannot read the GeoIP database {shown}: {error}"),
            error => format!(
                "{shown} is no GeoIP database: {error}. Denizen reads MaxMind's binary format, such as GeoLite2-City.mmdb; \
                 unpack the file if it is compressed"
            ),
        })?;
        Ok(Self(Way::File(Arc::new(reader))))
    }

    /// Made-up places for a demo.
    #[must_use]
    pub fn demo() -> Self {
        Self(Way::Demo)
    }

    /// What kind of database it is and when it was made, for people; nothing when there is none.
    #[must_use]
    pub fn describe(&self) -> Option<String> {
        let Way::File(reader) = &self.0 else { return None };
        let metadata = reader.metadata();
        let made = i64::try_from(metadata.build_epoch).map(denizen_model::Timestamp::from_secs);
        let made = made.map(|at| at.to_jiff().strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        Some(format!("{} of {made}", tidy(&metadata.database_type)))
    }

    /// The place of an address, such as `Berlin, Germany`, or `Germany` where no more is known.
    #[must_use]
    pub fn find(&self, ip: IpAddr) -> Option<String> {
        let ip = ip.to_canonical();
        if is_private(ip) {
            return None;
        }
        match &self.0 {
            Way::None => None,
            Way::Demo => Some(made_up(ip).to_owned()),
            // A damaged record is no reason to keep somebody from signing in.
            Way::File(reader) => reader.lookup(ip).ok()?.decode::<Value>().ok()?.as_ref().and_then(name_of),
        }
    }
}

/// Whether an address is of a network of somebody's own, where no database can place it.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            // 100.64.0.0/10 is shared by carriers (RFC 6598).
            v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_unspecified()
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(v6) => v6.is_loopback() || v6.is_unspecified() || v6.is_unique_local() || v6.is_unicast_link_local(),
    }
}

fn made_up(ip: IpAddr) -> &'static str {
    const CITIES: [&str; 8] = [
        "Berlin, Germany",
        "Lisbon, Portugal",
        "Oslo, Norway",
        "Toronto, Canada",
        "Osaka, Japan",
        "Nairobi, Kenya",
        "Lima, Peru",
        "Melbourne, Australia",
    ];
    let last = match ip {
        IpAddr::V4(v4) => v4.octets().last().copied(),
        IpAddr::V6(v6) => v6.octets().last().copied(),
    };
    CITIES.iter().cycle().nth(usize::from(last.unwrap_or(0)) % CITIES.len()).copied().unwrap_or("Berlin, Germany")
}

/// City and country of a record. MaxMind and DB-IP nest names by language; others keep plain texts, some a code alone.
fn name_of(record: &Value) -> Option<String> {
    let named = |key: &str| {
        let field = record.get(key)?;
        let english = field.get("names").and_then(|names| names.get("en"));
        text(english.or_else(|| field.get("name")).unwrap_or(field))
    };
    let country = named("country")
        .or_else(|| named("registered_country"))
        .or_else(|| text(record.get("country_name")?))
        .or_else(|| text(record.get("country")?.get("iso_code")?))
        .or_else(|| text(record.get("country_code")?));
    match (named("city"), country) {
        (Some(city), Some(country)) if city == country => Some(country),
        (Some(city), Some(country)) => Some(format!("{city}, {country}").chars().take(LONGEST).collect()),
        (city, country) => country.or(city),
    }
}

fn text(value: &Value) -> Option<String> {
    value.as_str().map(tidy).filter(|text| !text.is_empty())
}

fn tidy(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(LONGEST).collect::<String>().trim().to_owned()
}

#[cfg(test)]
pub(crate) mod tests;
