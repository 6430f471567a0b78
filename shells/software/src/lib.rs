//! The software body of a vault: keys in files, logic in an ordinary process. For development.
//!
//! * **What it is.** What `strongroom-vault` is made of: key files, the [`hardware::Software`] body
//!   of `trusted/hardware`, the checks before a vault may run, the sandbox around it, and the loop
//!   that feeds it messages from standard input.
//! * **What it may assume.** Its own folder is readable by its own user only. Nothing of what comes
//!   through standard input, and nothing of the manifest before pinned custodians vouch for it.
//! * **What it must never do.** Serve a manifest that promises more than `software`, print a
//!   secret, limp on after a panic, or gain a dependency that speaks to a network.
//!
//! `README.md` beside this crate says what this body does not protect.

#![forbid(unsafe_code)]

pub mod admit;
pub mod args;
pub mod ceremony;
pub mod failure;
pub mod files;
pub mod fleet_secrets;
pub mod framing;
pub mod harden;
pub mod hardware;
pub mod node_keys;
pub mod pins;
pub mod pump;
pub mod text;
