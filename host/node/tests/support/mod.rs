//! A node with a fake vault, and just enough HTTP to speak with it.

#![allow(dead_code)]

use std::{
    fs,
    net::SocketAddr,
    path::PathBuf,
    time::{Duration, Instant},
};
use strongroom_node::{Config, NodeError, PeerConfig};
use strongroom_wire::relay::RELAY_REQUEST_LEN;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    sync::oneshot,
    task::JoinHandle,
};

pub(crate) const OCTETS: &str = "Content-Type: application/octet-stream\r\n";
/// The fake vault takes the first byte of the frame as its order.
const TICKET_LEN: usize = strongroom_wire::caps::SEALED_TICKET_LEN;

pub(crate) struct Node {
    pub(crate) root: tempfile::TempDir,
    pub(crate) config: Config,
    /// Where frames for node 2 arrive.
    pub(crate) peer_two: TcpListener,
    stop: Option<oneshot::Sender<()>>,
    running: Option<JoinHandle<Result<(), NodeError>>>,
}

/// An answer's status and body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("json")
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

fn free_address() -> SocketAddr {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address")
}

fn fake_vault() -> PathBuf {
    let test = std::env::current_exe().expect("this program");
    let deps = test.parent().and_then(std::path::Path::parent).expect("the target folder");
    let fake = deps.join("examples").join("fake_vault");
    assert!(fake.is_file(), "{} is built with the tests of this package", fake.display());
    fake
}

impl Node {
    /// Node 1 of a fleet of three, ready.
    pub(crate) async fn start() -> Self {
        let mut node = Self::prepare().await;
        node.run();
        node.until_ready().await;
        node
    }

    pub(crate) async fn prepare() -> Self {
        let root = tempfile::tempdir().expect("dir");
        let peer_two = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let vault_dir = root.path().join("vault");
        fs::create_dir(&vault_dir).expect("dir");
        let peer = |node, address: SocketAddr| PeerConfig { node, address: address.to_string() };
        let config = Config {
            node: 1,
            fleet: "dev".to_owned(),
            manifest: root.path().join("manifest.json"),
            signatures: root.path().join("manifest.sig.json"),
            chain: None,
            vault_dir,
            data_dir: root.path().join("data"),
            vault_binary: fake_vault(),
            peer_listen: free_address(),
            http_listen: free_address(),
            admin_listen: free_address(),
            tick_ms: 30,
            clock_offset_ms: None,
            peers: vec![
                peer(2, peer_two.local_addr().expect("address")),
                // Nobody listens there.
                peer(3, free_address()),
            ],
        };
        Self { root, config, peer_two, stop: None, running: None }
    }

    pub(crate) fn run(&mut self) {
        let (stop, stopped) = oneshot::channel::<()>();
        let config = self.config.clone();
        let stopped = async move {
            let _ = stopped.await;
        };
        self.running = Some(tokio::spawn(strongroom_node::run(config, stopped)));
        self.stop = Some(stop);
    }

    /// Stops in order; the time that it took.
    pub(crate) async fn stop(&mut self) -> Duration {
        let asked = Instant::now();
        let _ = self.stop.take().expect("running").send(());
        let ended = self.running.take().expect("running").await;
        ended.expect("no panic").expect("no error");
        asked.elapsed()
    }

    pub(crate) async fn until_ready(&self) {
        self.until("ready", async |node| node.get("/readyz").await.status == 200).await;
    }

