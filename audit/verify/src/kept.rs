//! How far a verifier has come: the head from which it goes on (spec §23.5).

use crate::{head::Head, history::History, trust::Trust};
use serde::{Deserialize, Serialize};
use strongroom_manifest::{Custodians, Hex, Manifest};
use strongroom_tlog::{CheckpointError, Hash, Note, SignedCheckpoint, TreeHead};

/// The largest file of a kept head that is read, in bytes.
pub const KEPT_LEN_MAX: usize = 131_072;

/// The version that this code reads and writes.
const VERSION: u32 = 1;

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct HeadFile {
    audited_ms: u64,
    checkpoint: String,
    custodians: Custodians,
    epoch: u64,
    manifest_sha256: Hex<32>,
    origin: String,
    root: Hex<32>,
    size: u64,
    trust_sha256: Hex<32>,
    version: u32,
}

/// A head at which every epoch was checked under one set of pins.
///
/// The checkpoint stays with it: if the log ever shows another tree, both of its signatures are at hand.
#[derive(Debug, Clone)]
pub struct KeptHead {
    file: HeadFile,
    signed: SignedCheckpoint,
}

impl KeptHead {
    /// The head of a history that holds; none for an empty log, of which there is nothing to keep, and for
    /// the checkpoint of another tree.
    pub fn of(history: &History, signed: &SignedCheckpoint, trust: &Trust) -> Option<Self> {
        let (leaf, manifest) = history.last.as_ref()?;
        let head = Some(signed.checkpoint().head()).filter(|head| *head == history.head)?;
        let file = HeadFile {
            audited_ms: leaf.statement.timestamp_ms,
            checkpoint: String::from_utf8(signed.to_bytes()).ok()?,
            custodians: manifest.custodians.clone(),
            epoch: manifest.epoch,
            manifest_sha256: Hex(leaf.statement.digest),
            origin: trust.origin().to_owned(),
            root: Hex(head.root.0),
            size: head.size,
            trust_sha256: Hex(trust.digest()),
            version: VERSION,
        };
        (file.epoch == file.size).then(|| Self { file, signed: signed.clone() })
    }

    /// Reads a kept head and compares it with today's pins.
    ///
    /// # Errors
    /// [`KeptError`].
    pub fn parse(bytes: &[u8], trust: &Trust) -> Result<Self, KeptError> {
        if bytes.len() > KEPT_LEN_MAX {
            return Err(KeptError::TooLong { got: bytes.len(), cap: KEPT_LEN_MAX });
        }
        let file: HeadFile = serde_json::from_slice(bytes)
            .map_err(|e| KeptError::Malformed { line: e.line(), column: e.column() })?;
        if file.version != VERSION {
            return Err(KeptError::Version { got: file.version, expected: VERSION });
        }
        if file.origin != trust.origin() {
            let expected = trust.origin().to_owned();
            return Err(KeptError::Origin { got: file.origin, expected });
        }
        // Otherwise what was checked under other pins passes for checked under these.
        let expected = Hex(trust.digest());
        if file.trust_sha256 != expected {
            return Err(KeptError::OtherTrust { got: file.trust_sha256, expected });
        }
        let note = Note::parse(file.checkpoint.as_bytes()).map_err(CheckpointError::from)?;
        let signed = SignedCheckpoint::verify(note, trust.log())?;
        let head = signed.checkpoint().head();
        let says = (file.size, file.root.0, file.epoch);
        if says != (head.size, head.root.0, head.size) {
            return Err(KeptError::Contents);
        }
        Ok(Self { file, signed })
    }

    /// The file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // The types hold only numbers, strings, lists and structures, which always serialise.
        serde_json::to_vec(&self.file).unwrap_or_default()
    }

    /// Size and root.
    pub const fn head(&self) -> TreeHead {
        TreeHead { size: self.file.size, root: Hash(self.file.root.0) }
    }

    /// Epoch of the last manifest that was checked.
    pub const fn epoch(&self) -> u64 {
        self.file.epoch
    }

    /// The checkpoint, signed by the pinned log.
    pub const fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// The same for the client's rule.
    pub fn as_head(&self) -> Head {
        let HeadFile { epoch, manifest_sha256, origin, root, size, .. } = &self.file;
        let (epoch, manifest_sha256, root, size) = (*epoch, *manifest_sha256, *root, *size);
        Head { epoch, manifest_sha256, origin: origin.clone(), root, size }
    }

    /// Whether a manifest is the last that was checked.
    pub(crate) fn is_of(&self, manifest: &Manifest, digest: &[u8; 32]) -> bool {
        self.file.manifest_sha256.0 == *digest
            && self.file.epoch == manifest.epoch
            && self.file.custodians == manifest.custodians
    }
}

/// Why a kept head is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeptError {
    /// More bytes than a kept head may have.
    #[error("kept head of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not a kept head; where reading stopped.
    #[error("not a kept head: unexpected content at line {line}, column {column}")]
    Malformed {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
    },
    /// A version that this code does not read.
    #[error("kept head of version {got}, expected {expected}")]
    Version {
        /// The file's.
        got: u32,
        /// This code's.
        expected: u32,
    },
    /// Of another log.
    #[error("kept head of the log {got}, the trust file pins {expected}")]
    Origin {
        /// The file's.
        got: String,
        /// Pinned.
        expected: String,
    },
    /// Checked under other pins.
    #[error("kept head checked under a trust file with SHA-256 {got:?}, this one has {expected:?}")]
    OtherTrust {
        /// The file's.
        got: Hex<32>,
        /// Of today's pins.
        expected: Hex<32>,
    },
    /// Its checkpoint is not the pinned log's.
    #[error("kept head: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Its fields are not what its checkpoint says.
    #[error("kept head: epoch, size and root are not those of its checkpoint")]
    Contents,
}
