//! Events in, output out: how the library is driven.
//!
//! Order matters here more than anywhere. What the library decides is recorded first; a leader's appends may leave at
//! once, everything else that promises durability leaves after the sync; committed entries are applied before the
//! library hears that they were.

use alloc::vec::Vec;

use raft::eraftpb::{Entry, Message, MessageType, Snapshot};
use raft::{ProgressState, RawNode, Ready, SnapshotStatus, StateRole};

use crate::batch::Effect;
use crate::chain::{self, EntryKind};
use crate::codec::{self, Frame, PeerMessage};
use crate::config::{DISK_TICKS, HEARTBEAT_TICKS, SNAPSHOT_RETRY_TICKS};
use crate::guard::{self, Refusal, Verdict, View};
use crate::holders::held_by;
use crate::log::{Base, Log};
use crate::replica::Replica;
use crate::seats::{Seats, Standing};
use crate::{Applied, Event, Halt, Install, Output, ReplicaEvent, ReplicaId, Role};

/// Rounds of one call; more would mean that the library talks to itself.
const MAX_ROUNDS: usize = 64;

impl Replica {
    /// Handles one event. `now_ms` is local and monotonic; only differences count.
    pub fn step(&mut self, now_ms: u64, event: Event) -> Output {
        if self.halted.is_some() {
            return self.take_output();
        }
        self.pass_time(now_ms);
        match event {
            Event::Tick => {}
            Event::Peer { from, bytes } => self.receive(from, &bytes),
            Event::Persisted { number } => self.persisted(number),
        }
        self.drive();
        self.take_output()
    }

    /// At most one tick a call: after a long pause the messages that queued up must not meet a dozen timeouts.
    pub(crate) fn pass_time(&mut self, now_ms: u64) {
        let tick_ms = self.config.tick_ms;
        let soon = now_ms.saturating_add(tick_ms);
        let Some(due) = self.next_tick_ms else {
            self.next_tick_ms = Some(soon);
            return;
        };
        if now_ms < due {
            return;
        }
        let regular = due.saturating_add(tick_ms);
        self.next_tick_ms = Some(if regular > now_ms { regular } else { soon });
        self.ticks = self.ticks.saturating_add(1);
        if self.halted.is_none() && !self.is_frozen() {
            self.tick();
        }
    }

    fn tick(&mut self) {
        if self.raft.is_none() || self.is_forgotten() {
            self.ask_to_join();
        }
        if self.blocks > 0 {
            // A tick between a snapshot and its sync kills the library.
            return;
        }
        self.leave_lead_without_disk();
        let ticks = self.ticks;
        if let Some(raft) = self.raft.as_mut() {
            raft.tick();
            raft.mut_store().expire_offer(ticks, SNAPSHOT_RETRY_TICKS);
        }
        self.steady();
        self.give_up_lost_snapshots();
        self.commit_at_tick = self.commit_index();
    }

    /// A leader applies, and so answers, only what its own disk holds; its heartbeats need no disk. One whose disk
    /// is full, broken or hung would lead for ever and serve nobody. Without the lead it says nothing that it would
    /// have to keep, so it is not elected again before its disk is back.
    fn leave_lead_without_disk(&mut self) {
        let owed = self.batches.owed_since(self.ticks.saturating_sub(DISK_TICKS));
        if let Some(raft) = self.raft.as_mut().filter(|r| owed && r.raft.state == StateRole::Leader)
        {
            let term = raft.raft.term;
            raft.raft.become_follower(term, 0);
            self.out.events.push(ReplicaEvent::DiskSilent);
        }
    }

