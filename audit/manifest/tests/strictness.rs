//! One manifest has one encoding, and every rule refuses.

mod world;

use ed25519_dalek::{Signer as _, SigningKey};
use proptest::prelude::*;
use strongroom_manifest::{
    Floors, Hex, Manifest, ManifestError, ManifestSignatures, Protection, RuleBreach, Verified,
    manifest_statement, parse, to_canonical_json,
};
use strongroom_wire::digest::sha256;

fn manifest() -> Manifest {
    world::manifest(1, &[1, 2, 3], 2)
}

#[test]
fn the_canonical_encoding_is_read_and_sorted_by_name() {
    let bytes = to_canonical_json(&manifest());
    assert_eq!(parse(&bytes).expect("reads"), manifest());
    // RFC 8785 sorts names; a map that sorts them itself gives the same bytes.
    let value: serde_json::Value = serde_json::from_slice(&bytes).expect("json");
    let sorted: std::collections::BTreeMap<String, serde_json::Value> =
        serde_json::from_value(value).expect("object");
    let names: Vec<&String> = sorted.keys().collect();
    let text = String::from_utf8(bytes).expect("text");
    let mut at = 0;
    for name in names {
        let found = text.find(&format!("\"{name}\":")).expect("name");
        assert!(found >= at, "{name} stands too early");
        at = found;
    }
}

#[test]
fn another_encoding_of_the_same_manifest_is_refused() {
    let text = String::from_utf8(to_canonical_json(&manifest())).expect("text");
    let spaced = text.replacen("\"epoch\":1", "\"epoch\": 1", 1);
    assert_eq!(parse(spaced.as_bytes()), Err(ManifestError::NotCanonical));
    let upper = text.replacen("0707", "0707".to_uppercase().as_str(), 1);
    assert!(parse(upper.as_bytes()).is_ok(), "digits alone have no case");
    let doubled = text.replacen("\"epoch\":1", "\"epoch\":1,\"epoch\":1", 1);
    assert!(matches!(parse(doubled.as_bytes()), Err(ManifestError::Malformed { .. })));
    let unknown = text.replacen("\"epoch\":1", "\"epoch\":1,\"extra\":1", 1);
    assert!(matches!(parse(unknown.as_bytes()), Err(ManifestError::Malformed { .. })));
    let trailing = format!("{text} ");
    assert_eq!(parse(trailing.as_bytes()), Err(ManifestError::NotCanonical));
    let huge = vec![b' '; 10 << 20];
    assert!(matches!(parse(&huge), Err(ManifestError::TooLong { .. })));
}

#[test]
fn every_rule_refuses() {
    let broken = |change: fn(&mut Manifest)| {
        let mut m = manifest();
        change(&mut m);
        match parse(&to_canonical_json(&m)) {
            Err(ManifestError::Rule(breach)) => breach,
            other => panic!("not refused by a rule: {other:?}"),
        }
    };
    assert_eq!(broken(|m| m.version = 2), RuleBreach::Version(2));
    assert_eq!(broken(|m| m.namespace = String::new()), RuleBreach::Text("namespace"));
    assert_eq!(broken(|m| m.epoch = 0), RuleBreach::Number("epoch or validity"));
    assert_eq!(broken(|m| m.custodians.threshold = 4), RuleBreach::Threshold);
    assert_eq!(broken(|m| m.custodians.threshold = 0), RuleBreach::Threshold);
    assert_eq!(broken(|m| m.custodians.keys.reverse()), RuleBreach::Order("custodians"));
    assert_eq!(broken(|m| m.fleets[0].nodes.reverse()), RuleBreach::Order("nodes"));
    assert!(matches!(broken(|m| m.fleets[0].nodes.truncate(4)), RuleBreach::TooFewNodes { .. }));
    assert_eq!(broken(|m| m.fleets[0].rollback_tolerance = 4), RuleBreach::RollbackTolerance);
    assert!(matches!(
        broken(|m| m.fleets[0].nodes[0].link_key = Hex([1; 32])),
        RuleBreach::KeyTwice(_)
    ));
    assert!(matches!(broken(|m| m.policy.row = 11), RuleBreach::Policy(_)));
    assert!(matches!(broken(|m| m.policy.year = 41), RuleBreach::Policy(_)));
    assert_eq!(broken(|m| m.fleets[0].id = "a b".to_owned()), RuleBreach::Text("fleets.id"));
    assert!(matches!(
        broken(|m| {
            let mut second = m.fleets[0].clone();
            second.id = "two".to_owned();
            for node in &mut second.nodes {
                node.identity_key.0[1] ^= 1;
                node.link_key.0[1] ^= 1;
            }
            m.fleets.push(second);
        }),
        RuleBreach::SlotsOverlap(_)
    ));
}

#[test]
fn inv9_a_manifest_is_verified_by_its_pin_or_by_enough_custodians() {
    let bytes = to_canonical_json(&manifest());
    let digest = sha256(&bytes);
    assert!(Verified::pinned(&bytes, &digest).is_ok());
    assert!(matches!(Verified::pinned(&bytes, &[0; 32]), Err(ManifestError::Digest { .. })));
    let mut signatures = ManifestSignatures::default();
    let custodians = manifest().custodians;
    let mut sign = |n: u8| {
        let key = SigningKey::from_bytes(&[n; 32]);
        let signature = key.sign(&manifest_statement(&digest)).to_bytes();
        signatures.push(key.verifying_key().to_bytes(), signature);
        Verified::signed_by(&bytes, &signatures, &custodians).map(|_| ())
    };
    let short = Err(ManifestError::Custodians { got: 1, needed: 2 });
    assert_eq!(sign(1), short);
    assert_eq!(sign(1), short, "one custodian twice is one custodian");
    assert_eq!(sign(9), short, "a stranger is none");
    assert_eq!(sign(2), Ok(()));
}

#[test]
fn a_fleet_is_chosen_only_within_its_time_and_above_the_floors() {
    let bytes = to_canonical_json(&manifest());
    let verified = Verified::pinned(&bytes, &sha256(&bytes)).expect("pinned");
    assert!(verified.fleet_at("one", &Floors::PRODUCTION, 1_500).is_ok());
    for now in [999, 2_001] {
        let refused = verified.fleet_at("one", &Floors::PRODUCTION, now);
        assert!(matches!(refused, Err(ManifestError::NotValidNow { .. })));
    }
    assert!(matches!(
        verified.fleet_at("two", &Floors::PRODUCTION, 1_500),
        Err(ManifestError::NoFleet(_))
    ));
    let mut weak = manifest();
    weak.fleets[0].protection = Protection::Software;
    let bytes = to_canonical_json(&weak);
    let weak = Verified::pinned(&bytes, &sha256(&bytes)).expect("pinned");
    assert!(matches!(
        weak.fleet_at("one", &Floors::PRODUCTION, 1_500),
        Err(ManifestError::Floor(_))
    ));
    assert!(weak.fleet_at("one", &Floors::DANGER_DEVELOPMENT, 1_500).is_ok());
}

proptest! {
    #[test]
    fn noise_is_no_manifest(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse(&bytes).is_err());
    }

    #[test]
    fn a_damaged_manifest_is_refused_or_is_another_canonical_one(at in 0_usize..4_000, bit in 0_u8..7) {
        let mut bytes = to_canonical_json(&manifest());
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(read) = parse(&bytes) {
            prop_assert_eq!(to_canonical_json(&read), bytes);
        }
    }
}
