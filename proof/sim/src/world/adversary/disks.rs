//! Processes that end, the disks and cells that they come back on, and hardware that falls ill.

use super::super::{About, World};
use crate::{acts::Act, disk::Restore, hardware::Illness, trace::Kind};
use std::collections::BTreeSet;
use strongroom_replica::{Replica, ReplicaId, Role};
use strongroom_vault::Vault;

/// Longest time that hardware does not answer for.
const ILLNESS_MS: u64 = 6_000;

impl World {
    /// Nodes with a process that runs.
    pub(crate) fn able(&self) -> usize {
        let runs = |node: &usize| self.runs(*node) || self.runs(self.beside(*node));
        (0..self.count()).filter(runs).count()
    }

    /// Whether a node's own process runs and votes, by its own word. One that has a twin is not
    /// counted: which of them votes is for the fleet to know.
    pub(crate) fn is_seated(&self, node: usize) -> bool {
        let place = &self.nodes[node];
        let votes = |role: &str| matches!(role, "follower" | "candidate" | "leader");
        place.vault.is_some()
            && !place.stopped
            && self.nodes[self.beside(node)].vault.is_none()
            && place.health.as_ref().is_some_and(|health| votes(&health.role))
    }

    /// Whether a process waits for custodians: it may have frozen without a word, where its hardware did
    /// not sign.
    pub(crate) fn is_frozen(&self, place: usize) -> bool {
        let replica = self.vault(place).and_then(Vault::danger_replica);
        replica.is_some_and(|replica| replica.role() == Role::Frozen)
    }

    /// Nodes whose own processes vote.
    pub(crate) fn seated(&self) -> usize {
        (0..self.count()).filter(|node| self.is_seated(*node)).count()
    }

    /// Whether living processes are a majority of every configuration that one of them goes by, with
    /// the processes of one node gone. A swap under way asks the old seats too, so counting roles
    /// would not do: five of nine that restart together are lost, even when two of them are back.
    pub(crate) fn has_quorum_without(&self, gone: Option<usize>) -> bool {
        let runs = |place: &usize| {
            let at = &self.nodes[*place];
            // Of a node with two processes nobody knows which hears anything.
            let alone = self.nodes[self.beside(*place)].vault.is_none();
            gone != Some(self.node_of(*place)) && alone && !at.stopped && !self.is_frozen(*place)
        };
        let vaults = || (0..self.nodes.len()).filter(runs).filter_map(|at| self.vault(at));
        let living: BTreeSet<u64> = vaults().map(Vault::incarnation).collect();
        let replicas = || vaults().filter_map(Vault::danger_replica);
        // Whom a newer process of its node is let in for, nobody listens to any more.
        let newer: Vec<ReplicaId> = replicas().flat_map(Replica::learners).collect();
        let heard = |seat: &ReplicaId| newer.iter().all(|n| n.node() != seat.node() || n == seat);
        let lives = |seat: &&ReplicaId| living.contains(&seat.as_u64()) && heard(seat);
        let majority = |seats: &[ReplicaId]| seats.iter().filter(lives).count() > seats.len() / 2;
        let configured = || replicas().filter(|replica| !replica.voters().is_empty());
        let holds = |replica: &Replica| {
            let before = replica.outgoing();
            majority(&replica.voters()) && (before.is_empty() || majority(&before))
        };
        configured().next().is_some() && configured().all(holds)
    }

    /// Whether a node's vote may be taken from the fleet. A run in which a majority of seated
    /// processes lives all the time must do without custodians.
    pub(crate) fn may_unseat(&self, node: usize) -> bool {
        !self.foe.strategy.spares_quorum || self.has_quorum_without(Some(node))
    }

    /// Hosts may put any disk back, but a majority of disks that custodians could be shown must stay
    /// honest: until positions are witnessed, a cold start from rolled back disks is theirs to refuse
    /// (threat model, INV-4).
    pub(crate) fn may_doubt(&self, node: usize) -> bool {
        let others = (0..self.count()).filter(|n| *n != node && self.nodes[*n].doubtful).count();
        others + 1 < self.count() + 1 - self.majority()
    }

    pub(super) fn crash_within_reason(&mut self, place: usize) -> bool {
        let node = self.node_of(place);
        let reason = self.able() > self.majority() && self.may_unseat(node);
        if reason {
            self.crash(place);
        }
        reason
    }

    pub(super) fn restart_on(&mut self, node: usize, act: Act) -> bool {
        if !self.may_unseat(node) || (act != Act::Restart && !self.may_doubt(node)) {
            return false;
        }
        let share = u8::try_from(self.foe.below(256)).unwrap_or(0);
        match act {
            Act::OldDisk => self.restart(node, Restore::Old(share)),
            Act::EmptyDisk => self.restart(node, Restore::Empty),
            Act::TornDisk => self.restart(node, Restore::Torn),
            Act::FlippedDisk => self.restart(node, Restore::Flipped),
            Act::CutDisk => self.restart(node, Restore::Cut(1 + share % 4)),
            Act::ForeignDisk => {
                let other = self.foe.below(self.count());
                self.crash(node);
                self.nodes[node].disk = self.nodes[other].disk.clone();
                self.nodes[node].doubtful |= other != node;
                self.restart(node, Restore::Today);
            }
            Act::OldCell => {
                self.crash(node);
                let old =
                    if self.foe.dice.chance(500) { Restore::Old(share) } else { Restore::Today };
                self.ceremony.nodes[node].put_cell_back(share);
                self.nodes[node].doubtful = true;
                self.restart(node, old);
            }
            _ => self.restart(node, Restore::Today),
        }
        // What does a process make of such a disk, before the fleet takes it back?
        if act != Act::Restart && self.may(Act::AskPosition, 250) {
            self.ask_position(node);
        }
        true
    }

    /// The node's hardware answers some calls, or none, with "unavailable" for a while.
    pub(super) fn sicken(&mut self, node: usize) -> bool {
        let sick = self.ceremony.nodes.iter().filter(|n| n.is_sick(self.now())).count();
        if sick > 1 || !self.may_unseat(node) {
            return false;
        }
        let until_ms = self.now() + 1 + self.foe.dice.below(ILLNESS_MS);
        let failing = 1 + u8::try_from(self.foe.below(8)).unwrap_or(0);
        self.say(Kind::Host, About::Place(node), || {
            format!("the hardware of node {} fails {failing} calls in 8", node + 1)
        });
        *self.ceremony.nodes[node].illness.borrow_mut() = Illness { until_ms, failing, calls: 0 };
        true
    }
}
