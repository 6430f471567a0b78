//! The fleet's next manifest: the same fleet, one epoch later.
//!
//! Sessions, answers and links are bound to one manifest, so a fleet changes over as a whole: published
//! first, then stopped and started again, by a cold start that its custodians sign. Clients find the
//! new manifest over the air, and try again while the fleet changes over.

use super::{
    audit,
    error::DevError,
    genesis::{self, Why},
    keys,
    layout::{Layout, Process, State, private_dir, write_private},
    processes::{self, Programs},
    records, setup, start_process, stop_nodes,
};
use crate::voice::Voice;
use serde_json::json;
use std::{fs, path::Path};
use strongroom_manifest::{Manifest, SignedManifest, parse, to_canonical_json};
use strongroom_verify::TrustFile;
use strongroom_wire::digest::sha256;

/// Brings the next manifest in. What a crash left half done is gone on with: the draft in `next/` stays
/// until the fleet runs under it.
pub(crate) fn rotate(
    layout: &Layout,
    new_custodians: bool,
    programs: &Programs,
    voice: Voice,
) -> Result<(), DevError> {
    let state = layout.load()?;
    let next = layout.next();
    for process in state.audit_processes() {
        start_process(layout, process, programs)?;
    }
    if is_under_way(layout) {
        voice.note("rotation", "going on with the manifest in next/, as it was drafted");
    } else {
        draft(layout, new_custodians)?;
    }
    let new_custodians = next.custodians().exists();
    let epoch = read(&next.manifest())?.epoch;
    // Nobody is answered from here on; whoever asks tries again for a while.
    let stop = |process| processes::stop(&layout.files(process), super::STOP_PATIENCE);
    stop(Process::Gateway)?;
    let nodes: Vec<u8> = state.node_ids().collect();
    if let Err(error) = audit::publish(layout, &state, &next, voice) {
        // Its nodes were not stopped.
        start_process(layout, Process::Gateway, programs)?;
        return Err(error.hint(
            "the fleet goes on under its manifest; `strongroom dev rotate` goes on where this stopped. If \
             the new manifest is published already, no client uses the fleet before that",
        ));
    }
    stop_nodes(layout, &state)?;
    take_over(layout, &state)?;
    for node in &nodes {
        start_process(layout, Process::Node(*node), programs)?;
    }
    genesis::start_if_needed(layout, &state, programs, &nodes, Why::NewManifest, voice)?;
    start_process(layout, Process::Gateway, programs)?;
    genesis::wait_until_ready(layout, &state, &nodes)?;
    records::bring(layout, &state, voice);
    voice.result(
        "rotated",
        &format!("the fleet runs under its manifest of epoch {epoch}"),
        json!({"epoch": epoch, "custodians_changed": new_custodians}),
    );
    Ok(())
}

/// Whether a manifest waits in `next/`: one that may be published already.
pub(crate) fn is_under_way(layout: &Layout) -> bool {
    layout.next().manifest().exists()
}

/// Writes the next manifest, signed by the custodians of now, into `next/`.
fn draft(layout: &Layout, new_custodians: bool) -> Result<(), DevError> {
    let next = layout.next();
    let now_ms = keys::now_ms()?;
    // A draft without its manifest is nobody's: the manifest is written last.
    if next.root().exists() {
        fs::remove_dir_all(next.root()).map_err(|e| DevError::io("remove", next.root(), &e))?;
    }
    private_dir(next.root())?;
    let mut manifest = read(&layout.manifest())?;
    let chain = chain_of_next(layout, &manifest)?;
    manifest.epoch = manifest.epoch.saturating_add(1);
    manifest.not_before_ms = manifest.not_before_ms.max(now_ms.saturating_sub(keys::HOUR_MS));
    manifest.not_after_ms = manifest.not_before_ms.saturating_add(keys::VALID_MS);
    if new_custodians {
        manifest.custodians = keys::custodians_of(&keys::make_custodians(&next)?);
    }
    let bytes = to_canonical_json(&manifest);
    let signatures = keys::sign_manifest(&sha256(&bytes), &keys::load_custodians(layout)?);
    write_private(&next.chain(), &keys::to_json(&chain)?)?;
    write_private(&next.signatures(), &keys::to_json(&signatures)?)?;
    write_private(&next.manifest(), &bytes)
}

/// Puts what is published into its place. Each step may be the last before a crash: all of them are
/// repeated by the next `rotate`, which finds the manifest in `next/` as long as one is missing.
fn take_over(layout: &Layout, state: &State) -> Result<(), DevError> {
    let next = layout.next();
    let bytes = read_bytes(&next.manifest())?;
    let copy = |from: &Path, to: &Path| write_private(to, &read_bytes(from)?);
    if next.custodians().exists() {
        for custodian in 1..=keys::CUSTODIANS {
            copy(&next.custodian_key(custodian), &layout.custodian_key(custodian))?;
        }
        copy(&next.custodians(), &layout.custodians())?;
    }
    copy(&next.chain(), &layout.chain())?;
    copy(&next.signatures(), &layout.signatures())?;
    copy(&next.manifest(), &layout.manifest())?;
    setup::configure_gateway(layout, state, &sha256(&bytes))?;
    fs::remove_file(next.manifest()).map_err(|e| DevError::io("remove", &next.manifest(), &e))?;
    fs::remove_dir_all(next.root()).map_err(|e| DevError::io("remove", next.root(), &e))
}

/// The changes of custodians before the next manifest: those before the current one, and the current one
/// if it is a change itself.
fn chain_of_next(layout: &Layout, current: &Manifest) -> Result<Vec<SignedManifest>, DevError> {
    let mut chain: Vec<SignedManifest> = json(&layout.chain())?;
    let before = match chain.last() {
        Some(link) => {
            parse(link.manifest.as_bytes())
                .map_err(|e| DevError::failed(format!("{}: {e}", layout.chain().display())))?
                .custodians
        }
        None => json::<TrustFile>(&layout.trust())?.custodians,
    };
    if current.custodians != before {
        let manifest = String::from_utf8_lossy(&read_bytes(&layout.manifest())?).into_owned();
        chain.push(SignedManifest { manifest, signatures: json(&layout.signatures())? });
    }
    Ok(chain)
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, DevError> {
    serde_json::from_slice(&read_bytes(path)?)
        .map_err(|e| DevError::failed(format!("{}: {e}", path.display())))
}

fn read(path: &Path) -> Result<Manifest, DevError> {
    parse(&read_bytes(path)?).map_err(|e| DevError::failed(format!("{}: {e}", path.display())))
}

fn read_bytes(path: &Path) -> Result<Vec<u8>, DevError> {
    fs::read(path).map_err(|e| DevError::io("read", path, &e))
}
