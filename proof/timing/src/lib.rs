//! Whether a host that times its vault can tell what must look alike (INV-3).
//!
//! * **What it is.** Real vaults in memory, people of every kind, a stopwatch around what a host
//!   hands in and gets back, and dudect's statistics over it (spec §19).
//! * **What it may assume.** That the machine's noise does not depend on the class: kinds of visits
//!   come in a random order, from equally many people, and two controls say whether that holds.
//! * **What it must never do.** Pass because it saw nothing: a difference that is there must be found.

#![forbid(unsafe_code)]

mod fleet;
mod pairs;
mod report;
mod town;
mod visits;
mod welch;

pub use pairs::{Expected, FOLLOW_RESIDUE, Finding, Part, RESIDUE, Verdict};
pub use report::{Report, run};
pub use visits::Plan;
pub use welch::{Comparison, LEAK, Moments, SUSPECT, Test, compare, welch};
