//! What a client demands of a policy, compiled in (spec §9.4): a signed manifest may not go below.

use crate::{
    policy::Policy,
    types::{Fleet, Manifest, Protection},
};
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
    /// Whether the policy must be at least as strict as [`Policy::standard`] in every setting. The
    /// counts must be in any case.
    pub standard_policy: bool,
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
        standard_policy: true,
        rollback_tolerance: 0,
        custodian_threshold: 2,
    };

    /// For fleets on a developer's own machine: accepts software keys and short waits.
    pub const DANGER_DEVELOPMENT: Self = Self {
        protection: Protection::Software,
        nodes: 1,
        sites: 1,
        standard_policy: false,
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
        let at_least = |what, got: u64, floor: u64| {
            if got < floor { Err(FloorBreach::TooLow { what, got, floor }) } else { Ok(()) }
        };
        let at_most = |what, got: u64, ceiling: u64| {
            if got > ceiling { Err(FloorBreach::TooHigh { what, got, ceiling }) } else { Ok(()) }
        };
        if fleet.protection < self.protection {
            let (got, floor) = (fleet.protection, self.protection);
            return Err(FloorBreach::Protection { got, floor });
        }
        at_least("nodes", fleet.nodes.len() as u64, self.nodes as u64)?;
        at_least("sites", sites.len() as u64, self.sites as u64)?;
        let standard = Policy::standard();
        at_most("attempts in a row", policy.row.into(), standard.row.into())?;
        at_most("failures in a year", policy.year.into(), standard.year.into())?;
        if let Some(what) = policy.looser_than(&standard).filter(|_| self.standard_policy) {
            return Err(FloorBreach::Looser(what));
        }
        let tolerance = fleet.rollback_tolerance.into();
        at_least("rollback tolerance", tolerance, self.rollback_tolerance.into())?;
        let threshold = manifest.custodians.threshold.into();
        at_least("custodian threshold", threshold, self.custodian_threshold.into())
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
    /// A policy setting looser than the standard.
    Looser(&'static str),
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
                write!(f, "protection {got:?}, this client accepts {floor:?} or better")
            }
            Self::Looser(what) => {
                write!(f, "policy.{what} is looser than the standard policy of this client")
            }
            Self::TooLow { what, got, floor } => write!(f, "{what}: {got}, at least {floor}"),
            Self::TooHigh { what, got, ceiling } => write!(f, "{what}: {got}, at most {ceiling}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_setting_of_a_policy_may_be_looser_than_the_standard() {
        let standard = Policy::standard();
        assert_eq!(standard.looser_than(&standard), None);
        type Loosen = fn(&mut Policy);
        let cases: [(&str, Loosen); 8] = [
            ("year_ms", |p| p.year_ms = 1),
            ("grants", |p| p.grants = 200),
            ("grants_window_ms", |p| p.grants_window_ms = 0),
            ("fresh_ms", |p| p.fresh_ms *= 2),
            ("lock_ceiling", |p| p.lock_ceiling = 1_000_000),
            ("last_attempt_ms", |p| p.last_attempt_ms = 0),
            ("waits_ms", |p| p.waits_ms[2] -= 1),
            ("replace_ms", |p| p.replace_ms = 0),
        ];
        for (what, loosen) in cases {
            let mut policy = Policy::standard();
            loosen(&mut policy);
            assert_eq!(policy.looser_than(&standard), Some(what));
        }
        assert!(standard.with_waits_divided_by(2).looser_than(&Policy::standard()).is_some());
    }
}
