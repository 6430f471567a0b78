//! The auditor, its witnesses and the operator of a development fleet: their keys, their files, and the
//! publication of a manifest.
//!
//! They run as in production, each for itself; only that all of them are one person's makes them
//! worthless as witnesses. `INSECURE` in the banner means that, too.

use super::{
    error::DevError,
    keys::{self, NAMESPACE},
    layout::{Layout, State, WITNESSES, private_dir, write_private},
    setup::{loopback, to_toml},
};
use crate::voice::Voice;
use ed25519_dalek::SigningKey;
use serde::Serialize;
use serde_json::json;
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};
use strongroom_log::Submission;
use strongroom_manifest::{Hex, parse};
use strongroom_publish::{Door, PublishError, Published};
use strongroom_sdk::now_ms;
use strongroom_tlog::{LogSigner, SeedSigner, WitnessSigner};
use strongroom_verify::{AuditorKey, Event, Trust, TrustFile, events_origin};

/// How old a cosignature may be for a client.
const COSIGNATURE_MAX_AGE_MS: u64 = 24 * keys::HOUR_MS;
/// The auditor asks its witnesses anew.
const REFRESH_S: u64 = 60;
/// And sooner, while they were too few: they are started before it and may not listen yet.
const RETRY_S: u64 = 1;
const PUBLISH_PATIENCE: Duration = Duration::from_secs(30);
/// The fleet runs; its records may come later.
const RECORD_PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(100);
/// One of the three witnesses may be down.
const QUORUM: u8 = 2;

pub(crate) fn origin() -> String {
    format!("auditor.localhost/{NAMESPACE}")
}

/// Makes everybody who vouches for manifests, and what clients pin of them.
pub(crate) fn make(
    draft: &Layout,
    state: &State,
    custodians: &[SigningKey],
    now_ms: u64,
) -> Result<(), DevError> {
    let auditor = draft.auditor();
    private_dir(&auditor)?;
    let log = keys::make_key(&auditor.join("log.key"))?;
    let vkey = |origin: &str| -> Result<String, DevError> {
        let signer = named(LogSigner::new(origin, SeedSigner::new(&log.to_bytes())))?;
        Ok(signer.key().to_string())
    };
    let (log, events) = (vkey(&origin())?, vkey(&events_origin(&origin()))?);
    let statement = keys::make_key(&auditor.join("statement.key"))?;
    let operator = keys::make_key(&draft.operator_key())?;
    let mut witnesses = Vec::new();
    for witness in 1..=WITNESSES {
        let dir = draft.witness(witness);
        private_dir(&dir)?;
        let key = keys::make_key(&dir.join("witness.key"))?;
        let name = format!("witness-{witness}.localhost");
        let signer = named(WitnessSigner::new(&name, SeedSigner::new(&key.to_bytes())))?;
        let config = to_toml(&witness_file(state, witness, &name, [&log, &events]))?;
        write_private(&dir.join("witness.toml"), config.as_bytes())?;
        witnesses.push((signer.key().to_string(), state.witness_url(witness)));
    }
    let policy = policy(&log, &witnesses);
    let not_before_ms = now_ms.saturating_sub(keys::HOUR_MS);
    let public = |key: &SigningKey| Hex(key.verifying_key().to_bytes());
    let trust = TrustFile {
        auditor_keys: vec![AuditorKey { not_before_ms, public_key: public(&statement) }],
        built_ms: not_before_ms,
        cosignature_max_age_ms: COSIGNATURE_MAX_AGE_MS,
        custodians: keys::custodians_of(custodians),
        namespace: NAMESPACE.to_owned(),
        operator_key: public(&operator),
        policy: policy.clone(),
    };
    write_private(&draft.trust(), &keys::to_json(&trust)?)?;
    write_private(&auditor.join("policy.txt"), policy.as_bytes())?;
    let operator = hex::encode(operator.verifying_key().to_bytes());
    // The genesis set: the folder's own changes with the manifests, the auditor follows those.
    let genesis = keys::to_json(&keys::custodians_of(custodians))?;
    write_private(&auditor.join("custodians.json"), &genesis)?;
    let config = auditor_file(state, not_before_ms, operator);
    write_private(&auditor.join("auditor.toml"), to_toml(&config)?.as_bytes())
}

#[derive(Serialize)]
struct AuditorFile {
    listen: String,
    folder: &'static str,
    events_folder: &'static str,
    namespace: &'static str,
    origin: String,
    custodians: &'static str,
    floors: &'static str,
    operator_key: String,
    policy: &'static str,
    log_key_file: &'static str,
    statement_key_file: &'static str,
    statement_not_before_ms: u64,
    refresh_s: u64,
    retry_s: u64,
    publish: PublishTable,
}

#[derive(Serialize)]
struct PublishTable {
    listen: String,
}

