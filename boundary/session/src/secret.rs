//! The vault's end.

use crate::{
    Aead, BOX_LABEL, Kdf, Kem, OpenError, REQUEST_LABEL, RESPONSE_EXPORT, TICKET_LABEL,
    response::ResponseSealer,
    seal::{FleetPublic, Scope},
};
use hpke::{Deserializable, Kem as KemTrait, OpModeR, aead::AeadCtxR};
use strongroom_wire::{Framed, caps};
use zeroize::Zeroizing;

/// A plaintext, and the context that exports the answer's secret.
type Opened = (Vec<u8>, AeadCtxR<Aead, Kdf, Kem>);

/// A fleet's X-Wing private key, of one epoch.
pub struct FleetSecret {
    private: <Kem as KemTrait>::PrivateKey,
    public: FleetPublic,
}

impl FleetSecret {
    /// The key pair of a 32-byte seed.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        let seed = Zeroizing::new(seed);
        let (private, public) = Kem::derive_keypair(seed.as_slice());
        Self { private, public: FleetPublic(public) }
    }

    /// The public half.
    pub fn public(&self) -> FleetPublic {
        self.public.clone()
    }

    /// Opens a request frame and prepares its answer.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_request(
        &self,
        scope: &Scope<'_>,
        frame: &[u8],
    ) -> Result<(Vec<u8>, ResponseSealer), OpenError> {
        let (plaintext, context) =
            self.open(&scope.info(REQUEST_LABEL), frame, caps::REQUEST_FRAME_LEN)?;
        let mut exported = [0; 32];
        context.export(RESPONSE_EXPORT, &mut exported).map_err(|_| OpenError)?;
        let encapsulation = frame.get(..caps::ENCAPSULATION_LEN).ok_or(OpenError)?.to_vec();
        Ok((plaintext, ResponseSealer::new(exported, encapsulation)))
    }

    /// Opens a sealed ticket.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_ticket(&self, scope: &Scope<'_>, sealed: &[u8]) -> Result<Vec<u8>, OpenError> {
        self.open(&scope.info(TICKET_LABEL), sealed, caps::SEALED_TICKET_LEN)
            .map(|(plaintext, _)| plaintext)
    }

    /// Opens a box made by [`crate::seal_box`] of at most `cap` plaintext bytes.
    ///
    /// # Errors
    /// [`OpenError`].
    pub fn open_box(&self, label: &str, sealed: &[u8], cap: usize) -> Result<Vec<u8>, OpenError> {
        if sealed.len() > cap.saturating_add(caps::ENCAPSULATION_LEN + caps::TAG_LEN) {
            return Err(OpenError);
        }
        let info = Framed::new(BOX_LABEL).bytes(label.as_bytes()).into_bytes();
        self.open(&info, sealed, sealed.len()).map(|(plaintext, _)| plaintext)
    }

    fn open(&self, info: &[u8], sealed: &[u8], size: usize) -> Result<Opened, OpenError> {
        if sealed.len() != size {
            return Err(OpenError);
        }
        let (encapsulation, ciphertext) =
            sealed.split_at_checked(caps::ENCAPSULATION_LEN).ok_or(OpenError)?;
        let encapsulated =
            <Kem as KemTrait>::EncappedKey::from_bytes(encapsulation).map_err(|_| OpenError)?;
        let mut context = hpke::setup_receiver::<Aead, Kdf, Kem>(
            &OpModeR::Base,
            &self.private,
            &encapsulated,
            info,
        )
        .map_err(|_| OpenError)?;
        let plaintext = context.open(ciphertext, &[]).map_err(|_| OpenError)?;
        Ok((plaintext, context))
    }
}
