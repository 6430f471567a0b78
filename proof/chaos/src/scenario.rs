//! Which faults a run consists of, and the run.

use crate::{
    Trouble,
    faults::{Fault, Hand, Span},
    fleet::{Fleet, Part},
    load::{Crowd, Load, Shared},
    report::Report,
};
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use clap::ValueEnum;
use std::{
    path::PathBuf,
    sync::Arc,
    thread,
    time::{Duration, Instant},
};

/// Waits of a fleet under guesses: a week becomes six seconds.
const WAITS_DIVIDED_BY: u64 = 100_000;
/// Each costs every account ten of forty failures a year: more would lock everybody out.
const COLD_STARTS_MAX: usize = 2;
const BETWEEN: Duration = Duration::from_millis(700);

/// A choice of faults.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// kill -9 of the leader: host, vault or both
    LeaderKilled,
    /// SIGSTOP of the leader for seconds: host, vault or both
    LeaderHung,
    /// Cuts, both ways and one way, losses and slow links
    Partitions,
    /// Full disks, failing syncs, torn writes, old and empty disks
    Disks,
    /// Clocks of three nodes, the leader's among them, jump
    Clocks,
    /// All of these, and all nodes killed at once
    Everything,
}

impl Scenario {
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    fn faults(self) -> Vec<Fault> {
        const PARTS: [Part; 3] = [Part::Both, Part::Host, Part::Vault];
        match self {
            Self::LeaderKilled => PARTS.map(Fault::LeaderKilled).to_vec(),
            Self::LeaderHung => PARTS.map(Fault::LeaderHung).to_vec(),
            Self::Partitions => vec![
                Fault::LeaderCutOff,
                Fault::FollowersCutOff,
                Fault::LeaderUnheard,
                Fault::LeaderDeaf,
                Fault::GatewayCutOff,
                Fault::Losses,
                Fault::SlowLinks,
            ],
            Self::Disks => vec![
                Fault::DiskFull,
                Fault::SyncErrors,
                Fault::TornWrite,
                Fault::OldDisk,
                Fault::Wiped,
            ],
            Self::Clocks => vec![Fault::ClocksForward, Fault::ClocksBack],
            Self::Everything => {
                let some = [
                    Self::LeaderKilled,
                    Self::LeaderHung,
                    Self::Partitions,
                    Self::Disks,
                    Self::Clocks,
                ];
                let mut all: Vec<Fault> = some.iter().flat_map(|one| one.faults()).collect();
                all.extend([
                    Fault::FollowerKilled(Part::Both),
                    Fault::FollowerHung(Part::Both),
                    Fault::AllKilled,
                ]);
                all
            }
        }
    }
}

/// What a run is told.
pub(crate) struct Wish {
    pub(crate) scenario: Scenario,
    pub(crate) time: Duration,
    pub(crate) seed: u64,
    pub(crate) crowd: Crowd,
    pub(crate) programs: PathBuf,
    pub(crate) folder: PathBuf,
    pub(crate) namespaces: bool,
    pub(crate) quiet: bool,
}

/// Makes a fleet, breaks it for a while, and says how it went.
pub(crate) fn run(wish: &Wish) -> Result<Report, Trouble> {
    let say = |what: &str| {
        if !wish.quiet {
            eprintln!("{what}");
        }
    };
    say("making seven nodes and their keys");
    let laid = Fleet::lay(&wish.folder, &wish.programs, wish.namespaces, WAITS_DIVIDED_BY)?;
    let fleet = Arc::new(laid);
    say(&format!("network: {}", fleet.network().describe()));
    let shared = Shared::new();
    let people = Load::invite(fleet.files(), &shared, wish.crowd, wish.seed)?;
    fleet.up()?;
    let mut load = Load::begin(&fleet, &shared, people)?;
    thread::sleep(Duration::from_secs(2));
    let seed = wish.seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0x6368_616f;
    let mut hand = Hand { fleet: &fleet, shared: &shared, dice: ChaCha20Rng::seed_from_u64(seed) };
    let spans = break_it(wish, &mut hand, &say);
    // A fleet that did not come back is undone as far as it goes, so that its clients end.
    say("the faults are over; everybody recovers once more");
    load.end()?;
    let injected = fleet.injected();
    let mut report = Report::new(wish, fleet.network().describe(), injected);
    report.fill(spans, &shared);
    Ok(report)
}

fn break_it(wish: &Wish, hand: &mut Hand<'_>, say: &dyn Fn(&str)) -> Vec<Span> {
    let end = Instant::now() + wish.time;
    let mut spans: Vec<Span> = Vec::new();
    let mut bag: Vec<Fault> = Vec::new();
    while Instant::now() < end {
        let Some(fault) = draw(&mut bag, wish.scenario, &spans, &mut hand.dice) else { break };
        match hand.strike(fault) {
            Ok(span) => {
                say(&line(spans.len() + 1, &span));
                spans.push(span);
            }
            Err(trouble) => {
                // Once faults stop, the fleet serves: that is a promise, too.
                hand.shared.book.broken(format!("{}: {trouble}", fault.name()));
                break;
            }
        }
        thread::sleep(BETWEEN);
    }
    spans
}

/// Each fault once before any comes again, in an order of chance.
fn draw(
    bag: &mut Vec<Fault>,
    scenario: Scenario,
    spans: &[Span],
    dice: &mut ChaCha20Rng,
) -> Option<Fault> {
    let cold = spans.iter().filter(|span| span.fault == Fault::AllKilled).count();
    bag.retain(|fault| *fault != Fault::AllKilled || cold < COLD_STARTS_MAX);
    if bag.is_empty() {
        let usable = |fault: &Fault| *fault != Fault::AllKilled || cold < COLD_STARTS_MAX;
        bag.extend(scenario.faults().into_iter().filter(usable));
    }
    let count = u32::try_from(bag.len()).ok().filter(|count| *count > 0)?;
    Some(bag.swap_remove((dice.next_u32() % count) as usize))
}

fn line(number: usize, span: &Span) -> String {
    let ms = |from: u64, to: u64| to.saturating_sub(from) / 1_000;
    let served = span.served_us.map_or_else(
        || "nobody was served".to_owned(),
        |at| format!("served after {} ms", ms(span.struck_us, at)),
    );
    format!(
        "{:>7.1} s  {number:>3}  {:<32} nodes {:?}: {served}, whole {} ms after it ended",
        span.from_us as f64 / 1e6,
        span.fault.name(),
        span.nodes,
        ms(span.healed_us, span.whole_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_fault_comes_before_any_comes_again() {
        let mut dice = ChaCha20Rng::seed_from_u64(1);
        let all = Scenario::Everything.faults();
        let mut bag = Vec::new();
        let drawn: BTreeSet<String> = all
            .iter()
            .filter_map(|_| draw(&mut bag, Scenario::Everything, &[], &mut dice))
            .map(|fault| format!("{fault:?}"))
            .collect();
        assert_eq!(drawn.len(), all.len());
    }
}
