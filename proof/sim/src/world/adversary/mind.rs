//! What the adversary learns within a run: acts that led somewhere new are done again.

use crate::acts::Act;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Acts that get the credit for a moment never seen before.
const RECENT: usize = 3;
/// Weights are in hundredths; between a third and four times of what the strategy says.
const USUAL: u64 = 100;
const LEAST: u64 = 35;
const MOST: u64 = 400;

/// A bandit that is paid in novelty.
#[derive(Default)]
pub(crate) struct Mind {
    seen: BTreeSet<u64>,
    recent: VecDeque<Act>,
    learned: BTreeMap<Act, u64>,
}

impl Mind {
    /// How often an act is done now, in thousandths of turns.
    pub(crate) fn rate(&self, act: Act, weight: u64) -> u64 {
        let learned = self.learned.get(&act).copied().unwrap_or(USUAL);
        (weight * learned / USUAL).min(700)
    }

    /// An act was done.
    pub(crate) fn did(&mut self, act: Act) {
        self.recent.push_back(act);
        if self.recent.len() > RECENT {
            self.recent.pop_front();
        }
    }

    /// Looks at the moment: those acts that were done last get its praise or its boredom.
    pub(crate) fn look(&mut self, signature: u64) {
        let new = self.seen.insert(signature);
        for act in &self.recent {
            let weight = self.learned.entry(*act).or_insert(USUAL);
            *weight = if new { *weight * 5 / 4 } else { *weight * 19 / 20 }.clamp(LEAST, MOST);
        }
        // Paid once.
        self.recent.clear();
    }
}
