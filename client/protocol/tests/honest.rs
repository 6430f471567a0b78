//! What an honest fleet and an honest device do together.

mod mini_vault;

use mini_vault::{APP, FLEET, MiniVault, NOW_MS};
use strongroom_account::{Account, Password};
use strongroom_manifest::Floors;
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, DeviceKey, Failure, FreshAuthority, Outcome,
    ProtocolError, Recovery, Refusal, Registration, Started, Verdict, owner,
};

struct Scene {
    vault: MiniVault,
    destination: Destination,
    device: DeviceKey,
    seeds: u8,
}

impl Scene {
    fn new() -> Self {
        let vault = MiniVault::new();
        let account = Account::normalise("Alice@example.com").expect("account");
        let floors = Floors::DANGER_DEVELOPMENT;
        let manifest = &vault.fleet.manifest;
        let destination = Destination::new(manifest, FLEET, APP, &account, &floors, NOW_MS);
        Self {
            destination: destination.expect("destination"),
            vault,
            device: DeviceKey::from_seed(&[5; 32]),
            seeds: 0,
        }
    }

    fn seed(&mut self) -> [u8; 32] {
        self.seeds += 1;
        [self.seeds; 32]
    }

    fn register(
        &mut self,
        password: &str,
        key: u8,
        authorisation: &Authorisation<'_>,
    ) -> Result<u64, ProtocolError> {
        let seed = self.seed();
        let backup_key = BackupKey::from_bytes([key; 32]);
        let (state, frame) = Registration::start(
            &self.destination,
            &word(password),
            &backup_key,
            self.device.public(),
            seed,
        )?;
        let offer = state.on_started(&self.vault.answer(frame.bytes()))?;
        let (finish, frame) = offer.finish(authorisation)?;
        let registered = finish.on_finished(&self.vault.answer(frame.bytes()))?;
        // A lost answer: the same frame again brings the same receipt.
        let again = finish.on_finished(&self.vault.answer(frame.bytes()))?;
        assert_eq!(again.receipt, registered.receipt);
        Ok(registered.receipt.generation)
    }

    fn recover(&mut self, password: &str) -> (Verdict, Outcome) {
        let seed = self.seed();
        let device = self.device.public();
        let (state, frame) =
            Recovery::start(&self.destination, &word(password), device, false, seed)
                .expect("start");
        let Started::Charged(charged) =
            state.on_started(&self.vault.answer(frame.bytes())).expect("started")
        else {
            panic!("not charged");
        };
        let answer = self.vault.answer(charged.frame.bytes());
        let outcome = charged.next.on_finished(&answer).expect("finished");
        (charged.verdict, outcome)
    }

    fn recovered(&mut self, password: &str) -> (BackupKey, FreshAuthority) {
        match self.recover(password) {
            (Verdict::Fits, Outcome::Recovered(got)) => (got.backup_key, got.fresh),
            (verdict, outcome) => panic!("{verdict:?} {outcome:?}"),
        }
    }
}

fn word(password: &str) -> Password {
    Password::prepare(password).expect("a password")
}

#[test]
fn the_right_password_brings_the_key_back() {
    let mut scene = Scene::new();
    scene.register("correct horse", 7, &Authorisation::None).expect("registered");
    let (key, _) = scene.recovered("correct horse");
    assert_eq!(key, BackupKey::from_bytes([7; 32]));
}

#[test]
fn a_wrong_password_is_known_before_the_answer_and_still_sent() {
    let mut scene = Scene::new();
    scene.register("correct horse", 7, &Authorisation::None).expect("registered");
    let (verdict, outcome) = scene.recover("battery staple");
    assert_eq!(verdict, Verdict::Wrong);
    let Outcome::Failed(failed) = outcome else {
        panic!("recovered with a wrong password");
    };
    assert_eq!(failed.why, Failure::WrongPassword);
    assert_eq!(failed.budget.row_left, 9);
    assert_eq!(failed.by.site, "site-1");
    scene.recovered("correct horse");
}

#[test]
fn an_unknown_account_looks_the_same_until_the_signed_answer() {
    let mut scene = Scene::new();
    let (verdict, outcome) = scene.recover("anything");
    assert_eq!(verdict, Verdict::Wrong);
    assert!(matches!(outcome, Outcome::Failed(failed) if failed.why == Failure::NoRecord));
}

#[test]
fn a_lost_first_answer_costs_nothing_more() {
    let mut scene = Scene::new();
    scene.register("correct horse", 7, &Authorisation::None).expect("registered");
    let device = scene.device.public();
    let (state, frame) =
        Recovery::start(&scene.destination, &word("correct horse"), device, false, [9; 32])
            .expect("start");
    let lost = scene.vault.answer(frame.bytes());
    let again = scene.vault.answer(frame.bytes());
    assert_ne!(lost, again);
    let Ok(Started::Charged(charged)) = state.on_started(&again) else {
        panic!("not charged");
    };
    assert_eq!(charged.budget.row_left, 9);
    assert_eq!(charged.verdict, Verdict::Fits);
}

