//! The log in memory, as the library's storage. The disk only ever repeats it.

use alloc::{collections::VecDeque, vec::Vec};
use core::cell::Cell;

use raft::eraftpb::{Entry, HardState, Snapshot};
use raft::{Error, GetEntriesContext, RaftState, Storage, StorageError};

use crate::chain;
use crate::seal::ChainHash;
use crate::seats::Seats;

/// An entry with the hash of the chain up to and including it.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) entry: Entry,
    pub(crate) hash: ChainHash,
}

/// The last entry that the snapshot contains.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub(crate) struct Base {
    pub(crate) index: u64,
    pub(crate) term: u64,
    pub(crate) hash: ChainHash,
}

/// A snapshot for peers, held while someone needs it.
struct Offer {
    snapshot: Snapshot,
    since_tick: u64,
}

/// Everything after the base.
#[derive(Default)]
pub(crate) struct Log {
    pub(crate) base: Base,
    links: VecDeque<Link>,
    /// As of the last applied entry.
    pub(crate) seats: Seats,
    /// What the library starts from; it keeps the truth afterwards.
    pub(crate) hard: HardState,
    /// Snapshots older than the newest applied change are useless to a new process: they do not name it. They are
    /// also unsafe: its disk may hold more than they do, and would forget it.
    newest_change: u64,
    offer: Option<Offer>,
    wanted: Cell<bool>,
}

impl Log {
    pub(crate) fn new(base: Base, links: Vec<Link>, seats: Seats, hard: HardState) -> Self {
        let newest_change = base.index;
        Self {
            base,
            links: links.into(),
            seats,
            hard,
            newest_change,
            offer: None,
            wanted: Cell::new(false),
        }
    }

    pub(crate) fn last(&self) -> u64 {
        self.base.index.saturating_add(self.links.len() as u64)
    }

    fn link(&self, index: u64) -> Option<&Link> {
        let offset = index.checked_sub(self.base.index)?.checked_sub(1)?;
        self.links.get(usize::try_from(offset).ok()?)
    }

    pub(crate) fn term_at(&self, index: u64) -> Option<u64> {
        if index == self.base.index {
            return Some(self.base.term);
        }
        self.link(index).map(|l| l.entry.term)
    }

    pub(crate) fn hash_at(&self, index: u64) -> Option<ChainHash> {
        if index == self.base.index {
            return Some(self.base.hash);
        }
        self.link(index).map(|l| l.hash)
    }

    /// The last entry's place, as a base.
    pub(crate) fn tip(&self) -> Base {
        match self.links.back() {
            Some(l) => Base { index: l.entry.index, term: l.entry.term, hash: l.hash },
            None => self.base,
        }
    }

    /// Appends what the library decided, cutting off what it replaces. Returns the first index that was cut; `None` if
    /// there is a gap, which the library never makes.
    pub(crate) fn append(&mut self, entries: &[Entry]) -> Option<Option<u64>> {
        let Some(first) = entries.first() else {
            return Some(None);
        };
        let keep = first.index.checked_sub(self.base.index)?.checked_sub(1)?;
        let keep = usize::try_from(keep).ok()?;
        if keep > self.links.len() {
            return None;
        }
        let cut = (keep < self.links.len()).then_some(first.index);
        self.links.truncate(keep);
        let mut hash = self.tip().hash;
        for entry in entries {
            hash = chain::extend(&hash, entry);
            self.links.push_back(Link { entry: entry.clone(), hash });
        }
        Some(cut)
    }

    /// Forgets the entries up to `index`. `None` when it is not in the log.
    pub(crate) fn compact(&mut self, index: u64) -> Option<Base> {
        let (term, hash) = (self.term_at(index)?, self.hash_at(index)?);
        let gone = usize::try_from(index.checked_sub(self.base.index)?).ok()?;
        self.links.drain(..gone.min(self.links.len()));
        self.base = Base { index, term, hash };
        if self.offer.as_ref().is_some_and(|o| o.snapshot.get_metadata().index < index) {
            self.offer = None;
        }
        Some(self.base)
    }

    /// The entries from `index` on.
    pub(crate) fn links_from(&self, index: u64) -> impl Iterator<Item = &Link> {
        let skip = index.saturating_sub(self.base.index).saturating_sub(1);
        let skip = usize::try_from(skip).unwrap_or(usize::MAX).min(self.links.len());
        self.links.range(skip..)
    }

    /// A snapshot takes the place of everything.
    pub(crate) fn restore(&mut self, base: Base, seats: Seats) {
        self.links.clear();
        self.base = base;
        self.seats = seats;
        self.newest_change = base.index;
        self.offer = None;
    }

    /// The configuration changed at `index`.
    pub(crate) fn reseat(&mut self, index: u64, seats: Seats) {
        self.seats = seats;
        self.newest_change = index;
        self.offer = None;
    }

    pub(crate) fn offer(&mut self, snapshot: Snapshot, tick: u64) {
        self.offer = Some(Offer { snapshot, since_tick: tick });
    }

    /// Drops an offered snapshot that is older than `ticks`: it is as large as the state.
    pub(crate) fn expire_offer(&mut self, now_tick: u64, ticks: u64) {
        if self.offer.as_ref().is_some_and(|o| now_tick.saturating_sub(o.since_tick) > ticks) {
            self.offer = None;
        }
    }

    /// True once after the library asked for a snapshot that is not there.
    pub(crate) fn take_wanted(&self) -> bool {
        self.wanted.replace(false)
    }

