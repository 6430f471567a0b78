//! What a vault answers (spec §8): one size, whatever the outcome, signed before it is sealed.

use crate::{
    caps::{self, opaque},
    codec::{self, Blob, CodecError, Fixed},
    digest::Framed,
};
use alloc::vec::Vec;
use minicbor::{Decode, Encode};

const RESPONSE_LABEL: &str = "strongroom/response/v1";
/// Failure times that one answer carries: a full row.
pub const FAILURES_MAX: usize = 10;

/// How many attempts a slot has left, and when the next is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Budget {
    /// Attempts left in this row; a success refills it.
    #[n(0)]
    pub row_left: u8,
    /// Failures left in the 365 days that end now; nothing refills it.
    #[n(1)]
    pub year_left: u8,
    /// Vault time in milliseconds from which the next attempt is accepted; 0 is now.
    #[n(2)]
    pub next_ms: u64,
}

/// Why an attempt was not accepted now. It was not charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum WaitReason {
    /// The wait after a failure of this row has not passed.
    #[n(1)]
    Row,
    /// The year's failures are spent.
    #[n(2)]
    Year,
    /// The fleet has locked as many records today as it may.
    #[n(3)]
    LockCeiling,
}

/// Why a recovery attempt brought nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Failure {
    /// The password was wrong. The attempt stays charged.
    #[n(1)]
    WrongPassword,
    /// The slot has no record. Nothing was charged.
    #[n(2)]
    NoRecord,
    /// The record was destroyed after too many wrong passwords.
    #[n(3)]
    Locked,
    /// The attempt is not the slot's open one: another began, it expired, or the record changed.
    /// The attempt stays charged.
    #[n(4)]
    Closed,
}

/// Why a command had no effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Refusal {
    /// The pending registration was replaced, consumed, or has expired.
    #[n(1)]
    EntryUnknown,
    /// The record has moved to another generation.
    #[n(2)]
    GenerationMoved,
    /// No enrolled device key, no fresh recovery: not the owner's.
    #[n(3)]
    NotOwner,
    /// The counter is not above the last one of this device.
    #[n(4)]
    Replayed,
    /// The record holds as many device keys as it may.
    #[n(5)]
    DevicesFull,
    /// The ticket moved this slot already.
    #[n(6)]
    TicketSpent,
    /// The slot has no record.
    #[n(7)]
    NoRecord,
    /// The row is spent; a new record would inherit no attempt.
    #[n(8)]
    RowSpent,
    /// An OPAQUE message or key that is not acceptable.
    #[n(9)]
    BadMessage,
    /// The slot lies outside this fleet's range.
    #[n(10)]
    OtherFleet,
    /// The fleet holds as many slots as it may.
    #[n(11)]
    FleetFull,
}

/// What a registration did.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Receipt {
    /// The generation that is stored, or will be.
    #[n(0)]
    pub generation: u64,
    /// The generation that this destroyed, if any.
    #[n(1)]
    pub destroyed: Option<u64>,
    /// SHA-256 of the registration.
    #[n(2)]
    pub registration: Fixed<32>,
    /// 0: stored. Otherwise the vault time at which a delayed replacement takes effect.
    #[n(3)]
    pub effective_ms: u64,
    /// The slot's budget from here on.
    #[n(4)]
    pub budget: Budget,
}

/// What the owner should know of the time before this success.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct RecoveryReceipt {
    /// The generation recovered.
    #[n(0)]
    pub generation: u64,
    /// Vault times of the failures since the last success, newest last.
    #[n(1)]
    pub failures_ms: Vec<u64>,
    /// Failures in the 365 days that end now.
    #[n(2)]
    pub failures_year: u8,
    /// The slot's budget from here on.
    #[n(3)]
    pub budget: Budget,
}

