//! The world: one queue of events, everything else follows.

mod adversary;
mod ceremonies;
mod custodians;
mod erasure;
mod events;
mod guesses;
mod histories;
mod hosts;
mod probe;
mod rules;
mod states;
mod telling;
mod users;

use crate::{
    acts::{Act, Deed},
    client::User,
    disk::Disk,
    fleet::Ceremony,
    hardware::{EPOCH_MS, SimHardware, WorldClock},
    lots::{Lots, Whose},
    oracle::{Broken, Oracle},
    plan::{Dice, Plan},
    record::Recorder,
    trace::{Detail, Notes, State},
    view::Seen,
};
use adversary::Foe;
pub(crate) use events::{Event, Route};
use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet, VecDeque},
    rc::Rc,
};
use strongroom_vault::Vault;
use strongroom_wire::{
    process::{Health, ToVault},
    start::SignedPosition,
};
pub(crate) use telling::{About, Witness};

/// Consensus ticks, in milliseconds.
pub(crate) const TICK_MS: u64 = 20;
/// A user whose answer does not come tries again after this long.
const PATIENCE_MS: u64 = 1_500;
/// Faults have stopped, everything is up: by then everybody must be done.
const CALM_MS: u64 = 120_000;

/// A place where one process of a node runs. The first half of all places are the nodes' own; the
/// place of the same node in the second half holds a process that the host runs beside it.
#[derive(Default)]
pub(crate) struct Node {
    pub(crate) vault: Option<Vault<SimHardware>>,
    /// Its name: no two processes of a run have the same.
    pub(crate) process: u64,
    /// Stopped by a signal: it says nothing, and what is sent to it waits in its pipe.
    pub(crate) stopped: bool,
    pub(crate) piled: VecDeque<ToVault>,
    /// To whom the host hands what arrives, while two processes of this node run.
    pub(crate) route: Route,
    pub(crate) disk: Disk,
    /// Booted from a disk that is not today's and not yet given a snapshot by the fleet.
    pub(crate) doubtful: bool,
    /// Another process wrote the cell that this one uses: this many writes of salts put it right.
    pub(crate) taint: u8,
    /// Another process of its node ran beside it.
    pub(crate) shared: bool,
    /// What it told custodians, and where no statement has named it since.
    pub(crate) told: Option<SignedPosition>,
    /// It was given a disk that proves nothing, and the fleet has given it nothing yet.
    pub(crate) bare: bool,
    /// For how long it has asked a fleet with a leader for a seat.
    pub(crate) waiting_ms: u64,
    pub(crate) health: Option<Health>,
    /// How far its state was looked at.
    pub(crate) applied: u64,
    /// Requests under way at this host: whose they are.
    pub(crate) requests: BTreeMap<u64, (usize, u64)>,
    pub(crate) next_request: u64,
    pub(crate) unsynced: VecDeque<u64>,
    /// What the trace last said of it.
    pub(crate) noted: Option<State>,
}

/// What came of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The seed.
    pub seed: u64,
    /// Virtual milliseconds.
    pub virtual_ms: u64,
    /// Events that happened.
    pub events: u64,
    /// Answers that users took.
    pub answers: u64,
    /// Recoveries that brought the key back.
    pub recoveries: u64,
    /// Records destroyed by wrong passwords.
    pub locked: u64,
    /// Processes that were killed.
    pub crashes: u64,
    /// Start statements after genesis.
    pub cold_starts: u64,
    /// Processes that stopped themselves.
    pub halts: u64,
    /// Operations whose slots' histories were searched for an order.
    pub checked: u64,
    /// Slots for which the search did not end: neither explained nor refused.
    pub undecided: u64,
    /// Promises that were broken.
    pub broken: Vec<Broken>,
    /// SHA-256 over every event: a run repeats to the byte.
    pub digest: [u8; 32],
}

