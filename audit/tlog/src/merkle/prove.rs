//! Roots and proofs made from stored nodes.

use super::verify::ProofError;
use crate::hash::Hash;
use core::cell::RefCell;
use tlog_tiles::{Error as ForeignError, Hash as ForeignHash, HashReader};

/// The largest tree that is made or read here. Above it the library's shifts overflow; no disk
/// holds so many leaves.
pub const SIZE_MAX: u64 = (1 << 56) - 1;

/// Where stored nodes come from.
pub trait NodeReader {
    /// Why a node cannot be had.
    type Error;

    /// The root of the complete subtree over the 2^`level` leaves from `index` · 2^`level`.
    ///
    /// # Errors
    /// What the store says.
    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error>;
}

/// The root of the first `size` leaves.
///
/// # Errors
/// [`ProveError::TooLarge`] or [`ProveError::Read`].
pub fn root<R: NodeReader>(reader: &R, size: u64) -> Result<Hash, ProveError<R::Error>> {
    with_library(reader, size, |nodes| tlog_tiles::tree_hash(size, nodes)).map(|root| Hash(root.0))
}

/// The path from leaf `index` to the root of the first `size` leaves.
///
/// # Errors
/// [`ProveError`].
pub fn prove_inclusion<R: NodeReader>(
    reader: &R,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if index >= size {
        return Err(ProveError::Input(ProofError::IndexBeyondTree { index, size }));
    }
    with_library(reader, size, |nodes| tlog_tiles::prove_record(size, index, nodes)).map(ours)
}

/// That the first `new` leaves begin with the first `old`.
///
/// # Errors
/// [`ProveError`].
pub fn prove_consistency<R: NodeReader>(
    reader: &R,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, ProveError<R::Error>> {
    if old > new {
        return Err(ProveError::Input(ProofError::OldBeyondNew { old, new }));
    }
    // Every tree begins with the empty one; RFC 6962 defines no proof for it.
    if old == 0 {
        return Ok(Vec::new());
    }
    with_library(reader, new, |nodes| tlog_tiles::prove_tree(new, old, nodes)).map(ours)
}

fn ours(hashes: Vec<ForeignHash>) -> Vec<Hash> {
    hashes.into_iter().map(|hash| Hash(hash.0)).collect()
}

fn with_library<R: NodeReader, T>(
    reader: &R,
    size: u64,
    call: impl FnOnce(&Nodes<'_, R>) -> Result<T, ForeignError>,
) -> Result<T, ProveError<R::Error>> {
    if size > SIZE_MAX {
        return Err(ProveError::TooLarge { got: size, max: SIZE_MAX });
    }
    let nodes = Nodes { reader, error: RefCell::new(None) };
    match call(&nodes) {
        Ok(value) => Ok(value),
        // Its own errors are about inputs, all of which were checked before the call.
        Err(foreign) => Err(nodes
            .error
            .into_inner()
            .map_or_else(|| ProveError::Library(foreign.to_string()), ProveError::Read)),
    }
}

/// The library numbers nodes in the order in which they are completed, and its errors have no room
/// for ours.
struct Nodes<'a, R: NodeReader> {
    reader: &'a R,
    error: RefCell<Option<R::Error>>,
}

impl<R: NodeReader> HashReader for Nodes<'_, R> {
    fn read_hashes(&self, indexes: &[u64]) -> Result<Vec<ForeignHash>, ForeignError> {
        let read = |place: &u64| {
            let (level, index) = tlog_tiles::split_stored_hash_index(*place);
            self.reader.node(level, index).map(|hash| hash.foreign()).map_err(|error| {
                *self.error.borrow_mut() = Some(error);
                ForeignError::IndexesNotInTree
            })
        };
        indexes.iter().map(read).collect()
    }
}

/// Why no proof was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProveError<E> {
    /// A larger tree than any that is made here.
    #[error("tree of {got} leaves, at most {max}")]
    TooLarge {
        /// Leaves asked for.
        got: u64,
        /// [`SIZE_MAX`].
        max: u64,
    },
    /// There is no such proof.
    #[error(transparent)]
    Input(ProofError),
    /// A node could not be read.
    #[error("a node of the tree could not be read: {0}")]
    Read(E),
    /// A bug here or in `tlog_tiles`.
    #[error("the Merkle library refused inputs that had been checked: {0}")]
    Library(String),
}
