//! Eras: what custodians sign to open a fleet, or to open it again after a majority fell at once.
//!
//! A cold start is safe because of three facts. A majority of the manifest's nodes is named, so at least one of them
//! holds every entry that a majority ever acknowledged, and one of them saw every term that ever had a leader. Every
//! named process froze before it told its position, so nothing is acknowledged behind the statement's back. And the
//! absent nodes keep placeholder seats, so exactly the named majority must vote, and Raft elects the chain that is
//! highest by (last term, last index).

use alloc::vec::Vec;

use crate::config::majority;
use crate::{NodeId, ReplicaId};

/// What one frozen process holds. The node signs it; custodians quote it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Position {
    /// Whose disk.
    pub node: NodeId,
    /// Which process read it.
    pub id: ReplicaId,
    /// The newest era that this disk knows; 0 when it is empty.
    pub era: u64,
    /// The highest term that this disk ever voted in.
    pub hard_term: u64,
    /// Term of its last entry.
    pub last_term: u64,
    /// Index of its last entry.
    pub last_index: u64,
    /// Chain hash at that entry.
    pub chain_hash: [u8; 32],
    /// Nothing that can be believed is there. Such a node cannot be counted in a cold start.
    pub empty: bool,
}

/// A start statement. The caller has checked the custodians' signatures.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Start {
    /// The era it opens.
    pub era: u64,
    /// The positions of a majority of nodes.
    pub positions: Vec<Position>,
}

/// Why a start statement was refused. The replica stays as it was.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum StartError {
    /// The statement opens an era that this disk already knows, or a listed one does.
    OldEra {
        /// What this replica knows.
        own: u64,
        /// What the statement opens.
        stated: u64,
    },
    /// Fewer positions than a majority of the manifest's nodes.
    NoMajority {
        /// Positions needed.
        needed: usize,
        /// Positions listed.
        listed: usize,
    },
    /// A node is listed twice.
    Duplicate(NodeId),
    /// A node is not in the manifest, or the id is not one of that node.
    Stranger(NodeId),
    /// An empty disk proves nothing and cannot be counted in a cold start.
    EmptyPosition(NodeId),
    /// Genesis needs empty disks and era 1.
    NotGenesis,
    /// A number is too large to be true.
    OutOfRange,
    /// This process did not freeze, or not at the position that is quoted.
    NotMyPosition,
    /// This process is not listed; it goes on to ask for admission.
    NotListed,
    /// Stopped for good.
    Halted,
    /// The consensus library refused the state: a defect of this crate.
    Library,
}

/// What a valid statement means.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Opening {
    pub(crate) era: u64,
    pub(crate) genesis: bool,
    /// One seat per node of the manifest, sorted.
    pub(crate) voters: Vec<ReplicaId>,
    /// The term that everybody starts in: above every term that ever had a leader.
    pub(crate) term: u64,
}

