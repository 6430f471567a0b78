//! What a session does when nobody attacks it.

mod support;

use strongroom_link::{Config, ConfigError, Links, MAX_FRAME, MAX_MESSAGE, public_key};
use support::{ANSWER, DATA, HELLO, Pair, config, frames, halted, links, messages, replica, ups};

#[test]
fn two_processes_meet_and_talk() {
    let mut pair = Pair::up();
    assert_eq!(ups(&pair.at_a), [replica(2, 1)]);
    assert_eq!(ups(&pair.at_b), [replica(1, 1)]);
    assert!(pair.talks());
    pair.run(100);
    assert!(pair.talks());
    assert_eq!(
        ups(&pair.at_a).len() + ups(&pair.at_b).len(),
        2,
        "nothing was renewed in ten seconds"
    );
}

#[test]
fn frames_have_the_documented_sizes() {
    let pair = Pair::up();
    assert_eq!(Pair::last(&pair.to_b, HELLO).len(), 1 + 32 + 8 + 1184 + 16);
    assert_eq!(Pair::last(&pair.to_a, ANSWER).len(), 1 + 8 + 1088 + 32 + 8 + 16);
    assert_eq!(Pair::last(&pair.to_b, DATA).len(), 1 + 8 + 8 + 8 + 41 + 16);
}

#[test]
fn the_same_seeds_give_the_same_bytes() {
    let (one, two) = (Pair::up(), Pair::up());
    assert_eq!(one.to_a, two.to_a);
    assert_eq!(one.to_b, two.to_b);
}

#[test]
fn lost_handshake_frames_are_repeated_unchanged() {
    let mut pair = Pair::new(links(1, 1), links(2, 1));
    let first = frames(&pair.a.tick(1_000), 2);
    assert!(pair.a.tick(1_400).is_empty());
    let second = frames(&pair.a.tick(1_500), 2);
    assert_eq!(first, second);
    let answer_1 = frames(&pair.give_b(&first[0]), 1);
    let answer_2 = frames(&pair.give_b(&second[0]), 1);
    assert_eq!(answer_1, answer_2);
    pair.settle(answer_2, vec![]);
    assert!(pair.talks());
}

#[test]
fn a_lost_confirmation_is_repaired() {
    let mut pair = Pair::new(links(1, 1), links(2, 1));
    let hello = frames(&pair.a.tick(1_000), 2);
    let answer = frames(&pair.give_b(&hello[0]), 1);
    let lost = pair.give_a(&answer[0]);
    assert_eq!(ups(&lost), [replica(2, 1)]);
    assert_eq!(pair.b.process_of(1), None);
    pair.run(6);
    assert_eq!(ups(&pair.at_b), [replica(1, 1)]);
    assert!(pair.talks());
}

#[test]
fn a_restarted_responder_is_found_and_the_old_process_is_gone() {
    let mut pair = Pair::up();
    pair.b = links(2, 2);
    pair.run(20);
    assert_eq!(pair.a.process_of(2), Some(replica(2, 2)));
    assert!(pair.talks());
    assert!(pair.a.send(replica(2, 1), b"to the dead").is_empty());
}

#[test]
fn a_restarted_initiator_is_found_at_once() {
    let mut pair = Pair::up();
    pair.a = links(1, 2);
    pair.run(1);
    assert_eq!(pair.b.process_of(1), Some(replica(1, 2)));
    assert!(pair.talks());
}

#[test]
fn a_partition_ends_with_the_same_session() {
    let mut pair = Pair::up();
    for _ in 0..100 {
        pair.now_ms += 100;
        pair.a.tick(pair.now_ms);
        pair.b.tick(pair.now_ms);
    }
    pair.run(10);
    assert!(pair.talks());
    assert_eq!(ups(&pair.at_a).len() + ups(&pair.at_b).len(), 2);
    assert!(!halted(&pair.at_a) && !halted(&pair.at_b));
}

#[test]
fn messages_of_every_size_arrive_whole() {
    let mut pair = Pair::up();
    let part = MAX_FRAME - 25 - 16 - 41;
    for length in [0, 1, part - 1, part, part + 1, 2 * part, 3 * part + 17] {
        let message: Vec<u8> = (0..length).map(|i| (i % 251) as u8).collect();
        let sent = pair.a.send(replica(2, 1), &message);
        assert_eq!(sent.len(), length.div_ceil(part).max(1));
        assert!(sent.iter().all(|f| f.len() <= MAX_FRAME));
        let seen = pair.at_b.len();
        pair.settle(vec![], sent);
        assert_eq!(messages(&pair.at_b[seen..]), [message]);
    }
}

#[test]
fn a_message_of_64_mib_passes_and_one_byte_more_does_not() {
    let mut pair = Pair::up();
    let mut message = vec![5; MAX_MESSAGE];
    let sent = pair.a.send(replica(2, 1), &message);
    let mut arrived = Vec::new();
    for frame in &sent {
        arrived.extend(messages(&pair.give_b(frame)));
    }
    assert!(arrived == [message.as_slice()]);
    message.push(5);
    assert!(pair.a.send(replica(2, 1), &message).is_empty());
    assert!(pair.talks(), "a refused message costs nothing");
}

