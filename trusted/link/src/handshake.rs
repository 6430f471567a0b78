//! The handshake, as three functions of (keys, seed, bytes) without memory.
//!
//! Both sides derive everything random from a seed, so that a handshake can be computed again rather
//! than stored: a repeated hello gets the same answer to the byte, and a forged answer cannot spoil
//! the state of a handshake that is under way.
//!
//! Sources: the Noise Protocol Framework rev. 34 (§7.5 KK, §9.3 psk2) and FIPS 203.

use chacha20::ChaCha20Rng;
use ml_kem::kem::{Decapsulate, Encapsulate, Kem, KeyExport};
use ml_kem::{EncapsulationKey, MlKem768};
use rand_core::{Rng, SeedableRng};
use sha2::{Digest, Sha256};
use snow::params::{CipherChoice, DHChoice, HashChoice};
use snow::resolvers::{CryptoResolver, DefaultResolver, FallbackResolver};
use snow::types::{Cipher, Dh, Hash, Random};
use snow::{Builder, HandshakeState};
use zeroize::Zeroizing;

use crate::direction::Direction;
use crate::frame::{self, CIPHERTEXT, ENCAPSULATION_KEY, ID, NOISE_1, NOISE_2};
use crate::{NodeId, ReplicaId};

const PATTERN: &str = "Noise_KKpsk2_25519_ChaChaPoly_SHA256";
const PROLOGUE_LABEL: &[u8] = b"strongroom link v1 prologue";
const PSK_LABEL: &[u8] = b"strongroom link v1 psk";
const KEM_LABEL: &[u8] = b"strongroom link v1 kem seed";
const HELLO_LABEL: &[u8] = b"strongroom link v1 hello id";

/// The part of a handshake that belongs to this process.
pub(crate) struct Keys {
    id: ReplicaId,
    secret: Zeroizing<[u8; 32]>,
    manifest_digest: [u8; 32],
    fleet: String,
}

/// The part that belongs to the pair of nodes.
#[derive(Clone, Copy)]
pub(crate) struct Pair {
    pub(crate) initiator: NodeId,
    pub(crate) responder: NodeId,
    pub(crate) peer_public: [u8; 32],
}

/// Both ends hold the same keys, if the other end is who the manifest says.
pub(crate) struct Established {
    pub(crate) outbound: Direction,
    pub(crate) inbound: Direction,
    pub(crate) session: [u8; ID],
    pub(crate) peer: ReplicaId,
}

/// A hello that the peer's node made, though perhaps long ago.
pub(crate) struct Opened {
    state: HandshakeState,
    encapsulation_key: EncapsulationKey<MlKem768>,
    kem_rng: ChaCha20Rng,
    hello: [u8; ID],
    pub(crate) peer: ReplicaId,
}

impl Keys {
    pub(crate) fn new(
        id: ReplicaId,
        secret: [u8; 32],
        manifest_digest: [u8; 32],
        fleet: String,
    ) -> Keys {
        Keys { id, secret: Zeroizing::new(secret), manifest_digest, fleet }
    }

