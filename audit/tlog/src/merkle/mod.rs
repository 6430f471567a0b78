//! Roots and proofs of RFC 6962 §2.1.

mod prove;
mod tree;
mod verify;

pub use prove::{NodeReader, ProveError, SIZE_MAX, prove_consistency, prove_inclusion, root};
pub use tree::{Frontier, NoSuchNode, Tree};
pub use verify::{ProofError, verify_consistency, verify_inclusion};
