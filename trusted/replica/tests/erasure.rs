//! What remains of a salt after a compaction, and after every crash on the way there.

mod sim;

use sim::{Sim, Weather, WhichDisk, config};
use strongroom_replica::{BootReport, CompactError, DiskImage, Event, PersistOp, Replica};

/// Boots a throwaway process on some bytes and the cell as it is now.
fn reads(sim: &mut Sim, n: u8, image: &DiskImage, cell: Option<Vec<u8>>) -> BootReport {
    let nonce = 1_000_000 + sim.dice.below(1 << 40);
    let seed = sim.dice.bytes32();
    Replica::new(config(n, nonce, seed, cell, 0), image.clone()).unwrap().boot_report()
}

#[test]
fn inv7_after_a_compaction_no_cell_and_no_root_opens_the_old_salts() {
    let mut sim = Sim::fleet(1, Weather::CALM);
    (0..10).for_each(|_| {
        sim.commit_one();
    });
    sim.run(2_000);
    // A host that keeps every byte.
    let before: Vec<DiskImage> = (1..=7).map(|n| sim.see(n).disk.image.clone()).collect();
    for n in 1..=7u8 {
        let cell = sim.see(n).cell.clone();
        let report = reads(&mut sim, n, &before[usize::from(n) - 1], cell);
        assert!(matches!(report, BootReport::Intact { .. }), "a live salt opens: {report:?}");
    }
    sim.erase_on_compact = true;
    for n in 1..=7 {
        sim.compact(n).unwrap();
    }
    sim.run(1_000);
    for n in 1..=7u8 {
        assert!(sim.replica(n).unwrap().erased_through() > 0);
        for cell_of in 1..=7u8 {
            // Even every other node's cell is no help.
            let cell = sim.see(cell_of).cell.clone();
            let report = reads(&mut sim, n, &before[usize::from(n) - 1], cell);
            assert_eq!(report, BootReport::BadSalts);
        }
        let (now, cell) = (sim.see(n).disk.image.clone(), sim.see(n).cell.clone());
        let report = reads(&mut sim, n, &now, cell);
        assert!(matches!(report, BootReport::Intact { .. }), "what lives still opens: {report:?}");
    }
    sim.commit_one();
}

#[test]
fn inv7_a_cold_start_after_a_compaction_keeps_live_salts_and_no_others() {
    let mut sim = Sim::fleet(2, Weather::CALM);
    (0..10).for_each(|_| {
        sim.commit_one();
    });
    sim.run(1_000);
    sim.erase_on_compact = true;
    (1..=7).for_each(|n| {
        sim.compact(n).unwrap();
    });
    (0..5).for_each(|_| {
        sim.commit_one();
    });
    (1..=7).for_each(|n| sim.boot(n, WhichDisk::Todays));
    sim.run(1_000);
    sim.cold_start(&[1, 2, 3, 4], 2);
    sim.commit_one();
    let leader = sim.leader().unwrap();
    let salts = &sim.see(leader).model.salts;
    let compacted = sim.history[9].0;
    assert!(salts.keys().filter(|i| **i <= compacted).all(|i| i % 2 == 0));
    assert!(salts.len() >= 6 + 4);
}

#[test]
fn inv7_a_crash_at_any_point_of_a_compaction_loses_no_live_salt() {
    // Points: 0 before the cell holds both keys, 1 after that, 2 after the batch is written, 3 after the cell holds
    // the new key alone.
    for point in 0..4 {
        let mut sim = Sim::fleet(10 + point, Weather::CALM);
        (0..6).for_each(|_| {
            sim.commit_one();
        });
        sim.run(1_000);
        let n = if sim.leader() == Some(3) { 2 } else { 3 };
        let old_cell = sim.see(n).cell.clone();
        let before = sim.see(n).disk.clone();
        sim.compact(n).unwrap();
        let both = sim.see(n).cell.clone();
        assert_ne!(old_cell, both);
        sim.run(1_000);
        let after = sim.see(n).disk.clone();
        let new_cell = sim.see(n).cell.clone();
        assert_ne!(both, new_cell);
        let (disk, cell) = match point {
            0 => (before, old_cell),
            1 => (before, both),
            2 => (after, both),
            _ => (after, new_cell),
        };
        sim.at(n).disk = disk;
        sim.at(n).cell = cell;
        sim.boot(n, WhichDisk::Todays);
        assert!(
            matches!(sim.report(n), BootReport::Intact { .. }),
            "point {point}: {:?}",
            sim.report(n)
        );
        sim.until("it votes", 30_000, Sim::all_vote);
        sim.compact(n).unwrap();
        sim.run(1_000);
        assert!(sim.replica(n).unwrap().erased_through() > 0);
    }
}

#[test]
fn the_cell_is_written_before_the_disk_and_overwritten_after_it() {
    let mut sim = Sim::fleet(20, Weather::CALM);
    sim.commit_one();
    sim.run(1_000);
    let now = sim.now;
    let replica = sim.at(1).replica.as_mut().unwrap();
    let index = replica.applied_index();
    replica.compact(index, b"state-of-the-vault".to_vec(), Vec::new()).unwrap();
    assert_eq!(replica.compact(index, Vec::new(), Vec::new()), Err(CompactError::Busy));
    let out = replica.step(now, Event::Tick);
    assert!(out.cell.is_some() && out.persist.is_some());
    assert_eq!(replica.erased_through(), 0, "nothing is erased before the disk has the new salts");
    let persist = out.persist.unwrap();
    assert!(persist.ops.iter().any(|op| matches!(op, PersistOp::PutSalts(_))));
    let out = replica.step(now, Event::Persisted { number: persist.number });
    assert!(out.cell.is_some());
    assert_eq!(replica.erased_through(), index);
}

#[test]
fn a_state_that_is_not_the_applied_one_is_refused() {
    let mut sim = Sim::fleet(21, Weather::CALM);
    sim.commit_one();
    sim.run(1_000);
    let replica = sim.at(1).replica.as_mut().unwrap();
    let applied = replica.applied_index();
    let refused = Err(CompactError::NotApplied { applied });
    assert_eq!(replica.compact(applied + 1, Vec::new(), Vec::new()), refused);
    assert_eq!(replica.compact(1, Vec::new(), Vec::new()), refused);
}
