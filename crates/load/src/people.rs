//! Believable people: names of many scripts, each with the Latin spelling its address uses.

use std::borrow::Cow;

/// A small generator (splitmix64), so that a population is the same on every machine and engine.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.roll() % bound }
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> Option<&'a T> {
        let at = self.below(u64::try_from(from.len()).unwrap_or(0));
        from.get(usize::try_from(at).unwrap_or(0))
    }
}

/// As written, and as its address spells it.
type Name = (&'static str, &'static str);

struct Culture {
    /// Of a hundred people, how many.
    share: u64,
    locale: &'static str,
    zone: &'static str,
    dialling: &'static str,
    given: &'static [Name],
    family: &'static [Name],
}

/// The family name that one person in twenty-two has: 45,000 of a million.
pub(crate) const COMMON: Name = ("González", "gonzalez");
/// The family name that one person in 23,000 has: 43 of a million.
pub(crate) const RARE: Name = ("Quillfeather", "quillfeather");
/// A family name of two characters, for which there are no trigrams: one in 23,000.
pub(crate) const RARE_SHORT: Name = ("龍崎", "ryuzaki");
/// An initial and a family name: nobody's address is spelled so.
pub(crate) const INITIAL: &str = "mquillfeather";
/// The rare family name with a letter missing.
pub(crate) const MISTYPED: &str = "quilfeather";
/// A given name and a family name that are both common; few people have both.
pub(crate) const TWO_WORDS: &str = "maria gonzalez";

