//! Hosts: processes, disks, and the network between them.

use super::{Event, TICK_MS, World};
use crate::{disk::Restore, fleet::FLEET, hardware::SimHardware, record::Recorded};
use std::rc::Rc;
use strongroom_vault::{Setup, Vault};
use strongroom_wire::{
    codec::{self, Blob},
    process::{PersistOp, ToHost, ToVault},
    relay::reply_from_bytes,
    start::SignedPosition,
};

/// Frames that hosts keep for a later replay.
const KEPT: usize = 256;

impl World {
    /// A new process of a node, on whatever its disk holds.
    pub(crate) fn boot(&mut self, node: usize) {
        let seed = self.dice.bytes();
        let hardware = SimHardware::new(
            Rc::clone(&self.ceremony.nodes[node]),
            Rc::clone(&self.ceremony.secrets),
            Rc::clone(&self.clock),
            seed,
        );
        let setup = Setup {
            node: id(node),
            fleet: FLEET.to_owned(),
            manifest: self.ceremony.manifest.clone(),
            tick_ms: TICK_MS,
        };
        let vault = Vault::new(setup, hardware).expect("a vault of this ceremony");
        let slot = &mut self.nodes[node];
        slot.process += 1;
        slot.vault = Some(vault);
        slot.health = None;
        slot.requests.clear();
        let process = slot.process;
        self.record(node, || Recorded::Boot(seed));
        for load in self.nodes[node].disk.today().load() {
            self.input(node, load);
        }
        self.at(1, Event::Tick { node, process });
        self.say(|| format!("node {} boots as process {process}", id(node)));
    }

    /// Kills a node's process. What was not durable is gone.
    pub(crate) fn crash(&mut self, node: usize) {
        if self.nodes[node].vault.take().is_some() {
            self.nodes[node].process += 1;
            self.nodes[node].health = None;
            self.report.crashes += 1;
            self.say(|| format!("node {} is killed", id(node)));
        }
    }

    /// Boots a node on a disk of the host's choice.
    pub(crate) fn restart(&mut self, node: usize, restore: Restore) {
        self.crash(node);
        self.say(|| format!("node {} comes back on {restore:?}", id(node)));
        self.nodes[node].disk.restore(restore);
        if restore != Restore::Today {
            self.nodes[node].doubtful = true;
        }
        self.boot(node);
    }

    /// Custodians collect positions from every process that `chosen` allows, and start an era.
    pub(crate) fn ceremony_with(&mut self, chosen: &dyn Fn(usize) -> bool) {
        let mut positions = Vec::new();
        let nodes: Vec<usize> = (0..self.nodes.len())
            .filter(|n| chosen(*n) && self.nodes[*n].vault.is_some())
            .collect();
        for node in &nodes {
            self.record(*node, || Recorded::Input(ToVault::Position {}));
            let Some(vault) = self.nodes[*node].vault.as_mut() else {
                continue;
            };
            let outputs = vault.step(ToVault::Position {});
            for output in &outputs {
                if let ToHost::Position { bytes } = output {
                    positions.push(SignedPosition::from_bytes(&bytes.0).expect("position"));
                }
            }
            self.outputs(*node, outputs);
        }
        // A disk that holds nothing tells custodians nothing, unless nobody's holds anything yet.
        if positions.iter().any(|p| p.position.last_index > 0) {
            positions.retain(|p| p.position.last_index > 0);
        }
        if positions.len() < self.majority() {
            return;
        }
        let start = Blob(codec::encode(&self.ceremony.start(positions)));
        for node in 0..self.nodes.len() {
            self.input(node, ToVault::Start { bytes: start.clone() });
        }
    }

    pub(crate) fn input(&mut self, node: usize, input: ToVault) {
        self.record(node, || Recorded::Input(input.clone()));
        let Some(vault) = self.nodes[node].vault.as_mut() else {
            return;
        };
        let mut outputs = vault.step(input);
        outputs.extend(vault.flush());
        self.outputs(node, outputs);
    }

    pub(crate) fn tick(&mut self, node: usize, process: u64) {
        if self.nodes[node].process != process {
            return;
        }
        self.record(node, || Recorded::Tick);
        let Some(vault) = self.nodes[node].vault.as_mut() else {
            return;
        };
        let outputs = vault.tick();
        self.outputs(node, outputs);
        self.at(TICK_MS / 2, Event::Tick { node, process });
    }

