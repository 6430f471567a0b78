//! Registration: a backup key under a password, for the first time or over an older record.

use crate::{
    destination::Destination,
    entropy::Entropy,
    error::ProtocolError,
    exchange::{Awaiting, OutgoingFrame, Voucher, ask},
    key::{BackupKey, DeviceKey, FreshAuthority},
    ksf::KsfVersion,
    suite::Suite,
    wrap::{self, Place},
};
use opaque_ke::{
    ClientRegistration, ClientRegistrationFinishParameters, Identifiers, RegistrationResponse,
};
use strongroom_account::Password;
use strongroom_wire::{
    Fixed, binding,
    owner::{Authority, OwnerScope},
    request::{self, Body, Verb},
    response::{Outcome, Receipt},
};
use zeroize::Zeroizing;

/// Why an existing record may be replaced at once.
#[derive(Debug, Clone, Copy)]
pub enum Authorisation<'a> {
    /// Nothing: an empty slot takes the registration at once, an owned one after the delay.
    None,
    /// This device is enrolled.
    Device {
        /// Its key.
        key: &'a DeviceKey,
        /// The generation that is replaced.
        generation: u64,
        /// Above every counter that the device has used.
        counter: u64,
    },
    /// The password was proved within the last ten minutes.
    Fresh(&'a FreshAuthority),
}

/// A registration whose first answer has not come.
pub struct Registration {
    awaiting: Awaiting,
    state: ClientRegistration<Suite>,
    password: Password,
    backup_key: BackupKey,
    device: [u8; 32],
    later: Zeroizing<[u8; 32]>,
}

impl Registration {
    /// Begins: blinds the password and asks for a pending entry.
    ///
    /// `device` is the public key that will own the record. `seed` is random and used once.
    ///
    /// # Errors
    /// [`ProtocolError::Internal`].
    pub fn start(
        destination: &Destination,
        password: &Password,
        backup_key: &BackupKey,
        device: [u8; 32],
        seed: [u8; 32],
    ) -> Result<(Self, OutgoingFrame), ProtocolError> {
        let mut entropy = Entropy::from_seed(&seed);
        let started = ClientRegistration::<Suite>::start(&mut entropy, password.as_bytes())
            .map_err(|_| ProtocolError::Internal("blinding"))?;
        let request = Fixed::from_slice(&started.message.serialize())
            .map_err(|_| ProtocolError::Internal("request size"))?;
        let body = Body::RegisterStart { request };
        let (awaiting, frame) = ask(destination, body, entropy.draw())?;
        let registration = Self {
            awaiting,
            state: started.state,
            password: password.clone(),
            backup_key: backup_key.clone(),
            device,
            later: Zeroizing::new(entropy.draw()),
        };
        Ok((registration, frame))
    }

    /// Reads the pending entry. The server's key is compared with the manifest's here, before
    /// anything that depends on the stretched password exists.
    ///
    /// # Errors
    /// [`ProtocolError`]; no record was changed.
    pub fn on_started(self, answer: &[u8]) -> Result<Offer, ProtocolError> {
        let (outcome, by) = self.awaiting.verify(answer)?;
        let Outcome::RegisterStarted { entry, generation, keyset, response, expires_ms, occupied } =
            outcome
        else {
            return Err(self.awaiting.mismatch());
        };
        let known = self.awaiting.destination().newest_keyset(keyset)?;
        let response = RegistrationResponse::deserialize(response.as_slice())
            .map_err(|_| ProtocolError::OpaqueMessage)?;
        // The message ends with the server's key; the element before it has its own checks.
        let server_key = server_key_of(&response)?;
        if server_key != known.server_key {
            return Err(ProtocolError::ServerKey {
                keyset,
                got: server_key,
                expected: known.server_key,
            });
        }
        Ok(Offer {
            registration: self,
            response,
            entry,
            keyset,
            generation,
            expires_ms,
            occupied,
            by,
        })
    }
}

fn server_key_of(response: &RegistrationResponse<Suite>) -> Result<[u8; 32], ProtocolError> {
    let bytes = response.serialize();
    bytes.as_slice().last_chunk().copied().ok_or(ProtocolError::OpaqueMessage)
}

/// A pending entry: what would be stored, before anything is.
pub struct Offer {
    registration: Registration,
    response: RegistrationResponse<Suite>,
    entry: Fixed<32>,
    keyset: u32,
    generation: u64,
    expires_ms: u64,
    occupied: bool,
    by: Voucher,
}

