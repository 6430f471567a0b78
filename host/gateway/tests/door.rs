//! What is refused before any node is asked, and what machines can see from outside.

mod support;

use hyper::Method;
use std::fs;
use strongroom_gateway::{Config, Gateway, GatewayError};
use support::{Does, TOKEN, World, call, configured, frame, user_line, write_private};

const OCTETS: (&str, &str) = ("content-type", "application/octet-stream");

#[tokio::test]
async fn a_frame_of_another_size_is_malformed() {
    let world = World::new(&[Does::Answers(1)]).await;
    for (len, status) in
        [(0, 400), (1, 400), (frame().len() - 1, 400), (frame().len() + 1, 413), (1 << 20, 413)]
    {
        let reply = world.post_as(TOKEN, "status", vec![0; len]).await;
        assert_eq!(reply.status, status, "{len} bytes");
        assert_eq!(reply.summary(), "malformed none never");
    }
    assert!(world.tries().is_empty());
}

#[tokio::test]
async fn another_content_type_or_verb_is_refused() {
    let world = World::new(&[Does::Answers(1)]).await;
    let bearer = format!("Bearer {TOKEN}");
    let token = ("authorization", bearer.as_str());
    let json = [token, ("content-type", "application/json")];
    for headers in [&json[..], &[token]] {
        let reply = world.post_with(headers, "status", frame()).await;
        assert_eq!(reply.status, 415);
        assert_eq!(reply.summary(), "malformed none never");
    }
    let reply = world.post("guess").await;
    assert_eq!((reply.status.as_u16(), reply.summary()), (404, "not_found none never".to_owned()));
    let reply = world.get("/v1/requests/status").await;
    assert_eq!(reply.status, 405);
    assert_eq!(world.get("/other").await.summary(), "not_found none never");
    assert!(world.tries().is_empty());
}

#[tokio::test]
async fn without_one_good_bearer_token_nobody_comes_in() {
    let world = World::new(&[Does::Answers(1)]).await;
    let good = format!("Bearer {TOKEN}");
    let cases: [&[(&str, &str)]; 6] = [
        &[OCTETS],
        &[OCTETS, ("authorization", "Bearer ")],
        &[OCTETS, ("authorization", "Bearer wrong")],
        &[OCTETS, ("authorization", "Basic YWxpY2U6eA==")],
        &[OCTETS, ("authorization", TOKEN)],
        &[OCTETS, ("authorization", &good), ("authorization", "Bearer wrong")],
    ];
    for headers in cases {
        let reply = world.post_with(headers, "status", frame()).await;
        assert_eq!(reply.summary(), "unauthenticated none never", "{headers:?}");
        assert_eq!(reply.status, 401);
        assert!(reply.headers.contains_key("www-authenticate"));
    }
    assert!(world.tries().is_empty());
}

#[tokio::test]
async fn an_account_has_its_own_share_and_is_told_when_to_come_again() {
    let world = World::with(&[Does::Answers(1)], |config, dir| {
        config.limits.per_account_per_minute = 2;
        let users = user_line("alice", TOKEN) + &user_line("bob", "bob's token");
        fs::write(dir.join("users.toml"), users).expect("write");
    })
    .await;
    for _ in 0..2 {
        assert_eq!(world.post("status").await.status, 200);
    }
    let reply = world.post("status").await;
    assert_eq!(reply.summary(), "limited none after");
    assert_eq!(reply.status, 429);
    let wait = reply.problem()["retry_after_ms"].as_u64().expect("wait");
    assert!((1..=30_000).contains(&wait), "{wait}");
    assert!(reply.headers.contains_key("retry-after"));
    let bob = world.post_as("bob's token", "status", frame()).await;
    assert_eq!(bob.status, 200);
}

#[tokio::test]
async fn an_address_is_limited_before_its_token_is_looked_at() {
    let world = World::with(&[Does::Answers(1)], |config, _| {
        config.limits.per_address_per_minute = 3;
        config.trusted_proxies = vec!["127.0.0.1".parse().expect("address")];
    })
    .await;
    let from = |address: &'static str| ("x-forwarded-for", address);
    let mut codes = Vec::new();
    for _ in 0..4 {
        let headers = [OCTETS, ("authorization", "Bearer wrong"), from("1.1.1.1, 198.51.100.7")];
        codes.push(world.post_with(&headers, "status", frame()).await.status.as_u16());
    }
    assert_eq!(codes, [401, 401, 401, 429]);
    let bearer = format!("Bearer {TOKEN}");
    let other = [OCTETS, ("authorization", bearer.as_str()), from("198.51.100.8")];
    assert_eq!(world.post_with(&other, "status", frame()).await.status, 200);
}

#[tokio::test]
async fn a_head_above_its_cap_is_refused() {
    let world = World::new(&[Does::Answers(1)]).await;
    let long = format!("Bearer {}", "x".repeat(9_000));
    let reply = world.post_with(&[OCTETS, ("authorization", &long)], "status", frame()).await;
    assert_eq!(reply.summary(), "unauthenticated none never");
    let longer = "x".repeat(64 * 1_024);
    let reply = world.post_with(&[OCTETS, ("x-padding", &longer)], "status", frame()).await;
    assert_eq!(reply.status, 431);
}

