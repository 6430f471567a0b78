//! The server's three steps. Each takes all it needs and keeps nothing.

use crate::{entropy::Seeded, session_key::SessionKey, suite::Suite};
use opaque_ke::{
    CredentialFinalization, CredentialRequest, Identifiers, RegistrationRequest,
    RegistrationUpload, Ristretto255, ServerLogin, ServerLoginParameters, ServerRegistration,
    ServerSetup,
    key_exchange::{group::Group, tripledh::DiffieHellman},
    keypair::{KeyPair, PrivateKey},
};
use strongroom_wire::{
    Slot, binding,
    caps::opaque::{
        KE1_LEN, KE2_LEN, KE3_LEN, REGISTRATION_REQUEST_LEN, REGISTRATION_RESPONSE_LEN,
        REGISTRATION_UPLOAD_LEN,
    },
};
use zeroize::Zeroizing;

/// The OPRF seed stays in the hardware; the library sees only the material of one record.
#[derive(Clone)]
struct RemoteSeed;

type Scalar = <Ristretto255 as Group>::Sk;
type Setup = ServerSetup<Suite, Scalar, RemoteSeed>;

/// Why an OPAQUE message was refused. None of these tells anything of a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OpaqueError {
    /// Not a message of the suite: an identity or non-canonical element, a wrong size.
    BadMessage,
    /// Not a key of the suite.
    BadKey,
}

impl core::fmt::Display for OpaqueError {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(match self {
            Self::BadMessage => "not an OPAQUE message of the pinned suite",
            Self::BadKey => "not an OPAQUE key of the pinned suite",
        })
    }
}

impl core::error::Error for OpaqueError {}

/// Where an exchange takes place: everything that OPAQUE binds beside the keys.
#[derive(Debug, Clone, Copy)]
pub struct Exchange<'a> {
    /// The manifest's namespace.
    pub namespace: &'a str,
    /// The record's keyset.
    pub keyset: u32,
    /// The fleet that answers.
    pub fleet: &'a str,
    /// The manifest's epoch.
    pub epoch: u64,
    /// The slot.
    pub slot: &'a Slot,
}

/// A new OPAQUE key pair: (private, public), from 32 fresh bytes.
///
/// # Errors
/// [`OpaqueError::BadKey`], with a probability that nobody will see.
pub fn generate_server_key(seed: [u8; 32]) -> Result<(Zeroizing<[u8; 32]>, [u8; 32]), OpaqueError> {
    let setup = ServerSetup::<Suite>::new(&mut Seeded::new(seed));
    let private = setup.keypair().private().serialize();
    let public = setup.keypair().public().serialize();
    let private = <[u8; 32]>::try_from(private.as_slice()).map_err(|_| OpaqueError::BadKey)?;
    let public = <[u8; 32]>::try_from(public.as_slice()).map_err(|_| OpaqueError::BadKey)?;
    Ok((Zeroizing::new(private), public))
}

/// One keyset's server.
pub struct Server {
    setup: Setup,
    /// Parsed where there is no record, so that a stand-in takes a record's time.
    filler: [u8; REGISTRATION_UPLOAD_LEN],
}

impl Server {
    /// The server of a private key.
    ///
    /// `dummy_seed` makes the public key that stands in for a client's in fake replies; it must be
    /// the same on every node, so that every node answers one KE1 alike.
    ///
    /// # Errors
    /// [`OpaqueError::BadKey`].
    pub fn new(private: &[u8; 32], dummy_seed: [u8; 32]) -> Result<Self, OpaqueError> {
        let public = PrivateKey::<Ristretto255>::deserialize(private)
            .map_err(|_| OpaqueError::BadKey)?
            .public_key();
        let scalar = Ristretto255::deserialize_take_sk(&mut private.as_slice())
            .map_err(|_| OpaqueError::BadKey)?;
        let mut filler = [0; REGISTRATION_UPLOAD_LEN];
        let key = public.serialize();
        filler.iter_mut().zip(key.as_slice()).for_each(|(to, from)| *to = *from);
        let pair = KeyPair::new(scalar, public);
        let mut entropy = Seeded::new(dummy_seed);
        let setup = Setup::new_with_key_pair_and_seed(&mut entropy, pair, RemoteSeed);
        Ok(Self { setup, filler })
    }

    /// The public key, as manifests list it.
    ///
    /// # Errors
    /// [`OpaqueError::BadKey`], which no server that was built gives.
    pub fn public(&self) -> Result<[u8; 32], OpaqueError> {
        self.setup
            .keypair()
            .public()
            .serialize()
            .as_slice()
            .try_into()
            .map_err(|_| OpaqueError::BadKey)
    }

