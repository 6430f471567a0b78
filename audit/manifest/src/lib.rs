//! The fleet manifest: which keys guard the backups, under which policy (spec §9).
//!
//! * **What it is.** The manifest as a type, its one JSON encoding (RFC 8785), the rules that every
//!   reader checks, who may sign the next one, and [`Verified`], the only form in which a client accepts a destination.
//! * **What it may assume.** Nothing of the bytes; only what the caller pins.
//! * **What it must never do.** Accept two encodings of one manifest, or a manifest that nobody
//!   pinned or signed.

#![forbid(unsafe_code)]

mod custodian;
mod delta;
mod floors;
mod json;
mod policy;
mod rules;
mod succession;
mod types;
mod verified;

pub use custodian::{CustodianKeys, ManifestSignatures, check_signatures, manifest_statement};
pub use delta::{Delta, deltas};
pub use floors::{FloorBreach, Floors};
pub use json::{MANIFEST_LEN_MAX, parse, to_canonical_json};
pub use policy::Policy;
pub use rules::RuleBreach;
pub use succession::{CHAIN_LEN_MAX, SignedManifest, Succession, follows, follows_under};
pub use types::{
    Custodians, Fleet, Hex, Keyset, Manifest, Node, Protection, Role, SlotRange, TicketKey,
};
pub use verified::{ManifestError, Verified};