    /// The library waits for ever for a snapshot that was lost.
    fn give_up_lost_snapshots(&mut self) {
        let ticks = self.ticks;
        let Some(raft) = self.raft.as_mut().filter(|r| r.raft.state == StateRole::Leader) else {
            self.snapshots_sent.clear();
            return;
        };
        let sending = raft.raft.prs().iter().filter(|(_, p)| p.state == ProgressState::Snapshot);
        let mut ids: Vec<u64> = sending.map(|(id, _)| *id).collect();
        ids.sort_unstable();
        self.snapshots_sent.retain(|id, _| ids.binary_search(id).is_ok());
        for id in ids {
            let since = *self.snapshots_sent.entry(id).or_insert(ticks);
            if ticks.saturating_sub(since) > SNAPSHOT_RETRY_TICKS {
                raft.report_snapshot(id, SnapshotStatus::Failure);
                self.snapshots_sent.remove(&id);
                if let Some(to) = ReplicaId::from_u64(id) {
                    self.out.events.push(ReplicaEvent::SnapshotLost { to });
                }
            }
        }
        self.steady();
    }

    fn receive(&mut self, from: ReplicaId, bytes: &[u8]) {
        let Some(message) = codec::decode(bytes, self.config.max_frame) else {
            return self.refuse(from, Refusal::Malformed);
        };
        if self.is_frozen() {
            return self.refuse(from, Refusal::NotNow);
        }
        match message {
            PeerMessage::Raft(frame) => self.receive_raft(from, frame),
            PeerMessage::Join { id, era } => self.receive_join(from, id, era),
            PeerMessage::Welcome { era, term, seats } => {
                self.receive_welcome(from, era, term, seats)
            }
            PeerMessage::NewerEra { era } => {
                if self.raft.is_some() && era > self.meta.era {
                    self.halt(Halt::SupersededEra);
                }
            }
        }
    }

    fn receive_raft(&mut self, from: ReplicaId, frame: Frame) {
        let Some(raft) = self.raft.as_ref().filter(|_| self.blocks == 0) else {
            return self.refuse(from, Refusal::NotNow);
        };
        let view = View {
            id: self.config.id,
            era: self.meta.era,
            term: raft.raft.term,
            leader: raft.raft.leader_id,
            commit: raft.raft.raft_log.committed,
            log: raft.store(),
            superseded: &self.superseded,
        };
        match guard::check(&view, from, &frame) {
            Verdict::Accept => {}
            Verdict::Drop(Refusal::OldEra) => {
                let era = self.meta.era;
                self.say(from, &PeerMessage::NewerEra { era });
                return self.refuse(from, Refusal::OldEra);
            }
            Verdict::Drop(reason) => return self.refuse(from, reason),
            Verdict::Halt(reason) => return self.halt(reason),
        }
        if matches!(
            frame.message.msg_type,
            MessageType::MsgAppend | MessageType::MsgHeartbeat | MessageType::MsgSnapshot
        ) {
            self.heard_at_tick = self.ticks;
        }
        if let Some(raft) = self.raft.as_mut() {
            // It refuses answers of processes without a seat; they mean nothing.
            let _ = raft.step(frame.message);
        }
        self.steady();
    }

    pub(crate) fn refuse(&mut self, from: ReplicaId, reason: Refusal) {
        self.out.events.push(ReplicaEvent::Dropped { from: from.node(), reason });
    }

    pub(crate) fn say(&mut self, to: ReplicaId, message: &PeerMessage) {
        if let Some(bytes) = codec::encode(message, self.config.max_frame) {
            self.out.messages.push((to, bytes));
        }
    }

    /// Lets the library do what it has to do, until it has nothing more.
    pub(crate) fn drive(&mut self) {
        for _ in 0..MAX_ROUNDS {
            self.drain();
            let proposed = self.change_seats();
            if self.halted.is_some() || (!self.flush() && !proposed) {
                break;
            }
        }
        let wanted = self.raft.as_ref().is_some_and(|r| r.store().take_wanted());
        self.out.snapshot_wanted |= wanted && self.acts();
        self.release();
        self.notice();
    }

    fn drain(&mut self) {
        while self.acts() {
            let Some(mut raft) = self.raft.take() else {
                return;
            };
            let more = raft.has_ready();
            if more {
                self.handle_ready(&mut raft);
            }
            self.raft = Some(raft);
            self.steady();
            if !more {
                return;
            }
        }
    }

