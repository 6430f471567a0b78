//! The auditor's answer for one epoch, in the shape of Cloudflare's HTTP API (spec §22.4).

use crate::statement::Statement;
use ed25519_dalek::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};
use strongroom_manifest::Hex;

/// The nine fields of the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditResponse {
    /// 1: Ed25519 over protobuf.
    pub ciphersuite: u32,
    /// SHA-256 of the manifest.
    pub digest: Hex<32>,
    /// The epoch.
    pub epoch: u64,
    /// Last byte of the auditor's key: a hint, never a choice.
    pub key_id: u8,
    /// The namespace.
    pub namespace: String,
    /// What was signed. Readers build it again and ignore this.
    pub serialized_message: String,
    /// Ed25519 over the statement.
    pub signature: Hex<64>,
    /// Milliseconds since the Unix epoch.
    pub timestamp: u64,
    /// 1.
    pub version: u32,
}

impl AuditResponse {
    /// The answer for a signed statement.
    pub fn new(statement: &Statement, public_key: &[u8; 32], signature: [u8; 64]) -> Self {
        Self {
            ciphersuite: 1,
            digest: Hex(statement.digest),
            epoch: statement.epoch,
            key_id: public_key.last().copied().unwrap_or_default(),
            namespace: statement.namespace.clone(),
            serialized_message: hex::encode(statement.to_bytes()),
            signature: Hex(signature),
            timestamp: statement.timestamp_ms,
            version: 1,
        }
    }

    /// The statement that the fields make, whatever `serialized_message` says.
    ///
    /// None for another suite: two encodings of one statement would be two statements.
    pub fn statement(&self) -> Option<Statement> {
        let known = self.ciphersuite == 1 && self.version == 1;
        known.then(|| Statement {
            namespace: self.namespace.clone(),
            timestamp_ms: self.timestamp,
            epoch: self.epoch,
            digest: self.digest.0,
        })
    }

    /// Whether a key signed the statement, strictly.
    pub fn is_signed_by(&self, public_key: &[u8; 32]) -> bool {
        let Some(statement) = self.statement() else {
            return false;
        };
        is_strictly_signed(public_key, &statement.to_bytes(), &self.signature.0)
    }
}

/// Strict Ed25519: canonical encodings, no small order.
pub(crate) fn is_strictly_signed(key: &[u8; 32], message: &[u8], signature: &[u8; 64]) -> bool {
    VerifyingKey::from_bytes(key).is_ok_and(|key| is_strict(&key, message, signature))
}

/// The same under a key that was read before.
pub(crate) fn is_strict(key: &VerifyingKey, message: &[u8], signature: &[u8; 64]) -> bool {
    key.verify_strict(message, &Signature::from_bytes(signature)).is_ok()
}
