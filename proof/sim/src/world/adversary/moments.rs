//! Moments that an adversary waits for: a seat, a lead, an era, an answer under way.

use super::super::{About, Event, World};
use crate::{acts::Act, hardware::Illness, trace::Kind};
use strongroom_replica::Role;
use strongroom_vault::Vault;

/// A new era's leader is rushed this often, until it has counted what the era before may have lost.
const RUSH_MS: u64 = 3;
/// Longest illness that is meant for one answer.
const FAINT_MS: u64 = 150;

impl World {
    /// Hosts read what their processes log.
    pub(crate) fn overhear(&mut self, place: usize, text: &str) {
        if !self.at_large() {
            return;
        }
        if text.starts_with("Welcomed") {
            self.starve(place);
        } else if text.starts_with("Role(Leader)") {
            let process = self.nodes[place].process;
            let fresh = self.vault(place).is_some_and(counts_still);
            if fresh && self.may(Act::Rush, self.foe.strategy.weight(Act::Rush)) {
                self.at(RUSH_MS, Event::Rush { node: place, process });
            }
        }
    }

    /// Something that was asked before, again and again, to a leader of a new era.
    pub(crate) fn rush(&mut self, place: usize, process: u64) {
        let same = self.nodes[place].process == process;
        let leads = |vault: &Vault<_>| {
            vault.danger_replica().is_some_and(|r| r.role() == Role::Leader) && counts_still(vault)
        };
        if same && self.vault(place).is_some_and(leads) {
            self.ask_again(place);
            self.at(RUSH_MS, Event::Rush { node: place, process });
        }
    }

    /// A request that passed before, with a new ticket.
    fn ask_again(&mut self, place: usize) {
        let pick = self.foe.below(self.foe.seen.len());
        let Some(asked) = self.foe.seen.get(pick).map(|seen| seen.asked.clone()) else {
            return;
        };
        if let Some(victim) = self.owner_of(asked.asker).filter(|user| self.is_victim(*user)) {
            self.touch(victim);
            self.hand_in(&asked, self.node_of(place), 1);
        }
    }

    /// Hardware that fails while a leader judges a finish.
    pub(super) fn sicken_leader(&mut self, after: u64) {
        let Some(node) = self.leader().map(|place| self.node_of(place)) else {
            return;
        };
        let now = self.now();
        let sick = self.ceremony.nodes.iter().any(|node| node.is_sick(now));
        let weight = (self.foe.strategy.weight(Act::SickHardware) * 8).min(300);
        if sick || !self.may_unseat(node) || !self.may(Act::SickHardware, weight) {
            return;
        }
        let until_ms = now + after + 1 + self.foe.dice.below(FAINT_MS);
        let failing = 1 + u8::try_from(self.foe.below(8)).unwrap_or(0);
        self.say(Kind::Host, About::Place(node), || {
            format!("the hardware of node {} faints: {failing} calls in 8", node + 1)
        });
        *self.ceremony.nodes[node].illness.borrow_mut() = Illness { until_ms, failing, calls: 0 };
    }

    /// Stops a process by asking it for its position: that is all that a host gains.
    pub(super) fn ask_within_reason(&mut self, place: usize) -> bool {
        let node = self.node_of(place);
        let busy = self.nodes[place].told.is_some() || !self.runs(place);
        if busy || self.able() <= self.majority() || !self.may_unseat(node) {
            return false;
        }
        self.say(Kind::Host, About::Place(place), || {
            format!("{} is asked where it stands", self.name(place))
        });
        self.ask_position(place).is_some()
    }
}

/// Whether a process has yet to count what was lost before its era.
fn counts_still<H: strongroom_hardware::Hardware>(vault: &Vault<H>) -> bool {
    vault.danger_replica().is_some_and(|replica| replica.era() != vault.danger_state().era())
}