impl Start {
    /// Everything but "is it my own position".
    pub(crate) fn check(&self, nodes: &[NodeId], own_era: u64) -> Result<Opening, StartError> {
        let ceiling = crate::config::NUMBER_CEILING;
        let old = StartError::OldEra { own: own_era, stated: self.era };
        if self.era <= own_era {
            return Err(old);
        }
        let (needed, listed) = (majority(nodes.len()), self.positions.len());
        if listed < needed && !cfg!(feature = "danger_mutant_minority_starts_an_era") {
            return Err(StartError::NoMajority { needed, listed });
        }
        let mut seen: Vec<NodeId> = Vec::new();
        let mut top_term = 0;
        for p in &self.positions {
            if !nodes.contains(&p.node) || p.id.node() != p.node || p.id.is_placeholder() {
                return Err(StartError::Stranger(p.node));
            }
            if seen.contains(&p.node) {
                return Err(StartError::Duplicate(p.node));
            }
            seen.push(p.node);
            if p.era >= self.era {
                return Err(old);
            }
            if p.hard_term.max(p.last_term).max(p.last_index).max(self.era) >= ceiling {
                return Err(StartError::OutOfRange);
            }
            top_term = top_term.max(p.hard_term).max(p.last_term);
        }
        let genesis = self.positions.iter().all(|p| p.empty);
        if genesis && self.era != 1 {
            return Err(StartError::NotGenesis);
        }
        let count_empty = cfg!(feature = "danger_mutant_empty_position_counts");
        if !genesis && let Some(p) = self.positions.iter().find(|p| p.empty && !count_empty) {
            return Err(StartError::EmptyPosition(p.node));
        }
        let seat = |node: &NodeId| {
            let listed = self.positions.iter().find(|p| p.node == *node);
            listed.map_or(ReplicaId::placeholder(*node), |p| p.id)
        };
        let mut voters: Vec<ReplicaId> = nodes.iter().map(seat).collect();
        voters.sort_unstable();
        Ok(Opening { era: self.era, genesis, voters, term: top_term.saturating_add(1) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(n: u8) -> Vec<NodeId> {
        (1..=n).filter_map(NodeId::new).collect()
    }

    fn position(n: u8, term: u64, empty: bool) -> Position {
        let node = NodeId::new(n).unwrap();
        Position {
            node,
            id: ReplicaId::new(node, 9).unwrap(),
            era: u64::from(!empty),
            hard_term: term,
            last_term: term,
            last_index: term * 10,
            chain_hash: [n; 32],
            empty,
        }
    }

    fn start(era: u64, positions: Vec<Position>) -> Start {
        Start { era, positions }
    }

    #[test]
    fn genesis_seats_everybody_and_holds_empty_seats_for_the_absent() {
        let s = start(1, (1..=4).map(|n| position(n, 0, true)).collect());
        let opening = s.check(&nodes(7), 0).unwrap();
        assert!(opening.genesis);
        assert_eq!(opening.term, 1);
        assert_eq!(opening.voters.len(), 7);
        assert_eq!(opening.voters.iter().filter(|v| v.is_placeholder()).count(), 3);
    }

    #[test]
    fn a_cold_start_begins_above_every_listed_term() {
        let s = start(2, (1..=4).map(|n| position(n, u64::from(n), false)).collect());
        assert_eq!(s.check(&nodes(7), 1).unwrap().term, 5);
    }

    #[test]
    fn a_minority_cannot_start() {
        let s = start(2, (1..=3).map(|n| position(n, 3, false)).collect());
        assert_eq!(s.check(&nodes(7), 1), Err(StartError::NoMajority { needed: 4, listed: 3 }));
    }

    #[test]
    fn an_old_statement_starts_nothing() {
        let s = start(2, (1..=4).map(|n| position(n, 3, false)).collect());
        assert_eq!(s.check(&nodes(7), 2), Err(StartError::OldEra { own: 2, stated: 2 }));
        let mut newer = s.clone();
        newer.positions[0].era = 2;
        assert!(matches!(newer.check(&nodes(7), 1), Err(StartError::OldEra { .. })));
    }

    #[test]
    fn doubles_strangers_and_empty_disks_are_refused() {
        let four: Vec<_> = (1..=4).map(|n| position(n, 3, false)).collect();
        let mut double = four.clone();
        double[3] = double[0];
        assert!(matches!(start(2, double).check(&nodes(7), 1), Err(StartError::Duplicate(_))));
        let mut stranger = four.clone();
        stranger[3] = position(9, 3, false);
        assert!(matches!(start(2, stranger).check(&nodes(7), 1), Err(StartError::Stranger(_))));
        let mut borrowed = four.clone();
        borrowed[3].id = borrowed[0].id;
        assert!(matches!(start(2, borrowed).check(&nodes(7), 1), Err(StartError::Stranger(_))));
        let mut empty = four.clone();
        empty[3].empty = true;
        assert!(matches!(start(2, empty).check(&nodes(7), 1), Err(StartError::EmptyPosition(_))));
        let all_empty = start(2, (1..=4).map(|n| position(n, 0, true)).collect());
        assert_eq!(all_empty.check(&nodes(7), 0), Err(StartError::NotGenesis));
        let mut huge = four;
        huge[0].hard_term = u64::MAX;
        assert_eq!(start(2, huge).check(&nodes(7), 1), Err(StartError::OutOfRange));
    }
}
