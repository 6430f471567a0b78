//! What is hashed or signed starts with its own label, and every part carries its length (spec §2.3).
//!
//! Without lengths, app `chat` with account `pro:alice` and app `chatpro` with account `:alice`
//! would be one slot.

use crate::codec::ROOM;
use alloc::vec::Vec;
use sha2::{Digest, Sha256};

/// Builds the bytes of a hashed or signed statement: `len ‖ label ‖ (len ‖ part)*`, lengths as u32 BE.
#[derive(Clone)]
pub struct Framed(Vec<u8>);

impl Framed {
    /// Starts a statement; each kind of statement has its own label.
    pub fn new(label: &str) -> Self {
        Self(Vec::with_capacity(ROOM)).bytes(label.as_bytes())
    }

    /// Adds one part.
    #[must_use]
    pub fn bytes(mut self, part: &[u8]) -> Self {
        // No part reaches 4 GiB: every caller's input is capped far below.
        let len = u32::try_from(part.len()).unwrap_or(u32::MAX);
        self.0.extend_from_slice(&len.to_be_bytes());
        self.0.extend_from_slice(part);
        self
    }

    /// Adds one number as eight big-endian bytes.
    #[must_use]
    pub fn number(self, part: u64) -> Self {
        self.bytes(&part.to_be_bytes())
    }

    /// The statement, for signing.
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    /// The statement's SHA-256.
    pub fn digest(&self) -> [u8; 32] {
        sha256(&self.0)
    }
}

/// SHA-256 of bytes that need no label of their own.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}
