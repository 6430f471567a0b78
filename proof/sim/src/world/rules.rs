//! What the oracle is shown of each process, some times a second.

use super::{World, adversary::STRANGER};
use strongroom_replica::{Replica, Role};
use strongroom_wire::process::Health;

impl World {
    /// A process says how it is; the oracle looks at what it is.
    pub(crate) fn rules(&mut self, place: usize, health: &Health) {
        let (node, nodes) = (self.number(place), self.count());
        if let Some(before) = &self.nodes[place].health {
            self.oracle.inv4_forward(before, health);
        }
        self.oracle.inv5_era(node, health.era);
        let vault = self.nodes[place].vault.as_ref().filter(|vault| vault.halted().is_none());
        if let Some(replica) = vault.and_then(|vault| vault.danger_replica()) {
            self.oracle.inv5_seats(node, [replica.voters(), replica.outgoing()], nodes);
            let (learners, voters) = (replica.learners(), replica.voters());
            self.oracle.inv5_one_voice(replica.id(), &learners, &voters);
        }
        self.seek_erased(place);
    }

    /// A signed answer left a host's own process.
    pub(crate) fn answered(&mut self, place: usize, asker: usize) {
        self.oracle.inv1_vouched_for(asker != STRANGER);
        let Some(vault) = self.nodes[place].vault.as_ref() else {
            return;
        };
        let leads = |replica: &&Replica| replica.role() == Role::Leader;
        if let Some(replica) = vault.danger_replica().filter(leads) {
            self.oracle.inv1_debited(replica.era(), vault.danger_state().era());
        }
    }
}
