//! What may happen next.

use crate::{
    Answered, Mutant, alike,
    fleet::{Disk, Entry, Fleet, Name, Process, Role, State, node_of},
    promises,
};
use stateright::{Model, Property};

/// One step. Each says which code it stands for in spec §17.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Move {
    /// Nobody was heard for an election timeout.
    Campaign(Name),
    /// A process votes for a candidate.
    Vote(Name, Name),
    /// A candidate with a quorum begins to lead.
    Lead(Name),
    /// A leader's log is appended elsewhere, and acknowledged.
    Append(Name, Name),
    /// A leader takes an attempt.
    Charge(Name),
    /// A leader counts.
    Commit(Name),
    /// A leader answers.
    Answer(Name, usize),
    /// A process is killed, and its node starts again on a disk that it once had.
    Boot(usize, Disk),
    /// The same, and the old process lives on.
    Fork(usize, Disk),
    /// A leader lets a caught-up process take its node's seat.
    Seat(Name, Name),
    /// A leader ends the joint change.
    Leave(Name),
    /// Processes tell custodians where they stand.
    Tell(Vec<Name>),
    /// Custodians start an era from what they were told.
    Start,
}

impl Fleet {
    fn is(&self, mutant: Mutant) -> bool {
        self.mutant == Some(mutant)
    }

    /// Whether it votes: a process that nobody readmitted promises nothing.
    fn votes(process: &Process) -> bool {
        !matches!(process.role, Role::Joining | Role::Frozen)
    }

    /// Nothing reads what a process that was not readmitted found on its disk, but custodians and one
    /// mutant.
    fn reads_disks(&self) -> bool {
        self.bounds.starts > 0 || self.is(Mutant::KeepName)
    }

    fn of_process(&self, state: &State, p: &Process, moves: &mut Vec<Move>) {
        let era = p.disk.era;
        let peers = || state.processes().filter(move |q| q.name != p.name && q.disk.era <= era);
        // Each era begins a term above all earlier ones, and has as many elections.
        let last = self.bounds.terms + 2 * era.saturating_sub(1);
        let may = p.disk.term < last && p.seats().holds(p.name);
        if p.role == Role::Follower && may {
            moves.push(Move::Campaign(p.name));
        }
        if p.role == Role::Candidate {
            for q in peers().filter(|q| q.disk.era == era && Self::votes(q)) {
                let free =
                    p.disk.term > q.disk.term || (p.disk.term == q.disk.term && q.voted.is_none());
                if free && p.tip() >= q.tip() && !p.votes.contains(&q.name) {
                    moves.push(Move::Vote(q.name, p.name));
                }
            }
            if p.seats().quorum(|name| p.votes.contains(&name)) {
                moves.push(Move::Lead(p.name));
            }
        }
        if p.role == Role::Leader {
            self.of_leader(state, p, moves);
        }
    }

    fn of_leader(&self, state: &State, p: &Process, moves: &mut Vec<Move>) {
        let seats = p.seats();
        for q in state.processes().filter(|q| q.name != p.name && q.role != Role::Frozen) {
            // A superseded process has no seat, and nobody speaks to it.
            let newer = q.name > seats.newest()[node_of(q.name)];
            let joining = q.role == Role::Joining && newer && q.disk.era <= p.disk.era;
            let seated = seats.holds(q.name) && q.disk.era == p.disk.era;
            let behind =
                q.disk.term < p.disk.term || q.disk.log != p.disk.log || q.commit < p.commit;
            let news = behind || p.matched(q.name) < p.disk.log.len();
            if (joining || seated) && q.disk.term <= p.disk.term && news {
                moves.push(Move::Append(p.name, q.name));
            }
            if joining && seats.entering.is_none() && self.is_steady(p) && self.caught_up(p, q) {
                moves.push(Move::Seat(p.name, q.name));
            }
        }
        if seats.entering.is_some() && self.is_steady(p) {
            moves.push(Move::Leave(p.name));
        }
        if state.charges < self.bounds.charges && self.leads_surely(p) {
            moves.push(Move::Charge(p.name));
        }
        if self.commits(p) > p.commit {
            moves.push(Move::Commit(p.name));
        }
        for (index, entry) in p.disk.log.iter().enumerate().take(p.commit) {
            let Entry::Charge { number, term } = entry else { continue };
            let known = state.answered.iter().any(|a| a.number == *number);
            if *term == p.disk.term && !known && self.is_held(p, index) {
                moves.push(Move::Answer(p.name, index));
            }
        }
    }

    /// It has committed an entry of its own term, and no change is under way in its log.
    fn is_steady(&self, p: &Process) -> bool {
        self.leads_surely(p) && p.commit == p.disk.log.len()
    }

