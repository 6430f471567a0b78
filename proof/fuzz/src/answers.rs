//! What a fleet whose node keys are listed may sign, at the device: any outcome, well formed or not.

use crate::pieces::split;
use ed25519_dalek::{Signer as _, SigningKey};
use std::sync::OnceLock;
use strongroom_account::{Account, Password};
use strongroom_manifest::{Floors, Manifest, Verified};
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, Outcome as Recovered, OutgoingFrame, Recovery,
    Registration, Started,
};
use strongroom_session::{FleetSecret, Scope};
use strongroom_sim::{
    Plan,
    fleet::{APP, Ceremony, FLEET},
    hardware::EPOCH_MS,
    plan::Dice,
};
use strongroom_wire::{
    Fixed,
    codec::{self, Blob},
    digest::sha256,
    response::{Outcome, Response, SignedResponse, statement},
};

struct Stage {
    manifest: Verified<Manifest>,
    identity: SigningKey,
    hpke_seed: [u8; 32],
    destination: Destination,
    password: Password,
}

/// The fleet and the device: made once, since they never change.
fn stage() -> &'static Stage {
    static STAGE: OnceLock<Stage> = OnceLock::new();
    STAGE.get_or_init(|| {
        let ceremony = Ceremony::new(&mut Dice::new(1, 1).0, &Plan::calm(1, 1));
        let account = Account::normalise("alice").expect("an account");
        let floors = Floors::DANGER_DEVELOPMENT;
        let destination =
            Destination::new(&ceremony.manifest, FLEET, APP, &account, &floors, EPOCH_MS)
                .expect("a destination")
                .danger_unstretched();
        Stage {
            identity: SigningKey::from_bytes(&ceremony.nodes[0].identity),
            hpke_seed: ceremony.secrets.hpke_seed,
            manifest: ceremony.manifest,
            destination,
            password: Password::prepare("correct horse").expect("a password"),
        }
    })
}

/// Signs and seals an outcome, whatever it is, as node 1 would.
fn answer(frame: &OutgoingFrame, outcome: Outcome) -> Vec<u8> {
    let stage = stage();
    let digest = stage.manifest.digest();
    let secret = FleetSecret::from_seed(stage.hpke_seed);
    let scope = Scope { manifest_digest: digest, fleet: FLEET };
    let (_, sealer) = secret.open_request(&scope, frame.bytes()).expect("the device's own frame");
    let response = Response {
        version: 1,
        node: 1,
        incarnation: (1 << 56) | 5,
        index: 9,
        term: 2,
        now_ms: EPOCH_MS,
        outcome,
    };
    let encoded = codec::encode(&response);
    let signed = statement(digest, FLEET, &sha256(frame.bytes()), &response, &encoded);
    let signature = Fixed(stage.identity.sign(&signed).to_bytes());
    let plaintext =
        SignedResponse { response: Blob(encoded), signature }.to_plaintext().unwrap_or_default();
    sealer.seal(&plaintext, [4; 32]).unwrap_or_default()
}

/// Outcomes, one a piece: the first answers a first frame, the second what the device sends next.
pub(crate) fn answers(bytes: &[u8]) -> bool {
    let pieces = split(bytes);
    let outcome = |at: usize| {
        let piece = pieces.get(at)?;
        codec::decode::<Outcome>(piece, 4_096).ok()
    };
    let Some(first) = outcome(0) else { return false };
    recovers(first.clone(), outcome(1));
    registers(first, outcome(1));
    true
}

fn recovers(first: Outcome, second: Option<Outcome>) {
    let stage = stage();
    let (recovery, frame) =
        Recovery::start(&stage.destination, &stage.password, [8; 32], false, [2; 32])
            .expect("begins");
    let Ok(Started::Charged(charged)) = recovery.on_started(&answer(&frame, first)) else {
        return;
    };
    // The next frame is one of the one size, whatever the answer was.
    assert_eq!(charged.frame.bytes().len(), frame.bytes().len(), "INV-3: a frame of another size");
    let Some(second) = second else { return };
    let finished = charged.next.on_finished(&answer(&charged.frame, second));
    // Nobody who lacks the record can make the device take a key for its own.
    assert!(!matches!(finished, Ok(Recovered::Recovered(_))), "a made-up key was believed");
}

fn registers(first: Outcome, second: Option<Outcome>) {
    let stage = stage();
    let backup_key = BackupKey::from_bytes([7; 32]);
    let (registration, frame) =
        Registration::start(&stage.destination, &stage.password, &backup_key, [8; 32], [3; 32])
            .expect("begins");
    let Ok(offer) = registration.on_started(&answer(&frame, first)) else {
        return;
    };
    let Ok((finish, next)) = offer.finish(&Authorisation::None) else { return };
    assert_eq!(next.bytes().len(), frame.bytes().len(), "INV-3: a frame of another size");
    let Some(second) = second else { return };
    let _ = finish.on_finished(&answer(&next, second));
}
