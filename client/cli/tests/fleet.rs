//! Commands that talk to a fleet, from the first enrolment to the last attempt.

mod stage;

use stage::{Fate, Stage};
use std::{fs, os::unix::fs::PermissionsExt as _};

const GONE: &str = "at 0 the backup key is destroyed and nobody can restore it";

#[test]
fn a_key_is_enrolled_and_comes_back_on_a_new_phone() {
    let stage = Stage::new();
    let enrolled = stage.run(&["enroll", "PW:correct horse"]).succeeds();
    assert!(enrolled.err.contains("If you forget it"), "{enrolled:?}");
    assert!(enrolled.err.contains("INSECURE"), "{enrolled:?}");
    assert!(enrolled.out.starts_with("Stored: the backup key of alice in fleet dev, generation 1"));
    let mode = fs::metadata(stage.path("home").join("device.toml")).expect("file").permissions();
    assert_eq!(mode.mode() & 0o777, 0o600);

    stage.phone("new");
    let back = stage.run_on("new", &["recover", "PW:correct horse"]).succeeds();
    assert!(back.out.starts_with("Recovered: the backup key of alice"), "{back:?}");
    let digits = stage.run_on("new", &["key", "show"]).succeeds().out;
    assert_eq!(digits.trim().len(), 64);
    assert_eq!(digits, stage.run(&["key", "show"]).succeeds().out);
    assert_ne!(stage.device("home")["device_key"], stage.device("new")["device_key"]);
}

#[test]
fn recovery_says_in_json_where_the_time_went() {
    let stage = Stage::enrolled();
    let ran = stage.run(&["--json", "recover", "PW:correct horse"]).succeeds();
    let line = ran.json("recovered");
    let ms = |name: &str| line["timings"][name].as_f64().expect("a number");
    assert!(ms("argon2_ms") > 0.0 && ms("network_ms") > 0.0);
    assert!(ms("total_ms") >= ms("argon2_ms") + ms("network_ms"));
    assert_eq!(line["signed_by"]["site"], "site-1");
    assert!(!ran.out.contains("correct horse"));
}

#[test]
fn a_wrong_password_says_what_it_cost_and_who_signed_that() {
    let stage = Stage::enrolled();
    let cost = "1 attempt; 9 of 10 left (signed by node site-1-1)";
    let error = format!("error: wrong password\n  cost: {cost}\n  hint: {GONE}");
    stage.run(&["recover", "PW:battery staple"]).fails(12, &error);

    let json = stage.run(&["--json", "recover", "PW:battery staple"]);
    assert_eq!(json.code, 12);
    let line = json.json("error");
    assert_eq!((&line["code"], &line["cost"]), (&"wrong_password".into(), &"charged".into()));
    assert_eq!(line["attempts_left"], 8);

    let back = stage.run(&["recover", "PW:correct horse"]).succeeds();
    assert!(back.err.contains("attempts: 8 of 10 left"), "{back:?}");
    assert!(back.err.contains("2 wrong password(s) since the last success"), "{back:?}");
}

#[test]
fn the_last_attempt_is_not_spent_unasked() {
    let stage = Stage::enrolled();
    for n in 0..9 {
        assert_eq!(stage.run(&["recover", &format!("PW:wrong {n}")]).code, 12);
    }
    stage.gateway.fates(&[]);
    stage.run(&["recover", "PW:wrong 9"]).fails(
        2,
        "error: this is the last attempt: 1 of 10 left (signed by node site-1-1)\n  cost: none\n  \
         hint: if it fails, the backup key is destroyed and nobody can restore it; \
         --yes-last-attempt spends it without asking",
    );
    assert_eq!(stage.gateway.verbs(), ["budget"]);
    let ran = stage.run(&["recover", "--yes-last-attempt", "PW:wrong 9"]);
    ran.fails(
        13,
        "error: locked: the backup key was destroyed after too many wrong passwords\n  cost: 1 \
         attempt\n  hint: a device that still has the backup key can show it (`strongroom key show`) \
         and enroll it again",
    );
    // This device has the key still, and stores it anew.
    let key = stage.run(&["key", "show"]).succeeds().out;
    stage.run(&["enroll", "PW:better horse"]).succeeds();
    stage.phone("new");
    stage.run_on("new", &["recover", "PW:better horse"]).succeeds();
    assert_eq!(stage.run_on("new", &["key", "show"]).succeeds().out, key);
}

