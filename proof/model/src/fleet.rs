//! What a fleet is made of, in the model.

use crate::{Answered, Mutant};

/// A process: `node * 16 + nonce`. Nonce 0 is nobody.
pub(crate) type Name = u8;

/// The node of a process.
pub(crate) const fn node_of(name: Name) -> usize {
    (name / 16) as usize
}

/// How far a run may go. Everything inside is visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Bounds {
    /// Nodes.
    pub nodes: usize,
    /// Highest term.
    pub terms: u8,
    /// Charges.
    pub charges: u8,
    /// Processes that start again, on any disk.
    pub boots: u8,
    /// Cold starts.
    pub starts: u8,
    /// Whether a node's old process may live beside its new one.
    pub forks: bool,
}

/// The model.
#[derive(Debug, Clone, Copy)]
pub struct Fleet {
    /// How far.
    pub bounds: Bounds,
    /// A rule left out.
    pub mutant: Option<Mutant>,
    /// Whether states that differ only in which node is which are one state. Every step then names
    /// nodes as the state before it does, and a story of several is hard to read.
    pub renames: bool,
}

/// One log entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Entry {
    /// An attempt, charged.
    Charge {
        /// Which.
        number: u8,
        /// The leader's term.
        term: u8,
    },
    /// A new leader's first entry.
    Begin {
        /// The leader's term.
        term: u8,
    },
    /// A joint change begins: this process takes its node's seat.
    Enter {
        /// The leader's term.
        term: u8,
        /// The era that it counts in.
        era: u8,
        /// Who comes.
        name: Name,
    },
    /// The joint change ends.
    Leave {
        /// The leader's term.
        term: u8,
        /// The era that it counts in.
        era: u8,
    },
}

impl Entry {
    /// Whose leader wrote it.
    pub const fn term(&self) -> u8 {
        match self {
            Self::Charge { term, .. }
            | Self::Begin { term }
            | Self::Enter { term, .. }
            | Self::Leave { term, .. } => *term,
        }
    }
}

/// Who sits where: a voter for each node, and whom a joint change brings in.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Seats {
    /// By node; 0 is an empty seat.
    pub voters: Vec<Name>,
    /// The process that is coming in.
    pub entering: Option<Name>,
}

impl Seats {
    /// The voters after the change that is under way.
    fn after(&self) -> Vec<Name> {
        let mut voters = self.voters.clone();
        if let Some(name) = self.entering {
            voters[node_of(name)] = name;
        }
        voters
    }

    /// Whether these processes are a majority, of both halves while a change is under way. An empty
    /// seat counts against every quorum.
    pub fn quorum(&self, holds: impl Fn(Name) -> bool) -> bool {
        let majority = |voters: &[Name]| {
            voters.iter().filter(|v| **v != 0 && holds(**v)).count() > voters.len() / 2
        };
        majority(&self.voters) && majority(&self.after())
    }

    /// The newest process of each node.
    pub fn newest(&self) -> Vec<Name> {
        self.after()
    }

    /// Whether a process has a seat.
    pub fn holds(&self, name: Name) -> bool {
        self.voters.contains(&name) || self.entering == Some(name)
    }
}

/// What a disk can prove.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Disk {
    /// The newest era that it knows.
    pub era: u8,
    /// The highest term.
    pub term: u8,
    /// The log.
    pub log: Vec<Entry>,
}

impl Disk {
    /// (last term, length): Raft's order of logs.
    pub fn tip(&self) -> (u8, usize) {
        (self.log.last().map_or(0, Entry::term), self.log.len())
    }
}

/// What a process is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Not readmitted yet.
    Joining,
    /// A voter.
    Follower,
    /// Asks for votes.
    Candidate,
    /// Leads.
    Leader,
    /// Told custodians where it stands.
    Frozen,
}

/// One process. What it has appended is durable: crashes in between are the disks' histories.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Process {
    /// Its name.
    pub name: Name,
    /// What it is.
    pub role: Role,
    /// What it holds.
    pub disk: Disk,
    /// For whom it voted in this term.
    pub voted: Option<Name>,
    /// Entries that it knows to be committed.
    pub commit: usize,
    /// The seats with which its era began.
    pub dealt: Vec<Name>,
    /// As candidate: who votes for it.
    pub votes: Vec<Name>,
    /// As leader: what each process acknowledged.
    pub matched: Vec<(Name, usize)>,
}

