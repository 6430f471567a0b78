//! What runs came to, for people and for machines.

use strongroom_sim::{
    Report,
    oracle::Broken,
    runner::{Options, Totals},
};

/// One seed.
pub(crate) fn report(report: &Report, json: bool) {
    let digest: String = report.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for broken in &report.broken {
        let Broken { invariant, checker, story } = broken;
        eprintln!("seed {}: {invariant}/{checker} broken: {story}", report.seed);
    }
    if json {
        let named = |Broken { invariant, checker, .. }: &Broken| {
            format!("{{\"invariant\":\"{invariant}\",\"checker\":\"{checker}\"}}")
        };
        let broken: Vec<String> = report.broken.iter().map(named).collect();
        println!(
            "{{\"seed\":{},\"virtual_ms\":{},\"events\":{},\"answers\":{},\"recoveries\":{},\
             \"locked\":{},\"crashes\":{},\"cold_starts\":{},\"halts\":{},\"checked\":{},\"undecided\":{},\"broken\":[{}],\
             \"digest\":\"{digest}\"}}",
            report.seed,
            report.virtual_ms,
            report.events,
            report.answers,
            report.recoveries,
            report.locked,
            report.crashes,
            report.cold_starts,
            report.halts,
            report.checked,
            report.undecided,
            broken.join(",")
        );
    }
}

/// All of them.
pub(crate) fn sum(totals: &Totals, options: &Options, seconds: f64) {
    eprintln!(
        "simulated {} seeds in {seconds:.1} s on {} threads: {} events, {} answers, {} recoveries, \
         {} locked, {} kills, {} cold starts, {} halts; {} operations in one history each slot, {} slots undecided",
        totals.ran,
        options.jobs,
        totals.sum.events,
        totals.sum.answers,
        totals.sum.recoveries,
        totals.sum.locked,
        totals.sum.crashes,
        totals.sum.cold_starts,
        totals.sum.halts,
        totals.sum.checked,
        totals.sum.undecided
    );
    eprintln!("{} passed, {} failed", totals.ran - totals.failed, totals.failed);
}
