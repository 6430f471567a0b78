//! The sender's end.

use crate::{
    Aead, BOX_LABEL, Kdf, Kem, REQUEST_LABEL, RESPONSE_EXPORT, TICKET_LABEL,
    response::ResponseOpener,
};
use chacha20::ChaCha20Rng;
use hpke::{Deserializable, Kem as KemTrait, OpModeS, Serializable};
use rand_core::SeedableRng;
use strongroom_wire::{Framed, caps};

/// What a session is bound to: the HPKE `info`.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// SHA-256 of the manifest that both ends hold.
    pub manifest_digest: &'a [u8; 32],
    /// The fleet.
    pub fleet: &'a str,
}

impl Scope<'_> {
    pub(crate) fn info(&self, label: &str) -> Vec<u8> {
        Framed::new(label).bytes(self.manifest_digest).bytes(self.fleet.as_bytes()).into_bytes()
    }
}

/// A fleet's X-Wing public key.
#[derive(Clone)]
pub struct FleetPublic(pub(crate) <Kem as KemTrait>::PublicKey);

impl FleetPublic {
    /// Reads the manifest's `hpke_key`.
    ///
    /// # Errors
    /// [`SealError::Key`].
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SealError> {
        <Kem as KemTrait>::PublicKey::from_bytes(bytes).map(Self).map_err(|_| SealError::Key)
    }

    /// The manifest's `hpke_key`: 1,216 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes().to_vec()
    }
}

/// Why nothing was sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SealError {
    /// Not an X-Wing public key.
    Key,
    /// A plaintext of another than the one size.
    Length,
}

impl core::fmt::Display for SealError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::Key => "the fleet's key is not an X-Wing public key",
            Self::Length => "the plaintext is not of the one size that is sealed",
        })
    }
}

impl core::error::Error for SealError {}

/// Seals one padded request. `seed` must be fresh: it makes the encapsulation.
///
/// # Errors
/// [`SealError`].
pub fn seal_request(
    scope: &Scope<'_>,
    public: &FleetPublic,
    plaintext: &[u8],
    seed: [u8; 32],
) -> Result<(Vec<u8>, ResponseOpener), SealError> {
    if plaintext.len() != caps::REQUEST_PLAINTEXT_LEN {
        return Err(SealError::Length);
    }
    let (frame, exported, encapsulation) =
        seal(&scope.info(REQUEST_LABEL), public, plaintext, seed)?;
    Ok((frame, ResponseOpener::new(exported, encapsulation)))
}

/// Seals one padded ticket.
///
/// # Errors
/// [`SealError`].
pub fn seal_ticket(
    scope: &Scope<'_>,
    public: &FleetPublic,
    plaintext: &[u8],
    seed: [u8; 32],
) -> Result<Vec<u8>, SealError> {
    if plaintext.len() != caps::TICKET_PLAINTEXT_LEN {
        return Err(SealError::Length);
    }
    seal(&scope.info(TICKET_LABEL), public, plaintext, seed).map(|(sealed, _, _)| sealed)
}

/// What is sent, the exported secret, and the encapsulation that was sent first.
type Sealed = (Vec<u8>, [u8; 32], Vec<u8>);

fn seal(
    info: &[u8],
    public: &FleetPublic,
    plaintext: &[u8],
    seed: [u8; 32],
) -> Result<Sealed, SealError> {
    let mut rng = ChaCha20Rng::from_seed(seed);
    let (encapsulated, mut context) =
        hpke::setup_sender_with_rng::<Aead, Kdf, Kem>(&OpModeS::Base, &public.0, info, &mut rng)
            .map_err(|_| SealError::Key)?;
    let ciphertext = context.seal(plaintext, &[]).map_err(|_| SealError::Length)?;
    let mut exported = [0; 32];
    context.export(RESPONSE_EXPORT, &mut exported).map_err(|_| SealError::Length)?;
    let encapsulation = encapsulated.to_bytes().to_vec();
    Ok(([encapsulation.as_slice(), &ciphertext].concat(), exported, encapsulation))
}

/// Seals bytes of any length to one node's box key, as ceremonies do with fleet secrets.
///
/// # Errors
/// [`SealError::Key`].
pub fn seal_box(
    label: &str,
    public: &FleetPublic,
    plaintext: &[u8],
    seed: [u8; 32],
) -> Result<Vec<u8>, SealError> {
    let info = Framed::new(BOX_LABEL).bytes(label.as_bytes()).into_bytes();
    seal(&info, public, plaintext, seed).map(|(sealed, _, _)| sealed)
}
