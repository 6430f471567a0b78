//! What a witness may cosign. The caller keeps the state; nothing here remembers.

use super::request::{AddCheckpoint, RequestError};
use crate::{
    checkpoint::{CheckpointError, SignedCheckpoint},
    hash::{EMPTY_ROOT, Hash, TreeHead},
    keys::LogKey,
    merkle::{ProofError, verify_consistency},
};

/// A log that a witness follows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownLog {
    origin: String,
    keys: Vec<LogKey>,
}

impl KnownLog {
    /// A log whose origin is its key's name.
    pub fn new(key: LogKey) -> Self {
        Self { origin: key.name().to_owned(), keys: vec![key] }
    }

    /// A log with several keys, or with keys of other names.
    pub fn with_keys(origin: &str, keys: Vec<LogKey>) -> Self {
        Self { origin: origin.to_owned(), keys }
    }

    /// Its identity.
    pub fn origin(&self) -> &str {
        &self.origin
    }
}

/// A checkpoint that begins with all that this witness cosigned before: the only thing that
/// [`crate::cosign`] signs.
///
/// Only [`AddCheckpoint::decide`] makes one.
#[derive(Debug, Clone, PartialEq)]
pub struct Consistent(SignedCheckpoint);

impl Consistent {
    /// The new state, to be persisted before anything is cosigned. A crash before that changes
    /// nothing; one after it costs the log a second request.
    pub const fn head(&self) -> TreeHead {
        self.0.checkpoint().head()
    }

    /// The checkpoint with the log's signature, to be kept for whoever asks for the latest one.
    pub const fn signed(&self) -> &SignedCheckpoint {
        &self.0
    }
}

impl AddCheckpoint {
    /// Decides by the witness's state alone: the log of [`AddCheckpoint::origin`], if it follows
    /// it, and the head that it cosigned last, if any.
    ///
    /// # Errors
    /// [`Refusal`], in the order in which tlog-witness checks.
    pub fn decide(
        &self,
        log: Option<&KnownLog>,
        last: Option<TreeHead>,
    ) -> Result<Consistent, Refusal> {
        let unknown = || Refusal::UnknownOrigin { got: self.origin().to_owned() };
        let log = log.filter(|log| log.origin == self.origin()).ok_or_else(unknown)?;
        let signed = SignedCheckpoint::verify_of(self.note.clone(), &log.origin, &log.keys)
            .map_err(Refusal::Signature)?;
        let (new, old_size) = (signed.checkpoint().head(), self.old_size);
        if old_size > new.size {
            return Err(Refusal::OldBeyondNew { old: old_size, new: new.size });
        }
        let last = last.unwrap_or(TreeHead::EMPTY);
        if old_size != last.size {
            return Err(Refusal::Conflict { got: old_size, size: last.size });
        }
        if new.size == 0 && new.root != EMPTY_ROOT {
            return Err(Refusal::EmptyRoot { got: new.root });
        }
        if new.size == last.size && new.root != last.root {
            return Err(Refusal::Fork { size: new.size, got: new.root, expected: last.root });
        }
        verify_consistency(&last, &new, &self.proof).map_err(Refusal::Proof)?;
        Ok(Consistent(signed))
    }
}

/// Why a witness does not cosign, sorted by HTTP status.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// 400: no request.
    #[error(transparent)]
    Malformed(#[from] RequestError),
    /// 400: a proof towards the past.
    #[error("old size {old}, at most the checkpoint's size {new}")]
    OldBeyondNew {
        /// The size that the request starts from.
        old: u64,
        /// The checkpoint's size.
        new: u64,
    },
    /// 403: not signed by the log, or with a false signature under one of its keys.
    #[error(transparent)]
    Signature(CheckpointError),
    /// 404: a log that this witness does not follow.
    #[error("unknown log {got:?}")]
    UnknownOrigin {
        /// The origin claimed.
        got: String,
    },
    /// 409: the proof starts elsewhere than where this witness stands.
    #[error("old size {got}, this witness stands at {size}")]
    Conflict {
        /// The size that the request starts from.
        got: u64,
        /// The size cosigned last.
        size: u64,
    },
    /// 422: a checkpoint of no leaves with the root of some.
    #[error("root {got} of no leaves, expected {EMPTY_ROOT}")]
    EmptyRoot {
        /// The root claimed.
        got: Hash,
    },
    /// 422: another root at the size that was cosigned: evidence of two histories.
    #[error("root {got} at size {size}, cosigned before: {expected}")]
    Fork {
        /// The size of both.
        size: u64,
        /// The root claimed now.
        got: Hash,
        /// The root cosigned before.
        expected: Hash,
    },
    /// 422: the proof does not verify: evidence of two histories, or a mistake.
    #[error(transparent)]
    Proof(ProofError),
}

impl Refusal {
    /// The HTTP status that tlog-witness demands.
    pub const fn status(&self) -> u16 {
        match self {
            Self::Malformed(_) | Self::OldBeyondNew { .. } => 400,
            Self::Signature(_) => 403,
            Self::UnknownOrigin { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::EmptyRoot { .. } | Self::Fork { .. } | Self::Proof(_) => 422,
        }
    }

    /// The `Content-Type` of [`Self::body`].
    pub const fn content_type(&self) -> &'static str {
        match self {
            Self::Conflict { .. } => "text/x.tlog.size",
            _ => "text/plain; charset=utf-8",
        }
    }

    /// The body: in a conflict the size where the witness stands, otherwise the reason.
    pub fn body(&self) -> String {
        match self {
            Self::Conflict { size, .. } => format!("{size}\n"),
            other => format!("{other}\n"),
        }
    }
}
