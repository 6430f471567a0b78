//! Every event of an event log, each under the manifest of its epoch.

use crate::{EVENTS, directory::Below};
use std::collections::BTreeMap;
use strongroom_manifest::{Manifest, parse};
use strongroom_page::{Outcome, Stopped};
use strongroom_tlog::{
    LogKey, Note, SignedCheckpoint, TreeHead,
    policy::Vouched,
    tiles::{TileSource, VerifiedTiles},
};
use strongroom_verify::{
    EVENTS_MAX, Event, EventError, EventOrder, Leaf, Noted, Trust, check_event, events_origin,
};
use strongroom_wire::digest::sha256;

/// One event that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEvent {
    /// From 0.
    pub index: u64,
    /// The event.
    pub event: Event,
    /// What is worth telling of it.
    pub noted: Noted,
}

/// An event log that holds.
#[derive(Debug, Clone)]
pub struct CheckedEvents {
    /// Every event of the namespace.
    pub events: Vec<CheckedEvent>,
    /// Who cosigned its checkpoint.
    pub witnesses: Vec<Vouched>,
}

impl CheckedEvents {
    /// In one sentence.
    pub fn told(&self) -> String {
        let events = &self.events;
        let count = |kind: &str| events.iter().filter(|one| one.event.kind() == kind).count();
        let behind = events.iter().filter(|one| one.noted == Noted::Behind).count();
        format!(
            "{} events hold: {} deployments, {} positions ({behind} behind an earlier one), {} restarts",
            events.len(),
            count("deployment"),
            count("position"),
            count("restart")
        )
    }
}

/// Checks the event log that lies in `events/` beside its manifest log. `note` is its checkpoint, read before
/// the manifest log's: what it holds is then of epochs that are there. `head` is the manifest log's, whose
/// history the caller has verified.
///
/// # Errors
/// The stage, its outcome and why.
pub fn check_event_log<S: TileSource>(
    source: &S,
    note: &[u8],
    trust: &Trust,
    head: TreeHead,
    now_ms: u64,
) -> Result<CheckedEvents, Stopped> {
    let tiles = VerifiedTiles::open(source, head);
    let tiles = tiles.map_err(|error| ("events", Outcome::Unchecked, error.to_string()))?;
    let mut manifests = Manifests { tiles, origin: trust.origin(), read: BTreeMap::new() };
    let below = Below { source, folder: EVENTS };
    let (events, witnesses) = check_events(&below, note, &mut manifests, trust, now_ms)?;
    Ok(CheckedEvents { events, witnesses })
}

/// The manifests of a log whose history was checked, read again under its root as events ask for them.
struct Manifests<'a, S> {
    tiles: VerifiedTiles<&'a S>,
    origin: &'a str,
    read: BTreeMap<u64, (Manifest, [u8; 32])>,
}

impl<S: TileSource> Manifests<'_, S> {
    /// The manifest of an epoch and its digest; none for an epoch that the log does not have.
    fn get(&mut self, epoch: u64) -> Result<Option<&(Manifest, [u8; 32])>, Stopped> {
        let Some(index) = epoch.checked_sub(1).filter(|index| *index < self.tiles.head().size)
        else {
            return Ok(None);
        };
        if !self.read.contains_key(&epoch) {
            let unchecked = |text: String| ("events", Outcome::Unchecked, text);
            let entry = self.tiles.entry(index).map_err(|error| unchecked(error.to_string()))?;
            let leaf = Leaf::parse(self.origin, &entry);
            let manifest =
                leaf.and_then(|leaf| Some((parse(&leaf.manifest).ok()?, sha256(&leaf.manifest))));
            let absent = || unchecked(format!("the manifest of epoch {epoch} does not read"));
            self.read.insert(epoch, manifest.ok_or_else(absent)?);
        }
        Ok(self.read.get(&epoch))
    }
}

/// Checks an event log under its manifest log.
fn check_events<S: TileSource, E: TileSource>(
    source: &E,
    note: &[u8],
    manifests: &mut Manifests<'_, S>,
    trust: &Trust,
    now_ms: u64,
) -> Result<(Vec<CheckedEvent>, Vec<Vouched>), Stopped> {
    let refused = |text: String| ("events", Outcome::Refused, text);
    let unchecked = |text: String| ("events", Outcome::Unchecked, text);
    let origin = events_origin(trust.origin());
    // The manifest log's key under this log's name: the note names the log, so neither's checkpoint
    // passes for the other's.
    let key = LogKey::new(&origin, trust.log().public());
    let key = key.map_err(|error| refused(error.to_string()))?;
    let note = Note::parse(note).map_err(|error| refused(error.to_string()))?;
    let signed =
        SignedCheckpoint::verify(note, &key).map_err(|error| refused(error.to_string()))?;
    let witnesses = trust.vouched(&signed, now_ms).map_err(|error| refused(error.to_string()))?;
    let head = signed.checkpoint().head();
    if head.size > EVENTS_MAX {
        return Err(unchecked(format!("{} events, at most {EVENTS_MAX} are checked", head.size)));
    }
    let tiles = VerifiedTiles::open(source, head).map_err(|error| unchecked(error.to_string()))?;
    let (mut order, mut all) = (EventOrder::default(), Vec::new());
    for entry in tiles.entries(0) {
        let (index, entry) = entry.map_err(|error| unchecked(error.to_string()))?;
        // What a signed root leads to and breaks a rule is the log's own doing.
        let contradiction =
            |text: String| ("events", Outcome::Contradiction, format!("event {index}: {text}"));
        let event = Event::from_leaf(&origin, &entry);
        let event = event.map_err(|error| match error {
            // A newer version's, perhaps: it accuses nobody that this one is old.
            EventError::Kind { .. } => unchecked(format!("event {index}: {error}")),
            error => contradiction(error.to_string()),
        })?;
        let epoch = event.epoch();
        let Some((manifest, digest)) = manifests.get(epoch)? else {
            let size = manifests.tiles.head().size;
            return Err(unchecked(format!(
                "event {index} is of epoch {epoch}, this copy of the manifest log has {size}"
            )));
        };
        check_event(&event, &origin, manifest, digest, &trust.file().operator_key.0)
            .map_err(|fault| contradiction(fault.to_string()))?;
        let noted = order.take(&event).map_err(|fault| contradiction(fault.to_string()))?;
        all.push(CheckedEvent { index, event, noted });
    }
    Ok((all, witnesses))
}
