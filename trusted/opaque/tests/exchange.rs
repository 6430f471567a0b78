//! The server's end against the library's own client.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng as _};
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialResponse, Identifiers, RegistrationResponse,
    Ristretto255, TripleDh, ksf::Identity,
};
use sha2_0_10::Sha512;
use strongroom_opaque::{Exchange, Fakes, OpaqueError, Server, generate_server_key};
use strongroom_wire::{AccountHash, Slot, binding};
use zeroize::Zeroizing;

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Identity;
}

/// A test's randomness behind the library's interface.
struct Rng(ChaCha20Rng);

impl rand_core_0_6::RngCore for Rng {
    fn next_u32(&mut self) -> u32 {
        chacha20::rand_core::Rng::next_u32(&mut self.0)
    }
    fn next_u64(&mut self) -> u64 {
        chacha20::rand_core::Rng::next_u64(&mut self.0)
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        chacha20::rand_core::Rng::fill_bytes(&mut self.0, dest);
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core_0_6::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}
impl rand_core_0_6::CryptoRng for Rng {}

fn rng(seed: u8) -> Rng {
    Rng(ChaCha20Rng::from_seed([seed; 32]))
}

const MATERIAL: [u8; 32] = [5; 32];

struct World {
    server: Server,
    slot: Slot,
}

impl World {
    fn new() -> Self {
        let (private, public) = generate_server_key([1; 32]).expect("key");
        let server = Server::new(&private, [2; 32]).expect("server");
        assert_eq!(server.public().expect("public"), public);
        Self { server, slot: Slot::of("chat", &AccountHash::of("alice").expect("account")) }
    }

    fn exchange(&self) -> Exchange<'_> {
        Exchange { namespace: "org.test", keyset: 1, fleet: "dev", epoch: 1, slot: &self.slot }
    }

    fn register(&self, password: &[u8]) -> [u8; 192] {
        let mut rng = rng(3);
        let start = ClientRegistration::<Suite>::start(&mut rng, password).expect("start");
        let request: [u8; 32] = start.message.serialize().as_slice().try_into().expect("32");
        let response = self.server.register(&MATERIAL, &request).expect("evaluate");
        let response = RegistrationResponse::deserialize(&response).expect("response");
        let (client, server) =
            (binding::client_identity(&self.slot), binding::server_identity("org.test", 1));
        let ids = Identifiers { client: Some(&client), server: Some(&server) };
        let params = ClientRegistrationFinishParameters::new(ids, None);
        let finish = start.state.finish(&mut rng, password, response, params).expect("finish");
        finish.message.serialize().as_slice().try_into().expect("192")
    }

    fn ke1(password: &[u8], seed: u8) -> (ClientLogin<Suite>, [u8; 96]) {
        let start = ClientLogin::<Suite>::start(&mut rng(seed), password).expect("start");
        (start.state, start.message.serialize().as_slice().try_into().expect("96"))
    }

    fn ke3(&self, state: ClientLogin<Suite>, password: &[u8], ke2: &[u8]) -> Option<[u8; 64]> {
        let (client, server) =
            (binding::client_identity(&self.slot), binding::server_identity("org.test", 1));
        let context = binding::context("dev", 1);
        let ids = Identifiers { client: Some(&client), server: Some(&server) };
        let params = ClientLoginFinishParameters::new(Some(&context), ids, None);
        let response = CredentialResponse::deserialize(ke2).expect("ke2");
        let finish = state.finish(&mut rng(9), password, response, params).ok()?;
        finish.message.serialize().as_slice().try_into().ok()
    }
}

#[test]
fn the_right_password_proves_itself_on_any_node() {
    let world = World::new();
    let upload = world.register(b"hunter2");
    let (state, ke1) = World::ke1(b"hunter2", 4);
    let first = world.server.login(&MATERIAL, Some(&upload), &ke1, [7; 32], &world.exchange());
    let first = first.expect("login");
    // Another node with the same keys, the same committed seed.
    let other = World::new();
    let second = other.server.login(&MATERIAL, Some(&upload), &ke1, [7; 32], &other.exchange());
    let second = second.expect("login");
    assert_eq!(first.ke2(), second.ke2());
    let ke3 = world.ke3(state, b"hunter2", first.ke2()).expect("right password");
    let (one, two) = (first.finish(&ke3).expect("one"), second.finish(&ke3).expect("two"));
    assert_eq!(one.fresh_key(), two.fresh_key());
    let wrapped = [8; 48];
    let released = one.release(&world.slot, 1, 1, &wrapped);
    assert_eq!(released, two.release(&world.slot, 1, 1, &wrapped));
    assert_ne!(released, one.release(&world.slot, 1, 2, &wrapped));
}

#[test]
fn a_wrong_password_and_a_random_finish_prove_nothing() {
    let world = World::new();
    let upload = world.register(b"hunter2");
    let (state, ke1) = World::ke1(b"hunter3", 4);
    let login = world.server.login(&MATERIAL, Some(&upload), &ke1, [7; 32], &world.exchange());
    let login = login.expect("login");
    assert!(world.ke3(state, b"hunter3", login.ke2()).is_none());
    assert!(login.finish(&[6; 64]).is_none());
}

