//! Which classes are compared, and what is said of each pair.

use crate::{
    fleet::Times,
    visits::{Class, Samples, Visit},
    welch::{Comparison, LEAK, SUSPECT, compare},
};
use Visit::{
    BudgetKnown, BudgetUnknown, Leaky, Locked, RegisterEmpty, RegisterKnown, RegisterLocked, Right,
    Same, StatusOwner, StatusStranger, Unknown, Waiting, Wrong,
};
use serde::Serialize;

/// What may be left where the work is the same, in thousandths of a whole request: which code and
/// data lay in a cache.
pub const RESIDUE: f64 = 4.0;
/// The same for another vault, which does a fortieth of the work.
pub const FOLLOW_RESIDUE: f64 = 2.5;
/// And where a path without a record is shorter, or a slot has to be made.
const WIDER: f64 = 8.0;

/// What must come out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// INV-3: a host must not tell the classes apart by more than [`RESIDUE`].
    Uniform,
    /// A difference that the specification lists (spec §19.3), and no larger one.
    Listed,
    /// A control: one class twice. If these differ, no difference means anything.
    Same,
    /// A control: a difference that is there. If it is not seen, no silence means anything.
    Different,
}

/// What the measurements say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// |t| is at most [`SUSPECT`]: no difference was found.
    Alike,
    /// |t| is above it: measure for longer.
    Suspect,
    /// |t| is above [`LEAK`].
    Differs,
}

/// The part of a request that a stopwatch ran for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// The leader takes the request.
    Take,
    /// The leader gives the answer out.
    Release,
    /// Both.
    Sum,
    /// Another vault takes the entry into its log and its state.
    Follow,
}

/// One line of the report.
#[derive(Debug, Clone, Serialize)]
pub struct Finding {
    /// The pair.
    pub pair: &'static str,
    /// What must come out.
    pub expected: Expected,
    /// The part.
    pub part: Part,
    /// The tests.
    #[serde(flatten)]
    pub comparison: Comparison,
    /// The difference in thousandths of a whole request.
    pub per_mille: f64,
    /// What may be left of it.
    pub within_per_mille: f64,
    /// What the tests say.
    pub verdict: Verdict,
    /// Whether that is what must come out.
    pub ok: bool,
}

struct Pair {
    name: &'static str,
    expected: Expected,
    within: f64,
    classes: [Class; 2],
}

const fn pair(name: &'static str, first: Class, second: Class) -> Pair {
    Pair { name, expected: Expected::Uniform, within: RESIDUE, classes: [first, second] }
}

impl Pair {
    const fn control(self, expected: Expected) -> Self {
        Self { expected, within: 0.0, ..self }
    }

    const fn within(self, within: f64) -> Self {
        Self { within, ..self }
    }

    const fn listed(self, within: f64) -> Self {
        Self { expected: Expected::Listed, within, ..self }
    }
}

const PAIRS: &[Pair] = &[
    pair("control: one class twice", (Right, 0), (Same, 0)).control(Expected::Same),
    pair("control: one class twice, finish", (Right, 1), (Same, 1)).control(Expected::Same),
    pair("control: more work", (Right, 0), (Leaky, 0)).control(Expected::Different),
    pair("recover-start: right, wrong", (Right, 0), (Wrong, 0)),
    pair("recover-start: known, unknown", (Right, 0), (Unknown, 0)),
    pair("recover-start: known, locked", (Right, 0), (Locked, 0)),
    pair("recover-start: known, must wait", (Right, 0), (Waiting, 0)),
    pair("recover-finish: right, wrong", (Right, 1), (Wrong, 1)),
    pair("recover-finish: known, unknown", (Right, 1), (Unknown, 1)).within(WIDER),
    pair("recover-finish: known, locked", (Right, 1), (Locked, 1)).within(WIDER),
    pair("register-start: known, empty", (RegisterKnown, 0), (RegisterEmpty, 0)).within(WIDER),
    pair("register-start: known, locked", (RegisterKnown, 0), (RegisterLocked, 0)),
    pair("register-finish: announced, stored", (RegisterKnown, 1), (RegisterEmpty, 1)),
    pair("budget: known, unknown", (BudgetKnown, 0), (BudgetUnknown, 0)),
    pair("status: owner, stranger", (StatusOwner, 0), (StatusStranger, 0)),
    pair("verbs: recover-start, budget", (Right, 0), (BudgetKnown, 0)).listed(40.0),
    pair("verbs: recover-start, status", (Right, 0), (StatusOwner, 0)).listed(60.0),
    pair("verbs: recover-start, recover-finish", (Right, 0), (Right, 1)).listed(350.0),
    pair("verbs: recover-start, register-start", (Right, 0), (RegisterKnown, 0)).listed(80.0),
    pair("verbs: recover-start, register-finish", (Right, 0), (RegisterKnown, 1)).listed(40.0),
];

/// A class whose whole requests are what differences are thousandths of.
const WHOLE: Class = (Right, 0);

/// Compares every pair that was measured.
pub(crate) fn judge(samples: &Samples) -> Vec<Finding> {
    let times = |class: &Class, part: Part| -> Option<Vec<f64>> {
        Some(samples.get(class)?.iter().map(|times| part.of(times)).collect())
    };
    let Some(whole) = times(&WHOLE, Part::Sum) else {
        return Vec::new();
    };
    let whole_ns = compare(&whole, &whole).first_ns;
    let alone = samples.values().flatten().all(|times| times.follow == 0.0);
    let mut findings = Vec::new();
    for Pair { name, expected, within, classes: [first, second] } in PAIRS {
        for part in [Part::Take, Part::Release, Part::Sum, Part::Follow] {
            // The control's work is done where a request is taken.
            let elsewhere = *expected == Expected::Different && part != Part::Take
                || part == Part::Follow && alone;
            let (Some(a), Some(b)) = (times(first, part), times(second, part)) else {
                continue;
            };
            if !elsewhere {
                let within =
                    if part == Part::Follow { within.min(FOLLOW_RESIDUE) } else { *within };
                let comparison = compare(&a, &b);
                findings.push(Finding::new(name, *expected, within, part, comparison, whole_ns));
            }
        }
    }
    findings
}

impl Part {
    fn of(self, times: &Times) -> f64 {
        match self {
            Self::Take => times.take,
            Self::Release => times.release,
            Self::Sum => times.take + times.release,
            Self::Follow => times.follow,
        }
    }
}

impl Finding {
    /// Judges one comparison, where a whole request takes `whole_ns`.
    pub fn new(
        pair: &'static str,
        expected: Expected,
        within_per_mille: f64,
        part: Part,
        comparison: Comparison,
        whole_ns: f64,
    ) -> Self {
        let t = comparison.t.abs();
        let verdict = if t > LEAK {
            Verdict::Differs
        } else if t > SUSPECT {
            Verdict::Suspect
        } else {
            Verdict::Alike
        };
        let surely_ns = comparison.difference_ns.abs() - comparison.interval_ns;
        let ok = match expected {
            Expected::Uniform | Expected::Listed => {
                verdict != Verdict::Differs || surely_ns <= whole_ns * within_per_mille / 1_000.0
            }
            Expected::Same => verdict != Verdict::Differs,
            Expected::Different => verdict == Verdict::Differs,
        };
        let per_mille = 1_000.0 * comparison.difference_ns / whole_ns;
        Self { pair, expected, part, comparison, per_mille, within_per_mille, verdict, ok }
    }
}
