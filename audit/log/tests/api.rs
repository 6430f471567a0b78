//! The auditor's HTTP API: Cloudflare's shapes, and nothing before it is cosigned.

mod stage;

use serde_json::{Value, json};
use stage::world::{NAMESPACE, NOW_MS, ORIGIN, circumstances, trust};
use stage::{NOW_S, Scene, TestAuditor, countersigned, open, publish, scene, submission};
use strongroom_log::{Answer, Submission};
use strongroom_tlog::{Note, SignedCheckpoint, leaf_hash, tiles::decode_bundle};
use strongroom_verify::{AuditResponse, check};
use strongroom_wire::digest::sha256;

fn json_of(answer: &Answer) -> Value {
    assert_eq!((answer.status, answer.content_type), (200, "application/json"));
    serde_json::from_slice(&answer.body).expect("json")
}

fn code_of(answer: &Answer) -> (u16, String) {
    assert_eq!(answer.content_type, "application/problem+json");
    let problem: Value = serde_json::from_slice(&answer.body).expect("json");
    assert_eq!(problem["status"], json!(answer.status));
    (answer.status, problem["code"].as_str().expect("a code").to_owned())
}

fn request(epoch: u64) -> Vec<u8> {
    let submission = submission(epoch);
    let digest = hex::encode(sha256(submission.manifest.as_bytes()));
    let (manifest, signatures) = (submission.manifest, submission.signatures);
    json!({"epoch": epoch, "digest": digest, "manifest": manifest, "signatures": signatures})
        .to_string()
        .into_bytes()
}

fn published(auditor: &mut TestAuditor, scene: &mut Scene, epoch: u64) -> AuditResponse {
    let response = publish(auditor, &mut scene.witnesses, &submission(epoch)).expect("publishes");
    let given = countersigned(auditor, epoch);
    auditor.countersign(&given).expect("kept");
    response
}

#[test]
fn the_api_has_cloudflares_shapes() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    let ns = format!("/namespaces/{NAMESPACE}");
    let before = json_of(&auditor.get(&ns));
    assert_eq!((&before["status"], &before["root"]), (&json!("Initialization"), &Value::Null));
    let first = published(&mut auditor, &mut scene, 1);
    let second = published(&mut auditor, &mut scene, 2);

    let info = json_of(&auditor.get("/info"));
    let key = info["keys"][0]["public_key"].as_str().expect("a key");
    assert_eq!(key.len(), 64);
    assert!(key.ends_with(&format!("{:02x}", second.key_id)));
    assert!(info["keys"][0]["not_before"].is_u64());

    let all = json_of(&auditor.get("/namespaces"));
    let one = json_of(&auditor.get(&ns));
    assert_eq!(all["namespaces"], json!([one]));
    assert_eq!(one["log_directory"], Value::Null);
    assert_eq!(one["root"], json!(format!("1/{:?}", first.digest)));
    assert_eq!((&one["signature_version"], &one["ciphersuite"]), (&json!(1), &json!(1)));
    assert_eq!(one["audits_uri"], json!(format!("{ns}/audits")));

    let audit = json_of(&auditor.get(&format!("{ns}/audits/2")));
    assert_eq!(serde_json::from_value::<AuditResponse>(audit).expect("nine fields"), second);
    let last = json_of(&auditor.get(&format!("{ns}/last-verified-epoch")));
    assert_eq!((&last["epoch"], &last["timestamp"]), (&json!(2), &json!(NOW_MS)));
    assert_eq!(last["start_hash"], json!(format!("{:?}", first.digest)));
    let job = last["job_id"].as_str().expect("a UUID");
    assert_eq!(job.split('-').map(str::len).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
}

#[test]
fn the_log_is_served_as_files_that_make_its_root() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    let at = |below: &str| format!("/{NAMESPACE}/{below}");
    assert_eq!(code_of(&auditor.get(&at("checkpoint"))).0, 404);
    published(&mut auditor, &mut scene, 1);
    let checkpoint = auditor.get(&at("checkpoint"));
    assert_eq!(checkpoint.content_type, "text/plain; charset=utf-8");
    let note = Note::parse(&checkpoint.body).expect("a note");
    let signed = SignedCheckpoint::verify(note, auditor.log().signed().signer()).expect("signed");
    assert_eq!((signed.checkpoint().origin(), signed.checkpoint().size()), (ORIGIN, 1));
    let entries = auditor.get(&at("tile/entries/000.p/1"));
    let bundle = decode_bundle(&entries.body, 1).expect("one entry");
    assert_eq!(leaf_hash(bundle[0]), signed.checkpoint().root());
    assert_eq!(auditor.get(&at("tile/0/000.p/1")).body, signed.checkpoint().root().0);
    assert_eq!(auditor.get(&at("signatures/000.p/1")).body.len(), 128);
    assert!(entries.max_age_s > 1_000_000 && checkpoint.max_age_s < 60);
    let bundle = auditor.get(&at("bundle"));
    check(&bundle.body, &trust(), &circumstances(None)).expect("believed");
}

