//! An auditor and its four witnesses, each a real `strongroomd`, on loopback.

#![allow(dead_code, reason = "each test file uses its part of this site")]

#[path = "../../../../audit/verify/tests/world/mod.rs"]
pub(crate) mod world;

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    net::SocketAddr,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering::SeqCst},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};
use strongroom_log::Submission;
use strongroom_manifest::Hex;
use strongroom_publish::{Door, PublishError, Published, publish};
use strongroom_tlog::SeedSigner;
use strongroom_verify::{Trust, TrustFile, events_origin};
use world::{
    AUDITOR, DAY_MS, LOG, NAMESPACE, NOW_MS, OPERATOR, ORIGIN, WITNESSES, custodians, key, log,
    manifest, policy, signed, trust_file, witness,
};

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

pub(crate) fn trust() -> Trust {
    Trust::new(TrustFile { built_ms: 0, ..trust_file() }).expect("pins")
}

pub(crate) fn submission(epoch: u64) -> Submission {
    let signed = signed(&manifest(epoch, &[1, 2, 3]), &[1, 2]);
    Submission { epoch, manifest: signed.manifest, signatures: signed.signatures }
}

/// Ends with its process.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        // SIGKILL: nothing is finished, nothing is said.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(crate) struct Site {
    pub(crate) dir: tempfile::TempDir,
    pub(crate) public: SocketAddr,
    pub(crate) publish: SocketAddr,
    /// Where the auditor finds each witness.
    urls: Vec<String>,
    /// Lines after those of the publishing address.
    tls: String,
    /// Certificates that the auditor's system trusts, if not the machine's.
    roots: Option<PathBuf>,
    witnesses: Vec<(SocketAddr, Option<Process>)>,
    auditor: Option<Process>,
}

/// A port below those that the system gives to connections: between looking and listening nobody else
/// gets it by chance.
fn free_address() -> SocketAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    loop {
        let place = std::process::id().wrapping_mul(97).wrapping_add(NEXT.fetch_add(1, SeqCst));
        let port = u16::try_from(10_000 + place % 20_000).expect("a port");
        if let Ok(listener) = std::net::TcpListener::bind(("127.0.0.1", port)) {
            return listener.local_addr().expect("an address");
        }
    }
}

impl Site {
    /// All of them run.
    pub(crate) fn new() -> Self {
        Self::made(|_| ())
    }

