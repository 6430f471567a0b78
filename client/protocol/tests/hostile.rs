//! What a dishonest fleet, or somebody in between, cannot do to a device.

mod mini_vault;

use mini_vault::{APP, FLEET, Lies, MiniVault, NOW_MS};
use opaque_ke::Ristretto255;
use opaque_ke::key_exchange::group::Group;
use proptest::prelude::*;
use strongroom_account::{Account, Password};
use strongroom_manifest::{Floors, Manifest, Verified, to_canonical_json};
use strongroom_protocol::{
    Authorisation, BackupKey, Blame, Charged, Destination, DeviceKey, Failure, Outcome,
    OutgoingFrame, ProtocolError, Recovery, Registration, Started, Verdict, owner,
};
use strongroom_wire::{
    Fixed, Slot, caps,
    codec::pad,
    digest::sha256,
    response::{self, Budget},
};

const PASSWORD: &str = "correct horse";

fn destination(manifest: &Verified<Manifest>) -> Destination {
    let account = Account::normalise("alice").expect("account");
    let floors = Floors::DANGER_DEVELOPMENT;
    Destination::new(manifest, FLEET, APP, &account, &floors, NOW_MS).expect("destination")
}

fn word(password: &str) -> Password {
    Password::prepare(password).expect("a password")
}

fn device() -> DeviceKey {
    DeviceKey::from_seed(&[5; 32])
}

/// A vault that holds alice's record, and the way to it.
fn enrolled() -> (MiniVault, Destination) {
    let mut vault = MiniVault::new();
    let to = destination(&vault.fleet.manifest);
    register(&mut vault, &to, PASSWORD).expect("registered");
    (vault, to)
}

fn register(vault: &mut MiniVault, to: &Destination, password: &str) -> Result<(), ProtocolError> {
    let key = BackupKey::from_bytes([7; 32]);
    let (state, frame) =
        Registration::start(to, &word(password), &key, device().public(), [1; 32])?;
    let offer = state.on_started(&vault.answer(frame.bytes()))?;
    let (finish, frame) = offer.finish(&Authorisation::None)?;
    finish.on_finished(&vault.answer(frame.bytes())).map(|_| ())
}

fn begin(to: &Destination, seed: u8) -> (Recovery, OutgoingFrame) {
    Recovery::start(to, &word(PASSWORD), device().public(), false, [seed; 32]).expect("start")
}

fn charged(vault: &mut MiniVault, to: &Destination) -> Result<Charged, ProtocolError> {
    let (state, frame) = begin(to, 2);
    match state.on_started(&vault.answer(frame.bytes()))? {
        Started::Charged(charged) => Ok(charged),
        Started::Wait { .. } | Started::Failed(_) => panic!("not charged"),
    }
}

fn recover(vault: &mut MiniVault, to: &Destination) -> Result<Outcome, ProtocolError> {
    let charged = charged(vault, to)?;
    let answer = vault.answer(charged.frame.bytes());
    charged.next.on_finished(&answer)
}

/// The error of a first answer that is changed by `lie`.
fn refusal_of(lie: impl FnOnce(&mut Lies)) -> ProtocolError {
    let (mut vault, to) = enrolled();
    lie(&mut vault.lies);
    charged(&mut vault, &to).err().expect("the lie was believed")
}

fn outcome(change: impl FnMut(&mut response::Outcome) + Send + 'static) -> Lies {
    Lies { outcome: Some(Box::new(change)), ..Lies::default() }
}

/// Changes KE2 and what comes before it in a recovery's first answer.
fn ke2(mut change: impl FnMut(&mut [u8; 320], &mut u32, &mut u16) + Send + 'static) -> Lies {
    outcome(move |outcome| {
        if let response::Outcome::RecoverStarted { ke2, keyset, ksf_version, .. } = outcome {
            change(&mut ke2.0, keyset, ksf_version);
        }
    })
}

/// What the device says of a changed KE2; it must send a frame of the usual size all the same, and
/// not one that logs in.
fn verdict_of(lies: Lies) -> Verdict {
    let (mut vault, to) = enrolled();
    vault.lies = lies;
    let charged = charged(&mut vault, &to).expect("a signed answer");
    vault.lies = Lies::default();
    let answer = vault.answer(charged.frame.bytes());
    let end = charged.next.on_finished(&answer);
    match &charged.verdict {
        Verdict::Fits => panic!("the lie was believed"),
        Verdict::Wrong => {
            assert!(
                matches!(end, Ok(Outcome::Failed(failed)) if failed.why == Failure::WrongPassword)
            );
        }
        Verdict::Refused(error) => assert_eq!(end.expect_err("refused"), *error),
    }
    charged.verdict
}