#[test]
fn what_no_quorum_has_cosigned_is_not_served() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    published(&mut auditor, &mut scene, 1);
    let epoch = auditor.publish_request(&request(2), NOW_MS).expect("taken");
    assert_eq!(epoch, 2);
    for path in ["tile/entries/000.p/2", "tile/0/000.p/2", "signatures/000.p/2", "tile/7/000"] {
        assert_eq!(auditor.get(&format!("/{NAMESPACE}/{path}")).status, 404, "{path}");
    }
    let ns = format!("/namespaces/{NAMESPACE}");
    assert_eq!(auditor.get(&format!("{ns}/audits/2")).status, 404);
    assert_eq!(json_of(&auditor.get(&format!("{ns}/last-verified-epoch")))["epoch"], json!(1));
    let lines = scene.witnesses.cosign(&mut auditor).expect("cosigned");
    auditor.release(&lines, NOW_S).expect("released");
    assert_eq!(auditor.get(&format!("{ns}/audits/2")).status, 200);
    assert_eq!(auditor.get(&format!("/{NAMESPACE}/tile/0/000.p/2")).status, 200);
}

#[test]
fn only_what_is_there_has_a_path() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    published(&mut auditor, &mut scene, 1);
    for path in [
        "",
        "/",
        "/infos",
        "/namespaces/",
        "/namespaces/other",
        &format!("/namespaces/{NAMESPACE}/audits/01"),
        &format!("/namespaces/{NAMESPACE}/audits/+1"),
        &format!("/namespaces/{NAMESPACE}/audits/0"),
        &format!("/namespaces/{NAMESPACE}/audits/2"),
        &format!("/namespaces/{NAMESPACE}/audits/18446744073709551616"),
        &format!("/{NAMESPACE}/signed"),
        &format!("/{NAMESPACE}/intent"),
        &format!("/{NAMESPACE}/responses/1.json"),
        &format!("/{NAMESPACE}/../intent"),
        &format!("/{NAMESPACE}/tile/../intent"),
        &format!("/{NAMESPACE}/tile/entries/000.p/0"),
        &format!("/{NAMESPACE}/tile/entries/000.p/01"),
        &format!("/{NAMESPACE}/tile/63/x999/x999/x999/x999/x999/x999/999"),
    ] {
        assert_eq!(code_of(&auditor.get(path)), (404, "not_found".to_owned()), "{path:?}");
    }
}

#[test]
fn a_request_that_it_cannot_read_whole_is_refused_and_says_why() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    let mut refused = |body: &[u8]| {
        code_of(&auditor.publish_request(body, NOW_MS).map(|_| ()).expect_err("refuses"))
    };
    let digest = "11".repeat(32);
    let plain = json!({"epoch": 1, "digest": digest}).to_string();
    assert_eq!(refused(plain.as_bytes()), (400, "manifest_needed".to_owned()));
    let good = request(1);
    let mut other: Value = serde_json::from_slice(&good).expect("json");
    other["digest"] = json!(digest);
    assert_eq!(refused(other.to_string().as_bytes()), (400, "digest".to_owned()));
    assert_eq!(refused(&good[..good.len() - 1]), (400, "malformed".to_owned()));
    assert_eq!(refused(&vec![b' '; 1 << 20]), (413, "too_long".to_owned()));
    assert_eq!(refused(&request(2)), (400, "manifest_refused".to_owned()));
    auditor.publish_request(&good, NOW_MS).expect("taken");
}

#[test]
fn no_changed_byte_of_a_request_gets_through() {
    let mut scene = scene();
    let mut auditor = open(scene.dir.path(), &mut scene.witnesses).expect("opens");
    let good = request(1);
    for at in 0..good.len() {
        let mut noise = good.clone();
        noise[at] ^= 1;
        let refused = auditor.publish_request(&noise, NOW_MS);
        assert!(refused.is_err(), "byte {at}");
        assert!(Submission::from_request(&good[..at]).is_err(), "cut at {at}");
    }
    published(&mut auditor, &mut scene, 1);
    let good = hex::encode(countersigned(&auditor, 1).signature);
    let signature = format!("{{\"signature\":\"{good}\"}}");
    auditor.countersign_request("1", signature.as_bytes()).expect("the operator's");
    for at in 0..signature.len() {
        let mut noise = signature.clone().into_bytes();
        noise[at] ^= 1;
        auditor.countersign_request("1", &noise).expect_err("not the operator's");
        auditor.countersign_request("1", &noise[..at]).expect_err("cut");
    }
    for epoch in ["", "0", "01", "+1", "-1", "1 ", "18446744073709551616"] {
        let refused = auditor.countersign_request(epoch, signature.as_bytes());
        assert!(matches!(refused, Err(Answer { status: 404 | 409, .. })), "{epoch:?}: {refused:?}");
    }
}
