//! Real vaults in memory, and a host that holds a stopwatch.

use std::{
    cell::RefCell,
    collections::VecDeque,
    hint::black_box,
    rc::Rc,
    time::{Duration, Instant},
};
use strongroom_manifest::Policy;
use strongroom_protocol::OutgoingFrame;
use strongroom_sim::{
    Plan,
    fleet::{Ceremony, FLEET},
    hardware::{EPOCH_MS, SimHardware, WorldClock},
    plan::Dice,
};
use strongroom_vault::{Setup, Vault};
use strongroom_wire::{
    Slot,
    codec::{self, Blob},
    process::{ToHost, ToVault},
    relay::reply_from_bytes,
    start::SignedPosition,
};

const TICK_MS: u64 = 20;
/// Vault time between two requests.
const PAUSE_MS: u64 = 10;
/// Numbers that fill the caches of one core: 2 MiB.
const SCRUB: usize = 256 * 1_024;

/// What a host's stopwatch showed for one request, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Times {
    /// The leader's step that took the request, until it had an entry to keep.
    pub(crate) take: f64,
    /// Its step that gave the answer out, from the word that the entry is kept.
    pub(crate) release: f64,
    /// All steps of another vault that the request caused, until it was applied there; 0 where the fleet
    /// has one node.
    pub(crate) follow: f64,
}

/// A fleet whose network loses nothing and whose disks are instant.
pub(crate) struct Fleet {
    /// Its manifest and keys.
    pub(crate) ceremony: Ceremony,
    clock: Rc<RefCell<WorldClock>>,
    dice: Dice,
    vaults: Vec<Vault<SimHardware>>,
    leader: Option<usize>,
    /// What is on its way: to which vault.
    pipes: VecDeque<(usize, ToVault)>,
    positions: Vec<SignedPosition>,
    requests: u64,
    /// What the vault after the leader has taken since the last request.
    followed: f64,
    /// What is written before each request, so that no class finds in a cache what its device left there.
    scrub: Vec<u64>,
}

impl Fleet {
    /// A fleet of so many nodes that serves.
    ///
    /// # Panics
    /// If it does not: a defect.
    pub(crate) fn new(seed: u64, nodes: u8, policy: Policy) -> Self {
        let plan = Plan { nodes, policy, ..Plan::calm(seed, 0) };
        let mut dice = Dice::new(seed, 11);
        let ceremony = Ceremony::new(&mut dice.0, &plan);
        let clock = Rc::new(RefCell::new(WorldClock { now_ms: 1 }));
        let mut vaults = Vec::new();
        for (number, node) in (1..).zip(&ceremony.nodes) {
            let (node, secrets) = (Rc::clone(node), Rc::clone(&ceremony.secrets));
            let hardware = SimHardware::new(node, secrets, Rc::clone(&clock), dice.bytes());
            let manifest = ceremony.manifest.clone();
            let setup = Setup { node: number, fleet: FLEET.to_owned(), manifest, tick_ms: TICK_MS };
            vaults.push(Vault::new(setup, hardware).expect("a vault of this ceremony"));
        }
        let (leader, pipes, positions) = (None, VecDeque::new(), Vec::new());
        let (requests, followed, scrub) = (0, 0.0, vec![0; SCRUB]);
        let mut fleet = Self {
            ceremony,
            clock,
            dice,
            vaults,
            leader,
            pipes,
            positions,
            requests,
            followed,
            scrub,
        };
        fleet.begin();
        fleet
    }

    fn begin(&mut self) {
        for node in 0..self.vaults.len() {
            self.pipes.push_back((node, ToVault::LoadEnd {}));
            self.pipes.push_back((node, ToVault::Position {}));
        }
        self.settle();
        let start = self.ceremony.start(std::mem::take(&mut self.positions));
        for node in 0..self.vaults.len() {
            let bytes = Blob(codec::encode(&start));
            self.pipes.push_back((node, ToVault::Start { bytes }));
        }
        self.pass(2_000);
        assert!(self.leader.is_some(), "the fleet does not serve");
    }

    /// Lets vault time pass.
    pub(crate) fn pass(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(PAUSE_MS) {
            self.clock.borrow_mut().now_ms += PAUSE_MS;
            self.tick();
        }
    }

