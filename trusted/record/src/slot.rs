//! What one slot holds.

use crate::{
    budget::Counters,
    salt::Salt,
    timers::{Deadlines, Due},
};
use minicbor::{Decode, Encode};
use strongroom_wire::{Fixed, caps, request::Registration};

/// A device key and the last counter that it used.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Device {
    /// Ed25519.
    #[n(0)]
    pub key: Fixed<32>,
    /// Strictly increasing: a replayed command is below it.
    #[n(1)]
    pub counter: u64,
}

/// A live record.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Record {
    /// Rises with every record of the slot.
    #[n(0)]
    pub generation: u64,
    /// When it was stored.
    #[n(1)]
    pub registered_ms: u64,
    /// Its keyset.
    #[n(2)]
    pub keyset: u32,
    /// The client's key-stretching parameters.
    #[n(3)]
    pub ksf_version: u16,
    /// The manifest epoch whose policy it keeps.
    #[n(4)]
    pub policy_epoch: u64,
    /// OPAQUE registration record.
    #[n(5)]
    pub upload: Fixed<{ caps::opaque::REGISTRATION_UPLOAD_LEN }>,
    /// The backup key under the export key.
    #[n(6)]
    pub wrapped_key: Fixed<{ caps::WRAPPED_KEY_LEN }>,
    /// Enrolled device keys, newest last.
    #[n(7)]
    pub devices: Vec<Device>,
    /// SHA-256 of the registration: the same finish gets the same receipt.
    #[n(8)]
    pub registration: Fixed<32>,
    /// The generation that storing it destroyed.
    #[n(9)]
    pub replaced: Option<u64>,
    /// Keys that a recovery removed, newest last: one that comes back goes on counting where it was.
    #[n(10)]
    pub retired: Vec<Device>,
    /// Never encoded.
    #[cbor(skip)]
    pub salt: Option<Salt>,
}

/// Removed device keys that a record remembers.
const RETIRED_MAX: usize = 8;
/// Attempts of which a copy may come late are remembered, the newest of them.
pub(crate) const PAST_KEPT: usize = 8;
/// The fullest slot's length, encoded.
pub const SLOT_LEN_MAX: usize = 2_496;

impl Record {
    /// A device as it stands, or stood, in this record: its counter never goes back, since what it
    /// signed before would then be good once more.
    pub(crate) fn device(&self, key: Fixed<32>) -> Device {
        let known = self.devices.iter().chain(&self.retired).find(|d| d.key == key);
        known.cloned().unwrap_or(Device { key, counter: 0 })
    }

    /// Leaves one device, and beside it the newest other one if that is kept.
    pub(crate) fn leave_devices(&mut self, key: Fixed<32>, keep_other: bool) {
        let own = self.device(key);
        let others = self.devices.iter().rev().filter(|d| d.key != key);
        let kept = others.clone().take(usize::from(keep_other)).cloned();
        let gone: Vec<Device> = others.skip(usize::from(keep_other)).cloned().collect();
        self.devices = kept.chain([own]).collect();
        self.retired.retain(|d| d.key != key);
        self.retired.extend(gone);
        let over = self.retired.len().saturating_sub(RETIRED_MAX);
        self.retired.drain(..over);
    }
}

/// A registration that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Pending {
    /// Its name.
    #[n(0)]
    pub entry: Fixed<32>,
    /// SHA-256 of the OPAQUE request: any other voids this entry.
    #[n(1)]
    pub request: Fixed<32>,
    /// The generation it will have.
    #[n(2)]
    pub generation: u64,
    /// The keyset.
    #[n(3)]
    pub keyset: u32,
    /// When it is void.
    #[n(4)]
    pub expires_ms: u64,
    /// Never encoded.
    #[cbor(skip)]
    pub salt: Option<Salt>,
}

/// A registration without authority over an existing record: it waits.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Replacement {
    /// What will be stored.
    #[n(0)]
    pub registration: Registration,
    /// Its keyset.
    #[n(1)]
    pub keyset: u32,
    /// When it takes effect.
    #[n(2)]
    pub effective_ms: u64,
    /// Never encoded.
    #[cbor(skip)]
    pub salt: Option<Salt>,
}

/// How an attempt stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum AttemptState {
    /// It may still succeed, once.
    #[default]
    #[n(0)]
    Open,
    /// It succeeded.
    #[n(1)]
    Succeeded,
    /// Its finish proved nothing.
    #[n(2)]
    Failed,
}

