//! Sessions: what their owner is told of them, and how long a proof of who he is lasts (R65).

use std::time::Duration;

use innkeeper_wire::{
    api::{CLIENT_LENGTH_MAX, PROOF_VALID_S},
    time::Timestamp,
};
use serde::{Deserialize, Serialize};

use super::lockout::SLACK;

/// Where a session was opened, and with what. Never stored but sealed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionPlace {
    /// The network, such as `203.0.113.0/24`.
    pub network: String,
    /// Such as `Firefox, Windows`.
    pub client: Option<String>,
}

/// Whether a proof made at `proved_at` is still good. One from before the clock was set back is not.
#[must_use]
pub fn is_proved(proved_at: Timestamp, now: Timestamp) -> bool {
    now.since(proved_at) < Duration::from_secs(PROOF_VALID_S) && proved_at <= now.after(SLACK)
}

/// Programs by what their `User-Agent` has in it. Most pretend to be others that came before them, so that the order counts.
const PROGRAMS: [(&str, &str); 14] = [
    ("Whale/", "Whale"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("KAKAOTALK", "KakaoTalk"),
    ("Line/", "LINE"),
    ("NAVER(", "NAVER"),
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
    ("curl/", "curl"),
];
/// Systems likewise.
const SYSTEMS: [(&str, &str); 8] = [
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Mac OS X", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
];

/// What an owner recognises his device by. Names of programs and systems are the same in all languages; what is in neither
/// table is not repeated, since whoever signed in has chosen it.
#[must_use]
pub fn client(user_agent: &str) -> Option<String> {
    let text = user_agent.get(..CLIENT_LENGTH_MAX).unwrap_or(user_agent);
    let named = |table: &[(&str, &'static str)]| {
        let found = table.iter().find(|(part, _)| text.contains(part));
        found.map(|(_, name)| *name)
    };
    match (named(&PROGRAMS), named(&SYSTEMS)) {
        (Some(program), Some(system)) => Some(format!("{program}, {system}")),
        (Some(one), None) | (None, Some(one)) => Some(one.to_owned()),
        (None, None) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_proof_lasts_for_ten_minutes() {
        let at = |second: i64| Timestamp::from_millis(1_790_000_000_000 + second * 1_000);
        assert!(is_proved(at(0), at(0)) && is_proved(at(0), at(599)));
        assert!(!is_proved(at(0), at(600)));
        assert!(
            is_proved(at(100), at(0)),
            "clocks are put right by a little"
        );
        assert!(!is_proved(at(86_400), at(0)));
    }

    #[test]
    fn devices_are_told_apart_by_program_and_system() {
        let webkit = "AppleWebKit/537.36 (KHTML, like Gecko)";
        for (text, expected) in [
            (
                "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:140.0) Gecko/20100101 Firefox/140.0",
                Some("Firefox, Windows"),
            ),
            (
                &format!("Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/140.0.0.0 Safari/537.36"),
                Some("Chrome, Windows"),
            ),
            (
                &format!(
                    "Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/140.0.0.0 Safari/537.36 Edg/140.0"
                ),
                Some("Edge, Windows"),
            ),
            (
                &format!(
                    "Mozilla/5.0 (Windows NT 10.0) {webkit} Chrome/138.0.0.0 Whale/4.33 Safari/537.36"
                ),
                Some("Whale, Windows"),
            ),
            (
                &format!(
                    "Mozilla/5.0 (Linux; Android 15; SM-S928N) {webkit} SamsungBrowser/28.0 Chrome/130.0 Mobile Safari/537.36"
                ),
                Some("Samsung Internet, Android"),
            ),
            (
                "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Mobile Safari/604.1",
                Some("Safari, iPhone"),
            ),
            (
                "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 Version/18.0 Safari/605.1.15",
                Some("Safari, macOS"),
            ),
            ("curl/8.5.0", Some("curl")),
            ("<script>alert(1)</script>", None),
            ("", None),
        ] {
            assert_eq!(client(text).as_deref(), expected, "{text}");
        }
        // However long it is, and wherever it is cut.
        assert_eq!(client(&"서".repeat(5_000)), None);
    }
}
