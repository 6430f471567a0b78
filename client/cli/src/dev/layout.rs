//! The folder of a development fleet: where everything lies, and what the fleet is.
//!
//! ```text
//! strongroom-dev/
//! ├ dev.json                   what this fleet is; its presence says that the folder is whole
//! ├ manifest.json, manifest.sig.json, manifest.chain.json
//! ├ next/                      the manifest that `rotate` is bringing in, while it does
//! ├ custodians.json, custodians/N.key
//! ├ trust.json                 what clients pin: custodians, auditor, operator, log, witnesses
//! ├ operator.key
//! ├ auditor/auditor.toml, policy.txt, log.key, statement.key, auditor.log, auditor.pid, data/, events/
//! ├ deployments/EPOCH/ceremony.txt, event.json, bundle, recorded
//! ├ starts/ERA.json            starts that are not recorded in the event log yet
//! ├ witness-N/witness.toml, witness.key, witness.log, witness.pid, data/
//! ├ gateway.toml, users.toml, ticket.key, gateway.log, gateway.pid
//! ├ node-N/node.toml, node.log, node.pid, vault/, data/
//! └ users/NAME/profile.toml, token
//! ```
//!
//! Files name each other by relative paths, so that the folder can be made under another name and
//! then moved into place.

use super::error::DevError;
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, TryLockError},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
    net::{Ipv4Addr, TcpListener},
    ops::Range,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// The fleet's and the app's name: a development folder holds one of each.
pub(crate) const FLEET: &str = "dev";
pub(crate) const APP: &str = "dev";
const STATE_VERSION: u32 = 3;
const STATE_LEN_MAX: u64 = 64 * 1_024;

/// A command that another one waits for takes seconds; one that takes longer is told of.
const HELD_PATIENCE: Duration = Duration::from_secs(60);
const HELD_PAUSE: Duration = Duration::from_millis(50);

/// Below the ports that Linux gives to outgoing connections.
const PORTS: Range<u16> = 10_000..32_000;
const PORTS_STEP: u16 = 200;
const PORTS_PER_NODE: u16 = 3;
/// Independent witnesses, as far as one machine can have them.
pub(crate) const WITNESSES: u8 = 3;

/// What a development fleet is, kept in `dev.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct State {
    version: u32,
    /// Nodes 1 to this.
    pub(crate) nodes: u8,
    /// The gateway's port; three a node follow, then the auditor's two and one a witness.
    pub(crate) base_port: u16,
    /// By how much the manifest's waits are shortened.
    pub(crate) waits_divided_by: u64,
}

/// The ports of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NodePorts {
    pub(crate) peer: u16,
    pub(crate) http: u16,
    pub(crate) admin: u16,
}

impl State {
    pub(crate) fn new(nodes: u8, base_port: u16, waits_divided_by: u64) -> Self {
        Self { version: STATE_VERSION, nodes, base_port, waits_divided_by }
    }

    pub(crate) fn node_ids(&self) -> impl Iterator<Item = u8> + use<> {
        1..=self.nodes
    }

    pub(crate) fn majority(&self) -> usize {
        usize::from(self.nodes) / 2 + 1
    }

    pub(crate) fn ports(&self, node: u8) -> NodePorts {
        let first = self
            .base_port
            .saturating_add(1)
            .saturating_add(u16::from(node.saturating_sub(1)) * PORTS_PER_NODE);
        NodePorts { peer: first, http: first.saturating_add(1), admin: first.saturating_add(2) }
    }

    /// The auditor's: for everybody, and for the operator who publishes.
    pub(crate) fn auditor_ports(&self) -> (u16, u16) {
        let first = self.base_port.saturating_add(1 + u16::from(self.nodes) * PORTS_PER_NODE);
        (first, first.saturating_add(1))
    }

    pub(crate) fn witness_port(&self, witness: u8) -> u16 {
        self.auditor_ports().1.saturating_add(u16::from(witness))
    }

