//! Messages between a host and its vault (spec §12).

use crate::{
    vector::{Case, File},
    world::{INCARNATION, NOW_MS, World},
};
use strongroom_wire::{
    codec::{self, Blob},
    process::{Health, PersistOp, ToHost, ToVault, to_host_from_bytes, to_vault_from_bytes},
};

fn blob(byte: u8) -> Blob {
    Blob(vec![byte; 4])
}

fn to_vault() -> Vec<(&'static str, ToVault)> {
    vec![
        ("LoadMeta", ToVault::LoadMeta { bytes: blob(1) }),
        ("LoadSnapshot", ToVault::LoadSnapshot { bytes: blob(2) }),
        ("LoadSalts", ToVault::LoadSalts { bytes: blob(3) }),
        ("LoadEntry", ToVault::LoadEntry { index: 2, entry: blob(4), salt: blob(5) }),
        ("LoadEnd", ToVault::LoadEnd {}),
        ("Peer", ToVault::Peer { from: 3, bytes: blob(6) }),
        ("Request", ToVault::Request { id: 17, ticket: blob(7), frame: blob(8) }),
        ("Persisted", ToVault::Persisted { number: 4 }),
        ("Position", ToVault::Position {}),
        ("Start", ToVault::Start { bytes: blob(9) }),
    ]
}

fn persist() -> ToHost {
    let ops = vec![
        PersistOp::Clear {},
        PersistOp::Snapshot { bytes: blob(1) },
        PersistOp::Salts { bytes: blob(2) },
        PersistOp::CompactBefore { index: 9 },
        PersistOp::TruncateFrom { index: 12 },
        PersistOp::Entry { index: 12, entry: blob(3), salt: Blob(Vec::new()) },
        PersistOp::EntrySalt { index: 11, salt: blob(4) },
        PersistOp::Meta { bytes: blob(5) },
    ];
    ToHost::Persist { number: 4, ops }
}

fn health(leader: Option<u8>) -> ToHost {
    let health = Health {
        incarnation: INCARNATION,
        era: 1,
        role: "follower".to_owned(),
        leader,
        ready: leader.is_some(),
        term: 5,
        applied: 9,
        peers: vec![1, 2, 3],
        slots: 1,
        erased_through: 0,
        now_ms: NOW_MS,
        voters: vec![1, 2, 3],
    };
    ToHost::Health { health }
}

fn to_host() -> Vec<(&'static str, ToHost)> {
    vec![
        ("Peer", ToHost::Peer { to: 1, bytes: blob(1) }),
        ("Reply", ToHost::Reply { id: 17, reply: Blob(vec![4]) }),
        ("Persist", persist()),
        ("Position", ToHost::Position { bytes: blob(2) }),
        ("Health", health(Some(1))),
        ("Health without a leader", health(None)),
        ("Halted", ToHost::Halted { code: 101, reason: "words".to_owned() }),
        ("Refused", ToHost::Refused { reason: "words".to_owned() }),
        ("Event", ToHost::Event { text: "words".to_owned() }),
    ]
}

fn framed(message: &[u8]) -> Vec<u8> {
    let len = u32::try_from(message.len()).expect("a short message");
    [&len.to_be_bytes(), message].concat()
}

pub(crate) fn file(_: &World) -> File {
    let inward = to_vault().into_iter().map(|(name, message)| {
        let bytes = codec::encode(&message);
        assert_eq!(to_vault_from_bytes(&bytes), Ok(message));
        Case::named(name)
            .text("to", "vault")
            .hex("encoded", &bytes)
            .hex("on_the_pipe", framed(&bytes))
    });
    let outward = to_host().into_iter().map(|(name, message)| {
        let bytes = codec::encode(&message);
        assert_eq!(to_host_from_bytes(&bytes), Ok(message));
        Case::named(name)
            .text("to", "host")
            .hex("encoded", &bytes)
            .hex("on_the_pipe", framed(&bytes))
    });
    let persisted = codec::encode(&ToVault::Persisted { number: 4 });
    let reply = codec::encode(&ToHost::Reply { id: 17, reply: Blob(vec![4]) });
    File::new(
        "process.json",
        "12-process.md",
        "Every message between a host and its vault process, and as it stands on the pipe.",
    )
    .cases(inward)
    .cases(outward)
    .attacked("to vault", &persisted, to_vault_from_bytes)
    .attacked("to host", &reply, to_host_from_bytes)
}
