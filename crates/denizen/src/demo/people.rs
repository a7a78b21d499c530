//! Believable people: names of many scripts and languages, each with the form it takes in an address.

use denizen_ops::crypto::Rng;

/// Names of one language: `native|latin`, or one form where they are the same.
struct Culture {
    locale: &'static str,
    zone: &'static str,
    given: &'static [&'static str],
    family: &'static [&'static str],
}

const CULTURES: &[Culture] = &[
    Culture {
        locale: "en",
        zone: "America/New_York",
        given: &[
            "James", "Mary", "Robert", "Patricia", "John", "Jennifer", "Michael", "Linda", "Emma", "Noah", "Olivia",
            "Liam", "Grace", "Ethan", "Chloe", "Mason",
        ],
        family: &[
            "Smith",
            "Johnson",
            "Williams",
            "Brown",
            "Jones",
            "Miller",
            "Davis",
            "Wilson",
            "Anderson",
            "Taylor",
            "Moore",
            "Jackson",
            "O'Brien|obrien",
            "Clarke",
        ],
    },
    Culture {
        locale: "de",
        zone: "Europe/Berlin",
        given: &[
            "Anna",
            "Lukas",
            "Jürgen|juergen",
            "Sabine",
            "Käthe|kaethe",
            "Björn|bjoern",
            "Heike",
            "Matthias",
            "Lena",
            "Felix",
        ],
        family: &[
            "Müller|mueller",
            "Schmidt",
            "Schneider",
            "Fischer",
            "Weber",
            "Groß|gross",
            "Schäfer|schaefer",
            "Köhler|koehler",
            "Jäger|jaeger",
        ],
    },
    Culture {
        locale: "es",
        zone: "Europe/Madrid",
        given: &[
            "José|jose",
            "María|maria",
            "Lucía|lucia",
            "Andrés|andres",
            "Íñigo|inigo",
            "Carmen",
            "Sofía|sofia",
            "Javier",
            "Raúl|raul",
        ],
        family: &[
            "García|garcia",
            "Fernández|fernandez",
            "Muñoz|munoz",
            "Núñez|nunez",
            "Álvarez|alvarez",
            "Romero",
            "Ibáñez|ibanez",
        ],
    },
    Culture {
        locale: "fr",
        zone: "Europe/Paris",
        given: &[
            "Élodie|elodie",
            "François|francois",
            "Zoé|zoe",
            "Benoît|benoit",
            "Camille",
            "Océane|oceane",
            "Luc",
            "Hélène|helene",
        ],
        family: &[
            "Lefèvre|lefevre",
            "Dubois",
            "Moreau",
            "Girard",
            "Rousseau",
            "Bélanger|belanger",
            "D'Angelo|dangelo",
            "Noël|noel",
        ],
    },
    Culture {
        locale: "pt-BR",
        zone: "America/Sao_Paulo",
        given: &["João|joao", "Ana", "Conceição|conceicao", "Thiago", "Beatriz", "Inês|ines", "Caio"],
        family: &["Silva", "Gonçalves|goncalves", "Araújo|araujo", "Magalhães|magalhaes", "Lima", "Souza"],
    },
    Culture {
        locale: "pl",
        zone: "Europe/Warsaw",
        given: &["Łukasz|lukasz", "Małgorzata|malgorzata", "Zofia", "Paweł|pawel", "Stanisław|stanislaw", "Kinga"],
        family: &["Wójcik|wojcik", "Kowalczyk", "Dąbrowski|dabrowski", "Zieliński|zielinski", "Żak|zak"],
    },
    Culture {
        locale: "tr",
        zone: "Europe/Istanbul",
        given: &["Ayşe|ayse", "Çağla|cagla", "İbrahim|ibrahim", "Gökhan|gokhan", "Elif", "Oğuz|oguz"],
        family: &["Yılmaz|yilmaz", "Öztürk|ozturk", "Şahin|sahin", "Kılıç|kilic", "Demir"],
    },
    Culture {
        locale: "ru",
        zone: "Europe/Warsaw",
        given: &[
            "Иван|ivan",
            "Ольга|olga",
            "Дмитрий|dmitry",
            "Наталья|natalya",
            "Сергей|sergey",
            "Анастасия|anastasia",
        ],
        family: &["Ковалёв|kovalev", "Петрова|petrova", "Соколов|sokolov", "Морозова|morozova", "Орлов|orlov"],
    },
    Culture {
        locale: "uk",
        zone: "Europe/Kyiv",
        given: &["Олександр|oleksandr", "Ганна|hanna", "Тарас|taras", "Соломія|solomiia"],
        family: &["Шевченко|shevchenko", "Бойко|boiko", "Кравчук|kravchuk", "Ткаченко|tkachenko"],
    },
    Culture {
        locale: "el",
        zone: "Europe/Athens",
        given: &["Γιώργος|giorgos", "Ελένη|eleni", "Δημήτρης|dimitris", "Σοφία|sofia"],
        family: &["Παπαδόπουλος|papadopoulos", "Οικονόμου|oikonomou", "Βασιλείου|vasileiou"],
    },
    Culture {
        locale: "ar",
        zone: "Africa/Cairo",
        given: &["محمد|mohamed", "فاطمة|fatma", "أحمد|ahmed", "ليلى|layla", "يوسف|youssef", "نور|nour"],
        family: &["المصري|elmasry", "حسن|hassan", "الشريف|elsherif", "منصور|mansour", "خليل|khalil"],
    },
    Culture {
        locale: "he",
        zone: "Asia/Jerusalem",
        given: &["נועם|noam", "תמר|tamar", "איתי|itai", "שירה|shira"],
        family: &["כהן|cohen", "לוי|levi", "מזרחי|mizrahi", "פרץ|peretz"],
    },
    Culture {
        locale: "hi",
        zone: "Asia/Kolkata",
        given: &["आरव|aarav", "प्रिया|priya", "रोहन|rohan", "अनन्या|ananya", "विक्रम|vikram"],
        family: &["शर्मा|sharma", "पटेल|patel", "गुप्ता|gupta", "सिंह|singh", "मेहता|mehta"],
    },
    Culture {
        locale: "ja",
        zone: "Asia/Tokyo",
        given: &["太郎|taro", "花子|hanako", "健太|kenta", "美咲|misaki", "翔|sho", "さくら|sakura"],
        family: &["佐藤|sato", "鈴木|suzuki", "高橋|takahashi", "田中|tanaka", "山田|yamada", "渡辺|watanabe"],
    },
    Culture {
        locale: "zh-Hans",
        zone: "Asia/Shanghai",
        given: &["伟|wei", "芳|fang", "秀英|xiuying", "强|qiang", "静|jing", "子涵|zihan"],
        family: &["王|wang", "李|li", "张|zhang", "刘|liu", "陈|chen", "欧阳|ouyang"],
    },
    Culture {
        locale: "ko",
        zone: "Asia/Seoul",
        given: &["민준|minjun", "서연|seoyeon", "지훈|jihun", "하은|haeun"],
        family: &["김|kim", "이|lee", "박|park", "최|choi", "정|jung"],
    },
    Culture {
        locale: "vi",
        zone: "Asia/Ho_Chi_Minh",
        given: &["Hương|huong", "Minh", "Đức|duc", "Thảo|thao", "Quốc|quoc"],
        family: &["Nguyễn|nguyen", "Trần|tran", "Phạm|pham", "Đặng|dang"],
    },
    Culture {
        locale: "th",
        zone: "Asia/Bangkok",
        given: &["สมชาย|somchai", "อรุณี|arunee", "ธนา|thana"],
        family: &["ใจดี|jaidee", "ศรีสุข|srisuk", "วงศ์ทอง|wongthong"],
    },
    Culture {
        locale: "sw",
        zone: "Africa/Nairobi",
        given: &["Amara", "Baraka", "Neema", "Juma", "Zawadi", "Chidi", "Ngozi"],
        family: &["Okafor", "Mwangi", "Otieno", "Abubakar", "Njoroge", "Adeyemi"],
    },
    Culture {
        locale: "is",
        zone: "Atlantic/Reykjavik",
        given: &["Þórdís|thordis", "Sigurður|sigurdur", "Björk|bjork", "Guðrún|gudrun"],
        family: &["Jónsdóttir|jonsdottir", "Magnússon|magnusson", "Þorsteinsson|thorsteinsson"],
    },
];

