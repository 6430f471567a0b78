//! The validation bundle, from the auditor to the client, byte for byte.

mod support;

use axum::{Router, extract::State, http::StatusCode, routing::get};
use hyper::Method;
use std::{
    sync::{Arc, Mutex},
    time::Duration,
};
use strongroom_gateway::Config;
use strongroom_wire::digest::sha256;
use support::{Does, Reply, World, call};
use tokio::net::TcpListener;

/// What the auditor answers next.
type Served = Arc<Mutex<(StatusCode, Vec<u8>)>>;

async fn auditor() -> (Served, String) {
    let served: Served = Arc::new(Mutex::new((StatusCode::NOT_FOUND, Vec::new())));
    let answer = async |State(served): State<Served>| served.lock().expect("served").clone();
    let router = Router::new().route("/ns/bundle", get(answer)).with_state(Arc::clone(&served));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
    let url = format!("http://{}/ns/bundle", listener.local_addr().expect("address"));
    tokio::spawn(async move { axum::serve(listener, router).await });
    (served, url)
}

async fn world(url: Option<String>) -> World {
    World::with(&[Does::Answers(1)], |config: &mut Config, _| config.bundle_url = url).await
}

fn name(reply: &Reply) -> Option<&str> {
    reply.headers.get("strongroom-bundle").map(|value| value.to_str().expect("text"))
}

/// Asks until the bundle is this one.
async fn until(world: &World, bundle: &[u8]) -> Reply {
    for _ in 0..200 {
        let reply = world.get("/v1/bundle").await;
        if reply.body == bundle {
            return reply;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the bundle did not come");
}

#[tokio::test]
async fn a_bundle_is_served_as_it_came_and_named_with_every_answer() {
    let (served, url) = auditor().await;
    let world = world(Some(url)).await;
    let none = world.get("/v1/bundle").await;
    assert_eq!((none.status.as_u16(), none.summary()), (503, "busy none after".to_owned()));
    assert_eq!(name(&world.post("status").await), None);

    for bundle in [b"{\"one\":1} \n".to_vec(), b"{\"two\":2}".to_vec()] {
        *served.lock().expect("served") = (StatusCode::OK, bundle.clone());
        let reply = until(&world, &bundle).await;
        let digest = hex::encode(sha256(&bundle));
        assert_eq!(reply.headers["etag"], format!("\"{digest}\""));
        let url = format!("{}/v1/bundle", world.base);
        let tag = format!("\"{digest}\"");
        let same = call(Method::GET, &url, &[("if-none-match", tag.as_str())], Vec::new()).await;
        assert_eq!((same.status.as_u16(), same.body.len()), (304, 0));
        // With answers and with problems: a request sealed to an old manifest gets a problem.
        assert_eq!(name(&world.post("status").await), Some(digest.as_str()));
        let problem = world.post("guess").await;
        assert_eq!((problem.status.as_u16(), name(&problem)), (404, Some(digest.as_str())));
    }

    // An auditor that is down, or answers something else, takes nothing away.
    for status in [StatusCode::INTERNAL_SERVER_ERROR, StatusCode::FOUND] {
        *served.lock().expect("served") = (status, b"<html>".to_vec());
        tokio::time::sleep(Duration::from_millis(100)).await;
        until(&world, b"{\"two\":2}").await;
    }
    *served.lock().expect("served") = (StatusCode::OK, vec![b' '; (1 << 20) + 1]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    until(&world, b"{\"two\":2}").await;
}

#[tokio::test]
async fn a_gateway_without_an_auditor_has_no_bundle() {
    let world = world(None).await;
    assert_eq!(world.get("/v1/bundle").await.summary(), "not_found none never");
    assert_eq!(name(&world.post("status").await), None);
}

#[tokio::test]
async fn an_address_that_is_none_stops_the_gateway() {
    for url in ["", "auditor.example/ns/bundle", "https://auditor.example/ns/bundle", "ftp://x/y"] {
        let (_dir, _keys, mut config) = support::configured(1);
        config.bundle_url = Some(url.to_owned());
        let refused = strongroom_gateway::Gateway::new(config).await.err();
        let text = refused.expect("refused").to_string();
        assert!(text.contains("bundle_url") && text.contains("http://"), "{text}");
    }
}