#[test]
fn an_answer_for_another_request_does_not_open() {
    let (mut vault, to) = enrolled();
    let (first, frame) = begin(&to, 2);
    let (_, other) = begin(&to, 3);
    let replayed = vault.answer(other.bytes());
    assert_eq!(first.on_started(&replayed).err(), Some(ProtocolError::Sealed));
    assert_ne!(frame, other);
}

#[test]
fn an_answer_signed_for_another_request_is_refused() {
    let error = refusal_of(|lies| lies.frame_digest = Some(sha256(b"another frame")));
    assert_eq!(error, ProtocolError::Signature { node: 1 });
}

#[test]
fn an_answer_signed_under_another_manifest_is_refused() {
    let error = refusal_of(|lies| lies.digest = Some([0; 32]));
    assert_eq!(error, ProtocolError::Signature { node: 1 });
}

#[test]
fn an_answer_by_a_node_that_is_not_listed_is_refused() {
    let stranger = refusal_of(|lies| {
        lies.node = Some(9);
        lies.key = Some([9; 32]);
    });
    assert_eq!(stranger, ProtocolError::Unlisted { node: 9 });
    let impostor = refusal_of(|lies| lies.key = Some([9; 32]));
    assert_eq!(impostor, ProtocolError::Signature { node: 1 });
    // Node 2's key does not speak for node 1.
    let colleague = refusal_of(|lies| lies.key = Some([2; 32]));
    assert_eq!(colleague, ProtocolError::Signature { node: 1 });
}

#[test]
fn an_answer_of_another_size_is_refused() {
    let (mut vault, to) = enrolled();
    let (_, frame) = begin(&to, 2);
    let answer = vault.answer(frame.bytes());
    let lens = [0, 1, answer.len() - 1, answer.len() + 1, 1 << 20];
    for len in lens {
        let mut other = answer.clone();
        other.resize(len, 0);
        let (state, _) = begin(&to, 2);
        let got = state.on_started(&other).err();
        assert_eq!(got, Some(ProtocolError::Length { got: len }));
    }
}

#[test]
fn an_answer_to_another_verb_is_refused() {
    let budget = Budget { row_left: 10, year_left: 40, next_ms: 0 };
    let error = refusal_of(|lies| {
        *lies = outcome(move |outcome| *outcome = response::Outcome::BudgetIs { budget });
    });
    assert!(matches!(error, ProtocolError::OtherOutcome { .. }));
}

#[test]
fn a_server_key_that_the_manifest_does_not_list_aborts_a_registration() {
    let mut vault = MiniVault::new();
    let to = destination(&vault.fleet.manifest);
    vault.fleet.usurp(2);
    let error = register(&mut vault, &to, PASSWORD).expect_err("an impostor's key");
    assert!(matches!(error, ProtocolError::ServerKey { keyset: 2, .. }));
    assert_eq!(error.blame(), Blame::FleetKey);
}

#[test]
fn a_registration_takes_no_keyset_but_the_newest() {
    for other in [1, 3] {
        let mut vault = MiniVault::new();
        let to = destination(&vault.fleet.manifest);
        vault.lies = outcome(move |outcome| {
            if let response::Outcome::RegisterStarted { keyset, .. } = outcome {
                *keyset = other;
            }
        });
        let error = register(&mut vault, &to, PASSWORD).expect_err("not the newest");
        assert_eq!(error, ProtocolError::UnknownKeyset { got: other });
    }
}

/// An impostor that has the nodes' keys and guesses the password makes its own record for it; the
/// exchange then succeeds, under a server key that the manifest does not list.
#[test]
fn an_impostors_record_for_the_right_password_gets_no_ke3() {
    let mut vault = MiniVault::new();
    let real = vault.fleet.setup(2).clone();
    let honest = destination(&vault.fleet.manifest);
    vault.fleet.usurp(2);
    // The impostor registers at its own server, with a client that expects that server's key.
    let mut lenient = (*vault.fleet.manifest).clone();
    let key = vault.fleet.setup(2).keypair().public().serialize();
    lenient.fleets[0].keysets[1].server_key =
        strongroom_manifest::Hex(key.as_slice().try_into().expect("32 bytes"));
    let bytes = to_canonical_json(&lenient);
    let lenient = Verified::pinned(&bytes, &sha256(&bytes)).expect("manifest");
    let theirs = destination(&lenient);
    let honest_manifest = std::mem::replace(&mut vault.fleet.manifest, lenient);
    register(&mut vault, &theirs, PASSWORD).expect("registered at the impostor");
    vault.fleet.manifest = honest_manifest;

    let charged = charged(&mut vault, &honest).expect("a signed answer");
    let Verdict::Refused(error) = &charged.verdict else {
        panic!("{:?}", charged.verdict);
    };
    assert!(matches!(error, ProtocolError::ServerKey { keyset: 2, .. }));
    // What was sent instead of KE3 proves nothing, even to the impostor.
    let answer = vault.answer(charged.frame.bytes());
    assert_eq!(charged.next.on_finished(&answer).expect_err("aborted"), *error);
    assert_ne!(real.keypair().public(), vault.fleet.setup(2).keypair().public());
}

