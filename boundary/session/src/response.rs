//! The response under the request's exported secret, with a fresh nonce (RFC 9458 §4.4).
//!
//! A request frame can be replayed, and is then answered again. The key depends on the response's
//! own random nonce, so two answers never share key and AEAD nonce.

use crate::OpenError;
use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead as _, array::Array},
};
use hkdf::Hkdf;
use sha2::Sha256;
use strongroom_wire::caps;
use zeroize::Zeroizing;

struct Exported {
    secret: Zeroizing<[u8; 32]>,
    encapsulation: Vec<u8>,
}

impl Exported {
    /// `HKDF(salt = enc ‖ nonce, secret)` expanded to an AES-256-GCM key and its nonce.
    fn cipher(&self, nonce: &[u8; 32]) -> Result<(Aes256Gcm, [u8; 12]), OpenError> {
        let salt = [self.encapsulation.as_slice(), nonce].concat();
        let hkdf = Hkdf::<Sha256>::new(Some(&salt), self.secret.as_slice());
        let mut key = Zeroizing::new([0; 32]);
        let mut aead_nonce = [0; 12];
        hkdf.expand(b"key", key.as_mut_slice()).map_err(|_| OpenError)?;
        hkdf.expand(b"nonce", &mut aead_nonce).map_err(|_| OpenError)?;
        Ok((Aes256Gcm::new(&Array::from(*key)), aead_nonce))
    }
}

/// Seals answers to one request.
pub struct ResponseSealer(Exported);

impl ResponseSealer {
    pub(crate) fn new(secret: [u8; 32], encapsulation: Vec<u8>) -> Self {
        Self(Exported { secret: Zeroizing::new(secret), encapsulation })
    }

    /// Seals one padded answer. `nonce` must be fresh.
    ///
    /// # Errors
    /// [`OpenError`] for a plaintext of another than the one size.
    pub fn seal(&self, plaintext: &[u8], nonce: [u8; 32]) -> Result<Vec<u8>, OpenError> {
        if plaintext.len() != caps::RESPONSE_PLAINTEXT_LEN {
            return Err(OpenError);
        }
        let (cipher, aead_nonce) = self.0.cipher(&nonce)?;
        let sealed = cipher.encrypt(&Array::from(aead_nonce), plaintext).map_err(|_| OpenError)?;
        Ok([nonce.as_slice(), &sealed].concat())
    }
}

/// Opens answers to one request.
pub struct ResponseOpener(Exported);

impl ResponseOpener {
    pub(crate) fn new(secret: [u8; 32], encapsulation: Vec<u8>) -> Self {
        Self(Exported { secret: Zeroizing::new(secret), encapsulation })
    }

    /// Opens one answer.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open(&self, frame: &[u8]) -> Result<Vec<u8>, OpenError> {
        if frame.len() != caps::RESPONSE_FRAME_LEN {
            return Err(OpenError);
        }
        let (nonce, sealed) =
            frame.split_first_chunk::<{ caps::RESPONSE_NONCE_LEN }>().ok_or(OpenError)?;
        let (cipher, aead_nonce) = self.0.cipher(nonce)?;
        cipher.decrypt(&Array::from(aead_nonce), sealed).map_err(|_| OpenError)
    }
}
