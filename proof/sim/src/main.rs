//! `strongroom-sim`: runs seeds, shrinks what fails, records traces and steps through them.

mod args;
mod tell;

use args::{Args, Command, Seeds};
use clap::Parser as _;
use std::{
    fs::File,
    io::{BufRead as _, BufReader, BufWriter, IsTerminal as _, Write as _},
    path::Path,
    process::ExitCode,
    time::Instant,
};
use strongroom_sim::{
    Plan,
    acts::Deed,
    runner::{self, Options},
    shrink::{self, Effort},
    step::{Said, Stepper, numbered},
    story,
    trace::{self, Detail, Tape},
};

fn main() -> ExitCode {
    let args = Args::parse();
    let done = match &args.command {
        Some(Command::Step(step)) => self::step(step),
        Some(Command::Replay { file }) => replay(file),
        None => seeds(&args.seeds),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(problem) => {
            eprintln!("error: {problem}");
            ExitCode::from(2)
        }
    }
}

/// Runs seeds. Whether every promise was kept.
fn seeds(seeds: &Seeds) -> Result<bool, String> {
    let began = Instant::now();
    let options = Options {
        from: seeds.seed.unwrap_or(seeds.from),
        seeds: if seeds.seed.is_some() { 1 } else { seeds.seeds },
        jobs: seeds.jobs(),
        stop: seeds.stop,
    };
    if let (Some(seed), true) = (seeds.seed, seeds.wants_detail()) {
        return one(seed, seeds);
    }
    let failed = std::sync::Mutex::new(None::<u64>);
    let totals = runner::run(&options, |report| {
        tell::report(report, seeds.json);
        if let (false, Ok(mut failed)) = (report.broken.is_empty(), failed.lock()) {
            *failed = Some(failed.map_or(report.seed, |seed| seed.min(report.seed)));
        }
    });
    tell::sum(&totals, &options, began.elapsed().as_secs_f64());
    if let Some(seed) = failed.into_inner().ok().flatten() {
        shorten(&Plan::of(seed), seeds)?;
    }
    Ok(totals.failed == 0)
}

/// One seed of which more is wanted: a trace, or a run of some deeds alone.
fn one(seed: u64, seeds: &Seeds) -> Result<bool, String> {
    let plan = Plan { only: seeds.only()?, ..Plan::of(seed) };
    let detail = if seeds.trace.is_some() { Detail::All } else { Detail::Story };
    let run = runner::run_plan(&plan, detail);
    tell::report(&run.report, seeds.json);
    match &seeds.trace {
        Some(file) => {
            save(file, &run.tape)?;
            eprintln!("{} entries in {}", run.tape.end.entries, file.display());
        }
        None => story::lines(&run.tape).iter().for_each(|line| eprintln!("{line}")),
    }
    eprintln!("digest: {}", run.tape.end.digest);
    let kept = run.report.broken.is_empty();
    if !kept && plan.only.is_none() {
        shorten(&plan, seeds)?;
    }
    Ok(kept)
}

/// The shortest run that breaks the same promise, as a story.
fn shorten(plan: &Plan, seeds: &Seeds) -> Result<(), String> {
    let Some(at_most) = seeds.shrink_for() else {
        eprintln!("  hint: strongroom-sim --seed {}", plan.seed);
        return Ok(());
    };
    eprintln!("shrinking seed {} for at most {} s", plan.seed, at_most.as_secs());
    // Runs that end in a panic are what is sought here; each would be reported.
    std::panic::set_hook(Box::new(|_| {}));
    let progress = |left, runs| eprintln!("  {left} deeds left after {runs} runs");
    let shrunk = shrink::shrink(plan, Effort { at_most, jobs: seeds.jobs() }, &progress);
    drop(std::panic::take_hook());
    match shrunk {
        Some(shrunk) => {
            eprint!("\n{}", story::tell(&shrunk));
            if let Some(file) = &seeds.save_shrunk {
                save(file, &shrunk.run.tape)?;
                eprintln!("  trace:  {}", file.display());
            }
        }
        None => eprintln!("error: seed {} fails in one run and not in another", plan.seed),
    }
    Ok(())
}

/// Runs again what a trace is of, and compares.
fn replay(file: &Path) -> Result<bool, String> {
    let tape = open(file)?;
    let deeds = |only: &Vec<String>| only.iter().map(|deed| deed.parse::<Deed>()).collect();
    let only = tape.head.only.as_ref().map(deeds).transpose()?;
    let plan = Plan { only, ..Plan::of(tape.head.seed) };
    let again = runner::run_plan(&plan, Detail::All).tape;
    if again.end.digest == tape.end.digest {
        println!("the same run, to the byte: digest {}", again.end.digest);
        return Ok(true);
    }
    let other = again.entries.iter().zip(&tape.entries).find(|(now, then)| now != then);
    println!("another run: expected digest {}, got {}", tape.end.digest, again.end.digest);
    if let Some((now, then)) = other {
        println!("  expected {}\n  got      {}", numbered(then), numbered(now));
    }
    println!("  hint: a trace is of one version of the code; record it again with this one");
    Ok(false)
}

fn step(step: &args::Step) -> Result<bool, String> {
    let tape = open(&step.file)?;
    let filter = step.filter()?;
    if step.list || step.json {
        let mut out = BufWriter::new(std::io::stdout().lock());
        for entry in tape.entries.iter().filter(|entry| filter.shows(entry)) {
            let line = if step.json {
                serde_json::to_string(entry).map_err(|error| error.to_string())?
            } else {
                numbered(entry)
            };
            // Whoever reads may have seen enough.
            if writeln!(out, "{line}").is_err() {
                return Ok(true);
            }
        }
        let _ = out.flush();
        return Ok(true);
    }
    converse(Stepper::new(tape, filter))
}

/// A command a line, until there are no more.
fn converse(mut stepper: Stepper) -> Result<bool, String> {
    let prompts = std::io::stdin().is_terminal();
    println!("{}", stepper.title());
    let mut lines = BufReader::new(std::io::stdin().lock()).lines();
    loop {
        if prompts {
            print!("> ");
            let _ = std::io::stdout().flush();
        }
        let Some(line) = lines.next() else { return Ok(true) };
        match stepper.command(&line.map_err(|error| error.to_string())?) {
            Ok(Said::Text(text)) => println!("{text}"),
            Ok(Said::Quit) => return Ok(true),
            Err(problem) => println!("error: {problem}"),
        }
    }
}

fn open(file: &Path) -> Result<Tape, String> {
    let named = |error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let input = File::open(file).map_err(|error| named(&error))?;
    trace::read(BufReader::new(input)).map_err(|error| named(&error))
}

fn save(file: &Path, tape: &Tape) -> Result<(), String> {
    let named = |error: std::io::Error| format!("{}: {error}", file.display());
    let mut out = BufWriter::new(File::create(file).map_err(named)?);
    trace::write(&mut out, tape).map_err(named)
}
