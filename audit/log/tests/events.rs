//! The event log: what it takes, what it refuses, and what no crash and no old disk makes of it.

#[path = "events/making.rs"]
mod making;
mod stage;

use making::{
    EVENTS, TestEvents, after, cosign, deployment, keyed, open_events, position, restart, send,
    setup, signed_by_custodians, signed_by_operator, witnesses,
};
use stage::world::{DAY_MS, NOW_MS, OPERATOR, key, log};
use stage::{NOW_S, Scene, TestAuditor, of, open, publish, scene};
use std::sync::Arc;
use strongroom_log::{EventLog, EventSubmitError, Folder, FolderError, LogError};
use strongroom_manifest::Hex;
use strongroom_verify::{Event, EventError, EventFault, Noted, OrderFault};

/// An auditor with two released epochs, and its event log.
fn begun() -> (Scene, TestAuditor, TestEvents, making::EventWitnesses) {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    for epoch in 1..=2 {
        let submission = of(&keyed(epoch), &[1, 2]);
        publish(&mut auditor, &mut scene.witnesses, &submission).expect("publishes");
    }
    let mut own = witnesses(scene.dir.path());
    let events = open_events(scene.dir.path(), &mut own, &auditor).expect("opens");
    (scene, auditor, events, own)
}

fn submit(
    events: &mut TestEvents,
    auditor: &TestAuditor,
    event: &Event,
) -> Result<u64, EventSubmitError> {
    events.submit(&event.to_json(), auditor, NOW_MS)
}

#[test]
fn events_of_every_kind_are_taken_published_and_read_again() {
    let (scene, auditor, mut events, mut own) = begun();
    let all = [deployment(1), position(1, 3, 1, 40), restart(1, 1), deployment(2)];
    for (index, event) in (0..).zip(&all) {
        assert_eq!(submit(&mut events, &auditor, event).expect("takes"), index);
    }
    assert_eq!(events.published().expect("reads"), None, "no quorum has seen it");
    let lines = cosign(&mut events, &mut own).expect("cosigns");
    events.release(&lines, NOW_S).expect("releases");
    assert_eq!(events.published().expect("reads").expect("is there").checkpoint().size(), 4);
    drop(events);
    let events = open_events(scene.dir.path(), &mut own, &auditor).expect("opens");
    let read: Vec<Event> = events.events().expect("reads").into_iter().map(|(e, _)| e).collect();
    assert_eq!(read, all);
}

#[test]
fn the_same_event_again_is_the_same_entry() {
    let (_scene, auditor, mut events, _own) = begun();
    let event = deployment(1);
    assert_eq!(submit(&mut events, &auditor, &event).expect("takes"), 0);
    assert_eq!(submit(&mut events, &auditor, &event).expect("again"), 0);
    assert_eq!(events.log().head().size, 1);
}

/// What the auditor says of an event that is signed by whom it should be, but says something else.
fn refused(event: Event) -> EventSubmitError {
    let (_scene, auditor, mut events, _own) = begun();
    let refused = submit(&mut events, &auditor, &event).expect_err("refused");
    assert_eq!(events.log().head().size, 0, "{refused}");
    refused
}

fn fault(event: Event) -> EventFault {
    match refused(event) {
        EventSubmitError::Fault(fault) => fault,
        other => panic!("{other:?}"),
    }
}

fn changed(mut event: Event, change: impl FnOnce(&mut Event)) -> Event {
    change(&mut event);
    match event {
        Event::Deployment(_) => signed_by_operator(event),
        Event::Position(_) => event,
        Event::Restart(_) => signed_by_custodians(event, &[1, 2]),
    }
}

#[test]
fn a_record_of_what_is_not_in_the_manifest_is_refused() {
    let record = |change: fn(&mut strongroom_verify::Deployment)| {
        fault(changed(deployment(1), |event| match event {
            Event::Deployment(record) => change(record),
            _ => unreachable!("made above"),
        }))
    };
    assert!(matches!(record(|r| r.manifest_sha256.0[0] ^= 1), EventFault::Manifest { .. }));
    assert!(matches!(record(|r| r.epoch = 2), EventFault::Manifest { .. }));
    assert!(matches!(record(|r| r.fleet = "two".to_owned()), EventFault::Fleet { .. }));
    assert!(matches!(record(|r| r.measurement = "ab".to_owned()), EventFault::Measurement { .. }));
}

