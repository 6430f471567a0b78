//! What the program says of itself, and of arguments that make no sense.

mod stage;

use stage::{Ran, Stage, strongroom};
use std::fs;

fn run(arguments: &[&str]) -> Ran {
    Ran::of(strongroom().args(arguments).output().expect("run"))
}

#[test]
fn help_names_every_command_and_exit_code() {
    let help = run(&["--help"]).succeeds().out;
    for command in [
        "enroll",
        "recover",
        "status",
        "password",
        "key",
        "destroy",
        "backup",
        "restore",
        "snapshots",
        "check",
        "verify",
        "dev",
        "completions",
    ] {
        assert!(help.contains(&format!("\n  {command} ")), "{command}: {help}");
    }
    for code in ["10 no record", "11 busy", "12 wrong password", "13 locked", "14 no quorum"] {
        assert!(help.contains(code), "{code}: {help}");
    }
}

#[test]
fn every_command_has_help_and_takes_json() {
    for command in [
        &["enroll"][..],
        &["recover"],
        &["status"],
        &["password", "change"],
        &["key", "show"],
        &["key", "import"],
        &["destroy"],
        &["backup"],
        &["restore"],
        &["snapshots"],
        &["check"],
        &["verify"],
        &["verify", "evidence"],
        &["dev", "up"],
    ] {
        let help = run(&[command, &["--help"]].concat()).succeeds().out;
        assert!(help.contains("--json"), "{command:?}: {help}");
    }
}

#[test]
fn no_argument_takes_a_password() {
    for command in [&["enroll"][..], &["recover"], &["password", "change"]] {
        let help = run(&[command, &["--help"]].concat()).succeeds().out;
        assert!(!help.contains("--password <"), "{help}");
        for source in ["--password-file", "--password-command", "--password-fd"] {
            assert!(help.contains(source), "{help}");
        }
        let given = run(&[command, &["--password", "secret"]].concat());
        assert_eq!(given.code, 2);
    }
}

#[test]
fn wrong_usage_is_exit_code_2() {
    for arguments in [
        &[][..],
        &["frobnicate"],
        &["backup"],
        &["restore", "latest"],
        &["recover", "--password-file", "a", "--password-fd", "3"],
        &["--timeout", "0", "status"],
    ] {
        assert_eq!(run(arguments).code, 2, "{arguments:?}");
    }
}

#[test]
fn a_missing_profile_says_where_it_was_looked_for() {
    let dir = tempfile::tempdir().expect("dir");
    let home = dir.path().join("empty").display().to_string();
    let ran = run(&["--home", &home, "status"]);
    ran.fails(
        2,
        &format!(
            "error: no profile: {home}/profile.toml does not exist\n  hint: an app brings one; \
             `strongroom dev up` makes one, then `export STRONGROOM_HOME=…` as it says"
        ),
    );
}

#[test]
fn a_profile_with_a_mistake_is_named_and_its_token_is_not_shown() {
    let stage = Stage::new();
    let profile = stage.path("home").join("profile.toml");
    let text = fs::read_to_string(&profile).expect("profile");
    fs::write(&profile, text.replace("token = \"t\"", "tokn = \"s3cret\"")).expect("write");
    let ran = stage.run(&["status"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("tokn") && !ran.err.contains("s3cret"), "{ran:?}");
}

#[test]
fn password_sources_that_give_nothing_cost_nothing() {
    let stage = Stage::enrolled();
    stage.gateway.fates(&[]);
    let none = "\n  cost: none\n  hint: ";
    stage.run(&["recover"]).fails(
        2,
        &format!(
            "error: no password: standard input is not a terminal{none}use --password-file, \
             --password-command or --password-fd"
        ),
    );
    let missing = stage.run(&["recover", "--password-file", "/nonexistent/pw"]);
    missing.fails(
        2,
        "error: cannot read /nonexistent/pw: No such file or directory (os error 2)\n  cost: none",
    );
    let failed = stage.run(&["recover", "--password-command", "echo half; exit 3"]);
    failed
        .fails(2, "error: --password-command: the command ended with exit status: 3\n  cost: none");
    assert_eq!(stage.run(&["recover", "--password-fd", "77"]).code, 2);
    stage.run(&["recover", "PW:"]).fails(
        2,
        &format!(
            "error: the password is empty{none}nothing was sent; type it without that character"
        ),
    );
    let bell = stage.run(&["recover", "PW:bell\u{7}"]);
    assert!(bell.err.contains("character 5 of the password"), "{bell:?}");
    // Only the free question was asked.
    assert!(stage.gateway.verbs().iter().all(|verb| verb == "budget"));
}

#[test]
fn completions_are_printed_for_each_shell() {
    for shell in ["bash", "zsh", "fish"] {
        let ran = run(&["completions", shell]).succeeds();
        assert!(ran.out.contains("strongroom"), "{shell}");
    }
}
