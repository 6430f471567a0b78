//! From a submission to a signature that may leave, and never two for one epoch.

use super::{Auditor, SubmitError};
use crate::{cosigned::near, log::LogError};
use serde::{Deserialize, Serialize};
use strongroom_manifest::{CHAIN_LEN_MAX, ManifestSignatures, parse};
use strongroom_tlog::{
    LogProof, NoteSignature, NoteSigner, SignedCheckpoint, leaf_hash,
    tiles::{Tile, TileKind, WIDTH},
};
use strongroom_verify::{
    AuditResponse, BUNDLE_LEN_MAX, Bundle, LEAF_LEN_MAX, Leaf, SIGNATURES_LEN, Statement,
    is_countersigned,
};
use strongroom_wire::digest::sha256;

/// The leaf of the next epoch, from before it is in the log.
const INTENT: &str = "intent";
/// A response is a few hundred bytes.
const RESPONSE_LEN_MAX: usize = 4_096;

/// A manifest that an operator wants published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Submission {
    /// Its epoch.
    pub epoch: u64,
    /// Its canonical JSON.
    pub manifest: String,
    /// Custodians' signatures over it.
    pub signatures: ManifestSignatures,
}

/// A signature that may leave: its epoch is logged, and a quorum of witnesses cosigned the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Released(AuditResponse);

impl Released {
    /// What the auditor answers.
    pub const fn response(&self) -> &AuditResponse {
        &self.0
    }
}

/// An epoch that the operator counter-signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Countersigned {
    /// The epoch.
    pub epoch: u64,
    /// The operator's signature.
    pub signature: [u8; 64],
}

impl<S: NoteSigner, A: NoteSigner> Auditor<S, A> {
    /// Takes a manifest into the log, up to where witnesses are needed. The same submission again is
    /// no error: it goes on where it stopped.
    ///
    /// # Errors
    /// [`SubmitError`]; nothing was signed for what was refused.
    pub fn submit(&mut self, submission: &Submission, now_ms: u64) -> Result<(), SubmitError> {
        let size = self.log.head().size;
        if let Some(index) = submission.epoch.checked_sub(1).filter(|index| *index < size) {
            let (leaf, _) = self.leaf_at(index)?;
            let same = leaf.manifest == submission.manifest.as_bytes();
            // A second manifest for an epoch is what this auditor exists to never sign.
            let epoch = submission.epoch;
            return if same { Ok(()) } else { Err(SubmitError::Equivocation { epoch }) };
        }
        if !self.is_confirmed(now_ms / 1_000) {
            return Err(SubmitError::Unconfirmed);
        }
        // Otherwise an epoch whose witnesses were slow would never get its signature.
        if self.awaits_witnesses()? {
            return Err(SubmitError::Unreleased { epoch: size });
        }
        let leaf = self.leaf_of(submission, now_ms)?;
        self.look_at(&leaf)?;
        let bytes = leaf.to_bytes(self.log.origin()).ok_or(SubmitError::NoLeaf)?;
        // Intent. A crash before this knows of nothing; from here the epoch has this leaf, with this
        // timestamp, and every start goes on with it.
        self.folder.write(INTENT, &bytes)?;
        self.append(leaf, bytes)
    }

    fn leaf_of(&self, submission: &Submission, now_ms: u64) -> Result<Leaf, SubmitError> {
        let manifest = submission.manifest.as_bytes();
        let statement = Statement {
            namespace: self.setup.namespace.clone(),
            // A clock that went back makes an epoch look older, never older than the one before.
            timestamp_ms: now_ms.max(self.last_ms),
            epoch: submission.epoch,
            digest: sha256(manifest),
        };
        let previous = self.previous()?;
        let signatures = submission.signatures.clone();
        Ok(Leaf { statement, previous, manifest: manifest.to_vec(), signatures })
    }

    fn previous(&self) -> Result<[u8; 32], SubmitError> {
        match self.log.head().size.checked_sub(1) {
            Some(last) => Ok(leaf_hash(&self.log.entry(last)?).0),
            None => Ok([0; 32]),
        }
    }

