//! A whole history holds, and every epoch of it is looked at.

mod world;

use ed25519_dalek::Signer as _;
use std::collections::BTreeMap;
use std::time::Instant;
use strongroom_manifest::ManifestError;
use strongroom_tlog::{
    TreeHead, leaf_hash,
    merkle::Tree,
    tiles::{TileKind, TileSource, encode_bundle, written},
};
use strongroom_verify::{
    CheckedEpoch, Fault, HistoryError, SIGNATURES_LEN, check_history, countersign_message,
};
use world::{AUDITOR, NOW_MS, OPERATOR, ORIGIN, World, bytes_of, key, manifest, signed, trust};

struct Files(BTreeMap<String, Vec<u8>>);

impl TileSource for Files {
    type Error = String;

    fn read(&self, path: &str, _len_max: usize) -> Result<Vec<u8>, String> {
        self.0.get(path).cloned().ok_or_else(|| format!("no {path}"))
    }
}

/// The files of a log, its head, and the signatures beside it.
struct Published {
    files: Files,
    head: TreeHead,
    signatures: Vec<[u8; SIGNATURES_LEN]>,
}

fn publish(world: &World) -> Published {
    let entries: Vec<Vec<u8>> = world.leaves.iter().map(bytes_of).collect();
    let tree: Tree = entries.iter().map(|entry| leaf_hash(entry)).collect();
    let mut files = BTreeMap::new();
    for tile in written(0, tree.size()).expect("grows") {
        let bytes = match tile.kind() {
            TileKind::Entries => {
                let of: Vec<&Vec<u8>> =
                    tile.items().map(|at| &entries[usize::try_from(at).expect("small")]).collect();
                encode_bundle(&of).expect("encodes")
            }
            TileKind::Hashes { .. } => tile.hashes(&tree).expect("has nodes"),
        };
        files.insert(tile.path(), bytes);
    }
    let signatures = world.leaves.iter().zip(&entries).map(|(leaf, bytes)| {
        let audit = key(AUDITOR).sign(&leaf.statement.to_bytes()).to_bytes();
        let counter = key(OPERATOR).sign(&countersign_message(ORIGIN, bytes, &audit)).to_bytes();
        let mut both = [0; SIGNATURES_LEN];
        both[..64].copy_from_slice(&audit);
        both[64..].copy_from_slice(&counter);
        both
    });
    Published { files: Files(files), head: tree.head(), signatures: signatures.collect() }
}

fn run(published: &Published) -> Result<Vec<CheckedEpoch>, HistoryError<String>> {
    let signatures =
        |epoch: u64| published.signatures.get(usize::try_from(epoch - 1).expect("small")).copied();
    check_history(&published.files, published.head, &trust(), signatures, |_| ())
}

/// The contradiction that a history holds.
fn contradiction(world: &World) -> (u64, Fault) {
    match run(&publish(world)) {
        Err(HistoryError::Contradiction { epoch, fault }) => (epoch, fault),
        other => panic!("{other:?}"),
    }
}

fn history(epochs: u64) -> World {
    let mut world = World::default();
    for epoch in 1..=epochs {
        world.publish(&signed(&manifest(epoch, &[1, 2, 3]), &[1, 3]));
    }
    world
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

/// Ten thousand epochs against twice as many bare verifications and hashing of the same bytes.
///
/// Run alone: `cargo test --release -p strongroom-verify --test history -- --ignored --nocapture`.
#[test]
#[ignore = "a measurement"]
fn ten_thousand_epochs_against_bare_verification() {
    let published = publish(&history(10_000));
    let start = Instant::now();
    let checked = run(&published).expect("holds");
    let whole = start.elapsed();
    assert_eq!(checked.len(), 10_000);

    let message = [7; 100];
    let (auditor, signature) = (key(AUDITOR).verifying_key(), key(AUDITOR).sign(&message));
    let start = Instant::now();
    for _ in 0..20_000 {
        assert!(auditor.verify_strict(&message, &signature).is_ok());
    }
    let mut bytes = 0;
    for (path, file) in &published.files.0 {
        if path.starts_with("tile/entries/") {
            bytes += file.len();
            assert_ne!(leaf_hash(file).0, [0; 32]);
        }
    }
    let bare = start.elapsed();
    let ratio = whole.as_secs_f64() / bare.as_secs_f64();
    println!("10,000 epochs, {bytes} bytes: {whole:?}; bare: {bare:?}; ratio {ratio:.2}");
    assert!(ratio <= 1.5, "ratio {ratio:.2}");
}
