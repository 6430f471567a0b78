//! Hosts: processes, disks, and the network between them.

use super::{About, Event, TICK_MS, World, adversary::GENESIS_MS};
use crate::{
    acts::Act, burglar::sealed_extra, disk::Restore, fleet::FLEET, hardware::SimHardware,
    lots::Whose, record::Recorded, trace::Kind,
};
use std::rc::Rc;
use strongroom_vault::{Setup, Vault};
use strongroom_wire::{
    codec::Blob,
    process::{Health, PersistOp, ToHost, ToVault},
    relay::reply_from_bytes,
};

/// Frames that hosts keep for a later replay.
pub(crate) const KEPT: usize = 256;
/// Messages that wait in the pipe of a stopped process; more are lost.
const PIPE: usize = 512;

impl World {
    /// A new process of a node, on whatever its disk holds.
    pub(crate) fn boot(&mut self, node: usize) {
        let seed = self.lots.of(Whose::Place(node)).bytes();
        let hardware = SimHardware::new(
            Rc::clone(&self.ceremony.nodes[self.node_of(node)]),
            Rc::clone(&self.ceremony.secrets),
            Rc::clone(&self.clock),
            seed,
        );
        let setup = Setup {
            node: self.number(node),
            fleet: FLEET.to_owned(),
            manifest: self.ceremony.manifest.clone(),
            tick_ms: TICK_MS,
        };
        let vault = match Vault::new(setup, hardware) {
            Ok(vault) => vault,
            Err(error) => {
                // Hardware that does not answer, and nothing else, keeps a process from starting.
                let sick = self.ceremony.nodes[self.node_of(node)].is_sick(self.now());
                assert!(sick, "a vault of this ceremony: {error}");
                return self.say(Kind::Host, About::Place(node), || {
                    format!("{} does not start: {error}", self.name(node))
                });
            }
        };
        self.processes += 1;
        let process = self.processes;
        let twin = self.beside(node);
        let beside = self.nodes[twin].vault.is_some();
        self.nodes[twin].shared |= beside;
        let slot = &mut self.nodes[node];
        slot.process = process;
        slot.vault = Some(vault);
        slot.health = None;
        slot.applied = 0;
        slot.stopped = false;
        slot.told = None;
        slot.bare = slot.disk.today().proves_nothing();
        slot.shared = beside;
        slot.waiting_ms = 0;
        slot.piled.clear();
        slot.unsynced.clear();
        slot.requests.clear();
        self.record(node, || Recorded::Boot(seed));
        for load in self.nodes[node].disk.today().load() {
            self.input(node, load);
        }
        self.at(1, Event::Tick { node, process });
        self.say(Kind::Host, About::Place(node), || {
            format!("{} boots as process {process}", self.name(node))
        });
    }

    /// Kills a node's process. What was not durable is gone.
    pub(crate) fn crash(&mut self, node: usize) {
        if self.nodes[node].vault.take().is_some() {
            let place = &mut self.nodes[node];
            place.process = 0;
            place.health = None;
            place.stopped = false;
            place.piled.clear();
            self.report.crashes += 1;
            self.tell_state(node);
            self.say(Kind::Host, About::Place(node), || format!("{} is killed", self.name(node)));
        }
    }

    /// Boots a node on a disk of the host's choice.
    pub(crate) fn restart(&mut self, node: usize, restore: Restore) {
        self.crash(node);
        self.say(Kind::Host, About::Place(node), || {
            format!("{} comes back on {restore:?}", self.name(node))
        });
        self.nodes[node].disk.restore(restore);
        if restore != Restore::Today {
            self.nodes[node].doubtful = true;
        }
        self.boot(node);
    }

    /// Whether a process runs at a place, and is not stopped.
    pub(crate) fn runs(&self, place: usize) -> bool {
        self.nodes[place].vault.is_some() && !self.nodes[place].stopped
    }

    /// The node whose process runs at a place.
    pub(crate) fn node_of(&self, place: usize) -> usize {
        place % self.count()
    }

    /// The other place of the same node.
    pub(crate) fn beside(&self, place: usize) -> usize {
        (place + self.count()) % self.nodes.len()
    }

