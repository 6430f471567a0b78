//! What a process may be, whatever its host does: one seat a node, one voice a node, nothing goes back.

use super::Oracle;
use std::collections::BTreeSet;
use strongroom_replica::{NodeId, ReplicaId};
use strongroom_wire::{
    process::{Health, PersistOp},
    start::{Position, SignedStart},
};

/// What the oracle knows of starts and of what was told to custodians.
#[derive(Debug, Default)]
pub(super) struct Starts {
    /// Eras that a statement by the rules opens.
    opened: BTreeSet<u64>,
}

/// The numbers of a process that never go back.
const fn forward(health: &Health) -> [u64; 4] {
    [health.era, health.term, health.applied, health.erased_through]
}

impl Oracle {
    /// INV-4: one process's era, term, position and erasures never go back.
    pub(crate) fn inv4_forward(&mut self, before: &Health, now: &Health) {
        if before.incarnation != now.incarnation {
            return;
        }
        let (was, is) = (forward(before), forward(now));
        if was.iter().zip(&is).any(|(was, is)| is < was) {
            let who = now.incarnation;
            let story = format!("process {who:x}: era, term, applied, erased {was:?}, then {is:?}");
            self.inv4_broken("forward", story);
        }
    }

    /// INV-5: every node has one seat among the voters, a process's or an empty one, before and after a
    /// change. Fewer seats are a smaller quorum.
    pub(crate) fn inv5_seats(&mut self, node: u8, halves: [Vec<ReplicaId>; 2], nodes: usize) {
        for seats in halves {
            let holders: BTreeSet<NodeId> = seats.iter().map(|seat| seat.node()).collect();
            if !seats.is_empty() && (seats.len() != nodes || holders.len() != nodes) {
                let story = format!(
                    "node {node} goes by {} seats of {} nodes, the fleet has {nodes}",
                    seats.len(),
                    holders.len()
                );
                self.inv5_broken("seats", story);
            }
        }
    }

    /// INV-5: a process that reads that a newer one of its node has a seat, even without a vote, has
    /// halted: two voices of one node make a majority.
    pub(crate) fn inv5_one_voice(
        &mut self,
        own: ReplicaId,
        learners: &[ReplicaId],
        voters: &[ReplicaId],
    ) {
        let of_node = |seats: &[ReplicaId]| seats.iter().copied().find(|s| s.node() == own.node());
        let speaks = of_node(learners).or_else(|| of_node(voters));
        if let Some(other) = speaks.filter(|other| *other != own) {
            let story = format!(
                "process {:x} goes on, and by its own log {:x} speaks for its node",
                own.as_u64(),
                other.as_u64()
            );
            self.inv5_broken("one-voice", story);
        }
    }

    /// Custodians signed this. Whether vaults may act on it is counted here.
    pub(crate) fn signed_start(&mut self, signed: &SignedStart, majority: usize) -> bool {
        let start = &signed.start;
        let positions = || start.positions.iter().map(|signed| &signed.position);
        let nodes: BTreeSet<u8> = positions().map(|position| position.node).collect();
        let empty = positions().filter(|position| position.last_index == 0).count();
        let genesis = start.era == 1 && empty == start.positions.len();
        let valid = nodes.len() == start.positions.len()
            && nodes.len() >= majority
            && (genesis || empty == 0)
            && positions().all(|position| position.era < start.era);
        if valid {
            self.starts.opened.insert(start.era);
        }
        valid
    }

    /// INV-5: no process is in an era that fewer than a majority of nodes, each with something to
    /// remember, opened.
    pub(crate) fn inv5_era(&mut self, node: u8, era: u64) {
        if era > 0 && !self.starts.opened.contains(&era) {
            self.inv5_broken(
                "era-opened",
                format!("node {node} is in era {era}, which no valid start opened"),
            );
        }
    }

    /// INV-8: what custodians count on. A disk that proves nothing tells nothing; and a process that
    /// told its position says the same until a statement names it.
    pub(crate) fn inv8_position(
        &mut self,
        node: u8,
        before: Option<&Position>,
        now: &Position,
        bare: bool,
    ) {
        let (told, index) = (now.last_index, before.map(|before| before.last_index));
        let story = format!("node {node} tells position {told} of a disk that proves nothing");
        self.inv8("position", !bare || told == 0, story);
        let same = before.is_none_or(|before| before == now);
        let story = format!("node {node} told custodians {index:?}, and now {told}");
        self.inv8("position", same, story);
    }

    /// INV-8: a process that told its position writes, and so acknowledges, nothing beyond it: custodians
    /// would never hear of that.
    pub(crate) fn inv8_frozen(&mut self, node: u8, told: Option<u64>, ops: &[PersistOp]) {
        let Some(told) = told else {
            return;
        };
        // What had been gathered before may be taken back by the same batch.
        let end = ops.iter().fold(0, |end, op| match op {
            PersistOp::Entry { index, .. } => *index,
            PersistOp::TruncateFrom { index } => end.min(index.saturating_sub(1)),
            _ => end,
        });
        let story = format!("node {node} told {told} to custodians, and then wrote entry {end}");
        self.inv8("frozen", end <= told, story);
    }

    /// INV-1: whom no gateway vouched for gets no answer, and so spends nobody's attempts.
    pub(crate) fn inv1_vouched_for(&mut self, vouched: bool) {
        if !vouched {
            self.fail(
                "INV-1",
                "vouched-for",
                "a request with a forged ticket is answered".to_owned(),
            );
        }
    }

    /// INV-1: a leader answers in a new era only after the era's debit, which counts the attempts that
    /// the era before may have lost.
    pub(crate) fn inv1_debited(&mut self, era: u64, debited: u64) {
        if debited != era {
            let story = format!("a leader of era {era} answers, debited are those up to {debited}");
            self.fail("INV-1", "debited", story);
        }
    }
}
