//! A fleet of fake nodes on loopback, and a caller.

#![allow(dead_code, reason = "each test file is a crate of its own and uses a part")]

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::{get, post},
};
use ed25519_dalek::{Signature, SigningKey, VerifyingKey};
use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::Value;
use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};
use strongroom_gateway::{AuthConfig, Config, Gateway, LimitsConfig, NodeConfig};
use strongroom_manifest::{
    Custodians, Fleet, Hex, Keyset, Manifest, Node, Policy, Protection, Role, SlotRange, TicketKey,
    to_canonical_json,
};
use strongroom_session::{FleetSecret, Scope};
use strongroom_wire::{
    AccountHash, Slot,
    caps::{REQUEST_FRAME_LEN, RESPONSE_FRAME_LEN},
    digest::sha256,
    relay::{RelayRefusal, RelayRequest, reply_to_bytes},
    ticket::Ticket,
};
use tokio::{net::TcpListener, sync::oneshot};

pub(crate) const APP: &str = "notes";
pub(crate) const FLEET: &str = "test";
pub(crate) const TOKEN: &str = "alice's token";

/// What a fake node does with every request.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Does {
    /// Answers with a frame of this byte.
    Answers(u8),
    /// The same, after a while.
    AnswersAfter(u8, Duration),
    /// Refuses.
    Refuses(RelayRefusal),
    /// Takes the request and says nothing.
    Hangs,
    /// Answers with an HTTP error.
    Fails,
    /// Answers with more bytes than a reply has.
    Rambles,
    /// As a vault does: refuses a ticket for another slot.
    Serves(Slot),
    /// Nothing listens at its address.
    IsDown,
}

/// A fake node's memory.
#[derive(Clone, Default)]
pub(crate) struct Seen(Arc<Mutex<Vec<RelayRequest>>>);

impl Seen {
    pub(crate) fn all(&self) -> Vec<RelayRequest> {
        self.0.lock().expect("seen").clone()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.lock().expect("seen").len()
    }
}

#[derive(Clone)]
struct Fake {
    does: Does,
    ready: bool,
    seen: Seen,
    fleet: Arc<FleetKeys>,
}

/// The fleet's keys and the digest that tickets are bound to.
pub(crate) struct FleetKeys {
    pub(crate) secret: FleetSecret,
    pub(crate) ticket_key: SigningKey,
    pub(crate) manifest_digest: [u8; 32],
    pub(crate) manifest: Vec<u8>,
}

impl FleetKeys {
    /// Opens and verifies a ticket as a vault would.
    pub(crate) fn open(&self, relayed: &RelayRequest) -> Ticket {
        let scope = Scope { manifest_digest: &self.manifest_digest, fleet: FLEET };
        let plaintext = self
            .secret
            .open_ticket(&scope, &relayed.ticket)
            .expect("the ticket opens under the fleet's key");
        let ticket = Ticket::from_plaintext(&plaintext).expect("a ticket");
        VerifyingKey::from_bytes(&ticket.key.0)
            .expect("key")
            .verify_strict(&ticket.statement(), &Signature::from_bytes(&ticket.signature.0))
            .expect("the ticket's signature verifies");
        ticket
    }
}

async fn relay(State(fake): State<Fake>, body: Bytes) -> (StatusCode, Vec<u8>) {
    let relayed = RelayRequest::from_bytes(&body).expect("a relay request");
    fake.seen.0.lock().expect("seen").push(relayed.clone());
    let answer = |byte| (StatusCode::OK, reply_to_bytes(&Ok(vec![byte; RESPONSE_FRAME_LEN])));
    match fake.does {
        Does::Answers(byte) => answer(byte),
        Does::AnswersAfter(byte, wait) => {
            tokio::time::sleep(wait).await;
            answer(byte)
        }
        Does::Refuses(refusal) => (StatusCode::OK, reply_to_bytes(&Err(refusal))),
        Does::Hangs | Does::IsDown => std::future::pending().await,
        Does::Fails => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
        Does::Rambles => (StatusCode::OK, vec![0; 100_000]),
        Does::Serves(slot) if fake.fleet.open(&relayed).slot == slot => answer(1),
        Does::Serves(_) => (StatusCode::OK, reply_to_bytes(&Err(RelayRefusal::TicketRefused))),
    }
}

async fn readyz(State(fake): State<Fake>) -> StatusCode {
    if fake.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }
}

