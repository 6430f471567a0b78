//! Frames between hosts.

mod support;

use std::time::{Duration, Instant};
use support::{Node, is_closed, receive, send};
use tokio::io::AsyncWriteExt;

#[tokio::test(flavor = "multi_thread")]
async fn frames_reach_the_vault_under_their_senders_number_and_go_out_again() {
    let node = Node::start().await;
    let mut from_two = node.connect_as(2).await;
    let mut to_two = node.accept_as_two().await;
    for text in ["one", "two", "three"] {
        send(&mut from_two, text.as_bytes()).await;
        assert_eq!(receive(&mut to_two).await, [b"\x02", text.as_bytes()].concat());
    }
    // An empty frame says only that somebody is there.
    send(&mut from_two, b"").await;
    send(&mut from_two, b"four").await;
    assert_eq!(receive(&mut to_two).await, b"\x02four");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversize_frame_closes_its_own_connection_and_no_other() {
    let node = Node::start().await;
    let mut to_two = node.accept_as_two().await;
    let (mut good, mut bad) = (node.connect_as(2).await, node.connect_as(2).await);
    bad.write_u32(70_001).await.expect("write");
    assert!(is_closed(&mut bad).await);
    send(&mut good, b"still here").await;
    assert_eq!(receive(&mut to_two).await, b"\x02still here");
    assert_eq!(node.vault_starts().await, 1);
    assert_eq!(node.relay(b'.').await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_does_not_say_that_it_is_a_peer_is_not_heard() {
    let node = Node::start().await;
    // Itself, a node that is no peer, and no hello at all.
    for stranger in [1, 9] {
        let mut stream = node.connect_as(stranger).await;
        assert!(is_closed(&mut stream).await, "node {stranger}");
    }
    let mut stream =
        tokio::net::TcpStream::connect(node.config.peer_listen).await.expect("connect");
    send(&mut stream, b"GET / HTTP/1.1").await;
    assert!(is_closed(&mut stream).await);
    assert!(node.metric("strongroom_peer_connections_refused_total").await >= 3.0);
    assert!(node.metric("strongroom_peer_frames_received_total").await < 0.5);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_peer_loses_frames_and_stops_nobody() {
    let node = Node::start().await;
    // Node 2 accepts and then reads nothing.
    let _to_two = node.accept_as_two().await;
    let asked = Instant::now();
    for _ in 0..2 {
        assert_eq!(node.relay(b'f').await.body[0], 0);
    }
    assert_eq!(node.relay(b'k').await.body[0], 0);
    assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    assert!(node.metric("strongroom_peer_frames_dropped_total").await > 100.0);
    assert_eq!(node.get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_connection_is_made_again() {
    let node = Node::start().await;
    let first = node.accept_as_two().await;
    drop(first);
    let mut second = node.accept_as_two().await;
    let mut from_two = node.connect_as(2).await;
    // The host may still find out that the first is gone: repeat, as links do.
    for _ in 0..50 {
        send(&mut from_two, b"again").await;
        let got = tokio::time::timeout(Duration::from_millis(200), receive(&mut second)).await;
        if let Ok(frame) = got {
            assert_eq!(frame, b"\x02again");
            return;
        }
    }
    panic!("nothing came over the second connection");
}
