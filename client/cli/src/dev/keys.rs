//! Keys of a development fleet: custodians, ticket key, tokens; the manifest and its signatures.
//!
//! All of them lie in one folder of one person. That is what `INSECURE` in the banner means.

use super::{
    error::DevError,
    layout::{APP, FLEET, Layout, private_dir, write_private},
};
use ed25519_dalek::{Signer as _, SigningKey};
use serde::Deserialize;
use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};
use strongroom_manifest::{
    Custodians, Fleet, Hex, Keyset, Manifest, ManifestSignatures, Node, Policy, Protection, Role,
    SlotRange, TicketKey, manifest_statement,
};
use strongroom_wire::{
    Fixed,
    start::{CustodianSignature, SignedStart, Start},
};
use zeroize::Zeroizing;

pub(crate) const CUSTODIANS: u8 = 3;
const THRESHOLD: u8 = 2;
pub(crate) const NAMESPACE: &str = "dev.encrypted_backups.fleet_keys.v1";
pub(crate) const HOUR_MS: u64 = 3_600_000;
/// As long as an epoch may last.
pub(crate) const VALID_MS: u64 = 90 * 24 * HOUR_MS;
/// Places for nodes to pretend to stand at.
const SITES: [&str; 9] = ["ams", "fra", "gru", "hel", "nrt", "sfo", "sin", "syd", "yul"];

/// What `strongroom-vault init` prints of a node.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct NodeInfo {
    pub(crate) node: u8,
    identity_key: Hex<32>,
    link_key: Hex<32>,
}

/// What `strongroom-vault fleet-keys` prints of a fleet.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct FleetInfo {
    hpke_key: Hex<1216>,
    keysets: Vec<Keyset>,
}

/// 32 fresh bytes.
pub(crate) fn fresh_seed() -> Result<Zeroizing<[u8; 32]>, DevError> {
    let mut seed = Zeroizing::new([0; 32]);
    getrandom::fill(seed.as_mut_slice())
        .map_err(|e| DevError::failed(format!("no randomness: {e}")))?;
    Ok(seed)
}

/// Makes an Ed25519 key and keeps its seed as 64 hexadecimal digits.
pub(crate) fn make_key(path: &Path) -> Result<SigningKey, DevError> {
    let seed = fresh_seed()?;
    let digits = Zeroizing::new(hex::encode(seed.as_slice()));
    write_private(path, digits.as_bytes())?;
    Ok(SigningKey::from_bytes(&seed))
}

pub(crate) fn load_key(path: &Path) -> Result<SigningKey, DevError> {
    let text = fs::read_to_string(path).map_err(|e| DevError::io("read", path, &e))?;
    let text = Zeroizing::new(text);
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text.trim(), seed.as_mut_slice()).map_err(|_| {
        DevError::failed(format!("{}: expected 64 hexadecimal digits", path.display()))
    })?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Makes the custodians and the file that vaults pin.
pub(crate) fn make_custodians(layout: &Layout) -> Result<Vec<SigningKey>, DevError> {
    private_dir(&layout.path("custodians"))?;
    let keys: Vec<SigningKey> = (1..=CUSTODIANS)
        .map(|custodian| make_key(&layout.custodian_key(custodian)))
        .collect::<Result<_, _>>()?;
    let public = to_json(&custodians_of(&keys))?;
    write_private(&layout.custodians(), &public)?;
    Ok(keys)
}

/// The custodians' keys, as far as a threshold needs them.
pub(crate) fn load_custodians(layout: &Layout) -> Result<Vec<SigningKey>, DevError> {
    (1..=THRESHOLD).map(|custodian| load_key(&layout.custodian_key(custodian))).collect()
}

pub(crate) fn custodians_of(keys: &[SigningKey]) -> Custodians {
    let mut keys: Vec<Hex<32>> =
        keys.iter().map(|key| Hex(key.verifying_key().to_bytes())).collect();
    keys.sort_unstable();
    Custodians { keys, threshold: THRESHOLD }
}

/// Where a node pretends to stand.
pub(crate) fn site(node: u8) -> String {
    let index = usize::from(node.saturating_sub(1));
    SITES.get(index).map_or_else(|| format!("site-{node}"), |site| (*site).to_owned())
}

/// Everything that a manifest is made of.
pub(crate) struct Draft<'a> {
    pub(crate) custodians: &'a [SigningKey],
    pub(crate) ticket_key: &'a SigningKey,
    pub(crate) nodes: &'a [NodeInfo],
    pub(crate) fleet: &'a FleetInfo,
    pub(crate) waits_divided_by: u64,
    pub(crate) now_ms: u64,
}

impl Draft<'_> {
    /// The first manifest of the fleet.
    pub(crate) fn manifest(&self) -> Manifest {
        let nodes = self.nodes.iter().map(|info| Node {
            evidence: String::new(),
            id: info.node,
            identity_key: info.identity_key,
            link_key: info.link_key,
            roles: vec![Role::Vault],
            site: site(info.node),
        });
        Manifest {
            custodians: custodians_of(self.custodians),
            epoch: 1,
            fleets: vec![Fleet {
                hpke_key: self.fleet.hpke_key,
                id: FLEET.to_owned(),
                keysets: self.fleet.keysets.clone(),
                measurement: String::new(),
                nodes: nodes.collect(),
                protection: Protection::Software,
                rollback_tolerance: 0,
                slots: SlotRange::ALL,
            }],
            namespace: NAMESPACE.to_owned(),
            not_after_ms: self.now_ms.saturating_add(VALID_MS),
            not_before_ms: self.now_ms.saturating_sub(HOUR_MS),
            policy: Policy::standard().with_waits_divided_by(self.waits_divided_by),
            ticket_keys: vec![TicketKey {
                app: APP.to_owned(),
                key: Hex(self.ticket_key.verifying_key().to_bytes()),
            }],
            version: 1,
        }
    }
}