/// A gateway in front of fake nodes.
pub(crate) struct World {
    pub(crate) base: String,
    pub(crate) seen: Vec<Seen>,
    pub(crate) fleet: Arc<FleetKeys>,
    pub(crate) dir: tempfile::TempDir,
    stop: Option<oneshot::Sender<()>>,
    pub(crate) stopped: tokio::task::JoinHandle<()>,
}

impl World {
    /// Nodes 1, 2, … that do these things; alice is the one user.
    pub(crate) async fn new(does: &[Does]) -> Self {
        Self::with(does, |_, _| {}).await
    }

    /// The same, with a changed configuration.
    pub(crate) async fn with(does: &[Does], change: impl FnOnce(&mut Config, &Path)) -> Self {
        let (dir, fleet, mut config) = configured(does.len());
        let mut seen = Vec::new();
        for (at, does) in does.iter().enumerate() {
            let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
            let address = listener.local_addr().expect("address");
            config.nodes[at].url = format!("http://{address}");
            let fake =
                Fake { does: *does, ready: true, seen: Seen::default(), fleet: Arc::clone(&fleet) };
            seen.push(fake.seen.clone());
            if matches!(does, Does::IsDown) {
                continue;
            }
            let router = Router::new()
                .route("/v1/relay", post(relay))
                .route("/readyz", get(readyz))
                .with_state(fake);
            tokio::spawn(async move { axum::serve(listener, router).await });
        }
        change(&mut config, dir.path());
        let up = does.iter().filter(|d| !matches!(d, Does::IsDown)).count();
        let gateway = Gateway::new(config).await.expect("gateway");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
        let base = format!("http://{}", listener.local_addr().expect("address"));
        let (stop, stopping) = oneshot::channel();
        let stopped = tokio::spawn(async move {
            let stop = async { drop(stopping.await) };
            gateway.serve(listener, stop).await.expect("serve");
        });
        let world = Self { base, seen, fleet, dir, stop: Some(stop), stopped };
        world.until_readyz_says(&format!("nodes ready: {up} of ")).await;
        world
    }

    pub(crate) async fn until_readyz_says(&self, words: &str) {
        for _ in 0..200 {
            let reply = self.get("/readyz").await;
            if String::from_utf8_lossy(&reply.body).contains(words) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("readyz never said: {words}");
    }

    pub(crate) fn stop(&mut self) {
        drop(self.stop.take());
    }

    pub(crate) async fn get(&self, path: &str) -> Reply {
        call(Method::GET, &format!("{}{path}", self.base), &[], Vec::new()).await
    }

    /// Sends alice's frame.
    pub(crate) async fn post(&self, verb: &str) -> Reply {
        self.post_as(TOKEN, verb, frame()).await
    }

    pub(crate) async fn post_as(&self, token: &str, verb: &str, body: Vec<u8>) -> Reply {
        let authorization = format!("Bearer {token}");
        let headers = [
            ("authorization", authorization.as_str()),
            ("content-type", "application/octet-stream"),
        ];
        self.post_with(&headers, verb, body).await
    }

    pub(crate) async fn post_with(
        &self,
        headers: &[(&str, &str)],
        verb: &str,
        body: Vec<u8>,
    ) -> Reply {
        let url = format!("{}/v1/requests/{verb}", self.base);
        call(Method::POST, &url, headers, body).await
    }

    /// All tries of all nodes.
    pub(crate) fn tries(&self) -> Vec<RelayRequest> {
        self.seen.iter().flat_map(Seen::all).collect()
    }
}

/// What came back.
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    /// The problem document.
    pub(crate) fn problem(&self) -> Value {
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.status);
        let problem: Value = serde_json::from_slice(&self.body).expect("json");
        assert_eq!(problem["status"], self.status.as_u16());
        problem
    }

    /// `code cost retry` of the problem document.
    pub(crate) fn summary(&self) -> String {
        let problem = self.problem();
        let word = |name: &str| problem[name].as_str().expect("text").to_owned();
        format!("{} {} {}", word("code"), word("cost"), word("retry"))
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).expect("text")
    }
}