    /// All of them run, after something was changed.
    pub(crate) fn made(change: impl FnOnce(&mut Self)) -> Self {
        let witnesses: Vec<_> = (0..WITNESSES.len()).map(|_| (free_address(), None)).collect();
        let mut site = Self {
            dir: tempfile::tempdir().expect("a folder"),
            public: free_address(),
            publish: free_address(),
            urls: witnesses.iter().map(|(address, _)| format!("http://{address}")).collect(),
            tls: String::new(),
            roots: None,
            witnesses,
            auditor: None,
        };
        change(&mut site);
        site.write();
        for at in 0..WITNESSES.len() {
            site.start_witness(at);
        }
        site.start_auditor();
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn seed(&self, name: &str, seed: u8) {
        let file = OpenOptions::new()
            .create(true)
            .truncate(true)
            .write(true)
            .mode(0o600)
            .open(self.path(name));
        file.expect("a file").write_all(hex::encode([seed; 32]).as_bytes()).expect("writes");
    }

    fn write(&self) {
        let put = |name: &str, text: &str| fs::write(self.path(name), text).expect("writes");
        self.seed("log.key", LOG);
        self.seed("statement.key", AUDITOR);
        let custodians = serde_json::to_string(&custodians(&[1, 2, 3])).expect("json");
        put("custodians.json", &custodians);
        put("policy", &policy());
        let operator = Hex(key(OPERATOR).verifying_key().to_bytes());
        let mut text = format!(
            "listen = \"{}\"\nfolder = \"auditor\"\nnamespace = \"{NAMESPACE}\"\n\
             origin = \"{ORIGIN}\"\ncustodians = \"custodians.json\"\nfloors = \"production\"\n\
             operator_key = \"{operator:?}\"\npolicy = \"policy\"\nlog_key_file = \"log.key\"\n\
             statement_key_file = \"statement.key\"\nstatement_not_before_ms = {}\nretry_s = 1\n\
             events_folder = \"events\"\n",
            self.public,
            NOW_MS - 300 * DAY_MS,
        );
        for (at, (address, _)) in self.witnesses.iter().enumerate() {
            let (vkey, (name, seed)) = (witness(at).key().to_string(), WITNESSES[at]);
            text += &format!("[[witnesses]]\nvkey = \"{vkey}\"\nurl = \"{}\"\n", self.urls[at]);
            self.seed(&format!("w{at}.key"), seed);
            let logs = [ORIGIN.to_owned(), events_origin(ORIGIN)];
            let logs = logs.map(|origin| log(&origin).key().to_string()).join("\", \"");
            let own = format!(
                "listen = \"{address}\"\nfolder = \"w{at}\"\nname = \"{name}\"\n\
                 key_file = \"w{at}.key\"\nlogs = [\"{logs}\"]\n"
            );
            put(&format!("w{at}.toml"), &own);
        }
        text += &format!("[publish]\nlisten = \"{}\"\n{}", self.publish, self.tls);
        put("auditor.toml", &text);
    }

    fn spawn(&self, server: &str, config: &str) -> Process {
        let log = OpenOptions::new().create(true).append(true).open(self.path("stderr"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroomd"));
        if let Some(roots) = &self.roots {
            command.env("SSL_CERT_FILE", roots).env_remove("SSL_CERT_DIR");
        }
        let child = command
            .args([server, "--config"])
            .arg(self.path(config))
            .stderr(Stdio::from(log.expect("a log")))
            .spawn();
        Process(child.expect("it starts"))
    }

    pub(crate) fn start_witness(&mut self, at: usize) {
        self.witnesses[at].1 = Some(self.spawn("witness", &format!("w{at}.toml")));
    }

    pub(crate) fn kill_witness(&mut self, at: usize) {
        self.witnesses[at].1 = None;
    }

    pub(crate) fn witness_addresses(&self) -> Vec<SocketAddr> {
        self.witnesses.iter().map(|(address, _)| *address).collect()
    }

    /// Witnesses are reached elsewhere, publishers come through TLS, and the auditor believes these roots.
    pub(crate) fn behind(&mut self, urls: Vec<String>, tls: String, roots: PathBuf) {
        (self.urls, self.tls, self.roots) = (urls, tls, Some(roots));
    }

    /// Starts it and waits until it listens.
    pub(crate) fn start_auditor(&mut self) {
        self.auditor = Some(self.spawn("auditor", "auditor.toml"));
        let began = Instant::now();
        while self.get("/livez").is_none() {
            assert!(began.elapsed() < Duration::from_secs(20), "{}", self.log());
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// `kill -9`.
    pub(crate) fn kill_auditor(&mut self) {
        self.auditor = None;
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.path("stderr")).unwrap_or_default()
    }

    pub(crate) fn door(&self) -> Door {
        Door::new(&format!("http://{}", self.publish), None).expect("a door")
    }

    pub(crate) fn published(&self, epoch: u64) -> Result<Published, PublishError> {
        let operator = SeedSigner::new(&[OPERATOR; 32]);
        publish(&self.door(), &submission(epoch), &operator, &trust(), now_ms())
    }

    /// A status and a body; none if nobody answers.
    pub(crate) fn get(&self, path: &str) -> Option<(u16, Vec<u8>)> {
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(Duration::from_secs(10)))
            .proxy(None)
            .build()
            .into();
        let mut response = agent.get(format!("http://{}{path}", self.public)).call().ok()?;
        let body = response.body_mut().read_to_vec().ok()?;
        Some((response.status().as_u16(), body))
    }

    pub(crate) fn audit(&self, epoch: u64) -> Option<Vec<u8>> {
        let path = format!("/namespaces/{NAMESPACE}/audits/{epoch}");
        self.get(&path).filter(|(status, _)| *status == 200).map(|(_, body)| body)
    }
}
