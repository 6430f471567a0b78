//! Tickets: what the gateway vouches for, sealed to the fleet.

use ed25519_dalek::{Signer as _, SigningKey};
use std::time::{SystemTime, UNIX_EPOCH};
use strongroom_session::{FleetPublic, Scope};
use strongroom_wire::{AccountHash, Fixed, Slot, digest::sha256, request::Verb, ticket::Ticket};

/// How long a ticket lives. Vaults allow five minutes; clocks differ.
const LIFE_MS: u64 = 2 * 60 * 1_000;

/// Why there is no ticket: randomness or clock of this machine, never the caller.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MintError(pub(crate) &'static str);

/// What one user asks for with one frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Claim {
    pub(crate) slot: Slot,
    pub(crate) verb: Verb,
    pub(crate) frame_digest: [u8; 32],
}

/// Signs and seals tickets of one app for one fleet.
pub(crate) struct Mint {
    key: SigningKey,
    app: String,
    fleet: String,
    fleet_public: FleetPublic,
    manifest_digest: [u8; 32],
}

impl Mint {
    pub(crate) fn new(
        key: SigningKey,
        app: String,
        fleet: String,
        fleet_public: FleetPublic,
        manifest_digest: [u8; 32],
    ) -> Self {
        Self { key, app, fleet, fleet_public, manifest_digest }
    }

    /// The claim of an account of this app.
    pub(crate) fn claim(&self, account: &AccountHash, verb: Verb, frame: &[u8]) -> Claim {
        Claim { slot: Slot::of(&self.app, account), verb, frame_digest: sha256(frame) }
    }

    /// A fresh ticket. One ticket moves a slot once, so each try at a node has its own.
    pub(crate) fn ticket(&self, claim: &Claim) -> Result<Vec<u8>, MintError> {
        let mut id = [0; 16];
        let mut seed = [0; 32];
        getrandom::fill(&mut id)
            .and_then(|()| getrandom::fill(&mut seed))
            .map_err(|_| MintError("no randomness"))?;
        let mut ticket = Ticket {
            fleet: self.fleet.clone(),
            slot: claim.slot,
            verb: claim.verb,
            frame_digest: Fixed(claim.frame_digest),
            expires_ms: now_ms()?.saturating_add(LIFE_MS),
            id: Fixed(id),
            key: Fixed(self.key.verifying_key().to_bytes()),
            signature: Fixed([0; 64]),
        };
        ticket.signature = Fixed(self.key.sign(&ticket.statement()).to_bytes());
        let plaintext = ticket.to_plaintext().map_err(|_| MintError("the ticket is too long"))?;
        let scope = Scope { manifest_digest: &self.manifest_digest, fleet: &self.fleet };
        strongroom_session::seal_ticket(&scope, &self.fleet_public, &plaintext, seed)
            .map_err(|_| MintError("the ticket does not seal"))
    }
}

fn now_ms() -> Result<u64, MintError> {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .ok()
        .and_then(|since| u64::try_from(since.as_millis()).ok())
        .ok_or(MintError("the clock stands before 1970"))
}
