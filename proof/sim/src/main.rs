//! `strongroom-sim --seed N` runs one seed, `--seeds N [--from M]` runs many; `--json` prints lines.

use std::{process::ExitCode, time::Instant};
use strongroom_sim::{Plan, Report, World};

struct Options {
    from: u64,
    seeds: u64,
    json: bool,
}

fn options() -> Result<Options, String> {
    let mut options = Options { from: 0, seeds: 200, json: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().ok_or_else(|| format!("{arg} takes a number"))?;
            value.parse::<u64>().map_err(|_| format!("{arg} takes a number, got {value}"))
        };
        match arg.as_str() {
            "--seed" => (options.from, options.seeds) = (number()?, 1),
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--json" => options.json = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(message) => {
            eprintln!("error: {message}");
            eprintln!("  hint: strongroom-sim [--seed N | --seeds N [--from M]] [--json]");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let (mut totals, mut failed) = (Totals::default(), 0);
    for seed in options.from..options.from + options.seeds {
        let report = World::new(Plan::of(seed)).run();
        totals.add(&report);
        if options.json {
            print_json(&report);
        }
        if !report.broken.is_empty() {
            failed += 1;
            for broken in &report.broken {
                eprintln!("seed {seed}: {} broken: {}", broken.invariant, broken.story);
            }
            eprintln!("  hint: STRONGROOM_SIM_TRACE=1 strongroom-sim --seed {seed}");
        }
    }
    eprintln!(
        "simulated {} seeds in {:.1} s: {} events, {} answers, {} recoveries, {} locked, {} kills, \
         {} cold starts, {} halts",
        options.seeds,
        began.elapsed().as_secs_f64(),
        totals.events,
        totals.answers,
        totals.recoveries,
        totals.locked,
        totals.crashes,
        totals.cold_starts,
        totals.halts
    );
    eprintln!("{} passed, {failed} failed", options.seeds - failed);
    if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

#[derive(Default)]
struct Totals {
    events: u64,
    answers: u64,
    recoveries: u64,
    locked: u64,
    crashes: u64,
    cold_starts: u64,
    halts: u64,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.events += report.events;
        self.answers += report.answers;
        self.recoveries += report.recoveries;
        self.locked += report.locked;
        self.crashes += report.crashes;
        self.cold_starts += report.cold_starts;
        self.halts += report.halts;
    }
}

fn print_json(report: &Report) {
    let digest: String = report.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    println!(
        "{{\"seed\":{},\"virtual_ms\":{},\"events\":{},\"answers\":{},\"recoveries\":{},\
         \"locked\":{},\"crashes\":{},\"cold_starts\":{},\"halts\":{},\"broken\":{},\
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
        report.broken.len()
    );
}