#[test]
fn an_account_without_a_record_is_exit_code_10() {
    let stage = Stage::new();
    stage.run(&["recover", "PW:anything"]).fails(
        10,
        "error: no backup key is stored for this account\n  cost: none\n  hint: check the account's \
         name; `strongroom enroll` stores a key",
    );
}

#[test]
fn weak_passwords_are_refused_unless_asked_for() {
    let stage = Stage::new();
    for weak in ["PW:1234", "PW:password1", "PW:aaaaaaaaaa"] {
        let ran = stage.run(&["enroll", weak]);
        assert_eq!(ran.code, 2);
        assert!(ran.err.contains("error: weak password: it is"), "{ran:?}");
    }
    assert_eq!(stage.gateway.verbs(), Vec::<String>::new());
    stage.run(&["enroll", "--allow-weak", "PW:1234"]).succeeds();
}

#[test]
fn another_devices_record_is_not_replaced_by_an_enrolment() {
    let stage = Stage::enrolled();
    stage.phone("thief");
    let ran = stage.run_on("thief", &["enroll", "PW:mine now now"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("error: another device owns the backup key"), "{ran:?}");
    assert!(ran.err.contains("cost: none"), "{ran:?}");
    stage.run(&["recover", "PW:correct horse"]).succeeds();
    let twice = stage.run(&["enroll", "PW:correct horse"]);
    assert!(twice.err.contains("enrolled already"), "{twice:?}");
}

#[test]
fn a_lost_receipt_is_said_and_settled_by_status() {
    let stage = Stage::new();
    // More than are tried in the second that the user has.
    let lost = vec![Fate::Lose; 64];
    stage.gateway.fates(&[vec![Fate::Answer], lost].concat());
    let ran = stage.run(&["--timeout", "1", "enroll", "PW:correct horse"]);
    assert_eq!(ran.code, 3, "{ran:?}");
    assert_eq!(stage.gateway.verbs().iter().filter(|v| *v == "register-start").count(), 1);
    stage.gateway.fates(&[]);
    assert!(ran.err.contains("no receipt: it is not known whether generation 1"), "{ran:?}");
    let again = stage.run(&["enroll", "PW:correct horse"]);
    assert_eq!(again.code, 3);
    assert!(again.err.contains("there is an enrolment without a receipt"), "{again:?}");
    assert!(stage.gateway.verbs().is_empty());

    let status = stage.run(&["status"]).succeeds();
    assert!(status.out.contains("the registration without a receipt is stored"), "{status:?}");
    assert_eq!(stage.device("home")["generation"].as_integer(), Some(1));
    assert!(stage.device("home").get("pending").is_none());
}

#[test]
fn a_registration_that_never_arrived_is_let_go_by_status() {
    let stage = Stage::new();
    let problem = r#"{"code":"timeout","detail":"no node answered in time","retry":"never","cost":"unknown"}"#;
    let fate = Fate::Problem(504, problem.to_owned());
    stage.gateway.fates(&[Fate::Answer, fate]);
    assert_eq!(stage.run(&["enroll", "PW:correct horse"]).code, 3);
    let status = stage.run(&["status"]);
    assert_eq!(status.code, 10);
    assert!(stage.device("home").get("pending").is_none());
    stage.run(&["enroll", "PW:correct horse"]).succeeds();
}

#[test]
fn status_shows_what_the_fleet_signed() {
    let stage = Stage::enrolled();
    assert_eq!(stage.run(&["recover", "PW:wrong one"]).code, 12);
    let status = stage.run(&["status"]).succeeds();
    for line in [
        "account   alice\n",
        "fleet     dev (protection: software)\n",
        "attempts  9 of 10 in a row, 39 of 40 in a year\n",
        "failures  1 since the last success: 2027-01-15 08:00:00 UTC\n",
        "signed    by node site-1-1 at 2027-01-15 08:00:00 UTC",
    ] {
        assert!(status.out.contains(line), "{line}{status:?}");
    }
    let json = stage.run(&["--json", "status"]).succeeds();
    assert_eq!(json.json("status")["failures_ms"][0], 1_800_000_000_000_u64);

    stage.phone("stranger");
    let stranger = stage.run_on("stranger", &["status"]).succeeds();
    assert!(stranger.out.contains("This device is not enrolled for alice."), "{stranger:?}");
}

#[test]
fn the_password_changes_and_the_key_stays() {
    let stage = Stage::enrolled();
    let before = stage.run(&["key", "show"]).succeeds().out;
    let ran = stage.run(&["password", "change", "PW:other horse"]).succeeds();
    assert!(ran.out.starts_with("Changed: the old password opens nothing any more"), "{ran:?}");
    stage.phone("new");
    assert_eq!(stage.run_on("new", &["recover", "PW:correct horse"]).code, 12);
    stage.run_on("new", &["recover", "PW:other horse"]).succeeds();
    assert_eq!(stage.run_on("new", &["key", "show"]).succeeds().out, before);
    // The new phone is the owner now.
    let ran = stage.run(&["password", "change", "PW:third horse"]);
    assert_eq!(ran.code, 1);
    assert!(ran.err.contains("this device is not enrolled for the record"), "{ran:?}");
}

#[test]
fn a_destroyed_record_leaves_the_key_on_the_device() {
    let stage = Stage::enrolled();
    assert_eq!(stage.run(&["destroy"]).code, 2);
    let ran = stage.run(&["destroy", "--yes"]).succeeds();
    assert!(ran.out.starts_with("Generation 1: destroyed"), "{ran:?}");
    assert_eq!(stage.run(&["recover", "PW:correct horse"]).code, 10);
    stage.run(&["key", "show"]).succeeds();
    stage.run(&["enroll", "PW:correct horse"]).succeeds();
}

#[test]
fn no_quorum_says_what_the_gateway_knows_and_what_it_may_have_cost() {
    let stage = Stage::enrolled();
    let problem = |cost: &str| {
        Fate::Problem(
            503,
            format!(
                r#"{{"code":"no_quorum","detail":"3 of 7 nodes answered, 4 are needed (down: gru hel sin syd)","retry":"never","cost":"{cost}"}}"#
            ),
        )
    };
    stage.gateway.fates(&[Fate::Answer, problem("unknown")]);
    let what = "error: no quorum: 3 of 7 nodes answered, 4 are needed (down: gru hel sin syd)";
    stage.run(&["recover", "PW:correct horse"]).fails(
        14,
        &format!(
            "{what}\n  cost: unknown; the request was sent, so 1 attempt may be charged\n  hint: \
             `strongroom status` shows the signed count; wait before you retry"
        ),
    );
    let hint = "wait until enough nodes are back, then retry";
    stage.gateway.fates(&[Fate::Answer, problem("none")]);
    let said =
        format!("{what}\n  cost: none, as the gateway says; nobody signed that\n  hint: {hint}");
    stage.run(&["recover", "PW:correct horse"]).fails(14, &said);
    // The question that comes first costs nothing, whoever says what.
    stage.gateway.fates(&[problem("none")]);
    let free = format!("{what}\n  cost: none\n  hint: {hint}");
    stage.run(&["recover", "PW:correct horse"]).fails(14, &free);
}

#[test]
fn a_server_key_that_the_manifest_does_not_list_is_exit_code_15() {
    let stage = Stage::enrolled();
    stage.gateway.vault.lock().expect("vault").fleet.usurp(2);
    stage.phone("new");
    let ran = stage.run_on("new", &["enroll", "PW:correct horse"]);
    assert_eq!(ran.code, 15);
    assert!(ran.err.contains("keyset 2: the fleet used key"), "{ran:?}");
}

#[test]
fn a_manifest_that_is_not_the_pinned_one_is_refused_before_any_password() {
    let stage = Stage::new();
    fs::write(stage.path("manifest.json"), "{}").expect("write");
    let ran = stage.run(&["recover", "PW:correct horse"]);
    assert_eq!(ran.code, 15);
    assert!(ran.err.contains("this app pins") && ran.err.contains("cost: none"), "{ran:?}");
    assert_eq!(stage.gateway.verbs(), Vec::<String>::new());

    let stage = Stage::new();
    let profile = stage.path("home").join("profile.toml");
    let text = fs::read_to_string(&profile).expect("profile");
    fs::write(&profile, text.replace("development", "production")).expect("write");
    let ran = stage.run(&["recover", "PW:correct horse"]);
    assert_eq!(ran.code, 15);
    assert!(ran.err.contains("below this client's floor"), "{ran:?}");
}

#[test]
fn a_folder_belongs_to_one_account() {
    let stage = Stage::enrolled();
    let ran = stage.run(&["recover", "bob", "PW:correct horse"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("holds the key of alice, not of bob"), "{ran:?}");
}
