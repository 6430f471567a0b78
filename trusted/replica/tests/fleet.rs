//! What a fleet does: directed scenarios.

mod sim;

use sim::{Sim, Weather, WhichDisk};
use strongroom_replica::{BootReport, Halt, ProposeError, Role, Start, StartError};

#[test]
fn genesis_elects_a_leader_and_releases_what_it_proposes() {
    let mut sim = Sim::fleet(1, Weather::CALM);
    for _ in 0..20 {
        sim.commit_one();
    }
    assert!(sim.all_vote());
    assert_eq!(sim.released.len(), 20);
}

#[test]
fn four_of_seven_can_open_a_fleet_and_the_others_join_it() {
    let mut sim = Sim::new(2, Weather::CALM);
    sim.genesis(&[1, 3, 5, 7]);
    sim.commit_one();
    sim.until("the other three vote too", 20_000, Sim::all_vote);
    sim.commit_one();
}

#[test]
fn a_restarted_node_joins_as_a_learner_and_takes_its_seat_back() {
    let mut sim = Sim::fleet(3, Weather::CALM);
    (0..10).for_each(|_| {
        sim.commit_one();
    });
    let leader = sim.leader().unwrap();
    let n = if leader == 4 { 5 } else { 4 };
    let old = sim.replica(n).unwrap().id();
    sim.boot(n, WhichDisk::Todays);
    let new = sim.replica(n).unwrap().id();
    assert_ne!(old, new);
    sim.until("it is a learner", 10_000, |s| s.role(n) == Some(Role::Learner));
    sim.until("it votes", 10_000, Sim::all_vote);
    let voters = sim.replica(sim.leader().unwrap()).unwrap().voters();
    assert!(voters.contains(&new) && !voters.contains(&old));
    assert_eq!(sim.see(n).model.count, 10);
}

#[test]
fn every_node_can_be_restarted_in_turn() {
    let mut sim = Sim::fleet(4, Weather::CALM);
    for n in 1..=7 {
        sim.commit_one();
        sim.boot(n, WhichDisk::Todays);
        sim.until("all vote again", 30_000, Sim::all_vote);
    }
    sim.commit_one();
    assert!(sim.history.len() >= 8);
}

#[test]
fn three_down_keeps_committing_and_four_down_stops() {
    let mut sim = Sim::fleet(5, Weather::CALM);
    let leader = sim.leader().unwrap();
    let others: Vec<u8> = (1..=7).filter(|n| *n != leader).collect();
    others[..3].iter().for_each(|n| sim.crash(*n));
    sim.commit_one();
    sim.crash(others[3]);
    let index = sim.propose(leader).unwrap().index;
    sim.run(30_000);
    assert!(!sim.released.contains_key(&index));
    assert_eq!(sim.leader(), None, "INV-5: a minority has no leader");
    assert!(matches!(sim.propose(leader), Err(ProposeError::NotLeader { .. })));
}

#[test]
fn inv5_a_leader_without_a_quorum_steps_down() {
    let mut sim = Sim::fleet(6, Weather::CALM);
    let leader = sim.leader().unwrap();
    let others: Vec<u8> = (1..=7).filter(|n| *n != leader).collect();
    sim.partition(&[&[leader, others[0], others[1]], &others[2..]]);
    let stranded = sim.propose(leader).unwrap().index;
    sim.until("the majority has its own leader", 20_000, |s| {
        s.leader().is_some_and(|l| others[2..].contains(&l))
    });
    sim.run(5_000);
    assert!(!sim.replica(leader).unwrap().ready_to_serve());
    sim.commit_one();
    assert!(!sim.released.contains_key(&stranded) || sim.history.iter().any(|h| h.0 == stranded));
    sim.heal();
    sim.until("all agree", 20_000, Sim::all_vote);
    sim.commit_one();
}

#[test]
fn a_partitioned_node_that_comes_back_does_not_depose_a_working_leader() {
    for seed in 0..20 {
        let mut sim = Sim::fleet(100 + seed, Weather::CALM);
        let leader = sim.leader().unwrap();
        let lonely = if leader == 7 { 6 } else { 7 };
        let rest: Vec<u8> = (1..=7).filter(|n| *n != lonely).collect();
        let term = sim.replica(leader).unwrap().term();
        sim.partition(&[&[lonely], &rest]);
        sim.run(20_000);
        sim.commit_one();
        sim.heal();
        sim.run(10_000);
        sim.commit_one();
        assert_eq!(sim.leader(), Some(leader));
        assert_eq!(sim.replica(leader).unwrap().term(), term);
        assert!(sim.all_vote());
    }
}

