//! What comes out of links and consensus, in the order in which it must happen.

use crate::{
    peers::{self, Note, PeerMessage},
    vault::Vault,
    waiting::ReplyTo,
};
use strongroom_hardware::{Hardware, HardwareError};
use strongroom_link::{LinkEvent, node_of};
use strongroom_record::{Effect, Entry, Limits, State};
use strongroom_replica::{
    Applied, Event, Halt, Install, Output, PersistOp as ReplicaOp, ReplicaId, Role,
};
use strongroom_wire::{
    CodecError, Fixed, codec,
    codec::Blob,
    process::{PersistOp, ToHost},
    relay::{RelayRefusal, reply_from_bytes},
};

/// A snapshot as the replica carries it: the state hash, then the state.
type Snapshot = (Fixed<32>, Blob);
const SNAPSHOT_LEN_MAX: usize = 64 * 1_024 * 1_024;

impl<H: Hardware> Vault<H> {
    pub(crate) fn on_link_events(&mut self, now_ms: u64, events: Vec<LinkEvent>) {
        for event in events {
            match event {
                LinkEvent::Send { to, bytes } => {
                    self.out.push(ToHost::Peer { to, bytes: Blob(bytes) });
                }
                LinkEvent::Up { node, replica } => {
                    self.event(format!("link up: node {node}, incarnation {replica:x}"));
                    // What its former process said it had forgotten says nothing of this one.
                    self.erased.remove(&node);
                    self.history.forget(node);
                }
                LinkEvent::Message { from, bytes } => self.on_peer_message(now_ms, from, &bytes),
                LinkEvent::Halt(_) => {
                    self.halt(101, "a peer proved that this process's memory was put back");
                }
            }
        }
    }

    fn on_peer_message(&mut self, now_ms: u64, from: u64, bytes: &[u8]) {
        match peers::read(bytes) {
            Ok(PeerMessage::Replica(bytes)) => {
                let Some(from) = ReplicaId::from_u64(from) else {
                    return;
                };
                self.step_replica(now_ms, Event::Peer { from, bytes: bytes.to_vec() });
            }
            Ok(PeerMessage::Note(note)) => self.on_note(now_ms, from, note),
            Err(error) => self.event(format!("node {}: {error}; dropped", node_of(from))),
        }
    }

    fn on_note(&mut self, now_ms: u64, from: u64, note: Note) {
        match note {
            Note::Beat { wall_ms, applied, hash, erased_through } => {
                let node = node_of(from);
                self.clocks.hear(node, wall_ms, now_ms);
                self.erased.insert(node, (from, erased_through));
                let before = self.history.differing();
                if self.history.compare(node, applied, &hash.0, self.majority()) {
                    self.halt(102, "a majority of the fleet holds another state than this node");
                } else if self.history.differing() > before {
                    self.event(format!("node {node} holds another state at index {applied}"));
                }
            }
            Note::Forward { id, ticket, frame } => {
                let to = ReplyTo::Peer(from, id);
                if self.replica.as_ref().is_some_and(|r| r.ready_to_serve()) {
                    self.take_request(now_ms, to, &ticket.0, &frame.0);
                } else {
                    self.reply(to, Err(RelayRefusal::NoQuorum));
                }
            }
            Note::Answer { id, reply } => {
                let reply = reply_from_bytes(&reply.0).unwrap_or(Err(RelayRefusal::Unknown));
                self.on_forward_answer(from, id, reply);
            }
        }
    }

    pub(crate) fn step_replica(&mut self, now_ms: u64, event: Event) {
        if let Some(replica) = self.replica.as_mut() {
            let output = replica.step(now_ms, event);
            self.on_output(now_ms, output);
        }
    }

    pub(crate) fn on_output(&mut self, now_ms: u64, output: Output) {
        // The erasure key's cell first: a batch sealed under a key that is held nowhere would lose
        // live salts in a crash right after it.
        if let Some(cell) = &output.cell {
            match self.hardware.overwrite(self.incarnation.as_u64(), cell) {
                Ok(()) => {}
                Err(HardwareError::Taken) => {
                    return self.halt(107, "another process of this node has taken its cell over");
                }
                Err(_) => return self.halt(103, "the hardware's cell could not be overwritten"),
            }
        }
        for (to, bytes) in output.messages {
            self.send_replica_message(to, &bytes);
        }
        // After the messages of this output, since an older key must not outlive what it sealed.
        if let Some(replica) = &self.replica {
            self.links.retire(replica.erased_through());
        }
        if let Some(persist) = output.persist {
            let ops = persist.ops.into_iter().map(host_op).collect();
            self.out.push(ToHost::Persist { number: persist.number, ops });
        }
        for event in output.events {
            self.event(format!("{event:?}"));
        }
        if let Some(install) = output.install {
            self.install(install);
        }
        // Nothing is applied behind an entry that could not be, and nothing is answered.
        for applied in output.applied {
            if self.halted.is_none() {
                self.apply(applied);
            }
        }
        for committed in output.released {
            if self.halted.is_none() {
                self.release(committed);
            }
        }
        if output.snapshot_wanted && self.halted.is_none() {
            self.provide_snapshot();
        }
        if let Some(halt) = output.halted {
            self.halt(halt.code(), reason(halt));
        }
        if output.role != Role::Leader {
            // Their entries may be committed by the next leader, or not: nobody here can tell.
            self.fail_waiting(now_ms);
        }
    }

