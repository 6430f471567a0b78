//! A development fleet's deployment: recorded in the event log, and proved by one directory (spec §24).

use super::{
    audit,
    error::DevError,
    keys,
    layout::{FLEET, Layout, private_dir, write_private},
    processes::Programs,
    records,
    setup::words,
    start_process,
};
use crate::voice::Voice;
use ed25519_dalek::Signer as _;
use serde_json::json;
use std::{
    fs,
    path::{Path, PathBuf},
};
use strongroom_manifest::{Hex, Manifest, parse};
use strongroom_verify::{Deployment, DeploymentKind, Event, events_origin};
use strongroom_wire::digest::sha256;

/// Records the deployment under the manifest of now, and writes its directory.
pub(crate) fn write(
    layout: &Layout,
    out: &Path,
    programs: &Programs,
    voice: Voice,
) -> Result<(), DevError> {
    let state = layout.load()?;
    for process in state.audit_processes() {
        start_process(layout, process, programs)?;
    }
    let published = audit::publish(layout, &state, layout, voice)?;
    records::bring_starts(layout, &state, voice, &mut Vec::new())?;
    let papers = Papers::of_now(layout)?;
    audit::record(layout, &state, &papers.event()?)?;
    write_private(&papers.bundle, &published.bundle)?;
    let out = std::path::absolute(out).map_err(|e| DevError::io("find", out, &e))?;
    let arguments = words(["deployment", "--development", "--fleet", FLEET, "--log"])
        .path(&layout.auditor().join("data"))
        .word("--events")
        .path(&layout.auditor().join("events"))
        .word("--trust")
        .path(&layout.trust())
        .word("--bundle")
        .path(&papers.bundle)
        .word("--ceremony")
        .path(&papers.ceremony)
        .word("--out")
        .path(&out);
    programs.daemon(&arguments.0)?;
    let (trust, epoch) = (layout.trust(), papers.epoch);
    voice.result(
        "deployment",
        &format!(
            "{} proves the deployment of fleet {FLEET} under epoch {epoch}. Next:\n\n  strongroom verify fleet {} \
             --development --trust {}\n",
            out.display(),
            out.display(),
            trust.display()
        ),
        json!({"dir": out, "epoch": epoch, "fleet": FLEET, "trust": trust}),
    );
    Ok(())
}

/// What proves the deployment under one manifest.
pub(crate) struct Papers {
    pub(crate) epoch: u64,
    ceremony: PathBuf,
    event: PathBuf,
    bundle: PathBuf,
}

impl Papers {
    /// Those of the manifest of now, made if need be. What is recorded once is recorded again as it was:
    /// an event with another time is another event.
    pub(crate) fn of_now(layout: &Layout) -> Result<Self, DevError> {
        let path = layout.manifest();
        let bytes = fs::read(&path).map_err(|e| DevError::io("read", &path, &e))?;
        let manifest = parse(&bytes).map_err(|e| DevError::failed(e.to_string()))?;
        let folder = layout.path("deployments").join(manifest.epoch.to_string());
        private_dir(&folder)?;
        let papers = Self {
            epoch: manifest.epoch,
            ceremony: folder.join("ceremony.txt"),
            event: folder.join("event.json"),
            bundle: folder.join("bundle"),
        };
        // The event is written last: with it, all is there.
        if !papers.event.exists() {
            let text = transcript(&manifest);
            let record = record(layout, &manifest, &bytes, text.as_bytes())?;
            write_private(&papers.ceremony, text.as_bytes())?;
            write_private(&papers.event, &record.to_json())?;
        }
        Ok(papers)
    }

    /// The deployment record.
    pub(crate) fn event(&self) -> Result<Event, DevError> {
        let bytes = fs::read(&self.event).map_err(|e| DevError::io("read", &self.event, &e))?;
        Event::parse(&bytes).map_err(|e| DevError::failed(format!("{}: {e}", self.event.display())))
    }
}

/// What people with keys in their pockets would have said and done, as far as it happened here.
fn transcript(manifest: &Manifest) -> String {
    let mut lines = vec![
        "A development ceremony. No people met; one command made every key in one folder."
            .to_owned(),
        format!("namespace {}", manifest.namespace),
        format!("epoch {}", manifest.epoch),
    ];
    let custodians = &manifest.custodians;
    lines.push(format!("custodians {} of {}:", custodians.threshold, custodians.keys.len()));
    lines.extend(custodians.keys.iter().map(|key| format!("  {key:?}")));
    for fleet in &manifest.fleets {
        lines.push(format!("fleet {}, protection {:?}:", fleet.id, fleet.protection));
        let nodes = fleet.nodes.iter();
        lines.extend(nodes.map(|node| {
            format!("  node {} at {}: identity {:?}", node.id, node.site, node.identity_key)
        }));
    }
    lines.join("\n") + "\n"
}

fn record(
    layout: &Layout,
    manifest: &Manifest,
    bytes: &[u8],
    ceremony: &[u8],
) -> Result<Event, DevError> {
    let fleet =
        manifest.fleet(FLEET).ok_or_else(|| DevError::failed("the manifest lists no fleet dev"))?;
    let mut event = Event::Deployment(Deployment {
        ceremony_sha256: Hex(sha256(ceremony)),
        epoch: manifest.epoch,
        // No hardware speaks for these keys.
        evidence_sha256: Hex(sha256(b"")),
        fleet: FLEET.to_owned(),
        kind: DeploymentKind::Deployment,
        manifest_sha256: Hex(sha256(bytes)),
        measurement: fleet.measurement.clone(),
        signatures: Vec::new(),
        time_ms: keys::now_ms()?,
    });
    let operator = keys::load_key(&layout.operator_key())?;
    let statement = event.statement(&events_origin(&audit::origin()));
    event.sign(operator.verifying_key().to_bytes(), operator.sign(&statement).to_bytes());
    Ok(event)
}
