//! The log and the validation bundle (spec §21, §22).

use crate::{
    vector::{Case, File},
    world::{CUSTODIANS, FLEET, NAMESPACE, NOW_MS, World, key, public},
};
use ed25519_dalek::Signer as _;
use strongroom_manifest::{
    Floors, Hex, ManifestSignatures, SignedManifest, manifest_statement, to_canonical_json,
};
use strongroom_tlog::{
    Checkpoint, Hash, LogProof, LogSigner, SeedSigner, SignedCheckpoint, WitnessSigner, cosign,
    leaf_hash, merkle,
    merkle::Tree,
    witness::{AddCheckpoint, KnownLog},
};
use strongroom_verify::{
    AuditResponse, AuditorKey, Bundle, Circumstances, Leaf, Statement, Trust, TrustFile, check,
    countersign_message,
};
use strongroom_wire::digest::sha256;

pub(crate) const ORIGIN: &str = "auditor.example/org.example.encrypted_backups.fleet_keys.v1";
const AUDITOR: u8 = 0x71;
pub(crate) const OPERATOR: u8 = 0x72;
const LOG: u8 = 0x73;
const WITNESSES: [u8; 3] = [0x74, 0x75, 0x76];

pub(crate) fn file(world: &World) -> File {
    let leaves = leaves(world);
    let bytes: Vec<Vec<u8>> =
        leaves.iter().map(|leaf| leaf.to_bytes(ORIGIN).expect("a leaf")).collect();
    let tree: Tree = bytes.iter().map(|leaf| leaf_hash(leaf)).collect();
    let signed = cosigned(&tree);
    let path = merkle::prove_inclusion(&tree, 1, 2).expect("a path");
    let proof = LogProof::new(1, path, &signed, &[]).expect("a proof");
    let proof = String::from_utf8(proof.to_bytes()).expect("text");

    let [_, leaf] = &leaves;
    let [_, leaf_bytes] = bytes.as_slice() else { panic!("two leaves") };
    let statement = leaf.statement.to_bytes();
    let signature = key(AUDITOR).sign(&statement).to_bytes();
    let counter = countersign_message(ORIGIN, leaf_bytes, &signature);
    let countersignature = key(OPERATOR).sign(&counter).to_bytes();
    let audit = AuditResponse::new(&leaf.statement, &public(AUDITOR), signature);
    let bundle = Bundle::new(leaf, audit, countersignature, &proof, Vec::new()).to_bytes();
    let trust = trust_file(world);
    believed(world, &bundle, trust.clone());

    let file = File::new(
        "log.json",
        "21-log.md, 22-bundle.md",
        "Two epochs in a log: statement, leaf, checkpoint, cosignatures, proof, and the bundle that a client believes.",
    )
    .case(Case::named("the log").text("origin", ORIGIN).text("vkey", log().key().to_string()))
    .case(
        Case::named("the auditor's statement for epoch 2")
            .hex("statement", &statement)
            .hex("auditor", public(AUDITOR))
            .hex("signature", signature),
    )
    .cases(bytes.iter().zip(["epoch 1", "epoch 2"]).map(|(leaf, name)| {
        Case::named(name).hex("leaf", leaf).hex("leaf_hash", leaf_hash(leaf).0)
    }))
    .case(
        Case::named("the operator's counter-signature")
            .hex("message", &counter)
            .hex("operator", public(OPERATOR))
            .hex("signature", countersignature),
    )
    .case(
        Case::named("a checkpoint with three cosignatures")
            .text("note", String::from_utf8(signed.to_bytes()).expect("text")),
    )
    .case(Case::named("a proof").text("tlog_proof", proof))
    .case(
        Case::named("what an app pins")
            .text("trust", serde_json::to_string(&trust).expect("it serialises")),
    )
    .case(
        Case::named("a bundle that is believed")
            .number("now_ms", NOW_MS)
            .text("bundle", String::from_utf8(bundle.clone()).expect("text")),
    );
    refused(file, &bundle)
}

