//! Publishing over real sockets: what comes out, what is refused, and what two at once make.

mod stage;

use stage::{
    Net, ask, now_ms, operator, other_submission, request_of, submission, trust,
    world::{NAMESPACE, signed},
};
use std::thread;
use strongroom_manifest::Floors;
use strongroom_publish::{Door, PublishError, fetch_bundle, publish};
use strongroom_tlog::SeedSigner;
use strongroom_verify::{Circumstances, check};

fn circumstances() -> Circumstances<'static> {
    Circumstances {
        now_ms: now_ms(),
        seen: None,
        fleet: "one",
        floors: &Floors::PRODUCTION,
        slot: &[0x80; 32],
    }
}

#[test]
fn what_is_published_a_device_believes() {
    let net = Net::running();
    for epoch in 1..=3 {
        let published = net.published(epoch).expect("publishes");
        assert_eq!(published.response.epoch, epoch);
        let bundle = net.get(&format!("/{NAMESPACE}/bundle"));
        assert_eq!((bundle.status, bundle.header("content-type")), (200, "application/json"));
        assert_eq!(bundle.body, published.bundle);
        let believed = check(&bundle.body, &trust(), &circumstances()).expect("believed");
        assert_eq!(believed.manifest().epoch, epoch);
        let audit = net.get(&format!("/namespaces/{NAMESPACE}/audits/{epoch}"));
        assert_eq!(audit.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&audit.body).expect("json")["epoch"],
            epoch
        );
    }
    let again = net.published(3).expect("the same again is no error");
    assert_eq!(again.response.epoch, 3);
    let late = net.published(1).expect_err("not the latest");
    assert!(matches!(late, PublishError::Superseded { epoch: 1, latest: 3 }), "{late}");
    assert_eq!(fetch_bundle(&net.door(), NAMESPACE).expect("a bundle"), again.bundle);
    net.until_ready();
    let metrics = net.get("/metrics").text();
    assert!(metrics.contains("strongroom_auditor_log_size 3"), "{metrics}");
}

#[test]
fn two_publishers_at_once_make_one_epoch() {
    let net = Net::running();
    let answers: Vec<_> = thread::scope(|scope| {
        let one = |submission: &strongroom_log::Submission| {
            net.post(&format!("/namespaces/{NAMESPACE}/audits"), &request_of(submission))
        };
        let given = [submission(1), submission(1), other_submission(1), submission(1)];
        let threads: Vec<_> = given
            .into_iter()
            .map(|given| scope.spawn(move || (given.manifest.clone(), one(&given))))
            .collect();
        threads.into_iter().map(|thread| thread.join().expect("ends")).collect()
    });
    let good: Vec<_> = answers.iter().filter(|(_, heard)| heard.status == 200).collect();
    assert!(!good.is_empty());
    let (manifest, first) = good[0];
    for (other, heard) in &answers {
        if other == manifest {
            assert_eq!((heard.status, &heard.body), (200, &first.body));
        } else {
            assert_eq!(heard.code(), (409, "published_before".to_owned()));
        }
    }
    assert_eq!(net.get(&format!("/namespaces/{NAMESPACE}/audits/2")).status, 404);
}

#[test]
fn what_breaks_a_rule_is_refused_and_says_why() {
    let net = Net::running();
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    let publish = |body: &str| net.post(&audits, body).code();
    assert_eq!(publish(&request_of(&submission(2))), (400, "manifest_refused".to_owned()), "a gap");
    assert_eq!(publish("{}"), (400, "malformed".to_owned()));
    let plain = format!("{{\"epoch\":1,\"digest\":\"{}\"}}", "11".repeat(32));
    assert_eq!(publish(&plain), (400, "manifest_needed".to_owned()));
    let mut few = submission(1);
    few.signatures = signed(&stage::world::manifest(1, &[1, 2, 3]), &[1]).signatures;
    assert_eq!(publish(&request_of(&few)).0, 400, "one custodian of two");
    net.published(1).expect("publishes");
    let other = request_of(&other_submission(1));
    assert_eq!(publish(&other), (409, "published_before".to_owned()));
    let refused = strongroom_publish::publish(
        &net.door(),
        &other_submission(1),
        &operator(),
        &trust(),
        now_ms(),
    );
    let refused = refused.expect_err("another manifest");
    assert!(matches!(refused, PublishError::OtherManifest { epoch: 1, .. }), "{refused}");
    assert!(refused.is_contradiction());
    // A wrong counter-signature is not kept, and a good one of another epoch is none.
    let path = format!("/namespaces/{NAMESPACE}/countersignatures/1");
    let wrong = format!("{{\"signature\":\"{}\"}}", "22".repeat(64));
    assert_eq!(net.post(&path, &wrong).code(), (400, "countersignature".to_owned()));
    let path = format!("/namespaces/{NAMESPACE}/countersignatures/2");
    assert_eq!(net.post(&path, &wrong).code(), (409, "not_released".to_owned()));
    for path in ["countersignatures/01", "countersignatures/x", "countersignatures", "audits/1", ""]
    {
        let path = format!("/namespaces/{NAMESPACE}/{path}");
        assert_eq!(net.post(&path, &wrong).code(), (404, "not_found".to_owned()), "{path}");
    }
    assert_eq!(net.post("/namespaces/other/audits", "{}").code().0, 404);
}

