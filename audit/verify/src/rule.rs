//! The client's rule, all of it, in its order, failing closed (spec §22.3).

use crate::{
    bundle::{Bundle, BundleError},
    head::Head,
    refusal::Refusal,
    statement::Statement,
    trust::Trust,
};
use strongroom_manifest::{Floors, Hex, Manifest, Succession, Verified, parse};
use strongroom_tlog::{
    LogProof, SignedCheckpoint, leaf_hash, merkle,
    policy::{QuorumError, Vouched},
};
use strongroom_wire::digest::sha256;

/// How far another clock may run ahead of this device's.
pub const CLOCK_LEAD_MAX_MS: u64 = 5 * 60_000;

/// A manifest that the whole rule holds for.
///
/// Only [`check`] makes one: fresh, cosigned, counter-signed, and the latest that its log holds. It is
/// the half of INV-9 that pins cannot give: what a device believes without an update of its app.
#[derive(Debug, Clone)]
pub struct Believed {
    manifest: Verified<Manifest>,
    head: Head,
    audited_ms: u64,
    witnesses: Vec<Vouched>,
}

impl Believed {
    /// The manifest.
    pub const fn manifest(&self) -> &Verified<Manifest> {
        &self.manifest
    }

    /// What the device keeps, synced, before it uses the manifest.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// When the auditor signed, milliseconds since the Unix epoch.
    pub const fn audited_ms(&self) -> u64 {
        self.audited_ms
    }

    /// Which witnesses counted, and when each cosigned.
    pub fn witnesses(&self) -> &[Vouched] {
        &self.witnesses
    }
}

/// What the device knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// The device's clock, milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// The latest head that it saw, if any.
    pub seen: Option<&'a Head>,
    /// The fleet that it is about to use.
    pub fleet: &'a str,
    /// What the app accepts.
    pub floors: &'a Floors,
    /// The account's slot.
    pub slot: &'a [u8; 32],
}

/// What holds of a bundle whoever reads it: the rule without an account's slot and an app's floors. No
/// destination: a client sends to a [`Believed`] manifest alone.
#[derive(Debug, Clone)]
pub struct Published {
    manifest: Verified<Manifest>,
    head: Head,
    statement: Statement,
    audit_signature: [u8; 64],
    auditor: [u8; 32],
    signed: SignedCheckpoint,
    witnesses: Vec<Vouched>,
}

impl Published {
    /// The manifest.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Epoch, digest, and the tree that it is the tip of.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What the auditor said, its signature over that, and its key.
    pub const fn audit(&self) -> (&Statement, &[u8; 64], &[u8; 32]) {
        (&self.statement, &self.audit_signature, &self.auditor)
    }

    /// The checkpoint whose last leaf it is.
    pub const fn signed(&self) -> &SignedCheckpoint {
        &self.signed
    }

    /// Which witnesses counted, and when each cosigned.
    pub fn witnesses(&self) -> &[Vouched] {
        &self.witnesses
    }
}

/// Believes a bundle or says which step of the rule it breaks.
///
/// # Errors
/// [`Refusal`]: nothing was sent, and the attempt cost nothing.
pub fn check(bytes: &[u8], trust: &Trust, at: &Circumstances<'_>) -> Result<Believed, Refusal> {
    let published = published(bytes, trust, at.now_ms)?;
    let manifest = &published.manifest;

    // validity, floors
    let fleet =
        manifest.fleet_at(at.fleet, at.floors, at.now_ms).map_err(Refusal::NotForThisClient)?;

    // rollback
    if let Some(seen) = at.seen {
        seen.admits(&published.head, trust)?;
    }

    // slot
    if !fleet.slots.contains(at.slot) {
        return Err(Refusal::Slot { fleet: fleet.id.clone() });
    }
    let Published { manifest, head, statement, witnesses, .. } = published;
    Ok(Believed { manifest, head, audited_ms: statement.timestamp_ms, witnesses })
}

/// Judges a bundle as a verifier does, which has no account and no app: all of the rule but `floors` and
/// `slot` (spec §23.3).
///
/// # Errors
/// [`Refusal`].
pub fn check_published(
    bytes: &[u8],
    trust: &Trust,
    now_ms: u64,
    seen: Option<&Head>,
) -> Result<Published, Refusal> {
    let published = published(bytes, trust, now_ms)?;
    published.manifest.valid_at(now_ms).map_err(Refusal::NotForThisClient)?;
    if let Some(seen) = seen {
        seen.admits(&published.head, trust)?;
    }
    Ok(published)
}

