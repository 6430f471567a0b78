//! Where counters end, and how much is remembered.

#![cfg(test)]

use alloc::vec;

use super::*;
use crate::seal::{Kind, Place};
use crate::{Event, Start};

/// A fleet of one node that leads, with its disk up to date.
fn alone() -> Replica {
    let node = NodeId::new(1).unwrap();
    let config = Config {
        node,
        id: ReplicaId::new(node, 1).unwrap(),
        fleet: "alone".into(),
        nodes: vec![node],
        rollback_tolerance: 0,
        seed: [1; 32],
        sealing_root: [2; 32],
        cell: None,
        tick_ms: 100,
        max_frame: 8 << 20,
    };
    let mut replica = Replica::new(config, DiskImage::default()).unwrap();
    let positions = vec![replica.position()];
    let mut out = replica.start(0, Start { era: 1, positions }).unwrap();
    for tick in 1.. {
        while let Some(persist) = out.persist.take() {
            out = replica.step(tick * 100, Event::Persisted { number: persist.number });
        }
        if replica.ready_to_serve() {
            return replica;
        }
        assert!(tick < 100, "it does not lead");
        out = replica.step(tick * 100, Event::Tick);
    }
    replica
}

/// Seals until so many nonces of this process are left.
fn leave(replica: &mut Replica, nonces: u64) {
    replica.sealer.danger_skip_to(u64::MAX - nonces);
}

/// It says so and stops, and hands over nothing that was sealed halfway.
fn exhausted(replica: &mut Replica) {
    let out = replica.step(60_000, Event::Tick);
    assert_eq!((out.halted, out.role), (Some(Halt::Exhausted), Role::Halted));
    assert!(out.persist.is_none() && out.messages.is_empty() && out.released.is_empty());
    assert!(replica.sealer.seal(Kind::Meta, 0, Place::ONLY, b"again").is_none());
}

#[test]
fn a_process_without_a_nonce_for_an_entry_its_salt_or_its_mark_stops() {
    // An entry, its salt, and the mark of what the batch made durable.
    for nonces in 0..3 {
        let mut replica = alone();
        leave(&mut replica, nonces);
        replica.propose(b"charge".to_vec(), [7; 32]).unwrap();
        exhausted(&mut replica);
    }
    let mut replica = alone();
    leave(&mut replica, 3);
    replica.propose(b"charge".to_vec(), [7; 32]).unwrap();
    let out = replica.step(60_000, Event::Tick);
    assert!(out.halted.is_none() && out.persist.is_some(), "three are enough");
}

#[test]
fn inv7_a_process_without_a_nonce_for_a_compaction_stops_and_keeps_the_old_key() {
    // The state, its salts, the salt of an entry that is not applied yet, and the mark.
    let compacted = |nonces| {
        let mut replica = alone();
        replica.propose(b"charge".to_vec(), [7; 32]).unwrap();
        assert!(replica.step(60_000, Event::Tick).persist.is_some(), "the disk has not answered");
        leave(&mut replica, nonces);
        let index = replica.applied_index();
        replica.compact(index, b"state".to_vec(), b"salts".to_vec()).unwrap();
        // The batch before must be settled, or this one would wait for it.
        replica.persisted(replica.batches.danger_count());
        replica
    };
    for nonces in 0..4 {
        let mut replica = compacted(nonces);
        exhausted(&mut replica);
        assert!(replica.erasure.in_progress(), "the disk still needs the old key");
    }
    let out = compacted(4).step(60_000, Event::Tick);
    assert!(out.halted.is_none() && out.persist.is_some(), "four are enough");
}

#[test]
fn so_many_replaced_processes_are_remembered_and_the_oldest_goes_first() {
    let mut replica = alone();
    let seat = |nonce| ReplicaId::new(NodeId::new(2).unwrap(), nonce).unwrap().as_u64();
    for nonce in 1..=SUPERSEDED_KEPT as u64 + 2 {
        let before = Seats { voters: vec![seat(nonce)], ..Seats::default() };
        let after = Seats { voters: vec![seat(nonce + 1)], ..Seats::default() };
        replica.remember_superseded(&before, &after);
    }
    assert_eq!(replica.superseded.len(), SUPERSEDED_KEPT);
    assert!(!replica.superseded.contains(&seat(2)));
    assert!(replica.superseded.contains(&seat(3)));
}
