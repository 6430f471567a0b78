//! RFC 9807, Appendix C: the vectors of ristretto255-SHA512 with 3DH and the identity KSF.
//!
//! The library draws its randomness in a fixed order, so a script of the RFC's values in place of a
//! generator reproduces every message byte for byte: both ends of Real Test Vectors 1 and 2, and the
//! answer for an unknown client of Fake Test Vector 1. The suite is declared here as in `src/suite.rs`;
//! [`Server`] itself, which takes a seed and never a generator, is checked in all that does not
//! depend on one.

use hkdf::Hkdf;
use opaque_ke::{
    CipherSuite, ClientLogin, ClientLoginFinishParameters, ClientRegistration,
    ClientRegistrationFinishParameters, CredentialFinalization, CredentialRequest,
    CredentialResponse, Identifiers, RegistrationResponse, Ristretto255, ServerLogin,
    ServerLoginParameters, ServerRegistration, ServerSetup, TripleDh,
    key_exchange::{group::Group, tripledh::DiffieHellman},
    keypair::{KeyPair, PrivateKey},
    ksf::Identity,
};
use sha2_0_10::Sha512;
use strongroom_opaque::{Exchange, Server};
use strongroom_wire::{AccountHash, Slot};

struct Suite;

impl CipherSuite for Suite {
    type OprfCs = Ristretto255;
    type KeyExchange = TripleDh<Ristretto255, Sha512>;
    type Ksf = Identity;
}

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u8> = hex.chars().map(|c| c.to_digit(16).expect("a digit") as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn fixed<const N: usize>(hex: &str) -> [u8; N] {
    bytes(hex).try_into().expect("a value of this length")
}

/// Gives exactly the scripted bytes, and no test passes that leaves some of them.
struct Script(Vec<u8>);

impl Script {
    fn of(parts: &[&str]) -> Self {
        Self(parts.iter().flat_map(|part| bytes(part)).collect())
    }

    fn is_spent(&self) -> bool {
        self.0.is_empty()
    }
}

impl rand_core_0_6::RngCore for Script {
    fn next_u32(&mut self) -> u32 {
        panic!("the suite draws byte strings only")
    }
    fn next_u64(&mut self) -> u64 {
        panic!("the suite draws byte strings only")
    }
    fn fill_bytes(&mut self, dest: &mut [u8]) {
        dest.copy_from_slice(&self.0[..dest.len()]);
        self.0.drain(..dest.len());
    }
    fn try_fill_bytes(&mut self, dest: &mut [u8]) -> Result<(), rand_core_0_6::Error> {
        self.fill_bytes(dest);
        Ok(())
    }
}

impl rand_core_0_6::CryptoRng for Script {}

/// Completes a scalar to the 64 bytes that a random scalar is reduced from.
const HIGH: &str = "0000000000000000000000000000000000000000000000000000000000000000";
/// The masking key of a stand-in is drawn even where a record makes it unnecessary.
const UNUSED_MASKING_KEY: &str = "\
    00000000000000000000000000000000000000000000000000000000000000000000000000000000\
    000000000000000000000000000000000000000000000000";

#[derive(Clone)]
struct RemoteSeed;

type Scalar = <Ristretto255 as Group>::Sk;
type Setup = ServerSetup<Suite, Scalar, RemoteSeed>;

/// A server of this private key, with the client key of its stand-ins.
fn setup(private: &str, stand_in: &str) -> Setup {
    let private = bytes(private);
    let public =
        PrivateKey::<Ristretto255>::deserialize(&private).expect("a private key").public_key();
    let scalar = Ristretto255::deserialize_take_sk(&mut private.as_slice()).expect("a scalar");
    let mut script = Script::of(&[stand_in, HIGH]);
    let setup =
        Setup::new_with_key_pair_and_seed(&mut script, KeyPair::new(scalar, public), RemoteSeed);
    assert!(script.is_spent());
    setup
}

/// What the hardware computes for a record: one block of HKDF-Expand.
fn material(oprf_seed: &str) -> [u8; 32] {
    let mut material = [0; 32];
    Hkdf::<sha2::Sha512>::from_prk(&bytes(oprf_seed))
        .expect("a seed")
        .expand_multi_info(&[&bytes(CREDENTIAL_IDENTIFIER), b"OprfKey"], &mut material)
        .expect("one block");
    material
}

struct Names {
    client: Option<&'static [u8]>,
    server: Option<&'static [u8]>,
}

const NAMELESS: Names = Names { client: None, server: None };
const NAMED: Names = Names { client: Some(b"alice"), server: Some(b"bob") };
const CONTEXT: &[u8] = b"OPAQUE-POC";

impl Names {
    fn identifiers(&self) -> Identifiers<'static> {
        Identifiers { client: self.client, server: self.server }
    }
}

