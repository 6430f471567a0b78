//! Registration, replacement and the owner's commands.

mod world;

use strongroom_record::{Authorised, Command, Effect, Limits, State};
use strongroom_wire::{
    Fixed,
    digest::sha256,
    request::Verb,
    response::{Outcome, Refusal},
};
use world::{DAY, MINUTE, World, number};

fn refusal(effect: Effect) -> Refusal {
    match effect {
        Effect::Plain(Outcome::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    }
}

fn salt_of(effect: &Effect) -> [u8; 32] {
    match effect {
        Effect::Evaluate { salt, .. } => *salt.expose(),
        other => panic!("not started: {other:?}"),
    }
}

#[test]
fn every_other_start_gets_a_salt_of_its_own() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let first = w.register_start(slot, 1);
    assert_eq!(w.register_start(slot, 1), first, "the same request gets the same answer");
    let registration = World::registration(&first, 1);
    let mut salts = vec![salt_of(&first)];
    for word in 2..200 {
        let salt = salt_of(&w.register_start(slot, word));
        assert!(!salts.contains(&salt), "a dictionary of starts sees one salt twice");
        salts.push(salt);
    }
    // The first entry is void: what it evaluated can no longer become a record.
    assert_eq!(
        refusal(w.finish(slot, &registration, Authorised::Nobody {})),
        Refusal::EntryUnknown
    );
}

#[test]
fn the_record_takes_the_salt_of_its_entry() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let started = w.register_start(slot, 1);
    let registration = World::registration(&started, 1);
    w.finish(slot, &registration, Authorised::Nobody {});
    let record = w.state.slot(&slot).and_then(|s| s.record.as_ref()).expect("record");
    assert_eq!(record.salt.as_ref().map(|s| *s.expose()), Some(salt_of(&started)));
}

#[test]
fn a_salt_that_is_not_the_announced_one_is_not_used() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let ticket = w.ticket();
    let command = Command::RegisterStart {
        request: Fixed([1; 32]),
        entry: Fixed([2; 32]),
        salt: Fixed(sha256(&[3; 32])),
        keyset: 1,
    };
    assert_eq!(refusal(w.apply_with(slot, ticket, command, [4; 32])), Refusal::EntryUnknown);
}

#[test]
fn an_entry_expires_after_ten_minutes() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let started = w.register_start(slot, 1);
    let registration = World::registration(&started, 1);
    w.now += 10 * MINUTE + 1;
    let effect = w.finish(slot, &registration, Authorised::Nobody {});
    assert_eq!(refusal(effect), Refusal::EntryUnknown);
    w.apply(slot, Command::Tick {});
    assert!(w.state.is_empty(), "nothing is kept of it");
}

#[test]
fn the_same_finish_again_returns_the_same_receipt() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let started = w.register_start(slot, 1);
    let registration = World::registration(&started, 1);
    let first = w.finish(slot, &registration, Authorised::Nobody {});
    w.now += DAY;
    assert_eq!(w.finish(slot, &registration, Authorised::Nobody {}), first);
    assert_eq!(w.state.slot(&slot).expect("slot").generation, 1);
}

#[test]
fn a_replayed_finish_restores_no_old_password() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let started = w.register_start(slot, 1);
    let old = World::registration(&started, 1);
    w.finish(slot, &old, Authorised::Nobody {});
    let started = w.register_start(slot, 2);
    let new = World::registration(&started, 2);
    let device = Fixed([1; 32]);
    w.finish(slot, &new, Authorised::Device { device, generation: 1, counter: 1 });
    assert_eq!(refusal(w.finish(slot, &old, Authorised::Nobody {})), Refusal::EntryUnknown);
    assert_eq!(w.state.slot(&slot).expect("slot").generation, 2);
}

#[test]
fn two_racing_clients_leave_one_record() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    let one = World::registration(&w.register_start(slot, 1), 1);
    let two = World::registration(&w.register_start(slot, 2), 2);
    assert_eq!(refusal(w.finish(slot, &one, Authorised::Nobody {})), Refusal::EntryUnknown);
    assert!(matches!(w.finish(slot, &two, Authorised::Nobody {}), Effect::Registered(_)));
}

#[test]
fn a_replacement_without_authority_waits_seven_days_and_any_sign_of_the_owner_stops_it() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for by in ["nobody", "status", "success"] {
        let request = w.fresh()[0];
        let started = w.register_start(slot, request);
        let thief = World::registration(&started, 66);
        let Effect::Registered(receipt) = w.finish(slot, &thief, Authorised::Nobody {}) else {
            panic!("not delayed")
        };
        assert_eq!(receipt.effective_ms, w.now + 7 * DAY);
        let generation = w.state.slot(&slot).expect("slot").generation;
        match by {
            "status" => {
                let device = if generation == 1 { 1 } else { 66 };
                w.owner(slot, Verb::Status, device, generation, 10);
            }
            "success" => {
                let attempt = number(&w.attempt(slot, 42));
                w.close(slot, attempt, 42, true);
            }
            _ => {}
        }
        w.now += 7 * DAY - 1;
        w.apply(slot, Command::Tick {});
        assert_eq!(w.state.slot(&slot).expect("slot").generation, generation, "{by}: too early");
        w.now += 1;
        w.apply(slot, Command::Tick {});
        let expected = generation + u64::from(by == "nobody");
        assert_eq!(w.state.slot(&slot).expect("slot").generation, expected, "{by}");
    }
}

