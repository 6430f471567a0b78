//! Requests through a node.

mod support;

use std::time::{Duration, Instant};
use strongroom_wire::{
    caps::RESPONSE_FRAME_LEN,
    relay::{RELAY_REQUEST_LEN, RelayRefusal, reply_from_bytes},
};
use support::{Node, OCTETS, request};

#[tokio::test(flavor = "multi_thread")]
async fn a_relayed_request_brings_its_own_reply_back() {
    let node = Node::start().await;
    let answer = node.relay(b'.').await;
    assert_eq!(answer.status, 200);
    assert_eq!(reply_from_bytes(&answer.body), Ok(Ok(vec![0; RESPONSE_FRAME_LEN])));
    let text = node.get("/metrics").await.text();
    assert!(text.contains("outcome=\"answered\"} 1"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_one_size_and_kind_of_body_is_taken() {
    let node = Node::start().await;
    for (body, status) in [
        (vec![0; RELAY_REQUEST_LEN + 1], 413),
        (vec![0; 4 * RELAY_REQUEST_LEN], 413),
        (vec![0; RELAY_REQUEST_LEN - 1], 400),
        (Vec::new(), 400),
    ] {
        let answer = node.post("/v1/relay", OCTETS, &body).await;
        assert_eq!(answer.status, status, "{} bytes", body.len());
        let problem = answer.json();
        assert_eq!(problem["code"], "malformed");
        assert_eq!(problem["cost"], "none");
        assert_eq!(problem["retry"], "never");
    }
    for kind in ["", "Content-Type: application/json\r\n"] {
        assert_eq!(node.post("/v1/relay", kind, &request(b'.')).await.status, 415);
    }
    assert_eq!(node.get("/v1/relay").await.status, 405);
    assert_eq!(node.get("/nowhere").await.status, 404);
    assert_eq!(node.relay(b'.').await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_the_vault_does_not_answer_is_unknown_after_five_seconds() {
    let node = Node::start().await;
    let asked = Instant::now();
    let answer = node.relay(b'n').await;
    assert_eq!(reply_from_bytes(&answer.body), Ok(Err(RelayRefusal::Unknown)));
    let took = asked.elapsed();
    assert!((4_500..7_000).contains(&took.as_millis()), "{took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_requests_at_once_each_get_a_reply() {
    let node = Node::start().await;
    let asked = Instant::now();
    let mut answers = Vec::new();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..200 {
        let address = node.config.http_listen;
        tasks.spawn(async move { support::relay_to(address, b'k').await });
    }
    while let Some(answer) = tasks.join_next().await {
        answers.push(answer.expect("no panic"));
    }
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.body[0] == 0));
    assert!(asked.elapsed() < Duration::from_secs(10));
}
