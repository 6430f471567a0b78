//! A fleet in one thread, one seed, virtual time. The host is the adversary.
//!
//! * **What it is.** The real vaults and the real client protocol, with everything between them
//!   simulated: networks that drop, delay, reorder, repeat, damage, misdirect and cut; hosts that
//!   crash, stop and fork processes, put disks and cells back, lie about the time and hand in again
//!   what they saw; an operator who guesses, registers and holds requests back; users who type wrong
//!   passwords. `world/adversary` is the host's mind.
//! * **What it may assume.** Nothing of the system: its own oracle counts, by the client's side of
//!   every exchange and by what is really on the disks.
//! * **What it must never do.** Depend on anything but its seed. A run repeats to the byte.

#![forbid(unsafe_code)]

pub mod acts;
pub mod burglar;
pub mod client;
pub mod disk;
pub mod fleet;
pub mod hardware;
mod lots;
pub mod oracle;
pub mod plan;
pub mod record;
pub mod runner;
pub mod shrink;
pub mod step;
pub mod story;
pub mod trace;
pub mod view;
pub mod world;

pub use plan::Plan;
pub use world::{Report, World};
