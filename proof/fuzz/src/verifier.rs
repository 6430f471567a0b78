//! What a verifier keeps for itself and hands to others: heads and evidence.

use ed25519_dalek::{Signer as _, SigningKey};
use std::sync::LazyLock;
use strongroom_manifest::{Custodians, Hex};
use strongroom_tlog::{Checkpoint, Hash, LogSigner, SeedSigner, SignedCheckpoint, WitnessKey};
use strongroom_verify::{AuditorKey, Evidence, KeptHead, Statement, Trust, TrustFile};

const NAMESPACE: &str = "org.encrypted_backups.fleet_keys.v1";
const ORIGIN: &str = "auditor.example/org.encrypted_backups.fleet_keys.v1";
const AUDITOR: u8 = 40;
const LOG: u8 = 42;

fn public(seed: u8) -> [u8; 32] {
    SigningKey::from_bytes(&[seed; 32]).verifying_key().to_bytes()
}

fn log() -> LogSigner<SeedSigner> {
    LogSigner::new(ORIGIN, SeedSigner::new(&[LOG; 32])).expect("a log")
}

static TRUST: LazyLock<Trust> = LazyLock::new(|| {
    let witness = WitnessKey::new("w.example", &public(50)).expect("a key");
    let file = TrustFile {
        auditor_keys: vec![AuditorKey { not_before_ms: 0, public_key: Hex(public(AUDITOR)) }],
        built_ms: 0,
        cosignature_max_age_ms: 1,
        custodians: Custodians { keys: vec![Hex(public(1))], threshold: 1 },
        namespace: NAMESPACE.to_owned(),
        operator_key: Hex(public(41)),
        policy: format!("log {}\nwitness w {witness}\nquorum w\n", log().key()),
    };
    Trust::new(file).expect("pins")
});

/// Either, under pins of which the seeds hold the keys: what is accepted reads the same again.
pub(crate) fn verifier(bytes: &[u8]) -> bool {
    let mut accepted = false;
    if let Ok(evidence) = Evidence::parse(bytes) {
        let again = Evidence::parse(&evidence.to_bytes()).expect("what was read can be read again");
        assert_eq!(again, evidence);
        let proven = evidence.check(&TRUST);
        assert_eq!(again.check(&TRUST), proven, "one file proves two things");
        if let Ok(proven) = proven {
            assert!(!proven.accused.is_empty(), "a contradiction of nobody");
        }
        accepted = true;
    }
    if let Ok(head) = KeptHead::parse(bytes, &TRUST) {
        let again = KeptHead::parse(&head.to_bytes(), &TRUST).expect("reads again");
        assert_eq!((again.head(), again.epoch()), (head.head(), head.epoch()));
        assert_eq!(head.head().size, head.epoch());
        accepted = true;
    }
    accepted
}

fn note(size: u64, root: u8) -> String {
    let checkpoint = Checkpoint::new(ORIGIN, size, Hash([root; 32])).expect("a checkpoint");
    let signed = SignedCheckpoint::sign(checkpoint, &log()).expect("signs");
    String::from_utf8(signed.to_bytes()).expect("text")
}

fn statement(timestamp_ms: u64) -> serde_json::Value {
    let statement =
        Statement { namespace: NAMESPACE.to_owned(), timestamp_ms, epoch: 2, digest: [7; 32] };
    let bytes = statement.to_bytes();
    let signature = SigningKey::from_bytes(&[AUDITOR; 32]).sign(&bytes).to_bytes();
    serde_json::json!({"signature": hex::encode(signature), "statement": hex::encode(bytes)})
}

/// One of each kind, as far as keys alone make one, and a kept head.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let hash = |byte: u8| hex::encode([byte; 32]);
    let logged = serde_json::json!({"checkpoint": note(2, 3), "index": 1, "leaf": "00ff", "path": [hash(5)]});
    let said = statement(9);
    let claims = [
        serde_json::json!({"kind": "two_roots", "first": note(2, 3), "second": note(2, 4)}),
        serde_json::json!({
            "kind": "inconsistent", "first": note(2, 3), "other_root": hash(4), "proof": [hash(5)],
            "second": note(3, 6),
        }),
        serde_json::json!({"kind": "two_statements", "first": statement(8), "second": said}),
        serde_json::json!({
            "kind": "statement_against_leaf", "logged": logged, "signature": said["signature"],
            "statement": said["statement"],
        }),
        serde_json::json!({
            "kind": "broken_leaf", "audit_signature": null, "before": {"leaf": "01", "path": []},
            "logged": logged,
        }),
    ];
    let evidence = claims.into_iter().map(|claim| {
        serde_json::json!({"claim": claim, "namespace": NAMESPACE, "origin": ORIGIN, "version": 1})
    });
    let head = serde_json::json!({
        "audited_ms": 1, "checkpoint": note(2, 3), "custodians": {"keys": [hash(1)], "threshold": 1},
        "epoch": 2, "manifest_sha256": hash(2), "origin": ORIGIN, "root": hash(3), "size": 2,
        "trust_sha256": hex::encode(TRUST.digest()), "version": 1,
    });
    evidence.chain([head]).map(|value| value.to_string().into_bytes()).collect()
}