    /// The number of the node whose process runs at a place.
    pub(crate) fn number(&self, place: usize) -> u8 {
        id(self.node_of(place))
    }

    /// What a story calls a place.
    pub(crate) fn name(&self, place: usize) -> String {
        let twin = if place < self.count() { "" } else { "'s twin" };
        format!("node {}{twin}", self.number(place))
    }

    /// Where a process runs now: its host may have moved it to its node's other place.
    fn place_of(&self, place: usize, process: u64) -> Option<usize> {
        [place, self.beside(place)].into_iter().find(|at| self.nodes[*at].process == process)
    }

    pub(crate) fn input(&mut self, node: usize, input: ToVault) {
        let place = &mut self.nodes[node];
        if place.stopped {
            if place.piled.len() < PIPE {
                place.piled.push_back(input);
            }
            return;
        }
        self.record(node, || Recorded::Input(input.clone()));
        let Some(vault) = self.nodes[node].vault.as_mut() else {
            return;
        };
        let mut outputs = vault.step(input);
        outputs.extend(vault.flush());
        self.watch_state(node);
        self.outputs(node, outputs);
    }

    pub(crate) fn tick(&mut self, node: usize, process: u64) {
        let Some(node) = self.place_of(node, process) else {
            return;
        };
        if self.nodes[node].stopped {
            return self.at(TICK_MS / 2, Event::Tick { node, process });
        }
        self.record(node, || Recorded::Tick);
        let Some(vault) = self.nodes[node].vault.as_mut() else {
            return;
        };
        let outputs = vault.tick();
        self.watch_state(node);
        self.outputs(node, outputs);
        self.at(TICK_MS / 2, Event::Tick { node, process });
    }

    pub(crate) fn outputs(&mut self, node: usize, outputs: Vec<ToHost>) {
        self.look(node, &outputs);
        for output in outputs {
            match output {
                ToHost::Peer { to, bytes } if self.speaks_to(node, to) => {
                    self.carry(self.number(node), usize::from(to) - 1, bytes.0);
                }
                ToHost::Peer { .. } => {}
                ToHost::Reply { id, reply } => self.reply(node, id, reply.0),
                ToHost::Persist { number, ops } => self.persist(node, number, ops),
                ToHost::Health { health } => self.hear_health(node, health),
                ToHost::Halted { reason, .. } => {
                    self.say(Kind::Vault, About::Place(node), || {
                        format!("{} halts: {reason}", self.name(node))
                    });
                    self.report.halts += 1;
                    self.crash(node);
                    return;
                }
                ToHost::Event { text } => {
                    // Roles, seats, links: moments that an adversary looks for.
                    self.heat(120);
                    self.say(Kind::Vault, About::Place(node), || {
                        format!("{}: {text}", self.name(node))
                    });
                    self.overhear(node, &text);
                }
                ToHost::Refused { reason } => {
                    self.say(Kind::Vault, About::Place(node), || {
                        format!("{} refuses: {reason}", self.name(node))
                    });
                }
                ToHost::Position { bytes } => self.told(node, &bytes.0),
            }
        }
    }

    fn hear_health(&mut self, place: usize, health: Health) {
        // The fleet admitted it, with all that it has to know; unless it shared disk and cell with
        // another process a moment ago.
        let alone = self.nodes[self.beside(place)].vault.is_none();
        let at = &mut self.nodes[place];
        if matches!(health.role.as_str(), "follower" | "leader") && alone && at.taint == 0 {
            at.doubtful = false;
        }
        self.rules(place, &health);
        self.nodes[place].health = Some(health);
        self.tell_state(place);
    }

    pub(crate) fn deliver(&mut self, from: u8, to: usize, bytes: Vec<u8>) {
        for place in self.routed(to, Some(from)) {
            self.input(place, ToVault::Peer { from, bytes: Blob(bytes.clone()) });
        }
    }