#[test]
fn what_is_too_long_or_of_another_kind_is_not_read() {
    let net = Net::running();
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    let long = " ".repeat(200_000);
    assert_eq!(net.post(&audits, &long).code(), (413, "too_long".to_owned()));
    let path = format!("/namespaces/{NAMESPACE}/countersignatures/1");
    assert_eq!(net.post(&path, &" ".repeat(2_000)).code(), (413, "too_long".to_owned()));
    let url = format!("http://{}{audits}", net.publish);
    let body = request_of(&submission(1));
    let heard = ask("POST", &url, Some(("text/plain", body.as_bytes())));
    assert_eq!(heard.code(), (415, "content_type".to_owned()), "a page in a browser");
    let long = format!("/{}", "a".repeat(20_000));
    assert!(net.get(&long).status >= 400);
}

#[test]
fn the_public_address_only_reads() {
    let net = Net::running();
    net.published(1).expect("publishes");
    let audits = format!("http://{}/namespaces/{NAMESPACE}/audits", net.public);
    let body = request_of(&submission(2));
    for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
        let heard = ask(method, &audits, Some(("application/json", body.as_bytes())));
        assert_eq!(heard.code(), (405, "method".to_owned()), "{method}");
        assert_eq!(heard.header("allow"), "GET, HEAD");
    }
    for path in [
        "/info",
        "/namespaces",
        &format!("/namespaces/{NAMESPACE}/audits/1"),
        &format!("/{NAMESPACE}/checkpoint"),
        &format!("/{NAMESPACE}/tile/entries/000.p/1"),
        &format!("/{NAMESPACE}/tile/0/000.p/1"),
        &format!("/{NAMESPACE}/signatures/000.p/1"),
    ] {
        let got = net.get(path);
        let head = ask("HEAD", &format!("http://{}{path}", net.public), None);
        assert_eq!((got.status, head.status, head.body.len()), (200, 200, 0), "{path}");
        for header in ["content-type", "content-length", "cache-control"] {
            assert_eq!(got.header(header), head.header(header), "{path}");
        }
        assert_eq!(got.header("content-length"), got.body.len().to_string());
        assert_eq!(got.body, net.get(path).body, "from the shelf");
    }
    assert_eq!(net.get("/livez").status, 200);
    assert_eq!(net.get(&format!("/{NAMESPACE}/signed")).code(), (404, "not_found".to_owned()));
}

#[test]
fn a_publisher_goes_on_after_a_crash_at_any_point() {
    let net = Net::running();
    // The manifest was posted and the answer lost.
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    assert_eq!(net.post(&audits, &request_of(&submission(1))).status, 200);
    assert_eq!(net.get(&format!("/{NAMESPACE}/bundle")).status, 404, "not counter-signed");
    net.published(1).expect("goes on");
    // Everything was done and the bundle lost.
    net.published(1).expect("goes on");
    assert_eq!(net.get(&format!("/{NAMESPACE}/bundle")).status, 200);
}

#[test]
fn an_operator_signs_nothing_under_a_key_that_nobody_pins() {
    let net = Net::running();
    let other = SeedSigner::new(&[99; 32]);
    let refused = publish(&net.door(), &submission(1), &other, &trust(), now_ms());
    assert!(matches!(refused, Err(PublishError::OperatorKey)), "{refused:?}");
    assert_eq!(net.get(&format!("/{NAMESPACE}/bundle")).status, 404);
}

#[test]
fn no_door_leads_to_another_machine_without_certificates() {
    for address in [
        "http://192.0.2.1:8443",
        "http://auditor.example",
        "https://auditor.example",
        "ftp://localhost",
        "localhost:80",
        "http://user@localhost",
        "http://localhost/path",
        "http://127.0.0.1.example",
        "",
    ] {
        let refused = Door::new(address, None);
        assert!(matches!(refused, Err(PublishError::Address { .. })), "{address}: {refused:?}");
    }
    for address in ["http://127.0.0.1:1", "http://[::1]:1/", "http://localhost:1"] {
        Door::new(address, None).expect(address);
    }
}
