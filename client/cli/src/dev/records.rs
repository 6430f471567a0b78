//! What a development fleet writes into its event log: each deployment, and each start that its custodians
//! signed (spec §21.7).

use super::{
    audit,
    deployment::Papers,
    error::DevError,
    genesis::{Signed, Why},
    keys,
    layout::{FLEET, Layout, State, private_dir, write_private},
};
use crate::voice::Voice;
use ed25519_dalek::Signer as _;
use serde_json::json;
use std::{fs, path::PathBuf};
use strongroom_verify::{Event, Restart, RestartKind, events_origin};

/// Keeps a start that a majority follows until it is recorded. A crash before this leaves a start that the
/// log does not have: vaults do not ask the log.
pub(crate) fn keep_start(
    layout: &Layout,
    epoch: u64,
    start: &Signed,
    why: Why,
) -> Result<(), DevError> {
    let reason = match why {
        _ if start.era == 1 => "genesis",
        Why::NewManifest => "planned: the fleet goes on under its next manifest",
        Why::Outage => "cold start: too few voting nodes were left to readmit the others",
    }
    .to_owned();
    let mut event = Event::Restart(Restart {
        epoch,
        fleet: FLEET.to_owned(),
        kind: RestartKind::Restart,
        reason,
        signatures: Vec::new(),
        start: hex::encode(&start.bytes),
        time_ms: keys::now_ms()?,
    });
    let statement = event.statement(&events_origin(&audit::origin()));
    for custodian in keys::load_custodians(layout)? {
        let signature = custodian.sign(&statement).to_bytes();
        event.sign(custodian.verifying_key().to_bytes(), signature);
    }
    let folder = layout.path("starts");
    private_dir(&folder)?;
    write_private(&folder.join(format!("{}.json", start.era)), &event.to_json())
}

/// Records what is not recorded yet: starts, and the deployment under the manifest of now. The fleet runs
/// either way; what could not be recorded is said, and tried again by the next command.
pub(crate) fn bring(layout: &Layout, state: &State, voice: Voice) {
    let mut said = Vec::new();
    let done = bring_all(layout, state, voice, &mut said);
    if !said.is_empty() {
        let text = format!("recorded in the public event log: {}", said.join(", "));
        voice.result("recorded", &text, json!({"events": said}));
    }
    if let Err(error) = done {
        let text = format!("{error}; the next `strongroom dev up` tries again");
        voice.note("not_recorded", &text);
    }
}

fn bring_all(
    layout: &Layout,
    state: &State,
    voice: Voice,
    said: &mut Vec<String>,
) -> Result<(), DevError> {
    bring_starts(layout, state, voice, said)?;
    let papers = Papers::of_now(layout)?;
    let mark = layout.path("deployments").join(format!("{}/recorded", papers.epoch));
    if !mark.exists() {
        audit::record(layout, state, &papers.event()?)?;
        said.push(format!("deployment under epoch {}", papers.epoch));
        write_private(&mark, b"")?;
    }
    Ok(())
}

/// Records the starts that were kept. The log takes none of an epoch before that of a later event: such a one
/// is set aside, or it would stand in the way of all others.
pub(crate) fn bring_starts(
    layout: &Layout,
    state: &State,
    voice: Voice,
    said: &mut Vec<String>,
) -> Result<(), DevError> {
    for (era, path) in kept_starts(layout)? {
        let bytes = fs::read(&path).map_err(|e| DevError::io("read", &path, &e))?;
        let event = Event::parse(&bytes)
            .map_err(|e| DevError::failed(format!("{}: {e}", path.display())))?;
        match audit::try_record(layout, state, &event)? {
            Ok(_) => said.push(format!("start of era {era}")),
            Err(error) if error.is_transient() => return Err(audit::unrecorded(&error)),
            Err(error) => {
                let aside = path.with_extension("refused");
                let text = format!("start of era {era}: {error}; kept in {}", aside.display());
                voice.note("not_recorded", &text);
                fs::copy(&path, &aside).map_err(|e| DevError::io("write", &aside, &e))?;
            }
        }
        // A crash before this records it once more, which finds it recorded.
        fs::remove_file(&path).map_err(|e| DevError::io("remove", &path, &e))?;
    }
    Ok(())
}

/// By rising era: the log takes them in no other order.
fn kept_starts(layout: &Layout) -> Result<Vec<(u64, PathBuf)>, DevError> {
    let folder = layout.path("starts");
    let failed = |e: std::io::Error| DevError::io("read", &folder, &e);
    let mut found = Vec::new();
    if !folder.exists() {
        return Ok(found);
    }
    for entry in fs::read_dir(&folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        // A draft that a crash left has another name.
        if let Some(era) = name.strip_suffix(".json").and_then(|era| era.parse().ok()) {
            found.push((era, path));
        }
    }
    found.sort_unstable();
    Ok(found)
}
