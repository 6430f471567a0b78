//! A log of tiles in a folder, which signs nothing that is not on the disk.

use crate::folder::{Folder, FolderError};
use std::sync::Arc;
use strongroom_tlog::{
    Checkpoint, CheckpointError, Hash, LogKey, LogSigner, Note, NoteError, NoteSigner, SignError,
    SignedCheckpoint, TreeHead, caps, leaf_hash, merkle,
    merkle::{NodeReader as _, Tree},
    tiles::{
        BundleError, Tile, TileError, TileKind, VerifiedTiles, WIDTH, decode_bundle, encode_bundle,
        written,
    },
};

/// The checkpoint that the log signed last, whether witnesses have seen it or not.
const SIGNED: &str = "signed";
/// The checkpoint that is served: cosigned by a quorum.
const CHECKPOINT: &str = "checkpoint";

/// Lengths of entries have 16 bits.
const ENTRY_LEN_MAX: usize = 65_535;

/// One log.
#[derive(Debug)]
pub struct Log<S> {
    folder: Arc<Folder>,
    signer: LogSigner<S>,
    tree: Tree,
    signed: SignedCheckpoint,
    /// Set while files are written: after an error nobody knows which of them are there.
    unsure: bool,
}

impl<S: NoteSigner> Log<S> {
    /// Opens the log in a folder: reads all of it and makes its root again, so that a tile that rotted
    /// or was put back is found before anything is signed. An empty folder begins a log.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn open(folder: Arc<Folder>, signer: LogSigner<S>) -> Result<Self, LogError> {
        let Some(note) = folder.read(SIGNED, caps::NOTE_LEN_MAX)? else {
            let tree = Tree::default();
            let signed = sign(&folder, &signer, tree.head())?;
            return Ok(Self { folder, signer, tree, signed, unsure: false });
        };
        let signed = SignedCheckpoint::verify(Note::parse(&note)?, signer.key())?;
        let head = signed.checkpoint().head();
        let mut tree = Tree::default();
        if head.size > 0 {
            let tiles = VerifiedTiles::open(&*folder, head)?;
            for entry in tiles.entries(0) {
                tree.push(leaf_hash(&entry?.1));
            }
        }
        if tree.head() != head {
            return Err(LogError::Root { got: tree.head(), expected: head });
        }
        Ok(Self { folder, signer, tree, signed, unsure: false })
    }

    /// Appends entries, all of them or none, and signs the new head.
    ///
    /// A crash before the new checkpoint is written leaves tiles beyond the size that was signed.
    /// Nobody vouched for them; the next append writes over them.
    ///
    /// # Errors
    /// [`LogError`]. After one, the log takes nothing more until it is opened again: a disk that
    /// failed to sync may hold the new checkpoint or not, and another tree of that size must not be
    /// signed before that is known.
    pub fn append(&mut self, entries: &[Vec<u8>]) -> Result<&SignedCheckpoint, LogError> {
        if let Some(got) = entries.iter().map(Vec::len).find(|len| *len > ENTRY_LEN_MAX) {
            return Err(LogError::EntryTooLong { got, cap: ENTRY_LEN_MAX });
        }
        if core::mem::replace(&mut self.unsure, true) {
            return Err(LogError::Unsure);
        }
        let mut tree = self.tree.clone();
        entries.iter().for_each(|entry| tree.push(leaf_hash(entry)));
        let (old, new) = (self.tree.size(), tree.size());
        let grown = written(old, new).map_err(|_| LogError::TooLarge { size: new })?;
        for tile in grown {
            let bytes = match tile.kind() {
                TileKind::Entries => self.bundle(tile, old, entries)?,
                TileKind::Hashes { .. } => {
                    tile.hashes(&tree).map_err(|_| LogError::TooLarge { size: new })?
                }
            };
            self.folder.write(&tile.path(), &bytes)?;
        }
        // Entries and tiles are on the disk; only now is anything signed over them.
        let signed = sign(&self.folder, &self.signer, tree.head())?;
        (self.tree, self.signed, self.unsure) = (tree, signed, false);
        Ok(&self.signed)
    }

    /// Publishes the signed checkpoint with its cosignatures: what everybody reads.
    ///
    /// # Errors
    /// [`LogError::NotLast`] for another checkpoint than the last signed.
    pub fn publish(&self, cosigned: &SignedCheckpoint) -> Result<(), LogError> {
        if cosigned.checkpoint() != self.signed.checkpoint() {
            let (got, expected) = (cosigned.checkpoint().size(), self.tree.size());
            return Err(LogError::NotLast { got, expected });
        }
        Ok(self.folder.write(CHECKPOINT, &cosigned.to_bytes())?)
    }

    /// The checkpoint that is served, if one is.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn published(&self) -> Result<Option<SignedCheckpoint>, LogError> {
        let Some(note) = self.folder.read(CHECKPOINT, caps::NOTE_LEN_MAX)? else {
            return Ok(None);
        };
        Ok(Some(SignedCheckpoint::verify(Note::parse(&note)?, self.signer.key())?))
    }

    /// The last checkpoint that the log signed.
    pub const fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// Size and root.
    pub fn head(&self) -> TreeHead {
        self.signed.checkpoint().head()
    }

    /// Whose signature it bears.
    pub fn key(&self) -> &LogKey {
        self.signer.key()
    }

    /// Its name, and the name of its key.
    pub fn origin(&self) -> &str {
        self.signer.key().name()
    }

    /// Where it lies.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// An entry.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, LogError> {
        Ok(VerifiedTiles::open(&*self.folder, self.head())?.entry(index)?)
    }

    /// All entries, with their indexes.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn entries(&self) -> Result<Vec<(u64, Vec<u8>)>, LogError> {
        if self.head().size == 0 {
            return Ok(Vec::new());
        }
        let tiles = VerifiedTiles::open(&*self.folder, self.head())?;
        Ok(tiles.entries(0).collect::<Result<_, _>>()?)
    }

    /// A tile or bundle as it is served: what the tree in memory says that it is, or nothing. Disks rot
    /// while a log is open, too, and caches would keep what was served.
    ///
    /// # Errors
    /// [`LogError::Rotten`].
    pub fn file(&self, tile: Tile) -> Result<Option<Vec<u8>>, LogError> {
        if !self.has(tile) {
            return Ok(None);
        }
        let path = tile.path();
        let Some(bytes) = self.folder.read(&path, tile.len_max())? else { return Ok(None) };
        let good = match tile.kind() {
            TileKind::Hashes { .. } => tile.hashes(&self.tree).is_ok_and(|made| made == bytes),
            TileKind::Entries => decode_bundle(&bytes, tile.width()).is_ok_and(|entries| {
                let hash = |at: u64| self.tree.node(0, at).ok();
                let mut pairs = tile.items().zip(entries);
                pairs.all(|(at, entry)| hash(at) == Some(leaf_hash(entry)))
            }),
        };
        if good { Ok(Some(bytes)) } else { Err(LogError::Rotten { path }) }
    }

    /// What everybody reads at a path below the log's prefix: its checkpoint, and each file that a quorum
    /// has cosigned. What none has may still change after a crash, and a cache would keep it.
    ///
    /// # Errors
    /// [`LogError`].
    pub fn served(&self, below: &str) -> Result<Option<Served>, LogError> {
        let Some(published) = self.published()? else { return Ok(None) };
        if below == CHECKPOINT {
            return Ok(Some(Served::Checkpoint(published.to_bytes())));
        }
        let size = published.checkpoint().size();
        match Tile::parse(below).ok().filter(|tile| is_within(*tile, size)) {
            Some(tile) => Ok(self.file(tile)?.map(Served::File)),
            None => Ok(None),
        }
    }

    /// Whether the tree is as large as a tile's last item demands.
    fn has(&self, tile: Tile) -> bool {
        let level = match tile.kind() {
            TileKind::Entries => 0,
            TileKind::Hashes { level } => level,
        };
        let complete = self.tree.size() >> (8 * u32::from(level)).min(63);
        tile.items().end <= complete
    }

    /// The path from a leaf to the root of the first `size` leaves. What is published may be shorter than
    /// the log: a leaf that waits for witnesses is in no published root.
    ///
    /// # Errors
    /// [`LogError::Beyond`].
    pub fn inclusion(&self, index: u64, size: u64) -> Result<Vec<Hash>, LogError> {
        let beyond = |got, size| LogError::Beyond { got, size };
        if size > self.tree.size() {
            return Err(beyond(size, self.tree.size()));
        }
        merkle::prove_inclusion(&self.tree, index, size).map_err(|_| beyond(index, size))
    }

    /// The proof that the tree begins with its first `old` leaves.
    ///
    /// # Errors
    /// [`LogError::Beyond`].
    pub fn consistency(&self, old: u64) -> Result<Vec<Hash>, LogError> {
        let size = self.tree.size();
        merkle::prove_consistency(&self.tree, old, size)
            .map_err(|_| LogError::Beyond { got: old, size })
    }

    /// Size and root of the tree when it had so many leaves.
    ///
    /// # Errors
    /// [`LogError::Beyond`].
    pub fn head_at(&self, size: u64) -> Result<TreeHead, LogError> {
        let beyond = LogError::Beyond { got: size, size: self.tree.size() };
        self.tree.head_at(size).map_err(|_| beyond)
    }

    /// The content of a bundle: what was there, and what is added.
    fn bundle(&self, tile: Tile, old: u64, added: &[Vec<u8>]) -> Result<Vec<u8>, LogError> {
        let first = tile.items().start;
        let mut entries: Vec<Vec<u8>> = Vec::new();
        if first < old {
            let tiles = VerifiedTiles::open(&*self.folder, self.head())?;
            entries = tiles.bundle(first / u64::from(WIDTH))?;
        }
        let have = first.saturating_add(entries.len() as u64);
        let skip = usize::try_from(have.saturating_sub(old)).unwrap_or(usize::MAX);
        let missing = usize::from(tile.width()).saturating_sub(entries.len());
        entries.extend(added.iter().skip(skip).take(missing).cloned());
        Ok(encode_bundle(&entries)?)
    }
}

