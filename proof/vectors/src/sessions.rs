//! The session: sealed request, sealed response, boxes, relay bytes (spec §5).

use crate::{
    tickets, vault,
    vector::{Case, File, error_name},
    world::{FLEET, FLEET_SEED, World},
};
use strongroom_session::{Scope, seal_box, seal_request, seal_ticket};
use strongroom_wire::{
    Framed,
    digest::sha256,
    relay::{RelayRefusal, RelayRequest, reply_from_bytes, reply_to_bytes},
    request::{Body, Request},
    response::Outcome,
};

const SEAL_SEED: [u8; 32] = [0x91; 32];
const NONCE: [u8; 32] = [0x92; 32];
const BOX_LABEL: &str = "fleet-secrets/eu-1";
const REFUSALS: [RelayRefusal; 5] = [
    RelayRefusal::NoQuorum,
    RelayRefusal::Malformed,
    RelayRefusal::TicketRefused,
    RelayRefusal::Busy,
    RelayRefusal::Unknown,
];

fn info(world: &World, label: &str) -> Vec<u8> {
    Framed::new(label).bytes(&world.digest).bytes(FLEET.as_bytes()).into_bytes()
}

pub(crate) fn file(world: &World) -> File {
    let request = Request::new(world.account.hash(), Body::Budget {});
    let plaintext = request.to_plaintext().expect("it fits");
    let (scope, to) = (world.scope(), world.fleet_secret.public());
    let (frame, opener) = seal_request(&scope, &to, &plaintext, SEAL_SEED).expect("seal");
    let (opened, sealer) = world.fleet_secret.open_request(&scope, &frame).expect("open");
    assert_eq!(opened, plaintext);
    let response = vault::response(9, Outcome::Destroyed { generation: 2 });
    let answer = vault::sign(world, &sha256(&frame), &response).plaintext;
    let sealed = sealer.seal(&answer, NONCE).expect("seal");
    assert_eq!(opener.open(&sealed).as_ref(), Ok(&answer));
    let ticket = tickets::ticket(world, sha256(&frame)).to_plaintext().expect("it fits");
    let ticket = seal_ticket(&scope, &to, &ticket, SEAL_SEED).expect("seal");
    let boxed = seal_box(BOX_LABEL, &to, b"fleet secrets", SEAL_SEED).expect("seal");
    let relay = RelayRequest { ticket, frame: frame.clone() };
    let session = Case::named("a request and its response")
        .hex("fleet_secret_seed", FLEET_SEED)
        .hex("fleet_public", to.to_bytes())
        .hex("request_info", info(world, "strongroom/session/request/v1"))
        .hex("ticket_info", info(world, "strongroom/session/ticket/v1"))
        .hex("request_plaintext", &plaintext)
        .hex("seal_seed", SEAL_SEED)
        .hex("request_frame", &frame)
        .hex("frame_digest", sha256(&frame))
        .text("export_context", "strongroom/session/response/v1")
        .hex("response_plaintext", &answer)
        .hex("response_nonce", NONCE)
        .hex("response_frame", &sealed);
    let boxes = Case::named("a box")
        .text("label", BOX_LABEL)
        .hex("info", Framed::new("strongroom/box/v1").bytes(BOX_LABEL.as_bytes()).into_bytes())
        .hex("plaintext", b"fleet secrets")
        .hex("sealed", &boxed);
    let carried = Case::named("what a gateway hands to a node")
        .number("length", relay.to_bytes().len() as u64)
        .hex("sha256", sha256(&relay.to_bytes()));
    let answered = reply_to_bytes(&Ok(sealed.clone()));
    let replies = REFUSALS.iter().fold(
        Case::named("what comes back").hex("answered_sha256", sha256(&answered)),
        |case, refusal| {
            let name = match refusal {
                RelayRefusal::NoQuorum => "NoQuorum",
                RelayRefusal::Malformed => "Malformed",
                RelayRefusal::TicketRefused => "TicketRefused",
                RelayRefusal::Busy => "Busy",
                RelayRefusal::Unknown => "Unknown",
            };
            case.hex(name, reply_to_bytes(&Err(*refusal)))
        },
    );
    let mut flipped = frame.clone();
    flipped[700] ^= 1;
    let elsewhere = Scope { fleet: "eu-2", ..world.scope() };
    let open = |scope: &Scope<'_>, frame: &[u8]| {
        let opened = world.fleet_secret.open_request(scope, frame);
        format!("{:?}", opened.err().expect("refused"))
    };
    let mut odd = sealed.clone();
    odd[40] ^= 1;
    let short = &answered[..answered.len() - 1];
    let relayed = relay.to_bytes();
    let torn = &relayed[..64];
    File::new(
        "session.json",
        "05-session.md",
        "HPKE base mode with X-Wing, SHAKE256 and AES-256-GCM: a request, its response, a box, a relay.",
    )
    .case(session)
    .case(boxes)
    .case(carried)
    .case(replies)
    .refused("a flipped bit", "request frame", &flipped, open(&scope, &flipped))
    .refused("another fleet", "request frame", &frame, open(&elsewhere, &frame))
    .refused("a short frame", "request frame", &frame[..99], open(&scope, &frame[..99]))
    .refused(
        "a flipped bit",
        "response frame",
        &odd,
        format!("{:?}", opener.open(&odd).expect_err("refused")),
    )
    .refused("a short answer", "reply", short, error_name(reply_from_bytes(short)))
    .refused("nothing", "reply", &[], error_name(reply_from_bytes(&[])))
    .refused("an unknown code", "reply", &[6], error_name(reply_from_bytes(&[6])))
    .refused("a refusal and more", "reply", &[1, 0], error_name(reply_from_bytes(&[1, 0])))
    .refused("a torn relay", "relay", torn, error_name(RelayRequest::from_bytes(torn)))
}
