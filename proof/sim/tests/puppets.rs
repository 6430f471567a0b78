//! What a vault does when peers that hold the right link keys say what none of them may say: it
//! drops that, or it stops and tells its host which of its reasons it was.

mod stage;

use stage::{BASE, BASE_HASH, Stage, Words, puppet, replica};

#[test]
fn a_message_of_no_kind_is_dropped_and_told() {
    let mut stage = Stage::admitted(b"");
    for message in [&b""[..], &[9], &[2, 0xff], &[2, 0x80]] {
        stage.events.clear();
        stage.say(3, message);
        let told = |text: &String| text.starts_with("node 3: ") && text.ends_with("; dropped");
        assert_eq!(stage.events.iter().filter(|text| told(text)).count(), 1, "{message:?}");
    }
    assert_eq!(stage.halted(), None);
}

#[test]
fn three_nodes_with_another_history_are_told_of_and_a_majority_of_seven_stops_the_vault() {
    let mut stage = Stage::admitted(b"");
    for node in 2..=4 {
        stage.events.clear();
        stage.beat(node, BASE, [0xee; 32]);
        stage.beat(node, BASE, [0xee; 32]);
        let told = format!("node {node} holds another state at index {BASE}");
        assert_eq!(stage.events.iter().filter(|text| **text == told).count(), 1, "once");
    }
    stage.beat(5, BASE + 1, [0xee; 32]);
    assert_eq!(stage.halted(), None, "a position that it does not know tells nothing");
    stage.beat(5, BASE, [0xee; 32]);
    assert_eq!(stage.halted(), Some(102));
}

#[test]
fn a_snapshot_that_holds_no_state_stops_the_vault() {
    let stage = Stage::admitted(b"no state");
    assert_eq!(stage.halted(), Some(104));
}

#[test]
fn a_committed_entry_that_cannot_be_read_stops_the_vault() {
    let mut stage = Stage::admitted(b"");
    stage.append(BASE_HASH, 1, b"no entry", &[6; 32]);
    assert_eq!(stage.halted(), Some(105));
}

/// What the vault's host is told when its replica stops.
fn halt(say: impl FnOnce(&mut Stage)) -> u16 {
    let mut stage = Stage::admitted(b"");
    assert_eq!(stage.halted(), None);
    say(&mut stage);
    let [(code, reason)] = stage.halts.as_slice() else { panic!("{:?}", stage.halts) };
    assert!(!reason.is_empty());
    assert_eq!(stage.halted(), Some(*code));
    *code
}

/// A change of seats, as an entry carries it: 0 adds a learner, 2 removes.
fn change(stage: &mut Stage, step: u64, id: u64) {
    let mut e = Words::new();
    e.array(2).number(1).array(1).array(2).number(step).number(id);
    stage.append(BASE_HASH, 2, &e.into_bytes(), b"");
}

#[test]
fn each_proof_that_something_was_put_back_forked_or_started_again_stops_the_vault_with_its_code() {
    let another_process = |stage: &Stage| stage.own() ^ 1;
    let superseded = halt(|stage| change(stage, 0, another_process(stage)));
    let newer_era = halt(|stage| {
        let mut e = Words::new();
        e.array(2).number(3).number(2);
        stage.say(3, &replica(e));
    });
    let diverged = halt(|stage| stage.append([0xee; 32], 0, b"", b""));
    let rolled_back = halt(|stage| stage.heartbeat(2, BASE + 1));
    let two_leaders = halt(|stage| {
        stage.heartbeat(2, BASE);
        stage.heartbeat(3, BASE);
    });
    let nobody_left = halt(|stage| change(stage, 2, puppet(2)));
    let codes = [superseded, newer_era, diverged, rolled_back, two_leaders, nobody_left];
    assert_eq!(codes, [1, 2, 3, 4, 5, 7]);
}
