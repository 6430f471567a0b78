//! One authenticated, encrypted link between two vault processes.
//!
//! **What it is.** A sans-IO state machine per node: frames and the time go in, [`LinkEvent`]s come
//! out. The handshake is Noise `KKpsk2` over X25519 keys from the manifest, with an ephemeral
//! ML-KEM-768 exchange as its pre-shared key; a session belongs to one pair of *processes*
//! ([`ReplicaId`]), not to a pair of nodes.
//!
//! **What it may assume.** The seed is fresh for this process and secret; the static secret belongs
//! to this node; the peers' public keys and the digest come from a verified manifest.
//!
//! **What it must never do.** Believe a host: it may drop, repeat, reorder, forge, redirect or keep
//! frames for years. Panic on bytes. Begin a second session for a pair of processes that has one,
//! since that would let a process whose memory was put back start over unseen. Read a clock or a
//! generator of its own.
//!
//! # What a host can try, and what answers it
//!
//! | attempt | answer |
//! |---|---|
//! | deliver a frame twice, late or out of order | counters only rise; anything not above is dropped |
//! | carry a frame to another pair of nodes | both node ids, both keys and the manifest are in the handshake |
//! | repeat the hello of a dead process | it gets an answer that nobody can use: a session counts from its first data frame, so the living one stays |
//! | repeat a dead process's hello *and* its data | its id is retired here, and each session that begins replaces the secret behind the answers |
//! | flood with old hellos, to push out one that is half done | the same hello gets the same answer, and is repeated until the session carries data |
//! | put this process's memory back | the peer acknowledges, by counter and tag, a frame that this process never sent: [`Halt::RolledBack`] |
//! | keep every frame, and read a memory later | at each erasure a key is replaced by its successor, at both ends, and a seed by the next |
//! | put it back to before the session | a new hello for a pair that has a session is refused; the old hello brings the old session and its proof back |
//!
//! **What it cannot see.** A process that was put back, and whose host from then on withholds every
//! frame of that peer until its counter has passed what was lost and the peer has taken newer frames. The replica's
//! `rollback_tolerance` answers that, not this crate. Such a process also uses counters twice, so that a
//! host learns the difference of two frames' plaintexts: see the threat model.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![deny(missing_docs)]

mod direction;
mod fragment;
mod frame;
mod handshake;
mod peer;
mod seeds;
mod session;

#[cfg(test)]
mod memory_tests;

pub use fragment::MAX_MESSAGE;
pub use frame::MAX_FRAME;
pub use handshake::public_key;

use handshake::Keys;
use peer::Peer;
use seeds::Seeds;

/// A node of the fleet, 1..=62.
pub type NodeId = u8;

/// One process of one node: `node << 56 | nonce`, the nonce never zero and never used again.
pub type ReplicaId = u64;

/// A hello is repeated after this long without an answer.
pub const RETRY_MS: u64 = 500;
/// A session that has sent nothing for this long sends an empty frame, which carries an acknowledgement.
pub const KEEPALIVE_MS: u64 = 500;
/// After this long without a word from the peer, the initiator offers a new session as well.
pub const SILENCE_MS: u64 = 1_500;

const MAX_NODE: NodeId = 62;
const MAX_FLEET: usize = 64;

/// The node that a replica id belongs to.
pub fn node_of(replica: ReplicaId) -> NodeId {
    replica.to_be_bytes()[0]
}

fn is_process_of(replica: ReplicaId, node: NodeId) -> bool {
    node_of(replica) == node && replica & 0x00ff_ffff_ffff_ffff != 0
}

/// Everything that a process's links are made from.
pub struct Config {
    /// This node.
    pub own: NodeId,
    /// This process.
    pub id: ReplicaId,
    /// The node's X25519 secret, whose public key the manifest holds.
    pub static_secret: [u8; 32],
    /// The other nodes of the manifest and their X25519 public keys.
    pub peers: Vec<(NodeId, [u8; 32])>,
    /// SHA-256 of the manifest: links of two epochs do not meet.
    pub manifest_digest: [u8; 32],
    /// The fleet's id, at most 64 printable ASCII characters.
    pub fleet: String,
    /// Fresh entropy for this process.
    pub seed: [u8; 32],
}

/// Why links could not be made; each is a mistake of the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConfigError {
    /// The own node is not within 1..=62, or the replica id is not one of its processes.
    Own,
    /// A peer is out of range, listed twice, or this node itself.
    Peer(NodeId),
    /// The fleet id is empty, too long, or not printable ASCII.
    Fleet,
}

