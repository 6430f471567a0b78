//! What a host can do with frames and with memory, and that none of it works.

mod support;

use strongroom_link::{Config, Halt, LinkEvent, Links, public_key};
use support::{
    ANSWER, DATA, HELLO, Pair, config, frames, halted, links, messages, replica, secret, ups,
};

/// A's frames for one message to B.
fn sealed(pair: &mut Pair, message: &[u8]) -> Vec<Vec<u8>> {
    pair.a.send(replica(2, 1), message)
}

#[test]
fn a_replayed_frame_is_dropped() {
    let mut pair = Pair::up();
    let frame = sealed(&mut pair, b"once").remove(0);
    assert_eq!(messages(&pair.give_b(&frame)), [b"once"]);
    assert!(pair.give_b(&frame).is_empty());
    for old in pair.to_b.clone().iter().filter(|f| f[0] == DATA) {
        assert!(pair.give_b(old).is_empty());
    }
}

#[test]
fn a_reordered_frame_is_dropped() {
    let mut pair = Pair::up();
    let first = sealed(&mut pair, b"first").remove(0);
    let second = sealed(&mut pair, b"second").remove(0);
    assert_eq!(messages(&pair.give_b(&second)), [b"second"]);
    assert!(pair.give_b(&first).is_empty());
}

#[test]
fn fragments_out_of_order_never_make_a_message() {
    let mut pair = Pair::up();
    let parts = sealed(&mut pair, &vec![7; 200_000]);
    for order in [[1, 0, 2, 3], [0, 2, 1, 3], [0, 1, 3, 2], [3, 2, 1, 0]] {
        let mut pair = Pair::up();
        let again = sealed(&mut pair, &vec![7; 200_000]);
        assert_eq!(again, parts);
        for index in order {
            assert!(messages(&pair.give_b(&parts[index])).is_empty());
        }
    }
}

#[test]
fn a_truncated_or_extended_frame_of_any_kind_is_dropped() {
    let pair = Pair::up();
    let samples = [
        (false, Pair::last(&pair.to_b, HELLO)),
        (true, Pair::last(&pair.to_a, ANSWER)),
        (false, Pair::last(&pair.to_b, DATA)),
    ];
    for (to_a, sample) in samples {
        let mut cut: Vec<Vec<u8>> = (0..sample.len()).map(|n| sample[..n].to_vec()).collect();
        cut.push([&sample[..], &[0]].concat());
        cut.push([&sample[..], &vec![0; 70_000][..]].concat());
        // Ends that wait for just this frame.
        let mut fresh = Pair::new(links(1, 1), links(2, 1));
        fresh.a.tick(1_000);
        if sample[0] == DATA {
            fresh.give_b(&Pair::last(&pair.to_b, HELLO));
        }
        for bytes in cut {
            let events = if to_a { fresh.give_a(&bytes) } else { fresh.give_b(&bytes) };
            assert!(events.is_empty(), "kind {} of {} bytes", sample[0], bytes.len());
        }
        let whole = if to_a { fresh.give_a(&sample) } else { fresh.give_b(&sample) };
        assert!(!whole.is_empty(), "the sample itself is good");
    }
}

#[test]
fn a_flipped_bit_anywhere_is_dropped_and_spoils_nothing() {
    let recorded = Pair::up();
    let hello = Pair::last(&recorded.to_b, HELLO);
    let answer = Pair::last(&recorded.to_a, ANSWER);
    let data = Pair::last(&recorded.to_b, DATA);
    let mut pair = Pair::new(links(1, 1), links(2, 1));
    pair.a.tick(1_000);
    let flip = |frame: &[u8], at: usize| {
        let mut bad = frame.to_vec();
        bad[at] ^= 1 << (at % 8);
        bad
    };
    for at in (0..hello.len()).step_by(17).chain(0..34) {
        assert!(pair.give_b(&flip(&hello, at)).is_empty(), "hello, byte {at}");
    }
    assert_eq!(frames(&pair.give_b(&hello), 1), std::slice::from_ref(&answer));
    for at in (0..answer.len()).step_by(17).chain(0..12).chain(1090..answer.len()) {
        assert!(pair.give_a(&flip(&answer, at)).is_empty(), "answer, byte {at}");
    }
    assert_eq!(ups(&pair.give_a(&answer)), [replica(2, 1)]);
    for at in 0..data.len() {
        assert!(pair.give_b(&flip(&data, at)).is_empty(), "data, byte {at}");
    }
    assert_eq!(ups(&pair.give_b(&data)), [replica(1, 1)]);
}

