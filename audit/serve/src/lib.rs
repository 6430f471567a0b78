//! An auditor and a witness on the network (spec §21.9).
//!
//! * **What it is.** HTTP around `strongroom-log`: an auditor's public addresses, its publishing
//!   address behind mutual TLS, the questions that it asks its witnesses about its two logs, and a
//!   witness's two addresses.
//! * **What it may assume.** That its configuration is its operator's, and that its clock is within
//!   minutes of its witnesses'. Nothing of callers, and of witnesses only what their keys signed.
//! * **What it must never do.** Let a signature out before a quorum's cosignatures are on the disk;
//!   publish for somebody without a certificate from another machine; go on signing after a witness
//!   has seen more of the log than the disk holds.

#![forbid(unsafe_code)]

mod ask;
pub mod auditor;
mod content;
mod error;
mod files;
mod http;
mod tls;
pub mod witness;

pub use error::ServeError;
pub use files::{AnySigner, signer as signer_in_file};

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since the Unix epoch.
fn now_ms() -> u64 {
    // A clock before 1970 is no clock; 0 refuses everything that looks at it.
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

fn now_s() -> u64 {
    now_ms() / 1_000
}
