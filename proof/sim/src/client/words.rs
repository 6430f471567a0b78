//! What a client learned, in a line of a story.

use super::{Late, Learned, past::Guess};
use std::fmt;
use strongroom_protocol::Voucher;

/// Who signed, and on which log index and vault time it rests.
struct By<'a>(&'a Voucher);

impl fmt::Display for By<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Voucher { node, index, now_ms, .. } = self.0;
        write!(f, "node {node}, index {index}, vault time {now_ms}")
    }
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (row, year) = (self.budget.row_left, self.budget.year_left);
        write!(
            f,
            "attempt {} of record {}; {row} left, {year} this year",
            self.attempt, self.generation
        )
    }
}

impl fmt::Display for Learned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::More(by) => write!(f, "goes on ({})", By(by)),
            Self::Stored(by, 0, None) => write!(f, "has its record stored ({})", By(by)),
            Self::Stored(by, 0, Some(old)) => {
                write!(f, "has its record stored in place of {old} ({})", By(by))
            }
            Self::Stored(by, at, _) => {
                write!(f, "has its record announced for vault time {at} ({})", By(by))
            }
            Self::Done(by) => write!(f, "is obeyed ({})", By(by)),
            Self::Key(by, _, failures, attempt) => {
                write!(f, "has the key by attempt {attempt}, {failures} failed before ({})", By(by))
            }
            Self::Guessed(by, right, guess) => {
                let right = if *right { "right" } else { "wrong" };
                write!(f, "knows that the password is {right}: {guess} ({})", By(by))
            }
            Self::Nothing(by, why) => write!(f, "gets nothing: {why:?} ({})", By(by)),
            Self::Wait(by, why, budget) => {
                write!(f, "must wait until vault time {}: {why:?} ({})", budget.next_ms, By(by))
            }
            Self::Refused(error) => write!(f, "is refused: {error}"),
            Self::Stale => write!(f, "hears of something that is over"),
        }
    }
}

impl fmt::Display for Late {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Guessed(by, guess, _) => write!(f, "could have guessed: {guess} ({})", By(by)),
            Self::Key(by, attempt) => {
                write!(f, "could have the key by attempt {attempt} ({})", By(by))
            }
        }
    }
}
