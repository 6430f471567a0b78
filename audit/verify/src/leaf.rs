//! One epoch's entry in the manifest log (spec §21.3).

use crate::statement::Statement;
use serde_json::from_slice;
use strongroom_manifest::{MANIFEST_LEN_MAX, ManifestSignatures};
use strongroom_wire::digest::sha256;

/// The longest list of custodians' signatures that fits a leaf beside its manifest.
pub const SIGNATURES_LEN_MAX: usize = 12 * 1_024;
/// The longest statement.
const STATEMENT_LEN_MAX: usize = 256;
/// Entries of a tiled log have lengths of 16 bits.
pub const LEAF_LEN_MAX: usize = 65_535;

/// What an auditor logs for one epoch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// What it is about to sign.
    pub statement: Statement,
    /// The tree's hash of the leaf before; zero in the first.
    pub previous: [u8; 32],
    /// The manifest's canonical JSON.
    pub manifest: Vec<u8>,
    /// Custodians' signatures over it.
    pub signatures: ManifestSignatures,
}

impl Leaf {
    /// The entry's bytes under a log's origin; none if a part does not fit.
    pub fn to_bytes(&self, origin: &str) -> Option<Vec<u8>> {
        let statement = self.statement.to_bytes();
        let signatures = serde_json::to_vec(&self.signatures).ok()?;
        let fits = statement.len() <= STATEMENT_LEN_MAX
            && self.manifest.len() <= MANIFEST_LEN_MAX
            && signatures.len() <= SIGNATURES_LEN_MAX;
        if !fits {
            return None;
        }
        let mut bytes = label(origin);
        part(&mut bytes, &statement)?;
        bytes.extend_from_slice(&self.previous);
        part(&mut bytes, &self.manifest)?;
        part(&mut bytes, &signatures)?;
        (bytes.len() <= LEAF_LEN_MAX).then_some(bytes)
    }

    /// Reads an entry; what does not encode to the same bytes again is refused.
    pub fn parse(origin: &str, bytes: &[u8]) -> Option<Self> {
        if bytes.len() > LEAF_LEN_MAX {
            return None;
        }
        let mut rest = bytes.strip_prefix(label(origin).as_slice())?;
        let statement = Statement::parse(read_part(&mut rest)?)?;
        let (previous, after) = rest.split_first_chunk::<32>()?;
        rest = after;
        let manifest = read_part(&mut rest)?.to_vec();
        let signatures = from_slice(read_part(&mut rest)?).ok()?;
        let leaf = Self { statement, previous: *previous, manifest, signatures };
        // Also refuses whatever follows the last part, and signatures written in another way.
        (leaf.to_bytes(origin)? == bytes).then_some(leaf)
    }
}

/// The digest of a leaf that the operator's counter-signature is over: of the bytes alone, where the
/// tree's hash has a zero byte before them.
pub fn leaf_digest(leaf: &[u8]) -> [u8; 32] {
    sha256(leaf)
}

fn label(origin: &str) -> Vec<u8> {
    format!("{origin}/manifest/v1\n").into_bytes()
}

fn part(out: &mut Vec<u8>, bytes: &[u8]) -> Option<()> {
    out.extend_from_slice(&u16::try_from(bytes.len()).ok()?.to_be_bytes());
    out.extend_from_slice(bytes);
    Some(())
}

fn read_part<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let (len, after) = rest.split_first_chunk::<2>()?;
    let (part, after) = after.split_at_checked(usize::from(u16::from_be_bytes(*len)))?;
    *rest = after;
    Some(part)
}
