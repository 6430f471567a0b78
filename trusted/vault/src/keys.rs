//! What the hardware's keys are to this fleet, checked against the manifest once, at boot.

use crate::setup::{BootError, Setup};
use core::hint::black_box;
use std::collections::BTreeMap;
use strongroom_hardware::{Hardware, HardwareError};
use strongroom_manifest::Fleet;
use strongroom_opaque::{Exchange, Fakes, Login, OpaqueError, Server};
use strongroom_record::LoginInputs;
use strongroom_session::{FleetSecret, Scope};
use strongroom_wire::{Slot, binding, caps::opaque, digest::Framed};

/// The keys with which this vault opens requests and answers them.
pub(crate) struct FleetKeys {
    pub(crate) session: FleetSecret,
    pub(crate) fakes: Fakes,
    servers: BTreeMap<u32, Server>,
    pub(crate) namespace: String,
    pub(crate) fleet: String,
    pub(crate) epoch: u64,
    pub(crate) manifest_digest: [u8; 32],
}

/// Why a login could not be computed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum KeyError {
    Hardware,
    Opaque,
    NoKeyset,
}

impl From<HardwareError> for KeyError {
    fn from(_: HardwareError) -> Self {
        Self::Hardware
    }
}

impl From<OpaqueError> for KeyError {
    fn from(_: OpaqueError) -> Self {
        Self::Opaque
    }
}

impl FleetKeys {
    pub(crate) fn load(
        setup: &Setup,
        fleet: &Fleet,
        hardware: &impl Hardware,
    ) -> Result<Self, BootError> {
        let session = FleetSecret::from_seed(*hardware.hpke_seed()?);
        if session.public().to_bytes() != fleet.hpke_key.0 {
            return Err(BootError::HpkeKey);
        }
        let fake_key = hardware.fake_key()?;
        // The stand-in's client key is the same on every node: it comes from the fleet's key.
        let dummy = Framed::new("strongroom/fake/client/v1").bytes(fake_key.as_slice()).digest();
        let mut servers = BTreeMap::new();
        for keyset in &fleet.keysets {
            let wrong = BootError::Keyset(keyset.id);
            let private = hardware.server_private(keyset.id)?;
            let server = Server::new(&private, dummy).map_err(|_| wrong)?;
            if server.public().map_err(|_| wrong)? != keyset.server_key.0 {
                return Err(wrong);
            }
            servers.insert(keyset.id, server);
        }
        Ok(Self {
            session,
            fakes: Fakes::new(fake_key),
            servers,
            namespace: setup.manifest.namespace.clone(),
            fleet: setup.fleet.clone(),
            epoch: setup.manifest.epoch,
            manifest_digest: *setup.manifest.digest(),
        })
    }

    pub(crate) fn scope(&self) -> Scope<'_> {
        Scope { manifest_digest: &self.manifest_digest, fleet: &self.fleet }
    }

    /// The keyset that new registrations and stand-ins take.
    pub(crate) fn newest_keyset(&self) -> u32 {
        self.servers.last_key_value().map_or(0, |(id, _)| *id)
    }

    fn server(&self, keyset: u32) -> Result<&Server, KeyError> {
        self.servers.get(&keyset).ok_or(KeyError::NoKeyset)
    }

    fn exchange<'a>(&'a self, keyset: u32, slot: &'a Slot) -> Exchange<'a> {
        Exchange { namespace: &self.namespace, keyset, fleet: &self.fleet, epoch: self.epoch, slot }
    }

    /// Evaluates a registration request under a pending entry's salt.
    pub(crate) fn register(
        &self,
        hardware: &impl Hardware,
        slot: &Slot,
        (keyset, generation, salt): (u32, u64, &[u8; 32]),
        request: &[u8; opaque::REGISTRATION_REQUEST_LEN],
    ) -> Result<[u8; opaque::REGISTRATION_RESPONSE_LEN], KeyError> {
        let identifier = binding::credential_identifier(slot, generation, salt);
        let material = hardware.record_key_material(keyset, &identifier)?;
        Ok(self.server(keyset)?.register(&material, request)?)
    }

    /// The login of a committed attempt, the same on every node; without one, that of a stand-in: the
    /// same work, the same sizes, no password.
    pub(crate) fn login(
        &self,
        hardware: &impl Hardware,
        slot: &Slot,
        inputs: Option<&LoginInputs>,
        ke1: &[u8; opaque::KE1_LEN],
        ke1_digest: &[u8; 32],
    ) -> Result<Login, KeyError> {
        // INV-3: a record's login derives the stand-in's inputs too, and drops them.
        let (fake_salt, fake_seed) = (self.fakes.salt(slot), self.fakes.seed(slot, ke1_digest));
        let fakes = (self.newest_keyset(), self.fakes.generation(slot), &fake_salt, fake_seed);
        let (keyset, generation, salt, seed) = match (black_box(fakes), inputs) {
            (_, Some(i)) => (i.keyset, i.generation, i.salt.expose(), i.seed.0),
            (fakes, None) => fakes,
        };
        let identifier = binding::credential_identifier(slot, generation, salt);
        let material = hardware.record_key_material(keyset, &identifier)?;
        let exchange = self.exchange(keyset, slot);
        let upload = inputs.map(|inputs| &inputs.upload.0);
        Ok(self.server(keyset)?.login(&material, upload, ke1, seed, &exchange)?)
    }

    /// The work of one login, for verbs that need none: a host that times its vault learns nothing.
    pub(crate) fn burn_login(&self, hardware: &impl Hardware, slot: &Slot) {
        // Whatever comes of it is dropped; only its duration matters.
        let _ = self.login(hardware, slot, None, &BURNT_KE1, &[0; 32]);
    }
}

/// The ristretto255 base point (RFC 9496 §4): a valid element for a KE1 that nobody sent.
const BASE_POINT: [u8; 32] = [
    0xe2, 0xf2, 0xae, 0x0a, 0x6a, 0xbc, 0x4e, 0x71, 0xa8, 0x84, 0xa9, 0x61, 0xc5, 0x00, 0x51, 0x5f,
    0x58, 0xe3, 0x0b, 0x6a, 0xa5, 0x82, 0xdd, 0x8d, 0xb6, 0xa6, 0x59, 0x45, 0xe0, 0x8d, 0x2d, 0x76,
];

const BURNT_KE1: [u8; opaque::KE1_LEN] = burnt_ke1();

#[expect(
    clippy::indexing_slicing,
    clippy::arithmetic_side_effects,
    reason = "evaluated by the compiler, which stops at a wrong index"
)]
const fn burnt_ke1() -> [u8; opaque::KE1_LEN] {
    let mut ke1 = [0; opaque::KE1_LEN];
    let mut at = 0;
    while at < 32 {
        ke1[at] = BASE_POINT[at];
        ke1[64 + at] = BASE_POINT[at];
        at += 1;
    }
    ke1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_burnt_ke1_is_a_valid_one() {
        assert_eq!(Server::check_ke1(&BURNT_KE1), Ok(()));
    }
}
