//! The texts that customers agree to, in the languages in which the operator has them.

use innkeeper_wire::{api::Locale, company::LegalText};

/// One text in one language or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LegalTexts {
    first: LegalText,
    others: Vec<LegalText>,
}

impl LegalTexts {
    /// A text, and the same in other languages.
    #[must_use]
    pub fn new(first: LegalText, others: Vec<LegalText>) -> Self {
        Self { first, others }
    }

    /// A text of which nobody has said in which language it is.
    #[must_use]
    pub fn of_one(text: &str) -> Self {
        let first = LegalText {
            lang: None,
            text: text.to_owned(),
        };
        Self::new(first, Vec::new())
    }

    /// All of them; the first is for those who read none of these languages.
    pub fn all(&self) -> impl Iterator<Item = &LegalText> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The one that somebody who reads this language is shown.
    #[must_use]
    pub fn best_for(&self, lang: Option<Locale>) -> &LegalText {
        let mut all = self.all();
        let is_wanted = |text: &&LegalText| lang.is_some() && text.lang == lang;
        all.find(is_wanted).unwrap_or(&self.first)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_gets_his_language_or_the_first() {
        let text = |lang, text: &str| LegalText {
            lang: Some(lang),
            text: text.to_owned(),
        };
        let terms = LegalTexts::new(text(Locale::Ko, "약관"), vec![text(Locale::En, "terms")]);
        let shown = |lang| terms.best_for(lang).text.as_str();
        assert_eq!(shown(Some(Locale::En)), "terms");
        assert_eq!(shown(Some(Locale::Ko)), "약관");
        assert_eq!(shown(Some(Locale::ZhHant)), "약관");
        assert_eq!(shown(None), "약관");
        let unmarked = LegalTexts::of_one("terms");
        assert_eq!(unmarked.best_for(Some(Locale::En)).lang, None);
    }
}
