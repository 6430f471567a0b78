//! Registration: pending, then stored, delayed or refused (spec §6.2, §10.2).

use crate::{
    effect::Effect,
    entry::Authorised,
    salt::Salt,
    slot::{Device, Pending, Record, Replacement, SlotState},
    state::{Context, State, refused},
};
use strongroom_wire::{
    Fixed, Slot, caps,
    request::Registration,
    response::{Receipt, Refusal},
};
use subtle::ConstantTimeEq as _;

impl State {
    /// Commits a pending entry, or finds the one that the same request made.
    ///
    /// Why it is committed at all: a start that left no trace would evaluate the OPRF for free.
    /// One charged attempt and a dictionary of uncharged starts under one salt found a four-digit
    /// PIN in 1.4 s. So each start has a salt of its own, which dies when another start comes.
    pub(crate) fn register_start(
        &mut self,
        cx: &Context,
        slot: Slot,
        request: Fixed<32>,
        entry: Fixed<32>,
        salt: Option<Salt>,
        keyset: u32,
    ) -> Effect {
        if !self.has_room(&slot) {
            return refused(Refusal::FleetFull, 0);
        }
        let state = self.slots.entry(slot).or_default();
        let occupied = state.record.is_some();
        let same = |p: &&Pending| p.request == request && cx.now_ms <= p.expires_ms;
        if !state.pending.as_ref().is_some_and(|p| same(&p)) {
            if cx.spent {
                return self.forget_if_empty(slot, refused(Refusal::TicketSpent, 0));
            }
            let expires_ms = cx.now_ms.saturating_add(cx.policy.pending_ms);
            let generation = state.generation.saturating_add(1);
            state.pending = Some(Pending { entry, request, generation, keyset, expires_ms, salt });
        }
        let mut pending = self.slots.get(&slot).and_then(|state| state.pending.clone());
        if cfg!(feature = "danger_mutant_record_salt_for_registration") {
            let record = self.slots.get(&slot).and_then(|state| state.record.as_ref());
            if let (Some(pending), Some(record)) = (&mut pending, record) {
                (pending.salt, pending.generation) = (record.salt.clone(), record.generation);
            }
        }
        match pending {
            Some(Pending { entry, generation, keyset, expires_ms, salt: Some(salt), .. }) => {
                Effect::Evaluate { entry, generation, keyset, salt, expires_ms, occupied }
            }
            // Replayed from a disk whose salts are gone: the entry can be finished by nobody.
            _ => refused(Refusal::EntryUnknown, 0),
        }
    }

    fn forget_if_empty(&mut self, slot: Slot, effect: Effect) -> Effect {
        if self.slots.get(&slot).is_some_and(SlotState::is_empty) {
            self.slots.remove(&slot);
        }
        effect
    }

    /// Consumes a pending entry: compare-and-swap on the generation, with the owner's authority.
    pub(crate) fn register_finish(
        &mut self,
        cx: &Context,
        slot: Slot,
        registration: &Registration,
        authorised: &Authorised,
    ) -> Effect {
        let digest = Fixed(registration.digest());
        let Some(state) = self.slots.get(&slot) else {
            return refused(Refusal::EntryUnknown, 0);
        };
        if let Some(receipt) = self.repeated_receipt(cx, state, digest) {
            return Effect::Registered(receipt);
        }
        let live = state.record.as_ref().map_or(0, |record| record.generation);
        if cx.spent {
            return refused(Refusal::TicketSpent, live);
        }
        // Whoever names the entry finishes it: a clock must not help to guess the name.
        let named = |p: &&Pending| bool::from(p.entry.0.ct_eq(&registration.entry.0));
        let matches = |p: &&Pending| named(p) && cx.now_ms <= p.expires_ms;
        let Some(pending) = state.pending.clone().filter(|p| matches(&p)) else {
            return refused(Refusal::EntryUnknown, live);
        };
        let next = state.generation.saturating_add(1);
        if pending.generation != registration.generation || pending.generation != next {
            return refused(Refusal::GenerationMoved, live);
        }
        let devices = match devices_after(cx, state, registration, authorised) {
            Ok(devices) => devices,
            Err(why) => return refused(why, live),
        };
        match devices {
            Some(devices) => self.store(cx, slot, registration, pending, devices),
            None => self.delay(cx, slot, registration, digest, pending),
        }
    }

