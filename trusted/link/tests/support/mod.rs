//! Two or three nodes and a network that does what a test says.

#![allow(dead_code)]

use strongroom_link::{Config, LinkEvent, Links, NodeId, ReplicaId, public_key};

pub(crate) fn secret(node: NodeId) -> [u8; 32] {
    [node.wrapping_mul(7).wrapping_add(1); 32]
}

pub(crate) fn replica(node: NodeId, process: u64) -> ReplicaId {
    (u64::from(node) << 56) | process
}

/// The configuration of the `process`-th process of `node` in a fleet of nodes 1, 2 and 3.
pub(crate) fn config(node: NodeId, process: u64) -> Config {
    let peers = [1, 2, 3].into_iter().filter(|n| *n != node);
    let mut seed = [0; 32];
    seed[..8].copy_from_slice(&process.to_be_bytes());
    seed[8] = node;
    Config {
        own: node,
        id: replica(node, process),
        static_secret: secret(node),
        peers: peers.map(|n| (n, public_key(&secret(n)))).collect(),
        manifest_digest: [9; 32],
        fleet: "eu-1".into(),
        seed,
    }
}

pub(crate) fn links(node: NodeId, process: u64) -> Links {
    Links::new(config(node, process)).expect("a valid configuration")
}

pub(crate) fn frames(events: &[LinkEvent], to: NodeId) -> Vec<Vec<u8>> {
    let pick = |e: &LinkEvent| match e {
        LinkEvent::Send { to: t, bytes } if *t == to => Some(bytes.clone()),
        _ => None,
    };
    events.iter().filter_map(pick).collect()
}

pub(crate) fn messages(events: &[LinkEvent]) -> Vec<Vec<u8>> {
    let pick = |e: &LinkEvent| match e {
        LinkEvent::Message { bytes, .. } => Some(bytes.clone()),
        _ => None,
    };
    events.iter().filter_map(pick).collect()
}

pub(crate) fn ups(events: &[LinkEvent]) -> Vec<ReplicaId> {
    let pick = |e: &LinkEvent| match e {
        LinkEvent::Up { replica, .. } => Some(*replica),
        _ => None,
    };
    events.iter().filter_map(pick).collect()
}

pub(crate) fn halted(events: &[LinkEvent]) -> bool {
    events.iter().any(|e| matches!(e, LinkEvent::Halt(_)))
}

pub(crate) const HELLO: u8 = 1;
pub(crate) const ANSWER: u8 = 2;
pub(crate) const DATA: u8 = 3;

/// Nodes 1 and 2 with everything that ever passed between them.
pub(crate) struct Pair {
    pub(crate) a: Links,
    pub(crate) b: Links,
    pub(crate) now_ms: u64,
    pub(crate) to_a: Vec<Vec<u8>>,
    pub(crate) to_b: Vec<Vec<u8>>,
    /// Everything that happened at a end, sends included.
    pub(crate) at_a: Vec<LinkEvent>,
    pub(crate) at_b: Vec<LinkEvent>,
}

impl Pair {
    pub(crate) fn new(a: Links, b: Links) -> Pair {
        Pair { a, b, now_ms: 1_000, to_a: vec![], to_b: vec![], at_a: vec![], at_b: vec![] }
    }

    /// A pair with a finished session.
    pub(crate) fn up() -> Pair {
        let mut pair = Pair::new(links(1, 1), links(2, 1));
        pair.run(1);
        assert_eq!(pair.a.process_of(2), Some(replica(2, 1)));
        assert_eq!(pair.b.process_of(1), Some(replica(1, 1)));
        pair
    }

    pub(crate) fn give_a(&mut self, frame: &[u8]) -> Vec<LinkEvent> {
        self.a.on_frame(self.now_ms, 2, frame)
    }

    pub(crate) fn give_b(&mut self, frame: &[u8]) -> Vec<LinkEvent> {
        self.b.on_frame(self.now_ms, 1, frame)
    }

    /// Carries frames until none is under way.
    pub(crate) fn settle(&mut self, mut for_a: Vec<Vec<u8>>, mut for_b: Vec<Vec<u8>>) {
        while !for_a.is_empty() || !for_b.is_empty() {
            let (next_a, next_b) = (std::mem::take(&mut for_a), std::mem::take(&mut for_b));
            for frame in next_a {
                let events = self.give_a(&frame);
                for_b.extend(frames(&events, 2));
                self.at_a.extend(events);
                self.to_a.push(frame);
            }
            for frame in next_b {
                let events = self.give_b(&frame);
                for_a.extend(frames(&events, 1));
                self.at_b.extend(events);
                self.to_b.push(frame);
            }
        }
    }

    /// Lets `ticks` tenths of a second pass and carries everything.
    pub(crate) fn run(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.now_ms += 100;
            let (from_a, from_b) = (self.a.tick(self.now_ms), self.b.tick(self.now_ms));
            self.settle(frames(&from_b, 1), frames(&from_a, 2));
        }
    }

    /// Sends one message each way and says whether both arrived, exactly once.
    pub(crate) fn talks(&mut self) -> bool {
        let (a, b) = (self.b.process_of(1), self.a.process_of(2));
        let (Some(a), Some(b)) = (a, b) else {
            return false;
        };
        let (from_a, from_b) = (self.a.send(b, b"to b"), self.b.send(a, b"to a"));
        let (seen_a, seen_b) = (self.at_a.len(), self.at_b.len());
        self.settle(from_b, from_a);
        messages(&self.at_a[seen_a..]) == [b"to a"] && messages(&self.at_b[seen_b..]) == [b"to b"]
    }

    pub(crate) fn last(frames: &[Vec<u8>], kind: u8) -> Vec<u8> {
        frames.iter().rev().find(|f| f[0] == kind).expect("a frame of that kind").clone()
    }
}
