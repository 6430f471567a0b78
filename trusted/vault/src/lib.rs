//! One node's vault: everything that must be believed, composed (spec §12).
//!
//! * **What it is.** Sealed requests and peers' frames go in, sealed answers come out. Between them
//!   stand, in this order: [`intake`] (is it a listed gateway's ticket for this very frame?), the
//!   log (`strongroom-replica`), the slots (`strongroom-record`) and [`answer`], which takes nothing
//!   but a `Committed`.
//! * **What it may assume.** Its hardware, its verified manifest, and that links authenticate peers.
//! * **What it must never do.** Answer from anything but a committed entry, hand its host a secret,
//!   or go on after a proof that it was rolled back.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod answer;
mod boot;
mod clock;
mod forward;
mod history;
mod intake;
mod keys;
mod maintenance;
mod output;
mod peers;
mod setup;
mod start;
mod vault;
mod waiting;

pub use setup::{BootError, Setup};
pub use vault::Vault;
