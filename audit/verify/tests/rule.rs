//! The client's rule: each attack on a bundle is refused at the step that is for it.

mod world;

use ed25519_dalek::Signer as _;
use strongroom_manifest::{FloorBreach, Hex, Manifest, ManifestError, SlotRange};
use strongroom_tlog::policy::QuorumError;
use strongroom_verify::{
    AuditResponse, Bundle, Circumstances, Head, Refusal, Trust, check, countersign_message,
};
use world::{
    AUDITOR, DAY_MS, NOW_MS, OPERATOR, ORIGIN, World, bytes_of, circumstances, key, manifest,
    signed, trust, trust_file,
};

fn refused(bundle: &Bundle) -> Refusal {
    refused_at(bundle, &trust(), &circumstances(None))
}

fn refused_at(bundle: &Bundle, trust: &Trust, at: &Circumstances<'_>) -> Refusal {
    let refusal = check(&bundle.to_bytes(), trust, at).map(|_| ()).expect_err("refuses");
    assert_eq!(refusal.cost(), "none; no password message was sent");
    refusal
}

/// Two epochs, of which the second's manifest was changed before custodians and everybody signed.
fn with(change: impl FnOnce(&mut Manifest)) -> World {
    let mut world = World::default();
    world.publish(&signed(&manifest(1, &[1, 2, 3]), &[1, 2]));
    let mut second = manifest(2, &[1, 2, 3]);
    change(&mut second);
    world.publish(&signed(&second, &[1, 2]));
    world
}

#[test]
fn inv9_the_latest_manifest_is_believed_and_says_who_vouched() {
    let world = World::of_two_epochs();
    let bytes = world.bundle(2, &world.honest()).to_bytes();
    let believed = check(&bytes, &trust(), &circumstances(None)).expect("believed");
    assert_eq!(believed.manifest().epoch, 2);
    assert_eq!(believed.audited_ms(), NOW_MS - 10 * DAY_MS);
    let witnesses: Vec<_> = believed.witnesses().iter().map(|w| w.key_name.as_str()).collect();
    assert_eq!(witnesses, ["w2.example/a", "w3.example/a"]);
    assert_eq!((believed.head().epoch, believed.head().size), (2, 2));
    let seen = believed.head().clone();
    check(&bytes, &trust(), &circumstances(Some(&seen))).expect("believed again");
}

#[test]
fn a_retired_fleets_manifest_under_todays_checkpoint_is_refused() {
    let world = World::of_two_epochs();
    let refusal = refused(&world.bundle(1, &world.honest()));
    assert_eq!(refusal, Refusal::NotTheTip { epoch: 1, size: 2 });
}

#[test]
fn a_retired_fleets_manifest_under_yesterdays_checkpoint_is_refused_by_its_age() {
    let world = World::of_two_epochs();
    let mut old = world.honest();
    old.size = 1;
    old.cosigned_ms = [None, None, Some(NOW_MS - 4 * DAY_MS), Some(NOW_MS - 4 * DAY_MS)];
    let Refusal::Witnesses(QuorumError::Quorum { got, needed, refused, .. }) =
        refused(&world.bundle(1, &old))
    else {
        panic!("another refusal");
    };
    assert_eq!((got, needed, refused.len()), (0, 2, 2));
}

#[test]
fn one_counted_cosignature_that_is_too_old_is_one_witness_short() {
    let world = World::of_two_epochs();
    for stale_ms in [NOW_MS - 3 * DAY_MS - 1_000, NOW_MS - 31 * DAY_MS] {
        let mut making = world.honest();
        making.cosigned_ms[3] = Some(stale_ms);
        let Refusal::Witnesses(QuorumError::Quorum { got, needed, .. }) =
            refused(&world.bundle(2, &making))
        else {
            panic!("another refusal");
        };
        assert_eq!((got, needed), (1, 2));
    }
}

#[test]
fn a_cosignature_from_before_the_app_was_built_does_not_count() {
    let world = World::of_two_epochs();
    let mut file = trust_file();
    file.cosignature_max_age_ms = 400 * DAY_MS;
    let mut making = world.honest();
    making.cosigned_ms[3] = Some(file.built_ms - 1_000);
    let trust = Trust::new(file).expect("pins");
    let refusal = refused_at(&world.bundle(2, &making), &trust, &circumstances(None));
    assert_eq!(refusal.step(), "witnesses");
}