    /// A process that wants to join does not know its peers' incarnations: it addresses a node, and
    /// the message goes to whichever process of that node the link reaches.
    fn send_replica_message(&mut self, to: ReplicaId, bytes: &[u8]) {
        let to = if to.is_placeholder() {
            match self.links.process_of(to.node().number()) {
                Some(process) => process,
                None => return,
            }
        } else {
            to.as_u64()
        };
        let frames = self.links.send(to, &peers::replica_message(bytes));
        self.send_frames(to, frames);
    }

    fn install(&mut self, install: Install) {
        self.applied = install.index;
        self.compacted_index = install.index;
        if install.state.is_empty() {
            self.state = State::before_all_epochs();
            self.history.restore(install.index, [0; 32]);
            return;
        }
        match read_snapshot(&install) {
            Ok((_, state)) if state.policy_epoch() > self.manifest.epoch => {
                // Its host gave this process an older manifest than the fleet's: nodes that were
                // removed since would be admitted again, and get the state with its salts.
                self.halt(106, "this node's manifest is older than the fleet's");
            }
            Ok((hash, state)) => {
                self.state = state;
                self.history.restore(install.index, hash.0);
            }
            // A peer vault made it and the link authenticated it: this is a defect, not an attack.
            Err(_) => self.halt(104, "a snapshot of the state could not be read"),
        }
    }

    fn apply(&mut self, applied: Applied) {
        self.applied = applied.index;
        if self.upkeep.is_some_and(|(_, index)| index <= applied.index) {
            self.upkeep = None;
        }
        let Ok(entry) = Entry::from_bytes(&applied.payload) else {
            self.halt(105, "a committed entry could not be read");
            return;
        };
        let effect = self.state.apply(applied.index, &entry, applied.salt);
        self.history.extend(applied.index, &applied.payload, &entry, &self.state);
        if applied.own && !matches!(effect, Effect::None) {
            let now_ms = self.state.now_ms();
            self.waiting.applied(applied.term, applied.index, effect, now_ms);
        }
    }

    pub(crate) fn snapshot(&self) -> (Vec<u8>, Vec<u8>) {
        let snapshot: Snapshot = (Fixed(self.history.hash()), Blob(self.state.to_bytes()));
        // INV-3: sizes tell neither who enrolled nor who was locked. What does not fit any size fits
        // no message either: the replica refuses it.
        let pad = |bytes: Vec<u8>| codec::pad_in_steps(&bytes).unwrap_or(bytes);
        (pad(codec::encode(&snapshot)), pad(self.state.salts_to_bytes()))
    }

    fn provide_snapshot(&mut self) {
        let (state, salts) = self.snapshot();
        let index = self.applied;
        if let Some(replica) = self.replica.as_mut()
            && let Err(error) = replica.provide_snapshot(index, state, salts)
        {
            self.event(format!("snapshot not given: {error:?}"));
        }
    }

    fn fail_waiting(&mut self, now_ms: u64) {
        for to in self.waiting.expired(now_ms) {
            self.reply(to, Err(RelayRefusal::Unknown));
        }
    }
}

fn read_snapshot(install: &Install) -> Result<(Fixed<32>, State), CodecError> {
    let snapshot = codec::unpad_in_steps(&install.state)?;
    let (hash, state): Snapshot = codec::decode(snapshot, SNAPSHOT_LEN_MAX)?;
    let salts = codec::unpad_in_steps(&install.salts)?;
    Ok((hash, State::from_bytes(&state.0, salts, Limits::default())?))
}

fn host_op(op: ReplicaOp) -> PersistOp {
    match op {
        ReplicaOp::PutMeta(bytes) => PersistOp::Meta { bytes: Blob(bytes) },
        ReplicaOp::PutEntry { index, entry, salt } => {
            PersistOp::Entry { index, entry: Blob(entry), salt: Blob(salt) }
        }
        ReplicaOp::PutEntrySalt { index, salt } => PersistOp::EntrySalt { index, salt: Blob(salt) },
        ReplicaOp::TruncateFrom { index } => PersistOp::TruncateFrom { index },
        ReplicaOp::CompactBefore { index } => PersistOp::CompactBefore { index },
        ReplicaOp::PutSnapshot(bytes) => PersistOp::Snapshot { bytes: Blob(bytes) },
        ReplicaOp::PutSalts(bytes) => PersistOp::Salts { bytes: Blob(bytes) },
        ReplicaOp::Clear => PersistOp::Clear {},
    }
}

const fn reason(halt: Halt) -> &'static str {
    match halt {
        Halt::Superseded => "a newer process of this node is in the fleet",
        Halt::SupersededEra => "the fleet was started again without this process",
        Halt::Diverged => "the same position holds another history: a disk or memory was put back",
        Halt::RolledBack => "the leader counts on entries that this node does not have",
        Halt::TwoLeaders => "two leaders in one term: some node voted twice",
        Halt::HostLied => "the host acknowledged a batch that it was never given",
        Halt::Library => "the consensus library refused what it must accept",
        Halt::Exhausted => "a counter reached its end",
    }
}
