//! Who sits where: the configuration, and the one change that may come next.
//!
//! The fleet always keeps one voter per node of the manifest. A new process comes in as a learner, catches up, and
//! then takes the seat of its predecessor in one joint change; removing first and adding later would let a quorum
//! shrink to a handful of nodes while their hosts restart in turn.

use alloc::vec::Vec;
use raft::eraftpb::{
    ConfChangeSingle, ConfChangeTransition, ConfChangeType, ConfChangeV2, ConfState,
};

use crate::{NodeId, ReplicaId};

/// Most changes in one entry: two for each node.
pub(crate) const MAX_CHANGES: usize = 128;

/// The applied configuration, sorted: the library's own order depends on history.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub(crate) struct Seats {
    pub(crate) voters: Vec<u64>,
    pub(crate) outgoing: Vec<u64>,
    pub(crate) learners: Vec<u64>,
    pub(crate) learners_next: Vec<u64>,
}

/// What a process is in the configuration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Standing {
    Voter,
    Learner,
    /// A newer process of the same node is in, or this one is out.
    Superseded,
}

fn sorted(ids: &[u64]) -> Vec<u64> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

fn node_of(id: u64) -> Option<NodeId> {
    ReplicaId::from_u64(id).map(ReplicaId::node)
}

impl Seats {
    pub(crate) fn of(conf: &ConfState) -> Self {
        Self {
            voters: sorted(&conf.voters),
            outgoing: sorted(&conf.voters_outgoing),
            learners: sorted(&conf.learners),
            learners_next: sorted(&conf.learners_next),
        }
    }

    pub(crate) fn to_conf(&self) -> ConfState {
        let mut conf = ConfState::default();
        conf.set_voters(self.voters.clone());
        conf.set_voters_outgoing(self.outgoing.clone());
        conf.set_learners(self.learners.clone());
        conf.set_learners_next(self.learners_next.clone());
        conf
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = u64> {
        [&self.voters, &self.outgoing, &self.learners, &self.learners_next]
            .into_iter()
            .flatten()
            .copied()
    }

    pub(crate) fn contains(&self, id: ReplicaId) -> bool {
        self.ids().any(|seat| seat == id.as_u64())
    }

    pub(crate) fn is_joint(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// The newest process of a node: its learner, otherwise its voter.
    pub(crate) fn current(&self, node: NodeId) -> Option<u64> {
        let of_node = |id: &&u64| node_of(**id) == Some(node);
        self.learners.iter().find(of_node).or_else(|| self.voters.iter().find(of_node)).copied()
    }

    /// Every node with a seat, once.
    pub(crate) fn nodes(&self) -> Vec<NodeId> {
        let mut nodes: Vec<NodeId> =
            self.voters.iter().chain(&self.learners).filter_map(|id| node_of(*id)).collect();
        nodes.sort_unstable();
        nodes.dedup();
        nodes
    }

    /// A process must stop when it reads that a newer one of its node is in, even as a learner: from then on its own
    /// acknowledgements would be counted for a node that already speaks with another voice.
    pub(crate) fn standing(&self, id: ReplicaId) -> Standing {
        if self.current(id.node()) != Some(id.as_u64()) {
            return Standing::Superseded;
        }
        if self.voters.binary_search(&id.as_u64()).is_ok() {
            Standing::Voter
        } else {
            Standing::Learner
        }
    }

    /// The next change, if any. `joiners` asked to come in; `caught_up` says which learners may vote.
    pub(crate) fn next_change(
        &self,
        era: u64,
        joiners: &[ReplicaId],
        caught_up: impl Fn(u64) -> bool,
    ) -> Option<Change> {
        if self.is_joint() {
            return Some(Change { era, steps: Vec::new() });
        }
        let mut swap = Vec::new();
        for learner in self.learners.iter().copied().filter(|l| caught_up(*l)) {
            let stale =
                joiners.iter().any(|j| Some(j.node()) == node_of(learner) && j.as_u64() != learner);
            let old = self.voters.iter().find(|v| node_of(**v) == node_of(learner));
            if cfg!(feature = "danger_mutant_remove_then_add") && !stale && old.is_none() {
                swap.push((Step::AddVoter, learner));
            }
            if let (false, Some(old)) = (stale, old) {
                swap.push((Step::Remove, *old));
                swap.push((Step::AddVoter, learner));
            }
        }
        if !swap.is_empty() {
            return Some(Change { era, steps: swap });
        }
        for joiner in joiners.iter().filter(|j| !self.contains(**j)) {
            // A node without a seat is not of this fleet: seats are dealt by the start statement.
            if !self.voters.iter().any(|v| node_of(*v) == Some(joiner.node()))
                && !cfg!(feature = "danger_mutant_remove_then_add")
            {
                continue;
            }
            let stale = self.learners.iter().find(|l| node_of(**l) == Some(joiner.node()));
            let old = self.voters.iter().find(|v| node_of(**v) == Some(joiner.node()));
            if let Some(old) = old.filter(|_| cfg!(feature = "danger_mutant_remove_then_add")) {
                return Some(Change { era, steps: [(Step::Remove, *old)].to_vec() });
            }
            let step = stale.map_or((Step::AddLearner, joiner.as_u64()), |l| (Step::Remove, *l));
            return Some(Change { era, steps: [step].to_vec() });
        }
        None
    }
}

/// One step of a change.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum Step {
    AddLearner = 0,
    AddVoter = 1,
    Remove = 2,
}

/// A change of the configuration; no steps means "leave the joint stage". It counts in its own era only: a chain that
/// is taken into a new era may still hold changes that nobody committed, and the start statement has dealt the seats.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Change {
    pub(crate) era: u64,
    pub(crate) steps: Vec<(Step, u64)>,
}

