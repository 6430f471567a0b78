//! What can go wrong, and what it cost.

use crate::carry::Unavailable;
use core::fmt;
use strongroom_protocol::{Budget, ProtocolError, Voucher, WaitReason};

/// What an error cost, in attempts. Never guessed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// No attempt.
    None,
    /// No attempt, by the gateway's word alone: a request was sent that a vault would have charged.
    Unsigned,
    /// One attempt, as the fleet signed.
    Charged,
    /// A request was sent that may have been charged.
    Unknown,
}

impl Cost {
    /// The word for it in JSON and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None | Self::Unsigned => "none",
            Self::Charged => "charged",
            Self::Unknown => "unknown",
        }
    }
}

/// Everything that can go wrong, as data: no app needs to read a message to know what happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SdkError {
    // --- the user ---
    /// The password is wrong.
    WrongPassword {
        /// The budget from here on, signed.
        budget: Budget,
        /// Who signed it.
        by: Voucher,
    },
    /// The fleet refused this password earlier in this session; it was not sent again.
    RefusedBefore,
    /// The record was destroyed after too many wrong passwords.
    Locked {
        /// The generation destroyed.
        destroyed: Option<u64>,
        /// Whether this attempt was the last one; nothing if that is not known.
        by_this_attempt: Option<bool>,
        /// Who signed it.
        by: Voucher,
    },
    /// The account has no record.
    NoRecord {
        /// Who signed it.
        by: Voucher,
    },
    /// The next attempt is not accepted yet.
    Wait {
        /// Why.
        reason: WaitReason,
        /// The budget; `next_ms` says when, in the vault's time.
        budget: Budget,
        /// Who signed it, and when.
        by: Voucher,
    },
    /// Another attempt began, or this one expired, before it was finished.
    Closed {
        /// The budget from here on, signed.
        budget: Budget,
        /// Who signed it.
        by: Voucher,
    },
    /// Another device owns the account's record.
    Occupied {
        /// Who signed it.
        by: Voucher,
    },

    // --- what is in doubt ---
    /// A registration was sent and no receipt came: it may be stored or not.
    ReceiptMissing {
        /// The generation it would have.
        generation: u64,
        /// Why no receipt came, if it is this call that failed.
        last: Option<Box<SdkError>>,
    },

    // --- the way ---
    /// No answer came.
    Unavailable {
        /// What was tried.
        tried: Unavailable,
        /// What it can have cost.
        cost: Cost,
    },

    // --- the fleet ---
    /// The answer, the fleet's key, or a signed refusal.
    Protocol {
        /// What.
        error: ProtocolError,
        /// What it cost.
        cost: Cost,
    },

    // --- this machine ---
    /// The operating system gave no randomness.
    NoEntropy,
    /// The thread that stretches the password died: out of memory?
    Worker {
        /// What was spent before it did.
        cost: Cost,
    },
}

impl SdkError {
    /// What it cost, in attempts.
    pub fn cost(&self) -> Cost {
        match self {
            Self::WrongPassword { .. } | Self::Closed { .. } => Cost::Charged,
            Self::Locked { by_this_attempt, .. } => match by_this_attempt {
                Some(true) => Cost::Charged,
                Some(false) => Cost::None,
                None => Cost::Unknown,
            },
            Self::Unavailable { cost, .. }
            | Self::Protocol { cost, .. }
            | Self::Worker { cost } => *cost,
            Self::RefusedBefore
            | Self::NoRecord { .. }
            | Self::Wait { .. }
            | Self::Occupied { .. }
            | Self::ReceiptMissing { .. }
            | Self::NoEntropy => Cost::None,
        }
    }

    /// The error's name in JSON and logs.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::WrongPassword { .. } => "wrong_password",
            Self::RefusedBefore => "refused_before",
            Self::Locked { .. } => "locked",
            Self::NoRecord { .. } => "no_record",
            Self::Wait { .. } => "wait",
            Self::Closed { .. } => "attempt_closed",
            Self::Occupied { .. } => "occupied",
            Self::ReceiptMissing { .. } => "receipt_missing",
            Self::Unavailable { tried, .. } => tried.last.code.name(),
            Self::Protocol { error, .. } => match error.blame() {
                strongroom_protocol::Blame::Destination => "destination",
                strongroom_protocol::Blame::Answer => "bad_answer",
                strongroom_protocol::Blame::FleetKey => "fleet_key_refused",
                strongroom_protocol::Blame::Refusal => "refused",
                strongroom_protocol::Blame::Bug => "internal",
            },
            Self::NoEntropy => "no_entropy",
            Self::Worker { .. } => "worker",
        }
    }
}

impl fmt::Display for SdkError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::WrongPassword { .. } => write!(f, "wrong password"),
            Self::RefusedBefore => {
                write!(f, "this password was refused before; it was not sent again")
            }
            Self::Locked { .. } => {
                write!(f, "locked: the backup key was destroyed after too many wrong passwords")
            }
            Self::NoRecord { .. } => write!(f, "no backup key is stored for this account"),
            Self::Wait { reason, .. } => f.write_str(match reason {
                WaitReason::Row => "too early: the next attempt has to wait",
                WaitReason::Year => "too many wrong passwords in the last 365 days; attempts wait",
                WaitReason::LockCeiling => {
                    "last attempts wait: the fleet has locked as many records as it may today"
                }
            }),
            Self::Closed { .. } => {
                write!(
                    f,
                    "the attempt was closed before it was finished: another began, or time was up"
                )
            }
            Self::Occupied { .. } => {
                write!(f, "another device owns the backup key of this account")
            }
            Self::ReceiptMissing { generation, last } => {
                write!(f, "no receipt: it is not known whether generation {generation} is stored")?;
                match last {
                    Some(last) => write!(f, " ({last})"),
                    None => Ok(()),
                }
            }
            Self::Unavailable { tried, .. } => write!(f, "{tried}"),
            Self::Protocol { error, .. } => write!(f, "{error}"),
            Self::NoEntropy => write!(f, "the operating system gave no randomness"),
            Self::Worker { .. } => {
                write!(f, "the password could not be stretched: is memory short?")
            }
        }
    }
}

impl std::error::Error for SdkError {}
