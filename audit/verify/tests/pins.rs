//! What an app pins makes sense together, or nothing is trusted.

mod world;

use strongroom_manifest::Hex;
use strongroom_verify::{Trust, TrustError, TrustFile};
use world::{ORIGIN, log, policy, trust_file, witness};

fn refused(change: impl FnOnce(&mut TrustFile)) -> TrustError {
    let mut file = trust_file();
    change(&mut file);
    Trust::new(file).map(|_| ()).expect_err("refuses")
}

#[test]
fn a_trust_file_reads_and_names_one_log() {
    let bytes = serde_json::to_vec(&trust_file()).expect("json");
    let trust = Trust::parse(&bytes).expect("reads");
    assert_eq!((trust.origin(), trust.file()), (ORIGIN, &trust_file()));
    let text = String::from_utf8(bytes).expect("text");
    for (from, to) in [
        ("\"built_ms\":", "\"built\":"),
        ("\"built_ms\":", "\"built_ms\":1,\"built_ms\":"),
        ("\"namespace\":", "\"extra\":1,\"namespace\":"),
    ] {
        let edited = text.replacen(from, to, 1);
        assert_ne!(edited, text);
        let refused = Trust::parse(edited.as_bytes()).map(|_| ());
        assert!(matches!(refused, Err(TrustError::Malformed(_))), "{to}");
    }
    let refused = Trust::parse(&vec![b' '; 1 << 20]).map(|_| ());
    assert!(matches!(refused, Err(TrustError::TooLong { got: 1_048_576, cap: 131_072 })));
}

#[test]
fn a_policy_without_witnesses_or_with_two_logs_is_no_pin() {
    let none = refused(|file| file.policy = format!("log {}\nquorum none\n", log(ORIGIN).key()));
    assert!(matches!(none, TrustError::NoQuorum), "{none}");
    let other = strongroom_tlog::LogSigner::new(
        "other.example/log",
        strongroom_tlog::SeedSigner::new(&[77; 32]),
    );
    let line = format!("log {}\n", other.expect("a log").key());
    let two = refused(|file| file.policy = line + &policy());
    assert!(matches!(two, TrustError::Logs { got: 2 }), "{two}");
    let no_log = format!("witness w {}\nquorum w\n", witness(0).key());
    let zero = refused(|file| file.policy = no_log);
    assert!(matches!(zero, TrustError::Logs { got: 0 }), "{zero}");
    let broken = refused(|file| file.policy = "quorum".to_owned());
    assert!(matches!(broken, TrustError::Policy(_)), "{broken}");
}

#[test]
fn nobody_holds_two_offices() {
    let operator = trust_file().operator_key;
    let twice = [
        refused(|file| file.auditor_keys[0].public_key = operator),
        refused(|file| file.operator_key = Hex(*log(ORIGIN).key().public())),
        refused(|file| file.operator_key = Hex(*witness(2).key().public())),
        refused(|file| file.operator_key = file.custodians.keys[0]),
    ];
    for error in twice {
        assert!(matches!(error, TrustError::KeyTwice { .. }), "{error}");
    }
}

#[test]
fn an_auditor_and_a_threshold_are_needed() {
    assert!(matches!(refused(|file| file.auditor_keys.clear()), TrustError::NoAuditor));
    for threshold in [0, 4] {
        let error = refused(|file| file.custodians.threshold = threshold);
        assert!(matches!(error, TrustError::Threshold { of: 3, .. }), "{error}");
    }
}

#[test]
fn a_key_under_which_anybody_signs_is_no_pin() {
    // The identity: R = identity and S = 0 are good for every message where it is allowed.
    let mut identity = Hex([0; 32]);
    identity.0[0] = 1;
    for weak in [identity, Hex([0; 32]), Hex([0xff; 32])] {
        let auditor = refused(|file| file.auditor_keys[0].public_key = weak);
        assert!(matches!(auditor, TrustError::WeakKey { key } if key == weak), "{auditor}");
        let operator = refused(|file| file.operator_key = weak);
        assert!(matches!(operator, TrustError::WeakKey { .. }), "{operator}");
    }
}
