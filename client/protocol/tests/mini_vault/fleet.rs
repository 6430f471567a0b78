//! A fleet's secrets and the manifest that lists them.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng as _};
use ed25519_dalek::SigningKey;
use opaque_ke::{CipherSuite, Ristretto255, ServerSetup, TripleDh, ksf::Identity};
use rand_core_0_6::{CryptoRng, Error, RngCore};
use sha2_0_10::Sha512;
use strongroom_manifest::{
    Custodians, Hex, Keyset, Manifest, Node, Policy, Protection, Role, SlotRange, TicketKey,
    Verified, to_canonical_json,
};
use strongroom_session::FleetSecret;
use strongroom_wire::digest::sha256;

pub(crate) const APP: &str = "notes";
pub(crate) const FLEET: &str = "dev";
pub(crate) const NAMESPACE: &str = "org.encrypted_backups.fleet_keys.v1";
pub(crate) const NODES: u8 = 3;
/// An old keyset and the newest.
pub(crate) const KEYSETS: [u32; 2] = [1, 2];

/// The server's suite: it never stretches.
pub(crate) struct ServerSuite;

impl CipherSuite for ServerSuite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Identity;
}

/// A seed behind the interface of the suite's library.
pub(crate) struct Seeded(ChaCha20Rng);

/// Randomness from a number.
pub(crate) fn seeded(number: u64) -> Seeded {
    Seeded(ChaCha20Rng::from_seed(sha256(&number.to_be_bytes())))
}

impl RngCore for Seeded {
    fn next_u32(&mut self) -> u32 {
        chacha20::rand_core::Rng::next_u32(&mut self.0)
    }
    fn next_u64(&mut self) -> u64 {
        chacha20::rand_core::Rng::next_u64(&mut self.0)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        chacha20::rand_core::Rng::fill_bytes(&mut self.0, dest);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoRng for Seeded {}

/// The identity seed of a node.
pub(crate) fn identity_seed(node: u8) -> [u8; 32] {
    [node; 32]
}

fn public(seed: [u8; 32]) -> Hex<32> {
    Hex(SigningKey::from_bytes(&seed).verifying_key().to_bytes())
}

pub(crate) struct Fleet {
    pub(crate) secret: FleetSecret,
    pub(crate) manifest: Verified<Manifest>,
    pub(crate) manifest_bytes: Vec<u8>,
    setups: Vec<(u32, ServerSetup<ServerSuite>)>,
}

impl Fleet {
    pub(crate) fn new() -> Self {
        let secret = FleetSecret::from_seed([42; 32]);
        let setups: Vec<_> = KEYSETS
            .into_iter()
            .map(|id| (id, ServerSetup::new(&mut seeded(u64::from(id)))))
            .collect();
        let manifest = manifest(&secret, &setups);
        let manifest_bytes = to_canonical_json(&manifest);
        let verified = Verified::pinned(&manifest_bytes, &sha256(&manifest_bytes));
        Self {
            secret,
            manifest: verified.expect("the manifest keeps its rules"),
            manifest_bytes,
            setups,
        }
    }

    /// The server of a keyset.
    pub(crate) fn setup(&self, keyset: u32) -> &ServerSetup<ServerSuite> {
        let found = self.setups.iter().find(|(id, _)| *id == keyset);
        &found.expect("a keyset of this fleet").1
    }

    /// Replaces a keyset's server, as an impostor would.
    pub(crate) fn usurp(&mut self, keyset: u32) {
        for (id, setup) in &mut self.setups {
            if *id == keyset {
                *setup = ServerSetup::new(&mut seeded(666));
            }
        }
    }
}

fn manifest(secret: &FleetSecret, setups: &[(u32, ServerSetup<ServerSuite>)]) -> Manifest {
    let nodes = (1..=NODES).map(|id| Node {
        evidence: String::new(),
        id,
        identity_key: public(identity_seed(id)),
        link_key: Hex([100 + id; 32]),
        roles: vec![Role::Vault],
        site: format!("site-{id}"),
    });
    let keysets = setups.iter().map(|(id, setup)| Keyset {
        id: *id,
        server_key: Hex(setup
            .keypair()
            .public()
            .serialize()
            .as_slice()
            .try_into()
            .expect("32 bytes")),
    });
    let hpke_key = secret.public().to_bytes();
    let fleet = strongroom_manifest::Fleet {
        hpke_key: Hex(hpke_key.try_into().expect("1,216 bytes")),
        id: FLEET.to_owned(),
        keysets: keysets.collect(),
        measurement: String::new(),
        nodes: nodes.collect(),
        protection: Protection::Software,
        rollback_tolerance: 0,
        slots: SlotRange::ALL,
    };
    Manifest {
        custodians: Custodians { keys: vec![public([200; 32])], threshold: 1 },
        epoch: 1,
        fleets: vec![fleet],
        namespace: NAMESPACE.to_owned(),
        not_after_ms: super::NOW_MS * 2,
        not_before_ms: 1,
        policy: Policy::standard().with_waits_divided_by(3_600),
        ticket_keys: vec![TicketKey { app: APP.to_owned(), key: public([201; 32]) }],
        version: 1,
    }
}
