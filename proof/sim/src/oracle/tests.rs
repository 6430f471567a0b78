//! Every checker can fail: each is shown what must be, then what must never be.

use super::{Oracle, budget::Answered};
use crate::client::Guess;
use strongroom_history::{Answer, Call, Checked, Operation, Rules};
use strongroom_manifest::Policy;
use strongroom_protocol::{ProtocolError, Voucher};
use strongroom_replica::{NodeId, ReplicaId};
use strongroom_wire::{
    Fixed,
    codec::Blob,
    process::{Health, PersistOp},
    response::Budget,
    start::{Position, SignedPosition, SignedStart, Start},
};

fn by(index: u64, now_ms: u64) -> Voucher {
    Voucher { node: 1, site: String::new(), incarnation: 1, index, now_ms }
}

/// What held, and what was broken, by the checker of this name alone.
fn fails(checker: &str, good: impl Fn(&mut Oracle), bad: impl Fn(&mut Oracle)) {
    let mut oracle = Oracle::default();
    good(&mut oracle);
    assert_eq!(oracle.broken, [], "{checker} refuses what must be");
    bad(&mut oracle);
    let seen: Vec<&str> = oracle.broken.iter().map(|broken| broken.checker).collect();
    assert!(seen.contains(&checker), "{checker} sees nothing, but {seen:?}");
}

#[test]
fn the_log_s_checkers_can_fail() {
    fails(
        "majority-holds",
        |o| o.inv2_charged_first(&by(9, 0), &[9, 9, 4], 2),
        |o| o.inv2_charged_first(&by(9, 0), &[9, 8, 4], 2),
    );
    fails(
        "vault-time",
        |o| o.inv4_inv5_one_history((0, 1), &by(5, 100)),
        |o| o.inv4_inv5_one_history((0, 2), &by(6, 99)),
    );
    fails(
        "one-answer-an-index",
        |o| (0..2).for_each(|_| o.inv4_inv5_one_history((0, 1), &by(5, 100))),
        |o| o.inv4_inv5_one_history((1, 1), &by(5, 100)),
    );
    fails("acts-once", |_| (), |o| o.inv4_once(String::new()));
    fails(
        "same-state",
        |o| {
            [(1, 1, 5, 7), (2, 1, 5, 7), (2, 2, 5, 8)]
                .map(|(n, e, i, d)| o.inv5_same_state(n, (e, i), d))
                .fill(())
        },
        |o| o.inv5_same_state(3, (1, 5), 8),
    );
}

#[test]
fn the_search_for_one_history_can_fail() {
    let charged = |at: u64, number: u64| Operation {
        client: 1,
        slot: 0,
        call: Call::RecoverStart { password: 0 },
        invoked_ms: at,
        returned: Some((at + 1, Answer::Charged { number, fits: false })),
        by: Some((at, at)),
    };
    // Without a record every attempt is called the first.
    fails(
        "linearizable",
        |o| assert_eq!(judge(o, &[charged(10, 1), charged(20, 1)]).operations, 2),
        |o| assert_eq!(judge(o, &[charged(10, 1), charged(20, 2)]).operations, 2),
    );
}

fn judge(oracle: &mut Oracle, history: &[Operation]) -> Checked {
    oracle.inv5_linearizable(history, &Rules::EXACT)
}

#[test]
fn checkers_of_sizes_and_of_secrets_can_fail() {
    fails(
        "answer-size",
        |o| (0..2).for_each(|_| o.inv3_sizes(Some(1024), None)),
        |o| o.inv3_sizes(Some(1023), None),
    );
    fails(
        "entry-size",
        |o| [60, 800, 800].into_iter().for_each(|size| o.inv3_sizes(None, Some(size))),
        |o| o.inv3_sizes(None, Some(801)),
    );
    fails(
        "secret",
        |o| {
            o.guard_secret(b"correct horse");
            o.inv10_secret_in("a frame", b"corr.ect horse");
        },
        |o| o.inv10_secret_in("a frame", b"..correct horse.."),
    );
}

#[test]
fn checkers_of_signatures_and_of_erasure_can_fail() {
    let sealed = ProtocolError::Sealed;
    fails("forged-believed", |o| o.inv6_signed(true, Some(&sealed)), |o| o.inv6_signed(true, None));
    fails(
        "honest-refused",
        |o| o.inv6_signed(false, None),
        |o| o.inv6_signed(false, Some(&sealed)),
    );
    fails(
        "erased",
        |o| o.inv7_erased(false, String::new()),
        |o| o.inv7_erased(true, String::new()),
    );
    fails("kept", |o| o.inv8_kept(true, String::new()), |o| o.inv8_kept(false, String::new()));
}

fn health(term: u64) -> Health {
    Health {
        incarnation: 7,
        era: 1,
        role: "follower".to_owned(),
        leader: None,
        ready: false,
        term,
        applied: 3,
        peers: Vec::new(),
        slots: 0,
        erased_through: 0,
        now_ms: 0,
        voters: Vec::new(),
    }
}

fn seat(node: u8, nonce: u64) -> ReplicaId {
    ReplicaId::new(NodeId::new(node).expect("a node"), nonce).expect("an id")
}

