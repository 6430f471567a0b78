//! The checkers, one for each invariant. They count by themselves and believe nothing.

pub mod budget;
mod erasure;
mod forgery;
mod histories;
mod log;
mod processes;
mod secrets;
mod sizes;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: &'static str,
    /// Which checker saw it: a short name that stays.
    pub checker: &'static str,
    /// What was expected, and what was seen.
    pub story: String,
}

/// What the oracle knows.
#[derive(Debug, Default)]
pub struct Oracle {
    /// By user.
    slots: BTreeMap<usize, budget::Slot>,
    handed_in: BTreeMap<budget::Asked, budget::Handed>,
    /// The newest era that a vault counted.
    era: u64,
    /// By log index: who was answered from it, and vault time there.
    answered: BTreeMap<u64, ((usize, u64), u64)>,
    /// By era and index: who was there first, and a digest of its state.
    states: BTreeMap<(u64, u64), (u8, u64)>,
    /// By node: the highest index that its disk ever held.
    durable: BTreeMap<u8, u64>,
    /// Sizes of answers and of entries that were seen.
    answer_sizes: BTreeSet<usize>,
    entry_sizes: BTreeSet<usize>,
    /// What must not be seen by any host: prefixes of secrets.
    secrets: BTreeSet<[u8; 8]>,
    /// Whether one of them begins with these two bytes: almost no place in a frame does.
    first_bytes: Vec<bool>,
    /// Start statements.
    starts: processes::Starts,
    /// What was broken.
    pub broken: Vec<Broken>,
}

impl Oracle {
    fn fail(&mut self, invariant: &'static str, checker: &'static str, story: String) {
        self.broken.push(Broken { invariant, checker, story });
    }
}
