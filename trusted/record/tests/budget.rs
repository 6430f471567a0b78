//! INV-1 and INV-7, by hand: what an operator would try for one more attempt.

mod world;

use strongroom_record::{Authorised, Command, Effect};
use strongroom_wire::{
    Fixed,
    request::Verb,
    response::{Failure, Outcome, Refusal, WaitReason},
};
use world::{DAY, MINUTE, World, number};

fn outcome(effect: Effect) -> Outcome {
    match effect {
        Effect::Plain(outcome) => outcome,
        other => panic!("not plain: {other:?}"),
    }
}

fn why(effect: Effect) -> Failure {
    match outcome(effect) {
        Outcome::RecoverFailed { why, .. } => why,
        other => panic!("not failed: {other:?}"),
    }
}

fn refusal(effect: Effect) -> Refusal {
    match outcome(effect) {
        Outcome::Refused { why, .. } => why,
        other => panic!("not refused: {other:?}"),
    }
}

#[test]
fn inv1_ten_wrong_attempts_erase_the_record() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 1..10 {
        assert_eq!(why(w.fail(slot, n)), Failure::WrongPassword, "attempt {n}");
        assert!(w.state.slot(&slot).expect("slot").record.is_some());
    }
    assert_eq!(why(w.fail(slot, 10)), Failure::Locked);
    let state = w.state.slot(&slot).expect("tombstone");
    assert!(state.record.is_none() && state.locked);
    assert_eq!(state.destroyed.map(|(generation, _)| generation), Some(1));
    // From here on the slot answers like one that never had a record, until a finish says why.
    assert!(matches!(w.attempt(slot, 11), Effect::StandIn { .. }));
    assert_eq!(why(w.close(slot, 1, 11, false)), Failure::Locked);
}

#[test]
fn inv1_the_tenth_attempt_can_still_be_won() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.spend_all_but_one(slot);
    let attempt = number(&w.attempt(slot, 10));
    assert!(matches!(w.close(slot, attempt, 10, true), Effect::Release { .. }));
    w.now += DAY;
    w.apply(slot, Command::Tick {});
    assert!(w.state.slot(&slot).expect("slot").record.is_some());
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 0);
}

#[test]
fn inv1_the_tenth_attempt_that_nobody_finishes_erases_by_itself() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.spend_all_but_one(slot);
    number(&w.attempt(slot, 10));
    // Another KE1 neither closes it nor is charged.
    let other = outcome(w.attempt(slot, 11));
    assert!(matches!(other, Outcome::Wait { reason: WaitReason::Row, .. }), "{other:?}");
    w.now += 10 * MINUTE + 1;
    w.apply(slot, Command::Tick {});
    assert!(w.state.slot(&slot).expect("tombstone").record.is_none());
}

#[test]
fn inv1_the_tenth_attempt_waits_until_seven_days_after_the_first() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let first = w.now;
    for n in 1..10 {
        w.fail(slot, n);
    }
    assert!(w.now - first < 3 * DAY);
    w.now = first + 7 * DAY - 1;
    assert!(matches!(outcome(w.attempt(slot, 10)), Outcome::Wait { .. }));
    w.now += 1;
    number(&w.attempt(slot, 10));
}

#[test]
fn inv1_waits_begin_after_the_third_failure() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 1..=3 {
        let attempt = number(&w.attempt(slot, n));
        w.close(slot, attempt, n, false);
    }
    assert!(matches!(outcome(w.attempt(slot, 4)), Outcome::Wait { .. }));
    w.now += MINUTE;
    number(&w.attempt(slot, 4));
}

#[test]
fn inv1_the_same_ke1_is_the_same_attempt_and_is_not_charged_again() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let first = w.attempt(slot, 5);
    for _ in 0..20 {
        assert_eq!(w.attempt(slot, 5), first);
    }
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 1);
    w.close(slot, 1, 5, false);
    assert_eq!(w.attempt(slot, 5), first, "after its finish too: the answer tells nothing new");
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 1);
}

