//! Each rule of spec §18 has a history that keeps it and a smallest one that breaks it.

use strongroom_history::{Answer, Call, Contradiction, Operation, Rules, check};

const RIGHT: u64 = 1;
const WRONG: u64 = 0;

/// An operation from one moment to another; its index and its vault time are its end.
fn at(from: u64, to: u64, call: Call, answer: Answer) -> Operation {
    let returned = Some((to, answer));
    Operation { client: 1, slot: 0, call, invoked_ms: from, returned, by: Some((to, to)) }
}

fn lost(from: u64, call: Call) -> Operation {
    Operation { client: 2, slot: 0, call, invoked_ms: from, returned: None, by: None }
}

fn store(generation: u64, key: u64) -> Call {
    Call::RegisterFinish { generation, key, password: RIGHT, authority: generation > 1 }
}

fn stored(at_ms: u64, generation: u64, key: u64) -> Operation {
    let destroyed = generation.checked_sub(1).filter(|before| *before > 0);
    let answer = Answer::Registered { generation, destroyed, announced: false };
    at(at_ms, at_ms + 1, store(generation, key), answer)
}

fn charged(from: u64, to: u64, password: u64, number: u64) -> Operation {
    let answer = Answer::Charged { number, fits: password == RIGHT };
    at(from, to, Call::RecoverStart { password }, answer)
}

fn finish(number: u64, password: u64) -> Call {
    Call::RecoverFinish { number, password }
}

fn got(at_ms: u64, number: u64, generation: u64, key: u64, failures: u64) -> Operation {
    let answer = Answer::Recovered { generation, key, failures };
    at(at_ms, at_ms + 1, finish(number, RIGHT), answer)
}

fn ended(at_ms: u64, number: u64, answer: Answer) -> Operation {
    at(at_ms, at_ms + 1, finish(number, WRONG), answer)
}

/// Wrong attempts of these numbers, one after the other.
fn wrong(numbers: core::ops::RangeInclusive<u64>) -> Vec<Operation> {
    let one = |number| {
        let at_ms = 100 + 10 * number;
        [charged(at_ms, at_ms + 1, WRONG, number), ended(at_ms + 2, number, Answer::WrongPassword)]
    };
    numbers.flat_map(one).collect()
}

#[track_caller]
fn holds(history: &[Operation]) {
    let checked = check(history, &Rules::EXACT).expect("one history");
    assert_eq!((checked.operations, checked.undecided), (history.len() as u64, 0));
}

#[track_caller]
fn refused(history: &[Operation]) -> Contradiction {
    check(history, &Rules::EXACT).expect_err("no order explains it")
}

#[test]
fn a_key_that_was_replaced_never_comes_back() {
    let both = [stored(10, 1, 7), stored(20, 2, 8), charged(30, 31, RIGHT, 1)];
    holds(&[&both[..], &[got(40, 1, 2, 8, 0)]].concat());
    refused(&[&both[..], &[got(40, 1, 1, 7, 0)]].concat());
    refused(&[&both[..], &[got(40, 1, 2, 7, 0)]].concat());
}

#[test]
fn an_acknowledged_registration_is_not_lost() {
    let one = [stored(10, 1, 7)];
    let start = |occupied, generation| {
        let answer = Answer::RegisterStarted { generation, occupied };
        at(20, 21, Call::RegisterStart, answer)
    };
    holds(&[&one[..], &[start(true, 2)]].concat());
    refused(&[&one[..], &[start(false, 2)]].concat());
    refused(&[&one[..], &[start(true, 1)]].concat());
    refused(&[&one[..], &[ended(20, 1, Answer::NoRecord)]].concat());
}

#[test]
fn a_number_is_charged_once_and_none_is_skipped() {
    let one = [stored(10, 1, 7), charged(20, 21, WRONG, 1)];
    holds(&[&one[..], &[charged(30, 31, WRONG, 2)]].concat());
    refused(&[&one[..], &[charged(30, 31, WRONG, 1)]].concat());
    let skipped = [&one[..], &[charged(30, 31, WRONG, 3)]].concat();
    refused(&skipped);
    // Where hosts hand in what they kept, somebody else's attempt may be between.
    check(&skipped, &Rules::REPLAYED).expect("one history");
    // (Number 1 again could be a stand-in's, after a lock.)
    let twice = [&one[..], &[charged(30, 31, WRONG, 2), charged(40, 41, WRONG, 2)]].concat();
    check(&twice, &Rules::REPLAYED).expect_err("one number, two attempts");
}

