//! One registration and one recovery between the client that ships and the vault's OPAQUE.

use crate::{
    stretch::{self, Seeded, Suite},
    vault,
    vector::{Case, File},
    world::{ACCOUNT, APP, DEVICE, FLEET, KEYSET, NOW_MS, World, public},
};
use opaque_ke::{
    ClientLogin, ClientLoginFinishParameters, ClientLoginFinishResult, CredentialResponse,
    Identifiers,
};
use strongroom_account::Password;
use strongroom_manifest::Floors;
use strongroom_opaque::{Server, SessionKey};
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, Outcome as Ended, Recovery, Registration, Started,
};
use strongroom_wire::{
    Fixed, binding,
    request::{Body, Registration as Stored, Request},
    response::{Budget, Outcome, Receipt, RecoveryReceipt},
};

pub(crate) const PASSWORD: &str = "correct horse";
pub(crate) const BACKUP_KEY: [u8; 32] = [0x77; 32];
pub(crate) const SALT: [u8; 32] = [0x71; 32];
pub(crate) const ENTRY: [u8; 32] = [0x72; 32];
pub(crate) const GENERATION: u64 = 1;
pub(crate) const ATTEMPT: u64 = 1;
pub(crate) const LOGIN_SEED: [u8; 32] = [0x75; 32];
const REGISTER_SEED: [u8; 32] = [0x73; 32];
const RECOVER_SEED: [u8; 32] = [0x74; 32];
const NONCE: [u8; 32] = [0x76; 32];

pub(crate) const FULL: Budget = Budget { row_left: 10, year_left: 40, next_ms: 0 };
pub(crate) const CHARGED: Budget = Budget { row_left: 9, year_left: 39, next_ms: 0 };