#[test]
fn a_request_that_comes_late_for_an_attempt_that_is_over_is_not_charged() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.fail(slot, 1);
    let second = number(&w.attempt(slot, 2));
    // The first password's request arrives once more, by another way, with another ticket.
    assert_eq!(why(w.attempt(slot, 1)), Failure::Closed);
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 2);
    assert!(matches!(w.close(slot, second, 2, true), Effect::Release { .. }), "it closed nothing");
    // After its time it is an attempt like any other.
    w.now += 11 * MINUTE;
    number(&w.attempt(slot, 1));
}

#[test]
fn inv1_an_old_ke1_under_a_new_generation_is_never_answered_for_nothing() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let old = w.attempt(slot, 5);
    let started = w.register_start(slot, 200);
    let registration = World::registration(&started, 2);
    let authorised = Authorised::Device { device: Fixed([1; 32]), generation: 1, counter: 1 };
    assert!(matches!(w.finish(slot, &registration, authorised), Effect::Registered(_)));
    let row = w.state.slot(&slot).expect("slot").counters.row();
    // Within its time it is late: nothing is evaluated. After it, it is an attempt like any other.
    assert_eq!(why(w.attempt(slot, 5)), Failure::Closed);
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), row);
    w.now += 11 * MINUTE;
    let new = w.attempt(slot, 5);
    assert_ne!(number(&old), number(&new));
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), row + 1);
}

#[test]
fn inv1_a_correct_finish_held_back_refills_nothing() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let honest = number(&w.attempt(slot, 1));
    // The operator holds the owner's right finish back and tries passwords of its own.
    for n in 2..=9 {
        w.fail(slot, n);
    }
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 9);
    assert_eq!(why(w.close(slot, honest, 1, true)), Failure::Closed);
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 9);
}

#[test]
fn inv1_a_success_is_counted_once_and_its_reply_repeated() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.fail(slot, 1);
    let attempt = number(&w.attempt(slot, 2));
    let first = w.close(slot, attempt, 2, true);
    let Effect::Release { receipt, .. } = &first else { panic!("{first:?}") };
    assert_eq!((receipt.failures_ms.len(), receipt.failures_year), (1, 1));
    assert_eq!(w.close(slot, attempt, 2, true), first);
    // Another finish for the attempt that is closed gets nothing.
    let mut other = World::finish_command(attempt, 2, true);
    if let Command::RecoverFinish { ke3, .. } = &mut other {
        *ke3 = Fixed([99; 32]);
    }
    assert_eq!(why(w.apply(slot, other)), Failure::Closed);
}

#[test]
fn inv1_registering_again_and_again_gives_two_rows_in_thirty_days() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let mut failures = 0;
    for round in 0..6_u8 {
        for n in 0..9 {
            w.wait(slot);
            if !matches!(w.attempt(slot, round * 10 + n), Effect::Challenge { .. }) {
                break;
            }
            failures += 1;
        }
        let generation = w.state.slot(&slot).expect("slot").generation;
        let started = w.register_start(slot, 100 + round);
        let registration = World::registration(&started, 1);
        let counter = u64::from(round) + 1;
        let device = Fixed([1; 32]);
        w.finish(slot, &registration, Authorised::Device { device, generation, counter });
    }
    // A row of nine, two granted rows, and what the inherited row had left.
    assert!(failures <= 9 + 2 * 9 + 9, "{failures}");
    assert!(w.now < 1_800_000_000_000 + 60 * DAY);
}

#[test]
fn inv1_forty_failures_a_year_are_all_whatever_happens() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let (start, mut failures) = (w.now, 0);
    let mut ke1 = 0_u8;
    // Nine failures, then the owner's success refills the row; over and over, for a year.
    'year: loop {
        for _ in 0..9 {
            ke1 = ke1.wrapping_add(1);
            w.wait(slot);
            if w.now >= start + 364 * DAY {
                break 'year;
            }
            let attempt = number(&w.attempt(slot, ke1));
            w.close(slot, attempt, ke1, false);
            failures += 1;
        }
        ke1 = ke1.wrapping_add(1);
        w.wait(slot);
        if w.now >= start + 364 * DAY {
            break;
        }
        let attempt = number(&w.attempt(slot, ke1));
        w.close(slot, attempt, ke1, true);
    }
    assert_eq!(failures, 40);
    assert!(w.state.slot(&slot).expect("slot").record.is_some(), "attempts wait, the record stays");
}