impl Process {
    /// The seats that it goes by: those dealt, and the changes that it knows to be committed.
    pub fn seats(&self) -> Seats {
        let mut seats = Seats { voters: self.dealt.clone(), entering: None };
        for entry in self.disk.log.iter().take(self.commit) {
            match entry {
                Entry::Enter { era, name, .. } if *era == self.disk.era => {
                    seats.entering = Some(*name);
                }
                Entry::Leave { era, .. } if *era == self.disk.era => {
                    seats.voters = seats.after();
                    seats.entering = None;
                }
                _ => {}
            }
        }
        seats
    }

    /// What it knows that a process holds.
    pub fn matched(&self, name: Name) -> usize {
        if name == self.name {
            return self.disk.log.len();
        }
        self.matched.iter().find(|(who, _)| *who == name).map_or(0, |(_, len)| *len)
    }

    /// How far its log is.
    pub fn tip(&self) -> (u8, usize) {
        self.disk.tip()
    }

    /// Whether it read that a newer process of its node has its seat.
    fn is_superseded(&self) -> bool {
        self.role != Role::Joining
            && self.seats().newest().get(node_of(self.name)).is_some_and(|now| *now > self.name)
    }
}

/// One node.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, PartialOrd, Ord)]
pub struct Node {
    /// Its processes; more than one if its host forks.
    pub processes: Vec<Process>,
    /// Every state that its disk was ever in, the newest last.
    pub history: Vec<Disk>,
    /// The last nonce that it used.
    pub nonce: u8,
    /// The highest log that any of its disks ever held: what witnesses of its positions know.
    pub top: (u8, usize),
}

/// The whole fleet.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct State {
    /// By number.
    pub nodes: Vec<Node>,
    /// Charges that were answered.
    pub answered: Vec<Answered>,
    /// (era, term, who) that ever led.
    pub leaders: Vec<(u8, u8, Name)>,
    /// What is left of the bounds.
    pub charges: u8,
    /// Boots so far.
    pub boots: u8,
    /// The newest era.
    pub era: u8,
    /// Positions that custodians hold: process, log, term. Only a mutant lets them grow old.
    pub told: Vec<(Name, Disk)>,
}

impl State {
    /// A fleet right after its genesis.
    pub fn genesis(nodes: usize) -> Self {
        let dealt: Vec<Name> =
            (0..nodes).map(|n| u8::try_from(n * 16 + 1).unwrap_or(u8::MAX)).collect();
        let disk = Disk { era: 1, term: 0, log: Vec::new() };
        let node = |name: &Name| Node {
            processes: vec![Process {
                name: *name,
                role: Role::Follower,
                disk: disk.clone(),
                voted: None,
                commit: 0,
                dealt: dealt.clone(),
                votes: Vec::new(),
                matched: Vec::new(),
            }],
            history: vec![disk.clone()],
            nonce: 1,
            top: (0, 0),
        };
        Self {
            nodes: dealt.iter().map(node).collect(),
            answered: Vec::new(),
            leaders: Vec::new(),
            charges: 0,
            boots: 0,
            era: 1,
            told: Vec::new(),
        }
    }

    /// Every living process.
    pub fn processes(&self) -> impl Iterator<Item = &Process> {
        self.nodes.iter().flat_map(|node| &node.processes)
    }

    /// One of them.
    pub fn process(&self, name: Name) -> Option<&Process> {
        self.nodes.get(node_of(name))?.processes.iter().find(|p| p.name == name)
    }

    /// Whoever reads that a newer process of its node is in the fleet acts no more.
    pub(crate) fn halt_the_superseded(&mut self) {
        for node in &mut self.nodes {
            node.processes.retain(|p| !p.is_superseded());
        }
    }

    /// No disk of the past is ever read again.
    pub(crate) fn forget_disks(&mut self) {
        self.nodes.iter_mut().for_each(|node| node.history.clear());
    }

    /// Changes one of them, and remembers what its disk has become.
    pub fn change(&mut self, name: Name, change: impl FnOnce(&mut Process)) {
        let Some(node) = self.nodes.get_mut(node_of(name)) else { return };
        let Some(process) = node.processes.iter_mut().find(|p| p.name == name) else { return };
        change(process);
        let disk = process.disk.clone();
        node.top = node.top.max(disk.tip());
        node.history.retain(|kept| *kept != disk);
        node.history.push(disk);
    }
}
