//! `cosignature/v1`: a witness says that it saw nothing larger and nothing else (tlog-cosignature).

use crate::{
    checkpoint::{Checkpoint, SignedCheckpoint},
    keys::WitnessKey,
    note::{NoteError, NoteSignature},
    signer::{NoteSigner, SignError, WitnessSigner},
    witness::Consistent,
};

/// The largest timestamp that a cosignature may carry.
const TIMESTAMP_MAX: u64 = (1 << 63) - 1;

/// Cosigns at `timestamp` seconds since 1970. The caller has persisted the new head before.
///
/// # Errors
/// [`SignError`].
pub fn cosign<S: NoteSigner>(
    consistent: &Consistent,
    signer: &WitnessSigner<S>,
    timestamp: u64,
) -> Result<NoteSignature, SignError> {
    if !(1..=TIMESTAMP_MAX).contains(&timestamp) {
        return Err(SignError::Timestamp { got: timestamp, max: TIMESTAMP_MAX });
    }
    let signature = signer.sign(message(consistent.signed().checkpoint(), timestamp).as_bytes())?;
    let bytes = [timestamp.to_be_bytes().as_slice(), &signature].concat();
    let key = signer.key();
    NoteSignature::new(key.name(), key.id(), bytes)
        .map_err(|error| SignError::Text(error.to_string()))
}

/// Verifies one line as this witness's cosignature of the checkpoint, and returns its timestamp in
/// seconds since 1970. Whether that is recent enough is the caller's question.
///
/// # Errors
/// [`CosignatureError`].
pub fn verify_cosignature(
    checkpoint: &Checkpoint,
    line: &NoteSignature,
    key: &WitnessKey,
) -> Result<u64, CosignatureError> {
    if !line.names(key) {
        let got = format!("{}+{:08x}", line.name(), line.key_id());
        let expected = format!("{}+{:08x}", key.name(), key.id());
        return Err(CosignatureError::Key { got, expected });
    }
    let Some((timestamp, signature)) = line.bytes().split_first_chunk::<8>() else {
        return Err(CosignatureError::Length { got: line.bytes().len() });
    };
    if signature.len() != 64 {
        return Err(CosignatureError::Length { got: line.bytes().len() });
    }
    let timestamp = u64::from_be_bytes(*timestamp);
    if timestamp > TIMESTAMP_MAX {
        return Err(CosignatureError::Timestamp { got: timestamp, max: TIMESTAMP_MAX });
    }
    if !key.verifies(message(checkpoint, timestamp).as_bytes(), signature) {
        return Err(CosignatureError::Note(NoteError::false_signature(line)));
    }
    Ok(timestamp)
}

impl SignedCheckpoint {
    /// Takes a line from a witness's answer if it is that witness's valid cosignature, in the place
    /// of an older one, and returns its timestamp.
    ///
    /// # Errors
    /// [`CosignatureError`]; the checkpoint is then as before.
    pub fn add_cosignature(
        &mut self,
        line: NoteSignature,
        key: &WitnessKey,
    ) -> Result<u64, CosignatureError> {
        let timestamp = verify_cosignature(self.checkpoint(), &line, key)?;
        // A witness must not leave its time out (tlog-witness).
        if timestamp == 0 {
            return Err(CosignatureError::Timestamp { got: 0, max: TIMESTAMP_MAX });
        }
        self.note_mut().put(line).map_err(CosignatureError::Note)?;
        Ok(timestamp)
    }
}

fn message(checkpoint: &Checkpoint, timestamp: u64) -> String {
    format!("cosignature/v1\ntime {timestamp}\n{}", checkpoint.to_text())
}

/// Why a line is not this witness's cosignature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CosignatureError {
    /// The line names another key; it says nothing about this one.
    #[error("signature line of {got}, expected {expected}")]
    Key {
        /// Name and id found.
        got: String,
        /// Name and id of the key asked about.
        expected: String,
    },
    /// Not a timestamp and an Ed25519 signature.
    #[error("cosignature of {got} bytes, expected 72")]
    Length {
        /// Bytes found.
        got: usize,
    },
    /// A time that C2SP rules out.
    #[error("cosignature at {got} s, expected 1 to {max}")]
    Timestamp {
        /// Seconds found.
        got: u64,
        /// The largest allowed.
        max: u64,
    },
    /// It does not verify, or the note has no room for it.
    #[error(transparent)]
    Note(NoteError),
}
