//! What a run showed: availability by fault, failover times, errors by kind, and promises.

use crate::{
    faults::Span,
    history::{self, Verdict},
    layer::Injected,
    load::Shared,
    record::{Answer, Call, Operation},
    scenario::Wish,
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, sync::atomic::Ordering};

/// A leader that died, a leader that hangs: how soon somebody is served again, at the 99th percentile.
const TARGETS: [(&str, u64); 2] = [("leader killed", 1_000), ("leader hung", 2_000)];
const CALM: &str = "calm";

/// The report of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    scenario: String,
    seed: u64,
    seconds: u64,
    network: &'static str,
    faults: usize,
    cold_starts: u64,
    injected: Injected,
    requests: Requests,
    availability: Vec<Availability>,
    failovers: Vec<Failover>,
    errors: BTreeMap<String, u64>,
    /// Whether what people saw is one history.
    histories: Verdict,
    broken: Vec<String>,
    #[serde(skip)]
    pub(crate) operations: Vec<Operation>,
}

/// What people did.
#[derive(Debug, Default, Serialize)]
struct Requests {
    enrolled: u64,
    recovered: u64,
    wrong_attempts: u64,
    locked: u64,
    waits: u64,
    questions: u64,
    unanswered: u64,
}

#[derive(Debug, Serialize)]
struct Availability {
    fault: &'static str,
    requests: u64,
    in_time: u64,
    /// Of a hundred.
    percent: f64,
}

#[derive(Debug, Serialize)]
struct Failover {
    kind: &'static str,
    count: usize,
    p50_ms: u64,
    p99_ms: u64,
    max_ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    target_ms: Option<u64>,
}

impl Failover {
    fn is_late(&self) -> bool {
        self.target_ms.is_some_and(|target| self.p99_ms > target)
    }
}

impl Report {
    pub(crate) fn new(wish: &Wish, network: &'static str, injected: Injected) -> Self {
        Self {
            scenario: wish.scenario.name(),
            seed: wish.seed,
            seconds: wish.time.as_secs(),
            network,
            faults: 0,
            cold_starts: 0,
            injected,
            requests: Requests::default(),
            availability: Vec::new(),
            failovers: Vec::new(),
            errors: BTreeMap::new(),
            histories: Verdict::default(),
            broken: Vec::new(),
            operations: Vec::new(),
        }
    }

    pub(crate) fn fill(&mut self, spans: Vec<Span>, shared: &Shared) {
        self.operations = shared.book.operations();
        self.operations.sort_by_key(|operation| operation.invoked_us);
        self.faults = spans.len();
        self.cold_starts = shared.cold_starts.load(Ordering::Relaxed);
        for operation in &self.operations {
            self.requests.count(operation);
            for miss in &operation.misses {
                *self.errors.entry(miss.kind.to_owned()).or_default() += 1;
            }
            if let Some(Answer::Refused { why }) = &operation.answer {
                *self.errors.entry(format!("refused: {why}")).or_default() += 1;
            }
        }
        self.availability = availability(&self.operations, &spans);
        self.failovers = failovers(&spans);
        self.broken = shared.book.broken_promises();
        self.histories = history::judge(&self.operations);
    }

    /// Whether every promise held.
    pub(crate) fn held(&self) -> bool {
        self.broken.is_empty()
            && self.histories.contradictions.is_empty()
            && self.histories.undecided == 0
    }

    /// Whether every failover target was met.
    pub(crate) fn in_time(&self) -> bool {
        !self.failovers.iter().any(Failover::is_late)
    }
}

impl Requests {
    fn count(&mut self, operation: &Operation) {
        match (&operation.call, &operation.answer) {
            (_, None) => self.unanswered += 1,
            (_, Some(Answer::Registered { .. })) => self.enrolled += 1,
            (_, Some(Answer::Recovered { .. })) => self.recovered += 1,
            (_, Some(Answer::Wait { .. })) => self.waits += 1,
            (Call::RecoverFinish { .. }, Some(Answer::Failed { destroyed, .. })) => {
                self.wrong_attempts += 1;
                self.locked += u64::from(destroyed.is_some());
            }
            (Call::Budget, Some(_)) => self.questions += 1,
            _ => {}
        }
    }
}

/// Each deadline that a request met or missed counts once, for the fault that it met first.
fn availability(operations: &[Operation], spans: &[Span]) -> Vec<Availability> {
    let mut counts: BTreeMap<&'static str, (u64, u64)> = BTreeMap::new();
    for operation in operations {
        let missed = operation.misses.iter().map(|miss| (miss.since_us, miss.at_us, false));
        let last = operation.misses.last().map_or(operation.invoked_us, |miss| miss.at_us);
        let met = operation.returned_us.map(|at| (last, at, true));
        for (from, to, is_met) in missed.chain(met) {
            let overlaps = |span: &&Span| span.from_us <= to && from <= span.healed_us;
            let fault = spans.iter().find(overlaps).map_or(CALM, |span| span.fault.name());
            let count = counts.entry(fault).or_default();
            count.0 += 1;
            count.1 += u64::from(is_met);
        }
    }
    let row = |(fault, (requests, in_time)): (&'static str, (u64, u64))| Availability {
        fault,
        requests,
        in_time,
        percent: 100.0 * in_time as f64 / requests.max(1) as f64,
    };
    counts.into_iter().map(row).collect()
}

