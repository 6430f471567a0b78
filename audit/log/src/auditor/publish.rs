//! From a submission to a signature that may leave, and never two for one epoch.

use super::{Auditor, SubmitError};
use serde::{Deserialize, Serialize};
use strongroom_manifest::{ManifestSignatures, parse};
use strongroom_tlog::{
    LogProof, NoteSignature, NoteSigner, SignedCheckpoint, leaf_hash,
    tiles::{Tile, TileKind, WIDTH},
};
use strongroom_verify::{
    AuditResponse, BUNDLE_LEN_MAX, Bundle, LEAF_LEN_MAX, Leaf, Statement, is_countersigned,
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
        if !self.confirmed {
            return Err(SubmitError::Unconfirmed);
        }
        let size = self.log.head().size;
        if let Some(index) = submission.epoch.checked_sub(1).filter(|index| *index < size) {
            let (leaf, _) = self.leaf_at(index)?;
            let same = leaf.manifest == submission.manifest.as_bytes();
            // A second manifest for an epoch is what this auditor exists to never sign.
            let epoch = submission.epoch;
            return if same { Ok(()) } else { Err(SubmitError::Equivocation { epoch }) };
        }
        let leaf = self.look_at(submission, now_ms)?;
        let bytes = leaf.to_bytes(self.log.origin()).ok_or(SubmitError::NoLeaf)?;
        // Intent. A crash before this knows of nothing; from here the epoch has this leaf, with this
        // timestamp, and every start goes on with it.
        self.folder.write(INTENT, &bytes)?;
        self.finish_intent()
    }

    /// The checks that come before anything is signed (spec §21.4, 1 to 3).
    fn look_at(&self, submission: &Submission, now_ms: u64) -> Result<Leaf, SubmitError> {
        let bytes = submission.manifest.as_bytes();
        let manifest = parse(bytes).map_err(SubmitError::Manifest)?;
        if manifest.epoch != submission.epoch {
            let (got, expected) = (submission.epoch, manifest.epoch);
            return Err(SubmitError::Epoch { got, expected });
        }
        self.succession
            .clone()
            .follow(bytes, &submission.signatures)
            .map_err(SubmitError::Manifest)?;
        let digest = sha256(bytes);
        if self.digests.contains(&digest) {
            return Err(SubmitError::Repeated);
        }
        for fleet in &manifest.fleets {
            self.setup.floors.check(&manifest, fleet).map_err(SubmitError::Floor)?;
        }
        let index = manifest.epoch.saturating_sub(1);
        let previous = match index.checked_sub(1) {
            Some(before) => leaf_hash(&self.log.entry(before)?).0,
            None => [0; 32],
        };
        let statement = Statement {
            namespace: self.setup.namespace.clone(),
            // A clock that went back makes an epoch look older, never older than the one before.
            timestamp_ms: now_ms.max(self.last_ms).max(self.setup.statement_not_before_ms),
            epoch: manifest.epoch,
            digest,
        };
        let signatures = submission.signatures.clone();
        Ok(Leaf { statement, previous, manifest: bytes.to_vec(), signatures })
    }

    /// Goes on from the intent on the disk, if it is for the next epoch: what a live submission does,
    /// and what a start after a crash does.
    pub(super) fn finish_intent(&mut self) -> Result<(), SubmitError> {
        let Some(bytes) = self.folder.read(INTENT, LEAF_LEN_MAX)? else { return Ok(()) };
        let leaf = Leaf::parse(self.log.origin(), &bytes).ok_or(SubmitError::Intent)?;
        if leaf.statement.epoch <= self.log.head().size {
            // It is in the log: the crash came after the append.
            return Ok(());
        }
        self.follow(&leaf)?;
        // A crash within leaves tiles that nothing signed leads to; the next start writes them again,
        // to the same bytes.
        self.log.append(&[bytes])?;
        Ok(())
    }

    /// Whether the last epoch waits for witnesses.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn awaits_witnesses(&self) -> Result<bool, SubmitError> {
        let published = self.log.published()?.map(|signed| signed.checkpoint().size());
        Ok(self.log.head().size > published.unwrap_or(0))
    }

    /// Takes cosignatures of the last checkpoint, publishes it when they are a quorum, and then signs.
    ///
    /// Lines of unknown witnesses are ignored. `now_s` is the auditor's clock; a cosignature that is
    /// more than an hour away from it does not count.
    ///
    /// # Errors
    /// [`SubmitError::Quorum`] if they are too few; nothing was released.
    pub fn release(
        &mut self,
        lines: &[NoteSignature],
        now_s: u64,
    ) -> Result<Option<Released>, SubmitError> {
        if !self.confirmed {
            return Err(SubmitError::Unconfirmed);
        }
        let size = self.log.head().size;
        let mut cosigned = match self.log.published()? {
            // Cosignatures of the same checkpoint from before are kept.
            Some(old) if old.checkpoint() == self.log.signed().checkpoint() => old,
            _ => self.log.signed().clone(),
        };
        for line in lines {
            for witness in self.setup.policy.witnesses() {
                if line.names(witness.key()) {
                    cosigned
                        .add_cosignature(line.clone(), witness.key())
                        .map_err(SubmitError::Cosignature)?;
                }
            }
        }
        let near = |timestamp: u64| timestamp.abs_diff(now_s) <= 3_600;
        self.setup.policy.check(&cosigned, near).map_err(SubmitError::Quorum)?;
        // Published before the signature exists: who holds a signature finds its epoch in the log. A
        // crash after this signs at the next release, which witnesses refresh anyway.
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
        let response =
            serde_json::from_slice(&bytes).map_err(|_| SubmitError::Response { epoch })?;
        Ok(Some(Released(response)))
    }

    fn sign(&self, epoch: u64) -> Result<Released, SubmitError> {
        if let Some(released) = self.response(epoch)? {
            return Ok(released);
        }
        let (leaf, _) = self.leaf_at(epoch.saturating_sub(1))?;
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
        let audit = &released.response().signature.0;
        let operator = &self.setup.operator_key;
        if !is_countersigned(self.log.origin(), &leaf, audit, operator, &given.signature) {
            return Err(SubmitError::CounterSignature { epoch });
        }
        let digits = hex::encode(given.signature);
        self.folder.write(&countersignature_path(epoch), digits.as_bytes())?;
        // A crash here leaves the file below for the next counter-signature, or for this one again.
        self.write_signatures(epoch)
    }

    /// The signatures of an epoch and of those before it in one file (spec §21.8), once all are there.
    fn write_signatures(&self, epoch: u64) -> Result<(), SubmitError> {
        let last = epoch.saturating_sub(1);
        let first = last - last % u64::from(WIDTH);
        let mut bytes = Vec::new();
        for epoch in (first..=last).map(|index| index.saturating_add(1)) {
            let (Some(released), Some(counter)) =
                (self.response(epoch)?, self.countersignature(epoch)?)
            else {
                return Ok(());
            };
            bytes.extend_from_slice(&released.response().signature.0);
            bytes.extend_from_slice(&counter);
        }
        let width = u16::try_from(last - first + 1).unwrap_or(WIDTH);
        let tile = Tile::new(TileKind::Entries, first / u64::from(WIDTH), width)
            .map_err(|_| SubmitError::NoLeaf)?;
        Ok(self.folder.write(&signatures_path(tile), &bytes)?)
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
        let (leaf, _) = self.leaf_at(index)?;
        let proof = self.proof(index, &published)?;
        let chain = self.chain(epoch);
        let bundle = Bundle::new(&leaf, released.0, countersignature, &proof, chain);
        if bundle.to_bytes().len() > BUNDLE_LEN_MAX {
            return Err(SubmitError::NoLeaf);
        }
        Ok(Some(bundle))
    }

    fn proof(&self, index: u64, published: &SignedCheckpoint) -> Result<String, SubmitError> {
        let path = self.log.inclusion(index)?;
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
