//! A real auditor and its witnesses on loopback, with real sockets and a real clock.

#![allow(dead_code, reason = "each test file uses its part of this stage")]

#[path = "../../../verify/tests/world/mod.rs"]
pub(crate) mod world;

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use strongroom_audit_server::{ServeError, auditor, witness};
use strongroom_log::Submission;
use strongroom_manifest::{Hex, Manifest};
use strongroom_publish::{Door, PublishError, Published, publish, record};
use strongroom_tlog::SeedSigner;
use strongroom_verify::{Event, Trust, TrustFile, events_origin};
use strongroom_wire::digest::sha256;
use tokio::{net::TcpListener, runtime::Runtime, sync::oneshot, task::JoinHandle};
use world::{
    AUDITOR, DAY_MS, LOG, NAMESPACE, NOW_MS, OPERATOR, ORIGIN, WITNESSES, custodians, deployed,
    key, log, manifest, policy, signed, trust_file, witness as witness_signer,
};

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

/// The world's pins under the real clock.
pub(crate) fn trust() -> Trust {
    Trust::new(TrustFile { built_ms: 0, ..trust_file() }).expect("pins")
}

pub(crate) fn operator() -> SeedSigner {
    SeedSigner::new(&[OPERATOR; 32])
}

pub(crate) fn submission(epoch: u64) -> Submission {
    of(&manifest(epoch, &[1, 2, 3]))
}

/// The same epoch with another site.
pub(crate) fn other_submission(epoch: u64) -> Submission {
    let mut other = manifest(epoch, &[1, 2, 3]);
    other.fleets[0].nodes[0].site = "elsewhere".to_owned();
    of(&other)
}

pub(crate) fn of(manifest: &Manifest) -> Submission {
    let signed = signed(manifest, &[1, 2]);
    Submission { epoch: manifest.epoch, manifest: signed.manifest, signatures: signed.signatures }
}

pub(crate) fn request_of(submission: &Submission) -> String {
    serde_json::json!({
        "epoch": submission.epoch,
        "digest": hex::encode(sha256(submission.manifest.as_bytes())),
        "manifest": submission.manifest,
        "signatures": submission.signatures,
    })
    .to_string()
}

/// The record of an epoch's deployment. Two that are made at one time are one event.
pub(crate) fn deployment(epoch: u64, operator: u8) -> Event {
    deployed(epoch, sha256(submission(epoch).manifest.as_bytes()), operator, NOW_MS)
}

pub(crate) fn secret(path: &Path, bytes: &[u8]) {
    let mut file = fs::OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(path)
        .expect("a file");
    file.write_all(bytes).expect("writes");
}

pub(crate) fn seed_file(path: &Path, seed: u8) {
    secret(path, hex::encode([seed; 32]).as_bytes());
}

/// One server that can be stopped and started on its address.
struct Running {
    stop: oneshot::Sender<()>,
    done: JoinHandle<()>,
}

pub(crate) struct Net {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) runtime: Runtime,
    witnesses: Vec<(SocketAddr, Option<Running>)>,
    auditor: Option<Running>,
    pub(crate) public: SocketAddr,
    pub(crate) publish: SocketAddr,
    /// Lines that go to the end of `auditor.toml`.
    pub(crate) more: String,
    pub(crate) tls: String,
}

/// A port below those that the system gives to connections: between looking and listening nobody else
/// gets it by chance.
pub(crate) fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, SeqCst));
        let port = u16::try_from(10_000 + place % 20_000).expect("a port");
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("an address");
        }
    }
}