/// The server's KE2 and its state for one KE1.
fn answer(
    setup: &Setup,
    oprf_seed: &str,
    upload: Option<&str>,
    ke1: &str,
    names: &Names,
    script: &mut Script,
) -> (Vec<u8>, ServerLogin<Suite>) {
    let record =
        upload.map(|hex| ServerRegistration::<Suite>::deserialize(&bytes(hex)).expect("a record"));
    let builder = ServerLogin::<Suite>::builder_with_key_material(
        script,
        setup,
        material(oprf_seed).into(),
        record,
        CredentialRequest::deserialize(&bytes(ke1)).expect("KE1"),
        ServerLoginParameters { context: Some(CONTEXT), identifiers: names.identifiers() },
    )
    .expect("a builder");
    let shared = DiffieHellman::<Ristretto255>::diffie_hellman(
        setup.keypair().private(),
        builder.data().to_group_type(),
    );
    let started = builder.build(shared).expect("KE2");
    (started.message.serialize().to_vec(), started.state)
}

fn registration_is_the_rfcs(names: &Names, upload: &str) {
    let mut script = Script::of(&[BLIND_REGISTRATION, HIGH, ENVELOPE_NONCE]);
    let password = bytes(PASSWORD);
    let start = ClientRegistration::<Suite>::start(&mut script, &password).expect("start");
    assert_eq!(start.message.serialize().to_vec(), bytes(REGISTRATION_REQUEST));
    let response =
        RegistrationResponse::deserialize(&bytes(REGISTRATION_RESPONSE)).expect("response");
    let parameters = ClientRegistrationFinishParameters::new(names.identifiers(), None);
    let finish = start.state.finish(&mut script, &password, response, parameters).expect("finish");
    assert_eq!(finish.message.serialize().to_vec(), bytes(upload));
    assert_eq!(finish.export_key.to_vec(), bytes(EXPORT_KEY));
    assert!(script.is_spent());
}

fn login_is_the_rfcs(names: &Names, upload: &str, ke2: &str, ke3: &str, session_key: &str) {
    let password = bytes(PASSWORD);
    let mut client = Script::of(&[BLIND_LOGIN, HIGH, CLIENT_KEYSHARE_SEED, CLIENT_NONCE]);
    let start = ClientLogin::<Suite>::start(&mut client, &password).expect("start");
    assert_eq!(start.message.serialize().to_vec(), bytes(KE1));
    assert!(client.is_spent());

    let setup = setup(SERVER_PRIVATE_KEY, FAKE_CLIENT_PRIVATE_KEY);
    let mut script =
        Script::of(&[UNUSED_MASKING_KEY, MASKING_NONCE, SERVER_KEYSHARE_SEED, SERVER_NONCE]);
    let (answered, state) = answer(&setup, OPRF_SEED, Some(upload), KE1, names, &mut script);
    assert_eq!(answered, bytes(ke2));
    assert!(script.is_spent());

    let parameters = ClientLoginFinishParameters::new(Some(CONTEXT), names.identifiers(), None);
    let message = CredentialResponse::deserialize(&bytes(ke2)).expect("KE2");
    let finish =
        start.state.finish(&mut client, &password, message, parameters).expect("the password fits");
    assert_eq!(finish.message.serialize().to_vec(), bytes(ke3));
    assert_eq!(finish.export_key.to_vec(), bytes(EXPORT_KEY));
    assert_eq!(finish.session_key.to_vec(), bytes(session_key));

    let parameters =
        ServerLoginParameters { context: Some(CONTEXT), identifiers: names.identifiers() };
    let message = CredentialFinalization::deserialize(&bytes(ke3)).expect("KE3");
    let finish = state.finish(message, parameters).expect("KE3 proves it");
    assert_eq!(finish.session_key.to_vec(), bytes(session_key));
}

#[test]
fn real_vector_1_without_identities_is_reproduced_byte_for_byte() {
    registration_is_the_rfcs(&NAMELESS, REGISTRATION_UPLOAD_1);
    login_is_the_rfcs(&NAMELESS, REGISTRATION_UPLOAD_1, KE2_1, KE3_1, SESSION_KEY_1);
}

#[test]
fn real_vector_2_with_identities_is_reproduced_byte_for_byte() {
    registration_is_the_rfcs(&NAMED, REGISTRATION_UPLOAD_2);
    login_is_the_rfcs(&NAMED, REGISTRATION_UPLOAD_2, KE2_2, KE3_2, SESSION_KEY_2);
}

