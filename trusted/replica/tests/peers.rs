//! Bytes from peers that no honest peer sent.

mod sim;

use proptest::prelude::*;
use sim::{Sim, Weather};
use strongroom_replica::{Event, ReplicaId};

/// Every frame that a working fleet exchanges in a while.
fn overheard(seed: u64) -> (Sim, Vec<(ReplicaId, ReplicaId, Vec<u8>)>) {
    let mut sim = Sim::fleet(seed, Weather::CALM);
    sim.overheard = Some(Vec::new());
    let n = if sim.leader() == Some(3) { 2 } else { 3 };
    (0..5).for_each(|_| {
        sim.commit_one();
    });
    sim.boot(n, sim::WhichDisk::Todays);
    sim.until("all vote", 30_000, Sim::all_vote);
    let leader = sim.leader().unwrap();
    sim.crash(leader);
    sim.commit_one();
    let frames = sim.overheard.take().unwrap();
    (sim, frames)
}

#[test]
fn inv4_a_new_process_answers_nothing_that_was_meant_for_the_old_one() {
    // Requests for votes, appends, heartbeats, snapshots: whatever its disk says, and whoever they were meant for.
    for which in [sim::WhichDisk::Todays, sim::WhichDisk::Older, sim::WhichDisk::Empty] {
        let (mut sim, frames) = overheard(3);
        sim.boot(6, which);
        for (from, _, bytes) in frames.iter().filter(|f| f.0.node().number() != 6) {
            let now = sim.now;
            let event = Event::Peer { from: *from, bytes: bytes.clone() };
            let out = sim.at(6).replica.as_mut().unwrap().step(now, event);
            assert!(out.messages.iter().all(|(to, _)| to.is_placeholder()));
            assert!(out.persist.is_none() && out.applied.is_empty() && out.install.is_none());
            assert_eq!(out.role, strongroom_replica::Role::Joining);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, ..ProptestConfig::default() })]

    #[test]
    fn garbage_from_a_peer_never_panics(junk in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..300), 50)) {
        let mut sim = Sim::fleet(1, Weather::CALM);
        let from = sim.replica(2).unwrap().id();
        for bytes in junk {
            sim.feed(1, Event::Peer { from, bytes });
        }
        prop_assert!(sim.see(1).halted.is_none());
        sim.commit_one();
    }

    #[test]
    fn damaged_replayed_and_misdirected_frames_never_panic(seed in any::<u64>()) {
        let (mut sim, frames) = overheard(2);
        sim.invariants = false;
        let mut dice = sim::Dice::new(seed);
        for _ in 0..3_000 {
            let (from, _, bytes) = &frames[dice.below(frames.len() as u64) as usize];
            let mut bytes = bytes.clone();
            for _ in 0..dice.below(4) {
                let at = dice.below(bytes.len() as u64) as usize;
                bytes[at] = dice.next() as u8;
            }
            let to = 1 + dice.below(7) as u8;
            if sim.replica(to).is_none_or(|r| r.role() == strongroom_replica::Role::Halted) {
                sim.boot(to, sim::WhichDisk::Todays);
            }
            let from = if dice.permille(100) { sim.see(1 + dice.below(7) as u8).last_process.unwrap() } else { *from };
            sim.feed(to, Event::Peer { from, bytes });
            if dice.permille(50) {
                sim.run(50);
            }
        }
    }
}