#[test]
fn nobody_but_the_operator_deploys() {
    let mut bare = deployment(1);
    let Event::Deployment(record) = &mut bare else { unreachable!("made above") };
    record.signatures.clear();
    assert_eq!(fault(bare.clone()), EventFault::Signatures { got: 0, needed: 1 });
    let stranger = making::sign(bare.clone(), 77);
    assert!(matches!(fault(stranger), EventFault::Stranger { .. }));
    // The operator's, and one more that has no say: a list that nobody can read two ways.
    let both = making::sign(signed_by_operator(bare.clone()), 1);
    assert!(matches!(fault(both), EventFault::Stranger { .. }));
    let mut other = signed_by_operator(bare);
    let Event::Deployment(record) = &mut other else { unreachable!("made above") };
    record.ceremony_sha256.0[5] ^= 1;
    assert!(matches!(fault(other), EventFault::Signature { .. }), "signed something else");
}

#[test]
fn an_event_of_another_log_is_not_signed_for_this_one() {
    let mut event = deployment(1);
    let Event::Deployment(record) = &mut event else { unreachable!("made above") };
    record.signatures.clear();
    let statement = event.statement("elsewhere.example/events");
    let signature = ed25519_dalek::Signer::sign(&key(OPERATOR), &statement).to_bytes();
    event.sign(key(OPERATOR).verifying_key().to_bytes(), signature);
    assert!(matches!(fault(event), EventFault::Signature { .. }));
}

#[test]
fn a_position_is_its_nodes_own() {
    assert!(submit_ok(position(1, 3, 1, 40)));
    let other_node = changed(position(1, 3, 1, 40), |event| match event {
        Event::Position(event) => event.node = 4,
        _ => unreachable!("made above"),
    });
    assert_eq!(fault(other_node), EventFault::Named);
    let unsigned = making::position_signed_by(1, 3, 1, 40, 99);
    assert_eq!(fault(unsigned), EventFault::Node { node: 3 });
    assert_eq!(fault(making::position_signed_by(1, 60, 1, 40, 60)), EventFault::Node { node: 60 });
    let loud = making::sign(position(1, 3, 1, 40), OPERATOR);
    assert!(matches!(fault(loud), EventFault::Stranger { .. }));
    let garbled = changed(position(1, 3, 1, 40), |event| match event {
        Event::Position(event) => event.position.push_str("00"),
        _ => unreachable!("made above"),
    });
    assert_eq!(fault(garbled), EventFault::Inside { what: "position" });
    let shouted = changed(position(1, 3, 1, 40), |event| match event {
        Event::Position(event) => event.position = event.position.to_uppercase(),
        _ => unreachable!("made above"),
    });
    assert_eq!(fault(shouted), EventFault::Inside { what: "position" });
}

fn submit_ok(event: Event) -> bool {
    let (_scene, auditor, mut events, _own) = begun();
    submit(&mut events, &auditor, &event).is_ok()
}

#[test]
fn a_start_is_a_thresholds_of_a_majoritys_positions() {
    assert!(submit_ok(restart(1, 1)));
    let one = signed_by_custodians(making::unsigned(restart(1, 1)), &[1]);
    assert_eq!(fault(one), EventFault::Signatures { got: 1, needed: 2 });
    let inside = making::restart_of(1, 1, &[1, 2, 3], &[1], 0);
    assert_eq!(fault(inside), EventFault::StartSignatures { got: 1, needed: 2 });
    let few = making::restart_of(1, 1, &[1, 2], &[1, 2], 0);
    assert_eq!(fault(few), EventFault::Majority { got: 2, needed: 3 });
    let twice = making::restart_of(1, 1, &[1, 2, 2], &[1, 2], 0);
    assert_eq!(fault(twice), EventFault::Majority { got: 2, needed: 3 });
    let behind = making::restart_of(1, 5, &[1, 2, 3], &[1, 2], 7);
    assert_eq!(fault(behind), EventFault::Era { got: 5, newest: 7 });
    // Empty disks begin era 1 and no other.
    assert!(matches!(
        fault(making::restart_of(1, 2, &[1, 2, 3], &[1, 2], 0)),
        EventFault::Era { .. }
    ));
}

