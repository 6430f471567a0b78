//! What a host may do to a disk, and what comes of it.

mod sim;

use sim::{Disk, Sim, Weather, WhichDisk, config};
use strongroom_replica::{BootError, BootReport, Config, DiskImage, Replica, Start, StartError};

/// A fleet with some history, stopped; and the disk of node 3.
fn stopped(seed: u64) -> (Sim, Disk) {
    let mut sim = Sim::fleet(seed, Weather::CALM);
    (0..12).for_each(|_| {
        sim.commit_one();
    });
    sim.run(2_000);
    let disk = sim.see(3).disk.clone();
    (sim, disk)
}

fn boot(sim: &mut Sim, image: &DiskImage) -> Replica {
    let nonce = 1_000_000 + sim.dice.below(1 << 40);
    let seed = sim.dice.bytes32();
    let cell = sim.see(3).cell.clone();
    Replica::new(config(3, nonce, seed, cell, 0), image.clone()).unwrap()
}

#[test]
fn an_intact_disk_gives_the_position_that_was_acknowledged() {
    let (mut sim, disk) = stopped(1);
    let running = sim.replica(3).unwrap();
    let (last, hash) = (running.last_index(), running.chain_hash(running.last_index()).unwrap());
    let position = boot(&mut sim, &disk.image).position();
    assert!(!position.empty);
    assert_eq!((position.last_index, position.chain_hash, position.era), (last, hash, 1));
    assert!(position.hard_term >= position.last_term);
}

#[test]
fn a_torn_last_entry_that_was_never_acknowledged_is_cut_off() {
    let (mut sim, disk) = stopped(2);
    let mut image = disk.image.clone();
    let whole = image.entries.last().unwrap().clone();
    let mut torn = whole.clone();
    torn.index += 1;
    torn.entry.truncate(20);
    image.entries.push(torn);
    let mut replica = boot(&mut sim, &image);
    assert_eq!(replica.boot_report(), BootReport::Intact { last_index: whole.index, torn: 1 });
    assert_eq!(replica.position().last_index, whole.index);
}

#[test]
fn inv8_an_acknowledged_entry_that_is_damaged_makes_the_disk_count_as_empty() {
    // Were it merely cut off, the chain before it would pass for this node's whole history in a cold start.
    let (mut sim, disk) = stopped(3);
    let mut image = disk.image.clone();
    image.entries.pop();
    let mut replica = boot(&mut sim, &image);
    assert!(matches!(replica.boot_report(), BootReport::BadEntry { .. }));
    assert!(replica.position().empty);
}

#[test]
fn any_flipped_bit_is_found_and_named() {
    let (mut sim, disk) = stopped(4);
    for at in 0..disk.image.entries.len() {
        let index = disk.image.entries[at].index;
        let mut image = disk.image.clone();
        let byte = sim.dice.below(image.entries[at].entry.len() as u64) as usize;
        image.entries[at].entry[byte] ^= 1;
        assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadEntry { index });
        let mut image = disk.image.clone();
        if let Some(byte) = image.entries[at].salt.last_mut() {
            *byte ^= 1;
            assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadSalts);
        }
    }
    let mut image = disk.image.clone();
    image.meta.as_mut().unwrap()[40] ^= 1;
    assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadMeta);
    let mut image = disk.image.clone();
    image.snapshot.as_mut().unwrap()[40] ^= 1;
    assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadSnapshot);
    let mut image = disk.image.clone();
    image.salts.as_mut().unwrap()[30] ^= 1;
    assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadSalts);
}

#[test]
fn swapped_missing_and_foreign_records_are_found() {
    let (mut sim, disk) = stopped(5);
    let mut image = disk.image.clone();
    let (a, b) = (image.entries[1].entry.clone(), image.entries[2].entry.clone());
    (image.entries[1].entry, image.entries[2].entry) = (b, a);
    assert!(matches!(boot(&mut sim, &image).boot_report(), BootReport::BadEntry { .. }));
    let mut image = disk.image.clone();
    image.entries.remove(2);
    assert!(matches!(boot(&mut sim, &image).boot_report(), BootReport::BadEntry { .. }));
    let mut image = disk.image.clone();
    image.meta = None;
    assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadMeta);
    let foreign = sim.see(4).disk.image.clone();
    assert_eq!(boot(&mut sim, &foreign).boot_report(), BootReport::BadMeta);
    let mut image = disk.image.clone();
    image.snapshot = foreign.snapshot;
    assert_eq!(boot(&mut sim, &image).boot_report(), BootReport::BadSnapshot);
}