    pub(crate) fn auditor_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.auditor_ports().0)
    }

    pub(crate) fn publish_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.auditor_ports().1)
    }

    pub(crate) fn witness_url(&self, witness: u8) -> String {
        format!("http://127.0.0.1:{}", self.witness_port(witness))
    }

    /// Everybody who runs beside the nodes.
    pub(crate) fn audit_processes(&self) -> impl Iterator<Item = Process> + use<> {
        (1..=WITNESSES).map(Process::Witness).chain([Process::Auditor])
    }

    pub(crate) fn gateway_url(&self) -> String {
        format!("http://127.0.0.1:{}", self.base_port)
    }

    pub(crate) fn http_url(&self, node: u8) -> String {
        format!("http://127.0.0.1:{}", self.ports(node).http)
    }

    pub(crate) fn admin_url(&self, node: u8) -> String {
        format!("http://127.0.0.1:{}", self.ports(node).admin)
    }
}

/// The folder.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    root: PathBuf,
}

impl Layout {
    pub(crate) fn new(root: &Path) -> Result<Self, DevError> {
        std::path::absolute(root)
            .map(|root| Self { root })
            .map_err(|e| DevError::io("find", root, &e))
    }

    /// A folder beside this one in which a fleet is made before it is moved here.
    pub(crate) fn draft(&self) -> Self {
        let mut name = self.root.file_name().unwrap_or_default().to_owned();
        name.push(format!(".draft-{}", std::process::id()));
        Self { root: self.root.with_file_name(name) }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn state_file(&self) -> PathBuf {
        self.path("dev.json")
    }

    pub(crate) fn manifest(&self) -> PathBuf {
        self.path("manifest.json")
    }

    pub(crate) fn signatures(&self) -> PathBuf {
        self.path("manifest.sig.json")
    }

    /// The changes of custodians since the first manifest.
    pub(crate) fn chain(&self) -> PathBuf {
        self.path("manifest.chain.json")
    }

    pub(crate) fn trust(&self) -> PathBuf {
        self.path("trust.json")
    }

    pub(crate) fn operator_key(&self) -> PathBuf {
        self.path("operator.key")
    }

    /// Where files lie before they take the place of others.
    pub(crate) fn next(&self) -> Self {
        Self { root: self.path("next") }
    }

    pub(crate) fn auditor(&self) -> PathBuf {
        self.path("auditor")
    }

    pub(crate) fn witness(&self, witness: u8) -> PathBuf {
        self.path(&format!("witness-{witness}"))
    }

    pub(crate) fn custodians(&self) -> PathBuf {
        self.path("custodians.json")
    }

    pub(crate) fn custodian_key(&self, custodian: u8) -> PathBuf {
        self.path(&format!("custodians/{custodian}.key"))
    }

    pub(crate) fn users(&self) -> PathBuf {
        self.path("users.toml")
    }

    pub(crate) fn user(&self, name: &str) -> PathBuf {
        self.root.join("users").join(name)
    }

    pub(crate) fn node(&self, node: u8) -> PathBuf {
        self.path(&format!("node-{node}"))
    }

    /// The process' configuration, log and pid file.
    pub(crate) fn files(&self, process: Process) -> ProcessFiles {
        let (dir, stem) = match process {
            Process::Gateway => (self.root.clone(), "gateway"),
            Process::Auditor => (self.auditor(), "auditor"),
            Process::Witness(witness) => (self.witness(witness), "witness"),
            Process::Node(node) => (self.node(node), "node"),
        };
        ProcessFiles {
            config: dir.join(format!("{stem}.toml")),
            log: dir.join(format!("{stem}.log")),
            pid: dir.join(format!("{stem}.pid")),
        }
    }

    /// Keeps other commands from changing the fleet until it is dropped. The file lies beside the folder,
    /// which may not be there yet; where nothing is there at all, nobody else works either.
    pub(crate) fn hold(&self) -> Result<Option<File>, DevError> {
        let mut name = self.root.file_name().unwrap_or_default().to_owned();
        name.push(".lock");
        let path = self.root.with_file_name(name);
        if !path.parent().is_some_and(Path::exists) {
            return Ok(None);
        }
        let opened = File::options().create(true).truncate(false).write(true).open(&path);
        let file = opened.map_err(|e| DevError::io("open", &path, &e))?;
        let end = Instant::now() + HELD_PATIENCE;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Some(file)),
                Err(TryLockError::WouldBlock) if Instant::now() < end => thread::sleep(HELD_PAUSE),
                Err(TryLockError::WouldBlock) => {
                    let what = format!("another command works on {}", self.root.display());
                    return Err(DevError::failed(what).hint("run it again when that has ended"));
                }
                Err(TryLockError::Error(e)) => return Err(DevError::io("lock", &path, &e)),
            }
        }
    }

    /// The fleet in this folder.
    pub(crate) fn load(&self) -> Result<State, DevError> {
        let path = self.state_file();
        let none = || {
            DevError::usage(format!("{} holds no development fleet", self.root.display()))
                .hint("start one with `strongroom dev up`, or name its folder with --dir")
        };
        let len = fs::metadata(&path).map_err(|_| none())?.len();
        if len > STATE_LEN_MAX {
            return Err(DevError::failed(format!("{}: too long", path.display())));
        }
        let text = fs::read(&path).map_err(|e| DevError::io("read", &path, &e))?;
        let state: State = serde_json::from_slice(&text)
            .map_err(|e| DevError::failed(format!("{}: {e}", path.display())))?;
        if state.version != STATE_VERSION || state.nodes == 0 {
            let what = "made by another version of strongroom; remove the folder and start anew";
            return Err(DevError::failed(format!("{}: {what}", path.display())));
        }
        Ok(state)
    }
}

