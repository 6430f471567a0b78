//! Starting an era: positions, the custodians' statement, and the vaults that follow it.
//!
//! Genesis and cold start are one ceremony. In production people with keys in their pockets make
//! it, in public; here the keys lie in the folder, and the command says so each time.

use super::{
    error::DevError,
    http, keys,
    layout::{FLEET, Layout, Process, State},
    processes::{self, Programs},
    records,
    status::{self, Census, NodeView, Standing},
};
use crate::voice::Voice;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::json;
use std::{
    fs, thread,
    time::{Duration, Instant},
};
use strongroom_manifest::{Fleet, Manifest};
use strongroom_wire::start::{SignedPosition, Start};

const ADMIN_PATIENCE: Duration = Duration::from_secs(15);
const BOOT_PATIENCE: Duration = Duration::from_secs(20);
const READY_PATIENCE: Duration = Duration::from_secs(30);
const PAUSE: Duration = Duration::from_millis(100);
const DAY_MS: u64 = 24 * 3_600_000;

/// Waits until the vault of each running node has said something. The `expected` must run.
pub(crate) fn wait_for_vaults(
    layout: &Layout,
    state: &State,
    expected: &[u8],
) -> Result<Vec<NodeView>, DevError> {
    let end = Instant::now() + BOOT_PATIENCE;
    loop {
        let views = status::look_at_all(layout, state);
        check_alive(layout, &views, expected)?;
        let silent = |view: &&NodeView| view.runs() && view.vault().is_none();
        let Some(silent) = views.iter().find(silent) else {
            return Ok(views);
        };
        if Instant::now() >= end {
            let log = layout.files(Process::Node(silent.node)).log;
            return Err(DevError::failed(format!(
                "node {}: no word from its vault in {} s ({})",
                silent.node,
                BOOT_PATIENCE.as_secs(),
                silent.vault_last_end().unwrap_or("it may still be loading")
            ))
            .hint(format!("see {}", log.display())));
        }
        thread::sleep(PAUSE);
    }
}

fn check_alive(layout: &Layout, views: &[NodeView], expected: &[u8]) -> Result<(), DevError> {
    let dead = |view: &&NodeView| expected.contains(&view.node) && !view.runs();
    match views.iter().find(dead) {
        None => Ok(()),
        Some(dead) => Err(died(layout, Process::Node(dead.node))),
    }
}

/// A process that ended by itself, with the end of its log.
pub(crate) fn died(layout: &Layout, process: Process) -> DevError {
    let log = layout.files(process).log;
    DevError::failed(format!("{process} ended:\n{}", processes::log_tail(&log)))
        .hint(format!("the whole log is {}", log.display()))
}

/// Why a fleet is started anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Why {
    /// It was stopped to go on under another manifest.
    NewManifest,
    /// Too few of its nodes were left.
    Outage,
}

/// Starts an era if the fleet cannot go on by itself and custodians can help.
///
/// Returns whether it did.
pub(crate) fn start_if_needed(
    layout: &Layout,
    state: &State,
    programs: &Programs,
    expected: &[u8],
    why: Why,
    voice: Voice,
) -> Result<bool, DevError> {
    let views = wait_for_vaults(layout, state, expected)?;
    match Census::of(state, &views).standing() {
        Standing::Quorum | Standing::TooFew => Ok(false),
        Standing::NeedsStart => {
            hold(layout, state, programs, &views, why, voice)?;
            Ok(true)
        }
    }
}

