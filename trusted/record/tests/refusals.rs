//! What rarely happens: salts that are gone, replacements that meet a lock, later policies.

mod world;

use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Effect};
use strongroom_wire::{
    Fixed, Slot,
    digest::sha256,
    request::{Registration, Verb},
    response::{Failure, Outcome, Refusal},
};
use world::{DAY, MINUTE, World, number};

fn refusal(effect: Effect) -> Refusal {
    match effect {
        Effect::Plain(Outcome::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn failure(effect: Effect) -> Failure {
    match effect {
        Effect::Plain(Outcome::RecoverFailed { why, .. }) => why,
        other => panic!("not failed: {other:?}"),
    }
}

fn generation(w: &World, slot: Slot) -> u64 {
    w.state.slot(&slot).expect("a slot").generation
}

/// A registration that nobody authorised, over a record.
fn replace(w: &mut World, slot: Slot) -> u64 {
    let started = w.register_start(slot, 99);
    let thief = World::registration(&started, 66);
    match w.finish(slot, &thief, Authorised::Nobody {}) {
        Effect::Registered(receipt) => receipt.effective_ms,
        other => panic!("not delayed: {other:?}"),
    }
}

#[test]
fn a_record_whose_salt_is_gone_answers_like_one_that_is_not_there() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    // Replayed from a disk whose salts are gone.
    let (request, entry) = (Fixed([1; 32]), Fixed([2; 32]));
    let salt = Fixed(sha256(&[3; 32]));
    let ticket = w.ticket();
    let start = Command::RegisterStart { request, entry, salt, keyset: 1 };
    assert_eq!(refusal(w.apply_with(slot, ticket, start, [0; 32])), Refusal::EntryUnknown);
    let registration = Registration {
        entry,
        generation: 1,
        upload: Fixed([1; 192]),
        wrapped_key: Fixed([2; 48]),
        device: Fixed([1; 32]),
        ksf_version: 1,
    };
    let stored = w.finish(slot, &registration, Authorised::Nobody {});
    assert!(matches!(stored, Effect::Registered(_)), "{stored:?}");
    let Effect::StandIn { budget, .. } = w.attempt(slot, 1) else { panic!("answered") };
    assert_eq!(budget.row_left, 9, "charged like everywhere else");
    assert_eq!(w.state.login_of(&slot, 1, &[1; 32]), None);
    // Which is no reason to call a finish wrong.
    assert!(w.state.lacks_salt(&slot, 1, &[1; 32]));
    assert!(!w.state.lacks_salt(&slot, 1, &[2; 32]) && !w.state.lacks_salt(&slot, 2, &[1; 32]));
    assert_eq!(failure(w.close(slot, 1, 1, true)), Failure::Closed);
}

#[test]
fn a_replacement_that_is_due_waits_until_the_last_attempt_has_settled() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.spend_all_but_one(slot);
    // Due a minute before the last attempt would close.
    let effective_ms = replace(&mut w, slot);
    w.now = effective_ms - 9 * MINUTE;
    let attempt = number(&w.attempt(slot, 10));
    w.now = effective_ms;
    w.apply(slot, Command::Tick {});
    assert_eq!(generation(&w, slot), 1, "an open last attempt is not taken away");
    // The owner wins it; the replacement is void.
    assert!(matches!(w.close(slot, attempt, 10, true), Effect::Release { .. }));
    w.now += DAY;
    w.apply(slot, Command::Tick {});
    assert_eq!(generation(&w, slot), 1);
}

#[test]
fn inv1_a_replacement_takes_a_locked_slot_only_while_a_grant_is_left() {
    for used in [false, true] {
        let (mut w, slot) = (World::new(), World::slot("alice"));
        w.register(slot, 1);
        if used {
            // Both rows that the owner may begin anew in a month are taken.
            for (n, ke1) in [(1, 201), (2, 202)] {
                w.fail(slot, ke1);
                let started = w.register_start(slot, ke1);
                let registration = World::registration(&started, 1);
                let (device, counter) = (Fixed([1; 32]), n);
                let owner = Authorised::Device { device, generation: n, counter };
                let stored = w.finish(slot, &registration, owner);
                assert!(matches!(stored, Effect::Registered(_)), "{stored:?}");
            }
        }
        let before = generation(&w, slot);
        let attempt = w.open_the_last(slot);
        let effective_ms = replace(&mut w, slot);
        assert_eq!(failure(w.close(slot, attempt, 10, false)), Failure::Locked);
        assert_eq!(w.state.records(), 0);
        w.now = effective_ms;
        w.apply(slot, Command::Tick {});
        let state = w.state.slot(&slot).expect("a slot");
        assert_eq!((state.record.is_some(), state.locked), (!used, used));
        assert_eq!(w.state.records(), usize::from(!used));
        assert_eq!(generation(&w, slot), before + u64::from(!used));
        assert!(state.replacement.is_none(), "it comes once");
    }
}

#[test]
fn a_registration_under_a_counter_that_was_used_is_refused() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.owner(slot, Verb::Status, 1, 1, 5);
    let by = |device: u8, generation, counter| Authorised::Device {
        device: Fixed([device; 32]),
        generation,
        counter,
    };
    for (authorised, why) in [
        (by(1, 1, 5), Refusal::Replayed),
        (by(2, 1, 6), Refusal::NotOwner),
        (by(1, 2, 6), Refusal::GenerationMoved),
    ] {
        let registration = World::registration(&w.register_start(slot, 7), 1);
        assert_eq!(refusal(w.finish(slot, &registration, authorised)), why);
    }
    let registration = World::registration(&w.register_start(slot, 7), 1);
    assert!(matches!(w.finish(slot, &registration, by(1, 1, 6)), Effect::Registered(_)));
}

