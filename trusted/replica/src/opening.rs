//! Freezing, and opening an era. The rules for a statement are in [`crate::era`].

use alloc::vec::Vec;

use raft::eraftpb::HardState;

use crate::batch::Effect;
use crate::era::Opening;
use crate::log::{Base, Log};
use crate::replica::Replica;
use crate::seats::Seats;
use crate::{
    Halt, Install, Output, PersistOp, Position, ReplicaEvent, ReplicaId, Start, StartError, chain,
};

impl Replica {
    /// Freezes and tells what this process holds: from here on it votes for nobody, acknowledges nothing and takes no
    /// proposals, until a start statement names it or it is replaced. Otherwise it could acknowledge an entry that the
    /// custodians, who count on this position, never hear of.
    pub fn position(&mut self) -> Position {
        if let Some(given) = self.given {
            return given;
        }
        let running = self.raft.as_ref().map(|r| r.store().tip()).filter(|tip| tip.index > 0);
        let tip = running.or_else(|| self.old.as_ref().map(|c| c.tip()));
        let empty = tip.is_none();
        let tip = tip.unwrap_or_default();
        let position = Position {
            node: self.config.node,
            id: self.config.id,
            era: self.meta.era,
            hard_term: self.meta.term.max(self.term()),
            last_term: tip.term,
            last_index: tip.index,
            chain_hash: tip.hash,
            empty,
        };
        self.given = Some(position);
        if self.is_frozen() {
            self.batches.forget_messages();
            self.waiting.abandon();
        }
        position
    }

    /// Opens an era. The caller has checked the custodians' signatures over the statement.
    pub fn start(&mut self, now_ms: u64, start: Start) -> Result<Output, StartError> {
        if self.halted.is_some() {
            return Err(StartError::Halted);
        }
        let opening = start.check(&self.config.nodes, self.meta.era)?;
        let Some(mine) = start.positions.iter().find(|p| p.id == self.config.id) else {
            return self.start_without_me();
        };
        if self.given != Some(*mine) {
            return Err(StartError::NotMyPosition);
        }
        if !self.open(&opening) {
            return Err(StartError::Library);
        }
        self.out.events.push(ReplicaEvent::Started { era: opening.era });
        self.pass_time(now_ms);
        self.drive();
        Ok(self.take_output())
    }

    /// The fleet starts without this process, so whatever it did in the old era is over. One that was never admitted
    /// goes on asking.
    fn start_without_me(&mut self) -> Result<Output, StartError> {
        self.given = None;
        if self.raft.is_none() {
            return Err(StartError::NotListed);
        }
        self.halt(Halt::SupersededEra);
        Ok(self.take_output())
    }

    fn open(&mut self, opening: &Opening) -> bool {
        let voters: Vec<u64> = opening.voters.iter().map(|v| ReplicaId::as_u64(*v)).collect();
        let seats = Seats { voters, ..Seats::default() };
        let (log, install) = if opening.genesis {
            self.first_log(seats, opening.term)
        } else {
            match self.kept_log(seats, opening.term) {
                Some(kept) => kept,
                None => return false,
            }
        };
        let applied = log.hard.commit;
        self.meta.era = opening.era;
        self.meta.term = self.meta.term.max(opening.term);
        self.batches.touch_meta();
        if let Some(install) = install {
            self.batches.effect(Effect::Install(install));
        }
        // Nothing is voted or acknowledged in the new era before the era itself is durable: a crash before that
        // leaves a disk of the old era, whose position can be stated again.
        self.batches.effect(Effect::Unblock);
        self.blocks = self.blocks.saturating_add(1);
        self.given = None;
        self.joiners.clear();
        self.open_raft(log, applied)
    }

    /// Every fleet begins with a snapshot of nothing at index 1, so that whoever comes later needs a snapshot too, and
    /// with it the configuration.
    fn first_log(&mut self, seats: Seats, term: u64) -> (Log, Option<Install>) {
        let base = Base { index: 1, term: 1, hash: chain::genesis(&self.config.fleet) };
        self.record_replacement(base, &[], &[]);
        let install = Install { index: 1, term: 1, state: Vec::new(), salts: Vec::new() };
        (Log::new(base, Vec::new(), seats, hard(term, 1)), Some(install))
    }

    /// The chain that the position quoted, with new seats and above every old term.
    fn kept_log(&mut self, seats: Seats, term: u64) -> Option<(Log, Option<Install>)> {
        let applied = self.applied;
        if let Some(raft) = self.raft.as_mut().filter(|r| r.store().last() > 0) {
            // The vault's state is as of `applied`, and that was committed: it goes on from there.
            let commit = applied.max(raft.store().base.index);
            return Some((raft.mut_store().reopen(seats, hard(term, commit)), None));
        }
        let chain = self.old.take()?;
        let base = chain.base;
        let past_end = chain.tip().index.checked_add(1)?;
        // What a torn batch left behind must not come back as an entry.
        self.batches.op(PersistOp::TruncateFrom { index: past_end });
        let install =
            Install { index: base.index, term: base.term, state: chain.state, salts: chain.salts };
        Some((Log::new(base, chain.links, seats, hard(term, base.index)), Some(install)))
    }
}

fn hard(term: u64, commit: u64) -> HardState {
    let mut hard = HardState::default();
    (hard.term, hard.commit) = (term, commit);
    hard
}
