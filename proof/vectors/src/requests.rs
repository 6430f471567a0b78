//! Requests of every verb (spec §6).

use crate::{
    exchange::{ATTEMPT, Exchanged},
    owners::{self, ENROLLED},
    vector::{Case, File, error_name},
    world::{World, public},
};
use strongroom_wire::{
    Fixed, codec,
    digest::sha256,
    owner::Authority,
    request::{Body, Request, Verb},
};

pub(crate) fn file(world: &World, ran: &Exchanged) -> File {
    let request = |body| Request::new(world.account.hash(), body);
    let finish =
        |authority| request(Body::RegisterFinish { registration: ran.stored.clone(), authority });
    let digest = ran.stored.digest();
    let of_finish = |counter| owners::scope(world, Verb::RegisterFinish, counter, digest);
    let device = Authority::Device { auth: owners::authorised(&of_finish(owners::COUNTER)) };
    let fresh = owners::fresh(&of_finish(ATTEMPT), &ran.fresh_key);
    let enrolled = public(ENROLLED);
    let of_owner = |verb, content: &[u8]| owners::signed(world, verb, content);
    let status = Body::Status { auth: of_owner(Verb::Status, &[]) };
    let destroy = Body::Destroy { auth: of_owner(Verb::Destroy, &[]) };
    let enroll = Body::EnrollDevice {
        auth: of_owner(Verb::EnrollDevice, &enrolled),
        device: Fixed(enrolled),
    };
    let budget = request(Body::Budget {});
    let others = [
        ("register-finish, a device's authority", finish(device)),
        ("register-finish, a fresh recovery's authority", finish(fresh)),
        ("status", request(status)),
        ("destroy", request(destroy)),
        ("enroll-device", request(enroll)),
        ("budget", budget.clone()),
    ];
    let exchanged =
        ran.requests.iter().map(|(name, request, plaintext)| case(name, request, plaintext));
    let others = others
        .iter()
        .map(|(name, request)| case(name, request, &request.to_plaintext().expect("it fits")));
    let encoded = codec::encode(&budget);
    let plaintext = budget.to_plaintext().expect("it fits");
    let mut newer = plaintext.clone();
    newer[3] = 2;
    let mut dirty = plaintext.clone();
    *dirty.last_mut().expect("1,024 bytes") = 1;
    let read = Request::from_plaintext;
    File::new(
        "request.json",
        "06-opaque.md",
        "Requests of every verb: the encoding, and SHA-256 of the padded plaintext of 1,024 bytes.",
    )
    .cases(exchanged)
    .cases(others)
    .attacked("Request (CBOR)", &encoded, |bytes| codec::decode::<Request>(bytes, 1_022))
    .refused("version 2", "Request", &newer, error_name(read(&newer)))
    .refused("padding", "Request", &dirty, error_name(read(&dirty)))
    .refused("no plaintext", "Request", &[], error_name(read(&[])))
}

fn case(name: &str, request: &Request, plaintext: &[u8]) -> Case {
    let verb = request.body.verb();
    let encoded = codec::encode(request);
    assert_eq!(codec::pad(&encoded, 1_024).as_deref(), Ok(plaintext));
    let case = Case::named(name)
        .text("verb", verb.name())
        .number("verb_code", verb.code())
        .number("length", encoded.len() as u64)
        .hex("encoded", &encoded)
        .hex("plaintext_sha256", sha256(plaintext));
    match &request.body {
        Body::RegisterFinish { registration, .. } => case
            .hex("registration", codec::encode(registration))
            .hex("registration_digest", registration.digest()),
        _ => case,
    }
}
