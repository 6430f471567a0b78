//! Log entries: one size for every command (spec §10.3).

use crate::{
    exchange::{ENTRY, Exchanged, LOGIN_SEED, SALT},
    vector::{Case, File, error_name},
    world::{DEVICE, KEYSET, NOW_MS, World, public},
};
use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Entry, Spending};
use strongroom_wire::{Fixed, Slot, codec, digest::sha256, request::Verb, response::Refusal};

pub(crate) fn file(world: &World, ran: &Exchanged) -> File {
    let device = Fixed(public(DEVICE));
    let of_slot = [
        (
            "register-start",
            Command::RegisterStart {
                request: Fixed([0xb1; 32]),
                entry: Fixed(ENTRY),
                salt: Fixed(sha256(&SALT)),
                keyset: KEYSET,
            },
        ),
        (
            "register-finish, nobody",
            Command::RegisterFinish {
                registration: ran.stored.clone(),
                authorised: Authorised::Nobody {},
            },
        ),
        (
            "register-finish, a device",
            Command::RegisterFinish {
                registration: ran.stored.clone(),
                authorised: Authorised::Device { device, generation: 1, counter: 5 },
            },
        ),
        (
            "recover-start",
            Command::RecoverStart { ke1: Fixed(sha256(&ran.ke1)), seed: Fixed(LOGIN_SEED) },
        ),
        ("recover-finish, proved", finish(ran, device, Some(Fixed(ran.fresh_key)))),
        ("recover-finish, not proved", finish(ran, device, None)),
        ("status", owner(device, Verb::Status, None)),
        ("enroll-device", owner(device, Verb::EnrollDevice, Some(Fixed([0xb2; 32])))),
        ("budget", Command::Budget {}),
        ("refused", Command::Refused { why: Refusal::BadMessage }),
    ];
    let of_all = [
        ("tick", Command::Tick {}),
        ("era", Command::Era { era: 2, window_ms: 86_400_000 }),
        ("adopt", Command::Adopt { epoch: 4, policy: Policy::standard() }),
        ("erased", Command::Erased { through: 40 }),
    ];
    let ticket = Spending { expires_ms: NOW_MS + 60_000, id: Fixed([0x43; 16]) };
    let of_slot =
        of_slot.into_iter().map(|(name, command)| (name, entry(world.slot, Some(ticket), command)));
    let of_all = of_all
        .into_iter()
        .map(|(name, command)| (name, entry(Slot(Fixed([0; 32])), None, command)));
    let entries: Vec<(&str, Entry)> = of_slot.chain(of_all).collect();
    let tick = entry(Slot(Fixed([0; 32])), None, Command::Tick {});
    let padded = tick.to_bytes().expect("it fits");
    let mut dirty = padded.clone();
    *dirty.last_mut().expect("768 bytes") = 1;
    File::new(
        "entry.json",
        "10-budget.md",
        "Log entries of every command: the encoding, and SHA-256 of the padded entry of 768 bytes.",
    )
    .cases(entries.iter().map(|(name, entry)| {
        let encoded = codec::encode(entry);
        let padded = entry.to_bytes().expect("it fits");
        assert_eq!(Entry::from_bytes(&padded).as_ref(), Ok(entry));
        Case::named(name)
            .number("length", encoded.len() as u64)
            .hex("encoded", &encoded)
            .hex("padded_sha256", sha256(&padded))
    }))
    .attacked("Entry (CBOR)", &codec::encode(&tick), |bytes| codec::decode::<Entry>(bytes, 766))
    .refused("padding", "Entry", &dirty, error_name(Entry::from_bytes(&dirty)))
    .refused(
        "a byte missing",
        "Entry",
        &padded[1..],
        error_name(Entry::from_bytes(&padded[1..])),
    )
}

fn entry(slot: Slot, ticket: Option<Spending>, command: Command) -> Entry {
    Entry { time_ms: NOW_MS, slot, ticket, blind: Fixed([0xb3; 32]), command }
}

fn finish(ran: &Exchanged, device: Fixed<32>, proved: Option<Fixed<32>>) -> Command {
    Command::RecoverFinish {
        attempt: 1,
        ke1: Fixed(sha256(&ran.ke1)),
        ke3: Fixed([0xb4; 32]),
        proved,
        device,
        keep_device: true,
    }
}

fn owner(device: Fixed<32>, verb: Verb, enroll: Option<Fixed<32>>) -> Command {
    Command::Owner { verb, device, generation: 1, counter: 5, enroll }
}
