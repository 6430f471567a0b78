//! One log: durable before it is answered, with times that rise, and one answer an index.

use super::Oracle;
use strongroom_protocol::Voucher;

impl Oracle {
    /// A node's disk holds the log up to here.
    pub fn durable(&mut self, node: u8, index: u64) {
        let held = self.durable.entry(node).or_default();
        *held = (*held).max(index);
    }

    /// How many disks hold an index now.
    pub fn holders(&self) -> Vec<u64> {
        self.durable.values().copied().collect()
    }

    /// INV-2: when the answer left, a majority of disks held its entry.
    pub fn inv2_charged_first(&mut self, by: &Voucher, held_then: &[u64], majority: usize) {
        let holders = held_then.iter().filter(|held| **held >= by.index).count();
        if holders < majority {
            self.fail(
                "INV-2",
                "majority-holds",
                format!("answer of index {} left with {holders} of {majority} holders", by.index),
            );
        }
    }

    /// INV-4: vault time rises with the log. INV-5: one index answers one request, so no minority
    /// or forked leader answers beside the fleet.
    pub fn inv4_inv5_one_history(&mut self, who: (usize, u64), by: &Voucher) {
        let before = self.answered.range(..by.index).next_back().map(|(i, (_, t))| (*i, *t));
        if let Some((index, time)) = before
            && time > by.now_ms
        {
            self.inv4_broken(
                "vault-time",
                format!("index {index} at {time} ms, {} at {}", by.index, by.now_ms),
            );
        }
        let known = self.answered.insert(by.index, (who, by.now_ms));
        if let Some((other, _)) = known.filter(|(other, _)| *other != who) {
            self.inv5_broken(
                "one-answer-an-index",
                format!("index {} answers {other:?} and {who:?}", by.index),
            );
        }
    }

    /// INV-5: nodes that applied the same entries are in the same state, however they came by it: entry
    /// by entry, or from a snapshot. An era that begins from less has indices of its own.
    pub fn inv5_same_state(&mut self, node: u8, (era, index): (u64, u64), digest: u64) {
        let (first, known) = *self.states.entry((era, index)).or_insert((node, digest));
        if known != digest {
            self.inv5_broken(
                "same-state",
                format!("nodes {first} and {node} are in two states at index {index} of era {era}"),
            );
        }
    }

    pub(super) fn inv4_broken(&mut self, checker: &'static str, story: String) {
        self.fail("INV-4", checker, story);
    }

    /// INV-4: a device's counter never goes back, so what it signed acts once.
    pub fn inv4_once(&mut self, story: String) {
        self.inv4_broken("acts-once", story);
    }

    pub(super) fn inv5_broken(&mut self, checker: &'static str, story: String) {
        self.fail("INV-5", checker, story);
    }
}
