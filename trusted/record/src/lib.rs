//! One user's slot and every legal transition (spec §10): the budget lives here.
//!
//! * **What it is.** A deterministic state machine: committed entries in, effects out. Every node
//!   applies the same entries and holds the same state.
//! * **What it may assume.** That an [`Entry`] is committed, that the node which proposed it checked
//!   signatures and passwords, and nothing of the order in which entries come.
//! * **What it must never do.** Look at a clock, draw randomness, answer anybody, or let any path
//!   add an attempt.

#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, clippy::arithmetic_side_effects))]

mod budget;
mod effect;
mod entry;
mod owner;
mod recover;
mod register;
mod salt;
mod slot;
mod snapshot;
mod state;
mod timers;

pub use budget::Counters;
pub use effect::{Effect, LoginInputs};
pub use entry::{Authorised, Command, ENTRY_LEN, Entry, Spending};
pub use salt::Salt;
pub use slot::{
    Attempt, AttemptState, Device, PastAttempt, Pending, Record, Replacement, SLOT_LEN_MAX,
    SlotState, Success,
};
pub use state::{Limits, State};
