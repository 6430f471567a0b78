//! Tests with real processes: seven vaults, seven hosts, a gateway, and the command line.
//!
//! * **What it is.** A stage that starts a development fleet in a temporary folder and runs the
//!   programs as a person would.
//! * **What it may assume.** That the programs were built: they are looked for beside the tests.
//! * **What it must never do.** Leave a process behind, or pass where a program is missing.

#![forbid(unsafe_code)]

mod memory;
mod stage;

pub use memory::{Process, processes_below, scan};
pub use stage::{Fleet, Run};
