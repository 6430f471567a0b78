//! What the host's disk proves.
//!
//! The host may hand over anything. What verifies is a chain that this node once held; whether it is the newest such
//! chain cannot be known, and nothing here depends on it: a new process never continues an old one's promises.

use alloc::vec::Vec;

use minicbor::{Decoder, Encoder};

use crate::chain::{self, EntryKind, SALT};
use crate::codec;
use crate::config::NUMBER_CEILING;
use crate::erasure::Erasure;
use crate::log::{Base, Link};
use crate::seal::{ChainHash, ErasureKey, Kind, Place, Sealer};
use crate::{DiskEntry, DiskImage};

/// What was found on the disk at boot. Damage never stops a boot: a disk that cannot be believed counts as empty, its
/// node comes back by a snapshot from the others, and it is not counted in a cold start.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootReport {
    /// Nothing was there.
    Empty,
    /// A chain that verifies, up to this entry.
    Intact {
        /// Its last entry.
        last_index: u64,
        /// Records after the last acknowledged entry that were cut off: the host wrote part of a batch.
        torn: u64,
    },
    /// The meta record does not open, or is missing beside other records.
    BadMeta,
    /// The snapshot does not open, or is missing beside entries.
    BadSnapshot,
    /// Salts do not open: an older disk, or a lost cell.
    BadSalts,
    /// An acknowledged entry does not open, or is missing.
    BadEntry {
        /// Which.
        index: u64,
    },
}

/// The end of what every earlier batch made durable. It is written last in each batch, so that a missing or damaged
/// entry at or before it is damage, and one after it is a batch that was never acknowledged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(crate) struct Meta {
    pub(crate) era: u64,
    /// The highest term that this disk ever voted in; survives the process that voted.
    pub(crate) term: u64,
    pub(crate) last_index: u64,
    pub(crate) last_hash: ChainHash,
}

/// A snapshot as the disk has it, without its salts.
pub(crate) struct DiskSnapshot {
    pub(crate) base: Base,
    pub(crate) state: Vec<u8>,
}

/// A verified chain.
pub(crate) struct Chain {
    pub(crate) base: Base,
    pub(crate) state: Vec<u8>,
    pub(crate) salts: Vec<u8>,
    pub(crate) links: Vec<Link>,
}

impl Chain {
    pub(crate) fn tip(&self) -> Base {
        self.links.last().map_or(self.base, |l| Base {
            index: l.entry.index,
            term: l.entry.term,
            hash: l.hash,
        })
    }
}

/// Everything that the disk taught.
pub(crate) struct Boot {
    pub(crate) meta: Meta,
    pub(crate) chain: Option<Chain>,
    pub(crate) report: BootReport,
    pub(crate) erasure_number: Option<u64>,
}

pub(crate) fn encode_meta(meta: &Meta) -> Option<Vec<u8>> {
    let mut e = Encoder::new(Vec::with_capacity(64));
    e.array(4).ok()?.u64(meta.era).ok()?.u64(meta.term).ok()?;
    e.u64(meta.last_index).ok()?.bytes(&meta.last_hash).ok()?;
    Some(e.into_writer())
}

fn decode_meta(bytes: &[u8]) -> Option<Meta> {
    let mut d = Decoder::new(bytes);
    if d.array().ok()? != Some(4) {
        return None;
    }
    let (era, term, last_index) = (d.u64().ok()?, d.u64().ok()?, d.u64().ok()?);
    Some(Meta { era, term, last_index, last_hash: d.bytes().ok()?.try_into().ok()? })
}

pub(crate) fn encode_snapshot(base: &Base, state: &[u8]) -> Option<Vec<u8>> {
    let mut e = Encoder::new(Vec::with_capacity(state.len().checked_add(64)?));
    e.array(4)
        .ok()?
        .u64(base.index)
        .ok()?
        .u64(base.term)
        .ok()?
        .bytes(&base.hash)
        .ok()?
        .bytes(state)
        .ok()?;
    Some(e.into_writer())
}

fn decode_snapshot(bytes: &[u8]) -> Option<DiskSnapshot> {
    let mut d = Decoder::new(bytes);
    if d.array().ok()? != Some(4) {
        return None;
    }
    let (index, term) = (d.u64().ok()?, d.u64().ok()?);
    let hash = d.bytes().ok()?.try_into().ok()?;
    let state = d.bytes().ok()?.to_vec();
    Some(DiskSnapshot { base: Base { index, term, hash }, state })
}

/// An entry's clear text on disk: kind, bytes and the digest of its salt. The term is in the header.
pub(crate) fn entry_text(link: &Link) -> Vec<u8> {
    let (kind, bytes, salt) = chain::parts(&link.entry);
    let mut text = Vec::with_capacity(bytes.len().saturating_add(33));
    text.push(kind as u8);
    text.extend_from_slice(&salt);
    text.extend_from_slice(bytes);
    text
}

