//! What customers of the laboratory agree to, in three languages.

/// Each text with the name of its file.
pub(super) const TEXTS: [(&str, &str); 15] = [
    ("terms.txt", include_str!("texts/terms.en.txt")),
    ("terms.ko.txt", include_str!("texts/terms.ko.txt")),
    ("terms.zh-Hant.txt", include_str!("texts/terms.zh-Hant.txt")),
    ("privacy.txt", include_str!("texts/privacy.en.txt")),
    ("privacy.ko.txt", include_str!("texts/privacy.ko.txt")),
    (
        "privacy.zh-Hant.txt",
        include_str!("texts/privacy.zh-Hant.txt"),
    ),
    (
        "personal-data.txt",
        include_str!("texts/personal-data.en.txt"),
    ),
    (
        "personal-data.ko.txt",
        include_str!("texts/personal-data.ko.txt"),
    ),
    (
        "personal-data.zh-Hant.txt",
        include_str!("texts/personal-data.zh-Hant.txt"),
    ),
    (
        "mobile-notice.txt",
        include_str!("texts/mobile-notice.en.txt"),
    ),
    (
        "mobile-notice.ko.txt",
        include_str!("texts/mobile-notice.ko.txt"),
    ),
    (
        "mobile-notice.zh-Hant.txt",
        include_str!("texts/mobile-notice.zh-Hant.txt"),
    ),
    (
        "terms.partner.txt",
        include_str!("texts/terms.partner.en.txt"),
    ),
    (
        "terms.partner.ko.txt",
        include_str!("texts/terms.partner.ko.txt"),
    ),
    (
        "terms.partner.zh-Hant.txt",
        include_str!("texts/terms.partner.zh-Hant.txt"),
    ),
];
