//! Evidence proves what pinned keys signed, and nothing else does.

#[path = "world/published.rs"]
mod published;
mod world;

use ed25519_dalek::Signer as _;
use proptest::prelude::*;
use published::{Published, history, publish};
use serde_json::Value;
use std::sync::LazyLock;
use strongroom_manifest::Hex;
use strongroom_tlog::tiles::VerifiedTiles;
use strongroom_verify::{Evidence, NoProof, Statement, Trust};
use world::{AUDITOR, DAY_MS, NOW_MS, ORIGIN, World, key, manifest, signed, trust, trust_file};

fn tiles(published: &Published) -> VerifiedTiles<&published::Files> {
    VerifiedTiles::open(&published.files, published.head).expect("opens")
}

fn checkpoint(world: &World) -> strongroom_tlog::SignedCheckpoint {
    world.checkpoint(&world.honest(), ORIGIN)
}

/// Another third epoch than that of [`history`].
fn fork(epochs: u64) -> World {
    let mut world = history(2);
    for epoch in 3..=epochs {
        let mut moved = manifest(epoch, &[1, 2, 3]);
        moved.fleets[0].nodes[0].site = "elsewhere".to_owned();
        world.publish(&signed(&moved, &[1, 3]));
    }
    world
}

fn said(statement: &Statement) -> [u8; 64] {
    key(AUDITOR).sign(&statement.to_bytes()).to_bytes()
}

/// Made once: each case of a property test takes one.
static ALL: LazyLock<Vec<(&'static str, Evidence)>> = LazyLock::new(all);

/// One honest piece of each kind.
fn all() -> Vec<(&'static str, Evidence)> {
    let (one, other, longer) = (history(3), fork(3), fork(5));
    let trust = trust();
    let (a, b, c) = (checkpoint(&one), checkpoint(&other), checkpoint(&longer));
    let published = publish(&longer);
    let tree = tiles(&published);
    let first = one.leaves[2].statement.clone();
    let second = Statement { timestamp_ms: first.timestamp_ms + 1, ..first.clone() };
    let mut broken = history(2);
    broken.publish(&signed(&manifest(3, &[7, 8, 9]), &[7, 8]));
    let breaks = publish(&broken);
    vec![
        ("two_roots", Evidence::two_roots(&a, &b, &trust).expect("two roots")),
        ("inconsistent", Evidence::inconsistent(&a, &c, &tree, &trust).expect("inconsistent")),
        (
            "two_statements",
            Evidence::two_statements((&first, &said(&first)), (&second, &said(&second)), &trust)
                .expect("two statements"),
        ),
        (
            "statement_against_leaf",
            Evidence::statement_against_leaf((&first, &said(&first)), &c, &tree, &trust)
                .expect("a statement"),
        ),
        (
            "broken_leaf",
            Evidence::broken_leaf(3, None, &checkpoint(&broken), &tiles(&breaks), &trust)
                .expect("a broken leaf"),
        ),
    ]
}

#[test]
fn each_kind_is_judged_from_its_file_alone_and_names_whom_it_accuses() {
    for (kind, evidence) in all() {
        let read = Evidence::parse(&evidence.to_bytes()).expect("reads");
        assert_eq!(read, evidence);
        let proven = read.check(&trust()).expect("proves");
        assert_eq!(proven.kind, kind);
        let roles: Vec<_> = proven.accused.iter().map(|accused| accused.role).collect();
        let expected: &[&str] = match kind {
            "two_roots" | "inconsistent" => &["log", "witness", "witness"],
            "two_statements" => &["auditor"],
            "statement_against_leaf" => &["auditor", "log"],
            _ => &["log"],
        };
        assert_eq!(roles, expected, "{kind}");
    }
}

#[test]
fn an_honest_log_leaves_nothing_to_prove() {
    let (short, long) = (history(3), history(5));
    let (a, b) = (checkpoint(&short), checkpoint(&long));
    let (published, trust) = (publish(&long), trust());
    let tree = tiles(&published);
    assert_eq!(Evidence::two_roots(&a, &a, &trust), None);
    assert_eq!(Evidence::two_roots(&a, &b, &trust), None);
    assert_eq!(Evidence::inconsistent(&a, &b, &tree, &trust), None);
    assert_eq!(Evidence::inconsistent(&b, &b, &tree, &trust), None);
    for leaf in &long.leaves {
        let (statement, signature) = (&leaf.statement, said(&leaf.statement));
        let said = (statement, &signature);
        assert_eq!(Evidence::two_statements(said, said, &trust), None);
        assert_eq!(Evidence::statement_against_leaf(said, &b, &tree, &trust), None);
        let epoch = statement.epoch;
        assert_eq!(Evidence::broken_leaf(epoch, Some(&signature), &b, &tree, &trust), None);
    }
    let (one, two) = (&long.leaves[0].statement, &long.leaves[1].statement);
    let two_epochs = Evidence::two_statements((one, &said(one)), (two, &said(two)), &trust);
    assert_eq!(two_epochs, None, "of different epochs");
}

#[test]
fn false_signatures_accuse_nobody() {
    let first = history(1).leaves[0].statement.clone();
    let second = Statement { epoch: 1, timestamp_ms: 7, ..first.clone() };
    let false_signature = [9; 64];
    let none =
        Evidence::two_statements((&first, &said(&first)), (&second, &false_signature), &trust());
    assert_eq!(none, None);
}

#[test]
fn a_key_that_signed_before_its_time_is_proven_by_its_own_signature() {
    let world = history(2);
    let mut file = trust_file();
    file.auditor_keys[0].not_before_ms = NOW_MS - DAY_MS;
    let late = Trust::new(file).expect("pins");
    let (published, signed) = (publish(&world), checkpoint(&world));
    let tree = tiles(&published);
    let signature = said(&world.leaves[1].statement);
    assert_eq!(Evidence::broken_leaf(2, None, &signed, &tree, &late), None);
    assert_eq!(Evidence::broken_leaf(2, Some(&[1; 64]), &signed, &tree, &late), None);
    let evidence = Evidence::broken_leaf(2, Some(&signature), &signed, &tree, &late);
    let evidence = evidence.expect("a key before its time");
    let proven = evidence.check(&late).expect("genuine");
    // Not the log, which holds what it should.
    assert_eq!(proven.accused.iter().map(|one| one.role).collect::<Vec<_>>(), ["auditor"]);
    assert!(matches!(evidence.check(&trust()), Err(NoProof::NoContradiction(_))));
}

#[test]
fn to_who_pins_other_keys_it_proves_nothing() {
    let mut file = trust_file();
    file.auditor_keys[0].public_key = Hex(key(99).verifying_key().to_bytes());
    let other_auditor = Trust::new(file).expect("pins");
    let mut file = trust_file();
    file.namespace = "net.encrypted_backups.fleet_keys.v1".to_owned();
    let other_namespace = Trust::new(file).expect("pins");
    let mut file = trust_file();
    let log = strongroom_tlog::LogSigner::new(ORIGIN, strongroom_tlog::SeedSigner::new(&[98; 32]));
    let log = log.expect("a log");
    let line = file.policy.lines().next().expect("the log's line").to_owned();
    file.policy = file.policy.replace(&line, &format!("log {}", log.key()));
    let other_log = Trust::new(file).expect("pins");
    for (kind, evidence) in all() {
        assert!(matches!(evidence.check(&other_namespace), Err(NoProof::Other { .. })), "{kind}");
        let refused = match kind {
            "two_statements" => evidence.check(&other_auditor),
            _ => evidence.check(&other_log),
        };
        assert!(refused.is_err(), "{kind}: {refused:?}");
    }
}

/// Every place of a JSON document, changed a little.
fn changed(value: &Value) -> Vec<Value> {
    let replaced = |inner: &Value, put: &dyn Fn(Value) -> Value| -> Vec<Value> {
        changed(inner).into_iter().map(put).collect()
    };
    match value {
        Value::Null => vec![Value::Bool(true)],
        Value::Number(number) => vec![Value::from(number.as_u64().unwrap_or(0) + 1)],
        Value::String(text) => {
            // In the middle: the notes' cosignatures are no part of what is proved, and stand at the end.
            let at = text.len() / 2;
            let sign = if text[at..].starts_with('0') { "1" } else { "0" };
            vec![Value::String([&text[..at], sign, text.get(at + 1..).unwrap_or("")].concat())]
        }
        Value::Array(items) => (0..items.len())
            .flat_map(|at| {
                replaced(&items[at], &|new| {
                    let mut items = items.clone();
                    items[at] = new;
                    Value::Array(items)
                })
            })
            .collect(),
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, inner)| {
                replaced(inner, &|new| {
                    let mut fields = fields.clone();
                    fields.insert(name.clone(), new);
                    Value::Object(fields)
                })
            })
            .collect(),
        Value::Bool(was) => vec![Value::Bool(!was)],
    }
}

