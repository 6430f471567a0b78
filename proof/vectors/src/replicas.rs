//! Two of three replicas open a fleet: what they say, and what they give their hosts (spec §13, §14.6).

use crate::{
    vector::{Case, File},
    world::FLEET,
};
use std::collections::{BTreeMap, VecDeque};
use strongroom_replica::{
    Config, DiskImage, Event, MIN_FRAME, NodeId, Output, PersistOp, Replica, ReplicaId, Start,
};

const TICK_MS: u64 = 10;
const SALT: [u8; 32] = [0xd4; 32];
const STEPS: u64 = 200;

fn node(number: u8) -> NodeId {
    NodeId::new(number).expect("1 to 62")
}

fn id(number: u8) -> ReplicaId {
    ReplicaId::new(node(number), 0x0d0d).expect("a process")
}

const fn sealing_root(number: u8) -> [u8; 32] {
    [0xe0 + number; 32]
}

/// What was said and kept, the first of each kind.
#[derive(Default)]
pub(crate) struct Overheard {
    said: BTreeMap<&'static str, (u8, Vec<u8>)>,
    kept: Vec<Case>,
    cells: Vec<Vec<u8>>,
}

struct Pair {
    replicas: [Replica; 2],
    on_their_way: VecDeque<(u8, u8, Vec<u8>)>,
    heard: Overheard,
}

fn replica(number: u8) -> Replica {
    let config = Config {
        node: node(number),
        id: id(number),
        fleet: FLEET.to_owned(),
        nodes: (1..=3).map(node).collect(),
        rollback_tolerance: 0,
        seed: [0xd0 + number; 32],
        sealing_root: sealing_root(number),
        cell: None,
        tick_ms: TICK_MS,
        max_frame: MIN_FRAME,
    };
    Replica::new(config, DiskImage::default()).expect("a replica")
}

/// The kind of a message, by its first numbers: each is one CBOR byte.
fn kind(message: &[u8]) -> &'static str {
    match message {
        [0x83, 1, ..] => "join",
        [0x84, 2, ..] => "welcome",
        [0x8f, 0, _, 1, ..] => "append",
        [0x8f, 0, _, 2, ..] => "append response",
        [0x8f, 0, _, 3, ..] => "heartbeat",
        [0x8f, 0, _, 4, ..] => "heartbeat response",
        [0x8f, 0, _, 6, ..] => "vote request",
        [0x8f, 0, _, 7, ..] => "vote response",
        [0x8f, 0, _, 8, ..] => "pre-vote request",
        [0x8f, 0, _, 9, ..] => "pre-vote response",
        _ => "another",
    }
}

impl Pair {
    fn of(&mut self, number: u8) -> &mut Replica {
        &mut self.replicas[usize::from(number) - 1]
    }

    fn step(&mut self, now_ms: u64, number: u8, event: Event) {
        let output = self.of(number).step(now_ms, event);
        self.take(now_ms, number, output);
    }

    fn take(&mut self, now_ms: u64, from: u8, output: Output) {
        assert_eq!(output.halted, None);
        self.heard.cells.extend(output.cell.filter(|_| from == 1));
        for (to, bytes) in output.messages {
            let said = self.heard.said.entry(kind(&bytes));
            said.or_insert((from, bytes.clone()));
            self.on_their_way.push_back((from, to.node().number(), bytes));
        }
        if let Some(persist) = output.persist {
            if from == 1 {
                let number = persist.number;
                self.heard.kept.extend(persist.ops.iter().map(|op| kept(number, op)));
            }
            let number = persist.number;
            self.step(now_ms, from, Event::Persisted { number });
        }
    }

    fn deliver(&mut self, now_ms: u64) {
        while let Some((from, to, bytes)) = self.on_their_way.pop_front() {
            if to <= 2 {
                let from = id(from);
                self.step(now_ms, to, Event::Peer { from, bytes });
            }
        }
    }
}

fn kept(batch: u64, op: &PersistOp) -> Case {
    let case = |name| Case::named(name).number("batch", batch);
    match op {
        PersistOp::PutMeta(bytes) => case("meta").hex("sealed", bytes),
        PersistOp::PutSnapshot(bytes) => case("snapshot").hex("sealed", bytes),
        PersistOp::PutSalts(bytes) => case("salts").hex("sealed", bytes),
        PersistOp::PutEntry { index, entry, salt } => {
            case("entry").number("index", *index).hex("sealed", entry).hex("sealed_salt", salt)
        }
        PersistOp::PutEntrySalt { index, salt } => {
            case("entry salt").number("index", *index).hex("sealed", salt)
        }
        PersistOp::TruncateFrom { index } => case("truncate from").number("index", *index),
        PersistOp::CompactBefore { index } => case("compact before").number("index", *index),
        PersistOp::Clear => case("clear"),
    }
}

pub(crate) fn run() -> Overheard {
    let mut pair = Pair {
        replicas: [replica(1), replica(2)],
        on_their_way: VecDeque::new(),
        heard: Overheard::default(),
    };
    for now_ms in [0, TICK_MS] {
        pair.step(now_ms, 1, Event::Tick);
        pair.step(now_ms, 2, Event::Tick);
    }
    pair.deliver(TICK_MS);
    let positions = [1, 2].map(|number| pair.of(number).position()).to_vec();
    for number in [1, 2] {
        let positions = positions.clone();
        let opened = pair.of(number).start(TICK_MS, Start { era: 1, positions });
        pair.take(TICK_MS, number, opened.expect("genesis"));
    }
    let (mut proposed, mut compacted) = (false, false);
    for step in 2..STEPS {
        let now_ms = step * TICK_MS;
        let leader = [1, 2].into_iter().find(|n| pair.of(*n).ready_to_serve());
        if let Some(leader) = leader.filter(|_| !proposed) {
            let payload = b"an entry of the state machine".to_vec();
            pair.of(leader).propose(payload, SALT).expect("it leads");
            proposed = true;
        } else if proposed && !compacted && pair.of(1).applied_index() >= 3 {
            let index = pair.of(1).applied_index();
            let kept = pair.of(1).compact(index, b"a state".to_vec(), b"salts".to_vec());
            kept.expect("a compaction");
            compacted = true;
        }
        for number in [1, 2] {
            pair.step(now_ms, number, Event::Tick);
        }
        pair.deliver(now_ms);
    }
    assert!(proposed && compacted);
    pair.heard
}

pub(crate) fn messages(heard: &Overheard) -> File {
    let file = File::new(
        "replica.json",
        "14-links.md",
        "Messages of consensus between nodes 1 and 2 of three, as the replica gives them to the link.",
    );
    heard.said.iter().fold(file, |file, (name, (from, bytes))| {
        assert_ne!(*name, "another");
        file.case(
            Case::named(name)
                .number("from_node", *from)
                .wide("from", id(*from).as_u64())
                .hex("encoded", bytes),
        )
    })
}

pub(crate) fn records(heard: &Overheard) -> File {
    let keys = Case::named("keys of node 1")
        .text("fleet", FLEET)
        .wide("process", id(1).as_u64())
        .hex("sealing_root", sealing_root(1))
        .hex("salt_of_the_entry", SALT);
    let cells = heard.cells.iter().map(|cell| Case::named("cell").hex("bytes", cell));
    File::new(
        "sealed.json",
        "13-sealed-log.md",
        "What node 1 gives its host from genesis to a compaction, and its cell's contents in turn.",
    )
    .case(keys)
    .cases(cells)
    .cases(heard.kept.iter().cloned())
}