/// What this process must do about a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkEvent {
    /// A session with this process of the peer exists; any earlier process of that node is gone for good.
    Up {
        /// The peer's node.
        node: NodeId,
        /// The peer's process.
        replica: ReplicaId,
    },
    /// A whole message, from exactly this process, not seen before.
    Message {
        /// Who sent it.
        from: ReplicaId,
        /// What it sent.
        bytes: Vec<u8>,
    },
    /// Hand these bytes to the host.
    Send {
        /// The node to carry it to.
        to: NodeId,
        /// One frame, at most [`MAX_FRAME`] bytes.
        bytes: Vec<u8>,
    },
    /// This process must stop for good. From here on the links are dead.
    Halt(Halt),
}

/// Why this process must stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Halt {
    /// A peer proved that it has frames of this process which this process has not sent: somebody
    /// put an older copy of its memory back.
    RolledBack,
}

/// All links of one process.
pub struct Links {
    keys: Keys,
    seeds: Seeds,
    peers: Vec<Peer>,
    /// What the links were last rekeyed for, and what of it every peer has followed.
    retiring: u64,
    retired: u64,
    /// The time of the last call that told it.
    now_ms: u64,
    halted: bool,
}

impl Links {
    /// Makes the links of one process; nothing is sent before the first [`Links::tick`].
    pub fn new(config: Config) -> Result<Links, ConfigError> {
        let Config { own, id, static_secret, peers, manifest_digest, fleet, seed } = config;
        if !(1..=MAX_NODE).contains(&own) || !is_process_of(id, own) {
            return Err(ConfigError::Own);
        }
        if fleet.is_empty()
            || fleet.len() > MAX_FLEET
            || !fleet.bytes().all(|b| (0x20..0x7f).contains(&b))
        {
            return Err(ConfigError::Fleet);
        }
        let mut seeds = Seeds::new(seed);
        let mut list: Vec<Peer> = Vec::with_capacity(peers.len());
        for (node, public) in peers {
            let known = list.iter().any(|p| p.node() == node);
            if !(1..=MAX_NODE).contains(&node) || node == own || known {
                return Err(ConfigError::Peer(node));
            }
            list.push(Peer::new(own, node, public, &mut seeds));
        }
        let keys = Keys::new(id, static_secret, manifest_digest, fleet);
        Ok(Links { keys, seeds, peers: list, retiring: 0, retired: 0, now_ms: 0, halted: false })
    }

    /// Takes one frame that the host says came from `from`. Whatever does not belong is dropped in
    /// silence: the host could as well not have delivered it.
    pub fn on_frame(&mut self, now_ms: u64, from: NodeId, bytes: &[u8]) -> Vec<LinkEvent> {
        if self.halted {
            return Vec::new();
        }
        self.now_ms = now_ms;
        let Some(peer) = self.peers.iter_mut().find(|p| p.node() == from) else {
            return Vec::new();
        };
        let events = peer.on_frame(&self.keys, &mut self.seeds, now_ms, bytes);
        self.halted = events.iter().any(|e| matches!(e, LinkEvent::Halt(_)));
        events
    }

    /// The frames that carry one message to exactly that process, in the order in which the host is
    /// to deliver them. Empty when there is no session with it or the message is above [`MAX_MESSAGE`]:
    /// to a consensus engine both are a lost message.
    pub fn send(&mut self, to: ReplicaId, message: &[u8]) -> Vec<Vec<u8>> {
        if self.halted {
            return Vec::new();
        }
        let node = node_of(to);
        let peer = self.peers.iter_mut().find(|p| p.node() == node);
        peer.map(|p| p.send(self.now_ms, to, message)).unwrap_or_default()
    }

    /// Lets time pass: repeats hellos, keeps idle sessions alive. Call it every 100 ms or so.
    pub fn tick(&mut self, now_ms: u64) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        self.now_ms = now_ms;
        if !self.halted {
            for peer in &mut self.peers {
                peer.tick(&self.keys, &mut self.seeds, now_ms, &mut events);
            }
            if self.peers.iter().all(Peer::was_rekeyed) {
                self.retired = self.retiring;
            }
        }
        events
    }

    /// This process has forgotten what was erased up to `through`: from here on its frames are sealed
    /// under new keys, and nothing that stays here opens what it sent before.
    pub fn retire(&mut self, through: u64) {
        if through > self.retiring {
            self.retiring = through;
            self.peers.iter_mut().for_each(Peer::rekey);
        }
    }

    /// The newest [`Links::retire`] after which every peer has given up the older keys as well.
    pub fn retired_through(&self) -> u64 {
        self.retired
    }

    /// The process of that node that this one has a session with.
    pub fn process_of(&self, node: NodeId) -> Option<ReplicaId> {
        self.peers.iter().find(|p| p.node() == node).and_then(Peer::process)
    }
}

#[cfg(test)]
impl Links {
    fn seeds_now(&self) -> &[u8; 32] {
        self.seeds.now()
    }
}
