//! What one vault of a run was told, to be told again.

use crate::{Plan, World};
use strongroom_wire::process::ToVault;

/// One thing that happened to a vault.
#[derive(Debug, Clone)]
pub enum Recorded {
    /// A new process with this seed of its hardware's entropy.
    Boot([u8; 32]),
    /// Time passed.
    Tick,
    /// A message, and what was queued was sent on.
    Input(ToVault),
}

/// One vault's story.
#[derive(Debug)]
pub(crate) struct Recorder {
    node: usize,
    story: Vec<(u64, Recorded)>,
}

impl World {
    /// Runs a plan to its end and gives what happened to one node's vault, with virtual times.
    pub fn recorded(plan: Plan, node: usize) -> Vec<(u64, Recorded)> {
        let mut world = Self::unborn(plan);
        world.recorder = Some(Recorder { node, story: Vec::new() });
        world.genesis();
        world.run_to_end();
        world.recorder.map(|recorder| recorder.story).unwrap_or_default()
    }

    pub(crate) fn record(&mut self, node: usize, what: impl FnOnce() -> Recorded) {
        let now = self.now();
        if let Some(recorder) = self.recorder.as_mut().filter(|recorder| recorder.node == node) {
            recorder.story.push((now, what()));
        }
    }
}
