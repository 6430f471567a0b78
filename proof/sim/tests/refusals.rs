//! What a vault refuses, each with the exact answer: through a whole fleet, by what clients sign.

mod person;

use person::{Person, password};
use strongroom_protocol::{
    Authorisation, DeviceKey, FreshAuthority, Outcome, ProtocolError, Recovery, Registration,
    Started,
    owner::{EnrollDevice, Owner},
};
use strongroom_session::{FleetPublic, Scope, seal_request};
use strongroom_sim::{Plan, World, disk::Restore, fleet};
use strongroom_wire::{
    Fixed, caps,
    owner::{Authority, OwnerAuth},
    relay::RelayRefusal,
    request::{self, Body, Request},
    response::{self, Refusal, SignedResponse},
};

fn fresh(alice: &mut Person, world: &mut World, word: &str) -> FreshAuthority {
    match alice.recover(world, word) {
        Ok(Outcome::Recovered(recovered)) => recovered.fresh,
        other => panic!("not recovered: {other:?}"),
    }
}

/// Seals a body that no honest client makes; what the fleet says to it.
fn outcome(world: &mut World, alice: &Person, body: Body) -> response::Outcome {
    let (manifest, slot, verb) = (world.ceremony().manifest.clone(), alice.slot(), body.verb());
    let scope = Scope { manifest_digest: manifest.digest(), fleet: fleet::FLEET };
    let public = FleetPublic::from_bytes(&manifest.fleets[0].hpke_key.0).expect("a key");
    let account = strongroom_account::Account::normalise("alice").expect("account").hash();
    let plaintext = Request::new(account, body).to_plaintext().expect("fits");
    let (frame, opener) = seal_request(&scope, &public, &plaintext, [8; 32]).expect("seals");
    let ticket = world.ticket(&slot, verb, &frame);
    let leader = world.leader().expect("leader");
    let answer = world.relay(leader, ticket, frame).expect("answer").expect("signed");
    let plaintext = opener.open(&answer).expect("opens");
    SignedResponse::from_plaintext(&plaintext).expect("reads").1.outcome
}

fn refused(why: Refusal) -> response::Outcome {
    response::Outcome::Refused { why, generation: 0 }
}

#[test]
fn who_just_recovered_may_register_once_and_nobody_else_by_that() {
    let mut world = World::calm(31);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "first");
    let stale = fresh(&mut alice, &mut world, "first");
    let good = fresh(&mut alice, &mut world, "first");
    // An authority of an attempt before the newest, and then one that was used.
    let refusal = |world: &mut World, alice: &mut Person, fresh: &FreshAuthority| {
        let (seed, slot, device) = (alice.next(), alice.slot(), alice.device.public());
        let word = password("thief");
        let (start, frame) =
            Registration::start(&alice.to, &word, &alice.backup_key, device, seed).expect("start");
        let offer = start.on_started(&world.carry_to_leader(&slot, &frame)).expect("offer");
        let (finish, frame) = offer.finish(&Authorisation::Fresh(fresh)).expect("finish");
        match finish.on_finished(&world.carry_to_leader(&slot, &frame)) {
            Err(ProtocolError::Refused { why, .. }) => why,
            Err(other) => panic!("another error: {other:?}"),
            Ok(_) => panic!("registered"),
        }
    };
    assert_eq!(refusal(&mut world, &mut alice, &stale), Refusal::NotOwner);
    let stored = alice.enroll_as(&mut world, "second", &Authorisation::Fresh(&good)).receipt;
    assert_eq!((stored.generation, stored.destroyed, stored.effective_ms), (2, Some(1), 0));
    assert_eq!(refusal(&mut world, &mut alice, &good), Refusal::NotOwner);
    fresh(&mut alice, &mut world, "second");
}

#[test]
fn a_fresh_authority_with_a_wrong_mac_is_not_the_owner() {
    let mut world = World::calm(32);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    fresh(&mut alice, &mut world, "right");
    let authority = Authority::Fresh { generation: 1, attempt: 1, mac: Fixed([0; 32]) };
    let registration = request::Registration {
        entry: Fixed([1; 32]),
        generation: 2,
        upload: Fixed(upload()),
        wrapped_key: Fixed([2; caps::WRAPPED_KEY_LEN]),
        device: Fixed(alice.device.public()),
        ksf_version: 1,
    };
    let body = Body::RegisterFinish { registration, authority };
    assert_eq!(outcome(&mut world, &alice, body), refused(Refusal::NotOwner));
}

/// An upload that the pinned suite reads.
fn upload() -> [u8; caps::opaque::REGISTRATION_UPLOAD_LEN] {
    let mut upload = [7; caps::opaque::REGISTRATION_UPLOAD_LEN];
    upload[..32].copy_from_slice(&BASE_POINT);
    upload
}