#[test]
fn inv8_a_cold_start_from_four_positions_loses_nothing_that_was_released() {
    for seed in 0..20 {
        let mut sim = Sim::fleet(200 + seed, Weather::CALM);
        (0..15).for_each(|_| {
            sim.commit_one();
        });
        if seed % 2 == 0 {
            let leader = sim.leader().unwrap();
            sim.compact(leader).unwrap();
        }
        sim.commit_one();
        // All processes at once.
        (1..=7).for_each(|n| sim.boot(n, WhichDisk::Todays));
        sim.run(10_000);
        assert_eq!(sim.leader(), None, "a fleet of new processes stays closed");
        assert!((1..=7).all(|n| sim.role(n) == Some(Role::Joining)));
        let listed = [[1, 2, 3, 4], [4, 5, 6, 7], [1, 3, 5, 7], [2, 4, 6, 7]][seed as usize % 4];
        sim.cold_start(&listed, 2);
        sim.commit_one();
        sim.until("the others join", 30_000, Sim::all_vote);
        for (index, payload) in sim.released.clone() {
            assert!(sim.history.iter().any(|h| h.0 == index && h.2 == payload));
        }
        let leader = sim.leader().unwrap();
        assert_eq!(sim.see(leader).model.count as usize, sim.history.len());
    }
}

#[test]
fn inv8_four_down_and_one_back_resumes_by_a_cold_start_of_running_and_new_processes() {
    let mut sim = Sim::fleet(7, Weather::CALM);
    (0..10).for_each(|_| {
        sim.commit_one();
    });
    let leader = sim.leader().unwrap();
    let others: Vec<u8> = (1..=7).filter(|n| *n != leader).collect();
    others[..4].iter().for_each(|n| sim.crash(*n));
    sim.run(20_000);
    assert_eq!(sim.leader(), None);
    sim.boot(others[0], WhichDisk::Todays);
    sim.run(10_000);
    assert_eq!(sim.leader(), None, "the new process votes for nobody");
    let before = sim.released.len();
    sim.cold_start(&[leader, others[0], others[4], others[5]], 2);
    sim.commit_one();
    assert_eq!(sim.released.len(), before + 1);
    others[1..4].iter().for_each(|n| sim.boot(*n, WhichDisk::Todays));
    sim.until("all vote", 30_000, Sim::all_vote);
}

#[test]
fn a_second_cold_start_works_as_the_first() {
    let mut sim = Sim::fleet(8, Weather::CALM);
    for era in 2..6 {
        sim.commit_one();
        (1..=7).for_each(|n| sim.boot(n, WhichDisk::Todays));
        sim.run(500);
        let skip = (era % 4) as u8;
        let listed: Vec<u8> = (1..=7).filter(|n| *n > skip).take(4).collect();
        sim.cold_start(&listed, era);
        sim.commit_one();
        sim.until("all vote", 30_000, Sim::all_vote);
    }
}

#[test]
fn a_frozen_replica_does_nothing_and_the_fleet_goes_on_without_it() {
    let mut sim = Sim::fleet(9, Weather::CALM);
    let leader = sim.leader().unwrap();
    let n = if leader == 1 { 2 } else { 1 };
    sim.positions(&[n]);
    let last = sim.replica(n).unwrap().last_index();
    sim.commit_one();
    sim.run(5_000);
    assert_eq!(sim.role(n), Some(Role::Frozen));
    assert_eq!(sim.replica(n).unwrap().last_index(), last);
}

#[test]
fn a_process_that_a_start_leaves_out_stops() {
    let mut sim = Sim::fleet(10, Weather::CALM);
    sim.commit_one();
    let listed = [1, 2, 3, 4];
    sim.partition(&[&[1, 2, 3, 4], &[5, 6, 7]]);
    sim.cold_start(&listed, 2);
    sim.run(5_000);
    sim.commit_one();
    assert!(sim.see(5).halted.is_none());
    sim.restart_halted = true;
    sim.heal();
    sim.until("the others come back in the new era", 60_000, Sim::all_vote);
    assert!(sim.replica(5).unwrap().era() == 2);
}