/// One file of a log, as everybody reads it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Served {
    /// The checkpoint: another one each time that the log grows or is cosigned.
    Checkpoint(Vec<u8>),
    /// A tile or bundle, which never changes.
    File(Vec<u8>),
}

/// Whether a tile ends within so many leaves.
pub(crate) fn is_within(tile: Tile, size: u64) -> bool {
    end_of(tile).is_some_and(|end| end <= size)
}

/// Leaves up to the end of a tile; none for more than a number holds.
fn end_of(tile: Tile) -> Option<u64> {
    let nodes = tile.index().checked_mul(u64::from(WIDTH))?.checked_add(tile.width().into())?;
    match tile.kind() {
        TileKind::Entries => Some(nodes),
        TileKind::Hashes { level } => {
            nodes.checked_mul(1_u64.checked_shl(u32::from(level).checked_mul(8)?)?)
        }
    }
}

fn sign<S: NoteSigner>(
    folder: &Folder,
    signer: &LogSigner<S>,
    head: TreeHead,
) -> Result<SignedCheckpoint, LogError> {
    let checkpoint = Checkpoint::new(signer.key().name(), head.size, head.root)?;
    let signed = SignedCheckpoint::sign(checkpoint, signer)?;
    // A crash before this is written forgets a signature that nobody has seen. After it, the log has
    // signed this tree, and says so at every start.
    folder.write(SIGNED, &signed.to_bytes())?;
    Ok(signed)
}

