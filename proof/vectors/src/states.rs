//! The replicated state, after each entry of one registration and one recovery (spec §10.4).

use crate::{
    exchange::{ENTRY, Exchanged, LOGIN_SEED, SALT},
    vector::{Case, File, error_name},
    world::{DEVICE, KEYSET, NOW_MS, World, public},
};
use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Effect, Entry, Limits, Spending, State};
use strongroom_wire::{Fixed, digest::sha256};

pub(crate) fn file(world: &World, ran: &Exchanged) -> File {
    let start = Command::RegisterStart {
        request: Fixed([0xb1; 32]),
        entry: Fixed(ENTRY),
        salt: Fixed(sha256(&SALT)),
        keyset: KEYSET,
    };
    let finish = Command::RegisterFinish {
        registration: ran.stored.clone(),
        authorised: Authorised::Nobody {},
    };
    let charge = |ke1: [u8; 32]| Command::RecoverStart { ke1: Fixed(ke1), seed: Fixed(LOGIN_SEED) };
    let close = |attempt, ke1: [u8; 32], proved| Command::RecoverFinish {
        attempt,
        ke1: Fixed(ke1),
        ke3: Fixed([0xb4; 32]),
        proved,
        device: Fixed(public(DEVICE)),
        keep_device: true,
    };
    let (wrong, right) = ([0xb5; 32], sha256(&ran.ke1));
    let commands = [
        ("a pending registration", start.clone()),
        ("a record", finish),
        ("an open attempt", charge(wrong)),
        ("a failed attempt", close(1, wrong, None)),
        ("another attempt, open", charge(right)),
        ("a success", close(2, right, Some(Fixed(ran.fresh_key)))),
        ("a registration pending beside the record", start),
    ];
    let mut state = State::new(world.manifest.epoch, Policy::standard(), Limits::default());
    let mut file = File::new(
        "state.json",
        "10-budget.md",
        "The state after each entry (indexes from 2, one minute apart), and its salts apart from it.",
    );
    for (index, (name, command)) in (2_u64..).zip(commands) {
        let time_ms = NOW_MS + index * 60_000;
        let entry = Entry {
            time_ms,
            slot: world.slot,
            ticket: Some(Spending {
                expires_ms: time_ms + 60_000,
                id: Fixed([0x40 + index as u8; 16]),
            }),
            blind: Fixed([0xb3; 32]),
            command,
        };
        let effect = state.apply(index, &entry, Some(SALT));
        let (bytes, salts) = (state.to_bytes(), state.salts_to_bytes());
        let again = State::from_bytes(&bytes, &salts, Limits::default()).expect("a state");
        assert_eq!((again.to_bytes(), again.salts_to_bytes()), (bytes.clone(), salts.clone()));
        let entry = entry.to_bytes().expect("it fits");
        file = file.case(
            Case::named(name)
                .number("index", index)
                .hex("entry_sha256", sha256(&entry))
                .text("effect", effect_name(&effect))
                .hex("state", bytes)
                .hex("salts", salts),
        );
    }
    let (state, salts) = (state.to_bytes(), state.salts_to_bytes());
    let torn = &state[..state.len() - 1];
    let read = |state: &[u8], salts: &[u8]| State::from_bytes(state, salts, Limits::default());
    file.refused("cut short", "state", torn, error_name(read(torn, &salts))).refused(
        "no salts",
        "salts",
        &[],
        error_name(read(&state, &[])),
    )
}

fn effect_name(effect: &Effect) -> &'static str {
    match effect {
        Effect::Evaluate { .. } => "evaluate the registration request",
        Effect::Challenge { .. } => "answer KE1",
        Effect::StandIn { .. } => "answer from a stand-in",
        Effect::Release { .. } => "release the wrapped key",
        Effect::Registered(_) => "give the receipt",
        Effect::Plain(_) => "give the outcome",
        Effect::None => "nothing",
    }
}