#[test]
fn frames_of_another_pair_of_nodes_are_dropped() {
    let mut pair = Pair::up();
    let mut third = links(3, 1);
    let hello_to_3 = frames(&pair.a.tick(1_700), 3);
    let hello_to_3 = &hello_to_3[..1];
    // Meant for node 3, given to node 2; and given to node 3 as if from node 2.
    assert!(pair.give_b(&hello_to_3[0]).is_empty());
    assert!(third.on_frame(0, 2, &hello_to_3[0]).is_empty());
    let answer = frames(&third.on_frame(0, 1, &hello_to_3[0]), 1);
    assert!(pair.a.on_frame(0, 2, &answer[0]).is_empty());
    assert_eq!(ups(&pair.a.on_frame(0, 3, &answer[0])), [replica(3, 1)]);
    let to_3 = pair.a.send(replica(3, 1), b"for 3");
    assert!(pair.give_b(&to_3[0]).is_empty());
    assert!(third.on_frame(0, 2, &to_3[0]).is_empty());
    assert_eq!(messages(&third.on_frame(0, 1, &to_3[0])), [b"for 3"]);
}

#[test]
fn a_frame_does_not_come_back_to_its_sender() {
    let mut pair = Pair::up();
    let frame = sealed(&mut pair, b"mirror").remove(0);
    assert!(pair.give_a(&frame).is_empty());
    let hello = Pair::last(&pair.to_b, HELLO);
    assert!(pair.give_a(&hello).is_empty());
}

#[test]
fn an_unknown_node_or_ourselves_as_sender_is_ignored() {
    let mut pair = Pair::up();
    let frame = sealed(&mut pair, b"x").remove(0);
    for from in [0, 2, 9, 63, 255] {
        assert!(pair.b.on_frame(0, from, &frame).is_empty());
    }
}

fn never_meet(change: fn(&mut Config)) {
    let mut config = config(1, 1);
    change(&mut config);
    let mut pair = Pair::new(Links::new(config).expect("valid"), links(2, 1));
    pair.run(60);
    assert_eq!((pair.a.process_of(2), pair.b.process_of(1)), (None, None));
}

#[test]
fn a_wrong_static_key_or_prologue_never_meets() {
    never_meet(|c| c.static_secret = secret(3));
    never_meet(|c| c.peers[0].1 = public_key(&secret(3)));
    never_meet(|c| c.peers[0].1 = [0; 32]);
    never_meet(|c| c.manifest_digest[31] ^= 1);
    never_meet(|c| c.fleet = "eu-2".into());
}

#[test]
fn a_node_cannot_speak_for_another_nodes_process() {
    // Node 3 holds its own key, and says that it is a process of node 2.
    let mut config = config(3, 1);
    config.own = 2;
    config.id = replica(2, 5);
    config.peers = vec![(1, public_key(&secret(1)))];
    let mut pair = Pair::new(links(1, 1), Links::new(config).expect("valid"));
    pair.run(60);
    assert_eq!(pair.a.process_of(2), None);
}

#[test]
fn an_old_hello_does_not_displace_the_living_session() {
    let mut pair = Pair::up();
    let old_hello = Pair::last(&pair.to_b, HELLO);
    let old_data = Pair::last(&pair.to_b, DATA);
    pair.a = links(1, 2);
    pair.run(1);
    assert_eq!(pair.b.process_of(1), Some(replica(1, 2)));
    // The old process's hello, and everything it ever said, in any order.
    for frame in [&old_hello, &old_data, &old_hello, &old_data] {
        assert!(ups(&pair.give_b(frame)).is_empty());
    }
    assert!(pair.talks());
}

#[test]
fn a_dead_process_that_never_met_us_cannot_be_played_in() {
    // Process 1 of node 1 made a hello for node 2 and died; its host kept it.
    let kept = frames(&links(1, 1).tick(0), 2).remove(0);
    let mut pair = Pair::new(links(1, 2), links(2, 1));
    pair.run(1);
    let answered = pair.give_b(&kept);
    assert_eq!(frames(&answered, 1).len(), 1, "it may be young, so it is answered");
    assert!(ups(&answered).is_empty());
    assert_eq!(pair.b.process_of(1), Some(replica(1, 2)));
    assert!(pair.talks());
}

#[test]
fn a_process_that_was_replaced_never_returns() {
    let mut pair = Pair::up();
    let mut old = links(1, 1);
    std::mem::swap(&mut pair.a, &mut old);
    pair.a = links(1, 2);
    pair.run(1);
    std::mem::swap(&mut pair.a, &mut old);
    pair.run(60);
    assert_eq!(pair.b.process_of(1), Some(replica(1, 2)));
    assert!(!pair.talks());
}