const DOMAINS: &[&str] = &[
    "example.com",
    "mail.example",
    "acme.example",
    "northwind.example",
    "fabrikam.example",
    "contoso.example",
    "post.example",
];

/// Companies: name, domain, what they are.
pub(crate) const COMPANIES: &[(&str, &str, &str)] = &[
    ("Northwind Traders", "northwind.example", "We ourselves"),
    ("Acme Tools", "acme.example", "Sells tools of every kind"),
    ("Contoso Retail", "contoso.example", "Shops in eleven countries"),
    ("Fabrikam Furniture", "fabrikam.example", "Tables and chairs"),
    ("Alpine Ski House", "alpine-ski.example", "Ski hire in the Alps"),
    ("Bäckerei Sonnenschein", "sonnenschein.example", "Bread for half of Berlin"),
    ("Blue Yonder Freight", "blue-yonder.example", "Carries our goods by air"),
    ("Café Lumière", "lumiere.example", "Coffee roaster in Lyon"),
    ("Coho Vineyard", "coho.example", "Wine, by the pallet"),
    ("Daybreak Dairy", "daybreak.example", "Milk, cheese, butter"),
    ("Ferreira & Filhos", "ferreira.example", "Olive oil from the Alentejo"),
    ("Fjord Seafood", "fjord-seafood.example", "Salmon and cod"),
    ("Fourth Coffee", "fourth-coffee.example", "Coffee bars at railway stations"),
    ("Graphic Works", "graphic-works.example", "Prints our catalog"),
    ("Hanami Tea 花見", "hanami-tea.example", "Green tea from Uji"),
    ("Humongous Insurance", "humongous.example", "Insures the warehouse"),
    ("Kowalski Logistyka", "kowalski.example", "Lorries to the east"),
    ("Lamna Health", "lamna.example", "Looks after the staff"),
    ("Margie's Travel", "margies-travel.example", "Books the trips"),
    ("Nile Spices", "nile-spices.example", "Cumin, coriander, hibiscus"),
    ("Proseware", "proseware.example", "Writes our software"),
    ("Savanna Flowers", "savanna-flowers.example", "Roses from Naivasha"),
    ("Tailspin Toys", "tailspin.example", "Toys of wood"),
    ("Trey Research", "trey.example", "Asks our customers what they think"),
    ("Wide World Importers", "wide-world.example", "Brings it all into port"),
];

