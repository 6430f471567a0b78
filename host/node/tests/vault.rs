//! The vault's process under its host.

mod support;

use std::{fs, time::Duration};
use strongroom_wire::{
    encode,
    relay::{RelayRefusal, reply_from_bytes},
    start::{SignedStart, Start},
};
use support::Node;

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_dies_is_started_again_and_handed_what_is_kept() {
    let node = Node::start().await;
    assert_eq!(node.loaded(1), "");
    for _ in 0..3 {
        assert_eq!(node.relay(b'k').await.body[0], 0);
    }
    let lost = node.relay(b'd').await;
    assert_eq!(reply_from_bytes(&lost.body), Ok(Err(RelayRefusal::Unknown)));
    node.until("started again", async |node| node.vault_starts().await == 2).await;
    node.until_ready().await;
    assert_eq!(node.loaded(2), "meta 3\nentry 1 10 5\nentry 2 10 5\nentry 3 10 5\n");
    let end = node.health().await["host"]["vault_last_end"].to_string();
    assert!(end.contains("exit status: 9"), "{end}");
    assert_eq!(node.relay(b'.').await.body[0], 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vault_that_halts_or_babbles_is_replaced() {
    let node = Node::start().await;
    node.relay(b'h').await;
    node.until("started again", async |node| node.vault_starts().await == 2).await;
    let end = node.health().await["host"]["vault_last_end"].to_string();
    assert!(end.contains("halted with code 77: told to"), "{end}");
    node.until_ready().await;
    node.relay(b'g').await;
    node.until("started again", async |node| node.vault_starts().await == 3).await;
    let end = node.health().await["host"]["vault_last_end"].to_string();
    assert!(end.contains("no vault sends"), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_vault_is_silent_or_not_ready_is_not_ready() {
    let node = Node::start().await;
    let silent = node.config.vault_dir.join("silent");
    fs::write(&silent, "").expect("write");
    node.until("silent", async |node| node.get("/readyz").await.status == 503).await;
    let why = node.get("/readyz").await.json();
    assert!(why["detail"].as_str().expect("text").contains("silent for"), "{why}");
    assert_eq!(node.health().await["ready"], false);
    assert!(node.metric("strongroom_ready").await < 0.5);
    assert_eq!(node.get("/livez").await.status, 200);
    fs::remove_file(&silent).expect("remove");
    node.until_ready().await;
    fs::write(node.config.vault_dir.join("not-ready"), "").expect("write");
    node.until("not ready", async |node| node.get("/readyz").await.status == 503).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_a_vault_is_not_ready_and_costs_nothing() {
    let mut node = Node::prepare().await;
    node.config.vault_binary = "/bin/false".into();
    node.run();
    node.until("live", async |node| node.get("/livez").await.status == 200).await;
    node.until("tried", async |node| node.vault_starts().await >= 1).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(node.get("/readyz").await.status, 503);
    let reply = node.relay(b'.').await;
    assert_eq!(reply.status, 200);
    let refusal = reply_from_bytes(&reply.body).expect("a reply").expect_err("a refusal");
    assert!(matches!(refusal, RelayRefusal::NoQuorum | RelayRefusal::Unknown));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_node_has_ended_its_vault_and_frees_its_disk() {
    let mut node = Node::start().await;
    node.relay(b'k').await;
    let pid = node.health().await["host"]["vault_pid"].as_u64().expect("a process");
    let took = node.stop().await;
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(!std::path::Path::new(&format!("/proc/{pid}")).exists());
    node.run();
    node.until_ready().await;
    assert_eq!(node.loaded(2), "meta 3\nentry 1 10 5\n");
}

fn statement(era: u64) -> Vec<u8> {
    let start = Start { fleet: "dev".to_owned(), era, positions: Vec::new() };
    encode(&SignedStart { start, signatures: Vec::new() })
}

#[tokio::test(flavor = "multi_thread")]
async fn ceremonies_reach_the_vault_and_its_refusals_reach_them() {
    let node = Node::start().await;
    let position = node.admin("/v1/position", "", b"").await;
    assert_eq!((position.status, position.body), (200, b"position".to_vec()));
    let started = node.admin("/v1/start", support::OCTETS, &statement(1)).await;
    assert_eq!(started.status, 204);
    let again = node.admin("/v1/start", support::OCTETS, &statement(1)).await;
    assert_eq!(again.status, 204);
    let refused = node.admin("/v1/start", support::OCTETS, &statement(66)).await;
    assert_eq!(refused.status, 409);
    assert_eq!(refused.json()["detail"], "too few custodians");
    assert_eq!(node.admin("/v1/start", support::OCTETS, b"noise").await.status, 400);
    let long = vec![0; strongroom_wire::caps::START_LEN_MAX + 1];
    assert_eq!(node.admin("/v1/start", support::OCTETS, &long).await.status, 413);
    fs::write(node.config.vault_dir.join("refuse"), "").expect("write");
    let refused = node.admin("/v1/position", "", b"").await;
    assert_eq!((refused.status, &refused.json()["code"]), (409, &"refused".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browsers_page_cannot_freeze_a_node() {
    let node = Node::start().await;
    let page = "Origin: http://evil.example\r\n";
    assert_eq!(node.admin("/v1/position", page, b"").await.status, 403);
    assert_eq!(node.post("/v1/position", "", b"").await.status, 404);
}
