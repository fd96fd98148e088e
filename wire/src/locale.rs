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
