//! Guesses that were answered, to whomever: what the oracle is told of them.

use super::{About, World};
use crate::{
    client::{Guess, Late},
    hardware::SimHardware,
    oracle::budget::Answered,
    trace::Kind,
};
use strongroom_protocol::Voucher;
use strongroom_vault::Vault;

impl World {
    /// A guess at a user's slot was answered, to whomever. What an empty slot answers tells nothing of
    /// any record, and is no guess; it is always called the first attempt.
    pub(crate) fn guessed(
        &mut self,
        user: usize,
        asked: (usize, u64),
        guess: &Guess,
        by: &Voucher,
        finished: bool,
    ) {
        let slot = self.users[user].destination.slot();
        let vaults = self.nodes.iter().filter_map(|place| place.vault.as_ref());
        let newest = vaults.max_by_key(|vault: &&Vault<SimHardware>| vault.danger_applied());
        let state = newest.and_then(|vault| vault.danger_state().slot(slot));
        let charged = state.is_some_and(|slot| slot.attempts > 0);
        let lives = state.is_some_and(|slot| slot.record.is_some() && slot.destroyed.is_none());
        if guess.attempt > 1 || charged {
            let sure = guess.attempt > 1 || lives;
            let answered = Answered { user, asked, guess, finished, sure, by };
            self.oracle.inv1_guess_answered(&answered, &self.plan.policy);
        }
    }

    /// A host got another answer to a frame that is over for its device.
    pub(crate) fn learns_late(&mut self, user: usize, asked: (usize, u64), late: Late) {
        self.say(Kind::Client, About::Asker(asked.0), || {
            format!(
                "{}, by an answer to frame {} that is over, {late}",
                self.asker(asked.0),
                asked.1
            )
        });
        match late {
            Late::Guessed(by, guess, told) => {
                self.is_told(asked, told);
                self.guessed(user, asked, &guess, &by, false);
            }
            Late::Key(by, attempt) => self.oracle.inv1_success(user, asked, attempt, &by),
        }
    }
}
