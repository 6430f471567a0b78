//! Single attacks on a real fleet of seven vaults, and what they get.

mod person;

use person::{Person, password};
use strongroom_protocol::{
    Authorisation, DeviceKey, Outcome, ProtocolError, Recovery, Started,
    owner::{Destroy, Owner},
};
use strongroom_session::{Scope, seal_request, seal_ticket};
use strongroom_sim::{World, disk::Restore, fleet, hardware::EPOCH_MS};
use strongroom_wire::{
    Fixed, Slot, caps,
    digest::sha256,
    relay::RelayRefusal,
    request::{Body, Request, Verb},
    response::Refusal,
    ticket::Ticket,
};

fn recovered(outcome: Result<Outcome, strongroom_wire::response::Budget>) -> usize {
    match outcome {
        Ok(Outcome::Recovered(recovered)) => recovered.receipt.failures_ms.len(),
        other => panic!("not recovered: {other:?}"),
    }
}

#[test]
fn inv8_a_key_comes_back_through_any_node_that_survives() {
    let mut world = World::calm(1);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    for node in [0, 1, 2] {
        world.kill(node);
    }
    let outcome = alice.recover(&mut world, "right").expect("no wait");
    let Outcome::Recovered(recovered) = outcome else { panic!("not recovered") };
    assert_eq!(recovered.backup_key.as_bytes(), alice.backup_key.as_bytes());
}

#[test]
fn inv5_a_minority_is_silent_and_a_cold_start_brings_the_fleet_back() {
    let mut world = World::calm(2);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    for node in [0, 1, 2, 3] {
        world.kill(node);
    }
    world.pass(3_000);
    let (_, frame) =
        Recovery::start(&alice.to, &password("right"), [1; 32], false, [9; 32]).expect("start");
    let slot = alice.slot();
    for node in [4, 5, 6] {
        let ticket = world.ticket(&slot, frame.verb(), frame.bytes());
        let reply = world.relay(node, ticket, frame.bytes().to_vec());
        let silent =
            matches!(reply, None | Some(Err(RelayRefusal::NoQuorum | RelayRefusal::Unknown)));
        assert!(silent, "node {node} answers: {:?}", reply.map(|r| r.map(|_| "a frame")));
    }
    // One comes back: a new process, that may not vote for its old self. The other three froze for
    // nobody yet, so there is a majority of disks and custodians can start an era from it.
    world.revive(3, Restore::Today);
    world.pass(2_000);
    assert!(world.leader().is_none(), "three old voters and a stranger are no quorum");
    world.custodians_start();
    assert!(world.pump(10_000, |world| world.leader().is_some()));
    let before = alice.budget(&mut world);
    assert_eq!(
        (before.row_left, before.year_left),
        // The short waits of this fleet allow a whole row in a day.
        (10, 30),
        "the era debits the year"
    );
    assert_eq!(recovered(alice.recover(&mut world, "right")), 0);
}

#[test]
fn a_process_that_restarts_votes_again_only_as_a_new_incarnation() {
    let mut world = World::calm(3);
    let before = world.vault(2).map(|vault| vault.incarnation());
    world.revive(2, Restore::Today);
    assert!(world.pump(20_000, |world| {
        world.health(2).is_some_and(|h| h.role == "follower" && Some(h.incarnation) != before)
    }));
    assert_eq!(world.health(2).map(|h| h.voters.len()), Some(7));
}

