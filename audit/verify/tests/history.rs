//! A whole history holds, and every epoch of it is looked at.

#[path = "world/published.rs"]
mod published;
mod world;

use published::{history, publish, run};
use strongroom_manifest::ManifestError;
use strongroom_verify::{Fault, HistoryError};
use world::{NOW_MS, World, manifest, signed};

/// The contradiction that a history holds.
fn contradiction(world: &World) -> (u64, Fault) {
    match run(&publish(world)) {
        Err(HistoryError::Contradiction { epoch, fault }) => (epoch, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_history_across_bundles_holds_and_says_what_changed() {
    let mut world = history(256);
    let mut moved = manifest(257, &[1, 2, 3]);
    moved.fleets[0].nodes[2].site = "elsewhere".to_owned();
    moved.fleets[0].nodes[4].identity_key.0[0] ^= 0x80;
    world.publish(&signed(&moved, &[1, 3]));
    let checked = run(&publish(&world)).expect("holds");
    assert_eq!(checked.len(), 257);
    assert!(checked[0].deltas.len() > 30, "against nothing, everything is new");
    assert!(checked[1..256].iter().all(|epoch| epoch.deltas.is_empty()));
    let subjects: Vec<_> = checked[256].deltas.iter().map(|d| d.subject.as_str()).collect();
    assert_eq!(subjects, ["node one/3 site", "node one/5 identity_key"]);
    let site = &checked[256].deltas[0];
    assert_eq!(
        (site.before.as_deref(), site.after.as_deref()),
        (Some("site-3"), Some("elsewhere"))
    );
}

#[test]
fn a_second_epoch_without_the_firsts_custodians_is_a_contradiction() {
    let mut world = history(1);
    world.publish(&signed(&manifest(2, &[7, 8, 9]), &[7, 8, 9]));
    let short = ManifestError::Custodians { got: 0, needed: 2 };
    assert_eq!(contradiction(&world), (2, Fault::Manifest(short)));
}

#[test]
fn each_way_in_which_an_epoch_can_break_is_found_at_its_epoch() {
    let mut gap = history(2);
    gap.publish_as(&signed(&manifest(4, &[1, 2, 3]), &[1, 2]), 4, NOW_MS);
    assert!(matches!(contradiction(&gap), (3, Fault::Statement(_))));

    let mut repeated = history(2);
    repeated.publish_as(&signed(&manifest(2, &[1, 2, 3]), &[1, 2]), 3, NOW_MS);
    let fault = Fault::Manifest(ManifestError::Epoch { got: 2, expected: 3 });
    assert_eq!(contradiction(&repeated), (3, fault));

    let mut back = history(2);
    back.publish_as(&signed(&manifest(3, &[1, 2, 3]), &[1, 2]), 3, 1);
    assert!(matches!(contradiction(&back), (3, Fault::TimeBackwards { got_ms: 1, .. })));

    let mut unchained = history(3);
    unchained.leaves[1].previous = [9; 32];
    assert!(matches!(contradiction(&unchained), (2, Fault::Previous { .. })));

    let mut foreign = history(3);
    foreign.leaves[2].statement.namespace = "net.encrypted_backups.fleet_keys.v1".to_owned();
    assert!(matches!(contradiction(&foreign), (3, Fault::Statement(_))));

    let mut swapped = history(3);
    swapped.leaves[2].statement.digest[0] ^= 1;
    assert!(matches!(contradiction(&swapped), (3, Fault::Statement(_))));

    let mut broken = history(2);
    broken.leaves[1].manifest.push(b'\n');
    assert_eq!(contradiction(&broken), (2, Fault::Leaf));
}

#[test]
fn a_false_signature_is_found_at_its_epoch_and_accuses_nobody() {
    let world = history(3);
    for (at, expected) in [(3, "auditor"), (70, "operator")] {
        let mut published = publish(&world);
        published.signatures[1][at] ^= 1;
        match run(&published) {
            // The counter-signature is over the auditor's, so its own bytes alone are at fault.
            Err(HistoryError::FalseSignature { epoch: 2, whose }) => assert_eq!(whose, expected),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_signature_that_is_withheld_hides_no_contradiction_before_it() {
    let mut world = history(1);
    world.publish(&signed(&manifest(2, &[7, 8, 9]), &[7, 8, 9]));
    world.publish(&signed(&manifest(3, &[7, 8, 9]), &[7, 8, 9]));
    let mut published = publish(&world);
    published.signatures.pop();
    let found = run(&published).map(|_| ());
    assert!(matches!(found, Err(HistoryError::Contradiction { epoch: 2, .. })), "{found:?}");
}

#[test]
fn what_cannot_be_had_is_no_accusation() {
    let world = history(3);
    let mut published = publish(&world);
    published.signatures.pop();
    assert!(matches!(run(&published), Err(HistoryError::NoSignatures { epoch: 3 })));
    let mut published = publish(&world);
    for bytes in published.files.0.values_mut() {
        bytes[40] ^= 1;
    }
    assert!(matches!(run(&published), Err(HistoryError::Unchecked(_))));
    let mut published = publish(&world);
    published.files.0.clear();
    assert!(matches!(run(&published), Err(HistoryError::Unchecked(_))));
}
