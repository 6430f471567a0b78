//! What can go wrong, how it is done, and how it is undone.

use crate::{
    Trouble,
    fleet::{Fleet, Part},
    layer::{EIO, ENOSPC},
    load::Shared,
    network::{End, Weather},
};
use chacha20::{ChaCha20Rng, rand_core::Rng as _};
use std::{
    collections::BTreeSet,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

const HOUR_MS: i64 = 3_600_000;
/// A fleet that serves again sooner is not held up for long.
const LEAST: Duration = Duration::from_millis(400);
/// One that is silent for this long has failed over or never will.
const SILENT: Duration = Duration::from_secs(20);

/// One kind of fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fault {
    LeaderKilled(Part),
    LeaderHung(Part),
    FollowerKilled(Part),
    FollowerHung(Part),
    /// The leader and two others on one side, four on the other.
    LeaderCutOff,
    /// Three followers on one side.
    FollowersCutOff,
    /// The leader speaks and is not heard.
    LeaderUnheard,
    /// The leader hears and may not speak: its followers go on without it.
    LeaderDeaf,
    GatewayCutOff,
    Losses,
    SlowLinks,
    /// Three clocks jump.
    ClocksForward,
    ClocksBack,
    DiskFull,
    SyncErrors,
    TornWrite,
    OldDisk,
    Wiped,
    AllKilled,
}

impl Fault {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::LeaderKilled(Part::Both) => "leader killed",
            Self::LeaderKilled(Part::Host) => "leader's host killed",
            Self::LeaderKilled(Part::Vault) => "leader's vault killed",
            Self::LeaderHung(Part::Both) => "leader hung",
            Self::LeaderHung(Part::Host) => "leader's host hung",
            Self::LeaderHung(Part::Vault) => "leader's vault hung",
            Self::FollowerKilled(_) => "follower killed",
            Self::FollowerHung(_) => "follower hung",
            Self::LeaderCutOff => "leader cut off with two",
            Self::FollowersCutOff => "three followers cut off",
            Self::LeaderUnheard => "leader not heard (one way)",
            Self::LeaderDeaf => "leader hears nothing (one way)",
            Self::GatewayCutOff => "gateway cut off from four",
            Self::Losses => "packets lost",
            Self::SlowLinks => "slow links",
            Self::ClocksForward => "three clocks a year ahead",
            Self::ClocksBack => "three clocks a day behind",
            Self::DiskFull => "disk full",
            Self::SyncErrors => "sync fails",
            Self::TornWrite => "torn write, then dead",
            Self::OldDisk => "old disk swapped in",
            Self::Wiped => "disk wiped",
            Self::AllKilled => "all killed, cold start",
        }
    }

    /// The failover that this is measured as.
    pub(crate) const fn failover(self) -> Option<&'static str> {
        match self {
            Self::LeaderKilled(_) => Some("leader killed"),
            Self::LeaderHung(_) => Some("leader hung"),
            Self::LeaderCutOff | Self::LeaderUnheard | Self::LeaderDeaf => Some("leader cut off"),
            _ => None,
        }
    }
}

/// When a fault was in force, in microseconds since the run began.
#[derive(Debug, Clone)]
pub(crate) struct Span {
    pub(crate) fault: Fault,
    pub(crate) nodes: Vec<u8>,
    /// Just before it struck.
    pub(crate) from_us: u64,
    /// Struck: whatever is asked from here on meets it.
    pub(crate) struck_us: u64,
    /// It was undone.
    pub(crate) healed_us: u64,
    /// All seven vote again.
    pub(crate) whole_us: u64,
    /// The first success of a request that began after it struck.
    pub(crate) served_us: Option<u64>,
}

/// The hand that does it.
pub(crate) struct Hand<'a> {
    pub(crate) fleet: &'a Fleet,
    pub(crate) shared: &'a Shared,
    pub(crate) dice: ChaCha20Rng,
}

