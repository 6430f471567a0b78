//! The latest head that a device has seen (spec §22.3, `rollback`).

use crate::{Refusal, Trust};
use serde::{Deserialize, Serialize};
use strongroom_manifest::Hex;

/// What a device keeps between two looks at the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Epoch of the latest manifest.
    pub epoch: u64,
    /// Its digest.
    pub manifest_sha256: Hex<32>,
    /// Of the log.
    pub origin: String,
    /// Root of the tree.
    pub root: Hex<32>,
    /// Number of its leaves.
    pub size: u64,
}

impl Head {
    /// Whether `next` may come after this one.
    ///
    /// A device cannot see from two heads alone that the larger tree extends the smaller; that is
    /// what the witnesses of the larger one vouch for. What it can see, it refuses.
    ///
    /// # Errors
    /// [`Refusal::Rollback`] or [`Refusal::SplitView`].
    pub(crate) fn admits(&self, next: &Self, trust: &Trust) -> Result<(), Refusal> {
        // After an app moved to another log, the old one's sizes say nothing.
        if self.origin != trust.origin() {
            return Ok(());
        }
        if next.size < self.size || next.epoch < self.epoch {
            let (got, expected) = ((next.epoch, next.size), (self.epoch, self.size));
            return Err(Refusal::Rollback { got, expected });
        }
        let other_root = next.size == self.size && next.root != self.root;
        let other_manifest =
            next.epoch == self.epoch && next.manifest_sha256 != self.manifest_sha256;
        if other_root || other_manifest {
            return Err(Refusal::SplitView { epoch: next.epoch, size: next.size });
        }
        Ok(())
    }
}
