//! The small configurations hold, and each rule left out breaks a promise.

use std::process::{Command, Output};

fn model(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom-model")).args(args).output().expect("it runs")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_promise_holds_in_every_state_of_the_small_configurations() {
    let run = model(&[]);
    assert_eq!(run.status.code(), Some(0), "{}", said(&run));
    let small = [
        "elections",
        "three-terms",
        "five",
        "restarts",
        "two-restarts",
        "forks",
        "starts",
        "power-loss",
        "forked-loss",
        "five-loss",
    ];
    for config in small {
        assert!(said(&run).contains(&format!("{config}: ")), "{config} was not visited");
    }
}

#[test]
fn a_rule_left_out_breaks_a_promise() {
    let cases = [
        ("keep-name", "restarts", "one leader a term"),
        ("no-freeze", "starts", "holds every answered charge"),
        ("empty-counts", "power-loss", "holds every answered charge"),
        ("old-counts", "power-loss", "holds every answered charge"),
        ("twin-counts", "forked-loss", "holds every answered charge"),
        ("superseded-goes-on", "forks", "readmitted"),
    ];
    for (mutant, config, promise) in cases {
        let run = model(&["--mutant", mutant, "--config", config]);
        assert_eq!(run.status.code(), Some(1), "{mutant} survived: {}", said(&run));
        assert!(said(&run).contains(promise), "{mutant}: {}", said(&run));
    }
}

#[test]
fn the_code_that_the_specification_names_is_there() {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let chapter = std::fs::read_to_string(format!("{root}/docs/spec/17-model.md")).expect("spec");
    let mut named = 0;
    for line in chapter.lines().filter(|line| line.starts_with("| `")) {
        for place in line.split('`').filter(|part| part.contains(".rs: ")) {
            let (file, function) = place.split_once(": ").expect("file: function");
            let text = std::fs::read_to_string(format!("{root}/{file}"))
                .unwrap_or_else(|e| panic!("{file}: {e}"));
            assert!(text.contains(&format!("fn {function}(")), "{file} has no {function}");
            named += 1;
        }
    }
    assert!(named >= 10, "only {named} places are named");
}

#[test]
fn a_wrong_line_is_refused() {
    assert_eq!(model(&["--config", "peace"]).status.code(), Some(2));
    assert_eq!(model(&["--mutant", "none"]).status.code(), Some(2));
}