    fn handle_ready(&mut self, raft: &mut RawNode<Log>) {
        let mut ready: Ready = raft.ready();
        let number = ready.number();
        if raft.raft.state != StateRole::Leader {
            self.waiting.abandon();
        }
        if let Some(hard) = ready.hs() {
            self.meta.term = self.meta.term.max(hard.term);
        }
        if ready.must_sync() {
            self.batches.touch_meta();
        }
        let installs = !ready.snapshot().is_empty();
        if installs {
            self.take_snapshot(raft, ready.snapshot());
        }
        self.take_entries(raft, ready.entries());
        let now = self.encode_all(raft.store(), ready.take_messages());
        self.out.messages.extend(now);
        let held = self.encode_all(raft.store(), ready.take_persisted_messages());
        if cfg!(feature = "danger_mutant_acknowledge_before_sync") {
            self.out.messages.extend(held);
            self.batches.hold(number, self.generation, Vec::new());
        } else {
            self.batches.hold(number, self.generation, held);
        }
        for entry in ready.take_committed_entries() {
            if self.halted.is_none() {
                self.apply(raft, entry);
            }
        }
        raft.advance_append_async(ready);
        if !installs {
            raft.advance_apply_to(self.applied);
        }
    }

    fn take_entries(&mut self, raft: &mut RawNode<Log>, entries: &[Entry]) {
        let Some(first) = entries.first() else { return };
        match raft.mut_store().append(entries) {
            // A crash between this and the sync loses entries that nobody was told we have: our acknowledgement, and
            // our own share as leader, wait for the sync.
            Some(cut) => self.record_entries(raft.store(), cut, first.index),
            None => self.halt(Halt::Library),
        }
    }

    /// A leader's snapshot takes the place of the log, and of what an earlier process left on the disk.
    fn take_snapshot(&mut self, raft: &mut RawNode<Log>, snapshot: &Snapshot) {
        let meta = snapshot.get_metadata();
        let Some(body) = codec::decode_snapshot_body(&snapshot.data) else {
            return self.halt(Halt::Library);
        };
        let seats = Seats::of(meta.get_conf_state());
        if seats.standing(self.config.id) == Standing::Superseded {
            return self.halt(Halt::Superseded);
        }
        let base = Base { index: meta.index, term: meta.term, hash: body.hash };
        self.remember_superseded(&raft.store().seats.clone(), &seats);
        raft.mut_store().restore(base, seats);
        // A crash before this batch is durable leaves the old chain whole, because a batch is all or nothing. The
        // snapshot is never older than the change that let this process in, so it holds all that the old chain
        // acknowledged.
        self.old = None;
        self.record_replacement(base, body.state, body.salts);
        let (state, salts) = (body.state.to_vec(), body.salts.to_vec());
        self.batches.effect(Effect::Install(Install {
            index: base.index,
            term: base.term,
            state,
            salts,
        }));
        self.batches.effect(Effect::Unblock);
        self.blocks = self.blocks.saturating_add(1);
        self.out.events.push(ReplicaEvent::SnapshotInstalled { index: base.index });
    }

    fn apply(&mut self, raft: &mut RawNode<Log>, entry: Entry) {
        let (index, term) = (entry.index, entry.term);
        match chain::parts(&entry).0 {
            EntryKind::Empty => {}
            EntryKind::Change => self.apply_change(raft, &entry),
            EntryKind::Payload => {
                let own = self.waiting.contains(term, index);
                let salt = <[u8; 32]>::try_from(entry.context.as_ref()).ok();
                self.out.applied.push(Applied {
                    index,
                    term,
                    payload: entry.data.to_vec(),
                    salt,
                    own,
                });
                self.shown = index;
            }
        }
        self.applied = index;
    }

