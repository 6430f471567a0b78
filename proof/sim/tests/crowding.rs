//! What a leader says when too many ask, and to a slot that is another fleet's.

mod small;

use small::Small;
use strongroom_manifest::{Hex, SlotRange};
use strongroom_session::{FleetPublic, ResponseOpener, Scope, seal_request};
use strongroom_sim::fleet;
use strongroom_wire::{
    AccountHash, Slot,
    codec::Blob,
    process::ToVault,
    relay::RelayRefusal,
    request::{Body, Request, Verb},
    response::{Outcome, Refusal, SignedResponse},
};

/// A sealed question for the budget of an account's slot, and its ticket.
fn ask(small: &Small, account: &str) -> (Vec<u8>, Vec<u8>, ResponseOpener) {
    let manifest = &small.of.manifest;
    let account = AccountHash::of(account).expect("a name");
    let scope = Scope { manifest_digest: manifest.digest(), fleet: fleet::FLEET };
    let public = FleetPublic::from_bytes(&manifest.fleets[0].hpke_key.0).expect("a key");
    let plaintext = Request::new(account, Body::Budget {}).to_plaintext().expect("fits");
    let (frame, opener) = seal_request(&scope, &public, &plaintext, [8; 32]).expect("seals");
    let slot = Slot::of(fleet::APP, &account);
    (small.ticket(&slot, Verb::Budget, &frame), frame, opener)
}

#[test]
fn a_leader_keeps_so_many_requests_and_turns_the_next_away() {
    let mut small = Small::new();
    small.begin();
    small.run(1_000);
    let leader = small.leader();
    let (ticket, frame, _) = ask(&small, "alice");
    // Requests are queued: nothing leaves the leader meanwhile, and so nothing is committed.
    for id in 0..4_098 {
        let (ticket, frame) = (Blob(ticket.clone()), Blob(frame.clone()));
        small.step(leader, ToVault::Request { id, ticket, frame });
    }
    let busy = |id| (id, Err(RelayRefusal::Busy));
    assert_eq!(std::mem::take(&mut small.replies), [busy(4_096), busy(4_097)]);
    small.run(1_000);
    assert_eq!(small.replies.len(), 4_096, "everybody else is answered");
    assert!(small.replies.iter().all(|(_, reply)| reply.is_ok()));
}

#[test]
fn a_slot_that_another_fleet_keeps_is_refused() {
    let mut small = Small::new();
    let mut last = [0xff; 32];
    last[0] = 0x7f;
    small.change(|m| m.fleets[0].slots = SlotRange { first: Hex([0; 32]), last: Hex(last) });
    small.begin();
    small.run(1_000);
    let leader = small.leader();
    let mut outcome = |id: u64, below: bool| {
        let slot = |name: &String| Slot::of(fleet::APP, &AccountHash::of(name).expect("a name"));
        let mut names = (0..).map(|n| format!("user {n}"));
        let name = names.find(|name| (slot(name).as_bytes()[0] < 0x80) == below).expect("one");
        let (ticket, frame, opener) = ask(&small, &name);
        let (ticket, frame) = (Blob(ticket), Blob(frame));
        small.step(leader, ToVault::Request { id, ticket, frame });
        small.run(1_000);
        let (_, reply) = small.replies.pop().expect("a reply");
        let plaintext = opener.open(&reply.expect("an answer")).expect("opens");
        SignedResponse::from_plaintext(&plaintext).expect("reads").1.outcome
    };
    assert!(matches!(outcome(1, true), Outcome::BudgetIs { .. }));
    let refused = Outcome::Refused { why: Refusal::OtherFleet, generation: 0 };
    assert_eq!(outcome(2, false), refused);
}