#[test]
fn ke2_for_another_slot_or_keyset_is_a_wrong_password_to_the_device() {
    let lies = Lies { slot: Some(Slot(Fixed([8; 32]))), ..Lies::default() };
    assert_eq!(verdict_of(lies), Verdict::Wrong);
    assert_eq!(verdict_of(ke2(|_, keyset, _| *keyset = 1)), Verdict::Wrong);
    let unknown = Verdict::Refused(ProtocolError::UnknownKeyset { got: 7 });
    assert_eq!(verdict_of(ke2(|_, keyset, _| *keyset = 7)), unknown);
}

#[test]
fn weaker_and_stronger_stretching_is_refused_without_ke3() {
    for version in [0, 2, u16::MAX] {
        let refused = Verdict::Refused(ProtocolError::Stretching { got: version });
        assert_eq!(verdict_of(ke2(move |_, _, ksf| *ksf = version)), refused);
    }
}

#[test]
fn reflected_identity_and_non_canonical_elements_are_refused() {
    let (mut vault, to) = enrolled();
    let opaque = Verdict::Refused(ProtocolError::OpaqueMessage);
    let identity = ke2(|ke2, _, _| ke2[..32].fill(0));
    assert_eq!(verdict_of(identity), opaque);
    let high = ke2(|ke2, _, _| ke2[..32].fill(0xff));
    assert_eq!(verdict_of(high), opaque);
    let ephemeral = ke2(|ke2, _, _| ke2[224..256].fill(0));
    assert_eq!(verdict_of(ephemeral), opaque);

    vault.lies = mini_vault::reflect();
    let charged = charged(&mut vault, &to).expect("a signed answer");
    assert_eq!(charged.verdict, opaque);
}

#[test]
fn a_registration_refuses_reflected_identity_and_non_canonical_elements() {
    for bytes in [[0; 32], [0xff; 32]] {
        let mut vault = MiniVault::new();
        let to = destination(&vault.fleet.manifest);
        vault.lies = outcome(move |outcome| {
            if let response::Outcome::RegisterStarted { response, .. } = outcome {
                response.0[..32].copy_from_slice(&bytes);
            }
        });
        let error = register(&mut vault, &to, PASSWORD).expect_err("not an element");
        assert_eq!(error, ProtocolError::OpaqueMessage);
    }
    let mut vault = MiniVault::new();
    let to = destination(&vault.fleet.manifest);
    vault.lies = mini_vault::reflect();
    let error = register(&mut vault, &to, PASSWORD).expect_err("reflected");
    assert_eq!(error, ProtocolError::OpaqueMessage);
}

#[test]
fn a_server_key_may_be_no_low_order_point() {
    // The comparison with the manifest comes first or last: either way nothing is sent.
    assert!(Ristretto255::deserialize_take_pk(&mut [0_u8; 32].as_slice()).is_err());
}

#[test]
fn a_wrapped_key_that_this_password_did_not_wrap_is_refused() {
    let (mut vault, to) = enrolled();
    for state in vault.slots.states.values_mut() {
        let record = state.record.as_mut().expect("record");
        record.registration.wrapped_key = Fixed([1; caps::WRAPPED_KEY_LEN]);
    }
    let error = recover(&mut vault, &to).expect_err("another wrapped key");
    assert_eq!(error, ProtocolError::WrappedKey);
}

#[test]
fn a_released_key_of_another_attempt_is_refused() {
    let (mut vault, to) = enrolled();
    let charged = charged(&mut vault, &to).expect("charged");
    vault.lies = outcome(|outcome| {
        if let response::Outcome::Recovered { released_key, .. } = outcome {
            released_key.0[0] ^= 1;
        }
    });
    let answer = vault.answer(charged.frame.bytes());
    let error = charged.next.on_finished(&answer).expect_err("changed");
    assert_eq!(error, ProtocolError::ReleasedKey);
}

