//! What the adversary does, and when custodians step in.

use super::{Event, World, hosts::id};
use crate::disk::Restore;

/// Without a serving leader for this long, with enough processes up, custodians start a new era.
const CLOSED_MS: u64 = 6_000;
/// Each start debits every slot's year, so a run has few.
const COLD_STARTS_MAX: u64 = 3;

impl World {
    pub(crate) fn fault(&mut self) {
        if !self.faulty() {
            return;
        }
        if self.plan.kill_leaders_every_ms > 0 {
            if let Some(leader) = self.leader() {
                self.crash(leader);
            }
            self.at(self.plan.kill_leaders_every_ms, Event::Fault);
            return;
        }
        let node = usize::try_from(self.dice.below(self.nodes.len() as u64)).unwrap_or(0);
        match self.dice.below(12) {
            0..=2 => self.crash_within_reason(node),
            3..=5 => self.restart_within_reason(node),
            6 => self.cut_off(node, true),
            7 => self.cut_off(node, false),
            8 => self.cut.clear(),
            9 => self.lie_about_time(node),
            10 => self.replay(),
            _ => self.all_at_once(),
        }
        let next = 1 + self.dice.below(2 * self.plan.fault_every_ms);
        self.at(next, Event::Fault);
    }

    fn up(&self) -> usize {
        self.nodes.iter().filter(|node| node.vault.is_some()).count()
    }

    fn crash_within_reason(&mut self, node: usize) {
        if self.up() > self.majority() {
            self.crash(node);
        }
    }

    fn restart_within_reason(&mut self, node: usize) {
        // Hosts may put any disk back, but a majority of disks that custodians could be shown must
        // stay honest: until positions are witnessed, a cold start from rolled back disks is
        // theirs to refuse (threat model, INV-4).
        let doubtful = self.nodes.iter().filter(|node| node.doubtful).count();
        let restore = match self.dice.below(8) {
            0 | 1 if doubtful < 2 => Restore::Old(u8::try_from(self.dice.below(256)).unwrap_or(0)),
            2 if doubtful < 2 => Restore::Empty,
            3 if doubtful < 2 => Restore::Torn,
            4 if doubtful < 2 => Restore::Flipped,
            _ => Restore::Today,
        };
        self.restart(node, restore);
    }

    fn cut_off(&mut self, node: usize, both_ways: bool) {
        for other in 0..self.nodes.len() {
            if other != node {
                self.cut.insert((id(node), id(other)));
                if both_ways {
                    self.cut.insert((id(other), id(node)));
                }
            }
        }
        // A cut that isolates a majority for good would only prove that it is a cut.
        if self.cut.len() > 2 * 3 * (self.nodes.len() - 1) {
            self.cut.clear();
        }
    }

    fn lie_about_time(&mut self, node: usize) {
        let skews = self.ceremony.nodes.iter().filter(|n| *n.skew_ms.borrow() != 0).count();
        let skew = if skews < 3 {
            let days = i64::try_from(self.dice.below(800)).unwrap_or(0) - 400;
            days * 86_400_000
        } else {
            0
        };
        *self.ceremony.nodes[node].skew_ms.borrow_mut() = skew;
    }

    fn replay(&mut self) {
        for _ in 0..8 {
            let pick = self.dice.below(self.kept.len().max(1) as u64);
            let Some((from, to, bytes)) =
                self.kept.get(usize::try_from(pick).unwrap_or(0)).cloned()
            else {
                return;
            };
            // To whom it belonged, or to somebody else.
            let to = if self.dice.chance(500) {
                to
            } else {
                usize::try_from(self.dice.below(self.nodes.len() as u64)).unwrap_or(0)
            };
            let after = self.dice.below(50);
            self.at(after, Event::Frame { from, to, bytes });
        }
    }

    /// Power loss everywhere.
    fn all_at_once(&mut self) {
        if self.report.cold_starts >= COLD_STARTS_MAX || !self.dice.chance(300) {
            return;
        }
        if self.nodes.iter().any(|node| node.doubtful) {
            return;
        }
        self.say(|| "the power fails everywhere".to_owned());
        for node in 0..self.nodes.len() {
            self.crash(node);
        }
        for node in 0..self.nodes.len() {
            self.boot(node);
        }
    }

    /// Faults stop: everything is up and connected, and every clock is right.
    pub(crate) fn calm_down(&mut self) {
        self.say(|| "faults stop".to_owned());
        self.cut.clear();
        for hardware in &self.ceremony.nodes {
            *hardware.skew_ms.borrow_mut() = 0;
        }
        for node in 0..self.nodes.len() {
            if self.nodes[node].vault.is_none() {
                self.boot(node);
            }
        }
    }

    /// Looks whether the fleet serves; if it cannot come back by itself, custodians help.
    pub(crate) fn watch(&mut self) {
        if !self.tended {
            return;
        }
        for node in 0..self.nodes.len() {
            // A host starts a process that stopped itself again, as `strongroomd` does.
            if self.nodes[node].vault.is_none() && self.dice.chance(300) {
                self.boot(node);
            }
        }
        let now = self.now();
        let serving = self.nodes.iter().any(|node| {
            node.vault.is_some()
                && node.health.as_ref().is_some_and(|h| h.ready && h.role == "leader")
        });
        if serving {
            self.ready_ms = now;
        } else if now.saturating_sub(self.ready_ms) > CLOSED_MS && self.cut.is_empty() {
            self.cold_start();
        }
        self.at(1_000, Event::Watch);
    }

    fn cold_start(&mut self) {
        let living: Vec<bool> =
            self.nodes.iter().map(|node| node.vault.is_some() && !node.doubtful).collect();
        if living.iter().filter(|up| **up).count() < self.majority() {
            return;
        }
        self.ready_ms = self.now();
        self.report.cold_starts += 1;
        self.say(|| "custodians start a new era".to_owned());
        self.ceremony_with(&|node| living[node]);
    }
}
