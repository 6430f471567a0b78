//! The auditor's and the operator's signatures beside a log (spec §21.8), read once a bundle.

use super::source::{Source, SourceError};
use std::cell::RefCell;
use strongroom_tlog::tiles::{Tile, TileKind, TileSource as _, WIDTH};
use strongroom_verify::SIGNATURES_LEN;

/// Files of signatures as a source has them. They hang from nothing; each signature is checked.
pub(crate) struct SignatureFiles<'a> {
    source: &'a Source,
    size: u64,
    /// The last file that was read: its place and content.
    last: RefCell<Option<(u64, Vec<u8>)>>,
    why: RefCell<Option<String>>,
}

impl<'a> SignatureFiles<'a> {
    pub(crate) const fn new(source: &'a Source, size: u64) -> Self {
        Self { source, size, last: RefCell::new(None), why: RefCell::new(None) }
    }

    /// Both signatures of an epoch; none if they are not served.
    pub(crate) fn of(&self, epoch: u64) -> Option<[u8; SIGNATURES_LEN]> {
        let index = epoch.checked_sub(1).filter(|index| *index < self.size)?;
        let (place, within) = (index / u64::from(WIDTH), index % u64::from(WIDTH));
        let at = usize::try_from(within).ok()?.checked_mul(SIGNATURES_LEN)?;
        let mut last = self.last.borrow_mut();
        if last.as_ref().is_none_or(|(known, _)| *known != place) {
            *last = Some((place, self.read(place)));
        }
        let (_, bytes) = last.as_ref()?;
        bytes.get(at..)?.first_chunk::<SIGNATURES_LEN>().copied()
    }

    /// Why the last file is missing or short.
    pub(crate) fn why(&self) -> Option<String> {
        self.why.borrow().clone()
    }

    /// The file of a bundle of epochs, or the one before the latest epoch: an operator may be slow.
    fn read(&self, place: u64) -> Vec<u8> {
        let first = place.saturating_mul(u64::from(WIDTH));
        let width = u16::try_from(self.size.saturating_sub(first).min(u64::from(WIDTH)));
        let width = width.unwrap_or(WIDTH);
        let mut widths = vec![width, WIDTH, width.saturating_sub(1)];
        widths.dedup();
        for width in widths.into_iter().filter(|width| *width > 0) {
            match self.read_file(place, width) {
                Ok(bytes) => return bytes,
                Err(why) => {
                    self.why.borrow_mut().get_or_insert(why);
                }
            }
        }
        Vec::new()
    }

    fn read_file(&self, place: u64, width: u16) -> Result<Vec<u8>, String> {
        let tile = Tile::new(TileKind::Entries, place, width).map_err(|e| e.to_string())?;
        let path = tile.path().replacen("tile/entries/", "signatures/", 1);
        let expected = usize::from(width) * SIGNATURES_LEN;
        match self.source.read(&path, expected) {
            Ok(bytes) if bytes.len() == expected => Ok(bytes),
            Ok(bytes) => Err(format!("{path}: {} bytes, expected {expected}", bytes.len())),
            Err(SourceError::Missing) => Err(format!("{path} is not there")),
            Err(error) => Err(format!("{path}: {error}")),
        }
    }
}
