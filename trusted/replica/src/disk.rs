//! What the host's disk proves.

/// What was found on the disk at boot. Damage never stops a boot: a disk that cannot be believed counts as empty.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum BootReport {
    /// Nothing was there.
    Empty,
    /// A chain that verifies, up to this entry.
    Intact {
        /// Its last entry.
        last_index: u64,
        /// Entries after the last acknowledged one that were cut off.
        torn: u64,
    },
    /// The meta record does not open, or is missing beside other records.
    BadMeta,
    /// The snapshot does not open.
    BadSnapshot,
    /// The salts do not open: an older disk, or a lost cell.
    BadSalts,
    /// An acknowledged entry does not open, or is missing.
    BadEntry {
        /// Which.
        index: u64,
    },
}
