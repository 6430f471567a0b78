//! Links whose keys are replaced, under a host that loses, repeats, reorders and puts memory back.

mod support;

use strongroom_link::Links;
use support::{DATA, HELLO, Pair, frames, halted, links, messages, replica, ups};

fn retire(pair: &mut Pair, through: u64) {
    pair.a.retire(through);
    pair.b.retire(through);
}

#[test]
fn talk_goes_on_across_a_rekey_and_both_ends_know_when_it_is_done() {
    let mut pair = Pair::up();
    for through in [3, 4, 9] {
        retire(&mut pair, through);
        assert!(pair.a.retired_through() < through, "the peer has not followed yet");
        assert!(pair.talks());
        pair.run(7);
        assert_eq!((pair.a.retired_through(), pair.b.retired_through()), (through, through));
    }
    assert_eq!(ups(&pair.at_a).len() + ups(&pair.at_b).len(), 2, "it is still the same session");
    retire(&mut pair, 2);
    pair.run(7);
    assert_eq!(pair.a.retired_through(), 9, "an older erasure changes nothing");
}

#[test]
fn one_end_may_lag_by_many_erasures() {
    let mut pair = Pair::up();
    (1..50).for_each(|through| pair.a.retire(through));
    assert!(pair.talks());
    pair.run(7);
    assert_eq!((pair.a.retired_through(), pair.b.retired_through()), (49, 0));
    pair.b.retire(49);
    assert!(pair.talks());
    pair.run(7);
    assert_eq!(pair.b.retired_through(), 49);
}

#[test]
fn frames_lost_repeated_and_reordered_around_a_rekey_part_nobody() {
    let mut pair = Pair::up();
    let before = pair.a.send(replica(2, 1), b"before");
    let lost = pair.a.send(replica(2, 1), b"lost");
    pair.a.retire(1);
    let after = pair.a.send(replica(2, 1), b"after");
    // The last frame under the old key never arrives; one under the new key overtakes the others.
    assert_eq!(messages(&pair.give_b(&after[0])), [b"after"]);
    for frame in [&before[0], &lost[0], &after[0], &before[0]] {
        assert!(pair.give_b(frame).is_empty());
    }
    for old in pair.to_b.clone().iter().filter(|f| f[0] == DATA) {
        assert!(pair.give_b(old).is_empty());
    }
    assert!(pair.talks());
}

#[test]
fn a_message_that_was_half_there_does_not_go_on_under_the_next_key() {
    let mut pair = Pair::up();
    let long = pair.a.send(replica(2, 1), &vec![7; 150_000]);
    assert!(messages(&pair.give_b(&long[0])).is_empty());
    pair.a.retire(1);
    let next = pair.a.send(replica(2, 1), b"next");
    assert_eq!(messages(&pair.give_b(&next[0])), [b"next"]);
    for frame in &long {
        assert!(pair.give_b(frame).is_empty());
    }
    // Nor under its own, when the end that has half of it forgets.
    let long = pair.a.send(replica(2, 1), &vec![7; 150_000]);
    pair.give_b(&long[0]);
    pair.b.retire(1);
    assert!(long[1..].iter().all(|frame| messages(&pair.give_b(frame)).is_empty()));
    assert!(pair.talks());
}

#[test]
fn a_period_made_up_by_a_host_is_dropped_and_parts_nobody() {
    let mut pair = Pair::up();
    let frame = pair.a.send(replica(2, 1), b"text").remove(0);
    for period in [1_u64, 2, 1_000, 1 << 40, u64::MAX] {
        let mut forged = frame.clone();
        forged[9..17].copy_from_slice(&period.to_be_bytes());
        assert!(pair.give_b(&forged).is_empty());
    }
    assert_eq!(messages(&pair.give_b(&frame)), [b"text"]);
    assert!(pair.talks());
}

#[test]
fn nothing_is_retired_while_acknowledgements_are_withheld() {
    let mut pair = Pair::up();
    pair.a.retire(1);
    for _ in 0..50 {
        pair.now_ms += 100;
        let to_b = frames(&pair.a.tick(pair.now_ms), 2);
        let _withheld: Vec<_> = to_b.iter().map(|frame| pair.give_b(frame)).collect();
        pair.b.tick(pair.now_ms);
        assert_eq!(pair.a.retired_through(), 0);
    }
    pair.run(7);
    assert_eq!(pair.a.retired_through(), 1);
}

#[test]
fn a_process_without_a_link_has_told_nobody_anything() {
    let mut alone = links(1, 1);
    alone.retire(5);
    alone.tick(100);
    assert_eq!(alone.retired_through(), 5);
}

/// Ends as they were at some time: the same seeds and the same frames make the same memory.
fn twin(until: impl Fn(&mut Pair)) -> Pair {
    let mut pair = Pair::up();
    until(&mut pair);
    pair
}

#[test]
fn a_memory_from_before_a_rekey_is_still_found_out() {
    for a_was_put_back in [true, false] {
        let mut pair = twin(|_| ());
        for through in 1..4 {
            assert!(pair.talks());
            retire(&mut pair, through);
            pair.run(7);
        }
        let (of_a, of_b) = (pair.at_a.len(), pair.at_b.len());
        let past = twin(|pair| assert!(pair.talks()));
        if a_was_put_back {
            pair.a = past.a
        } else {
            pair.b = past.b
        }
        pair.run(7);
        assert_eq!(halted(&pair.at_a[of_a..]), a_was_put_back);
        assert_eq!(halted(&pair.at_b[of_b..]), !a_was_put_back);
    }
}

#[test]
fn a_memory_from_before_the_session_is_still_found_out_after_a_rekey() {
    for (node, fresh) in [(1, links(1, 1)), (2, links(2, 1))] {
        let mut pair = Pair::up();
        assert!(pair.talks());
        retire(&mut pair, 1);
        pair.run(7);
        let (of_a, of_b) = (pair.at_a.len(), pair.at_b.len());
        if node == 1 {
            pair.a = fresh
        } else {
            pair.b = fresh
        }
        pair.run(30);
        assert_eq!(halted(&pair.at_a[of_a..]), node == 1);
        assert_eq!(halted(&pair.at_b[of_b..]), node == 2);
    }
}

#[test]
fn a_session_that_the_answerer_forgot_is_replaced() {
    // Node 1 holds a session, node 2's half was pushed out, and the secret behind it is gone.
    let mut pair = Pair::new(links(1, 1), links(2, 1));
    let hello = frames(&pair.a.tick(1_000), 2);
    let answer = frames(&pair.give_b(&hello[0]), 1);
    pair.give_a(&answer[0]);
    pair.b = Links::new({
        let mut config = support::config(2, 1);
        config.seed = [77; 32];
        config
    })
    .expect("valid");
    pair.a.retire(4);
    pair.run(30);
    assert!(pair.talks());
    assert!(pair.to_b.iter().any(|frame| frame[0] == HELLO && *frame != hello[0]));
    assert_eq!(pair.a.retired_through(), 4);
    // But one that was heard stays, whatever is offered.
    let heard = pair.a.process_of(2);
    pair.run(30);
    assert_eq!(pair.a.process_of(2), heard);
}
