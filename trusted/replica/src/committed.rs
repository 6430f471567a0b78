//! The type that carries the product.

/// Where an entry stands in the one history of a fleet.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LogPosition {
    /// Start statements so far; genesis is 1.
    pub era: u64,
    /// Term of the leader that wrote the entry.
    pub term: u64,
    /// Its place in the log.
    pub index: u64,
}

/// Proof that a log entry is committed *and* held durably by enough distinct nodes.
///
/// # INV-2
///
/// No reply that depends on a record leaves a vault before a quorum durably holds the charge for it. A reply can be
/// made only from a `Committed`, and this crate alone can make one: the constructor is private, there is no
/// `Default`, no `Clone` and no decoder. It is made in one place, [`crate::holders`], after at least majority + s
/// distinct nodes acknowledged the entry from their disks and this replica applied it.
///
/// # INV-5
///
/// A minority, a stale node or a node that has just restarted never answers: such a node is not a leader whose
/// entries reach a majority, so it never obtains a `Committed` and has nothing to make an answer from.
///
/// ```compile_fail
/// let forged = strongroom_replica::Committed { value: 1 };
/// ```
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a committed entry that nobody answers is an attempt charged for nothing"]
pub struct Committed<T> {
    value: T,
}

impl Committed<LogPosition> {
    /// Private on purpose: see the type.
    pub(crate) fn at(position: LogPosition) -> Self {
        Self { value: position }
    }

    /// Hands the proof on to what was computed from that entry.
    pub fn attach<T>(self, value: T) -> Committed<T> {
        Committed { value }
    }
}

impl<T> Committed<T> {
    /// What is proved.
    pub fn get(&self) -> &T {
        &self.value
    }

    /// What is proved, without the proof.
    pub fn into_inner(self) -> T {
        self.value
    }
}
