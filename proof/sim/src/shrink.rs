//! The shortest run that breaks the same promise: what can be left out is left out.
//!
//! Delta debugging (Zeller and Hildebrandt, 2002) over deeds, in the form that takes ever smaller parts
//! away: whole kinds of acts first, then halves, down to single deeds, until none can go or time is up.

use crate::{
    Plan, Report,
    acts::{Act, Deed},
    oracle::Broken,
    runner::{self, Run},
    trace::Detail,
};
use std::{
    collections::BTreeSet,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    time::{Duration, Instant},
};

/// What is left of a run.
#[derive(Debug, Clone)]
pub struct Shrunk {
    /// The run, without all that could go.
    pub plan: Plan,
    /// What came of it, as a story.
    pub run: Run,
    /// Deeds before, and after.
    pub deeds: (usize, usize),
    /// Runs that this took.
    pub runs: u64,
    /// Whether no single deed more can go.
    pub minimal: bool,
}

/// How long, and on how many threads.
#[derive(Debug, Clone, Copy)]
pub struct Effort {
    /// No new run begins after this long.
    pub at_most: Duration,
    /// Threads.
    pub jobs: usize,
}

/// A failed run goes on for so long at most, past the moment at which the first one failed.
const LATER_MS: u64 = 4_000;

/// Whether a run is one of those that are sought.
pub type Fails<'a> = &'a (dyn Fn(&Report) -> bool + Sync);

/// Shrinks the run of a plan that breaks a promise; nothing, if it breaks none.
pub fn shrink(plan: &Plan, effort: Effort, tell: &dyn Fn(usize, u64)) -> Option<Shrunk> {
    let report = runner::run_plan(plan, Detail::Off).report;
    let sought = report.broken.first()?.clone();
    let fails = |report: &Report| {
        let same = |broken: &Broken| {
            broken.invariant == sought.invariant && broken.checker == sought.checker
        };
        report.broken.iter().any(same)
    };
    shrink_to(plan, &fails, effort, tell)
}

/// Shrinks the run of a plan to what is sought; nothing, if it is none.
pub fn shrink_to(
    plan: &Plan,
    fails: Fails<'_>,
    effort: Effort,
    tell: &dyn Fn(usize, u64),
) -> Option<Shrunk> {
    let Run { report, deeds: all, .. } = runner::run_plan(plan, Detail::Off);
    if !fails(&report) {
        return None;
    }
    let search = Search {
        plan: plan.clone(),
        fails,
        effort,
        began: Instant::now(),
        runs: AtomicUsize::new(1),
        failed_ms: AtomicU64::new(report.virtual_ms),
    };
    let (kept, minimal) = search.shorten(all.clone(), tell);
    let plan = search.plan_of(&kept);
    Some(Shrunk {
        run: runner::run_plan(&plan, Detail::All),
        plan,
        deeds: (all.len(), kept.len()),
        runs: search.runs.load(Ordering::Relaxed) as u64,
        minimal,
    })
}

/// What is likely not to matter as a whole: each user, all that happens to frames, each kind of act.
fn large_parts(all: &[Deed]) -> Vec<BTreeSet<Deed>> {
    let of = |acts: &[Act]| all.iter().filter(|d| acts.contains(&d.act)).copied().collect();
    let users = all.iter().filter(|deed| deed.act == Act::TakePart);
    users
        .map(|deed| BTreeSet::from([*deed]))
        .chain([of(&Act::ON_FRAMES)])
        .chain(Act::ALL.iter().map(|act| of(&[*act])))
        .collect()
}

/// What was done in a run that failed, and when it did.
type Failed = (Vec<Deed>, u64);

struct Search<'a> {
    plan: Plan,
    fails: Fails<'a>,
    effort: Effort,
    began: Instant,
    runs: AtomicUsize,
    /// When the last run that failed did so.
    failed_ms: AtomicU64,
}

