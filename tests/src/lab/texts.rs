//! What customers of the laboratory agree to, in three languages.

/// Each text with the name of its file.
pub(super) const TEXTS: [(&str, &str); 6] = [
    ("terms.txt", include_str!("texts/terms.en.txt")),
    ("terms.ko.txt", include_str!("texts/terms.ko.txt")),
    ("terms.zh-Hant.txt", include_str!("texts/terms.zh-Hant.txt")),
    ("privacy.txt", include_str!("texts/privacy.en.txt")),
    ("privacy.ko.txt", include_str!("texts/privacy.ko.txt")),
    (
        "privacy.zh-Hant.txt",
        include_str!("texts/privacy.zh-Hant.txt"),
    ),
];
