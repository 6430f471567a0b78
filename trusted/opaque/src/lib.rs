//! The pinned OPAQUE suite: RFC 9807 with ristretto255-SHA512 and 3DH (spec §6).
//!
//! * **What it is.** The server's end: evaluate a registration, answer KE1 deterministically from a
//!   committed seed, check KE3, and answer for slots that have no record as if they had one.
//! * **What it may assume.** That the caller has committed whatever an answer costs.
//! * **What it must never do.** Draw randomness of its own, keep a state between two messages, or
//!   tell a record from a fake by anything but the password.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod entropy;
mod fake;
mod server;
mod session_key;
mod suite;

pub use fake::Fakes;
pub use server::{Exchange, Login, OpaqueError, Server, generate_server_key};
pub use session_key::SessionKey;
