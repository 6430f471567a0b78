//! The most that one slot can hold, and that a fleet of such slots fits into one message.

use super::*;
use crate::state::{Limits, State};
use strongroom_manifest::Policy;
use strongroom_wire::{AccountHash, Slot, codec};

const LATE: u64 = u64::MAX - 100_000;

fn key(n: u8) -> Fixed<32> {
    Fixed([n; 32])
}

fn devices(numbers: core::ops::Range<u8>) -> Vec<Device> {
    numbers.map(|n| Device { key: key(n), counter: LATE }).collect()
}

/// A year of failures, with every grant taken.
fn counters() -> Counters {
    let (mut counters, policy) = (Counters::default(), Policy::standard());
    for now_ms in LATE..LATE + u64::from(policy.year) {
        counters.charge(&policy, now_ms);
        if counters.row() == policy.row {
            counters.grant(&policy, now_ms);
        }
    }
    counters
}

fn registration() -> Registration {
    Registration {
        entry: key(1),
        generation: LATE,
        upload: Fixed([1; caps::opaque::REGISTRATION_UPLOAD_LEN]),
        wrapped_key: Fixed([2; caps::WRAPPED_KEY_LEN]),
        device: key(3),
        ksf_version: u16::MAX,
    }
}

fn fullest() -> SlotState {
    let salt = Some(Salt::new([9; 32]));
    let (upload, wrapped_key) = (registration().upload, registration().wrapped_key);
    let devices_max = u8::try_from(caps::DEVICES_MAX).expect("few");
    let retired_max = u8::try_from(RETIRED_MAX).expect("few");
    let past = PastAttempt { ke1: key(4), expires_ms: LATE };
    let counters = counters();
    SlotState {
        generation: LATE,
        attempts: LATE,
        success: Some(Success {
            attempt: LATE,
            generation: LATE,
            until_ms: LATE,
            fresh_key: Some(key(5)),
            failures_ms: counters.failures_ms(),
        }),
        counters,
        record: Some(Record {
            generation: LATE,
            registered_ms: LATE,
            keyset: u32::MAX,
            ksf_version: u16::MAX,
            policy_epoch: LATE,
            upload,
            wrapped_key,
            devices: devices(0..devices_max),
            registration: key(6),
            replaced: Some(LATE),
            retired: devices(100..100 + retired_max),
            salt: salt.clone(),
        }),
        pending: Some(Pending {
            entry: key(7),
            request: key(8),
            generation: LATE,
            keyset: u32::MAX,
            expires_ms: LATE,
            salt: salt.clone(),
        }),
        attempt: Some(Attempt {
            number: LATE,
            generation: LATE,
            ke1: key(9),
            seed: key(10),
            charged_ms: LATE,
            expires_ms: LATE,
            state: AttemptState::Failed,
            ke3: Some(key(11)),
            last: true,
        }),
        replacement: Some(Replacement {
            registration: registration(),
            keyset: u32::MAX,
            effective_ms: LATE,
            salt,
        }),
        destroyed: Some((LATE, LATE)),
        locked: true,
        past: vec![past; PAST_KEPT],
    }
}

#[test]
fn the_fullest_slot_is_as_long_as_is_said() {
    let (slot, none) = (fullest(), SlotState::default());
    assert_eq!(slot.counters.failures_year(&Policy::standard(), LATE + 40), 40);
    let len = codec::encode(&slot).len();
    assert!(len <= SLOT_LEN_MAX, "{len} bytes");
    assert!(len + 64 > SLOT_LEN_MAX, "{len} bytes are a block less than is said");
    assert!(codec::encode(&none).len() < 100);
}

#[test]
fn a_full_fleet_fits_into_one_message_between_vaults() {
    let of = |slots: &[&str]| {
        let mut state = State::before_all_epochs();
        for name in slots {
            let slot = Slot::of("chat", &AccountHash::of(name).expect("a name"));
            state.slots.insert(slot, fullest());
        }
        state.to_bytes().len() + state.salts_to_bytes().len()
    };
    let one = of(&["alice", "bob"]) - of(&["alice"]);
    // Tickets are remembered for five minutes: a thousand requests a second.
    let ticket = codec::encode(&(LATE, Fixed([1; 16]))).len();
    let tickets = ticket * 1_000 * 300;
    let all = one * Limits::default().slots + tickets;
    // Two megabytes of sixty are for padding and what is around a snapshot.
    assert!(all < 58 << 20, "{} slots of {one} bytes are {all}", Limits::default().slots);
}