#[test]
fn inv5_a_statement_that_quotes_another_position_opens_nothing() {
    let mut sim = Sim::fleet(11, Weather::CALM);
    sim.commit_one();
    (1..=7).for_each(|n| sim.boot(n, WhichDisk::Todays));
    let mut positions = sim.positions(&[1, 2, 3, 4]);
    positions[0].last_index += 1;
    let forged = Start { era: 2, positions: positions.clone() };
    assert_eq!(sim.start(1, forged), Err(StartError::NotMyPosition));
    positions[0].last_index -= 1;
    assert_eq!(
        sim.start(5, Start { era: 2, positions: positions.clone() }),
        Err(StartError::NotListed)
    );
    let of_an_earlier_process = Start { era: 2, positions };
    sim.boot(2, WhichDisk::Todays);
    assert_eq!(sim.start(2, of_an_earlier_process), Err(StartError::NotListed));
}

#[test]
fn inv2_rollback_tolerance_makes_answers_wait_for_more_nodes() {
    let mut sim = Sim::with_tolerance(12, Weather::CALM, 1);
    sim.genesis(&[1, 2, 3, 4, 5, 6, 7]);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let others: Vec<u8> = (1..=7).filter(|n| *n != leader).collect();
    others[..3].iter().for_each(|n| sim.crash(*n));
    let index = sim.propose(leader).unwrap().index;
    sim.run(5_000);
    assert!(sim.replica(leader).unwrap().commit_index() >= index, "committed on four");
    assert!(!sim.released.contains_key(&index), "but answered only when five hold it");
    sim.boot(others[0], WhichDisk::Todays);
    sim.until("a fifth node holds it", 20_000, |s| s.released.contains_key(&index));
}

#[test]
fn inv5_a_second_process_of_a_node_stops_the_first() {
    let mut sim = Sim::fleet(13, Weather::CALM);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let n = if leader == 3 { 2 } else { 3 };
    // A host that forks: the first process lives on, unheard of, while a second one joins.
    let mut first = sim.at(n).replica.take().unwrap();
    sim.boot(n, WhichDisk::Todays);
    sim.until("the second votes", 20_000, Sim::all_vote);
    let id = first.id();
    let second = sim.replica(n).unwrap().id();
    // What the leader says reaches the first as well, readdressed by nobody: it is refused.
    let out = first.step(sim.now + 60_000, strongroom_replica::Event::Tick);
    assert_eq!(out.halted, None);
    assert!(!sim.replica(leader).unwrap().voters().contains(&id));
    assert!(sim.replica(leader).unwrap().voters().contains(&second));
    let mut asked = false;
    for wait in 1..60 {
        let out = first.step(sim.now + 60_000 + wait * 100, strongroom_replica::Event::Tick);
        for (to, bytes) in out.messages {
            asked = true;
            let target = to.node().number();
            sim.feed(target, strongroom_replica::Event::Peer { from: id, bytes });
        }
        if let Some(number) = out.persist.map(|p| p.number) {
            first.step(
                sim.now + 60_000 + wait * 100,
                strongroom_replica::Event::Persisted { number },
            );
        }
    }
    assert!(asked, "the old process asks for votes");
    sim.run(5_000);
    assert_eq!(sim.leader(), Some(leader), "and nobody listens");
}

#[test]
fn inv5_a_leader_stops_when_a_second_process_of_its_node_is_admitted() {
    // A host that forks the leader's node. The first process leads on and hears everything; it admits the second, and
    // must stop the moment it reads that.
    let mut sim = Sim::fleet(18, Weather::CALM);
    sim.commit_one();
    let n = sim.leader().unwrap();
    let mut first = sim.at(n).replica.take().unwrap();
    let id = first.id();
    sim.boot(n, WhichDisk::Todays);
    sim.overheard = Some(Vec::new());
    let mut halted = None;
    for _ in 0..400 {
        sim.run(20);
        let mut events = vec![strongroom_replica::Event::Tick];
        for (from, to, bytes) in std::mem::take(sim.overheard.as_mut().unwrap()) {
            if to == id
                || (to.is_placeholder() && to.node() == id.node())
                || from.node() == id.node()
            {
                events.push(strongroom_replica::Event::Peer { from, bytes });
            }
        }
        while let Some(event) = events.pop() {
            let out = first.step(sim.now, event);
            halted = halted.or(out.halted);
            assert!(halted.is_none() || (out.messages.is_empty() && out.released.is_empty()));
            for (to, bytes) in out.messages {
                sim.feed(to.node().number(), strongroom_replica::Event::Peer { from: id, bytes });
            }
            if let Some(persist) = out.persist {
                events.push(strongroom_replica::Event::Persisted { number: persist.number });
            }
        }
    }
    assert_eq!(halted, Some(Halt::Superseded));
    sim.until("the second takes the seat", 30_000, Sim::all_vote);
    sim.commit_one();
}

