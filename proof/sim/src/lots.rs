//! Numbers for everything that is nobody's intent: delays, seeds of entropy, what users feel like.
//!
//! Each of them has dice of its own, so that a run without some deed, or without some user, is the same
//! run for all others as far as it can be: what is shrunk stays what it was.

use crate::plan::Dice;
use std::collections::BTreeMap;

/// Whose numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Whose {
    /// A user's own wants.
    User(usize),
    /// What happens to requests and answers of a user or a thief.
    Asker(usize),
    /// The network between two nodes.
    Link(u8, usize),
    /// The disk of a place.
    Disk(usize),
    /// The processes of a place, and its host.
    Place(usize),
}

/// All dice that were used yet.
pub(crate) struct Lots {
    seed: u64,
    dice: BTreeMap<Whose, Dice>,
}

impl Lots {
    pub(crate) const fn new(seed: u64) -> Self {
        Self { seed, dice: BTreeMap::new() }
    }

    pub(crate) fn of(&mut self, whose: Whose) -> &mut Dice {
        let (purpose, one, other) = match whose {
            Whose::User(user) => (18, user as u64, 0),
            Whose::Asker(asker) => (19, asker as u64, 0),
            Whose::Link(from, to) => (20, u64::from(from), to as u64),
            Whose::Disk(place) => (21, place as u64, 0),
            Whose::Place(place) => (22, place as u64, 0),
        };
        let seed = self.seed;
        self.dice.entry(whose).or_insert_with(|| Dice::of(seed, purpose, one, other))
    }
}