#[test]
fn a_fresh_recovery_authorises_one_registration_for_ten_minutes() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let attempt = number(&w.attempt(slot, 1));
    w.close(slot, attempt, 1, true);
    let fresh = Authorised::Fresh { generation: 1, attempt };
    let started = w.register_start(slot, 1);
    let registration = World::registration(&started, 9);
    let Effect::Registered(receipt) = w.finish(slot, &registration, fresh.clone()) else {
        panic!("not registered")
    };
    assert_eq!((receipt.generation, receipt.destroyed), (2, Some(1)));
    let started = w.register_start(slot, 2);
    let again = World::registration(&started, 9);
    assert_eq!(refusal(w.finish(slot, &again, fresh)), Refusal::NotOwner);
    // And too late:
    let attempt = number(&w.attempt(slot, 3));
    w.close(slot, attempt, 3, true);
    w.now += 10 * MINUTE + 1;
    let started = w.register_start(slot, 4);
    let late = World::registration(&started, 9);
    let fresh = Authorised::Fresh { generation: 2, attempt };
    assert_eq!(refusal(w.finish(slot, &late, fresh)), Refusal::NotOwner);
}

#[test]
fn a_replayed_destroy_does_nothing_to_the_next_record() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    assert!(matches!(
        w.owner(slot, Verb::Destroy, 1, 1, 5),
        Effect::Plain(Outcome::Destroyed { .. })
    ));
    w.register(slot, 1);
    assert_eq!(refusal(w.owner(slot, Verb::Destroy, 1, 1, 5)), Refusal::GenerationMoved);
    w.owner(slot, Verb::Status, 1, 2, 6);
    assert_eq!(refusal(w.owner(slot, Verb::Destroy, 1, 2, 6)), Refusal::Replayed);
    assert_eq!(refusal(w.owner(slot, Verb::Destroy, 2, 2, 9)), Refusal::NotOwner);
    assert!(w.state.slot(&slot).expect("slot").record.is_some());
}

#[test]
fn at_most_four_devices_are_enrolled_and_recovery_leaves_one() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for n in 0..3_u8 {
        let enroll = Some(Fixed([100 + n; 32]));
        let device = Fixed([1; 32]);
        let (verb, counter) = (Verb::EnrollDevice, u64::from(n) + 1);
        w.apply(slot, Command::Owner { verb, device, generation: 1, counter, enroll });
    }
    assert_eq!(refusal(w.owner(slot, Verb::EnrollDevice, 1, 1, 9)), Refusal::DevicesFull);
    let attempt = number(&w.attempt(slot, 1));
    w.close(slot, attempt, 1, true);
    let devices = &w.state.slot(&slot).and_then(|s| s.record.as_ref()).expect("record").devices;
    assert_eq!(devices.iter().map(|d| d.key.0[0]).collect::<Vec<_>>(), [9]);
    assert_eq!(refusal(w.owner(slot, Verb::Status, 1, 1, 99)), Refusal::NotOwner);
}

#[test]
fn a_ticket_used_twice_or_out_of_time_moves_nothing() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let ticket = w.ticket();
    let command = |ke1| Command::RecoverStart { ke1: Fixed([ke1; 32]), seed: Fixed([0; 32]) };
    number(&w.apply_with(slot, ticket, command(1), [0; 32]));
    assert_eq!(refusal(w.apply_with(slot, ticket, command(2), [0; 32])), Refusal::TicketSpent);
    // The same request with the same ticket is a repeated request.
    number(&w.apply_with(slot, ticket, command(1), [0; 32]));
    let mut old = w.ticket();
    old.expires_ms = w.now - 1;
    assert_eq!(refusal(w.apply_with(slot, old, command(3), [0; 32])), Refusal::TicketSpent);
    let mut eternal = w.ticket();
    eternal.expires_ms = w.now + DAY;
    assert_eq!(refusal(w.apply_with(slot, eternal, command(3), [0; 32])), Refusal::TicketSpent);
    assert_eq!(w.state.slot(&slot).expect("slot").counters.row(), 1);
}

#[test]
fn inv3_every_entry_has_one_size_and_unknown_slots_store_nothing() {
    let (mut w, slot) = (World::new(), World::slot("nobody"));
    assert!(matches!(w.attempt(slot, 1), Effect::StandIn { .. }));
    w.close(slot, 1, 1, false);
    w.owner(slot, Verb::Status, 1, 1, 1);
    assert!(w.state.is_empty());
}

