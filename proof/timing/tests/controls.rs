//! Real vaults: a large leak is seen even on a machine with better things to do.

use std::time::Duration;
use strongroom_timing::{Expected, Finding, Plan, Report, Verdict, run};

fn controls(leak: Duration) -> Plan {
    let at_most = Duration::from_secs(60);
    Plan { seed: 1, nodes: 1, samples: 120, at_most, leak, only_controls: true }
}

/// What was found of the leak that the plan adds.
fn leak(report: &Report) -> &Finding {
    report.findings.iter().find(|f| f.expected == Expected::Different).expect("a leak")
}

#[test]
fn inv3_a_leak_of_a_quarter_is_found() {
    // "Suspect" asks for a longer measurement: a busy machine may have it of few samples, not of
    // many. Any other verdict stands.
    let measure = |samples| {
        let plan = controls(Duration::from_micros(250));
        run(&Plan { samples, at_most: Duration::from_secs(240), ..plan })
    };
    let mut report = measure(120);
    for samples in [480, 1_920] {
        if leak(&report).verdict == Verdict::Suspect {
            report = measure(samples);
        }
    }
    let leak = leak(&report);
    assert!(leak.ok && leak.verdict == Verdict::Differs, "{report}");
    assert!(leak.comparison.difference_ns > 100_000.0, "{report}");
}

#[test]
fn a_run_that_saw_no_leak_fails() {
    // Nothing is added: the control is not found, and silence proves nothing.
    let report = run(&Plan { samples: 20, ..controls(Duration::ZERO) });
    assert!(!report.ok, "{report}");
}

#[test]
fn a_run_that_measured_nothing_fails() {
    let report = run(&Plan { at_most: Duration::ZERO, ..controls(Duration::from_micros(250)) });
    assert!(report.findings.is_empty() && !report.ok);
}
