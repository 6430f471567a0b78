//! The chain: each entry's hash covers the one before it.

use raft::eraftpb::{Entry, EntryType};
use sha2::{Digest, Sha256};

use crate::seal::ChainHash;

const CHAIN_LABEL: &[u8] = b"strongroom/replica/chain/v1";
const GENESIS_LABEL: &[u8] = b"strongroom/replica/genesis/v1";
const SALT_LABEL: &[u8] = b"strongroom/replica/salt-digest/v1";

/// Length of a salt.
pub(crate) const SALT: usize = 32;

/// What an entry is to us.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[repr(u8)]
pub(crate) enum EntryKind {
    /// A new leader's first entry, or a change that was refused.
    Empty = 0,
    /// A payload and a salt.
    Payload = 1,
    /// A change of the configuration, in our encoding.
    Change = 2,
}

/// An entry's kind, its bytes, and the digest of its salt. The salt itself stays out, so that the chain can still be
/// checked when the salt is erased.
pub(crate) fn parts(entry: &Entry) -> (EntryKind, &[u8], ChainHash) {
    match entry.entry_type {
        EntryType::EntryNormal if entry.context.len() == SALT => {
            (EntryKind::Payload, &entry.data, salt_digest(&entry.context))
        }
        EntryType::EntryNormal => (EntryKind::Empty, &[], [0; 32]),
        _ => (EntryKind::Change, &entry.context, [0; 32]),
    }
}

pub(crate) fn salt_digest(salt: &[u8]) -> ChainHash {
    Sha256::new().chain_update(SALT_LABEL).chain_update(salt).finalize().into()
}

/// The hash after `entry`.
pub(crate) fn extend(before: &ChainHash, entry: &Entry) -> ChainHash {
    let (kind, bytes, salt) = parts(entry);
    extend_parts(before, entry.index, entry.term, kind, bytes, &salt)
}

pub(crate) fn extend_parts(
    before: &ChainHash,
    index: u64,
    term: u64,
    kind: EntryKind,
    bytes: &[u8],
    salt: &ChainHash,
) -> ChainHash {
    Sha256::new()
        .chain_update(CHAIN_LABEL)
        .chain_update(before)
        .chain_update(index.to_be_bytes())
        .chain_update(term.to_be_bytes())
        .chain_update([kind as u8])
        .chain_update((bytes.len() as u64).to_be_bytes())
        .chain_update(bytes)
        .chain_update(salt)
        .finalize()
        .into()
}

/// The hash at the synthetic entry that every fleet begins with.
pub(crate) fn genesis(fleet: &str) -> ChainHash {
    Sha256::new().chain_update(GENESIS_LABEL).chain_update(fleet.as_bytes()).finalize().into()
}
