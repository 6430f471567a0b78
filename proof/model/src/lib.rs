//! A model of incarnations, cold start and replacement, checked exhaustively (spec §17).
//!
//! * **What it is.** The rules of spec §11 and §15 as a state machine of a few nodes, in which every
//!   interleaving of elections, appends, crashes with any older disk, forks, readmissions and
//!   custodians' starts is visited, up to stated bounds.
//! * **What it may assume.** What the code proves elsewhere: frames are authentic, a batch is durable
//!   as a whole, a sealed disk is one that its node once wrote.
//! * **What it must never do.** Share code with `trusted/`: it would share its mistakes.

#![forbid(unsafe_code)]

mod alike;
mod fleet;
mod moves;
mod promises;

pub use fleet::{Bounds, Entry, Fleet, Node, Process, Role, State};
pub use moves::Move;
pub use promises::Answered;

/// A rule left out, to see that the promises notice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Mutant {
    /// A process that starts again on an older disk keeps its name, and loses a vote that it gave.
    KeepName,
    /// Disks that hold nothing count in a cold start.
    EmptyCounts,
    /// Disks that their hosts put back count in a cold start.
    OldCounts,
    /// Whoever told custodians a position goes on meanwhile.
    NoFreeze,
    /// A node whose host keeps an older process alive beside the one that told counts in a cold start.
    TwinCounts,
    /// A process goes on after it read that a newer one of its node has its seat.
    SupersededGoesOn,
}

impl Mutant {
    /// All of them, with the names that the command line knows.
    pub const ALL: [(&'static str, Self); 6] = [
        ("keep-name", Self::KeepName),
        ("empty-counts", Self::EmptyCounts),
        ("old-counts", Self::OldCounts),
        ("no-freeze", Self::NoFreeze),
        ("twin-counts", Self::TwinCounts),
        ("superseded-goes-on", Self::SupersededGoesOn),
    ];
}
