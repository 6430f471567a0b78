//! tlog-proof files: one form, and nothing believed before all of it is verified.

mod world;

use proptest::prelude::*;
use strongroom_tlog::{
    CheckpointError, Hash, LogKey, LogProof, LogProofError, NoteError, Policy, SignedCheckpoint,
    leaf_hash,
    merkle::{ProofError, prove_inclusion},
    policy::QuorumError,
};

const ORIGIN: &str = "log.example/ns";

fn policy() -> Policy {
    let witness = |n: u8| format!("witness w{n} {}\n", world::witness_signer(n).key());
    let log = world::log_signer(ORIGIN).key().to_string();
    let text = format!(
        "log {log}\n{}{}{}group g 2 w1 w2 w3\nquorum g\n",
        witness(1),
        witness(2),
        witness(3)
    );
    Policy::parse(text.as_bytes()).expect("a policy")
}

fn checkpoint(size: u64, witnesses: &[u8]) -> SignedCheckpoint {
    let mut signed = world::signed(ORIGIN, world::tree(size).head());
    for n in witnesses {
        let line = world::cosigned(&signed, *n, 100 + u64::from(*n));
        signed.add_cosignature(line, world::witness_signer(*n).key()).expect("adds");
    }
    signed
}

fn proof(index: u64, size: u64, extra: &[u8]) -> LogProof {
    let path = prove_inclusion(&world::tree(size), index, size).expect("a path");
    LogProof::new(index, path, &checkpoint(size, &[1, 2, 3]), extra).expect("a proof")
}

fn key() -> LogKey {
    world::log_signer(ORIGIN).key().clone()
}

fn leaf(index: u64) -> Hash {
    leaf_hash(&world::entry(index))
}

#[test]
fn a_proof_verifies_offline_and_says_who_vouched_and_when() {
    let bytes = proof(6, 7, b"").to_bytes();
    let read = LogProof::parse(&bytes).expect("reads");
    assert_eq!((read.index(), read.danger_unauthenticated_extra()), (6, None));
    assert_eq!(read.note().to_bytes(), checkpoint(7, &[1, 2, 3]).to_bytes());
    let logged = read.verify(&leaf(6), &key(), &policy(), |at| at > 101).expect("verifies");
    assert_eq!(logged.index(), 6);
    assert!(logged.is_last());
    assert_eq!(logged.signed().checkpoint().size(), 7);
    let vouched: Vec<_> = logged.vouched().iter().map(|v| (v.name.as_str(), v.timestamp)).collect();
    assert_eq!(vouched, [("w2", 102), ("w3", 103)]);
    let logged = proof(5, 7, b"").verify(&leaf(5), &key(), &policy(), |_| true).expect("verifies");
    assert!(!logged.is_last());
    assert!(
        proof(0, 1, b"").verify(&leaf(0), &key(), &policy(), |_| true).expect("alone").is_last()
    );
}

#[test]
fn each_part_that_is_false_refuses_the_whole() {
    let good = proof(3, 7, b"");
    let verify = |proof: &LogProof, leaf: &Hash, key: &LogKey| {
        proof.verify(leaf, key, &policy(), |_| true).map(|logged| logged.index())
    };
    assert_eq!(verify(&good, &leaf(3), &key()), Ok(3));
    let refused = verify(&good, &leaf(4), &key());
    assert!(matches!(refused, Err(LogProofError::Inclusion(ProofError::Inclusion { .. }))));
    let text = String::from_utf8(good.to_bytes()).expect("text");
    let edited = |from: &str, to: &str| {
        LogProof::parse(text.replacen(from, to, 1).as_bytes()).expect("reads")
    };
    let refused = verify(&edited("index 3", "index 2"), &leaf(3), &key());
    assert!(matches!(refused, Err(LogProofError::Inclusion(_))));
    let refused = verify(&edited("index 3", "index 7"), &leaf(3), &key());
    assert!(matches!(refused, Err(LogProofError::Inclusion(ProofError::IndexBeyondTree { .. }))));
    let refused = verify(&edited("index 3", "index 18446744073709551615"), &leaf(3), &key());
    assert!(matches!(refused, Err(LogProofError::Inclusion(ProofError::IndexBeyondTree { .. }))));
    let refused = verify(&edited("\n7\n", "\n8\n"), &leaf(3), &key());
    let is_false = matches!(
        refused,
        Err(LogProofError::Checkpoint(CheckpointError::Note(NoteError::FalseSignature { .. })))
    );
    assert!(is_false, "{refused:?}");
    let stranger = LogKey::new(ORIGIN, world::witness_signer(7).key().public()).expect("a key");
    let refused = verify(&good, &leaf(3), &stranger);
    assert!(matches!(refused, Err(LogProofError::Checkpoint(_))));

    let path = prove_inclusion(&world::tree(7), 3, 7).expect("a path");
    let lonely = LogProof::new(3, path, &checkpoint(7, &[2]), b"").expect("a proof");
    let refused = verify(&lonely, &leaf(3), &key());
    let expected = matches!(
        refused,
        Err(LogProofError::Quorum(QuorumError::Quorum { got: 1, needed: 2, .. }))
    );
    assert!(expected, "{refused:?}");
    let refused = good.verify(&leaf(3), &key(), &policy(), |_| false);
    assert!(matches!(refused, Err(LogProofError::Quorum(_))), "{refused:?}");
}