impl Net {
    /// Four witnesses run, the auditor does not.
    pub(crate) fn new() -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .expect("a runtime");
        let dir = tempfile::tempdir().expect("a folder");
        let mut net = Self {
            dir,
            runtime,
            witnesses: (0..WITNESSES.len()).map(|_| (free_address(), None)).collect(),
            auditor: None,
            public: free_address(),
            publish: free_address(),
            more: "refresh_s = 3600\nretry_s = 1\nevents_folder = \"events\"\n".to_owned(),
            tls: String::new(),
        };
        for at in 0..WITNESSES.len() {
            net.start_witness(at);
        }
        net
    }

    /// Everything runs.
    pub(crate) fn running() -> Self {
        let mut net = Self::new();
        net.start_auditor().expect("starts");
        net
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn start_witness(&mut self, at: usize) {
        let events = log(&events_origin(ORIGIN)).key().to_string();
        self.start_witness_with(at, &[events], "");
    }

    /// A witness that reads every leaf of the log at an address.
    pub(crate) fn start_reader(&mut self, at: usize, log: &str) {
        let pins = serde_json::to_vec(trust().file()).expect("json");
        fs::write(self.path("trust.json"), pins).expect("writes");
        let content = format!("[content]\nlog = \"{log}\"\ntrust = \"trust.json\"\n");
        self.start_witness_with(at, &[], &content);
    }

    fn start_witness_with(&mut self, at: usize, more_logs: &[String], more: &str) {
        let (address, _) = self.witnesses[at];
        let (name, seed) = WITNESSES[at];
        let key_file = self.path(&format!("w{at}.key"));
        seed_file(&key_file, seed);
        let config = self.path(&format!("w{at}.toml"));
        let logs = [&[log(ORIGIN).key().to_string()], more_logs].concat().join("\", \"");
        let text = format!(
            "listen = \"{address}\"\nfolder = \"w{at}\"\nname = \"{name}\"\n\
             key_file = \"w{at}.key\"\nlogs = [\"{logs}\"]\nprefix = \"/witness\"\n{more}"
        );
        fs::write(&config, text).expect("writes");
        let config = witness::Config::load(&config).expect("a configuration");
        let running = self.runtime.block_on(async {
            let server = witness::Server::open(&config).expect("opens");
            let listener = TcpListener::bind(address).await.expect("listens");
            let (stop, stopped) = oneshot::channel();
            let done = tokio::spawn(witness::serve(server, listener, async {
                let _ = stopped.await;
            }));
            Running { stop, done }
        });
        self.witnesses[at].1 = Some(running);
    }

    pub(crate) fn stop_witness(&mut self, at: usize) {
        let running = self.witnesses[at].1.take().expect("runs");
        self.end(running);
    }

    fn end(&self, running: Running) {
        let _ = running.stop.send(());
        self.runtime.block_on(running.done).expect("ends");
    }

    pub(crate) fn witness_url(&self, at: usize) -> String {
        format!("http://{}/witness", self.witnesses[at].0)
    }

    pub(crate) fn write_auditor(&self) -> PathBuf {
        seed_file(&self.path("log.key"), LOG);
        seed_file(&self.path("statement.key"), AUDITOR);
        let custodians = serde_json::to_vec(&custodians(&[1, 2, 3])).expect("json");
        fs::write(self.path("custodians.json"), custodians).expect("writes");
        fs::write(self.path("policy"), policy()).expect("writes");
        let operator = Hex(key(OPERATOR).verifying_key().to_bytes());
        let mut text = format!(
            "listen = \"{}\"\nfolder = \"auditor\"\nnamespace = \"{NAMESPACE}\"\n\
             origin = \"{ORIGIN}\"\ncustodians = \"custodians.json\"\nfloors = \"production\"\n\
             operator_key = \"{operator:?}\"\npolicy = \"policy\"\nlog_key_file = \"log.key\"\n\
             statement_key_file = \"statement.key\"\nstatement_not_before_ms = {}\n{}",
            self.public,
            NOW_MS - 300 * DAY_MS,
            self.more,
        );
        for at in 0..WITNESSES.len() {
            let vkey = witness_signer(at).key().to_string();
            let url = self.witness_url(at);
            text +=
                &format!("[[witnesses]]\nvkey = \"{vkey}\"\nurl = \"{url}\"\ntimeout_ms = 3000\n");
        }
        text += &format!("[publish]\nlisten = \"{}\"\n{}", self.publish, self.tls);
        let path = self.path("auditor.toml");
        fs::write(&path, text).expect("writes");
        path
    }

    pub(crate) fn start_auditor(&mut self) -> Result<(), ServeError> {
        let config = auditor::Config::load(&self.write_auditor())?;
        let (public, publish) = (self.public, self.publish);
        let running = self.runtime.block_on(async {
            let server = auditor::Server::open(config).await?;
            let public = TcpListener::bind(public).await.expect("listens");
            let publish = TcpListener::bind(publish).await.expect("listens");
            let (stop, stopped) = oneshot::channel();
            let done = tokio::spawn(server.serve(public, Some(publish), async {
                let _ = stopped.await;
            }));
            Ok::<_, ServeError>(Running { stop, done })
        })?;
        self.auditor = Some(running);
        Ok(())
    }

    pub(crate) fn stop_auditor(&mut self) {
        let running = self.auditor.take().expect("runs");
        self.end(running);
    }

    pub(crate) fn door(&self) -> Door {
        Door::new(&format!("http://{}", self.publish), None).expect("a door")
    }

    pub(crate) fn published(&self, epoch: u64) -> Result<Published, PublishError> {
        publish(&self.door(), &submission(epoch), &operator(), &trust(), now_ms())
    }

    pub(crate) fn recorded(&self, event: &Event) -> Result<u64, PublishError> {
        record(&self.door(), event, &trust(), now_ms())
    }

    pub(crate) fn get(&self, path: &str) -> Heard {
        ask("GET", &format!("http://{}{path}", self.public), None)
    }

    pub(crate) fn post(&self, path: &str, body: &str) -> Heard {
        ask(
            "POST",
            &format!("http://{}{path}", self.publish),
            Some(("application/json", body.as_bytes())),
        )
    }

    /// Waits until something holds; witnesses and keepers take their time.
    pub(crate) fn until(&self, what: &str, holds: impl Fn() -> bool) {
        let began = Instant::now();
        while !holds() {
            assert!(began.elapsed() < Duration::from_secs(20), "never: {what}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub(crate) fn until_ready(&self) {
        self.until("ready", || self.get("/readyz").status == 200);
    }
}

/// What came back.
pub(crate) struct Heard {
    pub(crate) status: u16,
    pub(crate) headers: ureq::http::HeaderMap,
    pub(crate) body: Vec<u8>,
}

/// Short: bodies may be bundles.
impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let body: String = self.text().chars().take(300).collect();
        write!(f, "{} {} {body}", self.status, self.header("content-type"))
    }
}

impl Heard {
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    pub(crate) fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).expect("json")
    }

    pub(crate) fn code(&self) -> (u16, String) {
        assert_eq!(self.header("content-type"), "application/problem+json", "{self:?}");
        (self.status, self.json()["code"].as_str().expect("a code").to_owned())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

pub(crate) fn ask(method: &str, url: &str, body: Option<(&str, &[u8])>) -> Heard {
    let agent: ureq::Agent = ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(Duration::from_secs(60)))
        .allow_non_standard_methods(true)
        .proxy(None)
        .build()
        .into();
    let mut request = ureq::http::Request::builder().method(method).uri(url);
    if let Some((kind, _)) = body {
        request = request.header("content-type", kind);
    }
    let sent = match body {
        Some((_, body)) => agent.run(request.body(body.to_vec()).expect("a request")),
        None => agent.run(request.body(()).expect("a request")),
    };
    let mut response = sent.expect("an answer");
    let body = response.body_mut().with_config().limit(64 << 20).read_to_vec().expect("a body");
    Heard { status: response.status().as_u16(), headers: response.headers().clone(), body }
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a type").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).expect("copies");
        }
    }
}
