//! Which edge cases of Ed25519 pass, against the vectors of C2SP's CCTV.

mod world;

use serde::Deserialize;
use std::collections::BTreeSet;
use strongroom_tlog::LogKey;

#[derive(Deserialize)]
struct Case {
    number: u32,
    key: String,
    sig: String,
    msg: String,
    flags: Option<Vec<String>>,
}

/// A component of small order in a point that is not itself of small order: no encoding rule can
/// refuse it. All other flags are refused, wherever they stand.
const ACCEPTED: [&str; 2] = ["low_order_component_A", "low_order_component_R"];

#[test]
fn no_small_order_no_second_encoding_and_no_residue() {
    let Some(folder) = world::vectors("ed25519") else { return };
    let cases: Vec<Case> =
        serde_json::from_slice(&world::read(folder.join("ed25519vectors.json"))).expect("cases");
    assert_eq!(cases.len(), 914);
    let (mut accepted, mut refused) = (BTreeSet::new(), BTreeSet::new());
    let mut count = 0;
    for case in cases {
        let key: [u8; 32] = hex::decode(&case.key).expect("hex").try_into().expect("32 bytes");
        let signature = hex::decode(&case.sig).expect("hex");
        let good = LogKey::new("log.example", &key)
            .is_ok_and(|key| key.verifies(case.msg.as_bytes(), &signature));
        let flags = case.flags.unwrap_or_default();
        let expected = flags.iter().all(|flag| ACCEPTED.contains(&flag.as_str()));
        assert_eq!(good, expected, "case {}: {flags:?}", case.number);
        count += usize::from(good);
        (if good { &mut accepted } else { &mut refused }).extend(flags);
    }
    println!("accepted: {count} of 914, with flags {accepted:?}; refused flags: {refused:?}");
    assert_eq!(accepted, ACCEPTED.map(str::to_owned).into());
    for flag in [
        "low_order_A",
        "low_order_R",
        "low_order_residue",
        "non_canonical_A",
        "non_canonical_R",
        "reencoded_k",
    ] {
        assert!(refused.contains(flag), "{flag} is not exercised");
    }
}
