//! Seven replicas, their disks, cells and network, in virtual time, from a seed.
//!
//! Every event is followed by the checks named `invariant_…`.
#![allow(dead_code, unreachable_pub)]

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use strongroom_replica::{
    Applied, BootReport, CompactError, Config, DiskEntry, DiskImage, Event, Halt, NodeId, Output,
    Persist, PersistOp, Position, ProposeError, Proposed, Replica, ReplicaEvent, ReplicaId, Role,
    Start, StartError,
};

pub const NODES: u8 = 7;
pub const TICK_MS: u64 = 100;

/// A small generator, so that a seed is a whole history.
#[derive(Clone)]
pub struct Dice(u64);

impl Dice {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub fn below(&mut self, n: u64) -> u64 {
        self.next() % n.max(1)
    }

    pub fn between(&mut self, (low, high): (u64, u64)) -> u64 {
        low + self.below(high - low + 1)
    }

    pub fn permille(&mut self, p: u64) -> bool {
        self.below(1000) < p
    }

    pub fn bytes32(&mut self) -> [u8; 32] {
        let mut out = [0; 32];
        for chunk in out.chunks_mut(8) {
            chunk.copy_from_slice(&self.next().to_le_bytes());
        }
        out
    }
}

#[derive(Clone, Copy)]
pub struct Weather {
    pub delay_ms: (u64, u64),
    pub sync_ms: (u64, u64),
    pub loss: u64,
    pub twice: u64,
}

impl Weather {
    pub const CALM: Self = Self {
        delay_ms: (5, 15),
        sync_ms: (1, 3),
        loss: 0,
        twice: 0,
    };
    pub const ROUGH: Self = Self {
        delay_ms: (1, 120),
        sync_ms: (1, 60),
        loss: 40,
        twice: 40,
    };
}

/// What a host stores, and what the test knows about it beyond what a host could.
#[derive(Clone, Default)]
pub struct Disk {
    pub image: DiskImage,
    pub hashes: BTreeMap<u64, [u8; 32]>,
    pub snapshot_index: u64,
}

impl Disk {
    fn entry(&mut self, index: u64) -> Option<&mut DiskEntry> {
        self.image.entries.iter_mut().find(|e| e.index == index)
    }

    fn write(&mut self, write: &Write) {
        for (op, known) in &write.ops {
            self.write_op(op, *known);
        }
    }

    fn write_op(&mut self, op: &PersistOp, known: Known) {
        match op {
            PersistOp::PutMeta(bytes) => self.image.meta = Some(bytes.clone()),
            PersistOp::PutSnapshot(bytes) => {
                self.image.snapshot = Some(bytes.clone());
                self.snapshot_index = known.index;
            }
            PersistOp::PutSalts(bytes) => self.image.salts = Some(bytes.clone()),
            PersistOp::PutEntry { index, entry, salt } => {
                let new = DiskEntry {
                    index: *index,
                    entry: entry.clone(),
                    salt: salt.clone(),
                };
                match self.entry(*index) {
                    Some(old) => *old = new,
                    None => {
                        self.image.entries.push(new);
                        self.image.entries.sort_by_key(|e| e.index);
                    }
                }
                self.hashes.insert(*index, known.hash);
            }
            PersistOp::PutEntrySalt { index, salt } => {
                self.entry(*index).unwrap().salt = salt.clone()
            }
            PersistOp::TruncateFrom { index } => {
                self.image.entries.retain(|e| e.index < *index);
                self.hashes.retain(|i, _| i < index);
            }
            PersistOp::CompactBefore { index } => {
                self.image.entries.retain(|e| e.index >= *index);
                self.hashes.retain(|i, _| i >= index);
            }
            PersistOp::Clear => *self = Self::default(),
        }
    }

    pub fn holds(&self, index: u64, hash: Option<[u8; 32]>) -> bool {
        self.snapshot_index >= index || (hash.is_some() && self.hashes.get(&index).copied() == hash)
    }
}

#[derive(Clone, Copy, Default)]
struct Known {
    index: u64,
    hash: [u8; 32],
}

struct Write {
    number: u64,
    ops: Vec<(PersistOp, Known)>,
}

/// The state that a vault would keep: how many payloads, and a digest of them in order.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Model {
    pub count: u64,
    pub last_index: u64,
    pub salts: BTreeMap<u64, [u8; 32]>,
}

impl Model {
    fn bytes(&self) -> (Vec<u8>, Vec<u8>) {
        let mut state = self.count.to_be_bytes().to_vec();
        state.extend_from_slice(&self.last_index.to_be_bytes());
        let mut salts = Vec::new();
        for (index, salt) in &self.salts {
            salts.extend_from_slice(&index.to_be_bytes());
            salts.extend_from_slice(salt);
        }
        (state, salts)
    }

