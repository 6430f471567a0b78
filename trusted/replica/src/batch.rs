//! Group commit: what waits for the disk, and what waits for the host's word that it is there.
//!
//! One batch is on its way at a time. Everything that happens meanwhile goes into the next one, so that many entries
//! share one sync, and messages that promise durability leave only after the sync that makes them true.

use alloc::vec::Vec;

use crate::log::{Base, Link, Log};
use crate::replica::Replica;
use crate::seal::{Kind, Place};
use crate::{Halt, Install, Output, Persist, PersistOp, ReplicaId, disk};

/// What happens when a batch is durable.
#[derive(Debug)]
pub(crate) enum Effect {
    /// The vault gets a new state.
    Install(Install),
    /// The library may go on.
    Unblock,
    /// The old erasure key may go.
    Retire { through: u64 },
}

#[derive(Default)]
struct Batch {
    number: u64,
    ops: Vec<PersistOp>,
    dirty_meta: bool,
    messages: Vec<(ReplicaId, Vec<u8>)>,
    /// The library's number, and which library.
    ready: Option<(u64, u64)>,
    effects: Vec<Effect>,
}

impl Batch {
    fn is_durable_already(&self) -> bool {
        self.ops.is_empty() && !self.dirty_meta
    }

    fn is_empty(&self) -> bool {
        self.is_durable_already()
            && self.messages.is_empty()
            && self.ready.is_none()
            && self.effects.is_empty()
    }
}

/// The batch that is on its way, and the next.
#[derive(Default)]
pub(crate) struct Batches {
    sent: Option<Batch>,
    next: Batch,
    count: u64,
    /// When the batch that is on its way was sent.
    sent_at_tick: u64,
}

impl Batches {
    pub(crate) fn op(&mut self, op: PersistOp) {
        self.next.ops.push(op);
    }

    pub(crate) fn touch_meta(&mut self) {
        self.next.dirty_meta = true;
    }

    pub(crate) fn effect(&mut self, effect: Effect) {
        self.next.effects.push(effect);
    }

    /// What the library held back until `number` is durable.
    pub(crate) fn hold(
        &mut self,
        number: u64,
        generation: u64,
        messages: Vec<(ReplicaId, Vec<u8>)>,
    ) {
        self.next.ready = Some((number, generation));
        self.next.messages.extend(messages);
    }

    /// Whether the disk has owed a batch for so long.
    pub(crate) fn owed_since(&self, tick: u64) -> bool {
        self.sent.is_some() && self.sent_at_tick < tick
    }

    /// A frozen process promises nothing any more.
    pub(crate) fn forget_messages(&mut self) {
        self.next.messages.clear();
        if let Some(sent) = self.sent.as_mut() {
            sent.messages.clear();
        }
    }
}

impl Replica {
    /// Sends the next batch if none is on its way. True if a batch without records was settled at once, which may
    /// give the library more to do.
    pub(crate) fn flush(&mut self) -> bool {
        if self.batches.sent.is_some() || self.batches.next.is_empty() {
            return false;
        }
        let mut batch = core::mem::take(&mut self.batches.next);
        if batch.is_durable_already() {
            return self.settle(batch);
        }
        // Last in the batch, so that everything before it is whole if it is.
        let sealed = disk::encode_meta(&self.meta)
            .and_then(|text| self.sealer.seal(Kind::Meta, self.meta.era, Place::ONLY, &text));
        let Some(meta) = sealed else {
            self.halt(Halt::Exhausted);
            return false;
        };
        batch.ops.push(PersistOp::PutMeta(meta));
        self.batches.count = self.batches.count.saturating_add(1);
        batch.number = self.batches.count;
        let ops = core::mem::take(&mut batch.ops);
        // A crash before this batch is durable loses nothing that anybody was told; the next process finds the disk as
        // it was. A crash after it, and before the messages below leave, leaves a promise that nobody heard.
        self.out.persist = Some(Persist { number: batch.number, ops });
        self.batches.sent = Some(batch);
        self.batches.sent_at_tick = self.ticks;
        false
    }

    /// The host says that a batch is durable.
    pub(crate) fn persisted(&mut self, number: u64) {
        if number > self.batches.count {
            // It was never given that batch: nothing that it says about its disk can be believed.
            self.halt(Halt::HostLied);
            return;
        }
        if let Some(batch) = self.batches.sent.take_if(|b| b.number == number) {
            self.settle(batch);
        }
    }

    /// True if the library heard of it.
    fn settle(&mut self, batch: Batch) -> bool {
        for effect in batch.effects {
            self.take_effect(effect);
        }
        if !self.is_frozen() && self.halted.is_none() {
            self.out.messages.extend(batch.messages);
        }
        let Some((ready, generation)) = batch.ready else {
            return false;
        };
        let Some(raft) = self.raft.as_mut().filter(|_| generation == self.generation) else {
            return false;
        };
        raft.on_persist_ready(ready);
        raft.advance_apply_to(self.applied);
        self.steady();
        true
    }

