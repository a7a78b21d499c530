//! The realm's settings.

mod choices;

use axum::{Router, routing::get};
use denizen_model::{
    authenticators::{AuthenticatorType, LockoutRule},
    locales::Language,
    realms::{ApiKeyStorage, Realm, RealmSettings, SECOND_FACTORS, SIGN_IN_METHODS, SecondFactor},
};
use denizen_ops::{
    messages::{self, MailStatus},
    passwords, realms,
};
use serde::Serialize;

use self::choices::{LanguageChoice, MethodChoice, breaches, languages, methods, ticked_languages, ticked_methods};
use super::{
    Answer,
    forms::{Errors, Fields, Posted, mendable_in},
    frame::{At, ConsoleCx, Section},
    words::count,
};
use crate::Web;

pub(super) fn router() -> Router<Web> {
    Router::new().route("/admin/{realm}/settings", get(show).post(save))
}

#[derive(Serialize)]
struct SettingsPage {
    version: String,
    mail: MailView,
    /// What breached passwords are looked up in.
    breaches: String,
    sign_in_methods: Vec<MethodChoice>,
    second_factors: Vec<MethodChoice>,
    values: Values,
    errors: Errors,
}

/// How messages go: what the operator configured, to be seen here.
#[derive(Serialize)]
struct MailView {
    place: Option<String>,
    from: Option<String>,
    demo: bool,
    waiting: Option<String>,
    sms_place: Option<String>,
    sms_waiting: Option<String>,
}

impl From<MailStatus> for MailView {
    fn from(status: MailStatus) -> Self {
        let (place, from) = status.server.unzip();
        let waiting = |waiting: u64| (waiting > 0).then(|| count(waiting, "message waits", "messages wait"));
        Self {
            place,
            from,
            demo: status.demo,
            waiting: waiting(status.waiting),
            sms_place: status.sms_gateway,
            sms_waiting: waiting(status.sms_waiting),
        }
    }
}

#[derive(Serialize)]
struct Values {
    display_name: String,
    email_as_username: bool,
    username_changeable: bool,
    undeclared_attributes_allowed: bool,
    api_key_storage: String,
    self_registration: bool,
    password_min_length: String,
    session_idle_minutes: String,
    session_absolute_hours: String,
    access_token_minutes: String,
    refresh_token_days: String,
    audit_retention_days: String,
    second_factor: String,
    remembered_device_days: String,
    password_lockout_attempts: String,
    password_lockout_window_minutes: String,
    password_lockout_minutes: String,
    password_lockout_escalation: String,
    otp_lockout_attempts: String,
    otp_lockout_window_minutes: String,
    otp_lockout_minutes: String,
    otp_lockout_escalation: String,
    languages: Vec<LanguageChoice>,
    password_require_upper: bool,
    password_require_lower: bool,
    password_require_digit: bool,
    password_require_symbol: bool,
    password_block_breached: bool,
    password_history: String,
    self_deletion: bool,
    #[serde(skip)]
    sign_in_methods: Vec<AuthenticatorType>,
    #[serde(skip)]
    second_factors: Vec<AuthenticatorType>,
}

const MINUTE: u64 = 60;
const HOUR: u64 = 3600;
const DAY: u64 = 86_400;

/// The durations: field of the form, field of the settings, its unit in seconds.
const DURATIONS: [(&str, &str, u64); 9] = [
    ("session_idle_minutes", "session_idle_seconds", MINUTE),
    ("session_absolute_hours", "session_absolute_seconds", HOUR),
    ("access_token_minutes", "access_token_seconds", MINUTE),
    ("refresh_token_days", "refresh_token_seconds", DAY),
    ("remembered_device_days", "remembered_device_seconds", DAY),
    ("password_lockout_window_minutes", "password_lockout.window_seconds", MINUTE),
    ("password_lockout_minutes", "password_lockout.duration_seconds", MINUTE),
    ("otp_lockout_window_minutes", "otp_lockout.window_seconds", MINUTE),
    ("otp_lockout_minutes", "otp_lockout.duration_seconds", MINUTE),
];
/// Numbers whose fields are called otherwise in the form.
const NUMBERS: [(&str, &str); 4] = [
    ("password_lockout_attempts", "password_lockout.attempts"),
    ("password_lockout_escalation", "password_lockout.escalation"),
    ("otp_lockout_attempts", "otp_lockout.attempts"),
    ("otp_lockout_escalation", "otp_lockout.escalation"),
];

