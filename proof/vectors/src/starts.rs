//! Positions and start statements (spec §11).

use crate::{
    vector::{Case, File},
    world::{CUSTODIANS, FLEET, World, identity, key, public},
};
use ed25519_dalek::Signer as _;
use strongroom_manifest::check_signatures;
use strongroom_wire::{
    Fixed, codec,
    start::{CustodianSignature, Position, SignedPosition, SignedStart, Start},
};

pub(crate) fn position(node: u8, empty: bool) -> SignedPosition {
    let position = Position {
        fleet: FLEET.to_owned(),
        node,
        incarnation: (u64::from(node) << 56) | 0x0b0b,
        era: u64::from(!empty),
        hard_term: if empty { 0 } else { 5 + u64::from(node) },
        last_term: if empty { 0 } else { 5 },
        last_index: if empty { 0 } else { 90 + u64::from(node) },
        chain_hash: Fixed(if empty { [0; 32] } else { [0xa0 + node; 32] }),
    };
    let signature = key(identity(node)).sign(&position.statement()).to_bytes();
    SignedPosition { position, signature: Fixed(signature) }
}

pub(crate) fn start(empty: bool) -> SignedStart {
    let start = Start {
        fleet: FLEET.to_owned(),
        era: if empty { 1 } else { 2 },
        positions: (1..=2).map(|node| position(node, empty)).collect(),
    };
    let sign = |seed| CustodianSignature {
        custodian: Fixed(public(seed)),
        signature: Fixed(key(seed).sign(&start.statement()).to_bytes()),
    };
    let signatures = CUSTODIANS.into_iter().take(2).map(sign).collect();
    SignedStart { start, signatures }
}

pub(crate) fn file(world: &World) -> File {
    let file = File::new(
        "start.json",
        "11-start.md",
        "Positions of nodes 1 and 2 of three, and start statements by custodians 1 and 2 of three.",
    );
    let of_position = |name: &str, empty| {
        let signed = position(1, empty);
        Case::named(name)
            .number("node", 1_u8)
            .wide("incarnation", signed.position.incarnation)
            .number("era", signed.position.era)
            .number("hard_term", signed.position.hard_term)
            .number("last_term", signed.position.last_term)
            .number("last_index", signed.position.last_index)
            .hex("chain_hash", signed.position.chain_hash.0)
            .hex("statement", signed.position.statement())
            .hex("signature", signed.signature.0)
            .hex("encoded", codec::encode(&signed))
    };
    let of_start = |name: &str, empty| {
        let signed = start(empty);
        let pairs = signed.signatures.iter().map(|s| (s.custodian.0, s.signature.0));
        let custodians = &world.manifest.custodians;
        assert_eq!(check_signatures(custodians, &signed.start.statement(), pairs), 2);
        Case::named(name)
            .number("era", signed.start.era)
            .hex("statement", signed.start.statement())
            .hex("encoded", codec::encode(&signed))
    };
    let (position, start) = (codec::encode(&position(1, true)), codec::encode(&start(true)));
    file.case(of_position("the position of an empty disk", true))
        .case(of_position("the position of a disk with a log", false))
        .case(of_start("genesis", true))
        .case(of_start("a cold start", false))
        .attacked("SignedPosition", &position, SignedPosition::from_bytes)
        .attacked("SignedStart", &start, SignedStart::from_bytes)
}
