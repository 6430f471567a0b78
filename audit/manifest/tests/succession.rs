//! Who may sign the next manifest.

mod world;

use strongroom_manifest::{
    CHAIN_LEN_MAX, CustodianKeys, Custodians, ManifestError, SignedManifest, Succession,
    follows_under,
};
use strongroom_wire::digest::sha256;
use world::{custodians, manifest, signed};

const NAMESPACE: &str = "org.encrypted_backups.fleet_keys.v1";

fn genesis() -> Succession {
    Succession::pinned(NAMESPACE, custodians(&[1, 2, 3], 2))
}

/// Epochs 1 to 4: the second hands over from 1, 2, 3 to 4, 5, 6, the fourth to 7, 8, 9.
fn history() -> [SignedManifest; 4] {
    [
        signed(&manifest(1, &[1, 2, 3], 2), &[1, 2]),
        signed(&manifest(2, &[4, 5, 6], 2), &[2, 3]),
        signed(&manifest(3, &[4, 5, 6], 2), &[4, 6]),
        signed(&manifest(4, &[7, 8, 9], 3), &[5, 6]),
    ]
}

#[test]
fn each_epoch_is_signed_by_the_custodians_of_the_one_before() {
    let mut succession = genesis();
    for (epoch, one) in (1..).zip(history()) {
        let next = succession.follow(one.manifest.as_bytes(), &one.signatures).expect("follows");
        assert_eq!((next.epoch, succession.epoch()), (epoch, epoch));
    }
    assert_eq!(succession.custodians(), &custodians(&[7, 8, 9], 3));
}

#[test]
fn an_operator_cannot_write_itself_into_the_set() {
    let mut succession = genesis();
    let [first, ..] = history();
    succession.follow(first.manifest.as_bytes(), &first.signatures).expect("follows");
    let own = signed(&manifest(2, &[7, 8, 9], 2), &[7, 8, 9]);
    let before = succession.clone();
    assert_eq!(
        succession.follow(own.manifest.as_bytes(), &own.signatures).map(|_| ()),
        Err(ManifestError::Custodians { got: 0, needed: 2 }),
    );
    assert_eq!(succession, before, "a refusal changes nothing");
}

#[test]
fn custodians_who_handed_over_have_no_say() {
    let mut succession = genesis();
    for one in &history()[..2] {
        succession.follow(one.manifest.as_bytes(), &one.signatures).expect("follows");
    }
    let late = signed(&manifest(3, &[1, 2, 3], 2), &[1, 2, 3]);
    assert_eq!(
        succession.follow(late.manifest.as_bytes(), &late.signatures).map(|_| ()),
        Err(ManifestError::Custodians { got: 0, needed: 2 }),
    );
}

#[test]
fn a_gap_a_repetition_and_a_step_back_do_not_follow() {
    let mut succession = genesis();
    let [first, second, third, _] = history();
    for (one, expected) in [(&second, 1), (&third, 1)] {
        let refused = succession.follow(one.manifest.as_bytes(), &one.signatures).map(|_| ());
        match refused {
            Err(ManifestError::Epoch { got, expected: at }) => {
                assert_eq!((got, at), (2, expected));
            }
            // The third is signed by a set that this reader has not met yet.
            other => assert_eq!(other, Err(ManifestError::Custodians { got: 0, needed: 2 })),
        }
    }
    succession.follow(first.manifest.as_bytes(), &first.signatures).expect("follows");
    assert_eq!(
        succession.follow(first.manifest.as_bytes(), &first.signatures).map(|_| ()),
        Err(ManifestError::Epoch { got: 1, expected: 2 }),
    );
    assert_eq!(
        succession.leap(first.manifest.as_bytes(), &first.signatures).map(|_| ()),
        Err(ManifestError::Epoch { got: 1, expected: 2 }),
    );
}

#[test]
fn a_chain_needs_only_those_that_changed_the_custodians() {
    let [_, second, third, fourth] = history();
    let tip = signed(&manifest(9, &[7, 8, 9], 3), &[7, 8, 9]);
    let along = |chain: &[SignedManifest]| {
        genesis().leap_along(chain, tip.manifest.as_bytes(), &tip.signatures).map(|m| m.epoch)
    };
    assert_eq!(along(&[second.clone(), fourth.clone()]), Ok(9));
    assert_eq!(along(&[second.clone(), third, fourth.clone()]), Ok(9));
    let short = ManifestError::Custodians { got: 0, needed: 2 };
    assert_eq!(along(std::slice::from_ref(&second)), Err(short.clone()), "a link is missing");
    assert_eq!(
        along(std::slice::from_ref(&fourth)),
        Err(short.clone()),
        "the first link is missing"
    );
    assert_eq!(along(&[fourth, second.clone()]), Err(short), "links in another order");
    let long = vec![second; CHAIN_LEN_MAX + 1];
    assert_eq!(along(&long), Err(ManifestError::ChainTooLong { got: 65, cap: CHAIN_LEN_MAX }));
}

#[test]
fn another_namespace_and_an_earlier_validity_do_not_follow() {
    let mut other = manifest(1, &[1, 2, 3], 2);
    other.namespace = "net.encrypted_backups.fleet_keys.v1".to_owned();
    let other = signed(&other, &[1, 2, 3]);
    let refused = genesis().follow(other.manifest.as_bytes(), &other.signatures).map(|_| ());
    assert!(matches!(refused, Err(ManifestError::Namespace { .. })), "{refused:?}");

    let mut succession = genesis();
    let [first, ..] = history();
    succession.follow(first.manifest.as_bytes(), &first.signatures).expect("follows");
    let mut early = manifest(2, &[1, 2, 3], 2);
    early.not_before_ms -= 1;
    let early = signed(&early, &[1, 2]);
    assert_eq!(
        succession.follow(early.manifest.as_bytes(), &early.signatures).map(|_| ()),
        Err(ManifestError::ValidEarlier { got_ms: 999, expected_ms: 1_000 }),
    );
}

#[test]
fn custodians_read_once_count_as_those_that_are_read_anew() {
    let set = custodians(&[1, 2, 3], 2);
    let keys = CustodianKeys::new(&set);
    let of = |by: &[u8]| {
        let signed = signed(&manifest(1, &[1, 2, 3], 2), by);
        let digest = sha256(signed.manifest.as_bytes());
        let counted = keys.count(&signed.signatures, &digest);
        assert_eq!(counted, signed.signatures.count(&set, &digest), "{by:?}");
        assert_eq!(keys.count(&signed.signatures, &[0; 32]), 0, "of another manifest");
        counted
    };
    // A custodian twice is one, and a stranger none.
    let all: [(&[u8], usize); 5] =
        [(&[], 0), (&[1], 1), (&[1, 1, 1], 1), (&[2, 3, 9], 2), (&[3, 2, 1], 3)];
    for (by, expected) in all {
        assert_eq!(of(by), expected, "{by:?}");
    }
}

#[test]
fn keys_of_another_set_let_nobody_sign() {
    let (before, next) = (manifest(1, &[1, 2, 3], 2), manifest(2, &[1, 2, 3], 2));
    let signed = signed(&next, &[1, 2]);
    let digest = sha256(signed.manifest.as_bytes());
    let under = |set: &Custodians| {
        follows_under(&CustodianKeys::new(set), &before, &next, &digest, &signed.signatures)
    };
    assert_eq!(under(&before.custodians), Ok(2));
    let looser = Custodians { threshold: 1, ..before.custodians.clone() };
    assert_eq!(under(&looser), Err(ManifestError::Custodians { got: 0, needed: 2 }));
}
