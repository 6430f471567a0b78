//! Checks that come before the library sees a message.
//!
//! The library trusts its peers: fed with lies it panics at thirteen places, moves its term back, or acknowledges what
//! it does not have. A pure function decides first. What an honest network can produce is accepted; what only noise or
//! an old process can produce is dropped; what proves that somebody's memory or disk was rolled back or forked halts
//! this replica, loudly, because going on would make the contradiction the fleet's history.

use alloc::collections::BTreeSet;

use raft::eraftpb::{Message, MessageType};

use crate::chain;
use crate::codec::{self, Frame};
use crate::config::NUMBER_CEILING;
use crate::log::Log;
use crate::seats::Seats;
use crate::{Halt, ReplicaId};

/// Why a message was refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub enum Refusal {
    /// Not the one encoding of a message, or too large.
    Malformed,
    /// Addressed to another process.
    NotForMe,
    /// Not from the process at the other end of the link.
    WrongSender,
    /// From a process that a newer one of its node has replaced.
    Superseded,
    /// From an era that is over.
    OldEra,
    /// Term 0, or a number too large to be true.
    BadNumber,
    /// Fields that do not belong to its type.
    StrayField,
    /// Entries that are not in order.
    BadEntries,
    /// A vote that contradicts itself.
    BadVote,
    /// Acknowledges what was never sent.
    FalseAcknowledgement,
    /// A snapshot whose contents do not fit together.
    BadSnapshot,
    /// This replica cannot use it now: it has not been admitted, is frozen, or waits for its disk.
    NotNow,
}

/// What to do with a message.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Verdict {
    /// Hand it to the library.
    Accept,
    /// Forget it.
    Drop(Refusal),
    /// Stop: this proves a rollback or a fork.
    Halt(Halt),
}

/// What the guard must know of this replica.
pub(crate) struct View<'a> {
    pub(crate) id: ReplicaId,
    pub(crate) era: u64,
    pub(crate) term: u64,
    /// 0 when unknown.
    pub(crate) leader: u64,
    pub(crate) commit: u64,
    pub(crate) log: &'a Log,
    /// Processes that were replaced, as far as this one saw it.
    pub(crate) superseded: &'a BTreeSet<u64>,
}

type Checked = Result<(), Verdict>;

fn refuse(reason: Refusal) -> Checked {
    Err(Verdict::Drop(reason))
}

fn require(truth: bool, reason: Refusal) -> Checked {
    if truth { Ok(()) } else { refuse(reason) }
}

/// Judges one frame from the process at the other end of a link.
pub(crate) fn check(view: &View<'_>, link: ReplicaId, frame: &Frame) -> Verdict {
    let judged = envelope(view, link, frame)
        .and_then(|()| shape(frame))
        .and_then(|()| leadership(view, &frame.message))
        .and_then(|()| contents(view, frame));
    match judged {
        Ok(()) => Verdict::Accept,
        Err(verdict) => verdict,
    }
}

fn envelope(view: &View<'_>, link: ReplicaId, frame: &Frame) -> Checked {
    let m = &frame.message;
    if frame.era > view.era {
        // The fleet was started again without this process.
        return Err(Verdict::Halt(Halt::SupersededEra));
    }
    require(frame.era == view.era, Refusal::OldEra)?;
    require(m.to == view.id.as_u64(), Refusal::NotForMe)?;
    let own = link == view.id || link.is_placeholder();
    require(m.from == link.as_u64() && !own, Refusal::WrongSender)?;
    require(!view.superseded.contains(&m.from), Refusal::Superseded)?;
    // Term 0 would make the library take it for a local message, and forget its vote.
    let numbers = [m.term, m.log_term, m.index, m.commit, m.commit_term, m.reject_hint, frame.era];
    require(m.term != 0 && numbers.iter().all(|n| *n < NUMBER_CEILING), Refusal::BadNumber)
}

/// Each type carries its own fields and no others.
fn shape(frame: &Frame) -> Checked {
    use MessageType::*;
    let m = &frame.message;
    let kind = m.msg_type;
    require(m.entries.is_empty() || kind == MsgAppend, Refusal::StrayField)?;
    require(m.snapshot.is_some() == (kind == MsgSnapshot), Refusal::StrayField)?;
    let hashed = matches!(kind, MsgAppend | MsgSnapshot);
    require(!hashed || frame.hash.is_some(), Refusal::StrayField)?;
    require(hashed || kind == MsgHeartbeat || frame.hash.is_none(), Refusal::StrayField)?;
    if kind == MsgHeartbeat {
        require(m.index == 0 && m.log_term == 0 && !m.reject, Refusal::StrayField)?;
    }
    let asks =
        matches!(kind, MsgAppend | MsgHeartbeat | MsgSnapshot | MsgRequestVote | MsgRequestPreVote);
    require(!asks || (!m.reject && m.reject_hint == 0), Refusal::StrayField)
}

/// A term has one leader.
fn leadership(view: &View<'_>, m: &Message) -> Checked {
    use MessageType::*;
    let leads = matches!(m.msg_type, MsgAppend | MsgHeartbeat | MsgSnapshot);
    if leads && m.term == view.term && view.leader != 0 && view.leader != m.from {
        return Err(Verdict::Halt(Halt::TwoLeaders));
    }
    Ok(())
}