#[test]
fn strangers_and_reattached_tickets_leave_no_trace() {
    let mut world = World::calm(4);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let (slot, other) = (alice.slot(), *Person::new(&world, "bob", 2).to.slot());
    let start = |seed| {
        Recovery::start(&alice.to, &password("guess"), [1; 32], false, [seed; 32]).expect("start").1
    };
    let (frame, second) = (start(1), start(2));
    let leader = world.leader().expect("leader");
    let bytes = frame.bytes().to_vec();
    let good = world.ticket(&slot, Verb::RecoverStart, &bytes);
    let refused = Some(Err(RelayRefusal::TicketRefused));
    // Reattached to another frame; for another slot; for another verb; by a stranger; too late.
    assert_eq!(world.relay(leader, good.clone(), second.bytes().to_vec()), refused);
    let ticket = world.ticket(&other, Verb::RecoverStart, &bytes);
    assert_eq!(world.relay(leader, ticket, bytes.clone()), refused);
    let ticket = world.ticket(&slot, Verb::Budget, &bytes);
    assert_eq!(world.relay(leader, ticket, bytes.clone()), refused);
    let ticket = strangers_ticket(&world, &slot, &bytes, EPOCH_MS + world.now_ms() + 60_000);
    assert_eq!(world.relay(leader, ticket, bytes.clone()), refused);
    world.pass(6 * 60_000);
    let leader = world.leader().expect("leader");
    assert_eq!(world.relay(leader, good, bytes.clone()), refused);
    // Truncated, oversized, flipped.
    let ticket = world.ticket(&slot, Verb::RecoverStart, &bytes);
    for len in [0, 1, bytes.len() - 1] {
        let cut = bytes[..len].to_vec();
        assert!(matches!(world.relay(leader, ticket.clone(), cut), Some(Err(_))));
    }
    let mut long = bytes.clone();
    long.push(0);
    assert!(matches!(world.relay(leader, ticket.clone(), long), Some(Err(_))));
    let mut flipped = ticket;
    flipped[2] ^= 1;
    assert!(matches!(world.relay(leader, flipped, bytes), Some(Err(_))));
    assert_eq!(alice.budget(&mut world).row_left, 10, "nobody was charged");
}

fn strangers_ticket(world: &World, slot: &Slot, frame: &[u8], expires_ms: u64) -> Vec<u8> {
    use ed25519_dalek::{Signer as _, SigningKey};
    let key = SigningKey::from_bytes(&[66; 32]);
    let mut ticket = Ticket {
        fleet: fleet::FLEET.to_owned(),
        slot: *slot,
        verb: Verb::RecoverStart,
        frame_digest: Fixed(sha256(frame)),
        expires_ms,
        id: Fixed([1; 16]),
        key: Fixed(key.verifying_key().to_bytes()),
        signature: Fixed([0; 64]),
    };
    ticket.signature = Fixed(key.sign(&ticket.statement()).to_bytes());
    let manifest = &world.ceremony().manifest;
    let scope = Scope { manifest_digest: manifest.digest(), fleet: fleet::FLEET };
    let public = strongroom_session::FleetPublic::from_bytes(&manifest.fleets[0].hpke_key.0);
    let plaintext = ticket.to_plaintext().expect("fits");
    seal_ticket(&scope, &public.expect("key"), &plaintext, [3; 32]).expect("seals")
}

#[test]
fn identity_elements_are_refused_through_the_whole_path() {
    let mut world = World::calm(5);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let (slot, manifest) = (alice.slot(), world.ceremony().manifest.clone());
    let scope = Scope { manifest_digest: manifest.digest(), fleet: fleet::FLEET };
    let public = strongroom_session::FleetPublic::from_bytes(&manifest.fleets[0].hpke_key.0);
    let public = public.expect("key");
    let account = strongroom_account::Account::normalise("alice").expect("account").hash();
    for body in [
        Body::RecoverStart { ke1: Fixed([0; caps::opaque::KE1_LEN]) },
        Body::RegisterStart { request: Fixed([0; 32]) },
    ] {
        let verb = body.verb();
        let plaintext = Request::new(account, body).to_plaintext().expect("fits");
        let (frame, opener) = seal_request(&scope, &public, &plaintext, [8; 32]).expect("seals");
        let ticket = world.ticket(&slot, verb, &frame);
        let leader = world.leader().expect("leader");
        let answer = world.relay(leader, ticket, frame).expect("answer").expect("signed");
        let plaintext = opener.open(&answer).expect("opens");
        let (_, response) =
            strongroom_wire::response::SignedResponse::from_plaintext(&plaintext).expect("reads");
        let refused =
            strongroom_wire::response::Outcome::Refused { why: Refusal::BadMessage, generation: 0 };
        assert_eq!(response.outcome, refused);
    }
    assert_eq!(alice.budget(&mut world).row_left, 10);
}

