//! Deadlines of slots: what must happen even if nobody asks.

use std::collections::BTreeSet;
use strongroom_wire::Slot;

/// What is due. Two deadlines of one slot may fall on one millisecond, and each is cleared alone:
/// otherwise a registration that begins takes away the deadline of the attempt that began with it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A pending registration expires.
    Pending,
    /// A held attempt expires.
    Attempt,
    /// A delayed replacement takes effect.
    Replacement,
}

impl Due {
    const fn named(self) -> Self {
        if cfg!(feature = "danger_mutant_deadlines_mixed_up") { Self::Pending } else { self }
    }
}

/// Slots by their next deadline. It is rebuilt from the slots and never encoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers(BTreeSet<(u64, Slot, Due)>);

impl Timers {
    pub(crate) fn set(&mut self, at_ms: u64, slot: Slot, due: Due) {
        self.0.insert((at_ms, slot, due.named()));
    }

    /// Drops a deadline that stands for nothing any more: otherwise one ticket holder piles up
    /// deadlines of one slot, on every node, until memory is gone.
    pub(crate) fn clear(&mut self, at_ms: u64, slot: Slot, due: Due) {
        self.0.remove(&(at_ms, slot, due.named()));
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Takes the next slot whose deadline has come.
    pub(crate) fn pop_due(&mut self, now_ms: u64) -> Option<Slot> {
        let first = *self.0.first()?;
        let (at, slot, _) = first;
        if at > now_ms {
            return None;
        }
        self.0.remove(&first);
        Some(slot)
    }
}