#[test]
fn a_cosignature_from_the_future_does_not_count() {
    let world = World::of_two_epochs();
    let mut making = world.honest();
    making.cosigned_ms[3] = Some(NOW_MS + 6 * 60_000);
    assert_eq!(refused(&world.bundle(2, &making)).step(), "witnesses");
}

#[test]
fn one_operator_with_two_witnesses_counts_once() {
    let world = World::of_two_epochs();
    let mut making = world.honest();
    making.cosigned_ms = [Some(NOW_MS - DAY_MS), Some(NOW_MS - DAY_MS), None, None];
    assert_eq!(refused(&world.bundle(2, &making)).step(), "witnesses");
    making.cosigned_ms[2] = Some(NOW_MS - DAY_MS);
    let bytes = world.bundle(2, &making).to_bytes();
    check(&bytes, &trust(), &circumstances(None)).expect("two operators");
}

#[test]
fn a_statement_from_the_future_and_one_before_its_key_are_refused() {
    let ahead_ms = NOW_MS + 6 * 60_000;
    let early_ms = NOW_MS - 301 * DAY_MS;
    for (timestamp_ms, early) in [(ahead_ms, false), (early_ms, true)] {
        let mut world = World::default();
        world.publish_as(&signed(&manifest(1, &[1, 2, 3]), &[1, 2]), 1, timestamp_ms);
        let refusal = refused(&world.bundle(1, &world.honest()));
        assert_eq!(refusal.step(), "auditor");
        assert_eq!(matches!(refusal, Refusal::AuditorKeyEarly { .. }), early, "{refusal}");
        assert_eq!(matches!(refusal, Refusal::FromTheFuture { .. }), !early, "{refusal}");
    }
}

#[test]
fn another_namespace_is_refused_wherever_it_stands() {
    let other = "net.encrypted_backups.fleet_keys.v1";
    let world = with(|m| m.namespace = other.to_owned());
    assert_eq!(refused(&world.bundle(2, &world.honest())).step(), "namespace");
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    bundle.audit.namespace = other.to_owned();
    assert_eq!(refused(&bundle).step(), "namespace");
}

#[test]
fn a_swapped_manifest_is_refused() {
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    bundle.manifest = world.bundle(1, &world.honest()).manifest;
    assert_eq!(refused(&bundle).step(), "digest");
    let mut bundle = world.bundle(2, &world.honest());
    bundle.audit.epoch = 3;
    assert_eq!(refused(&bundle).step(), "digest");
}

#[test]
fn an_auditor_nobody_pinned_is_refused_whatever_key_id_it_names() {
    let world = World::of_two_epochs();
    let mut making = world.honest();
    making.auditor = OPERATOR;
    let mut bundle = world.bundle(2, &making);
    bundle.audit.key_id = *key(AUDITOR).verifying_key().as_bytes().last().expect("a byte");
    assert_eq!(refused(&bundle), Refusal::Auditor);
}

#[test]
fn the_serialized_message_is_not_what_is_believed() {
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    bundle.audit.serialized_message = "00".to_owned();
    check(&bundle.to_bytes(), &trust(), &circumstances(None)).expect("ignored");
    // Another statement under its own honest message.
    bundle.audit.serialized_message = hex::encode(world.leaves[1].statement.to_bytes());
    bundle.audit.timestamp += 1;
    assert_eq!(refused(&bundle), Refusal::Auditor);
}

#[test]
fn malleable_and_small_order_signatures_are_refused() {
    // S + L verifies with every check but the strict one.
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde,
        0x14, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let plus_order = |signature: &mut Hex<64>| {
        let mut carry = 0_u16;
        for (byte, add) in signature.0[32..].iter_mut().zip(ORDER) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            (*byte, carry) = (sum.to_le_bytes()[0], sum >> 8);
        }
    };
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    plus_order(&mut bundle.audit.signature);
    assert_eq!(refused(&bundle), Refusal::Auditor);
    let mut bundle = world.bundle(2, &world.honest());
    plus_order(&mut bundle.countersignature);
    assert_eq!(refused(&bundle), Refusal::CounterSignature);
}