#[test]
fn a_verdict_that_contradicts_the_exchange_is_not_believed() {
    let (mut vault, to) = enrolled();
    let charged = charged(&mut vault, &to).expect("charged");
    vault.lies = outcome(|outcome| {
        *outcome = response::Outcome::RecoverFailed {
            why: Failure::WrongPassword,
            budget: Budget { row_left: 0, year_left: 0, next_ms: 0 },
            destroyed: Some(1),
        };
    });
    let answer = vault.answer(charged.frame.bytes());
    let error = charged.next.on_finished(&answer).expect_err("the password was right");
    assert_eq!(error, ProtocolError::Contradiction);
}

#[test]
fn a_receipt_for_another_registration_is_refused() {
    let mut vault = MiniVault::new();
    let to = destination(&vault.fleet.manifest);
    vault.lies = outcome(|outcome| {
        if let response::Outcome::Registered { receipt } = outcome {
            receipt.registration = Fixed([0; 32]);
        }
    });
    let error = register(&mut vault, &to, PASSWORD).expect_err("another receipt");
    assert_eq!(error, ProtocolError::OtherReceipt);
}

#[test]
fn a_manifest_below_the_floors_or_out_of_time_is_no_destination() {
    let vault = MiniVault::new();
    let manifest = &vault.fleet.manifest;
    let account = Account::normalise("alice").expect("account");
    let floors = Floors::DANGER_DEVELOPMENT;
    let at = |fleet, app, floors: &Floors, now| {
        Destination::new(manifest, fleet, app, &account, floors, now).map(|_| ())
    };
    assert!(at(FLEET, APP, &floors, NOW_MS).is_ok());
    let blame = |result: Result<(), ProtocolError>| result.expect_err("refused").blame();
    for refused in [
        at(FLEET, APP, &Floors::PRODUCTION, NOW_MS),
        at("other", APP, &floors, NOW_MS),
        at(FLEET, "other-app", &floors, NOW_MS),
        at(FLEET, APP, &floors, u64::MAX),
        at(FLEET, APP, &floors, 0),
    ] {
        assert_eq!(blame(refused), Blame::Destination);
    }
}

#[test]
fn no_error_shows_a_password_or_key() {
    let (mut vault, to) = enrolled();
    let error = recover(&mut vault, &to).map(|outcome| format!("{outcome:?}"));
    let shown = error.expect("recovered");
    assert!(!shown.contains("07070707") && !shown.contains(PASSWORD));
    assert!(!shown.contains("7, 7, 7"), "{shown}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn garbage_is_refused(bytes in prop::collection::vec(any::<u8>(), 0..1_200), exact in any::<[u8; 32]>()) {
        let to = destination(&MiniVault::new().fleet.manifest);
        let (ask, _) = owner::AskBudget::ask(&to, [1; 32]).expect("ask");
        prop_assert!(ask.on_answer(&bytes).is_err());
        let frame = exact.repeat(caps::RESPONSE_FRAME_LEN / 32 + 1);
        prop_assert_eq!(ask.on_answer(&frame[..caps::RESPONSE_FRAME_LEN]), Err(ProtocolError::Sealed));
    }

    #[test]
    fn a_flipped_bit_is_refused(at in 0..caps::RESPONSE_FRAME_LEN, bit in 0..8_u8) {
        let (mut vault, to) = (MiniVault::new(), destination(&MiniVault::new().fleet.manifest));
        let (ask, frame) = owner::AskBudget::ask(&to, [1; 32]).expect("ask");
        let mut answer = vault.answer(frame.bytes());
        prop_assert!(ask.on_answer(&answer).is_ok());
        answer[at] ^= 1 << bit;
        prop_assert_eq!(ask.on_answer(&answer), Err(ProtocolError::Sealed));
    }

    #[test]
    fn a_sealed_plaintext_that_is_no_signed_answer_is_refused(content in prop::collection::vec(any::<u8>(), 0..1_000)) {
        let (mut vault, to) = (MiniVault::new(), destination(&MiniVault::new().fleet.manifest));
        let (ask, frame) = owner::AskBudget::ask(&to, [1; 32]).expect("ask");
        vault.lies.plaintext = Some(pad(&content, caps::RESPONSE_PLAINTEXT_LEN).expect("fits"));
        let error = ask.on_answer(&vault.answer(frame.bytes())).expect_err("garbage");
        prop_assert_eq!(error.blame(), Blame::Answer);
    }
}
