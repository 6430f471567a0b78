//! Events of the event log (spec §21.7).

use crate::{
    logs::{OPERATOR, ORIGIN},
    starts::{position, start},
    vector::{Case, File},
    world::{CUSTODIANS, FLEET, NOW_MS, World, key, public},
};
use ed25519_dalek::Signer as _;
use strongroom_manifest::{Hex, to_canonical_json};
use strongroom_tlog::leaf_hash;
use strongroom_verify::{
    Deployment, DeploymentKind, Event, EventOrder, PositionEvent, PositionKind, Restart,
    RestartKind, check_event, events_origin,
};
use strongroom_wire::{codec, digest::sha256};

pub(crate) fn file(world: &World) -> File {
    let origin = events_origin(ORIGIN);
    let digest = sha256(&to_canonical_json(&world.manifest));
    let events = [
        ("a deployment", signed(deployment(world, digest), &origin, &[OPERATOR])),
        ("a genesis", signed(restart(world), &origin, &CUSTODIANS[..2])),
        ("a position", positioned(world)),
    ];
    let mut order = EventOrder::default();
    for (name, event) in &events {
        let held = check_event(event, &origin, &world.manifest, &digest, &public(OPERATOR));
        assert_eq!(held, Ok(()), "{name}");
        order.take(event).expect(name);
    }
    let of_event = |(name, event): &(&str, Event)| {
        let leaf = event.to_leaf(&origin);
        Case::named(name)
            .text("event", text_of(event))
            .hex("statement", event.statement(&origin))
            .hex("leaf", &leaf)
            .hex("leaf_hash", leaf_hash(&leaf).0)
    };
    let file = File::new(
        "event.json",
        "21-log.md",
        "Events of one fleet under the first manifest, each of which holds, in an order that holds.",
    )
    .case(
        Case::named("the event log")
            .text("origin", origin.clone())
            .hex("operator", public(OPERATOR))
            .text("manifest", String::from_utf8(to_canonical_json(&world.manifest)).expect("text")),
    )
    .cases(events.iter().map(of_event));
    refused(file, &text_of(&events[0].1))
}

fn text_of(event: &Event) -> String {
    String::from_utf8(event.to_json()).expect("text")
}

/// Texts that read as no event.
fn refused(file: File, good: &str) -> File {
    let body = good.strip_suffix('}').expect("an object");
    let edits = [
        ("cut short", body.to_owned()),
        ("a field twice", format!("{body},\"time_ms\":{NOW_MS}}}")),
        ("an unknown field", format!("{body},\"x\":1}}")),
        (
            "another order of fields",
            good.replacen("\"epoch\":1,", "", 1).replacen('{', "{\"epoch\":1,", 1),
        ),
        ("white space", good.replacen(':', ": ", 1)),
        ("an unknown kind", good.replacen("\"deployment\"", "\"party\"", 1)),
        ("no time", good.replacen(&NOW_MS.to_string(), "0", 1)),
        ("something behind", format!("{good}{{}}")),
    ];
    edits.into_iter().fold(file, |file, (name, edited)| {
        assert_ne!(edited, good, "{name}");
        let error = Event::parse(edited.as_bytes()).map(|_| ()).expect_err(name);
        file.refused(name, "event", edited.as_bytes(), error.to_string())
    })
}

fn signed(mut event: Event, origin: &str, by: &[u8]) -> Event {
    let statement = event.statement(origin);
    for seed in by {
        event.sign(public(*seed), key(*seed).sign(&statement).to_bytes());
    }
    event
}

fn deployment(world: &World, digest: [u8; 32]) -> Event {
    Event::Deployment(Deployment {
        ceremony_sha256: Hex(sha256(b"what was said and done\n")),
        epoch: world.manifest.epoch,
        evidence_sha256: Hex(sha256(b"")),
        fleet: FLEET.to_owned(),
        kind: DeploymentKind::Deployment,
        manifest_sha256: Hex(digest),
        measurement: world.manifest.fleet(FLEET).expect("the fleet").measurement.clone(),
        signatures: Vec::new(),
        time_ms: NOW_MS,
    })
}

fn restart(world: &World) -> Event {
    Event::Restart(Restart {
        epoch: world.manifest.epoch,
        fleet: FLEET.to_owned(),
        kind: RestartKind::Restart,
        reason: "genesis".to_owned(),
        signatures: Vec::new(),
        start: hex::encode(codec::encode(&start(true))),
        time_ms: NOW_MS,
    })
}

fn positioned(world: &World) -> Event {
    Event::Position(PositionEvent {
        epoch: world.manifest.epoch,
        fleet: FLEET.to_owned(),
        kind: PositionKind::Position,
        node: 1,
        position: hex::encode(codec::encode(&position(1, false))),
        signatures: Vec::new(),
        time_ms: NOW_MS,
    })
}
