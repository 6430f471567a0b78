//! Two processes of one node at one cell.

mod person;

use person::Person;
use strongroom_sim::{World, plan::Plan};

#[test]
fn inv7_a_process_whose_cell_was_taken_over_writes_no_key_back_and_stops() {
    let mut plan = Plan::calm(71, 0);
    plan.policy.compact_ms = 3_000;
    let mut world = World::calm_with(plan);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let leader = world.leader().expect("leader");
    let node = (0..world.len()).find(|node| *node != leader).expect("a follower");
    let hardware = std::rc::Rc::clone(&world.ceremony().nodes[node]);
    let own = world.vault(node).expect("it runs").incarnation();
    assert_eq!(*hardware.cell_owner.borrow(), own, "it owns its cell");
    // Its host starts another process beside it, which claims the cell and retires the key.
    *hardware.cell_owner.borrow_mut() = own ^ 1;
    *hardware.cell.borrow_mut() = b"the newer one's".to_vec();
    assert!(world.pump(20_000, |world| world.vault(node).is_none()), "it halts");
    assert_eq!(hardware.cell.borrow().as_slice(), b"the newer one's");
    // The fleet goes on without it.
    assert!(alice.recover(&mut world, "right").is_ok());
}
