//! The counting by itself: what explains answers, and what does not.

use super::{Answered, Asked, Guess, Oracle};
use strongroom_manifest::Policy;
use strongroom_protocol::Voucher;
use strongroom_wire::response::Budget;

const OWNER: usize = 0;
const THIEF: usize = 9;

fn by(index: u64, now_ms: u64) -> Voucher {
    Voucher { node: 1, site: String::new(), incarnation: 1, index, now_ms }
}

/// One answer to a thief's frame at an index that is its time in seconds, too.
fn answer(oracle: &mut Oracle, asked: Asked, attempt: u64, generation: u64, index: u64) {
    let told = Budget { row_left: 0, year_left: 0, next_ms: 0 };
    let guess = Guess { attempt, generation, budget: told };
    let by = by(index, index * 1_000);
    oracle.inv4_inv5_one_history(asked, &by);
    let (finished, sure) = (asked.0 == OWNER, true);
    let answered = Answered { user: OWNER, asked, guess: &guess, finished, sure, by: &by };
    oracle.inv1_guess_answered(&answered, &Policy::standard());
}

/// The thief's guesses of these numbers, each with a frame and a ticket of its own.
fn guesses(oracle: &mut Oracle, attempts: core::ops::RangeInclusive<u64>, generation: u64) {
    for attempt in attempts {
        oracle.handed_in((THIEF, attempt), attempt);
        answer(oracle, (THIEF, attempt), attempt, generation, 10 + attempt);
    }
}

fn broken(oracle: &Oracle) -> Vec<&'static str> {
    oracle.broken.iter().map(|broken| broken.invariant).collect()
}

#[test]
fn two_grants_explain_three_rows_and_no_more() {
    let mut oracle = Oracle::default();
    for (row, generation) in (1..).zip(1..=3) {
        guesses(&mut oracle, 10 * row - 9..=10 * row, generation);
    }
    assert_eq!(broken(&oracle), [""; 0]);
    guesses(&mut oracle, 31..=31, 4);
    assert_eq!(broken(&oracle), ["INV-1"]);
}

#[test]
fn a_row_has_ten_attempts_where_nothing_began_another() {
    let mut oracle = Oracle::default();
    guesses(&mut oracle, 1..=10, 1);
    assert_eq!(broken(&oracle), [""; 0]);
    guesses(&mut oracle, 11..=11, 1);
    assert_eq!(broken(&oracle), ["INV-1"]);
}

#[test]
fn an_unheard_success_explains_another_row() {
    let mut oracle = Oracle::default();
    guesses(&mut oracle, 1..=8, 1);
    oracle.handed_in((OWNER, 1), 100);
    answer(&mut oracle, (OWNER, 1), 9, 1, 19);
    guesses(&mut oracle, 10..=19, 1);
    assert_eq!(broken(&oracle), [""; 0]);
    guesses(&mut oracle, 20..=20, 1);
    assert_eq!(broken(&oracle), ["INV-1"]);
}

#[test]
fn a_start_counts_the_attempts_of_a_day_as_lost() {
    let mut oracle = Oracle::default();
    oracle.inv1_stored(OWNER);
    guesses(&mut oracle, 1..=5, 1);
    oracle.inv1_era(2, 20);
    let told = |left| Budget { row_left: 5, year_left: left, next_ms: 0 };
    oracle.inv1_told(OWNER, &told(26), 30, &Policy::standard());
    assert_eq!(broken(&oracle), [""; 0]);
    oracle.inv1_told(OWNER, &told(27), 30, &Policy::standard());
    assert_eq!(broken(&oracle), ["INV-1"]);
}

#[test]
fn a_charge_pays_for_one_record() {
    let mut oracle = Oracle::default();
    guesses(&mut oracle, 1..=1, 1);
    answer(&mut oracle, (THIEF, 1), 1, 2, 12);
    assert_eq!(broken(&oracle), ["INV-1"]);
}

#[test]
fn a_spent_ticket_is_told_what_another_one_opened() {
    let mut oracle = Oracle::default();
    guesses(&mut oracle, 1..=1, 1);
    // The same KE1 with another ticket, when its attempt is over; and then with the first one again.
    oracle.handed_in((THIEF, 1), 77);
    oracle.handed_in((THIEF, 1), 1);
    answer(&mut oracle, (THIEF, 1), 3, 1, 900);
    answer(&mut oracle, (THIEF, 1), 3, 1, 901);
    assert_eq!(broken(&oracle), [""; 0]);
    answer(&mut oracle, (THIEF, 1), 4, 1, 1_800);
    assert_eq!(broken(&oracle), ["INV-4"]);
}

#[test]
fn an_attempt_that_another_closed_does_not_succeed() {
    let mut oracle = Oracle::default();
    oracle.handed_in((OWNER, 1), 100);
    answer(&mut oracle, (OWNER, 1), 1, 1, 5);
    guesses(&mut oracle, 2..=2, 1);
    oracle.handed_in((OWNER, 2), 101);
    oracle.inv1_success(OWNER, (OWNER, 2), 1, &by(11, 11_000));
    assert_eq!(broken(&oracle), [""; 0]);
    oracle.inv1_success(OWNER, (OWNER, 2), 1, &by(13, 13_000));
    assert_eq!(broken(&oracle), ["INV-1"]);
}

#[test]
fn a_finish_that_comes_when_its_attempt_is_over_does_not_succeed() {
    let (mut oracle, open_ms) = (Oracle::default(), Policy::standard().open_ms);
    oracle.handed_in((OWNER, 1), 100);
    answer(&mut oracle, (OWNER, 1), 1, 1, 5);
    let (in_time, late) = (5 + open_ms / 1_000, 6 + open_ms / 1_000);
    oracle.inv4_inv5_one_history((OWNER, 7), &by(in_time, in_time * 1_000));
    oracle.handed_in((OWNER, 2), 101);
    oracle.inv1_success(OWNER, (OWNER, 2), 1, &by(late, late * 1_000));
    assert_eq!(broken(&oracle), [""; 0]);
    oracle.inv4_inv5_one_history((OWNER, 8), &by(late, late * 1_000));
    oracle.handed_in((OWNER, 3), 102);
    oracle.inv1_success(OWNER, (OWNER, 3), 1, &by(late + 1, late * 1_000));
    assert_eq!(broken(&oracle), ["INV-1"]);
}
