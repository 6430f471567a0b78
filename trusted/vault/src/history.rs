//! The chain of what was applied, compared with the other nodes (spec §10.5).

use core::hint::black_box;
use std::collections::{BTreeMap, BTreeSet};
use strongroom_record::{Entry, SLOT_LEN_MAX, State};
use strongroom_wire::{codec, digest::Framed, digest::sha256};

const LABEL: &str = "strongroom/state/v1";
/// Blocks of SHA-256 that the fullest slot takes.
const SLOT_BLOCKS: usize = SLOT_LEN_MAX.saturating_add(9).div_ceil(64);
/// Positions that are kept for comparison.
const KEPT: usize = 4_096;

/// The state hash at each recent position.
#[derive(Debug, Default)]
pub(crate) struct History {
    hash: [u8; 32],
    recent: BTreeMap<u64, [u8; 32]>,
    /// Nodes whose history was seen to differ from this one.
    differing: BTreeSet<u8>,
}

impl History {
    pub(crate) const fn hash(&self) -> [u8; 32] {
        self.hash
    }

    pub(crate) fn restore(&mut self, index: u64, hash: [u8; 32]) {
        self.hash = hash;
        self.recent.clear();
        self.differing.clear();
        self.recent.insert(index, hash);
    }

    /// Takes in one applied entry and what it made of its slot. The entry's random bytes keep a
    /// published hash from confirming what anybody tried.
    pub(crate) fn extend(&mut self, index: u64, payload: &[u8], entry: &Entry, state: &State) {
        // INV-3: an empty slot takes the time of one that is not, and any slot that of the fullest.
        let mut slot = state.slot_or_next(&entry.slot).map(codec::encode).unwrap_or_default();
        slot.truncate(state.slot(&entry.slot).map_or(0, |_| slot.len()));
        let blocks = slot.len().saturating_add(9).div_ceil(64);
        let rest = SLOT_BLOCKS.saturating_sub(blocks).saturating_mul(64).saturating_sub(9);
        black_box(sha256(&vec![0; rest]));
        self.hash = Framed::new(LABEL)
            .bytes(&self.hash)
            .number(index)
            .bytes(&sha256(payload))
            .number(state.now_ms())
            .bytes(&sha256(&slot))
            .digest();
        self.recent.insert(index, self.hash);
        while self.recent.len() > KEPT {
            self.recent.pop_first();
        }
    }

    /// Compares a peer's report. True once a majority of the fleet differs from this node: then it
    /// is this node that went astray, and it must stop.
    pub(crate) fn compare(
        &mut self,
        node: u8,
        index: u64,
        hash: &[u8; 32],
        majority: usize,
    ) -> bool {
        if self.recent.get(&index).is_some_and(|own| own != hash) {
            self.differing.insert(node);
        }
        self.differing.len() >= majority
    }

    /// A node's former process says nothing of its new one, which reads what the fleet gives it.
    pub(crate) fn forget(&mut self, node: u8) {
        self.differing.remove(&node);
    }

    /// Nodes that differ.
    pub(crate) fn differing(&self) -> usize {
        self.differing.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_differing_peer_stops_nobody_and_a_majority_does() {
        let mut history = History::default();
        history.restore(7, [1; 32]);
        assert!(!history.compare(2, 7, &[1; 32], 4));
        for node in 2..5 {
            assert!(!history.compare(node, 7, &[2; 32], 4), "node {node}");
            assert!(!history.compare(node, 8, &[3; 32], 4), "an unknown position tells nothing");
        }
        assert!(history.compare(5, 7, &[2; 32], 4));
        // One of them has a new process, which has what the fleet gave it.
        history.forget(2);
        assert_eq!(history.differing(), 3);
    }

    #[test]
    fn so_many_positions_are_kept_and_what_is_older_tells_nothing() {
        use strongroom_manifest::Policy;
        use strongroom_record::{Command, Limits};
        use strongroom_wire::{Fixed, Slot};
        let state = State::new(1, Policy::standard(), Limits::default());
        let (slot, blind) = (Slot(Fixed([0; 32])), Fixed([0; 32]));
        let entry = Entry { time_ms: 1, slot, ticket: None, blind, command: Command::Tick {} };
        let mut history = History::default();
        for index in 1..=KEPT as u64 + 1 {
            history.extend(index, b"payload", &entry, &state);
        }
        assert_eq!(history.recent.len(), KEPT);
        assert!(!history.compare(2, 1, &[0xee; 32], 1), "the oldest is gone");
        assert!(history.compare(2, 2, &[0xee; 32], 1));
    }
}