#[test]
fn fake_vector_1_for_an_unknown_client_is_reproduced_byte_for_byte() {
    let setup = setup(FAKE_SERVER_PRIVATE_KEY, FAKE_CLIENT_PRIVATE_KEY);
    let mut script = Script::of(&[
        FAKE_MASKING_KEY,
        FAKE_MASKING_NONCE,
        FAKE_SERVER_KEYSHARE_SEED,
        FAKE_SERVER_NONCE,
    ]);
    let (answered, _) = answer(&setup, FAKE_OPRF_SEED, None, FAKE_KE1, &NAMED, &mut script);
    assert_eq!(answered, bytes(FAKE_KE2));
    assert!(script.is_spent());
}

#[test]
fn the_servers_registration_response_is_the_rfcs() {
    let server = Server::new(&fixed(SERVER_PRIVATE_KEY), [0; 32]).expect("a server");
    assert_eq!(server.public(), Ok(fixed(SERVER_PUBLIC_KEY)));
    let response = server.register(&material(OPRF_SEED), &fixed(REGISTRATION_REQUEST));
    assert_eq!(response, Ok(fixed(REGISTRATION_RESPONSE)));
    for upload in [REGISTRATION_UPLOAD_1, REGISTRATION_UPLOAD_2] {
        assert_eq!(Server::check_upload(&fixed(upload)), Ok(()));
    }
}

#[test]
fn the_servers_ke2_evaluates_what_the_rfcs_does() {
    let slot = Slot::of("chat", &AccountHash::of("alice").expect("account"));
    let exchange =
        Exchange { namespace: "org.test", keyset: 1, fleet: "dev", epoch: 1, slot: &slot };
    for (private, seed, upload, ke1, ke2) in [
        (SERVER_PRIVATE_KEY, OPRF_SEED, Some(REGISTRATION_UPLOAD_1), KE1, KE2_1),
        (FAKE_SERVER_PRIVATE_KEY, FAKE_OPRF_SEED, None, FAKE_KE1, FAKE_KE2),
    ] {
        assert_eq!(Server::check_ke1(&fixed(ke1)), Ok(()));
        let server = Server::new(&fixed(private), [0; 32]).expect("a server");
        let upload = upload.map(fixed);
        let login = server
            .login(&material(seed), upload.as_ref(), &fixed(ke1), [7; 32], &exchange)
            .expect("KE2");
        // The evaluated element is the one part of KE2 that no randomness enters.
        assert_eq!(login.ke2()[..32], bytes(ke2)[..32]);
    }
}

// --- RFC 9807, Appendix C.1.1 and C.1.2; the values without a number are the same in both ---

const OPRF_SEED: &str = "\
    f433d0227b0b9dd54f7c4422b600e764e47fb503f1f9a0f0a47c6606b054a7fdc65347f1a08f277e22358bba\
    be26f823fca82c7848e9a75661f4ec5d5c1989ef";
const CREDENTIAL_IDENTIFIER: &str = "31323334";
const PASSWORD: &str = "436f7272656374486f72736542617474657279537461706c65";
const ENVELOPE_NONCE: &str = "ac13171b2f17bc2c74997f0fce1e1f35bec6b91fe2e12dbd323d23ba7a38dfec";
const MASKING_NONCE: &str = "38fe59af0df2c79f57b8780278f5ae47355fe1f817119041951c80f612fdfc6d";
const SERVER_PRIVATE_KEY: &str = "47451a85372f8b3537e249d7b54188091fb18edde78094b43e2ba42b5eb89f0d";
const SERVER_PUBLIC_KEY: &str = "b2fe7af9f48cc502d016729d2fe25cdd433f2c4bc904660b2a382c9b79df1a78";
const SERVER_NONCE: &str = "71cd9960ecef2fe0d0f7494986fa3d8b2bb01963537e60efb13981e138e3d4a1";
const CLIENT_NONCE: &str = "da7e07376d6d6f034cfa9bb537d11b8c6b4238c334333d1f0aebb380cae6a6cc";
const CLIENT_KEYSHARE_SEED: &str =
    "82850a697b42a505f5b68fcdafce8c31f0af2b581f063cf1091933541936304b";
const SERVER_KEYSHARE_SEED: &str =
    "05a4f54206eef1ba2f615bc0aa285cb22f26d1153b5b40a1e85ff80da12f982f";
