//! Making a fleet: every key, every file, in a draft folder that is moved into place when whole.

use super::{
    audit,
    error::DevError,
    keys::{self, Draft, FleetInfo, NodeInfo},
    layout::{APP, FLEET, Layout, Process, State, private_dir, write_private},
    processes::Programs,
};
use serde::{Serialize, de::DeserializeOwned};
use std::{ffi::OsString, fs, path::Path};
use strongroom_manifest::to_canonical_json;
use strongroom_wire::digest::sha256;

/// Fast enough to feel immediate on one machine, slow enough for a busy one.
const TICK_MS: u64 = 30;
/// Soon enough that `dev status` after `dev kill` tells the truth of the gateway, too.
const POLL_MS: u64 = 250;

#[derive(Serialize)]
struct NodeFile {
    node: u8,
    fleet: &'static str,
    manifest: &'static str,
    signatures: &'static str,
    chain: &'static str,
    vault_dir: &'static str,
    data_dir: &'static str,
    peer_listen: String,
    http_listen: String,
    admin_listen: String,
    tick_ms: u64,
    peers: Vec<PeerEntry>,
}

#[derive(Serialize)]
struct PeerEntry {
    node: u8,
    address: String,
}

#[derive(Serialize)]
struct GatewayFile {
    listen: String,
    app: &'static str,
    fleet: &'static str,
    manifest: &'static str,
    pin: String,
    ticket_key_file: &'static str,
    poll_ms: u64,
    bundle_url: String,
    bundle_poll_ms: u64,
    nodes: Vec<GatewayNode>,
    auth: GatewayAuth,
    limits: GatewayLimits,
}

#[derive(Serialize)]
struct GatewayNode {
    node: u8,
    url: String,
}

#[derive(Serialize)]
struct GatewayAuth {
    kind: &'static str,
    users_file: &'static str,
}

#[derive(Serialize)]
struct GatewayLimits {
    per_account_per_minute: u32,
    per_address_per_minute: u32,
}

/// Makes a fleet in the layout's folder, which must be absent or empty.
pub(crate) fn create(layout: &Layout, state: &State, programs: &Programs) -> Result<(), DevError> {
    check_empty(layout.root())?;
    let draft = layout.draft();
    let made = fill(&draft, state, programs).and_then(|()| {
        fs::rename(draft.root(), layout.root()).map_err(|e| DevError::io("make", layout.root(), &e))
    });
    if made.is_err() {
        // Keys of a fleet that never was; the error says what happened.
        let _ = fs::remove_dir_all(draft.root());
    }
    made
}

/// A folder with anything in it is somebody's.
fn check_empty(root: &Path) -> Result<(), DevError> {
    match fs::read_dir(root) {
        Ok(mut entries) => match entries.next() {
            None => Ok(()),
            Some(_) => Err(DevError::usage(format!(
                "{} holds something else than a development fleet",
                root.display()
            ))
            .hint("name another folder with --dir")),
        },
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(e) => Err(DevError::io("read", root, &e)),
    }
}

fn fill(draft: &Layout, state: &State, programs: &Programs) -> Result<(), DevError> {
    private_dir(draft.root())?;
    let nodes: Vec<NodeInfo> =
        state.node_ids().map(|node| make_node(draft, programs, node)).collect::<Result<_, _>>()?;
    let fleet = make_fleet_keys(draft, state, programs)?;
    let custodians = keys::make_custodians(draft)?;
    for node in state.node_ids() {
        let arguments = words(["pin", "--dir"])
            .path(&vault_dir(draft, node))
            .word("--custodians")
            .path(&draft.custodians())
            .word("--namespace")
            .word(keys::NAMESPACE);
        programs.vault(&arguments.0)?;
    }
    let ticket_key = keys::make_key(&draft.path("ticket.key"))?;
    let manifest = Draft {
        custodians: &custodians,
        ticket_key: &ticket_key,
        nodes: &nodes,
        fleet: &fleet,
        waits_divided_by: state.waits_divided_by,
        now_ms: keys::now_ms()?,
    }
    .manifest();
    let bytes = to_canonical_json(&manifest);
    let digest = sha256(&bytes);
    write_private(&draft.manifest(), &bytes)?;
    let signatures = keys::sign_manifest(&digest, &custodians);
    write_private(&draft.signatures(), &keys::to_json(&signatures)?)?;
    write_private(&draft.chain(), b"[]")?;
    audit::make(draft, state, &custodians, keys::now_ms()?)?;
    for node in state.node_ids() {
        let file = draft.files(Process::Node(node)).config;
        write_private(&file, to_toml(&node_file(state, node))?.as_bytes())?;
    }
    configure_gateway(draft, state, &digest)?;
    write_private(&draft.users(), b"")?;
    write_private(&draft.state_file(), &keys::to_json(state)?)
}

/// Tells the gateway which manifest is the fleet's.
pub(crate) fn configure_gateway(
    layout: &Layout,
    state: &State,
    digest: &[u8; 32],
) -> Result<(), DevError> {
    let file = layout.files(Process::Gateway).config;
    write_private(&file, to_toml(&gateway_file(state, digest))?.as_bytes())
}

/// Arguments for a program, paths among them.
pub(crate) struct Words(pub(crate) Vec<OsString>);

pub(crate) fn words<const N: usize>(first: [&str; N]) -> Words {
    Words(first.into_iter().map(OsString::from).collect())
}

impl Words {
    pub(crate) fn word(mut self, word: &str) -> Self {
        self.0.push(word.into());
        self
    }

    pub(crate) fn path(mut self, path: &Path) -> Self {
        self.0.push(path.into());
        self
    }
}

