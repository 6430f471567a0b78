//! Three replicas, their disks and the network between them, driven by bytes.
//!
//! While nobody lies, the promises of consensus are checked. After the first changed message all
//! that must hold is that nobody panics: no Byzantine minority is tolerated.

use crate::pieces::{join, split};
use std::collections::{BTreeMap, VecDeque};
use strongroom_replica::{
    Config, DiskEntry, DiskImage, Event, NodeId, Output, PersistOp, Replica, ReplicaId, Role, Start,
};

const NODES: u8 = 3;
/// Messages that the host keeps for one node.
const KEPT: usize = 256;

struct Node {
    replica: Replica,
    image: DiskImage,
    cell: Option<Vec<u8>>,
    unsynced: VecDeque<(u64, Vec<PersistOp>)>,
    inbox: VecDeque<(ReplicaId, Vec<u8>)>,
    applied: u64,
}

struct Cluster {
    nodes: Vec<Node>,
    now_ms: u64,
    processes: u64,
    proposed: u64,
    lied: bool,
    /// (era, term) → who led it.
    leaders: BTreeMap<(u64, u64), ReplicaId>,
    /// index → what was applied there.
    history: BTreeMap<u64, Vec<u8>>,
    released: u64,
}

fn node_id(number: u8) -> NodeId {
    NodeId::new(number).expect("a node")
}

fn boot(number: u8, process: u64, cell: Option<Vec<u8>>, image: DiskImage) -> Replica {
    let mut seed = [number; 32];
    seed[..8].copy_from_slice(&process.to_be_bytes());
    let config = Config {
        node: node_id(number),
        id: ReplicaId::new(node_id(number), process).expect("a process"),
        fleet: "fuzz".to_owned(),
        nodes: (1..=NODES).map(node_id).collect(),
        rollback_tolerance: 0,
        seed,
        sealing_root: [number; 32],
        cell,
        tick_ms: 100,
        max_frame: 8 << 20,
    };
    Replica::new(config, image).expect("a replica starts on any disk")
}

/// `what ‖ node ‖ argument ‖ …`, a piece each, after a genesis.
pub(crate) fn cluster(bytes: &[u8]) -> bool {
    let mut cluster = Cluster::new();
    for piece in split(bytes).into_iter().take(600) {
        cluster.act(piece);
    }
    cluster.released > 0
}

impl Cluster {
    fn new() -> Self {
        let nodes = (1..=NODES).map(|number| Node {
            replica: boot(number, u64::from(number), None, DiskImage::default()),
            image: DiskImage::default(),
            cell: None,
            unsynced: VecDeque::new(),
            inbox: VecDeque::new(),
            applied: 0,
        });
        let mut cluster = Self {
            nodes: nodes.collect(),
            now_ms: 1_000,
            processes: u64::from(NODES),
            proposed: 0,
            lied: false,
            leaders: BTreeMap::new(),
            history: BTreeMap::new(),
            released: 0,
        };
        cluster.custodians_start(1, 0b111);
        cluster
    }

    fn custodians_start(&mut self, era: u64, chosen: u8) {
        let chosen = |at: &usize| chosen & (1 << at) != 0;
        let listed: Vec<usize> = (0..self.nodes.len()).filter(chosen).collect();
        let positions: Vec<_> =
            listed.iter().map(|at| self.nodes[*at].replica.position()).collect();
        let start = Start { era, positions };
        for at in 0..self.nodes.len() {
            if let Ok(output) = self.nodes[at].replica.start(self.now_ms, start.clone()) {
                self.absorb(at, output);
            }
        }
    }

