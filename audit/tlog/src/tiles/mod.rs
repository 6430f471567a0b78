//! The static files of a log (tlog-tiles): which there are, what they hold, and how to read them
//! from somebody who is not believed.

mod bundle;
mod growth;
mod path;
mod reader;

pub use bundle::{BundleError, decode_bundle, encode_bundle};
pub use growth::{GROWTH_MAX, GrowthError, written};
pub use path::{ContentError, PathError, Tile, TileKind, WIDTH};
pub use reader::{Entries, HashedEntry, TileError, TileSource, VerifiedTiles};