/// A threshold's signatures over a manifest of this digest.
pub(crate) fn sign_manifest(digest: &[u8; 32], custodians: &[SigningKey]) -> ManifestSignatures {
    let statement = manifest_statement(digest);
    let mut signatures = ManifestSignatures::default();
    for key in custodians.iter().take(THRESHOLD.into()) {
        let public = key.verifying_key().to_bytes();
        signatures.push(public, key.sign(&statement).to_bytes());
    }
    signatures
}

/// A threshold's signatures over a start statement.
pub(crate) fn sign_start(start: Start, custodians: &[SigningKey]) -> SignedStart {
    let statement = start.statement();
    let signatures = custodians
        .iter()
        .take(THRESHOLD.into())
        .map(|key| CustodianSignature {
            custodian: Fixed(key.verifying_key().to_bytes()),
            signature: Fixed(key.sign(&statement).to_bytes()),
        })
        .collect();
    SignedStart { start, signatures }
}

/// Milliseconds since the Unix epoch.
pub(crate) fn now_ms() -> Result<u64, DevError> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .ok_or_else(|| DevError::failed("this machine's clock stands before 1970"))
}

pub(crate) fn to_json(value: &impl serde::Serialize) -> Result<Vec<u8>, DevError> {
    serde_json::to_vec(value).map_err(|e| DevError::failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_manifest::{Floors, Verified, check_signatures, to_canonical_json};
    use strongroom_wire::{digest::sha256, start::SignedStart};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn manifest(nodes: u8) -> (Vec<u8>, Vec<SigningKey>) {
        let custodians = vec![key(1), key(2), key(3)];
        let nodes: Vec<NodeInfo> = (1..=nodes)
            .map(|node| NodeInfo {
                node,
                identity_key: Hex([node; 32]),
                link_key: Hex([0x80 | node; 32]),
            })
            .collect();
        let draft = Draft {
            custodians: &custodians,
            ticket_key: &key(9),
            nodes: &nodes,
            fleet: &FleetInfo {
                hpke_key: Hex([7; 1216]),
                keysets: vec![Keyset { id: 1, server_key: Hex([8; 32]) }],
            },
            waits_divided_by: 3_600,
            now_ms: 1_700_000_000_000,
        };
        (to_canonical_json(&draft.manifest()), custodians)
    }

    #[test]
    fn vaults_and_development_clients_accept_the_manifest_and_production_clients_do_not() {
        for nodes in [1, 3, 7, 62] {
            let (bytes, keys) = manifest(nodes);
            let signatures = sign_manifest(&sha256(&bytes), &keys);
            let signed = Verified::signed_by(&bytes, &signatures, &custodians_of(&keys));
            let manifest = signed.unwrap_or_else(|e| panic!("{nodes} nodes: {e}"));
            let now = 1_700_000_000_000;
            let development = Floors::DANGER_DEVELOPMENT;
            assert!(manifest.fleet_at(FLEET, &development, now).is_ok());
            assert!(manifest.fleet_at(FLEET, &Floors::PRODUCTION, now).is_err());
            assert_eq!(manifest.policy.waits_ms.last(), Some(&12_000));
            assert_eq!((manifest.policy.row, manifest.policy.year), (10, 40));
        }
    }

    #[test]
    fn one_custodian_is_not_enough() {
        let (bytes, keys) = manifest(7);
        let one = sign_manifest(&sha256(&bytes), &keys[..1]);
        assert!(Verified::signed_by(&bytes, &one, &custodians_of(&keys)).is_err());
    }

    #[test]
    fn a_start_statement_carries_a_threshold_over_exactly_its_content() {
        let keys = [key(1), key(2), key(3)];
        let start = Start { fleet: FLEET.to_owned(), era: 1, positions: Vec::new() };
        let signed = sign_start(start, &keys);
        let bytes = strongroom_wire::encode(&signed);
        let mut read = SignedStart::from_bytes(&bytes).expect("decodes");
        let count = |signed: &SignedStart| {
            let pairs = signed.signatures.iter();
            let pairs = pairs.map(|s| (s.custodian.0, s.signature.0));
            check_signatures(&custodians_of(&keys), &signed.start.statement(), pairs)
        };
        assert_eq!(count(&read), 2);
        read.start.era = 2;
        assert_eq!(count(&read), 0);
    }

    #[test]
    fn custodians_come_back_from_their_folder() {
        let dir = tempfile::tempdir().expect("dir");
        let layout = Layout::new(dir.path()).expect("layout");
        let made = make_custodians(&layout).expect("make");
        let loaded = load_custodians(&layout).expect("load");
        assert_eq!(loaded.len(), 2);
        assert_eq!(loaded[0].to_bytes(), made[0].to_bytes());
        let text = fs::read(layout.custodians()).expect("read");
        let public: Custodians = serde_json::from_slice(&text).expect("custodians");
        assert_eq!(public, custodians_of(&made));
    }
}
