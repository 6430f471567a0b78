//! Exchanges that are over for a device, while its frames may still be on their way: a host that carries
//! one once more may get another answer, and that is a guess like any other.

use super::{Told, User};
use strongroom_protocol::{Charged, Outcome, Recovery, RecoveryFinish, Started, Voucher};
use strongroom_wire::response::Budget;

/// What the answer to a guess says.
#[derive(Debug, Clone)]
pub struct Guess {
    /// The attempt that paid for it.
    pub attempt: u64,
    /// Of which record.
    pub generation: u64,
    /// What is left.
    pub budget: Budget,
}

/// An exchange that is over for its device, of the frame of this number. A host that carries the frame
/// once more may get another answer.
pub(super) enum Past {
    Start(Box<Recovery>),
    Finish(Box<RecoveryFinish>),
}

/// What an answer to such an exchange says.
#[derive(Debug)]
pub enum Late {
    /// A guess was answered, and what a history says of it.
    Guessed(Voucher, Guess, Option<Told>),
    /// The key was released by the attempt of this number.
    Key(Voucher, u64),
}

/// So many of them can still be read.
const PAST: usize = 64;

impl User {
    pub(super) fn remember(&mut self, past: Past) {
        self.past.push_back((self.frame_number, past));
        if self.past.len() > PAST {
            self.past.pop_front();
        }
    }

    /// Where the log has a second answer to a command of the owner's that was carried out: nowhere.
    pub fn acted_twice(&self, frame_number: u64, answer: &[u8]) -> Option<u64> {
        let (_, ask, first) = self.asked.as_ref().filter(|(number, ..)| *number == frame_number)?;
        let (_, by) = ask.on_answer(answer).ok()?;
        (by.index != *first).then_some(by.index)
    }

    /// What the fleet says to a frame that is over for this device.
    pub fn on_late_answer(&self, frame_number: u64, answer: &[u8]) -> Option<Late> {
        let (_, past) = self.past.iter().find(|(number, _)| *number == frame_number)?;
        match past {
            Past::Start(recovery) => match recovery.on_started(answer).ok()? {
                Started::Charged(charged) => {
                    let (guess, told) = (guess(&charged), Told::charged(&charged));
                    Some(Late::Guessed(charged.by, guess, told))
                }
                _ => None,
            },
            Past::Finish(finish) => match finish.on_finished(answer).ok()? {
                Outcome::Recovered(recovered) => Some(Late::Key(recovered.by, finish.attempt())),
                Outcome::Failed(_) => None,
            },
        }
    }
}

pub(super) fn guess(charged: &Charged) -> Guess {
    Guess {
        attempt: charged.next.attempt(),
        generation: charged.next.generation(),
        budget: charged.budget,
    }
}
