//! The status page of a log: what it says, and the check that a visitor's browser makes (spec §25).
//!
//! * **What it is.** One check of a whole log against a trust file, without a network, which compiles to
//!   WebAssembly; its findings as HTML; and the writer of the page around them.
//! * **What it may assume.** The caller's clock, and the trust file that the caller chose.
//! * **What it must never do.** Say *verified* of anything that was not checked just now; let a text out
//!   of a log into the page as anything but text.

#![forbid(unsafe_code)]

mod check;
mod files;
mod markup;
mod page;
mod report;
mod time;

pub use check::{EPOCHS_MAX, check};
pub use files::{Absent, Files, needed};
pub use page::{Command, Page, PageError, Told, Verifier, Written, paths, write};
pub use report::{Facts, Outcome, Report, Stage, Stopped};
