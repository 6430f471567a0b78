//! One witness that lies about the time, and keys and files that are not what they were.

#[path = "events/making.rs"]
mod making;
mod stage;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use making::{open_events, position, restart, send};
use stage::{
    NOW_S, Scene, TestAuditor, countersigned, of, open, publish, scene, setup, submission,
    world::{AUDITOR, DAY_MS, NOW_MS, ORIGIN, WITNESSES, log, witness},
};
use std::sync::Arc;
use strongroom_log::{Auditor, EventSubmitError, Folder, SubmitError};
use strongroom_tlog::{
    NoteSignature, NoteSigner as _, SeedSigner, SignedCheckpoint, cosign,
    witness::{AddCheckpoint, KnownLog},
};
use strongroom_verify::{Event, OrderFault};

/// The line that a witness would send for the auditor's head, dated as it likes.
fn dated(auditor: &TestAuditor, at: usize, time_s: u64) -> NoteSignature {
    let signed = auditor.log().signed();
    if time_s == 0 {
        return dated_zero(signed, at);
    }
    let request = AddCheckpoint::new(0, Vec::new(), signed).expect("a request");
    let known = KnownLog::new(log(ORIGIN).key().clone());
    let first = request.decide(Some(&known), None).expect("first contact");
    cosign(&first, &witness(at), time_s).expect("cosigns")
}

/// What no honest witness makes: its time may not be 0.
fn dated_zero(signed: &SignedCheckpoint, at: usize) -> NoteSignature {
    let (name, seed) = WITNESSES[at];
    let message = format!("cosignature/v1\ntime 0\n{}", signed.checkpoint().to_text());
    let signature = SeedSigner::new(&[seed; 32]).sign(message.as_bytes()).expect("signs");
    let id = witness(at).key().id().to_be_bytes();
    let bytes = [&id[..], &[0; 8], &signature].concat();
    let line = format!("\u{2014} {name} {}", BASE64_STANDARD.encode(bytes));
    NoteSignature::parse(&line).expect("a line")
}

#[test]
fn a_witness_whose_clock_lies_stops_nobody() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &submission(1)).expect("publishes");
    let (good, year_s) = ([dated(&auditor, 0, NOW_S), dated(&auditor, 3, NOW_S)], 365 * 86_400);
    for lie in [0, 1, NOW_S - year_s, NOW_S + 3_600, NOW_S + year_s] {
        let mut lines = vec![dated(&auditor, 2, lie)];
        lines.extend(good.clone());
        auditor.confirm(&lines, NOW_S, NOW_S).unwrap_or_else(|error| panic!("{lie}: {error}"));
        auditor.release(&lines, NOW_S).unwrap_or_else(|error| panic!("{lie}: {error}"));
    }
    // Nor does what it sent stand before what it sends once its clock is right.
    let lines = [dated(&auditor, 2, NOW_S), dated(&auditor, 3, NOW_S)];
    auditor.confirm(&lines, NOW_S, NOW_S).expect("a quorum");
    auditor.release(&lines, NOW_S).expect("a quorum");
    // Its lie alone counts for nothing.
    let lines = [dated(&auditor, 2, NOW_S + year_s), dated(&auditor, 3, NOW_S)];
    let refused = auditor.confirm(&lines, NOW_S, NOW_S);
    assert!(matches!(refused, Err(SubmitError::Quorum(_))), "{refused:?}");
}

fn open_with(
    scene: &Scene,
    signer: u8,
    not_before_ms: u64,
    earlier: &[u8],
) -> Result<TestAuditor, SubmitError> {
    let mut setup = setup();
    setup.statement_signer = SeedSigner::new(&[signer; 32]);
    setup.statement_not_before_ms = not_before_ms;
    setup.earlier_statement_keys =
        earlier.iter().map(|seed| SeedSigner::new(&[*seed; 32]).public()).collect();
    Auditor::open(Arc::new(Folder::open(&scene.dir.path().join("auditor"))?), setup)
}