#[test]
fn a_receipt_forgets_no_failure() {
    let mut history = vec![stored(10, 1, 7)];
    history.extend(wrong(1..=3));
    history.push(charged(200, 201, RIGHT, 4));
    holds(&[&history[..], &[got(210, 4, 1, 7, 3)]].concat());
    refused(&[&history[..], &[got(210, 4, 1, 7, 2)]].concat());
    refused(&[&history[..], &[got(210, 4, 1, 7, 0)]].concat());
    // A success ends the list.
    history.extend([got(210, 4, 1, 7, 3), charged(220, 221, RIGHT, 5)]);
    holds(&[&history[..], &[got(230, 5, 1, 7, 0)]].concat());
    refused(&[&history[..], &[got(230, 5, 1, 7, 4)]].concat());
}

#[test]
fn a_row_ends_locked_and_nothing_succeeds_after() {
    let mut history = vec![stored(10, 1, 7)];
    history.extend(wrong(1..=9));
    history.push(charged(200, 201, WRONG, 10));
    holds(&[&history[..], &[ended(210, 10, Answer::Locked)]].concat());
    refused(&[&history[..], &[ended(210, 10, Answer::WrongPassword)]].concat());
    refused(&[&history[..], &[ended(210, 10, Answer::NoRecord)]].concat());
    let locked = [&history[..], &[ended(210, 10, Answer::Locked)]].concat();
    refused(&[&locked[..], &[charged(220, 221, RIGHT, 11)]].concat());
    refused(&[&locked[..], &[got(220, 10, 1, 7, 9)]].concat());
    refused(&[&history[..], &[charged(220, 221, WRONG, 11)]].concat());
    // Before the row is spent nothing locks.
    let early = [stored(10, 1, 7), charged(20, 21, WRONG, 1), ended(30, 1, Answer::Locked)];
    refused(&early);
}

#[test]
fn one_attempt_is_open_and_a_wrong_password_opens_nothing() {
    let two = [stored(10, 1, 7), charged(20, 21, RIGHT, 1), charged(30, 31, RIGHT, 2)];
    holds(&[&two[..], &[got(40, 2, 1, 7, 1)]].concat());
    refused(&[&two[..], &[got(40, 1, 1, 7, 0)]].concat());
    let answer = Answer::Charged { number: 1, fits: true };
    let fits = at(20, 21, Call::RecoverStart { password: WRONG }, answer);
    refused(&[stored(10, 1, 7), fits]);
}

#[test]
fn a_finish_succeeds_once() {
    let once = [stored(10, 1, 7), charged(20, 21, RIGHT, 1), got(30, 1, 1, 7, 0)];
    holds(&once);
    refused(&[&once[..], &[got(40, 1, 1, 7, 0)]].concat());
}

#[test]
fn real_time_orders_what_does_not_overlap() {
    let first = |to| charged(20, to, WRONG, 2);
    let second = charged(30, 41, WRONG, 1);
    let unsigned = |mut operation: Operation| {
        operation.by = None;
        operation
    };
    holds(&[stored(10, 1, 7), unsigned(first(35)), second.clone()]);
    refused(&[stored(10, 1, 7), unsigned(first(25)), second]);
}

#[test]
fn indexes_and_vault_times_rise_with_real_time() {
    let ask = |from, by| {
        let returned = Some((from + 1, Answer::Done));
        Operation { client: 1, slot: 0, call: Call::Budget, invoked_ms: from, returned, by }
    };
    holds(&[ask(10, Some((5, 50))), ask(20, Some((6, 50)))]);
    refused(&[ask(10, Some((5, 50))), ask(20, Some((5, 50)))]);
    refused(&[ask(10, Some((5, 50))), ask(20, Some((4, 60)))]);
    refused(&[ask(10, Some((5, 50))), ask(20, Some((6, 49)))]);
}

