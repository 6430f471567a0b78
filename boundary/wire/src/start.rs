//! How a fleet starts (spec §11): custodians name positions, vaults begin a new era from them.

use crate::{
    caps,
    codec::{self, CodecError, Fixed},
    digest::Framed,
};
use alloc::{string::String, vec::Vec};
use minicbor::{Decode, Encode};

const POSITION_LABEL: &str = "strongroom/position/v1";
const START_LABEL: &str = "strongroom/start/v1";

/// Where one vault process stands. Giving it freezes the process until a start statement names it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Position {
    /// The fleet.
    #[n(0)]
    pub fleet: String,
    /// The node.
    #[n(1)]
    pub node: u8,
    /// The process: its incarnation.
    #[n(2)]
    pub incarnation: u64,
    /// The era it last took part in; 0 before genesis.
    #[n(3)]
    pub era: u64,
    /// The highest term it has seen.
    #[n(4)]
    pub hard_term: u64,
    /// The term of its last entry.
    #[n(5)]
    pub last_term: u64,
    /// The index of its last entry.
    #[n(6)]
    pub last_index: u64,
    /// The hash chain at that entry.
    #[n(7)]
    pub chain_hash: Fixed<32>,
}

impl Position {
    /// What the node's identity key signs.
    pub fn statement(&self) -> Vec<u8> {
        Framed::new(POSITION_LABEL).bytes(&codec::encode(self)).into_bytes()
    }
}

/// A position and its node's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedPosition {
    /// The position.
    #[n(0)]
    pub position: Position,
    /// Ed25519 by the node's identity key over [`Position::statement`].
    #[n(1)]
    pub signature: Fixed<64>,
}

impl SignedPosition {
    /// Reads a signed position. Its signature is not checked here.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, caps::START_LEN_MAX)
    }
}

/// What custodians sign: the positions from which the next era starts.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Start {
    /// The fleet.
    #[n(0)]
    pub fleet: String,
    /// The era that begins: above the highest era of the positions.
    #[n(1)]
    pub era: u64,
    /// Positions of a majority of the manifest's nodes, no node twice.
    #[n(2)]
    pub positions: Vec<SignedPosition>,
}

impl Start {
    /// What a custodian signs.
    pub fn statement(&self) -> Vec<u8> {
        Framed::new(START_LABEL).bytes(&codec::encode(self)).into_bytes()
    }
}

/// One custodian's signature.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct CustodianSignature {
    /// The custodian's Ed25519 key.
    #[n(0)]
    pub custodian: Fixed<32>,
    /// Ed25519 over [`Start::statement`].
    #[n(1)]
    pub signature: Fixed<64>,
}

/// A start statement with its signatures.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct SignedStart {
    /// The statement.
    #[n(0)]
    pub start: Start,
    /// Signatures of distinct custodians.
    #[n(1)]
    pub signatures: Vec<CustodianSignature>,
}

impl SignedStart {
    /// Reads a signed start statement. Its signatures are not checked here.
    ///
    /// # Errors
    /// Any [`CodecError`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, CodecError> {
        codec::decode(bytes, caps::START_LEN_MAX)
    }
}
