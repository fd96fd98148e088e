//! `doctor`, before the first start, beside the running service and after it, and on what a person has broken.

use std::fs;

use super::service::{Service, run_to_code, write_config};

#[test]
fn it_says_of_each_thing_whether_the_service_may_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let examined = |expected: &[&str]| {
        let (code, said) = run_to_code(&config, &["doctor"]);
        for line in expected {
            assert!(said.contains(line), "{line}\n{said}");
        }
        code
    };
    let always = [
        "ok       terms: ",
        "ok       portal's key: ",
        "ok       images: debian-12 is ",
        "warning  invoice fonts: no invoice can be had as PDF: could not read the font /nowhere/",
        "warning  mail server: 127.0.0.1:1: ",
        "warning  example: `cloud.example` is left in ",
    ];
    let code = examined(
        &[
            &always[..],
            &["ok       authority: made at the first start, of `acme`"],
        ]
        .concat(),
    );
    assert_eq!(code, Some(0), "warnings alone keep nothing from starting");
    assert!(
        !folder.path().join("data").exists(),
        "looking makes nothing"
    );

    let service = Service::start(&config);
    let beside = [
        "ok       authority: of `acme`",
        "ok       store: nothing in it",
    ];
    assert_eq!(examined(&[&always[..], &beside].concat()), Some(0));
    service.kill();
    assert_eq!(examined(&beside), Some(0));

    fs::remove_file(folder.path().join("terms.txt")).expect("removed");
    fs::write(folder.path().join("portal.key"), "short").expect("written");
    fs::write(folder.path().join("disk.raw"), "no disk").expect("written");
    let broken = [
        "PROBLEM  terms: ",
        "PROBLEM  portal's key: ",
        "PROBLEM  images: debian-12: ",
        "3 problems, ",
    ];
    assert_eq!(examined(&broken), Some(1));
    let (_, said) = run_to_code(&config, &["doctor", "--json"]);
    let json: serde_json::Value = serde_json::from_str(&said).expect("JSON");
    assert_eq!(json[0]["check"], "configuration");
}

#[test]
fn a_configuration_that_can_not_be_read_is_the_one_finding() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = write_config(folder.path());
    let text = fs::read_to_string(&config).expect("there");
    let text = text.replace("https://portal.cloud.example", "cloud.example");
    fs::write(&config, text).expect("written");
    let (code, said) = run_to_code(&config, &["doctor"]);
    assert!(
        code == Some(1) && said.contains("PROBLEM  configuration: installation.portal_url"),
        "{said}"
    );
    let (code, said) = run_to_code(&config, &["serve"]);
    assert!(code == Some(78) && said.contains("portal_url"), "{said}");
}
