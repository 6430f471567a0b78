//! One honest message of each type, and for each check a message that it alone refuses.

#![cfg(test)]

use alloc::collections::BTreeSet;
use alloc::vec;
use alloc::vec::Vec;

use raft::eraftpb::{Entry, HardState, Message, MessageType, Snapshot};

use super::*;
use crate::NodeId;
use crate::log::Base;

fn id(node: u8) -> ReplicaId {
    ReplicaId::new(NodeId::new(node).unwrap(), 1).unwrap()
}

fn entry(index: u64, term: u64, data: &[u8]) -> Entry {
    codec::entry(1, index, term, data, &[1; 32]).unwrap()
}

/// Entries 2..=6 after a snapshot at 1; terms 1, 1, 2, 2, 3.
fn log() -> Log {
    let seats = Seats { voters: (1..=7).map(|n| id(n).as_u64()).collect(), ..Seats::default() };
    let mut log = Log::new(
        Base { index: 1, term: 1, hash: [0; 32] },
        Vec::new(),
        seats,
        HardState::default(),
    );
    let entries: Vec<Entry> =
        [1, 1, 2, 2, 3].iter().zip(2..).map(|(t, i)| entry(i, *t, b"x")).collect();
    log.append(&entries).unwrap();
    log
}

/// Node 1 follows node 2 in term 3; entry 4 is committed.
fn judge(change: impl FnOnce(&mut View<'_>), frame: &Frame) -> Verdict {
    let (log, superseded) = (log(), BTreeSet::from([id(5).as_u64()]));
    let mut view = View {
        id: id(1),
        era: 1,
        term: 3,
        leader: id(2).as_u64(),
        commit: 4,
        log: &log,
        superseded: &superseded,
    };
    change(&mut view);
    let link = ReplicaId::from_u64(frame.message.from).unwrap_or(id(2));
    check(&view, link, frame)
}

fn frame(kind: MessageType) -> Frame {
    let mut m = Message::default();
    m.msg_type = kind;
    (m.from, m.to, m.term) = (id(2).as_u64(), id(1).as_u64(), 3);
    Frame { era: 1, hash: None, message: m }
}

fn append() -> Frame {
    let mut f = frame(MessageType::MsgAppend);
    (f.message.index, f.message.log_term, f.message.commit) = (6, 3, 4);
    f.hash = log().hash_at(6);
    f.message.set_entries(vec![entry(7, 3, b"y"), entry(8, 3, b"z")].into());
    f
}

fn heartbeat() -> Frame {
    let mut f = frame(MessageType::MsgHeartbeat);
    f.message.commit = 5;
    f.hash = log().hash_at(5);
    f
}

fn snapshot_of(seats: &Seats, index: u64, term: u64) -> Frame {
    let mut f = frame(MessageType::MsgSnapshot);
    f.hash = Some([8; 32]);
    let mut s = Snapshot::default();
    s.data = codec::encode_snapshot_body(&[8; 32], b"state", b"").unwrap().into();
    (s.mut_metadata().index, s.mut_metadata().term) = (index, term);
    s.mut_metadata().set_conf_state(seats.to_conf());
    f.message.set_snapshot(s);
    f
}

fn snapshot() -> Frame {
    snapshot_of(&log().seats, 20, 3)
}

fn request_vote() -> Frame {
    let mut f = frame(MessageType::MsgRequestVote);
    f.message.term = 4;
    (f.message.index, f.message.log_term, f.message.commit, f.message.commit_term) = (6, 3, 4, 2);
    f
}

fn acknowledge() -> Frame {
    let mut f = frame(MessageType::MsgAppendResponse);
    f.message.index = 6;
    f
}

fn dropped(frame: Frame, change: impl FnOnce(&mut Frame)) -> Verdict {
    let mut frame = frame;
    change(&mut frame);
    judge(|_| {}, &frame)
}

#[test]
fn honest_messages_pass() {
    for f in [append(), heartbeat(), snapshot(), request_vote(), acknowledge()] {
        assert_eq!(judge(|_| {}, &f), Verdict::Accept, "{:?}", f.message.msg_type);
    }
    for kind in [
        MessageType::MsgHeartbeatResponse,
        MessageType::MsgRequestVoteResponse,
        MessageType::MsgRequestPreVoteResponse,
    ] {
        assert_eq!(judge(|_| {}, &frame(kind)), Verdict::Accept);
    }
}

#[test]
fn eras_keep_apart() {
    assert_eq!(dropped(append(), |f| f.era = 0), Verdict::Drop(Refusal::OldEra));
    assert_eq!(dropped(append(), |f| f.era = 2), Verdict::Halt(Halt::SupersededEra));
}

#[test]
fn messages_for_or_from_somebody_else_are_dropped() {
    assert_eq!(
        dropped(append(), |f| f.message.to = id(3).as_u64()),
        Verdict::Drop(Refusal::NotForMe)
    );
    let (log, superseded) = (log(), BTreeSet::new());
    let view = View {
        id: id(1),
        era: 1,
        term: 3,
        leader: 0,
        commit: 4,
        log: &log,
        superseded: &superseded,
    };
    assert_eq!(check(&view, id(3), &append()), Verdict::Drop(Refusal::WrongSender));
    assert_eq!(
        dropped(append(), |f| f.message.from = id(1).as_u64()),
        Verdict::Drop(Refusal::WrongSender)
    );
    let seat = ReplicaId::placeholder(NodeId::new(2).unwrap()).as_u64();
    assert_eq!(dropped(append(), |f| f.message.from = seat), Verdict::Drop(Refusal::WrongSender));
}

#[test]
fn inv5_a_replaced_process_is_not_heard() {
    assert_eq!(
        dropped(request_vote(), |f| f.message.from = id(5).as_u64()),
        Verdict::Drop(Refusal::Superseded)
    );
}

#[test]
fn inv4_term_zero_and_huge_numbers_are_dropped() {
    assert_eq!(dropped(append(), |f| f.message.term = 0), Verdict::Drop(Refusal::BadNumber));
    let huge = 1 << 62;
    let sets: [fn(&mut Message, u64); 6] = [
        |m, n| m.term = n,
        |m, n| m.log_term = n,
        |m, n| m.index = n,
        |m, n| m.commit = n,
        |m, n| m.commit_term = n,
        |m, n| m.reject_hint = n,
    ];
    for set in sets {
        assert_eq!(
            dropped(acknowledge(), |f| set(&mut f.message, huge)),
            Verdict::Drop(Refusal::BadNumber)
        );
    }
}

#[test]
fn fields_of_another_type_are_dropped() {
    let stray = Verdict::Drop(Refusal::StrayField);
    assert_eq!(
        dropped(heartbeat(), |f| f.message.set_entries(vec![entry(7, 3, b"")].into())),
        stray
    );
    assert_eq!(dropped(append(), |f| f.message.set_snapshot(Snapshot::default())), stray);
    assert_eq!(dropped(append(), |f| f.hash = None), stray);
    assert_eq!(dropped(acknowledge(), |f| f.hash = Some([0; 32])), stray);
    assert_eq!(dropped(heartbeat(), |f| f.message.index = 3), stray);
    assert_eq!(dropped(append(), |f| f.message.reject = true), stray);
    assert_eq!(dropped(request_vote(), |f| f.message.reject_hint = 1), stray);
    let mut bare = frame(MessageType::MsgSnapshot);
    bare.hash = Some([8; 32]);
    assert_eq!(judge(|_| {}, &bare), stray);
}

#[test]
fn entries_out_of_order_are_dropped() {
    let bad = Verdict::Drop(Refusal::BadEntries);
    let with = |entries: Vec<Entry>| dropped(append(), |f| f.message.set_entries(entries.into()));
    assert_eq!(with(vec![entry(8, 3, b"")]), bad, "gap");
    assert_eq!(with(vec![entry(7, 3, b""), entry(7, 3, b"")]), bad, "twice");
    assert_eq!(with(vec![entry(7, 0, b"")]), bad, "term 0");
    assert_eq!(with(vec![entry(7, 2, b"")]), bad, "below the previous term");
    assert_eq!(with(vec![entry(7, 4, b"")]), bad, "above the message's term");
    assert_eq!(dropped(append(), |f| f.message.index = 0), bad);
    assert_eq!(dropped(append(), |f| f.message.log_term = 0), bad);
    assert_eq!(dropped(append(), |f| f.message.log_term = 4), bad);
}

#[test]
fn votes_that_contradict_themselves_are_dropped() {
    let bad = Verdict::Drop(Refusal::BadVote);
    assert_eq!(dropped(request_vote(), |f| f.message.log_term = 4), bad);
    assert_eq!(dropped(request_vote(), |f| f.message.commit = 7), bad);
    assert_eq!(dropped(request_vote(), |f| f.message.commit_term = 4), bad);
    assert_eq!(dropped(request_vote(), |f| f.message.index = 0), bad);
}

#[test]
fn inv2_acknowledgements_of_what_was_never_sent_are_dropped() {
    let bad = Verdict::Drop(Refusal::FalseAcknowledgement);
    assert_eq!(dropped(acknowledge(), |f| f.message.index = 7), bad);
    assert_eq!(dropped(acknowledge(), |f| f.message.reject_hint = 7), bad);
}

#[test]
fn snapshots_that_do_not_fit_together_are_dropped() {
    let bad = Verdict::Drop(Refusal::BadSnapshot);
    let seats = log().seats;
    let judged = |seats: &Seats, index, term| judge(|_| {}, &snapshot_of(seats, index, term));
    assert_eq!(judged(&seats, 0, 3), bad);
    assert_eq!(judged(&seats, 20, 0), bad);
    assert_eq!(judged(&seats, 20, 4), bad);
    assert_eq!(judged(&Seats::default(), 20, 3), bad, "no voters");
    let without_me = Seats { voters: vec![id(2).as_u64()], ..Seats::default() };
    assert_eq!(judged(&without_me, 20, 3), bad);
    let both = Seats { learners: vec![id(3).as_u64()], ..seats.clone() };
    assert_eq!(judged(&both, 20, 3), bad, "voter and learner");
    let double = Seats { learners: vec![id(9).as_u64(), id(9).as_u64()], ..seats.clone() };
    assert_eq!(judged(&double, 20, 3), bad);
    let zero = Seats { learners: vec![0], ..seats.clone() };
    assert_eq!(judged(&zero, 20, 3), bad);
    let next = Seats { learners_next: vec![id(3).as_u64()], ..seats };
    assert_eq!(judged(&next, 20, 3), bad);
    assert_eq!(dropped(snapshot(), |f| f.hash = Some([9; 32])), bad);
    let cut = |f: &mut Frame| f.message.mut_snapshot().data = b"cut"[..].to_vec().into();
    assert_eq!(dropped(snapshot(), cut), bad);
}

#[test]
fn inv4_two_leaders_in_one_term_stop_who_sees_it() {
    let halt = Verdict::Halt(Halt::TwoLeaders);
    for f in [append(), heartbeat(), snapshot()] {
        assert_eq!(judge(|v| v.leader = id(3).as_u64(), &f), halt);
        assert_eq!(judge(|v| v.leader = id(1).as_u64(), &f), halt, "I lead this term");
        assert_eq!(judge(|v| v.leader = 0, &f), Verdict::Accept);
    }
}

#[test]
fn inv4_a_leader_that_counts_on_entries_that_are_gone_proves_a_rollback() {
    let counts = |f: &mut Frame| (f.message.commit, f.hash) = (7, None);
    assert_eq!(dropped(heartbeat(), counts), Verdict::Halt(Halt::RolledBack));
}

#[test]
fn inv4_another_history_at_a_committed_position_stops_the_replica() {
    let halt = Verdict::Halt(Halt::Diverged);
    // Entry 4 is committed here with term 2.
    let other_term = |f: &mut Frame| {
        (f.message.index, f.message.log_term) = (4, 3);
        f.message.set_entries(Vec::new().into());
    };
    assert_eq!(dropped(append(), other_term), halt);
    let overwrites = |f: &mut Frame| {
        (f.message.index, f.message.log_term, f.hash) = (3, 1, log().hash_at(3));
        f.message.set_entries(vec![entry(4, 3, b"x")].into());
    };
    assert_eq!(dropped(append(), overwrites), halt);
    let old_snapshot = snapshot_of(&log().seats, 4, 3);
    assert_eq!(judge(|_| {}, &old_snapshot), halt);
    assert_eq!(dropped(heartbeat(), |f| f.hash = Some([7; 32])), halt);
}

#[test]
fn inv4_same_term_and_index_but_another_entry_stops_the_replica() {
    // The library acknowledges this unseen; only the chain knows.
    let halt = Verdict::Halt(Halt::Diverged);
    assert_eq!(dropped(append(), |f| f.hash = Some([7; 32])), halt);
    let forked = |f: &mut Frame| {
        (f.message.index, f.message.log_term, f.hash) = (5, 2, log().hash_at(5));
        f.message.set_entries(vec![entry(6, 3, b"other")].into());
    };
    assert_eq!(dropped(append(), forked), halt);
    assert_eq!(judge(|_| {}, &snapshot_of(&log().seats, 5, 2)), halt);
}

#[test]
fn an_uncommitted_tail_gives_way() {
    let replaces = |f: &mut Frame| {
        (f.message.index, f.message.log_term, f.hash) = (4, 2, log().hash_at(4));
        f.message.set_entries(vec![entry(5, 3, b"new"), entry(6, 3, b"new")].into());
    };
    assert_eq!(dropped(append(), replaces), Verdict::Accept);
    let repeats = |f: &mut Frame| {
        (f.message.index, f.message.log_term, f.hash) = (4, 2, log().hash_at(4));
        f.message.set_entries(vec![entry(5, 2, b"x"), entry(6, 3, b"x")].into());
    };
    assert_eq!(dropped(append(), repeats), Verdict::Accept);
}

#[test]
fn an_append_without_the_hash_that_it_hangs_on_is_dropped() {
    let mut bare = append();
    bare.hash = None;
    assert_eq!(judge(|_| {}, &bare), Verdict::Drop(Refusal::StrayField));
}
