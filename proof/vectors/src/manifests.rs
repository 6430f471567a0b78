//! The manifest (spec §9).

use crate::{
    vector::{Case, File},
    world::{CUSTODIANS, World, key, public},
};
use ed25519_dalek::Signer as _;
use strongroom_manifest::{
    Manifest, ManifestError, ManifestSignatures, manifest_statement, parse, to_canonical_json,
};

/// What makes a good manifest a bad one.
type Breach = fn(&mut Manifest);

pub(crate) fn file(world: &World) -> File {
    let json = text(&world.manifest_json);
    let statement = manifest_statement(&world.digest);
    let signatures = CUSTODIANS.map(|seed| key(seed).sign(&statement).to_bytes());
    assert_eq!(world.signatures.count(&world.manifest.custodians, &world.digest), 2);
    let beside = serde_json::to_string(&world.signatures).expect("it serialises");
    let signed = CUSTODIANS.iter().zip(signatures).map(|(seed, signature)| {
        Case::named("a custodian's signature")
            .hex("custodian", public(*seed))
            .hex("statement", &statement)
            .hex("signature", signature)
    });
    let file = File::new(
        "manifest.json",
        "09-manifest.md",
        "A manifest's one encoding (RFC 8785), its digest, and custodians' signatures.",
    )
    .case(Case::named("a manifest").text("json", json.clone()).hex("digest", world.digest))
    .cases(signed)
    .case(Case::named("the signatures that travel beside it").text("json", beside));
    let edits: [(&str, String); 6] = [
        ("a space", json.replacen(':', ": ", 1)),
        ("a newline at the end", json.clone() + "\n"),
        ("an unknown field", json.replacen('{', "{\"a\":1,", 1)),
        ("a field twice", json.replacen("\"epoch\":3", "\"epoch\":3,\"epoch\":3", 1)),
        (
            "digits in upper case",
            json.replacen("fleets\":[{\"hpke_key\":\"", "fleets\":[{\"hpke_key\":\"A", 1),
        ),
        ("cut short", json[..json.len() - 1].to_owned()),
    ];
    let file =
        edits.into_iter().fold(file, |file, (name, edited)| refused(file, name, edited.as_bytes()));
    let breaches: [(&str, Breach); 6] = [
        ("version 2", |m| m.version = 2),
        ("epoch 0", |m| m.epoch = 0),
        ("row 11", |m| m.policy.row = 11),
        ("threshold above the custodians", |m| m.custodians.threshold = 4),
        ("an identity key twice", |m| {
            let first = m.fleets[0].nodes[0].identity_key;
            m.fleets[0].nodes[1].identity_key = first;
        }),
        ("three nodes in hardware", |m| {
            m.fleets[0].protection = strongroom_manifest::Protection::KeysOnly;
        }),
    ];
    let none = ManifestSignatures::default();
    assert_eq!(none.count(&world.manifest.custodians, &world.digest), 0);
    breaches.into_iter().fold(file, |file, (name, breach)| {
        let mut manifest = world.manifest.clone();
        breach(&mut manifest);
        refused(file, name, &to_canonical_json(&manifest))
    })
}

fn text(json: &[u8]) -> String {
    String::from_utf8(json.to_vec()).expect("printable ASCII")
}

fn refused(file: File, name: &str, bytes: &[u8]) -> File {
    let error = match parse(bytes).expect_err("refused") {
        ManifestError::Malformed { .. } => "Malformed".to_owned(),
        ManifestError::NotCanonical => "NotCanonical".to_owned(),
        ManifestError::Rule(breach) => format!("Rule: {breach:?}"),
        other => format!("{other:?}"),
    };
    file.refused(name, "manifest", bytes, error)
}
