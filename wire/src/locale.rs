//! The languages that people are spoken to in.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

codes! {
    /// Languages of portal and mails.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
    pub enum Locale {
        /// English.
        En = "en",
        /// Korean.
        Ko = "ko",
        /// Traditional Chinese.
        ZhHant = "zh-Hant",
    }
}

impl Locale {
    /// One of three texts: in English, Korean, Chinese.
    #[must_use]
    pub fn say<T>(self, en: T, ko: T, zh: T) -> T {
        match self {
            Self::En => en,
            Self::Ko => ko,
            Self::ZhHant => zh,
        }
    }
}
