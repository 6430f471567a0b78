//! The checkers, one for each invariant. They count by themselves and believe nothing.

pub mod budget;
mod processes;

use std::collections::{BTreeMap, BTreeSet};
use strongroom_protocol::{ProtocolError, Voucher};

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// Which.
    pub invariant: &'static str,
    /// What was expected, and what was seen.
    pub story: String,
}

/// What the oracle knows.
#[derive(Debug, Default)]
pub struct Oracle {
    /// By user.
    slots: BTreeMap<usize, budget::Slot>,
    handed_in: BTreeMap<budget::Asked, budget::Handed>,
    /// The newest era that a vault counted.
    era: u64,
    /// By log index: who was answered from it, and vault time there.
    answered: BTreeMap<u64, ((usize, u64), u64)>,
    /// By node: the highest index that its disk ever held.
    durable: BTreeMap<u8, u64>,
    /// Sizes of answers and of entries that were seen.
    answer_sizes: BTreeSet<usize>,
    entry_sizes: BTreeSet<usize>,
    /// What must not be seen by any host: prefixes of secrets.
    secrets: BTreeSet<[u8; 8]>,
    /// Whether one of them begins with these two bytes: almost no place in a frame does.
    first_bytes: Vec<bool>,
    /// Start statements.
    starts: processes::Starts,
    /// What was broken.
    pub broken: Vec<Broken>,
}

impl Oracle {
    fn fail(&mut self, invariant: &'static str, story: String) {
        self.broken.push(Broken { invariant, story });
    }

    /// A secret that only devices may ever hold.
    pub fn guard_secret(&mut self, secret: &[u8]) {
        if let Some(prefix) = secret.first_chunk::<8>() {
            self.secrets.insert(*prefix);
            self.first_bytes.resize(1 << 16, false);
            self.first_bytes[start(prefix)] = true;
        }
    }

    /// A node's disk holds the log up to here.
    pub fn durable(&mut self, node: u8, index: u64) {
        let held = self.durable.entry(node).or_default();
        *held = (*held).max(index);
    }

    /// How many disks hold an index now.
    pub fn holders(&self) -> Vec<u64> {
        self.durable.values().copied().collect()
    }

    /// INV-2: when the answer left, a majority of disks held its entry.
    pub fn inv2_charged_first(&mut self, by: &Voucher, held_then: &[u64], majority: usize) {
        let holders = held_then.iter().filter(|held| **held >= by.index).count();
        if holders < majority {
            self.fail(
                "INV-2",
                format!("answer of index {} left with {holders} of {majority} holders", by.index),
            );
        }
    }

    /// INV-4: vault time rises with the log. INV-5: one index answers one request, so no minority
    /// or forked leader answers beside the fleet.
    pub fn inv4_inv5_one_history(&mut self, who: (usize, u64), by: &Voucher) {
        let before = self.answered.range(..by.index).next_back().map(|(i, (_, t))| (*i, *t));
        if let Some((index, time)) = before
            && time > by.now_ms
        {
            self.inv4_broken(format!("index {index} at {time} ms, {} at {}", by.index, by.now_ms));
        }
        let known = self.answered.insert(by.index, (who, by.now_ms));
        if let Some((other, _)) = known.filter(|(other, _)| *other != who) {
            self.inv5_broken(format!("index {} answers {other:?} and {who:?}", by.index));
        }
    }

    fn inv4_broken(&mut self, story: String) {
        self.fail("INV-4", story);
    }

    /// INV-4: a device's counter never goes back, so what it signed acts once.
    pub fn inv4_once(&mut self, story: String) {
        self.inv4_broken(story);
    }

    fn inv5_broken(&mut self, story: String) {
        self.fail("INV-5", story);
    }

    /// INV-3: all answers have one size; all entries of users have one size.
    pub fn inv3_sizes(&mut self, answer: Option<usize>, entry: Option<usize>) {
        self.answer_sizes.extend(answer);
        self.entry_sizes.extend(entry);
        if self.answer_sizes.len() > 1 {
            let sizes = format!("answers of sizes {:?}", self.answer_sizes);
            self.fail("INV-3", sizes);
        }
        // Besides users' entries there are a new leader's empty one and changes of the
        // configuration, which depend on no user.
        let large = self.entry_sizes.iter().filter(|size| **size > 700).count();
        if large > 1 {
            let sizes = format!("entries of sizes {:?}", self.entry_sizes);
            self.fail("INV-3", sizes);
        }
    }

    /// INV-6 and INV-9: an answer that no listed node signed for this request is refused; an honest
    /// one is not.
    pub fn inv6_signed(&mut self, forged: bool, refused: Option<&ProtocolError>) {
        match (forged, refused) {
            (true, None) => self.inv9_broken("a forged answer was believed".to_owned()),
            (false, Some(error)) if is_forgery(error) => {
                self.fail("INV-6", format!("an honest answer was taken for forged: {error}"));
            }
            _ => {}
        }
    }

    fn inv9_broken(&mut self, story: String) {
        self.fail("INV-9", story);
    }

    /// INV-7: after erasure, a destroyed record's salt is in no vault that says so.
    pub fn inv7_erased(&mut self, found: bool, story: String) {
        if found {
            self.fail("INV-7", story);
        }
    }

    /// INV-8: what a user was told is stored comes back.
    pub fn inv8_kept(&mut self, kept: bool, story: String) {
        if !kept {
            self.fail("INV-8", story);
        }
    }

    /// INV-10: no host carries or keeps a password or a backup key.
    pub fn inv10_secret_in(&mut self, what: &str, bytes: &[u8]) {
        if self.secrets.is_empty() {
            return;
        }
        let seen = bytes.windows(8).any(|window| {
            window.first_chunk::<8>().is_some_and(|prefix| {
                self.first_bytes[start(prefix)] && self.secrets.contains(prefix)
            })
        });
        if seen {
            self.fail("INV-10", format!("a secret is in {what}"));
        }
    }
}

fn start(prefix: &[u8; 8]) -> usize {
    usize::from(prefix[0]) << 8 | usize::from(prefix[1])
}

fn is_forgery(error: &ProtocolError) -> bool {
    matches!(
        error,
        ProtocolError::Sealed
            | ProtocolError::Signature { .. }
            | ProtocolError::Unlisted { .. }
            | ProtocolError::Length { .. }
            | ProtocolError::Encoding(_)
    )
}
