//! Deadlines of slots: what must happen even if nobody asks.

use std::collections::BTreeSet;
use strongroom_wire::Slot;

/// Slots by their next deadline. It is rebuilt from the slots and never encoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers(BTreeSet<(u64, Slot)>);

impl Timers {
    pub(crate) fn set(&mut self, at_ms: u64, slot: Slot) {
        self.0.insert((at_ms, slot));
    }

    /// Drops a deadline that stands for nothing any more: otherwise one ticket holder piles up
    /// deadlines of one slot, on every node, until memory is gone.
    pub(crate) fn clear(&mut self, at_ms: u64, slot: Slot) {
        self.0.remove(&(at_ms, slot));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the next slot whose deadline has come.
    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<Slot> {
        let (at, slot) = *self.0.first()?;
        if at > now_ms {
            return None;
        }
        self.0.remove(&(at, slot));
        Some(slot)
    }
}