/// Holds the ceremony with the custodians of the folder.
fn hold(
    layout: &Layout,
    state: &State,
    programs: &Programs,
    views: &[NodeView],
    why: Why,
    voice: Voice,
) -> Result<(), DevError> {
    let running: Vec<u8> = views.iter().filter(|v| v.runs()).map(|v| v.node).collect();
    let mut given = Vec::new();
    for (node, result) in at_once(&running, |node| ask_position(state, node)) {
        match result {
            Ok(bytes) => given.push((node, bytes)),
            Err(why) => say_missing(node, &why, voice),
        }
    }
    let start = sign(layout, state, &given, |node, why| say_missing(node, why, voice))?;
    let (era, named, bytes) = (start.era, &start.nodes, &start.bytes);
    let manifest = manifest(layout)?;
    say_what_it_is(&manifest, era, named, why, voice);
    let mut followers = 0;
    let mut refusals = Vec::new();
    for (node, result) in at_once(named, |node| send_start(state, node, bytes)) {
        match result {
            Ok(()) => followers += 1,
            Err(why) => refusals.push(format!("node {node}: {why}")),
        }
    }
    if followers < state.majority() {
        return Err(DevError::no_quorum(format!(
            "{followers} nodes follow the start statement of era {era}, {} are needed ({})",
            state.majority(),
            refusals.join("; ")
        )));
    }
    records::keep_start(layout, manifest.epoch, &start, why)?;
    for refusal in refusals {
        super::tell(voice, &refusal);
    }
    // Asked for a position and not named: frozen, and of no use until it begins anew and joins.
    for node in running.iter().filter(|node| !named.contains(node)) {
        let files = layout.files(Process::Node(*node));
        processes::kill(&files)?;
        programs.start(Process::Node(*node), &files)?;
    }
    Ok(())
}

/// What the custodians signed.
pub(crate) struct Signed {
    pub(crate) era: u64,
    /// The nodes that go on.
    pub(crate) nodes: Vec<u8>,
    /// The signed statement, as vaults take it.
    pub(crate) bytes: Vec<u8>,
}

/// Has the folder's custodians sign a start over the positions that nodes gave. Those that no node
/// signed are `refused` and left out.
pub(crate) fn sign(
    layout: &Layout,
    state: &State,
    given: &[(u8, Vec<u8>)],
    refused: impl Fn(u8, &str),
) -> Result<Signed, DevError> {
    let manifest = manifest(layout)?;
    let fleet =
        manifest.fleet(FLEET).ok_or_else(|| DevError::failed("the manifest lists no fleet dev"))?;
    let mut good = Vec::new();
    for (node, bytes) in given {
        match check_position(fleet, *node, bytes) {
            Ok(position) => good.push(position),
            Err(why) => refused(*node, &why),
        }
    }
    let start = statement(good, state.majority())?;
    let (era, nodes) = (start.era, nodes_of(&start));
    let signed = keys::sign_start(start, &keys::load_custodians(layout)?);
    Ok(Signed { era, nodes, bytes: strongroom_wire::encode(&signed) })
}

fn say_missing(node: u8, why: &str, voice: Voice) {
    voice.result(
        "position_missing",
        &format!("node {node} gave no position: {why}"),
        json!({"node": node, "reason": why}),
    );
}

fn say_what_it_is(manifest: &Manifest, era: u64, named: &[u8], why: Why, voice: Voice) {
    if era == 1 {
        voice.result(
            "genesis",
            "genesis: the dev custodians sign the first start statement",
            json!({"era": era, "nodes": named}),
        );
        return;
    }
    let cause = match why {
        Why::NewManifest => "the fleet goes on under its next manifest",
        Why::Outage => "too few voting nodes were left to readmit the others",
    };
    let policy = &manifest.policy;
    let debit = policy.attempts_within(DAY_MS);
    voice.result(
        "cold_start",
        &format!(
            "COLD START, era {era}: {cause}, so two dev \
             custodians sign a start statement over the positions of nodes {named:?}; the highest \
             log of them goes on\n  kept: whatever a device was told is stored\n  cost: {debit} of \
             the {} failures that every account has in a year, because nobody can prove what a \
             majority that was down together did not count\n  in production people meet for this, \
             and everybody sees it in the public event log",
            policy.year
        ),
        json!({"era": era, "nodes": named, "debit": debit, "year": policy.year}),
    );
}

fn nodes_of(start: &Start) -> Vec<u8> {
    start.positions.iter().map(|p| p.position.node).collect()
}