    /// The same finish again gets the same receipt: its reply may have been lost.
    fn repeated_receipt(
        &self,
        cx: &Context,
        state: &SlotState,
        digest: Fixed<32>,
    ) -> Option<Receipt> {
        let budget = state.counters.view(&self.policy_of(state), cx.now_ms);
        if let Some(record) = state.record.as_ref().filter(|r| r.registration == digest) {
            let (generation, destroyed) = (record.generation, record.replaced);
            let effective_ms = 0;
            return Some(Receipt {
                generation,
                destroyed,
                registration: digest,
                effective_ms,
                budget,
            });
        }
        let delayed = state.replacement.as_ref()?;
        (delayed.registration.digest() == digest.0).then_some(Receipt {
            generation: delayed.registration.generation,
            destroyed: None,
            registration: digest,
            effective_ms: delayed.effective_ms,
            budget,
        })
    }

    fn store(
        &mut self,
        cx: &Context,
        slot: Slot,
        registration: &Registration,
        pending: Pending,
        devices: Vec<Device>,
    ) -> Effect {
        let Some(state) = self.slots.get_mut(&slot) else {
            return refused(Refusal::EntryUnknown, 0);
        };
        // An owner's registration may begin a new row, within the grants. On a slot without a
        // record a new row is taken only where the old one is spent: nobody's authority is shown.
        let owned = state.record.is_some();
        let wants_row = owned || state.counters.is_spent(&cx.policy);
        let granted = wants_row && state.counters.grant(&cx.policy, cx.now_ms);
        if !granted && state.counters.is_spent(&cx.policy) {
            return refused(Refusal::RowSpent, state.record.as_ref().map_or(0, |r| r.generation));
        }
        if cfg!(feature = "danger_mutant_forget_year_on_registration") {
            state.counters = crate::budget::Counters::default();
        }
        let replaced = state.destroy(cx.index, false);
        if replaced.is_none() {
            self.records = self.records.saturating_add(1);
        }
        state.generation = registration.generation;
        state.locked = false;
        state.pending = None;
        // The owner has spoken: nobody's delayed replacement stands.
        state.replacement = None;
        state.record = Some(Record {
            generation: registration.generation,
            registered_ms: cx.now_ms,
            keyset: pending.keyset,
            ksf_version: registration.ksf_version,
            policy_epoch: cx.policy_epoch,
            upload: registration.upload,
            wrapped_key: registration.wrapped_key,
            devices,
            registration: Fixed(registration.digest()),
            replaced,
            retired: Vec::new(),
            salt: pending.salt,
        });
        Effect::Registered(Receipt {
            generation: registration.generation,
            destroyed: replaced,
            registration: Fixed(registration.digest()),
            effective_ms: 0,
            budget: state.counters.view(&cx.policy, cx.now_ms),
        })
    }

    /// Nobody's authority over an existing record: the owner has time to object.
    fn delay(
        &mut self,
        cx: &Context,
        slot: Slot,
        registration: &Registration,
        digest: Fixed<32>,
        pending: Pending,
    ) -> Effect {
        let Some(state) = self.slots.get(&slot) else {
            return refused(Refusal::EntryUnknown, 0);
        };
        let policy = self.policy_of(state);
        let effective_ms = cx.now_ms.saturating_add(policy.replace_ms);
        let Some(state) = self.slots.get_mut(&slot) else {
            return refused(Refusal::EntryUnknown, 0);
        };
        state.pending = None;
        state.replacement = Some(Replacement {
            registration: registration.clone(),
            keyset: pending.keyset,
            effective_ms,
            salt: pending.salt,
        });
        let budget = state.counters.view(&policy, cx.now_ms);
        Effect::Registered(Receipt {
            generation: registration.generation,
            destroyed: None,
            registration: digest,
            effective_ms,
            budget,
        })
    }

