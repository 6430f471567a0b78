//! What one ticket holder can make every vault keep, and what it cannot.

mod world;

use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Effect, SLOT_LEN_MAX};
use strongroom_wire::{
    Fixed, Slot, codec,
    request::Verb,
    response::{Outcome, WaitReason},
};
use world::{DAY, World, number};

fn succeed(w: &mut World, slot: Slot, ke1: u8) {
    let attempt = number(&w.attempt(slot, ke1));
    assert!(matches!(w.close(slot, attempt, ke1, true), Effect::Release { .. }));
}

#[test]
fn who_knows_a_password_leaves_no_more_behind_than_a_slot_holds() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 0..1_000_u32 {
        succeed(&mut w, slot, (n % 251) as u8);
        w.now += 1;
    }
    let state = w.state.slot(&slot).expect("a slot");
    assert!(state.past.len() <= 8, "{} attempts are remembered", state.past.len());
    assert!(codec::encode(state).len() <= SLOT_LEN_MAX);
    // Those that are remembered are the newest.
    let last = (998_u32 % 251) as u8;
    let late = w.attempt(slot, last);
    assert!(matches!(late, Effect::Plain(Outcome::RecoverFailed { .. })), "{late:?}");
}

#[test]
fn what_is_cancelled_leaves_no_deadline_behind() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 1..=100 {
        let started = w.register_start(slot, (n % 200) as u8);
        let taken = World::registration(&started, 66);
        assert!(matches!(w.finish(slot, &taken, Authorised::Nobody {}), Effect::Registered(_)));
        let status = w.owner(slot, Verb::Status, 1, 1, n);
        assert!(matches!(status, Effect::Plain(Outcome::Status { .. })), "{status:?}");
        w.now += 1;
        w.register_start(slot, 201);
        succeed(&mut w, slot, 7);
        let devices = &w.state.slot(&slot).expect("a slot").record.as_ref().expect("one").devices;
        assert!(!devices.is_empty());
        // The device of the test's finishes; the owner's own comes back by enrolling.
        let enroll = Command::Owner {
            verb: Verb::EnrollDevice,
            device: Fixed([9; 32]),
            generation: 1,
            counter: n,
            enroll: Some(Fixed([1; 32])),
        };
        w.apply(slot, enroll);
        w.now += 1_000;
    }
    assert!(w.state.deadlines() <= 3, "{} deadlines", w.state.deadlines());
}

#[test]
fn a_later_lock_ceiling_binds_old_records_and_their_window_forgets_no_newer_lock() {
    let mut w = World::new();
    let [old, fleet] = [World::slot("old"), World::slot("fleet")];
    let slots: Vec<Slot> = (0..4).map(|n| World::slot(&format!("user{n}"))).collect();
    w.register(old, 1);
    let strict = Policy { lock_ceiling: 2, lock_window_ms: 7 * DAY, ..Policy::standard() };
    w.apply(fleet, Command::Adopt { epoch: 2, policy: strict });
    for slot in &slots {
        w.register(*slot, 1);
    }
    for slot in slots.iter().chain([&old]) {
        for ke1 in 1..10 {
            w.fail(*slot, ke1);
        }
    }
    w.now += 8 * DAY;
    let waits = |effect: Effect| {
        let Effect::Plain(Outcome::Wait { reason, .. }) = effect else { return None };
        Some(reason)
    };
    for slot in &slots[..2] {
        let attempt = number(&w.attempt(*slot, 10));
        w.close(*slot, attempt, 10, false);
    }
    assert_eq!(waits(w.attempt(slots[2], 10)), Some(WaitReason::LockCeiling));
    // A day later, by a record of before.
    w.now += DAY + 1;
    assert_eq!(waits(w.attempt(old, 10)), Some(WaitReason::LockCeiling));
    assert_eq!(waits(w.attempt(slots[2], 10)), Some(WaitReason::LockCeiling));
    w.now += 7 * DAY;
    assert_eq!(waits(w.attempt(slots[2], 10)), None);
}