/// One run.
pub struct World {
    pub(crate) plan: Plan,
    pub(crate) lots: Lots,
    pub(crate) clock: Rc<RefCell<WorldClock>>,
    pub(crate) ceremony: Ceremony,
    pub(crate) nodes: Vec<Node>,
    pub(crate) users: Vec<User>,
    pub(crate) scripts: Vec<users::Script>,
    pub(crate) oracle: Oracle,
    pub(crate) queue: BTreeMap<(u64, u64), Event>,
    pub(crate) sequence: u64,
    /// Pairs of nodes, directed, between which nothing passes.
    pub(crate) cut: BTreeSet<(u8, u8)>,
    /// Frames and requests that hosts kept, to deliver again.
    pub(crate) kept: VecDeque<(u8, usize, Vec<u8>)>,
    /// When a majority was seated, or somebody led, last.
    pub(crate) closed_ms: u64,
    /// For how long nobody led where somebody could.
    pub(crate) leaderless_ms: u64,
    pub(crate) foe: Foe,
    /// What was done yet.
    pub(crate) deeds: Rc<RefCell<Vec<Deed>>>,
    pub(crate) processes: u64,
    pub(crate) report: Report,
    digest: [u8; 32],
    /// The run ended because its plan says so: what comes last did not come.
    cut_short: bool,
    notes: Rc<Notes>,
    /// Whether hosts start dead processes again and custodians help, as in a fleet that people run.
    pub(crate) tended: bool,
    /// The answer to a probe.
    pub(crate) probed: Option<Vec<u8>>,
    pub(crate) recorder: Option<Recorder>,
    /// What hosts see, if somebody wants to know.
    pub(crate) seen: Option<Vec<Seen>>,
    pub(crate) erasures: erasure::Erasures,
    pub(crate) histories: histories::Histories,
}

impl World {
    /// A fleet that has had its genesis, and users who have not enrolled.
    pub fn new(plan: Plan) -> Self {
        let mut world = Self::unborn(plan);
        world.genesis();
        world
    }

    /// The same before its genesis.
    pub(crate) fn unborn(plan: Plan) -> Self {
        let mut dice = Dice::new(plan.seed, 2);
        let foe = Foe::new(&plan);
        let ceremony = Ceremony::new(&mut dice.0, &plan);
        let clock = Rc::new(RefCell::new(WorldClock { now_ms: 1 }));
        let nodes = (0..2 * usize::from(plan.nodes)).map(|_| Node::default());
        let mut oracle = Oracle::default();
        let users: Vec<User> = (0..plan.users)
            .map(|n| User::new(&ceremony.manifest, n, EPOCH_MS, dice.bytes()))
            .collect();
        for user in &users {
            oracle.guard_secret(user.backup_key.as_bytes());
            oracle.guard_secret(user.password.as_bytes());
        }
        let mut scripts: Vec<users::Script> =
            (0..plan.users).map(|_| users::Script::draw(&mut dice, &plan)).collect();
        if let Some(siege) = &foe.siege {
            scripts[siege.victim] = users::Script::besieged(siege.habit);
        }
        let report = Report { seed: plan.seed, ..Report::default() };
        Self {
            nodes: nodes.collect(),
            lots: Lots::new(plan.seed),
            plan,
            clock,
            ceremony,
            users,
            scripts,
            oracle,
            queue: BTreeMap::new(),
            sequence: 0,
            cut: BTreeSet::new(),
            kept: VecDeque::new(),
            closed_ms: 0,
            leaderless_ms: 0,
            foe,
            deeds: Rc::default(),
            processes: 0,
            report,
            digest: [0; 32],
            cut_short: false,
            notes: Rc::new(Notes::new(Detail::Off)),
            tended: true,
            probed: None,
            recorder: None,
            seen: None,
            erasures: erasure::Erasures::default(),
            histories: histories::Histories::default(),
        }
    }

    pub(crate) fn now(&self) -> u64 {
        self.clock.borrow().now_ms
    }

    pub(crate) fn at(&mut self, after_ms: u64, event: Event) {
        self.sequence += 1;
        let at = (self.now() + after_ms, self.sequence);
        self.queue.insert(at, event);
    }

    /// How many nodes the fleet has.
    pub(crate) fn count(&self) -> usize {
        usize::from(self.plan.nodes)
    }

    pub(crate) fn majority(&self) -> usize {
        self.count() / 2 + 1
    }

    pub(crate) fn genesis(&mut self) {
        for node in 0..self.count() {
            self.boot(node);
        }
        self.ceremony_with(&|_| true);
        let faulty = self.plan.faults_ms > 0;
        if faulty {
            self.at(1_000, Event::Fault { extra: false });
        }
        self.at(1_000, Event::Watch);
        for user in 0..self.users.len() {
            if self.may(Act::TakePart, 1_000) {
                let after = 500 + self.lots.of(Whose::User(user)).below(3_000);
                self.at(after, Event::Wake { user });
            } else {
                self.scripts[user] = users::Script::nothing();
            }
        }
    }