#[test]
fn no_field_can_be_changed_without_losing_the_proof_or_keeping_what_it_proves() {
    for (kind, evidence) in all() {
        let whole: Value = serde_json::from_slice(&evidence.to_bytes()).expect("JSON");
        let proven = evidence.check(&trust()).expect("proves");
        for edited in changed(&whole) {
            let bytes = serde_json::to_vec(&edited).expect("JSON");
            let judged = Evidence::parse(&bytes).and_then(|read| read.check(&trust()));
            // A cosignature that was spoilt takes its witness out of the accused, and nothing else.
            if let Ok(judged) = judged {
                assert_eq!((judged.kind, &judged.what), (kind, &proven.what), "{edited}");
                assert!(judged.accused.iter().all(|one| proven.accused.contains(one)));
            }
        }
    }
}

#[test]
fn unknown_and_doubled_names_and_long_files_are_refused() {
    let (_, evidence) = all().swap_remove(0);
    let text = String::from_utf8(evidence.to_bytes()).expect("text");
    for (from, to) in [
        ("\"namespace\":", "\"extra\":1,\"namespace\":"),
        ("\"version\":1", "\"version\":1,\"version\":1"),
        ("\"first\":", "\"extra\":1,\"first\":"),
        ("\"kind\":\"two_roots\"", "\"kind\":\"two_roots\",\"kind\":\"two_roots\""),
        ("\"kind\":\"two_roots\"", "\"kind\":\"broken_leaf\""),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text);
        let refused = Evidence::parse(edited.as_bytes());
        assert!(matches!(refused, Err(NoProof::Malformed { .. })), "{to}: {refused:?}");
    }
    let version = text.replacen("\"version\":1", "\"version\":2", 1);
    assert!(matches!(Evidence::parse(version.as_bytes()), Err(NoProof::Version { got: 2, .. })));
    let long = Evidence::parse(&vec![b' '; 524_289]);
    assert!(matches!(long, Err(NoProof::TooLong { got: 524_289, cap: 524_288 })));
}

proptest! {
    #[test]
    fn noise_is_no_evidence(bytes in proptest::collection::vec(any::<u8>(), 0..2_048)) {
        prop_assert!(Evidence::parse(&bytes).is_err());
    }

    #[test]
    fn spoilt_evidence_never_panics(at in 0_usize..4_096, byte in any::<u8>(), which in 0_usize..5) {
        let mut bytes = ALL[which].1.to_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = Evidence::parse(&bytes).and_then(|read| read.check(&trust()));
    }
}
