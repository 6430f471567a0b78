//! Tickets: what a gateway signs and seals (spec §4).

use crate::{
    vector::{Case, File, error_name},
    world::{FLEET, FLEET_SEED, NOW_MS, TICKET_KEY, World, key, public},
};
use ed25519_dalek::Signer as _;
use strongroom_session::seal_ticket;
use strongroom_wire::{Fixed, codec, request::Verb, ticket::Ticket};

const SEAL_SEED: [u8; 32] = [0x42; 32];

pub(crate) fn ticket(world: &World, frame_digest: [u8; 32]) -> Ticket {
    let mut ticket = Ticket {
        fleet: FLEET.to_owned(),
        slot: world.slot,
        verb: Verb::RecoverStart,
        frame_digest: Fixed(frame_digest),
        expires_ms: NOW_MS + 60_000,
        id: Fixed([0x43; 16]),
        key: Fixed(public(TICKET_KEY)),
        signature: Fixed([0; 64]),
    };
    ticket.signature = Fixed(key(TICKET_KEY).sign(&ticket.statement()).to_bytes());
    ticket
}

pub(crate) fn file(world: &World) -> File {
    let ticket = ticket(world, [0x44; 32]);
    let (encoded, plaintext) = (codec::encode(&ticket), ticket.to_plaintext().expect("fits"));
    let public_key = world.fleet_secret.public();
    let sealed = seal_ticket(&world.scope(), &public_key, &plaintext, SEAL_SEED).expect("seal");
    let opened = world.fleet_secret.open_ticket(&world.scope(), &sealed);
    assert_eq!(opened.as_ref(), Ok(&plaintext));
    let case = Case::named("a ticket for recover-start")
        .text("fleet", FLEET)
        .hex("slot", world.slot.as_bytes())
        .text("verb", ticket.verb.name())
        .hex("frame_digest", ticket.frame_digest.0)
        .number("expires_ms", ticket.expires_ms)
        .hex("id", ticket.id.0)
        .hex("key_seed", [TICKET_KEY; 32])
        .hex("key", ticket.key.0)
        .hex("statement", ticket.statement())
        .hex("signature", ticket.signature.0)
        .hex("encoded", &encoded)
        .hex("plaintext", &plaintext)
        .hex("fleet_secret_seed", FLEET_SEED)
        .hex("manifest_digest", world.digest)
        .hex("seal_seed", SEAL_SEED)
        .hex("sealed", &sealed);
    let mut dirty = plaintext.clone();
    *dirty.last_mut().expect("384 bytes") = 1;
    let mut long = plaintext.clone();
    long[..2].fill(0xff);
    let short = &plaintext[..plaintext.len() - 1];
    let read = Ticket::from_plaintext;
    let other = strongroom_session::Scope { fleet: "eu-2", ..world.scope() };
    let elsewhere = world.fleet_secret.open_ticket(&other, &sealed);
    File::new(
        "ticket.json",
        "04-ticket.md",
        "A gateway's ticket: signed, padded, sealed to the fleet.",
    )
    .case(case)
    .attacked("Ticket (CBOR)", &encoded, |bytes| codec::decode::<Ticket>(bytes, 382))
    .refused("padding", "Ticket", &dirty, error_name(read(&dirty)))
    .refused("a length beyond the end", "Ticket", &long, error_name(read(&long)))
    .refused("a byte missing", "Ticket", short, error_name(read(short)))
    .refused(
        "opened for fleet eu-2",
        "sealed ticket",
        &sealed,
        format!("{:?}", elsewhere.expect_err("another fleet")),
    )
}
