//! One question at a time to a fleet without faults: for tests of single attacks.

use super::{Event, World};
use crate::{disk::Restore, lots::Whose, plan::Plan};
use strongroom_protocol::OutgoingFrame;
use strongroom_vault::Vault;
use strongroom_wire::{
    Slot,
    codec::Blob,
    process::ToVault,
    relay::{RelayReply, reply_from_bytes},
    request::Verb,
};

/// The user number under which a probe's answers arrive.
const NOBODY: usize = usize::MAX;
/// A probe that is not answered within this many virtual milliseconds is not answered.
const PROBE_MS: u64 = 20_000;

impl World {
    /// A calm fleet whose leader serves, and no users of its own.
    ///
    /// # Panics
    /// If it does not serve within a minute: a defect.
    pub fn calm(seed: u64) -> Self {
        Self::calm_with(Plan::calm(seed, 0))
    }

    /// The same under another plan.
    ///
    /// # Panics
    /// If it does not serve within a minute: a defect.
    pub fn calm_with(plan: Plan) -> Self {
        let mut world = Self::new(plan);
        world.tended = false;
        assert!(world.pump(60_000, |world| world.leader().is_some()), "the fleet does not serve");
        world
    }

    /// The node that leads and serves, by its own word.
    pub fn leader(&self) -> Option<usize> {
        self.nodes.iter().position(|node| {
            node.vault.is_some()
                && node.health.as_ref().is_some_and(|h| h.ready && h.role == "leader")
        })
    }

    /// Lets events happen until `done`, at most for so long. Returns whether it was.
    pub fn pump(&mut self, at_most_ms: u64, done: impl Fn(&Self) -> bool) -> bool {
        let end = self.now() + at_most_ms;
        loop {
            if done(self) {
                return true;
            }
            match self.queue.first_key_value() {
                Some(((at, _), _)) if *at <= end => {}
                _ => return false,
            }
            if let Some(((at, _), event)) = self.queue.pop_first() {
                self.clock.borrow_mut().now_ms = at;
                match event {
                    Event::Answer { user: NOBODY, reply, .. } => self.probed = Some(reply),
                    event => self.handle(event),
                }
            }
        }
    }

    /// Virtual milliseconds since the world began.
    pub fn now_ms(&self) -> u64 {
        self.now()
    }

    /// Lets so much time pass.
    pub fn pass(&mut self, ms: u64) {
        let end = self.now() + ms;
        self.pump(ms, |_| false);
        self.clock.borrow_mut().now_ms = end;
    }

    /// A ticket as an honest gateway mints it.
    pub fn ticket(&mut self, slot: &Slot, verb: Verb, frame: &[u8]) -> Vec<u8> {
        let now_ms = crate::hardware::EPOCH_MS + self.now();
        self.ceremony.ticket(&mut self.lots.of(Whose::Asker(NOBODY)).0, slot, verb, frame, now_ms)
    }

    /// Hands a ticket and a frame to a node and waits for what comes back.
    pub fn relay(&mut self, node: usize, ticket: Vec<u8>, frame: Vec<u8>) -> Option<RelayReply> {
        self.probed = None;
        let host = &mut self.nodes[node];
        host.next_request += 1;
        let id = host.next_request;
        host.requests.insert(id, (NOBODY, 0));
        self.input(node, ToVault::Request { id, ticket: Blob(ticket), frame: Blob(frame) });
        self.pump(PROBE_MS, |world| world.probed.is_some());
        let reply = self.probed.take()?;
        reply_from_bytes(&reply).ok()
    }

    /// Carries an honest client's frame to the leader.
    ///
    /// # Panics
    /// If the fleet does not serve, or refuses.
    pub fn carry_to_leader(&mut self, slot: &Slot, frame: &OutgoingFrame) -> Vec<u8> {
        assert!(self.pump(30_000, |world| world.leader().is_some()), "the fleet does not serve");
        let leader = self.leader().unwrap_or_default();
        let ticket = self.ticket(slot, frame.verb(), frame.bytes());
        let reply = self.relay(leader, ticket, frame.bytes().to_vec());
        reply.expect("an answer").expect("no refusal")
    }

    /// Kills a node.
    pub fn kill(&mut self, node: usize) {
        self.crash(node);
    }

    /// Boots a node on a disk of the host's choice.
    pub fn revive(&mut self, node: usize, restore: Restore) {
        self.restart(node, restore);
    }

    /// Custodians start a new era from all processes that are up.
    pub fn custodians_start(&mut self) {
        self.ceremony_with(&|_| true);
    }

    /// A node's vault, for inspection.
    pub fn vault(&self, node: usize) -> Option<&Vault<crate::hardware::SimHardware>> {
        self.nodes.get(node)?.vault.as_ref()
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.count()
    }

    /// Never: a world has nodes.
    pub fn is_empty(&self) -> bool {
        self.nodes.is_empty()
    }

    /// The manifest.
    pub const fn ceremony(&self) -> &crate::fleet::Ceremony {
        &self.ceremony
    }

    /// Today's disk of a node.
    pub fn disk(&self, node: usize) -> Option<&crate::disk::Image> {
        self.nodes.get(node).map(|n| n.disk.today())
    }

    /// What a node last said of itself.
    pub fn health(&self, node: usize) -> Option<&strongroom_wire::process::Health> {
        self.nodes.get(node)?.health.as_ref()
    }

    /// Lets nothing pass from one node to another, or lets it pass again.
    pub fn cut(&mut self, from: usize, to: usize, cut: bool) {
        let pair = (super::hosts::id(from), super::hosts::id(to));
        if cut {
            self.cut.insert(pair);
        } else {
            self.cut.remove(&pair);
        }
    }

    /// Sets a node's wall clock off.
    pub fn skew(&mut self, node: usize, skew_ms: i64) {
        *self.ceremony.nodes[node].skew_ms.borrow_mut() = skew_ms;
    }

    /// What the oracle found broken.
    pub fn broken(&self) -> &[crate::oracle::Broken] {
        &self.oracle.broken
    }
}