#[test]
fn what_was_not_answered_happened_once_at_any_time_or_never() {
    let start = Call::RecoverStart { password: WRONG };
    let one = [stored(10, 1, 7), lost(15, start)];
    holds(&[&one[..], &[charged(20, 21, WRONG, 1)]].concat());
    holds(&[&one[..], &[charged(20, 21, WRONG, 2)]].concat());
    holds(&[&one[..], &[charged(20, 21, WRONG, 1), charged(30, 31, WRONG, 3)]].concat());
    refused(&[&one[..], &[charged(20, 21, WRONG, 3)]].concat());
    // Not before it was asked.
    let late = [
        stored(10, 1, 7),
        charged(20, 21, WRONG, 2),
        lost(25, Call::RecoverStart { password: WRONG }),
    ];
    refused(&late);
}

#[test]
fn what_was_refused_may_have_happened_before() {
    let refusal = at(20, 21, finish(1, RIGHT), Answer::Closed);
    let one = [stored(10, 1, 7), charged(12, 13, RIGHT, 1), refusal, charged(30, 31, RIGHT, 2)];
    holds(&[&one[..], &[got(40, 2, 1, 7, 0)]].concat());
    holds(&[&one[..], &[got(40, 2, 1, 7, 1)]].concat());
    refused(&[&one[..], &[got(40, 2, 1, 7, 2)]].concat());
}

#[test]
fn a_replacement_without_authority_waits() {
    let call = Call::RegisterFinish { generation: 2, key: 8, password: RIGHT, authority: false };
    let answer = |announced| {
        let destroyed = if announced { None } else { Some(1) };
        Answer::Registered { generation: 2, destroyed, announced }
    };
    holds(&[stored(10, 1, 7), at(20, 21, call.clone(), answer(true))]);
    refused(&[stored(10, 1, 7), at(20, 21, call, answer(false))]);
}

#[test]
fn a_replacement_outlives_a_lock_but_not_its_owner() {
    let call = Call::RegisterFinish { generation: 2, key: 8, password: 5, authority: false };
    let receipt = Answer::Registered { generation: 2, destroyed: None, announced: true };
    let announced = [stored(10, 1, 7), at(20, 21, call, receipt)];
    let mut locked = announced.to_vec();
    locked.extend(wrong(1..=9));
    locked.extend([charged(200, 201, WRONG, 10), ended(210, 10, Answer::Locked)]);
    // It takes effect on the slot that the lock left, or asked for a grant and got none.
    holds(&[&locked[..], &[charged(220, 221, WRONG, 11)]].concat());
    holds(&[&locked[..], &[charged(220, 221, WRONG, 1)]].concat());
    let here = at(30, 31, Call::Status { generation: 1 }, Answer::Done);
    let fits = |answer| at(40, 41, Call::RecoverStart { password: 5 }, answer);
    let taken = [fits(Answer::Charged { number: 1, fits: true })];
    holds(&[&announced[..], &taken[..]].concat());
    refused(&[&announced[..], &[here], &taken[..]].concat());
}

#[test]
fn another_copy_of_what_had_to_wait_may_be_charged_once() {
    let wait = at(20, 21, Call::RecoverStart { password: WRONG }, Answer::Wait);
    let one = [stored(10, 1, 7), charged(12, 13, WRONG, 1), wait];
    holds(&[&one[..], &[charged(30, 31, WRONG, 2)]].concat());
    holds(&[&one[..], &[charged(30, 31, WRONG, 3)]].concat());
    refused(&[&one[..], &[charged(30, 31, WRONG, 4)]].concat());
    refused(&one[2..]);
}

#[test]
fn whom_a_stand_in_answers_may_have_been_charged_once_before() {
    let late = charged(12, 50, WRONG, 1);
    let gone = at(40, 41, Call::Destroy { generation: 1 }, Answer::Done);
    let ends = |last: u64| [stored(10, 1, 7), late.clone(), charged(20, 21, WRONG, last)];
    holds(&[&ends(2)[..], std::slice::from_ref(&gone)].concat());
    holds(&[&ends(1)[..], std::slice::from_ref(&gone)].concat());
    refused(&[&ends(3)[..], &[gone]].concat());
    // Nothing was destroyed: the answer tells of the charge.
    holds(&ends(2));
    refused(&ends(1));
    refused(&ends(3));
}