/// One process of a fleet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Process {
    /// The gateway.
    Gateway,
    /// A node's host; its vault is its child.
    Node(u8),
    /// The auditor of the fleet's manifests.
    Auditor,
    /// A witness of the auditor's log.
    Witness(u8),
}

impl Process {
    /// What `strongroomd` calls it.
    pub(crate) const fn role(self) -> &'static str {
        match self {
            Self::Gateway => "gateway",
            Self::Node(_) => "node",
            Self::Auditor => "auditor",
            Self::Witness(_) => "witness",
        }
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Gateway | Self::Auditor => f.write_str(self.role()),
            Self::Node(number) | Self::Witness(number) => {
                write!(f, "{} {number}", self.role())
            }
        }
    }
}

/// Where a process' files are.
#[derive(Debug, Clone)]
pub(crate) struct ProcessFiles {
    pub(crate) config: PathBuf,
    pub(crate) log: PathBuf,
    pub(crate) pid: PathBuf,
}

/// Writes a file that only its owner reads, whole or not at all.
pub(crate) fn write_private(path: &Path, content: &[u8]) -> Result<(), DevError> {
    let fail = |e: std::io::Error| DevError::io("write", path, &e);
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let draft = path.with_file_name(name);
    // A draft that a crash left behind may have another mode.
    let _ = fs::remove_file(&draft);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .map_err(fail)?;
    file.write_all(content).map_err(fail)?;
    fs::rename(&draft, path).map_err(fail)
}

/// Makes a folder that only its owner enters.
pub(crate) fn private_dir(path: &Path) -> Result<(), DevError> {
    use std::os::unix::fs::DirBuilderExt as _;
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path)
        .map_err(|e| DevError::io("make the folder", path, &e))
}

/// The ports that a fleet needs from a base on.
fn ports_needed(nodes: u8) -> u16 {
    1 + u16::from(nodes) * PORTS_PER_NODE + 2 + u16::from(WITNESSES)
}