    /// Evaluates a registration request with one record's key material.
    ///
    /// # Errors
    /// [`OpaqueError::BadMessage`].
    pub fn register(
        &self,
        material: &[u8; 32],
        request: &[u8; REGISTRATION_REQUEST_LEN],
    ) -> Result<[u8; REGISTRATION_RESPONSE_LEN], OpaqueError> {
        let request =
            RegistrationRequest::deserialize(request).map_err(|_| OpaqueError::BadMessage)?;
        let started = ServerRegistration::<Suite>::start_with_key_material(
            &self.setup,
            (*material).into(),
            request,
        )
        .map_err(|_| OpaqueError::BadMessage)?;
        started.message.serialize().as_slice().try_into().map_err(|_| OpaqueError::BadMessage)
    }

    /// Whether an upload is a registration record of the suite.
    ///
    /// # Errors
    /// [`OpaqueError::BadMessage`].
    pub fn check_upload(upload: &[u8; REGISTRATION_UPLOAD_LEN]) -> Result<(), OpaqueError> {
        RegistrationUpload::<Suite>::deserialize(upload)
            .map(|_| ())
            .map_err(|_| OpaqueError::BadMessage)
    }

    /// Whether bytes are a KE1 of the suite.
    ///
    /// # Errors
    /// [`OpaqueError::BadMessage`].
    pub fn check_ke1(ke1: &[u8; KE1_LEN]) -> Result<(), OpaqueError> {
        CredentialRequest::<Suite>::deserialize(ke1)
            .map(|_| ())
            .map_err(|_| OpaqueError::BadMessage)
    }

    /// Answers KE1 from a committed seed: the same inputs give the same KE2 on every node, so that
    /// no cookie is needed and a repeated request is a repeated answer.
    ///
    /// `upload` is nothing where the slot has no record; the answer then comes from a stand-in.
    ///
    /// # Errors
    /// [`OpaqueError::BadMessage`].
    pub fn login(
        &self,
        material: &[u8; 32],
        upload: Option<&[u8; REGISTRATION_UPLOAD_LEN]>,
        ke1: &[u8; KE1_LEN],
        seed: [u8; 32],
        exchange: &Exchange<'_>,
    ) -> Result<Login, OpaqueError> {
        let bad = |_| OpaqueError::BadMessage;
        // INV-3: parsing a record decompresses a point, which a host's clock sees.
        let parsed = ServerRegistration::<Suite>::deserialize(upload.unwrap_or(&self.filler));
        let parsed = parsed.map_err(bad)?;
        let record = upload.map(|_| parsed);
        let request = CredentialRequest::deserialize(ke1).map_err(bad)?;
        let bound = Bound::new(exchange);
        let mut entropy = Seeded::new(seed);
        let builder = ServerLogin::<Suite>::builder_with_key_material(
            &mut entropy,
            &self.setup,
            (*material).into(),
            record,
            request,
            bound.parameters(),
        )
        .map_err(bad)?;
        let shared = DiffieHellman::<Ristretto255>::diffie_hellman(
            self.setup.keypair().private(),
            builder.data().to_group_type(),
        );
        let started = builder.build(shared).map_err(bad)?;
        let ke2 = started.message.serialize();
        let ke2 = ke2.as_slice().try_into().map_err(|_| OpaqueError::BadMessage)?;
        Ok(Login { ke2, state: started.state, bound })
    }
}

/// The byte strings of an [`Exchange`].
struct Bound {
    client: Vec<u8>,
    server: Vec<u8>,
    context: Vec<u8>,
}

impl Bound {
    fn new(exchange: &Exchange<'_>) -> Self {
        Self {
            client: binding::client_identity(exchange.slot),
            server: binding::server_identity(exchange.namespace, exchange.keyset),
            context: binding::context(exchange.fleet, exchange.epoch),
        }
    }

    fn parameters(&self) -> ServerLoginParameters<'_, '_> {
        ServerLoginParameters {
            context: Some(&self.context),
            identifiers: Identifiers { client: Some(&self.client), server: Some(&self.server) },
        }
    }
}

/// One answered KE1.
pub struct Login {
    ke2: [u8; KE2_LEN],
    state: ServerLogin<Suite>,
    bound: Bound,
}

impl Login {
    /// KE2.
    pub const fn ke2(&self) -> &[u8; KE2_LEN] {
        &self.ke2
    }

    /// The session key, if KE3 proves the password. The comparison is the library's, in constant
    /// time. A stand-in's login accepts nothing, since nobody knows its masking key.
    pub fn finish(self, ke3: &[u8; KE3_LEN]) -> Option<SessionKey> {
        let message = CredentialFinalization::deserialize(ke3).ok()?;
        let finished = self.state.finish(message, self.bound.parameters()).ok()?;
        Some(SessionKey::new(&finished.session_key))
    }
}
