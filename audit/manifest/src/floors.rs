//! What a client demands of a policy, compiled in (spec §9.4): a signed manifest may not go below.

use crate::types::{Fleet, Manifest, Protection};
use core::fmt;

/// The least that a client accepts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Floors {
    /// The weakest protection.
    pub protection: Protection,
    /// Nodes, at least.
    pub nodes: usize,
    /// Distinct sites, at least.
    pub sites: usize,
    /// Attempts in a row, at most.
    pub row: u8,
    /// Failures in a year, at most.
    pub year: u8,
    /// The longest wait of a row must be at least this.
    pub longest_wait_ms: u64,
    /// The wait for a row's last attempt must be at least this.
    pub last_attempt_ms: u64,
    /// The wait of a replacement without authority must be at least this.
    pub replace_ms: u64,
    /// Rollback tolerance, at least.
    pub rollback_tolerance: u8,
    /// Custodian signatures, at least.
    pub custodian_threshold: u8,
}

impl Floors {
    /// What an app that ships to people should use.
    pub const PRODUCTION: Self = Self {
        protection: Protection::KeysOnly,
        nodes: 5,
        sites: 5,
        row: 10,
        year: 40,
        longest_wait_ms: 12 * 3_600_000,
        last_attempt_ms: 7 * 86_400_000,
        replace_ms: 7 * 86_400_000,
        rollback_tolerance: 0,
        custodian_threshold: 2,
    };

    /// For fleets on a developer's own machine: accepts software keys and short waits.
    pub const DANGER_DEVELOPMENT: Self = Self {
        protection: Protection::Software,
        nodes: 1,
        sites: 1,
        row: 10,
        year: 40,
        longest_wait_ms: 0,
        last_attempt_ms: 0,
        replace_ms: 0,
        rollback_tolerance: 0,
        custodian_threshold: 1,
    };

    /// Checks a manifest and one of its fleets.
    ///
    /// # Errors
    /// The first floor that is not reached.
    pub fn check(&self, manifest: &Manifest, fleet: &Fleet) -> Result<(), FloorBreach> {
        let policy = &manifest.policy;
        let mut sites: Vec<&str> = fleet.nodes.iter().map(|n| n.site.as_str()).collect();
        sites.sort_unstable();
        sites.dedup();
        let longest = policy.waits_ms.iter().copied().max().unwrap_or(0);
        let at_least = |what, got: u64, floor: u64| {
            if got < floor {
                Err(FloorBreach::TooLow { what, got, floor })
            } else {
                Ok(())
            }
        };
        let at_most = |what, got: u64, ceiling: u64| {
            if got > ceiling {
                Err(FloorBreach::TooHigh { what, got, ceiling })
            } else {
                Ok(())
            }
        };
        if fleet.protection < self.protection {
            let (got, floor) = (fleet.protection, self.protection);
            return Err(FloorBreach::Protection { got, floor });
        }
        at_least("nodes", fleet.nodes.len() as u64, self.nodes as u64)?;
        at_least("sites", sites.len() as u64, self.sites as u64)?;
        at_most("attempts in a row", policy.row.into(), self.row.into())?;
        at_most("failures in a year", policy.year.into(), self.year.into())?;
        at_least("longest wait (ms)", longest, self.longest_wait_ms)?;
        at_least(
            "last attempt's wait (ms)",
            policy.last_attempt_ms,
            self.last_attempt_ms,
        )?;
        at_least(
            "replacement's wait (ms)",
            policy.replace_ms,
            self.replace_ms,
        )?;
        let tolerance = fleet.rollback_tolerance.into();
        at_least(
            "rollback tolerance",
            tolerance,
            self.rollback_tolerance.into(),
        )?;
        let threshold = manifest.custodians.threshold.into();
        at_least(
            "custodian threshold",
            threshold,
            self.custodian_threshold.into(),
        )
    }
}

/// A floor that a manifest does not reach.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FloorBreach {
    /// Weaker hardware than the client accepts.
    Protection {
        /// The fleet's.
        got: Protection,
        /// The client's.
        floor: Protection,
    },
    /// A number below its floor.
    TooLow {
        /// Of what.
        what: &'static str,
        /// The manifest's.
        got: u64,
        /// The client's.
        floor: u64,
    },
    /// A number above its ceiling.
    TooHigh {
        /// Of what.
        what: &'static str,
        /// The manifest's.
        got: u64,
        /// The client's.
        ceiling: u64,
    },
}

impl fmt::Display for FloorBreach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Protection { got, floor } => {
                write!(
                    f,
                    "protection {got:?}, this client accepts {floor:?} or better"
                )
            }
            Self::TooLow { what, got, floor } => write!(f, "{what}: {got}, at least {floor}"),
            Self::TooHigh { what, got, ceiling } => write!(f, "{what}: {got}, at most {ceiling}"),
        }
    }
}
