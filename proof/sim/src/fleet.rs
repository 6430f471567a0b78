//! A fleet of simulated nodes: keys, manifest, tickets, start statements.

use crate::{
    Plan,
    hardware::{EPOCH_MS, FleetSecrets, NodeHardware},
};
use chacha20::{ChaCha20Rng, rand_core::Rng as _};
use ed25519_dalek::{Signer as _, SigningKey};
use std::{
    cell::{Cell, RefCell},
    rc::Rc,
};
use strongroom_manifest::{
    Custodians, Fleet, Hex, Keyset, Manifest, Node, Protection, Role, SlotRange, TicketKey,
    Verified, to_canonical_json,
};
use strongroom_session::{FleetPublic, FleetSecret, Scope, seal_ticket};
use strongroom_wire::{
    Fixed, Slot,
    digest::sha256,
    request::Verb,
    start::{CustodianSignature, SignedPosition, SignedStart, Start},
    ticket::Ticket,
};

/// The one fleet's name.
pub const FLEET: &str = "sim";
/// The one app.
pub const APP: &str = "chat";

/// Everything that a world's ceremony made.
pub struct Ceremony {
    /// The manifest that everybody holds.
    pub manifest: Verified<Manifest>,
    /// By node, from node 1.
    pub nodes: Vec<Rc<NodeHardware>>,
    /// On every node.
    pub secrets: Rc<FleetSecrets>,
    ticket_key: SigningKey,
    custodians: Vec<SigningKey>,
    signed_era: Cell<u64>,
    public: FleetPublic,
}

/// How a ticket is forged.
#[derive(Debug, Clone, Copy)]
pub enum Forgery {
    /// The gateway's key, and no signature.
    Unsigned,
    /// The gateway's key, and somebody else's signature.
    OwnSignature,
    /// Somebody else's key and signature.
    OwnKey,
}

fn draw(rng: &mut ChaCha20Rng) -> [u8; 32] {
    let mut bytes = [0; 32];
    rng.fill_bytes(&mut bytes);
    bytes
}

impl Ceremony {
    /// The fleet of a plan.
    ///
    /// # Panics
    /// If the manifest that it makes breaks a rule: a defect of the simulator.
    pub fn new(rng: &mut ChaCha20Rng, plan: &Plan) -> Self {
        let hardware = |rng: &mut ChaCha20Rng| {
            Rc::new(NodeHardware {
                identity: draw(rng),
                link: draw(rng),
                sealing_root: draw(rng),
                cell: RefCell::default(),
                cell_owner: RefCell::default(),
                cells: RefCell::default(),
                copied: RefCell::default(),
                illness: RefCell::default(),
                skew_ms: RefCell::default(),
            })
        };
        let nodes: Vec<_> = (0..plan.nodes).map(|_| hardware(rng)).collect();
        let (server_private, server_key) =
            strongroom_opaque::generate_server_key(draw(rng)).expect("server key");
        let mut oprf_seed = [0; 64];
        rng.fill_bytes(&mut oprf_seed);
        let secrets = FleetSecrets {
            hpke_seed: draw(rng),
            oprf_seed,
            server_private: *server_private,
            fake_key: draw(rng),
        };
        let public = FleetSecret::from_seed(secrets.hpke_seed).public();
        let ticket_key = SigningKey::from_bytes(&draw(rng));
        let mut custodians: Vec<_> = (0..3).map(|_| SigningKey::from_bytes(&draw(rng))).collect();
        custodians.sort_by_key(|key| key.verifying_key().to_bytes());
        let manifest = Manifest {
            custodians: Custodians {
                keys: custodians.iter().map(|k| Hex(k.verifying_key().to_bytes())).collect(),
                threshold: 2,
            },
            epoch: 1,
            fleets: [Fleet {
                hpke_key: Hex(public.to_bytes().try_into().expect("1216 bytes")),
                id: FLEET.to_owned(),
                keysets: [Keyset { id: 1, server_key: Hex(server_key) }].to_vec(),
                measurement: String::new(),
                nodes: (1..).zip(&nodes).map(|(id, hardware)| node(id, hardware)).collect(),
                protection: Protection::Software,
                rollback_tolerance: plan.tolerance,
                slots: SlotRange::ALL,
            }]
            .to_vec(),
            namespace: "sim.encrypted_backups.fleet_keys.v1".to_owned(),
            not_after_ms: EPOCH_MS + 10 * 365 * 86_400_000,
            not_before_ms: EPOCH_MS - 86_400_000,
            policy: plan.policy.clone(),
            ticket_keys: [TicketKey {
                app: APP.to_owned(),
                key: Hex(ticket_key.verifying_key().to_bytes()),
            }]
            .to_vec(),
            version: 1,
        };
        let bytes = to_canonical_json(&manifest);
        let manifest = Verified::pinned(&bytes, &sha256(&bytes)).expect("a manifest by the rules");
        Self {
            manifest,
            nodes,
            secrets: Rc::new(secrets),
            ticket_key,
            custodians,
            signed_era: Cell::default(),
            public,
        }
    }

