//! Languages: which one a visitor gets, and the texts in it. Texts live in `locales/*/main.ftl`; tests
//! keep the three files alike.

use std::{borrow::Cow, collections::HashMap};

use axum::http::{HeaderMap, header::ACCEPT_LANGUAGE};
use fluent_templates::{LanguageIdentifier, fluent_bundle::FluentValue, static_loader};
use innkeeper_wire::api::Locale;

static_loader! {
    static TEXTS = {
        locales: "./locales",
        fallback_language: "en",
        // Whoever copies a price, a name or an address from a page copies no invisible characters with it: what people
        // have typed is isolated by markup (`around` in `things.html`).
        customise: |bundle| bundle.set_use_isolating(false),
    };
}

/// Most entries of an `Accept-Language` header that are looked at.
const PREFERENCES_MAX: usize = 20;

/// The language's tag, as in `lang` attributes, cookies and `?lang=`.
#[must_use]
pub const fn tag(locale: Locale) -> &'static str {
    locale.as_str()
}

/// What the language calls itself.
#[must_use]
pub const fn own_name(locale: Locale) -> &'static str {
    match locale {
        Locale::En => "English",
        Locale::Ko => "한국어",
        Locale::ZhHant => "繁體中文",
    }
}

/// The language with this tag.
#[must_use]
pub fn by_tag(text: &str) -> Option<Locale> {
    Locale::ALL
        .iter()
        .copied()
        .find(|locale| tag(*locale) == text)
}

/// The best of ours for a browser's `Accept-Language`, English if none fits.
#[must_use]
pub fn negotiate(headers: &HeaderMap) -> Locale {
    let header = headers
        .get(ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok());
    let mut wishes: Vec<(u16, Locale)> = header
        .unwrap_or_default()
        .split(',')
        .take(PREFERENCES_MAX)
        .filter_map(wish)
        .collect();
    // Stable: of equal weights the first wins.
    wishes.sort_by_key(|(weight, _)| std::cmp::Reverse(*weight));
    wishes.first().map_or(Locale::En, |(_, locale)| *locale)
}

/// One entry of the header, with its weight in thousandths.
fn wish(entry: &str) -> Option<(u16, Locale)> {
    let mut parts = entry.split(';').map(str::trim);
    let primary = parts.next()?.split('-').next()?.to_ascii_lowercase();
    let weight = parts
        .find_map(|part| part.strip_prefix("q="))
        .map_or(Some(1_000), thousandths)?;
    let locale = match primary.as_str() {
        "en" => Locale::En,
        "ko" => Locale::Ko,
        // Readers of any Chinese are better served by it than by English.
        "zh" => Locale::ZhHant,
        _ => return None,
    };
    (weight > 0).then_some((weight, locale))
}

/// `0.8` as 800 (RFC 9110 section 12.4.2: at most three decimals).
fn thousandths(text: &str) -> Option<u16> {
    let (whole, decimals) = text.split_once('.').unwrap_or((text, ""));
    if decimals.len() > 3 {
        return None;
    }
    let whole: u16 = whole.parse().ok().filter(|whole| *whole <= 1)?;
    let decimals: u16 = format!("{decimals:0<3}").parse().ok()?;
    Some((whole * 1_000 + decimals).min(1_000))
}

/// The text called `key`.
#[must_use]
pub fn say(locale: Locale, key: &str) -> String {
    lookup(locale, key, &HashMap::new())
}

/// The text called `key` with a text put in, for where there is no markup. What people have typed in any script is put
/// in by [`say_around`].
#[must_use]
pub fn say_with(locale: Locale, key: &str, name: &'static str, value: &str) -> String {
    let value = FluentValue::from(value.to_owned());
    lookup(locale, key, &HashMap::from([(Cow::Borrowed(name), value)]))
}

/// What the text called `key` says before and after the place of a value, which is put there as an element of its own:
/// so its writing direction can't leak out.
#[must_use]
pub fn say_around(locale: Locale, key: &str, name: &str) -> (String, String) {
    const PLACE: &str = "\u{fffc}";
    let value = FluentValue::from(PLACE);
    let text = lookup(
        locale,
        key,
        &HashMap::from([(Cow::Owned(name.to_owned()), value)]),
    );
    let (before, after) = text.split_once(PLACE).unwrap_or((&text, ""));
    (before.to_owned(), after.to_owned())
}

/// The text called `key` with an `$amount` put in that was formatted by us.
#[must_use]
pub fn say_amount(locale: Locale, key: &str, amount: &str) -> String {
    let value = FluentValue::from(amount.to_owned());
    lookup(
        locale,
        key,
        &HashMap::from([(Cow::Borrowed("amount"), value)]),
    )
}

