//! What the host knows of its vault now, shared by everything that asks.

use crate::metrics::Metrics;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use strongroom_wire::process::{Health, ToVault};
use tokio::sync::mpsc;

/// A word from the vault that is older than this says nothing of now.
const FRESH: Duration = Duration::from_secs(1);

/// The ways into the running vault process. Each is bounded, and none waits for another.
#[derive(Clone)]
pub(crate) struct Port {
    /// What must arrive: acknowledgements, ceremonies.
    pub(crate) control: mpsc::Sender<ToVault>,
    /// Frames of other vaults: whoever brings them may wait.
    pub(crate) frames: mpsc::Sender<ToVault>,
    /// Relayed requests: refused when full.
    pub(crate) requests: mpsc::Sender<ToVault>,
}

/// What a ceremony waits for.
#[derive(Debug, Clone)]
pub(crate) enum Word {
    Position(Vec<u8>),
    Refused(String),
    Era(u64),
}

#[derive(Default)]
struct State {
    port: Option<Port>,
    pid: Option<u32>,
    starts: u64,
    health: Option<(Health, Instant)>,
    last_end: Option<String>,
    disk_fault: Option<String>,
    connected: BTreeSet<u8>,
    listener: Option<mpsc::Sender<Word>>,
}

/// What the host knows.
pub(crate) struct Vitals {
    node: u8,
    fleet: String,
    pub(crate) metrics: Metrics,
    state: Mutex<State>,
}

/// `/v1/health`.
#[derive(Serialize)]
pub(crate) struct Report {
    node: u8,
    fleet: String,
    /// Whether this node could serve an attempt now.
    ready: bool,
    /// Why it could not.
    #[serde(skip_serializing_if = "Option::is_none")]
    why_not: Option<String>,
    vault: Option<VaultReport>,
    host: HostReport,
}

#[derive(Serialize)]
struct VaultReport {
    incarnation: String,
    era: u64,
    role: String,
    leader: Option<u8>,
    ready: bool,
    term: u64,
    applied: u64,
    peers: Vec<u8>,
    slots: u64,
    erased_through: u64,
    now_ms: u64,
    voters: Vec<u8>,
    /// How old this is.
    age_ms: u64,
}

#[derive(Serialize)]
struct HostReport {
    vault_pid: Option<u32>,
    vault_starts: u64,
    /// How the previous process ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    vault_last_end: Option<String>,
    /// Hosts that this one has a connection to.
    peers_connected: Vec<u8>,
    /// What the disk says while it takes nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    disk_fault: Option<String>,
}

