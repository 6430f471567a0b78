//! A node that restarts reads its state from a snapshot, and is then in the state of one that did not.
//!
//! (Every entry that a test of this crate applies is applied to a restarted copy, too.)

mod world;

use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Effect, State};
use strongroom_wire::{
    Fixed, Slot,
    response::{Failure, Outcome, Refusal},
};
use world::{MINUTE, World, number};

fn register(w: &mut World, slot: Slot, authorised: Authorised) -> u64 {
    let started = w.register_start(slot, 99);
    let registration = World::registration(&started, 1);
    match w.finish(slot, &registration, authorised) {
        Effect::Registered(receipt) => receipt.effective_ms,
        other => panic!("not stored: {other:?}"),
    }
}

#[test]
fn inv8_a_new_record_does_not_die_of_the_last_attempt_at_the_old_one() {
    for restarts in [false, true] {
        let (mut w, slot) = (World::new(), World::slot("alice"));
        w.register(slot, 1);
        w.open_the_last(slot);
        assert_eq!(w.state.held(), 1);
        let owner = Authorised::Device { device: Fixed([1; 32]), generation: 1, counter: 1 };
        register(&mut w, slot, owner);
        if restarts {
            w.state = w.restarted();
        }
        assert_eq!(w.state.held(), 0);
        // The next attempt is one of the new record's, and is charged.
        let before = w.state.slot(&slot).expect("a slot").attempts;
        assert_eq!(number(&w.attempt(slot, 20)), before + 1);
        w.now += 60 * MINUTE;
        w.apply(slot, Command::Tick {});
        let state = w.state.slot(&slot).expect("a slot");
        assert!(state.record.is_some() && !state.locked, "restarts: {restarts}");
    }
}

#[test]
fn a_replacement_that_waited_for_the_last_attempt_waits_no_longer_than_it() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.spend_all_but_one(slot);
    let effective_ms = register(&mut w, slot, Authorised::Nobody {});
    w.now = effective_ms - 9 * MINUTE;
    let attempt = number(&w.attempt(slot, 10));
    w.now = effective_ms + 10_000;
    let effect = w.close(slot, attempt, 10, false);
    let Effect::Plain(Outcome::RecoverFailed { why: Failure::Locked, .. }) = effect else {
        panic!("not locked: {effect:?}")
    };
    // A restarted node has forgotten how long the attempt would have been open.
    let state = w.state.slot(&slot).expect("a slot");
    assert!(state.record.is_some() && state.replacement.is_none());
    assert_eq!((state.generation, w.state.held(), w.state.records()), (2, 0, 1));
}

#[test]
fn an_offer_is_void_when_a_replacement_takes_its_generation() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let effective_ms = register(&mut w, slot, Authorised::Nobody {});
    w.now = effective_ms - MINUTE;
    let before = w.register_start(slot, 7);
    let Effect::Evaluate { generation: 2, .. } = before else { panic!("not offered: {before:?}") };
    w.now = effective_ms;
    // The answer was lost; the same request again is offered what can be stored.
    let after = w.register_start(slot, 7);
    let Effect::Evaluate { generation: 3, occupied: true, .. } = after else {
        panic!("not offered: {after:?}")
    };
    let void = w.finish(slot, &World::registration(&before, 2), Authorised::Nobody {});
    let Effect::Plain(Outcome::Refused { why: Refusal::EntryUnknown, .. }) = void else {
        panic!("not refused: {void:?}")
    };
    let stored = w.finish(slot, &World::registration(&after, 2), Authorised::Nobody {});
    assert!(matches!(stored, Effect::Registered(_)), "{stored:?}");
}

#[test]
fn inv1_the_last_attempt_expires_whatever_began_in_the_same_millisecond() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.spend_all_but_one(slot);
    w.register_start(slot, 50);
    number(&w.attempt(slot, 10));
    // Voids the offer, whose deadline is the attempt's.
    w.now += 1_000;
    w.register_start(slot, 51);
    let state = w.state.slot(&slot).expect("a slot");
    w.now = state.attempt.as_ref().expect("an attempt").expires_ms + 1;
    w.apply(slot, Command::Tick {});
    let state = w.state.slot(&slot).expect("a slot");
    assert!(state.locked && state.record.is_none());
    assert_eq!((w.state.held(), w.state.records()), (0, 0));
}

#[test]
fn a_replacement_that_need_not_wait_takes_effect_with_the_next_entry() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let policy = Policy { replace_ms: 0, ..Policy::standard() };
    w.state = State::new(1, policy, w.limits);
    w.register(slot, 1);
    assert_eq!(register(&mut w, slot, Authorised::Nobody {}), w.now);
    w.apply(slot, Command::Tick {});
    assert_eq!(w.state.slot(&slot).expect("a slot").generation, 2);
}