/// Seconds in a larger unit, with as many decimals as it takes up to three.
fn in_unit(seconds: u64, unit: u64) -> String {
    let thousandths = seconds.saturating_mul(1000) / unit;
    let text = format!("{}.{:03}", thousandths / 1000, thousandths % 1000);
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// What was typed in a larger unit, in seconds. What still stands there as it was shown, or was not sent, is left as
/// it was, so that rounding for display changes nothing.
fn read_duration(typed: &Fields, field: &str, unit: u64, before: u64, errors: &mut Errors) -> u64 {
    let text = typed.text(field).trim();
    if text == in_unit(before, unit) || !typed.has(field) {
        return before;
    }
    let whole = text.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    whole.unwrap_or_else(|| {
        errors.insert(field.to_owned(), "Must be a whole number.".to_owned());
        before
    })
}

impl Values {
    fn of(realm: &Realm) -> Self {
        let settings = &realm.settings;
        Self {
            display_name: realm.display_name.clone(),
            email_as_username: settings.email_as_username,
            username_changeable: settings.username_changeable,
            undeclared_attributes_allowed: settings.undeclared_attributes_allowed,
            api_key_storage: settings.api_key_storage.to_string(),
            self_registration: settings.self_registration,
            password_min_length: settings.password_min_length.to_string(),
            session_idle_minutes: in_unit(settings.session_idle_seconds, MINUTE),
            session_absolute_hours: in_unit(settings.session_absolute_seconds, HOUR),
            access_token_minutes: in_unit(settings.access_token_seconds, MINUTE),
            refresh_token_days: in_unit(settings.refresh_token_seconds, DAY),
            audit_retention_days: settings.audit_retention_days.to_string(),
            second_factor: settings.second_factor.to_string(),
            remembered_device_days: in_unit(settings.remembered_device_seconds, DAY),
            password_lockout_attempts: settings.password_lockout.attempts.to_string(),
            password_lockout_window_minutes: in_unit(settings.password_lockout.window_seconds, MINUTE),
            password_lockout_minutes: in_unit(settings.password_lockout.duration_seconds, MINUTE),
            password_lockout_escalation: settings.password_lockout.escalation.to_string(),
            otp_lockout_attempts: settings.otp_lockout.attempts.to_string(),
            otp_lockout_window_minutes: in_unit(settings.otp_lockout.window_seconds, MINUTE),
            otp_lockout_minutes: in_unit(settings.otp_lockout.duration_seconds, MINUTE),
            otp_lockout_escalation: settings.otp_lockout.escalation.to_string(),
            languages: languages(Some(settings.locale), &settings.locales),
            password_require_upper: settings.password_require_upper,
            password_require_lower: settings.password_require_lower,
            password_require_digit: settings.password_require_digit,
            password_require_symbol: settings.password_require_symbol,
            password_block_breached: settings.password_block_breached,
            password_history: settings.password_history.to_string(),
            self_deletion: settings.self_deletion,
            sign_in_methods: settings.sign_in_methods.clone(),
            second_factors: settings.second_factors.clone(),
        }
    }

    fn typed(typed: &Fields, before: &RealmSettings) -> Self {
        let text = |name| typed.text(name).to_owned();
        Self {
            display_name: text("display_name"),
            email_as_username: typed.ticked("email_as_username"),
            username_changeable: typed.ticked("username_changeable"),
            undeclared_attributes_allowed: typed.ticked("undeclared_attributes_allowed"),
            api_key_storage: text("api_key_storage"),
            self_registration: typed.ticked("self_registration"),
            password_min_length: text("password_min_length"),
            session_idle_minutes: text("session_idle_minutes"),
            session_absolute_hours: text("session_absolute_hours"),
            access_token_minutes: text("access_token_minutes"),
            refresh_token_days: text("refresh_token_days"),
            audit_retention_days: text("audit_retention_days"),
            second_factor: text("second_factor"),
            remembered_device_days: text("remembered_device_days"),
            password_lockout_attempts: text("password_lockout_attempts"),
            password_lockout_window_minutes: text("password_lockout_window_minutes"),
            password_lockout_minutes: text("password_lockout_minutes"),
            password_lockout_escalation: text("password_lockout_escalation"),
            otp_lockout_attempts: text("otp_lockout_attempts"),
            otp_lockout_window_minutes: text("otp_lockout_window_minutes"),
            otp_lockout_minutes: text("otp_lockout_minutes"),
            otp_lockout_escalation: text("otp_lockout_escalation"),
            languages: languages(Language::from_name(typed.text("locale")), &ticked_languages(typed, &before.locales)),
            password_require_upper: typed.ticked("password_require_upper"),
            password_require_lower: typed.ticked("password_require_lower"),
            password_require_digit: typed.ticked("password_require_digit"),
            password_require_symbol: typed.ticked("password_require_symbol"),
            password_block_breached: typed.ticked("password_block_breached"),
            password_history: text("password_history"),
            self_deletion: typed.ticked("self_deletion"),
            sign_in_methods: ticked_methods(typed, "sign_in_methods", &before.sign_in_methods),
            second_factors: ticked_methods(typed, "second_factors", &before.second_factors),
        }
    }
}

async fn settings_page(page: &ConsoleCx, version: i64, values: Values, errors: Errors) -> Answer {
    let fine = errors.is_empty();
    let mail = messages::status(page.app(), page.cx(), page.may()?).await?.into();
    let breaches = breaches(passwords::source(page.app(), page.cx(), page.may()?));
    let sign_in_methods = methods(page.app(), SIGN_IN_METHODS, &values.sign_in_methods, true);
    let second_factors = methods(page.app(), SECOND_FACTORS, &values.second_factors, false);
    let version = version.to_string();
    let content = SettingsPage { version, mail, breaches, sign_in_methods, second_factors, values, errors };
    let (template, at) = ("console/settings/show.html", At::top(Section::Settings, "Settings"));
    if fine { page.page(template, at, &content) } else { page.refused(template, at, &content) }
}

async fn show(page: ConsoleCx) -> Answer {
    let realm = realms::get(page.app(), page.cx(), page.may()?).await?;
    settings_page(&page, realm.version, Values::of(&realm), Errors::new()).await
}

fn read(typed: &Fields, before: &RealmSettings) -> Result<RealmSettings, Errors> {
    let mut errors = Errors::new();
    let small = |field: &str, before: u32, errors: &mut Errors| {
        if typed.has(field) { u32::try_from(typed.number(field, errors)).unwrap_or(u32::MAX) } else { before }
    };
    let read = |field: &str, unit, before, errors: &mut Errors| read_duration(typed, field, unit, before, errors);
    let settings = RealmSettings {
        email_as_username: typed.ticked("email_as_username"),
        username_changeable: typed.ticked("username_changeable"),
        undeclared_attributes_allowed: typed.ticked("undeclared_attributes_allowed"),
        // Of a choice that came without an answer, the one before stays.
        api_key_storage: ApiKeyStorage::from_name(typed.text("api_key_storage")).unwrap_or(before.api_key_storage),
        self_registration: typed.ticked("self_registration"),
        password_min_length: small("password_min_length", before.password_min_length, &mut errors),
        session_idle_seconds: read("session_idle_minutes", MINUTE, before.session_idle_seconds, &mut errors),
        session_absolute_seconds: read("session_absolute_hours", HOUR, before.session_absolute_seconds, &mut errors),
        access_token_seconds: read("access_token_minutes", MINUTE, before.access_token_seconds, &mut errors),
        refresh_token_seconds: read("refresh_token_days", DAY, before.refresh_token_seconds, &mut errors),
        audit_retention_days: small("audit_retention_days", before.audit_retention_days, &mut errors),
        sign_in_methods: ticked_methods(typed, "sign_in_methods", &before.sign_in_methods),
        second_factors: ticked_methods(typed, "second_factors", &before.second_factors),
        second_factor: SecondFactor::from_name(typed.text("second_factor")).unwrap_or(before.second_factor),
        remembered_device_seconds: read("remembered_device_days", DAY, before.remembered_device_seconds, &mut errors),
        password_lockout: LockoutRule {
            attempts: small("password_lockout_attempts", before.password_lockout.attempts, &mut errors),
            window_seconds: read(
                "password_lockout_window_minutes",
                MINUTE,
                before.password_lockout.window_seconds,
                &mut errors,
            ),
            duration_seconds: read(
                "password_lockout_minutes",
                MINUTE,
                before.password_lockout.duration_seconds,
                &mut errors,
            ),
            escalation: small("password_lockout_escalation", before.password_lockout.escalation, &mut errors),
        },
        otp_lockout: LockoutRule {
            attempts: small("otp_lockout_attempts", before.otp_lockout.attempts, &mut errors),
            window_seconds: read("otp_lockout_window_minutes", MINUTE, before.otp_lockout.window_seconds, &mut errors),
            duration_seconds: read("otp_lockout_minutes", MINUTE, before.otp_lockout.duration_seconds, &mut errors),
            escalation: small("otp_lockout_escalation", before.otp_lockout.escalation, &mut errors),
        },
        locale: Language::from_name(typed.text("locale")).unwrap_or(before.locale),
        locales: ticked_languages(typed, &before.locales),
        password_require_upper: typed.ticked("password_require_upper"),
        password_require_lower: typed.ticked("password_require_lower"),
        password_require_digit: typed.ticked("password_require_digit"),
        password_require_symbol: typed.ticked("password_require_symbol"),
        password_block_breached: typed.ticked("password_block_breached"),
        password_history: match typed.all("password_history").as_slice() {
            [] => before.password_history,
            _ => small("password_history", before.password_history, &mut errors),
        },
        self_deletion: typed.ticked("self_deletion"),
        // What this page does not show stays as it is.
        ..before.clone()
    };
    if errors.is_empty() { Ok(settings) } else { Err(errors) }
}

/// Messages of the settings' own fields, at the fields of the form. Bounds are in seconds there; here they are
/// told in the form's unit.
fn at_fields(errors: Errors) -> Errors {
    let place = |(field, message): (String, String)| match DURATIONS.iter().find(|(_, name, _)| *name == field) {
        Some((shown, _, unit)) => ((*shown).to_owned(), bounds_in_unit(&message, *unit)),
        None => match NUMBERS.iter().find(|(_, name)| *name == field) {
            Some((shown, _)) => ((*shown).to_owned(), message),
            None => (field, message),
        },
    };
    errors.into_iter().map(place).collect()
}

fn bounds_in_unit(message: &str, unit: u64) -> String {
    let bounds = message.strip_prefix("Must be between ").and_then(|rest| rest.strip_suffix('.')?.split_once(" and "));
    let parsed = bounds.and_then(|(low, high)| Some((low.parse::<u64>().ok()?, high.parse::<u64>().ok()?)));
    parsed.map_or_else(
        || message.to_owned(),
        |(low, high)| format!("Must be between {} and {}.", low.div_ceil(unit), high / unit),
    )
}

async fn save(page: ConsoleCx, Posted(typed): Posted) -> Answer {
    const SHOWN: [&str; 22] = [
        "display_name",
        "password_min_length",
        "session_idle_seconds",
        "session_absolute_seconds",
        "access_token_seconds",
        "refresh_token_seconds",
        "audit_retention_days",
        "sign_in_methods",
        "second_factors",
        "second_factor_roles",
        "remembered_device_seconds",
        "password_lockout.attempts",
        "password_lockout.window_seconds",
        "password_lockout.duration_seconds",
        "password_lockout.escalation",
        "otp_lockout.attempts",
        "otp_lockout.window_seconds",
        "otp_lockout.duration_seconds",
        "otp_lockout.escalation",
        "locale",
        "locales",
        "password_history",
    ];
    let (app, cx, proof) = (page.app(), page.cx(), page.may()?);
    let before = realms::get(app, cx, page.may()?).await?;
    let version = typed.version().unwrap_or(before.version);
    let settings = match read(&typed, &before.settings) {
        Ok(settings) => settings,
        Err(errors) => return settings_page(&page, version, Values::typed(&typed, &before.settings), errors).await,
    };
    let name = Some(typed.text("display_name").to_owned());
    match realms::update_settings(app, cx, proof, name, settings, typed.version()).await {
        Ok(_) => page.done(&page.href("settings"), "The settings are saved."),
        Err(error) => {
            let errors = at_fields(mendable_in(error, &SHOWN)?);
            settings_page(&page, version, Values::typed(&typed, &before.settings), errors).await
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_shown_in_their_unit_without_loss_of_whole_ones() {
        assert_eq!(in_unit(300, MINUTE), "5");
        assert_eq!(in_unit(90, MINUTE), "1.5");
        assert_eq!(in_unit(100, MINUTE), "1.666");
        assert_eq!(in_unit(7 * DAY, DAY), "7");
        assert_eq!(in_unit(600 * 60, MINUTE), "600");
    }

    #[test]
    fn bounds_are_told_in_the_unit_of_the_field() {
        assert_eq!(bounds_in_unit("Must be between 30 and 86400.", MINUTE), "Must be between 1 and 1440.");
        assert_eq!(bounds_in_unit("Must not be longer.", MINUTE), "Must not be longer.");
    }
}
