//! Events, their signers, and an event log with four witnesses of its own.

#![allow(dead_code, reason = "each test file uses its part of this")]

use crate::stage::{
    NOW_S, TestAuditor,
    world::{self, NOW_MS, OPERATOR, ORIGIN, key, log, policy, witness},
};
use ed25519_dalek::Signer as _;
use std::{path::Path, sync::Arc};
use strongroom_log::{EventLog, EventLogSetup, EventSubmitError, Folder, Witness};
use strongroom_manifest::{Hex, Manifest, to_canonical_json};
use strongroom_tlog::{NoteSignature, Policy, SeedSigner, witness::Answer};
use strongroom_verify::{
    Deployment, DeploymentKind, Event, PositionEvent, PositionKind, Restart, RestartKind,
};
use strongroom_wire::{
    Fixed, codec,
    digest::sha256,
    start::{CustodianSignature, Position, SignedPosition, SignedStart, Start},
};

pub(crate) const EVENTS: &str = "auditor-events";

pub(crate) type TestEvents = EventLog<SeedSigner>;

pub(crate) fn after(name: &str) -> String {
    format!("{ORIGIN}/{name}")
}

/// A manifest whose nodes have keys that somebody holds: node n the key of seed 100 + n.
pub(crate) fn keyed(epoch: u64) -> Manifest {
    let mut manifest = world::manifest(epoch, &[1, 2, 3]);
    for node in &mut manifest.fleets[0].nodes {
        node.identity_key = Hex(key(100 + node.id).verifying_key().to_bytes());
        node.link_key = Hex([200 + node.id; 32]);
    }
    manifest.ticket_keys[0].key = Hex([199; 32]);
    manifest
}

pub(crate) fn deployment(epoch: u64) -> Event {
    let manifest = keyed(epoch);
    signed_by_operator(Event::Deployment(Deployment {
        ceremony_sha256: Hex(sha256(b"what was said and done\n")),
        epoch,
        evidence_sha256: Hex(sha256(b"")),
        fleet: "one".to_owned(),
        kind: DeploymentKind::Deployment,
        manifest_sha256: Hex(sha256(&to_canonical_json(&manifest))),
        measurement: manifest.fleets[0].measurement.clone(),
        signatures: Vec::new(),
        time_ms: NOW_MS - 1_000,
    }))
}

pub(crate) fn sign(mut event: Event, seed: u8) -> Event {
    let statement = event.statement(&after("events"));
    event.sign(key(seed).verifying_key().to_bytes(), key(seed).sign(&statement).to_bytes());
    event
}

pub(crate) fn signed_by_operator(event: Event) -> Event {
    sign(event, OPERATOR)
}

pub(crate) fn signed_by_custodians(event: Event, by: &[u8]) -> Event {
    by.iter().fold(event, |event, seed| sign(event, *seed))
}

pub(crate) fn unsigned(mut event: Event) -> Event {
    if let Event::Restart(restart) = &mut event {
        restart.signatures.clear();
    }
    event
}

fn signed_position(node: u8, era: u64, index: u64, seed: u8) -> SignedPosition {
    let position = Position {
        fleet: "one".to_owned(),
        node,
        incarnation: 64 + u64::from(node),
        era,
        hard_term: 1,
        last_term: u64::from(index > 0),
        last_index: index,
        chain_hash: Fixed([node; 32]),
    };
    let signature = Fixed(key(seed).sign(&position.statement()).to_bytes());
    SignedPosition { position, signature }
}

pub(crate) fn position(epoch: u64, node: u8, era: u64, index: u64) -> Event {
    position_signed_by(epoch, node, era, index, 100 + node)
}

pub(crate) fn position_signed_by(epoch: u64, node: u8, era: u64, index: u64, seed: u8) -> Event {
    Event::Position(PositionEvent {
        epoch,
        fleet: "one".to_owned(),
        kind: PositionKind::Position,
        node,
        position: hex::encode(codec::encode(&signed_position(node, era, index, seed))),
        signatures: Vec::new(),
        time_ms: NOW_MS - 500,
    })
}

