//! A second client of the suite, for what the client protocol keeps to itself: session and export key.

use argon2::{Algorithm, Argon2, Params, Version};
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use opaque_ke::{
    CipherSuite, Ristretto255, TripleDh,
    errors::InternalError,
    generic_array::{ArrayLength, GenericArray},
    ksf::Ksf,
};
use sha2_0_10::Sha512;

/// The client's suite, written from the specification.
pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Version1;
}

/// Key stretching, version 1.
#[derive(Default)]
pub(crate) struct Version1;

/// Argon2id of 64 MiB, 3 passes, 4 lanes, a salt of 16 zeros.
pub(crate) fn stretch(input: &[u8], output: &mut [u8]) -> Option<()> {
    let params = Params::new(64 * 1_024, 3, 4, None).ok()?;
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(input, &[0; 16], output)
        .ok()
}

impl Ksf for Version1 {
    fn hash<L: ArrayLength<u8>>(
        &self,
        input: GenericArray<u8, L>,
    ) -> Result<GenericArray<u8, L>, InternalError> {
        let mut output = GenericArray::default();
        stretch(&input, &mut output).ok_or(InternalError::KsfError)?;
        Ok(output)
    }
}

/// A seed behind the interface of the suite's library.
pub(crate) struct Seeded(ChaCha20Rng);

impl Seeded {
    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self(ChaCha20Rng::from_seed(seed))
    }

    pub(crate) fn draw<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

impl rand_core_0_6::RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, dest: &mut [u8]) {
        self.0.fill_bytes(dest);
    }

    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core_0_6::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl rand_core_0_6::CryptoRng for Seeded {}
