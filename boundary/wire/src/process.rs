//! Between a host and its vault process (spec §12): `u32 BE length ‖ CBOR`, one message at a time.
//!
//! The host is not trusted. It hands the vault bytes and gets bytes to carry or to keep; it reads
//! none of them.

use crate::{
    caps,
    codec::{self, Blob, CodecError},
};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};

/// From the host to its vault.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToVault {
    /// The newest kept meta record, once, if there is one.
    #[n(1)]
    LoadMeta {
        /// As it was given in [`PersistOp::Meta`].
        #[n(0)]
        bytes: Blob,
    },
    /// The newest kept snapshot, once, if there is one.
    #[n(2)]
    LoadSnapshot {
        /// As it was given.
        #[n(0)]
        bytes: Blob,
    },
    /// The newest kept salts, once, if there are any.
    #[n(3)]
    LoadSalts {
        /// As they were given.
        #[n(0)]
        bytes: Blob,
    },
    /// One kept log entry, by rising index.
    #[n(4)]
    LoadEntry {
        /// Its index.
        #[n(0)]
        index: u64,
        /// The sealed entry.
        #[n(1)]
        entry: Blob,
        /// Its sealed salt.
        #[n(2)]
        salt: Blob,
    },
    /// All that was kept has been handed over: the vault may begin.
    #[n(5)]
    LoadEnd {},
    /// A frame from another node's vault.
    #[n(6)]
    Peer {
        /// The node that its host claims to be.
        #[n(0)]
        from: u8,
        /// The frame.
        #[n(1)]
        bytes: Blob,
    },
    /// A relayed request.
    #[n(7)]
    Request {
        /// Names the reply.
        #[n(0)]
        id: u64,
        /// The sealed ticket.
        #[n(1)]
        ticket: Blob,
        /// The sealed request.
        #[n(2)]
        frame: Blob,
    },
    /// Everything of [`ToHost::Persist`] with this number is durable.
    #[n(8)]
    Persisted {
        /// The number.
        #[n(0)]
        number: u64,
    },
    /// A custodian asks where this vault stands. Answering freezes it.
    #[n(9)]
    Position {},
    /// A signed start statement.
    #[n(10)]
    Start {
        /// [`crate::start::SignedStart`].
        #[n(0)]
        bytes: Blob,
    },
}

/// One durable change. All of one number happen together, in order, or not at all.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum PersistOp {
    /// Replace the meta record.
    #[n(1)]
    Meta {
        /// Sealed bytes.
        #[n(0)]
        bytes: Blob,
    },
    /// Put one log entry.
    #[n(2)]
    Entry {
        /// Its index.
        #[n(0)]
        index: u64,
        /// The sealed entry.
        #[n(1)]
        entry: Blob,
        /// Its sealed salt.
        #[n(2)]
        salt: Blob,
    },
    /// Put the sealed salt of an entry again.
    #[n(3)]
    EntrySalt {
        /// The entry's index.
        #[n(0)]
        index: u64,
        /// The sealed salt.
        #[n(1)]
        salt: Blob,
    },
    /// Drop the entries from this index on.
    #[n(4)]
    TruncateFrom {
        /// The first index to drop.
        #[n(0)]
        index: u64,
    },
    /// Drop the entries before this index.
    #[n(5)]
    CompactBefore {
        /// The first index to keep.
        #[n(0)]
        index: u64,
    },
    /// Replace the snapshot.
    #[n(6)]
    Snapshot {
        /// Sealed bytes.
        #[n(0)]
        bytes: Blob,
    },
    /// Replace the salts, and delete the old ones as well as the disk can.
    #[n(7)]
    Salts {
        /// Sealed bytes.
        #[n(0)]
        bytes: Blob,
    },
    /// Drop everything.
    #[n(8)]
    Clear {},
}

/// What a vault tells its host of itself. Nothing here is secret, and nothing names a user.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Health {
    /// This process's incarnation.
    #[n(0)]
    pub incarnation: u64,
    /// The era; 0 before a start statement.
    #[n(1)]
    pub era: u64,
    /// `joining`, `learner`, `follower`, `candidate`, `leader`, `frozen` or `halted`.
    #[n(2)]
    pub role: String,
    /// The leader's node, if known.
    #[n(3)]
    pub leader: Option<u8>,
    /// Whether this node could serve an attempt now.
    #[n(4)]
    pub ready: bool,
    /// The term.
    #[n(5)]
    pub term: u64,
    /// The last applied index.
    #[n(6)]
    pub applied: u64,
    /// Nodes whose links are up, itself included.
    #[n(7)]
    pub peers: Vec<u8>,
    /// Slots held.
    #[n(8)]
    pub slots: u64,
    /// Compactions up to this index have forgotten their old erasure key on this node.
    #[n(9)]
    pub erased_through: u64,
    /// Agreed vault time, milliseconds since the Unix epoch.
    #[n(10)]
    pub now_ms: u64,
    /// Nodes that vote in the applied configuration as a living incarnation.
    #[n(11)]
    pub voters: Vec<u8>,
}

/// From a vault to its host.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum ToHost {
    /// Carry this frame to another node's vault.
    #[n(1)]
    Peer {
        /// The node.
        #[n(0)]
        to: u8,
        /// The frame.
        #[n(1)]
        bytes: Blob,
    },
    /// Answer a relayed request.
    #[n(2)]
    Reply {
        /// The request's id.
        #[n(0)]
        id: u64,
        /// [`crate::relay::reply_to_bytes`].
        #[n(1)]
        reply: Blob,
    },
    /// Make these changes durable, then say [`ToVault::Persisted`].
    #[n(3)]
    Persist {
        /// Rises by one.
        #[n(0)]
        number: u64,
        /// The changes.
        #[n(1)]
        ops: Vec<PersistOp>,
    },
    /// Where this vault stands.
    #[n(4)]
    Position {
        /// [`crate::start::SignedPosition`].
        #[n(0)]
        bytes: Blob,
    },
    /// How this vault is.
    #[n(5)]
    Health {
        /// The view.
        #[n(0)]
        health: Health,
    },
    /// This process has stopped for good; a new one may be started in its place.
    #[n(6)]
    Halted {
        /// The reason's number (spec §10.6).
        #[n(0)]
        code: u16,
        /// The reason in words.
        #[n(1)]
        reason: String,
    },
    /// A statement or position request was refused.
    #[n(7)]
    Refused {
        /// The reason in words.
        #[n(0)]
        reason: String,
    },
    /// A line for the log: an event without secrets.
    #[n(8)]
    Event {
        /// The event.
        #[n(0)]
        text: String,
    },
}

/// Reads one message from the host.
///
/// # Errors
/// Any [`CodecError`].
pub fn to_vault_from_bytes(bytes: &[u8]) -> Result<ToVault, CodecError> {
    codec::decode(bytes, caps::PROCESS_MESSAGE_LEN_MAX)
}

/// Reads one message from the vault.
///
/// # Errors
/// Any [`CodecError`].
pub fn to_host_from_bytes(bytes: &[u8]) -> Result<ToHost, CodecError> {
    codec::decode(bytes, caps::PROCESS_MESSAGE_LEN_MAX)
}
