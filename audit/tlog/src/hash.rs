//! SHA-256 as RFC 6962 §2.1 applies it: leaves and nodes can not pass for one another.

use crate::lines;
use core::fmt;

/// A leaf hash, a node hash or a root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The root of the tree without leaves: SHA-256 of nothing.
pub const EMPTY_ROOT: Hash = Hash(tlog_tiles::EMPTY_HASH.0);

/// A tree by its number of leaves and its root.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TreeHead {
    /// Number of leaves.
    pub size: u64,
    /// Root over exactly that many leaves.
    pub root: Hash,
}

impl TreeHead {
    /// The tree without leaves, with which every log begins.
    pub const EMPTY: Self = Self { size: 0, root: EMPTY_ROOT };
}

/// SHA-256(0x00 ‖ entry).
pub fn leaf_hash(entry: &[u8]) -> Hash {
    Hash(tlog_tiles::record_hash(entry).0)
}

/// SHA-256(0x01 ‖ left ‖ right).
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Hash(tlog_tiles::node_hash(left.foreign(), right.foreign()).0)
}

impl Hash {
    /// The one base64 form of 32 bytes (RFC 4648 §4, padded), or nothing.
    pub fn from_base64(text: &str) -> Option<Self> {
        lines::base64_bytes(text)?.try_into().ok().map(Self)
    }

    pub(crate) const fn foreign(&self) -> tlog_tiles::Hash {
        tlog_tiles::Hash(self.0)
    }
}

/// Base64, as checkpoints and proofs print it.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&lines::base64(&self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
