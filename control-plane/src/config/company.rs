//! Who runs the installation, and the texts that customers agree to, as a configuration has them.

use std::path::{Path, PathBuf};

use innkeeper_wire::{
    api::Locale,
    company::{Company, LegalText},
};
use serde::Deserialize;

use super::{Config, ConfigError, read, value};
use crate::legal::LegalTexts;

/// Longest line about the company.
const LINE_CHARS_MAX: usize = 200;
/// Longest text that customers agree to, in one language.
const TEXT_BYTES_MAX: usize = 100_000;

/// Who runs the installation: on every page and in every mail. Everything may be left out, and should not be.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CompanyConfig {
    /// The company's name as it is registered.
    pub name: Option<String>,
    /// Who represents it.
    pub representative: Option<String>,
    /// Its number in the register of businesses.
    pub registration_number: Option<String>,
    /// Korea: its number as a mail-order business.
    pub mail_order_number: Option<String>,
    /// Its postal address, on one line.
    pub address: Option<String>,
    /// Its telephone number.
    pub telephone: Option<String>,
}

impl CompanyConfig {
    /// Each key with what is written there.
    fn lines(&self) -> [(&'static str, Option<&String>); 6] {
        [
            ("name", self.name.as_ref()),
            ("representative", self.representative.as_ref()),
            ("registration_number", self.registration_number.as_ref()),
            ("mail_order_number", self.mail_order_number.as_ref()),
            ("address", self.address.as_ref()),
            ("telephone", self.telephone.as_ref()),
        ]
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for (key, line) in self.lines() {
            let is_line = |line: &String| {
                let count = line.chars().count();
                !line.trim().is_empty()
                    && count <= LINE_CHARS_MAX
                    && !line.contains(char::is_control)
            };
            if !line.is_none_or(is_line) {
                let why = format!("must be one line of 1 to {LINE_CHARS_MAX} characters");
                return Err(value(format!("company.{key}"), why));
            }
        }
        Ok(())
    }

    /// Keys that the law of Korea or Taiwan asks for on a page that sells, and that are not there.
    #[must_use]
    pub fn missing(&self) -> Vec<&'static str> {
        let lines = self.lines().into_iter();
        lines
            // Only in Korea is there such a number.
            .filter(|(key, line)| line.is_none() && *key != "mail_order_number")
            .map(|(key, _)| key)
            .collect()
    }

    /// What everybody is told.
    #[must_use]
    pub fn company(&self) -> Company {
        Company {
            name: self.name.clone(),
            representative: self.representative.clone(),
            registration_number: self.registration_number.clone(),
            mail_order_number: self.mail_order_number.clone(),
            address: self.address.clone(),
            telephone: self.telephone.clone(),
        }
    }
}

impl Config {
    /// What customers have a right to be told and are not, a sentence each. The service starts all the same.
    #[must_use]
    pub fn unsaid(&self) -> Vec<String> {
        let missing = self.company.missing();
        let company = (!missing.is_empty()).then(|| {
            let missing = missing.join(", ");
            format!("[company] lacks {missing}: the law of Korea and Taiwan wants that on the pages of who sells there")
        });
        let privacy = self.installation.privacy_file.is_none().then(|| {
            let text =
                "installation.privacy_file is missing: pages and mails name no privacy policy";
            text.to_owned()
        });
        let tax = self.tax.is_none().then(|| {
            let text = "[tax] is missing: customers are told that prices are before tax, and not how much it is";
            text.to_owned()
        });
        [company, privacy, tax].into_iter().flatten().collect()
    }
}

/// Where a text is: one file, or one for each language.
#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a file, or a table with a file for some of en, ko and zh-Hant"
)]
pub enum TextFiles {
    /// In one language, which is not told.
    One(PathBuf),
    /// In those languages that have a file.
    Each(FileOfLanguage),
}

