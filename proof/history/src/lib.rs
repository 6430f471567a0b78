//! Histories of what clients asked and were told, and whether one order explains them (spec §18).
//!
//! * **What it is.** The sequential specification of one slot, and a search for an order of a
//!   history's operations that it allows and that respects real time (linearizability).
//! * **What it may assume.** That clients note honestly when they asked and what a verified answer said.
//! * **What it must never do.** Share code with `trusted/`, or call undecided what it did not decide.
//!
//! The search is Wing and Gong's with Lowe's memory of positions. Stateright's `LinearizabilityTester`,
//! which `proof/model` could have lent, wants an answer to follow from state and call alone, copies the
//! whole history at each step of a recursion without memory, and has no bound: it suits a model's handful
//! of operations. Here answers say what nobody can compute, and slots have hundreds of operations.

#![forbid(unsafe_code)]

mod search;
mod slot;
mod story;

use std::collections::BTreeMap;
use std::fmt;

/// One request, however often its frame was carried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who asked.
    pub client: u64,
    /// Of which slot.
    pub slot: u64,
    /// What.
    pub call: Call,
    /// When, in any unit that all clients share.
    pub invoked_ms: u64,
    /// When the answer was there, and what it said; nothing, if none came.
    pub returned: Option<(u64, Answer)>,
    /// The log index and the vault time that the answer rests on, if it was signed.
    pub by: Option<(u64, u64)>,
}

/// What was asked. Keys and passwords are named by numbers of the recorder's choice.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Begins a registration.
    RegisterStart,
    /// Ends it.
    RegisterFinish {
        /// What the offer said.
        generation: u64,
        /// Which backup key.
        key: u64,
        /// Under which password.
        password: u64,
        /// Whether it proves authority over a record that is there.
        authority: bool,
    },
    /// Begins an attempt.
    RecoverStart {
        /// With this password.
        password: u64,
    },
    /// Ends it.
    RecoverFinish {
        /// The attempt's number, as it was charged.
        number: u64,
        /// The password of its beginning.
        password: u64,
    },
    /// An owner asks how the slot stands.
    Status {
        /// Of which record.
        generation: u64,
    },
    /// An owner destroys the record.
    Destroy {
        /// Which.
        generation: u64,
    },
    /// Anybody asks for the budget.
    Budget,
}

/// What was answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An offer.
    RegisterStarted {
        /// The generation that would be stored.
        generation: u64,
        /// Whether a record is there.
        occupied: bool,
    },
    /// A receipt.
    Registered {
        /// What is stored, or announced.
        generation: u64,
        /// What it replaced.
        destroyed: Option<u64>,
        /// Whether it waits for its time.
        announced: bool,
    },
    /// An attempt is open.
    Charged {
        /// Its number.
        number: u64,
        /// Whether the password fits.
        fits: bool,
    },
    /// Not now: this copy has no effect, another may.
    Wait,
    /// The key.
    Recovered {
        /// Of which record.
        generation: u64,
        /// Which key.
        key: u64,
        /// How many failures the receipt lists.
        failures: u64,
    },
    /// The password is wrong.
    WrongPassword,
    /// Too many were.
    Locked,
    /// Nothing is there.
    NoRecord,
    /// The attempt is over already.
    Closed,
    /// An owner's command was carried out, or a question answered.
    Done,
    /// No effect of this copy; another may have its own.
    Refused,
}

/// What may be asked of a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Attempts in a row.
    pub row: u64,
    /// Nobody but the history's clients sends requests: every number and every row is accounted for.
    /// Where hosts hand old requests in again, numbers may be skipped.
    pub exact: bool,
    /// So many calls are looked at in the search for one slot: a long history takes no longer.
    pub steps: u64,
    /// How long an announced replacement waits, in vault time.
    pub replace_ms: u64,
}

impl Rules {
    /// Everybody who asks is in the history.
    pub const EXACT: Self =
        Self { row: 10, exact: true, steps: 5_000_000, replace_ms: 7 * 86_400_000 };
    /// Old requests may come back.
    pub const REPLAYED: Self = Self { exact: false, ..Self::EXACT };
}

/// What was decided of a history without a contradiction.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Operations in it.
    pub operations: u64,
    /// Slots.
    pub slots: u64,
    /// Slots whose search did not end within its steps. They are not explained.
    pub undecided: u64,
    /// Steps of all searches.
    pub steps: u64,
}

/// No order explains this slot's operations.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The slot.
    pub slot: u64,
    /// Operations whose answers contradict each other; of no other is any answer needed.
    pub operations: Vec<Operation>,
    /// How many others there are: they may have happened or not, at any time, and it does not help.
    pub others: usize,
    /// What was expected, and what was got.
    pub why: String,
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "slot {}: no order explains ", self.slot)?;
        for operation in &self.operations {
            write!(f, "[{operation}] ")?;
        }
        write!(f, "even if {} others happened or not: {}", self.others, self.why)
    }
}

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { client, call, invoked_ms, .. } = self;
        match &self.returned {
            Some((at, answer)) => {
                write!(f, "client {client} {invoked_ms}-{at}: {call:?} -> {answer:?}")
            }
            None => write!(f, "client {client} {invoked_ms}-: {call:?} unanswered"),
        }
    }
}

impl Operation {
    /// Whether a copy of its frame may have an effect that no answer tells. Who is told to wait, or is
    /// refused, knows of one copy alone; so does whom a stand-in answers.
    pub(crate) const fn is_open(&self) -> bool {
        matches!(self.returned, None | Some((_, Answer::Wait | Answer::Closed | Answer::Refused)))
            || self.may_be_a_stand_in()
    }

    /// Whether the answer may tell of a replacement that this call announced and that has taken effect
    /// since: a copy of the frame came again, later than the replacement waits. `known_ms` is the latest
    /// vault time that anybody knew when this was asked.
    pub(crate) fn may_be_late(&self, known_ms: u64, rules: &Rules) -> bool {
        let nobodys = matches!(self.call, Call::RegisterFinish { authority: false, .. });
        let in_effect =
            matches!(self.returned, Some((_, Answer::Registered { announced: false, .. })));
        let due_ms = known_ms.saturating_add(rules.replace_ms);
        nobodys && in_effect && self.by.is_some_and(|(_, vault_ms)| vault_ms >= due_ms)
    }

    /// What a slot without a record answers looks like a first attempt that does not fit.
    pub(crate) const fn may_be_a_stand_in(&self) -> bool {
        matches!(self.returned, Some((_, Answer::Charged { number: 1, fits: false })))
    }
}

/// Looks for an order of each slot's operations that explains every answer.
///
/// # Errors
/// The first slot that no order explains.
pub fn check(operations: &[Operation], rules: &Rules) -> Result<Checked, Contradiction> {
    let mut slots: BTreeMap<u64, Vec<Operation>> = BTreeMap::new();
    for operation in operations {
        slots.entry(operation.slot).or_default().push(operation.clone());
    }
    let mut checked = Checked { slots: slots.len() as u64, ..Checked::default() };
    for mut history in slots.into_values() {
        history.sort_by_key(|operation| operation.invoked_ms);
        checked.operations += history.len() as u64;
        story::indexes_rise(&history)?;
        let (verdict, steps) = search::search(&history, rules);
        checked.steps += steps;
        match verdict {
            search::Verdict::Explained => {}
            search::Verdict::Undecided => checked.undecided += 1,
            search::Verdict::Contradicted(_) => return Err(story::told(&history, rules)),
        }
    }
    Ok(checked)
}
