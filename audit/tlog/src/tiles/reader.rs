//! Reading a log from somebody who is not believed: every hash and entry that comes out leads to
//! the root that went in.
//!
//! The attack that this answers: a mirror that serves the right edge of the tree truthfully, so that
//! the root agrees, and one old tile or bundle of its own making. `tlog_tiles` has a reader for
//! this, `TileHashReader`; in 0.2.0 it counts the *nodes* of the right edge where it must count
//! their tiles, and leaves as many further tiles unchecked as it counted too many.

use super::{
    bundle::{BundleError, decode_bundle},
    path::{Tile, TileKind, WIDTH},
};
use crate::{
    hash::{Hash, TreeHead, leaf_hash},
    merkle::{Frontier, NodeReader, SIZE_MAX, root},
};
use core::cell::RefCell;
use std::collections::BTreeMap;

/// Tiles that a reader keeps: 8 KiB each.
const CACHED_TILES_MAX: usize = 1_024;

/// Where files come from: a folder, a mirror, a map in a test.
pub trait TileSource {
    /// Why a file cannot be had.
    type Error: core::fmt::Display;

    /// The file at `path` below the log's prefix, of at most `len_max` bytes.
    ///
    /// # Errors
    /// What the source says; a longer file is one, and is not read.
    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, Self::Error>;
}

impl<S: TileSource + ?Sized> TileSource for &S {
    type Error = S::Error;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, S::Error> {
        (**self).read(path, len_max)
    }
}

/// An entry and the tree's hash of it.
pub type HashedEntry = (Vec<u8>, Hash);

/// A log at one size, read through a source and authenticated by its root.
///
/// As a [`NodeReader`] it makes proofs.
#[derive(Debug)]
pub struct VerifiedTiles<S> {
    source: S,
    head: TreeHead,
    /// The partial tile of each level, which together make the root; empty where there is none.
    edge: Vec<Vec<Hash>>,
    /// Full tiles that led to the root.
    verified: RefCell<BTreeMap<(u8, u64), Vec<Hash>>>,
}

impl<S: TileSource> VerifiedTiles<S> {
    /// Reads the right edge of the tree, and refuses it unless it makes the root.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn open(source: S, head: TreeHead) -> Result<Self, TileError<S::Error>> {
        let size = head.size;
        if size > SIZE_MAX {
            return Err(TileError::TooLarge { got: size, max: SIZE_MAX });
        }
        let mut edge = Vec::new();
        for level in 0.. {
            // `SIZE_MAX` keeps the shift below 64.
            let complete = size >> (8 * level);
            if complete == 0 {
                break;
            }
            let (index, width) =
                (complete / u64::from(WIDTH), (complete % u64::from(WIDTH)) as u16);
            edge.push(match Tile::new(TileKind::Hashes { level }, index, width) {
                Ok(tile) => read_hashes(&source, tile)?,
                // No partial tile at this level: all its tiles are full.
                Err(_) => Vec::new(),
            });
        }
        let tiles = Self { source, head, edge, verified: RefCell::default() };
        let got = root(&Edge(&tiles.edge), size).map_err(|_| TileError::Beyond { size })?;
        if got == head.root { Ok(tiles) } else { Err(TileError::Root { got, expected: head }) }
    }

    /// Where the files come from.
    pub const fn source(&self) -> &S {
        &self.source
    }

    /// The tree that is read.
    pub const fn head(&self) -> TreeHead {
        self.head
    }

    /// All entries of one bundle, authentic.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn bundle(&self, index: u64) -> Result<Vec<Vec<u8>>, TileError<S::Error>> {
        let hashed = self.hashed_bundle(index)?;
        Ok(hashed.into_iter().map(|(entry, _)| entry).collect())
    }

    /// The same with the tree's hash of each entry, for whoever would compute it again.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn hashed_bundle(&self, index: u64) -> Result<Vec<HashedEntry>, TileError<S::Error>> {
        let first = index.checked_mul(u64::from(WIDTH)).filter(|first| *first < self.head.size);
        let first = first.ok_or(TileError::Beyond { size: self.head.size })?;
        let width = (self.head.size - first).min(u64::from(WIDTH)) as u16;
        let tile = Tile::new(TileKind::Entries, index, width)
            .map_err(|_| TileError::Beyond { size: self.head.size })?;
        let (path, bytes) = read_tile(&self.source, tile)?;
        let entries = decode(&path, &bytes, tile)?;
        let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
        let got = root_of(hashes.iter().copied());
        // A full bundle is one node of the level above, so its tile of leaf hashes is not needed.
        let expected = if tile.is_full() {
            self.node(8, index)?
        } else {
            root_of(self.edge.first().into_iter().flatten().copied())
        };
        if got != expected {
            return Err(TileError::Inconsistent { path, got, expected });
        }
        Ok(entries.into_iter().map(<[u8]>::to_vec).zip(hashes).collect())
    }

    /// One entry, authentic.
    ///
    /// # Errors
    /// [`TileError`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, TileError<S::Error>> {
        let beyond = TileError::Beyond { size: self.head.size };
        if index >= self.head.size {
            return Err(beyond);
        }
        let bundle = self.bundle(index / u64::from(WIDTH))?;
        bundle.into_iter().nth((index % u64::from(WIDTH)) as usize).ok_or(beyond)
    }

    /// The entries from `from` on, in their order; each is authentic when it comes out. From 0, the
    /// root is in the end made again from the entries alone and compared.
    pub fn entries(&self, from: u64) -> Entries<'_, S> {
        let seen = (from == 0).then(Frontier::default);
        Entries { tiles: self, next: from, bundle: Vec::new().into_iter(), seen, over: false }
    }

    fn hashes_of(&self, level: u8, index: u64) -> Result<Vec<Hash>, TileError<S::Error>> {
        let complete = self.head.size.checked_shr(8 * u32::from(level)).unwrap_or(0);
        if index == complete / u64::from(WIDTH) {
            return Ok(self.edge.get(usize::from(level)).cloned().unwrap_or_default());
        }
        if let Some(known) = self.verified.borrow().get(&(level, index)) {
            return Ok(known.clone());
        }
        let tile = Tile::new(TileKind::Hashes { level }, index, WIDTH)
            .map_err(|_| TileError::Beyond { size: self.head.size })?;
        let hashes = read_hashes(&self.source, tile)?;
        // Not before its parent is: a tile is as authentic as the node that it hangs from.
        let expected = self.node(8 * (level + 1), index)?;
        let got = root_of(hashes.iter().copied());
        if got != expected {
            return Err(TileError::Inconsistent { path: tile.path(), got, expected });
        }
        let mut verified = self.verified.borrow_mut();
        if verified.len() >= CACHED_TILES_MAX {
            verified.clear();
        }
        verified.insert((level, index), hashes.clone());
        Ok(hashes)
    }
}

