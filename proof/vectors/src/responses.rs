//! Responses of every outcome, and what a node signs (spec §8).

use crate::{
    exchange::{CHARGED, FULL},
    vault,
    vector::{Case, File, error_name},
    world::{FLEET, INCARNATION, NODE, NOW_MS, World, identity, public},
};
use strongroom_wire::{
    Fixed, codec,
    digest::sha256,
    response::{
        Budget, FAILURES_MAX, Failure, Outcome, Receipt, RecoveryReceipt, Refusal, Response,
        SignedResponse, SlotStatus, WaitReason,
    },
};

const FRAME_DIGEST: [u8; 32] = [0x81; 32];

fn outcomes() -> Vec<(&'static str, Outcome)> {
    let receipt = |destroyed, effective_ms| Outcome::Registered {
        receipt: Receipt {
            generation: 2,
            destroyed,
            registration: Fixed([0x82; 32]),
            effective_ms,
            budget: FULL,
        },
    };
    let failures_ms: Vec<u64> = (0..FAILURES_MAX as u64).map(|n| NOW_MS - n).rev().collect();
    let status = |destroyed, failures_ms: &[u64]| Outcome::Status {
        status: SlotStatus {
            generation: 2,
            registered_ms: NOW_MS - 1_000,
            keyset: 1,
            devices: 1,
            budget: FULL,
            failures_ms: failures_ms.to_vec(),
            failures_year: 0,
            cancelled_replacement: false,
            destroyed,
            erased: destroyed.is_some(),
        },
    };
    let failed = |why, destroyed| Outcome::RecoverFailed { why, budget: CHARGED, destroyed };
    let waiting = Budget { next_ms: NOW_MS + 60_000, ..CHARGED };
    vec![
        ("registered", receipt(None, 0)),
        ("registered over generation 1", receipt(Some(1), 0)),
        ("a delayed replacement", receipt(None, NOW_MS + 604_800_000)),
        (
            "register started",
            Outcome::RegisterStarted {
                entry: Fixed([0x83; 32]),
                generation: 2,
                keyset: 1,
                response: Fixed([0x84; 64]),
                expires_ms: NOW_MS + 600_000,
                occupied: true,
            },
        ),
        (
            "recover started",
            Outcome::RecoverStarted {
                attempt: 3,
                generation: 2,
                keyset: 1,
                ksf_version: 1,
                ke2: Fixed([0x85; 320]),
                expires_ms: NOW_MS + 600_000,
                budget: CHARGED,
            },
        ),
        ("wait", Outcome::Wait { reason: WaitReason::Row, budget: waiting }),
        (
            "recovered",
            Outcome::Recovered {
                released_key: Fixed([0x86; 64]),
                receipt: RecoveryReceipt {
                    generation: 2,
                    failures_ms: failures_ms.clone(),
                    failures_year: 10,
                    budget: FULL,
                },
            },
        ),
        ("a wrong password", failed(Failure::WrongPassword, None)),
        ("locked", failed(Failure::Locked, Some(2))),
        ("status", status(None, &[])),
        ("status after a destroyed record", status(Some(1), &failures_ms)),
        ("destroyed", Outcome::Destroyed { generation: 2 }),
        ("enrolled", Outcome::Enrolled { devices: 2 }),
        ("budget", Outcome::BudgetIs { budget: FULL }),
        ("refused", Outcome::Refused { why: Refusal::GenerationMoved, generation: 2 }),
    ]
}

pub(crate) fn file(world: &World) -> File {
    let file = File::new(
        "response.json",
        "08-response.md",
        "Responses of every outcome by node 2, for a request frame with this digest, signed.",
    );
    let file = outcomes().into_iter().fold(file, |file, (name, outcome)| {
        let response = vault::response(9, outcome);
        let signed = vault::sign(world, &FRAME_DIGEST, &response);
        file.case(
            Case::named(name)
                .hex("encoded", &signed.encoded)
                .hex("signature", signed.signature)
                .hex("plaintext_sha256", sha256(&signed.plaintext)),
        )
    });
    let response = vault::response(9, Outcome::Destroyed { generation: 2 });
    let signed = vault::sign(world, &FRAME_DIGEST, &response);
    let whole = Case::named("what is signed, in full")
        .hex("manifest_digest", world.digest)
        .text("fleet", FLEET)
        .number("node", NODE)
        .wide("incarnation", INCARNATION)
        .hex("frame_digest", FRAME_DIGEST)
        .number("index", response.index)
        .number("term", response.term)
        .number("now_ms", response.now_ms)
        .hex("encoded", &signed.encoded)
        .hex("statement", &signed.statement)
        .hex("identity_seed", [identity(NODE); 32])
        .hex("identity_key", public(identity(NODE)))
        .hex("signature", signed.signature)
        .hex("plaintext", &signed.plaintext);
    let mut dirty = signed.plaintext.clone();
    *dirty.last_mut().expect("1,024 bytes") = 1;
    let mut newer = signed.plaintext.clone();
    let version = 2 + 1 + 2 + 1;
    newer[version] = 2;
    let read = SignedResponse::from_plaintext;
    file.case(whole)
        .attacked("Response (CBOR)", &signed.encoded, |bytes| {
            codec::decode::<Response>(bytes, 1_024)
        })
        .refused("padding", "SignedResponse", &dirty, error_name(read(&dirty)))
        .refused("version 2", "SignedResponse", &newer, error_name(read(&newer)))
}