/// Why a log did not open, grow or answer.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// A tile or bundle is missing or is not what was signed.
    #[error("the log's files are damaged: {0}")]
    Tiles(#[from] TileError<FolderError>),
    /// Its checkpoint does not read.
    #[error("the log's checkpoint: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// Its checkpoint is no note.
    #[error("the log's checkpoint: {0}")]
    Note(#[from] NoteError),
    /// The signer.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// An entry that no bundle holds.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// The entries make another root.
    #[error("the log's entries make {got:?}, signed was {expected:?}")]
    Root {
        /// Made of the entries.
        got: TreeHead,
        /// Signed.
        expected: TreeHead,
    },
    /// A file that is served is not what was written.
    #[error(
        "{path} on the disk is not what was signed; put back a good disk, or copy it from a mirror"
    )]
    Rotten {
        /// Below the folder.
        path: String,
    },
    /// An append failed before.
    #[error("an append failed before; open the log again, which reads what is on the disk")]
    Unsure,
    /// A checkpoint that the log has moved on from, or never signed.
    #[error("checkpoint of size {got}, the log has signed {expected}")]
    NotLast {
        /// Given.
        got: u64,
        /// The log's.
        expected: u64,
    },
    /// Not so many leaves.
    #[error("leaf or size {got} of a log with {size} leaves")]
    Beyond {
        /// Asked for.
        got: u64,
        /// There are.
        size: u64,
    },
    /// An entry whose length no bundle can say.
    #[error("an entry of {got} bytes, at most {cap}")]
    EntryTooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// More leaves than a log can have.
    #[error("a log of {size} leaves")]
    TooLarge {
        /// Leaves.
        size: u64,
    },
}