impl<S: TileSource> NodeReader for VerifiedTiles<S> {
    type Error = TileError<S::Error>;

    fn node(&self, level: u8, index: u64) -> Result<Hash, Self::Error> {
        let beyond = TileError::Beyond { size: self.head.size };
        // In 128 bits, and saturating: level and index may come from anywhere.
        let span = 1_u128.checked_shl(u32::from(level)).unwrap_or(u128::MAX);
        let end = (u128::from(index) + 1).saturating_mul(span);
        if end > u128::from(self.head.size) {
            return Err(beyond);
        }
        let (tile_level, within) = (level / 8, level % 8);
        let first = index << within;
        let hashes = self.hashes_of(tile_level, first / u64::from(WIDTH))?;
        node_within(&hashes, within, first).ok_or(beyond)
    }
}

/// The root of the 2^`within` hashes from the place of `first` in a tile.
fn node_within(hashes: &[Hash], within: u8, first: u64) -> Option<Hash> {
    let start = (first % u64::from(WIDTH)) as usize;
    let part = hashes.get(start..start + (1 << within))?;
    Some(root_of(part.iter().copied()))
}

fn root_of(hashes: impl Iterator<Item = Hash>) -> Hash {
    hashes.collect::<Frontier>().head().root
}

/// The partial tiles alone: enough for the root, and for nothing else.
struct Edge<'a>(&'a [Vec<Hash>]);

impl NodeReader for Edge<'_> {
    type Error = ();

    fn node(&self, level: u8, index: u64) -> Result<Hash, ()> {
        let (tile_level, within) = (level / 8, level % 8);
        let hashes = self.0.get(usize::from(tile_level)).ok_or(())?;
        node_within(hashes, within, index << within).ok_or(())
    }
}

/// The tile's bytes, and the path at which they were found.
fn read_tile<S: TileSource>(
    source: &S,
    tile: Tile,
) -> Result<(String, Vec<u8>), TileError<S::Error>> {
    let (path, full) = (tile.path(), tile.full());
    let error = match source.read(&path, tile.len_max()) {
        Ok(bytes) => return Ok((path, bytes)),
        Err(error) => error,
    };
    // A log may delete a partial tile once it is full.
    if !tile.is_full()
        && let Ok(bytes) = source.read(&full.path(), full.len_max())
    {
        return Ok((full.path(), bytes));
    }
    Err(TileError::Source { path, error })
}