const CULTURES: &[Culture] = &[
    Culture {
        share: 30,
        locale: "en",
        zone: "America/New_York",
        dialling: "+1",
        given: &[
            ("James", "james"),
            ("Mary", "mary"),
            ("Robert", "robert"),
            ("Patricia", "patricia"),
            ("John", "john"),
            ("Jennifer", "jennifer"),
            ("Michael", "michael"),
            ("Linda", "linda"),
            ("David", "david"),
            ("Elizabeth", "elizabeth"),
            ("William", "william"),
            ("Barbara", "barbara"),
            ("Richard", "richard"),
            ("Susan", "susan"),
            ("Joseph", "joseph"),
            ("Jessica", "jessica"),
            ("Thomas", "thomas"),
            ("Karen", "karen"),
            ("Chidi", "chidi"),
            ("Aoife", "aoife"),
        ],
        family: &[
            ("Smith", "smith"),
            ("Johnson", "johnson"),
            ("Williams", "williams"),
            ("Brown", "brown"),
            ("Jones", "jones"),
            ("Miller", "miller"),
            ("Davis", "davis"),
            ("Wilson", "wilson"),
            ("Anderson", "anderson"),
            ("Taylor", "taylor"),
            ("Moore", "moore"),
            ("Jackson", "jackson"),
            ("Thompson", "thompson"),
            ("White", "white"),
            ("Harris", "harris"),
            ("Okafor", "okafor"),
            ("O’Brien", "obrien"),
            ("Campbell", "campbell"),
        ],
    },
    Culture {
        share: 18,
        locale: "es",
        zone: "Europe/Madrid",
        dialling: "+34",
        given: &[
            ("María", "maria"),
            ("José", "jose"),
            ("Lucía", "lucia"),
            ("Juan", "juan"),
            ("Carmen", "carmen"),
            ("Andrés", "andres"),
            ("Sofía", "sofia"),
            ("Raúl", "raul"),
            ("Inés", "ines"),
            ("Ángel", "angel"),
            ("Paula", "paula"),
            ("Íñigo", "inigo"),
        ],
        family: &[
            ("García", "garcia"),
            ("Rodríguez", "rodriguez"),
            ("Fernández", "fernandez"),
            ("López", "lopez"),
            ("Martínez", "martinez"),
            ("Sánchez", "sanchez"),
            ("Pérez", "perez"),
            ("Gómez", "gomez"),
            ("Núñez", "nunez"),
            ("Álvarez", "alvarez"),
        ],
    },
    Culture {
        share: 12,
        locale: "de",
        zone: "Europe/Berlin",
        dialling: "+49",
        given: &[
            ("Jürgen", "juergen"),
            ("Anna", "anna"),
            ("Lukas", "lukas"),
            ("Käthe", "kaethe"),
            ("Sören", "soeren"),
            ("Maria", "maria"),
            ("Friedrich", "friedrich"),
            ("Lena", "lena"),
            ("Jörg", "joerg"),
            ("Ursula", "ursula"),
        ],
        family: &[
            ("Müller", "mueller"),
            ("Schmidt", "schmidt"),
            ("Schneider", "schneider"),
            ("Weiß", "weiss"),
            ("Groß", "gross"),
            ("Schröder", "schroeder"),
            ("Köhler", "koehler"),
            ("Zimmermann", "zimmermann"),
            ("Krüger", "krueger"),
            ("von der Heide", "vonderheide"),
        ],
    },
    Culture {
        share: 8,
        locale: "ru",
        zone: "Europe/Moscow",
        dialling: "+7",
        given: &[
            ("Иван", "ivan"),
            ("Мария", "maria"),
            ("Дмитрий", "dmitry"),
            ("Ольга", "olga"),
            ("Фёдор", "fedor"),
            ("Наталья", "natalya"),
            ("Сергей", "sergey"),
            ("Анна", "anna"),
        ],
        family: &[
            ("Иванов", "ivanov"),
            ("Смирнова", "smirnova"),
            ("Кузнецов", "kuznetsov"),
            ("Соколова", "sokolova"),
            ("Ёлкин", "elkin"),
            ("Морозов", "morozov"),
            ("Волкова", "volkova"),
        ],
    },
    Culture {
        share: 8,
        locale: "ja",
        zone: "Asia/Tokyo",
        dialling: "+81",
        given: &[
            ("太郎", "taro"),
            ("花子", "hanako"),
            ("健太", "kenta"),
            ("美咲", "misaki"),
            ("翔", "sho"),
            ("さくら", "sakura"),
            ("大輔", "daisuke"),
            ("陽菜", "hina"),
        ],
        family: &[
            ("佐藤", "sato"),
            ("鈴木", "suzuki"),
            ("高橋", "takahashi"),
            ("田中", "tanaka"),
            ("伊藤", "ito"),
            ("渡辺", "watanabe"),
            ("山本", "yamamoto"),
            ("中村", "nakamura"),
        ],
    },
    Culture {
        share: 8,
        locale: "zh",
        zone: "Asia/Shanghai",
        dialling: "+86",
        given: &[
            ("伟", "wei"),
            ("芳", "fang"),
            ("秀英", "xiuying"),
            ("娜", "na"),
            ("敏", "min"),
            ("静", "jing"),
            ("子轩", "zixuan"),
            ("欣怡", "xinyi"),
        ],
        family: &[
            ("王", "wang"),
            ("李", "li"),
            ("张", "zhang"),
            ("刘", "liu"),
            ("陈", "chen"),
            ("欧阳", "ouyang"),
            ("赵", "zhao"),
            ("黄", "huang"),
        ],
    },
    Culture {
        share: 6,
        locale: "ar",
        zone: "Africa/Cairo",
        dialling: "+20",
        given: &[
            ("محمد", "mohamed"),
            ("فاطمة", "fatima"),
            ("أحمد", "ahmed"),
            ("ليلى", "layla"),
            ("عمر", "omar"),
            ("مريم", "maryam"),
            ("يوسف", "youssef"),
        ],
        family: &[
            ("حسن", "hassan"),
            ("علي", "ali"),
            ("إبراهيم", "ibrahim"),
            ("السيد", "elsayed"),
            ("منصور", "mansour"),
            ("الخطيب", "alkhatib"),
        ],
    },
    Culture {
        share: 6,
        locale: "hi",
        zone: "Asia/Kolkata",
        dialling: "+91",
        given: &[
            ("अर्जुन", "arjun"),
            ("प्रिया", "priya"),
            ("राहुल", "rahul"),
            ("अनन्या", "ananya"),
            ("विक्रम", "vikram"),
            ("दीपिका", "deepika"),
        ],
        family: &[
            ("शर्मा", "sharma"),
            ("पटेल", "patel"),
            ("सिंह", "singh"),
            ("कुमार", "kumar"),
            ("गुप्ता", "gupta"),
            ("अय्यर", "iyer"),
        ],
    },
    Culture {
        share: 4,
        locale: "el",
        zone: "Europe/Athens",
        dialling: "+30",
        given: &[
            ("Γιώργος", "giorgos"),
            ("Ελένη", "eleni"),
            ("Νίκος", "nikos"),
            ("Κατερίνα", "katerina"),
            ("Δημήτρης", "dimitris"),
        ],
        family: &[
            ("Παπαδόπουλος", "papadopoulos"),
            ("Οικονόμου", "oikonomou"),
            ("Βασιλείου", "vasileiou"),
            ("Νικολάου", "nikolaou"),
        ],
    },
];

