//! The whole program as its host sees it: one node that is its own fleet.

mod support;

use ed25519_dalek::{Signature, Signer, VerifyingKey};
use std::{
    collections::BTreeMap,
    fs,
    process::{Child, ChildStdin, Command, ExitStatus, Stdio},
    sync::mpsc::{Receiver, channel},
    thread,
    time::{Duration, Instant},
};
use strongroom_shell_software::framing;
use strongroom_wire::{
    Fixed,
    codec::Blob,
    encode,
    process::{Health, PersistOp, ToHost, ToVault, to_host_from_bytes},
    start::{CustodianSignature, SignedPosition, SignedStart, Start},
};
use support::{Site, custodian};

/// A host that keeps what it is given in memory.
struct Host {
    child: Child,
    stdin: Option<ChildStdin>,
    said: Receiver<ToHost>,
    meta: Option<Blob>,
    snapshot: Option<Blob>,
    salts: Option<Blob>,
    entries: BTreeMap<u64, (Blob, Blob)>,
    events: Vec<String>,
}

impl Host {
    fn start(site: &Site) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_strongroom-vault"))
            .args(site.run_words(&site.vault_dir(1), 1, "dev"))
            .env_clear()
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("the program starts");
        let stdin = child.stdin.take();
        let mut stdout = child.stdout.take().expect("a pipe");
        let (sender, said) = channel();
        thread::spawn(move || {
            while let Ok(Some(bytes)) = framing::read(&mut stdout) {
                let message = to_host_from_bytes(&bytes).expect("a message");
                if sender.send(message).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            stdin,
            said,
            meta: None,
            snapshot: None,
            salts: None,
            entries: BTreeMap::new(),
            events: Vec::new(),
        }
    }

    fn say(&mut self, message: &ToVault) {
        let pipe = self.stdin.as_mut().expect("open");
        framing::write(pipe, &encode(message)).expect("the vault reads");
    }

    fn keep(&mut self, op: PersistOp) {
        match op {
            PersistOp::Meta { bytes } => self.meta = Some(bytes),
            PersistOp::Snapshot { bytes } => self.snapshot = Some(bytes),
            PersistOp::Salts { bytes } => self.salts = Some(bytes),
            PersistOp::Entry { index, entry, salt } => {
                self.entries.insert(index, (entry, salt));
            }
            PersistOp::EntrySalt { index, salt } => {
                if let Some(entry) = self.entries.get_mut(&index) {
                    entry.1 = salt;
                }
            }
            PersistOp::TruncateFrom { index } => {
                self.entries.split_off(&index);
            }
            PersistOp::CompactBefore { index } => self.entries = self.entries.split_off(&index),
            PersistOp::Clear {} => {
                self.entries.clear();
                (self.meta, self.snapshot, self.salts) = (None, None, None);
            }
        }
    }

    /// Does a host's work until the vault says something that is looked for.
    fn until<T>(&mut self, what: &str, pick: impl Fn(&ToHost) -> Option<T>) -> T {
        let patience = Instant::now() + Duration::from_secs(20);
        loop {
            let left = patience.saturating_duration_since(Instant::now());
            let message = self.said.recv_timeout(left);
            let message = message.unwrap_or_else(|e| panic!("no {what}: {e}; {:?}", self.events));
            let found = pick(&message);
            match message {
                ToHost::Persist { number, ops } => {
                    ops.into_iter().for_each(|op| self.keep(op));
                    self.say(&ToVault::Persisted { number });
                }
                ToHost::Event { text } => self.events.push(text),
                _ => {}
            }
            if let Some(found) = found {
                return found;
            }
        }
    }

    fn health(&mut self, what: &str, is: impl Fn(&Health) -> bool) -> Health {
        self.until(what, |message| match message {
            ToHost::Health { health } if is(health) => Some(health.clone()),
            _ => None,
        })
    }

    fn position(&mut self) -> SignedPosition {
        self.say(&ToVault::Position {});
        let bytes = self.until("position", |message| match message {
            ToHost::Position { bytes } => Some(bytes.0.clone()),
            _ => None,
        });
        SignedPosition::from_bytes(&bytes).expect("a position")
    }

    fn start_era(&mut self, era: u64, position: SignedPosition, signers: &[u8]) {
        let start = Start { fleet: "dev".to_owned(), era, positions: vec![position] };
        let statement = start.statement();
        let sign = |number: &u8| CustodianSignature {
            custodian: Fixed(custodian(*number).verifying_key().to_bytes()),
            signature: Fixed(custodian(*number).sign(&statement).to_bytes()),
        };
        let signatures = signers.iter().map(sign).collect();
        let bytes = Blob(encode(&SignedStart { start, signatures }));
        self.say(&ToVault::Start { bytes });
    }

    /// Closes the vault's input and waits for its end.
    fn close(mut self) -> ExitStatus {
        drop(self.stdin.take());
        let patience = Instant::now() + Duration::from_secs(5);
        loop {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return status;
            }
            assert!(Instant::now() < patience, "the vault does not end with its input");
            thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn one_node() -> Site {
    let site = Site::new(1);
    site.publish(&site.manifest(), &[201, 202]);
    site
}

#[test]
fn a_fleet_of_one_starts_by_its_custodians_and_ends_with_its_host() {
    let site = one_node();
    let mut host = Host::start(&site);
    host.say(&ToVault::LoadEnd {});
    host.health("joining", |health| !health.ready && health.era == 0);
    let position = host.position();
    let key = VerifyingKey::from_bytes(&site.nodes[0].identity_key.0).expect("key");
    let signature = Signature::from_bytes(&position.signature.0);
    key.verify_strict(&position.position.statement(), &signature).expect("the node's signature");

    host.start_era(1, position.clone(), &[201]);
    host.until("refusal", |m| matches!(m, ToHost::Refused { .. }).then_some(()));
    host.start_era(1, position, &[201, 203]);
    let health = host.health("ready", |health| health.ready);
    assert_eq!((health.era, health.role.as_str()), (1, "leader"));
    assert!(!host.entries.is_empty() || host.snapshot.is_some());
    assert_eq!(host.close().code(), Some(0));
}

#[test]
fn a_new_process_reads_what_the_last_one_kept_and_waits_for_custodians() {
    let site = one_node();
    let mut host = Host::start(&site);
    host.say(&ToVault::LoadEnd {});
    let first = host.position();
    host.start_era(1, first.clone(), &[201, 202]);
    host.health("ready", |health| health.ready);
    let (meta, snapshot, salts) = (host.meta.clone(), host.snapshot.clone(), host.salts.clone());
    let entries = host.entries.clone();
    drop(host);

    let mut host = Host::start(&site);
    (host.meta, host.snapshot, host.salts) = (meta.clone(), snapshot.clone(), salts.clone());
    host.entries = entries.clone();
    let blobs = [
        meta.map(|bytes| ToVault::LoadMeta { bytes }),
        snapshot.map(|bytes| ToVault::LoadSnapshot { bytes }),
        salts.map(|bytes| ToVault::LoadSalts { bytes }),
    ];
    blobs.iter().flatten().for_each(|message| host.say(message));
    for (index, (entry, salt)) in entries {
        host.say(&ToVault::LoadEntry { index, entry, salt });
    }
    host.say(&ToVault::LoadEnd {});
    // A majority restarted at once: the fleet stays closed.
    host.health("not ready", |health| !health.ready);
    let position = host.position();
    assert_ne!(position.position.incarnation, first.position.incarnation);
    assert_eq!(position.position.era, 1);
    host.start_era(2, position, &[202, 203]);
    assert_eq!(host.health("ready", |health| health.ready).era, 2);
    assert_eq!(host.close().code(), Some(0));
}

#[test]
fn a_running_vault_has_closed_its_sandbox() {
    let site = one_node();
    let mut host = Host::start(&site);
    host.say(&ToVault::LoadEnd {});
    host.health("alive", |_| true);
    let proc = format!("/proc/{}", host.child.id());
    let status = fs::read_to_string(format!("{proc}/status")).expect("status");
    let limits = fs::read_to_string(format!("{proc}/limits")).expect("limits");
    let has = |text: &str, name: &str, value: &str| {
        let line = text.lines().find(|line| line.starts_with(name)).unwrap_or_default();
        line.split_whitespace().any(|word| word == value)
    };
    let missing = |measure: &str| host.events.iter().any(|event| event.contains(measure));
    // A measure holds, or an event says that it does not.
    assert!(has(&status, "NoNewPrivs:", "1") || missing("no new privileges"), "{status}");
    assert!(has(&status, "Seccomp:", "2") || missing("no sockets"), "{status}");
    assert!(has(&limits, "Max core file size", "0") || missing("no core dumps"), "{limits}");
}

#[test]
fn what_no_host_sends_ends_the_vault() {
    let site = one_node();
    let mut host = Host::start(&site);
    let pipe = host.stdin.as_mut().expect("open");
    framing::write(pipe, b"noise").expect("write");
    assert_eq!(host.close().code(), Some(1));
}

#[test]
fn a_second_process_of_a_node_is_refused_until_the_first_is_gone() {
    let site = one_node();
    let mut host = Host::start(&site);
    host.say(&ToVault::LoadEnd {});
    host.health("alive", |_| true);
    let words = site.run_words(&site.vault_dir(1), 1, "dev");
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (code, said) = support::bad(&words);
    assert_eq!(code, 1);
    assert!(said.contains("another vault process uses"), "{said}");
    host.health("the first goes on", |_| true);
    // Killed without a chance to tidy up: the next one starts at once.
    drop(host);
    let mut host = Host::start(&site);
    host.say(&ToVault::LoadEnd {});
    host.health("alive", |_| true);
}
