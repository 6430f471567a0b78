//! The vectors that other implementations run, and what holds for every text.

use precis_core::profile::Profile as _;
use precis_profiles::OpaqueString;
use proptest::prelude::*;
use serde::Deserialize;
use strongroom_account::{Account, AccountError, PASSWORD_LEN_MAX, Password, PasswordError, Unfit};
use strongroom_wire::caps;

#[derive(Deserialize)]
struct Vector {
    name: String,
    typed: String,
    prepared: Option<String>,
    refused: Option<String>,
}

fn unfit(why: Unfit) -> &'static str {
    match why {
        Unfit::Invisible => "invisible",
        Unfit::Unassigned => "unassigned",
        Unfit::Context => "context",
        Unfit::Kind => "kind",
    }
}

fn run(file: &str, f: impl Fn(&str) -> Result<Vec<u8>, &'static str>) {
    let vectors: Vec<Vector> = serde_json::from_str(file).expect("the vectors are JSON");
    let mut wrong = Vec::new();
    for vector in vectors {
        let got = f(&vector.typed).map(hex::encode).map_err(str::to_owned);
        let expected = vector.prepared.ok_or_else(|| vector.refused.expect("prepared or refused"));
        if got != expected {
            wrong.push(format!("{}: {got:?}, expected {expected:?}", vector.name));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn password_vectors_hold() {
    run(include_str!("../vectors/passwords.json"), |typed| match Password::prepare(typed) {
        Ok(password) => Ok(password.as_bytes().to_vec()),
        Err(PasswordError::Empty) => Err("empty"),
        Err(PasswordError::TooLong { .. }) => Err("too long"),
        Err(PasswordError::Character { why, .. }) => Err(unfit(why)),
    });
}

#[test]
fn account_vectors_hold() {
    run(include_str!("../vectors/accounts.json"), |typed| match Account::normalise(typed) {
        Ok(account) => Ok(account.as_str().as_bytes().to_vec()),
        Err(AccountError::Empty) => Err("empty"),
        Err(AccountError::TooLong { .. }) => Err("too long"),
        Err(AccountError::Character { why, .. }) => Err(unfit(why)),
        Err(AccountError::Direction) => Err("direction"),
        Err(AccountError::Unstable) => Err("unstable"),
    });
}

#[test]
fn caps_hold_after_mapping() {
    assert!(Password::prepare(&"a".repeat(PASSWORD_LEN_MAX)).is_ok());
    let long = "a".repeat(PASSWORD_LEN_MAX + 1);
    let got = PASSWORD_LEN_MAX + 1;
    assert_eq!(Password::prepare(&long).expect_err("one too many"), PasswordError::TooLong { got });
    let name = "a".repeat(caps::ACCOUNT_LEN_MAX);
    assert!(Account::normalise(&name).is_ok());
    assert!(Account::normalise(&format!("{name}a")).is_err());
    // U+0130 becomes two characters: three bytes for two.
    assert!(matches!(
        Account::normalise(&"\u{130}".repeat(caps::ACCOUNT_LEN_MAX / 2)),
        Err(AccountError::TooLong { .. })
    ));
}

#[test]
fn tables_for_composition_are_no_older_than_those_for_assignment() {
    // Otherwise a new character could be let in before its composition is known, and a later
    // version would make other bytes of it.
    let (major, minor, update) = unicode_normalization::UNICODE_VERSION;
    let composition = (u64::from(major), u64::from(minor), u64::from(update));
    assert!(composition >= unicode_properties::UNICODE_VERSION);
}

#[test]
fn messages_hold_no_character_of_the_password() {
    let error = Password::prepare("pass\u{7}word").expect_err("a control character");
    assert_eq!(
        error.to_string(),
        "character 5 of the password is a control or invisible character"
    );
    let password = Password::prepare("hunter2").expect("fine");
    assert!(!format!("{password:?}").contains("hunter"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(20_000))]

    #[test]
    fn what_opaque_string_accepts_is_accepted_with_the_same_bytes(typed in "\\PC{0,24}|[ -~\u{a0}-\u{2ff}\u{3000}]{0,24}") {
        if let Ok(theirs) = OpaqueString::new().enforce(typed.as_str()) {
            let ours = Password::prepare(&typed).map(|p| p.as_bytes().to_vec());
            prop_assert_eq!(ours.as_deref(), Ok(theirs.as_bytes()));
        }
    }

    #[test]
    fn preparation_is_idempotent(typed in any::<String>()) {
        if let Ok(once) = Password::prepare(&typed) {
            let twice = Password::prepare(once.as_str()).expect("prepared text is accepted");
            prop_assert_eq!(once.as_bytes(), twice.as_bytes());
        }
        if let Ok(once) = Account::normalise(&typed) {
            prop_assert_eq!(&Account::normalise(once.as_str()).expect("normal"), &once);
        }
    }

    #[test]
    fn composed_and_decomposed_are_one_password(typed in "[a-zà-ÿĀ-ſ가-힣 ]{1,20}") {
        use unicode_normalization::UnicodeNormalization as _;
        let decomposed: String = typed.nfd().collect();
        let one = Password::prepare(&typed).expect("one");
        let other = Password::prepare(&decomposed).expect("other");
        prop_assert_eq!(one.as_bytes(), other.as_bytes());
    }

    #[test]
    fn case_and_width_make_no_second_account(name in "[A-Za-z0-9.@_-]{1,40}") {
        let wide: String = name.chars().map(|c| {
            char::from_u32(u32::from(c) + 0xfee0).expect("full width of printable ASCII")
        }).collect();
        let normal = Account::normalise(&name).expect("normal");
        prop_assert_eq!(normal.as_str(), name.to_ascii_lowercase());
        prop_assert_eq!(Account::normalise(&wide).expect("wide"), normal);
    }
}
