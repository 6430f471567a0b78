//! What vaults say of links whose frames somebody records.

mod person;

use person::Person;
use strongroom_sim::{World, plan::Plan};

fn erased_through(world: &World) -> u64 {
    let states = (0..world.len()).filter_map(|node| world.vault(node));
    states.map(|vault| vault.danger_state().erased_through()).max().unwrap_or_default()
}

#[test]
fn inv7_nothing_is_called_erased_while_one_peer_may_hold_an_older_key() {
    let mut plan = Plan::calm(61, 0);
    plan.policy.compact_ms = 3_000;
    let mut world = World::calm_with(plan);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let leader = world.leader().expect("leader");
    let followers: Vec<usize> = (0..world.len()).filter(|node| *node != leader).collect();
    assert!(world.pump(20_000, |world| erased_through(world) > 0), "a quiet fleet erases");
    // One follower's acknowledgements do not reach another. Everybody compacts, the leader hears of it
    // from everybody, and yet the second does not know that the first gave up the key of what it sent.
    let (deaf, mute) = (followers[0], followers[1]);
    world.cut(mute, deaf, true);
    alice.destroy(&mut world, 1, 1);
    world.pass(4_000);
    let before = erased_through(&world);
    world.pass(20_000);
    let compacted = world.health(leader).map(|h| h.erased_through).unwrap_or_default();
    assert!(compacted > before, "the leader itself forgot long ago");
    assert_eq!(erased_through(&world), before, "and says nothing");
    world.cut(mute, deaf, false);
    assert!(world.pump(20_000, |world| erased_through(world) > before), "until it is true");
    assert!(world.broken().is_empty());
}
