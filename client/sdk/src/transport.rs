//! What carries a frame to a gateway, and what it may say when it fails.

use core::fmt;
use std::{future::Future, time::Duration};
use strongroom_protocol::OutgoingFrame;

/// Carries one frame and brings one answer. It is trusted with availability only.
pub trait Transport: Send + Sync {
    /// Carries a frame once.
    ///
    /// Dropping the future may leave the frame sent. The same frame may be carried again.
    fn carry(
        &self,
        frame: &OutgoingFrame,
    ) -> impl Future<Output = Result<Vec<u8>, CarryError>> + Send;
}

/// Why no answer came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CarryError {
    /// What went wrong, for programs.
    pub code: CarryCode,
    /// The same for people, without control characters. It may come from the gateway.
    pub detail: String,
    /// Whether a vault may have the frame all the same.
    pub may_have_arrived: bool,
    /// Whether carrying the same frame again can help.
    pub retry: Retry,
    /// The gateway's name for the request.
    pub request_id: Option<String>,
}

/// What went wrong on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CarryCode {
    /// No connection to the gateway.
    Unreachable,
    /// The gateway does not accept the token.
    Unauthenticated,
    /// Too many requests of this user or address.
    Limited,
    /// The gateway does not accept the request.
    Malformed,
    /// The fleet does not accept the gateway's ticket.
    TicketRefused,
    /// Too few nodes answered.
    NoQuorum,
    /// Gateway or fleet has too much to do.
    Busy,
    /// No answer in time.
    Timeout,
    /// The answer came without a validation bundle that is believed.
    BundleRefused,
    /// The fleet has a newer manifest than the request was sealed to.
    Superseded,
    /// This device cannot read or keep what it has seen of the log.
    Device,
    /// An answer that is not the gateway's, or one it has no code for.
    Other,
}

impl CarryCode {
    /// The code in JSON, logs and problem documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Unreachable => "unreachable",
            Self::Unauthenticated => "unauthenticated",
            Self::Limited => "limited",
            Self::Malformed => "malformed",
            Self::TicketRefused => "ticket_refused",
            Self::NoQuorum => "no_quorum",
            Self::Busy => "busy",
            Self::Timeout => "timeout",
            Self::BundleRefused => "fleet_key_refused",
            Self::Superseded => "superseded",
            Self::Device => "machine",
            Self::Other => "other",
        }
    }
}

/// Whether carrying the same frame again can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retry {
    /// It cannot.
    Never,
    /// At once.
    Now,
    /// After this time.
    After(Duration),
}

impl fmt::Display for CarryError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.detail)
    }
}

impl core::error::Error for CarryError {}
