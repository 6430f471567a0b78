//! Seven replicas, their disks, cells and network, in virtual time, from a seed.
//!
//! Every event is followed by the checks named `invariant_…`.
#![allow(dead_code, unreachable_pub)]

mod acts;
mod host;
mod invariants;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use strongroom_replica::{
    Config, Event, Halt, NodeId, Output, Persist, PersistOp, Replica, ReplicaEvent, ReplicaId, Role,
};

pub const NODES: u8 = 7;
pub const TICK_MS: u64 = 100;

pub use host::{Dice, Disk, Model, Weather};
use host::{Known, Write};

pub struct Node {
    pub id: NodeId,
    pub replica: Option<Replica>,
    pub disk: Disk,
    pub older: Vec<Disk>,
    /// Disks that the host threw away: what they held was held when it was acknowledged.
    pub thrown_away: Vec<Disk>,
    pub cell: Option<Vec<u8>>,
    pub model: Model,
    pub halted: Option<Halt>,
    pub last_process: Option<ReplicaId>,
    snapshot_indexes: VecDeque<u64>,
    pub events: Vec<ReplicaEvent>,
}

impl Node {
    pub(super) fn held(&self, index: u64, hash: Option<[u8; 32]>) -> bool {
        self.disk.holds(index, hash) || self.thrown_away.iter().any(|d| d.holds(index, hash))
    }
}

enum Happening {
    Tick { process: ReplicaId },
    Deliver { from: ReplicaId, to: ReplicaId, bytes: Vec<u8> },
    Written { process: ReplicaId, write: Write },
    Acknowledged { process: ReplicaId, number: u64 },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum WhichDisk {
    Todays,
    Older,
    Empty,
}

pub struct Sim {
    pub dice: Dice,
    pub now: u64,
    pub weather: Weather,
    pub nodes: Vec<Node>,
    pub tolerance: u8,
    queue: BTreeMap<(u64, u64), Happening>,
    sequence: u64,
    nonce: u64,
    /// Groups that cannot hear each other.
    pub groups: Vec<Vec<u8>>,
    /// Messages from this node to that one are kept back.
    pub held_links: BTreeSet<(u8, u8)>,
    /// Disks that take nothing.
    pub stuck_disks: BTreeSet<u8>,
    held: Vec<(ReplicaId, ReplicaId, Vec<u8>)>,
    /// (era, term) → leader.
    pub leaders: BTreeMap<(u64, u64), ReplicaId>,
    /// The one history: (index, term, payload), by count.
    pub history: Vec<(u64, u64, Vec<u8>)>,
    pub released: BTreeMap<u64, Vec<u8>>,
    /// Chain hash at each applied entry.
    pub hashes: BTreeMap<u64, [u8; 32]>,
    pub proposals: u64,
    pub keep_older: bool,
    pub restart_halted: bool,
    pub erase_on_compact: bool,
    /// Bytes that every snapshot for a peer has too many.
    pub padding: usize,
    pub steps: u64,
    /// Frames, if someone listens.
    pub overheard: Option<Vec<(ReplicaId, ReplicaId, Vec<u8>)>>,
    /// Off when the test forges messages, which no honest fleet survives unchanged.
    pub invariants: bool,
}

pub fn node(n: u8) -> NodeId {
    NodeId::new(n).unwrap()
}

pub fn sealing_root(n: u8) -> [u8; 32] {
    [n; 32]
}

pub fn config(n: u8, nonce: u64, seed: [u8; 32], cell: Option<Vec<u8>>, tolerance: u8) -> Config {
    Config {
        node: node(n),
        id: ReplicaId::new(node(n), nonce).unwrap(),
        fleet: "test-fleet".into(),
        nodes: (1..=NODES).map(node).collect(),
        rollback_tolerance: tolerance,
        seed,
        sealing_root: sealing_root(n),
        cell,
        tick_ms: TICK_MS,
        max_frame: 8 << 20,
    }
}

impl Sim {
    /// Seven empty nodes, booted, waiting.
    pub fn new(seed: u64, weather: Weather) -> Self {
        Self::with_tolerance(seed, weather, 0)
    }

    pub fn with_tolerance(seed: u64, weather: Weather, tolerance: u8) -> Self {
        let blank = |n| Node {
            id: node(n),
            replica: None,
            disk: Disk::default(),
            older: Vec::new(),
            thrown_away: Vec::new(),
            cell: None,
            model: Model::default(),
            halted: None,
            last_process: None,
            snapshot_indexes: VecDeque::new(),
            events: Vec::new(),
        };
        let mut sim = Self {
            dice: Dice::new(seed),
            now: 1000,
            weather,
            nodes: (1..=NODES).map(blank).collect(),
            tolerance,
            queue: BTreeMap::new(),
            sequence: 0,
            nonce: 1,
            groups: Vec::new(),
            held_links: BTreeSet::new(),
            stuck_disks: BTreeSet::new(),
            held: Vec::new(),
            leaders: BTreeMap::new(),
            history: Vec::new(),
            released: BTreeMap::new(),
            hashes: BTreeMap::new(),
            proposals: 0,
            keep_older: false,
            restart_halted: false,
            erase_on_compact: false,
            padding: 0,
            steps: 0,
            overheard: None,
            invariants: true,
        };
        (1..=NODES).for_each(|n| sim.boot(n, WhichDisk::Todays));
        sim
    }

