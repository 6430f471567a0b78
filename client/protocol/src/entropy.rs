//! One operation's seed, as the randomness of everything in it.

use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use rand_core_0_6::{CryptoRng, Error, RngCore};
use zeroize::Zeroize as _;

/// ChaCha20 from a seed. The order of the draws is part of an operation.
pub(crate) struct Entropy(ChaCha20Rng);

impl Entropy {
    pub(crate) fn from_seed(mut seed: [u8; 32]) -> Self {
        let entropy = Self(ChaCha20Rng::from_seed(seed));
        seed.zeroize();
        entropy
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