#[test]
fn one_seed_makes_one_frame() {
    let scene = Scene::new();
    let device = scene.device.public();
    let start = |seed| {
        let word = word("correct horse");
        let (_, frame) =
            Recovery::start(&scene.destination, &word, device, false, seed).expect("start");
        frame
    };
    assert_eq!(start([1; 32]), start([1; 32]));
    assert_ne!(start([1; 32]), start([2; 32]));
}

#[test]
fn every_frame_has_one_size_whatever_it_asks() {
    let mut scene = Scene::new();
    let (_, budget) = owner::AskBudget::ask(&scene.destination, [1; 32]).expect("budget");
    let (state, start) = Registration::start(
        &scene.destination,
        &word("correct horse"),
        &BackupKey::from_bytes([7; 32]),
        [0; 32],
        [2; 32],
    )
    .expect("start");
    let offer = state.on_started(&scene.vault.answer(start.bytes())).expect("offer");
    let (_, finish) = offer.finish(&Authorisation::None).expect("finish");
    for frame in [budget, start, finish] {
        assert_eq!(frame.bytes().len(), strongroom_wire::caps::REQUEST_FRAME_LEN);
    }
}

#[test]
fn a_fresh_recovery_authorises_one_registration() {
    let mut scene = Scene::new();
    scene.register("correct horse", 7, &Authorisation::None).expect("registered");
    let (_, fresh) = scene.recovered("correct horse");
    let generation = scene.register("new password", 8, &Authorisation::Fresh(&fresh));
    assert_eq!(generation, Ok(2));
    assert_eq!(scene.recovered("new password").0, BackupKey::from_bytes([8; 32]));
    let again = scene.register("third", 9, &Authorisation::Fresh(&fresh));
    assert!(matches!(again, Err(ProtocolError::Refused { why: Refusal::NotOwner, .. })));
}

#[test]
fn an_enrolled_device_changes_the_password_and_nobody_else_does() {
    let mut scene = Scene::new();
    scene.register("correct horse", 7, &Authorisation::None).expect("registered");
    let key = scene.device.clone();
    let by_device = Authorisation::Device { key: &key, generation: 1, counter: 1 };
    assert_eq!(scene.register("new password", 7, &by_device), Ok(2));
    scene.recovered("new password");

    let stranger = DeviceKey::from_seed(&[6; 32]);
    let by_stranger = Authorisation::Device { key: &stranger, generation: 2, counter: 9 };
    for authorisation in [&by_stranger, &Authorisation::None] {
        let refused = scene.register("stolen", 0, authorisation);
        let why = Refusal::NotOwner;
        assert!(matches!(refused, Err(ProtocolError::Refused { why: got, .. }) if got == why));
    }
}

#[test]
fn the_owner_asks_adds_a_device_and_destroys() {
    let mut scene = Scene::new();
    scene.register("correct horse", 7, &Authorisation::None).expect("registered");
    let to = scene.destination.clone();
    let first = scene.device.clone();
    let second = DeviceKey::from_seed(&[6; 32]);
    let owner = |key, counter| owner::Owner { key, generation: 1, counter };

    let (ask, frame) =
        owner::EnrollDevice::ask(&to, &owner(&first, 1), second.public(), [1; 32]).expect("ask");
    let (devices, _) = ask.on_answer(&scene.vault.answer(frame.bytes())).expect("enrolled");
    assert_eq!(devices, 2);

    let (ask, frame) = owner::Status::ask(&to, &owner(&second, 1), [2; 32]).expect("ask");
    let (status, by) = ask.on_answer(&scene.vault.answer(frame.bytes())).expect("status");
    assert_eq!((status.generation, status.devices, by.node), (1, 2, 1));
    // The same command again is a replay.
    let replayed = ask.on_answer(&scene.vault.answer(frame.bytes()));
    let why = Refusal::Replayed;
    assert!(matches!(replayed, Err(ProtocolError::Refused { why: got, .. }) if got == why));

    let (ask, frame) = owner::Destroy::ask(&to, &owner(&first, 2), [3; 32]).expect("ask");
    let (generation, _) = ask.on_answer(&scene.vault.answer(frame.bytes())).expect("destroyed");
    assert_eq!(generation, 1);
    let (_, outcome) = scene.recover("correct horse");
    assert!(matches!(outcome, Outcome::Failed(failed) if failed.why == Failure::NoRecord));

    let (ask, frame) = owner::AskBudget::ask(&to, [4; 32]).expect("ask");
    let (budget, _) = ask.on_answer(&scene.vault.answer(frame.bytes())).expect("budget");
    assert_eq!(budget.row_left, 10);
}