impl Change {
    pub(crate) fn to_library(&self) -> ConfChangeV2 {
        let mut change = ConfChangeV2::default();
        let mut singles = Vec::new();
        for (step, id) in &self.steps {
            let change_type = match step {
                Step::AddLearner => ConfChangeType::AddLearnerNode,
                Step::AddVoter => ConfChangeType::AddNode,
                Step::Remove => ConfChangeType::RemoveNode,
            };
            singles.push(ConfChangeSingle {
                change_type,
                node_id: *id,
                ..ConfChangeSingle::default()
            });
        }
        if singles.len() > 1 {
            // `Auto` leaves by itself, but later, and only under a leader that lived through it.
            change.transition = ConfChangeTransition::Explicit;
        }
        change.set_changes(singles.into());
        change
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    fn id(node: u8, nonce: u64) -> ReplicaId {
        ReplicaId::new(NodeId::new(node).unwrap(), nonce).unwrap()
    }

    fn seven() -> Seats {
        Seats { voters: (1..=7).map(|n| id(n, 1).as_u64()).collect(), ..Seats::default() }
    }

    #[test]
    fn a_joiner_becomes_a_learner_first() {
        let change = seven().next_change(1, &[id(3, 2)], |_| true).unwrap();
        assert_eq!(change.steps, vec![(Step::AddLearner, id(3, 2).as_u64())]);
    }

    #[test]
    fn a_learner_that_caught_up_takes_its_predecessors_seat_in_one_change() {
        let mut seats = seven();
        seats.learners = vec![id(3, 2).as_u64()];
        assert_eq!(seats.next_change(1, &[], |_| false), None);
        let change = seats.next_change(1, &[], |_| true).unwrap();
        let expected = vec![(Step::Remove, id(3, 1).as_u64()), (Step::AddVoter, id(3, 2).as_u64())];
        assert_eq!(change.steps, expected);
        assert_eq!(change.to_library().transition, ConfChangeTransition::Explicit);
    }

    #[test]
    fn a_stale_learner_leaves_before_its_successor_enters() {
        let mut seats = seven();
        seats.learners = vec![id(3, 2).as_u64()];
        let change = seats.next_change(1, &[id(3, 3)], |_| true).unwrap();
        assert_eq!(change.steps, vec![(Step::Remove, id(3, 2).as_u64())]);
    }

    #[test]
    fn a_joint_configuration_is_left_before_anything_else() {
        let mut seats = seven();
        seats.outgoing = seats.voters.clone();
        assert!(seats.next_change(1, &[id(3, 2)], |_| true).unwrap().steps.is_empty());
    }

    #[test]
    fn a_node_without_a_seat_gets_none() {
        assert_eq!(seven().next_change(1, &[id(9, 2)], |_| true), None);
    }

    #[test]
    fn inv5_a_process_is_superseded_by_a_newer_learner_of_its_node() {
        let mut seats = seven();
        assert_eq!(seats.standing(id(3, 1)), Standing::Voter);
        seats.learners = vec![id(3, 2).as_u64()];
        assert_eq!(seats.standing(id(3, 1)), Standing::Superseded);
        assert_eq!(seats.standing(id(3, 2)), Standing::Learner);
        seats.learners.clear();
        assert_eq!(seats.standing(id(3, 2)), Standing::Superseded);
    }
}
