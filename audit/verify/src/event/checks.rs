//! What an event must keep under the manifest of its epoch.

use super::{Event, PositionEvent, Restart};
use crate::response::is_strictly_signed;
use std::collections::BTreeSet;
use strongroom_manifest::{Fleet, Hex, Manifest, check_signatures};
use strongroom_wire::start::{SignedPosition, SignedStart};

/// Checks an event of the event log `origin` against the manifest of its epoch, whose SHA-256 is
/// `digest`. Who calls has verified that manifest.
///
/// # Errors
/// [`EventFault`] for the first thing that is wrong.
pub fn check_event(
    event: &Event,
    origin: &str,
    manifest: &Manifest,
    digest: &[u8; 32],
    operator_key: &[u8; 32],
) -> Result<(), EventFault> {
    if event.epoch() != manifest.epoch {
        return Err(EventFault::Epoch { got: event.epoch(), expected: manifest.epoch });
    }
    let fleet = manifest.fleet(event.fleet());
    let fleet = fleet.ok_or_else(|| EventFault::Fleet { got: event.fleet().to_owned() })?;
    match event {
        Event::Deployment(record) => {
            if record.manifest_sha256.0 != *digest {
                let (got, expected) = (record.manifest_sha256, Hex(*digest));
                return Err(EventFault::Manifest { got, expected });
            }
            if record.measurement != fleet.measurement {
                let (got, expected) = (record.measurement.clone(), fleet.measurement.clone());
                return Err(EventFault::Measurement { got, expected });
            }
            signed_by(event, origin, &[Hex(*operator_key)], 1)
        }
        Event::Position(position) => {
            signed_by(event, origin, &[], 0)?;
            positioned(position, fleet)
        }
        Event::Restart(restart) => {
            let custodians = &manifest.custodians;
            signed_by(event, origin, &custodians.keys, usize::from(custodians.threshold))?;
            started(restart, manifest, fleet)
        }
    }
}

/// Every listed signature is good and by one of `allowed`, and there are `needed` of them.
fn signed_by(
    event: &Event,
    origin: &str,
    allowed: &[Hex<32>],
    needed: usize,
) -> Result<(), EventFault> {
    let statement = event.statement(origin);
    for one in event.signatures() {
        if !allowed.contains(&one.key) {
            return Err(EventFault::Stranger { key: one.key });
        }
        if !is_strictly_signed(&one.key.0, &statement, &one.signature.0) {
            return Err(EventFault::Signature { key: one.key });
        }
    }
    // No key stands there twice: an event that lists one so does not read.
    let got = event.signatures().len();
    if got < needed { Err(EventFault::Signatures { got, needed }) } else { Ok(()) }
}

/// The position inside, if it reads.
pub(super) fn position_of(event: &PositionEvent) -> Option<SignedPosition> {
    SignedPosition::from_bytes(&lower_hex(&event.position)?).ok()
}

/// The start inside, if it reads.
pub(super) fn start_of(event: &Restart) -> Option<SignedStart> {
    SignedStart::from_bytes(&lower_hex(&event.start)?).ok()
}

/// One spelling for one value.
fn lower_hex(digits: &str) -> Option<Vec<u8>> {
    let bytes = hex::decode(digits).ok()?;
    (hex::encode(&bytes) == digits).then_some(bytes)
}

fn positioned(event: &PositionEvent, fleet: &Fleet) -> Result<(), EventFault> {
    let signed = position_of(event).ok_or(EventFault::Inside { what: "position" })?;
    let named = (signed.position.fleet.as_str(), signed.position.node);
    if named != (event.fleet.as_str(), event.node) {
        return Err(EventFault::Named);
    }
    of_its_node(&signed, fleet)
}

fn of_its_node(signed: &SignedPosition, fleet: &Fleet) -> Result<(), EventFault> {
    let node = signed.position.node;
    let listed = fleet.node(node).ok_or(EventFault::Node { node })?;
    let statement = signed.position.statement();
    let good = signed.position.fleet == fleet.id
        && is_strictly_signed(&listed.identity_key.0, &statement, &signed.signature.0);
    if good { Ok(()) } else { Err(EventFault::Node { node }) }
}

