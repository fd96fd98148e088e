//! Rules for templates and style sheet that a machine can check.

use std::{collections::HashMap, fs, path::Path};

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)).expect("a file")
}

#[test]
fn templates_have_nothing_inline() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("templates");
    for entry in fs::read_dir(folder).expect("templates") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a template");
        for bad in [
            " style=",
            "<style",
            "<script>",
            " onclick",
            " onload",
            " onsubmit",
            "javascript:",
            "|safe",
        ] {
            assert!(!text.contains(bad), "{bad} in {}", path.display());
        }
        assert!(
            !text.contains("http://") && !text.contains("https://"),
            "{}",
            path.display()
        );
        if path.file_name().is_some_and(|name| name == "form.html") {
            continue;
        }
        assert_eq!(
            text.matches("method=\"post\"").count(),
            text.matches("name=\"form_token\"").count()
                + text.matches("forms::token(frame)").count(),
            "each form of {} has a token",
            path.display()
        );
    }
}

/// The tokens of the light and of the dark theme.
fn themes() -> [HashMap<String, String>; 2] {
    let style = read("static/style.css");
    let mut blocks = style.split(":root {").skip(1);
    let mut theme = || {
        let block = blocks
            .next()
            .expect("a theme")
            .split('}')
            .next()
            .expect("its end");
        let pairs = block
            .lines()
            .filter_map(|line| line.trim().split_once(": "));
        pairs
            .map(|(name, value)| (name.to_owned(), value.trim_end_matches(';').to_owned()))
            .collect()
    };
    [theme(), theme()]
}

/// Relative luminance as WCAG 2.2 defines it.
fn luminance(colour: &str) -> f64 {
    let channel = |at: usize| {
        let byte = u8::from_str_radix(&colour[at..at + 2], 16).expect("hex digits");
        let share = f64::from(byte) / 255.0;
        if share <= 0.040_45 {
            share / 12.92
        } else {
            ((share + 0.055) / 1.055).powf(2.4)
        }
    };
    0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
}

fn contrast(one: &str, other: &str) -> f64 {
    let (a, b) = (luminance(one), luminance(other));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

#[test]
fn colours_have_enough_contrast_in_both_themes() {
    for (theme, tokens) in ["light", "dark"].iter().zip(themes()) {
        let check = |text: &str, ground: &str, least: f64| {
            let ratio = contrast(&tokens[text], &tokens[ground]);
            assert!(
                ratio >= least,
                "{text} on {ground}, {theme}: {ratio:.2} < {least}"
            );
        };
        for ground in ["--ground", "--surface", "--sunken"] {
            check("--text", ground, 4.5);
            check("--muted", ground, 4.5);
            check("--control", ground, 3.0);
        }
        for ground in ["--ground", "--surface", "--sunken", "--accent-wash"] {
            check("--accent", ground, 4.5);
        }
        check("--accent-strong", "--accent-wash", 4.5);
        check("--on-accent", "--accent", 4.5);
        check("--on-accent", "--accent-strong", 4.5);
        for status in ["--well", "--moving", "--trouble", "--rest"] {
            check(status, &format!("{status}-wash"), 4.5);
            check(status, "--surface", 4.5);
        }
        check("--text", "--trouble-wash", 4.5);
        check("--text", "--accent-wash", 4.5);
        check("--muted", "--accent-wash", 4.5);
    }
}