#[test]
fn a_lost_fragment_costs_only_its_message() {
    let mut pair = Pair::up();
    let long = vec![1; 200_000];
    for lost in 0..4 {
        let mut sent = pair.a.send(replica(2, 1), &long);
        assert_eq!(sent.len(), 4);
        sent.remove(lost);
        sent.extend(pair.a.send(replica(2, 1), b"next"));
        let seen = pair.at_b.len();
        pair.settle(vec![], sent);
        assert_eq!(messages(&pair.at_b[seen..]), [b"next"]);
    }
}

#[test]
fn nothing_goes_to_a_process_without_a_session() {
    let mut pair = Pair::up();
    for to in [replica(2, 9), replica(3, 1), replica(1, 1), 0, u64::MAX] {
        assert!(pair.a.send(to, b"x").is_empty());
    }
}

#[test]
fn a_wrong_configuration_is_refused() {
    let refused = |change: fn(&mut Config)| {
        let mut config = config(1, 1);
        change(&mut config);
        Links::new(config).err()
    };
    assert_eq!(refused(|c| c.own = 0), Some(ConfigError::Own));
    assert_eq!(refused(|c| c.own = 63), Some(ConfigError::Own));
    assert_eq!(refused(|c| c.id = replica(2, 1)), Some(ConfigError::Own));
    assert_eq!(refused(|c| c.id = replica(1, 0)), Some(ConfigError::Own));
    assert_eq!(refused(|c| c.peers.push((1, [1; 32]))), Some(ConfigError::Peer(1)));
    assert_eq!(refused(|c| c.peers.push((2, [1; 32]))), Some(ConfigError::Peer(2)));
    assert_eq!(refused(|c| c.peers.push((63, [1; 32]))), Some(ConfigError::Peer(63)));
    assert_eq!(refused(|c| c.fleet.clear()), Some(ConfigError::Fleet));
    assert_eq!(refused(|c| c.fleet = "x".repeat(65)), Some(ConfigError::Fleet));
    assert_eq!(refused(|c| c.fleet.push('\n')), Some(ConfigError::Fleet));
    assert_eq!(refused(|_| ()), None);
}

#[test]
fn public_key_is_x25519_of_rfc_7748() {
    // RFC 7748 §5.2, the first step of the iterated test: scalar 9, point 9.
    let mut scalar = [0; 32];
    scalar[0] = 9;
    let expected = "422c8e7a6227d7bca1350b3e2bb7279f7897b87bb6854b783c60e80311ae3079";
    let actual: String = public_key(&scalar).iter().map(|b| format!("{b:02x}")).collect();
    assert_eq!(actual, expected);
}

#[test]
fn an_answer_that_comes_when_the_peer_was_heard_begins_no_second_session() {
    let mut pair = Pair::new(links(1, 1), links(2, 1));
    let hello = frames(&pair.a.tick(1_000), 2);
    let answer = frames(&pair.give_b(&hello[0]), 1);
    let confirm = frames(&pair.give_a(&answer[0]), 2);
    // What the first process says is held back, until it begins anew.
    let mut again = Vec::new();
    while again.is_empty() && pair.now_ms < 60_000 {
        pair.now_ms += 500;
        let sent = frames(&pair.a.tick(pair.now_ms), 2);
        again = sent.into_iter().filter(|frame| frame[0] == HELLO).collect();
    }
    let late = frames(&pair.give_b(again.last().expect("a hello")), 1);
    // The first session is heard after all, and then comes the answer to the second hello.
    for frame in confirm {
        pair.give_b(&frame);
    }
    assert_eq!(pair.b.process_of(1), Some(replica(1, 1)));
    let said = pair.b.send(replica(1, 1), b"here");
    let heard: Vec<_> = said.iter().flat_map(|frame| pair.give_a(frame)).collect();
    assert_eq!(messages(&heard), [b"here".to_vec()]);
    let events = pair.give_a(&late[0]);
    assert_eq!((ups(&events), frames(&events, 2)), (vec![], Vec::<Vec<u8>>::new()));
}

#[test]
fn inv5_a_replaced_process_whose_memory_was_put_back_gets_no_session_by_an_answer() {
    let mut pair = Pair::up();
    pair.b = links(2, 2);
    pair.run(100);
    assert_eq!(pair.a.process_of(2), Some(replica(2, 2)));
    // The new one is silent; its host carries the next hello to the old one, whose memory it put back.
    let mut old = links(2, 1);
    let mut again = Vec::new();
    while again.is_empty() && pair.now_ms < 120_000 {
        pair.now_ms += 500;
        let sent = frames(&pair.a.tick(pair.now_ms), 2);
        again = sent.into_iter().filter(|frame| frame[0] == HELLO).collect();
    }
    let hello = again.last().expect("a hello");
    let answers = frames(&old.on_frame(pair.now_ms, 1, hello), 1);
    assert_eq!(answers.iter().map(|frame| frame[0]).collect::<Vec<_>>(), [ANSWER]);
    let events = pair.give_a(&answers[0]);
    assert_eq!((ups(&events), frames(&events, 2)), (vec![], Vec::<Vec<u8>>::new()));
    assert_ne!(pair.a.process_of(2), Some(replica(2, 1)));
}