#[test]
fn a_snapshot_holds_everything_and_its_salts_travel_apart() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.register_start(slot, 9);
    for n in 1..=9 {
        w.fail(slot, n);
    }
    w.wait(slot);
    number(&w.attempt(slot, 10));
    let (state, salts) = (w.state.to_bytes(), w.state.salts_to_bytes());
    let read = State::from_bytes(&state, &salts, Limits { slots: 1_000 }).expect("reads back");
    assert_eq!((read.to_bytes(), read.salts_to_bytes()), (state, salts));
    assert_eq!(read.slot(&slot), w.state.slot(&slot));
    // The held attempt is held there too.
    w.state = read;
    w.now += 10 * MINUTE + 1;
    w.apply(slot, Command::Tick {});
    assert!(w.state.slot(&slot).expect("tombstone").record.is_none());
}

#[test]
fn a_full_fleet_refuses_new_slots_only() {
    let mut w = World::new();
    w.limits = Limits { slots: 1 };
    w.state = State::new(1, strongroom_manifest::Policy::standard(), w.limits);
    w.register(World::slot("alice"), 1);
    assert_eq!(refusal(w.register_start(World::slot("bob"), 1)), Refusal::FleetFull);
    w.register_start(World::slot("alice"), 2);
}

#[test]
fn a_device_that_recovers_goes_on_counting_where_it_was() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 9);
    w.owner(slot, Verb::Status, 9, 1, 50);
    // The same device recovers; a command that it signed before is still a replay.
    let attempt = number(&w.attempt(slot, 1));
    w.close(slot, attempt, 1, true);
    assert_eq!(refusal(w.owner(slot, Verb::Destroy, 9, 1, 50)), Refusal::Replayed);
    assert!(matches!(w.owner(slot, Verb::Status, 9, 1, 51), Effect::Plain(Outcome::Status { .. })));
}

#[test]
fn a_refused_enrolment_moves_no_counter() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let device = Fixed([1; 32]);
    let enroll = |key: u8, counter| Command::Owner {
        verb: Verb::EnrollDevice,
        device,
        generation: 1,
        counter,
        enroll: Some(Fixed([key; 32])),
    };
    for n in 0..3_u8 {
        w.apply(slot, enroll(100 + n, u64::from(n) + 1));
    }
    assert_eq!(refusal(w.apply(slot, enroll(200, 9))), Refusal::DevicesFull);
    assert!(matches!(w.owner(slot, Verb::Status, 1, 1, 9), Effect::Plain(Outcome::Status { .. })));
}

#[test]
fn a_device_that_was_removed_and_comes_back_goes_on_counting_where_it_was() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    w.owner(slot, Verb::Status, 1, 1, 50);
    let attempt = number(&w.attempt(slot, 1));
    w.close(slot, attempt, 1, true);
    assert_eq!(refusal(w.owner(slot, Verb::Status, 1, 1, 60)), Refusal::NotOwner);
    let enroll = Some(Fixed([1; 32]));
    let device = Fixed([9; 32]);
    let (verb, counter) = (Verb::EnrollDevice, 1);
    w.apply(slot, Command::Owner { verb, device, generation: 1, counter, enroll });
    assert_eq!(refusal(w.owner(slot, Verb::Destroy, 1, 1, 50)), Refusal::Replayed);
}

#[test]
fn one_ticket_holder_piles_up_no_deadlines() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    for _ in 0..100 {
        let request = w.fresh()[0];
        let started = w.register_start(slot, request);
        let thief = World::registration(&started, 66);
        w.finish(slot, &thief, Authorised::Nobody {});
        w.now += 1;
    }
    assert!(w.state.deadlines() <= 4, "{}", w.state.deadlines());
}

#[test]
fn a_request_for_a_record_that_its_owner_has_replaced_since_is_neither_answered_nor_charged() {
    let (mut w, slot) = (World::new(), World::slot("alice"));
    w.register(slot, 1);
    let first = number(&w.attempt(slot, 1));
    w.close(slot, first, 1, true);
    let second = number(&w.attempt(slot, 2));
    w.close(slot, second, 2, true);
    // The owner, just recovered, stores another password.
    let started = w.register_start(slot, 7);
    let registration = World::registration(&started, 1);
    let owner = Authorised::Fresh { generation: 1, attempt: second };
    assert!(matches!(w.finish(slot, &registration, owner), Effect::Registered(_)));
    // Copies of both requests were held up on their way.
    for ke1 in [1, 2] {
        let effect = w.attempt(slot, ke1);
        assert!(!matches!(effect, Effect::Challenge { .. }), "answered for nothing: {effect:?}");
    }
    let counters = &w.state.slot(&slot).expect("a slot").counters;
    assert_eq!(counters.row(), 0, "one password cost its owner two attempts");
}
