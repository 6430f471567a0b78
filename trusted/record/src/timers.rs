//! Deadlines of slots: what must happen even if nobody asks.

use std::collections::BTreeSet;
use strongroom_wire::Slot;

/// What is due. Two deadlines of one slot may fall on one millisecond, and each is cleared alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Due {
    /// A pending registration expires.
    Pending,
    /// A held attempt expires.
    Attempt,
    /// A delayed replacement takes effect.
    Replacement,
}

/// What one slot waits for.
pub(crate) type Deadlines = [Option<(u64, Due)>; 3];

/// Slots by their next deadline. It follows the slots and is never encoded.
#[derive(Debug, Clone, Default)]
pub(crate) struct Timers(BTreeSet<(u64, Slot, Due)>);

impl Timers {
    pub(crate) fn set(&mut self, at_ms: u64, slot: Slot, due: Due) {
        self.0.insert((at_ms, slot, due));
    }

    /// Drops the deadlines of a slot that stand for nothing any more, and sets those that are new:
    /// otherwise one ticket holder piles up deadlines, on every node, until memory is gone.
    pub(crate) fn follow(&mut self, slot: Slot, before: &Deadlines, after: &Deadlines) {
        for (at_ms, due) in before.iter().flatten().filter(|due| !after.contains(&Some(**due))) {
            self.0.remove(&(*at_ms, slot, *due));
        }
        for (at_ms, due) in after.iter().flatten().filter(|due| !before.contains(&Some(**due))) {
            self.set(*at_ms, slot, *due);
        }
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
