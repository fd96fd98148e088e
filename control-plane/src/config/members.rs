//! What members agree to at sign-up, beside the terms of all, and what those of companies agree to in its place.

use serde::Deserialize;

use super::{Config, ConfigError, company::TextFiles, value};
use crate::legal::{ConsentTexts, LegalTexts, MemberTexts};

/// Texts of sign-ups. Without any, members of all kinds agree to `installation.terms_file` alone.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MembersConfig {
    /// Version of the texts on personal data; change it whenever one of them changes.
    pub personal_data_version: Option<String>,
    /// How personal data is collected and used.
    pub personal_data_file: Option<TextFiles>,
    /// What is said beside the mobile number.
    pub mobile_notice_file: Option<TextFiles>,
    /// The terms of companies.
    pub corporate_terms_file: Option<TextFiles>,
    /// How personal data of companies is collected and used.
    pub corporate_personal_data_file: Option<TextFiles>,
    /// The terms of partners.
    pub partner_terms_file: Option<TextFiles>,
    /// How personal data of partners is collected and used.
    pub partner_personal_data_file: Option<TextFiles>,
}

impl MembersConfig {
    /// Each key of a text with where that is.
    #[must_use]
    pub fn files(&self) -> [(&'static str, Option<&TextFiles>); 6] {
        [
            ("personal_data_file", self.personal_data_file.as_ref()),
            ("mobile_notice_file", self.mobile_notice_file.as_ref()),
            ("corporate_terms_file", self.corporate_terms_file.as_ref()),
            (
                "corporate_personal_data_file",
                self.corporate_personal_data_file.as_ref(),
            ),
            ("partner_terms_file", self.partner_terms_file.as_ref()),
            (
                "partner_personal_data_file",
                self.partner_personal_data_file.as_ref(),
            ),
        ]
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if let Some(version) = &self.personal_data_version
            && version.trim().is_empty()
        {
            let why = "must not be empty: a sign-up names it";
            return Err(value("members.personal_data_version", why));
        }
        let of_kinds = [
            &self.corporate_personal_data_file,
            &self.partner_personal_data_file,
        ];
        match (&self.personal_data_version, &self.personal_data_file) {
            (Some(_), Some(_)) => Ok(()),
            (Some(_), None) => Err(value("members.personal_data_file", "is missing")),
            (None, Some(_)) => Err(value("members.personal_data_version", "is missing")),
            (None, None) if of_kinds.iter().any(|file| file.is_some()) => {
                let why = "is missing: those of companies and partners take its place";
                Err(value("members.personal_data_file", why))
            }
            (None, None) => Ok(()),
        }
    }
}

impl Config {
    /// Reads all texts that members agree to.
    pub fn member_texts(&self) -> Result<MemberTexts, ConfigError> {
        let members = &self.members;
        let read = |files: &Option<TextFiles>, key: &str| -> Result<Option<LegalTexts>, _> {
            let files = files.as_ref();
            files
                .map(|files| files.read(&format!("members.{key}")))
                .transpose()
        };
        let terms = ConsentTexts {
            version: self.installation.terms_version.clone(),
            general: self
                .installation
                .terms_file
                .read("installation.terms_file")?,
            corporate: read(&members.corporate_terms_file, "corporate_terms_file")?,
            partner: read(&members.partner_terms_file, "partner_terms_file")?,
        };
        let general = read(&members.personal_data_file, "personal_data_file")?;
        let corporate = read(
            &members.corporate_personal_data_file,
            "corporate_personal_data_file",
        )?;
        let partner = read(
            &members.partner_personal_data_file,
            "partner_personal_data_file",
        )?;
        let version = members.personal_data_version.clone();
        let personal_data = general.zip(version).map(|(general, version)| ConsentTexts {
            version,
            general,
            corporate,
            partner,
        });
        Ok(MemberTexts {
            terms,
            personal_data,
            mobile_notice: read(&members.mobile_notice_file, "mobile_notice_file")?,
        })
    }
}