#[test]
fn entries_that_the_snapshot_already_contains_are_passed_over() {
    let (mut sim, disk) = stopped(9);
    let before = disk.image.entries.clone();
    sim.compact(3).unwrap();
    sim.run(1_000);
    let mut image = sim.see(3).disk.image.clone();
    let whole = boot(&mut sim, &image).boot_report();
    assert!(matches!(whole, BootReport::Intact { .. }), "{whole:?}");
    // A store that applied the batch's snapshot, and not yet its compaction.
    let kept = image.entries.first().map_or(u64::MAX, |entry| entry.index);
    let older: Vec<_> = before.into_iter().filter(|entry| entry.index < kept).collect();
    assert!(!older.is_empty());
    image.entries.splice(0..0, older);
    assert_eq!(boot(&mut sim, &image).boot_report(), whole);
}

#[test]
fn a_damaged_node_comes_back_by_itself_but_is_not_counted_in_a_cold_start() {
    let (mut sim, _) = stopped(6);
    let byte = &mut sim.at(3).disk.image.entries[3].entry;
    *byte.last_mut().unwrap() ^= 1;
    sim.boot(3, WhichDisk::Todays);
    assert!(matches!(sim.report(3), BootReport::BadEntry { .. }));
    let mut other = boot(&mut sim, &DiskImage::default());
    let mine = other.position();
    let mut positions = sim.positions(&[1, 2, 4]);
    positions.push(mine);
    let refused = other.start(0, Start { era: 2, positions }).err();
    assert_eq!(refused, Some(StartError::EmptyPosition(mine.node)));
}

#[test]
fn inv4_an_older_log_from_the_host_gains_nothing() {
    let mut sim = Sim::fleet(7, Weather::CALM);
    sim.commit_one();
    sim.run(1_000);
    let old = sim.see(3).disk.clone();
    (0..10).for_each(|_| {
        sim.commit_one();
    });
    sim.run(1_000);
    sim.at(3).disk = old;
    sim.boot(3, WhichDisk::Todays);
    assert!(matches!(sim.report(3), BootReport::Intact { .. }), "it cannot know");
    sim.until("but it comes back through the others", 30_000, Sim::all_vote);
    assert_eq!(sim.see(3).model.count as usize, sim.history.len());
}

#[test]
fn a_process_that_was_admitted_but_got_no_snapshot_still_tells_its_old_chain() {
    let (mut sim, _) = stopped(8);
    let before = sim.see(3).disk.hashes.keys().last().copied().unwrap();
    sim.boot(3, WhichDisk::Todays);
    sim.until("it is welcome", 20_000, |s| {
        s.replica(3).unwrap().leader().is_some() || s.replica(3).unwrap().term() > 0
    });
    (1..=7).filter(|n| *n != 3).for_each(|n| sim.crash(n));
    sim.run(1_000);
    sim.boot(3, WhichDisk::Todays);
    let position = sim.at(3).replica.as_mut().unwrap().position();
    assert!(!position.empty && position.last_index >= before);
}

fn good() -> Config {
    config(3, 9, [1; 32], None, 0)
}

#[test]
fn impossible_settings_are_refused() {
    let refusal = |change: &dyn Fn(&mut Config)| {
        let mut config = good();
        change(&mut config);
        Replica::new(config, DiskImage::default()).err()
    };
    assert_eq!(refusal(&|_| {}), None);
    assert_eq!(refusal(&|c| c.nodes.clear()), Some(BootError::BadNodes));
    assert_eq!(refusal(&|c| c.nodes.push(c.node)), Some(BootError::BadNodes));
    assert_eq!(
        refusal(&|c| c.id = strongroom_replica::ReplicaId::placeholder(c.node)),
        Some(BootError::BadId)
    );
    assert_eq!(refusal(&|c| c.fleet = String::new()), Some(BootError::BadFleet));
    assert_eq!(refusal(&|c| c.tick_ms = 0), Some(BootError::BadLimits));
    assert_eq!(refusal(&|c| c.max_frame = 1), Some(BootError::BadLimits));
    assert_eq!(refusal(&|c| c.rollback_tolerance = 4), Some(BootError::BadTolerance));
    assert_eq!(refusal(&|c| c.cell = Some(vec![9])), Some(BootError::BadCell));
}
