//! The owner's commands (spec §7): each moves its device's counter, so none can be replayed.

use crate::{
    effect::Effect,
    entry::Command,
    slot::Record,
    state::{Context, State, refused},
};
use strongroom_wire::{
    Fixed, Slot, caps,
    request::Verb,
    response::{Outcome, Refusal, SlotStatus},
};

impl State {
    pub(crate) fn owner(&mut self, cx: &Context, slot: Slot, command: &Command) -> Effect {
        let Command::Owner { verb, device, generation, counter, enroll } = command else {
            return Effect::None;
        };
        let Some(state) = self.slots.get_mut(&slot) else {
            return refused(Refusal::NoRecord, 0);
        };
        let Some(record) = &mut state.record else {
            return refused(Refusal::NoRecord, 0);
        };
        let live = record.generation;
        let full = enroll.is_some_and(|key| {
            record.devices.len() >= caps::DEVICES_MAX && record.devices.iter().all(|d| d.key != key)
        });
        let Some(signer) = record.devices.iter_mut().find(|d| d.key == *device) else {
            return refused(Refusal::NotOwner, 0);
        };
        if *generation != live {
            return refused(Refusal::GenerationMoved, live);
        }
        let again = cfg!(feature = "danger_mutant_replayed_owner_command");
        if (*counter <= signer.counter && !again) || cx.spent {
            return refused(Refusal::Replayed, live);
        }
        if full {
            return refused(Refusal::DevicesFull, live);
        }
        signer.counter = *counter;
        // Whatever the owner says, it says that the owner is here.
        let cancelled_replacement = state.replacement.take().is_some();
        match verb {
            Verb::Destroy => {
                state.destroy(cx.index, false);
                self.records = self.records.saturating_sub(1);
                Effect::Plain(Outcome::Destroyed { generation: live })
            }
            Verb::EnrollDevice => {
                enroll.map_or(refused(Refusal::BadMessage, live), |key| enrolled(record, key))
            }
            _ => self.status(cx, slot, cancelled_replacement),
        }
    }

    fn status(&self, cx: &Context, slot: Slot, cancelled_replacement: bool) -> Effect {
        let Some((state, policy)) = self.with_policy(slot) else {
            return refused(Refusal::NoRecord, 0);
        };
        let Some(record) = &state.record else {
            return refused(Refusal::NoRecord, 0);
        };
        let erased = |(_, index): (u64, u64)| index <= self.erased_through;
        let status = SlotStatus {
            generation: record.generation,
            registered_ms: record.registered_ms,
            keyset: record.keyset,
            devices: u8::try_from(record.devices.len()).unwrap_or(u8::MAX),
            budget: state.counters.view(&policy, cx.now_ms),
            failures_ms: state.counters.failures_ms(),
            failures_year: state.counters.failures_year(&policy, cx.now_ms),
            cancelled_replacement,
            destroyed: state.destroyed.map(|(generation, _)| generation),
            erased: state.destroyed.is_some_and(erased),
        };
        Effect::Plain(Outcome::Status { status })
    }
}

/// Adds a device key; the caller has looked at the cap.
fn enrolled(record: &mut Record, key: Fixed<32>) -> Effect {
    if record.devices.iter().all(|d| d.key != key) {
        let device = record.device(key);
        record.devices.push(device);
    }
    let devices = u8::try_from(record.devices.len()).unwrap_or(u8::MAX);
    Effect::Plain(Outcome::Enrolled { devices })
}