/// Bytes that read as no bundle.
fn refused(file: File, bundle: &[u8]) -> File {
    let text = String::from_utf8(bundle.to_vec()).expect("text");
    let body = text.strip_suffix("\"version\":1}").expect("the last field");
    let edits = [
        ("cut short", text[..text.len() - 1].to_owned()),
        ("a field twice", format!("{body}\"version\":1,\"version\":1}}")),
        ("an unknown field", format!("{body}\"version\":1,\"x\":1}}")),
        ("another version", format!("{body}\"version\":2}}")),
        ("something behind", format!("{text}{{}}")),
    ];
    edits.into_iter().fold(file, |file, (name, edited)| {
        let error = Bundle::parse(edited.as_bytes()).map(|_| ()).expect_err("refused");
        file.refused(name, "bundle", edited.as_bytes(), error.to_string())
    })
}

fn believed(world: &World, bundle: &[u8], trust: TrustFile) {
    let trust = Trust::new(trust).expect("pins");
    let at = Circumstances {
        now_ms: NOW_MS,
        seen: None,
        fleet: FLEET,
        floors: &Floors::DANGER_DEVELOPMENT,
        slot: world.slot.as_bytes(),
    };
    let believed = check(bundle, &trust, &at).expect("the vector is believed");
    assert_eq!((believed.head().epoch, believed.witnesses().len()), (2, 3));
}

fn leaves(world: &World) -> [Leaf; 2] {
    let first = leaf(&signed(world, 1), 1, [0; 32]);
    let previous = leaf_hash(&first.to_bytes(ORIGIN).expect("a leaf"));
    let second = leaf(&signed(world, 2), 2, previous.0);
    [first, second]
}

fn leaf(signed: &SignedManifest, epoch: u64, previous: [u8; 32]) -> Leaf {
    let digest = sha256(signed.manifest.as_bytes());
    let timestamp_ms = NOW_MS - 3_600_000;
    Leaf {
        statement: Statement { namespace: NAMESPACE.to_owned(), timestamp_ms, epoch, digest },
        previous,
        manifest: signed.manifest.clone().into_bytes(),
        signatures: signed.signatures.clone(),
    }
}

fn signed(world: &World, epoch: u64) -> SignedManifest {
    let mut manifest = world.manifest.clone();
    manifest.epoch = epoch;
    let bytes = to_canonical_json(&manifest);
    let statement = manifest_statement(&sha256(&bytes));
    let mut signatures = ManifestSignatures::default();
    for seed in CUSTODIANS.into_iter().take(2) {
        signatures.push(public(seed), key(seed).sign(&statement).to_bytes());
    }
    SignedManifest { manifest: String::from_utf8(bytes).expect("text"), signatures }
}

fn log() -> LogSigner<SeedSigner> {
    LogSigner::new(ORIGIN, SeedSigner::new(&[LOG; 32])).expect("a log")
}

fn witness(seed: u8) -> WitnessSigner<SeedSigner> {
    let name = format!("witness.example/{seed:x}");
    WitnessSigner::new(&name, SeedSigner::new(&[seed; 32])).expect("a witness")
}

fn cosigned(tree: &Tree) -> SignedCheckpoint {
    let head = tree.head();
    let checkpoint = Checkpoint::new(ORIGIN, head.size, head.root).expect("a checkpoint");
    let signed = SignedCheckpoint::sign(checkpoint, &log()).expect("signs");
    let mut cosigned = signed.clone();
    for seed in WITNESSES {
        let request = AddCheckpoint::new(0, Vec::<Hash>::new(), &signed).expect("a request");
        let known = KnownLog::new(signed.signer().clone());
        let first = request.decide(Some(&known), None).expect("first contact");
        let line = cosign(&first, &witness(seed), NOW_MS / 1_000 - 600).expect("cosigns");
        cosigned.add_cosignature(line, witness(seed).key()).expect("adds");
    }
    cosigned
}

fn trust_file(world: &World) -> TrustFile {
    let mut policy = format!("log {}\n", log().key());
    for (name, seed) in ["w1", "w2", "w3"].iter().zip(WITNESSES) {
        policy += &format!("witness {name} {}\n", witness(seed).key());
    }
    policy += "group operators 2 w1 w2 w3\nquorum operators\n";
    TrustFile {
        auditor_keys: vec![AuditorKey { not_before_ms: 0, public_key: Hex(public(AUDITOR)) }],
        built_ms: NOW_MS - 86_400_000,
        cosignature_max_age_ms: 3 * 86_400_000,
        custodians: world.manifest.custodians.clone(),
        namespace: NAMESPACE.to_owned(),
        operator_key: Hex(public(OPERATOR)),
        policy,
    }
}