    /// Everything that comes before a leaf enters the log (spec §21.4, 1 to 3), whether it was just
    /// submitted or lay on the disk as an intent: a disk is as little believed as an operator.
    fn look_at(&self, leaf: &Leaf) -> Result<(), SubmitError> {
        let manifest = parse(&leaf.manifest).map_err(SubmitError::Manifest)?;
        let statement = &leaf.statement;
        if statement.epoch != manifest.epoch {
            let (got, expected) = (statement.epoch, manifest.epoch);
            return Err(SubmitError::Epoch { got, expected });
        }
        self.followed(leaf)?;
        let digest = sha256(&leaf.manifest);
        let about = (statement.digest, &statement.namespace) == (digest, &self.setup.namespace);
        let earliest_ms = self.last_ms.max(self.setup.statement_not_before_ms);
        if !about || leaf.previous != self.previous()? || statement.timestamp_ms < earliest_ms {
            return Err(SubmitError::Intent);
        }
        let changes = manifest.custodians != *self.succession.custodians();
        if changes && self.changes.len() >= CHAIN_LEN_MAX {
            return Err(SubmitError::ChainFull);
        }
        for fleet in &manifest.fleets {
            self.setup.floors.check(&manifest, fleet).map_err(SubmitError::Floor)?;
        }
        Ok(())
    }

    /// Goes on from the intent on the disk, if it is for the next epoch.
    ///
    /// An intent that does not read or hold is as if there were none: nothing that was signed leads to
    /// it, or it would be in the log.
    pub(super) fn finish_intent(&mut self) -> Result<(), SubmitError> {
        let Some(bytes) = self.folder.read(INTENT, LEAF_LEN_MAX)? else { return Ok(()) };
        let Some(leaf) = Leaf::parse(self.log.origin(), &bytes) else { return Ok(()) };
        match self.look_at(&leaf) {
            Ok(()) => self.append(leaf, bytes),
            Err(SubmitError::Log(error)) => Err(SubmitError::Log(error)),
            Err(_) => Ok(()),
        }
    }

    /// What a live submission does with its leaf, and what a start after a crash does.
    fn append(&mut self, leaf: Leaf, bytes: Vec<u8>) -> Result<(), SubmitError> {
        let followed = self.followed(&leaf)?;
        // A crash within leaves tiles that nothing signed leads to; the next start writes them again,
        // to the same bytes.
        self.log.append(&[bytes])?;
        self.take(&leaf, followed);
        Ok(())
    }

