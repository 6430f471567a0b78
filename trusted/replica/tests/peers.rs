//! Bytes from peers that no honest peer sent.

mod sim;

use proptest::prelude::*;
use sim::{Sim, Weather};
use strongroom_replica::{Event, Refusal, ReplicaEvent, ReplicaId, Role};

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
            assert_eq!(out.role, Role::Joining);
        }
    }
}

/// `[2, era, term, seats]`: what a leader says to a process that it lets in.
fn welcome(era: u64, term: u64, by: ReplicaId, learner: ReplicaId) -> Vec<u8> {
    let mut e = minicbor::Encoder::new(Vec::new());
    e.array(4).unwrap().u8(2).unwrap().u64(era).unwrap().u64(term).unwrap();
    e.array(4).unwrap();
    for ids in [&[by][..], &[], &[learner], &[]] {
        e.array(ids.len() as u64).unwrap();
        for id in ids {
            e.u64(id.as_u64()).unwrap();
        }
    }
    e.into_writer()
}

#[test]
fn inv4_a_welcome_from_no_era_from_no_term_or_from_an_era_that_is_over_is_refused() {
    let mut sim = Sim::fleet(4, Weather::CALM);
    sim.commit_one();
    sim.cold_start(&[1, 2, 3, 4, 5, 6, 7], 2);
    sim.commit_one();
    sim.boot(3, sim::WhichDisk::Todays);
    let (by, own) = (sim.replica(2).unwrap().id(), sim.replica(3).unwrap().id());
    let now = sim.now;
    let mut say = |era, term| {
        let event = Event::Peer { from: by, bytes: welcome(era, term, by, own) };
        let out = sim.at(3).replica.as_mut().unwrap().step(now, event);
        let refused = |event: &ReplicaEvent| match event {
            ReplicaEvent::Dropped { reason, .. } => Some(*reason),
            _ => None,
        };
        (out.role, out.events.iter().find_map(refused))
    };
    for (era, term) in [(0, 9), (2, 0), (1 << 62, 9), (2, 1 << 62)] {
        assert_eq!(say(era, term), (Role::Joining, Some(Refusal::BadNumber)), "{era}, {term}");
    }
    assert_eq!(say(1, 9), (Role::Joining, Some(Refusal::OldEra)), "its disk knows of era 2");
    assert_eq!(say(2, 9), (Role::Learner, None));
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
            if sim.replica(to).is_none_or(|r| r.role() == Role::Halted) {
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
