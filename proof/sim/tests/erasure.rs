//! The burglar who looks for erased records finds live ones.

mod person;

use person::Person;
use std::{collections::BTreeSet, rc::Rc};
use strongroom_sim::{World, burglar::cell_keys};

#[test]
fn inv7_a_burglar_finds_a_live_salt_on_every_node_and_an_erased_one_on_none() {
    let mut world = World::calm(21);
    let mut alice = Person::new(&world, "alice", 1);
    let mut bob = Person::new(&world, "bob", 2);
    alice.enroll(&mut world, "right");
    bob.enroll(&mut world, "right");
    world.pass(1_000);
    let salt = |world: &World, person: &Person| {
        let state = world.vault(0).expect("a vault").danger_state();
        let record = state.slot(&person.slot()).and_then(|slot| slot.record.as_ref());
        BTreeSet::from([*record.and_then(|r| r.salt.as_ref()).expect("a salt").expose()])
    };
    let (lost, kept) = (salt(&world, &alice), salt(&world, &bob));
    let everywhere: Vec<u8> = (1..=7).collect();
    assert_eq!(world.break_in(&lost), everywhere);
    alice.lock_out(&mut world);
    world.pass(12_000);
    assert!(world.break_in(&lost).is_empty());
    assert_eq!(world.break_in(&kept), everywhere, "a live record is found by these means");
}

#[test]
fn inv7_a_copied_cell_is_no_key_that_is_left() {
    let mut world = World::calm(22);
    world.pass(10_000);
    let hardware = Rc::clone(&world.ceremony().nodes[0]);
    let kept = hardware.cells.borrow().clone();
    hardware.put_cell_back(100);
    let back = hardware.cell.borrow().clone();
    assert!(kept.contains(&back) && !cell_keys(&back).is_empty());
    for (_, key) in cell_keys(&back) {
        assert!(hardware.copied.borrow().contains(&key));
    }
}