#[test]
fn inv1_destroying_and_registering_again_keeps_the_counters() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 1..=5 {
        w.fail(slot, n);
    }
    assert!(matches!(
        outcome(w.owner(slot, Verb::Destroy, 1, 1, 1)),
        Outcome::Destroyed { generation: 1 }
    ));
    let receipt = w.register(slot, 2);
    assert_eq!((receipt.generation, receipt.budget.row_left, receipt.budget.year_left), (2, 5, 35));
}

#[test]
fn inv1_a_locked_slot_takes_new_records_only_within_the_grants() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let mut rows = 0;
    let since = w.now;
    loop {
        for n in 0..10 {
            w.fail(slot, n);
        }
        rows += 1;
        let request = w.fresh()[0];
        let started = w.register_start(slot, request);
        let registration = World::registration(&started, 1);
        match w.finish(slot, &registration, Authorised::Nobody {}) {
            Effect::Registered(_) => {}
            refused => {
                assert_eq!(refusal(refused), Refusal::RowSpent);
                break;
            }
        }
    }
    assert_eq!(rows, 3, "the first row and two grants");
    assert!(w.now - since < 30 * DAY);
}

#[test]
fn inv1_a_cold_start_debits_what_the_waits_allowed() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let era = World::slot("nobody");
    w.apply(era, Command::Era { era: 2, window_ms: DAY });
    let Outcome::BudgetIs { budget } = outcome(w.apply(slot, Command::Budget {})) else {
        panic!("budget")
    };
    assert_eq!((budget.row_left, budget.year_left), (10, 31));
    w.apply(era, Command::Era { era: 2, window_ms: DAY });
    let Outcome::BudgetIs { budget } = outcome(w.apply(slot, Command::Budget {})) else {
        panic!("budget")
    };
    assert_eq!(budget.year_left, 31, "an era begins once");
}

#[test]
fn at_most_a_hundred_records_lock_in_a_day() {
    let mut w = World::new();
    let slots: Vec<_> = (0..120).map(|n| World::slot(&format!("user{n}"))).collect();
    for slot in &slots {
        w.register(*slot, 1);
        for n in 1..10 {
            let attempt = number(&{
                w.wait(*slot);
                w.attempt(*slot, n)
            });
            w.close(*slot, attempt, n, false);
        }
    }
    w.now += 8 * DAY;
    let mut locked = 0;
    for slot in &slots {
        match w.attempt(*slot, 10) {
            Effect::Challenge { attempt, .. } => {
                w.close(*slot, attempt, 10, false);
                locked += 1;
            }
            other => assert!(matches!(
                outcome(other),
                Outcome::Wait { reason: WaitReason::LockCeiling, .. }
            )),
        }
    }
    assert_eq!(locked, 100);
    w.now += DAY;
    assert!(matches!(w.attempt(slots[119], 10), Effect::Challenge { .. }));
}

#[test]
fn inv4_a_clock_that_goes_back_moves_nothing_back() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 1..=3 {
        w.fail(slot, n);
    }
    let now = w.state.now_ms();
    w.now -= 300 * DAY;
    assert!(matches!(outcome(w.attempt(slot, 4)), Outcome::Refused { .. } | Outcome::Wait { .. }));
    assert_eq!(w.state.now_ms(), now);
}

#[test]
fn inv7_a_salt_leaves_with_its_record() {
    let (mut w, slot, other) = (World::new(), World::slot("alice"), World::slot("bob"));
    w.register(slot, 1);
    w.register(other, 1);
    let salt = *w
        .state
        .slot(&slot)
        .and_then(|s| s.record.as_ref())
        .and_then(|r| r.salt.as_ref())
        .expect("salt")
        .expose();
    let contains = |bytes: &[u8], needle: &[u8]| bytes.windows(32).any(|window| window == needle);
    assert!(contains(&w.state.salts_to_bytes(), &salt));
    assert!(!contains(&w.state.to_bytes(), &salt), "the state is encoded without salts");
    for n in 1..=10 {
        w.fail(slot, n);
    }
    assert!(!contains(&w.state.salts_to_bytes(), &salt));
    assert!(w.state.slot(&other).and_then(|s| s.record.as_ref()).is_some());
}