#[test]
fn a_counter_signature_over_another_leaf_is_refused() {
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    let other = bytes_of(&world.leaves[0]);
    let message = countersign_message(ORIGIN, &other, &bundle.audit.signature.0);
    bundle.countersignature = Hex(key(OPERATOR).sign(&message).to_bytes());
    assert_eq!(refused(&bundle), Refusal::CounterSignature);
    // Nor does one over the auditor's bytes alone count.
    let mut bundle = world.bundle(2, &world.honest());
    bundle.countersignature = Hex(key(OPERATOR).sign(&bundle.audit.signature.0).to_bytes());
    assert_eq!(refused(&bundle), Refusal::CounterSignature);
    // Nor one under another operator's key.
    let mut making = world.honest();
    making.operator = AUDITOR;
    assert_eq!(refused(&world.bundle(2, &making)), Refusal::CounterSignature);
}

#[test]
fn an_operator_and_an_auditor_together_cannot_replace_the_custodians() {
    // Everybody but the genesis custodians conspires: the log, the auditor, the operator.
    let mut world = World::default();
    world.publish(&signed(&manifest(1, &[1, 2, 3]), &[1, 2]));
    world.publish(&signed(&manifest(2, &[7, 8, 9]), &[7, 8, 9]));
    let refusal = refused(&world.bundle(2, &world.honest()));
    assert_eq!(refusal, Refusal::Custodians(ManifestError::Custodians { got: 0, needed: 2 }));
}

#[test]
fn custodians_that_were_replaced_are_followed_along_the_chain() {
    let mut world = World::default();
    let change = signed(&manifest(2, &[4, 5, 6]), &[1, 2]);
    world.publish(&signed(&manifest(1, &[1, 2, 3]), &[1, 2]));
    world.publish(&change);
    world.publish(&signed(&manifest(3, &[4, 5, 6]), &[4, 6]));
    let mut making = world.honest();
    assert_eq!(refused(&world.bundle(3, &making)).step(), "custodians");
    making.chain = vec![change];
    let bytes = world.bundle(3, &making).to_bytes();
    let believed = check(&bytes, &trust(), &circumstances(None)).expect("believed");
    assert_eq!(believed.manifest().epoch, 3);
}

#[test]
fn a_proof_for_another_leaf_or_size_is_refused() {
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    bundle.proof = world.bundle(1, &world.honest()).proof;
    assert_eq!(refused(&bundle), Refusal::Index { got: 0, expected: 1 });

    let mut bundle = world.bundle(2, &world.honest());
    bundle.previous_leaf_hash = Hex([1; 32]);
    // The counter-signature covers the leaf, so an operator who conspires signs this one too.
    let mut leaf = world.leaves[1].clone();
    leaf.previous = [1; 32];
    let message = countersign_message(ORIGIN, &bytes_of(&leaf), &bundle.audit.signature.0);
    bundle.countersignature = Hex(key(OPERATOR).sign(&message).to_bytes());
    assert_eq!(refused(&bundle).step(), "inclusion");

    let mut longer = World::of_two_epochs();
    longer.publish(&signed(&manifest(3, &[1, 2, 3]), &[1, 2]));
    let mut bundle = world.bundle(2, &world.honest());
    let note = longer.checkpoint(&longer.honest(), ORIGIN).to_bytes();
    let (path, _) = bundle.proof.split_once("\n\n").expect("two parts");
    bundle.proof = format!("{path}\n\n{}", String::from_utf8(note).expect("text"));
    assert_eq!(refused(&bundle).step(), "inclusion");
}

#[test]
fn a_checkpoint_of_another_log_is_refused() {
    let world = World::of_two_epochs();
    let mut bundle = world.bundle(2, &world.honest());
    let note = world.checkpoint(&world.honest(), "evil.example/log").to_bytes();
    let (path, _) = bundle.proof.split_once("\n\n").expect("two parts");
    bundle.proof = format!("{path}\n\n{}", String::from_utf8(note).expect("text"));
    assert_eq!(refused(&bundle).step(), "log");
}

#[test]
fn what_a_device_has_seen_never_goes_back() {
    let world = World::of_two_epochs();
    let bytes = world.bundle(2, &world.honest());
    let at = |seen: &Head| check(&bytes.to_bytes(), &trust(), &circumstances(Some(seen)));
    let now = check(&bytes.to_bytes(), &trust(), &circumstances(None)).expect("believed");
    let later = Head { epoch: 3, size: 3, ..now.head().clone() };
    let refusal = at(&later).map(|_| ()).expect_err("refuses");
    assert_eq!(refusal, Refusal::Rollback { got: (2, 2), expected: (3, 3) });
    for forked in [
        Head { root: Hex([1; 32]), ..now.head().clone() },
        Head { manifest_sha256: Hex([1; 32]), ..now.head().clone() },
    ] {
        let refusal = at(&forked).map(|_| ()).expect_err("refuses");
        assert_eq!(refusal, Refusal::SplitView { epoch: 2, size: 2 });
    }
    let elsewhere = Head { origin: "old.example/log".to_owned(), ..later };
    at(&elsewhere).expect("another log's sizes say nothing");
}

