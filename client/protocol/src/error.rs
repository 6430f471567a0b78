//! What can go wrong, sorted by whose turn it is.

use crate::{
    exchange::Voucher,
    ksf::{KSF_CEILING, KSF_FLOOR},
};
use core::fmt;
use strongroom_manifest::ManifestError;
use strongroom_wire::{CodecError, caps, request::Verb, response::Refusal};

/// Whose turn it is after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The app: another manifest, fleet or app name is needed. Nothing was sent.
    Destination,
    /// Whoever answered, or sits between: the answer is not one that the manifest vouches for.
    Answer,
    /// The fleet uses a key or parameter that the manifest or this client does not allow.
    FleetKey,
    /// The fleet signed a refusal.
    Refusal,
    /// This program.
    Bug,
}

/// Everything that can go wrong in an exchange. None holds anything of a password or key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ProtocolError {
    // --- the destination; nothing was sent ---
    /// The manifest or the fleet in it is not acceptable.
    Manifest(ManifestError),
    /// The account's slot lies outside the fleet's range.
    SlotElsewhere,
    /// No gateway of this app is listed.
    NoTicketKey,
    /// A key in the manifest is none.
    ManifestKey(&'static str),

    // --- the answer; it was not used ---
    /// A frame of another size.
    Length {
        /// Bytes that came.
        got: usize,
    },
    /// It does not open: damaged, or meant for another request.
    Sealed,
    /// It opens and is not an encoding of this version.
    Encoding(CodecError),
    /// It names a node that the manifest does not list.
    Unlisted {
        /// The node it names.
        node: u8,
    },
    /// Its signature is not that node's, for this request, under this manifest.
    Signature {
        /// The node it names.
        node: u8,
    },
    /// It answers another verb.
    OtherOutcome {
        /// The verb that was asked.
        verb: Verb,
    },
    /// An OPAQUE element that is reflected, the identity, or not canonical.
    OpaqueMessage,
    /// The receipt names another registration or generation than the one sent.
    OtherReceipt,
    /// The released key does not open under the session.
    ReleasedKey,
    /// The wrapped key does not open under this password's export key.
    WrappedKey,
    /// The fleet says of this password the opposite of what the exchange proved.
    Contradiction,

    // --- the fleet's keys ---
    /// A keyset that the manifest does not list, or not the newest for a registration.
    UnknownKeyset {
        /// The keyset it names.
        got: u32,
    },
    /// The server's key is not the keyset's in the manifest.
    ServerKey {
        /// The keyset.
        keyset: u32,
        /// The key that was used.
        got: [u8; 32],
        /// The manifest's.
        expected: [u8; 32],
    },
    /// Key-stretching parameters outside this client's floor and ceiling.
    Stretching {
        /// The version asked for.
        got: u16,
    },

    // --- a signed refusal ---
    /// The command had no effect and cost nothing.
    Refused {
        /// Why.
        why: Refusal,
        /// The live generation, where the refusal is about it.
        generation: u64,
        /// Who signed it.
        by: Voucher,
    },

    // --- this program ---
    /// What cannot happen.
    Internal(&'static str),
}

impl ProtocolError {
    /// Whose turn it is.
    pub const fn blame(&self) -> Blame {
        match self {
            Self::Manifest(_) | Self::SlotElsewhere | Self::NoTicketKey | Self::ManifestKey(_) => {
                Blame::Destination
            }
            Self::Length { .. }
            | Self::Sealed
            | Self::Encoding(_)
            | Self::Unlisted { .. }
            | Self::Signature { .. }
            | Self::OtherOutcome { .. }
            | Self::OpaqueMessage
            | Self::OtherReceipt
            | Self::ReleasedKey
            | Self::WrappedKey
            | Self::Contradiction => Blame::Answer,
            Self::UnknownKeyset { .. } | Self::ServerKey { .. } | Self::Stretching { .. } => {
                Blame::FleetKey
            }
            Self::Refused { .. } => Blame::Refusal,
            Self::Internal(_) => Blame::Bug,
        }
    }
}

impl fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Manifest(error) => write!(f, "{error}"),
            Self::SlotElsewhere => {
                write!(f, "this account's slot is not one that the fleet serves")
            }
            Self::NoTicketKey => write!(f, "the manifest lists no gateway for this app"),
            Self::ManifestKey(field) => write!(f, "the manifest's {field} is not a key"),
            Self::Length { got } => {
                write!(f, "answer of {got} bytes, expected {}", caps::RESPONSE_FRAME_LEN)
            }
            Self::Sealed => write!(f, "the answer does not open: damaged, or for another request"),
            Self::Encoding(error) => write!(f, "the answer is malformed: {error}"),
            Self::Unlisted { node } => {
                write!(f, "answered by node {node}, which the manifest does not list")
            }
            Self::Signature { node } => write!(
                f,
                "the answer does not carry node {node}'s signature for this request and manifest"
            ),
            Self::OtherOutcome { verb } => {
                write!(f, "the answer is not one to {}", verb.name())
            }
            Self::OpaqueMessage => write!(f, "the fleet sent an invalid OPAQUE element"),
            Self::OtherReceipt => write!(f, "the receipt is for another registration"),
            Self::ReleasedKey => write!(f, "the released key does not open under this session"),
            Self::WrappedKey => {
                write!(f, "the stored key is not one that was wrapped under this password")
            }
            Self::Contradiction => {
                write!(f, "the fleet's verdict on the password contradicts the exchange")
            }
            Self::UnknownKeyset { got } => {
                write!(f, "the fleet uses keyset {got}, which the manifest does not allow here")
            }
            Self::ServerKey { keyset, got, expected } => {
                write!(f, "keyset {keyset}: the fleet used key ")?;
                hex(f, got)?;
                write!(f, ", the manifest lists ")?;
                hex(f, expected)
            }
            Self::Stretching { got } => write!(
                f,
                "key stretching version {got}, this client accepts {KSF_FLOOR} to {KSF_CEILING}"
            ),
            Self::Refused { why, by, .. } => write!(f, "{} (signed by {by})", refusal(*why)),
            Self::Internal(what) => write!(f, "internal error: {what}"),
        }
    }
}

/// A refusal in words.
const fn refusal(why: Refusal) -> &'static str {
    match why {
        Refusal::EntryUnknown => "the pending registration expired or was replaced",
        Refusal::GenerationMoved => "the record has changed since this device last saw it",
        Refusal::NotOwner => "this device is not enrolled for the record",
        Refusal::Replayed => "the command's counter was used before",
        Refusal::DevicesFull => "the record holds as many device keys as it may",
        Refusal::TicketSpent => "the gateway's ticket was used before",
        Refusal::NoRecord => "there is no record",
        Refusal::RowSpent => "no attempts are left that a new record could inherit",
        Refusal::BadMessage => "the fleet did not accept the message",
        Refusal::OtherFleet => "another fleet serves this account",
        Refusal::FleetFull => "the fleet holds as many accounts as it may",
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl core::error::Error for ProtocolError {}