    /// A delayed replacement whose time has come takes the slot. It inherits the row.
    pub(crate) fn take_due_replacement(&mut self, slot: Slot, index: u64) {
        let (now_ms, policy, policy_epoch) =
            (self.now_ms, self.current_policy(), self.policy_epoch());
        let Some(state) = self.slots.get_mut(&slot) else {
            return;
        };
        if state.replacement.as_ref().is_none_or(|r| r.effective_ms > now_ms) {
            return;
        }
        if state.held_attempt().is_some() {
            // The row's last attempt is open. It settles first, and then this is asked again.
            return;
        }
        let Some(due) = state.replacement.take() else {
            return;
        };
        if state.counters.is_spent(&policy) && !state.counters.grant(&policy, now_ms) {
            return;
        }
        // The announced generation may have been stored by the owner meanwhile, who then cancelled.
        let generation = due.registration.generation.max(state.generation.saturating_add(1));
        if generation != due.registration.generation {
            return;
        }
        let replaced = state.destroy(index, false);
        if replaced.is_none() {
            self.records = self.records.saturating_add(1);
        }
        state.generation = generation;
        state.locked = false;
        // What was offered meanwhile is of a generation that is taken now.
        state.pending = None;
        state.record = Some(Record {
            generation,
            registered_ms: now_ms,
            keyset: due.keyset,
            ksf_version: due.registration.ksf_version,
            policy_epoch,
            upload: due.registration.upload,
            wrapped_key: due.registration.wrapped_key,
            devices: [Device { key: due.registration.device, counter: 0 }].to_vec(),
            registration: Fixed(due.registration.digest()),
            replaced,
            retired: Vec::new(),
            salt: due.salt,
        });
    }
}

/// The device keys after a registration: nothing if it has to wait.
fn devices_after(
    cx: &Context,
    state: &SlotState,
    registration: &Registration,
    authorised: &Authorised,
) -> Result<Option<Vec<Device>>, Refusal> {
    let own = Device { key: registration.device, counter: 0 };
    let Some(record) = &state.record else {
        return match authorised {
            Authorised::Nobody {} => Ok(Some([own].to_vec())),
            // What it claims authority over is gone.
            Authorised::Device { .. } | Authorised::Fresh { .. } => Err(Refusal::GenerationMoved),
        };
    };
    match authorised {
        Authorised::Nobody {} if cfg!(feature = "danger_mutant_replace_without_delay") => {
            Ok(Some([own].to_vec()))
        }
        Authorised::Nobody {} => Ok(None),
        Authorised::Device { device, generation, counter } => {
            if *generation != record.generation {
                return Err(Refusal::GenerationMoved);
            }
            let mut devices = record.devices.clone();
            let signer = devices.iter_mut().find(|d| d.key == *device);
            let signer = signer.ok_or(Refusal::NotOwner)?;
            if *counter <= signer.counter {
                return Err(Refusal::Replayed);
            }
            signer.counter = *counter;
            if !devices.iter().any(|d| d.key == own.key) {
                devices.push(own);
            }
            let over = devices.len() > caps::DEVICES_MAX;
            if over { Err(Refusal::DevicesFull) } else { Ok(Some(devices)) }
        }
        Authorised::Fresh { generation, attempt } => {
            let fresh = state.success.as_ref().filter(|success| {
                success.attempt == *attempt
                    && success.generation == *generation
                    && success.fresh_key.is_some()
                    && cx.now_ms <= success.until_ms
            });
            match fresh {
                Some(_) if *generation == record.generation => {
                    let kept = record.devices.iter().filter(|d| d.key == own.key).cloned();
                    Ok(Some(kept.chain([own.clone()]).take(1).collect()))
                }
                Some(_) => Err(Refusal::GenerationMoved),
                None => Err(Refusal::NotOwner),
            }
        }
    }
}
