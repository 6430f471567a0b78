//! Clients that pin no manifest: they believe a bundle, and go on looking.

mod stage;
#[path = "../../../audit/verify/tests/world/mod.rs"]
mod world;

use stage::Stage;
use std::{
    fs,
    sync::atomic::Ordering::SeqCst,
    time::{SystemTime, UNIX_EPOCH},
};
use strongroom_manifest::Manifest;
use strongroom_verify::TrustFile;
use world::{Making, World, signed};

/// None of the seeds that the played fleet's nodes have.
const CUSTODIANS: [u8; 3] = [21, 22, 23];
const PW: &str = "PW:correct horse";
const COST: &str = "\n  cost: none; no password message was sent\n";

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("fits")
}

/// A played fleet whose manifests are logged.
struct Logged {
    stage: Stage,
    world: World,
}

impl Logged {
    /// One epoch, which fleet and gateway have, and a phone named `home`.
    fn new() -> Self {
        let mut logged = Self { stage: Stage::new_without_phone(), world: World::default() };
        logged.publish(1);
        logged.adopt(1);
        *logged.stage.gateway.bundle.lock().expect("bundle") = Some(logged.fresh(1));
        logged.phone("home");
        logged
    }

    fn phone(&self, name: &str) {
        let custodians = world::custodians(&CUSTODIANS);
        let trust = TrustFile { custodians, ..world::trust_file() };
        let trust = serde_json::to_vec(&trust).expect("json");
        self.stage.believing_phone(name, &trust);
    }

    fn manifest(&self, epoch: u64) -> Manifest {
        let vault = self.stage.gateway.vault.lock().expect("vault");
        let mut manifest = (*vault.fleet.manifest).clone();
        manifest.namespace = world::NAMESPACE.to_owned();
        manifest.custodians = world::custodians(&CUSTODIANS);
        manifest.epoch = epoch;
        manifest
    }

    fn publish(&mut self, epoch: u64) {
        let manifest = self.manifest(epoch);
        self.world.publish(&signed(&manifest, &CUSTODIANS[..2]));
    }

    /// The fleet goes on under this epoch's manifest.
    fn adopt(&self, epoch: usize) {
        self.stage.gateway.adopt(self.world.leaves[epoch - 1].manifest.clone());
    }

    fn making(&self, cosigned_ms: u64) -> Making {
        let fresh = Some(cosigned_ms);
        Making { cosigned_ms: [None, None, fresh, fresh], ..self.world.honest() }
    }

    /// The bundle of an epoch under today's checkpoint.
    fn fresh(&self, epoch: usize) -> Vec<u8> {
        self.world.bundle(epoch, &self.making(now_ms() - 1_000)).to_bytes()
    }

    fn serve(&self, bundle: Vec<u8>) {
        *self.stage.gateway.bundle.lock().expect("bundle") = Some(bundle);
    }

    /// Refused before anything that has to do with a password is sent.
    #[track_caller]
    fn is_refused(&self, step: &str) {
        self.stage.gateway.fates(&[]);
        let ran = self.stage.run(&["recover", PW]);
        assert_eq!(ran.code, 15, "{ran:?}");
        assert!(ran.err.contains(&format!("(step `{step}`){COST}")), "{ran:?}");
        assert_eq!(self.stage.gateway.verbs(), ["bundle"]);
    }
}

#[test]
fn a_phone_that_pins_no_manifest_enrols_and_another_recovers() {
    let logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    logged.phone("new");
    logged.stage.gateway.fates(&[]);
    logged.stage.run_on("new", &["recover", PW]).succeeds();
    // Before anything, and again once the password was typed.
    let verbs = logged.stage.gateway.verbs();
    assert_eq!(verbs, ["bundle", "budget", "bundle", "recover-start", "recover-finish"]);
    let head = fs::read(logged.stage.path("new").join("head.json")).expect("head");
    let head: serde_json::Value = serde_json::from_slice(&head).expect("json");
    assert_eq!((&head["epoch"], &head["size"]), (&1.into(), &1.into()));
}

#[test]
fn an_old_client_moves_on_with_the_fleet() {
    let mut logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    logged.publish(2);
    logged.adopt(2);
    logged.serve(logged.fresh(2));
    logged.stage.run(&["recover", PW]).succeeds();
    // What a phone has seen it does not forget, and what is not the latest is refused by any phone.
    logged.serve(logged.world.bundle(1, &Making { size: 1, ..logged.making(now_ms()) }).to_bytes());
    logged.is_refused("rollback");
    logged.serve(logged.fresh(1));
    logged.is_refused("tip");
}

#[test]
fn a_forged_bundle_costs_nothing() {
    let mut logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    let honest = logged.fresh(1);
    let now = now_ms();
    let made = |making: Making| logged.world.bundle(1, &making).to_bytes();
    let forged = [
        (made(Making { auditor: 99, ..logged.making(now) }), "auditor"),
        (made(Making { operator: 99, ..logged.making(now) }), "countersignature"),
        (logged.world.bundle(1, &logged.making(now - 4 * world::DAY_MS)).to_bytes(), "witnesses"),
        (honest[..honest.len() - 1].to_vec(), "size"),
        ([&honest[..], b"{}"].concat(), "size"),
        (vec![b' '; 1 << 20], "size"),
    ];
    for (bundle, step) in forged {
        logged.serve(bundle);
        logged.is_refused(step);
    }
    logged.serve(honest);
    logged.stage.run(&["recover", PW]).succeeds();
    // The fleet it was enrolled at, retired: its bundle is still good, but not the latest.
    logged.publish(2);
    let size = logged.world.leaves.len();
    logged.serve(logged.world.bundle(1, &Making { size, ..logged.making(now_ms()) }).to_bytes());
    logged.is_refused("tip");
}

