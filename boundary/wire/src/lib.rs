//! Canonical encodings and size caps: the bytes that devices, gateways, hosts and vaults agree on.
//!
//! * **What it is.** Every message of `docs/spec/`, as a type, with its one encoding and its cap.
//! * **What it may assume.** Nothing: every byte may come from an enemy.
//! * **What it must never do.** Decide anything, hold a secret longer than its caller does, or
//!   accept two encodings of one value.

#![forbid(unsafe_code)]

extern crate alloc;

pub mod binding;
pub mod caps;
pub mod codec;
pub mod digest;
pub mod owner;
pub mod process;
pub mod relay;
pub mod request;
pub mod response;
pub mod slot;
pub mod start;
pub mod ticket;

pub use codec::{CodecError, Fixed, decode, encode};
pub use digest::Framed;
pub use slot::{AccountHash, Slot};
