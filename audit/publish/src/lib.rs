//! The operator's side of publishing: a manifest to an auditor, a counter-signature back (spec §21.9).
//!
//! * **What it is.** A blocking client. It posts a manifest, checks what comes back against the pins
//!   and against the log, signs, posts that, and fetches the bundle that devices will get.
//! * **What it may assume.** The pins, the caller's clock, and the operator's key. Nothing of the
//!   auditor: whatever it answers is compared with what was built here.
//! * **What it must never do.** Counter-sign a leaf that it did not build itself and find in the log;
//!   speak plain HTTP with another machine; need to remember anything between two runs.

#![forbid(unsafe_code)]

mod door;
mod error;
mod publish;
mod record;

pub use door::{Door, TlsIdentity};
pub use error::PublishError;
pub use publish::{Published, fetch_bundle, publish};
pub use record::record;