#[test]
fn an_owner_without_a_record_is_told_so() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    assert_eq!(refusal(w.owner(slot, Verb::Status, 1, 1, 1)), Refusal::NoRecord);
    w.register(slot, 1);
    w.owner(slot, Verb::Destroy, 1, 1, 1);
    assert_eq!(refusal(w.owner(slot, Verb::Status, 1, 1, 2)), Refusal::NoRecord);
}

#[test]
fn a_later_policy_tightens_at_once_and_an_older_one_changes_nothing() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let adopt = |epoch, row| {
        let policy = Policy { row, ..Policy::standard() };
        Command::Adopt { epoch, policy }
    };
    let row = |w: &mut World| match w.apply(slot, Command::Budget {}) {
        Effect::Plain(Outcome::BudgetIs { budget }) => budget.row_left,
        other => panic!("no budget: {other:?}"),
    };
    w.apply(slot, adopt(3, 4));
    assert_eq!((row(&mut w), w.state.policy_epoch()), (4, 3));
    w.apply(slot, adopt(2, 9));
    assert_eq!((row(&mut w), w.state.policy_epoch()), (4, 3), "an older one");
    w.apply(slot, adopt(4, 12));
    assert_eq!((row(&mut w), w.state.policy_epoch()), (10, 4), "what it was registered under");
}

#[test]
fn inv1_cold_starts_fill_a_year_and_no_more() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for era in 1..=20 {
        w.apply(slot, Command::Era { era, window_ms: 8 * DAY });
    }
    let Effect::Plain(Outcome::BudgetIs { budget }) = w.apply(slot, Command::Budget {}) else {
        panic!("no budget")
    };
    let policy = Policy::standard();
    assert_eq!((budget.row_left, budget.year_left), (policy.row, 0));
    let failures = w.state.slot(&slot).expect("a slot").counters.failures_year(&policy, w.now);
    assert_eq!(failures, policy.year);
    // Debits that had room for no more must not push the end of the wait away.
    assert_eq!(budget.next_ms, w.now + policy.year_ms);
}

#[test]
fn inv10_what_is_printed_of_an_effect_has_no_salt_in_it() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let started = w.register_start(slot, 1);
    let Effect::Evaluate { salt, .. } = &started else { panic!("not started") };
    let bytes = format!("{:?}", salt.expose());
    let printed = format!("{started:?}");
    assert!(printed.contains("Salt") && !printed.contains(&bytes), "{printed}");
}