#[test]
fn checkers_of_processes_can_fail() {
    fails(
        "forward",
        |o| o.inv4_forward(&health(4), &health(5)),
        |o| o.inv4_forward(&health(5), &health(4)),
    );
    let seats = |nodes: &[u8]| nodes.iter().map(|node| seat(*node, 1)).collect::<Vec<_>>();
    fails(
        "seats",
        |o| o.inv5_seats(1, [seats(&[1, 2, 3]), Vec::new()], 3),
        |o| o.inv5_seats(1, [seats(&[1, 2]), Vec::new()], 3),
    );
    fails(
        "seats",
        |o| o.inv5_seats(1, [seats(&[1, 2, 3]), seats(&[1, 2, 3])], 3),
        |o| o.inv5_seats(1, [seats(&[1, 2, 3]), vec![seat(1, 1), seat(1, 2), seat(2, 1)]], 3),
    );
    fails(
        "one-voice",
        |o| o.inv5_one_voice(seat(1, 1), &[], &[seat(1, 1), seat(2, 1)]),
        |o| o.inv5_one_voice(seat(1, 1), &[seat(1, 2)], &[seat(1, 1)]),
    );
    fails("held", |o| o.inv8_held(1, 1), |o| o.inv8_held(1, 0));
    fails("settled", |o| o.inv1_settled(None), |o| o.inv1_settled(Some(0)));
    fails("vouched-for", |o| o.inv1_vouched_for(true), |o| o.inv1_vouched_for(false));
    fails("debited", |o| o.inv1_debited(2, 2), |o| o.inv1_debited(2, 1));
}

fn position(node: u8, era: u64, last_index: u64) -> Position {
    Position {
        fleet: "fleet".to_owned(),
        node,
        incarnation: u64::from(node),
        era,
        hard_term: 1,
        last_term: 1,
        last_index,
        chain_hash: Fixed([0; 32]),
    }
}

fn signed(era: u64, positions: Vec<Position>) -> SignedStart {
    let signed = |position| SignedPosition { position, signature: Fixed([0; 64]) };
    let positions = positions.into_iter().map(signed).collect();
    let start = Start { fleet: "fleet".to_owned(), era, positions };
    SignedStart { start, signatures: Vec::new() }
}

#[test]
fn checkers_of_starts_and_of_positions_can_fail() {
    fails(
        "era-opened",
        |o| {
            assert!(o.signed_start(&signed(2, vec![position(1, 1, 4), position(2, 1, 4)]), 2));
            o.inv5_era(1, 2);
        },
        |o| {
            assert!(!o.signed_start(&signed(3, vec![position(1, 1, 4), position(1, 1, 4)]), 2));
            o.inv5_era(1, 3);
        },
    );
    let (told, now) = (position(1, 1, 4), position(1, 1, 5));
    fails(
        "position",
        |o| o.inv8_position(1, Some(&told), &told, false),
        |o| o.inv8_position(1, Some(&told), &now, false),
    );
    fails(
        "position",
        |o| o.inv8_position(1, None, &position(1, 0, 0), true),
        |o| o.inv8_position(1, None, &told, true),
    );
    let entry = |index| PersistOp::Entry { index, entry: Blob(Vec::new()), salt: Blob(Vec::new()) };
    fails(
        "frozen",
        |o| o.inv8_frozen(1, Some(4), &[entry(4)]),
        |o| o.inv8_frozen(1, Some(4), &[entry(5)]),
    );
}

/// A guess of this number, at an index that is vault time in seconds, too.
fn guess(oracle: &mut Oracle, asked: (usize, u64), attempt: u64, index: u64, policy: &Policy) {
    let budget = Budget { row_left: 0, year_left: 0, next_ms: 0 };
    let (guess, by) = (Guess { attempt, generation: 1, budget }, by(index, 1_000 * index));
    let answered = Answered { user: 0, asked, guess: &guess, finished: false, sure: true, by: &by };
    oracle.inv1_guess_answered(&answered, policy);
}

/// So many, each of a frame and a ticket of its own.
fn guesses(oracle: &mut Oracle, numbers: core::ops::RangeInclusive<u64>, policy: &Policy) {
    for number in numbers {
        oracle.handed_in((0, number), number);
        guess(oracle, (0, number), number, 4 + number, policy);
    }
}

#[test]
fn the_counting_of_guesses_can_fail() {
    let policy = Policy::standard();
    fails(
        "one-guess-a-charge",
        |o| (0..2).for_each(|_| guesses(o, 1..=1, &policy)),
        |o| {
            o.handed_in((0, 2), 2);
            guess(o, (0, 2), 1, 5, &policy);
        },
    );
    fails("in-order", |o| guesses(o, 1..=2, &policy), |o| guess(o, (0, 1), 1, 9, &policy));
    fails("ticket-once", |o| guesses(o, 1..=1, &policy), |o| guess(o, (0, 1), 2, 6, &policy));
    fails("row", |o| guesses(o, 1..=10, &policy), |o| guesses(o, 11..=11, &policy));
    let endless = Policy { row: u8::MAX, ..Policy::standard() };
    fails("year", |o| guesses(o, 1..=40, &endless), |o| guesses(o, 41..=41, &endless));
    let told = |year_left| Budget { row_left: 0, year_left, next_ms: 0 };
    fails(
        "budget-told",
        |o| {
            guesses(o, 1..=1, &policy);
            o.inv1_told(0, &told(39), 6, &policy);
        },
        |o| o.inv1_told(0, &told(40), 6, &policy),
    );
    fails(
        "success-in-time",
        |o| {
            guesses(o, 1..=1, &policy);
            o.handed_in((0, 9), 9);
            o.inv1_success(0, (0, 9), 1, &by(6, 6_000));
        },
        |o| {
            guesses(o, 2..=2, &policy);
            o.inv4_inv5_one_history((5, 5), &by(8, 900_000));
            o.handed_in((0, 10), 10);
            o.inv1_success(0, (0, 10), 2, &by(9, 900_001));
        },
    );
}