    fn act(&mut self, piece: &[u8]) {
        let byte = |at: usize| piece.get(at).copied().unwrap_or(0);
        let at = usize::from(byte(1) % NODES);
        match byte(0) % 11 {
            0 => {
                self.now_ms += 10 * u64::from(byte(2));
                self.feed(at, Event::Tick);
            }
            1 => {
                // Everybody ticks and hears all there is: time passes as on a good day.
                self.now_ms += 100;
                for at in 0..self.nodes.len() {
                    self.feed(at, Event::Tick);
                    self.sync(at, true);
                    self.hear(at);
                }
            }
            2 => self.hear_one(at),
            3 => self.sync(at, true),
            4 => {
                let inbox = &mut self.nodes[at].inbox;
                inbox.rotate_left(usize::from(byte(2)) % inbox.len().max(1));
                if byte(3) % 4 == 1 {
                    inbox.pop_front();
                }
            }
            5 => {
                self.proposed += 1;
                let payload = self.proposed.to_be_bytes().to_vec();
                let _ = self.nodes[at].replica.propose(payload, [byte(2); 32]);
                self.feed(at, Event::Tick);
            }
            6 => self.compact(at),
            7 => self.restart(at, byte(2)),
            8 => self.lie(at, piece),
            9 => {
                // The host says more than is true only if that is known to be a lie.
                self.sync(at, false);
            }
            _ => self.custodians_start(2 + u64::from(byte(1)), byte(2)),
        }
    }

    fn feed(&mut self, at: usize, event: Event) {
        let output = self.nodes[at].replica.step(self.now_ms, event);
        self.absorb(at, output);
    }

    fn hear_one(&mut self, at: usize) {
        if let Some((from, bytes)) = self.nodes[at].inbox.pop_front() {
            self.feed(at, Event::Peer { from, bytes });
        }
    }

    fn hear(&mut self, at: usize) {
        for _ in 0..self.nodes[at].inbox.len() {
            self.hear_one(at);
        }
    }

    /// Writes what waits; one batch or all.
    fn sync(&mut self, at: usize, all: bool) {
        let count = if all { self.nodes[at].unsynced.len() } else { 1 };
        for _ in 0..count {
            let Some((number, ops)) = self.nodes[at].unsynced.pop_front() else { return };
            for op in ops {
                write(&mut self.nodes[at].image, op);
            }
            self.feed(at, Event::Persisted { number });
        }
    }

    fn compact(&mut self, at: usize) {
        let node = &mut self.nodes[at];
        let state = node.applied.to_be_bytes().to_vec();
        let _ = node.replica.compact(node.replica.applied_index(), state, Vec::new());
        self.feed(at, Event::Tick);
    }

    fn restart(&mut self, at: usize, which: u8) {
        self.processes += 1;
        let number = u8::try_from(at + 1).unwrap_or(1);
        let node = &mut self.nodes[at];
        match which % 4 {
            0 | 1 => {}
            2 => node.image = DiskImage::default(),
            // A torn entry, or a bit of the meta record.
            _ => {
                if let Some(last) = node.image.entries.last_mut() {
                    last.entry.truncate(usize::from(which));
                }
                if let Some(byte) = node.image.meta.as_mut().and_then(|meta| meta.last_mut()) {
                    *byte ^= which & 4;
                }
            }
        }
        node.replica = boot(number, self.processes, node.cell.clone(), node.image.clone());
        node.unsynced.clear();
        node.inbox.clear();
        node.applied = 0;
    }

    /// A message that no replica sent: changed, cut, or made up.
    fn lie(&mut self, at: usize, piece: &[u8]) {
        self.lied = true;
        let rest = piece.get(3..).unwrap_or_default();
        let Some((from, mut bytes)) = self.nodes[at].inbox.front().cloned() else {
            let peer = (at + 1) % self.nodes.len();
            let from = self.nodes[peer].replica.id();
            self.feed(at, Event::Peer { from, bytes: rest.to_vec() });
            return;
        };
        let place = usize::from(piece.get(2).copied().unwrap_or(0)) % bytes.len().max(1);
        let fits = rest.len().min(bytes.len() - place);
        for (old, new) in bytes[place..].iter_mut().zip(&rest[..fits]) {
            *old ^= new;
        }
        self.feed(at, Event::Peer { from, bytes });
    }