fn failovers(spans: &[Span]) -> Vec<Failover> {
    let mut times: BTreeMap<&'static str, Vec<u64>> = BTreeMap::new();
    for span in spans {
        let Some(kind) = span.fault.failover() else { continue };
        // Silence to the end of the run is as long as it was waited for.
        let served = span.served_us.unwrap_or(span.whole_us);
        times.entry(kind).or_default().push(served.saturating_sub(span.struck_us) / 1_000);
    }
    let row = |(kind, mut times): (&'static str, Vec<u64>)| {
        times.sort_unstable();
        Failover {
            kind,
            count: times.len(),
            p50_ms: percentile(&times, 50),
            p99_ms: percentile(&times, 99),
            max_ms: times.last().copied().unwrap_or(0),
            target_ms: TARGETS.iter().find(|(of, _)| *of == kind).map(|(_, target)| *target),
        }
    };
    times.into_iter().map(row).collect()
}

/// The smallest time that so many of a hundred do not exceed.
fn percentile(sorted: &[u64], of_hundred: usize) -> u64 {
    let place = (sorted.len() * of_hundred).div_ceil(100).max(1) - 1;
    sorted.get(place).copied().unwrap_or(0)
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scenario, seed, seconds, network, faults, requests, .. } = self;
        writeln!(f, "scenario {scenario}, seed {seed}, {seconds} s of faults: {faults} of them")?;
        writeln!(f, "network: {network}")?;
        writeln!(
            f,
            "people: {} enrolments, {} recoveries, {} wrong attempts, {} records locked, {} waits, \
             {} questions, {} unanswered; {} cold starts",
            requests.enrolled,
            requests.recovered,
            requests.wrong_attempts,
            requests.locked,
            requests.waits,
            requests.questions,
            requests.unanswered,
            self.cold_starts
        )?;
        let Injected { syncs_failed, writes_failed, writes_torn, clocks_moved } = self.injected;
        writeln!(
            f,
            "injected: {syncs_failed} syncs and {writes_failed} writes failed, {writes_torn} torn, \
             the clock moved under {clocks_moved} looks\n"
        )?;
        writeln!(
            f,
            "{:<34} {:>9} {:>9} {:>8}",
            "availability by fault", "requests", "in time", "%"
        )?;
        for row in &self.availability {
            let Availability { fault, requests, in_time, percent } = row;
            writeln!(f, "{fault:<34} {requests:>9} {in_time:>9} {percent:>8.2}")?;
        }
        if !self.failovers.is_empty() {
            writeln!(
                f,
                "\n{:<34} {:>5} {:>8} {:>8} {:>8}  target",
                "next success after", "n", "p50 ms", "p99 ms", "max ms"
            )?;
        }
        for row in &self.failovers {
            let target = match row.target_ms {
                None => "none".to_owned(),
                Some(target) if row.is_late() => format!("{target} ms at p99: MISSED"),
                Some(target) => format!("{target} ms at p99: met"),
            };
            let Failover { kind, count, p50_ms, p99_ms, max_ms, .. } = row;
            writeln!(f, "{kind:<34} {count:>5} {p50_ms:>8} {p99_ms:>8} {max_ms:>8}  {target}")?;
        }
        if !self.errors.is_empty() {
            writeln!(f, "\nerrors by kind")?;
        }
        for (kind, count) in &self.errors {
            writeln!(f, "{kind:<34} {count:>9}")?;
        }
        writeln!(f, "\n{}", self.histories)?;
        self.histories.contradictions.iter().try_for_each(|story| writeln!(f, "  {story}"))?;
        match self.broken.len() {
            0 if !self.held() => writeln!(f, "\nWHAT PEOPLE SAW IS NOT SHOWN TO BE ONE HISTORY"),
            0 => writeln!(f, "\nevery promise held"),
            count => {
                writeln!(f, "\n{count} PROMISES BROKEN")?;
                self.broken.iter().try_for_each(|story| writeln!(f, "  {story}"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_times_that_were_seen() {
        let times: Vec<u64> = (1..=30).collect();
        assert_eq!((percentile(&times, 50), percentile(&times, 99)), (15, 30));
        let times: Vec<u64> = (1..=200).collect();
        assert_eq!(percentile(&times, 99), 198);
        assert_eq!(percentile(&[], 99), 0);
        assert_eq!(percentile(&[7], 50), 7);
    }
}
