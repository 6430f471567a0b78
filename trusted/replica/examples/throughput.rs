//! Proposals a second of seven replicas in one thread: guard, codec, seals, chain and holders included, disk and
//! network excluded. `cargo run --release -p strongroom-replica --example throughput [batch] [seconds]`

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use strongroom_replica::{Config, DiskImage, Event, NodeId, Output, Replica, ReplicaId, Start};

enum Work {
    Peer(usize, ReplicaId, Vec<u8>),
    Persisted(usize, u64),
}

struct Fleet {
    replicas: Vec<Replica>,
    queue: VecDeque<Work>,
    now: u64,
    released: u64,
    applied: u64,
}

impl Fleet {
    fn take(&mut self, at: usize, out: Output) {
        let from = self.replicas[at].id();
        for (to, bytes) in out.messages {
            self.queue.push_back(Work::Peer(usize::from(to.node().number()) - 1, from, bytes));
        }
        if let Some(persist) = out.persist {
            self.queue.push_back(Work::Persisted(at, persist.number));
        }
        assert!(out.halted.is_none(), "{:?}", out.halted);
        self.released += out.released.len() as u64;
        self.applied += out.applied.len() as u64;
    }

    fn settle(&mut self) {
        while let Some(work) = self.queue.pop_front() {
            let (at, event) = match work {
                Work::Peer(at, from, bytes) => (at, Event::Peer { from, bytes }),
                Work::Persisted(at, number) => (at, Event::Persisted { number }),
            };
            let out = self.replicas[at].step(self.now, event);
            self.take(at, out);
        }
    }
}

fn main() {
    let mut args = std::env::args().skip(1).filter_map(|a| a.parse::<u64>().ok());
    let (batch, seconds) = (args.next().unwrap_or(1), args.next().unwrap_or(3));
    let nodes: Vec<NodeId> = (1..=7).filter_map(NodeId::new).collect();
    let make = |node: &NodeId| {
        let config = Config {
            node: *node,
            id: ReplicaId::from_entropy(*node, [node.number(); 8]),
            fleet: "bench".into(),
            nodes: nodes.clone(),
            rollback_tolerance: 0,
            seed: [node.number(); 32],
            sealing_root: [node.number(); 32],
            cell: None,
            tick_ms: 100,
            max_frame: 64 << 20,
        };
        Replica::new(config, DiskImage::default()).expect("valid")
    };
    let replicas: Vec<Replica> = nodes.iter().map(make).collect();
    let mut fleet = Fleet { replicas, queue: VecDeque::new(), now: 0, released: 0, applied: 0 };
    let positions = fleet.replicas.iter_mut().map(|r| r.position()).collect();
    let start = Start { era: 1, positions };
    for at in 0..7 {
        let out = fleet.replicas[at].start(0, start.clone()).expect("genesis");
        fleet.take(at, out);
    }
    let leader = loop {
        if let Some(leader) = fleet.replicas.iter().position(|r| r.ready_to_serve()) {
            break leader;
        }
        fleet.now += 100;
        for at in 0..7 {
            let out = fleet.replicas[at].step(fleet.now, Event::Tick);
            fleet.take(at, out);
        }
        fleet.settle();
    };
    fleet.settle();
    (fleet.released, fleet.applied) = (0, 0);
    let begin = Instant::now();
    let mut since_compaction = 0;
    while begin.elapsed() < Duration::from_secs(seconds) {
        for _ in 0..batch {
            fleet.replicas[leader].propose(vec![7; 112], [9; 32]).expect("leads");
        }
        let out = fleet.replicas[leader].step(fleet.now, Event::Tick);
        fleet.take(leader, out);
        fleet.settle();
        since_compaction += batch;
        if since_compaction > 50_000 {
            since_compaction = 0;
            for at in 0..7 {
                let index = fleet.replicas[at].applied_index();
                let _ = fleet.replicas[at].compact(index, vec![1; 1000], vec![1; 100]);
                let out = fleet.replicas[at].step(fleet.now, Event::Tick);
                fleet.take(at, out);
            }
            fleet.settle();
        }
    }
    let elapsed = begin.elapsed().as_secs_f64();
    let rate = fleet.released as f64 / elapsed;
    println!(
        "batch {batch}: {} released, {} applied in {elapsed:.2} s: {rate:.0} proposals/s",
        fleet.released, fleet.applied
    );
}
