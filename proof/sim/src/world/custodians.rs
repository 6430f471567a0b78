//! Hosts that look after their processes, custodians who start a fleet again, and who may call for them.

use super::{About, Event, World, hosts::id};
use crate::{acts::Act, disk::Restore, lots::Whose, trace::Kind};

/// How often hosts look after their processes.
const WATCH_MS: u64 = 1_000;
/// Without a majority of seated processes for this long, custodians start a new era.
const CLOSED_MS: u64 = 4_000;
/// A fleet whose majority is seated, connected and well has a leader after this long.
const LEADERLESS_MS: u64 = 15_000;
/// A process that asks a fleet with a leader has a seat after this long.
const WAITING_MS: u64 = 20_000;
/// A process that shared its node with another waits for this long before its host starts it anew.
const SHARED_MS: u64 = 5_000;
/// Each start debits every slot's year, so a run has few.
pub(crate) const COLD_STARTS_MAX: u64 = 3;

impl World {
    /// Power loss everywhere.
    pub(crate) fn all_at_once(&mut self) -> bool {
        // Custodians can be shown today's disks of all, so all of today's disks have to be good.
        let doubtful = self.nodes.iter().any(|place| place.doubtful);
        if self.report.cold_starts >= COLD_STARTS_MAX || doubtful {
            return false;
        }
        self.say(Kind::Host, About::Fleet, || "the power fails everywhere".to_owned());
        for place in 0..self.nodes.len() {
            self.crash(place);
        }
        for node in 0..self.count() {
            self.tear(node);
            self.boot(node);
        }
        true
    }

    /// Power loss tears disks, and some are replaced.
    fn tear(&mut self, node: usize) {
        let damage = [Restore::Torn, Restore::Cut(2), Restore::Empty];
        for how in damage {
            if self.may_doubt(node) && self.may(Act::TornDisk, 60) {
                self.say(Kind::Host, About::Place(node), || {
                    format!("the disk of node {} is {how:?}", node + 1)
                });
                self.nodes[node].disk.restore(how);
                self.nodes[node].doubtful = true;
            }
        }
    }

    /// Faults stop: everything is up and connected, and every clock is right.
    pub(crate) fn calm_down(&mut self) {
        self.say(Kind::Host, About::Fleet, || "faults stop".to_owned());
        self.cut.clear();
        for hardware in &self.ceremony.nodes {
            *hardware.skew_ms.borrow_mut() = 0;
            hardware.heal();
        }
        for place in 0..self.nodes.len() {
            if self.nodes[place].stopped {
                self.go_on(place);
            }
        }
        for node in 0..self.count() {
            self.settle(node);
            if self.nodes[node].vault.is_none() {
                self.boot(node);
            }
        }
        self.empty_hoard();
    }

    /// Looks whether the fleet serves. Custodians help only where the protocol needs them: where a
    /// majority of seated processes is gone. Whatever else keeps a fleet from serving, or a node from
    /// its seat, is a broken promise and no reason for a new era.
    pub(crate) fn watch(&mut self) {
        if !self.tended {
            return;
        }
        for node in 0..self.count() {
            // A host starts a process that stopped itself again, as `strongroomd` does.
            if self.nodes[node].vault.is_none() && self.lots.of(Whose::Place(node)).chance(300) {
                self.boot(node);
            }
            // Of two processes of one node that ask for its seat the fleet listens to the later one
            // alone. A host that ended that one has to start the other anew; and so it has to with one
            // that was asked for its position by custodians who then did nothing.
            let idle = self.nodes[node].shared || self.is_frozen(node);
            if idle && self.nodes[node].waiting_ms > SHARED_MS {
                self.restart(node, Restore::Today);
            }
        }
        let leads = self.leader().is_some_and(|place| !self.nodes[place].stopped);
        let majority_seated = self.has_quorum_without(None);
        let quiet = self.cut.is_empty() && !self.foe_disturbs();
        let now = self.now();
        if majority_seated || leads {
            self.closed_ms = now;
        } else if now.saturating_sub(self.closed_ms) > CLOSED_MS {
            self.cold_start();
        }
        self.inv8_somebody_leads(quiet && majority_seated, leads);
        self.inv8_restarted_come_back(quiet, leads);
        self.at(WATCH_MS, Event::Watch);
    }

    /// Whether the adversary keeps processes from hearing each other, or from acting, just now.
    fn foe_disturbs(&self) -> bool {
        let sick = self.ceremony.nodes.iter().any(|node| node.is_sick(self.now()));
        let stopped = self.nodes.iter().any(|place| place.stopped);
        sick || stopped || self.lags()
    }

    /// INV-8: with a majority seated, connected and well, a fleet serves. Time in which the
    /// adversary disturbs them does not count.
    fn inv8_somebody_leads(&mut self, possible: bool, leads: bool) {
        if leads {
            self.leaderless_ms = 0;
        } else if possible {
            self.leaderless_ms += WATCH_MS;
        }
        let story = format!("a seated majority without a leader for {} ms", self.leaderless_ms);
        self.oracle.inv8_kept(self.leaderless_ms < LEADERLESS_MS, story);
    }

    /// INV-8: a fleet with a leader readmits every process that asks, without custodians.
    fn inv8_restarted_come_back(&mut self, quiet: bool, leads: bool) {
        for node in 0..self.count() {
            let alone = self.nodes[self.beside(node)].vault.is_none();
            let place = &mut self.nodes[node];
            let role = place.health.as_ref().map_or("", |health| &health.role);
            if place.vault.is_none() || !matches!(role, "joining" | "learner" | "frozen" | "") {
                place.waiting_ms = 0;
            } else if quiet && leads && alone {
                place.waiting_ms += WATCH_MS;
            }
            let waited = place.waiting_ms;
            let story = format!("node {} is {role:?} since {waited} ms beside a leader", id(node));
            self.oracle.inv8_kept(waited < WAITING_MS, story);
        }
    }

    /// Whether every node has its seat back.
    pub(crate) fn all_seated(&self) -> bool {
        let voters = |place: usize| {
            let health = self.nodes[place].health.as_ref();
            health.is_some_and(|health| health.voters.len() == self.count())
        };
        self.seated() == self.count() && self.leader().is_some_and(voters)
    }

    fn cold_start(&mut self) {
        let trusted = |node: usize| self.runs(node) && !self.nodes[node].doubtful;
        let living: Vec<bool> = (0..self.count()).map(trusted).collect();
        if living.iter().filter(|up| **up).count() < self.majority() {
            return;
        }
        self.closed_ms = self.now();
        self.report.cold_starts += 1;
        self.say(Kind::Custodian, About::Fleet, || "custodians start a new era".to_owned());
        // Custodians ask all that answer. Which disks were put back they have to find out; which prove
        // nothing the vaults tell them.
        let asked: Vec<bool> =
            (0..self.count()).map(|node| living[node] || self.nodes[node].bare).collect();
        self.ceremony_with(&|node| asked[node]);
    }
}
