//! How a new process comes in: it asks, the leader makes it a learner, and when it has caught up it takes the seat of
//! its node's previous process.

use alloc::vec::Vec;

use raft::StateRole;

use crate::codec::{self, PeerMessage};
use crate::config::{self, JOIN_TICKS, NUMBER_CEILING};
use crate::guard::{Refusal, seats_fit};
use crate::replica::Replica;
use crate::seats::Seats;
use crate::{Halt, NodeId, ReplicaEvent, ReplicaId, Role};

impl Replica {
    /// A replica that no leader speaks to any more. Everybody that it knows may have been replaced, in an era that it
    /// never heard of: asking whoever is there now brings the news.
    pub(crate) fn is_forgotten(&self) -> bool {
        let silent = self.ticks.saturating_sub(self.heard_at_tick)
            > (config::ELECTION_TICKS as u64).saturating_mul(2);
        silent && self.role() != Role::Leader
    }

    /// Asks every node, since any may lead. It does not know their processes yet: a placeholder as addressee means
    /// "whichever process of that node the link reaches".
    pub(crate) fn ask_to_join(&mut self) {
        if self.ticks % JOIN_TICKS != 1 {
            return;
        }
        let message = PeerMessage::Join { id: self.config.id.as_u64(), era: self.meta.era };
        let others: Vec<NodeId> =
            self.config.nodes.iter().copied().filter(|n| *n != self.config.node).collect();
        for node in others {
            self.say(ReplicaId::placeholder(node), &message);
        }
    }

    pub(crate) fn receive_join(&mut self, from: ReplicaId, id: u64, era: u64) {
        if id != from.as_u64() || from.is_placeholder() || !self.config.nodes.contains(&from.node())
        {
            return self.refuse(from, Refusal::WrongSender);
        }
        if self.superseded.contains(&id) {
            return self.refuse(from, Refusal::Superseded);
        }
        if self.raft.is_none() {
            return;
        }
        if era > self.meta.era {
            // Its disk has seen a start statement that this replica has not.
            return self.halt(Halt::SupersededEra);
        }
        if era < self.meta.era && era > 0 {
            // Perhaps a process that still acts in that era; a new one pays no heed.
            let era = self.meta.era;
            self.say(from, &PeerMessage::NewerEra { era });
        }
        let Some(raft) = self.raft.as_ref() else {
            return;
        };
        if raft.raft.state != StateRole::Leader || !self.acts() {
            return;
        }
        let (seats, term) = (raft.store().seats.clone(), raft.raft.term);
        if seats.learners.contains(&id) {
            // Its welcome was lost, or this is its first.
            let era = self.meta.era;
            return self.say(from, &PeerMessage::Welcome { era, term, seats });
        }
        if seats.contains(from) {
            return;
        }
        if cfg!(feature = "danger_mutant_joins_are_lost") {
            return;
        }
        match self.joiners.insert(from.node(), from) {
            Some(known) if known == from => return,
            Some(older) => self.supersede(older.as_u64()),
            None => {}
        }
        self.out.events.push(ReplicaEvent::JoinRequested { id: from });
    }

    pub(crate) fn receive_welcome(&mut self, from: ReplicaId, era: u64, term: u64, seats: Seats) {
        if self.raft.is_some() {
            return;
        }
        let known = seats.contains(from) && seats.learners.contains(&self.config.id.as_u64());
        if !known || !seats_fit(&seats, Some(self.config.id)) {
            return self.refuse(from, Refusal::BadSnapshot);
        }
        let sane = (1..NUMBER_CEILING).contains(&era) && (1..NUMBER_CEILING).contains(&term);
        if !sane {
            return self.refuse(from, Refusal::BadNumber);
        }
        if era < self.meta.era {
            // A fleet that was started again elsewhere; this disk knows better.
            return self.refuse(from, Refusal::OldEra);
        }
        if !self.open_raft(Self::empty_log(seats, term), 0) {
            return self.halt(Halt::Library);
        }
        self.meta.era = era;
        self.meta.term = self.meta.term.max(term);
        // A crash after this is durable leaves the old chain beside the newer era: still a valid position.
        self.batches.touch_meta();
        self.out.events.push(ReplicaEvent::Welcomed { by: from, era });
    }

    /// Proposes the next change of seats, if this replica leads and one is due.
    pub(crate) fn change_seats(&mut self) -> bool {
        let era = self.meta.era;
        if !self.acts() {
            return false;
        }
        let Some(raft) = self.raft.as_mut().filter(|r| r.raft.state == StateRole::Leader) else {
            self.joiners.clear();
            return false;
        };
        let seats = &raft.store().seats;
        if self.joiners.is_empty() && seats.learners.is_empty() && !seats.is_joint() {
            return false;
        }
        self.joiners.retain(|_, id| seats.voters.binary_search(&id.as_u64()).is_err());
        // A second change while one is pending would be replaced by an empty entry without a word; one before the
        // own term's first commit could rest on a configuration that is not committed.
        if !raft.raft.commit_to_current_term() || raft.raft.has_pending_conf() {
            return false;
        }
        let joiners: Vec<ReplicaId> = self.joiners.values().copied().collect();
        let mark = self.commit_at_tick.max(1);
        let caught_up = |id: u64| {
            let progress = raft.raft.prs().get(id);
            progress.is_some_and(|p| p.matched >= mark && p.recent_active)
        };
        let Some(change) = seats.next_change(era, &joiners, caught_up) else {
            return false;
        };
        let Some(context) = codec::encode_change(&change) else {
            return false;
        };
        raft.propose_conf_change(context, change.to_library()).is_ok()
    }
}