#[test]
fn old_hellos_cannot_starve_a_handshake() {
    let old: Vec<_> = (10..30).map(|p| frames(&links(1, p).tick(0), 2).remove(0)).collect();
    let mut pair = Pair::new(links(1, 1), links(2, 1));
    let hello = frames(&pair.a.tick(1_000), 2);
    let answer = frames(&pair.give_b(&hello[0]), 1);
    for frame in &old {
        pair.give_b(frame);
    }
    // The half-finished session was pushed out; A's confirmation finds nothing.
    let confirmation = frames(&pair.give_a(&answer[0]), 2);
    assert!(pair.give_b(&confirmation[0]).is_empty());
    pair.run(6);
    assert!(pair.talks());
}

#[test]
fn a_later_hello_of_the_same_process_does_not_reset_the_session() {
    let mut pair = Pair::up();
    // A hears nothing, and offers a new session as well.
    let mut hellos = Vec::new();
    for now_ms in [2_700, 3_300, 3_900] {
        hellos.extend(frames(&pair.a.tick(now_ms), 2).into_iter().filter(|f| f[0] == HELLO));
    }
    hellos.dedup();
    assert!(hellos.len() > 1);
    for hello in hellos {
        assert!(ups(&pair.give_b(&hello)).is_empty());
    }
    assert!(pair.talks());
}

#[test]
fn a_twin_with_the_older_session_halts() {
    let mut pair = Pair::up();
    let twin = Pair::up().a;
    for _ in 0..3 {
        assert!(pair.talks());
    }
    pair.a = twin;
    let frame = pair.a.send(replica(2, 1), b"from the past");
    assert!(pair.give_b(&frame[0]).is_empty(), "its counter was spent");
    let proof = pair.b.send(replica(1, 1), b"anything");
    let events = pair.give_a(&proof[0]);
    assert_eq!(events, [LinkEvent::Halt(Halt::RolledBack)]);
    assert!(pair.a.send(replica(2, 1), b"x").is_empty());
    assert!(pair.a.tick(1 << 40).is_empty());
    assert!(pair.give_a(&proof[0]).is_empty());
}

#[test]
fn a_responder_put_back_within_a_session_halts() {
    let mut pair = Pair::up();
    let twin = Pair::up().b;
    assert!(pair.talks());
    pair.b = twin;
    pair.run(6);
    assert!(halted(&pair.at_b));
}

#[test]
fn idle_traffic_does_not_let_a_twin_catch_up_unseen() {
    // Ten frames were lost with the memory; keepalives would reach that counter in five seconds.
    for a_was_put_back in [true, false] {
        let mut pair = Pair::up();
        let twin = Pair::up();
        for _ in 0..10 {
            assert!(pair.talks());
        }
        if a_was_put_back {
            pair.a = twin.a
        } else {
            pair.b = twin.b
        }
        let (of_a, of_b) = (pair.at_a.len(), pair.at_b.len());
        // Nothing is delivered until the counters are level.
        for _ in 0..10 {
            pair.now_ms += 500;
            if a_was_put_back {
                pair.a.tick(pair.now_ms)
            } else {
                pair.b.tick(pair.now_ms)
            };
        }
        pair.run(6);
        assert_eq!(halted(&pair.at_a[of_a..]), a_was_put_back);
        assert_eq!(halted(&pair.at_b[of_b..]), !a_was_put_back);
    }
}

#[test]
fn an_initiator_put_back_to_before_the_session_halts() {
    let mut pair = Pair::up();
    assert!(pair.talks());
    let before = pair.at_a.len();
    pair.a = links(1, 1);
    pair.run(6);
    assert!(halted(&pair.at_a[before..]));
}

#[test]
fn a_responder_put_back_to_before_the_session_halts() {
    let mut pair = Pair::up();
    assert!(pair.talks());
    let before = pair.at_b.len();
    pair.b = links(2, 1);
    pair.run(30);
    assert!(halted(&pair.at_b[before..]));
}

#[test]
fn a_responder_put_back_and_fed_its_old_frames_says_nothing_new_and_halts() {
    let mut pair = Pair::up();
    assert!(pair.talks());
    let recorded = pair.to_b.clone();
    pair.b = links(2, 1);
    let mut said = Vec::new();
    for frame in &recorded {
        said.extend(frames(&pair.give_b(frame), 1));
    }
    for frame in said {
        assert!(messages(&pair.give_a(&frame)).is_empty());
    }
    let proof = pair.a.send(replica(2, 1), b"now");
    assert!(halted(&pair.give_b(&proof[0])));
}

#[test]
fn two_processes_of_one_node_do_not_share_a_link() {
    let mut pair = Pair::up();
    let mut second = links(2, 2);
    let frame = sealed(&mut pair, b"for the first").remove(0);
    assert!(second.on_frame(0, 1, &frame).is_empty());
    // An answer of the second to the first's session hello is for nobody.
    let answer = second.on_frame(0, 1, &Pair::last(&pair.to_b, HELLO));
    for bytes in frames(&answer, 1) {
        assert!(pair.give_a(&bytes).is_empty());
    }
    assert!(pair.talks());
}
