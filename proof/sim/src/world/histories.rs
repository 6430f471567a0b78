//! What users and thieves asked and were told, kept for the end of the run (spec §18).

use super::{World, adversary::THIEVES};
use crate::client::Told;
use std::collections::BTreeMap;
use strongroom_history::{Operation, Rules};

/// By slot's owner: each asker's frames. A frame that is carried again is one operation.
#[derive(Debug, Default)]
pub(crate) struct Histories(BTreeMap<usize, BTreeMap<(usize, u64), Operation>>);

impl World {
    /// The asker's frame leaves for the slot of this user, perhaps not for the first time.
    pub(crate) fn asks(&mut self, asker: usize, user: usize) {
        let invoked_ms = self.now();
        let Some(client) = self.client_of(asker) else { return };
        let (frame_number, Some(call)) = (client.frame_number, client.call()) else {
            return;
        };
        let new = || Operation {
            client: asker as u64,
            slot: user as u64,
            call,
            invoked_ms,
            returned: None,
            by: None,
        };
        let slot = self.histories.0.entry(user).or_default();
        slot.entry((asker, frame_number)).or_insert_with(new);
    }

    fn client_of(&self, asker: usize) -> Option<&crate::client::User> {
        match asker.checked_sub(THIEVES) {
            Some(thief) => self.foe.thieves.get(thief).map(|thief| &thief.client),
            None => self.users.get(asker),
        }
    }

    /// The first answer to a frame. What is told is what the fleet signed; a refusal ends nothing,
    /// since another copy of the frame may still arrive.
    pub(crate) fn is_told(&mut self, (asker, frame_number): (usize, u64), told: Option<Told>) {
        let now = self.now();
        let Some(user) = self.owner_of(asker) else { return };
        let slot = self.histories.0.entry(user).or_default();
        let known = slot.get_mut(&(asker, frame_number)).filter(|known| known.returned.is_none());
        if let (Some(known), Some(Told { answer, by })) = (known, told) {
            (known.returned, known.by) = (Some((now, answer)), Some(by));
        }
    }

    /// Each slot's operations have an order. Where somebody else sends what is in no history, numbers
    /// and rows are not accounted for.
    pub(crate) fn judge_histories(&mut self) {
        for (user, slot) in core::mem::take(&mut self.histories.0) {
            let alone = self.plan.attempts_outlive_outages() && !self.users[user].touched;
            let rules = if alone { Rules::EXACT } else { Rules::REPLAYED };
            let policy = &self.plan.policy;
            let (row, replace_ms) = (u64::from(policy.row), policy.replace_ms);
            let rules = Rules { row, replace_ms, ..rules };
            let operations: Vec<Operation> = slot.into_values().collect();
            let checked = self.oracle.inv5_linearizable(&operations, &rules);
            self.report.checked += checked.operations;
            self.report.undecided += checked.undecided;
        }
    }
}