#[test]
fn another_slot_fleet_epoch_or_keyset_does_not_finish() {
    let world = World::new();
    let upload = world.register(b"hunter2");
    let other = Slot::of("chat", &AccountHash::of("mallory").expect("account"));
    let base = world.exchange();
    for exchange in [
        Exchange { slot: &other, ..base },
        Exchange { fleet: "dev2", ..base },
        Exchange { epoch: 2, ..base },
        Exchange { keyset: 2, ..base },
        Exchange { namespace: "org.other", ..base },
    ] {
        let (state, ke1) = World::ke1(b"hunter2", 4);
        let login = world.server.login(&MATERIAL, Some(&upload), &ke1, [7; 32], &exchange);
        let login = login.expect("login");
        assert!(world.ke3(state, b"hunter2", login.ke2()).is_none(), "{exchange:?}");
    }
}

#[test]
fn identity_and_non_canonical_elements_are_refused() {
    let world = World::new();
    let identity = [0; 32];
    // The field prime: zero, encoded a second way.
    let mut non_canonical = [0xff; 32];
    non_canonical[0] = 0xed;
    non_canonical[31] = 0x7f;
    for element in [identity, non_canonical, [0xff; 32]] {
        let refused = world.server.register(&MATERIAL, &element);
        assert_eq!(refused, Err(OpaqueError::BadMessage));
        let (_, mut ke1) = World::ke1(b"x", 4);
        ke1[..32].copy_from_slice(&element);
        assert_eq!(Server::check_ke1(&ke1), Err(OpaqueError::BadMessage));
        let (_, mut ke1) = World::ke1(b"x", 4);
        ke1[64..].copy_from_slice(&element);
        assert_eq!(Server::check_ke1(&ke1), Err(OpaqueError::BadMessage));
        let mut upload = world.register(b"x");
        upload[..32].copy_from_slice(&element);
        assert_eq!(Server::check_upload(&upload), Err(OpaqueError::BadMessage));
    }
    assert!(Server::new(&[0; 32], [2; 32]).is_err(), "the zero scalar is no key");
    assert!(Server::new(&[0xff; 32], [2; 32]).is_err(), "no canonical scalar");
}

#[test]
fn inv3_a_stand_in_answers_as_a_record_does() {
    let world = World::new();
    let fakes = Fakes::new(Zeroizing::new([3; 32]));
    let (_, ke1) = World::ke1(b"guess", 4);
    let seed = fakes.seed(&world.slot, &[1; 32]);
    let first = world.server.login(&MATERIAL, None, &ke1, seed, &world.exchange()).expect("fake");
    let again = world.server.login(&MATERIAL, None, &ke1, seed, &world.exchange()).expect("fake");
    assert_eq!(first.ke2(), again.ke2(), "the same KE1 gets the same answer");
    let other = World::ke1(b"other", 5).1;
    let seed = fakes.seed(&world.slot, &[2; 32]);
    let other = world.server.login(&MATERIAL, None, &other, seed, &world.exchange()).expect("fake");
    assert_ne!(first.ke2(), other.ke2());
    assert_eq!(fakes.salt(&world.slot), fakes.salt(&world.slot));
    assert!(first.finish(&[0; 64]).is_none());
}

#[test]
fn the_key_material_path_is_the_librarys_own() {
    // RFC 9807 derives a record's key from the seed by one HKDF-Expand; the hardware does it as one
    // HMAC. A record registered through one must be recovered through the other.
    use hmac_check::hmac_sha512;
    let seed = [0x42; 64];
    let identifier = [7; 72];
    let mut input = identifier.to_vec();
    input.extend_from_slice(b"OprfKey\x01");
    let by_hand = &hmac_sha512(&seed, &input)[..32];
    let mut expanded = [0; 32];
    hkdf_check::expand_sha512(&seed, &[&identifier[..], b"OprfKey"].concat(), &mut expanded);
    assert_eq!(by_hand, expanded);
}

mod hmac_check {
    use hmac::{Hmac, KeyInit as _, Mac as _};

    pub(super) fn hmac_sha512(key: &[u8], message: &[u8]) -> Vec<u8> {
        let mut mac = Hmac::<sha2::Sha512>::new_from_slice(key).expect("any length");
        mac.update(message);
        mac.finalize().into_bytes().to_vec()
    }
}

mod hkdf_check {
    pub(super) fn expand_sha512(prk: &[u8], info: &[u8], out: &mut [u8]) {
        hkdf::Hkdf::<sha2::Sha512>::from_prk(prk).expect("64 bytes").expand(info, out).expect("32");
    }
}

#[test]
fn a_refusal_says_whether_a_message_or_a_key_was_wrong_and_nothing_else() {
    let world = World::new();
    let message = world.server.register(&MATERIAL, &[0xff; 32]).expect_err("no element");
    let Err(key) = Server::new(&[0; 32], [2; 32]) else { panic!("zero is no key") };
    assert_eq!((message, key), (OpaqueError::BadMessage, OpaqueError::BadKey));
    assert_eq!(message.to_string(), "not an OPAQUE message of the pinned suite");
    assert_eq!(key.to_string(), "not an OPAQUE key of the pinned suite");
}