impl Vitals {
    pub(crate) fn new(node: u8, fleet: &str, metrics: Metrics) -> Self {
        Self { node, fleet: fleet.to_owned(), metrics, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that holds this lock can leave the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A new process takes the place of the last one.
    pub(crate) fn attach(&self, port: Port, pid: Option<u32>) {
        let mut state = self.state();
        state.port = Some(port);
        state.pid = pid;
        state.starts += 1;
        state.health = None;
        self.metrics.vault_starts.increment(1);
    }

    /// The process is at its end: nothing more is sent to it, and what it said counts no longer.
    pub(crate) fn detach(&self, how: Option<String>) {
        let mut state = self.state();
        state.port = None;
        state.pid = None;
        state.health = None;
        if how.is_some() {
            state.last_end = how;
        }
    }

    pub(crate) fn port(&self) -> Option<Port> {
        self.state().port.clone()
    }

    pub(crate) fn heard(&self, health: Health) {
        let mut state = self.state();
        if let Some(listener) = &state.listener {
            let _ = listener.try_send(Word::Era(health.era));
        }
        state.health = Some((health, Instant::now()));
    }

    /// The era that the vault last spoke of.
    pub(crate) fn era(&self) -> Option<u64> {
        self.state().health.as_ref().map(|(health, _)| health.era)
    }

    /// How long the vault has been silent; nothing while it has not spoken at all.
    pub(crate) fn silence(&self) -> Option<Duration> {
        self.state().health.as_ref().map(|(_, at)| at.elapsed())
    }

    /// Whoever calls last hears; ceremonies come one at a time.
    pub(crate) fn listen(&self, listener: Option<mpsc::Sender<Word>>) {
        self.state().listener = listener;
    }

    /// True if somebody waits for it.
    pub(crate) fn tell(&self, word: Word) -> bool {
        let listener = self.state().listener.clone();
        listener.is_some_and(|listener| listener.try_send(word).is_ok())
    }

    pub(crate) fn disk(&self, fault: Option<String>) {
        self.metrics.persist_failing.set(if fault.is_some() { 1.0 } else { 0.0 });
        self.state().disk_fault = fault;
    }

    pub(crate) fn connected(&self, node: u8, is: bool) {
        let mut state = self.state();
        if is {
            state.connected.insert(node);
        } else {
            state.connected.remove(&node);
        }
    }

    /// Nothing if this node could serve an attempt now, or why it could not.
    pub(crate) fn not_ready(&self) -> Option<String> {
        Self::why_not(&self.state())
    }

    fn why_not(state: &State) -> Option<String> {
        if state.port.is_none() {
            return Some("the vault is not running".to_owned());
        }
        let Some((health, at)) = &state.health else {
            return Some("the vault has not spoken yet".to_owned());
        };
        if at.elapsed() > FRESH {
            return Some(format!("the vault is silent for {} ms", millis(*at)));
        }
        if let Some(fault) = &state.disk_fault {
            return Some(format!("the disk takes nothing: {fault}"));
        }
        if !health.ready {
            return Some(format!("the vault is not ready ({})", health.role));
        }
        None
    }

    pub(crate) fn report(&self) -> Report {
        let state = self.state();
        let why_not = Self::why_not(&state);
        let vault = state.health.as_ref().map(|(health, at)| VaultReport {
            // As text: the number uses all 64 bits, and JSON readers keep 53.
            incarnation: format!("{:016x}", health.incarnation),
            era: health.era,
            role: health.role.clone(),
            leader: health.leader,
            ready: health.ready,
            term: health.term,
            applied: health.applied,
            peers: health.peers.clone(),
            slots: health.slots,
            erased_through: health.erased_through,
            now_ms: health.now_ms,
            voters: health.voters.clone(),
            age_ms: millis(*at),
        });
        Report {
            node: self.node,
            fleet: self.fleet.clone(),
            ready: why_not.is_none(),
            why_not,
            vault,
            host: HostReport {
                vault_pid: state.pid,
                vault_starts: state.starts,
                vault_last_end: state.last_end.clone(),
                peers_connected: state.connected.iter().copied().collect(),
                disk_fault: state.disk_fault.clone(),
            },
        }
    }

    /// Brings the gauges up to now and renders everything.
    pub(crate) fn metrics_text(&self) -> String {
        let metrics = &self.metrics;
        {
            let state = self.state();
            let ready = Self::why_not(&state).is_none();
            metrics.ready.set(if ready { 1.0 } else { 0.0 });
            metrics.peers_connected.set(state.connected.len() as f64);
            let health = state.health.as_ref();
            metrics.role(health.map(|(health, _)| health.role.as_str()));
            if let Some((health, at)) = health {
                metrics.health_age.set(at.elapsed().as_secs_f64());
                metrics.era.set(health.era as f64);
                metrics.term.set(health.term as f64);
                metrics.applied.set(health.applied as f64);
                metrics.erased_through.set(health.erased_through as f64);
                metrics.slots.set(health.slots as f64);
                metrics.voters.set(health.voters.len() as f64);
                metrics.links_up.set(health.peers.len() as f64);
                metrics.leader.set(f64::from(health.leader.unwrap_or(0)));
            }
        }
        metrics.render()
    }
}

fn millis(at: Instant) -> u64 {
    u64::try_from(at.elapsed().as_millis()).unwrap_or(u64::MAX)
}