    fn outputs(&mut self, node: usize, outputs: Vec<ToHost>) {
        for output in outputs {
            match output {
                ToHost::Peer { to, bytes } => self.carry(id(node), usize::from(to) - 1, bytes.0),
                ToHost::Reply { id, reply } => self.reply(node, id, reply.0),
                ToHost::Persist { number, ops } => self.persist(node, number, ops),
                ToHost::Health { health } => {
                    if matches!(health.role.as_str(), "follower" | "leader") {
                        self.nodes[node].doubtful = false;
                    }
                    self.nodes[node].health = Some(health);
                }
                ToHost::Halted { reason, .. } => {
                    self.say(|| format!("node {} halts: {reason}", node + 1));
                    self.report.halts += 1;
                    self.crash(node);
                    return;
                }
                ToHost::Event { text } => self.say(|| format!("node {}: {text}", node + 1)),
                ToHost::Refused { reason } => {
                    self.say(|| format!("node {} refuses: {reason}", node + 1));
                }
                ToHost::Position { .. } => {}
            }
        }
    }

    /// The network loses, delays and repeats; hosts keep a copy.
    fn carry(&mut self, from: u8, to: usize, bytes: Vec<u8>) {
        self.oracle.inv10_secret_in("a frame between vaults", &bytes);
        if self.faulty() {
            if self.dice.chance(20) {
                self.kept.push_back((from, to, bytes.clone()));
                if self.kept.len() > KEPT {
                    self.kept.pop_front();
                }
            }
            if self.cut.contains(&(from, id(to))) || self.dice.chance(self.plan.loss) {
                return;
            }
            if self.dice.chance(self.plan.repeat) {
                let after = self.dice.below(200);
                self.at(after, Event::Frame { from, to, bytes: bytes.clone() });
            }
        }
        let after = 1 + self.dice.below(self.plan.delay_ms);
        self.at(after, Event::Frame { from, to, bytes });
    }

    pub(crate) fn deliver(&mut self, from: u8, to: usize, bytes: Vec<u8>) {
        self.input(to, ToVault::Peer { from, bytes: Blob(bytes) });
    }

    fn persist(&mut self, node: usize, number: u64, ops: Vec<PersistOp>) {
        for op in &ops {
            if let PersistOp::Entry { entry, .. } = op {
                self.oracle.inv3_sizes(None, Some(entry.0.len()));
            }
        }
        let process = self.nodes[node].process;
        // The adversary likes the moment between a durable step and the next.
        if self.faulty() && self.dice.chance(self.plan.crash_at_step) {
            let durable = self.dice.chance(500);
            if durable {
                self.made_durable(node, &ops);
            }
            self.say(|| format!("node {}: killed at batch {number}, durable: {durable}", node + 1));
            self.crash(node);
            return;
        }
        // Batches of one disk become durable in order.
        let after = 1 + self.dice.below(4);
        let last = self.nodes[node].unsynced.back().copied().unwrap_or(0);
        let at = (self.now() + after).max(last + 1);
        self.nodes[node].unsynced.push_back(at);
        let wait = at - self.now();
        self.at(wait, Event::Persisted { node, process, number, ops });
    }

    pub(crate) fn persisted(&mut self, node: usize, process: u64, number: u64, ops: &[PersistOp]) {
        self.nodes[node].unsynced.pop_front();
        if self.nodes[node].process != process {
            return;
        }
        self.made_durable(node, ops);
        self.input(node, ToVault::Persisted { number });
    }

    fn made_durable(&mut self, node: usize, ops: &[PersistOp]) {
        self.nodes[node].disk.apply(ops);
        for op in ops {
            match op {
                PersistOp::Entry { index, .. } => self.oracle.durable(id(node), *index),
                PersistOp::CompactBefore { index } => {
                    self.oracle.durable(id(node), index.saturating_sub(1));
                }
                _ => {}
            }
        }
    }

    pub(crate) fn request(
        &mut self,
        node: usize,
        user: usize,
        frame_number: u64,
        ticket: Vec<u8>,
        frame: Vec<u8>,
    ) {
        let host = &mut self.nodes[node];
        host.next_request += 1;
        let id = host.next_request;
        host.requests.insert(id, (user, frame_number));
        self.input(node, ToVault::Request { id, ticket: Blob(ticket), frame: Blob(frame) });
    }

    fn reply(&mut self, node: usize, id: u64, bytes: Vec<u8>) {
        let Some((user, frame_number)) = self.nodes[node].requests.remove(&id) else {
            return;
        };
        let held = self.oracle.holders();
        if let Ok(Ok(frame)) = reply_from_bytes(&bytes) {
            self.oracle.inv3_sizes(Some(frame.len()), None);
            self.oracle.inv10_secret_in("an answer", &frame);
        }
        if self.faulty() && self.dice.chance(self.plan.lost_answers) {
            self.say(|| format!("an answer to user {user} is lost"));
            return;
        }
        let after = 1 + self.dice.below(self.plan.delay_ms);
        let answer = Event::Answer { user, frame_number, reply: bytes, held, forged: false };
        self.at(after, answer);
    }
}

pub(crate) fn id(node: usize) -> u8 {
    u8::try_from(node + 1).unwrap_or(u8::MAX)
}