pub(crate) async fn call(
    method: Method,
    url: &str,
    headers: &[(&str, &str)],
    body: Vec<u8>,
) -> Reply {
    let client: Client<_, Full<Bytes>> = Client::builder(TokioExecutor::new()).build_http();
    let mut request = Request::builder().method(method).uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.body(Full::new(Bytes::from(body))).expect("request");
    let response = client.request(request).await.expect("response");
    let (head, body) = response.into_parts();
    Reply {
        status: head.status,
        headers: head.headers,
        body: body.collect().await.expect("body").to_bytes().to_vec(),
    }
}

/// A frame of the one size. Neither gateway nor fake nodes look inside.
pub(crate) fn frame() -> Vec<u8> {
    vec![7; REQUEST_FRAME_LEN]
}

pub(crate) fn slot_of(account: &str) -> Slot {
    Slot::of(APP, &AccountHash::of(account).expect("account"))
}

pub(crate) fn write_private(path: &Path, content: &str) {
    fs::write(path, content).expect("write");
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("mode");
}

pub(crate) fn user_line(account: &str, token: &str) -> String {
    let digest = hex::encode(sha256(token.as_bytes()));
    format!("[[users]]\naccount = \"{account}\"\ntoken_sha256 = \"{digest}\"\n")
}

/// Files and configuration of a gateway in front of `nodes` nodes.
pub(crate) fn configured(nodes: usize) -> (tempfile::TempDir, Arc<FleetKeys>, Config) {
    let dir = tempfile::tempdir().expect("dir");
    let secret = FleetSecret::from_seed([1; 32]);
    let ticket_key = SigningKey::from_bytes(&[2; 32]);
    let manifest = manifest(nodes, &secret, &ticket_key);
    let bytes = to_canonical_json(&manifest);
    let path = |name: &str| dir.path().join(name);
    fs::write(path("manifest.json"), &bytes).expect("write");
    write_private(&path("ticket.key"), &hex::encode(ticket_key.to_bytes()));
    fs::write(path("users.toml"), user_line("alice", TOKEN)).expect("write");
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("address"),
        app: APP.to_owned(),
        fleet: FLEET.to_owned(),
        manifest: path("manifest.json"),
        pin: Some(hex::encode(sha256(&bytes))),
        signatures: None,
        custodians: None,
        ticket_key_file: path("ticket.key"),
        bundle_url: None,
        bundle_poll_ms: 20,
        nodes: (1..=nodes)
            .map(|node| NodeConfig {
                node: u8::try_from(node).expect("few"),
                url: "http://127.0.0.1:9".to_owned(),
            })
            .collect(),
        auth: AuthConfig::Users { users_file: path("users.toml") },
        limits: LimitsConfig {
            per_account_per_minute: 1_000,
            per_address_per_minute: 1_000,
            in_flight_max: 16,
        },
        hedge_ms: 400,
        deadline_ms: 1_500,
        poll_ms: 100,
        trusted_proxies: Vec::new(),
    };
    let keys = FleetKeys { secret, ticket_key, manifest_digest: sha256(&bytes), manifest: bytes };
    (dir, Arc::new(keys), config)
}

fn manifest(nodes: usize, secret: &FleetSecret, ticket_key: &SigningKey) -> Manifest {
    let hpke_key = <[u8; 1_216]>::try_from(secret.public().to_bytes()).expect("1216 bytes");
    let key = |id: usize| u8::try_from(id).expect("few");
    Manifest {
        custodians: Custodians { keys: vec![Hex([0xc0; 32])], threshold: 1 },
        epoch: 1,
        fleets: vec![Fleet {
            hpke_key: Hex(hpke_key),
            id: FLEET.to_owned(),
            keysets: vec![Keyset { id: 1, server_key: Hex([3; 32]) }],
            measurement: String::new(),
            nodes: (1..=nodes)
                .map(|id| Node {
                    evidence: String::new(),
                    id: key(id),
                    identity_key: Hex([key(id); 32]),
                    link_key: Hex([0x80 | key(id); 32]),
                    roles: vec![Role::Vault],
                    site: format!("site-{id}"),
                })
                .collect(),
            protection: Protection::Software,
            rollback_tolerance: 0,
            slots: SlotRange::ALL,
        }],
        namespace: "test.encrypted_backups.fleet_keys.v1".to_owned(),
        not_after_ms: 2,
        not_before_ms: 1,
        policy: Policy::standard(),
        ticket_keys: vec![TicketKey {
            app: APP.to_owned(),
            key: Hex(ticket_key.verifying_key().to_bytes()),
        }],
        version: 1,
    }
}
