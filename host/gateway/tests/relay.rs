//! How a frame reaches a node: tickets, hedges, and what a failure can have cost.

mod support;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use strongroom_wire::{
    caps::RESPONSE_FRAME_LEN,
    digest::sha256,
    relay::RelayRefusal::{Busy, Malformed, NoQuorum, TicketRefused, Unknown},
    request::Verb,
};
use support::{Does, World, frame, slot_of};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};

#[tokio::test]
async fn the_ticket_opens_under_the_fleets_key_and_names_what_was_asked() {
    let world = World::new(&[Does::Answers(5)]).await;
    let reply = world.post("recover-start").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.headers["content-type"], "application/octet-stream");
    assert_eq!(reply.headers["strongroom-request-id"].len(), 16);
    assert_eq!(reply.body, vec![5; RESPONSE_FRAME_LEN]);
    let tries = world.tries();
    assert_eq!((tries.len(), &tries[0].frame), (1, &frame()));
    let ticket = world.fleet.open(&tries[0]);
    assert_eq!(ticket.fleet, support::FLEET);
    assert_eq!(ticket.slot, slot_of("alice"));
    assert_eq!(ticket.verb, Verb::RecoverStart);
    assert_eq!(ticket.frame_digest.0, sha256(&frame()));
    assert_eq!(ticket.key.0, world.fleet.ticket_key.verifying_key().to_bytes());
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now");
    let life = u128::from(ticket.expires_ms).saturating_sub(now.as_millis());
    assert!((100_000..=120_000).contains(&life), "{life}");
}

#[tokio::test]
async fn a_slow_node_is_hedged_with_the_same_frame_under_a_new_ticket() {
    let world = World::new(&[Does::Hangs, Does::Answers(2), Does::Answers(3)]).await;
    // The front node changes from request to request: three requests meet the slow one.
    for _ in 0..3 {
        assert_eq!(world.post("status").await.status, 200);
    }
    assert_eq!(world.seen[0].count(), 1);
    let tries = world.tries();
    assert_eq!(tries.len(), 4);
    assert!(tries.iter().all(|tried| tried.frame == frame()));
    let ids: BTreeSet<_> = tries.iter().map(|t| world.fleet.open(t).id).collect();
    assert_eq!(ids.len(), 4);
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("strongroom_gateway_hedges_total 1"), "{metrics}");
}

#[tokio::test]
async fn a_node_without_quorum_or_without_life_is_passed_over_at_once() {
    let world = World::new(&[Does::IsDown, Does::Refuses(NoQuorum), Does::Answers(3)]).await;
    for _ in 0..3 {
        let reply = world.post("budget").await;
        assert_eq!(reply.body, vec![3; RESPONSE_FRAME_LEN]);
    }
    let metrics = world.get("/metrics").await.text();
    assert!(!metrics.contains("strongroom_gateway_hedges_total"), "nothing was waited for");
}

#[tokio::test]
async fn no_quorum_anywhere_costs_nothing_and_names_the_nodes_that_are_down() {
    let world = World::new(&[Does::Refuses(NoQuorum), Does::IsDown, Does::IsDown]).await;
    let reply = world.post("recover-start").await;
    assert_eq!(reply.summary(), "no_quorum none after");
    assert_eq!(reply.status, 503);
    assert_eq!(reply.headers["retry-after"], "2");
    let problem = reply.problem();
    assert_eq!(problem["detail"], "1 of 3 nodes answered, 2 are needed (down: site-2 site-3)");
    assert_eq!(problem["retry_after_ms"], 2_000);
    assert_eq!(problem["request_id"], reply.headers["strongroom-request-id"].to_str().expect("id"));
}

#[tokio::test]
async fn cost_is_unknown_as_soon_as_one_node_may_have_accepted() {
    for (doubtful, expected) in [
        (Does::Refuses(Unknown), "no_quorum unknown after"),
        (Does::Fails, "no_quorum unknown after"),
        (Does::Rambles, "no_quorum unknown after"),
        (Does::Hangs, "no_quorum unknown after"),
    ] {
        let world = World::new(&[doubtful, Does::Refuses(NoQuorum)]).await;
        let summary = world.post("recover-start").await.summary();
        assert_eq!(summary, expected, "{doubtful:?}");
    }
}