    /// Takes the log out of a node that is being replaced.
    pub(crate) fn reopen(&mut self, seats: Seats, hard: HardState) -> Self {
        let mut log = core::mem::take(self);
        log.seats = seats;
        log.hard = hard;
        log.newest_change = log.base.index;
        log.offer = None;
        log
    }
}

fn size(entry: &Entry) -> u64 {
    (entry.data.len() as u64).saturating_add(entry.context.len() as u64).saturating_add(24)
}

impl Storage for Log {
    fn initial_state(&self) -> raft::Result<RaftState> {
        Ok(RaftState { hard_state: self.hard.clone(), conf_state: self.seats.to_conf() })
    }

    fn entries(
        &self,
        low: u64,
        high: u64,
        max_size: impl Into<Option<u64>>,
        _context: GetEntriesContext,
    ) -> raft::Result<Vec<Entry>> {
        let mut left = max_size.into().unwrap_or(u64::MAX);
        let mut entries = Vec::new();
        if low <= self.base.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        for index in low..high {
            let Some(link) = self.link(index) else {
                return Err(Error::Store(StorageError::Unavailable));
            };
            let bytes = size(&link.entry);
            if bytes > left && !entries.is_empty() {
                break;
            }
            left = left.saturating_sub(bytes);
            entries.push(link.entry.clone());
        }
        Ok(entries)
    }

    fn term(&self, index: u64) -> raft::Result<u64> {
        if index < self.base.index {
            return Err(Error::Store(StorageError::Compacted));
        }
        self.term_at(index).ok_or(Error::Store(StorageError::Unavailable))
    }

    fn first_index(&self) -> raft::Result<u64> {
        Ok(self.base.index.saturating_add(1))
    }

    fn last_index(&self) -> raft::Result<u64> {
        Ok(self.last())
    }

    fn snapshot(&self, request_index: u64, _to: u64) -> raft::Result<Snapshot> {
        let floor = self.base.index.max(self.newest_change).max(request_index);
        match &self.offer {
            Some(offer) if offer.snapshot.get_metadata().index >= floor => {
                Ok(offer.snapshot.clone())
            }
            _ => {
                self.wanted.set(true);
                Err(Error::Store(StorageError::SnapshotTemporarilyUnavailable))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(index: u64, term: u64, data: &[u8]) -> Entry {
        let mut e = Entry::default();
        e.index = index;
        e.term = term;
        e.data = data.to_vec().into();
        e.context = [1u8; 32].to_vec().into();
        e
    }

    fn log() -> Log {
        let base = Base { index: 1, term: 1, hash: [0; 32] };
        let mut log = Log::new(base, Vec::new(), Seats::default(), HardState::default());
        log.append(&[entry(2, 1, b"a"), entry(3, 1, b"b"), entry(4, 2, b"c")]).unwrap();
        log
    }

    #[test]
    fn a_conflicting_tail_is_cut_and_says_where() {
        let mut log = log();
        assert_eq!(log.append(&[entry(3, 3, b"x")]), Some(Some(3)));
        assert_eq!((log.last(), log.term_at(3)), (3, Some(3)));
        assert_eq!(log.append(&[entry(9, 3, b"x")]), None);
    }

    #[test]
    fn equal_histories_have_equal_hashes_and_others_do_not() {
        let mut other = log();
        assert_eq!(log().hash_at(4), other.hash_at(4));
        other.append(&[entry(3, 1, b"B"), entry(4, 2, b"c")]).unwrap();
        assert_ne!(log().hash_at(4), other.hash_at(4));
    }

    #[test]
    fn compaction_keeps_the_hash_that_the_rest_hangs_on() {
        let mut log = log();
        let (three, four) = (log.hash_at(3), log.hash_at(4));
        log.compact(3).unwrap();
        assert_eq!((log.hash_at(3), log.hash_at(4), log.hash_at(2)), (three, four, None));
        assert!(log.compact(9).is_none());
    }

    #[test]
    fn the_library_is_told_what_is_compacted_and_what_is_not_there_yet() {
        use StorageError::{Compacted, Unavailable};
        let mut log = log();
        log.compact(3).unwrap();
        assert_eq!(log.append(&[]), Some(None));
        let context = || GetEntriesContext::empty(false);
        let entries = |low, high, size: u64| {
            log.entries(low, high, Some(size), context()).map(|entries| entries.len())
        };
        assert_eq!(entries(3, 5, u64::MAX), Err(Error::Store(Compacted)));
        assert_eq!(entries(4, 6, u64::MAX), Err(Error::Store(Unavailable)));
        assert_eq!(entries(4, 5, 0), Ok(1), "one is given however large it is");
        assert_eq!(log.term(2), Err(Error::Store(Compacted)));
        assert_eq!(log.term(3), Ok(1));
        assert_eq!(log.term(5), Err(Error::Store(Unavailable)));
    }

    #[test]
    fn entries_are_given_up_to_a_size() {
        let log = log();
        let context = GetEntriesContext::empty(false);
        assert_eq!(log.entries(2, 5, Some(1), context).map(|entries| entries.len()), Ok(1));
    }

    #[test]
    fn inv8_a_snapshot_older_than_the_newest_change_of_seats_is_not_given() {
        // It would not name the new process, whose disk may hold more than it does.
        let mut log = log();
        let mut snapshot = Snapshot::default();
        snapshot.mut_metadata().index = 3;
        log.offer(snapshot, 0);
        assert!(log.snapshot(0, 1).is_ok() && !log.take_wanted());
        log.reseat(4, Seats::default());
        assert!(log.snapshot(0, 1).is_err() && log.take_wanted());
    }
}