/// The text called `key` for `$count` things, in the right number.
#[must_use]
pub fn say_count(locale: Locale, key: &str, count: u64) -> String {
    let value = FluentValue::from(count);
    lookup(
        locale,
        key,
        &HashMap::from([(Cow::Borrowed("count"), value)]),
    )
}

/// Whether there is a text of this name, with or without a number in it; all languages have the same.
#[must_use]
pub fn has(key: &str) -> bool {
    let language: LanguageIdentifier = tag(Locale::En).parse().expect("well-formed");
    let values = HashMap::from([("count", FluentValue::from(1))]);
    TEXTS
        .lookup_single_language(&language, key, Some(&values))
        .is_ok()
}

/// A missing text shows as its key: odd, but never a failed page. Tests see to it that none is missing.
fn lookup(locale: Locale, key: &str, values: &HashMap<Cow<'static, str>, FluentValue>) -> String {
    let language: LanguageIdentifier = tag(locale).parse().expect("our own tags are well-formed");
    TEXTS
        .lookup_single_language(&language, key, Some(values))
        .unwrap_or_else(|_| key.to_owned())
}

#[cfg(test)]
mod tests {
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::Path,
    };

    use axum::http::HeaderValue;
    use innkeeper_wire::error::FieldErrorCode;

    use super::*;
    use crate::{
        area::Area,
        form::{Kind, Need},
        pages::calculator,
        routes::pages,
        sitemap::Row,
        words,
    };

    #[test]
    fn browsers_get_the_language_they_like_best() {
        let check = |header: &'static str, expected| {
            let mut headers = HeaderMap::new();
            headers.insert(ACCEPT_LANGUAGE, HeaderValue::from_static(header));
            assert_eq!(negotiate(&headers), expected, "{header}");
        };
        check("ko-KR,ko;q=0.9,en-US;q=0.8,en;q=0.7", Locale::Ko);
        check("zh-TW,zh;q=0.9,en;q=0.8", Locale::ZhHant);
        check("de,fr;q=0.9,ko;q=0.1", Locale::Ko);
        check("en;q=0.5, zh-HK;q=0.75", Locale::ZhHant);
        check("ko;q=0, en", Locale::En);
        check("de", Locale::En);
        check("ko;q=nonsense", Locale::En);
        check("", Locale::En);
        assert_eq!(negotiate(&HeaderMap::new()), Locale::En);
    }

    /// Key -> the names of what is put in.
    fn defined(locale: Locale) -> BTreeMap<String, BTreeSet<String>> {
        let path = format!(
            "{}/locales/{}/main.ftl",
            env!("CARGO_MANIFEST_DIR"),
            tag(locale)
        );
        let mut texts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut key = String::new();
        for line in fs::read_to_string(&path).expect("a locale").lines() {
            if line.starts_with('#') || line.is_empty() {
                continue;
            }
            if let Some((name, _)) = line.split_once(" =")
                && line.starts_with(char::is_alphabetic)
            {
                key = name.to_owned();
                let twice = texts.insert(key.clone(), BTreeSet::new());
                assert!(twice.is_none(), "{path}: {key} is there twice");
            }
            let names = line.match_indices("{ $").map(|(at, _)| {
                let rest = line[at + 3..].chars();
                rest.take_while(|c| c.is_ascii_alphanumeric())
                    .collect::<String>()
            });
            texts.entry(key.clone()).or_default().extend(names);
        }
        texts
    }

    /// Everything in quotes in templates and sources that could be a key: several words of lower-case
    /// letters, digits and `_`, joined by `-`.
    fn quoted(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                quoted(&path, found);
                continue;
            }
            for piece in fs::read_to_string(&path).expect("a text").split('"') {
                found.insert(piece.to_owned());
            }
        }
    }

    #[test]
    fn the_three_languages_say_the_same_things() {
        let english = defined(Locale::En);
        assert!(english.len() > 100);
        for locale in [Locale::Ko, Locale::ZhHant] {
            assert_eq!(english, defined(locale), "{}", tag(locale));
        }
    }

    /// The pages of both portals.
    fn all_pages() -> impl Iterator<Item = &'static Row> {
        let both = [Area::Customers, Area::Staff];
        both.into_iter().flat_map(|area| pages(area).iter())
    }

    /// Names of texts that forms may ask for by a field's prefix and a code.
    fn of_fields() -> BTreeSet<String> {
        let fields = all_pages().filter_map(|row| row.form).flatten();
        let fields = fields.chain(calculator::CHOICE);
        let mut keys: BTreeSet<String> = BTreeSet::new();
        for words in fields.map(|field| field.words) {
            keys.extend([words.to_owned(), format!("{words}-hint")]);
            let codes = FieldErrorCode::ALL.iter();
            keys.extend(codes.map(|code| format!("{words}-{}", code.as_str())));
        }
        keys.extend(
            FieldErrorCode::ALL
                .iter()
                .map(|code| words::field_error(*code)),
        );
        keys
    }

    #[test]
    fn every_field_has_a_label_and_every_code_its_words() {
        let known = defined(Locale::En);
        for row in all_pages() {
            for field in row.form.unwrap_or_default() {
                let is_seen = field.kind != Kind::Hidden;
                assert!(
                    !is_seen || known.contains_key(field.words),
                    "{row:?}: {}",
                    field.name
                );
            }
        }
        for code in FieldErrorCode::ALL {
            assert!(has(&words::field_error(*code)), "{}", code.as_str());
        }
    }

    /// "Fill this in" in a summary of five fields names none of them.
    #[test]
    fn what_is_said_of_a_field_names_it() {
        let fields = all_pages().flat_map(|row| row.form.unwrap_or_default());
        let mut missing = BTreeSet::new();
        for field in fields.filter(|field| field.kind != Kind::Hidden) {
            let mut codes = Vec::new();
            // Only two boxes must be ticked, and they have their words.
            if field.need != Need::Optional && field.words != "sign-in-remember" {
                codes.push("required");
            }
            if field.kind == Kind::NewPassword {
                codes.push("too-short");
            }
            let keys = codes.iter().map(|code| format!("{}-{code}", field.words));
            missing.extend(keys.filter(|key| !has(key)));
        }
        assert_eq!(missing, BTreeSet::new());
        for (locale, short, link) in [
            (Locale::En, "password", "name"),
            (Locale::Ko, "비밀번호", "이름"),
            (Locale::ZhHant, "密碼", "姓名"),
        ] {
            for words in ["sign-up", "new"] {
                let said = say_count(locale, &format!("{words}-password-too-short"), 15);
                assert!(said.contains(short) && said.contains("15"), "{said}");
            }
            assert!(say(locale, "sign-up-name-link").contains(link));
        }
    }

    #[test]
    fn every_text_is_used() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut used = of_fields();
        quoted(&root.join("templates"), &mut used);
        quoted(&root.join("src"), &mut used);
        let unused: Vec<_> = defined(Locale::En)
            .into_keys()
            .filter(|key| !used.contains(key))
            .collect();
        assert_eq!(unused, Vec::<String>::new());
    }

    /// Keys that a text of the program asks for: what follows `call`, up to the next quote.
    fn asked<'a>(text: &'a str, call: &'a str) -> impl Iterator<Item = &'a str> {
        let ends = text
            .match_indices(call)
            .map(move |(at, _)| &text[at + call.len()..]);
        ends.map(|rest| rest.split('"').next().unwrap_or_default())
    }

    #[test]
    fn no_text_is_missing() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let known = defined(Locale::En);
        let (mut missing, mut seen) = (BTreeSet::new(), 0);
        for folder in ["templates", "src", "src/pages"] {
            for entry in fs::read_dir(root.join(folder)).expect("a folder") {
                let path = entry.expect("an entry").path();
                if path.is_dir() {
                    continue;
                }
                let text = fs::read_to_string(&path).expect("a text");
                let calls: &[&str] = match path.file_name().and_then(|name| name.to_str()) {
                    Some("words.rs") => &["=> \""],
                    Some("notice.rs") => &["\", \""],
                    Some("language.rs") => &[],
                    _ => &[
                        "say(\"",
                        "say_with(\"",
                        "say_count(\"",
                        "say_amount(\"",
                        "around(frame, \"",
                        "say_around(\"",
                    ],
                };
                for key in calls.iter().flat_map(|call| asked(&text, call)) {
                    seen += 1;
                    if !known.contains_key(key) {
                        missing.insert(format!("{key} in {}", path.display()));
                    }
                }
            }
        }
        assert!(seen > 100, "the search itself has broken");
        assert_eq!(missing, BTreeSet::new());
    }

    #[test]
    fn every_text_can_be_said() {
        for locale in Locale::ALL.iter().copied() {
            for (key, names) in defined(locale) {
                let said = match names.first().map(String::as_str) {
                    None => say(locale, &key),
                    Some("count") => say_count(locale, &key, 3),
                    Some(name) => {
                        let name: &'static str = Box::leak(name.to_owned().into_boxed_str());
                        say_with(locale, &key, name, "x")
                    }
                };
                assert!(names.len() <= 1, "{key} takes more than one value");
                assert!(
                    said != key && !said.is_empty() && !said.contains('{'),
                    "{key}: {said}"
                );
            }
        }
    }
}
