//! Entry bundles: entries in their order, each behind its length (u16 BE).

use super::path::WIDTH;
use crate::caps::ENTRY_LEN_MAX;

/// The bytes of a bundle.
///
/// # Errors
/// [`BundleError::Count`] for no entry or more than 256, [`BundleError::EntryTooLong`].
pub fn encode_bundle<E: AsRef<[u8]>>(entries: &[E]) -> Result<Vec<u8>, BundleError> {
    let count = entries.len();
    if !(1..=usize::from(WIDTH)).contains(&count) {
        return Err(BundleError::Count { got: count, expected: usize::from(WIDTH) });
    }
    let mut bytes = Vec::new();
    for entry in entries.iter().map(AsRef::as_ref) {
        let too_long = BundleError::EntryTooLong { got: entry.len(), cap: ENTRY_LEN_MAX };
        let len = u16::try_from(entry.len()).map_err(|_| too_long)?;
        bytes.extend_from_slice(&len.to_be_bytes());
        bytes.extend_from_slice(entry);
    }
    Ok(bytes)
}

/// Takes a bundle of exactly `width` entries apart.
///
/// # Errors
/// [`BundleError`].
pub fn decode_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, BundleError> {
    let expected = usize::from(width);
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while entries.len() < expected {
        if rest.is_empty() {
            return Err(BundleError::Count { got: entries.len(), expected });
        }
        let truncated = BundleError::Truncated { entry: entries.len() };
        let (len, behind) = rest.split_first_chunk().ok_or(truncated.clone())?;
        let len = usize::from(u16::from_be_bytes(*len));
        let (entry, behind) = behind.split_at_checked(len).ok_or(truncated)?;
        entries.push(entry);
        rest = behind;
    }
    if rest.is_empty() { Ok(entries) } else { Err(BundleError::Trailing { got: rest.len() }) }
}

/// Why bytes are no bundle.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// Another number of entries than the path says.
    #[error("bundle of {got} entries, expected {expected}")]
    Count {
        /// Entries found.
        got: usize,
        /// Entries that the path promises, or the most that a bundle has.
        expected: usize,
    },
    /// The bytes end inside an entry.
    #[error("bundle ends inside its entry {entry}, counted from 0")]
    Truncated {
        /// Which one.
        entry: usize,
    },
    /// Bytes behind the last entry.
    #[error("{got} bytes behind a bundle's last entry")]
    Trailing {
        /// How many.
        got: usize,
    },
    /// An entry whose length two bytes cannot say.
    #[error("entry of {got} bytes, at most {cap}")]
    EntryTooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
}