/// A base from which all ports are free now. Folders begin their search at different places, so
/// that two fleets that start at once do not meet.
pub(crate) fn free_base_port(nodes: u8, folder: &Path) -> Result<u16, DevError> {
    let steps = (PORTS.end - PORTS.start) / PORTS_STEP;
    let mut hasher = DefaultHasher::new();
    folder.hash(&mut hasher);
    let offset = u16::try_from(hasher.finish() % u64::from(steps)).unwrap_or(0);
    (0..steps)
        .map(|step| PORTS.start + ((offset + step) % steps) * PORTS_STEP)
        .find(|base| check_base_port(*base, nodes).is_ok())
        .ok_or_else(|| DevError::failed("no free range of ports on 127.0.0.1"))
}

/// Checks that a fleet's ports are free now.
pub(crate) fn check_base_port(base: u16, nodes: u8) -> Result<(), DevError> {
    let end = base
        .checked_add(ports_needed(nodes))
        .filter(|_| base >= 1_024)
        .ok_or_else(|| DevError::usage(format!("--base-port {base}: expected 1024 to 65000")))?;
    match (base..end).find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_err()) {
        None => Ok(()),
        Some(port) => Err(DevError::failed(format!("port {port} on 127.0.0.1 is in use"))
            .hint("choose another range with --base-port")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_command_works_on_a_fleet_at_a_time() {
        let dir = tempfile::tempdir().expect("dir");
        let layout = Layout::new(&dir.path().join("fleet")).expect("layout");
        let held = layout.hold().expect("held").expect("a file");
        let again = File::options().write(true).open(dir.path().join("fleet.lock")).expect("opens");
        assert!(matches!(again.try_lock(), Err(TryLockError::WouldBlock)));
        drop(held);
        again.try_lock().expect("free");
        // Where nothing is, nobody is in the way.
        let nowhere = Layout::new(&dir.path().join("no/such/fleet")).expect("layout");
        assert!(nowhere.hold().expect("nobody").is_none());
        assert!(!dir.path().join("no").exists());
    }
    use std::collections::BTreeSet;

    #[test]
    fn no_two_listeners_of_a_fleet_share_a_port() {
        let state = State::new(62, 20_000, 1);
        let mut seen = BTreeSet::from([20_000]);
        for node in state.node_ids() {
            let ports = state.ports(node);
            for port in [ports.peer, ports.http, ports.admin] {
                assert!(seen.insert(port), "{port}");
            }
        }
        let (auditor, publish) = state.auditor_ports();
        let witnesses = (1..=WITNESSES).map(|witness| state.witness_port(witness));
        for port in witnesses.chain([auditor, publish]) {
            assert!(seen.insert(port), "{port}");
        }
        assert_eq!(seen.last(), Some(&(20_000 + ports_needed(62) - 1)));
        assert!(ports_needed(62) <= PORTS_STEP);
    }

    #[test]
    fn a_taken_port_is_found_before_anything_starts() {
        let base = free_base_port(3, Path::new("/x")).expect("free");
        check_base_port(base, 3).expect("free");
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, base + 5)).expect("bind");
        assert!(check_base_port(base, 3).is_err());
        assert_ne!(free_base_port(3, Path::new("/x")).expect("another"), base);
        drop(taken);
        assert!(check_base_port(80, 3).is_err() && check_base_port(65_530, 7).is_err());
    }

    #[test]
    fn a_folder_without_a_fleet_says_how_to_start_one() {
        let dir = tempfile::tempdir().expect("dir");
        let layout = Layout::new(dir.path()).expect("layout");
        let error = layout.load().expect_err("none");
        assert_eq!(error.exit_code, 2);
        assert!(error.hint.is_some_and(|hint| hint.contains("dev up")));
        let state = State::new(7, 20_000, 3_600);
        let text = serde_json::to_vec(&state).expect("json");
        write_private(&layout.state_file(), &text).expect("write");
        assert_eq!(layout.load().expect("load"), state);
    }

    #[test]
    fn secrets_are_written_for_their_owner_alone() {
        use std::os::unix::fs::PermissionsExt as _;
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("key");
        fs::write(&path, "old").expect("write");
        write_private(&path, b"new").expect("write");
        let mode = fs::metadata(&path).expect("metadata").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read(&path).expect("read"), b"new");
    }
}