/// A genesis of nodes 1 to 3.
pub(crate) fn restart(epoch: u64, era: u64) -> Event {
    restart_of(epoch, era, &[1, 2, 3], &[1, 2], 0)
}

/// A start from the positions of some nodes, whose disks know an era; era 0 has empty disks.
pub(crate) fn restart_of(epoch: u64, era: u64, nodes: &[u8], by: &[u8], known: u64) -> Event {
    let at = |node: &u8| signed_position(*node, known, known, 100 + *node);
    let start = Start { fleet: "one".to_owned(), era, positions: nodes.iter().map(at).collect() };
    let statement = start.statement();
    let signatures = by.iter().map(|seed| CustodianSignature {
        custodian: Fixed(key(*seed).verifying_key().to_bytes()),
        signature: Fixed(key(*seed).sign(&statement).to_bytes()),
    });
    let signed = SignedStart { signatures: signatures.collect(), start };
    let event = Event::Restart(Restart {
        epoch,
        fleet: "one".to_owned(),
        kind: RestartKind::Restart,
        reason: "genesis".to_owned(),
        signatures: Vec::new(),
        start: hex::encode(codec::encode(&signed)),
        time_ms: NOW_MS - 100,
    });
    signed_by_custodians(event, &[1, 2])
}

pub(crate) fn setup() -> EventLogSetup<SeedSigner> {
    EventLogSetup {
        manifest_log: ORIGIN.to_owned(),
        operator_key: key(OPERATOR).verifying_key().to_bytes(),
        policy: Policy::parse(policy().as_bytes()).expect("a policy"),
        log_signer: log(&after("events")),
    }
}

pub(crate) struct EventWitnesses(Vec<Witness<SeedSigner>>);

pub(crate) fn witnesses(root: &Path) -> EventWitnesses {
    let open = |at: usize| {
        let folder = Folder::open(&root.join(format!("event-w{at}"))).expect("a folder");
        let logs = vec![log(&after("events")).key().clone()];
        Witness::open(Arc::new(folder), witness(at), logs).expect("a witness")
    };
    EventWitnesses((0..4).map(open).collect())
}

pub(crate) fn cosign(
    events: &mut TestEvents,
    witnesses: &mut EventWitnesses,
) -> Result<Vec<NoteSignature>, EventSubmitError> {
    let mut lines = Vec::new();
    for witness in &mut witnesses.0 {
        let latest = witness.latest(&after("events"));
        let request = events.request(latest.map_or(0, |latest| latest.checkpoint().size()))?;
        let body = witness.add_checkpoint(&request.to_bytes(), NOW_S).expect("cosigns");
        match Answer::parse(200, body.as_bytes()).expect("an answer") {
            Answer::Cosigned(cosigned) => lines.extend(cosigned),
            other => panic!("{other:?}"),
        }
    }
    Ok(lines)
}

pub(crate) fn open_events(
    root: &Path,
    witnesses: &mut EventWitnesses,
    auditor: &TestAuditor,
) -> Result<TestEvents, EventSubmitError> {
    let folder = Arc::new(Folder::open(&root.join(EVENTS)).expect("a folder"));
    let mut events = EventLog::open(folder, setup(), auditor)?;
    let lines = cosign(&mut events, witnesses)?;
    events.confirm(&lines, NOW_S, NOW_S)?;
    Ok(events)
}

/// An event from its submission to its publication.
pub(crate) fn send(
    events: &mut TestEvents,
    witnesses: &mut EventWitnesses,
    auditor: &TestAuditor,
    event: &Event,
) -> Result<(), EventSubmitError> {
    events.submit(&event.to_json(), auditor, NOW_MS)?;
    let lines = cosign(events, witnesses)?;
    events.release(&lines, NOW_S)
}
