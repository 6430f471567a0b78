//! Trees in memory: whole, or the right edge only.

use super::prove::{self, NodeReader, ProveError};
use crate::hash::{EMPTY_ROOT, Hash, TreeHead, node_hash};

/// A tree that grows leaf by leaf and remembers the nodes on its right edge only.
#[derive(Debug, Clone, Default)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, one for each bit of the size, the largest first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        // As a binary counter carries: each trailing one is a subtree that this leaf completes.
        let mut node = leaf;
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                node = node_hash(&left, &node);
            }
        }
        self.peaks.push(node);
        self.size = self.size.saturating_add(1);
    }

    /// Size and root so far.
    pub fn head(&self) -> TreeHead {
        let mut right_to_left = self.peaks.iter().rev();
        let first = right_to_left.next().copied().unwrap_or(EMPTY_ROOT);
        let root = right_to_left.fold(first, |right, left| node_hash(left, &right));
        TreeHead { size: self.size, root }
    }
}

impl FromIterator<Hash> for Frontier {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut frontier = Self::default();
        leaves.into_iter().for_each(|leaf| frontier.push(leaf));
        frontier
    }
}

/// Every node of a tree that fits into memory: 64 bytes a leaf.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    /// For each level, the roots of its complete subtrees from the left.
    levels: Vec<Vec<Hash>>,
}

impl Tree {
    /// Adds a leaf.
    pub fn push(&mut self, leaf: Hash) {
        let mut node = leaf;
        for level in 0.. {
            if self.levels.len() <= level {
                self.levels.push(Vec::new());
            }
            let Some(nodes) = self.levels.get_mut(level) else { return };
            nodes.push(node);
            let (pairs, rest) = nodes.as_chunks::<2>();
            let (Some([left, right]), []) = (pairs.last(), rest) else { return };
            node = node_hash(left, right);
        }
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.levels.first().map_or(0, |leaves| leaves.len() as u64)
    }

    /// Size and root now.
    pub fn head(&self) -> TreeHead {
        let leaves = self.levels.first().map(Vec::as_slice).unwrap_or_default();
        leaves.iter().copied().collect::<Frontier>().head()
    }

    /// Size and root when the tree had `size` leaves.
    ///
    /// # Errors
    /// [`ProveError::Read`] if it never had as many.
    pub fn head_at(&self, size: u64) -> Result<TreeHead, ProveError<NoSuchNode>> {
        Ok(TreeHead { size, root: prove::root(self, size)? })
    }
}

impl FromIterator<Hash> for Tree {
    fn from_iter<I: IntoIterator<Item = Hash>>(leaves: I) -> Self {
        let mut tree = Self::default();
        leaves.into_iter().for_each(|leaf| tree.push(leaf));
        tree
    }
}

impl NodeReader for Tree {
    type Error = NoSuchNode;

    fn node(&self, level: u8, index: u64) -> Result<Hash, NoSuchNode> {
        let nodes = self.levels.get(usize::from(level));
        let at = usize::try_from(index).ok();
        let node = nodes.zip(at).and_then(|(nodes, at)| nodes.get(at));
        node.copied().ok_or(NoSuchNode { level, index })
    }
}

/// The tree is not large enough to have that node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no complete subtree {index} of 2^{level} leaves in this tree")]
pub struct NoSuchNode {
    /// log₂ of the subtree's leaves.
    pub level: u8,
    /// Its place in its level, from 0.
    pub index: u64,
}
