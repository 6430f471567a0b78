//! What a gateway hands to a node, and what comes back (spec §5): two fixed sizes.

use crate::{
    caps::{REQUEST_FRAME_LEN, RESPONSE_FRAME_LEN, SEALED_TICKET_LEN},
    codec::CodecError,
};
use alloc::vec::Vec;

/// The size of every relayed request.
pub const RELAY_REQUEST_LEN: usize = SEALED_TICKET_LEN + REQUEST_FRAME_LEN;

/// A sealed ticket and the sealed frame it belongs to.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RelayRequest {
    /// [`SEALED_TICKET_LEN`] bytes.
    pub ticket: Vec<u8>,
    /// [`REQUEST_FRAME_LEN`] bytes.
    pub frame: Vec<u8>,
}

impl RelayRequest {
    /// `ticket ‖ frame`.
    pub fn to_bytes(&self) -> Vec<u8> {
        [self.ticket.as_slice(), self.frame.as_slice()].concat()
    }

    /// Splits exactly [`RELAY_REQUEST_LEN`] bytes.
    ///
    /// # Errors
    /// [`CodecError::Length`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        let wrong = CodecError::Length { got: bytes.len(), expected: RELAY_REQUEST_LEN };
        if bytes.len() != RELAY_REQUEST_LEN {
            return Err(wrong);
        }
        let (ticket, frame) = bytes.split_at_checked(SEALED_TICKET_LEN).ok_or(wrong)?;
        Ok(Self { ticket: ticket.to_vec(), frame: frame.to_vec() })
    }
}

/// Why a vault answers without a frame. None of these depends on any record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RelayRefusal {
    /// This node does not know a leader with a quorum, or is not part of one. Nothing was charged
    /// by this answer; a request that was sent on before may have been.
    NoQuorum,
    /// Wrong sizes, or a frame that the fleet's key does not open.
    Malformed,
    /// The ticket is not a listed gateway's, not for this frame, slot, verb or fleet, or expired.
    TicketRefused,
    /// Too many requests are under way.
    Busy,
    /// The request was accepted and no answer came in time; it may be charged.
    Unknown,
}

impl RelayRefusal {
    const ALL: [Self; 5] =
        [Self::NoQuorum, Self::Malformed, Self::TicketRefused, Self::Busy, Self::Unknown];

    /// The number on the wire.
    pub const fn code(self) -> u8 {
        match self {
            Self::NoQuorum => 1,
            Self::Malformed => 2,
            Self::TicketRefused => 3,
            Self::Busy => 4,
            Self::Unknown => 5,
        }
    }

    /// The refusal of a number.
    pub fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|refusal| refusal.code() == code)
    }
}

/// What comes back: a response frame, or a refusal.
pub type RelayReply = Result<Vec<u8>, RelayRefusal>;

/// `0 ‖ frame` or `code`.
pub fn reply_to_bytes(reply: &RelayReply) -> Vec<u8> {
    match reply {
        Ok(frame) => [&[0_u8], frame.as_slice()].concat(),
        Err(refusal) => [refusal.code()].to_vec(),
    }
}

/// Reads a reply.
///
/// # Errors
/// [`CodecError::Length`] or [`CodecError::Malformed`].
pub fn reply_from_bytes(bytes: &[u8]) -> Result<RelayReply, CodecError> {
    let (first, rest) = bytes.split_first().ok_or(CodecError::Malformed)?;
    if *first != 0 {
        let refusal = RelayRefusal::from_code(*first).ok_or(CodecError::Malformed)?;
        return if rest.is_empty() { Ok(Err(refusal)) } else { Err(CodecError::NotCanonical) };
    }
    if rest.len() != RESPONSE_FRAME_LEN {
        return Err(CodecError::Length { got: rest.len(), expected: RESPONSE_FRAME_LEN });
    }
    Ok(Ok(rest.to_vec()))
}
