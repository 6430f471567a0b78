//! A user's folder, and a gateway that is played by a thread around a vault of one process.

#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../protocol/tests/mini_vault/mod.rs"]
mod mini_vault;

use mini_vault::{APP, FLEET, MiniVault};
use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};
use strongroom_manifest::Verified;
use strongroom_wire::{caps::REQUEST_FRAME_LEN, digest::sha256};
use tempfile::TempDir;

/// What the gateway does with the next requests, first to last; afterwards it answers.
#[derive(Clone)]
pub(crate) enum Fate {
    Answer,
    /// The vault acts, and the connection breaks.
    Lose,
    /// A problem document instead.
    Problem(u16, String),
}

/// What happens to somebody while a gateway answers.
type Deed = Box<dyn FnOnce() + Send>;

/// The played fleet.
#[derive(Clone)]
pub(crate) struct Gateway {
    pub(crate) vault: Arc<Mutex<MiniVault>>,
    fates: Arc<Mutex<Vec<Fate>>>,
    verbs: Arc<Mutex<Vec<String>>>,
    /// What `GET /v1/bundle` brings and each answer names, if there is any.
    pub(crate) bundle: Arc<Mutex<Option<Vec<u8>>>>,
    /// Put in the place of the bundle once the next answer has been made.
    pub(crate) next_bundle: Arc<Mutex<Option<Vec<u8>>>>,
    /// The manifest that the fleet goes on under once the next answer has been made.
    pub(crate) adopts: Arc<Mutex<Option<Vec<u8>>>>,
    /// With the answer to this request another bundle is named than there is, and none is given out any more.
    pub(crate) estranged_at: Arc<Mutex<Option<&'static str>>>,
    is_estranged: Arc<AtomicBool>,
    /// Done once the next answer has been made, before it is sent.
    pub(crate) meanwhile: Arc<Mutex<Option<Deed>>>,
    /// Whether answers name the bundle.
    pub(crate) is_silent: Arc<AtomicBool>,
    address: String,
}

impl Gateway {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("bind");
        let gateway = Self {
            vault: Arc::new(Mutex::new(MiniVault::new())),
            fates: Arc::default(),
            verbs: Arc::default(),
            bundle: Arc::default(),
            next_bundle: Arc::default(),
            adopts: Arc::default(),
            estranged_at: Arc::default(),
            is_estranged: Arc::default(),
            meanwhile: Arc::default(),
            is_silent: Arc::default(),
            address: format!("http://{}", listener.local_addr().expect("address")),
        };
        let served = gateway.clone();
        thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let gateway = served.clone();
                thread::spawn(move || gateway.serve(socket));
            }
        });
        gateway
    }

    pub(crate) fn fates(&self, fates: &[Fate]) {
        *self.fates.lock().expect("fates") = fates.to_vec();
        self.verbs.lock().expect("verbs").clear();
    }

    /// The fleet goes on under another manifest.
    pub(crate) fn adopt(&self, bytes: Vec<u8>) {
        let mut vault = self.vault.lock().expect("vault");
        let verified = Verified::pinned(&bytes, &sha256(&bytes)).expect("a manifest");
        (vault.fleet.manifest, vault.fleet.manifest_bytes) = (verified, bytes);
    }

    pub(crate) fn verbs(&self) -> Vec<String> {
        self.verbs.lock().expect("verbs").clone()
    }

    fn serve(&self, mut socket: TcpStream) {
        while let Some((head, frame)) = read_request(&mut socket) {
            let verb = head.split(' ').nth(1).unwrap_or_default();
            if verb == "/v1/bundle" {
                self.verbs.lock().expect("verbs").push("bundle".to_owned());
                let bundle = self.bundle.lock().expect("bundle").clone();
                let mut answer = bundle.map_or((404, Vec::new()), |bundle| (200, bundle));
                if self.is_estranged.load(SeqCst) {
                    answer = (503, br#"{"cost":"none","retry":"never","detail":"later"}"#.to_vec());
                }
                let (status, body) = answer;
                let length = body.len();
                let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {length}\r\n\r\n");
                if socket.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                    return;
                }
                continue;
            }
            let verb = verb.trim_start_matches("/v1/requests/").to_owned();
            if *self.estranged_at.lock().expect("verb") == Some(verb.as_str()) {
                self.is_estranged.store(true, SeqCst);
            }
            self.verbs.lock().expect("verbs").push(verb);
            let fate = {
                let mut fates = self.fates.lock().expect("fates");
                if fates.is_empty() { Fate::Answer } else { fates.remove(0) }
            };
            let (status, kind, body) = match fate {
                Fate::Problem(status, body) => {
                    (status, "application/problem+json", body.into_bytes())
                }
                Fate::Answer | Fate::Lose => {
                    let answer = self.vault.lock().expect("vault").answer(&frame);
                    if matches!(fate, Fate::Lose) {
                        return;
                    }
                    (200, "application/octet-stream", answer)
                }
            };
            if let Some(manifest) = self.adopts.lock().expect("adopts").take() {
                self.adopt(manifest);
            }
            if let Some(deed) = self.meanwhile.lock().expect("meanwhile").take() {
                deed();
            }
            if let Some(next) = self.next_bundle.lock().expect("next").take() {
                *self.bundle.lock().expect("bundle") = Some(next);
            }
            let named =
                self.bundle.lock().expect("bundle").as_ref().map_or(String::new(), |bundle| {
                    format!("strongroom-bundle: {}\r\n", hex::encode(sha256(bundle)))
                });
            let named = match (self.is_silent.load(SeqCst), self.is_estranged.load(SeqCst)) {
                (true, _) => String::new(),
                (false, true) => format!("strongroom-bundle: {}\r\n", "00".repeat(32)),
                (false, false) => named,
            };
            let head = format!(
                "HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\n{named}content-length: {}\r\n\r\n",
                body.len()
            );
            if socket.write_all(&[head.as_bytes(), &body].concat()).is_err() {
                return;
            }
        }
    }
}

