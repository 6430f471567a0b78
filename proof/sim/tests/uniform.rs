//! INV-3 on recorded frames: whatever a slot holds and whichever password was typed, hosts see one
//! sequence of frames, writes and words, to the byte count and the millisecond.

mod person;

use person::{Person, password};
use strongroom_protocol::{
    Authorisation, OutgoingFrame, Recovery, Registration, Started,
    owner::{AskBudget, Owner, Status},
};
use strongroom_sim::{
    Plan, World,
    view::{Seen, Sight},
};
use strongroom_wire::Slot;

/// How long hosts watch: long enough for an attempt to expire, for ticks and two compactions.
const WATCH_MS: u64 = 25_000;

/// One fleet with everybody in it: the same every time.
struct Town {
    world: World,
    known: Person,
    unknown: Person,
    locked: Person,
    waiting: Person,
    last: Person,
}

impl Town {
    fn new() -> Self {
        // Attempts expire while hosts watch.
        let plan = Plan { policy: Plan::policy(8_000), ..Plan::calm(21, 0) };
        let mut world = World::calm_with(plan);
        let mut known = Person::new(&world, "known", 1);
        known.enroll(&mut world, "right");
        let unknown = Person::new(&world, "unknown", 2);
        let mut locked = Person::new(&world, "locked", 3);
        locked.enroll(&mut world, "right");
        locked.lock_out(&mut world);
        let mut last = Person::new(&world, "last", 5);
        last.enroll(&mut world, "right");
        last.spend(&mut world, 9);
        let mut waiting = Person::new(&world, "waiting", 4);
        waiting.enroll(&mut world, "right");
        while waiting.recover(&mut world, "wrong").is_ok() {}
        Self { world, known, unknown, locked, waiting, last }
    }

    /// Hosts watch while one frame is carried and for a while after.
    fn watched(mut self, slot: Slot, frame: &OutgoingFrame) -> Vec<Seen> {
        self.world.watch_hosts();
        self.world.carry_to_leader(&slot, frame);
        self.world.pass(WATCH_MS);
        self.world.hosts_saw()
    }
}

fn start(person: &Person, word: &str) -> (Recovery, OutgoingFrame) {
    let device = person.device.public();
    Recovery::start(&person.to, &password(word), device, false, [77; 32]).expect("start")
}

/// What a host sees of the start of an attempt.
fn seen_of_a_start(of: fn(&Town) -> &Person) -> Vec<Seen> {
    let town = Town::new();
    let (_, frame) = start(of(&town), "right");
    let slot = of(&town).slot();
    town.watched(slot, &frame)
}

/// What a host sees of its end.
fn seen_of_a_finish(of: fn(&Town) -> &Person, word: &str) -> Vec<Seen> {
    let mut town = Town::new();
    let (recovery, frame) = start(of(&town), word);
    let slot = of(&town).slot();
    let answer = town.world.carry_to_leader(&slot, &frame);
    let Started::Charged(charged) = recovery.on_started(&answer).expect("started") else {
        panic!("not charged");
    };
    town.watched(slot, &charged.frame)
}

fn seen_of_a_registration(of: fn(&Town) -> &Person) -> Vec<Seen> {
    let town = Town::new();
    let person = of(&town);
    let (_, frame) = Registration::start(
        &person.to,
        &password("new"),
        &person.backup_key,
        person.device.public(),
        [78; 32],
    )
    .expect("start");
    let slot = person.slot();
    town.watched(slot, &frame)
}

fn seen_of_a_stored_one(of: fn(&Town) -> &Person) -> Vec<Seen> {
    let mut town = Town::new();
    let person = of(&town);
    let slot = person.slot();
    let (begun, frame) = Registration::start(
        &person.to,
        &password("new"),
        &person.backup_key,
        person.device.public(),
        [78; 32],
    )
    .expect("start");
    let offer = begun.on_started(&town.world.carry_to_leader(&slot, &frame)).expect("offer");
    let (_, frame) = offer.finish(&Authorisation::None).expect("finish");
    town.watched(slot, &frame)
}