/// The files of one text.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileOfLanguage {
    /// Korean.
    ko: Option<PathBuf>,
    /// Traditional Chinese.
    #[serde(rename = "zh-Hant")]
    zh_hant: Option<PathBuf>,
    /// English.
    en: Option<PathBuf>,
}

impl TextFiles {
    /// The files with their languages; the first is for whoever reads none of these.
    #[must_use]
    pub fn files(&self) -> Vec<(Option<Locale>, &Path)> {
        match self {
            Self::One(file) => vec![(None, file)],
            Self::Each(FileOfLanguage { ko, zh_hant, en }) => {
                let all = [
                    (Locale::En, en),
                    (Locale::Ko, ko),
                    (Locale::ZhHant, zh_hant),
                ];
                let there = all
                    .iter()
                    .filter_map(|(lang, file)| Some((Some(*lang), file.as_deref()?)));
                there.collect()
            }
        }
    }

    /// Reads all of them. `key` is the key that names them.
    pub fn read(&self, key: &str) -> Result<LegalTexts, ConfigError> {
        let mut texts = Vec::new();
        for (lang, file) in self.files() {
            let text = read(file)?;
            let named = || format!("{key}, {}", file.display());
            if text.len() > TEXT_BYTES_MAX {
                return Err(value(
                    named(),
                    format!("has more than {TEXT_BYTES_MAX} bytes"),
                ));
            }
            if text.trim().is_empty() {
                return Err(value(named(), "is empty: customers read and accept it"));
            }
            texts.push(LegalText { lang, text });
        }
        let mut texts = texts.into_iter();
        let none = || value(key, "names no file");
        let first = texts.next().ok_or_else(none)?;
        Ok(LegalTexts::new(first, texts.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, toml::de::Error> {
        toml::from_str(text)
    }

    #[test]
    fn what_of_the_company_is_missing_or_no_line_is_named() {
        let some: CompanyConfig =
            parse("name = \"여관 주식회사\"\ntelephone = \"02-555-0100\"").expect("lines");
        some.check().expect("lines");
        assert_eq!(
            some.missing(),
            ["representative", "registration_number", "address"]
        );
        assert_eq!(some.company().name.as_deref(), Some("여관 주식회사"));
        for bad in [
            "address = \"\"",
            "address = \"a\\nb\"",
            &format!("address = \"{}\"", "가".repeat(201)),
        ] {
            let config: CompanyConfig = parse(bad).expect("texts");
            let error = config.check().expect_err(bad).to_string();
            assert!(error.starts_with("company.address: must be"), "{error}");
        }
    }

    #[derive(Deserialize)]
    struct Named {
        terms_file: TextFiles,
    }

    #[test]
    fn a_text_is_one_file_or_one_of_each_language() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = |name: &str| folder.path().join(name).display().to_string();
        std::fs::write(path("ko"), "약관").expect("written");
        std::fs::write(path("en"), "terms").expect("written");
        std::fs::write(path("none"), " \n").expect("written");
        let read = |files: &str| {
            let named: Named = parse(&format!("terms_file = {files}")).expect("files");
            named.terms_file.read("installation.terms_file")
        };
        let one = read(&format!("\"{}\"", path("ko"))).expect("a text");
        assert_eq!(one, LegalTexts::of_one("약관"));
        let both = format!("{{ ko = \"{}\", en = \"{}\" }}", path("ko"), path("en"));
        let both = read(&both).expect("texts");
        assert_eq!(both.best_for(Some(Locale::Ko)).text, "약관");
        assert_eq!(both.best_for(Some(Locale::ZhHant)).text, "terms");
        let none = read("{}").expect_err("no file").to_string();
        assert_eq!(none, "installation.terms_file: names no file");
        let empty = read(&format!("\"{}\"", path("none"))).expect_err("empty");
        assert!(empty.to_string().contains("is empty"), "{empty}");
        let unknown = parse::<Named>("terms_file = { jp = \"x\" }").err();
        let unknown = unknown.expect("no such language").to_string();
        assert!(unknown.contains("en, ko and zh-Hant"), "{unknown}");
    }
}
