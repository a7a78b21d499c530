//! The texts of the sign-in, set-up, account and error pages, in `locales/<language>.toml`.

use denizen_ops::locale::Locale;
use rust_embed::RustEmbed;

#[derive(RustEmbed)]
#[folder = "locales/"]
#[include = "*.toml"]
struct Files;

/// The English texts.
///
/// # Errors
/// A sentence that says what is wrong with the file.
pub(crate) fn english() -> Result<Locale, String> {
    let file = Files::get("en.toml").ok_or("locales/en.toml is missing")?;
    let text = std::str::from_utf8(&file.data).map_err(|error| format!("locales/en.toml: {error}"))?;
    Locale::parse(text).map_err(|error| format!("locales/en.toml: {error}"))
}

#[cfg(test)]
mod tests {
    #[test]
    fn every_english_text_can_be_read() {
        let locale = super::english().unwrap();
        for id in locale.ids() {
            locale.text(id, |_| Some("x".to_owned())).unwrap();
        }
    }
}
