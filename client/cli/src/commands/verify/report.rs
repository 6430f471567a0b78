//! What a check found, stage by stage (spec §23.2), before anybody says it.

use strongroom_manifest::{Manifest, Protection};
use strongroom_tlog::policy::Vouched;
use strongroom_verify::{Evidence, History, KeptHead};

/// How a stage ended. A later one outranks an earlier one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    Verified,
    Skipped,
    Unchecked,
    Contradiction,
}

impl Outcome {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Skipped => "skipped",
            Self::Unchecked => "unchecked",
            Self::Contradiction => "contradiction",
        }
    }
}

/// Who stands behind a stage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Voucher {
    pub(crate) role: &'static str,
    pub(crate) name: String,
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) at_ms: Option<u64>,
}

impl Voucher {
    pub(crate) fn witnesses(vouched: &[Vouched]) -> Vec<Self> {
        let of = |witness: &Vouched| Self {
            role: "witness",
            name: witness.key_name.clone(),
            key: None,
            at_ms: Some(witness.timestamp.saturating_mul(1_000)),
        };
        vouched.iter().map(of).collect()
    }
}

/// One named line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stage {
    pub(crate) name: &'static str,
    pub(crate) outcome: Outcome,
    pub(crate) text: String,
    pub(crate) vouchers: Vec<Voucher>,
}

/// One check.
#[derive(Debug, Default)]
pub(crate) struct Report {
    pub(crate) stages: Vec<Stage>,
    pub(crate) history: Option<History>,
    /// The first epoch that this check looked at; none for a bundle alone.
    pub(crate) first_epoch: Option<u64>,
    /// The latest manifest that a verified root or a believed bundle holds.
    pub(crate) latest: Option<Latest>,
    /// What may be kept for the next check.
    pub(crate) head: Option<KeptHead>,
    pub(crate) evidence: Option<Evidence>,
}

/// The latest manifest.
#[derive(Debug, Clone)]
pub(crate) struct Latest {
    pub(crate) manifest: Manifest,
    pub(crate) digest: [u8; 32],
    pub(crate) audited_ms: u64,
    pub(crate) root: [u8; 32],
}

impl Report {
    pub(crate) fn put(&mut self, name: &'static str, outcome: Outcome, text: impl Into<String>) {
        self.put_vouched(name, outcome, text, Vec::new());
    }

    pub(crate) fn put_vouched(
        &mut self,
        name: &'static str,
        outcome: Outcome,
        text: impl Into<String>,
        vouchers: Vec<Voucher>,
    ) {
        self.stages.push(Stage { name, outcome, text: text.into(), vouchers });
    }

    /// The stages that an earlier one made impossible.
    pub(crate) fn unreached(&mut self, names: &[&'static str], because: &str) {
        for name in names {
            self.put(name, Outcome::Unchecked, format!("not reached: {because}"));
        }
    }

    /// Skipped stages were not asked for: they are named, and decide nothing.
    pub(crate) fn outcome(&self) -> Outcome {
        let asked = self.stages.iter().map(|stage| stage.outcome);
        asked.filter(|outcome| *outcome != Outcome::Skipped).max().unwrap_or(Outcome::Unchecked)
    }

    pub(crate) fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name == name)
    }

    /// The first stage that ended so.
    pub(crate) fn first(&self, outcome: Outcome) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.outcome == outcome)
    }
}

/// As the manifest spells it.
pub(crate) const fn protection(protection: Protection) -> &'static str {
    match protection {
        Protection::Software => "software",
        Protection::KeysOnly => "keys-only",
        Protection::KeysAndLogic => "keys-and-logic",
    }
}
