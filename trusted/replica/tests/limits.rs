//! What is too large, and what nobody may ask of a process without a seat.

mod sim;

use sim::{Sim, Weather, WhichDisk};
use strongroom_replica::{CompactError, ProposeError, ReplicaEvent, Role};

#[test]
fn what_is_larger_than_an_entry_may_be_is_not_proposed() {
    let mut sim = Sim::fleet(91, Weather::CALM);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let last = sim.replica(leader).unwrap().last_index();
    let replica = sim.at(leader).replica.as_mut().unwrap();
    let refused = replica.propose(vec![0; 128 * 1024 + 1], [1; 32]).err();
    assert_eq!(refused, Some(ProposeError::TooLarge));
    assert_eq!(replica.last_index(), last);
}

#[test]
fn a_leader_that_commits_nothing_takes_sixteen_megabytes_and_no_more() {
    let mut sim = Sim::fleet(94, Weather::CALM);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let replica = sim.at(leader).replica.as_mut().unwrap();
    let mut propose = || replica.propose(vec![0; 128 * 1024], [1; 32]);
    let taken = (0..200).take_while(|_| propose().is_ok()).count();
    assert_eq!(taken, 16 * 1024 / 128);
    assert_eq!(propose().err(), Some(ProposeError::Busy));
}

#[test]
fn a_process_that_nobody_admitted_gives_no_state() {
    let mut sim = Sim::fleet(92, Weather::CALM);
    sim.boot(3, WhichDisk::Todays);
    let replica = sim.at(3).replica.as_mut().unwrap();
    assert_eq!(replica.compact(1, Vec::new(), Vec::new()), Err(CompactError::NotRunning));
    assert_eq!(replica.provide_snapshot(1, Vec::new(), Vec::new()), Err(CompactError::NotRunning));
}

#[test]
fn a_state_that_fits_no_frame_is_told_of_and_the_fleet_goes_on_without_the_new_process() {
    let mut sim = Sim::fleet(93, Weather::CALM);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let n = if leader == 3 { 2 } else { 3 };
    sim.padding = 8 << 20;
    sim.boot(n, WhichDisk::Empty);
    let told = |sim: &Sim| {
        let large = |e: &ReplicaEvent| matches!(e, ReplicaEvent::SnapshotTooLarge { bytes } if *bytes > 8 << 20);
        sim.see(leader).events.iter().filter(|e| large(e)).count()
    };
    sim.until("it is told when it is given", 10_000, |sim| told(sim) == 1);
    // Long before it is given for the second time.
    sim.until("it is told when it should have left", 1_000, |sim| told(sim) == 2);
    assert_eq!(sim.role(n), Some(Role::Learner));
    sim.commit_one();
    sim.padding = 0;
    sim.until("a smaller one comes", 30_000, Sim::all_vote);
}
