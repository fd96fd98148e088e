//! What a mail looks like, and how we introduce ourselves. Mail servers are talked to in `tests/http/outbox.rs`.

use innkeeper_wire::{api::Locale, id::uuid_v7, time::Timestamp};

use super::*;

fn mailer() -> Mailer {
    let config = config::Mail {
        host: "127.0.0.1".to_owned(),
        port: 25,
        encryption: MailEncryption::None,
        from: "Example Cloud <noreply@cloud.example>".to_owned(),
        hello_name: None,
        username: None,
        password_file: None,
    };
    Mailer::new(&config, &[]).expect("good settings")
}

fn a_mail() -> (MailId, Letter) {
    let id = MailId::from_uuid(uuid_v7(Timestamp::from_millis(1), [1; 10]));
    let letter = Letter {
        locale: Locale::Ko,
        subject: "이메일 주소를 인증해 주세요".to_owned(),
        body: "링크".to_owned(),
    };
    (id, letter)
}

#[test]
fn a_mail_is_marked_as_what_it_is() {
    let (id, letter) = a_mail();
    let message = mailer().compose(id, "minji@example.com", &letter);
    let text = message.expect("a mail").formatted();
    let text = String::from_utf8(text).expect("ASCII on the wire");
    for line in [
        &*format!("Message-ID: <{id}@cloud.example>"),
        "Auto-Submitted: auto-generated",
        "MIME-Version: 1.0",
        "Content-Language: ko",
        "Content-Transfer-Encoding: base64",
    ] {
        assert!(text.contains(&format!("{line}\r\n")), "{line} in {text}");
    }
    assert!(!text.contains("List-Unsubscribe"), "{text}");
    assert!(text.is_ascii(), "{text}");
}

#[test]
fn nobody_is_put_into_the_headers() {
    let (id, letter) = a_mail();
    let composed = mailer().compose(id, "a@b.cc\r\nBcc: x@y.zz", &letter);
    assert!(composed.is_err());
}

#[test]
fn we_are_introduced_by_a_name_that_others_can_look_up() {
    for (names, expected) in [
        (
            &["mail.cloud.example", "h1.example"][..],
            "mail.cloud.example",
        ),
        (&["localhost", "h1", "h1.example"], "h1.example"),
        (
            &["127.0.0.1", "2001:db8::1", "a b.example"],
            "cloud.example",
        ),
        (&["localhost.localdomain", "h1.local"], "cloud.example"),
        (&[], "cloud.example"),
    ] {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        assert_eq!(hello_name(names.iter(), "cloud.example"), expected);
    }
}

#[test]
fn the_full_name_of_a_machine_is_in_its_file_of_hosts() {
    let hosts = "127.0.0.1 localhost\n127.0.1.1 h1.cloud.example h1 # h1.not.example\n";
    assert_eq!(full_name("h1", hosts), "h1.cloud.example");
    assert_eq!(full_name("h2", hosts), "h2");
    assert_eq!(full_name("h2.cloud.example", hosts), "h2.cloud.example");
}
