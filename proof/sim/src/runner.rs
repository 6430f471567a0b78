//! Many seeds: one thread a core, one thread a seed.

use crate::{
    Plan, Report, World,
    acts::Deed,
    oracle::Broken,
    trace::{Detail, Tape},
    world::Witness,
};
use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Instant,
};

/// Which seeds, and how.
#[derive(Debug, Clone)]
pub struct Options {
    /// The first.
    pub from: u64,
    /// How many.
    pub seeds: u64,
    /// Threads.
    pub jobs: usize,
    /// End at the first seed that breaks something.
    pub stop: bool,
}

/// What came of all of them.
#[derive(Debug, Clone, Default)]
pub struct Totals {
    /// Seeds that ran.
    pub ran: u64,
    /// Seeds that broke something.
    pub failed: u64,
    /// The counts of all of them.
    pub sum: Report,
}

impl Totals {
    fn add(&mut self, report: &Report) {
        self.ran += 1;
        self.failed += u64::from(!report.broken.is_empty());
        self.sum.events += report.events;
        self.sum.answers += report.answers;
        self.sum.recoveries += report.recoveries;
        self.sum.locked += report.locked;
        self.sum.crashes += report.crashes;
        self.sum.cold_starts += report.cold_starts;
        self.sum.halts += report.halts;
        self.sum.checked += report.checked;
        self.sum.undecided += report.undecided;
    }
}

/// One run, and all that is known of it.
#[derive(Debug, Clone)]
pub struct Run {
    /// What came of it.
    pub report: Report,
    /// What the adversary did.
    pub deeds: Vec<Deed>,
    /// What was noted.
    pub tape: Tape,
}

/// Runs a plan to its end. A panic anywhere in the fleet breaks a promise of its own.
pub fn run_plan(plan: &Plan, detail: Detail) -> Run {
    let mut world = World::unborn(plan.clone());
    let Witness { notes, deeds, clock } = world.note_down(detail);
    let whole = AssertUnwindSafe(move || {
        world.genesis();
        world.run()
    });
    let report = catch_unwind(whole).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .cloned()
            .or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()))
            .unwrap_or_else(|| "no message".to_owned());
        let story = format!("expected no panic, got: {text}");
        let broken = vec![Broken { invariant: "panic", checker: "panic", story }];
        let virtual_ms = clock.borrow().now_ms;
        Report { seed: plan.seed, virtual_ms, broken, ..Report::default() }
    });
    let deeds = deeds.take();
    let tape = Tape::of(plan, &report, &notes);
    Run { report, deeds, tape }
}

/// One seed.
pub fn one(seed: u64) -> Report {
    run_plan(&Plan::of(seed), Detail::Off).report
}

/// Runs them and tells each one to `tell`, in no particular order.
pub fn run(options: &Options, tell: impl Fn(&Report) + Sync) -> Totals {
    let next = AtomicU64::new(options.from);
    let end = options.from.saturating_add(options.seeds);
    let over = AtomicBool::new(false);
    let totals = Mutex::new(Totals::default());
    let began = Instant::now();
    let work = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= end || over.load(Ordering::Relaxed) {
                return;
            }
            let report = one(seed);
            if options.stop && !report.broken.is_empty() {
                over.store(true, Ordering::Relaxed);
            }
            let Ok(mut totals) = totals.lock() else { return };
            totals.add(&report);
            tell(&report);
            progress(&totals, options.seeds, began);
        }
    };
    std::thread::scope(|scope| {
        for _ in 0..options.jobs.max(1) {
            scope.spawn(work);
        }
    });
    totals.into_inner().unwrap_or_default()
}

fn progress(totals: &Totals, of: u64, began: Instant) {
    if of < 200 || !totals.ran.is_multiple_of(100) {
        return;
    }
    let seconds = began.elapsed().as_secs_f64();
    let rate = totals.ran as f64 / seconds;
    let left = of.saturating_sub(totals.ran) as f64 / rate;
    eprintln!(
        "{} of {of} seeds, {} broken, {rate:.1} a second, {left:.0} s to go",
        totals.ran, totals.failed
    );
}

#[cfg(test)]
mod tests {
    use super::{Options, one, run};
    use std::sync::Mutex;

    #[test]
    fn a_seed_gives_one_run_on_any_thread() {
        let alone = one(3);
        let among = Mutex::new(Vec::new());
        let options = Options { from: 2, seeds: 3, jobs: 2, stop: false };
        let totals = run(&options, |report| {
            if let Ok(mut among) = among.lock() {
                among.push(report.clone());
            }
        });
        assert_eq!(totals.ran, 3);
        assert!(totals.sum.checked > 0, "no history was searched");
        let among = among.into_inner().expect("reports");
        assert!(among.contains(&alone), "seed 3 ran otherwise beside others");
    }
}