#[tokio::test]
async fn ready_means_that_a_node_is_ready() {
    let world = World::new(&[Does::Answers(1), Does::IsDown]).await;
    assert_eq!(world.get("/livez").await.status, 200);
    assert_eq!(world.get("/readyz").await.status, 200);
    let alone = World::new(&[Does::IsDown, Does::IsDown]).await;
    assert_eq!(alone.get("/livez").await.status, 200);
    assert_eq!(alone.get("/readyz").await.status, 503);
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("strongroom_gateway_node_ready{node=\"1\"} 1"), "{metrics}");
    assert!(metrics.contains("strongroom_gateway_node_ready{node=\"2\"} 0"), "{metrics}");
}

#[tokio::test]
async fn the_manifest_is_served_byte_for_byte() {
    let world = World::new(&[Does::Answers(1)]).await;
    let reply = world.get("/v1/manifest").await;
    assert_eq!(reply.body, world.fleet.manifest);
    let head = call(Method::HEAD, &format!("{}/v1/manifest", world.base), &[], Vec::new()).await;
    assert_eq!(head.status, 200);
}

#[tokio::test]
async fn metrics_name_no_user() {
    let world = World::new(&[Does::Answers(1)]).await;
    assert_eq!(world.post("status").await.status, 200);
    let metrics = world.get("/metrics").await.text();
    assert!(metrics.contains("verb=\"status\",outcome=\"answer\""), "{metrics}");
    for secret in ["alice", TOKEN, "127.0.0.1", &hex::encode(support::slot_of("alice").as_bytes())]
    {
        assert!(!metrics.contains(secret), "{secret}");
    }
}

async fn refusal(change: impl FnOnce(&mut Config)) -> GatewayError {
    let (_dir, _fleet, mut config) = configured(2);
    change(&mut config);
    Gateway::new(config).await.err().expect("refused")
}

#[tokio::test]
async fn a_gateway_does_not_start_on_contradictions() {
    let error = refusal(|config| config.pin = Some("00".repeat(32))).await;
    assert!(matches!(error, GatewayError::Manifest { .. }), "{error}");
    let error = refusal(|config| config.app = "other".to_owned()).await;
    assert!(matches!(error, GatewayError::Disagree(_)), "{error}");
    let error = refusal(|config| config.fleet = "other".to_owned()).await;
    assert!(matches!(error, GatewayError::Disagree(_)), "{error}");
    let error = refusal(|config| config.nodes[1].node = 9).await;
    assert!(matches!(error, GatewayError::Disagree(_)), "{error}");
    let error = refusal(|config| config.nodes[1].node = 1).await;
    assert!(matches!(error, GatewayError::Setting(_)), "{error}");
    let error = refusal(|config| config.nodes[1].url = "https://x".to_owned()).await;
    assert!(matches!(error, GatewayError::Setting(_)), "{error}");
    let error = refusal(|config| config.limits.in_flight_max = 0).await;
    assert!(matches!(error, GatewayError::Setting(_)), "{error}");
    let error = refusal(|config| config.pin = None).await;
    assert!(matches!(error, GatewayError::Setting(_)), "{error}");
    let error = refusal(|config| write_private(&config.ticket_key_file, &"05".repeat(32))).await;
    assert!(matches!(error, GatewayError::Disagree(_)), "{error}");
    let error = refusal(|config| {
        use std::os::unix::fs::PermissionsExt as _;
        let mode = fs::Permissions::from_mode(0o640);
        fs::set_permissions(&config.ticket_key_file, mode).expect("mode");
    })
    .await;
    assert!(matches!(error, GatewayError::Readable { mode: 0o640, .. }), "{error}");
}

#[test]
fn a_configuration_file_is_read_with_paths_beside_it() {
    let dir = tempfile::tempdir().expect("dir");
    let path = dir.path().join("gateway.toml");
    let text = r#"
listen = "127.0.0.1:7200"
app = "dev"
fleet = "dev"
manifest = "manifest.json"
pin = "00"
ticket_key_file = "gateway/ticket.key"

[[nodes]]
node = 1
url = "http://127.0.0.1:7101"

[auth]
kind = "jwt"
issuer = "https://issuer.example"
audience = "strongroom"
jwks_file = "jwks.json"
algorithms = ["RS256", "EdDSA"]

[limits]
per_account_per_minute = 5
"#;
    fs::write(&path, text).expect("write");
    let config = Config::load(&path).expect("config");
    assert_eq!(config.manifest, dir.path().join("manifest.json"));
    assert_eq!(config.limits.per_account_per_minute, 5);
    assert_eq!((config.hedge_ms, config.limits.in_flight_max), (300, 256));
    fs::write(&path, text.replace("[limits]", "[limits]\nper_moon = 1")).expect("write");
    assert!(matches!(Config::load(&path), Err(GatewayError::Content { .. })));
    fs::write(&path, format!("surprise = 1\n{text}")).expect("write");
    assert!(matches!(Config::load(&path), Err(GatewayError::Content { .. })));
}