    fn persist(&mut self, node: usize, number: u64, ops: Vec<PersistOp>) {
        for op in &ops {
            match op {
                PersistOp::Entry { entry, .. } => {
                    self.oracle.inv3_sizes(None, Some(entry.0.len()));
                }
                // The fleet gave it a snapshot.
                PersistOp::Clear {} => self.nodes[node].bare = false,
                _ => {}
            }
        }
        let told = self.nodes[node].told.as_ref().map(|told| told.position.last_index);
        self.oracle.inv8_frozen(self.number(node), told, &ops);
        self.keep_salts(node, &ops);
        let process = self.nodes[node].process;
        // The adversary likes the moment between a durable step and the next.
        self.heat(12);
        let weight = self.foe.strategy.weight(Act::CrashAtStep);
        let reason = self.now() > GENESIS_MS && self.may_unseat(self.node_of(node));
        if self.faulty() && reason && self.may(Act::CrashAtStep, weight) {
            let durable = self.foe.dice.chance(500);
            if durable {
                self.made_durable(node, &ops);
            }
            self.say(Kind::Host, About::Place(node), || {
                format!("{} ends at batch {number}, durable: {durable}", self.name(node))
            });
            self.crash(node);
            return;
        }
        // Batches of one disk become durable in order.
        let after = 1 + self.lots.of(Whose::Disk(node)).below(4);
        let last = self.nodes[node].unsynced.back().copied().unwrap_or(0);
        let at = (self.now() + after).max(last + 1);
        self.nodes[node].unsynced.push_back(at);
        let wait = at - self.now();
        self.at(wait, Event::Persisted { node, process, number, ops });
    }

    pub(crate) fn persisted(&mut self, node: usize, process: u64, number: u64, ops: &[PersistOp]) {
        let Some(node) = self.place_of(node, process) else {
            return;
        };
        self.nodes[node].unsynced.pop_front();
        self.made_durable(node, ops);
        self.input(node, ToVault::Persisted { number });
        if ops.iter().any(|op| matches!(op, PersistOp::CompactBefore { .. })) {
            self.two_voices(node);
        }
    }

    fn made_durable(&mut self, node: usize, ops: &[PersistOp]) {
        self.nodes[node].disk.apply(ops);
        let number = self.number(node);
        let alone = self.nodes[self.beside(node)].vault.is_none();
        for op in ops {
            match op {
                PersistOp::Entry { index, .. } => self.oracle.durable(number, *index),
                // The disk holds what a snapshot contains, whether or not its process heard of it yet.
                PersistOp::Snapshot { bytes } => {
                    self.oracle.durable(number, sealed_extra(&bytes.0).unwrap_or(0));
                }
                PersistOp::Salts { .. } if alone => {
                    let place = &mut self.nodes[node];
                    place.taint = place.taint.saturating_sub(1);
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
        // Sealed tickets are random: their beginning names them.
        let named = ticket.first_chunk().map_or(0, |name| u64::from_le_bytes(*name));
        self.oracle.handed_in((user, frame_number), named);
        for place in self.routed(node, None) {
            let host = &mut self.nodes[place];
            host.next_request += 1;
            let id = host.next_request;
            host.requests.insert(id, (user, frame_number));
            let (ticket, frame) = (Blob(ticket.clone()), Blob(frame.clone()));
            self.input(place, ToVault::Request { id, ticket, frame });
        }
    }

    fn reply(&mut self, node: usize, id: u64, bytes: Vec<u8>) {
        let Some((user, frame_number)) = self.nodes[node].requests.remove(&id) else {
            return;
        };
        let held = self.oracle.holders();
        if let Ok(Ok(frame)) = reply_from_bytes(&bytes) {
            self.oracle.inv3_sizes(Some(frame.len()), None);
            self.oracle.inv10_secret_in("an answer", &frame);
            self.answered(node, user);
        }
        let weight = self.foe.strategy.weight(Act::LoseAnswer);
        if self.faulty() && self.may(Act::LoseAnswer, weight) {
            self.say(Kind::Host, About::Asker(user), || {
                format!("an answer to user {user} is lost")
            });
            return;
        }
        let after = 1 + self.lots.of(Whose::Asker(user)).below(self.plan.delay_ms);
        let answer = Event::Answer { user, frame_number, reply: bytes, held, forged: false };
        self.at(after, answer);
    }
}

pub(crate) fn id(node: usize) -> u8 {
    u8::try_from(node + 1).unwrap_or(u8::MAX)
}
