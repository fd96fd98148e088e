//! What mails to the staff say. In English: nobody of the staff has chosen a language.

use innkeeper_wire::api::Locale;

use crate::mails::rules::{Letter, Reader, Stationery, ToldMatter};

/// Who reads a mail at this address.
#[must_use]
pub fn reader(sheet: &Stationery, to: String) -> Reader {
    Reader {
        to,
        locale: Locale::En,
        zone: sheet.time_zone.clone(),
    }
}

/// What is new of what needs a person; `more` are not named. `portal_url` is that of the staff's portal.
#[must_use]
pub fn alert(
    sheet: &Stationery,
    reader: &Reader,
    (matters, more): (&[ToldMatter], usize),
    portal_url: Option<&str>,
) -> Letter {
    let subject = match (matters, more) {
        ([matter], 0) => named(matter),
        _ => format!("{} things need a person", matters.len() + more),
    };
    let lines = matters.iter().map(|matter| {
        let since = matter.since.map(|since| reader.at(since));
        let since = since.map_or(String::new(), |since| format!(", since {since}"));
        format!("- {}{since}\n  {}", named(matter), matter.kind.advice())
    });
    let mut list = lines.collect::<Vec<_>>().join("\n");
    if more > 0 {
        list += &format!("\n- and {more} more");
    }
    let all = match portal_url {
        Some(url) => format!("All that needs a person now:\n{url}/attention"),
        None => "All that needs a person now: `innkeeper-control-plane attention`".to_owned(),
    };
    let text = [
        format!("This needs a person now:\n\n{list}"),
        all,
        "Each thing is told once when it begins, and at most once an hour.".to_owned(),
    ];
    sheet.letter(reader, &subject, &text)
}

fn named(matter: &ToldMatter) -> String {
    let kind = matter.kind.as_str().replace('_', " ");
    match &matter.subject {
        Some(subject) => format!("{kind}: {subject}"),
        None => kind,
    }
}

#[cfg(test)]
mod tests {
    use innkeeper_wire::operator::attention::MatterKind;

    use super::*;
    use crate::mails::rules::samples::stationery;

    #[test]
    fn an_alert_reads_so() {
        let sheet = stationery();
        let reader = reader(&sheet, "yuna@hoster.example".to_owned());
        let silent = ToldMatter {
            kind: MatterKind::HostSilent,
            subject: Some("h1".to_owned()),
            since: Some("2026-11-26T23:00:00Z".parse().expect("a time")),
        };
        let behind = ToldMatter {
            kind: MatterKind::StoreBehind,
            subject: None,
            since: None,
        };
        let url = Some("https://ops.cloud.example");
        let one = alert(&sheet, &reader, (std::slice::from_ref(&silent), 0), url);
        let many = alert(&sheet, &reader, (&[silent, behind], 7), None);
        let text = [one, many].map(|letter| {
            assert_eq!(letter.locale, Locale::En);
            format!("Subject: {}\n\n{}", letter.subject, letter.body)
        });
        insta::assert_snapshot!(text.join("\n"));
    }
}
