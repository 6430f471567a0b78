//! What an app pins (spec §22.1).

use crate::{countersign::countersign_message, response::is_strict, rule::CLOCK_LEAD_MAX_MS};
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use strongroom_manifest::{Custodians, Hex};
use strongroom_tlog::{LogKey, Policy, policy::PolicyError, strong_key};
use strongroom_wire::digest::sha256;

/// The largest trust file that is read, in bytes.
pub const TRUST_LEN_MAX: usize = 128 * 1_024;

/// One of the auditor's keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditorKey {
    /// Milliseconds since the Unix epoch: it signs nothing dated earlier.
    pub not_before_ms: u64,
    /// Ed25519.
    pub public_key: Hex<32>,
}

/// The pins as a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustFile {
    /// Keys of the one auditor.
    pub auditor_keys: Vec<AuditorKey>,
    /// When the app was built: no cosignature that counts is older.
    pub built_ms: u64,
    /// How old a cosignature may be.
    pub cosignature_max_age_ms: u64,
    /// The genesis custodians.
    pub custodians: Custodians,
    /// The one namespace.
    pub namespace: String,
    /// Whose counter-signature is needed.
    pub operator_key: Hex<32>,
    /// A tlog-policy: one log, and a quorum of witnesses in groups by operator.
    pub policy: String,
}

/// Pins that were read and make sense together.
#[derive(Debug, Clone)]
pub struct Trust {
    file: TrustFile,
    policy: Policy,
    log: LogKey,
    /// In the file's order. Reading a key costs a quarter of verifying under it, so it is done once.
    auditors: Vec<VerifyingKey>,
    operator: VerifyingKey,
}

impl Trust {
    /// Reads a trust file.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn parse(bytes: &[u8]) -> Result<Self, TrustError> {
        if bytes.len() > TRUST_LEN_MAX {
            return Err(TrustError::TooLong { got: bytes.len(), cap: TRUST_LEN_MAX });
        }
        Self::new(serde_json::from_slice(bytes)?)
    }

    /// Checks pins that came another way, compiled in for one.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn new(file: TrustFile) -> Result<Self, TrustError> {
        let policy = Policy::parse(file.policy.as_bytes())?;
        let [log] = policy.logs() else {
            return Err(TrustError::Logs { got: policy.logs().len() });
        };
        let log = log.key().clone();
        // A policy without witnesses trusts the log alone, which may show two trees.
        if !policy.needs_witnesses() {
            return Err(TrustError::NoQuorum);
        }
        if file.auditor_keys.is_empty() {
            return Err(TrustError::NoAuditor);
        }
        let custodians = file.custodians.keys.len();
        if !(1..=custodians).contains(&usize::from(file.custodians.threshold)) {
            return Err(TrustError::Threshold { got: file.custodians.threshold, of: custodians });
        }
        // One person in two of these places is one vote where the rule asks for two.
        let keys = file.auditor_keys.iter().map(|key| key.public_key.0);
        let keys = keys
            .chain([file.operator_key.0, *log.public()])
            .chain(file.custodians.keys.iter().map(|key| key.0))
            .chain(policy.witnesses().iter().map(|witness| *witness.key().public()));
        let mut seen = BTreeSet::new();
        for key in keys {
            if !seen.insert(key) {
                return Err(TrustError::KeyTwice { key: Hex(key) });
            }
        }
        let auditors = file.auditor_keys.iter().map(|key| strong(&key.public_key));
        let (auditors, operator) =
            (auditors.collect::<Result<_, _>>()?, strong(&file.operator_key)?);
        Ok(Self { file, policy, log, auditors, operator })
    }

    /// The auditor's key that signed a statement, if one did.
    pub(crate) fn auditor_of(&self, statement: &[u8], signature: &[u8; 64]) -> Option<&AuditorKey> {
        let keys = self.file.auditor_keys.iter().zip(&self.auditors);
        let mut signed = keys.filter(|(_, key)| is_strict(key, statement, signature));
        signed.next().map(|(key, _)| key)
    }

    /// Whether the operator counter-signed this leaf with this auditor's signature.
    pub(crate) fn is_countersigned(
        &self,
        leaf: &[u8],
        auditor_signature: &[u8; 64],
        countersignature: &[u8; 64],
    ) -> bool {
        let message = countersign_message(self.origin(), leaf, auditor_signature);
        is_strict(&self.operator, &message, countersignature)
    }

    /// SHA-256 of the pins in their one order, without white space: what a kept head names (spec §23.5).
    pub fn digest(&self) -> [u8; 32] {
        // The types hold only numbers, strings, lists and structures, which always serialise.
        sha256(&serde_json::to_vec(&self.file).unwrap_or_default())
    }

    /// Which cosignatures count at a time: as fresh as the pins ask, none before the app was built, and
    /// none later than now, but for clocks that differ. Of a cosignature's seconds since 1970.
    ///
    /// Each cosignature that counts is fresh: one fresh witness beside a quorum of old ones would be one
    /// witness.
    pub fn is_fresh_at(&self, now_ms: u64) -> impl Fn(u64) -> bool {
        let oldest_ms =
            now_ms.saturating_sub(self.file.cosignature_max_age_ms).max(self.file.built_ms);
        let latest_ms = now_ms.saturating_add(CLOCK_LEAD_MAX_MS);
        move |timestamp| {
            let ms = timestamp.saturating_mul(1_000);
            // A cosignature has whole seconds; the second in which the app was built counts.
            ms.saturating_add(999) >= oldest_ms && ms <= latest_ms
        }
    }

    /// The pins as they stand in the file.
    pub const fn file(&self) -> &TrustFile {
        &self.file
    }

    /// The log whose checkpoints count.
    pub const fn log(&self) -> &LogKey {
        &self.log
    }

    /// The log's origin.
    pub fn origin(&self) -> &str {
        self.log.name()
    }

    /// Who must have cosigned.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }
}

fn strong(key: &Hex<32>) -> Result<VerifyingKey, TrustError> {
    strong_key(&key.0).ok_or(TrustError::WeakKey { key: *key })
}

/// Why pins were refused. Nothing is trusted then, and nothing is sent.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// More bytes than a trust file may have.
    #[error("trust file of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// Not a trust file.
    #[error("not a trust file: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The policy does not read.
    #[error("trust file, policy: {0}")]
    Policy(#[from] PolicyError),
    /// Not exactly one log.
    #[error("trust file, policy: {got} logs, expected 1")]
    Logs {
        /// Logs listed.
        got: usize,
    },
    /// No witness is needed.
    #[error("trust file, policy: expected a quorum of witnesses, got none")]
    NoQuorum,
    /// No auditor.
    #[error("trust file: expected at least one auditor key")]
    NoAuditor,
    /// A threshold that cannot be met or that nobody is needed for.
    #[error("trust file: custodian threshold {got} of {of}")]
    Threshold {
        /// Signatures asked for.
        got: u8,
        /// Custodians listed.
        of: usize,
    },
    /// Not a point, or one of small order, under which anybody signs anything.
    #[error("trust file: {key:?} is no strong Ed25519 public key")]
    WeakKey {
        /// The key.
        key: Hex<32>,
    },
    /// A key stands in two places.
    #[error("trust file: key {key:?} stands in two places; every party needs its own")]
    KeyTwice {
        /// The key.
        key: Hex<32>,
    },
}
