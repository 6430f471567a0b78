//! The client's half of every exchange with a fleet, without input or output.
//!
//! * **What it is.** Registration, recovery and the owner's commands as state machines: each step
//!   takes bytes and gives bytes. The same 32-byte seed gives the same frames.
//! * **What it may assume.** A [`strongroom_manifest::Verified`] manifest, a prepared password, and
//!   seeds that are random and used once.
//! * **What it must never do.** Send anything derived from a password to a key that the manifest
//!   does not list, use any part of an answer before its signature is checked, or let whoever
//!   carries the frames tell a right password from a wrong one.
//!
//! ```text
//! Registration::start ─frame→ on_started → Offer::finish ─frame→ on_finished → Registered
//! Recovery::start     ─frame→ on_started → Started       ─frame→ on_finished → Recovered | Failed
//! owner::*::ask       ─frame→ on_answer  → what the fleet signed
//! ```
//!
//! [`Offer::finish`] and [`Recovery::on_started`] stretch the password: 64 MiB and about 100 ms.

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod destination;
mod entropy;
mod error;
mod exchange;
mod key;
mod ksf;
pub mod owner;
mod recover;
mod register;
mod suite;
mod wrap;

pub use destination::Destination;
pub use error::{Blame, ProtocolError};
pub use exchange::{OutgoingFrame, Voucher};
pub use key::{BackupKey, DeviceKey, FreshAuthority};
pub use ksf::{KSF_CEILING, KSF_FLOOR, KsfVersion};
pub use recover::{
    Charged, Failed, Outcome, Recovered, Recovery, RecoveryFinish, Started, Verdict,
};
pub use register::{Authorisation, Offer, Registered, Registration, RegistrationFinish};
pub use strongroom_wire::{
    request::Verb,
    response::{Budget, Failure, Receipt, RecoveryReceipt, Refusal, SlotStatus, WaitReason},
};