    /// A running fleet with a leader that serves.
    pub fn fleet(seed: u64, weather: Weather) -> Self {
        let mut sim = Self::new(seed, weather);
        sim.genesis(&[1, 2, 3, 4, 5, 6, 7]);
        sim.until("a leader serves", 20_000, |s| s.leader().is_some());
        sim
    }

    pub fn at(&mut self, n: u8) -> &mut Node {
        &mut self.nodes[usize::from(n) - 1]
    }

    pub fn see(&self, n: u8) -> &Node {
        &self.nodes[usize::from(n) - 1]
    }

    pub fn replica(&self, n: u8) -> Option<&Replica> {
        self.see(n).replica.as_ref()
    }

    pub fn role(&self, n: u8) -> Option<Role> {
        self.replica(n).map(|r| r.role())
    }

    fn schedule(&mut self, after: u64, what: Happening) {
        self.sequence += 1;
        self.queue.insert((self.now + after, self.sequence), what);
    }

    pub fn crash(&mut self, n: u8) {
        let node = self.at(n);
        node.replica = None;
        node.snapshot_indexes.clear();
    }

    /// A new process on a node, with today's disk, an older one, or none.
    pub fn boot(&mut self, n: u8, which: WhichDisk) {
        self.crash(n);
        let nonce = self.nonce;
        self.nonce += 1;
        let seed = self.dice.bytes32();
        let pick = self.dice.next();
        let tolerance = self.tolerance;
        let node = self.at(n);
        if which != WhichDisk::Todays {
            node.thrown_away.push(node.disk.clone());
        }
        match which {
            WhichDisk::Todays => {}
            WhichDisk::Empty => node.disk = Disk::default(),
            WhichDisk::Older if node.older.is_empty() => {}
            WhichDisk::Older => node.disk = node.older[pick as usize % node.older.len()].clone(),
        }
        let config = config(n, nonce, seed, node.cell.clone(), tolerance);
        let id = config.id;
        let replica = Replica::new(config, node.disk.image.clone()).unwrap();
        assert_eq!(replica.role(), Role::Joining, "a new process continues nothing");
        node.model = Model::default();
        node.halted = None;
        node.last_process = Some(id);
        node.replica = Some(replica);
        let phase = self.dice.below(TICK_MS);
        self.schedule(phase, Happening::Tick { process: id });
    }

    fn process(&self, id: ReplicaId) -> Option<u8> {
        let n = id.node().number();
        let current = self.replica(n)?.id();
        (current == id || id.is_placeholder()).then_some(n)
    }

    pub fn connected(&self, a: u8, b: u8) -> bool {
        self.groups.is_empty() || self.groups.iter().any(|g| g.contains(&a) && g.contains(&b))
    }

    pub fn partition(&mut self, groups: &[&[u8]]) {
        self.groups = groups.iter().map(|g| g.to_vec()).collect();
    }

    pub fn heal(&mut self) {
        self.groups.clear();
    }

    /// Lets go of what `held_links` kept back.
    pub fn let_go(&mut self) {
        self.held_links.clear();
        for (from, to, bytes) in std::mem::take(&mut self.held) {
            self.schedule(1, Happening::Deliver { from, to, bytes });
        }
    }

    /// One event.
    pub fn step(&mut self) -> bool {
        let Some(((when, _), what)) = self.queue.pop_first() else {
            return false;
        };
        self.now = when;
        self.steps += 1;
        match what {
            Happening::Tick { process } => {
                if let Some(n) = self.process(process) {
                    self.schedule(TICK_MS / 2, Happening::Tick { process });
                    self.feed(n, Event::Tick);
                }
            }
            Happening::Deliver { from, to, bytes } => {
                let (a, b) = (from.node().number(), to.node().number());
                if !self.connected(a, b) {
                    return true;
                }
                if self.held_links.contains(&(a, b)) {
                    self.held.push((from, to, bytes));
                } else if let Some(n) = self.process(to) {
                    self.feed(n, Event::Peer { from, bytes });
                }
            }
            Happening::Written { process, write } => {
                let stuck = self.process(process).is_some_and(|n| self.stuck_disks.contains(&n));
                if stuck {
                    self.schedule(TICK_MS, Happening::Written { process, write });
                } else if let Some(n) = self.process(process) {
                    let number = write.number;
                    let node = self.at(n);
                    node.disk.write(&write);
                    if self.keep_older && self.dice.permille(30) {
                        let copy = self.see(n).disk.clone();
                        self.at(n).older.push(copy);
                    }
                    let wait = self.dice.between((0, 2));
                    self.schedule(wait, Happening::Acknowledged { process, number });
                }
            }
            Happening::Acknowledged { process, number } => {
                if let Some(n) = self.process(process) {
                    self.feed(n, Event::Persisted { number });
                }
            }
        }
        true
    }

