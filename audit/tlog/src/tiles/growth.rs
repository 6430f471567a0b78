//! Which files a growing log must write.

use super::path::{Tile, TileKind};
use crate::merkle::SIZE_MAX;

/// Leaves that one call adds at most, so that the answer fits into memory.
pub const GROWTH_MAX: u64 = 1 << 24;

const HEIGHT: u8 = 8;

/// The tiles and bundles to write when a log grows from `old` to `new` leaves, bundles first. From
/// `old` = 0 these are all files of the log but its checkpoint.
///
/// # Errors
/// [`GrowthError`].
pub fn written(old: u64, new: u64) -> Result<Vec<Tile>, GrowthError> {
    if old > new || new > SIZE_MAX || new - old > GROWTH_MAX {
        return Err(GrowthError { old, new });
    }
    let tiles = tlog_tiles::Tile::new_tiles(HEIGHT, old, new);
    let place = |tile: &tlog_tiles::Tile| (tile.level(), tile.level_index(), tile.width());
    let of = |kind, index, width: u32| {
        // The library's widths are 1 to 2^8, its levels below 8 for sizes up to `SIZE_MAX`.
        u16::try_from(width).ok().and_then(|width| Tile::new(kind, index, width).ok())
    };
    let bundles = tiles.iter().map(place).filter(|(level, ..)| *level == 0);
    let bundles = bundles.map(|(_, index, width)| of(TileKind::Entries, index, width));
    let hashes = tiles
        .iter()
        .map(place)
        .map(|(level, index, width)| of(TileKind::Hashes { level }, index, width));
    let all: Option<Vec<_>> = bundles.chain(hashes).collect();
    all.ok_or(GrowthError { old, new })
}

/// No log grows like that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "growth from {old} to {new} leaves; expected old ≤ new ≤ {SIZE_MAX}, by at most {GROWTH_MAX}"
)]
pub struct GrowthError {
    /// Leaves before.
    pub old: u64,
    /// Leaves after.
    pub new: u64,
}