#[test]
fn what_was_released_comes_first_and_nothing_comes_from_the_future() {
    match refused(changed(deployment(2), |event| match event {
        Event::Deployment(record) => record.epoch = 3,
        _ => unreachable!("made above"),
    })) {
        EventSubmitError::NotReleased { epoch: 3 } => {}
        other => panic!("{other:?}"),
    }
    let late = changed(deployment(1), |event| match event {
        Event::Deployment(record) => record.time_ms = NOW_MS + DAY_MS,
        _ => unreachable!("made above"),
    });
    assert!(matches!(refused(late), EventSubmitError::FromTheFuture { .. }));
}

#[test]
fn what_does_not_read_is_refused_before_it_is_looked_at() {
    let (_scene, auditor, mut events, _own) = begun();
    let good = String::from_utf8(deployment(1).to_json()).expect("text");
    for (bytes, expected) in [
        (good.replace("\"deployment\"", "\"departure\""), "departure"),
        (good.replace(":1,", ": 1,"), "canonical"),
        (good.replace("{\"ceremony", "{\"more\":1,\"ceremony"), "unexpected content"),
        (format!("{good} "), "canonical"),
    ] {
        let refused = events.submit(bytes.as_bytes(), &auditor, NOW_MS).expect_err("refused");
        assert!(matches!(refused, EventSubmitError::Event(_)), "{refused}");
        assert!(refused.to_string().contains(expected), "{refused}");
    }
    let long = vec![b' '; strongroom_verify::EVENT_LEN_MAX + 1];
    let refused = events.submit(&long, &auditor, NOW_MS);
    assert!(matches!(refused, Err(EventSubmitError::Event(EventError::TooLong { .. }))));
}