/// The slot's newest attempt: the one that may be open.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Attempt {
    /// Rises with every attempt of the slot.
    #[n(0)]
    pub number: u64,
    /// The generation that it was charged for.
    #[n(1)]
    pub generation: u64,
    /// SHA-256 of KE1: the same KE1 is the same attempt.
    #[n(2)]
    pub ke1: Fixed<32>,
    /// KE2 is computed from this, on any node, byte for byte.
    #[n(3)]
    pub seed: Fixed<32>,
    /// When it was charged.
    #[n(4)]
    pub charged_ms: u64,
    /// When it closes.
    #[n(5)]
    pub expires_ms: u64,
    /// How it stands.
    #[n(6)]
    pub state: AttemptState,
    /// SHA-256 of the KE3 that closed it: that finish may be answered again.
    #[n(7)]
    pub ke3: Option<Fixed<32>>,
    /// Whether it was the row's last when it was charged: failed or expired, it erases the record.
    #[n(8)]
    pub last: bool,
}

/// An attempt that another one closed: its KE1 may still be on its way a second time.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct PastAttempt {
    /// SHA-256 of its KE1.
    #[n(0)]
    pub ke1: Fixed<32>,
    /// When it would have closed by itself; no ticket for it lives as long.
    #[n(1)]
    pub expires_ms: u64,
}

/// A success, and the authority that it gives for a short while.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Success {
    /// The attempt.
    #[n(0)]
    pub attempt: u64,
    /// The generation.
    #[n(1)]
    pub generation: u64,
    /// Until when it may authorise a registration.
    #[n(2)]
    pub until_ms: u64,
    /// The key of that authority; gone once used.
    #[n(3)]
    pub fresh_key: Option<Fixed<32>>,
    /// Failures that this success's receipt told of, so that a repeated reply tells the same.
    #[n(4)]
    pub failures_ms: Vec<u64>,
}

/// Everything of one slot.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SlotState {
    /// The highest generation that was stored here.
    #[n(0)]
    pub generation: u64,
    /// Attempts ever charged here.
    #[n(1)]
    pub attempts: u64,
    /// The counters.
    #[n(2)]
    pub counters: Counters,
    /// The live record.
    #[n(3)]
    pub record: Option<Record>,
    /// The pending registration.
    #[n(4)]
    pub pending: Option<Pending>,
    /// The newest attempt.
    #[n(5)]
    pub attempt: Option<Attempt>,
    /// The newest success.
    #[n(6)]
    pub success: Option<Success>,
    /// The delayed replacement.
    #[n(7)]
    pub replacement: Option<Replacement>,
    /// The newest destroyed generation, and the log index that destroyed it.
    #[n(8)]
    pub destroyed: Option<(u64, u64)>,
    /// Whether that one was destroyed by too many failures.
    #[n(9)]
    pub locked: bool,
    /// Attempts before the newest, within their time.
    #[n(10)]
    pub past: Vec<PastAttempt>,
}

impl SlotState {
    /// Whether nothing here needs keeping. Counters, generations and tombstones always do: they
    /// outlive the record, so that destroying one refunds nothing.
    pub fn is_empty(&self) -> bool {
        self.generation == 0
            && self.attempts == 0
            && self.counters.is_untouched()
            && self.record.is_none()
            && self.pending.is_none()
            && self.replacement.is_none()
            && self.destroyed.is_none()
    }

    /// The attempt that decides whether the record lives: the row's last one, until it is settled. An
    /// attempt at an earlier record decides nothing, since its owner has registered again.
    pub(crate) fn held_attempt(&self) -> Option<&Attempt> {
        let mutant = cfg!(feature = "danger_mutant_held_after_replacement");
        let none = cfg!(feature = "danger_mutant_last_is_not_held");
        let live = self.record.as_ref()?.generation;
        let held = |a: &&Attempt| a.last && a.state == AttemptState::Open && !none;
        self.attempt.as_ref().filter(held).filter(|a| a.generation == live || mutant)
    }

    /// What must happen to this slot even if nobody asks, and when.
    pub(crate) fn deadlines(&self) -> Deadlines {
        let pending = self.pending.as_ref().map(|p| (p.expires_ms.saturating_add(1), Due::Pending));
        let held = self.held_attempt().map(|a| (a.expires_ms.saturating_add(1), Due::Attempt));
        let replacement = self.replacement.as_ref().map(|r| (r.effective_ms, Due::Replacement));
        [pending, held, replacement]
    }

    /// Drops the record with its salt, and every state that leant on it.
    pub(crate) fn destroy(&mut self, index: u64, locked: bool) -> Option<u64> {
        let kept =
            self.record.clone().filter(|_| cfg!(feature = "danger_mutant_keep_salt_on_lock"));
        let generation = self.record.take()?.generation;
        self.record = kept.filter(|_| locked);
        self.success = None;
        self.destroyed = Some((generation, index));
        self.locked = locked;
        Some(generation)
    }
}

#[cfg(test)]
mod tests;
