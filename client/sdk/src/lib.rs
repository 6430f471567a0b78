//! The crate that apps import: enrolment, recovery and the owner's commands, over any transport.
//!
//! * **What it is.** `strongroom-protocol` with a network, retries of the *same frame*, key stretching
//!   off the async threads, and a memory of what this session has tried already.
//! * **What it may assume.** A tokio runtime with timers. A transport that may lose, repeat, delay
//!   and change everything.
//! * **What it must never do.** Spend a second attempt by itself: a lost answer is asked for again
//!   with the frame that was sent, a refused password is not sent again, and a registration
//!   without a receipt is reported, never repeated.
//!
//! ```no_run
//! # async fn example(manifest: strongroom_manifest::Verified<strongroom_manifest::Manifest>)
//! # -> Result<(), Box<dyn std::error::Error>> {
//! use strongroom_sdk::{Account, Destination, DeviceKey, Floors, Http, Password, StrongroomClient, Token};
//!
//! let account = Account::normalise("alice@example.com")?;
//! let now_ms = strongroom_sdk::now_ms();
//! let to = Destination::new(&manifest, "eu-1", "notes", &account, &Floors::PRODUCTION, now_ms)?;
//! let client = StrongroomClient::new(to, Http::new("https://gateway.example", &Token::new("…"))?);
//! let device = DeviceKey::from_seed(&strongroom_sdk::random()?);
//! match client.recover(&Password::prepare("correct horse")?, &device, false).await {
//!     Ok(recovered) => println!("{} failures before", recovered.receipt.failures_ms.len()),
//!     Err(error) => println!("{error}; cost: {:?}", error.cost()),
//! }
//! # Ok(()) }
//! ```

#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod belief;
mod carry;
mod client;
mod enroll;
mod error;
mod http;
mod owner;
mod problem;
mod recover;
mod session;
mod transport;

pub use belief::{Belief, BeliefError, HeadStore, LookError, look};
pub use carry::{Carried, Patience, Unavailable, carry};
pub use client::{StrongroomClient, Timings};
pub use enroll::{Authority, Enrolled, Enrolment, IfOccupied};
pub use error::{Cost, SdkError};
pub use http::{Http, HttpError, Token};
pub use owner::{Destroyed, Owner, StatusAnswer};
pub use recover::RecoveredKey;
pub use strongroom_account::{Account, AccountError, Password, PasswordError};
pub use strongroom_manifest::{Floors, Protection};
pub use strongroom_protocol::{
    BackupKey, Blame, Budget, Destination, DeviceKey, FreshAuthority, OutgoingFrame, ProtocolError,
    Receipt, RecoveryReceipt, Refusal, SlotStatus, Verb, Voucher, WaitReason,
};
pub use strongroom_verify::{
    Believed, Head, Refusal as BundleRefusal, TRUST_LEN_MAX, Trust, TrustError,
};
pub use strongroom_wire::Slot;
pub use transport::{CarryCode, CarryError, Retry, Transport};

/// Bytes from the operating system.
///
/// # Errors
/// [`SdkError::NoEntropy`].
pub fn random<const N: usize>() -> Result<[u8; N], SdkError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).map_err(|_| SdkError::NoEntropy)?;
    Ok(bytes)
}

/// This device's clock, milliseconds since the Unix epoch: for a manifest's validity.
pub fn now_ms() -> u64 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX))
}