    fn leads_surely(&self, p: &Process) -> bool {
        p.disk.log.iter().take(p.commit).any(|entry| entry.term() == p.disk.term)
    }

    fn caught_up(&self, p: &Process, q: &Process) -> bool {
        p.matched(q.name) >= p.disk.log.len()
    }

    /// How far the log is committed: entries of the own term alone are counted.
    fn commits(&self, p: &Process) -> usize {
        let held = |len: usize| p.seats().quorum(|name| p.matched(name) >= len);
        let own = |len: &usize| p.disk.log.get(len - 1).map(Entry::term) == Some(p.disk.term);
        (1..=p.disk.log.len()).rev().filter(own).find(|len| held(*len)).unwrap_or(0)
    }

    /// A majority of nodes, each by its newest process, holds the entry.
    fn is_held(&self, p: &Process, index: usize) -> bool {
        let mut newest = p.seats().newest();
        // Whoever was sent anything without a seat is a learner.
        for (name, _) in &p.matched {
            newest[node_of(*name)] = newest[node_of(*name)].max(*name);
        }
        let holders = newest.iter().filter(|name| **name != 0 && p.matched(**name) > index).count();
        holders > newest.len() / 2
    }

    fn of_hosts(&self, state: &State, moves: &mut Vec<Move>) {
        if state.boots >= self.bounds.boots {
            return;
        }
        for (at, node) in state.nodes.iter().enumerate() {
            let empty = Disk::default();
            // Where nothing reads disks, all are one, and the empty one is tried.
            for disk in node.history.iter().rev().chain([&empty]) {
                moves.push(Move::Boot(at, disk.clone()));
                if self.bounds.forks && node.processes.len() < 2 {
                    moves.push(Move::Fork(at, disk.clone()));
                }
            }
        }
    }

    fn of_custodians(&self, state: &State, moves: &mut Vec<Move>) {
        if state.era > self.bounds.starts {
            return;
        }
        if !state.told.is_empty() {
            moves.push(Move::Start);
            return;
        }
        let needed = self.bounds.nodes / 2 + 1;
        // One process a node: its newest.
        let all: Vec<&Process> =
            state.nodes.iter().filter_map(|node| node.processes.last()).collect();
        for chosen in 0_u32..1 << all.len() {
            let named: Vec<&Process> = (0..all.len())
                .filter(|at| chosen & (1 << at) != 0)
                .filter_map(|at| all.get(at).copied())
                .collect();
            let empty = |p: &&Process| p.disk.log.is_empty();
            let has_empty = named.iter().any(empty);
            let has_old = named.iter().any(|p| p.disk.tip() < state.nodes[node_of(p.name)].top);
            let has_twin = named.iter().any(|p| state.nodes[node_of(p.name)].processes.len() > 1);
            let told = named.len() == needed
                && (!has_twin || self.is(Mutant::TwinCounts))
                && (!has_empty || self.is(Mutant::EmptyCounts))
                && (!has_old || has_empty || self.is(Mutant::OldCounts));
            if told {
                moves.push(Move::Tell(named.iter().map(|p| p.name).collect()));
            }
        }
    }
}

impl Model for Fleet {
    type State = State;
    type Action = Move;

    fn init_states(&self) -> Vec<State> {
        vec![State::genesis(self.bounds.nodes)]
    }

    fn actions(&self, state: &State, moves: &mut Vec<Move>) {
        for process in state.processes() {
            self.of_process(state, process, moves);
        }
        self.of_hosts(state, moves);
        self.of_custodians(state, moves);
    }