fn read_request(socket: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut got = Vec::new();
    loop {
        if let Some(end) = got.windows(4).position(|w| w == b"\r\n\r\n")
            && (got.starts_with(b"GET ") || got.len() >= end + 4 + REQUEST_FRAME_LEN)
        {
            let head = String::from_utf8_lossy(&got[..end]).into_owned();
            return Some((head, got[end + 4..].to_vec()));
        }
        let mut chunk = [0; 4_096];
        let n = socket.read(&mut chunk).ok().filter(|n| *n > 0)?;
        got.extend_from_slice(&chunk[..n]);
    }
}

/// One user, one gateway.
pub(crate) struct Stage {
    pub(crate) dir: TempDir,
    pub(crate) gateway: Gateway,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let stage = Self::new_without_phone();
        stage.phone("home");
        stage
    }

    pub(crate) fn new_without_phone() -> Self {
        let stage = Self { dir: tempfile::tempdir().expect("dir"), gateway: Gateway::start() };
        let manifest = stage.gateway.vault.lock().expect("vault").fleet.manifest_bytes.clone();
        fs::write(stage.path("manifest.json"), manifest).expect("manifest");
        stage
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A new phone that pins no manifest, but who vouches for one.
    pub(crate) fn believing_phone(&self, name: &str, trust: &[u8]) -> PathBuf {
        let home = self.path(name);
        fs::create_dir(&home).expect("home");
        fs::write(home.join("trust.json"), trust).expect("trust");
        let profile = format!(
            "gateway = \"{}\"\napp = \"{APP}\"\nfleet = \"{FLEET}\"\ntrust = \"trust.json\"\n\
             account = \"alice\"\ntoken = \"t\"\nfloors = \"development\"\n",
            self.gateway.address
        );
        fs::write(home.join("profile.toml"), profile).expect("profile");
        home
    }

    /// A folder with a profile and nothing else: a new phone.
    pub(crate) fn phone(&self, name: &str) -> PathBuf {
        let home = self.path(name);
        fs::create_dir(&home).expect("home");
        let manifest = fs::read(self.path("manifest.json")).expect("manifest");
        let pin = hex::encode(sha256(&manifest));
        let profile = format!(
            "gateway = \"{}\"\napp = \"{APP}\"\nfleet = \"{FLEET}\"\nmanifest = \"../manifest.json\"\n\
             manifest_sha256 = \"{pin}\"\naccount = \"alice\"\ntoken = \"t\"\nfloors = \"development\"\n",
            self.gateway.address
        );
        fs::write(home.join("profile.toml"), profile).expect("profile");
        home
    }

    /// Runs a command of the first phone.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        self.run_on("home", arguments)
    }

    /// Runs a command of a phone; `PW:text` becomes a password file with that text.
    pub(crate) fn run_on(&self, home: &str, arguments: &[&str]) -> Ran {
        let mut command = strongroom();
        command.args(["--home", &self.path(home).display().to_string()]);
        for argument in arguments {
            match argument.strip_prefix("PW:") {
                Some(password) => {
                    let file = self.path("password");
                    fs::write(&file, format!("{password}\n")).expect("password");
                    command.arg("--password-file").arg(file);
                }
                None => {
                    command.arg(argument);
                }
            }
        }
        Ran::of(command.output().expect("run"))
    }

    pub(crate) fn enrolled() -> Self {
        let stage = Self::new();
        stage.run(&["enroll", "PW:correct horse"]).succeeds();
        stage
    }

    pub(crate) fn device(&self, home: &str) -> toml::Table {
        let text = fs::read_to_string(self.path(home).join("device.toml")).expect("device.toml");
        text.parse().expect("toml")
    }
}

/// The program, without anything of this machine's user.
pub(crate) fn strongroom() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
    command
        .env_remove("STRONGROOM_HOME")
        .env_remove("STRONGROOM_REPOSITORY")
        .env("HOME", Path::new("/nonexistent"))
        .stdin(Stdio::null());
    command
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    pub(crate) fn of(output: Output) -> Self {
        Self {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    #[track_caller]
    pub(crate) fn succeeds(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The code, and the error with its cost and hint.
    #[track_caller]
    pub(crate) fn fails(self, code: i32, error: &str) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        let at = self.err.find("error: ").unwrap_or_else(|| panic!("{self:?}"));
        assert_eq!(self.err[at..].trim_end(), error);
        self
    }

    /// The object of one type on standard output.
    #[track_caller]
    pub(crate) fn json(&self, message_type: &str) -> serde_json::Value {
        let lines = self.out.lines().chain(self.err.lines());
        lines
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON lines only"))
            .find(|line| line["message_type"] == message_type)
            .unwrap_or_else(|| panic!("no {message_type}: {self:?}"))
    }
}
