//! Where a session's numbers end, and what a peer says that no peer should.

#![cfg(test)]

use super::*;
use crate::frame::Frame;

const PEER: ReplicaId = (2 << 56) | 1;

/// One end. Both ends are given the same keys, so that each hears the other.
fn end(outbound: u8, inbound: u8) -> Session {
    let direction = |key| Direction::new(Zeroizing::new([key; 32]));
    let (outbound, inbound) = (direction(outbound), direction(inbound));
    Session::new(Established { outbound, inbound, session: [5; ID], peer: PEER }, 0)
}

fn pair() -> (Session, Session) {
    (end(1, 2), end(2, 1))
}

fn hear(at: &mut Session, frame: &[u8]) -> Heard {
    match Frame::parse(frame) {
        Some(Frame::Data(data)) => at.hear(0, &data),
        _ => panic!("no data frame"),
    }
}

/// A frame that the peer sealed itself, whatever it says.
fn sealed(by: &Session, counter: u64, text: &[u8]) -> Vec<u8> {
    let mut text = text.to_vec();
    let tag = by.outbound.seal(counter, &mut text).unwrap();
    let header = frame::data(by.id, by.outbound.period(), counter, text.len() + TAG);
    [header, text, tag.to_vec()].concat()
}

#[test]
fn inv7_a_key_that_cannot_be_replaced_seals_nothing_more() {
    let (mut ours, _) = pair();
    ours.outbound = Direction::danger_at(Zeroizing::new([1; 32]), u64::MAX);
    assert!(ours.keepalive(0).is_some());
    ours.rekey();
    assert!(ours.keepalive(0).is_none());
    assert!(ours.send(0, b"under the key that should be gone").is_empty());
}

#[test]
fn the_last_number_of_a_message_is_followed_by_none() {
    let (mut ours, mut theirs) = pair();
    ours.messages = u64::MAX - 1;
    let last = ours.send(0, b"last");
    assert!(matches!(hear(&mut theirs, &last[0]), Heard::Frame(Some(text)) if text == b"last"));
    assert!(ours.send(0, b"one more").is_empty());
    assert!(ours.keepalive(0).is_some(), "the session itself goes on");
}

#[test]
fn a_frame_that_opens_and_holds_no_part_changes_nothing() {
    let (mut ours, theirs) = pair();
    for text in [&b""[..], b"short", &[0xff; 41]] {
        assert!(matches!(hear(&mut ours, &sealed(&theirs, 7, text)), Heard::Nothing));
    }
    assert!(!ours.was_heard());
    let whole = Part { acknowledged: 0, acknowledged_tag: [0; TAG], body: None }.encode();
    assert!(matches!(hear(&mut ours, &sealed(&theirs, 1, &whole)), Heard::Frame(None)));
}

/// The peer's acknowledgement of the frame with this number and tag.
fn acknowledgement(by: &Session, counter: u64, of: (u64, [u8; TAG])) -> Vec<u8> {
    let part = Part { acknowledged: of.0, acknowledged_tag: of.1, body: None };
    sealed(by, counter, &part.encode())
}

#[test]
fn a_peer_that_acknowledges_nothing_costs_so_many_tags_and_its_late_word_proves_nothing() {
    let (mut ours, theirs) = pair();
    let tag = |frame: Vec<u8>| *frame.last_chunk::<TAG>().unwrap();
    let tags: Vec<[u8; TAG]> =
        (0..=MAX_TAGS + 1).map(|_| tag(ours.keepalive(0).unwrap())).collect();
    assert_eq!(ours.tags.len(), MAX_TAGS + 1);
    // Too old to be compared: whatever it says, this process is not stopped by it.
    let forgotten = acknowledgement(&theirs, 1, (1, [0xee; TAG]));
    assert!(matches!(hear(&mut ours, &forgotten), Heard::Frame(None)));
    let kept = acknowledgement(&theirs, 2, (2, tags[1]));
    assert!(matches!(hear(&mut ours, &kept), Heard::Frame(None)));
    let other = acknowledgement(&theirs, 3, (3, [0xee; TAG]));
    assert!(matches!(hear(&mut ours, &other), Heard::RolledBack));
}
