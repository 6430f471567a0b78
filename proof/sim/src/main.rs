//! `strongroom-sim --seed N` runs one seed, `--seeds N` runs many on all cores; `--help` says the rest.

use std::{process::ExitCode, time::Instant};
use strongroom_sim::{
    Report,
    oracle::Broken,
    runner::{Options, Totals, run},
};

const HELP: &str = "strongroom-sim [--seed N | --seeds N [--from M]] [--jobs N] [--stop] [--json]

  --seed N     one seed; STRONGROOM_SIM_TRACE=1 tells its story
  --seeds N    so many, from 0 or from M, on all cores or on --jobs
  --stop       end at the first seed that breaks a promise
  --json       a line a seed

exit codes: 0 every promise kept, 1 one was broken, 2 usage";

struct Line {
    options: Options,
    json: bool,
}

fn line() -> Result<Line, String> {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let mut line =
        Line { options: Options { from: 0, seeds: 200, jobs, stop: false }, json: false };
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || {
            let value = args.next().ok_or_else(|| format!("{arg} takes a number"))?;
            value.parse::<u64>().map_err(|_| format!("{arg} takes a number, got {value}"))
        };
        let options = &mut line.options;
        match arg.as_str() {
            "--seed" => (options.from, options.seeds) = (number()?, 1),
            "--seeds" => options.seeds = number()?,
            "--from" => options.from = number()?,
            "--jobs" => options.jobs = usize::try_from(number()?).unwrap_or(1),
            "--stop" => options.stop = true,
            "--json" => line.json = true,
            other => return Err(format!("unknown argument {other}")),
        }
    }
    Ok(line)
}

fn main() -> ExitCode {
    let line = match line() {
        Ok(line) => line,
        Err(message) => {
            eprintln!("error: {message}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let began = Instant::now();
    let totals = run(&line.options, |report| tell(report, line.json));
    sum_up(&totals, &line.options, began.elapsed().as_secs_f64());
    if totals.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn tell(report: &Report, json: bool) {
    let digest: String = report.digest.iter().map(|byte| format!("{byte:02x}")).collect();
    for broken in &report.broken {
        let Broken { invariant, checker, story } = broken;
        eprintln!("seed {}: {invariant}/{checker} broken: {story}", report.seed);
        eprintln!("  hint: STRONGROOM_SIM_TRACE=1 strongroom-sim --seed {}", report.seed);
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

fn sum_up(totals: &Totals, options: &Options, seconds: f64) {
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
