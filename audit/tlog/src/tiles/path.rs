//! Names of tiles: `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`.

use crate::{
    caps::ENTRY_LEN_MAX,
    hash::Hash,
    lines,
    merkle::{NodeReader, SIZE_MAX},
};
use core::ops::Range;

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u16 = 256;

/// One hash at level 7 spans 2^56 leaves; no 64-bit size has one at level 8.
const LEVEL_MAX: u8 = 7;

/// The last tile of the largest tree.
const INDEX_MAX: u64 = SIZE_MAX / WIDTH as u64;

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum TileKind {
    /// Entries, each behind its length.
    Entries,
    /// Roots of subtrees of 256^level leaves.
    Hashes {
        /// 0 to 7.
        level: u8,
    },
}

/// One file of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tile {
    kind: TileKind,
    index: u64,
    width: u16,
}

impl Tile {
    /// The tile `index` of its kind with its first `width` items.
    ///
    /// # Errors
    /// [`PathError`] for a level above 7, an index that no tree of [`SIZE_MAX`] leaves has, and a
    /// width that is not 1 to 256.
    pub fn new(kind: TileKind, index: u64, width: u16) -> Result<Self, PathError> {
        match kind {
            TileKind::Hashes { level } if level > LEVEL_MAX => {
                Err(PathError::Level { got: level.to_string() })
            }
            _ if index > INDEX_MAX => Err(PathError::Index { got: index }),
            _ if !(1..=WIDTH).contains(&width) => Err(PathError::Width { got: width.to_string() }),
            _ => Ok(Self { kind, index, width }),
        }
    }

    /// Reads a path, relative to the log's prefix.
    ///
    /// # Errors
    /// [`PathError`].
    pub fn parse(path: &str) -> Result<Self, PathError> {
        let malformed = || PathError::Malformed { got: path.chars().take(80).collect() };
        let rest = path.strip_prefix("tile/").ok_or_else(malformed)?;
        let (kind, rest) = rest.split_once('/').ok_or_else(malformed)?;
        let kind = if kind == "entries" {
            TileKind::Entries
        } else {
            let level = lines::decimal(kind).and_then(|level| u8::try_from(level).ok());
            TileKind::Hashes { level: level.ok_or_else(malformed)? }
        };
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => {
                let width = lines::decimal(width).and_then(|width| u16::try_from(width).ok());
                (number, width.ok_or_else(malformed)?)
            }
            None => (rest, WIDTH),
        };
        let tile = Self::new(kind, parse_index(number).ok_or_else(malformed)?, width)?;
        // A full tile with a suffix, a group of two digits: they print otherwise.
        if tile.path() == path { Ok(tile) } else { Err(malformed()) }
    }

    /// The path, relative to the log's prefix.
    pub fn path(&self) -> String {
        let kind = match self.kind {
            TileKind::Entries => "entries".to_owned(),
            TileKind::Hashes { level } => level.to_string(),
        };
        let mut number = format!("{:03}", self.index % 1_000);
        let mut rest = self.index / 1_000;
        while rest > 0 {
            number = format!("x{:03}/{number}", rest % 1_000);
            rest /= 1_000;
        }
        let suffix = if self.is_full() { String::new() } else { format!(".p/{}", self.width) };
        format!("tile/{kind}/{number}{suffix}")
    }

    /// What it holds.
    pub const fn kind(&self) -> TileKind {
        self.kind
    }

    /// Its place among its kind, from 0.
    pub const fn index(&self) -> u64 {
        self.index
    }

    /// How many hashes or entries it has, 1 to 256.
    pub const fn width(&self) -> u16 {
        self.width
    }

    /// True when nothing will ever be added.
    pub const fn is_full(&self) -> bool {
        self.width == WIDTH
    }

    /// The same tile when it is full.
    #[must_use]
    pub const fn full(self) -> Self {
        Self { width: WIDTH, ..self }
    }

    /// Bytes that the file has at most; a reader refuses what is longer before it reads it.
    pub const fn len_max(&self) -> usize {
        match self.kind {
            TileKind::Entries => self.width as usize * (2 + ENTRY_LEN_MAX),
            TileKind::Hashes { .. } => self.width as usize * 32,
        }
    }

    /// Places of its items among those of its kind: of entries in the log, of hashes in their
    /// level.
    pub const fn items(&self) -> Range<u64> {
        // `INDEX_MAX` keeps both below 2^57.
        let first = self.index * WIDTH as u64;
        first..first + self.width as u64
    }

    /// The bytes of a tile of hashes, from the stored nodes of a tree that has all of them.
    ///
    /// # Errors
    /// [`ContentError`].
    pub fn hashes<R: NodeReader>(&self, reader: &R) -> Result<Vec<u8>, ContentError<R::Error>> {
        let TileKind::Hashes { level } = self.kind else { return Err(ContentError::Bundle) };
        let mut bytes = Vec::with_capacity(self.len_max());
        for index in self.items() {
            let Hash(hash) = reader.node(level * 8, index).map_err(ContentError::Read)?;
            bytes.extend_from_slice(&hash);
        }
        Ok(bytes)
    }
}

/// Groups of three digits, all but the last behind an `x`. Takes other forms of a group too, which
/// do not print alike.
fn parse_index(text: &str) -> Option<u64> {
    let mut index = 0_u64;
    let mut groups = text.split('/').peekable();
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        index = index.checked_mul(1_000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(index)
}

/// Why a tile has no content.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ContentError<E> {
    /// A bundle holds entries, and no tree knows those.
    #[error("a bundle holds entries, not hashes")]
    Bundle,
    /// A node could not be read.
    #[error("a node of the tree could not be read: {0}")]
    Read(E),
}

/// Why a path names no tile.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Not in the one form that a tile's path has.
    #[error("{got:?} names no tile; expected tile/<level or entries>/<x000/…/000>[.p/<width>]")]
    Malformed {
        /// The path, cut to 80 characters.
        got: String,
    },
    /// A level that no tree has.
    #[error("tile of level {got}, at most 7")]
    Level {
        /// The level.
        got: String,
    },
    /// A tile behind the last of the largest tree.
    #[error("tile {got} of its kind, at most {INDEX_MAX}")]
    Index {
        /// The index.
        got: u64,
    },
    /// A tile without items, or with too many.
    #[error("tile of width {got}, expected 1 to 256")]
    Width {
        /// The width.
        got: String,
    },
}