    fn take_effect(&mut self, effect: Effect) {
        match effect {
            Effect::Install(install) => {
                self.shown = install.index;
                self.applied = self.applied.max(install.index);
                self.out.applied.clear();
                self.out.install = Some(install);
            }
            Effect::Unblock => self.blocks = self.blocks.saturating_sub(1),
            Effect::Retire { through } => {
                // Every live salt is durable under the new key. A crash before the cell is overwritten keeps both
                // keys, and the next process settles on the new one; after it, no key opens the old salts.
                self.erasure.retire();
                self.sealer.forget_salt_keys();
                self.erased_through = through;
                self.out.events.push(crate::ReplicaEvent::Erased { through });
            }
        }
    }

    /// Records new entries. `before` is the chain hash that the first hangs on.
    pub(crate) fn record_entries(&mut self, log: &Log, cut: Option<u64>, first: u64) {
        if let Some(index) = cut {
            self.batches.op(PersistOp::TruncateFrom { index });
        }
        let mut before = first.checked_sub(1).and_then(|i| log.hash_at(i)).unwrap_or_default();
        for link in log.links_from(first) {
            self.record_entry(link, before);
            before = link.hash;
        }
        self.record_tip(log.tip());
    }

    fn record_entry(&mut self, link: &Link, before: [u8; 32]) {
        let index = link.entry.index;
        let place = Place { index, hash: before };
        let text = disk::entry_text(link);
        let entry = self.sealer.seal(Kind::Entry, link.entry.term, place, &text);
        let salt = self.sealed_salt(link);
        match (entry, salt) {
            (Some(entry), Some(salt)) => {
                self.batches.op(PersistOp::PutEntry { index, entry, salt })
            }
            _ => self.halt(Halt::Exhausted),
        }
    }

    /// Empty for entries without a salt.
    fn sealed_salt(&mut self, link: &Link) -> Option<Vec<u8>> {
        if !is_payload(link) {
            return Some(Vec::new());
        }
        let place = Place { index: link.entry.index, hash: link.hash };
        let key = self.erasure.sealing_key().clone();
        self.sealer.seal_salt(&key, Kind::EntrySalt, place, &link.entry.context)
    }

    fn record_tip(&mut self, tip: Base) {
        self.meta.last_index = tip.index;
        self.meta.last_hash = tip.hash;
        self.batches.touch_meta();
    }

    /// Records a snapshot and its salts, under the key that new salts are sealed under.
    pub(crate) fn record_snapshot(&mut self, base: &Base, state: &[u8], salts: &[u8]) {
        let place = Place { index: base.index, hash: base.hash };
        let key = self.erasure.sealing_key().clone();
        let sealed = disk::encode_snapshot(base, state)
            .and_then(|text| self.sealer.seal(Kind::Snapshot, base.index, Place::ONLY, &text));
        let sealed_salts = self.sealer.seal_salt(&key, Kind::Salts, place, salts);
        let (Some(sealed), Some(sealed_salts)) = (sealed, sealed_salts) else {
            self.halt(Halt::Exhausted);
            return;
        };
        self.batches.op(PersistOp::PutSnapshot(sealed));
        self.batches.op(PersistOp::PutSalts(sealed_salts));
    }

    /// A snapshot takes the place of everything on the disk.
    pub(crate) fn record_replacement(&mut self, base: Base, state: &[u8], salts: &[u8]) {
        self.batches.op(PersistOp::Clear);
        self.record_snapshot(&base, state, salts);
        self.record_tip(base);
    }

    /// A compaction: the state, its salts and the salts of the entries that stay, all under the next erasure key. The
    /// batch is durable as a whole, so a crash leaves a disk that needs the old key alone, or the new one alone.
    pub(crate) fn record_compaction(&mut self, base: &Base, state: &[u8], salts: &[u8]) {
        self.record_snapshot(base, state, salts);
        self.batches.op(PersistOp::CompactBefore { index: base.index.saturating_add(1) });
        let links: Vec<Link> = self
            .raft
            .as_ref()
            .map(|r| r.store().links_from(0).cloned().collect())
            .unwrap_or_default();
        for link in links.iter().filter(|l| is_payload(l)) {
            match self.sealed_salt(link) {
                Some(salt) => {
                    self.batches.op(PersistOp::PutEntrySalt { index: link.entry.index, salt })
                }
                None => self.halt(Halt::Exhausted),
            }
        }
        self.batches.touch_meta();
        self.batches.effect(Effect::Retire { through: base.index });
    }

    /// Hands out what has gathered.
    pub(crate) fn take_output(&mut self) -> Output {
        let mut out = core::mem::take(&mut self.out);
        out.cell = self.erasure.cell();
        out.role = self.role();
        out.halted = self.halted;
        if self.halted.is_some() {
            out.messages.clear();
            out.released.clear();
            out.persist = None;
        }
        if self.is_frozen() {
            out.messages.clear();
            out.released.clear();
        }
        out
    }
}

fn is_payload(link: &Link) -> bool {
    crate::chain::parts(&link.entry).0 == crate::chain::EntryKind::Payload
}

#[cfg(test)]
impl Batches {
    pub(crate) fn danger_count(&self) -> u64 {
        self.count
    }
}
