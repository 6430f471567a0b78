//! What must hold before a vault of this body may run.

use crate::{failure::Failure, files, fleet_secrets::FleetSecrets, node_keys::NodeKeys, pins};
use std::path::Path;
use strongroom_manifest::{
    CHAIN_LEN_MAX, Fleet, MANIFEST_LEN_MAX, Manifest, ManifestSignatures, Protection,
    SignedManifest, Succession, Verified,
};

const SIGNATURES_LEN_MAX: usize = 64 * 1_024;
/// JSON may write each byte of a manifest as two.
const CHAIN_FILE_LEN_MAX: usize = CHAIN_LEN_MAX * (2 * MANIFEST_LEN_MAX + SIGNATURES_LEN_MAX);

/// Keys and manifest that belong together.
pub struct Admitted {
    /// This node's keys.
    pub node_keys: NodeKeys,
    /// The fleet's secrets.
    pub fleet_secrets: FleetSecrets,
    /// The manifest that follows from what is pinned.
    pub manifest: Verified<Manifest>,
}

/// Where everything lies, and who this vault should be.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The vault's folder.
    pub dir: &'a Path,
    /// The node.
    pub node: u8,
    /// The fleet.
    pub fleet: &'a str,
    /// The manifest's file.
    pub manifest: &'a Path,
    /// Its signatures' file.
    pub signatures: &'a Path,
    /// The file of the changes of custodians since genesis, if there were any.
    pub chain: Option<&'a Path>,
}

/// Loads everything and refuses what does not fit.
///
/// The host chooses every path and number of `claim`, so each is compared with something that the
/// host cannot make: pinned custodians' signatures, and the public halves of the keys in `dir`.
///
/// # Errors
/// [`Failure`].
pub fn admit(claim: Claim<'_>) -> Result<Admitted, Failure> {
    files::check_private_dir(claim.dir)?;
    let node_keys = NodeKeys::load(claim.dir)?;
    let fleet_secrets = FleetSecrets::load(claim.dir)?;
    let manifest = load_manifest(claim)?;
    let fleet = manifest.fleet(claim.fleet).ok_or_else(|| {
        Failure::Refused(format!("the manifest lists no fleet named {}", claim.fleet))
    })?;
    check_protection(fleet)?;
    check_node(claim.node, &node_keys, fleet)?;
    check_fleet(&fleet_secrets, fleet)?;
    Ok(Admitted { node_keys, fleet_secrets, manifest })
}

fn load_manifest(claim: Claim<'_>) -> Result<Verified<Manifest>, Failure> {
    let pins = pins::load(claim.dir)?;
    let bytes = files::read_public(claim.manifest, MANIFEST_LEN_MAX)?;
    let signatures: ManifestSignatures = json(claim.signatures, SIGNATURES_LEN_MAX)?;
    let chain: Vec<SignedManifest> =
        claim.chain.map_or_else(|| Ok(Vec::new()), |path| json(path, CHAIN_FILE_LEN_MAX))?;
    Succession::pinned(&pins.namespace, pins.custodians)
        .leap_along(&chain, &bytes, &signatures)
        .map_err(|e| Failure::Refused(format!("{}: {e}", claim.manifest.display())))
}

fn json<T: serde::de::DeserializeOwned>(path: &Path, cap: usize) -> Result<T, Failure> {
    let bytes = files::read_public(path, cap)?;
    serde_json::from_slice(&bytes).map_err(|e| Failure::Refused(format!("{}: {e}", path.display())))
}

/// A manifest is a promise to users: this body keeps the keys in files, so it may stand behind no
/// manifest that says otherwise.
fn check_protection(fleet: &Fleet) -> Result<(), Failure> {
    if fleet.protection == Protection::Software {
        return Ok(());
    }
    Err(Failure::Refused(format!(
        "the manifest promises protection {:?}; this body keeps keys in files and serves `software` only",
        fleet.protection
    )))
}

fn check_node(claimed: u8, keys: &NodeKeys, fleet: &Fleet) -> Result<(), Failure> {
    let own = keys.node();
    if own != claimed {
        return Err(Failure::Refused(format!(
            "the keys are node {own}'s, this vault was started as node {claimed}"
        )));
    }
    let listed = fleet.node(own).ok_or_else(|| {
        Failure::Refused(format!("fleet {} of the manifest has no node {own}", fleet.id))
    })?;
    let info = keys.info()?;
    let differs = |what: &str| {
        Failure::Refused(format!(
            "node {own}: the manifest lists another {what} than this vault holds"
        ))
    };
    if listed.identity_key != info.identity_key {
        return Err(differs("identity key"));
    }
    if listed.link_key != info.link_key {
        return Err(differs("link key"));
    }
    Ok(())
}

fn check_fleet(secrets: &FleetSecrets, fleet: &Fleet) -> Result<(), Failure> {
    let (held, listed) = (secrets.fleet(), fleet.id.as_str());
    if held != listed {
        return Err(Failure::Refused(format!(
            "the secrets are fleet {held}'s, this vault was started for {listed}"
        )));
    }
    let info = secrets.info()?;
    if info.hpke_key != fleet.hpke_key {
        return Err(Failure::Refused(
            "the manifest lists another HPKE key than this vault holds".to_owned(),
        ));
    }
    if info.keysets != fleet.keysets {
        return Err(Failure::Refused(
            "the manifest lists other keysets than this vault holds".to_owned(),
        ));
    }
    Ok(())
}