/// The steps from `size` to `witnesses`.
fn published(bytes: &[u8], trust: &Trust, now_ms: u64) -> Result<Published, Refusal> {
    let file = trust.file();
    // size: everything below works on parts within their caps.
    let bundle = Bundle::parse(bytes)?;
    let manifest = parse(bundle.manifest.as_bytes()).map_err(Refusal::Manifest)?;
    let proof = LogProof::parse(bundle.proof.as_bytes()).map_err(Refusal::Proof)?;
    let statement = bundle.audit.statement().ok_or(Refusal::Suite {
        got: (bundle.audit.version, bundle.audit.ciphersuite),
        expected: (1, 1),
    })?;

    // namespace
    for got in [&manifest.namespace, &statement.namespace] {
        if *got != file.namespace {
            let (got, expected) = (got.clone(), file.namespace.clone());
            return Err(Refusal::Namespace { got, expected });
        }
    }

    // digest
    let digest = sha256(bundle.manifest.as_bytes());
    if (statement.digest, statement.epoch) != (digest, manifest.epoch) {
        let got = (manifest.epoch, Hex(digest));
        return Err(Refusal::Digest { got, expected: (statement.epoch, Hex(statement.digest)) });
    }

    // auditor: by trial over the pinned keys. The response's key_id is never a choice.
    let audit_signature = &bundle.audit.signature.0;
    let signer = trust.auditor_of(&statement.to_bytes(), audit_signature);
    let signer = signer.ok_or(Refusal::Auditor)?;
    if statement.timestamp_ms < signer.not_before_ms {
        let (got_ms, not_before_ms) = (statement.timestamp_ms, signer.not_before_ms);
        return Err(Refusal::AuditorKeyEarly { got_ms, not_before_ms });
    }
    let latest_ms = now_ms.saturating_add(CLOCK_LEAD_MAX_MS);
    if statement.timestamp_ms > latest_ms {
        return Err(Refusal::FromTheFuture { got_ms: statement.timestamp_ms, now_ms });
    }

    // countersignature
    let leaf = bundle.leaf().and_then(|leaf| leaf.to_bytes(trust.origin())).ok_or(Refusal::Leaf)?;
    if !trust.is_countersigned(&leaf, audit_signature, &bundle.countersignature.0) {
        return Err(Refusal::CounterSignature);
    }

    // custodians
    let succession = Succession::pinned(&file.namespace, file.custodians.clone());
    let manifest = succession
        .leap_along(&bundle.chain, bundle.manifest.as_bytes(), &bundle.signatures)
        .map_err(Refusal::Custodians)?;

    // inclusion, tip: of what the note says, before anybody's signature over it is believed.
    let (signed, witnesses) = logged(&leaf, manifest.epoch, &proof, trust, now_ms)?;

    let checkpoint = signed.checkpoint();
    let head = Head {
        epoch: manifest.epoch,
        manifest_sha256: Hex(digest),
        origin: trust.origin().to_owned(),
        root: Hex(checkpoint.root().0),
        size: checkpoint.size(),
    };
    let (audit_signature, auditor) = (*audit_signature, signer.public_key.0);
    Ok(Published { manifest, head, statement, audit_signature, auditor, signed, witnesses })
}

fn logged(
    leaf: &[u8],
    epoch: u64,
    proof: &LogProof,
    trust: &Trust,
    now_ms: u64,
) -> Result<(SignedCheckpoint, Vec<Vouched>), Refusal> {
    let unsigned = strongroom_tlog::Checkpoint::parse(proof.note().text()).map_err(Refusal::Log)?;
    let index = epoch.checked_sub(1).ok_or(Refusal::Index { got: proof.index(), expected: 0 })?;
    if proof.index() != index {
        return Err(Refusal::Index { got: proof.index(), expected: index });
    }
    let head = unsigned.head();
    merkle::verify_inclusion(&leaf_hash(leaf), index, &head, proof.path())
        .map_err(Refusal::Inclusion)?;
    // The index is below the size, or the path would not have verified.
    if index.checked_add(1) != Some(head.size) {
        return Err(Refusal::NotTheTip { epoch, size: head.size });
    }
    let signed =
        SignedCheckpoint::verify(proof.note().clone(), trust.log()).map_err(Refusal::Log)?;
    let vouched = trust.vouched(&signed, now_ms).map_err(Refusal::Witnesses)?;
    Ok((signed, vouched))
}

impl Trust {
    /// Who vouches for a checkpoint now, if they are a quorum: each cosignature that counts is fresh, none
    /// is from before the app was built, and none from the future (spec §22.3, `witnesses`).
    ///
    /// # Errors
    /// [`QuorumError`].
    pub fn vouched(
        &self,
        signed: &SignedCheckpoint,
        now_ms: u64,
    ) -> Result<Vec<Vouched>, QuorumError> {
        self.policy().check(signed, self.is_fresh_at(now_ms))
    }
}

impl From<BundleError> for Refusal {
    fn from(error: BundleError) -> Self {
        Self::Bundle(error)
    }
}