const BLIND_REGISTRATION: &str = "76cfbfe758db884bebb33582331ba9f159720ca8784a2a070a265d9c2d6abe01";
const BLIND_LOGIN: &str = "6ecc102d2e7a7cf49617aad7bbe188556792d4acd60a1a8a8d2b65d4b0790308";
const REGISTRATION_REQUEST: &str =
    "5059ff249eb1551b7ce4991f3336205bde44a105a032e747d21bf382e75f7a71";
const REGISTRATION_RESPONSE: &str = "\
    7408a268083e03abc7097fc05b587834539065e86fb0c7b6342fcf5e01e5b019b2fe7af9f48cc502d016729d\
    2fe25cdd433f2c4bc904660b2a382c9b79df1a78";
const KE1: &str = "\
    c4dedb0ba6ed5d965d6f250fbe554cd45cba5dfcce3ce836e4aee778aa3cd44dda7e07376d6d6f034cfa9bb5\
    37d11b8c6b4238c334333d1f0aebb380cae6a6cc6e29bee50701498605b2c085d7b241ca15ba5c32027dd21b\
    a420b94ce60da326";
const EXPORT_KEY: &str = "\
    1ef15b4fa99e8a852412450ab78713aad30d21fa6966c9b8c9fb3262a970dc62950d4dd4ed62598229b1b727\
    94fc0335199d9f7fcc6eaedde92cc04870e63f16";
const REGISTRATION_UPLOAD_1: &str = "\
    76a845464c68a5d2f7e442436bb1424953b17d3e2e289ccbaccafb57ac5c36751ac5844383c7708077dea41c\
    befe2fa15724f449e535dd7dd562e66f5ecfb95864eadddec9db5874959905117dad40a4524111849799281f\
    efe3c51fa82785c5ac13171b2f17bc2c74997f0fce1e1f35bec6b91fe2e12dbd323d23ba7a38dfec634b0f5b\
    96109c198a8027da51854c35bee90d1e1c781806d07d49b76de6a28b8d9e9b6c93b9f8b64d16dddd9c5bfb5f\
    ea48ee8fd2f75012a8b308605cdd8ba5";
const KE2_1: &str = "\
    7e308140890bcde30cbcea28b01ea1ecfbd077cff62c4def8efa075aabcbb47138fe59af0df2c79f57b87802\
    78f5ae47355fe1f817119041951c80f612fdfc6dd6ec60bcdb26dc455ddf3e718f1020490c192d70dfc7e403\
    981179d8073d1146a4f9aa1ced4e4cd984c657eb3b54ced3848326f70331953d91b02535af44d9fedc80188c\
    a46743c52786e0382f95ad85c08f6afcd1ccfbff95e2bdeb015b166c6b20b92f832cc6df01e0b86a7efd92c1\
    c804ff865781fa93f2f20b446c8371b671cd9960ecef2fe0d0f7494986fa3d8b2bb01963537e60efb13981e1\
    38e3d4a1c4f62198a9d6fa9170c42c3c71f1971b29eb1d5d0bd733e40816c91f7912cc4a660c48dae03e57aa\
    a38f3d0cffcfc21852ebc8b405d15bd6744945ba1a93438a162b6111699d98a16bb55b7bdddfe0fc5608b23d\
    a246e7bd73b47369169c5c90";
const KE3_1: &str = "\
    4455df4f810ac31a6748835888564b536e6da5d9944dfea9e34defb9575fe5e2661ef61d2ae3929bcf57e53d\
    464113d364365eb7d1a57b629707ca48da18e442";
const SESSION_KEY_1: &str = "\
    42afde6f5aca0cfa5c163763fbad55e73a41db6b41bc87b8e7b62214a8eedc6731fa3cb857d657ab9b3764b8\
    9a84e91ebcb4785166fbb02cedfcbdfda215b96f";
const REGISTRATION_UPLOAD_2: &str = "\
    76a845464c68a5d2f7e442436bb1424953b17d3e2e289ccbaccafb57ac5c36751ac5844383c7708077dea41c\
    befe2fa15724f449e535dd7dd562e66f5ecfb95864eadddec9db5874959905117dad40a4524111849799281f\
    efe3c51fa82785c5ac13171b2f17bc2c74997f0fce1e1f35bec6b91fe2e12dbd323d23ba7a38dfec1ac902dc\
    5589e9a5f0de56ad685ea8486210ef41449cd4d8712828913c5d2b680b2b3af4a26c765cff329bfb66d38ecf\
    1d6cfa9e7a73c222c6efe0d9520f7d7c";