    fn absorb(&mut self, at: usize, output: Output) {
        if let Some(cell) = output.cell {
            self.nodes[at].cell = Some(cell);
        }
        let from = self.nodes[at].replica.id();
        for (to, bytes) in output.messages {
            let receiver = usize::from(to.node().number()).saturating_sub(1);
            let Some(node) = self.nodes.get_mut(receiver) else { continue };
            // A placeholder is whoever runs there; another process is gone.
            if (to == node.replica.id() || to.is_placeholder()) && node.inbox.len() < KEPT {
                node.inbox.push_back((from, bytes));
            }
        }
        if let Some(persist) = output.persist {
            self.nodes[at].unsynced.push_back((persist.number, persist.ops));
        }
        if let Some(install) = output.install {
            let state: Result<[u8; 8], _> = install.state.as_slice().try_into();
            self.nodes[at].applied = state.map(u64::from_be_bytes).unwrap_or(0);
        }
        for applied in output.applied {
            self.nodes[at].applied += 1;
            let known =
                self.history.entry(applied.index).or_insert_with(|| applied.payload.clone());
            let same = *known == applied.payload;
            assert!(self.lied || same, "INV-5: two histories at {}", applied.index);
        }
        self.released += output.released.len() as u64;
        self.one_leader(at);
        if output.snapshot_wanted {
            let node = &mut self.nodes[at];
            let state = node.applied.to_be_bytes().to_vec();
            let index = node.replica.applied_index();
            let _ = node.replica.provide_snapshot(index, state, Vec::new());
        }
    }

    fn one_leader(&mut self, at: usize) {
        let replica = &self.nodes[at].replica;
        if replica.role() == Role::Leader {
            let key = (replica.era(), replica.term());
            let first = *self.leaders.entry(key).or_insert_with(|| replica.id());
            assert!(self.lied || first == replica.id(), "two leaders in era and term {key:?}");
        }
    }
}

fn write(image: &mut DiskImage, op: PersistOp) {
    match op {
        PersistOp::PutMeta(bytes) => image.meta = Some(bytes),
        PersistOp::PutSnapshot(bytes) => image.snapshot = Some(bytes),
        PersistOp::PutSalts(bytes) => image.salts = Some(bytes),
        PersistOp::PutEntry { index, entry, salt } => {
            image.entries.retain(|e| e.index != index);
            image.entries.push(DiskEntry { index, entry, salt });
            image.entries.sort_by_key(|e| e.index);
        }
        PersistOp::PutEntrySalt { index, salt } => {
            if let Some(entry) = image.entries.iter_mut().find(|e| e.index == index) {
                entry.salt = salt;
            }
        }
        PersistOp::TruncateFrom { index } => image.entries.retain(|e| e.index < index),
        PersistOp::CompactBefore { index } => image.entries.retain(|e| e.index >= index),
        PersistOp::Clear => *image = DiskImage::default(),
    }
}

/// A fleet that elects, commits, compacts, loses a node and takes it back.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let days = |count: usize| std::iter::repeat_n(vec![1_u8], count);
    let propose = || (0..NODES).map(|at| vec![5, at, 9]);
    let mut story: Vec<Vec<u8>> = days(40).collect();
    story.extend(propose());
    story.extend(days(10));
    let mut restart = story.clone();
    restart.push(vec![7, 0, 0]);
    restart.extend(days(60));
    restart.extend(propose());
    restart.extend(days(10));
    let mut compacted = story.clone();
    compacted.extend((0..NODES).map(|at| vec![6, at]));
    compacted.push(vec![7, 1, 2]);
    compacted.extend(days(60));
    let mut power = story.clone();
    power.extend((0..NODES).map(|at| vec![7, at, 0]));
    power.push(vec![10, 0, 0b111]);
    power.extend(days(60));
    power.extend(propose());
    power.extend(days(10));
    let mut lied = story.clone();
    lied.push(vec![8, 1, 3, 0xff, 0xff]);
    lied.extend(days(5));
    [story, restart, compacted, power, lied].into_iter().map(join).collect()
}
