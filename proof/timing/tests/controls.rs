//! Real vaults: a large leak is seen even on a machine with better things to do.

use std::time::Duration;
use strongroom_timing::{Expected, Plan, Verdict, run};

fn controls(leak: Duration) -> Plan {
    let at_most = Duration::from_secs(60);
    Plan { seed: 1, nodes: 1, samples: 120, at_most, leak, only_controls: true }
}

#[test]
fn inv3_a_leak_of_a_quarter_is_found() {
    let report = run(&controls(Duration::from_micros(250)));
    let leak = report.findings.iter().find(|f| f.expected == Expected::Different).expect("a leak");
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