fn contents(view: &View<'_>, frame: &Frame) -> Checked {
    match frame.message.msg_type {
        MessageType::MsgAppend => append(view, frame),
        MessageType::MsgHeartbeat => heartbeat(view, frame),
        MessageType::MsgSnapshot => snapshot(view, frame),
        MessageType::MsgAppendResponse => acknowledgement(view, &frame.message),
        MessageType::MsgRequestVote | MessageType::MsgRequestPreVote => vote(&frame.message),
        _ => Ok(()),
    }
}

/// An old term's messages change nothing in the library, so they prove nothing either.
fn is_current(view: &View<'_>, m: &Message) -> bool {
    m.term >= view.term
}

fn append(view: &View<'_>, frame: &Frame) -> Checked {
    let m = &frame.message;
    // Every log begins with a snapshot, so nothing hangs on entry 0; and term 0 would match anything there.
    require(m.index != 0 && m.log_term != 0, Refusal::BadEntries)?;
    let mut term = m.log_term;
    let mut index = m.index;
    for entry in m.entries.iter() {
        let follows = index.checked_add(1) == Some(entry.index);
        require(
            follows && entry.term != 0 && entry.term >= term && entry.term <= m.term,
            Refusal::BadEntries,
        )?;
        (index, term) = (entry.index, entry.term);
    }
    require(index < NUMBER_CEILING && m.log_term <= m.term, Refusal::BadEntries)?;
    if !is_current(view, m) {
        return Ok(());
    }
    let Some(mut hash) = frame.hash else {
        return refuse(Refusal::StrayField);
    };
    same_history(view, m.index, m.log_term, &hash)?;
    // Only what overlaps is compared, so a plain append costs one lookup.
    for entry in m.entries.iter().take_while(|e| e.index <= view.log.last()) {
        hash = chain::extend(&hash, entry);
        if view.log.term_at(entry.index).is_some_and(|own| own != entry.term)
            && entry.index > view.commit
        {
            // An uncommitted tail gives way; nothing behind it can be compared.
            break;
        }
        same_history(view, entry.index, entry.term, &hash)?;
    }
    Ok(())
}

/// Halts when this replica has another committed term there, or the same term and another history.
fn same_history(view: &View<'_>, index: u64, term: u64, hash: &[u8; 32]) -> Checked {
    match view.log.term_at(index) {
        Some(own) if own != term && index <= view.commit => Err(Verdict::Halt(Halt::Diverged)),
        Some(own) if own == term && view.log.hash_at(index) != Some(*hash) => {
            Err(Verdict::Halt(Halt::Diverged))
        }
        _ => Ok(()),
    }
}

/// A leader's heartbeat says "committed" only up to what this very process acknowledged.
fn heartbeat(view: &View<'_>, frame: &Frame) -> Checked {
    let m = &frame.message;
    if !is_current(view, m) {
        return Ok(());
    }
    if m.commit > view.log.last() {
        return Err(Verdict::Halt(Halt::RolledBack));
    }
    let own = view.log.hash_at(m.commit);
    if m.commit > 0 && frame.hash.is_some() && own.is_some() && own != frame.hash {
        return Err(Verdict::Halt(Halt::Diverged));
    }
    Ok(())
}

fn snapshot(view: &View<'_>, frame: &Frame) -> Checked {
    let m = &frame.message;
    let meta = m.get_snapshot().get_metadata();
    let sane =
        meta.index != 0 && meta.index < NUMBER_CEILING && meta.term != 0 && meta.term <= m.term;
    require(sane, Refusal::BadSnapshot)?;
    require(seats_fit(&Seats::of(meta.get_conf_state()), Some(view.id)), Refusal::BadSnapshot)?;
    let Some(body) = codec::decode_snapshot_body(&m.get_snapshot().data) else {
        return refuse(Refusal::BadSnapshot);
    };
    require(frame.hash == Some(body.hash), Refusal::BadSnapshot)?;
    if !is_current(view, m) {
        return Ok(());
    }
    same_history(view, meta.index, meta.term, &body.hash)
}

/// A configuration that the library can take: it accepts any from a snapshot, and dies of some.
pub(crate) fn seats_fit(seats: &Seats, must_hold: Option<ReplicaId>) -> bool {
    let distinct = |ids: &[u64]| ids.windows(2).all(|w| matches!(w, [a, b] if a < b));
    let valid = |id: u64| ReplicaId::from_u64(id).is_some();
    let lists = [&seats.voters, &seats.outgoing, &seats.learners, &seats.learners_next];
    let voting = |id: &u64| seats.voters.contains(id) || seats.outgoing.contains(id);
    !seats.voters.is_empty()
        && lists.iter().all(|ids| distinct(ids))
        && seats.ids().all(valid)
        && !seats.learners.iter().any(voting)
        && seats
            .learners_next
            .iter()
            .all(|id| seats.outgoing.contains(id) && !seats.voters.contains(id))
        && must_hold.is_none_or(|id| seats.contains(id))
}

fn acknowledgement(view: &View<'_>, m: &Message) -> Checked {
    if m.term != view.term {
        return Ok(());
    }
    require(m.index <= view.log.last(), Refusal::FalseAcknowledgement)?;
    require(m.reject_hint <= m.index, Refusal::FalseAcknowledgement)
}

fn vote(m: &Message) -> Checked {
    let sane = (m.index == 0) == (m.log_term == 0)
        && m.log_term < m.term
        && m.commit <= m.index
        && m.commit_term <= m.log_term;
    require(sane, Refusal::BadVote)
}

#[cfg(test)]
#[path = "guard_tests.rs"]
mod tests;
