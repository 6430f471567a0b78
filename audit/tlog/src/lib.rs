//! A transparency log as C2SP writes it down, without a network (spec §21).
//!
//! * **What it is.** The formats and the arithmetic of a tiled log: notes and their keys,
//!   checkpoints, cosignatures, Merkle proofs, tiles and entry bundles, offline proofs, policies,
//!   and both ends of the witness protocol. Notes and hashing are wrapped around `signed_note` and
//!   `tlog_tiles`; what those leave open to a hostile input is closed here, before they are called.
//! * **What it may assume.** SHA-256, Ed25519, and the keys and policies that the caller pins.
//!   Nothing of a byte that comes from a log, a witness, a disk or a network.
//! * **What it must never do.** Open a socket or a file, look at a clock, or draw a random number.
//!   Panic or allocate beyond [`caps`] because of what it reads. Accept a signature that another
//!   strict verifier refuses. Hand out a hash, entry or checkpoint as authentic that no signed root
//!   leads to.
//!
//! Proof of a check is a type: a [`SignedCheckpoint`] exists only after a log's key verified it, a
//! [`witness::Consistent`] only after it was compared with what was cosigned before, and a
//! [`Logged`] only after signature, quorum and path were all verified.

#![forbid(unsafe_code)]

pub mod caps;
mod checkpoint;
mod cosignature;
mod hash;
mod keys;
mod lines;
pub mod merkle;
mod note;
pub mod policy;
mod proof;
mod signer;
pub mod tiles;
pub mod witness;

pub use checkpoint::{Checkpoint, CheckpointError, SignedCheckpoint};
pub use cosignature::{CosignatureError, cosign, verify_cosignature};
pub use hash::{EMPTY_ROOT, Hash, TreeHead, leaf_hash, node_hash};
pub use keys::{KeyError, LogKey, NoteKey, WitnessKey, strong_key};
pub use lines::LinesError;
pub use note::{Note, NoteError, NoteSignature};
pub use policy::Policy;
pub use proof::{LogProof, LogProofError, Logged};
pub use signer::{LogSigner, NoteSigner, SeedSigner, SignError, SignerOf, WitnessSigner};