fn vault_dir(draft: &Layout, node: u8) -> std::path::PathBuf {
    draft.node(node).join("vault")
}

fn info_file(draft: &Layout, node: u8) -> std::path::PathBuf {
    draft.node(node).join("node-info.json")
}

fn make_node(draft: &Layout, programs: &Programs, node: u8) -> Result<NodeInfo, DevError> {
    private_dir(&draft.node(node))?;
    let arguments = words(["init", "--dir"])
        .path(&vault_dir(draft, node))
        .word("--node")
        .word(&node.to_string());
    let printed = programs.vault(&arguments.0)?;
    write_private(&info_file(draft, node), printed.trim().as_bytes())?;
    let info: NodeInfo = read_line("init", &printed)?;
    if info.node == node {
        Ok(info)
    } else {
        Err(DevError::failed("strongroom-vault init made another node"))
    }
}

/// Node 1 makes the fleet's secrets; the others get them in sealed boxes.
fn make_fleet_keys(
    draft: &Layout,
    state: &State,
    programs: &Programs,
) -> Result<FleetInfo, DevError> {
    let boxes = draft.path("boxes");
    let mut arguments = words(["fleet-keys", "--dir"])
        .path(&vault_dir(draft, 1))
        .word("--fleet")
        .word(FLEET)
        .word("--out")
        .path(&boxes)
        .word("--node-info");
    for node in state.node_ids() {
        arguments = arguments.path(&info_file(draft, node));
    }
    let info = read_line("fleet-keys", &programs.vault(&arguments.0)?)?;
    for node in state.node_ids().skip(1) {
        let arguments = words(["accept", "--dir"])
            .path(&vault_dir(draft, node))
            .word("--box")
            .path(&boxes.join(format!("box-{node}.bin")))
            .word("--fleet")
            .word(FLEET);
        programs.vault(&arguments.0)?;
    }
    fs::remove_dir_all(&boxes).map_err(|e| DevError::io("remove", &boxes, &e))?;
    Ok(info)
}

fn read_line<T: DeserializeOwned>(command: &str, printed: &str) -> Result<T, DevError> {
    serde_json::from_str(printed.trim()).map_err(|e| {
        DevError::failed(format!("strongroom-vault {command} printed something unexpected: {e}"))
            .hint("the three programs must be of one version")
    })
}

fn node_file(state: &State, node: u8) -> NodeFile {
    let ports = state.ports(node);
    NodeFile {
        node,
        fleet: FLEET,
        manifest: "../manifest.json",
        signatures: "../manifest.sig.json",
        chain: "../manifest.chain.json",
        vault_dir: "vault",
        data_dir: "data",
        peer_listen: loopback(ports.peer),
        http_listen: loopback(ports.http),
        admin_listen: loopback(ports.admin),
        tick_ms: TICK_MS,
        peers: state
            .node_ids()
            .filter(|other| *other != node)
            .map(|other| PeerEntry { node: other, address: loopback(state.ports(other).peer) })
            .collect(),
    }
}

fn gateway_file(state: &State, digest: &[u8; 32]) -> GatewayFile {
    GatewayFile {
        listen: loopback(state.base_port),
        app: APP,
        fleet: FLEET,
        manifest: "manifest.json",
        pin: hex::encode(digest),
        ticket_key_file: "ticket.key",
        poll_ms: POLL_MS,
        bundle_url: format!("{}/{}/bundle", state.auditor_url(), keys::NAMESPACE),
        bundle_poll_ms: POLL_MS,
        nodes: state
            .node_ids()
            .map(|node| GatewayNode { node, url: state.http_url(node) })
            .collect(),
        auth: GatewayAuth { kind: "users", users_file: "users.toml" },
        // Scripts knock faster than people.
        limits: GatewayLimits { per_account_per_minute: 6_000, per_address_per_minute: 60_000 },
    }
}

pub(crate) fn loopback(port: u16) -> String {
    format!("127.0.0.1:{port}")
}

pub(crate) fn to_toml(value: &impl Serialize) -> Result<String, DevError> {
    toml::to_string(value).map_err(|e| DevError::failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_find_each_other_at_the_addresses_they_listen_on() {
        let state = State::new(3, 20_000, 1);
        for node in state.node_ids() {
            let file = node_file(&state, node);
            assert_eq!(file.peers.len(), 2);
            for peer in &file.peers {
                assert_ne!(peer.node, node);
                assert_eq!(peer.address, node_file(&state, peer.node).peer_listen);
            }
        }
        let gateway = gateway_file(&state, &[0; 32]);
        for node in &gateway.nodes {
            let listen = node_file(&state, node.node).http_listen;
            assert_eq!(node.url, format!("http://{listen}"));
        }
    }

    #[test]
    fn configurations_are_toml() {
        let state = State::new(3, 20_000, 1);
        let node = to_toml(&node_file(&state, 2)).expect("toml");
        let node: toml::Table = node.parse().expect("parse");
        assert_eq!(node["peers"].as_array().map(Vec::len), Some(2));
        let gateway = to_toml(&gateway_file(&state, &[0xab; 32])).expect("toml");
        let gateway: toml::Table = gateway.parse().expect("parse");
        assert_eq!(gateway["pin"].as_str(), Some(&*"ab".repeat(32)));
        assert_eq!(gateway["auth"]["kind"].as_str(), Some("users"));
    }

    #[test]
    fn a_folder_that_holds_something_is_left_alone() {
        let dir = tempfile::tempdir().expect("dir");
        check_empty(dir.path()).expect("empty");
        check_empty(&dir.path().join("absent")).expect("absent");
        fs::write(dir.path().join("photo"), "x").expect("write");
        assert_eq!(check_empty(dir.path()).expect_err("full").exit_code, 2);
    }
}