#[test]
fn inv1_a_replayed_frame_is_the_same_attempt_on_every_leader() {
    let mut world = World::calm(6);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let slot = alice.slot();
    let (recovery, frame) =
        Recovery::start(&alice.to, &password("right"), alice.device.public(), false, [9; 32])
            .expect("start");
    // Each answer is lost with its leader; the next leader answers the same frame.
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(world.carry_to_leader(&slot, &frame));
        let leader = world.leader().expect("leader");
        world.kill(leader);
    }
    let mut attempts = Vec::new();
    for answer in &answers {
        let Ok(Started::Charged(charged)) = recovery.on_started(answer) else {
            panic!("not charged")
        };
        attempts.push(charged.next.attempt());
        if attempts.len() == 3 {
            let answer = world.carry_to_leader(&slot, &charged.frame);
            let finished = charged.next.on_finished(&answer).expect("finished");
            assert!(matches!(finished, Outcome::Recovered(r) if r.receipt.failures_ms.is_empty()));
        }
    }
    assert_eq!(attempts, [1, 1, 1]);
    assert_eq!(alice.budget(&mut world).row_left, 10);
}

#[test]
fn a_replayed_destroy_and_a_replayed_registration_change_nothing() {
    let mut world = World::calm(7);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "first");
    let slot = alice.slot();
    let owner = Owner { key: &alice.device, generation: 1, counter: 1 };
    let (ask, destroy) = Destroy::ask(&alice.to, &owner, [7; 32]).expect("ask");
    assert_eq!(ask.on_answer(&world.carry_to_leader(&slot, &destroy)).expect("done").0, 1);
    alice.enroll(&mut world, "second");
    // The gateway kept the frame and mints another ticket for it.
    let refused = ask.on_answer(&world.carry_to_leader(&slot, &destroy));
    assert!(matches!(refused, Err(ProtocolError::Refused { why: Refusal::GenerationMoved, .. })));
    assert_eq!(recovered(alice.recover(&mut world, "second")), 0);
}

#[test]
fn inv6_an_answer_is_bound_to_its_request() {
    let mut world = World::calm(8);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let slot = alice.slot();
    let start = |seed| {
        Recovery::start(&alice.to, &password("right"), [1; 32], false, [seed; 32]).expect("start")
    };
    let ((first, first_frame), (second, second_frame)) = (start(1), start(2));
    let first_answer = world.carry_to_leader(&slot, &first_frame);
    let second_answer = world.carry_to_leader(&slot, &second_frame);
    assert!(first.on_started(&second_answer).is_err());
    assert!(second.on_started(&first_answer).is_err());
    let mut flipped = first_answer.clone();
    flipped[100] ^= 1;
    assert!(first.on_started(&flipped).is_err());
    assert!(first.on_started(&first_answer).is_ok());
}

#[test]
fn inv9_a_client_accepts_no_key_that_its_manifest_does_not_list() {
    // Another fleet with the same name, app and account, run by somebody else.
    let (mut world, mut decoy) = (World::calm(9), World::calm(10));
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let slot = alice.slot();
    let (recovery, frame) =
        Recovery::start(&alice.to, &password("right"), [1; 32], false, [1; 32]).expect("start");
    // The decoy cannot even open what was sealed to the listed key.
    let ticket = decoy.ticket(&slot, frame.verb(), frame.bytes());
    let leader = decoy.leader().expect("leader");
    let reply = decoy.relay(leader, ticket, frame.bytes().to_vec());
    assert_eq!(reply, Some(Err(RelayRefusal::Malformed)));
    // And an answer of its own to its own client is nothing to this one.
    let mut mallory = Person::new(&decoy, "alice", 1);
    mallory.enroll(&mut decoy, "right");
    let (_, other) =
        Recovery::start(&mallory.to, &password("right"), [1; 32], false, [1; 32]).expect("start");
    let answer = decoy.carry_to_leader(&slot, &other);
    assert!(recovery.on_started(&answer).is_err());
}

#[test]
fn inv4_a_leader_with_a_wrong_clock_moves_vault_time_nowhere() {
    let mut world = World::calm(11);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let leader = world.leader().expect("leader");
    for node in [leader, (leader + 1) % 7, (leader + 2) % 7] {
        world.skew(node, 400 * 86_400_000);
    }
    for n in 0..4 {
        let _ = alice.recover(&mut world, &format!("wrong {n}"));
    }
    world.pass(2_000);
    let status = alice.status(&mut world, 1, 1);
    let truth = EPOCH_MS + world.now_ms();
    assert!(status.failures_ms.iter().all(|at| *at <= truth + 1_000), "{status:?}");
}

