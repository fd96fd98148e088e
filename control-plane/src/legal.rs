//! The texts that customers agree to, in the languages in which the operator has them.

use innkeeper_wire::{
    api::Locale,
    company::LegalText,
    member::{ConsentText, MemberKind, SignUpTexts},
};

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

/// A text with a version, which may be another one for each kind of member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConsentTexts {
    /// Its version, for all kinds.
    pub version: String,
    /// For kinds that have none of their own.
    pub general: LegalTexts,
    /// For companies.
    pub corporate: Option<LegalTexts>,
    /// For partners.
    pub partner: Option<LegalTexts>,
}

impl ConsentTexts {
    /// One text for all kinds.
    #[must_use]
    pub fn of_all(version: &str, general: LegalTexts) -> Self {
        Self {
            version: version.to_owned(),
            general,
            corporate: None,
            partner: None,
        }
    }

    /// The one that a member of this kind is shown who reads this language.
    #[must_use]
    pub fn shown(&self, kind: MemberKind, lang: Option<Locale>) -> ConsentText {
        let own = match kind {
            MemberKind::Individual => None,
            MemberKind::Corporate => self.corporate.as_ref(),
            MemberKind::Partner => self.partner.as_ref(),
        };
        let text = own.unwrap_or(&self.general).best_for(lang);
        ConsentText {
            version: self.version.clone(),
            lang: text.lang,
            text: text.text.clone(),
        }
    }
}

/// What members agree to, and are told, when they sign up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberTexts {
    /// The member terms.
    pub terms: ConsentTexts,
    /// How personal data is collected and used; without it, no consent to that is asked for.
    pub personal_data: Option<ConsentTexts>,
    /// What is said beside the mobile number (R21).
    pub mobile_notice: Option<LegalTexts>,
}

impl MemberTexts {
    /// Those that a member of this kind is shown who reads this language.
    #[must_use]
    pub fn shown(&self, kind: MemberKind, lang: Option<Locale>) -> SignUpTexts {
        let personal_data = self.personal_data.as_ref();
        let notice = self.mobile_notice.as_ref();
        SignUpTexts {
            terms: self.terms.shown(kind, lang),
            personal_data: personal_data.map(|texts| texts.shown(kind, lang)),
            mobile_notice: notice.map(|texts| texts.best_for(lang).clone()),
        }
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
        let texts = ConsentTexts {
            partner: Some(LegalTexts::of_one("partners' terms")),
            ..ConsentTexts::of_all("1", terms)
        };
        let shown = |kind| texts.shown(kind, Some(Locale::En)).text;
        assert_eq!(shown(MemberKind::Individual), "terms");
        assert_eq!(shown(MemberKind::Corporate), "terms");
        assert_eq!(shown(MemberKind::Partner), "partners' terms");
        let unmarked = LegalTexts::of_one("terms");
        assert_eq!(unmarked.best_for(Some(Locale::En)).lang, None);
    }
}