/// What every vault checks, too (spec §11.2), as far as a stranger can.
fn started(event: &Restart, manifest: &Manifest, fleet: &Fleet) -> Result<(), EventFault> {
    let signed = start_of(event).ok_or(EventFault::Inside { what: "start" })?;
    let start = &signed.start;
    if start.fleet != event.fleet {
        return Err(EventFault::Named);
    }
    let pairs = signed.signatures.iter().map(|one| (one.custodian.0, one.signature.0));
    let got = check_signatures(&manifest.custodians, &start.statement(), pairs);
    let needed = usize::from(manifest.custodians.threshold);
    if got < needed {
        return Err(EventFault::StartSignatures { got, needed });
    }
    start.positions.iter().try_for_each(|position| of_its_node(position, fleet))?;
    let named: BTreeSet<u8> = start.positions.iter().map(|one| one.position.node).collect();
    let majority = fleet.nodes.len() / 2 + 1;
    if named.len() != start.positions.len() || named.len() < majority {
        return Err(EventFault::Majority { got: named.len(), needed: majority });
    }
    let newest = start.positions.iter().map(|one| one.position.era).max().unwrap_or_default();
    let empty = start.positions.iter().filter(|one| one.position.last_index == 0).count();
    let genesis = empty == start.positions.len() && start.era == 1;
    if start.era <= newest || !(genesis || empty == 0) {
        return Err(EventFault::Era { got: start.era, newest });
    }
    Ok(())
}

/// What is wrong with an event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventFault {
    /// Of another epoch than the manifest.
    #[error("event of epoch {got}, its manifest is of epoch {expected}")]
    Epoch {
        /// The event's.
        got: u64,
        /// The manifest's.
        expected: u64,
    },
    /// A fleet that the manifest does not have.
    #[error("the manifest of that epoch has no fleet {got}")]
    Fleet {
        /// The event's.
        got: String,
    },
    /// Another manifest than the one that is logged.
    #[error("record of the manifest with SHA-256 {got:?}, logged for that epoch is {expected:?}")]
    Manifest {
        /// The record's.
        got: Hex<32>,
        /// The log's.
        expected: Hex<32>,
    },
    /// Other code than the manifest names.
    #[error("record of measurement {got:?}, the manifest has {expected:?}")]
    Measurement {
        /// The record's.
        got: String,
        /// The manifest's.
        expected: String,
    },
    /// A signature by one who has no say.
    #[error("signed by {key:?}, which signs no event of this kind")]
    Stranger {
        /// The key.
        key: Hex<32>,
    },
    /// A false signature.
    #[error("false signature under {key:?}")]
    Signature {
        /// The key.
        key: Hex<32>,
    },
    /// Too few signatures.
    #[error("{got} signatures, {needed} needed")]
    Signatures {
        /// Good ones.
        got: usize,
        /// The threshold.
        needed: usize,
    },
    /// What it carries does not read.
    #[error("its {what} does not read (spec §11)")]
    Inside {
        /// `position` or `start`.
        what: &'static str,
    },
    /// What it carries is of another fleet or node.
    #[error("what it carries is of another fleet or node")]
    Named,
    /// A position that is not its node's.
    #[error("a position of node {node} is not signed by a node of this fleet")]
    Node {
        /// The node.
        node: u8,
    },
    /// Too few custodians signed the start itself.
    #[error("{got} custodians signed the start statement, {needed} needed")]
    StartSignatures {
        /// Good ones.
        got: usize,
        /// The threshold.
        needed: usize,
    },
    /// Too few nodes, or one twice.
    #[error("the start names {got} nodes, at least {needed} are needed, none twice")]
    Majority {
        /// Distinct nodes.
        got: usize,
        /// A majority.
        needed: usize,
    },
    /// An era that no start of these positions has.
    #[error("start of era {got} from positions of eras up to {newest}, some of them empty or none")]
    Era {
        /// The start's.
        got: u64,
        /// The newest of its positions.
        newest: u64,
    },
}