fn auditor_file(state: &State, not_before_ms: u64, operator_key: String) -> AuditorFile {
    let (everybody, operator) = state.auditor_ports();
    AuditorFile {
        listen: loopback(everybody),
        folder: "data",
        events_folder: "events",
        namespace: NAMESPACE,
        origin: origin(),
        custodians: "custodians.json",
        floors: "development",
        operator_key,
        policy: "policy.txt",
        log_key_file: "log.key",
        statement_key_file: "statement.key",
        statement_not_before_ms: not_before_ms,
        refresh_s: REFRESH_S,
        retry_s: RETRY_S,
        publish: PublishTable { listen: loopback(operator) },
    }
}

#[derive(Serialize)]
struct WitnessFile<'a> {
    listen: String,
    folder: &'static str,
    name: &'a str,
    key_file: &'static str,
    logs: [&'a str; 2],
}

fn witness_file<'a>(
    state: &State,
    witness: u8,
    name: &'a str,
    logs: [&'a str; 2],
) -> WitnessFile<'a> {
    WitnessFile {
        listen: loopback(state.witness_port(witness)),
        folder: "data",
        name,
        key_file: "witness.key",
        logs,
    }
}

fn named<T>(signer: Result<T, strongroom_tlog::KeyError>) -> Result<T, DevError> {
    signer.map_err(|e| DevError::failed(e.to_string()))
}

/// Any two of the witnesses; each is an operator of its own, or plays one.
fn policy(log: &str, witnesses: &[(String, String)]) -> String {
    let mut lines = vec![format!("log {log}")];
    let names: Vec<String> = (1..=WITNESSES).map(|witness| format!("w{witness}")).collect();
    for (name, (key, url)) in names.iter().zip(witnesses) {
        lines.push(format!("witness {name} {key} {url}"));
    }
    lines.push(format!("group operators {QUORUM} {}", names.join(" ")));
    lines.push("quorum operators".to_owned());
    lines.join("\n") + "\n"
}

/// Has a manifest published, with its signatures in `from`, unless it is; waits for the auditor.
pub(crate) fn publish(
    layout: &Layout,
    state: &State,
    from: &Layout,
    voice: Voice,
) -> Result<Published, DevError> {
    let read = |path: &Path| fs::read(path).map_err(|e| DevError::io("read", path, &e));
    let bytes = read(&from.manifest())?;
    let manifest = parse(&bytes).map_err(|e| DevError::failed(e.to_string()))?;
    let submission = Submission {
        epoch: manifest.epoch,
        manifest: String::from_utf8_lossy(&bytes).into_owned(),
        signatures: serde_json::from_slice(&read(&from.signatures())?)
            .map_err(|e| DevError::failed(format!("{}: {e}", from.signatures().display())))?,
    };
    let trust =
        Trust::parse(&read(&layout.trust())?).map_err(|e| DevError::failed(e.to_string()))?;
    let operator = SeedSigner::new(&keys::load_key(&layout.operator_key())?.to_bytes());
    let door = Door::new(&state.publish_url(), None).map_err(|e| failed(&e))?;
    let publish = || strongroom_publish::publish(&door, &submission, &operator, &trust, now_ms());
    let published = patiently(publish, PUBLISH_PATIENCE).map_err(|e| failed(&e))?;
    let (epoch, auditor) = (submission.epoch, state.auditor_url());
    voice.result(
        "published",
        &format!(
            "manifest of epoch {epoch}: signed by custodians, logged by the auditor {auditor}, cosigned \
             by its witnesses, counter-signed by the operator"
        ),
        json!({
            "epoch": epoch,
            "auditor": auditor,
            "manifest_sha256": published.response.digest,
            "bundle_bytes": published.bundle.len(),
        }),
    );
    Ok(published)
}

/// Has an event recorded, unless it is; waits for the auditor.
pub(crate) fn record(layout: &Layout, state: &State, event: &Event) -> Result<u64, DevError> {
    try_record(layout, state, event)?.map_err(|error| unrecorded(&error))
}

pub(crate) fn unrecorded(error: &PublishError) -> DevError {
    DevError::failed(format!("not recorded in the event log: {error}"))
}

/// The same, with what the auditor's end of it says.
pub(crate) fn try_record(
    layout: &Layout,
    state: &State,
    event: &Event,
) -> Result<Result<u64, PublishError>, DevError> {
    let path = layout.trust();
    let bytes = fs::read(&path).map_err(|e| DevError::io("read", &path, &e))?;
    let trust = Trust::parse(&bytes).map_err(|e| DevError::failed(e.to_string()))?;
    let door = Door::new(&state.publish_url(), None).map_err(|e| unrecorded(&e))?;
    let record = || strongroom_publish::record(&door, event, &trust, now_ms());
    Ok(patiently(record, RECORD_PATIENCE))
}

/// An auditor that has just been started, or whose witnesses have, needs a moment.
fn patiently<T>(
    mut what: impl FnMut() -> Result<T, PublishError>,
    patience: Duration,
) -> Result<T, PublishError> {
    let end = Instant::now() + patience;
    loop {
        match what() {
            // After a long pause its cosignatures are old until it has asked for new ones, too.
            Err(error) if error.is_transient() && Instant::now() < end => {}
            done => return done,
        }
        thread::sleep(PAUSE);
    }
}

fn failed(error: &PublishError) -> DevError {
    DevError::failed(format!("the manifest is not published: {error}"))
}
