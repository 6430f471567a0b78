//! The search for an order: Wing and Gong's, with a memory of positions that led nowhere.

use crate::{Answer, Call, Operation, Rules, slot::Slot};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What the search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    Explained,
    Undecided,
    /// How the slot stood where the longest order ended, and what could come next but did not fit.
    Contradicted(String),
}

/// Where a search is: which operations are taken, and how the slot stands.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    /// Answered operations below this are all taken,
    low: usize,
    /// and of the others these.
    beyond: Vec<usize>,
    /// Those that nothing ended, and that happened.
    happened: Vec<usize>,
    slot: Slot,
}

impl Place {
    fn take(&mut self, at: usize) {
        if let Err(place) = self.beyond.binary_search(&at) {
            self.beyond.insert(place, at);
        }
        while self.beyond.first() == Some(&self.low) {
            self.beyond.remove(0);
            self.low += 1;
        }
    }

    /// Marks an unanswered operation; false, if it is marked already.
    fn happens(&mut self, at: usize) -> bool {
        let Err(spot) = self.happened.binary_search(&at) else { return false };
        self.happened.insert(spot, at);
        true
    }

    fn taken(&self) -> usize {
        self.low + self.beyond.len()
    }
}

struct History<'a> {
    answered: Vec<&'a Operation>,
    /// Nothing ended these: some copy may be charged at any time.
    unanswered: Vec<&'a Operation>,
    /// Answered operations that are there, too, since a stand-in may have answered: if none did, the
    /// answer tells of the one charge that there is.
    copies: BTreeMap<usize, usize>,
    /// Answered operations that are there, too, since the answer may tell of what the call announced
    /// long before.
    late: BTreeSet<usize>,
    rules: &'a Rules,
}

fn returned(operation: &Operation) -> u64 {
    operation.returned.as_ref().map_or(u64::MAX, |(at, _)| *at)
}

impl History<'_> {
    /// Answered operations that may be next, and until when an unanswered one may have begun: none may
    /// come before another that was answered before it was asked.
    fn candidates(&self, place: &Place) -> (Vec<usize>, u64) {
        let mut first_return = u64::MAX;
        let mut open = Vec::new();
        for (at, operation) in self.answered.iter().enumerate().skip(place.low) {
            if operation.invoked_ms > first_return {
                break;
            }
            if place.beyond.binary_search(&at).is_err() {
                first_return = first_return.min(returned(operation));
                open.push(at);
            }
        }
        open.retain(|at| self.answered[*at].invoked_ms <= first_return);
        (open, first_return)
    }

    fn changes_nothing(&self, at: usize) -> bool {
        let operation = self.answered[at];
        matches!(operation.call, Call::RegisterStart | Call::Budget)
            || matches!(operation.returned, Some((_, Answer::Wait | Answer::NoRecord)))
    }

    fn after(&self, place: &Place, at: usize) -> Vec<Slot> {
        let operation = self.answered[at];
        let answer = operation.returned.as_ref().map(|(_, answer)| answer);
        answer.map_or_else(Vec::new, |answer| {
            let mut after = place.slot.answered(&operation.call, answer, self.rules);
            if self.late.contains(&at) {
                after.extend(place.slot.told_late(&operation.call, answer, self.rules));
            }
            after
        })
    }

    /// Where the search goes from here, what is likely last; and how many calls were looked at.
    fn next(&self, place: &Place) -> (Vec<Place>, u64) {
        let (candidates, until) = self.candidates(place);
        let mut looked = candidates.len() as u64;
        let mut next = Vec::new();
        for at in candidates.into_iter().rev() {
            let after = self.after(place, at);
            let copy = self.copies.get(&at);
            let step = |slot: Slot| {
                let charged = slot.charged_since(&place.slot);
                let mut place = Place { slot, ..place.clone() };
                place.take(at);
                match copy {
                    Some(copy) if charged => place.happens(*copy).then_some(place),
                    _ => Some(place),
                }
            };
            // What never changes anything and fits here fits in any order that begins here. (What a
            // stand-in answers may also be a charge, later.)
            if self.changes_nothing(at) && after.len() == 1 && after.first() == Some(&place.slot) {
                return (after.into_iter().filter_map(step).collect(), looked);
            }
            next.extend(after.into_iter().rev().filter_map(step));
        }
        let mut perhaps = Vec::new();
        let mut alike: Vec<&Call> = Vec::new();
        for (at, operation) in self.unanswered.iter().enumerate() {
            if operation.invoked_ms > until {
                break;
            }
            looked += 1;
            if place.happened.binary_search(&at).is_ok() {
                continue;
            }
            // Of calls that are the same, the first asked serves any order that a later one serves; but
            // one of them may be the copy of what was charged after all.
            if alike.iter().filter(|call| ***call == operation.call).count() >= 2 {
                continue;
            }
            alike.push(&operation.call);
            for slot in place.slot.unknown(&operation.call, self.rules) {
                let changes = slot != place.slot;
                let mut place = Place { slot, ..place.clone() };
                if changes && place.happens(at) {
                    perhaps.push(place);
                }
            }
        }
        perhaps.reverse();
        perhaps.extend(next);
        (perhaps, looked)
    }

    fn stuck(&self, place: &Place) -> String {
        let (candidates, _) = self.candidates(place);
        let next: Vec<String> =
            candidates.iter().take(3).map(|at| self.answered[*at].to_string()).collect();
        format!("after {} answers {:?}; got {}", place.taken(), place.slot, next.join(" or "))
    }
}

/// The latest vault time of an answer that was there when this was asked.
fn known_before(operations: &[Operation], this: &Operation) -> u64 {
    let there = operations.iter().filter(|other| returned(other) <= this.invoked_ms);
    there.filter_map(|other| other.by).map(|(_, vault_ms)| vault_ms).max().unwrap_or(0)
}

/// Searches one slot's operations, which are sorted by when they were asked.
pub(crate) fn search(operations: &[Operation], rules: &Rules) -> (Verdict, u64) {
    let answered: Vec<&Operation> =
        operations.iter().filter(|operation| operation.returned.is_some()).collect();
    let may_be_late = |this: &Operation| this.may_be_late(known_before(operations, this), rules);
    let unanswered: Vec<&Operation> = operations
        .iter()
        .filter(|operation| operation.is_open() || may_be_late(operation))
        .collect();
    let place = |this: &Operation| unanswered.iter().position(|other| core::ptr::eq(*other, this));
    let perhaps = answered.iter().enumerate().filter(|(_, call)| call.may_be_a_stand_in());
    let copies = perhaps.filter_map(|(at, call)| Some((at, place(call)?))).collect();
    let late = answered.iter().enumerate().filter(|(_, call)| may_be_late(call));
    let late = late.map(|(at, _)| at).collect();
    let history = History { answered, unanswered, copies, late, rules };
    let start = Place { low: 0, beyond: Vec::new(), happened: Vec::new(), slot: Slot::default() };
    let mut farthest = start.clone();
    let mut stack = vec![start];
    let mut seen = HashSet::new();
    let mut steps = 0;
    while let Some(place) = stack.pop() {
        if place.taken() == history.answered.len() {
            return (Verdict::Explained, steps);
        }
        if steps >= rules.steps {
            return (Verdict::Undecided, steps);
        }
        if place.taken() > farthest.taken() {
            farthest = place.clone();
        }
        let (next, looked) = history.next(&place);
        steps += looked.max(1);
        for next in next {
            if seen.insert(next.clone()) {
                stack.push(next);
            }
        }
    }
    (Verdict::Contradicted(history.stuck(&farthest)), steps)
}
