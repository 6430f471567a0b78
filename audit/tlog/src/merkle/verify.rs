//! Proofs as somebody else wrote them.

use crate::{
    caps::PROOF_HASHES_MAX,
    hash::{EMPTY_ROOT, Hash, TreeHead},
};

/// Accepts a path only if it leads from leaf `index` with this hash to the tree's root.
///
/// # Errors
/// [`ProofError`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    head: &TreeHead,
    path: &[Hash],
) -> Result<(), ProofError> {
    let size = head.size;
    if index >= size {
        return Err(ProofError::IndexBeyondTree { index, size });
    }
    let path = foreign(path)?;
    tlog_tiles::check_record(&path, size, head.root.foreign(), index, leaf.foreign())
        .map_err(|_| ProofError::Inclusion { index, size, root: head.root })
}

/// Accepts a proof only if it shows that `new` begins with all of `old`.
///
/// # Errors
/// [`ProofError`].
pub fn verify_consistency(
    old: &TreeHead,
    new: &TreeHead,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old.size > new.size {
        return Err(ProofError::OldBeyondNew { old: old.size, new: new.size });
    }
    let refused = ProofError::Consistency { old: *old, new: *new };
    let proof = foreign(proof)?;
    // Every tree begins with the empty one, of which the library knows nothing. Two empty trees
    // still have to agree on their root.
    if old.size == 0 {
        let sound = old.root == EMPTY_ROOT && (new.size > 0 || new.root == EMPTY_ROOT);
        return if sound && proof.is_empty() { Ok(()) } else { Err(refused) };
    }
    let (old_root, new_root) = (old.root.foreign(), new.root.foreign());
    tlog_tiles::check_tree(&proof, new.size, new_root, old.size, old_root).map_err(|_| refused)
}

/// The library copies what remains of a proof at every step, so its length is bounded first.
fn foreign(hashes: &[Hash]) -> Result<Vec<tlog_tiles::Hash>, ProofError> {
    if hashes.len() > PROOF_HASHES_MAX {
        return Err(ProofError::TooManyHashes { got: hashes.len(), cap: PROOF_HASHES_MAX });
    }
    Ok(hashes.iter().map(Hash::foreign).collect())
}

/// Why a proof was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// The tree has no such leaf.
    #[error("leaf {index} of a tree of {size} leaves, counted from 0")]
    IndexBeyondTree {
        /// The leaf asked for.
        index: u64,
        /// The tree's size.
        size: u64,
    },
    /// A tree that shrank.
    #[error("old size {old}, at most the new size {new}")]
    OldBeyondNew {
        /// The size that should come first.
        old: u64,
        /// The size that should come second.
        new: u64,
    },
    /// More hashes than any tree needs.
    #[error("proof of {got} hashes, at most {cap}")]
    TooManyHashes {
        /// Hashes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// The path leads elsewhere.
    #[error("the path from leaf {index} of {size} does not lead to the root {root}")]
    Inclusion {
        /// The leaf.
        index: u64,
        /// The tree's size.
        size: u64,
        /// The tree's root.
        root: Hash,
    },
    /// Not the same log, or a false proof.
    #[error(
        "no proof that {} leaves with root {} begin with {} leaves with root {}",
        new.size, new.root, old.size, old.root
    )]
    Consistency {
        /// The earlier tree.
        old: TreeHead,
        /// The later tree.
        new: TreeHead,
    },
}