/// A person to be made.
pub(crate) struct Person {
    pub(crate) given: String,
    pub(crate) family: String,
    pub(crate) email: String,
    pub(crate) locale: &'static str,
    pub(crate) zone: &'static str,
}

/// Draws from a list.
pub(crate) fn pick<'a, T>(rng: &Rng, list: &'a [T]) -> Option<&'a T> {
    list.get(below(rng, list.len()))
}

/// A number below `bound`; the tiny bias of a remainder does no harm in a demo.
pub(crate) fn below(rng: &Rng, bound: usize) -> usize {
    let drawn = u64::from_le_bytes(rng.bytes::<8>());
    usize::try_from(drawn % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
}

fn forms(name: &str) -> (&str, String) {
    let (native, latin) = name.split_once('|').unwrap_or((name, name));
    (native, latin.to_lowercase())
}

/// The `number`th person; the number keeps addresses apart.
pub(crate) fn person(rng: &Rng, number: u32) -> Option<Person> {
    let culture = pick(rng, CULTURES)?;
    let (given, latin_given) = forms(pick(rng, culture.given)?);
    let (family, latin_family) = forms(pick(rng, culture.family)?);
    let domain = pick(rng, DOMAINS)?;
    let initial: String = latin_given.chars().take(1).collect();
    let local = match below(rng, 4) {
        0 => format!("{latin_given}.{latin_family}{number}"),
        1 => format!("{initial}{latin_family}{number}"),
        2 => format!("{latin_family}.{latin_given}{number}"),
        _ => format!("{latin_given}{number}"),
    };
    let email = format!("{local}@{domain}");
    Some(Person {
        given: given.to_owned(),
        family: family.to_owned(),
        email,
        locale: culture.locale,
        zone: culture.zone,
    })
}
