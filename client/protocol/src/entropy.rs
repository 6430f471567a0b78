//! One operation's seed, as the randomness of everything in it.

use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use rand_core_0_6::{CryptoRng, Error, RngCore};

/// ChaCha20 from a seed. The order of the draws is part of an operation.
pub(crate) struct Entropy(ChaCha20Rng);

impl Entropy {
    /// The seed is borrowed and not wiped in place: rustc 1.95 lets a closure's caller read an array
    /// again that it has passed by value (rust-lang/rust#155241), so wiping a parameter made the
    /// *next* operation's seed zero. A test of one seed and one frame found it.
    pub(crate) fn from_seed(seed: &[u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(*seed))
    }

    pub(crate) fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

impl RngCore for Entropy {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Entropy {}