fn order(events: &[Event]) -> OrderFault {
    let (_scene, auditor, mut log, _own) = begun();
    let (last, before) = events.split_last().expect("some");
    for event in before {
        submit(&mut log, &auditor, event).expect("takes");
    }
    match submit(&mut log, &auditor, last) {
        Err(EventSubmitError::Order(fault)) => fault,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_second_record_or_start_and_an_older_epoch_are_refused() {
    let second = changed(deployment(1), |event| match event {
        Event::Deployment(record) => record.ceremony_sha256 = Hex([9; 32]),
        _ => unreachable!("made above"),
    });
    let fleet = "one".to_owned();
    assert_eq!(
        order(&[deployment(1), second]),
        OrderFault::SecondDeployment { fleet: fleet.clone(), epoch: 1 }
    );
    assert_eq!(order(&[deployment(2), deployment(1)]), OrderFault::EpochBack { got: 1, last: 2 });
    let other = making::restart_of(1, 1, &[2, 3, 4], &[1, 2], 0);
    assert_eq!(order(&[restart(1, 1), other]), OrderFault::EraBack { fleet, got: 1, last: 1 });
}

#[test]
fn a_position_behind_an_earlier_one_is_kept_and_told() {
    let (_scene, auditor, mut events, _own) = begun();
    for event in
        [position(1, 3, 2, 40), position(1, 3, 2, 39), position(1, 4, 2, 1), position(1, 3, 2, 41)]
    {
        submit(&mut events, &auditor, &event).expect("takes");
    }
    let noted: Vec<Noted> =
        events.events().expect("reads").iter().map(|(_, noted)| *noted).collect();
    assert_eq!(noted, [Noted::Plain, Noted::Behind, Noted::Plain, Noted::Plain]);
}

#[test]
fn nothing_is_taken_before_witnesses_have_confirmed_the_folder() {
    let (scene, auditor, events, mut own) = begun();
    drop(events);
    let folder = Folder::open(&scene.dir.path().join(EVENTS)).expect("opens");
    let mut events = EventLog::open(Arc::new(folder), setup(), &auditor).expect("opens");
    let unconfirmed = submit(&mut events, &auditor, &deployment(1));
    assert!(matches!(unconfirmed, Err(EventSubmitError::Unconfirmed)));
    let lines = cosign(&mut events, &mut own).expect("cosigns");
    let short = events.confirm(&lines[..1], NOW_S, NOW_S);
    assert!(matches!(short, Err(EventSubmitError::Quorum(_))));
    events.confirm(&lines, NOW_S, NOW_S).expect("confirms");
    let late = events.submit(&deployment(1).to_json(), &auditor, NOW_MS + 601_000);
    assert!(matches!(late, Err(EventSubmitError::Unconfirmed)));
    submit(&mut events, &auditor, &deployment(1)).expect("takes");
    // One witness alone publishes nothing.
    let lines = cosign(&mut events, &mut own).expect("cosigns");
    assert!(matches!(events.release(&lines[..1], NOW_S), Err(EventSubmitError::Quorum(_))));
    assert_eq!(events.published().expect("reads"), None);
}

#[test]
fn an_old_copy_of_the_folder_takes_nothing() {
    let (scene, auditor, mut events, mut own) = begun();
    let old = scene.dir.path().join("old");
    submit(&mut events, &auditor, &deployment(1)).expect("takes");
    drop(events);
    stage::copy(&scene.dir.path().join(EVENTS), &old);
    let mut events = open_events(scene.dir.path(), &mut own, &auditor).expect("opens");
    submit(&mut events, &auditor, &position(1, 3, 1, 40)).expect("takes");
    let lines = cosign(&mut events, &mut own).expect("cosigns");
    events.release(&lines, NOW_S).expect("releases");
    drop(events);
    let folder = Folder::open(&old).expect("opens");
    let mut restored = EventLog::open(Arc::new(folder), setup(), &auditor).expect("opens");
    let asked = cosign(&mut restored, &mut own);
    assert!(matches!(asked, Err(EventSubmitError::Restored { got: 1, witnessed: 2 })));
    let taken = submit(&mut restored, &auditor, &restart(1, 1));
    assert!(matches!(taken, Err(EventSubmitError::Unconfirmed)));
}

#[test]
fn a_crash_at_any_step_leaves_a_log_that_takes_the_same_event() {
    let mut survived = 0;
    for steps in 0.. {
        let (scene, auditor, mut events, mut own) = begun();
        submit(&mut events, &auditor, &deployment(1)).expect("takes");
        events.log().folder().danger_crash_after(steps);
        let second = position(1, 3, 1, 40);
        let crashed = send(&mut events, &mut own, &auditor, &second);
        drop(events);
        let mut events = open_events(scene.dir.path(), &mut own, &auditor).expect("opens");
        assert!(matches!(events.log().head().size, 1 | 2), "crash after {steps} steps");
        send(&mut events, &mut own, &auditor, &second).expect("goes on");
        let published = events.published().expect("reads").expect("is there");
        assert_eq!(published.checkpoint().size(), 2, "crash after {steps} steps");
        match crashed {
            Ok(()) => break,
            Err(EventSubmitError::Log(LogError::Folder(FolderError::Crashed))) => survived += 1,
            Err(other) => panic!("{other:?}"),
        }
    }
    assert!(survived > 8, "{survived} steps");
}

#[test]
fn a_folder_whose_events_do_not_hold_is_not_opened() {
    let (scene, auditor, events, mut own) = begun();
    drop(events);
    let path = scene.dir.path().join(EVENTS);
    let mut raw = strongroom_log::Log::open(
        Arc::new(Folder::open(&path).expect("opens")),
        log(&after("events")),
    )
    .expect("opens");
    raw.append(&[b"no event".to_vec()]).expect("appends");
    drop(raw);
    let opened = open_events(scene.dir.path(), &mut own, &auditor).map(|_| ());
    assert!(matches!(opened, Err(EventSubmitError::Damaged { index: 0, .. })), "{opened:?}");
}
