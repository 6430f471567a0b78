//! What the encoding takes, and what it refuses.

#![cfg(test)]

use super::*;
use alloc::vec;
use proptest::prelude::*;

const MAX: usize = 1 << 20;

fn append() -> PeerMessage {
    let mut m = Message::default();
    m.msg_type = MessageType::MsgAppend;
    (m.from, m.to, m.term, m.log_term, m.index, m.commit) = (1, 2, 3, 3, 4, 4);
    let change = Change { era: 1, steps: vec![(Step::AddLearner, 77)] };
    let entries: Vec<Entry> = vec![
        entry(0, 5, 3, &[], &[]).unwrap(),
        entry(1, 6, 3, b"payload", &[9; 32]).unwrap(),
        entry(2, 7, 3, &encode_change(&change).unwrap(), &[]).unwrap(),
    ];
    m.set_entries(entries.into());
    PeerMessage::Raft(Frame { era: 1, hash: Some([5; 32]), message: m })
}

fn snapshot() -> PeerMessage {
    let mut m = Message::default();
    m.msg_type = MessageType::MsgSnapshot;
    (m.from, m.to, m.term) = (1, 2, 3);
    let mut s = Snapshot::default();
    s.data = encode_snapshot_body(&[1; 32], b"state", b"salts").unwrap().into();
    s.mut_metadata().index = 9;
    s.mut_metadata().term = 2;
    let seats = Seats { voters: vec![1, 2, 3], learners: vec![4], ..Seats::default() };
    s.mut_metadata().set_conf_state(seats.to_conf());
    m.set_snapshot(s);
    PeerMessage::Raft(Frame { era: 1, hash: Some([1; 32]), message: m })
}

#[test]
fn every_message_survives_its_own_encoding() {
    let seats = Seats { voters: vec![1, 2], outgoing: vec![3], ..Seats::default() };
    let all = [
        append(),
        snapshot(),
        PeerMessage::Join { id: 5, era: 0 },
        PeerMessage::Welcome { era: 1, term: 2, seats },
        PeerMessage::NewerEra { era: 3 },
    ];
    for message in all {
        let bytes = encode(&message, MAX).unwrap();
        assert_eq!(decode(&bytes, MAX), Some(message));
    }
}

#[test]
fn another_encoding_of_the_same_message_is_refused() {
    // [3, 7] with the 7 in two bytes.
    assert!(decode(&[0x82, 0x03, 0x07], MAX).is_some());
    assert!(decode(&[0x82, 0x03, 0x18, 0x07], MAX).is_none());
    assert!(decode(&[0x82, 0x03, 0x07, 0x00], MAX).is_none());
    assert!(decode(&[0x9f, 0x03, 0x07, 0xff], MAX).is_none());
}

#[test]
fn a_message_of_a_type_that_we_do_not_use_has_no_encoding() {
    for kind in
        [MessageType::MsgPropose, MessageType::MsgTransferLeader, MessageType::MsgTimeoutNow]
    {
        let mut m = Message::default();
        m.msg_type = kind;
        assert!(
            encode(&PeerMessage::Raft(Frame { era: 1, hash: None, message: m }), MAX).is_none()
        );
    }
}

#[test]
fn a_message_above_the_cap_of_a_frame_is_not_looked_at() {
    let bytes = encode(&append(), MAX).unwrap();
    assert!(decode(&bytes, bytes.len()).is_some());
    assert_eq!(decode(&bytes, bytes.len() - 1), None);
}

#[test]
fn entries_past_the_last_index_seats_and_steps_of_another_shape_are_refused() {
    let PeerMessage::Raft(mut frame) = append() else { unreachable!() };
    frame.message.index = u64::MAX;
    let bytes = encode(&PeerMessage::Raft(frame), MAX).unwrap();
    assert_eq!(decode(&bytes, MAX), None);
    // A welcome whose seats have three parts, and a change whose step has one.
    assert_eq!(decode(&[0x84, 2, 1, 2, 0x83, 0x80, 0x80, 0x80], MAX), None);
    assert!(decode(&[0x84, 2, 1, 2, 0x84, 0x80, 0x80, 0x80, 0x80], MAX).is_some());
    assert_eq!(decode_change(&[0x82, 1, 0x81, 0x81, 0]), None);
    assert!(decode_change(&[0x82, 1, 0x81, 0x82, 0, 7]).is_some());
}

#[test]
fn a_claimed_million_entries_allocates_nothing() {
    let mut e = Encoder::new(Vec::new());
    e.array(15).unwrap().u8(0).unwrap().u64(1).unwrap().u8(1).unwrap();
    for _ in 0..7 {
        e.u64(1).unwrap();
    }
    e.bool(false).unwrap().u64(0).unwrap().null().unwrap().array(1_000_000).unwrap();
    assert_eq!(decode(&e.into_writer(), MAX), None);
}

proptest! {
    #[test]
    fn garbage_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = decode(&bytes, MAX);
        let _ = decode_change(&bytes);
        let _ = decode_snapshot_body(&bytes);
    }

    #[test]
    fn a_damaged_message_is_refused_or_canonical(at in any::<prop::sample::Index>(), with in any::<u8>(), which in any::<bool>()) {
        let mut bytes = encode(&if which { append() } else { snapshot() }, MAX).unwrap();
        let at = at.index(bytes.len());
        bytes[at] = with;
        if let Some(message) = decode(&bytes, MAX) {
            prop_assert_eq!(encode(&message, MAX).unwrap(), bytes);
        }
    }
}
