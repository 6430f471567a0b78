//! What clients asked and were told: the raw history of a run.

use serde::{Deserialize, Serialize};
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Instant,
};
use strongroom_protocol::{Budget, Voucher};

/// One request, however often its frame was carried.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Operation {
    pub(crate) client: u32,
    pub(crate) account: String,
    pub(crate) call: Call,
    /// Microseconds since the run began.
    pub(crate) invoked_us: u64,
    /// When the answer was there; never, if none came.
    pub(crate) returned_us: Option<u64>,
    pub(crate) answer: Option<Answer>,
    pub(crate) by: Option<By>,
    /// Deadlines that passed without an answer, before one came.
    pub(crate) misses: Vec<Miss>,
}

/// A deadline that passed.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Miss {
    pub(crate) since_us: u64,
    pub(crate) at_us: u64,
    /// The last error, as the SDK names it.
    pub(crate) kind: String,
    pub(crate) detail: String,
}

/// What was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verb", rename_all = "snake_case")]
pub(crate) enum Call {
    RegisterStart { registration: u64 },
    RegisterFinish { registration: u64, generation: u64, key: String, fresh: bool },
    RecoverStart { attempt: u64, right: bool },
    RecoverFinish { attempt: u64, number: u64, right: bool },
    Budget,
}

/// What was answered, as a node signed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub(crate) enum Answer {
    RegisterStarted {
        generation: u64,
        occupied: bool,
    },
    Registered {
        generation: u64,
        destroyed: Option<u64>,
        effective_ms: u64,
        budget: Left,
    },
    Charged {
        number: u64,
        fits: bool,
        budget: Left,
    },
    Wait {
        reason: String,
        budget: Left,
    },
    Failed {
        why: String,
        destroyed: Option<u64>,
        budget: Left,
    },
    Recovered {
        generation: u64,
        key: String,
        failures: usize,
        failures_year: u8,
        budget: Left,
    },
    Budget {
        budget: Left,
    },
    Refused {
        why: String,
    },
    /// An answer that does not verify: nobody who is believed gave it.
    Bad {
        error: String,
    },
}

/// A budget.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Left {
    pub(crate) row: u8,
    pub(crate) year: u8,
    pub(crate) next_ms: u64,
}

impl From<Budget> for Left {
    fn from(budget: Budget) -> Self {
        Self { row: budget.row_left, year: budget.year_left, next_ms: budget.next_ms }
    }
}

/// Who signed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct By {
    pub(crate) node: u8,
    pub(crate) incarnation: u64,
    pub(crate) index: u64,
    pub(crate) now_ms: u64,
}

impl From<&Voucher> for By {
    fn from(by: &Voucher) -> Self {
        Self { node: by.node, incarnation: by.incarnation, index: by.index, now_ms: by.now_ms }
    }
}

/// Everything that is known so far. One for all clients of a run.
pub(crate) struct Book {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    operations: Vec<Operation>,
    broken: Vec<String>,
}

impl Book {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Microseconds since the run began.
    pub(crate) fn now_us(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    pub(crate) fn note(&self, operation: Operation) {
        self.state().operations.push(operation);
    }

    /// A promise did not hold.
    pub(crate) fn broken(&self, story: String) {
        eprintln!("BROKEN: {story}");
        self.state().broken.push(story);
    }

    /// When the first success came of a request that began after a moment.
    pub(crate) fn first_success_us(&self, after_us: u64) -> Option<u64> {
        let state = self.state();
        let later = state.operations.iter().rev();
        // Operations are noted as they end: whatever ended before began before.
        let later = later.take_while(|o| o.returned_us.is_none_or(|at| at >= after_us));
        let answered = later.filter(|o| o.invoked_us >= after_us && o.misses.is_empty());
        answered.filter_map(|operation| operation.returned_us).min()
    }

    pub(crate) fn operations(&self) -> Vec<Operation> {
        self.state().operations.clone()
    }

    pub(crate) fn broken_promises(&self) -> Vec<String> {
        self.state().broken.clone()
    }
}