/// What custodians would sign: all positions of a log that goes on, or of no log at all.
fn statement(mut given: Vec<SignedPosition>, majority: usize) -> Result<Start, DevError> {
    let has_log = |signed: &SignedPosition| signed.position.last_index > 0;
    // A node that lost its disk has nothing to go on from; it joins later.
    if given.iter().any(has_log) {
        given.retain(has_log);
    }
    given.sort_by_key(|signed| signed.position.node);
    if given.len() < majority {
        return Err(DevError::no_quorum(format!(
            "{} nodes gave a position to go on from, {majority} are needed",
            given.len()
        ))
        .hint("start more nodes: `strongroom dev start N…`"));
    }
    let newest = given.iter().map(|signed| signed.position.era).max();
    let era = newest
        .unwrap_or(0)
        .checked_add(1)
        .ok_or_else(|| DevError::failed("a position of an impossible era"))?;
    Ok(Start { fleet: FLEET.to_owned(), era, positions: given })
}

/// Custodians sign for what nodes signed, not for what a host says.
fn check_position(fleet: &Fleet, node: u8, bytes: &[u8]) -> Result<SignedPosition, String> {
    let signed = SignedPosition::from_bytes(bytes).map_err(|e| e.to_string())?;
    let position = &signed.position;
    if position.fleet != FLEET || position.node != node {
        return Err("a position of another fleet or node".to_owned());
    }
    let listed = fleet.node(node).ok_or("the manifest does not list it")?;
    let key = VerifyingKey::from_bytes(&listed.identity_key.0).map_err(|e| e.to_string())?;
    key.verify_strict(&position.statement(), &Signature::from_bytes(&signed.signature.0))
        .map_err(|_| "the position is not signed by the node".to_owned())?;
    Ok(signed)
}

fn manifest(layout: &Layout) -> Result<Manifest, DevError> {
    let path = layout.manifest();
    let bytes = fs::read(&path).map_err(|e| DevError::io("read", &path, &e))?;
    strongroom_manifest::parse(&bytes)
        .map_err(|e| DevError::failed(format!("{}: {e}", path.display())))
}

/// Does the same at several nodes at once.
fn at_once<T: Send>(
    nodes: &[u8],
    each: impl Fn(u8) -> Result<T, String> + Sync,
) -> Vec<(u8, Result<T, String>)> {
    thread::scope(|scope| {
        let each = &each;
        let under_way: Vec<_> =
            nodes.iter().map(|node| (*node, scope.spawn(move || each(*node)))).collect();
        under_way
            .into_iter()
            .map(|(node, thread)| {
                let died = Err("the command failed".to_owned());
                (node, thread.join().unwrap_or(died))
            })
            .collect()
    })
}

fn ask_position(state: &State, node: u8) -> Result<Vec<u8>, String> {
    let url = format!("{}/v1/position", state.admin_url(node));
    let reply = http::post(&url, &[], ADMIN_PATIENCE)?;
    if reply.status == 200 { Ok(reply.body) } else { Err(reply.reason()) }
}

fn send_start(state: &State, node: u8, bytes: &[u8]) -> Result<(), String> {
    let url = format!("{}/v1/start", state.admin_url(node));
    let reply = http::post(&url, bytes, ADMIN_PATIENCE)?;
    if reply.status == 204 { Ok(()) } else { Err(reply.reason()) }
}

