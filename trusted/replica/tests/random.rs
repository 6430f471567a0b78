//! Random histories from seeds: loss, delay, reordering, duplicates, partitions, crashes between persist and
//! acknowledgement, restarts with today's, older and empty disks, compactions, cold starts. The invariants of `sim`
//! are checked after every event. `SIM_RUNS` sets how many seeds are tried.

mod sim;

use sim::{Dice, NODES, Sim, Weather, WhichDisk};
use strongroom_replica::Role;

fn runs(default: u64) -> u64 {
    std::env::var("SIM_RUNS").ok().and_then(|n| n.parse().ok()).unwrap_or(default)
}

/// A restart is fair when a majority can still readmit the process: in both halves, if a swap is under way.
fn may_restart(sim: &Sim, n: u8) -> bool {
    let Some(leader) = sim.leader() else {
        return false;
    };
    let leader = sim.replica(leader).unwrap();
    let voters = leader.voters();
    let voting = (1..=NODES).filter(|x| {
        let replica = sim.replica(*x);
        *x != n
            && replica
                .is_some_and(|r| voters.contains(&r.id()) && r.applied_index() > 0 && !r.is_joint())
    });
    !leader.is_joint() && sim.groups.is_empty() && voting.count() >= 4
}

fn chaos(sim: &mut Sim, rounds: u64, disks: &[WhichDisk]) {
    for _ in 0..rounds {
        let n = 1 + sim.dice.below(7) as u8;
        match sim.dice.below(12) {
            0..=5 => {
                if let Some(leader) = sim.leader() {
                    for _ in 0..=sim.dice.below(6) {
                        if sim.replica(leader).is_some() {
                            let _ = sim.propose(leader);
                        }
                    }
                }
            }
            6 => {
                let mut all: Vec<u8> = (1..=7).collect();
                let cut = sim.dice.between((1, 3)) as usize;
                for i in 0..7 {
                    let j = sim.dice.below(7) as usize;
                    all.swap(i, j);
                }
                sim.partition(&[&all[..cut], &all[cut..]]);
            }
            7 => sim.heal(),
            8 | 9 if may_restart(sim, n) => {
                let which = disks[sim.dice.below(disks.len() as u64) as usize];
                sim.boot(n, which);
            }
            10 => {
                let _ = sim.compact(n);
            }
            _ => {}
        }
        let pause = sim.dice.between((1, 400));
        sim.run(pause);
    }
}

fn settle(sim: &mut Sim) {
    sim.weather = Weather::CALM;
    sim.heal();
    // Whoever was halted by an old message is started again, as its host would.
    sim.restart_halted = true;
    for n in 1..=NODES {
        if sim.role(n).is_none_or(|r| r == Role::Halted) {
            sim.boot(n, WhichDisk::Todays);
        }
    }
    sim.until("all vote in the end", 120_000, Sim::all_vote);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    assert_eq!(sim.see(leader).model.count as usize, sim.history.len());
    for (index, payload) in &sim.released {
        assert!(
            sim.history.iter().any(|h| h.0 == *index && h.2 == *payload),
            "INV-8: {index} survives"
        );
    }
}

#[test]
fn inv8_random_histories_with_any_disk_keep_every_invariant() {
    let mut released = Vec::new();
    for seed in 0..runs(60) {
        let mut sim = Sim::fleet(1_000 + seed, Weather::ROUGH);
        sim.keep_older = true;
        sim.restart_halted = true;
        sim.erase_on_compact = seed % 2 == 0;
        chaos(&mut sim, 120, &[WhichDisk::Todays, WhichDisk::Older, WhichDisk::Empty]);
        settle(&mut sim);
        released.push(sim.released.len());
    }
    // A history in which nothing was released proves nothing: weather may spoil a few, not many.
    let quiet = released.iter().filter(|count| **count <= 5).count();
    assert!(quiet * 20 <= released.len(), "{quiet} of {} seeds did nothing", released.len());
    assert!(released.iter().sum::<usize>() > 20 * released.len(), "{released:?}");
}

#[test]
fn inv8_random_histories_with_cold_starts_lose_nothing_that_was_released() {
    for seed in 0..runs(40) {
        let mut sim = Sim::fleet(5_000 + seed, Weather::ROUGH);
        sim.restart_halted = true;
        for era in 2..5 {
            chaos(&mut sim, 40, &[WhichDisk::Todays]);
            sim.heal();
            // Everybody falls, at any moment: entries on their way, batches not acknowledged, swaps half done.
            let alive: Vec<u8> = (1..=NODES).filter(|_| sim.dice.permille(200)).collect();
            (1..=NODES).filter(|n| !alive.contains(n)).for_each(|n| sim.boot(n, WhichDisk::Todays));
            let mut dice = Dice::new(seed * 31 + era);
            let mut listed: Vec<u8> = (1..=NODES).collect();
            while listed.len() > 4 {
                listed.remove(dice.below(listed.len() as u64) as usize);
            }
            let empty =
                listed.iter().any(|n| sim.at(*n).replica.as_mut().unwrap().position().empty);
            assert!(!empty, "seed {seed}: an honest disk that was admitted is not empty");
            sim.cold_start(&listed, era);
            sim.run(1_000);
        }
        settle(&mut sim);
    }
}

#[test]
fn inv2_random_histories_with_tolerance_two_release_only_what_six_hold() {
    for seed in 0..runs(15) {
        let mut sim = Sim::with_tolerance(9_000 + seed, Weather::ROUGH, 2);
        sim.keep_older = true;
        sim.restart_halted = true;
        sim.genesis(&[1, 2, 3, 4, 5, 6, 7]);
        sim.until("a leader serves", 60_000, |s| s.leader().is_some());
        chaos(&mut sim, 100, &[WhichDisk::Todays, WhichDisk::Older]);
        settle(&mut sim);
    }
}
