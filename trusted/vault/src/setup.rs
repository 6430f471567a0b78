//! What a vault is given before its first input.

use core::fmt;
use strongroom_hardware::HardwareError;
use strongroom_manifest::{Manifest, Verified};

/// Who this vault is, and what it believes.
pub struct Setup {
    /// The node.
    pub node: u8,
    /// The fleet.
    pub fleet: String,
    /// The manifest, vouched for by pinned custodians.
    pub manifest: Verified<Manifest>,
    /// Milliseconds in a tick of consensus: an election takes ten to twenty.
    pub tick_ms: u64,
}

/// Why a vault did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BootError {
    /// The manifest lists no such fleet.
    NoFleet,
    /// The fleet lists no such node.
    NoNode,
    /// The hardware's identity key is not the manifest's.
    IdentityKey,
    /// The hardware's link key is not the manifest's.
    LinkKey,
    /// The hardware's X-Wing key is not the manifest's.
    HpkeKey,
    /// The hardware's OPAQUE key is not the manifest's for this keyset.
    Keyset(u32),
    /// The hardware did not do its part.
    Hardware(HardwareError),
    /// The peer links refused their configuration.
    Links,
    /// Consensus refused its configuration.
    Replica(strongroom_replica::BootError),
}

impl fmt::Display for BootError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoFleet => write!(f, "the manifest lists no such fleet"),
            Self::NoNode => write!(f, "the fleet lists no such node"),
            Self::IdentityKey => write!(f, "this node's identity key is not the manifest's"),
            Self::LinkKey => write!(f, "this node's link key is not the manifest's"),
            Self::HpkeKey => write!(f, "this node's fleet key is not the manifest's"),
            Self::Keyset(id) => write!(f, "keyset {id} here is not the manifest's"),
            Self::Hardware(e) => write!(f, "{e}"),
            Self::Links => write!(f, "peer links could not be made from this manifest"),
            Self::Replica(e) => write!(f, "consensus could not start: {e:?}"),
        }
    }
}

impl core::error::Error for BootError {}

impl From<HardwareError> for BootError {
    fn from(error: HardwareError) -> Self {
        Self::Hardware(error)
    }
}
