//! The suite. The client has its own definition with Argon2id; the server never stretches.

use opaque_ke::{CipherSuite, Ristretto255, TripleDh, ksf::Identity};
use sha2_0_10::Sha512;

pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Identity;
}