#[test]
fn validity_floors_and_slots_are_checked_of_what_everybody_signed() {
    let world = with(|m| m.not_after_ms = NOW_MS - 1);
    assert_eq!(refused(&world.bundle(2, &world.honest())).step(), "validity");

    let world = with(|m| m.policy.grants_window_ms = 0);
    let refusal = refused(&world.bundle(2, &world.honest()));
    let floor = ManifestError::Floor(FloorBreach::Looser("grants_window_ms"));
    assert_eq!((refusal.step(), refusal), ("floors", Refusal::NotForThisClient(floor)));

    let world = with(|m| m.fleets[0].slots = SlotRange { first: Hex([0; 32]), last: Hex([1; 32]) });
    let refusal = refused(&world.bundle(2, &world.honest()));
    assert_eq!(refusal, Refusal::Slot { fleet: "one".to_owned() });

    let world = World::of_two_epochs();
    let mut at = circumstances(None);
    at.fleet = "two";
    let refusal = refused_at(&world.bundle(2, &world.honest()), &trust(), &at);
    assert_eq!(refusal.step(), "validity");
}

#[test]
fn two_live_fleets_whose_ranges_overlap_are_refused() {
    let world = with(|m| {
        let mut second = m.fleets[0].clone();
        second.id = "two".to_owned();
        for node in &mut second.nodes {
            node.identity_key.0[0] ^= 0x40;
            node.link_key.0[0] ^= 0x10;
        }
        m.fleets.push(second);
    });
    let refusal = refused(&world.bundle(2, &world.honest()));
    assert!(refusal.to_string().contains("overlap"), "{refusal}");
    assert_eq!(refusal.step(), "size");
}

#[test]
fn what_is_too_long_or_no_bundle_is_refused_before_it_is_read() {
    let world = World::of_two_epochs();
    let good = world.bundle(2, &world.honest());
    let text = String::from_utf8(good.to_bytes()).expect("text");
    let refuse = |bytes: &[u8]| {
        let refusal =
            check(bytes, &trust(), &circumstances(None)).map(|_| ()).expect_err("refuses");
        assert_eq!(refusal.step(), "size", "{refusal}");
        refusal.to_string()
    };
    let huge = vec![b' '; 10 << 20];
    assert_eq!(refuse(&huge), "bundle of 10485760 bytes, at most 1048576");
    refuse(text.replacen("\"version\":1}", "\"version\":1,\"version\":1}", 1).as_bytes());
    refuse(text.replacen("\"version\":1}", "\"extra\":1,\"version\":1}", 1).as_bytes());
    refuse(format!("{text}{{}}").as_bytes());
    let mut versioned = good.clone();
    versioned.version = 2;
    assert!(refuse(&versioned.to_bytes()).contains("version 2, expected 1"));
    let mut spaced = good.clone();
    spaced.manifest.push('\n');
    refuse(&spaced.to_bytes());
    let mut unproved = good.clone();
    unproved.proof.push('x');
    refuse(&unproved.to_bytes());
    let mut suite = good;
    suite.audit.ciphersuite = 2;
    refuse(&suite.to_bytes());
    for len in (0..text.len()).step_by(37).chain(text.len() - 40..text.len()) {
        refuse(&text.as_bytes()[..len]);
    }
    // A newline at the end is what an editor leaves.
    check(format!("{text}\n").as_bytes(), &trust(), &circumstances(None)).expect("believed");
}

#[test]
fn a_response_of_the_auditor_has_its_nine_fields() {
    let world = World::of_two_epochs();
    let audit: AuditResponse = world.bundle(2, &world.honest()).audit;
    let json: serde_json::Value = serde_json::to_value(&audit).expect("json");
    let names: Vec<&String> = json.as_object().expect("an object").keys().collect();
    assert_eq!(names.len(), 9, "{names:?}");
}
