//! The files of a log that a check reads, wherever they came from.

use std::collections::BTreeMap;
use strongroom_tlog::tiles::{Tile, TileKind, TileSource, WIDTH, written};

/// Files by their path below the log's prefix.
#[derive(Debug, Clone, Default)]
pub struct Files(BTreeMap<String, Vec<u8>>);

impl Files {
    /// Adds a file.
    pub fn put(&mut self, path: &str, bytes: Vec<u8>) {
        self.0.insert(path.to_owned(), bytes);
    }
}

/// A file that was not to be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// Nobody brought it.
    #[error("the host did not serve it")]
    Missing,
    /// It is larger than a file of this name can be.
    #[error("{got} bytes, at most {cap}")]
    TooLong {
        /// Bytes brought.
        got: usize,
        /// The cap.
        cap: usize,
    },
}

impl TileSource for Files {
    type Error = Absent;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, Absent> {
        match self.0.get(path) {
            None => Err(Absent::Missing),
            Some(file) if file.len() > len_max => {
                Err(Absent::TooLong { got: file.len(), cap: len_max })
            }
            Some(file) => Ok(file.clone()),
        }
    }
}

/// The files that a check of a log of `size` epochs reads, as far as they are there. None for a size
/// that no log has.
pub fn needed(size: u64) -> Option<Vec<String>> {
    let mut all = Vec::new();
    for tile in written(0, size).ok()? {
        match tile.kind() {
            TileKind::Entries => {
                all.push(tile.path());
                all.push(signatures_path(tile));
            }
            // A full tile of leaf hashes says nothing that its bundle does not.
            TileKind::Hashes { level: 0 } if tile.is_full() => {}
            TileKind::Hashes { .. } => all.push(tile.path()),
        }
    }
    // While the latest epoch waits for its counter-signature, its file is not there; the one before is.
    all.extend(shorter(size).map(signatures_path));
    Some(all)
}

/// The last partial tile, one epoch shorter.
pub(crate) fn shorter(size: u64) -> Option<Tile> {
    let width = u16::try_from(size % u64::from(WIDTH)).ok()?.checked_sub(1)?;
    Tile::new(TileKind::Entries, size / u64::from(WIDTH), width).ok()
}

/// `signatures/<N>[.p/<W>]`, with `<N>` and `<W>` as in tile paths (spec §21.8).
pub(crate) fn signatures_path(tile: Tile) -> String {
    tile.path().replacen("tile/entries/", "signatures/", 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(size: u64) -> Vec<String> {
        needed(size).expect("a size")
    }

    #[test]
    fn a_check_asks_for_what_it_reads_and_for_nothing_else() {
        assert_eq!(paths(0), Vec::<String>::new());
        assert_eq!(paths(1), ["tile/entries/000.p/1", "signatures/000.p/1", "tile/0/000.p/1"]);
        assert_eq!(
            paths(258),
            [
                "tile/entries/000",
                "signatures/000",
                "tile/entries/001.p/2",
                "signatures/001.p/2",
                "tile/0/001.p/2",
                "tile/1/000.p/1",
                "signatures/001.p/1",
            ]
        );
        assert_eq!(needed(u64::MAX), None);
    }
}