#[test]
fn a_proof_has_one_form() {
    let good = String::from_utf8(proof(3, 7, b"context").to_bytes()).expect("text");
    assert_eq!(good.lines().nth(1), Some("extra Y29udGV4dA=="));
    let read = LogProof::parse(good.as_bytes()).expect("reads");
    assert_eq!(read.danger_unauthenticated_extra(), Some(b"context".as_slice()));
    for (from, to) in [
        ("@v1\n", "@v2\n"),
        ("@v1\n", "@v1 \n"),
        ("@v1\n", "@v1\n\n"),
        ("@v1\n", "@v1\r\n"),
        ("c2sp", "\u{feff}c2sp"),
        ("extra Y29udGV4dA==", "extra"),
        ("extra Y29udGV4dA==", "extra "),
        ("extra Y29udGV4dA==", "extra Y29udGV4dA="),
        ("extra Y29udGV4dA==", "extra Y29udGV4dB=="),
        ("extra Y29udGV4dA==", "extra  Y29udGV4dA=="),
        ("extra Y29udGV4dA==", "extra Y29udGV4dA==\nextra Y29udGV4dA=="),
        ("extra Y29udGV4dA==", "index 3\nextra Y29udGV4dA=="),
        ("index 3", "index 03"),
        ("index 3", "index +3"),
        ("index 3", "index -3"),
        ("index 3", "index 3 "),
        ("index 3", "index  3"),
        ("index 3", "index"),
        ("index 3", "index 3\nindex 3"),
        ("index 3", "index 18446744073709551616"),
        ("index 3\n", "index 3\n\n"),
        ("index 3\n", ""),
        ("=\n\n", "=\n"),
        ("=\n\n", "=\n\n\n"),
        ("=\n\n", "= \n\n"),
        ("=\n\n", "==\n\n"),
        ("=\n\n", "\n\n"),
        ("\n7\n", "\n07\n"),
        ("\n7\n", "\n7\nextension\n"),
    ] {
        let bad = good.replacen(from, to, 1);
        assert_ne!(bad, good, "{from:?}");
        let read = LogProof::parse(bad.as_bytes());
        assert!(read.is_err(), "{from:?} to {to:?}: {read:?}");
    }
    let lines_end = |end: usize| good.as_bytes()[..end].ends_with(b"\n");
    let checkpoint_ends = good.find("— ").expect("signatures");
    for end in 0..good.len() {
        // A note with fewer of its signatures is a note: whether they suffice, the policy says.
        let cut = LogProof::parse(&good.as_bytes()[..end]);
        assert_eq!(cut.is_ok(), end > checkpoint_ends && lines_end(end), "cut at {end}");
    }
    for tail in ["\n", " ", "x", "\0", "— "] {
        assert!(LogProof::parse(format!("{good}{tail}").as_bytes()).is_err(), "{tail:?}");
    }
}

#[test]
fn a_proof_has_limits() {
    let signed = checkpoint(7, &[1]);
    let zero = Hash([0; 32]);
    assert!(LogProof::new(0, vec![zero; 63], &signed, b"").is_ok());
    let refused = LogProof::new(0, vec![zero; 64], &signed, b"");
    assert!(matches!(refused, Err(LogProofError::Line(_))), "{refused:?}");
    let refused = LogProof::new(0, Vec::new(), &signed, &vec![0; 60_000]);
    assert!(matches!(refused, Err(LogProofError::TooLong { cap: 69_632, .. })), "{refused:?}");
    assert!(LogProof::new(0, Vec::new(), &signed, &vec![0; 50_000]).is_ok());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn proofs_read_back(
        (size, index) in (1_u64..700).prop_flat_map(|size| (Just(size), 0..size)),
        extra in prop::collection::vec(any::<u8>(), 0..50),
    ) {
        let made = proof(index, size, &extra);
        let read = LogProof::parse(&made.to_bytes()).expect("reads");
        prop_assert_eq!(&read, &made);
        let logged = read.verify(&leaf(index), &key(), &policy(), |_| true).expect("verifies");
        prop_assert_eq!(logged.is_last(), index + 1 == size);
    }

    #[test]
    fn a_damaged_proof_is_refused(at in any::<prop::sample::Index>(), bit in 0_u8..8) {
        let mut bytes = proof(3, 7, b"").to_bytes();
        let at = at.index(bytes.len());
        bytes[at] ^= 1 << bit;
        if let Ok(read) = LogProof::parse(&bytes) {
            prop_assert_eq!(read.to_bytes(), bytes);
            let verified = read.verify(&leaf(3), &key(), &policy(), |_| true);
            // A witness whose name or id was changed is unknown; the other two suffice.
            prop_assert!(verified.is_err() || verified.is_ok_and(|v| v.vouched().len() == 2));
        }
    }

    #[test]
    fn noise_is_no_proof(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(LogProof::parse(&bytes).is_err());
    }
}