impl Search<'_> {
    fn plan_of(&self, deeds: &[Deed]) -> Plan {
        let failed_ms = self.failed_ms.load(Ordering::Relaxed);
        let ends_ms = self.plan.ends_ms.min(failed_ms.saturating_add(LATER_MS));
        Plan { only: Some(deeds.iter().copied().collect()), ends_ms, ..self.plan.clone() }
    }

    /// What was really done in a run of these deeds alone, and when it failed, if it did so as the first
    /// one.
    fn fails(&self, deeds: &[Deed]) -> Option<Failed> {
        self.runs.fetch_add(1, Ordering::Relaxed);
        let Run { report, deeds: done, .. } = runner::run_plan(&self.plan_of(deeds), Detail::Off);
        (self.fails)(&report).then_some((done, report.virtual_ms))
    }

    /// What is kept from now on.
    fn keep(&self, (deeds, failed_ms): Failed) -> Vec<Deed> {
        self.failed_ms.store(failed_ms, Ordering::Relaxed);
        deeds
    }

    fn over(&self) -> bool {
        self.began.elapsed() >= self.effort.at_most
    }

    fn shorten(&self, all: Vec<Deed>, tell: &dyn Fn(usize, u64)) -> (Vec<Deed>, bool) {
        // With all its deeds named, a run has to be the same run.
        let Some(same) = self.fails(&all) else {
            return (all, false);
        };
        let mut kept = self.keep(same);
        kept = self.without_any(kept, &large_parts(&all));
        let mut size = kept.len().div_ceil(2);
        while size > 0 && !self.over() {
            tell(kept.len(), self.runs.load(Ordering::Relaxed) as u64);
            let parts: Vec<BTreeSet<Deed>> =
                kept.chunks(size).map(|part| part.iter().copied().collect()).collect();
            let before = kept.len();
            kept = self.without_any(kept, &parts);
            // At the end single deeds are tried until none of them goes.
            size = if size == 1 && kept.len() < before { 1 } else { size / 2 };
        }
        (kept, !self.over())
    }

    /// Takes away each of these parts that the failure does not need, one after the other.
    fn without_any(&self, mut kept: Vec<Deed>, parts: &[BTreeSet<Deed>]) -> Vec<Deed> {
        let mut at = 0;
        while at < parts.len() && !self.over() {
            let next: Vec<&BTreeSet<Deed>> = parts[at..]
                .iter()
                .filter(|part| kept.iter().any(|deed| part.contains(deed)))
                .collect();
            let Some((tried, shorter)) = self.first_that_fails(&kept, &next) else {
                return kept;
            };
            kept = self.keep(shorter);
            let gone = next[tried];
            at += 1 + parts[at..].iter().position(|part| core::ptr::eq(part, gone)).unwrap_or(0);
        }
        kept
    }

    /// The first of these parts without which the run still fails, whichever thread finds it.
    fn first_that_fails(
        &self,
        kept: &[Deed],
        parts: &[&BTreeSet<Deed>],
    ) -> Option<(usize, Failed)> {
        let next = AtomicUsize::new(0);
        let best = std::sync::Mutex::new(None::<(usize, Failed)>);
        let work = || {
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                let beaten =
                    best.lock().map_or(true, |best| best.as_ref().is_some_and(|b| b.0 < at));
                if at >= parts.len() || beaten || self.over() {
                    return;
                }
                let without: Vec<Deed> =
                    kept.iter().filter(|deed| !parts[at].contains(deed)).copied().collect();
                if let (Some(failed), Ok(mut best)) = (self.fails(&without), best.lock())
                    && best.as_ref().is_none_or(|b| at < b.0)
                {
                    *best = Some((at, failed));
                }
            }
        };
        std::thread::scope(|scope| {
            for _ in 0..self.effort.jobs.max(1) {
                scope.spawn(work);
            }
        });
        best.into_inner().ok().flatten()
    }
}