const KE2_2: &str = "\
    7e308140890bcde30cbcea28b01ea1ecfbd077cff62c4def8efa075aabcbb47138fe59af0df2c79f57b87802\
    78f5ae47355fe1f817119041951c80f612fdfc6dd6ec60bcdb26dc455ddf3e718f1020490c192d70dfc7e403\
    981179d8073d1146a4f9aa1ced4e4cd984c657eb3b54ced3848326f70331953d91b02535af44d9fea502150b\
    67fe36795dd8914f164e49f81c7688a38928372134b7dccd50e09f8fed9518b7b2f94835b3c4fe4c8475e751\
    3f20eb97ff0568a39caee3fd6251876f71cd9960ecef2fe0d0f7494986fa3d8b2bb01963537e60efb13981e1\
    38e3d4a1c4f62198a9d6fa9170c42c3c71f1971b29eb1d5d0bd733e40816c91f7912cc4a292371e7809a9031\
    743e943fb3b56f51de903552fc91fba4e7419029951c3970b2e2f0a9dea218d22e9e4e0000855bb6421aa361\
    0d6fc0f4033a6517030d4341";
const KE3_2: &str = "\
    7a026de1d6126905736c3f6d92463a08d209833eb793e46d0f7f15b3e0f62c7643763c02bbc6b8d3d15b6325\
    0cae98171e9260f1ffa789750f534ac11a0176d5";
const SESSION_KEY_2: &str = "\
    ae7951123ab5befc27e62e63f52cf472d6236cb386c968cc47b7e34f866aa4bc7638356a73cfce92becf39d6\
    a7d32a1861f12130e824241fe6cab34fbd471a57";

// --- RFC 9807, Appendix C.2.1 ---

const FAKE_OPRF_SEED: &str = "\
    743fc168d1f826ad43738933e5adb23da6fb95f95a1b069f0daa0522d0a78b617f701fc6aa46d3e7981e70de\
    7765dfcd6b1e13e3369a582eb8dc456b10aa53b0";
const FAKE_MASKING_NONCE: &str = "9c035896a043e70f897d87180c543e7a063b83c1bb728fbd189c619e27b6e5a6";
const FAKE_CLIENT_PRIVATE_KEY: &str =
    "2b98980aa95ab53a0f39f0291903d2fdf04b00c167f0814169922df873002409";
const FAKE_SERVER_PRIVATE_KEY: &str =
    "c788585ae8b5ba2942b693b849be0c0426384e41977c18d2e81fbe30fd7c9f06";
const FAKE_SERVER_NONCE: &str = "1e10f6eeab2a7a420bf09da9b27a4639645622c46358de9cf7ae813055ae2d12";
const FAKE_SERVER_KEYSHARE_SEED: &str =
    "360b0937f47d45f6123a4d8f0d0c0814b6120d840ebb8bc5b4f6b62df07f78c2";
const FAKE_MASKING_KEY: &str = "\
    39ebd51f0e39a07a1c2d2431995b0399bca9996c5d10014d6ebab4453dc10ce5cef38ed3df6e56bfff40c2d8\
    dd4671c2b4cf63c3d54860f31fe40220d690bb71";
const FAKE_KE1: &str = "\
    b0a26dcaca2230b8f5e4b1bcab9c84b586140221bb8b2848486874b0be44890542d4e61ed3f8d64cdd3b9d15\
    3343eca15b9b0d5e388232793c6376bd2d9cfd0ab641d7f20a245a09f1d4dbb6e301661af7f352beb0791d05\
    5e48d3645232f77f";
const FAKE_KE2: &str = "\
    928f79ad8df21963e91411b9f55165ba833dea918f441db967cdc09521d229259c035896a043e70f897d8718\
    0c543e7a063b83c1bb728fbd189c619e27b6e5a632b5ab1bff96636144faa4f9f9afaac75dd88ea99cf51759\
    02ae3f3b2195693f165f11929ba510a5978e64dcdabecbd7ee1e4380ce270e58fea58e6462d92964a1aaef72\
    698bca1c673baeb04cc2bf7de5f3c2f5553464552d3a0f7698a9ca7f9c5e70c6cb1f706b2f175ab9d04bbd13\
    926e816b6811a50b4aafa9799d5ed7971e10f6eeab2a7a420bf09da9b27a4639645622c46358de9cf7ae8130\
    55ae2d1298251c5ba55f6b0b2d58d9ff0c88fe4176484be62a96db6e2a8c4d431bd1bf27fe6c1d0537603835\
    217d42ebf7b2581982732e74892fd28211b31ed33863f0beaf75ba6f59474c0aaf9d78a60a9b2f4cd24d7ab5\
    4131b3c8efa192df6b72db4c";
