//! Both ends of the witness protocol (tlog-witness), without the HTTP between them.
//!
//! A witness: [`AddCheckpoint::parse`], look up the log and the stored head by
//! [`AddCheckpoint::origin`], [`AddCheckpoint::decide`], persist [`Consistent::head`], and only then
//! [`crate::cosign`]. From the look-up to the persisted head nothing else may touch the same log's
//! state: otherwise two requests in flight roll it back.
//!
//! A log: [`AddCheckpoint::new`], send, [`Answer::parse`], and
//! [`crate::SignedCheckpoint::add_cosignature`] for each line.

mod answer;
mod decide;
mod request;

pub use answer::{Answer, AnswerError, cosigned_body};
pub use decide::{Consistent, KnownLog, Refusal};
pub use request::{AddCheckpoint, RequestError};

use sha2::{Digest as _, Sha256};

/// Where a witness takes checkpoints, below its submission prefix.
pub const ADD_CHECKPOINT_PATH: &str = "add-checkpoint";

/// Where a witness shows the latest checkpoint that it cosigned for a log, below its monitoring
/// prefix.
pub fn latest_path(origin: &str) -> String {
    format!("{}/checkpoint", hex::encode(Sha256::digest(origin.as_bytes())))
}
