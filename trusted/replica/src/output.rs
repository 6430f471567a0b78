//! What goes into a replica and what comes out of it.

use alloc::vec::Vec;

use crate::{Committed, LogPosition, NodeId, ReplicaId};

/// Something that happened outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Time may have passed. Also sends what was proposed since the last call, so call it after `propose`,
    /// `compact` and `provide_snapshot`; extra calls are free.
    Tick,
    /// A message from an authenticated peer process.
    Peer {
        /// The process at the other end of the link.
        from: ReplicaId,
        /// What it sent.
        bytes: Vec<u8>,
    },
    /// The host says that this batch, and all before it, is durable.
    Persisted {
        /// [`Persist::number`].
        number: u64,
    },
}

/// What the vault must do, in the order of the fields.
#[derive(Default, Debug)]
pub struct Output {
    /// Overwrite the hardware cell with these bytes now, before anything else of this output.
    pub cell: Option<Vec<u8>>,
    /// For the peers; may be lost.
    pub messages: Vec<(ReplicaId, Vec<u8>)>,
    /// For the host's disk.
    pub persist: Option<Persist>,
    /// Replace the whole state; comes before `applied`.
    pub install: Option<Install>,
    /// Apply these to the state, in order, on every node.
    pub applied: Vec<Applied>,
    /// Own entries whose answers may leave now.
    pub released: Vec<Committed<LogPosition>>,
    /// A peer needs the state: call [`crate::Replica::provide_snapshot`].
    pub snapshot_wanted: bool,
    /// What this replica is now.
    pub role: Role,
    /// Set once and for ever when it stopped.
    pub halted: Option<Halt>,
    /// For logs and metrics; no secrets.
    pub events: Vec<ReplicaEvent>,
}

/// One atomic, durable batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Persist {
    /// Answer with [`Event::Persisted`] of this number.
    pub number: u64,
    /// All of them or none, in this order.
    pub ops: Vec<PersistOp>,
}

/// One change of the host's disk. Every byte string is sealed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PersistOp {
    /// Replace the meta record.
    PutMeta(Vec<u8>),
    /// Add or replace an entry.
    PutEntry {
        /// Where it stands in the log.
        index: u64,
        /// The sealed entry.
        entry: Vec<u8>,
        /// Its sealed salt; empty for entries without one.
        salt: Vec<u8>,
    },
    /// Remove the entries at and after this index.
    TruncateFrom {
        /// First entry to remove.
        index: u64,
    },
    /// Remove the entries before this index.
    CompactBefore {
        /// First entry to keep.
        index: u64,
    },
    /// Replace the snapshot.
    PutSnapshot(Vec<u8>),
    /// Replace the snapshot's salts.
    PutSalts(Vec<u8>),
    /// Replace one entry's salt, sealed under a newer erasure key.
    PutEntrySalt {
        /// Whose.
        index: u64,
        /// The sealed salt.
        salt: Vec<u8>,
    },
    /// Remove everything that was put before.
    Clear,
}

/// A committed entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Where it stands in the log.
    pub index: u64,
    /// Whose leader wrote it.
    pub term: u64,
    /// As proposed.
    pub payload: Vec<u8>,
    /// As proposed; `None` only after the erasure key was lost.
    pub salt: Option<[u8; 32]>,
    /// This process proposed it and still leads that term, so a release follows.
    pub own: bool,
}

/// The state to start from. An empty `state` is the state of a new fleet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Install {
    /// The last entry that it contains.
    pub index: u64,
    /// That entry's term.
    pub term: u64,
    /// As given to `compact` or `provide_snapshot`.
    pub state: Vec<u8>,
    /// Likewise.
    pub salts: Vec<u8>,
}

/// What a replica is at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Role {
    /// A new process that no leader has admitted yet, or that waits for a start statement.
    #[default]
    Joining,
    /// Admitted, catching up, without a vote.
    Learner,
    /// Votes and acknowledges.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Gave a position and waits for the start statement that may name it.
    Frozen,
    /// Stopped for good.
    Halted,
}

/// Why a replica stopped. The process must be replaced by a new one; some of these need a person first.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u16)]
pub enum Halt {
    /// A newer process of this node is in the configuration, or this one was removed.
    Superseded = 1,
    /// The fleet was started again without this process.
    SupersededEra = 2,
    /// Same position, other history: a disk or memory was rolled back or forked.
    Diverged = 3,
    /// A leader counts on entries that this replica does not have: it was rolled back.
    RolledBack = 4,
    /// Two leaders in one term: some replica voted twice.
    TwoLeaders = 5,
    /// The host acknowledged a batch that it was never given.
    HostLied = 6,
    /// The consensus library refused something that it must accept.
    Library = 7,
    /// A counter reached its end.
    Exhausted = 8,
}

impl Halt {
    /// The number that crosses the boundary.
    pub const fn code(self) -> u16 {
        self as u16
    }
}

/// For logs and metrics.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ReplicaEvent {
    /// This leader's disk owes it a batch for too long: it leads no more.
    DiskSilent,
    /// The role changed.
    Role(Role),
    /// Someone else leads.
    Follows {
        /// Who.
        leader: ReplicaId,
        /// Since which term.
        term: u64,
    },
    /// A leader admitted this process.
    Welcomed {
        /// Who answered.
        by: ReplicaId,
        /// The fleet's era.
        era: u64,
    },
    /// A process asked this leader to join.
    JoinRequested {
        /// Which.
        id: ReplicaId,
    },
    /// A process is a learner now.
    LearnerAdded {
        /// Which.
        id: ReplicaId,
    },
    /// A process votes for its node now.
    Swapped {
        /// Which.
        id: ReplicaId,
    },
    /// The configuration left its joint stage.
    LeftJoint,
    /// A snapshot replaced this replica's log.
    SnapshotInstalled {
        /// Last entry that it contains.
        index: u64,
    },
    /// A snapshot was sent and nothing came back.
    SnapshotLost {
        /// To whom.
        to: ReplicaId,
    },
    /// The snapshot does not fit in a frame, so nobody can join.
    SnapshotTooLarge {
        /// Its size in bytes.
        bytes: u64,
    },
    /// The log before this index is gone and so is the key of its salts.
    Erased {
        /// Last entry that is gone.
        through: u64,
    },
    /// A message was refused.
    Dropped {
        /// Who sent it.
        from: NodeId,
        /// Why.
        reason: crate::Refusal,
    },
    /// The disk was not believed.
    Disk(crate::BootReport),
    /// A start statement opened an era.
    Started {
        /// Which.
        era: u64,
    },
}

/// Where a proposal will stand if it commits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Proposed {
    /// The leader's term.
    pub term: u64,
    /// Where it stands in the log.
    pub index: u64,
}

/// Why a proposal was not taken. Nothing was charged.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ProposeError {
    /// Ask the leader.
    NotLeader {
        /// Who that is, when known.
        leader: Option<ReplicaId>,
    },
    /// Too much is under way, or a new leader is not ready yet: ask again later.
    Busy,
    /// The payload is larger than [`crate::MAX_PAYLOAD`].
    TooLarge,
}

/// Why a snapshot was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CompactError {
    /// The state must be the one as of the last applied entry.
    NotApplied {
        /// The last applied entry.
        applied: u64,
    },
    /// An earlier compaction is still on its way to the disk.
    Busy,
    /// This replica has no state of its own.
    NotRunning,
}
