//! Every target on its corpus, its seeds, and some changed inputs.

use std::time::Duration;
use strongroom_fuzz::{TARGETS, corpus, find, short_run};

#[test]
fn nothing_that_an_attacker_writes_breaks_a_property() {
    for target in TARGETS {
        let found = short_run(target, 7, 3_000, Duration::from_secs(4));
        assert_eq!(found.crash, None, "{}", target.name);
        assert!(found.accepted > 0, "{}: nothing was accepted, so little was tested", target.name);
    }
}

#[test]
fn one_seed_gives_one_sequence_of_inputs() {
    let target = find("record").expect("a target");
    let run = || short_run(target, 5, 500, Duration::from_secs(60));
    let (one, two) = (run(), run());
    assert_eq!((one.runs, one.accepted), (two.runs, two.accepted));
}

#[test]
fn every_target_but_the_recorded_one_has_a_corpus() {
    for target in TARGETS.iter().filter(|target| target.name != "vault") {
        assert!(!corpus(target.name).is_empty(), "{}", target.name);
    }
}
