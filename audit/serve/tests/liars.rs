//! An auditor, or a network, that lies to an operator: nothing is counter-signed.
//!
//! Cloudflare's client believes an answer for another epoch or namespace, and keys that came from the
//! server that they vouch for. This one does not.

mod stage;

use ed25519_dalek::Signer as _;
use stage::{
    Heard, Net, ask, deployment, now_ms, operator, request_of, submission, trust,
    world::{AUDITOR, NAMESPACE, OPERATOR, key},
};
use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
};
use strongroom_log::Answer;
use strongroom_publish::{Door, PublishError, publish, record};
use strongroom_verify::{AuditResponse, Statement};

/// Changes what the auditor says: the path, what it said, and through whom to ask more.
type Lie = Box<dyn Fn(&str, &mut Heard) + Send>;

/// A door that leads to the auditor through a liar.
fn through(net: &Net, lie: Lie) -> Door {
    let (to, listener) = (net.publish, TcpListener::bind("127.0.0.1:0").expect("listens"));
    let address = listener.local_addr().expect("an address");
    thread::spawn(move || {
        for client in listener.incoming().map_while(Result::ok) {
            let _ = carry(client, to, &lie);
        }
    });
    Door::new(&format!("http://{address}"), None).expect("a door")
}

fn carry(mut client: TcpStream, to: SocketAddr, lie: &Lie) -> std::io::Result<()> {
    let (mut request, mut part) = (Vec::new(), [0; 8_192]);
    let (head, body) = loop {
        let len = client.read(&mut part)?;
        request.extend_from_slice(&part[..len]);
        let text = String::from_utf8_lossy(&request).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_ascii_lowercase();
            let wanted = head.split("content-length: ").nth(1).and_then(|rest| rest.lines().next());
            if body.len() >= wanted.map_or(0, |len| len.parse().expect("a number")) {
                break (text.clone(), body.to_owned());
            }
        }
        if len == 0 {
            return Ok(());
        }
    };
    let mut words = head.split(' ');
    let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
    let body = (method == "POST").then_some(("application/json", body.as_bytes()));
    let mut heard = ask(method, &format!("http://{to}{path}"), body);
    lie(path, &mut heard);
    let head = format!(
        "HTTP/1.1 {} X\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
        heard.status,
        heard.body.len()
    );
    client.write_all(head.as_bytes())?;
    client.write_all(&heard.body)
}

/// Epoch 1 is published, epoch 2 waits for its counter-signature.
fn net() -> Net {
    let net = Net::running();
    net.published(1).expect("publishes");
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    assert_eq!(net.post(&audits, &request_of(&submission(2))).status, 200);
    net
}

fn refused(net: &Net, lie: impl Fn(&str, &mut Heard) + Send + 'static) -> PublishError {
    let door = through(net, Box::new(lie));
    let done = publish(&door, &submission(2), &operator(), &trust(), now_ms());
    done.expect_err("a lie was believed")
}

/// In the place of what is served at a path that ends so.
fn at(end: String, body: Vec<u8>) -> impl Fn(&str, &mut Heard) + Send {
    move |path, heard| {
        if path.ends_with(&end) {
            heard.body.clone_from(&body);
        }
    }
}

fn statement(net: &Net) -> Statement {
    let body = net.get(&format!("/namespaces/{NAMESPACE}/audits/2")).body;
    let response: AuditResponse = serde_json::from_slice(&body).expect("a response");
    response.statement().expect("a statement")
}

fn signed(statement: &Statement, seed: u8) -> Vec<u8> {
    let key = key(seed);
    let signature = key.sign(&statement.to_bytes()).to_bytes();
    let response = AuditResponse::new(statement, &key.verifying_key().to_bytes(), signature);
    serde_json::to_vec(&response).expect("json")
}

fn nothing_is_countersigned(net: &Net) {
    assert_eq!(net.get(&format!("/{NAMESPACE}/bundle")).status, 404);
}