#[test]
fn another_history_than_the_one_seen_is_refused() {
    let mut logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    // The same epoch with another digest, under the same keys: an auditor and its witnesses collude.
    let mut manifest = logged.manifest(1);
    manifest.not_before_ms += 1;
    logged.world = World::default();
    logged.world.publish(&signed(&manifest, &CUSTODIANS[..2]));
    logged.serve(logged.fresh(1));
    logged.is_refused("rollback");
    // Who damages the file does not make the phone forget.
    fs::write(logged.stage.path("home").join("head.json"), b"{}").expect("write");
    let ran = logged.stage.run(&["recover", PW]);
    assert!(ran.code == 1 && ran.err.contains("head.json") && ran.err.contains(COST), "{ran:?}");
}

#[test]
fn a_bundle_that_turns_bad_meanwhile_ends_the_exchange() {
    let logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    *logged.stage.gateway.next_bundle.lock().expect("next") = Some(b"{}".to_vec());
    logged.stage.gateway.fates(&[]);
    let ran = logged.stage.run(&["recover", PW]);
    assert_eq!(ran.code, 15, "{ran:?}");
    assert!(ran.err.contains("cost: none"), "{ran:?}");
    assert_eq!(logged.stage.gateway.verbs(), ["bundle", "budget", "bundle"]);
}

#[test]
fn an_attempt_that_was_answered_is_never_called_free() {
    let logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    // The vault charges, the answer names a bundle that nobody gets, and the gateway says that all of it
    // cost nothing.
    *logged.stage.gateway.estranged_at.lock().expect("verb") = Some("recover-start");
    logged.stage.gateway.fates(&[]);
    let ran = logged.stage.run(&["recover", PW]);
    assert_eq!(ran.code, 11, "{ran:?}");
    assert!(ran.err.contains("cost: unknown; the request was sent"), "{ran:?}");
    let verbs = logged.stage.gateway.verbs();
    assert_eq!(verbs, ["bundle", "budget", "bundle", "recover-start", "bundle"]);
}

#[test]
fn a_device_that_cannot_keep_what_it_sees_accuses_nobody() {
    let mut logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    let fresh = logged.fresh(1);
    logged.serve(fresh);
    logged.publish(2);
    // The bundle of epoch 2 comes with the first answer, and its head finds no place.
    *logged.stage.gateway.next_bundle.lock().expect("next") = Some(logged.fresh(2));
    let head = logged.stage.path("home").join("head.json");
    let deed = Box::new(move || {
        fs::remove_file(&head).expect("removed");
        fs::create_dir(&head).expect("a folder in its place");
    });
    *logged.stage.gateway.meanwhile.lock().expect("meanwhile") = Some(deed);
    logged.stage.gateway.fates(&[]);
    let ran = logged.stage.run(&["recover", PW]);
    assert!(ran.code == 1 && ran.err.contains("head.json"), "{ran:?}");
    assert!(!ran.err.contains("report this"), "{ran:?}");
    assert_eq!(logged.stage.gateway.verbs(), ["bundle", "budget", "bundle"]);
}

#[test]
fn an_answer_that_names_no_bundle_is_not_used() {
    let logged = Logged::new();
    logged.stage.gateway.is_silent.store(true, SeqCst);
    let ran = logged.stage.run(&["enroll", PW]);
    assert_eq!(ran.code, 15, "{ran:?}");
    assert!(ran.err.contains("names no validation bundle"), "{ran:?}");
}

#[test]
fn a_manifest_that_changes_during_an_exchange_is_met_once_more() {
    let mut logged = Logged::new();
    logged.stage.run(&["enroll", PW]).succeeds();
    logged.serve(logged.fresh(1));
    logged.publish(2);
    *logged.stage.gateway.next_bundle.lock().expect("next") = Some(logged.fresh(2));
    // The budget is asked for under epoch 1 and answered beside epoch 2: nothing was charged, and the
    // command begins anew. The played fleet moves on in time.
    logged.stage.gateway.fates(&[]);
    logged
        .stage
        .gateway
        .adopts
        .lock()
        .expect("adopts")
        .replace(logged.world.leaves[1].manifest.clone());
    let ran = logged.stage.run(&["recover", PW]).succeeds();
    assert!(
        ran.err.contains("newer manifest than this request was sealed to; once more"),
        "{ran:?}"
    );
    let verbs = logged.stage.gateway.verbs();
    let again = ["bundle", "budget", "bundle", "recover-start", "recover-finish"];
    assert_eq!(verbs, [&["bundle", "budget", "bundle"][..], &again[..]].concat());
}

#[test]
fn a_profile_pins_one_thing() {
    let logged = Logged::new();
    let path = logged.stage.path("home").join("profile.toml");
    let text = fs::read_to_string(&path).expect("profile");
    fs::write(&path, format!("{text}manifest = \"m.json\"\n")).expect("write");
    let error =
        "error: profile.toml: expected either trust, or manifest and manifest_sha256\n  cost: none";
    logged.stage.run(&["recover", PW]).fails(2, error);
}