impl Offer {
    /// Whether the slot has a record already. Without authority the registration then only
    /// announces a replacement, which the record's owner can cancel for days.
    pub const fn occupied(&self) -> bool {
        self.occupied
    }

    /// The generation that the record would have.
    pub const fn generation(&self) -> u64 {
        self.generation
    }

    /// Vault time at which the entry expires.
    pub const fn expires_ms(&self) -> u64 {
        self.expires_ms
    }

    /// Who signed the entry.
    pub const fn by(&self) -> &Voucher {
        &self.by
    }

    /// Stretches the password (64 MiB, about 100 ms), wraps the backup key, and asks to store both.
    ///
    /// # Errors
    /// [`ProtocolError::OpaqueMessage`] for a reflected element; no record was changed.
    pub fn finish(
        self,
        authorisation: &Authorisation<'_>,
    ) -> Result<(RegistrationFinish, OutgoingFrame), ProtocolError> {
        let Registration { awaiting, state, password, backup_key, device, later } =
            self.registration;
        let mut entropy = Entropy::from_seed(&later);
        let destination = awaiting.destination();
        let to = destination.inner();
        let client = binding::client_identity(&to.slot);
        let server = binding::server_identity(&to.namespace, self.keyset);
        let identifiers = Identifiers { client: Some(&client), server: Some(&server) };
        let version = KsfVersion::CURRENT;
        let stretch = destination.stretch(version);
        let parameters = ClientRegistrationFinishParameters::new(identifiers, Some(&stretch));
        let finished = state
            .finish(&mut entropy, password.as_bytes(), self.response, parameters)
            .map_err(|_| ProtocolError::OpaqueMessage)?;
        let place = Place {
            slot: &to.slot,
            generation: self.generation,
            keyset: self.keyset,
            ksf_version: version.number(),
        };
        let registration = request::Registration {
            entry: self.entry,
            generation: self.generation,
            upload: Fixed::from_slice(&finished.message.serialize())
                .map_err(|_| ProtocolError::Internal("upload size"))?,
            wrapped_key: wrap::wrap(&finished.export_key, &place, &backup_key)?,
            device: Fixed(device),
            ksf_version: version.number(),
        };
        let digest = registration.digest();
        let authority = authority(destination, authorisation, digest)?;
        let body = Body::RegisterFinish { registration, authority };
        let (awaiting, frame) = ask(destination, body, entropy.draw())?;
        let finish = RegistrationFinish { awaiting, digest, generation: self.generation };
        Ok((finish, frame))
    }
}

fn authority(
    destination: &Destination,
    authorisation: &Authorisation<'_>,
    body: [u8; 32],
) -> Result<Authority, ProtocolError> {
    let to = destination.inner();
    let scope = |generation, counter| OwnerScope {
        namespace: &to.namespace,
        fleet: &to.fleet,
        slot: &to.slot,
        verb: Verb::RegisterFinish,
        generation,
        counter,
        body,
    };
    Ok(match authorisation {
        Authorisation::None => Authority::None {},
        Authorisation::Device { key, generation, counter } => {
            Authority::Device { auth: key.authorise(&scope(*generation, *counter)) }
        }
        Authorisation::Fresh(fresh) => Authority::Fresh {
            generation: fresh.generation(),
            attempt: fresh.attempt(),
            mac: Fixed(fresh.mac(&scope(fresh.generation(), fresh.attempt()))?),
        },
    })
}

/// A registration whose receipt has not come. Until it does, nobody knows whether it is stored.
pub struct RegistrationFinish {
    awaiting: Awaiting,
    digest: [u8; 32],
    generation: u64,
}

/// A registration with its signed receipt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Registered {
    /// What was done.
    pub receipt: Receipt,
    /// Who signed it.
    pub by: Voucher,
}

impl RegistrationFinish {
    /// Reads the receipt.
    ///
    /// # Errors
    /// [`ProtocolError`]. Only [`ProtocolError::Refused`] says that nothing was stored.
    pub fn on_finished(&self, answer: &[u8]) -> Result<Registered, ProtocolError> {
        let (outcome, by) = self.awaiting.verify(answer)?;
        let Outcome::Registered { receipt } = outcome else {
            return Err(self.awaiting.mismatch());
        };
        if receipt.registration.0 != self.digest || receipt.generation != self.generation {
            return Err(ProtocolError::OtherReceipt);
        }
        Ok(Registered { receipt, by })
    }
}