    /// Whether faults still happen.
    pub(crate) fn faulty(&self) -> bool {
        self.now() < self.plan.faults_ms
    }

    /// Runs until everybody is done, or until it is plain that somebody never will be.
    pub fn run(mut self) -> Report {
        self.run_to_end();
        self.finish()
    }

    pub(crate) fn run_to_end(&mut self) {
        let end = self.plan.faults_ms + CALM_MS;
        let mut calmed = false;
        while let Some(((at, sequence), event)) = self.queue.pop_first() {
            if at > self.plan.ends_ms {
                self.cut_short = true;
                break;
            }
            self.clock.borrow_mut().now_ms = at;
            if !calmed && !self.faulty() {
                calmed = true;
                self.calm_down();
            }
            self.note(sequence, &event);
            self.tell_event(&event);
            self.handle(event);
            self.report.events += 1;
            if !self.oracle.broken.is_empty() || at > end {
                break;
            }
            if calmed && self.all_done() {
                break;
            }
        }
    }

    fn all_done(&self) -> bool {
        self.scripts.iter().all(users::Script::is_done) && self.all_seated()
    }

    fn finish(mut self) -> Report {
        if self.oracle.broken.is_empty() && !self.cut_short {
            let story = format!("{} of {} nodes have their seats", self.seated(), self.count());
            self.oracle.inv8_kept(self.all_seated(), story);
        }
        for user in 0..self.users.len() {
            let done = self.scripts[user].is_done();
            let story = format!(
                "user {user} is not done {} ms after the last fault: {:?}",
                self.now().saturating_sub(self.plan.faults_ms),
                self.scripts[user]
            );
            if self.oracle.broken.is_empty() && !self.cut_short {
                self.oracle.inv8_kept(done, story);
            }
        }
        self.judge_histories();
        for node in &self.nodes {
            for bytes in node.disk.today().bytes() {
                self.oracle.inv10_secret_in("a disk", bytes);
            }
        }
        self.report.virtual_ms = self.now();
        self.report.recoveries = self.users.iter().map(|user| user.recoveries).sum();
        self.report.locked = self.users.iter().filter(|user| user.locked).count() as u64;
        self.report.broken = self.oracle.broken;
        self.report.digest = self.digest;
        self.report
    }

    pub(crate) fn handle(&mut self, event: Event) {
        match event {
            Event::Tick { node, process } => self.tick(node, process),
            Event::Frame { from, to, bytes } => self.deliver(from, to, bytes),
            Event::Persisted { node, process, number, ops } => {
                self.persisted(node, process, number, &ops);
            }
            Event::Request { node, user, frame_number, ticket, frame } => {
                self.request(node, user, frame_number, ticket, frame);
            }
            Event::Answer { user, frame_number, reply, held, forged } => {
                self.answer(user, frame_number, &reply, &held, forged);
            }
            Event::Wake { user } => self.wake(user),
            Event::Timeout { user, frame_number } => {
                self.timeout(user, frame_number);
            }
            Event::Fault { extra: false } => self.fault(),
            Event::Fault { extra: true } => self.take_turn(),
            Event::Rush { node, process } => self.rush(node, process),
            Event::Watch => self.watch(),
        }
    }

    /// Extends the run's digest: two runs of one seed give one digest.
    fn note(&mut self, sequence: u64, event: &Event) {
        let (kind, what): (u64, &[u8]) = match event {
            Event::Tick { .. } => return,
            Event::Frame { bytes, .. } => (1, bytes),
            Event::Persisted { .. } => (2, &[]),
            Event::Request { frame, .. } => (3, frame),
            Event::Answer { reply, .. } => (4, reply),
            Event::Wake { .. } => (5, &[]),
            Event::Timeout { .. } => (6, &[]),
            Event::Fault { .. } => (7, &[]),
            Event::Watch => (8, &[]),
            Event::Rush { .. } => (9, &[]),
        };
        self.digest = strongroom_wire::Framed::new("strongroom/sim/v1")
            .bytes(&self.digest)
            .number(self.now())
            .number(sequence)
            .number(kind)
            .bytes(what)
            .digest();
    }
}

pub(crate) const fn patience_ms() -> u64 {
    PATIENCE_MS
}