#[test]
fn another_key_signs_nothing_again_that_an_earlier_one_signed() {
    const NEW: u8 = 90;
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    let first = publish(&mut auditor, &mut scene.witnesses, &submission(1)).expect("publishes");
    drop(auditor);
    let refused = open_with(&scene, NEW, NOW_MS - DAY_MS, &[]).map(drop);
    assert!(matches!(refused, Err(SubmitError::AnotherKey { epoch: 1 })), "{refused:?}");
    let mut auditor = open_with(&scene, NEW, NOW_MS - DAY_MS, &[AUDITOR]).expect("named");
    let lines = scene.witnesses.cosign(&mut auditor).expect("cosigned");
    auditor.confirm(&lines, NOW_S, NOW_S).expect("confirmed");
    let again = auditor.release(&lines, NOW_S).expect("releases").expect("an epoch");
    assert_eq!(*again.response(), first, "what was released stays");
    let second = publish(&mut auditor, &mut scene.witnesses, &submission(2)).expect("publishes");
    assert!(second.is_signed_by(&SeedSigner::new(&[NEW; 32]).public()));
}

#[test]
fn a_key_signs_no_statement_from_before_its_time() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    auditor.submit(&submission(1), NOW_MS).expect("taken");
    drop(auditor);
    // The old key is lost before the epoch was released.
    let mut auditor = open_with(&scene, 90, NOW_MS + 1, &[AUDITOR]).expect("opens");
    let lines = scene.witnesses.cosign(&mut auditor).expect("cosigned");
    let refused = auditor.release(&lines, NOW_S);
    assert!(matches!(refused, Err(SubmitError::BeforeKey { .. })), "{refused:?}");
}

#[test]
fn a_counter_signature_that_rotted_is_not_served_and_may_come_again() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    publish(&mut auditor, &mut scene.witnesses, &submission(1)).expect("publishes");
    let given = countersigned(&auditor, 1);
    auditor.countersign(&given).expect("kept");
    let good = auditor.bundle().expect("reads").expect("a bundle");
    let file = scene.dir.path().join("auditor/countersignatures/1");
    std::fs::write(&file, "5a".repeat(64)).expect("writes");
    assert!(auditor.bundle().expect("reads").is_none());
    auditor.countersign(&given).expect("kept");
    assert_eq!(auditor.bundle().expect("reads"), Some(good));
}

#[test]
fn a_response_that_rots_does_not_close_the_event_log() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &of(&making::keyed(1), &[1, 2])).expect("publishes");
    let mut own = making::witnesses(dir.path());
    let mut events = open_events(dir.path(), &mut own, &auditor).expect("opens");
    send(&mut events, &mut own, &auditor, &making::deployment(1)).expect("takes");
    drop(events);
    std::fs::write(dir.path().join("auditor/responses/1.json"), b"rotten").expect("writes");
    let mut events = open_events(dir.path(), &mut own, &auditor).expect("opens");
    assert_eq!(events.events().expect("reads").len(), 1);
    // A new one waits for it.
    let refused = events.submit(&restart(1, 1).to_json(), &auditor, NOW_MS);
    assert!(refused.is_ok(), "checked under the manifest that it was seen with: {refused:?}");
}

#[test]
fn a_signed_position_stands_in_the_log_once() {
    let Scene { dir, mut witnesses } = scene();
    let mut auditor = open(dir.path(), &mut witnesses).expect("opens");
    publish(&mut auditor, &mut witnesses, &of(&making::keyed(1), &[1, 2])).expect("publishes");
    let mut own = making::witnesses(dir.path());
    let mut events = open_events(dir.path(), &mut own, &auditor).expect("opens");
    let mut take = |event: &Event| send(&mut events, &mut own, &auditor, event);
    take(&position(1, 3, 1, 40)).expect("takes");
    take(&position(1, 3, 1, 41)).expect("takes");
    // Who has copied it gives it another time: nobody signed that.
    let Event::Position(mut copied) = position(1, 3, 1, 40) else { panic!("a position") };
    copied.time_ms += 1;
    let refused = take(&Event::Position(copied));
    let twice = |done: &Result<(), EventSubmitError>| {
        matches!(done, Err(EventSubmitError::Order(OrderFault::PositionTwice)))
    };
    assert!(twice(&refused), "{refused:?}");
    // Those inside a start are in the log, too; a start may name what was recorded before.
    take(&restart(1, 1)).expect("takes");
    let refused = take(&position(1, 1, 0, 0));
    assert!(twice(&refused), "{refused:?}");
}