/// Reads and verifies everything, with the keys that the cell holds.
pub(crate) fn read(image: &DiskImage, sealer: &mut Sealer, keys: &[ErasureKey]) -> Boot {
    let mut boot = Boot {
        meta: Meta::default(),
        chain: None,
        report: BootReport::Empty,
        erasure_number: None,
    };
    let nothing = image.snapshot.is_none() && image.salts.is_none() && image.entries.is_empty();
    let Some(sealed) = &image.meta else {
        boot.report = if nothing { BootReport::Empty } else { BootReport::BadMeta };
        return boot;
    };
    let opened =
        sealer.open(Kind::Meta, Place::ONLY, sealed).and_then(|(_, text)| decode_meta(&text));
    let Some(meta) = opened.filter(|m| m.era.max(m.term).max(m.last_index) < NUMBER_CEILING) else {
        boot.report = BootReport::BadMeta;
        return boot;
    };
    boot.meta = meta;
    if nothing && meta.last_index == 0 {
        // A process that was admitted once, and never got a snapshot. Its term still counts.
        return boot;
    }
    match read_chain(image, &meta, sealer, keys) {
        Ok((chain, number, torn)) => {
            boot.report = BootReport::Intact { last_index: chain.tip().index, torn };
            boot.erasure_number = Some(number);
            boot.chain = Some(chain);
        }
        Err(report) => boot.report = report,
    }
    boot
}

fn read_chain(
    image: &DiskImage,
    meta: &Meta,
    sealer: &mut Sealer,
    keys: &[ErasureKey],
) -> Result<(Chain, u64, u64), BootReport> {
    let sealed = image.snapshot.as_ref().ok_or(BootReport::BadSnapshot)?;
    let opened = sealer
        .open(Kind::Snapshot, Place::ONLY, sealed)
        .and_then(|(_, text)| decode_snapshot(&text));
    let snapshot = opened.filter(|s| s.base.index > 0).ok_or(BootReport::BadSnapshot)?;
    let base = snapshot.base;
    let sealed = image.salts.as_ref().ok_or(BootReport::BadSalts)?;
    let number = crate::seal::key_number(sealed).ok_or(BootReport::BadSalts)?;
    let key = keys.iter().find(|k| k.number == number).ok_or(BootReport::BadSalts)?;
    let place = Place { index: base.index, hash: base.hash };
    let salts = sealer.open_salt(key, Kind::Salts, place, sealed).ok_or(BootReport::BadSalts)?;
    let mut chain = Chain { base, state: snapshot.state, salts: salts.to_vec(), links: Vec::new() };
    for record in &image.entries {
        let tip = chain.tip();
        if record.index > meta.last_index {
            break;
        }
        // A crash between two batches may leave entries that the snapshot already contains.
        if record.index <= base.index {
            continue;
        }
        let link = read_entry(record, &tip, sealer, key)?;
        chain.links.push(link);
    }
    let tip = chain.tip();
    let believe = cfg!(feature = "danger_mutant_damaged_disk_is_believed");
    if !believe && (tip.index != meta.last_index || tip.hash != meta.last_hash) {
        return Err(BootReport::BadEntry { index: tip.index.saturating_add(1) });
    }
    let torn = image.entries.iter().filter(|e| e.index > meta.last_index).count() as u64;
    Ok((chain, number, torn))
}

fn read_entry(
    record: &DiskEntry,
    tip: &Base,
    sealer: &mut Sealer,
    key: &ErasureKey,
) -> Result<Link, BootReport> {
    let index = tip.index.saturating_add(1);
    let bad = BootReport::BadEntry { index };
    if record.index != index {
        return Err(bad);
    }
    let place = Place { index, hash: tip.hash };
    let (term, text) = sealer.open(Kind::Entry, place, &record.entry).ok_or(bad)?;
    if term < tip.term || term >= NUMBER_CEILING {
        return Err(bad);
    }
    let (kind, rest) = text.split_first().ok_or(bad)?;
    let (digest, bytes) = rest.split_first_chunk::<32>().ok_or(bad)?;
    let hash = |kind| chain::extend_parts(&tip.hash, index, term, kind, bytes, digest);
    if *kind != EntryKind::Payload as u8 {
        let entry = codec::entry(*kind, index, term, bytes, &[]).ok_or(bad)?;
        let kind =
            if *kind == EntryKind::Empty as u8 { EntryKind::Empty } else { EntryKind::Change };
        return Ok(Link { entry, hash: hash(kind) });
    }
    let hash = hash(EntryKind::Payload);
    let place = Place { index, hash };
    let salt =
        sealer.open_salt(key, Kind::EntrySalt, place, &record.salt).ok_or(BootReport::BadSalts)?;
    if salt.len() != SALT || chain::salt_digest(&salt) != *digest {
        return Err(BootReport::BadSalts);
    }
    let entry = codec::entry(*kind, index, term, bytes, &salt).ok_or(bad)?;
    Ok(Link { entry, hash })
}

/// Keys of a cell that may never have been written; `None` when it holds something strange.
pub(crate) fn cell_keys(cell: Option<&[u8]>) -> Option<Vec<ErasureKey>> {
    match cell {
        None => Some(Vec::new()),
        Some(bytes) => Erasure::decode(bytes),
    }
}

#[cfg(test)]
#[path = "disk_tests.rs"]
mod tests;
