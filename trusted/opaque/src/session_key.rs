//! What a proved password opens: the wrapped key, and ten minutes of authority.

use aes_gcm::{
    Aes256Gcm, KeyInit as _,
    aead::{Aead as _, Payload, array::Array},
};
use hkdf::Hkdf;
use sha2::Sha256;
use strongroom_wire::{Slot, binding, caps};
use zeroize::Zeroizing;

/// The session key of one successful login.
pub struct SessionKey(Zeroizing<Vec<u8>>);

impl SessionKey {
    pub(crate) fn new(key: &[u8]) -> Self {
        Self(Zeroizing::new(key.to_vec()))
    }

    /// A key of no login, for work whose result is dropped: a finish that proves nothing takes the
    /// time of one that does (INV-3).
    pub fn of_nobody() -> Self {
        Self::new(&[0; 64])
    }

    fn derive(&self, info: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0; 32]);
        // 32 bytes are within what HKDF-SHA-256 expands to.
        let _ = Hkdf::<Sha256>::new(None, &self.0).expand(info, key.as_mut_slice());
        key
    }

    /// The key of a fresh recovery's authority, kept by the slot for ten minutes.
    pub fn fresh_key(&self) -> [u8; 32] {
        *self.derive(binding::FRESH_INFO)
    }

    /// The wrapped key under this session.
    ///
    /// The nonce is zero: the key belongs to one attempt and seals one value. A repeated reply
    /// seals the same value again, to the same bytes.
    pub fn release(
        &self,
        slot: &Slot,
        generation: u64,
        attempt: u64,
        wrapped_key: &[u8; caps::WRAPPED_KEY_LEN],
    ) -> Option<[u8; caps::RELEASED_KEY_LEN]> {
        let key = self.derive(binding::RELEASE_INFO);
        let aad = binding::release_aad(slot, generation, attempt);
        let payload = Payload { msg: wrapped_key.as_slice(), aad: &aad };
        let sealed =
            Aes256Gcm::new(&Array::from(*key)).encrypt(&Array::from([0; 12]), payload).ok()?;
        sealed.try_into().ok()
    }
}