/// Everything that crossed, and what both ends derived.
pub(crate) struct Exchanged {
    pub(crate) requests: Vec<(&'static str, Request, Vec<u8>)>,
    pub(crate) stored: Stored,
    pub(crate) ke1: [u8; 96],
    pub(crate) fresh_key: [u8; 32],
    register_response: [u8; 64],
    request: [u8; 32],
    ke2: [u8; 320],
    ke3: [u8; 64],
    released: [u8; 64],
    client: ClientLoginFinishResult<Suite>,
    frames: Vec<(&'static str, Vec<u8>)>,
}

pub(crate) fn destination(world: &World) -> Destination {
    let (manifest, floors) = (world.verified(), Floors::DANGER_DEVELOPMENT);
    Destination::new(&manifest, FLEET, APP, &world.account, &floors, NOW_MS).expect("destination")
}

impl Exchanged {
    pub(crate) fn run(world: &World) -> Self {
        let to = destination(world);
        let password = Password::prepare(PASSWORD).expect("password");
        let server = vault::server(world);
        let identifier = vault::identifier(world, GENERATION, &SALT);
        let material = vault::material(&world.oprf_seed, &identifier);
        let mut requests = Vec::new();
        let mut frames = Vec::new();

        // --- registration ---
        let backup_key = BackupKey::from_bytes(BACKUP_KEY);
        let (registration, frame) =
            Registration::start(&to, &password, &backup_key, public(DEVICE), REGISTER_SEED)
                .expect("start");
        let opened = vault::open(world, frame.bytes());
        let Body::RegisterStart { request } = opened.request.body else {
            panic!("register-start");
        };
        let response = server.register(&material, &request.0).expect("evaluate");
        let outcome = Outcome::RegisterStarted {
            entry: Fixed(ENTRY),
            generation: GENERATION,
            keyset: KEYSET,
            response: Fixed(response),
            expires_ms: NOW_MS + 600_000,
            occupied: false,
        };
        let answer = opened.answer(world, 7, outcome, NONCE);
        frames.push(("register_start_frame", frame.bytes().to_vec()));
        frames.push(("register_start_answer", answer.clone()));
        requests.push(("register-start", opened.request.clone(), opened.plaintext.clone()));
        let offer = registration.on_started(&answer).expect("an offer");
        let (finish, frame) = offer.finish(&Authorisation::None).expect("finish");
        let opened = vault::open(world, frame.bytes());
        let Body::RegisterFinish { registration, .. } = opened.request.body.clone() else {
            panic!("register-finish");
        };
        let outcome = Outcome::Registered {
            receipt: Receipt {
                generation: GENERATION,
                destroyed: None,
                registration: Fixed(registration.digest()),
                effective_ms: 0,
                budget: FULL,
            },
        };
        let answer = opened.answer(world, 8, outcome, NONCE);
        frames.push(("register_finish_frame", frame.bytes().to_vec()));
        frames.push(("register_finish_answer", answer.clone()));
        finish.on_finished(&answer).expect("a receipt");
        requests.push(("register-finish, no authority", opened.request, opened.plaintext));

        // --- recovery ---
        let (recovery, frame) =
            Recovery::start(&to, &password, public(DEVICE), true, RECOVER_SEED).expect("start");
        let opened = vault::open(world, frame.bytes());
        let Body::RecoverStart { ke1 } = opened.request.body else {
            panic!("recover-start");
        };
        let login = || {
            let exchange = vault::exchange(world);
            let upload = Some(&registration.upload.0);
            server.login(&material, upload, &ke1.0, LOGIN_SEED, &exchange)
        };
        let ke2 = *login().expect("KE2").ke2();
        let outcome = Outcome::RecoverStarted {
            attempt: ATTEMPT,
            generation: GENERATION,
            keyset: KEYSET,
            ksf_version: registration.ksf_version,
            ke2: Fixed(ke2),
            expires_ms: NOW_MS + 600_000,
            budget: CHARGED,
        };
        let answer = opened.answer(world, 9, outcome, NONCE);
        frames.push(("recover_start_frame", frame.bytes().to_vec()));
        frames.push(("recover_start_answer", answer.clone()));
        requests.push(("recover-start", opened.request, opened.plaintext));
        let Ok(Started::Charged(charged)) = recovery.on_started(&answer) else {
            panic!("charged");
        };
        let opened = vault::open(world, charged.frame.bytes());
        let Body::RecoverFinish { ke3, .. } = opened.request.body else {
            panic!("recover-finish");
        };
        let session: SessionKey = login().expect("KE2").finish(&ke3.0).expect("KE3 proves it");
        let released = session
            .release(&world.slot, GENERATION, ATTEMPT, &registration.wrapped_key.0)
            .expect("released");
        let outcome = Outcome::Recovered {
            released_key: Fixed(released),
            receipt: RecoveryReceipt {
                generation: GENERATION,
                failures_ms: Vec::new(),
                failures_year: 0,
                budget: FULL,
            },
        };
        let answer = opened.answer(world, 10, outcome, NONCE);
        frames.push(("recover_finish_frame", charged.frame.bytes().to_vec()));
        frames.push(("recover_finish_answer", answer.clone()));
        requests.push(("recover-finish", opened.request, opened.plaintext));
        let Ok(Ended::Recovered(recovered)) = charged.next.on_finished(&answer) else {
            panic!("recovered");
        };
        assert_eq!(recovered.backup_key.as_bytes(), &BACKUP_KEY);

        let client = second_client(world, &ke1.0, &ke2);
        assert_eq!(client.message.serialize().as_slice(), ke3.0);
        Server::check_upload(&registration.upload.0).expect("an upload");
        Self {
            requests,
            ke1: ke1.0,
            fresh_key: session.fresh_key(),
            register_response: response,
            request: request.0,
            ke2,
            ke3: ke3.0,
            released,
            client,
            frames,
            stored: registration,
        }
    }
}

/// The same login by a client of this crate, which shows the keys that the product's keeps.
fn second_client(world: &World, ke1: &[u8; 96], ke2: &[u8; 320]) -> ClientLoginFinishResult<Suite> {
    let mut entropy = Seeded::new(RECOVER_SEED);
    let start = ClientLogin::<Suite>::start(&mut entropy, PASSWORD.as_bytes()).expect("start");
    assert_eq!(start.message.serialize().as_slice(), ke1);
    let client = binding::client_identity(&world.slot);
    let server = binding::server_identity(&world.manifest.namespace, KEYSET);
    let context = binding::context(FLEET, world.manifest.epoch);
    let identifiers = Identifiers { client: Some(&client), server: Some(&server) };
    let parameters = ClientLoginFinishParameters::new(Some(&context), identifiers, None);
    let message = CredentialResponse::deserialize(ke2).expect("KE2");
    let finish = start.state.finish(&mut entropy, PASSWORD.as_bytes(), message, parameters);
    finish.expect("the password fits")
}

/// The values that a client draws from its seed, in order.
fn drawn(seed: [u8; 32]) -> ([u8; 64], [u8; 32], [u8; 32]) {
    let mut entropy = Seeded::new(seed);
    (entropy.draw(), entropy.draw(), entropy.draw())
}

pub(crate) fn file(world: &World, ran: &Exchanged) -> File {
    let identifier = vault::identifier(world, GENERATION, &SALT);
    let place = (&world.slot, GENERATION);
    let (registration_blind, ..) = drawn(REGISTER_SEED);
    let (login_blind, keyshare_seed, client_nonce) = drawn(RECOVER_SEED);
    let mut stretched = [0; 64];
    stretch::stretch(&[7; 64], &mut stretched).expect("stretch");
    let bound = Case::named("what the exchange is bound to")
        .text("account", ACCOUNT)
        .text("app", APP)
        .hex("slot", world.slot.as_bytes())
        .hex("client_identity", binding::client_identity(&world.slot))
        .hex("server_identity", binding::server_identity(&world.manifest.namespace, KEYSET))
        .hex("context", binding::context(FLEET, world.manifest.epoch))
        .number("generation", GENERATION)
        .hex("salt", SALT)
        .hex("credential_identifier", identifier)
        .hex("oprf_seed", world.oprf_seed)
        .hex("record_key_material", vault::material(&world.oprf_seed, &identifier))
        .hex("server_private", world.server_private)
        .hex("server_public", vault::server(world).public().expect("public"));
    let registration = Case::named("registration")
        .text("password", PASSWORD)
        .hex("seed", REGISTER_SEED)
        .hex("blind_wide", registration_blind)
        .hex("registration_request", ran.request)
        .hex("registration_response", ran.register_response)
        .hex("registration_upload", ran.stored.upload.0);
    let recovery = Case::named("recovery")
        .text("password", PASSWORD)
        .hex("seed", RECOVER_SEED)
        .hex("blind_wide", login_blind)
        .hex("client_keyshare_seed", keyshare_seed)
        .hex("client_nonce", client_nonce)
        .hex("ke1", ran.ke1)
        .hex("committed_seed", LOGIN_SEED)
        .hex("ke2", ran.ke2)
        .hex("ke3", ran.ke3)
        .hex("session_key", ran.client.session_key)
        .hex("export_key", ran.client.export_key);
    let keys = Case::named("wrapped and released key")
        .hex("backup_key", BACKUP_KEY)
        .hex("export_key", ran.client.export_key)
        .hex("wrap_info", binding::WRAP_INFO)
        .hex("wrap_aad", binding::wrap_aad(place.0, place.1, KEYSET, ran.stored.ksf_version))
        .hex("wrapped_key", ran.stored.wrapped_key.0)
        .hex("session_key", ran.client.session_key)
        .hex("release_info", binding::RELEASE_INFO)
        .number("attempt", ATTEMPT)
        .hex("release_aad", binding::release_aad(place.0, place.1, ATTEMPT))
        .hex("released_key", ran.released)
        .hex("fresh_info", binding::FRESH_INFO)
        .hex("fresh_key", ran.fresh_key);
    let stretching =
        Case::named("key stretching, version 1").hex("input", [7; 64]).hex("output", stretched);
    let frames = ran
        .frames
        .iter()
        .fold(Case::named("frames on the wire"), |case, (name, bytes)| case.hex(name, bytes));
    let mut identity = ran.ke1;
    identity[..32].fill(0);
    let mut masked = ran.stored.upload.0;
    masked[..32].fill(0xff);
    File::new(
        "opaque.json",
        "06-opaque.md",
        "OPAQUE (RFC 9807, ristretto255-SHA512, 3DH) of one registration and one recovery, the keys \
         derived from it, and every frame. `blind_wide` is reduced modulo the group's order.",
    )
    .case(bound)
    .case(registration)
    .case(recovery)
    .case(keys)
    .case(stretching)
    .case(frames)
    .refused(
        "KE1 whose blinded element is the identity",
        "KE1",
        &identity,
        refusal(Server::check_ke1(&identity)),
    )
    .refused(
        "an upload whose client key is no canonical element",
        "registration upload",
        &masked,
        refusal(Server::check_upload(&masked)),
    )
}

fn refusal(checked: Result<(), strongroom_opaque::OpaqueError>) -> String {
    format!("{:?}", checked.expect_err("refused"))
}
