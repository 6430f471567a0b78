//! Noise at the reader of events: an error, or an event with one encoding.

mod world;

use proptest::prelude::*;
use strongroom_manifest::Hex;
use strongroom_verify::{
    Deployment, DeploymentKind, EVENT_LEN_MAX, Event, EventError, EventOrder, PositionEvent,
    PositionKind, Restart, RestartKind, events_origin,
};
use world::ORIGIN;

fn all() -> [Event; 3] {
    let mut deployment = Event::Deployment(Deployment {
        ceremony_sha256: Hex([1; 32]),
        epoch: 1,
        evidence_sha256: Hex([2; 32]),
        fleet: "one".to_owned(),
        kind: DeploymentKind::Deployment,
        manifest_sha256: Hex([3; 32]),
        measurement: String::new(),
        signatures: Vec::new(),
        time_ms: 1_790_000_000_000,
    });
    deployment.sign([9; 32], [8; 64]);
    deployment.sign([7; 32], [6; 64]);
    let position = Event::Position(PositionEvent {
        epoch: 2,
        fleet: "one".to_owned(),
        kind: PositionKind::Position,
        node: 3,
        position: "00".to_owned(),
        signatures: Vec::new(),
        time_ms: 1,
    });
    let restart = Event::Restart(Restart {
        epoch: 3,
        fleet: "one".to_owned(),
        kind: RestartKind::Restart,
        reason: "power was lost at four sites".to_owned(),
        signatures: Vec::new(),
        start: "00".to_owned(),
        time_ms: 2,
    });
    [deployment, position, restart]
}

#[test]
fn an_events_fields_stand_in_the_order_of_their_names() {
    for event in all() {
        let json = String::from_utf8(event.to_json()).expect("text");
        let mut names: Vec<&str> = Vec::new();
        for part in json.split("\":").filter_map(|part| part.rsplit('"').next()) {
            if !["key", "signature"].contains(&part) && part.chars().all(|sign| sign != '}') {
                names.push(part);
            }
        }
        let names: Vec<&str> = names.into_iter().filter(|name| !name.is_empty()).collect();
        assert!(names.is_sorted(), "{names:?}");
        assert_eq!(Event::parse(json.as_bytes()), Ok(event));
    }
}

#[test]
fn a_leaf_is_of_one_log() {
    let origin = events_origin(ORIGIN);
    for event in all() {
        let leaf = event.to_leaf(&origin);
        assert_eq!(Event::from_leaf(&origin, &leaf), Ok(event.clone()));
        assert_eq!(Event::from_leaf(ORIGIN, &leaf), Err(EventError::Origin));
        assert_ne!(event.statement(&origin), event.statement(ORIGIN));
        assert_eq!(Event::from_leaf(&origin, &event.to_json()), Err(EventError::Origin));
    }
}

#[test]
fn signatures_are_not_in_what_is_signed_and_all_else_is() {
    let [mut event, ..] = all();
    let before = event.statement(ORIGIN);
    event.sign([5; 32], [5; 64]);
    assert_eq!(event.statement(ORIGIN), before);
    let Event::Deployment(record) = &mut event else { unreachable!("the first") };
    record.time_ms += 1;
    assert_ne!(event.statement(ORIGIN), before);
}

#[test]
fn each_field_out_of_its_range_is_refused() {
    let [deployment, position, restart] = all();
    let text = |event: &Event| String::from_utf8(event.to_json()).expect("text");
    let long = "x".repeat(1_025);
    for (json, from, to, expected) in [
        (text(&deployment), "\"epoch\":1,", "\"epoch\":0,", "epoch"),
        (text(&deployment), "1790000000000", "9007199254740992", "time_ms"),
        (text(&deployment), "\"one\"", "\"\"", "fleet"),
        (text(&deployment), "\"one\"", "\"o\\u0000e\"", "fleet"),
        (
            text(&deployment),
            "\"measurement\":\"\"",
            &format!("\"measurement\":\"{}\"", &long[..65]),
            "measurement",
        ),
        (text(&position), "\"position\":\"00\"", "\"position\":\"\"", "position"),
        (text(&restart), "power was lost at four sites", "", "reason"),
        (text(&restart), "power was lost at four sites", &long, "reason"),
    ] {
        let changed = json.replace(from, to);
        assert_ne!(changed, json, "{from}");
        match Event::parse(changed.as_bytes()) {
            Err(EventError::Field(what)) => assert_eq!(what, expected),
            other => panic!("{expected}: {other:?}"),
        }
    }
    // Two spellings of one list: the same keys the other way round, and one of them twice.
    let json = text(&deployment);
    let (seven, nine) = ("07".repeat(32), "09".repeat(32));
    for changed in [json.replace(&seven, "ff"), json.replace(&seven, &nine)] {
        assert!(Event::parse(changed.as_bytes()).is_err(), "{changed}");
    }
    let doubled = json.replace("{\"ceremony", "{\"epoch\":1,\"ceremony");
    assert!(matches!(Event::parse(doubled.as_bytes()), Err(EventError::Malformed { .. })));
    let long = vec![b'{'; EVENT_LEN_MAX + 1];
    assert!(matches!(Event::parse(&long), Err(EventError::TooLong { .. })));
}

#[test]
fn what_an_event_carries_is_read_before_it_is_ordered() {
    let [_, position, restart] = all();
    let mut order = EventOrder::default();
    // One byte of zero is neither a position nor a start.
    for event in [position, restart] {
        assert!(order.take(&event).is_err());
    }
}

proptest! {
    #[test]
    fn noise_is_no_event(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(Event::parse(&bytes).is_err());
    }

    #[test]
    fn a_changed_byte_makes_an_error_or_another_event_with_one_encoding(
        which in 0..3_usize, at in 0..600_usize, to in any::<u8>()
    ) {
        let event = all()[which].clone();
        let mut bytes = event.to_json();
        let at = at % bytes.len();
        bytes[at] = to;
        if let Ok(read) = Event::parse(&bytes) {
            prop_assert_eq!(read.to_json(), bytes);
        }
    }
}
