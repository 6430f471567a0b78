//! Checkpoints: origin, size, root, and nothing else (tlog-checkpoint).

use crate::{
    hash::{Hash, TreeHead},
    keys::LogKey,
    note::{Note, NoteError, NoteSignature},
    signer::{LogSigner, NoteSigner, SignError},
};

/// What a log says of itself at one size.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    origin: String,
    head: TreeHead,
}

impl Checkpoint {
    /// A checkpoint of the log `origin`.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] for an origin that is no line of a note.
    pub fn new(origin: &str, size: u64, root: Hash) -> Result<Self, CheckpointError> {
        if origin.is_empty() || origin.chars().any(|sign| sign < ' ') {
            return Err(CheckpointError::Malformed);
        }
        Ok(Self { origin: origin.to_owned(), head: TreeHead { size, root } })
    }

    /// Reads a note's text.
    ///
    /// # Errors
    /// [`CheckpointError::Malformed`] or [`CheckpointError::Extension`].
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let read = tlog_tiles::Checkpoint::from_bytes(text.as_bytes())
            .map_err(|_| CheckpointError::Malformed)?;
        // No monitor can audit such a line, and no witness vouches for it.
        if !read.extension().is_empty() {
            return Err(CheckpointError::Extension);
        }
        let checkpoint = Self::new(read.origin(), read.size(), Hash(read.hash().0))?;
        // One text for one checkpoint, whatever the library lets pass.
        if checkpoint.to_text() == text { Ok(checkpoint) } else { Err(CheckpointError::Malformed) }
    }

    /// The log's identity.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// Number of leaves.
    pub const fn size(&self) -> u64 {
        self.head.size
    }

    /// Root over that many leaves.
    pub const fn root(&self) -> Hash {
        self.head.root
    }

    /// Size and root together.
    pub const fn head(&self) -> TreeHead {
        self.head
    }

    /// The three lines that are signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.head.size, self.head.root)
    }
}

/// A checkpoint that a key of its log signed, with every line that came with it.
///
/// Only [`Self::sign`] and the `verify` functions make one.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedCheckpoint {
    checkpoint: Checkpoint,
    note: Note,
    signer: LogKey,
}

impl SignedCheckpoint {
    /// Signs as the log whose origin is the signer's name.
    ///
    /// # Errors
    /// [`SignError`].
    pub fn sign<S: NoteSigner>(
        checkpoint: Checkpoint,
        signer: &LogSigner<S>,
    ) -> Result<Self, SignError> {
        if checkpoint.origin() != signer.key().name() {
            let (got, expected) = (checkpoint.origin().to_owned(), signer.key().name().to_owned());
            return Err(SignError::Text(CheckpointError::Origin { got, expected }.to_string()));
        }
        let text = checkpoint.to_text();
        let bytes = signer.sign(text.as_bytes())?.to_vec();
        let key = signer.key();
        let note = NoteSignature::new(key.name(), key.id(), bytes)
            .and_then(|line| Note::new(&text, vec![line]))
            .map_err(|error| SignError::Text(error.to_string()))?;
        Ok(Self { checkpoint, note, signer: key.clone() })
    }

    /// Verifies a note as a checkpoint of the log whose origin is the key's name.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify(note: Note, key: &LogKey) -> Result<Self, CheckpointError> {
        Self::verify_of(note, key.name(), core::slice::from_ref(key))
    }

    /// Verifies a note as a checkpoint of `origin`, signed by any of its keys. For logs whose keys
    /// rotate or are named differently.
    ///
    /// # Errors
    /// [`CheckpointError`].
    pub fn verify_of(note: Note, origin: &str, keys: &[LogKey]) -> Result<Self, CheckpointError> {
        note.verify(keys)?;
        let checkpoint = Checkpoint::parse(note.text())?;
        if checkpoint.origin() != origin {
            let got = checkpoint.origin().to_owned();
            return Err(CheckpointError::Origin { got, expected: origin.to_owned() });
        }
        let named = |key: &&LogKey| note.signatures().iter().any(|line| line.names(key));
        // `note.verify` found one; it is looked up again to keep it.
        let Some(signer) = keys.iter().find(named).cloned() else {
            return Err(CheckpointError::Note(NoteError::NotSigned { expected: Vec::new() }));
        };
        Ok(Self { checkpoint, note, signer })
    }

    /// What was signed.
    pub const fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note, with the cosignatures that it carries, verified or not.
    pub const fn note(&self) -> &Note {
        &self.note
    }

    /// The log key that signed.
    pub const fn signer(&self) -> &LogKey {
        &self.signer
    }

    pub(crate) const fn note_mut(&mut self) -> &mut Note {
        &mut self.note
    }

    /// The note as it is served and kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }
}

/// Why a checkpoint was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The note, or a signature under it.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not three lines of origin, size and root.
    #[error("not a checkpoint: expected the lines origin, size in decimal, root in base64")]
    Malformed,
    /// A fourth line.
    #[error("checkpoint with extension lines; expected none")]
    Extension,
    /// A checkpoint of another log.
    #[error("checkpoint of {got:?}, expected {expected:?}")]
    Origin {
        /// The origin found.
        got: String,
        /// The log asked for.
        expected: String,
    },
}