    fn next_state(&self, last: &State, step: Move) -> Option<State> {
        let mut state = last.clone();
        match step {
            Move::Campaign(name) => state.change(name, |p| {
                p.disk.term += 1;
                p.role = Role::Candidate;
                p.voted = Some(name);
                p.votes = vec![name];
            }),
            Move::Vote(voter, candidate) => {
                let term = last.process(candidate)?.disk.term;
                state.change(voter, |q| {
                    if term > q.disk.term {
                        q.disk.term = term;
                        if q.role != Role::Joining {
                            q.role = Role::Follower;
                        }
                        q.matched.clear();
                        q.votes.clear();
                    }
                    q.voted = Some(candidate);
                });
                state.change(candidate, |p| {
                    p.votes.push(voter);
                    p.votes.sort_unstable();
                });
            }
            Move::Lead(name) => {
                let p = last.process(name)?;
                state.leaders.push((p.disk.era, p.disk.term, name));
                state.leaders.sort_unstable();
                state.change(name, |p| {
                    p.role = Role::Leader;
                    p.votes.clear();
                    p.matched.clear();
                    let term = p.disk.term;
                    p.disk.log.push(Entry::Begin { term });
                });
            }
            Move::Append(from, to) => append(last, &mut state, from, to)?,
            Move::Charge(name) => {
                state.charges += 1;
                let number = state.charges;
                push(&mut state, name, |term, _| Entry::Charge { number, term });
            }
            Move::Commit(name) => {
                let commit = self.commits(last.process(name)?);
                state.change(name, |p| p.commit = commit);
            }
            Move::Answer(by, index) => {
                let p = last.process(by)?;
                let Some(Entry::Charge { number, .. }) = p.disk.log.get(index) else { return None };
                let (era, term) = (p.disk.era, p.disk.term);
                state.answered.push(Answered { number: *number, index, era, term });
            }
            Move::Boot(at, disk) => self.boot(&mut state, at, &disk, false),
            Move::Fork(at, disk) => self.boot(&mut state, at, &disk, true),
            Move::Seat(leader, name) => {
                push(&mut state, leader, |term, era| Entry::Enter { term, era, name });
            }
            Move::Leave(leader) => push(&mut state, leader, |term, era| Entry::Leave { term, era }),
            Move::Tell(names) => {
                for name in names {
                    let disk = last.process(name)?.disk.clone();
                    state.told.push((name, disk));
                    if !self.is(Mutant::NoFreeze) {
                        state.change(name, |p| p.role = Role::Frozen);
                    }
                }
            }
            Move::Start => start(last, &mut state),
        }
        if !self.is(Mutant::SupersededGoesOn) {
            state.halt_the_superseded();
        }
        if !self.reads_disks() || state.boots >= self.bounds.boots {
            state.forget_disks();
        }
        Some(if self.renames { alike::renamed(state) } else { state })
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let mut all = promises::properties();
        if self.bounds.boots > 0 {
            all.push(promises::after_a_restart());
        }
        if self.bounds.starts > 0 {
            all.push(promises::after_a_start());
        }
        all
    }
}

impl Fleet {
    fn boot(&self, state: &mut State, at: usize, disk: &Disk, beside: bool) {
        state.boots += 1;
        let Some(node) = state.nodes.get_mut(at) else { return };
        let old = node.processes.last().cloned();
        if !beside {
            node.processes.clear();
        }
        node.nonce += 1;
        let fresh = u8::try_from(at * 16).unwrap_or(0) + node.nonce;
        let keeps = self.is(Mutant::KeepName);
        let name = old.as_ref().filter(|_| keeps).map_or(fresh, |old| old.name);
        let kept = keeps && disk.era > 0;
        let dealt = old.map(|old| old.dealt).unwrap_or_default();
        node.processes.push(Process {
            name,
            role: if kept { Role::Follower } else { Role::Joining },
            disk: disk.clone(),
            voted: None,
            commit: 0,
            dealt,
            votes: Vec::new(),
            matched: Vec::new(),
        });
    }
}

fn push(state: &mut State, name: Name, entry: impl FnOnce(u8, u8) -> Entry) {
    state.change(name, |p| {
        let entry = entry(p.disk.term, p.disk.era);
        p.disk.log.push(entry);
    });
}

fn append(last: &State, state: &mut State, from: Name, to: Name) -> Option<()> {
    let leader = last.process(from)?.clone();
    let seats = leader.seats();
    state.change(to, |q| {
        if leader.disk.term > q.disk.term || leader.disk.era > q.disk.era {
            q.voted = None;
        }
        q.disk.era = leader.disk.era;
        q.disk.term = leader.disk.term;
        q.disk.log.clone_from(&leader.disk.log);
        q.commit = leader.commit;
        q.dealt.clone_from(&leader.dealt);
        q.votes.clear();
        q.matched.clear();
        q.role = if seats.holds(to) { Role::Follower } else { Role::Joining };
    });
    let len = leader.disk.log.len();
    state.change(from, |p| {
        p.matched.retain(|(who, _)| *who != to);
        p.matched.push((to, len));
        p.matched.sort_unstable();
    });
    Some(())
}

/// The chain of each listed position, with new seats, above every old term.
fn start(last: &State, state: &mut State) {
    state.era += 1;
    let era = state.era;
    let top = last.told.iter().map(|(_, disk)| disk.term.max(disk.tip().0)).max().unwrap_or(0);
    let mut dealt = vec![0; last.nodes.len()];
    for (name, _) in &last.told {
        dealt[node_of(*name)] = *name;
    }
    for (name, disk) in &last.told {
        state.change(*name, |p| {
            p.role = Role::Follower;
            p.disk = Disk { era, term: top + 1, log: disk.log.clone() };
            p.voted = None;
            p.commit = 0;
            p.dealt.clone_from(&dealt);
            p.votes.clear();
            p.matched.clear();
        });
    }
    state.told.clear();
}
