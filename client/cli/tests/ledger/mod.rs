//! A namespace's log as its auditor publishes it, in folders and over HTTP, and the program that checks it.

#![allow(dead_code, reason = "each test file uses its part of this ledger")]

#[path = "../../../../audit/verify/tests/world/published.rs"]
mod published;
#[path = "../../../../audit/verify/tests/world/mod.rs"]
pub(crate) mod world;

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{Arc, Mutex},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};
use strongroom_manifest::{Hex, Manifest, SignedManifest};
use strongroom_verify::{TrustFile, events_origin};
use tempfile::TempDir;
use world::{DAY_MS, Making, ORIGIN, World, signed, trust_file};

pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock");
    u64::try_from(since.as_millis()).expect("small")
}

/// Valid around now, whenever the tests run.
pub(crate) fn manifest(epoch: u64, seeds: &[u8]) -> Manifest {
    let mut manifest = world::manifest(epoch, seeds);
    // Fixed to the day, so that two worlds of one test share their first epochs.
    let today = now_ms() / DAY_MS * DAY_MS;
    (manifest.not_before_ms, manifest.not_after_ms) = (today - 40 * DAY_MS, today + 40 * DAY_MS);
    manifest
}

/// The world's, moved to now.
pub(crate) fn pins() -> TrustFile {
    let mut file = trust_file();
    let today = now_ms() / DAY_MS * DAY_MS;
    file.auditor_keys[0].not_before_ms = today - 300 * DAY_MS;
    file.built_ms = today - 30 * DAY_MS;
    file
}

/// A world whose epochs are all by the same custodians.
pub(crate) fn history(epochs: u64) -> World {
    let mut world = World::default();
    for epoch in 1..=epochs {
        grow(&mut world, &manifest(epoch, &[1, 2, 3]));
    }
    world
}

pub(crate) fn grow(world: &mut World, manifest: &Manifest) {
    grow_as(world, &signed(manifest, &[1, 3]));
}

pub(crate) fn grow_as(world: &mut World, signed: &SignedManifest) {
    let epoch = world.leaves.len() as u64 + 1;
    world.publish_as(signed, epoch, now_ms() / DAY_MS * DAY_MS - 10 * DAY_MS);
}

/// The leaf of a deployment's record, as an operator signed it.
pub(crate) fn deployed(world: &World, epoch: u64, operator: u8) -> Vec<u8> {
    let leaf = &world.leaves[usize::try_from(epoch - 1).expect("small")];
    let event = world::deployed(epoch, leaf.statement.digest, operator, now_ms());
    event.to_leaf(&events_origin(ORIGIN))
}

/// Cosigned so long ago by the second and the third operator.
pub(crate) fn making(world: &World, ages_ms: [Option<u64>; 4]) -> Making {
    let now = now_ms();
    Making { cosigned_ms: ages_ms.map(|age| age.map(|age| now - age)), ..world.honest() }
}

pub(crate) fn fresh(world: &World) -> Making {
    making(world, [None, None, Some(3_600_000), Some(7_200_000)])
}

/// A folder for everything of one test.
pub(crate) struct Ledger(TempDir);

impl Ledger {
    pub(crate) fn new() -> Self {
        let ledger = Self(tempfile::tempdir().expect("dir"));
        ledger.write_pins(&pins());
        ledger
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn write_pins(&self, pins: &TrustFile) {
        fs::write(self.path("trust.json"), serde_json::to_vec(pins).expect("json")).expect("pins");
    }

    /// Writes what an auditor serves of a world, in the place of what was there.
    pub(crate) fn export(&self, name: &str, world: &World) -> PathBuf {
        self.export_as(name, world, &fresh(world))
    }

    pub(crate) fn export_as(&self, name: &str, world: &World, making: &Making) -> PathBuf {
        let root = self.path(name);
        let _ = fs::remove_dir_all(&root);
        let published = published::publish(world);
        for (path, bytes) in &published.files.0 {
            put(&root, path, bytes);
        }
        for (place, part) in published.signatures.chunks(256).enumerate() {
            let suffix =
                if part.len() == 256 { String::new() } else { format!(".p/{}", part.len()) };
            put(&root, &format!("signatures/{place:03}{suffix}"), &part.concat());
        }
        put(&root, "checkpoint", &world.checkpoint(making, ORIGIN).to_bytes());
        put(&root, "bundle", &world.bundle(world.leaves.len(), making).to_bytes());
        root
    }

    /// Puts an event log beside a log that was exported.
    pub(crate) fn export_events(&self, name: &str, world: &World, leaves: &[Vec<u8>]) -> PathBuf {
        self.export_events_as(name, &fresh(world), leaves)
    }

    pub(crate) fn export_events_as(
        &self,
        name: &str,
        making: &Making,
        leaves: &[Vec<u8>],
    ) -> PathBuf {
        let root = self.path(name).join("events");
        let _ = fs::remove_dir_all(&root);
        let (files, head) = published::files_of(leaves);
        for (path, bytes) in &files.0 {
            put(&root, path, bytes);
        }
        let origin = events_origin(ORIGIN);
        let note = world::cosigned(head, &origin, &making.cosigned_ms).to_bytes();
        put(&root, "checkpoint", &note);
        root
    }

    /// Runs `strongroom verify` with the pins; `{name}` in an argument is that path of the ledger.
    pub(crate) fn verify(&self, arguments: &[&str]) -> Ran {
        let mut words = vec!["verify"];
        if arguments.first() != Some(&"evidence") {
            words.extend(["--trust", "{trust.json}"]);
        }
        words.extend(arguments);
        self.run(&words)
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_strongroom"));
        command
            .env_remove("STRONGROOM_HOME")
            .env("HOME", Path::new("/nonexistent"))
            .current_dir(self.0.path())
            .stdin(Stdio::null());
        for argument in arguments {
            let named = argument.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
            match named {
                Some(name) => command.arg(self.path(name)),
                None => command.arg(argument),
            };
        }
        let output = command.output().expect("runs");
        Ran {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8(output.stdout).expect("UTF-8"),
            err: String::from_utf8(output.stderr).expect("UTF-8"),
        }
    }

    /// The one evidence file beside the pins.
    pub(crate) fn evidence(&self) -> PathBuf {
        let mut found: Vec<PathBuf> = fs::read_dir(self.0.path())
            .expect("dir")
            .map(|entry| entry.expect("entry").path())
            .filter(|path| path.to_string_lossy().contains("strongroom-evidence-"))
            .collect();
        assert_eq!(found.len(), 1, "{found:?}");
        found.remove(0)
    }
}

fn put(root: &Path, path: &str, bytes: &[u8]) {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("a parent")).expect("dir");
    fs::write(path, bytes).expect("file");
}