    /// Lets much vault time pass at once.
    pub(crate) fn jump(&mut self, ms: u64) {
        self.clock.borrow_mut().now_ms += ms;
        self.tick();
        self.pass(5_000);
    }

    fn tick(&mut self) {
        for node in 0..self.vaults.len() {
            let outputs = self.vaults[node].tick();
            self.sort(node, outputs);
        }
        self.settle();
    }

    fn settle(&mut self) {
        while let Some((node, input)) = self.pipes.pop_front() {
            self.step(node, input);
        }
    }

    /// 32 bytes from the run's dice.
    pub(crate) fn draw(&mut self) -> [u8; 32] {
        self.dice.bytes()
    }

    /// Hands a request to the leader, and carries whatever vaults say until it is answered. `more` is
    /// time that the leader's first step is made to take besides.
    ///
    /// # Panics
    /// If a calm fleet refuses: a defect.
    // One copy of this code: two could be laid out differently, and differ in time.
    #[inline(never)]
    pub(crate) fn carry(
        &mut self,
        slot: &Slot,
        frame: &OutgoingFrame,
        more: Duration,
    ) -> (Times, Vec<u8>) {
        let now_ms = EPOCH_MS + self.clock.borrow().now_ms;
        let (verb, bytes) = (frame.verb(), frame.bytes());
        let ticket = self.ceremony.ticket(&mut self.dice.0, slot, verb, bytes, now_ms);
        self.requests += 1;
        let (ticket, frame) = (Blob(ticket), Blob(bytes.to_vec()));
        let request = ToVault::Request { id: self.requests, ticket, frame };
        let leader = self.leader.expect("a leader");
        self.followed = 0.0;
        self.scrub.iter_mut().for_each(|number| *number = number.wrapping_add(1));
        black_box(&mut self.scrub);
        let vault = &mut self.vaults[leader];
        let begun = Instant::now();
        let mut outputs = vault.step(request);
        outputs.extend(vault.flush());
        let end = begun.elapsed() + more;
        while !more.is_zero() && begun.elapsed() < end {}
        let take = begun.elapsed().as_nanos() as f64;
        let mut answer = self.sort(leader, outputs).map(|reply| (take, reply));
        while answer.is_none() {
            let (node, input) = self.pipes.pop_front().expect("an answer");
            answer = self.step(node, input);
        }
        let (release, reply) = answer.expect("an answer");
        self.settle();
        let follow = self.followed;
        self.pass(PAUSE_MS);
        let answer = reply_from_bytes(&reply).expect("a reply").expect("no refusal");
        (Times { take, release, follow }, answer)
    }

    /// One message to one vault: how long that took, if it answered a request.
    #[inline(never)]
    fn step(&mut self, node: usize, input: ToVault) -> Option<(f64, Vec<u8>)> {
        let vault = &mut self.vaults[node];
        let begun = Instant::now();
        let mut outputs = vault.step(input);
        outputs.extend(vault.flush());
        let took = begun.elapsed().as_nanos() as f64;
        if self
            .leader
            .is_some_and(|leader| node == (leader + 1) % self.vaults.len() && node != leader)
        {
            self.followed += took;
        }
        self.sort(node, outputs).map(|reply| (took, reply))
    }

    fn sort(&mut self, node: usize, outputs: Vec<ToHost>) -> Option<Vec<u8>> {
        let from = u8::try_from(node + 1).expect("few nodes");
        let mut answer = None;
        for output in outputs {
            match output {
                ToHost::Peer { to, bytes } => {
                    self.pipes.push_back((usize::from(to) - 1, ToVault::Peer { from, bytes }));
                }
                ToHost::Persist { number, .. } => {
                    self.pipes.push_back((node, ToVault::Persisted { number }));
                }
                ToHost::Reply { reply, .. } => answer = Some(reply.0),
                ToHost::Position { bytes } => {
                    self.positions.push(SignedPosition::from_bytes(&bytes.0).expect("position"));
                }
                ToHost::Health { health } if health.ready && health.role == "leader" => {
                    self.leader = Some(node);
                }
                ToHost::Halted { reason, .. } => panic!("node {from} halted: {reason}"),
                _ => {}
            }
        }
        answer
    }
}