    /// Whether the last epoch waits for witnesses, or for the signature that follows them.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn awaits_witnesses(&self) -> Result<bool, SubmitError> {
        let size = self.log.head().size;
        Ok(size > 0 && self.response(size)?.is_none())
    }

    /// Takes cosignatures of the last checkpoint, publishes it when they are a quorum, and then signs.
    ///
    /// Lines of unknown witnesses are ignored, and so are false ones. `now_s` is the auditor's clock; a
    /// cosignature that is more than five minutes away from it does not count.
    ///
    /// # Errors
    /// [`SubmitError::Quorum`] if they are too few; nothing was released.
    pub fn release(
        &mut self,
        lines: &[NoteSignature],
        now_s: u64,
    ) -> Result<Option<Released>, SubmitError> {
        let size = self.log.head().size;
        // Cosignatures of the same checkpoint from before count while they are fresh; a published
        // checkpoint that rotted is written anew.
        let cosigned = self.cosigned(self.log.published().ok().flatten(), lines, now_s);
        self.setup.policy.check(&cosigned, near(now_s)).map_err(SubmitError::Quorum)?;
        // Published before the signature exists: who holds a signature finds its epoch in the log. A
        // crash after this signs at the next release, and nothing new is taken before.
        self.log.publish(&cosigned)?;
        if size == 0 { Ok(None) } else { self.sign(size).map(Some) }
    }

    /// The signature of an epoch that was released.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn response(&self, epoch: u64) -> Result<Option<Released>, SubmitError> {
        let Some(bytes) = self.folder.read(&response_path(epoch), RESPONSE_LEN_MAX)? else {
            return Ok(None);
        };
        let (leaf, _) = self.leaf_at(epoch.saturating_sub(1))?;
        let own = self.setup.statement_signer.public();
        // A response that rotted is as if there were none: it can be made again, to the same bytes.
        let good = |response: &AuditResponse| {
            let mut keys = core::iter::once(&own).chain(&self.setup.earlier_statement_keys);
            response.statement().as_ref() == Some(&leaf.statement)
                && keys.any(|key| response.is_signed_by(key))
        };
        Ok(serde_json::from_slice(&bytes).ok().filter(good).map(Released))
    }

    /// Refuses a folder whose last epoch was released under a key that nobody named: to this auditor that
    /// would be a response that rotted, and it would sign the epoch again.
    pub(super) fn refuse_another_key(&self) -> Result<(), SubmitError> {
        let epoch = self.log.head().size;
        if epoch == 0 || self.response(epoch)?.is_some() {
            return Ok(());
        }
        let Some(bytes) = self.folder.read(&response_path(epoch), RESPONSE_LEN_MAX)? else {
            return Ok(());
        };
        let there: Option<AuditResponse> = serde_json::from_slice(&bytes).ok();
        let own = self.setup.statement_signer.public();
        let hint = AuditResponse::new(&self.leaf_at(epoch - 1)?.0.statement, &own, [0; 64]).key_id;
        match there.filter(|there| there.key_id != hint) {
            Some(_) => Err(SubmitError::AnotherKey { epoch }),
            None => Ok(()),
        }
    }

    fn sign(&self, epoch: u64) -> Result<Released, SubmitError> {
        if let Some(released) = self.response(epoch)? {
            return Ok(released);
        }
        let (leaf, _) = self.leaf_at(epoch.saturating_sub(1))?;
        let (got_ms, not_before_ms) =
            (leaf.statement.timestamp_ms, self.setup.statement_not_before_ms);
        if got_ms < not_before_ms {
            // Of a time at which another key signed: no client would believe it under this one.
            return Err(SubmitError::BeforeKey { got_ms, not_before_ms });
        }
        let signer = &self.setup.statement_signer;
        let signature = signer.sign(&leaf.statement.to_bytes()).map_err(SubmitError::Sign)?;
        let response = AuditResponse::new(&leaf.statement, &signer.public(), signature);
        if !response.is_signed_by(&signer.public()) {
            return Err(SubmitError::FalseSignature);
        }
        let bytes = serde_json::to_vec(&response).map_err(|_| SubmitError::Response { epoch })?;
        // A crash before this signs again, to the same bytes: Ed25519 has no randomness, and the
        // statement is the leaf's. After it the signature may leave.
        self.folder.write(&response_path(epoch), &bytes)?;
        Ok(Released(response))
    }

    /// Keeps the operator's counter-signature of a released epoch.
    ///
    /// # Errors
    /// [`SubmitError::CounterSignature`] if it is not one.
    pub fn countersign(&mut self, given: &Countersigned) -> Result<(), SubmitError> {
        let epoch = given.epoch;
        let released = self.response(epoch)?.ok_or(SubmitError::NotReleased { epoch })?;
        let (_, leaf) = self.leaf_at(epoch.saturating_sub(1))?;
        if !self.is_operators(&leaf, &released, &given.signature) {
            return Err(SubmitError::CounterSignature { epoch });
        }
        // The first stays, unless it rotted: caches keep what was served, and one epoch needs no second.
        let first = self.countersignature(epoch).ok().flatten();
        if first.is_none_or(|first| !self.is_operators(&leaf, &released, &first)) {
            let digits = hex::encode(given.signature);
            self.folder.write(&countersignature_path(epoch), digits.as_bytes())?;
        }
        // A crash here leaves the files below for the next counter-signature, or for this one again.
        // Later epochs that waited for this one get theirs with it.
        let end = (epoch.saturating_sub(1) / u64::from(WIDTH)).saturating_add(1) * u64::from(WIDTH);
        for epoch in epoch..=end.min(self.log.head().size) {
            if self.countersignature(epoch)?.is_none() {
                break;
            }
            self.write_signatures(epoch)?;
        }
        Ok(())
    }

    fn is_operators(&self, leaf: &[u8], released: &Released, signature: &[u8; 64]) -> bool {
        let audit = &released.response().signature.0;
        let operator = &self.setup.operator_key;
        is_countersigned(self.log.origin(), leaf, audit, operator, signature)
    }

    /// The signatures of an epoch and of those before it in one file (spec §21.8), once all are there.
    fn write_signatures(&self, epoch: u64) -> Result<(), SubmitError> {
        let last = epoch.saturating_sub(1);
        let first = last - last % u64::from(WIDTH);
        let width = u16::try_from(last - first + 1).unwrap_or(WIDTH);
        let tile = Tile::new(TileKind::Entries, first / u64::from(WIDTH), width)
            .map_err(|_| SubmitError::NoLeaf)?;
        match self.signatures_made(tile)? {
            Some(bytes) => Ok(self.folder.write(&signatures_path(tile), &bytes)?),
            None => Ok(()),
        }
    }

    /// A file of signatures, out of the responses and counter-signatures.
    fn signatures_made(&self, tile: Tile) -> Result<Option<Vec<u8>>, SubmitError> {
        let mut bytes = Vec::new();
        for epoch in tile.items().map(|index| index.saturating_add(1)) {
            let (Some(released), Some(counter)) =
                (self.response(epoch)?, self.countersignature(epoch)?)
            else {
                return Ok(None);
            };
            bytes.extend_from_slice(&released.response().signature.0);
            bytes.extend_from_slice(&counter);
        }
        Ok(Some(bytes))
    }

    /// A file of signatures as it is served; none before it was written.
    pub(super) fn signatures(&self, tile: Tile) -> Result<Option<Vec<u8>>, SubmitError> {
        let path = signatures_path(tile);
        let Some(file) = self.folder.read(&path, usize::from(tile.width()) * SIGNATURES_LEN)?
        else {
            return Ok(None);
        };
        // Caches keep it for good, so one that rotted must not reach them.
        if self.signatures_made(tile)?.as_ref() == Some(&file) {
            Ok(Some(file))
        } else {
            Err(SubmitError::Log(LogError::Rotten { path }))
        }
    }

    fn countersignature(&self, epoch: u64) -> Result<Option<[u8; 64]>, SubmitError> {
        let Some(digits) = self.folder.read(&countersignature_path(epoch), 128)? else {
            return Ok(None);
        };
        let mut signature = [0; 64];
        hex::decode_to_slice(&digits, &mut signature)
            .map_err(|_| SubmitError::CounterSignature { epoch })?;
        Ok(Some(signature))
    }

    /// The validation bundle of the latest epoch; none before it is published and counter-signed.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn bundle(&self) -> Result<Option<Bundle>, SubmitError> {
        let Some(published) = self.log.published()? else { return Ok(None) };
        let epoch = published.checkpoint().size();
        let Some(index) = epoch.checked_sub(1) else { return Ok(None) };
        let Some(released) = self.response(epoch)? else { return Ok(None) };
        let Some(countersignature) = self.countersignature(epoch)? else { return Ok(None) };
        let (leaf, bytes) = self.leaf_at(index)?;
        // One that rotted would be refused by every client: better none until the operator's comes again.
        if !self.is_operators(&bytes, &released, &countersignature) {
            return Ok(None);
        }
        let proof = self.proof(index, &published)?;
        let chain = self.chain(epoch);
        let bundle = Bundle::new(&leaf, released.0, countersignature, &proof, chain);
        if bundle.to_bytes().len() > BUNDLE_LEN_MAX {
            return Err(SubmitError::NoLeaf);
        }
        Ok(Some(bundle))
    }

    fn proof(&self, index: u64, published: &SignedCheckpoint) -> Result<String, SubmitError> {
        let path = self.log.inclusion(index, published.checkpoint().size())?;
        let proof = LogProof::new(index, path, published, &[]).map_err(SubmitError::Proof)?;
        Ok(String::from_utf8_lossy(&proof.to_bytes()).into_owned())
    }
}

fn response_path(epoch: u64) -> String {
    format!("responses/{epoch}.json")
}

fn countersignature_path(epoch: u64) -> String {
    format!("countersignatures/{epoch}")
}

/// `signatures/<N>[.p/<W>]`: as the path of an entry bundle, in a folder of its own.
fn signatures_path(tile: Tile) -> String {
    tile.path().replacen("tile/entries/", "signatures/", 1)
}
