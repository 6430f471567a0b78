//! The client's end of the pinned suite; the vault's has the same group and hash and never stretches.

use crate::ksf::Stretch;
use opaque_ke::{CipherSuite, Ristretto255, TripleDh};
use sha2_0_10::Sha512;

pub(crate) struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Stretch;
}