impl Hand<'_> {
    fn below(&mut self, bound: u32) -> u32 {
        self.dice.next_u32() % bound.max(1)
    }

    /// Some nodes that are not these, by chance.
    fn others(&mut self, count: usize, not: &[u8]) -> Vec<u8> {
        let mut left: Vec<u8> =
            self.fleet.ids().into_iter().filter(|node| !not.contains(node)).collect();
        let mut chosen = Vec::new();
        while chosen.len() < count && !left.is_empty() {
            let place = self.below(u32::try_from(left.len()).unwrap_or(1));
            chosen.push(left.remove(place as usize));
        }
        chosen
    }

    /// Lets one fault strike, last, and end. The fleet is whole before and after.
    pub(crate) fn strike(&mut self, fault: Fault) -> Result<Span, Trouble> {
        let leader = self.fleet.leader()?;
        let book = &self.shared.book;
        let from_us = book.now_us();
        let nodes = self.choose(fault, leader);
        self.begin(fault, &nodes)?;
        let struck_us = book.now_us();
        let served_us = self.hold(fault, &nodes, struck_us)?;
        self.undo(fault, &nodes)?;
        let healed_us = book.now_us();
        self.fleet.settle(Duration::from_secs(60))?;
        // With the fleet whole, somebody must be served: a fleet that only says so is none.
        let served_us = match served_us {
            Some(served) => Some(served),
            None => self.wait_served(struck_us, SILENT),
        };
        let whole_us = book.now_us();
        Ok(Span { fault, nodes, from_us, struck_us, healed_us, whole_us, served_us })
    }

    fn choose(&mut self, fault: Fault, leader: u8) -> Vec<u8> {
        match fault {
            Fault::LeaderKilled(_)
            | Fault::LeaderHung(_)
            | Fault::LeaderUnheard
            | Fault::LeaderDeaf => vec![leader],
            Fault::LeaderCutOff => {
                let mut side = self.others(2, &[leader]);
                side.push(leader);
                side
            }
            Fault::FollowersCutOff => self.others(3, &[leader]),
            Fault::FollowerKilled(_) | Fault::FollowerHung(_) => self.others(1, &[leader]),
            Fault::GatewayCutOff => self.others(4, &[]),
            Fault::ClocksForward | Fault::ClocksBack => {
                let mut some = self.others(2, &[leader]);
                some.push(leader);
                some
            }
            Fault::Losses | Fault::AllKilled => self.fleet.ids(),
            Fault::SlowLinks => self.others(3, &[]),
            // Leaders as often as one in two: they write what matters.
            Fault::DiskFull | Fault::SyncErrors | Fault::TornWrite => {
                if self.below(2) == 0 {
                    vec![leader]
                } else {
                    self.others(1, &[leader])
                }
            }
            Fault::OldDisk | Fault::Wiped => self.others(1, &[]),
        }
    }

    fn begin(&mut self, fault: Fault, nodes: &[u8]) -> Result<(), Trouble> {
        let fleet = self.fleet;
        let each =
            |act: &dyn Fn(u8) -> Result<(), Trouble>| nodes.iter().try_for_each(|node| act(*node));
        match fault {
            Fault::LeaderKilled(part) | Fault::FollowerKilled(part) => {
                each(&|node| fleet.kill(node, part))
            }
            Fault::LeaderHung(part) | Fault::FollowerHung(part) => {
                each(&|node| fleet.hang(node, part))
            }
            Fault::LeaderCutOff
            | Fault::FollowersCutOff
            | Fault::LeaderUnheard
            | Fault::LeaderDeaf
            | Fault::GatewayCutOff
            | Fault::Losses
            | Fault::SlowLinks => fleet.weather(&self.weather(fault, nodes)),
            Fault::ClocksForward => {
                each(&|node| fleet.switches(node)?.clock_offset_ms(370 * 24 * HOUR_MS))
            }
            Fault::ClocksBack => each(&|node| fleet.switches(node)?.clock_offset_ms(-24 * HOUR_MS)),
            Fault::DiskFull => each(&|node| fleet.switches(node)?.write_error(ENOSPC)),
            Fault::SyncErrors => each(&|node| fleet.switches(node)?.sync_error(EIO)),
            Fault::TornWrite => {
                let writes = u64::from(1 + self.below(6));
                each(&|node| fleet.switches(node)?.tear_after(writes))
            }
            Fault::OldDisk => each(&|node| self.age_disk(node)),
            Fault::Wiped => each(&|node| {
                fleet.kill(node, Part::Both)?;
                fleet.swap_disk(node, None)
            }),
            // At once means at once: no host sees another die.
            Fault::AllKilled => {
                each(&|node| fleet.hang(node, Part::Host))?;
                each(&|node| fleet.kill(node, Part::Both))
            }
        }
    }

    /// Stops a node, keeps its disk, lets it live on, and stops it with the old disk in its place.
    fn age_disk(&self, node: u8) -> Result<(), Trouble> {
        self.fleet.kill(node, Part::Both)?;
        let kept = self.fleet.keep_disk(node)?;
        self.fleet.start(node)?;
        self.fleet.settle(Duration::from_secs(30))?;
        thread::sleep(Duration::from_millis(1_500));
        self.fleet.kill(node, Part::Both)?;
        self.fleet.swap_disk(node, Some(&kept))
    }

    fn weather(&self, fault: Fault, nodes: &[u8]) -> Weather {
        let all = self.fleet.ids().into_iter().map(End::Node);
        let side: Vec<End> = nodes.iter().map(|node| End::Node(*node)).collect();
        let others: Vec<End> = all.filter(|end| !side.contains(end)).collect();
        let ways = |from: &[End], to: &[End]| -> BTreeSet<(End, End)> {
            from.iter().flat_map(|from| to.iter().map(move |to| (*from, *to))).collect()
        };
        match fault {
            Fault::LeaderUnheard => Weather { cut: ways(&side, &others), ..Weather::default() },
            Fault::LeaderDeaf => Weather { cut: ways(&others, &side), ..Weather::default() },
            Fault::GatewayCutOff => Weather::split(&side, &[End::Gateway]),
            Fault::Losses => Weather { loss_percent: 5, ..Weather::default() },
            Fault::SlowLinks => {
                Weather { slow: nodes.iter().copied().collect(), ..Weather::default() }
            }
            _ => Weather::split(&side, &others),
        }
    }

    /// Lets it last. Says when somebody was served again.
    fn hold(&mut self, fault: Fault, nodes: &[u8], struck_us: u64) -> Result<Option<u64>, Trouble> {
        let time = Duration::from_millis(match fault {
            Fault::LeaderKilled(_) | Fault::FollowerKilled(_) => 200,
            Fault::LeaderHung(_) | Fault::FollowerHung(_) => 2_500 + u64::from(self.below(2_500)),
            Fault::OldDisk | Fault::Wiped => 1_000,
            Fault::AllKilled => 300,
            _ => 3_000 + u64::from(self.below(2_000)),
        });
        thread::sleep(time.max(LEAST));
        if fault == Fault::TornWrite {
            self.wait_dead(nodes)?;
        }
        if fault == Fault::AllKilled {
            return Ok(None);
        }
        Ok(self.wait_served(struck_us, SILENT))
    }

    fn wait_dead(&self, nodes: &[u8]) -> Result<(), Trouble> {
        let end = Instant::now() + Duration::from_secs(10);
        while nodes.iter().any(|node| self.fleet.is_running(*node)) {
            if Instant::now() > end {
                return Err(Trouble::new("a node writes nothing that could be torn"));
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn wait_served(&self, after_us: u64, patience: Duration) -> Option<u64> {
        let end = Instant::now() + patience;
        loop {
            let served = self.shared.book.first_success_us(after_us);
            if served.is_some() || Instant::now() > end {
                return served;
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    fn undo(&self, fault: Fault, nodes: &[u8]) -> Result<(), Trouble> {
        let fleet = self.fleet;
        let each =
            |act: &dyn Fn(u8) -> Result<(), Trouble>| nodes.iter().try_for_each(|node| act(*node));
        match fault {
            // The host starts another vault by itself.
            Fault::LeaderKilled(Part::Vault) | Fault::FollowerKilled(Part::Vault) => Ok(()),
            Fault::LeaderKilled(_) | Fault::FollowerKilled(_) => each(&|node| fleet.start(node)),
            Fault::LeaderHung(part) | Fault::FollowerHung(part) => {
                each(&|node| fleet.wake(node, part))
            }
            Fault::LeaderCutOff
            | Fault::FollowersCutOff
            | Fault::LeaderUnheard
            | Fault::LeaderDeaf
            | Fault::GatewayCutOff
            | Fault::Losses
            | Fault::SlowLinks => fleet.weather(&Weather::default()),
            Fault::ClocksForward | Fault::ClocksBack => {
                each(&|node| fleet.switches(node)?.clock_offset_ms(0))
            }
            Fault::DiskFull => each(&|node| fleet.switches(node)?.write_error(0)),
            Fault::SyncErrors => each(&|node| fleet.switches(node)?.sync_error(0)),
            Fault::TornWrite | Fault::OldDisk | Fault::Wiped => each(&|node| fleet.start(node)),
            Fault::AllKilled => {
                // Before it begins: whoever sees the new era's first answer knows that it cost.
                self.shared.cold_starts.fetch_add(1, Ordering::Relaxed);
                each(&|node| fleet.start(node))?;
                fleet.ceremony().map(drop)
            }
        }
    }
}