    /// What an honest gateway mints: a sealed ticket for this frame.
    pub fn ticket(
        &self,
        rng: &mut ChaCha20Rng,
        slot: &Slot,
        verb: Verb,
        frame: &[u8],
        now_ms: u64,
    ) -> Vec<u8> {
        let mut ticket = self.unsigned_ticket(rng, slot, verb, frame, now_ms);
        ticket.signature = Fixed(self.ticket_key.sign(&ticket.statement()).to_bytes());
        self.seal(rng, &ticket)
    }

    /// What somebody without a gateway's key makes.
    pub fn forged_ticket(
        &self,
        rng: &mut ChaCha20Rng,
        how: Forgery,
        slot: &Slot,
        verb: Verb,
        frame: &[u8],
        now_ms: u64,
    ) -> Vec<u8> {
        let mut ticket = self.unsigned_ticket(rng, slot, verb, frame, now_ms);
        let own = SigningKey::from_bytes(&draw(rng));
        if matches!(how, Forgery::OwnKey) {
            ticket.key = Fixed(own.verifying_key().to_bytes());
        }
        if !matches!(how, Forgery::Unsigned) {
            ticket.signature = Fixed(own.sign(&ticket.statement()).to_bytes());
        }
        self.seal(rng, &ticket)
    }

    fn unsigned_ticket(
        &self,
        rng: &mut ChaCha20Rng,
        slot: &Slot,
        verb: Verb,
        frame: &[u8],
        now_ms: u64,
    ) -> Ticket {
        let id = draw(rng);
        Ticket {
            fleet: FLEET.to_owned(),
            slot: *slot,
            verb,
            frame_digest: Fixed(sha256(frame)),
            expires_ms: now_ms + 120_000,
            id: Fixed::from_slice(&id[..16]).expect("16 bytes"),
            key: Fixed(self.ticket_key.verifying_key().to_bytes()),
            signature: Fixed([0; 64]),
        }
    }

    fn seal(&self, rng: &mut ChaCha20Rng, ticket: &Ticket) -> Vec<u8> {
        let scope = Scope { manifest_digest: self.manifest.digest(), fleet: FLEET };
        let plaintext = ticket.to_plaintext().expect("fits");
        seal_ticket(&scope, &self.public, &plaintext, draw(rng)).expect("seals")
    }

    /// What custodians sign: they never sign two statements for one era.
    pub fn start(&self, mut positions: Vec<SignedPosition>) -> SignedStart {
        positions.sort_by_key(|p| p.position.node);
        let newest = positions.iter().map(|p| p.position.era).max().unwrap_or(0);
        let era = newest.max(self.signed_era.get()) + 1;
        self.signed_era.set(era);
        let start = Start { fleet: FLEET.to_owned(), era, positions };
        let statement = start.statement();
        let signatures = self.custodians.iter().take(2).map(|key| CustodianSignature {
            custodian: Fixed(key.verifying_key().to_bytes()),
            signature: Fixed(key.sign(&statement).to_bytes()),
        });
        SignedStart { signatures: signatures.collect(), start }
    }
}

fn node(id: u8, hardware: &NodeHardware) -> Node {
    Node {
        evidence: String::new(),
        id,
        identity_key: Hex(SigningKey::from_bytes(&hardware.identity).verifying_key().to_bytes()),
        link_key: Hex(strongroom_link::public_key(&hardware.link)),
        roles: [Role::Vault].to_vec(),
        site: format!("site-{id}"),
    }
}
