//! Offline proofs: one file that carries index, path and cosigned checkpoint (tlog-proof).

use crate::{
    caps::{PROOF_HASHES_MAX, PROOF_LEN_MAX},
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint},
    hash::Hash,
    keys::LogKey,
    lines::{self, Lines, LinesError},
    merkle::{ProofError, verify_inclusion},
    note::{Note, NoteError},
    policy::{Policy, QuorumError, Vouched},
};

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// A proof as it was read: well-formed, and not yet believed.
#[derive(Debug, Clone, PartialEq)]
pub struct LogProof {
    extra: Option<Vec<u8>>,
    index: u64,
    path: Vec<Hash>,
    note: Note,
}

impl LogProof {
    /// Puts a proof together. Nothing authenticates `extra`; an empty one is none.
    ///
    /// # Errors
    /// [`LogProofError`] if nobody could read it back.
    pub fn new(
        index: u64,
        path: Vec<Hash>,
        signed: &SignedCheckpoint,
        extra: &[u8],
    ) -> Result<Self, LogProofError> {
        let extra = (!extra.is_empty()).then(|| extra.to_vec());
        let proof = Self { extra, index, path, note: signed.note().clone() };
        Self::parse(&proof.to_bytes())
    }

    /// Reads a proof file. It ends with the checkpoint's last newline, and nothing follows.
    ///
    /// # Errors
    /// [`LogProofError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, LogProofError> {
        if bytes.len() > PROOF_LEN_MAX {
            return Err(LogProofError::TooLong { got: bytes.len(), cap: PROOF_LEN_MAX });
        }
        let mut lines = Lines::new(bytes)?;
        if lines.next_line()? != FIRST_LINE {
            return Err(lines.expected(FIRST_LINE).into());
        }
        let mut line = lines.next_line()?;
        let mut extra = None;
        if let Some(text) = line.strip_prefix("extra ") {
            let bytes = lines::base64_bytes(text).filter(|bytes| !bytes.is_empty());
            extra = Some(bytes.ok_or_else(|| lines.expected("extra and its data in base64"))?);
            line = lines.next_line()?;
        }
        let index = line.strip_prefix("index ").and_then(lines::decimal);
        let index = index.ok_or_else(|| lines.expected("index and a decimal"))?;
        let path = lines.hashes(PROOF_HASHES_MAX)?;
        let note = Note::parse(lines.rest())?;
        Checkpoint::parse(note.text())?;
        Ok(Self { extra, index, path, note })
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            out += &format!("extra {}\n", lines::base64(extra));
        }
        out += &format!("index {}\n", self.index);
        out.extend(self.path.iter().map(|hash| format!("{hash}\n")));
        out.push('\n');
        [out.into_bytes(), self.note.to_bytes()].concat()
    }

    /// What the application put in. Nobody signed it.
    pub fn danger_unauthenticated_extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// The leaf that the proof claims, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The inclusion path, unverified, from the leaf's sibling up.
    pub fn path(&self) -> &[Hash] {
        &self.path
    }

    /// The checkpoint's note, unverified.
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// Verifies everything: the log's signature, the witnesses by the policy, and the path.
    ///
    /// # Errors
    /// [`LogProofError::Checkpoint`], [`LogProofError::Quorum`] or [`LogProofError::Inclusion`].
    pub fn verify(
        &self,
        leaf: &Hash,
        log: &LogKey,
        policy: &Policy,
        accept: impl Fn(u64) -> bool,
    ) -> Result<Logged, LogProofError> {
        let signed = SignedCheckpoint::verify(self.note.clone(), log)?;
        let vouched = policy.check(&signed, accept)?;
        verify_inclusion(leaf, self.index, &signed.checkpoint().head(), &self.path)?;
        Ok(Logged { index: self.index, signed, vouched })
    }
}

/// A leaf that is in the log, at a size that the policy's witnesses vouch for.
///
/// Only [`LogProof::verify`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Logged {
    index: u64,
    signed: SignedCheckpoint,
    vouched: Vec<Vouched>,
}

impl Logged {
    /// Its place in the log, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint that holds it.
    pub const fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// Who vouched, and when.
    pub fn vouched(&self) -> &[Vouched] {
        &self.vouched
    }

    /// True when no leaf follows it in this checkpoint.
    pub const fn is_last(&self) -> bool {
        // In a tree that holds the leaf, the index is below the size.
        self.signed.checkpoint().size() - 1 == self.index
    }
}

/// Why a proof was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LogProofError {
    // --- it does not read ---
    /// More bytes than a proof may have.
    #[error("proof of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// A line that is not what the format demands there.
    #[error("proof, {0}")]
    Line(#[from] LinesError),
    /// The checkpoint is no note.
    #[error(transparent)]
    Note(#[from] NoteError),

    // --- it reads, and proves nothing ---
    /// The checkpoint is not this log's.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// The witnesses do not suffice.
    #[error(transparent)]
    Quorum(#[from] QuorumError),
    /// The path does not lead to the root.
    #[error(transparent)]
    Inclusion(#[from] ProofError),
}
