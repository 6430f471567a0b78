//! What a test can make a fleet do.

use strongroom_replica::{
    BootReport, CompactError, Event, Position, ProposeError, Proposed, Role, Start, StartError,
};

use super::{NODES, Node, Sim};

impl Sim {
    pub fn run(&mut self, ms: u64) {
        let end = self.now + ms;
        while self.queue.first_key_value().is_some_and(|((t, _), _)| *t <= end) {
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
                s.replica(leader).is_some_and(|r| r.role() == Role::Leader && r.term() == at.term)
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
        listed.iter().map(|n| self.at(*n).replica.as_mut().unwrap().position()).collect()
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