/// Waits until every running node and the gateway could serve an attempt.
pub(crate) fn wait_until_ready(
    layout: &Layout,
    state: &State,
    expected: &[u8],
) -> Result<(), DevError> {
    let end = Instant::now() + READY_PATIENCE;
    loop {
        let views = status::look_at_all(layout, state);
        check_alive(layout, &views, expected)?;
        let running = views.iter().filter(|view| view.runs());
        let late: Vec<u8> = running.filter(|view| !view.is_ready()).map(|view| view.node).collect();
        let gateway = layout.files(Process::Gateway);
        let Some(_) = processes::running(&gateway) else {
            return Err(died(layout, Process::Gateway));
        };
        let readyz = format!("{}/readyz", state.gateway_url());
        let gateway_ready = http::get(&readyz, PAUSE * 10).is_some_and(|r| r.status == 200);
        if late.is_empty() && gateway_ready {
            return Ok(());
        }
        if Instant::now() >= end {
            let what = if late.is_empty() {
                "the gateway is not ready".to_owned()
            } else {
                format!("nodes {late:?} are not ready")
            };
            let seconds = READY_PATIENCE.as_secs();
            return Err(DevError::partly(format!("{what} after {seconds} s"))
                .hint("`strongroom dev status` shows more; logs lie beside each node's files"));
        }
        thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ed25519_dalek::{Signer as _, SigningKey};
    use strongroom_wire::{Fixed, start::Position};

    fn key(node: u8) -> SigningKey {
        SigningKey::from_bytes(&[node; 32])
    }

    fn position(node: u8, era: u64, last_index: u64) -> SignedPosition {
        let position = Position {
            fleet: FLEET.to_owned(),
            node,
            incarnation: (u64::from(node) << 56) | 7,
            era,
            hard_term: 3,
            last_term: 3,
            last_index,
            chain_hash: Fixed([1; 32]),
        };
        let signature = Fixed(key(node).sign(&position.statement()).to_bytes());
        SignedPosition { position, signature }
    }

    #[test]
    fn without_any_log_the_first_era_starts_everywhere() {
        let given = [3, 1, 2].map(|node| position(node, 0, 0)).to_vec();
        let start = statement(given, 2).expect("statement");
        assert_eq!((start.era, nodes_of(&start)), (1, vec![1, 2, 3]));
    }

    #[test]
    fn a_cold_start_goes_one_era_above_the_newest_and_leaves_lost_disks_out() {
        let given =
            vec![position(4, 2, 9), position(1, 0, 0), position(2, 3, 7), position(3, 3, 7)];
        let start = statement(given.clone(), 3).expect("statement");
        assert_eq!((start.era, nodes_of(&start)), (4, vec![2, 3, 4]));
        let error = statement(given, 4).expect_err("too few");
        assert_eq!(error.exit_code, 14);
    }

    #[test]
    fn custodians_sign_only_for_positions_that_their_node_signed() {
        let fleet = fleet();
        let good = position(1, 1, 5);
        let bytes = |signed: &SignedPosition| strongroom_wire::encode(signed);
        assert_eq!(check_position(&fleet, 1, &bytes(&good)), Ok(good.clone()));
        assert!(check_position(&fleet, 2, &bytes(&good)).is_err());
        let mut higher = good.clone();
        higher.position.last_index += 1;
        assert!(check_position(&fleet, 1, &bytes(&higher)).is_err());
        let stranger = position(3, 1, 5);
        assert!(check_position(&fleet, 3, &bytes(&stranger)).is_err());
        assert!(check_position(&fleet, 1, b"nonsense").is_err());
    }

    fn fleet() -> Fleet {
        let nodes = [1, 2].map(|id| {
            let identity = hex::encode(key(id).verifying_key().to_bytes());
            let link = hex::encode([id; 32]);
            format!(
                "{{\"evidence\":\"\",\"id\":{id},\"identity_key\":\"{identity}\",\
                 \"link_key\":\"{link}\",\"roles\":[\"vault\"],\"site\":\"s\"}}"
            )
        });
        let text = format!(
            "{{\"hpke_key\":\"{}\",\"id\":\"dev\",\"keysets\":[],\"measurement\":\"\",\"nodes\":[{}],\
             \"protection\":\"software\",\"rollback_tolerance\":0,\"slots\":{{\"first\":\"{}\",\
             \"last\":\"{}\"}}}}",
            "00".repeat(1_216),
            nodes.join(","),
            "00".repeat(32),
            "ff".repeat(32)
        );
        serde_json::from_str(&text).expect("fleet")
    }
}