#[test]
fn inv2_inv3_every_verb_leaves_one_entry_of_one_size() {
    let mut world = World::calm(12);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let mut nobody = Person::new(&world, "nobody", 2);
    let mut applied = world.health(0).map_or(0, |h| h.applied);
    world.pass(500);
    let mut steps: Vec<(&str, u64)> = Vec::new();
    let mut count = |world: &mut World, what: &'static str| {
        world.pass(500);
        let now = world.health(0).map_or(0, |h| h.applied);
        steps.push((what, now - applied));
        applied = now;
    };
    count(&mut world, "settle");
    let _ = alice.recover(&mut world, "right");
    count(&mut world, "right password");
    let _ = alice.recover(&mut world, "wrong");
    count(&mut world, "wrong password");
    let _ = nobody.recover(&mut world, "anything");
    count(&mut world, "unknown user");
    let _ = alice.budget(&mut world);
    count(&mut world, "budget");
    let _ = alice.status(&mut world, 1, 1);
    count(&mut world, "status");
    assert_eq!(
        steps[1..].iter().map(|(_, n)| *n).collect::<Vec<_>>(),
        [2, 2, 2, 1, 1],
        "{steps:?}"
    );
    assert_eq!(world.broken(), [], "sizes are checked at every write and answer");
}

#[test]
fn inv7_a_locked_record_cannot_be_found_on_any_disk_with_all_keys() {
    let mut world = World::calm(13);
    let mut alice = Person::new(&world, "alice", 1);
    let mut bob = Person::new(&world, "bob", 2);
    alice.enroll(&mut world, "right");
    bob.enroll(&mut world, "right");
    let salt = |world: &World, slot: &Slot| {
        (0..world.len()).find_map(|node| {
            let state = world.vault(node)?.danger_state().slot(slot)?;
            state.record.as_ref()?.salt.as_ref().map(|salt| *salt.expose())
        })
    };
    let (lost, kept) = (salt(&world, &alice.slot()), salt(&world, &bob.slot()));
    assert!(lost.is_some() && kept.is_some());
    alice.lock_out(&mut world);
    // The next compaction of every node.
    world.pass(12_000);
    // Somebody takes all disks, all cells and all keys, and starts the fleet again in a cellar.
    for node in 0..world.len() {
        world.kill(node);
    }
    for node in 0..world.len() {
        world.revive(node, Restore::Today);
    }
    world.custodians_start();
    assert!(world.pump(10_000, |world| world.leader().is_some()));
    assert_eq!(salt(&world, &bob.slot()), kept, "a live record is found by these means");
    assert_eq!(salt(&world, &alice.slot()), None);
    let lost = lost.expect("salt");
    for node in 0..world.len() {
        let state = world.vault(node).expect("vault").danger_state();
        let salts = state.salts_to_bytes();
        assert!(!salts.windows(32).any(|window| window == lost), "node {node}");
    }
}

#[test]
fn inv10_hosts_see_no_secret() {
    // The oracle looks at every frame, answer and disk of a run for passwords and backup keys; that
    // it would see one is checked here.
    let mut oracle = strongroom_sim::oracle::Oracle::default();
    oracle.guard_secret(b"correct horse battery staple");
    oracle.inv10_secret_in("a frame", b"....correct horse battery staple....");
    assert_eq!(oracle.broken.len(), 1);
    let report = World::new(strongroom_sim::Plan::calm(14, 6)).run();
    assert_eq!(report.broken, []);
}

#[test]
fn another_device_takes_over_only_with_authority_or_after_the_delay() {
    let mut world = World::calm(15);
    let mut alice = Person::new(&world, "alice", 1);
    alice.enroll(&mut world, "right");
    let mut thief = Person::new(&world, "alice", 66);
    let delayed = thief.enroll(&mut world, "mine now");
    assert!(delayed.receipt.effective_ms > 0);
    assert_eq!(delayed.receipt.destroyed, None);
    assert!(alice.status(&mut world, 1, 1).cancelled_replacement);
    // The owner's own device replaces at once.
    let device = DeviceKey::from_seed(&[1; 32]);
    let by = Authorisation::Device { key: &device, generation: 1, counter: 2 };
    let receipt = alice.enroll_as(&mut world, "new password", &by).receipt;
    assert_eq!((receipt.generation, receipt.destroyed), (2, Some(1)));
    assert_eq!(recovered(alice.recover(&mut world, "new password")), 0);
}