#[tokio::test]
async fn silence_is_a_timeout_of_unknown_cost() {
    let world = World::new(&[Does::Hangs, Does::Hangs]).await;
    let began = Instant::now();
    let reply = world.post("recover-start").await;
    assert_eq!(reply.summary(), "timeout unknown now");
    assert_eq!(reply.status, 504);
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[tokio::test]
async fn busy_nodes_cost_nothing() {
    let world = World::new(&[Does::Refuses(Busy), Does::Refuses(Busy)]).await;
    let reply = world.post("status").await;
    assert_eq!((reply.status.as_u16(), reply.summary()), (503, "busy none after".to_owned()));
}

#[tokio::test]
async fn a_late_answer_of_the_first_node_still_wins_over_refusals() {
    let late = Does::AnswersAfter(9, Duration::from_millis(700));
    let world = World::new(&[late, Does::Refuses(NoQuorum), Does::Refuses(NoQuorum)]).await;
    for _ in 0..3 {
        assert_eq!(world.post("status").await.body, vec![9; RESPONSE_FRAME_LEN]);
    }
}

#[tokio::test]
async fn another_users_slot_is_refused_and_costs_nothing() {
    let bob = Does::Serves(slot_of("bob"));
    let world = World::new(&[bob, bob, bob]).await;
    let reply = world.post("recover-start").await;
    assert_eq!(reply.summary(), "ticket_refused none never");
    assert_eq!(reply.status, 403);
    assert_eq!(world.tries().len(), 2, "two nodes agree; no third is asked");
}

#[tokio::test]
async fn one_lying_node_cannot_turn_a_user_away() {
    for lie in [TicketRefused, Malformed] {
        let alice = Does::Serves(slot_of("alice"));
        let world = World::new(&[Does::Refuses(lie), alice, alice]).await;
        for _ in 0..3 {
            assert_eq!(world.post("recover-start").await.status, 200);
        }
    }
}

#[tokio::test]
async fn no_more_than_three_nodes_are_busy_with_one_request() {
    let world = World::new(&[Does::Hangs; 7]).await;
    let reply = world.post("status").await;
    assert_eq!(reply.summary(), "timeout unknown now");
    assert_eq!(world.tries().len(), 3);
}

#[tokio::test]
async fn a_caller_who_goes_away_gives_the_place_back() {
    let hanging = [Does::Hangs, Does::Hangs];
    let world = World::with(&hanging, |config, _| {
        config.limits.in_flight_max = 1;
        config.deadline_ms = 60_000;
    })
    .await;
    let address = world.base.trim_start_matches("http://").to_owned();
    for round in 1..=3 {
        let mut caller = TcpStream::connect(&address).await.expect("connect");
        let head = format!(
            "POST /v1/requests/status HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\n\
             content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
            support::TOKEN,
            frame().len()
        );
        caller.write_all(head.as_bytes()).await.expect("head");
        caller.write_all(&frame()).await.expect("frame");
        until(&world, round).await;
        assert_eq!(world.post("status").await.summary(), "busy none after");
        drop(caller);
        until_in_flight(&world, 0).await;
    }
}

async fn until(world: &World, tries: usize) {
    for _ in 0..200 {
        if world.tries().len() >= tries {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no node saw the request");
}

async fn until_in_flight(world: &World, count: usize) {
    let line = format!("strongroom_gateway_in_flight {count}\n");
    for _ in 0..200 {
        if world.get("/metrics").await.text().contains(&line) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("in flight never was {count}");
}

#[tokio::test]
async fn a_stop_finishes_the_requests_under_way() {
    let slow = Does::AnswersAfter(4, Duration::from_millis(500));
    let mut world = World::new(&[slow]).await;
    let base = world.base.clone();
    let answer = tokio::spawn(async move {
        let authorization = format!("Bearer {}", support::TOKEN);
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/octet-stream"),
        ];
        let url = format!("{base}/v1/requests/status");
        support::call(hyper::Method::POST, &url, &headers, frame()).await
    });
    until(&world, 1).await;
    world.stop();
    assert_eq!(answer.await.expect("join").status, 200);
    tokio::time::timeout(Duration::from_secs(5), &mut world.stopped)
        .await
        .expect("stopped in time")
        .expect("join");
}
