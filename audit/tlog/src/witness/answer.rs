//! What a witness answers, as the log reads it.

use crate::{
    caps::{NOTE_LEN_MAX, NOTE_SIGNATURES_MAX},
    lines,
    note::{NoteError, NoteSignature},
};

/// The body of a 200.
pub fn cosigned_body(cosignatures: &[NoteSignature]) -> String {
    cosignatures.iter().map(NoteSignature::to_line).collect()
}

/// A witness's answer, not yet believed.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// 200: signature lines, to be verified one by one.
    Cosigned(Vec<NoteSignature>),
    /// 409: the witness stands at this size; the next request starts there.
    Conflict {
        /// Leaves.
        size: u64,
    },
    /// Any other status.
    Refused {
        /// The HTTP status.
        status: u16,
        /// The reason it gave, cut to 200 characters and without control characters.
        reason: String,
    },
}

impl Answer {
    /// Reads a response.
    ///
    /// # Errors
    /// [`AnswerError`].
    pub fn parse(status: u16, body: &[u8]) -> Result<Self, AnswerError> {
        if body.len() > NOTE_LEN_MAX {
            return Err(AnswerError::TooLong { got: body.len(), cap: NOTE_LEN_MAX });
        }
        match status {
            200 => parse_lines(body).map(Self::Cosigned),
            409 => {
                let text = core::str::from_utf8(body).ok().and_then(|text| text.strip_suffix('\n'));
                let size = text.and_then(lines::decimal).ok_or(AnswerError::Size)?;
                Ok(Self::Conflict { size })
            }
            _ => {
                let text = String::from_utf8_lossy(body);
                let printable = text.trim().chars().filter(|sign| !sign.is_control());
                Ok(Self::Refused { status, reason: printable.take(200).collect() })
            }
        }
    }
}

fn parse_lines(body: &[u8]) -> Result<Vec<NoteSignature>, AnswerError> {
    let text = core::str::from_utf8(body).map_err(|_| NoteError::Malformed)?;
    let text = text.strip_suffix('\n').ok_or(NoteError::Malformed)?;
    let got = text.split('\n').count();
    if got > NOTE_SIGNATURES_MAX {
        return Err(NoteError::TooManySignatures { got, cap: NOTE_SIGNATURES_MAX }.into());
    }
    let lines: Result<_, _> = text.split('\n').map(NoteSignature::parse).collect();
    Ok(lines?)
}

/// Why a response is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// A longer body than any answer needs.
    #[error("answer of {got} bytes, at most {cap}")]
    TooLong {
        /// Bytes given.
        got: usize,
        /// The cap.
        cap: usize,
    },
    /// A 200 without signature lines.
    #[error(transparent)]
    Lines(#[from] NoteError),
    /// A 409 without a size.
    #[error("conflict without a size: expected a decimal and a newline")]
    Size,
}