fn read_hashes<S: TileSource>(source: &S, tile: Tile) -> Result<Vec<Hash>, TileError<S::Error>> {
    let (path, bytes) = read_tile(source, tile)?;
    let expected = if path == tile.path() { tile.len_max() } else { tile.full().len_max() };
    if bytes.len() != expected {
        return Err(TileError::Length { path, got: bytes.len(), expected });
    }
    let (hashes, _) = bytes.as_chunks::<32>();
    Ok(hashes.iter().take(usize::from(tile.width())).map(|hash| Hash(*hash)).collect())
}

fn decode<'a, E>(path: &str, bytes: &'a [u8], tile: Tile) -> Result<Vec<&'a [u8]>, TileError<E>> {
    let width = if path == tile.path() { tile.width() } else { WIDTH };
    let mut entries = decode_bundle(bytes, width)
        .map_err(|error| TileError::Bundle { path: path.to_owned(), error })?;
    entries.truncate(usize::from(tile.width()));
    Ok(entries)
}

/// The entries of a log; see [`VerifiedTiles::entries`].
pub struct Entries<'a, S> {
    tiles: &'a VerifiedTiles<S>,
    next: u64,
    bundle: std::vec::IntoIter<Vec<u8>>,
    /// The tree of all that came out so far.
    seen: Option<Frontier>,
    over: bool,
}

impl<S: TileSource> Iterator for Entries<'_, S> {
    type Item = Result<(u64, Vec<u8>), TileError<S::Error>>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.over {
            return None;
        }
        if self.next >= self.tiles.head.size {
            self.over = true;
            let (got, expected) = (self.seen.take()?.head(), self.tiles.head);
            return (got != expected).then(|| Err(TileError::Root { got: got.root, expected }));
        }
        if self.bundle.len() == 0 {
            let width = u64::from(WIDTH);
            match self.tiles.bundle(self.next / width) {
                Ok(entries) => self.bundle = entries.into_iter(),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
            for _ in 0..self.next % width {
                self.bundle.next();
            }
        }
        let entry = self.bundle.next()?;
        if let Some(seen) = &mut self.seen {
            seen.push(leaf_hash(&entry));
        }
        let index = self.next;
        self.next += 1;
        Some(Ok((index, entry)))
    }
}

/// Why a log could not be read, or was caught.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TileError<E> {
    // --- nothing is said of the log ---
    /// The source does not have the file, or not now.
    #[error("{path} could not be read: {error}")]
    Source {
        /// Where it should be.
        path: String,
        /// What the source says.
        error: E,
    },
    /// A node or entry that the tree does not have.
    #[error("beyond the {size} leaves of this tree")]
    Beyond {
        /// The tree's size.
        size: u64,
    },
    /// A larger tree than any that is read here.
    #[error("tree of {got} leaves, at most {max}")]
    TooLarge {
        /// Leaves claimed.
        got: u64,
        /// The most.
        max: u64,
    },

    // --- the source lies, or keeps damaged files ---
    /// A tile of another length than its path says.
    #[error("{path}: {got} bytes, expected {expected}")]
    Length {
        /// The file.
        path: String,
        /// Bytes found.
        got: usize,
        /// Bytes that its width demands.
        expected: usize,
    },
    /// Not a bundle.
    #[error("{path}: {error}")]
    Bundle {
        /// The file.
        path: String,
        /// Why not.
        error: BundleError,
    },
    /// The right edge, or all entries, make another root than the checkpoint's.
    #[error("the tiles make the root {got}, the checkpoint of {} leaves says {}", expected.size, expected.root)]
    Root {
        /// Root of what was read.
        got: Hash,
        /// Size and root expected.
        expected: TreeHead,
    },
    /// A full tile or bundle that does not hang from its parent.
    #[error("{path}: its hashes make {got}, the tile above says {expected}")]
    Inconsistent {
        /// The file.
        path: String,
        /// Root of what was read.
        got: Hash,
        /// The authentic node.
        expected: Hash,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Nothing;

    impl TileSource for Nothing {
        type Error = &'static str;

        fn read(&self, _: &str, _: usize) -> Result<Vec<u8>, &'static str> {
            Err("nothing")
        }
    }

    /// Bundles are checked one by one, so that only a bug here could make the two roots differ.
    #[test]
    fn entries_end_with_a_comparison_of_roots() {
        let tiles = VerifiedTiles::open(Nothing, TreeHead::EMPTY).expect("opens");
        let mut entries = tiles.entries(0);
        let seen = entries.seen.as_mut().expect("from 0");
        seen.push(leaf_hash(b"one too many"));
        assert!(matches!(entries.next(), Some(Err(TileError::Root { .. }))));
        assert!(entries.next().is_none());
    }
}
