//! The state as bytes, and its salts apart from it.

use crate::{
    entry::Spending,
    salt::Salt,
    slot::SlotState,
    state::{Limits, State},
};
use minicbor::{Decode, Encode};
use strongroom_manifest::Policy;
use strongroom_wire::{CodecError, Fixed, Slot, codec};

/// The largest state that is read back, in bytes.
const STATE_LEN_MAX: usize = 64 * 1_024 * 1_024;
/// Which salt of a slot it is.
const OF_RECORD: u8 = 0;
const OF_PENDING: u8 = 1;
const OF_REPLACEMENT: u8 = 2;

#[derive(Debug, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
struct EncodedState {
    #[n(0)]
    now_ms: u64,
    #[n(1)]
    era: u64,
    #[n(2)]
    erased_through: u64,
    #[n(3)]
    policies: Vec<(u64, Policy)>,
    #[n(4)]
    slots: Vec<(Slot, SlotState)>,
    #[n(5)]
    tickets: Vec<Spending>,
    #[n(6)]
    locks_ms: Vec<u64>,
}

type EncodedSalt = (Slot, u8, Fixed<32>);

impl State {
    /// The whole state without its salts: the same bytes on every node.
    pub fn to_bytes(&self) -> Vec<u8> {
        codec::encode(&EncodedState {
            now_ms: self.now_ms,
            era: self.era,
            erased_through: self.erased_through,
            policies: self.policies.iter().map(|(epoch, p)| (*epoch, p.clone())).collect(),
            slots: self.slots.iter().map(|(slot, state)| (*slot, state.clone())).collect(),
            tickets: self.tickets.iter().copied().collect(),
            locks_ms: self.locks_ms.clone(),
        })
    }

    /// The salts of everything that is alive: about 40 bytes each.
    pub fn salts_to_bytes(&self) -> Vec<u8> {
        let salts: Vec<EncodedSalt> = self
            .slots
            .iter()
            .flat_map(|(slot, state)| {
                let record = state.record.as_ref().and_then(|r| r.salt.as_ref());
                let pending = state.pending.as_ref().and_then(|p| p.salt.as_ref());
                let replacement = state.replacement.as_ref().and_then(|r| r.salt.as_ref());
                [(OF_RECORD, record), (OF_PENDING, pending), (OF_REPLACEMENT, replacement)]
                    .into_iter()
                    .filter_map(|(kind, salt)| Some((*slot, kind, Fixed(*salt?.expose()))))
            })
            .collect();
        codec::encode(&salts)
    }

    /// Reads a state and its salts.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_bytes(state: &[u8], salts: &[u8], limits: Limits) -> Result<Self, CodecError> {
        let encoded: EncodedState = codec::decode(state, STATE_LEN_MAX)?;
        let salts: Vec<EncodedSalt> = codec::decode(salts, STATE_LEN_MAX)?;
        let policies: std::collections::BTreeMap<u64, Policy> =
            encoded.policies.into_iter().collect();
        let (epoch, policy) = policies
            .first_key_value()
            .map(|(e, p)| (*e, p.clone()))
            .ok_or(CodecError::Malformed)?;
        let mut read = Self::new(epoch, policy, limits);
        read.now_ms = encoded.now_ms;
        read.era = encoded.era;
        read.erased_through = encoded.erased_through;
        read.policies = policies;
        read.slots = encoded.slots.into_iter().collect();
        read.tickets = encoded.tickets.into_iter().collect();
        read.locks_ms = encoded.locks_ms;
        for (slot, kind, salt) in salts {
            read.put_salt(slot, kind, Salt::new(salt.0));
        }
        read.rebuild();
        Ok(read)
    }

    fn put_salt(&mut self, slot: Slot, kind: u8, salt: Salt) {
        let Some(state) = self.slots.get_mut(&slot) else {
            return;
        };
        let place = match kind {
            OF_RECORD => state.record.as_mut().map(|r| &mut r.salt),
            OF_PENDING => state.pending.as_mut().map(|p| &mut p.salt),
            OF_REPLACEMENT => state.replacement.as_mut().map(|r| &mut r.salt),
            _ => None,
        };
        if let Some(place) = place {
            *place = Some(salt);
        }
    }

    /// What is derived from the slots: counts, held attempts, deadlines.
    fn rebuild(&mut self) {
        self.records = self.slots.values().filter(|state| state.record.is_some()).count();
        for (slot, state) in &self.slots {
            for (at_ms, due) in state.deadlines().into_iter().flatten() {
                self.timers.set(at_ms, *slot, due);
            }
            if state.held_attempt().is_some() {
                self.held.insert(*slot);
            }
        }
    }
}
