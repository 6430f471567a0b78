//! The body of `POST add-checkpoint`.

use crate::{
    caps::{PROOF_HASHES_MAX, REQUEST_LEN_MAX},
    checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint},
    hash::Hash,
    lines::{self, Lines, LinesError},
    note::{Note, NoteError},
};

/// A checkpoint, and a proof from the size that the witness is believed to have.
#[derive(Debug, Clone, PartialEq)]
pub struct AddCheckpoint {
    pub(super) old_size: u64,
    pub(super) proof: Vec<Hash>,
    pub(super) note: Note,
    /// What the note says, unverified.
    pub(super) claimed: Checkpoint,
}

impl AddCheckpoint {
    /// A request to cosign.
    ///
    /// # Errors
    /// [`RequestError`] if no witness could read it.
    pub fn new(
        old_size: u64,
        proof: Vec<Hash>,
        signed: &SignedCheckpoint,
    ) -> Result<Self, RequestError> {
        let (note, claimed) = (signed.note().clone(), signed.checkpoint().clone());
        Self::parse(&Self { old_size, proof, note, claimed }.to_bytes())
    }

    /// Reads a body. What fails here a witness answers with 400.
    ///
    /// # Errors
    /// [`RequestError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.len() > REQUEST_LEN_MAX {
            return Err(RequestError::TooLong { got: bytes.len(), cap: REQUEST_LEN_MAX });
        }
        let mut lines = Lines::new(bytes)?;
        let old_size = lines.next_line()?.strip_prefix("old ").and_then(lines::decimal);
        let old_size = old_size.ok_or_else(|| lines.expected("old and a decimal"))?;
        let proof = lines.hashes(PROOF_HASHES_MAX)?;
        let note = Note::parse(lines.rest())?;
        let claimed = Checkpoint::parse(note.text())?;
        Ok(Self { old_size, proof, note, claimed })
    }

    /// The body.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = format!("old {}\n", self.old_size);
        out.extend(self.proof.iter().map(|hash| format!("{hash}\n")));
        out.push('\n');
        [out.into_bytes(), self.note.to_bytes()].concat()
    }

    /// The log that the checkpoint claims to be of; what a witness looks its state up by.
    pub fn origin(&self) -> &str {
        self.claimed.origin()
    }

    /// The size that the proof starts from.
    pub const fn old_size(&self) -> u64 {
        self.old_size
    }
}

/// Why a body is no request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// More bytes than a request may have.
    #[error("request of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// A line that is not what the format demands there.
    #[error("request, {0}")]
    Line(#[from] LinesError),
    /// No note behind the empty line.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note that is no checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
}
