//! The vault's end of one exchange, from the trusted crates: no log, no state.

use crate::world::{FLEET, INCARNATION, KEYSET, NODE, NOW_MS, World, identity, key};
use ed25519_dalek::Signer as _;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use strongroom_opaque::{Exchange, Server};
use strongroom_session::ResponseSealer;
use strongroom_wire::{
    Fixed, binding, caps, codec,
    codec::Blob,
    digest::sha256,
    request::Request,
    response::{self, Outcome, Response, SignedResponse},
};

/// What a keyset's hardware computes for one credential identifier.
pub(crate) fn material(oprf_seed: &[u8; 64], identifier: &[u8; 72]) -> [u8; 32] {
    let mut mac = Hmac::<Sha512>::new_from_slice(oprf_seed).expect("a key of any length");
    mac.update(identifier);
    mac.update(b"OprfKey\x01");
    let block: [u8; 64] = mac.finalize().into_bytes().into();
    *block.first_chunk().expect("64 bytes")
}

/// A response of the world's answering node.
pub(crate) fn response(index: u64, outcome: Outcome) -> Response {
    Response {
        version: caps::WIRE_VERSION,
        node: NODE,
        incarnation: INCARNATION,
        index,
        term: 5,
        now_ms: NOW_MS,
        outcome,
    }
}

pub(crate) struct Signed {
    pub(crate) encoded: Vec<u8>,
    pub(crate) statement: Vec<u8>,
    pub(crate) signature: [u8; 64],
    pub(crate) plaintext: Vec<u8>,
}

/// Signs a response for the request whose frame has this digest.
pub(crate) fn sign(world: &World, frame_digest: &[u8; 32], response: &Response) -> Signed {
    let encoded = codec::encode(response);
    let statement = response::statement(&world.digest, FLEET, frame_digest, response, &encoded);
    let signature = key(identity(NODE)).sign(&statement).to_bytes();
    let signed = SignedResponse { response: Blob(encoded.clone()), signature: Fixed(signature) };
    let plaintext = signed.to_plaintext().expect("it fits");
    Signed { encoded, statement, signature, plaintext }
}

/// A request as the vault opened it.
pub(crate) struct Opened {
    pub(crate) request: Request,
    pub(crate) plaintext: Vec<u8>,
    frame_digest: [u8; 32],
    sealer: ResponseSealer,
}

pub(crate) fn open(world: &World, frame: &[u8]) -> Opened {
    let (plaintext, sealer) =
        world.fleet_secret.open_request(&world.scope(), frame).expect("a frame for this fleet");
    Opened {
        request: Request::from_plaintext(&plaintext).expect("a request"),
        plaintext,
        frame_digest: sha256(frame),
        sealer,
    }
}

impl Opened {
    /// The answer's frame.
    pub(crate) fn answer(
        &self,
        world: &World,
        index: u64,
        outcome: Outcome,
        nonce: [u8; 32],
    ) -> Vec<u8> {
        let signed = sign(world, &self.frame_digest, &response(index, outcome));
        let sealed = self.sealer.seal(&signed.plaintext, nonce);
        sealed.expect("one size")
    }
}

pub(crate) fn server(world: &World) -> Server {
    Server::new(&world.server_private, [0; 32]).expect("a server")
}

pub(crate) fn exchange(world: &World) -> Exchange<'_> {
    Exchange {
        namespace: &world.manifest.namespace,
        keyset: KEYSET,
        fleet: FLEET,
        epoch: world.manifest.epoch,
        slot: &world.slot,
    }
}

pub(crate) fn identifier(world: &World, generation: u64, salt: &[u8; 32]) -> [u8; 72] {
    binding::credential_identifier(&world.slot, generation, salt)
}