fn seen_of_a_question(of: fn(&Town) -> &Person) -> Vec<Seen> {
    let town = Town::new();
    let (_, frame) = AskBudget::ask(&of(&town).to, [79; 32]).expect("ask");
    let slot = of(&town).slot();
    town.watched(slot, &frame)
}

fn seen_of_an_owner(of: fn(&Town) -> &Person) -> Vec<Seen> {
    let town = Town::new();
    let person = of(&town);
    let owner = Owner { key: &person.device, generation: 1, counter: 1 };
    let (_, frame) = Status::ask(&person.to, &owner, [80; 32]).expect("ask");
    let slot = person.slot();
    town.watched(slot, &frame)
}

#[track_caller]
fn assert_alike(what: &str, first: &[Seen], other: &[Seen]) {
    let differ = first.iter().zip(other).position(|(a, b)| a != b);
    if let Some(at) = differ {
        panic!("{what}: hosts see {:?}, or {:?} (message {at})", first[at], other[at]);
    }
    assert_eq!(first.len(), other.len(), "{what}: one is longer");
    let replies = first.iter().filter(|seen| matches!(seen.sight, Sight::Reply(..))).count();
    let writes = first.iter().filter(|seen| matches!(seen.sight, Sight::Persist(_))).count();
    assert!(replies == 1 && writes > 20, "{what}: {replies} answers and {writes} writes are few");
}

#[test]
fn inv3_hosts_see_one_start_whoever_it_is_for() {
    let known = seen_of_a_start(|town| &town.known);
    assert_alike("unknown", &known, &seen_of_a_start(|town| &town.unknown));
    assert_alike("locked", &known, &seen_of_a_start(|town| &town.locked));
    assert_alike("waiting", &known, &seen_of_a_start(|town| &town.waiting));
    // It is never finished: its record is destroyed while hosts watch.
    assert_alike("the last one", &known, &seen_of_a_start(|town| &town.last));
}

#[test]
fn inv3_hosts_see_one_finish_whether_it_is_right_or_wrong() {
    let right = seen_of_a_finish(|town| &town.known, "right");
    assert_alike("wrong", &right, &seen_of_a_finish(|town| &town.known, "wrong"));
    assert_alike("the last one", &right, &seen_of_a_finish(|town| &town.last, "wrong"));
    assert_alike("unknown", &right, &seen_of_a_finish(|town| &town.unknown, "right"));
}

#[test]
fn inv3_hosts_see_one_registration_whatever_the_slot_holds() {
    let empty = seen_of_a_registration(|town| &town.unknown);
    assert_alike("a record", &empty, &seen_of_a_registration(|town| &town.known));
    assert_alike("a locked one", &empty, &seen_of_a_registration(|town| &town.locked));
    let stored = seen_of_a_stored_one(|town| &town.unknown);
    assert_alike("announced", &stored, &seen_of_a_stored_one(|town| &town.known));
}

#[test]
fn inv3_hosts_see_one_question_whoever_asks() {
    let known = seen_of_a_question(|town| &town.known);
    assert_alike("unknown", &known, &seen_of_a_question(|town| &town.unknown));
    assert_alike("locked", &known, &seen_of_a_question(|town| &town.locked));
    let owner = seen_of_an_owner(|town| &town.known);
    assert_alike("a stranger", &owner, &seen_of_an_owner(|town| &town.unknown));
    assert_alike("an owner and anybody", &owner, &known);
}

#[test]
fn hosts_do_see_what_they_may() {
    // The comparison is worth something: another minute of the fleet's life is another sequence.
    let town = Town::new();
    let (_, frame) = start(&town.known, "right");
    let slot = town.known.slot();
    let first = seen_of_a_start(|town| &town.known);
    let mut later = Town::new();
    later.world.pass(40);
    assert_ne!(first, later.watched(slot, &frame));
}
