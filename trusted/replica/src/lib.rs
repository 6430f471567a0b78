//! One node's share of the fleet's single history: deterministic consensus, and the sole maker of [`Committed`].
//!
//! **What it is.** A sans-IO state machine around a Raft library. Bytes from peers, the passing of time and the host's
//! word that something is durable go into [`Replica::step`]; messages, sealed records for the disk, committed entries
//! and proofs that an answer may leave come out.
//!
//! **What it may assume.** Peer messages come over authenticated links, so `from` is true and the sender runs this
//! code; it may still be old, rolled back or confused. `seed` is fresh entropy and `id` was never used before. The
//! hardware cell can be overwritten for good. Nothing else: the host may lose, reorder, replay and delay messages,
//! and may hand over any disk at boot.
//!
//! **What it must never do.** Act again under the id of an earlier process. Acknowledge or vote before the host made
//! it durable. Release an answer before majority + s distinct nodes hold its entry (INV-2, INV-5). Feed the library,
//! or the library's parser, a byte that the guard has not passed. Put a salt on disk in the clear, or under a key that
//! outlives the next compaction. Read a clock or a global random source; panic on what a peer or a disk says.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]
#![deny(missing_docs)]
#![cfg_attr(test, allow(clippy::field_reassign_with_default))]

extern crate alloc;

mod admission;
mod batch;
mod chain;
mod codec;
mod committed;
mod config;
mod disk;
mod drive;
mod era;
mod erasure;
mod guard;
mod holders;
mod ids;
mod log;
mod opening;
mod output;
mod replica;
mod seal;
mod seats;

pub use committed::{Committed, LogPosition};
pub use config::{BootError, Config, DiskEntry, DiskImage, MAX_PAYLOAD, MIN_FRAME};
pub use disk::BootReport;
pub use era::{Position, Start, StartError};
pub use guard::Refusal;
pub use ids::{MAX_NODE, NodeId, ReplicaId};
pub use output::{
    Applied, CompactError, Event, Halt, Install, Output, Persist, PersistOp, ProposeError,
    Proposed, ReplicaEvent, Role,
};
pub use replica::Replica;