/// How a slot stands, for its owner alone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SlotStatus {
    /// The live generation.
    #[n(0)]
    pub generation: u64,
    /// Vault time of its registration.
    #[n(1)]
    pub registered_ms: u64,
    /// Its keyset.
    #[n(2)]
    pub keyset: u32,
    /// Enrolled device keys.
    #[n(3)]
    pub devices: u8,
    /// The budget.
    #[n(4)]
    pub budget: Budget,
    /// Vault times of the failures since the last success.
    #[n(5)]
    pub failures_ms: Vec<u64>,
    /// Failures in the 365 days that end now.
    #[n(6)]
    pub failures_year: u8,
    /// A delayed replacement that this command cancelled.
    #[n(7)]
    pub cancelled_replacement: bool,
    /// The newest destroyed generation of the slot.
    #[n(8)]
    pub destroyed: Option<u64>,
    /// Whether every node has forgotten what could open that generation.
    #[n(9)]
    pub erased: bool,
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[expect(clippy::large_enum_variant, reason = "one at a time, and short-lived")]
pub enum Outcome {
    /// A pending registration is committed.
    #[n(1)]
    RegisterStarted {
        /// Names the pending entry.
        #[n(0)]
        entry: Fixed<32>,
        /// The generation it will have.
        #[n(1)]
        generation: u64,
        /// The keyset it will use.
        #[n(2)]
        keyset: u32,
        /// OPAQUE registration response.
        #[n(3)]
        response: Fixed<{ opaque::REGISTRATION_RESPONSE_LEN }>,
        /// Vault time at which it expires.
        #[n(4)]
        expires_ms: u64,
        /// Whether the slot has a record already.
        #[n(5)]
        occupied: bool,
    },
    /// A registration is stored, or waits for its delay.
    #[n(2)]
    Registered {
        /// What was done.
        #[n(0)]
        receipt: Receipt,
    },
    /// An attempt is charged and open.
    #[n(3)]
    RecoverStarted {
        /// The attempt's number.
        #[n(0)]
        attempt: u64,
        /// The record's generation.
        #[n(1)]
        generation: u64,
        /// The record's keyset.
        #[n(2)]
        keyset: u32,
        /// The key-stretching parameters of the record.
        #[n(3)]
        ksf_version: u16,
        /// OPAQUE KE2.
        #[n(4)]
        ke2: Fixed<{ opaque::KE2_LEN }>,
        /// Vault time at which the attempt closes.
        #[n(5)]
        expires_ms: u64,
        /// The budget, this attempt charged.
        #[n(6)]
        budget: Budget,
    },
    /// The attempt was not accepted now and not charged.
    #[n(4)]
    Wait {
        /// Why.
        #[n(0)]
        reason: WaitReason,
        /// The budget; `next_ms` says when.
        #[n(1)]
        budget: Budget,
    },
    /// The password was right.
    #[n(5)]
    Recovered {
        /// The wrapped key under the session key.
        #[n(0)]
        released_key: Fixed<{ caps::RELEASED_KEY_LEN }>,
        /// What the owner should know.
        #[n(1)]
        receipt: RecoveryReceipt,
    },
    /// The attempt brought nothing.
    #[n(6)]
    RecoverFailed {
        /// Why.
        #[n(0)]
        why: Failure,
        /// The budget from here on.
        #[n(1)]
        budget: Budget,
        /// The generation destroyed by this attempt or before it.
        #[n(2)]
        destroyed: Option<u64>,
    },
    /// How the slot stands.
    #[n(7)]
    Status {
        /// The view.
        #[n(0)]
        status: SlotStatus,
    },
    /// The record is destroyed.
    #[n(8)]
    Destroyed {
        /// Its generation.
        #[n(0)]
        generation: u64,
    },
    /// A device key is added.
    #[n(9)]
    Enrolled {
        /// Device keys enrolled now.
        #[n(0)]
        devices: u8,
    },
    /// How many attempts are left.
    #[n(10)]
    BudgetIs {
        /// The budget.
        #[n(0)]
        budget: Budget,
    },
    /// The command had no effect and cost nothing.
    #[n(11)]
    Refused {
        /// Why.
        #[n(0)]
        why: Refusal,
        /// The live generation, where the refusal depends on it; otherwise 0.
        #[n(1)]
        generation: u64,
    },
}

/// What a node signs and seals.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Response {
    /// [`caps::WIRE_VERSION`].
    #[n(0)]
    pub version: u8,
    /// The answering node.
    #[n(1)]
    pub node: u8,
    /// Its incarnation: the process that answers.
    #[n(2)]
    pub incarnation: u64,
    /// The log index that this answer rests on.
    #[n(3)]
    pub index: u64,
    /// The term of that entry.
    #[n(4)]
    pub term: u64,
    /// Agreed vault time of that entry, milliseconds since the Unix epoch.
    #[n(5)]
    pub now_ms: u64,
    /// What came of the request.
    #[n(6)]
    pub outcome: Outcome,
}

/// A response with its node's signature: the plaintext of a response frame.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedResponse {
    /// The encoding of a [`Response`].
    #[n(0)]
    pub response: Blob,
    /// Ed25519 over [`statement`].
    #[n(1)]
    pub signature: Fixed<64>,
}

/// What a node signs (INV-6): the request's transcript, the log position and the answer.
pub fn statement(
    manifest_digest: &[u8; 32],
    fleet: &str,
    request_frame_digest: &[u8; 32],
    response: &Response,
    encoded: &[u8],
) -> Vec<u8> {
    Framed::new(RESPONSE_LABEL)
        .bytes(manifest_digest)
        .bytes(fleet.as_bytes())
        .number(u64::from(response.node))
        .number(response.incarnation)
        .bytes(request_frame_digest)
        .number(response.index)
        .bytes(encoded)
        .into_bytes()
}

impl SignedResponse {
    /// The padded plaintext of a response frame.
    ///
    /// # Errors
    /// [`CodecError::TooLong`], which no response of this version reaches.
    pub fn to_plaintext(&self) -> Result<Vec<u8>, CodecError> {
        codec::pad(&codec::encode(self), caps::RESPONSE_PLAINTEXT_LEN)
    }

    /// Reads an opened response frame. The signature is not checked here.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_plaintext(plaintext: &[u8]) -> Result<(Self, Response), CodecError> {
        let content = codec::unpad(plaintext, caps::RESPONSE_PLAINTEXT_LEN)?;
        let signed: Self = codec::decode(content, caps::RESPONSE_PLAINTEXT_LEN)?;
        let response: Response = codec::decode(&signed.response.0, caps::RESPONSE_PLAINTEXT_LEN)?;
        if response.version != caps::WIRE_VERSION {
            return Err(CodecError::Version { got: response.version });
        }
        Ok((signed, response))
    }
}