    pub fn feed(&mut self, n: u8, event: Event) {
        let now = self.now;
        let Some(replica) = self.at(n).replica.as_mut() else {
            return;
        };
        let joining = replica.role() == Role::Joining;
        let out = replica.step(now, event);
        if joining && out.role == Role::Joining {
            // Who has not been admitted says nothing but "let me in".
            assert!(out.messages.iter().all(|(to, _)| to.is_placeholder()));
            assert!(out.applied.is_empty() && out.released.is_empty());
        }
        self.absorb(n, out);
    }

    pub(super) fn absorb(&mut self, n: u8, mut out: Output) {
        let Some(id) = self.replica(n).map(|r| r.id()) else {
            return;
        };
        if !self.invariants {
            return self.absorb_blindly(n, id, out);
        }
        if let Some(cell) = out.cell.take() {
            self.at(n).cell = Some(cell);
        }
        for event in &out.events {
            if let ReplicaEvent::SnapshotInstalled { index } = event {
                self.at(n).snapshot_indexes.push_back(*index);
            }
        }
        self.at(n).events.extend(
            out.events.iter().copied().filter(|e| !matches!(e, ReplicaEvent::Dropped { .. })),
        );
        for (to, bytes) in std::mem::take(&mut out.messages) {
            self.send(id, to, bytes);
        }
        if let Some(persist) = out.persist.take() {
            self.persist(n, id, persist);
        }
        if let Some(install) = out.install.take() {
            let model = Model::read(&install.state, &install.salts);
            self.invariant_state_is_history(&model);
            self.at(n).model = model;
        }
        for applied in std::mem::take(&mut out.applied) {
            self.apply(n, applied);
        }
        for released in std::mem::take(&mut out.released) {
            let at = *released.get();
            self.invariant_released_is_held(n, at.index);
        }
        self.invariant_one_leader(n);
        self.invariant_seven_voters(n);
        if let Some(halt) = out.halted {
            self.at(n).halted = Some(halt);
            if self.restart_halted {
                self.boot(n, WhichDisk::Todays);
                return;
            }
        }
        if out.snapshot_wanted {
            let (mut state, salts) = self.see(n).model.bytes();
            state.resize(state.len() + self.padding, 0);
            let replica = self.at(n).replica.as_mut().unwrap();
            let index = replica.applied_index();
            replica.provide_snapshot(index, state, salts).unwrap();
        }
    }

    /// Keeps messages and disks going, and judges nothing.
    fn absorb_blindly(&mut self, n: u8, id: ReplicaId, mut out: Output) {
        for (to, bytes) in std::mem::take(&mut out.messages) {
            self.send(id, to, bytes);
        }
        if let Some(persist) = out.persist.take() {
            self.schedule(1, Happening::Acknowledged { process: id, number: persist.number });
        }
        if out.snapshot_wanted {
            let replica = self.at(n).replica.as_mut().unwrap();
            let index = replica.applied_index();
            let _ = replica.provide_snapshot(index, b"state".to_vec(), Vec::new());
        }
    }

    fn send(&mut self, from: ReplicaId, to: ReplicaId, bytes: Vec<u8>) {
        if let Some(frames) = self.overheard.as_mut() {
            frames.push((from, to, bytes.clone()));
        }
        if self.dice.permille(self.weather.loss) {
            return;
        }
        let copies = 1 + u64::from(self.dice.permille(self.weather.twice));
        for _ in 0..copies {
            let wait = self.dice.between(self.weather.delay_ms);
            self.schedule(wait, Happening::Deliver { from, to, bytes: bytes.clone() });
        }
    }

    fn persist(&mut self, n: u8, process: ReplicaId, persist: Persist) {
        let mut ops = Vec::new();
        for op in persist.ops {
            let mut known = Known::default();
            match &op {
                PersistOp::PutSnapshot(_) => {
                    known.index = self.at(n).snapshot_indexes.pop_front().unwrap()
                }
                PersistOp::PutEntry { index, .. } => {
                    known.hash =
                        self.replica(n).and_then(|r| r.chain_hash(*index)).unwrap_or_default();
                }
                _ => {}
            }
            ops.push((op, known));
        }
        let wait = self.dice.between(self.weather.sync_ms);
        self.schedule(
            wait,
            Happening::Written { process, write: Write { number: persist.number, ops } },
        );
    }
}
