//! Tickets that no gateway signed.

use super::super::{Event, World};
use crate::{fleet::Forgery, hardware::EPOCH_MS};

/// Who asks with a forged ticket: nobody whom a vault may answer.
pub(crate) const STRANGER: usize = usize::MAX / 2;

impl World {
    /// Somebody who knows the fleet's public keys, and a frame that passed, makes a ticket.
    pub(super) fn forge_ticket(&mut self) -> bool {
        let pick = self.foe.below(self.foe.seen.len());
        let Some(asked) = self.foe.seen.get(pick).map(|seen| seen.asked.clone()) else {
            return false;
        };
        let forgeries = [Forgery::Unsigned, Forgery::OwnSignature, Forgery::OwnKey];
        let how = forgeries[self.foe.below(forgeries.len())];
        let now_ms = EPOCH_MS + self.now();
        let ticket = self.ceremony.forged_ticket(
            &mut self.foe.dice.0,
            how,
            &asked.slot,
            asked.verb,
            &asked.frame,
            now_ms,
        );
        let leader = self.leader().map(|place| self.node_of(place));
        let node = leader.unwrap_or_else(|| self.foe.below(self.count()));
        self.says_of(&asked, "is asked by a stranger");
        let (user, frame_number, frame) = (STRANGER, 0, asked.frame);
        self.at(1, Event::Request { node, user, frame_number, ticket, frame });
        true
    }
}
