//! The auditor: one manifest after another, each looked at before it is signed (spec §21.4).

mod api;
mod error;
mod publish;

pub use api::{COUNTERSIGN_LEN_MAX, PUBLISH_LEN_MAX};
pub use error::SubmitError;
pub use publish::{Countersigned, Released, Submission};

use crate::{
    cosigned::{self, CONFIRMED_S_MAX, near},
    folder::Folder,
    log::{Log, LogError},
};
use std::sync::Arc;
use strongroom_manifest::{Custodians, Floors, SignedManifest, Succession};
use strongroom_tlog::{
    LogSigner, NoteSignature, NoteSigner, Policy, SignedCheckpoint, witness::AddCheckpoint,
};
use strongroom_verify::Leaf;

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
    /// Keys that signed statements before: what they signed stays as it is.
    pub earlier_statement_keys: Vec<[u8; 32]>,
}

/// One namespace's auditor.
pub struct Auditor<S, A> {
    setup: Setup<A>,
    folder: Arc<Folder>,
    log: Log<S>,
    /// Who may sign the next manifest.
    succession: Succession,
    /// Those that changed the custodians.
    changes: Vec<(u64, SignedManifest)>,
    /// Statements never go back in time.
    last_ms: u64,
    /// When a quorum of witnesses last cosigned this folder's head, seconds since the Unix epoch.
    confirmed_s: Option<u64>,
}

struct Setup<A> {
    namespace: String,
    floors: Floors,
    operator_key: [u8; 32],
    policy: Policy,
    statement_signer: A,
    statement_not_before_ms: u64,
    earlier_statement_keys: Vec<[u8; 32]>,
}

impl<S: NoteSigner, A: NoteSigner> Auditor<S, A> {
    /// Opens an auditor's folder: reads every leaf again and follows its custodians. It signs nothing
    /// before [`Auditor::confirm`].
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn open(folder: Arc<Folder>, setup: AuditorSetup<S, A>) -> Result<Self, SubmitError> {
        // Without witnesses nobody would notice a second history, this auditor included.
        if !setup.policy.needs_witnesses() {
            return Err(SubmitError::NoWitnesses);
        }
        let log = Log::open(Arc::clone(&folder), setup.log_signer)?;
        let succession = Succession::pinned(&setup.namespace, setup.custodians);
        let own = Setup {
            namespace: setup.namespace,
            floors: setup.floors,
            operator_key: setup.operator_key,
            policy: setup.policy,
            statement_signer: setup.statement_signer,
            statement_not_before_ms: setup.statement_not_before_ms,
            earlier_statement_keys: setup.earlier_statement_keys,
        };
        let mut auditor = Self {
            setup: own,
            folder,
            log,
            succession,
            changes: Vec::new(),
            last_ms: 0,
            confirmed_s: None,
        };
        for (index, entry) in auditor.log.entries()? {
            let leaf = Leaf::parse(auditor.log.origin(), &entry);
            let leaf = leaf.ok_or(SubmitError::Foreign { index })?;
            let followed = auditor.followed(&leaf)?;
            auditor.take(&leaf, followed);
        }
        auditor.refuse_another_key()?;
        Ok(auditor)
    }

    /// Believes that this folder is the newest there is, once a quorum of witnesses has cosigned its head
    /// now, and then finishes what a crash left half done. Nothing is signed for a new epoch without it,
    /// nor [`CONFIRMED_S_MAX`] seconds after it.
    ///
    /// The attack that this answers: somebody puts last week's disk back, the auditor takes another
    /// manifest for an epoch that it has signed, and there are two histories under its key. A witness
    /// that cosigned more does not cosign less, whoever carries the question.
    ///
    /// `asked_s` is when the witnesses were asked: a line from before that is a replay, and those that
    /// lie in the folder are.
    ///
    /// # Errors
    /// [`SubmitError::Quorum`] if they are too few.
    pub fn confirm(
        &mut self,
        lines: &[NoteSignature],
        asked_s: u64,
        now_s: u64,
    ) -> Result<(), SubmitError> {
        self.confirmed_s = None;
        let cosigned = self.cosigned(None, lines, now_s);
        let now = |timestamp: u64| timestamp >= asked_s && near(now_s)(timestamp);
        self.setup.policy.check(&cosigned, now).map_err(SubmitError::Quorum)?;
        self.finish_intent()?;
        self.confirmed_s = Some(now_s);
        Ok(())
    }

    /// Whether the last confirmation still lets something new in.
    pub fn is_confirmed(&self, now_s: u64) -> bool {
        self.confirmed_s.is_some_and(|at| now_s.abs_diff(at) <= CONFIRMED_S_MAX)
    }

    /// The last checkpoint with the newest good cosignature of each witness. What is not good is its
    /// sender's affair and stops nobody.
    fn cosigned(
        &self,
        published: Option<SignedCheckpoint>,
        lines: &[NoteSignature],
        now_s: u64,
    ) -> SignedCheckpoint {
        let published = published.as_ref();
        cosigned::newest(&self.setup.policy, self.log.signed(), published, lines, now_s)
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
    /// [`SubmitError::Restored`] if the witness is ahead: this folder is then older than what it signed,
    /// and takes nothing more.
    pub fn request(&mut self, old_size: u64) -> Result<AddCheckpoint, SubmitError> {
        let size = self.log.head().size;
        if old_size > size {
            self.confirmed_s = None;
            return Err(SubmitError::Restored { got: size, witnessed: old_size });
        }
        let proof = self.log.consistency(old_size)?;
        AddCheckpoint::new(old_size, proof, self.log.signed()).map_err(SubmitError::Request)
    }

    /// The succession after a leaf, if its manifest follows. Nothing is taken yet.
    fn followed(&self, leaf: &Leaf) -> Result<Succession, SubmitError> {
        let mut succession = self.succession.clone();
        succession.follow(&leaf.manifest, &leaf.signatures).map_err(SubmitError::Manifest)?;
        Ok(succession)
    }

    /// Takes a leaf that is in the log.
    fn take(&mut self, leaf: &Leaf, followed: Succession) {
        if followed.custodians() != self.succession.custodians() {
            let manifest = String::from_utf8_lossy(&leaf.manifest).into_owned();
            let signed = SignedManifest { manifest, signatures: leaf.signatures.clone() };
            self.changes.push((leaf.statement.epoch, signed));
        }
        self.succession = followed;
        self.last_ms = self.last_ms.max(leaf.statement.timestamp_ms);
    }

    /// The changes of custodians before an epoch: the chain of its bundle.
    fn chain(&self, epoch: u64) -> Vec<SignedManifest> {
        let before = self.changes.iter().filter(|(changed, _)| *changed < epoch);
        before.map(|(_, signed)| signed.clone()).collect()
    }

    /// The manifest of an epoch whose signature was released: what events may be of.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn released_manifest(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError> {
        if self.response(epoch)?.is_none() {
            return Ok(None);
        }
        self.logged_manifest(epoch)
    }

    /// The manifest of an epoch that the log holds.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn logged_manifest(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError> {
        match epoch.checked_sub(1).filter(|index| *index < self.log.head().size) {
            Some(index) => Ok(Some(self.leaf_at(index)?.0.manifest)),
            None => Ok(None),
        }
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
