//! Who is meant: nodes, and the processes that speak for them.
//!
//! A *node* is a machine with a key in the manifest. A *replica* is one process that ran on it, once. The two must
//! never be confused: a node may come back, a replica may not, because a restarted process cannot tell its disk from
//! last week's.

use core::fmt;

/// Number of bits of a replica id that belong to the process, not to the node.
const NONCE_BITS: u32 = 56;
/// Largest nonce that fits.
const NONCE_MASK: u64 = (1 << NONCE_BITS) - 1;
/// Largest node number; keeps every replica id below 2^62, the guard's ceiling for numbers.
pub const MAX_NODE: u8 = 62;

/// A node of the manifest, `1..=62`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(u8);

impl NodeId {
    /// `None` unless `1 <= number <= 62`.
    pub const fn new(number: u8) -> Option<Self> {
        if number >= 1 && number <= MAX_NODE { Some(Self(number)) } else { None }
    }

    /// The number that the manifest gives it.
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for NodeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// One vault process: `node << 56 | nonce`. Never given to a second process.
///
/// Nonce 0 is a placeholder that no process has: the seat of a node that nobody has answered for yet. Placeholders
/// vote nowhere, so an absent node counts against the quorum instead of shrinking it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ReplicaId(u64);

impl ReplicaId {
    /// The id of the process of `node` that drew `nonce`; `None` when the nonce is 0 or above 56 bits.
    pub const fn new(node: NodeId, nonce: u64) -> Option<Self> {
        if nonce == 0 || nonce > NONCE_MASK {
            return None;
        }
        Some(Self(((node.0 as u64) << NONCE_BITS) | nonce))
    }

    /// The id of the process of `node` that drew eight bytes of entropy; a nonce of 0 becomes 1.
    pub fn from_entropy(node: NodeId, entropy: [u8; 8]) -> Self {
        let nonce = u64::from_be_bytes(entropy) & NONCE_MASK;
        Self((u64::from(node.0) << NONCE_BITS) | nonce.max(1))
    }

    /// The seat of a node without a process.
    pub const fn placeholder(node: NodeId) -> Self {
        Self((node.0 as u64) << NONCE_BITS)
    }

    /// Reads an id that came from outside; `None` unless its node is `1..=62`.
    pub const fn from_u64(value: u64) -> Option<Self> {
        match NodeId::new((value >> NONCE_BITS) as u8) {
            Some(_) => Some(Self(value)),
            None => None,
        }
    }

    /// The number that the consensus library and the wire use.
    pub const fn as_u64(self) -> u64 {
        self.0
    }

    /// The node that this process speaks for.
    pub const fn node(self) -> NodeId {
        // Every constructor has checked the upper byte.
        NodeId((self.0 >> NONCE_BITS) as u8)
    }

    /// True for the seat that no process has.
    pub const fn is_placeholder(self) -> bool {
        self.0 & NONCE_MASK == 0
    }
}

impl fmt::Display for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:014x}", self.node(), self.0 & NONCE_MASK)
    }
}

impl fmt::Debug for ReplicaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_names_its_node_and_survives_the_wire() {
        let node = NodeId::new(7).unwrap();
        let id = ReplicaId::new(node, 42).unwrap();
        assert_eq!(id.node(), node);
        assert_eq!(ReplicaId::from_u64(id.as_u64()), Some(id));
        assert!(!id.is_placeholder());
        assert!(ReplicaId::placeholder(node).is_placeholder());
    }

    #[test]
    fn impossible_ids_are_refused() {
        let node = NodeId::new(1).unwrap();
        assert_eq!(NodeId::new(0), None);
        assert_eq!(NodeId::new(63), None);
        assert_eq!(ReplicaId::new(node, 0), None);
        assert_eq!(ReplicaId::new(node, 1 << 56), None);
        assert_eq!(ReplicaId::from_u64(5), None);
        assert_eq!(ReplicaId::from_u64(63 << 56), None);
        assert!(!ReplicaId::from_entropy(node, [0; 8]).is_placeholder());
    }
}
