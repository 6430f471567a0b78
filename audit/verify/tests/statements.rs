//! The auditor's bytes against somebody else's vectors, and the entries of the log.

mod world;

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use std::io::Write as _;
use std::path::PathBuf;
use strongroom_verify::{AuditResponse, Leaf, Statement};
use world::{ORIGIN, World, bytes_of, manifest, signed};

#[derive(serde::Deserialize)]
struct Vector {
    signing_key: String,
    verifying_key: String,
    key_id: u8,
    namespace: String,
    timestamp: u64,
    epoch: u64,
    digest: String,
    signature: String,
    ciphersuite: u32,
}

fn bytes<const N: usize>(hex: &str) -> [u8; N] {
    let mut out = [0; N];
    hex::decode_to_slice(hex, &mut out).expect("hexadecimal");
    out
}

fn vectors() -> Option<Vec<Vector>> {
    let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    let folder = std::env::var_os("STRONGROOM_VECTORS")
        .map_or_else(|| PathBuf::from(root).join("../shared/vectors"), PathBuf::from);
    let file = folder.join("plexi/test-vectors.json");
    if let Ok(text) = std::fs::read(&file) {
        return Some(serde_json::from_slice(&text).expect("vectors"));
    }
    // Past the capture of passing tests: nobody should take this for a pass.
    let place = file.display();
    let _ = writeln!(std::io::stderr(), "NOT RUN: no public vectors at {place}");
    None
}

/// Suite 2, which this project neither signs nor believes: fixed-width little-endian fields.
fn suite_two(vector: &Vector) -> Vec<u8> {
    let mut out = 2_u32.to_le_bytes().to_vec();
    out.extend((vector.namespace.len() as u64).to_le_bytes());
    out.extend(vector.namespace.as_bytes());
    out.extend(vector.timestamp.to_le_bytes());
    out.extend(vector.epoch.to_le_bytes());
    out.extend(32_u64.to_le_bytes());
    out.extend(bytes::<32>(&vector.digest));
    out
}

#[test]
fn the_auditors_message_is_cloudflares_to_the_byte() {
    let Some(vectors) = vectors() else { return };
    let suites: Vec<u32> = vectors.iter().map(|vector| vector.ciphersuite).collect();
    assert_eq!(suites, [1, 2]);
    for vector in vectors {
        let statement = Statement {
            namespace: vector.namespace.clone(),
            timestamp_ms: vector.timestamp,
            epoch: vector.epoch,
            digest: bytes(&vector.digest),
        };
        let (key, public) =
            (SigningKey::from_bytes(&bytes(&vector.signing_key)), bytes(&vector.verifying_key));
        let message =
            if vector.ciphersuite == 1 { statement.to_bytes() } else { suite_two(&vector) };
        let signature = key.sign(&message).to_bytes();
        assert_eq!(hex::encode(signature), vector.signature, "suite {}", vector.ciphersuite);
        let mut response = AuditResponse::new(&statement, &public, signature);
        assert_eq!(response.key_id, vector.key_id);
        assert_eq!(response.is_signed_by(&public), vector.ciphersuite == 1);
        // A suite-2 signature is not believed under its own name either.
        (response.ciphersuite, response.version) = (2, 2);
        assert!(!response.is_signed_by(&public));
        assert_eq!(Statement::parse(&message).is_some(), vector.ciphersuite == 1);
    }
}

#[test]
fn a_leaf_reads_back_and_nothing_else_reads_as_it() {
    let world = World::of_two_epochs();
    let bytes = bytes_of(&world.leaves[1]);
    assert_eq!(Leaf::parse(ORIGIN, &bytes).as_ref(), Some(&world.leaves[1]));
    assert_eq!(Leaf::parse("other.example/log", &bytes), None);
    for len in 0..bytes.len() {
        assert_eq!(Leaf::parse(ORIGIN, &bytes[..len]), None, "cut at {len}");
    }
    let mut longer = bytes.clone();
    longer.push(b' ');
    assert_eq!(Leaf::parse(ORIGIN, &longer), None, "a byte after the end");
    // The same signatures with a space: other bytes, so another leaf, which nobody may make.
    let text = String::from_utf8_lossy(&bytes);
    let at = bytes.len() - text.rfind("{\"signatures\"").map_or(0, |at| text.len() - at);
    let mut spaced = bytes[..at - 2].to_vec();
    let part = [&bytes[at..], b" "].concat();
    spaced.extend(u16::try_from(part.len()).expect("short").to_be_bytes());
    spaced.extend(part);
    assert_eq!(Leaf::parse(ORIGIN, &spaced), None, "signatures in another form");
    assert_eq!(Leaf::parse(ORIGIN, &vec![b' '; 1 << 20]), None);
}

#[test]
fn a_manifest_that_no_log_can_hold_makes_no_leaf() {
    let mut long = manifest(1, &[1, 2, 3]);
    for node in &mut long.fleets[0].nodes {
        node.evidence = "e".repeat(4_096);
    }
    let mut world = World::default();
    world.publish(&signed(&long, &[1, 2]));
    assert!(world.leaves[0].to_bytes(ORIGIN).is_some(), "five nodes with full evidence fit");
    world.leaves[0].manifest.resize(48 * 1_024 + 1, b' ');
    assert_eq!(world.leaves[0].to_bytes(ORIGIN), None);
}

proptest! {
    #[test]
    fn noise_is_no_statement_and_no_leaf(noise in proptest::collection::vec(any::<u8>(), 0..300)) {
        prop_assert_eq!(Leaf::parse(ORIGIN, &noise), None);
        if let Some(statement) = Statement::parse(&noise) {
            prop_assert_eq!(statement.to_bytes(), noise);
        }
    }

    #[test]
    fn a_flipped_bit_of_a_leaf_is_another_leaf_or_none(at in 0_usize..1 << 16) {
        let world = World::of_two_epochs();
        let bytes = bytes_of(&world.leaves[1]);
        let at = at % (bytes.len() * 8);
        let mut flipped = bytes.clone();
        flipped[at / 8] ^= 1 << (at % 8);
        if let Some(leaf) = Leaf::parse(ORIGIN, &flipped) {
            prop_assert_ne!(&leaf, &world.leaves[1]);
            prop_assert_eq!(bytes_of(&leaf), flipped);
        }
    }
}