    fn read(state: &[u8], salts: &[u8]) -> Self {
        if state.is_empty() {
            return Self::default();
        }
        let number = |b: &[u8]| u64::from_be_bytes(b.try_into().unwrap());
        let salts = salts
            .chunks(40)
            .map(|c| (number(&c[..8]), c[8..].try_into().unwrap()))
            .collect();
        Self {
            count: number(&state[..8]),
            last_index: number(&state[8..]),
            salts,
        }
    }
}

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
    fn held(&self, index: u64, hash: Option<[u8; 32]>) -> bool {
        self.disk.holds(index, hash) || self.thrown_away.iter().any(|d| d.holds(index, hash))
    }
}

enum Happening {
    Tick {
        process: ReplicaId,
    },
    Deliver {
        from: ReplicaId,
        to: ReplicaId,
        bytes: Vec<u8>,
    },
    Written {
        process: ReplicaId,
        write: Write,
    },
    Acknowledged {
        process: ReplicaId,
        number: u64,
    },
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
            held: Vec::new(),
            leaders: BTreeMap::new(),
            history: Vec::new(),
            released: BTreeMap::new(),
            hashes: BTreeMap::new(),
            proposals: 0,
            keep_older: false,
            restart_halted: false,
            erase_on_compact: false,
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
        assert_eq!(
            replica.role(),
            Role::Joining,
            "a new process continues nothing"
        );
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
                if let Some(n) = self.process(process) {
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

    fn absorb(&mut self, n: u8, mut out: Output) {
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
            out.events
                .iter()
                .copied()
                .filter(|e| !matches!(e, ReplicaEvent::Dropped { .. })),
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
            let (state, salts) = self.see(n).model.bytes();
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
            self.schedule(
                1,
                Happening::Acknowledged {
                    process: id,
                    number: persist.number,
                },
            );
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
            self.schedule(
                wait,
                Happening::Deliver {
                    from,
                    to,
                    bytes: bytes.clone(),
                },
            );
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
                    known.hash = self
                        .replica(n)
                        .and_then(|r| r.chain_hash(*index))
                        .unwrap_or_default();
                }
                _ => {}
            }
            ops.push((op, known));
        }
        let wait = self.dice.between(self.weather.sync_ms);
        self.schedule(
            wait,
            Happening::Written {
                process,
                write: Write {
                    number: persist.number,
                    ops,
                },
            },
        );
    }

    fn apply(&mut self, n: u8, applied: Applied) {
        let at = self.see(n).model.count as usize;
        if let Some(hash) = self.replica(n).and_then(|r| r.chain_hash(applied.index)) {
            let first = *self.hashes.entry(applied.index).or_insert(hash);
            assert_eq!(first, hash, "logs diverge at {}", applied.index);
        }
        let entry = (applied.index, applied.term, applied.payload.clone());
        match self.history.get(at) {
            Some(known) => assert_eq!(*known, entry, "node {n} applied another history at {at}"),
            None => {
                assert_eq!(at, self.history.len(), "node {n} skipped entries");
                self.history.push(entry);
            }
        }
        let model = &mut self.at(n).model;
        assert!(
            applied.index > model.last_index,
            "INV-4: positions go forward"
        );
        model.count += 1;
        model.last_index = applied.index;
        model.salts.insert(
            applied.index,
            applied.salt.expect("live salts are never lost"),
        );
    }

    fn invariant_state_is_history(&self, model: &Model) {
        if model.count > 0 {
            let last = &self.history[model.count as usize - 1];
            assert_eq!(
                last.0, model.last_index,
                "an installed state is part of the one history"
            );
        }
    }

    fn invariant_released_is_held(&mut self, n: u8, index: u64) {
        let hash = self.hashes.get(&index).copied();
        let holders = self.nodes.iter().filter(|n| n.held(index, hash)).count();
        let needed = 4 + usize::from(self.tolerance);
        assert!(
            holders >= needed,
            "INV-2: entry {index} was released with {holders} holders"
        );
        let model = &self.see(n).model;
        assert!(model.last_index >= index, "released before it was applied");
        let payload = self
            .history
            .iter()
            .rev()
            .find(|h| h.0 == index)
            .unwrap()
            .2
            .clone();
        assert!(
            self.released.insert(index, payload).is_none(),
            "released twice"
        );
    }

    fn invariant_one_leader(&mut self, n: u8) {
        let Some(replica) = self.replica(n).filter(|r| r.role() == Role::Leader) else {
            return;
        };
        let (key, id) = ((replica.era(), replica.term()), replica.id());
        let first = *self.leaders.entry(key).or_insert(id);
        assert_eq!(first, id, "two leaders in era and term {key:?}");
    }

    fn invariant_seven_voters(&self, n: u8) {
        let Some(replica) = self.replica(n) else {
            return;
        };
        let voters = replica.voters();
        if !voters.is_empty() {
            let nodes: BTreeSet<NodeId> = voters.iter().map(|v| v.node()).collect();
            assert_eq!(
                (voters.len(), nodes.len()),
                (7, 7),
                "always seven voters, one a node"
            );
        }
    }

    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self
            .queue
            .first_key_value()
            .is_some_and(|((t, _), _)| *t <= end)
        {
            self.step();
        }
        self.now = end;
    }

    /// Runs until something is true; panics if it does not come true in time.
    pub fn until(&mut self, what: &str, within_ms: u64, done: impl Fn(&Self) -> bool) -> u64 {
        let begin = self.now;
        while !done(self) {
            assert!(
                self.now < begin + within_ms,
                "not within {within_ms} ms: {what}\n{}",
                self.describe()
            );
            assert!(self.step());
        }
        self.now - begin
    }

    pub fn describe(&self) -> String {
        let line = |n: &Node| match &n.replica {
            Some(r) => format!(
                "{} {:?} era {} term {} commit {} last {} applied {} leader {:?} halted {:?}\n",
                r.id(),
                r.role(),
                r.era(),
                r.term(),
                r.commit_index(),
                r.last_index(),
                r.applied_index(),
                r.leader(),
                n.halted
            ),
            None => format!("{} down\n", n.id),
        };
        self.nodes.iter().map(line).collect()
    }

    /// The replica that could serve an attempt now.
    pub fn leader(&self) -> Option<u8> {
        let serving = (1..=NODES).filter(|n| self.replica(*n).is_some_and(|r| r.ready_to_serve()));
        serving.max_by_key(|n| self.replica(*n).map(|r| (r.era(), r.term())))
    }

    pub fn propose(&mut self, n: u8) -> Result<Proposed, ProposeError> {
        self.proposals += 1;
        let mut payload = self.proposals.to_be_bytes().to_vec();
        payload.push(n);
        let salt = self.dice.bytes32();
        let replica = self.at(n).replica.as_mut().expect("runs");
        let proposed = replica.propose(payload, salt)?;
        self.feed(n, Event::Tick);
        Ok(proposed)
    }

    /// Proposes at the leader and waits for the release; again if the leader changed meanwhile.
    pub fn commit_one(&mut self) -> u64 {
        for _ in 0..5 {
            self.until("a leader serves", 30_000, |s| s.leader().is_some());
            let leader = self.leader().unwrap();
            let Ok(at) = self.propose(leader) else {
                continue;
            };
            let still_leads = |s: &Self| {
                s.replica(leader)
                    .is_some_and(|r| r.role() == Role::Leader && r.term() == at.term)
            };
            self.until("the proposal is released", 10_000, |s| {
                s.released.contains_key(&at.index) || !still_leads(s)
            });
            if still_leads(self) {
                return at.index;
            }
        }
        panic!("no leader stays\n{}", self.describe());
    }

    pub fn compact(&mut self, n: u8) -> Result<u64, CompactError> {
        let erase = self.erase_on_compact;
        let node = self.at(n);
        if erase {
            // The model's way of erasing: every other salt.
            node.model.salts.retain(|i, _| i % 2 == 0);
        }
        let (state, salts) = node.model.bytes();
        let Some(replica) = node.replica.as_mut() else {
            return Err(CompactError::NotRunning);
        };
        let index = replica.applied_index();
        replica.compact(index, state, salts)?;
        node.snapshot_indexes.push_back(index);
        self.feed(n, Event::Tick);
        Ok(index)
    }

    pub fn positions(&mut self, listed: &[u8]) -> Vec<Position> {
        listed
            .iter()
            .map(|n| self.at(*n).replica.as_mut().unwrap().position())
            .collect()
    }

    pub fn genesis(&mut self, listed: &[u8]) {
        let positions = self.positions(listed);
        let start = Start { era: 1, positions };
        for n in listed {
            self.at(*n).snapshot_indexes.push_back(1);
            self.start(*n, start.clone()).unwrap();
        }
    }

    pub fn cold_start(&mut self, listed: &[u8], era: u64) {
        let positions = self.positions(listed);
        let start = Start { era, positions };
        for n in listed {
            self.start(*n, start.clone()).unwrap();
        }
    }

    pub fn start(&mut self, n: u8, start: Start) -> Result<(), StartError> {
        let now = self.now;
        let out = self.at(n).replica.as_mut().unwrap().start(now, start)?;
        self.absorb(n, out);
        Ok(())
    }

    pub fn all_vote(&self) -> bool {
        let Some(leader) = self.leader().and_then(|n| self.replica(n)) else {
            return false;
        };
        let voters = leader.voters();
        !leader.is_joint()
            && self.nodes.iter().all(|n| {
                n.replica.as_ref().is_some_and(|r| {
                    voters.contains(&r.id()) && matches!(r.role(), Role::Leader | Role::Follower)
                })
            })
    }

    pub fn report(&self, n: u8) -> BootReport {
        self.replica(n).unwrap().boot_report()
    }
}
