//! What makes a command the owner's (spec §7).

use crate::{
    exchange::{BACKUP_KEY, GENERATION},
    vector::{Case, File},
    world::{DEVICE, FLEET, NAMESPACE, World, key, public},
};
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use strongroom_wire::{
    Fixed, binding, codec,
    digest::sha256,
    owner::{Authority, OwnerAuth, OwnerScope, body_digest},
    request::Verb,
};

pub(crate) const COUNTER: u64 = 5;
pub(crate) const ENROLLED: u8 = 0x52;

pub(crate) fn scope<'a>(
    world: &'a World,
    verb: Verb,
    counter: u64,
    body: [u8; 32],
) -> OwnerScope<'a> {
    OwnerScope {
        namespace: NAMESPACE,
        fleet: FLEET,
        slot: &world.slot,
        verb,
        generation: GENERATION,
        counter,
        body,
    }
}

/// A device's signature over a verb and its content.
pub(crate) fn signed(world: &World, verb: Verb, content: &[u8]) -> OwnerAuth {
    authorised(&scope(world, verb, COUNTER, body_digest(content)))
}

/// A device's signature over a scope.
pub(crate) fn authorised(scope: &OwnerScope<'_>) -> OwnerAuth {
    let signature = key(DEVICE).sign(&scope.device_statement()).to_bytes();
    OwnerAuth {
        device: Fixed(public(DEVICE)),
        generation: scope.generation,
        counter: scope.counter,
        signature: Fixed(signature),
    }
}

/// The MAC of a fresh recovery under its session's key.
pub(crate) fn fresh(scope: &OwnerScope<'_>, fresh_key: &[u8; 32]) -> Authority {
    let mut mac = Hmac::<Sha256>::new_from_slice(fresh_key).expect("a key of any length");
    mac.update(&scope.fresh_statement());
    Authority::Fresh {
        generation: scope.generation,
        attempt: scope.counter,
        mac: Fixed(mac.finalize().into_bytes().into()),
    }
}

pub(crate) fn file(world: &World) -> File {
    let file = File::new(
        "owner.json",
        "07-owner.md",
        "Owner's statements: a device's signature, and the MAC of a fresh recovery.",
    );
    let enrolled = public(ENROLLED);
    let contents: [(Verb, &[u8]); 3] =
        [(Verb::Status, &[]), (Verb::Destroy, &[]), (Verb::EnrollDevice, &enrolled)];
    let file = contents.into_iter().fold(file, |file, (verb, content)| {
        let scope = scope(world, verb, COUNTER, body_digest(content));
        let auth = authorised(&scope);
        file.case(
            Case::named(verb.name())
                .text("namespace", NAMESPACE)
                .text("fleet", FLEET)
                .hex("slot", world.slot.as_bytes())
                .number("verb", verb.code())
                .number("generation", scope.generation)
                .number("counter", scope.counter)
                .hex("content", content)
                .hex("body", scope.body)
                .hex("statement", scope.device_statement())
                .hex("device_seed", [DEVICE; 32])
                .hex("device", auth.device.0)
                .hex("signature", auth.signature.0)
                .hex("encoded", codec::encode(&auth)),
        )
    });
    let registration = sha256(&BACKUP_KEY);
    let scope = scope(world, Verb::RegisterFinish, 1, registration);
    let fresh_key = [0x53; 32];
    let authority = fresh(&scope, &fresh_key);
    let Authority::Fresh { mac, .. } = &authority else {
        return file;
    };
    let device = Authority::Device { auth: authorised(&scope) };
    let auth = codec::encode(&signed(world, Verb::Status, &[]));
    file.case(
        Case::named("a fresh recovery authorises a registration")
            .hex("body", registration)
            .number("generation", scope.generation)
            .number("attempt", scope.counter)
            .hex("fresh_info", binding::FRESH_INFO)
            .hex("fresh_key", fresh_key)
            .hex("statement", scope.fresh_statement())
            .hex("mac", mac.0)
            .hex("encoded", codec::encode(&authority)),
    )
    .case(
        Case::named("a device authorises a registration")
            .hex("body", registration)
            .hex("statement", scope.device_statement())
            .hex("encoded", codec::encode(&device)),
    )
    .case(Case::named("no authority").hex("encoded", codec::encode(&Authority::None {})))
    .attacked("OwnerAuth", &auth, |bytes| codec::decode::<OwnerAuth>(bytes, 1_024))
}