    fn apply_change(&mut self, raft: &mut RawNode<Log>, entry: &Entry) {
        let Some(change) = codec::decode_change(&entry.context) else {
            return self.halt(Halt::Library);
        };
        if change.era != self.meta.era {
            // Left over from before a cold start: the start statement has dealt the seats.
            return;
        }
        let before = raft.store().seats.clone();
        let Ok(conf) = raft.apply_conf_change(&change.to_library()) else {
            return self.halt(Halt::Library);
        };
        let seats = Seats::of(&conf);
        self.remember_superseded(&before, &seats);
        self.tell_changes(&before, &seats);
        if seats.standing(self.config.id) == Standing::Superseded
            && !cfg!(feature = "danger_mutant_superseded_goes_on")
        {
            self.halt(Halt::Superseded);
        }
        raft.mut_store().reseat(entry.index, seats);
    }

    fn tell_changes(&mut self, before: &Seats, after: &Seats) {
        let new = |now: &[u64], then: &[u64]| -> Vec<ReplicaId> {
            now.iter()
                .filter(|id| !then.contains(id))
                .copied()
                .filter_map(ReplicaId::from_u64)
                .collect()
        };
        let learners = new(&after.learners, &before.learners);
        let voters = new(&after.voters, &before.voters);
        self.out.events.extend(learners.into_iter().map(|id| ReplicaEvent::LearnerAdded { id }));
        self.out.events.extend(voters.into_iter().map(|id| ReplicaEvent::Swapped { id }));
        if before.is_joint() && !after.is_joint() {
            self.out.events.push(ReplicaEvent::LeftJoint);
        }
    }

    fn encode_all(&mut self, log: &Log, messages: Vec<Message>) -> Vec<(ReplicaId, Vec<u8>)> {
        let mut encoded = Vec::with_capacity(messages.len());
        for message in messages {
            // Nobody sits on a placeholder.
            let Some(to) = ReplicaId::from_u64(message.to).filter(|to| !to.is_placeholder()) else {
                continue;
            };
            let hash = match message.msg_type {
                MessageType::MsgAppend => log.hash_at(message.index),
                MessageType::MsgHeartbeat => log.hash_at(message.commit),
                MessageType::MsgSnapshot => {
                    codec::decode_snapshot_body(&message.get_snapshot().data).map(|b| b.hash)
                }
                _ => None,
            };
            let bytes = message.get_snapshot().data.len() as u64;
            let frame = PeerMessage::Raft(Frame { era: self.meta.era, hash, message });
            match codec::encode(&frame, self.config.max_frame) {
                Some(frame) => encoded.push((to, frame)),
                None if bytes > 0 => self.out.events.push(ReplicaEvent::SnapshotTooLarge { bytes }),
                None => {}
            }
        }
        encoded
    }

    /// Answers that may leave now.
    fn release(&mut self) {
        if self.waiting.is_empty() || !self.acts() {
            return;
        }
        let needed = self.needed_holders();
        let Some(raft) = self.raft.as_ref().filter(|r| r.raft.state == StateRole::Leader) else {
            return self.waiting.abandon();
        };
        let matched = |id: u64| raft.raft.prs().get(id).map_or(0, |p| p.matched);
        let held = if cfg!(feature = "danger_mutant_answer_at_commit") {
            u64::MAX
        } else {
            held_by(&raft.store().seats, needed, matched)
        };
        self.waiting.release(raft.raft.term, self.applied, held, &mut self.out.released);
    }

    fn notice(&mut self) {
        let role = self.role();
        if role != self.last_role {
            self.last_role = role;
            self.out.events.push(ReplicaEvent::Role(role));
        }
        let leader = self.leader().map_or((0, 0), |l| (l.as_u64(), self.term()));
        if leader != self.last_leader {
            self.last_leader = leader;
            if let Some(leader) = self.leader().filter(|_| role != Role::Leader) {
                self.out.events.push(ReplicaEvent::Follows { leader, term: self.term() });
            }
        }
    }
}

// An offered snapshot must outlive the heartbeats that make the library ask again.
const _: () = assert!(SNAPSHOT_RETRY_TICKS as usize > 4 * HEARTBEAT_TICKS);