#[test]
fn what_is_destroyed_is_gone() {
    let gone = [
        stored(10, 1, 7),
        charged(11, 12, RIGHT, 1),
        at(20, 21, Call::Destroy { generation: 1 }, Answer::Done),
    ];
    holds(&[&gone[..], &[at(30, 31, finish(1, RIGHT), Answer::NoRecord)]].concat());
    let again = |generation| at(30, 31, Call::Destroy { generation }, Answer::Done);
    refused(&[&gone[..], &[again(1)]].concat());
    refused(&[stored(10, 1, 7), stored(20, 2, 8), again(1)]);
    holds(&[stored(10, 1, 7), stored(20, 2, 8), again(2)]);
    refused(&[&gone[..], &[got(30, 1, 1, 7, 0)]].concat());
    refused(&[&gone[..], &[ended(30, 1, Answer::Locked)]].concat());
}

#[test]
fn what_is_not_decided_is_said() {
    let rules = Rules { steps: 1, ..Rules::EXACT };
    let history = [stored(10, 1, 7), charged(20, 21, WRONG, 1)];
    assert_eq!(check(&history, &rules).map(|checked| checked.undecided), Ok(1));
}

#[test]
fn a_long_search_ends() {
    let mut history = vec![stored(10, 1, 7)];
    let frames = (0..400).flat_map(|n| {
        [lost(12, Call::RecoverStart { password: n }), lost(12, finish(n % 9 + 1, n))]
    });
    history.extend(frames);
    history.push(got(20, 99, 1, 7, 0));
    let checked = check(&history, &Rules::EXACT).expect("nothing was decided");
    assert_eq!(checked.undecided, 1);
    assert!(checked.steps < Rules::EXACT.steps + 2_000, "{} steps", checked.steps);
}

#[test]
fn a_story_is_short() {
    let mut history = vec![stored(10, 1, 7)];
    history.extend(wrong(1..=5));
    history.push(charged(200, 201, WRONG, 5));
    history.push(charged(210, 211, WRONG, 6));
    let story = refused(&history);
    assert!(story.operations.len() <= 3, "{story}");
    assert!(!story.operations.iter().any(|operation| operation.invoked_ms > 201), "{story}");
}

/// A replacement that nobody's authority stood behind, told of after it had taken effect.
fn told_late(asked: u64, told: u64, destroyed: Option<u64>) -> Operation {
    let call = Call::RegisterFinish { generation: 2, key: 8, password: RIGHT, authority: false };
    at(asked, told, call, Answer::Registered { generation: 2, destroyed, announced: false })
}

#[test]
fn a_receipt_may_tell_of_a_replacement_that_was_announced_long_before() {
    let rules = Rules { replace_ms: 1_000, ..Rules::EXACT };
    let first = stored(10, 1, 7);
    let late = told_late(20, 1_011, Some(1));
    check(&[first.clone(), late.clone()], &rules).expect("one history");
    // Between its announcement and its effect others may come, and afterwards it is the record.
    let wrong = [charged(30, 31, WRONG, 1), ended(40, 1, Answer::WrongPassword)];
    let right = charged(1_020, 1_021, RIGHT, 2);
    let both = [&[first.clone()][..], &wrong, &[late.clone(), right]];
    let key = got(1_030, 2, 2, 8, 1);
    check(&[&both.concat()[..], &[key]].concat(), &rules).expect("one history");
    // Of two that were announced one takes effect.
    let call = Call::RegisterFinish { generation: 2, key: 9, password: RIGHT, authority: false };
    let other = Operation { client: 3, call, ..told_late(1_020, 2_100, Some(1)) };
    check(&[first.clone(), other.clone()], &rules).expect("one history");
    check(&[first, late, other], &rules).expect_err("both in effect");
}

#[test]
fn nobody_replaces_a_record_sooner_than_a_replacement_waits() {
    let rules = Rules { replace_ms: 1_000, ..Rules::EXACT };
    let first = stored(10, 1, 7);
    // The first answer has the vault time 11.
    check(&[first.clone(), told_late(20, 1_010, Some(1))], &rules).expect_err("too early");
    check(&[first.clone(), told_late(20, 5_000, Some(4))], &rules).expect_err("another record");
    check(&[first.clone(), told_late(20, 5_000, None)], &rules).expect_err("no record");
    let unsigned = Operation { by: None, ..told_late(20, 5_000, Some(1)) };
    check(&[first, unsigned], &rules).expect_err("nobody knows when");
}
