//! What a run says.

use crate::{
    pairs::{Expected, Finding, Part, Verdict, judge},
    visits::{Plan, measure},
};
use serde::Serialize;
use std::fmt;

/// The version of the JSON that `--json` prints.
const FORMAT: u32 = 1;

/// A run's outcome.
#[derive(Debug, Serialize)]
pub struct Report {
    /// The format's version.
    pub format: u32,
    /// Whether everything came out as it must.
    pub ok: bool,
    /// The seed.
    pub seed: u64,
    /// Nodes of the fleet.
    pub nodes: u8,
    /// Every pair, part by part.
    pub findings: Vec<Finding>,
}

/// Measures, and judges.
pub fn run(plan: &Plan) -> Report {
    let findings = judge(&measure(plan));
    let complete = findings.iter().any(|f| f.expected == Expected::Different);
    let ok = complete && findings.iter().all(|finding| finding.ok);
    Report { format: FORMAT, ok, seed: plan.seed, nodes: plan.nodes, findings }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:<38} {:<7} {:>7} {:>9} {:>10} {:>7} {:>6} {:>7}  verdict",
            "pair", "part", "samples", "first ns", "differ ns", "95% +-", "1/1000", "max |t|"
        )?;
        for finding in &self.findings {
            let Finding { pair, part, comparison: found, per_mille, .. } = finding;
            writeln!(
                f,
                "{pair:<38} {:<7} {:>7} {:>9.0} {:>+10.0} {:>7.0} {per_mille:>+6.1} {:>7.1}  {}",
                match part {
                    Part::Take => "take",
                    Part::Release => "release",
                    Part::Sum => "sum",
                    Part::Follow => "follow",
                },
                found.samples,
                found.first_ns,
                found.difference_ns,
                found.interval_ns,
                found.t.abs(),
                finding.words(),
            )?;
        }
        write!(f, "{}", if self.ok { "ok" } else { "FAILED" })
    }
}

impl Finding {
    fn words(&self) -> String {
        let verdict = match self.verdict {
            Verdict::Alike => "alike",
            Verdict::Suspect => "suspect: measure for longer",
            Verdict::Differs => "differs",
        };
        match (self.ok, self.verdict, self.expected) {
            (false, _, Expected::Different) => format!("{verdict}  <- a control that must differ"),
            (false, _, Expected::Same) => format!("{verdict}  <- a control that must not"),
            (false, ..) => format!("{verdict}  <- above {} in 1,000", self.within_per_mille),
            (true, Verdict::Differs, Expected::Uniform | Expected::Listed) => {
                format!("{verdict}, within {} in 1,000", self.within_per_mille)
            }
            (true, ..) => verdict.to_owned(),
        }
    }
}