/// What a run did.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    #[track_caller]
    pub(crate) fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "{self:?}");
        self
    }

    #[track_caller]
    pub(crate) fn last(&self) -> &str {
        self.out.trim_end().lines().next_back().unwrap_or_else(|| panic!("{self:?}"))
    }

    /// Every object on standard output.
    pub(crate) fn lines(&self) -> Vec<serde_json::Value> {
        self.out.lines().map(|line| serde_json::from_str(line).expect("JSON lines only")).collect()
    }

    /// The outcome of a stage, of output that is JSON.
    #[track_caller]
    pub(crate) fn stage(&self, name: &str) -> String {
        let lines = self.lines();
        let stage = lines.iter().find(|l| l["message_type"] == "stage" && l["stage"] == name);
        let stage = stage.unwrap_or_else(|| panic!("no stage {name}: {self:?}"));
        stage["outcome"].as_str().expect("text").to_owned()
    }

    /// The events, of output that is JSON.
    pub(crate) fn events(&self) -> Vec<String> {
        let lines = self.lines();
        let events = lines.iter().filter(|line| line["message_type"] == "event");
        events.map(|event| event["event"].as_str().expect("text").to_owned()).collect()
    }
}

/// What the server does with every request.
#[derive(Clone)]
pub(crate) enum Manner {
    Serve,
    Redirect(String),
    /// Answers 503 to each path the first time.
    Hiccup,
    /// Sends this many bytes whatever is asked for.
    Flood(usize),
}

/// A folder over HTTP, one thread a connection; it ends with the test.
pub(crate) fn serve(root: &Path, manner: Manner) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
    let address = format!("http://{}", listener.local_addr().expect("address"));
    let (root, refused) = (root.to_owned(), Arc::new(Mutex::new(Vec::<String>::new())));
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            let (root, manner, refused) = (root.clone(), manner.clone(), Arc::clone(&refused));
            thread::spawn(move || answer(socket, &root, &manner, &refused));
        }
    });
    address
}

fn answer(mut socket: TcpStream, root: &Path, manner: &Manner, refused: &Mutex<Vec<String>>) {
    let mut got = Vec::new();
    loop {
        while !got.windows(4).any(|w| w == b"\r\n\r\n") {
            let mut chunk = [0; 2_048];
            match socket.read(&mut chunk) {
                Ok(n) if n > 0 => got.extend_from_slice(&chunk[..n]),
                _ => return,
            }
        }
        let text = String::from_utf8_lossy(&got).into_owned();
        got.clear();
        let path = text.split(' ').nth(1).unwrap_or("/").trim_start_matches('/').to_owned();
        let is_first = {
            let mut refused = refused.lock().expect("refused");
            let is_first = !refused.contains(&path);
            refused.push(path.clone());
            is_first
        };
        let reply = match manner {
            Manner::Redirect(to) => {
                format!("HTTP/1.1 302 X\r\nlocation: {to}/{path}\r\ncontent-length: 0\r\n\r\n")
                    .into_bytes()
            }
            Manner::Hiccup if is_first => b"HTTP/1.1 503 X\r\ncontent-length: 0\r\n\r\n".to_vec(),
            Manner::Flood(len) => with_body(200, &vec![b'x'; *len]),
            _ => match fs::read(root.join(&path)) {
                Ok(body) => with_body(200, &body),
                Err(_) => with_body(404, b""),
            },
        };
        if socket.write_all(&reply).is_err() {
            return;
        }
    }
}

fn with_body(status: u16, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

pub(crate) fn hex_of(bytes: &[u8; 32]) -> Hex<32> {
    Hex(*bytes)
}
