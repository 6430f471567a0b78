//! Events that are recorded beside a running auditor.

mod stage;

use ed25519_dalek::Signer as _;
use stage::{
    Net, copy, now_ms, submission,
    world::{OPERATOR, ORIGIN, key},
};
use std::path::Path;
use strongroom_audit_server::{ServeError, auditor, record};
use strongroom_manifest::Hex;
use strongroom_verify::{Deployment, DeploymentKind, Event, events_origin};
use strongroom_wire::digest::sha256;

fn deployment(epoch: u64, operator: u8) -> Vec<u8> {
    let mut event = Event::Deployment(Deployment {
        ceremony_sha256: Hex([7; 32]),
        epoch,
        evidence_sha256: Hex([8; 32]),
        fleet: "one".to_owned(),
        kind: DeploymentKind::Deployment,
        manifest_sha256: Hex(sha256(submission(epoch).manifest.as_bytes())),
        measurement: String::new(),
        signatures: Vec::new(),
        time_ms: now_ms(),
    });
    let operator = key(operator);
    let statement = event.statement(&events_origin(ORIGIN));
    event.sign(operator.verifying_key().to_bytes(), operator.sign(&statement).to_bytes());
    event.to_json()
}

fn recorded(net: &Net, folder: &Path, event: &[u8]) -> Result<u64, ServeError> {
    let config = auditor::Config::load(&net.write_auditor()).expect("a configuration");
    net.runtime.block_on(record(&config, folder, event))
}

#[track_caller]
fn is_refused(done: Result<u64, ServeError>, why: &str) {
    let error = done.expect_err("recorded");
    let text = error.to_string();
    assert!(text.starts_with("not recorded: ") && text.contains(why), "{text}");
}

#[test]
fn an_event_is_recorded_once_and_only_of_what_is_released() {
    let net = Net::running();
    let folder = net.path("events");
    net.published(1).expect("publishes");
    let first = deployment(1, OPERATOR);
    for _ in 0..2 {
        assert_eq!(recorded(&net, &folder, &first).expect("recorded"), 0);
    }
    is_refused(recorded(&net, &folder, &deployment(2, OPERATOR)), "not released");
    net.published(2).expect("publishes");
    is_refused(recorded(&net, &folder, &deployment(2, 99)), "event refused");
    is_refused(recorded(&net, &folder, b"{}"), "event");
    assert_eq!(recorded(&net, &folder, &deployment(2, OPERATOR)).expect("recorded"), 1);
}

#[test]
fn without_witnesses_nothing_is_recorded_and_an_old_folder_records_nothing() {
    let mut net = Net::running();
    let (folder, old) = (net.path("events"), net.path("old-events"));
    net.published(1).expect("publishes");
    recorded(&net, &folder, &deployment(1, OPERATOR)).expect("recorded");
    copy(&folder, &old);
    net.published(2).expect("publishes");
    for at in [2, 3] {
        net.stop_witness(at);
    }
    let second = deployment(2, OPERATOR);
    is_refused(recorded(&net, &folder, &second), "not published");
    for at in [2, 3] {
        net.start_witness(at);
    }
    assert_eq!(recorded(&net, &folder, &second).expect("recorded"), 1);
    is_refused(recorded(&net, &old, &second), "old copy");
}
