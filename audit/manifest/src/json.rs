//! The one JSON encoding (RFC 8785): fields sorted by name, no white space, printable ASCII.

use crate::{rules, types::Manifest, verified::ManifestError};

/// The largest manifest that is read, in bytes: it stands in one entry of a log (spec §21.1).
pub const MANIFEST_LEN_MAX: usize = 48 * 1_024;

/// The one encoding of a manifest.
///
/// All strings are printable ASCII without quotes and backslashes and all numbers are whole and
/// below 2^53 ([`crate::rules`]), so the order of the fields is all that RFC 8785 asks for.
pub fn to_canonical_json(manifest: &Manifest) -> Vec<u8> {
    // The types hold only numbers, strings, lists and structures, which always serialise.
    serde_json::to_vec(manifest).unwrap_or_default()
}

/// Reads a manifest: size, shape, one encoding, every rule.
///
/// # Errors
/// [`ManifestError`] for the first thing that is wrong, in that order.
pub fn parse(bytes: &[u8]) -> Result<Manifest, ManifestError> {
    if bytes.len() > MANIFEST_LEN_MAX {
        return Err(ManifestError::TooLong { got: bytes.len(), cap: MANIFEST_LEN_MAX });
    }
    // Unknown and duplicate names are refused by the derived reader; depth by the library.
    let manifest: Manifest = serde_json::from_slice(bytes)
        .map_err(|e| ManifestError::Malformed { line: e.line(), column: e.column() })?;
    rules::check(&manifest).map_err(ManifestError::Rule)?;
    if to_canonical_json(&manifest) != bytes {
        return Err(ManifestError::NotCanonical);
    }
    Ok(manifest)
}
