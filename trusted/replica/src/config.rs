//! What a replica is given at birth, and what it may refuse.

use alloc::{string::String, vec::Vec};
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::{NodeId, ReplicaId};

/// Ticks without a leader before an election, at least; at most one less than twice as many.
pub(crate) const ELECTION_TICKS: usize = 10;
/// Ticks for which a leader's disk may owe it one batch.
pub(crate) const DISK_TICKS: u64 = 20;
/// Ticks between heartbeats.
pub(crate) const HEARTBEAT_TICKS: usize = 2;
/// Ticks between requests to join.
pub(crate) const JOIN_TICKS: u64 = 10;
/// Ticks after which a snapshot without an answer is taken for lost; the library would wait forever.
pub(crate) const SNAPSHOT_RETRY_TICKS: u64 = 40;
/// Largest payload of one entry.
pub const MAX_PAYLOAD: usize = 128 * 1024;
/// Most entries in one message.
pub(crate) const MAX_ENTRIES: usize = 16 * 1024;
/// A message is closed at this size, unless one entry alone is larger.
pub(crate) const MESSAGE_BYTES: usize = 512 * 1024;
/// Proposals that are not yet committed, in bytes; beyond that `propose` says `Busy`.
pub(crate) const UNCOMMITTED_BYTES: u64 = 16 * 1024 * 1024;
/// Appends in flight to one follower.
pub(crate) const INFLIGHT: usize = 256;
/// Longest fleet id.
pub(crate) const MAX_FLEET: usize = 64;
/// Smallest `max_frame` that carries every message but a snapshot.
pub const MIN_FRAME: usize = 2 * 1024 * 1024;
/// Numbers from peers stay below this, so that sums cannot overflow.
pub(crate) const NUMBER_CEILING: u64 = 1 << 62;

/// All of it comes from the trusted side: manifest, hardware, entropy.
#[derive(Clone, Zeroize, ZeroizeOnDrop)]
pub struct Config {
    /// This node.
    #[zeroize(skip)]
    pub node: NodeId,
    /// This process; drawn from entropy, never used before.
    #[zeroize(skip)]
    pub id: ReplicaId,
    /// Fleet id, at most 64 printable ASCII characters.
    pub fleet: String,
    /// Every node of the manifest, this one included.
    #[zeroize(skip)]
    pub nodes: Vec<NodeId>,
    /// `s`: an answer waits for majority + s nodes.
    pub rollback_tolerance: u8,
    /// 32 bytes of entropy, fresh for this process.
    pub seed: [u8; 32],
    /// The node's sealing root, from its hardware.
    pub sealing_root: [u8; 32],
    /// Contents of the hardware cell, `None` when it was never written.
    pub cell: Option<Vec<u8>>,
    /// Milliseconds in a tick, 1..=60000.
    pub tick_ms: u64,
    /// Largest peer message in bytes, snapshots included.
    pub max_frame: usize,
}

/// What the host handed over at boot. Untrusted: absent, old, torn, forked or made up.
#[derive(Clone, Default, Debug, PartialEq, Eq)]
pub struct DiskImage {
    /// Last `PutMeta`.
    pub meta: Option<Vec<u8>>,
    /// Last `PutSnapshot`.
    pub snapshot: Option<Vec<u8>>,
    /// Last `PutSalts`.
    pub salts: Option<Vec<u8>>,
    /// Entries in ascending order of their index.
    pub entries: Vec<DiskEntry>,
}

/// One entry of a [`DiskImage`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskEntry {
    /// Where it stands in the log.
    pub index: u64,
    /// The sealed entry.
    pub entry: Vec<u8>,
    /// The sealed salt; empty for entries without one.
    pub salt: Vec<u8>,
}

/// Why a replica did not start. A bad disk is never among the reasons: see [`crate::BootReport`].
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootError {
    /// The manifest's node list is empty, has duplicates, or lacks this node.
    BadNodes,
    /// The id is a placeholder or belongs to another node.
    BadId,
    /// Fleet id empty, too long, or not printable ASCII.
    BadFleet,
    /// `tick_ms` or `max_frame` out of range.
    BadLimits,
    /// `rollback_tolerance` asks for more nodes than there are.
    BadTolerance,
    /// The hardware cell holds something that this version did not write.
    BadCell,
    /// The consensus library refused its own settings: a defect of this crate.
    Library,
}

/// Nodes that make a majority of the manifest.
pub(crate) fn majority(nodes: usize) -> usize {
    (nodes / 2).saturating_add(1)
}

impl Config {
    pub(crate) fn check(&self) -> Result<(), BootError> {
        let mut seen = self.nodes.clone();
        seen.sort_unstable();
        seen.dedup();
        if seen.len() != self.nodes.len() || !seen.contains(&self.node) {
            return Err(BootError::BadNodes);
        }
        if self.id.node() != self.node || self.id.is_placeholder() {
            return Err(BootError::BadId);
        }
        let printable = self.fleet.bytes().all(|b| (0x21..=0x7e).contains(&b));
        if self.fleet.is_empty() || self.fleet.len() > MAX_FLEET || !printable {
            return Err(BootError::BadFleet);
        }
        if self.tick_ms == 0 || self.tick_ms > 60_000 || self.max_frame < MIN_FRAME {
            return Err(BootError::BadLimits);
        }
        if majority(seen.len()).saturating_add(usize::from(self.rollback_tolerance)) > seen.len() {
            return Err(BootError::BadTolerance);
        }
        Ok(())
    }
}
