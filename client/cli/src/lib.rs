//! The command line: what a person types, and what a person is told.
//!
//! * **What it is.** Commands around the SDK, and `strongroom dev`, a fleet on one machine.
//! * **What it may assume.** That the terminal and the profile belong to the person who types.
//! * **What it must never do.** Take a password from an argument, print a secret that was not asked
//!   for, or say what an attempt cost without knowing it.

#![forbid(unsafe_code)]

pub mod dev;
