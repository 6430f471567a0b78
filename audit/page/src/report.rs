//! What a check found.

use strongroom_manifest::Manifest;
use strongroom_tlog::{Checkpoint, policy::Vouched};
use strongroom_verify::CheckedEpoch;

/// How a check ended. The four are never confused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it holds.
    Verified,
    /// An epoch breaks a rule under a root that its log signed: evidence against log and auditor.
    Contradiction,
    /// Something that was served is not what the trust file asks for. Who spoilt it is not known.
    Refused,
    /// Something could not be had.
    Unchecked,
}

impl Outcome {
    /// Its name in the page and for programs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Verified => "verified",
            Self::Contradiction => "contradiction",
            Self::Refused => "refused",
            Self::Unchecked => "unchecked",
        }
    }
}

/// One step of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage {
    /// Its name in the specification (spec §25.2).
    pub name: &'static str,
    /// Whether it holds; a step that was not reached is not listed.
    pub holds: bool,
    /// What was found.
    pub text: String,
}

/// What a log says, every part of it checked.
#[derive(Debug, Clone)]
pub struct Facts {
    /// The checkpoint.
    pub checkpoint: Checkpoint,
    /// Its file's length.
    pub checkpoint_len: usize,
    /// Who cosigned it and counted, and when.
    pub witnesses: Vec<Vouched>,
    /// Every epoch.
    pub epochs: Vec<CheckedEpoch>,
    /// The latest manifest.
    pub manifest: Manifest,
}

/// The step that does not hold, what follows, and why.
pub type Stopped = (&'static str, Outcome, String);

/// A check's steps, up to the first that does not hold, and what follows from them.
#[derive(Debug, Clone)]
pub struct Report<T = Facts> {
    stages: Vec<Stage>,
    ended: Result<Box<T>, Outcome>,
}

impl<T> Report<T> {
    /// Runs a check that notes each step that holds, and ends with what it proves or at the first step
    /// that does not hold.
    pub fn of(run: impl FnOnce(&mut Vec<Stage>) -> Result<T, Stopped>) -> Self {
        let mut stages = Vec::new();
        let ended = run(&mut stages).map(Box::new).map_err(|(name, outcome, text)| {
            stages.push(Stage { name, holds: false, text });
            outcome
        });
        Self { stages, ended }
    }

    /// How it ended.
    pub fn outcome(&self) -> Outcome {
        match &self.ended {
            Ok(_) => Outcome::Verified,
            Err(outcome) => *outcome,
        }
    }

    /// Its steps, in their order.
    pub fn stages(&self) -> &[Stage] {
        &self.stages
    }

    /// What was proved; none unless all of it holds.
    pub fn proven(&self) -> Option<&T> {
        self.ended.as_deref().ok()
    }
}

impl Report {
    /// A check that did not begin, because of this.
    pub fn unchecked(name: &'static str, text: String) -> Self {
        Self::stopped((name, Outcome::Unchecked, text))
    }

    pub(crate) fn stopped(stopped: Stopped) -> Self {
        Self::of(|_| Err(stopped))
    }
}