#[test]
fn an_answer_for_another_epoch_or_namespace_is_none() {
    let net = net();
    let first = net.get(&format!("/namespaces/{NAMESPACE}/audits/1")).body;
    let error = refused(&net, at("/audits/2".to_owned(), first));
    assert!(matches!(error, PublishError::Response { what: "epoch", .. }), "{error}");
    assert!(error.is_contradiction());
    let other = Statement { namespace: "other".to_owned(), ..statement(&net) };
    let error = refused(&net, at("/audits/2".to_owned(), signed(&other, AUDITOR)));
    assert!(matches!(error, PublishError::Response { what: "namespace", .. }), "{error}");
    nothing_is_countersigned(&net);
}

#[test]
fn keys_that_came_from_the_same_server_are_not_believed() {
    let net = net();
    // It also advertises the key that it signs with; nobody asks it.
    let own = signed(&statement(&net), 99);
    let error = refused(&net, at("/audits/2".to_owned(), own));
    assert!(matches!(error, PublishError::NotTheAuditor), "{error}");
    for timestamp_ms in [1, now_ms() + 3_600_000] {
        let dated = Statement { timestamp_ms, ..statement(&net) };
        let error = refused(&net, at("/audits/2".to_owned(), signed(&dated, AUDITOR)));
        assert!(matches!(error, PublishError::Response { what: "timestamp", .. }), "{error}");
    }
    nothing_is_countersigned(&net);
}

#[test]
fn a_second_statement_for_a_logged_epoch_is_caught_by_the_log() {
    let net = net();
    // The auditor's own key, over the right manifest, and another time than its leaf has.
    let mut second = statement(&net);
    second.timestamp_ms -= 1;
    let error = refused(&net, at("/audits/2".to_owned(), signed(&second, AUDITOR)));
    assert!(matches!(error, PublishError::Leaf { epoch: 2 }), "{error}");
    let mut other = statement(&net);
    other.digest[0] ^= 1;
    let error = refused(&net, at("/audits/2".to_owned(), signed(&other, AUDITOR)));
    assert!(matches!(error, PublishError::OtherManifest { epoch: 2, .. }), "{error}");
    nothing_is_countersigned(&net);
}

#[test]
fn a_log_that_does_not_hold_the_leaf_gets_no_counter_signature() {
    let net = net();
    let checkpoint = net.get(&format!("/{NAMESPACE}/checkpoint")).text();
    // Nobody but the log signed it.
    let lines: Vec<&str> = checkpoint.lines().collect();
    let alone = lines
        .iter()
        .filter(|line| !line.contains("w1.") && !line.contains("w2.") && !line.contains("w3."));
    let alone = alone.map(|line| format!("{line}\n")).collect::<String>();
    let error = refused(&net, at("/checkpoint".to_owned(), alone.into_bytes()));
    assert!(matches!(error, PublishError::Quorum(_)), "{error}");
    let forged = checkpoint.replacen("\n2\n", "\n3\n", 1).into_bytes();
    let error = refused(&net, at("/checkpoint".to_owned(), forged));
    assert!(matches!(error, PublishError::Checkpoint(_)), "{error}");
    let mut tile = net.get(&format!("/{NAMESPACE}/tile/entries/000.p/2")).body;
    tile[300] ^= 1;
    let error = refused(&net, at("/tile/entries/000.p/2".to_owned(), tile));
    assert!(matches!(error, PublishError::Log(_)), "{error}");
    let error = refused(&net, |path, heard| {
        if path.ends_with("/tile/0/000.p/2") {
            (heard.status, heard.body) = (404, Vec::new());
        }
    });
    assert!(matches!(error, PublishError::Log(_)), "{error}");
    nothing_is_countersigned(&net);
}

