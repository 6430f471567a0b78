//! The auditor: one manifest after another, each looked at before it is signed (spec §21.4).

mod api;
mod error;
mod publish;

pub use api::{Answer, PUBLISH_LEN_MAX};
pub use error::SubmitError;
pub use publish::{Countersigned, Released, Submission};

use crate::{
    folder::Folder,
    log::{Log, LogError},
};
use std::{collections::BTreeSet, sync::Arc};
use strongroom_manifest::{Custodians, Floors, SignedManifest, Succession};
use strongroom_tlog::{
    LogSigner, NoteSigner, Policy, SignedCheckpoint, TreeHead, witness::AddCheckpoint,
};
use strongroom_verify::Leaf;
use strongroom_wire::digest::sha256;

/// What an auditor is set up with.
pub struct AuditorSetup<S, A> {
    /// The one namespace.
    pub namespace: String,
    /// The genesis custodians.
    pub custodians: Custodians,
    /// Below these it signs nothing.
    pub floors: Floors,
    /// Whose counter-signature it keeps.
    pub operator_key: [u8; 32],
    /// Witnesses, and how many must have cosigned before a signature leaves.
    pub policy: Policy,
    /// Signs checkpoints, under the log's origin.
    pub log_signer: LogSigner<S>,
    /// Signs statements.
    pub statement_signer: A,
    /// From when on, milliseconds since the Unix epoch: clients that pin the key pin that, too.
    pub statement_not_before_ms: u64,
}

/// One namespace's auditor.
pub struct Auditor<S, A> {
    setup: Setup<A>,
    folder: Arc<Folder>,
    log: Log<S>,
    /// Who may sign the next manifest.
    succession: Succession,
    /// Digests of all manifests so far.
    digests: BTreeSet<[u8; 32]>,
    /// Those that changed the custodians.
    changes: Vec<(u64, SignedManifest)>,
    /// Statements never go back in time.
    last_ms: u64,
    /// Witnesses have said that they saw nothing newer than this folder.
    confirmed: bool,
}

struct Setup<A> {
    namespace: String,
    floors: Floors,
    operator_key: [u8; 32],
    policy: Policy,
    statement_signer: A,
    statement_not_before_ms: u64,
}

impl<S: NoteSigner, A: NoteSigner> Auditor<S, A> {
    /// Opens an auditor's folder: reads every leaf again and follows its custodians. It signs nothing
    /// before [`Auditor::confirm`].
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn open(folder: Arc<Folder>, setup: AuditorSetup<S, A>) -> Result<Self, SubmitError> {
        let log = Log::open(Arc::clone(&folder), setup.log_signer)?;
        let succession = Succession::pinned(&setup.namespace, setup.custodians);
        let own = Setup {
            namespace: setup.namespace,
            floors: setup.floors,
            operator_key: setup.operator_key,
            policy: setup.policy,
            statement_signer: setup.statement_signer,
            statement_not_before_ms: setup.statement_not_before_ms,
        };
        let mut auditor = Self {
            setup: own,
            folder,
            log,
            succession,
            digests: BTreeSet::new(),
            changes: Vec::new(),
            last_ms: 0,
            confirmed: false,
        };
        for index in 0..auditor.log.head().size {
            let entry = auditor.log.entry(index)?;
            let leaf = Leaf::parse(auditor.log.origin(), &entry);
            let leaf = leaf.ok_or(SubmitError::Foreign { index })?;
            auditor.follow(&leaf)?;
        }
        Ok(auditor)
    }

    /// Compares this folder with what the witnesses have cosigned, and then finishes what a crash left
    /// half done. `latest` has one item for each witness that answered: its latest checkpoint of this
    /// log, or none if it has never seen one.
    ///
    /// The attack that this answers: somebody puts last week's disk back, the auditor takes another
    /// manifest for an epoch that it has signed, and there are two histories under its key.
    ///
    /// # Errors
    /// [`SubmitError::TooFewWitnesses`], [`SubmitError::Restored`] or [`SubmitError::Forked`].
    pub fn confirm(&mut self, latest: &[Option<SignedCheckpoint>]) -> Result<(), SubmitError> {
        let (got, of) = (latest.len(), self.setup.policy.witnesses().len());
        // More than half of all meet every quorum that is itself half or more.
        if got.saturating_mul(2) <= of {
            return Err(SubmitError::TooFewWitnesses { got, of });
        }
        let own = self.log.head();
        for head in latest.iter().flatten().map(|signed| signed.checkpoint().head()) {
            if head.size > own.size {
                return Err(SubmitError::Restored { got: own.size, witnessed: head.size });
            }
            // Every log begins with the empty tree.
            let ours =
                if head.size == 0 { TreeHead::EMPTY } else { self.log.head_at(head.size)? };
            if ours != head {
                return Err(SubmitError::Forked { size: head.size });
            }
        }
        self.confirmed = true;
        self.finish_intent()
    }

    /// The log.
    pub const fn log(&self) -> &Log<S> {
        &self.log
    }

    /// Witnesses, and how many are needed.
    pub const fn policy(&self) -> &Policy {
        &self.setup.policy
    }

    /// The request that asks a witness, whose last size is `old_size`, for its cosignature of the last
    /// checkpoint.
    ///
    /// # Errors
    /// [`SubmitError::Log`] if the witness is ahead: this folder is then older than what it signed.
    pub fn request(&self, old_size: u64) -> Result<AddCheckpoint, SubmitError> {
        let size = self.log.head().size;
        if old_size > size {
            return Err(SubmitError::Restored { got: size, witnessed: old_size });
        }
        let proof = self.log.consistency(old_size)?;
        AddCheckpoint::new(old_size, proof, self.log.signed()).map_err(SubmitError::Request)
    }

    fn follow(&mut self, leaf: &Leaf) -> Result<(), SubmitError> {
        let before = self.succession.custodians().clone();
        self.succession.follow(&leaf.manifest, &leaf.signatures).map_err(SubmitError::Manifest)?;
        if *self.succession.custodians() != before {
            let manifest = String::from_utf8_lossy(&leaf.manifest).into_owned();
            let signed = SignedManifest { manifest, signatures: leaf.signatures.clone() };
            self.changes.push((leaf.statement.epoch, signed));
        }
        self.digests.insert(sha256(&leaf.manifest));
        self.last_ms = self.last_ms.max(leaf.statement.timestamp_ms);
        Ok(())
    }

    /// The changes of custodians before an epoch: the chain of its bundle.
    fn chain(&self, epoch: u64) -> Vec<SignedManifest> {
        let before = self.changes.iter().filter(|(changed, _)| *changed < epoch);
        before.map(|(_, signed)| signed.clone()).collect()
    }

    fn leaf_at(&self, index: u64) -> Result<(Leaf, Vec<u8>), SubmitError> {
        let entry = self.log.entry(index)?;
        let leaf = Leaf::parse(self.log.origin(), &entry).ok_or(SubmitError::Foreign { index })?;
        Ok((leaf, entry))
    }
}

impl From<LogError> for SubmitError {
    fn from(error: LogError) -> Self {
        Self::Log(error)
    }
}
