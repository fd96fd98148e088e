//! What must not stand in a name that a person gives, his own or a key's: it is shown on pages, to others too.

/// Whether a part of it can't be seen, or changes how the rest is seen.
#[must_use]
pub fn has_invisible(name: &str) -> bool {
    name.chars().any(is_invisible)
}

/// A name without what can't be seen, in one line, with one blank between words.
#[must_use]
pub fn visible(name: &str) -> String {
    let seen = |c: char| c.is_whitespace() || !is_invisible(c);
    let seen: String = name.chars().filter(|c| seen(*c)).collect();
    let words: Vec<&str> = seen.split_whitespace().collect();
    words.join(" ")
}

/// Whether it has what a web address begins with. A bare `shop.example` passes: people have names with dots.
#[must_use]
pub fn has_link(name: &str) -> bool {
    let lower = name.to_lowercase();
    ["http", "://", "www."]
        .iter()
        .any(|part| lower.contains(part))
}

/// Control characters, and what has no shape of its own: Unicode's `Default_Ignorable_Code_Point`, the separators of
/// lines and paragraphs, everything that turns the direction of writing, and blanks that are no white space.
#[must_use]
pub fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'
                | '\u{1160}'
                | '\u{17b4}'
                | '\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{2800}'
                | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_can_not_be_seen_is_left_out() {
        for (name, seen) in [
            ("laptop", "laptop"),
            ("  my\u{a0} laptop\n", "my laptop"),
            ("lap\u{202e}top\u{0}", "laptop"),
            ("\u{200b}\u{200b}\u{3164}", ""),
            ("a\u{2028}b\u{85}c", "a b c"),
        ] {
            assert_eq!(visible(name), seen, "{name:?}");
        }
    }

    #[test]
    fn names_of_people_pass_and_tricks_do_not() {
        for good in [
            "김민지",
            "王小明",
            "J.R. O'Brien-Smith, Ph.D.",
            "Ἀριστοτέλης",
            "José",
            "עדי כהן",
        ] {
            assert!(!has_invisible(good), "{good}");
            assert!(!has_link(good), "{good}");
        }
        for trick in [
            "\u{200b}\u{200b}",
            "ad\u{202e}nim",
            "a\u{2028}b",
            "a\u{2029}b",
            "a\tb",
            "a\u{85}b",
            "\u{3164}",
            "a\u{ad}b",
            "\u{e0041}",
            "\u{feff}",
            "\u{2066}x\u{2069}",
        ] {
            assert!(has_invisible(trick), "{trick:?}");
        }
        for link in [
            "Pay now at https://evil.example/",
            "HTTP: evil",
            "WwW.evil.example",
            "ftp://evil.example",
        ] {
            assert!(has_link(link), "{link}");
        }
    }
}
