//! The operator's counter-signature (spec §21.5).

use crate::{leaf::leaf_digest, response::is_strictly_signed};

/// What an operator signs over a logged leaf and the auditor's signature.
pub fn countersign_message(origin: &str, leaf: &[u8], auditor_signature: &[u8; 64]) -> Vec<u8> {
    let mut message = format!("{origin}/countersig/v1\n").into_bytes();
    message.extend_from_slice(&leaf_digest(leaf));
    message.extend_from_slice(auditor_signature);
    message
}

/// Whether the operator counter-signed this leaf with this auditor's signature, strictly.
pub fn is_countersigned(
    origin: &str,
    leaf: &[u8],
    auditor_signature: &[u8; 64],
    operator_key: &[u8; 32],
    countersignature: &[u8; 64],
) -> bool {
    let message = countersign_message(origin, leaf, auditor_signature);
    is_strictly_signed(operator_key, &message, countersignature)
}