/// The ristretto255 base point (RFC 9496 §4).
const BASE_POINT: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
    0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];

#[test]
fn an_owner_enrols_another_device_and_a_stranger_none() {
    let mut world = World::calm(33);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let slot = alice.slot();
    let second = DeviceKey::from_seed(&[50; 32]);
    let ask = |world: &mut World, key: &DeviceKey, counter| {
        let owner = Owner { key, generation: 1, counter };
        let (ask, frame) =
            EnrollDevice::ask(&alice.to, &owner, second.public(), [9; 32]).expect("ask");
        ask.on_answer(&world.carry_to_leader(&slot, &frame)).map(|(devices, _)| devices)
    };
    let why = |answer: Result<u8, ProtocolError>| match answer {
        Err(ProtocolError::Refused { why, .. }) => why,
        other => panic!("not refused: {other:?}"),
    };
    let stranger = DeviceKey::from_seed(&[51; 32]);
    assert_eq!(why(ask(&mut world, &stranger, 1)), Refusal::NotOwner);
    assert_eq!(ask(&mut world, &alice.device, 1).ok(), Some(2));
    // The new one speaks for the owner now.
    assert_eq!(ask(&mut world, &second, 1).ok(), Some(2), "enrolled once");
}

#[test]
fn an_owner_command_with_a_wrong_signature_is_refused_before_the_record_is_looked_at() {
    let mut world = World::calm(34);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let (device, signature) = (Fixed(alice.device.public()), Fixed([0; 64]));
    let auth = OwnerAuth { device, generation: 1, counter: 1, signature };
    let body = Body::Destroy { auth };
    assert_eq!(outcome(&mut world, &alice, body), refused(Refusal::NotOwner));
    assert_eq!(alice.status(&mut world, 1, 1).generation, 1, "the counter stands where it was");
}

#[test]
fn a_finish_that_is_no_message_of_the_suite_is_refused_and_costs_nothing() {
    let mut world = World::calm(35);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let device = Fixed(alice.device.public());
    let (ke1, ke3) = ([0; caps::opaque::KE1_LEN], [0; caps::opaque::KE3_LEN]);
    let body = Body::RecoverFinish {
        attempt: 1,
        ke1: Fixed(ke1),
        ke3: Fixed(ke3),
        device,
        keep_device: false,
    };
    assert_eq!(outcome(&mut world, &alice, body), refused(Refusal::BadMessage));
    let registration = request::Registration {
        entry: Fixed([1; 32]),
        generation: 2,
        upload: Fixed([0; caps::opaque::REGISTRATION_UPLOAD_LEN]),
        wrapped_key: Fixed([2; caps::WRAPPED_KEY_LEN]),
        device,
        ksf_version: 1,
    };
    let body = Body::RegisterFinish { registration, authority: Authority::None {} };
    assert_eq!(outcome(&mut world, &alice, body), refused(Refusal::BadMessage));
    assert_eq!(alice.budget(&mut world).row_left, 10);
}

#[test]
fn inv2_an_answer_that_too_few_nodes_hold_never_leaves_and_its_attempt_is_charged_once() {
    // Two more than a majority must hold what is answered.
    let mut world = World::calm_with(Plan { tolerance: 2, ..Plan::calm(36, 0) });
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let leader = world.leader().expect("leader");
    let down: Vec<usize> = (0..world.len()).filter(|node| *node != leader).take(2).collect();
    down.iter().for_each(|node| world.kill(*node));
    let (slot, device) = (alice.slot(), alice.device.public());
    let (recovery, frame) =
        Recovery::start(&alice.to, &password("right"), device, false, [9; 32]).expect("start");
    let ticket = world.ticket(&slot, frame.verb(), frame.bytes());
    let reply = world.relay(leader, ticket, frame.bytes().to_vec());
    assert_eq!(reply, Some(Err(RelayRefusal::Unknown)), "committed by five, and six are needed");
    assert_eq!(world.leader(), Some(leader), "it leads as before");
    down.iter().for_each(|node| world.revive(*node, Restore::Today));
    let all = |world: &World| {
        world
            .vault(leader)
            .is_some_and(|v| v.danger_replica().is_some_and(|r| r.learners().is_empty()))
    };
    world.pass(2_000);
    assert!(world.pump(20_000, all));
    match recovery.on_started(&world.carry_to_leader(&slot, &frame)).expect("started") {
        Started::Charged(charged) => assert_eq!(charged.budget.row_left, 9, "charged once"),
        _ => panic!("not the same attempt"),
    }
}