#[test]
fn inv4_the_double_vote_of_a_rolled_back_node_does_not_happen() {
    // Design §5: 7 votes for C in term t, is rolled back, and would vote for C' in the same t. Here every disk state
    // that node 7 ever had comes back, at every moment around an election, and node 7 is always a new process.
    for seed in 0..40 {
        let mut sim = Sim::fleet(300 + seed, Weather::ROUGH);
        sim.keep_older = true;
        sim.restart_halted = true;
        let leader = sim.leader().unwrap();
        let others: Vec<u8> = (1..=7).filter(|n| *n != leader).collect();
        let voter = others[5];
        // The old leader falls silent; others stand for election, and their requests arrive late and in any order.
        sim.partition(&[&[leader], &others]);
        sim.held_links =
            others[..2].iter().flat_map(|a| others[2..4].iter().map(move |b| (*a, *b))).collect();
        for _ in 0..6 {
            sim.run(700);
            sim.boot(voter, WhichDisk::Older);
        }
        sim.let_go();
        sim.heal();
        sim.run(20_000);
        sim.weather = Weather::CALM;
        sim.until("the fleet recovers", 60_000, Sim::all_vote);
        sim.commit_one();
    }
}

#[test]
fn an_empty_disk_comes_back_by_a_snapshot() {
    let mut sim = Sim::fleet(14, Weather::CALM);
    (0..5).for_each(|_| {
        sim.commit_one();
    });
    let leader = sim.leader().unwrap();
    let n = if leader == 3 { 2 } else { 3 };
    sim.boot(n, WhichDisk::Empty);
    assert_eq!(sim.report(n), BootReport::Empty);
    sim.until("it votes", 20_000, Sim::all_vote);
    assert_eq!(sim.see(n).model.count, 5);
}

#[test]
fn a_lost_snapshot_is_sent_again() {
    let mut sim = Sim::fleet(15, Weather::CALM);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let n = if leader == 3 { 2 } else { 3 };
    sim.boot(n, WhichDisk::Todays);
    sim.until("it is admitted", 20_000, |s| {
        s.replica(n).unwrap().leader().is_some() || s.role(n) == Some(Role::Learner)
    });
    let rest: Vec<u8> = (1..=7).filter(|x| *x != n).collect();
    sim.partition(&[&[n], &rest]);
    sim.run(3_000);
    sim.heal();
    sim.until("it votes", 30_000, Sim::all_vote);
}

#[test]
fn the_same_seed_is_the_same_history() {
    let run = |seed| {
        let mut sim = Sim::fleet(seed, Weather::ROUGH);
        for _ in 0..5 {
            sim.commit_one();
        }
        sim.boot(1, WhichDisk::Todays);
        sim.run(5_000);
        (sim.steps, sim.history.clone(), sim.leaders.clone())
    };
    assert_eq!(run(16), run(16));
}

#[test]
fn a_host_that_acknowledges_what_it_never_got_stops_the_replica() {
    let mut sim = Sim::fleet(17, Weather::CALM);
    sim.feed(1, strongroom_replica::Event::Persisted { number: 1 << 40 });
    assert_eq!(sim.see(1).halted, Some(Halt::HostLied));
    assert_eq!(sim.role(1), Some(Role::Halted));
}

#[test]
fn a_leader_whose_disk_takes_nothing_leaves_the_lead_to_somebody_who_can_serve() {
    let mut sim = Sim::fleet(18, Weather::CALM);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    sim.stuck_disks.insert(leader);
    sim.propose(leader).unwrap();
    let ms = sim.until("another leads and serves", 10_000, |s| {
        s.leader().is_some_and(|other| other != leader)
    });
    assert!(ms < 6_000, "{ms} ms until another led");
    sim.commit_one();
    // When its disk is back, so is the node.
    sim.stuck_disks.clear();
    sim.until("all vote", 20_000, Sim::all_vote);
    sim.commit_one();
}