const DOMAINS: &[&str] = &[
    "example.com",
    "example.org",
    "mail.example.net",
    "acme.example",
    "nordlicht.example",
    "estudiantes.example",
    "kaisha.example",
    "freelance.example",
];

/// A person, before the database gives them their place.
pub(crate) struct Person {
    pub(crate) given: &'static str,
    pub(crate) family: Cow<'static, str>,
    pub(crate) email: String,
    pub(crate) phone: Option<String>,
    pub(crate) locale: &'static str,
    pub(crate) zone: &'static str,
}

/// The person of this number; always the same one.
pub(crate) fn person(number: u64) -> Person {
    let mut dice = Dice::new(number.wrapping_mul(0x5851_f42d_4c95_7f2d));
    let mut at = dice.below(100);
    let mut culture = None;
    for candidate in CULTURES {
        if at < candidate.share {
            culture = Some(candidate);
            break;
        }
        at -= candidate.share;
    }
    let fallback = ("Ana", "ana");
    let given = culture.and_then(|culture| dice.pick(culture.given)).copied().unwrap_or(fallback);
    let family = culture.and_then(|culture| dice.pick(culture.family)).copied().unwrap_or(fallback);
    let common = dice.below(1000) < 45;
    let (family, spelled) = match number % 23_000 {
        7_777 => written(RARE),
        8_888 => written(RARE_SHORT),
        _ if common => written(COMMON),
        _ if dice.below(100) < 20 => uncommon(&mut dice),
        _ => written(family),
    };
    let domain = dice.pick(DOMAINS).copied().unwrap_or("example.com");
    let dialling = culture.map_or("+1", |culture| culture.dialling);
    Person {
        given: given.0,
        family,
        email: format!("{}.{spelled}{number}@{domain}", given.1),
        phone: (dice.below(10) < 3).then(|| format!("{dialling}{}", 600_000_000 + dice.below(300_000_000))),
        locale: culture.map_or("en", |culture| culture.locale),
        zone: culture.map_or("Etc/UTC", |culture| culture.zone),
    }
}

fn written(name: Name) -> (Cow<'static, str>, Cow<'static, str>) {
    (Cow::Borrowed(name.0), Cow::Borrowed(name.1))
}

/// A family name that few people have: one of some thousands, as telephone books are full of them.
fn uncommon(dice: &mut Dice) -> (Cow<'static, str>, Cow<'static, str>) {
    const BEGINNINGS: &[&str] = &[
        "Al", "Bar", "Cor", "Dal", "Ek", "Far", "Gal", "Hol", "Ing", "Jas", "Kal", "Lind", "Mar", "Nor", "Ost", "Pel",
        "Rad", "Sand", "Tor", "Ul", "Vas", "Wes", "Yar", "Zel",
    ];
    const MIDDLES: &[&str] = &["an", "ber", "do", "en", "gar", "hi", "ka", "lo", "mi", "na", "ro", "si", "ta", "vi"];
    const ENDS: &[&str] =
        &["berg", "dahl", "escu", "feld", "grove", "ić", "lund", "man", "ova", "quist", "ski", "son", "ton", "wick"];
    let mut any = |from: &[&'static str]| dice.pick(from).copied().unwrap_or("");
    let name = format!("{}{}{}", any(BEGINNINGS), any(MIDDLES), any(ENDS));
    let spelled = name.to_lowercase().replace('ć', "c");
    (name.into(), spelled.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_in_twenty_two_has_the_common_name_and_shares_add_up() {
        assert_eq!(CULTURES.iter().map(|culture| culture.share).sum::<u64>(), 100);
        let common = (0..100_000).filter(|n| person(*n).family == COMMON.0).count();
        assert!((4_200..4_800).contains(&common), "{common}");
        let rare = (0..100_000).filter(|n| person(*n).family == RARE.0).count();
        assert_eq!(rare, 5);
        let names: std::collections::BTreeSet<_> = (0..100_000).map(|n| person(n).family).collect();
        assert!(names.len() > 4_000, "{}", names.len());
    }
}