#[test]
fn a_signature_before_its_leaf_is_caught() {
    let net = Net::running();
    net.published(1).expect("publishes");
    let old = net.get(&format!("/{NAMESPACE}/checkpoint")).body;
    let audits = format!("/namespaces/{NAMESPACE}/audits");
    assert_eq!(net.post(&audits, &request_of(&submission(2))).status, 200);
    let error = refused(&net, at("/checkpoint".to_owned(), old));
    assert!(matches!(error, PublishError::Unlogged { epoch: 2, size: 1 }), "{error}");
    nothing_is_countersigned(&net);
}

#[test]
fn a_bundle_of_another_epoch_is_not_what_was_published() {
    let net = Net::running();
    let old = net.published(1).expect("publishes").bundle;
    let error = refused(&net, at("/bundle".to_owned(), old));
    assert!(matches!(error, PublishError::OtherBundle { .. }), "{error}");
    let error = refused(&net, at("/bundle".to_owned(), vec![b' '; 2 << 20]));
    assert!(matches!(error, PublishError::Unreachable { .. }), "above its cap: {error}");
    let error = refused(&net, at("/bundle".to_owned(), b"{}".to_vec()));
    assert!(matches!(error, PublishError::Bundle(_)), "{error}");
    // The right parts, and beside them what no device would follow.
    let honest = net.published(2).expect("publishes").bundle;
    for (field, value) in
        [("chain", "\"chain\":[{\"manifest\":\"{}\",\"signatures\":[]}]"), ("previous", "")]
    {
        let text = String::from_utf8(honest.clone()).expect("text");
        let spoilt = if field == "chain" {
            text.replacen("\"chain\":[]", value, 1)
        } else {
            let at = text.find("previous_leaf_hash").expect("the field") + 21;
            let digit = if &text[at..=at] == "0" { "1" } else { "0" };
            format!("{}{digit}{}", &text[..at], &text[at + 1..])
        };
        assert_ne!(spoilt, text);
        let error = refused(&net, at("/bundle".to_owned(), spoilt.into_bytes()));
        let known = matches!(error, PublishError::Disbelieved(_) | PublishError::Bundle(_));
        assert!(known && error.is_contradiction(), "{field}: {error}");
    }
    // What the auditor says of itself ends up on a terminal.
    let error = refused(&net, |path, heard| {
        if path.ends_with("/bundle") {
            heard.status = 500;
            heard.body = b"{\"code\":\"x\",\"detail\":\"\\u001b[2Jgone\"}".to_vec();
        }
    });
    assert!(!error.to_string().contains('\u{1b}'), "{error:?}");
    net.published(2).expect("and without the liar all is well");
}

#[test]
fn an_event_is_recorded_where_the_log_holds_it_and_not_where_the_auditor_says() {
    let net = Net::running();
    for epoch in [1, 2] {
        net.published(epoch).expect("publishes");
        net.recorded(&deployment(epoch, OPERATOR)).expect("recorded");
    }
    let second = deployment(2, OPERATOR);
    let says = |index: u64| move |heard: &mut Heard| heard.body = Answer::recorded(index).body;
    for index in [0, 2, u64::MAX] {
        let say = says(index);
        let lie: Lie = Box::new(move |path, heard| {
            if path.ends_with("/events") {
                say(heard);
            }
        });
        let error = record(&through(&net, lie), &second, &trust(), now_ms()).expect_err("believed");
        assert!(matches!(error, PublishError::NotRecorded { .. }), "{error}");
        assert!(error.is_contradiction());
    }
    // The manifest log's checkpoint, rightly signed and cosigned, is not the event log's.
    let manifests = net.get(&format!("/{NAMESPACE}/checkpoint")).body;
    let lie = at("/events/checkpoint".to_owned(), manifests);
    let error = record(&through(&net, Box::new(lie)), &second, &trust(), now_ms());
    assert!(matches!(error, Err(PublishError::EventLog(_))), "{error:?}");
    assert_eq!(net.recorded(&second).expect("is there"), 1);
}
