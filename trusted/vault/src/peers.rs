//! What vaults tell each other, inside the encrypted links.

use minicbor::{Decode, Encode};
use strongroom_wire::{CodecError, Fixed, caps, codec, codec::Blob, relay::RELAY_REQUEST_LEN};

const REPLICA: u8 = 1;
const NOTE: u8 = 2;
const NOTE_LEN_MAX: usize = RELAY_REQUEST_LEN + caps::RESPONSE_FRAME_LEN + 256;

/// Everything but consensus.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) enum Note {
    /// Where a node stands, some times a second.
    #[n(1)]
    Beat {
        /// Its wall clock.
        #[n(0)]
        wall_ms: u64,
        /// Its last applied entry.
        #[n(1)]
        applied: u64,
        /// Its state hash there.
        #[n(2)]
        hash: Fixed<32>,
        /// Compactions whose old erasure key it has forgotten.
        #[n(3)]
        erased_through: u64,
    },
    /// A request that reached a node which does not lead.
    #[n(2)]
    Forward {
        /// Names the answer.
        #[n(0)]
        id: u64,
        /// The sealed ticket.
        #[n(1)]
        ticket: Blob,
        /// The sealed request.
        #[n(2)]
        frame: Blob,
    },
    /// The leader's answer to it.
    #[n(3)]
    Answer {
        /// The name.
        #[n(0)]
        id: u64,
        /// [`strongroom_wire::relay::reply_to_bytes`].
        #[n(1)]
        reply: Blob,
    },
}

/// One message between two vaults.
pub(crate) enum PeerMessage<'a> {
    /// For the replica.
    Replica(&'a [u8]),
    /// For the vault.
    Note(Note),
}

pub(crate) fn replica_message(bytes: &[u8]) -> Vec<u8> {
    [&[REPLICA], bytes].concat()
}

pub(crate) fn note_message(note: &Note) -> Vec<u8> {
    [&[NOTE], codec::encode(note).as_slice()].concat()
}

pub(crate) fn read(bytes: &[u8]) -> Result<PeerMessage<'_>, CodecError> {
    match bytes.split_first() {
        Some((&REPLICA, rest)) => Ok(PeerMessage::Replica(rest)),
        Some((&NOTE, rest)) => codec::decode(rest, NOTE_LEN_MAX).map(PeerMessage::Note),
        _ => Err(CodecError::Malformed),
    }
}