    /// Waits until something is so.
    pub(crate) async fn until(&self, what: &str, is: impl AsyncFn(&Self) -> bool) {
        let patience = Instant::now() + Duration::from_secs(20);
        while !is(self).await {
            assert!(Instant::now() < patience, "not {what} after 20 s");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        http(self.config.http_listen, "GET", path, "", b"")
            .await
            .unwrap_or(Answer { status: 0, body: Vec::new() })
    }

    pub(crate) async fn post(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let answer = http(self.config.http_listen, "POST", path, headers, body).await;
        answer.expect("an answer")
    }

    pub(crate) async fn admin(&self, path: &str, headers: &str, body: &[u8]) -> Answer {
        let answer = http(self.config.admin_listen, "POST", path, headers, body).await;
        answer.expect("an answer")
    }

    /// Relays a request whose frame begins with this order.
    pub(crate) async fn relay(&self, order: u8) -> Answer {
        relay_to(self.config.http_listen, order).await
    }

    pub(crate) async fn health(&self) -> serde_json::Value {
        self.get("/v1/health").await.json()
    }

    pub(crate) async fn vault_starts(&self) -> u64 {
        self.health().await["host"]["vault_starts"].as_u64().expect("a number")
    }

    /// What the process of this start was handed.
    pub(crate) fn loaded(&self, start: u32) -> String {
        fs::read_to_string(self.config.vault_dir.join(format!("loaded-{start}"))).expect("loaded")
    }

    /// One value of `/metrics`.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let text = self.get("/metrics").await.text();
        let line = text.lines().find(|line| line.starts_with(&format!("{name}{{")));
        let value = line.and_then(|line| line.rsplit_once(' ')).expect(name).1;
        value.parse().expect("a number")
    }

    /// A connection to this node's host that says it is `node`'s.
    pub(crate) async fn connect_as(&self, node: u8) -> TcpStream {
        let mut stream = TcpStream::connect(self.config.peer_listen).await.expect("connect");
        send(&mut stream, &[b"strongroom peer 1 ", &[node][..]].concat()).await;
        stream
    }

    /// The connection that this node opens to node 2, after its hello.
    pub(crate) async fn accept_as_two(&self) -> TcpStream {
        let (mut stream, _) = self.peer_two.accept().await.expect("accept");
        assert_eq!(receive(&mut stream).await, b"strongroom peer 1 \x01");
        stream
    }
}

pub(crate) async fn relay_to(address: SocketAddr, order: u8) -> Answer {
    let answer = http(address, "POST", "/v1/relay", OCTETS, &request(order)).await;
    answer.expect("an answer")
}

pub(crate) fn request(order: u8) -> Vec<u8> {
    let mut body = vec![0; RELAY_REQUEST_LEN];
    body[TICKET_LEN] = order;
    body
}

pub(crate) async fn send(stream: &mut TcpStream, frame: &[u8]) {
    stream.write_u32(frame.len() as u32).await.expect("write");
    stream.write_all(frame).await.expect("write");
}

/// The next frame that is not empty.
pub(crate) async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    loop {
        let len = stream.read_u32().await.expect("a frame") as usize;
        let mut frame = vec![0; len];
        stream.read_exact(&mut frame).await.expect("a whole frame");
        if !frame.is_empty() {
            return frame;
        }
    }
}

/// True once the other side has closed.
pub(crate) async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut byte = [0; 1];
    let read = tokio::time::timeout(Duration::from_secs(5), stream.read(&mut byte)).await;
    matches!(read, Ok(Ok(0) | Err(_)))
}

async fn http(
    address: SocketAddr,
    method: &str,
    path: &str,
    headers: &str,
    body: &[u8],
) -> Option<Answer> {
    let mut stream = TcpStream::connect(address).await.ok()?;
    let length = match method {
        "POST" => format!("Content-Length: {}\r\n", body.len()),
        _ => String::new(),
    };
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: node\r\nConnection: close\r\n{headers}{length}\r\n"
    );
    stream.write_all(head.as_bytes()).await.ok()?;
    // A server that refuses early closes before it has read everything.
    let _ = stream.write_all(body).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = String::from_utf8_lossy(&answer[..end]).to_lowercase();
    assert!(!head.contains("transfer-encoding"), "{head}");
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some(Answer { status, body: answer[end + 4..].to_vec() })
}
