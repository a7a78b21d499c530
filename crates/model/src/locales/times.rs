//! How a language tells a moment. Digits are 0 to 9 everywhere: codes are typed with them, and every reader knows them.

use super::Language;
use crate::Timestamp;

/// The months as they stand in a date.
const fn months(language: Language) -> [&'static str; 12] {
    match language {
        Language::English => [
            "January",
            "February",
            "March",
            "April",
            "May",
            "June",
            "July",
            "August",
            "September",
            "October",
            "November",
            "December",
        ],
        Language::German => [
            "Januar",
            "Februar",
            "März",
            "April",
            "Mai",
            "Juni",
            "Juli",
            "August",
            "September",
            "Oktober",
            "November",
            "Dezember",
        ],
        Language::Spanish => [
            "enero",
            "febrero",
            "marzo",
            "abril",
            "mayo",
            "junio",
            "julio",
            "agosto",
            "septiembre",
            "octubre",
            "noviembre",
            "diciembre",
        ],
        Language::French => [
            "janvier",
            "février",
            "mars",
            "avril",
            "mai",
            "juin",
            "juillet",
            "août",
            "septembre",
            "octobre",
            "novembre",
            "décembre",
        ],
        Language::Japanese => ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12"],
        Language::Arabic => [
            "يناير",
            "فبراير",
            "مارس",
            "أبريل",
            "مايو",
            "يونيو",
            "يوليو",
            "أغسطس",
            "سبتمبر",
            "أكتوبر",
            "نوفمبر",
            "ديسمبر",
        ],
    }
}

fn date(language: Language, at: jiff::civil::Date) -> String {
    let (year, day) = (at.year(), at.day());
    let place = usize::try_from(at.month()).unwrap_or(1).saturating_sub(1);
    let month = months(language).get(place).copied().unwrap_or_default();
    match language {
        Language::English => format!("{month} {day}, {year}"),
        Language::German => format!("{day}. {month} {year}"),
        Language::Spanish => format!("{day} de {month} de {year}"),
        Language::French if day == 1 => format!("1er {month} {year}"),
        Language::French | Language::Arabic => format!("{day} {month} {year}"),
        Language::Japanese => format!("{year}年{month}月{day}日"),
    }
}

/// Day and time of day; `clock` is how precisely, as `strftime` has it.
fn of(language: Language, at: jiff::civil::DateTime, clock: &str) -> String {
    let joint = match language {
        Language::English | Language::German | Language::Spanish => ", ",
        Language::French => " à ",
        Language::Japanese => " ",
        Language::Arabic => "، ",
    };
    format!("{}{joint}{}", date(language, at.date()), at.strftime(clock))
}

/// A moment to the second, in UTC.
#[must_use]
pub fn moment(at: Timestamp, language: Language) -> String {
    let utc = at.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).datetime();
    match language {
        // The console has narrow columns.
        Language::English => format!("{} UTC", utc.strftime("%b %-d, %Y, %H:%M:%S")),
        other => format!("{} UTC", of(other, utc, "%H:%M:%S")),
    }
}

/// A moment as mails tell it: to the minute, in the reader's zone if that is known.
#[must_use]
pub fn told(at: Timestamp, zone: Option<&str>, language: Language) -> String {
    match zone.and_then(|zone| at.to_jiff().in_tz(zone).ok()) {
        Some(local) => format!("{} ({})", of(language, local.datetime(), "%H:%M"), local.strftime("%Z")),
        None => {
            let utc = at.to_jiff().to_zoned(jiff::tz::TimeZone::UTC).datetime();
            format!("{} (UTC)", of(language, utc, "%H:%M"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_in_the_readers_zone() {
        let at: Timestamp = "2026-11-21T10:30:00Z".parse().unwrap();
        assert_eq!(told(at, None, Language::English), "November 21, 2026, 10:30 (UTC)");
        assert_eq!(told(at, Some("Europe/Berlin"), Language::English), "November 21, 2026, 11:30 (CET)");
        assert_eq!(told(at, Some("Nowhere/Here"), Language::English), "November 21, 2026, 10:30 (UTC)");
    }

    #[test]
    fn each_language_has_its_own_order_of_day_month_and_year() {
        let at: Timestamp = "2026-08-01T10:30:05Z".parse().unwrap();
        for (language, expected) in [
            (Language::English, "August 1, 2026, 10:30 (UTC)"),
            (Language::German, "1. August 2026, 10:30 (UTC)"),
            (Language::Spanish, "1 de agosto de 2026, 10:30 (UTC)"),
            (Language::French, "1er août 2026 à 10:30 (UTC)"),
            (Language::Japanese, "2026年8月1日 10:30 (UTC)"),
            (Language::Arabic, "1 أغسطس 2026، 10:30 (UTC)"),
        ] {
            assert_eq!(told(at, None, language), expected);
        }
        assert_eq!(moment(at, Language::English), "Aug 1, 2026, 10:30:05 UTC");
        assert_eq!(moment(at, Language::Japanese), "2026年8月1日 10:30:05 UTC");
    }
}