    fn prologue(&self, pair: &Pair) -> Vec<u8> {
        let parts: [&[u8]; 4] = [
            PROLOGUE_LABEL,
            &self.manifest_digest,
            self.fleet.as_bytes(),
            &[pair.initiator, pair.responder],
        ];
        let mut prologue = Vec::new();
        for part in parts {
            prologue
                .extend_from_slice(&u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            prologue.extend_from_slice(part);
        }
        prologue
    }

    fn start(&self, pair: &Pair, seed: &[u8; 32], initiate: bool) -> Option<HandshakeState> {
        let resolver = FallbackResolver::new(
            Box::new(Seeded(Zeroizing::new(*seed))),
            Box::new(DefaultResolver),
        );
        let prologue = self.prologue(pair);
        let builder = Builder::with_resolver(PATTERN.parse().ok()?, Box::new(resolver))
            .prologue(&prologue)
            .ok()?
            .local_private_key(&self.secret[..])
            .ok()?
            .remote_public_key(&pair.peer_public)
            .ok()?;
        if initiate { builder.build_initiator().ok() } else { builder.build_responder().ok() }
    }
}

/// The hello of this seed: the frame to send.
pub(crate) fn hello(keys: &Keys, pair: &Pair, seed: &[u8; 32]) -> Option<Vec<u8>> {
    open_conversation(keys, pair, seed).map(|(_, _, frame)| frame)
}

type DecapsulationKey = ml_kem::ml_kem_768::DecapsulationKey;

fn open_conversation(
    keys: &Keys,
    pair: &Pair,
    seed: &[u8; 32],
) -> Option<(HandshakeState, DecapsulationKey, Vec<u8>)> {
    let (decapsulation_key, encapsulation_key) =
        MlKem768::generate_keypair_from_rng(&mut kem_rng(seed));
    let payload = [&keys.id.to_be_bytes()[..], &encapsulation_key.to_bytes()].concat();
    let mut state = keys.start(pair, seed, true)?;
    let mut noise = [0; NOISE_1];
    let written = state.write_message(&payload, &mut noise).ok()?;
    (written == NOISE_1).then(|| (state, decapsulation_key, frame::hello(&noise)))
}

/// A short name of a hello, by which an answer says what it answers.
pub(crate) fn hello_id(noise: &[u8; NOISE_1]) -> [u8; ID] {
    let digest: [u8; 32] =
        Sha256::new().chain_update(HELLO_LABEL).chain_update(noise).finalize().into();
    digest.first_chunk().copied().unwrap_or_default()
}

/// Reads a hello. `seed` decides the answer; it must depend on every byte of the hello.
pub(crate) fn open(
    keys: &Keys,
    pair: &Pair,
    seed: &[u8; 32],
    noise: &[u8; NOISE_1],
) -> Option<Opened> {
    let mut state = keys.start(pair, seed, false)?;
    let mut payload = [0; NOISE_1];
    let read = state.read_message(noise, &mut payload).ok()?;
    let (peer, rest) = payload.get(..read)?.split_first_chunk::<8>()?;
    let key: &[u8; ENCAPSULATION_KEY] = rest.try_into().ok()?;
    let encapsulation_key = EncapsulationKey::<MlKem768>::new(&(*key).into()).ok()?;
    Some(Opened {
        state,
        encapsulation_key,
        kem_rng: kem_rng(seed),
        hello: hello_id(noise),
        peer: u64::from_be_bytes(*peer),
    })
}

impl Opened {
    /// Answers: the session as the responder holds it, and the frame to send.
    pub(crate) fn answer(mut self, keys: &Keys) -> Option<(Established, Vec<u8>)> {
        let (ciphertext, shared) = self.encapsulation_key.encapsulate_with_rng(&mut self.kem_rng);
        self.state.set_psk(2, &psk(&shared, &ciphertext)[..]).ok()?;
        let mut noise = [0; NOISE_2];
        let written = self.state.write_message(&keys.id.to_be_bytes(), &mut noise).ok()?;
        if written != NOISE_2 {
            return None;
        }
        let frame = frame::answer(self.hello, &ciphertext, &noise);
        Some((establish(self.state, self.peer)?, frame))
    }
}

/// Reads the answer to the hello of `seed`: the session as the initiator holds it.
pub(crate) fn finish(
    keys: &Keys,
    pair: &Pair,
    seed: &[u8; 32],
    ciphertext: &[u8; CIPHERTEXT],
    noise: &[u8; NOISE_2],
) -> Option<Established> {
    let (mut state, decapsulation_key, _) = open_conversation(keys, pair, seed)?;
    let shared = decapsulation_key.decapsulate(&(*ciphertext).into());
    state.set_psk(2, &psk(&shared, ciphertext)[..]).ok()?;
    let mut payload = [0; NOISE_2];
    let read = state.read_message(noise, &mut payload).ok()?;
    let peer: &[u8; 8] = payload.get(..read)?.try_into().ok()?;
    establish(state, u64::from_be_bytes(*peer))
}

/// The keys of both directions (Noise §5.2, `Split()`). They leave the library because both ends replace
/// them for as long as the session lives, and a frame must be tried before a key is given up.
fn establish(mut state: HandshakeState, peer: ReplicaId) -> Option<Established> {
    if !state.is_handshake_finished() {
        return None;
    }
    let session = state.get_handshake_hash().first_chunk().copied()?;
    let (by_initiator, by_responder) = state.dangerously_get_raw_split();
    let [mut outbound, mut inbound] =
        [by_initiator, by_responder].map(|key| Direction::new(Zeroizing::new(key)));
    if !state.is_initiator() {
        core::mem::swap(&mut outbound, &mut inbound);
    }
    Some(Established { outbound, inbound, session, peer })
}

/// The ciphertext travels beside the Noise message, so it is bound here: another one, another key.
fn psk(shared: &[u8], ciphertext: &[u8]) -> Zeroizing<[u8; 32]> {
    let hash = Sha256::new().chain_update(PSK_LABEL).chain_update(shared).chain_update(ciphertext);
    Zeroizing::new(hash.finalize().into())
}

fn kem_rng(seed: &[u8; 32]) -> ChaCha20Rng {
    ChaCha20Rng::from_seed(
        Sha256::new().chain_update(KEM_LABEL).chain_update(seed).finalize().into(),
    )
}

/// The X25519 public key of a static secret, as the manifest holds it.
pub fn public_key(secret: &[u8; 32]) -> [u8; 32] {
    let mut public = [0; 32];
    if let Some(mut dh) = DefaultResolver.resolve_dh(&DHChoice::Curve25519) {
        dh.set(secret);
        public.copy_from_slice(dh.pubkey().get(..32).unwrap_or(&[0; 32]));
    }
    public
}

/// Gives the Noise library our generator and nothing else.
struct Seeded(Zeroizing<[u8; 32]>);

struct SeededRandom(ChaCha20Rng);

impl Random for SeededRandom {
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), snow::Error> {
        self.0.fill_bytes(dest);
        Ok(())
    }
}

impl CryptoResolver for Seeded {
    fn resolve_rng(&self) -> Option<Box<dyn Random>> {
        Some(Box::new(SeededRandom(ChaCha20Rng::from_seed(*self.0))))
    }

    fn resolve_dh(&self, _: &DHChoice) -> Option<Box<dyn Dh>> {
        None
    }

    fn resolve_hash(&self, _: &HashChoice) -> Option<Box<dyn Hash>> {
        None
    }

    fn resolve_cipher(&self, _: &CipherChoice) -> Option<Box<dyn Cipher>> {
        None
    }
}
