//! Seeds that cannot be made again.

use chacha20::ChaCha20Rng;
use rand_core::{Rng, SeedableRng};
use zeroize::Zeroizing;

/// A generator that is replaced by its own output with each seed: what stays in memory tells nothing of
/// the handshakes that were made with it.
pub(crate) struct Seeds(Zeroizing<[u8; 32]>);

impl Seeds {
    pub(crate) fn new(seed: [u8; 32]) -> Seeds {
        Seeds(Zeroizing::new(seed))
    }

    pub(crate) fn fresh(&mut self) -> Zeroizing<[u8; 32]> {
        let (mut seed, mut next) = (Zeroizing::new([0; 32]), Zeroizing::new([0; 32]));
        let mut rng = ChaCha20Rng::from_seed(*self.0);
        rng.fill_bytes(seed.as_mut_slice());
        rng.fill_bytes(next.as_mut_slice());
        self.0 = next;
        seed
    }
}

#[cfg(test)]
impl Seeds {
    pub(crate) fn now(&self) -> &[u8; 32] {
        &self.0
    }
}
