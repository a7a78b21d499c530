//! Device and browser names from a `User-Agent` header, for people to recognize a session by.
//!
//! Written here because the maintained parsers need a data file of several megabytes, and a label that says
//! "Firefox on macOS" needs some dozens of rules. No versions: they change under a session's feet, and people do not
//! know theirs.

/// Browsers by a mark in the header. Order matters: most say Chrome, and all that say Chrome also say Safari.
const BROWSERS: &[(&str, &str)] = &[
    // Edg/, EdgA/ (Android), EdgiOS/, Edge/
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("OPT/", "Opera"),
    ("OPX/", "Opera"),
    ("OPiOS/", "Opera"),
    ("Opera", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("YaBrowser/", "Yandex Browser"),
    ("DuckDuckGo/", "DuckDuckGo"),
    ("Ddg/", "DuckDuckGo"),
    ("Brave/", "Brave"),
    ("HuaweiBrowser/", "Huawei Browser"),
    ("MiuiBrowser/", "Mi Browser"),
    ("UCBrowser/", "UC Browser"),
    ("Silk/", "Silk"),
    ("Focus/", "Firefox Focus"),
    ("Klar/", "Firefox Klar"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("GSA/", "Google app"),
    ("SeaMonkey/", "SeaMonkey"),
    ("Firefox/", "Firefox"),
    ("HeadlessChrome/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Trident/", "Internet Explorer"),
    ("MSIE ", "Internet Explorer"),
    ("Epiphany/", "GNOME Web"),
    ("Safari/", "Safari"),
    ("Mobile/", "Safari"),
];

/// Programs by how the header begins; what follows is their own.
const PROGRAMS: &[(&str, &str)] = &[
    ("denizen/", "Denizen CLI"),
    ("curl/", "curl"),
    ("libcurl/", "curl"),
    ("Wget/", "Wget"),
    ("HTTPie/", "HTTPie"),
    ("PostmanRuntime/", "Postman"),
    ("insomnia/", "Insomnia"),
    ("python-", "Python"),
    ("Python-", "Python"),
    ("Python/", "Python"),
    ("aiohttp/", "Python"),
    ("node", "Node.js"),
    ("undici", "Node.js"),
    ("axios/", "Node.js"),
    ("Deno/", "Deno"),
    ("Bun/", "Bun"),
    ("Go-http-client/", "Go"),
    ("Java/", "Java"),
    ("Java-http-client/", "Java"),
    ("Apache-HttpClient/", "Java"),
    ("okhttp/", "Android app"),
    ("Dalvik/", "Android app"),
    ("Dart/", "Dart"),
    ("Ruby", "Ruby"),
    ("GuzzleHttp/", "PHP"),
    ("reqwest/", "Rust"),
    ("PowerShell/", "PowerShell"),
];

/// Systems by a mark in the header. Order matters: Android and ChromeOS also say Linux, iPhones also say Mac OS X.
const SYSTEMS: &[(&str, &str)] = &[
    ("iPhone", "iPhone"),
    ("iPod", "iPod"),
    ("iPad", "iPad"),
    ("OpenHarmony", "HarmonyOS"),
    ("HarmonyOS", "HarmonyOS"),
    ("Windows Phone", "Windows Phone"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Tizen", "Tizen"),
    ("Web0S", "webOS"),
    ("PlayStation", "PlayStation"),
    ("Xbox", "Xbox"),
    ("Windows", "Windows"),
    ("Mac OS X", "macOS"),
    ("Macintosh", "macOS"),
    ("Darwin", "macOS"),
    ("FreeBSD", "FreeBSD"),
    ("OpenBSD", "OpenBSD"),
    ("Linux", "Linux"),
    ("X11", "Unix"),
];

/// Browsers that exist on iOS and iPadOS alone; with a Mac's header they are on an iPad that asks for desktop pages.
/// Safari on such an iPad says exactly what Safari on a Mac says, and is called so.
const IOS_ONLY: [&str; 5] = ["CriOS/", "FxiOS/", "EdgiOS/", "OPiOS/", "GSA/"];

/// A short label such as `Firefox on macOS`; `Unknown device` when the header tells nothing.
#[must_use]
pub fn device_label(user_agent: &str) -> String {
    let named = |table: &[(&str, &'static str)], matches: &dyn Fn(&str) -> bool| {
        table.iter().find(|(mark, _)| matches(mark)).map(|(_, name)| *name)
    };
    let program = named(PROGRAMS, &|mark| user_agent.starts_with(mark));
    let system = match named(SYSTEMS, &|mark| user_agent.contains(mark)) {
        Some("macOS") if IOS_ONLY.iter().any(|mark| user_agent.contains(mark)) => Some("iPad"),
        other => other,
    };
    // An app of somebody's own on Apple's network library names itself, which says little about the device.
    let app = (user_agent.contains("CFNetwork/")).then_some("An app on an Apple device");
    if let Some(app) = app {
        return app.to_owned();
    }
    match (program.or_else(|| named(BROWSERS, &|mark| user_agent.contains(mark))), system) {
        (Some(program @ "Android app"), _) => program.to_owned(),
        (Some(browser), Some(system)) => format!("{browser} on {system}"),
        (Some(one), None) | (None, Some(one)) => one.to_owned(),
        (None, None) => "Unknown device".to_owned(),
    }
}

/// Whether a label of [`device_label`] is of something held in the hand.
#[must_use]
pub fn is_mobile(label: &str) -> bool {
    ["iPhone", "iPod", "iPad", "Android", "HarmonyOS", "Windows Phone"].iter().any(|name| label.contains(name))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CASES: &[(&str, &str)] = &[
        ("Mozilla/5.0 (Macintosh; Intel Mac OS X 10.15; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on macOS"),
        ("Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Windows"),
        ("Mozilla/5.0 (X11; Ubuntu; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0", "Firefox on Linux"),
        ("Mozilla/5.0 (Android 15; Mobile; rv:145.0) Gecko/145.0 Firefox/145.0", "Firefox on Android"),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) FxiOS/145.0 Mobile/15E148 Safari/605.1.15",
            "Firefox on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            "Chrome on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
            "Chrome on Android",
        ),
        (
            "Mozilla/5.0 (X11; CrOS x86_64 14541.0.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
            "Chrome on ChromeOS",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/142.0.0.0 Safari/537.36",
            "Chrome on Linux",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
            "Chrome on iPhone",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142.0.7444.46 Mobile/15E148 Safari/604.1",
            "Chrome on iPad",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/142 Version/11.1.1 Safari/605.1.15",
            "Chrome on iPad",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Mobile/15E148 Safari/604.1",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (iPad; CPU OS 17_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.6 Mobile/15E148 Safari/604.1",
            "Safari on iPad",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
            "Safari on iPhone",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36 EdgA/142.0.0.0",
            "Edge on Android",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 EdgiOS/142.0.3595.53 Mobile/15E148 Safari/604.1",
            "Edge on iPhone",
        ),
        (
            "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/29.0 Chrome/136.0.0.0 Mobile Safari/537.36",
            "Samsung Internet on Android",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 OPR/124.0.0.0",
            "Opera on Linux",
        ),
        ("Mozilla/5.0 (Windows NT 10.0; WOW64; Trident/7.0; rv:11.0) like Gecko", "Internet Explorer on Windows"),
        ("curl/8.14.1", "curl"),
        ("denizen/0.1.0", "Denizen CLI"),
        ("python-requests/2.32.5", "Python"),
        ("Wget/1.25.0", "Wget"),
        ("okhttp/5.1.0", "Android app"),
        ("Acme/12 CFNetwork/3826.500 Darwin/24.6.0", "An app on an Apple device"),
        ("Mozilla/5.0 (Linux; Tizen 8.0)", "Tizen"),
        ("", "Unknown device"),
        ("<script>alert(1)</script>", "Unknown device"),
    ];

    #[test]
    fn browsers_devices_and_programs_are_recognized() {
        for (header, label) in CASES {
            assert_eq!(device_label(header), *label, "{header}");
        }
    }

    #[test]
    fn phones_and_tablets_are_told_from_desks() {
        assert!(is_mobile("Chrome on iPad") && is_mobile("Firefox on Android") && is_mobile("Android app"));
        assert!(!is_mobile("Safari on macOS") && !is_mobile("Denizen CLI") && !is_mobile("Unknown device"));
    }
}
