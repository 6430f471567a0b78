//! Answers wait for holders, not for the commit index.
//!
//! While processes are swapped a commit alone can rest on two processes of one node. An answer therefore waits until
//! majority + s distinct *nodes*, each counted by what its newest process acknowledged from its disk, hold the entry.

use alloc::{collections::VecDeque, vec::Vec};

use crate::seats::Seats;
use crate::{Committed, LogPosition};

/// The highest index that `needed` distinct nodes hold; 0 when there are not as many.
pub(crate) fn held_by(seats: &Seats, needed: usize, matched: impl Fn(u64) -> u64) -> u64 {
    let newest = seats.nodes().into_iter().filter_map(|node| seats.current(node));
    let mut held: Vec<u64> = if cfg!(feature = "danger_mutant_count_processes") {
        seats.ids().map(matched).collect()
    } else {
        newest.map(matched).collect()
    };
    held.sort_unstable_by(|a, b| b.cmp(a));
    needed.checked_sub(1).and_then(|at| held.get(at)).copied().unwrap_or(0)
}

/// Own proposals whose answers have not left yet.
#[derive(Default)]
pub(crate) struct Waiting {
    era: u64,
    term: u64,
    indexes: VecDeque<u64>,
}

impl Waiting {
    pub(crate) fn push(&mut self, era: u64, term: u64, index: u64) {
        if (era, term) != (self.era, self.term) {
            *self = Self { era, term, indexes: VecDeque::new() };
        }
        self.indexes.push_back(index);
    }

    /// A leader that lost its term cannot tell any more who holds what: its answers never leave, and whoever asked
    /// asks again.
    pub(crate) fn abandon(&mut self) {
        self.indexes.clear();
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.indexes.is_empty()
    }

    pub(crate) fn contains(&self, term: u64, index: u64) -> bool {
        term == self.term && self.indexes.binary_search(&index).is_ok()
    }

    /// The only place where a [`Committed`] is made: entries of the own term that are applied here and held widely.
    pub(crate) fn release(
        &mut self,
        term: u64,
        applied: u64,
        held: u64,
        out: &mut Vec<Committed<LogPosition>>,
    ) {
        if term != self.term {
            return self.abandon();
        }
        let through = applied.min(held);
        while let Some(index) = self.indexes.front().copied().filter(|i| *i <= through) {
            self.indexes.pop_front();
            out.push(Committed::at(LogPosition { era: self.era, term: self.term, index }));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{NodeId, ReplicaId};
    use alloc::vec;

    fn id(node: u8, nonce: u64) -> u64 {
        ReplicaId::new(NodeId::new(node).unwrap(), nonce).unwrap().as_u64()
    }

    #[test]
    fn inv2_two_processes_of_one_node_count_once() {
        let voters: Vec<u64> = (1..=7).map(|n| id(n, 1)).collect();
        let seats = Seats { voters, learners: vec![id(1, 2)], ..Seats::default() };
        let matched = |r: u64| {
            if [id(1, 1), id(1, 2), id(2, 1), id(3, 1)].contains(&r) { 9 } else { 4 }
        };
        assert_eq!(held_by(&seats, 3, matched), 9);
        assert_eq!(held_by(&seats, 4, matched), 4);
    }

    #[test]
    fn inv2_a_node_is_counted_by_its_newest_process() {
        let voters: Vec<u64> = (1..=7).map(|n| id(n, 1)).collect();
        let seats = Seats { voters, learners: vec![id(4, 2)], ..Seats::default() };
        let matched = |r: u64| if r <= id(4, 1) { 9 } else { 2 };
        assert_eq!(held_by(&seats, 4, matched), 2);
    }

    #[test]
    fn inv2_nothing_is_released_before_it_is_applied_and_held() {
        let mut waiting = Waiting::default();
        (3..=6).for_each(|i| waiting.push(1, 2, i));
        let mut out = Vec::new();
        waiting.release(2, 6, 2, &mut out);
        waiting.release(2, 2, 6, &mut out);
        assert!(out.is_empty());
        waiting.release(2, 6, 4, &mut out);
        assert_eq!(out.iter().map(|c| c.get().index).collect::<Vec<_>>(), [3, 4]);
        waiting.abandon();
        waiting.release(2, 9, 9, &mut out);
        assert_eq!(out.len(), 2);
    }

    #[test]
    fn inv2_what_was_proposed_in_another_term_is_never_released() {
        let mut waiting = Waiting::default();
        waiting.push(1, 2, 3);
        let mut out = Vec::new();
        waiting.release(4, 9, 9, &mut out);
        waiting.release(2, 9, 9, &mut out);
        assert!(out.is_empty() && waiting.is_empty());
    }
}
