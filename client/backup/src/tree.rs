//! Reading directory trees back, each compared with the hash that names it.

use rustic_core::repofile::{BlobType, Node, Tree};
use rustic_core::{BlobId, Id, IndexedFullStatus, PackedId, Repository as Engine, TreeId};

use crate::error::{Error, Result};
use crate::guard::Guard;

/// An engine that has read the whole index.
pub(crate) type Indexed = Engine<IndexedFullStatus>;

/// Deeper trees than this are refused: no path of Linux has as many directories.
pub(crate) const MAX_DEPTH: usize = 4096;

/// Where a blob lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) pack: Id,
    pub(crate) offset: u32,
    /// Stored bytes.
    pub(crate) length: u32,
    /// Bytes of content.
    pub(crate) content: u32,
}

/// Looks a blob up in the index.
pub(crate) fn place<T: PackedId>(engine: &Indexed, id: &T) -> Option<Place> {
    let entry = engine.get_index_entry(id).ok()?;
    let location = entry.location;
    Some(Place {
        pack: *entry.pack,
        offset: location.offset,
        length: location.length,
        // Uncompressed blobs carry 32 bytes of nonce and tag; shorter ones fail to decrypt.
        content: match location.uncompressed_length {
            Some(length) => length.get(),
            None => location.length.saturating_sub(32),
        },
    })
}

/// Reads, decrypts and verifies a blob.
pub(crate) fn blob(
    engine: &Indexed,
    guard: &Guard,
    kind: BlobType,
    id: &BlobId,
) -> Result<bytes::Bytes> {
    let data = engine.get_blob_cached(id, kind).map_err(|error| {
        guard.take_failure().unwrap_or_else(|| Error::damaged(name(kind, id), error.display_log()))
    })?;
    // Authenticated encryption alone does not stop a store from exchanging two blobs of equal length.
    if !id.blob_matches_reader(data.len() as u64, &mut &data[..]) {
        return Err(Error::damaged(
            name(kind, id),
            "its content does not have the SHA-256 that names it",
        ));
    }
    Ok(data)
}

/// The entries of one directory.
pub(crate) fn nodes(engine: &Indexed, guard: &Guard, id: TreeId) -> Result<Vec<Node>> {
    let blob_id = BlobId::from(id);
    let data = blob(engine, guard, BlobType::Tree, &blob_id)?;
    let tree: Tree = serde_json::from_slice(&data)
        .map_err(|error| Error::damaged(name(BlobType::Tree, &blob_id), error.to_string()))?;
    Ok(tree.nodes)
}

fn name(kind: BlobType, id: &BlobId) -> String {
    let kind = match kind {
        BlobType::Tree => "directory",
        BlobType::Data => "content",
    };
    format!("{kind} {}", &*id.to_hex())
}
