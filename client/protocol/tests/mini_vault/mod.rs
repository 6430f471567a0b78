//! A vault of one process for tests of clients: the real suite, seals and signatures, the smallest
//! record keeping that is faithful to the protocol, and hooks that make it lie.

#![allow(dead_code, reason = "each test binary uses its own part")]

mod fleet;
mod slots;

pub(crate) use fleet::{APP, FLEET, Fleet};
pub(crate) use slots::Slots;

use ed25519_dalek::{Signer as _, SigningKey};
use strongroom_session::Scope;
use strongroom_wire::{
    Fixed, Slot,
    codec::{self, Blob},
    digest::sha256,
    request::{Body, Request},
    response::{self, Outcome, Response, SignedResponse},
};

/// The vault's clock: fixed, so that runs repeat.
pub(crate) const NOW_MS: u64 = 1_800_000_000_000;

/// Changes an outcome.
pub(crate) type Change = Box<dyn FnMut(&mut Outcome) + Send>;

/// What a dishonest vault, or somebody in between, does to an answer.
#[derive(Default)]
pub(crate) struct Lies {
    /// Changes the outcome before it is signed.
    pub(crate) outcome: Option<Change>,
    /// Signs under another manifest's digest.
    pub(crate) digest: Option<[u8; 32]>,
    /// Signs for another request frame.
    pub(crate) frame_digest: Option<[u8; 32]>,
    /// Signs with this key.
    pub(crate) key: Option<[u8; 32]>,
    /// Names this node.
    pub(crate) node: Option<u8>,
    /// Sends the client's own blinded element back instead of its evaluation.
    pub(crate) reflect: bool,
    /// Binds OPAQUE to this slot.
    pub(crate) slot: Option<Slot>,
    /// Seals this plaintext instead of a signed answer.
    pub(crate) plaintext: Option<Vec<u8>>,
}

/// The lie of reflection: not evaluating at all.
pub(crate) fn reflect() -> Lies {
    Lies { reflect: true, ..Lies::default() }
}

/// Puts the request's blinded element where the answer has its evaluation.
fn reflect_into(outcome: &mut Outcome, body: &Body) {
    match (outcome, body) {
        (Outcome::RecoverStarted { ke2, .. }, Body::RecoverStart { ke1 }) => {
            ke2.0[..32].copy_from_slice(&ke1.0[..32]);
        }
        (Outcome::RegisterStarted { response, .. }, Body::RegisterStart { request }) => {
            response.0[..32].copy_from_slice(&request.0);
        }
        _ => {}
    }
}

/// One vault: a fleet's secrets and its slots.
pub(crate) struct MiniVault {
    pub(crate) fleet: Fleet,
    pub(crate) slots: Slots,
    pub(crate) lies: Lies,
    answers: u64,
}

impl MiniVault {
    pub(crate) fn new() -> Self {
        Self { fleet: Fleet::new(), slots: Slots::default(), lies: Lies::default(), answers: 0 }
    }

    /// Opens a frame, does what it asks, and answers it, signed and sealed.
    pub(crate) fn answer(&mut self, frame: &[u8]) -> Vec<u8> {
        let digest = *self.fleet.manifest.digest();
        let scope = Scope { manifest_digest: &digest, fleet: FLEET };
        let (plaintext, sealer) =
            self.fleet.secret.open_request(&scope, frame).expect("a frame sealed to this fleet");
        let request = Request::from_plaintext(&plaintext).expect("a request");
        let slot = Slot::of(APP, &request.account);
        let bound = self.lies.slot.unwrap_or(slot);
        let body = request.body.clone();
        let mut outcome = self.slots.apply(&self.fleet, slot, bound, request.body);
        if self.lies.reflect {
            reflect_into(&mut outcome, &body);
        }
        if let Some(change) = &mut self.lies.outcome {
            change(&mut outcome);
        }
        let answer = self.lies.plaintext.clone().unwrap_or_else(|| {
            self.sign(sha256(frame), outcome).to_plaintext().expect("an answer fits")
        });
        let nonce = sha256(&self.answers.to_be_bytes());
        sealer.seal(&answer, nonce).expect("seal")
    }

    fn sign(&mut self, frame_digest: [u8; 32], outcome: Outcome) -> SignedResponse {
        self.answers += 1;
        let node = self.lies.node.unwrap_or(1);
        let response = Response {
            version: 1,
            node,
            incarnation: 77,
            index: self.answers,
            term: 3,
            now_ms: NOW_MS,
            outcome,
        };
        let encoded = codec::encode(&response);
        let statement = response::statement(
            &self.lies.digest.unwrap_or(*self.fleet.manifest.digest()),
            FLEET,
            &self.lies.frame_digest.unwrap_or(frame_digest),
            &response,
            &encoded,
        );
        let seed = self.lies.key.unwrap_or(fleet::identity_seed(1));
        let signature = SigningKey::from_bytes(&seed).sign(&statement).to_bytes();
        SignedResponse { response: Blob(encoded), signature: Fixed(signature) }
    }
}
