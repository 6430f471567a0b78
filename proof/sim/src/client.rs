//! One simulated user: enrolls, forgets, types right and wrong passwords, never gives up.

mod past;
mod told;
mod words;

use strongroom_account::{Account, Password};
use strongroom_manifest::{Floors, Manifest, Verified};
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, DeviceKey, Outcome, OutgoingFrame, ProtocolError,
    Recovery, RecoveryFinish, Registration, RegistrationFinish, Started, Voucher, WaitReason,
    owner::{Destroy, Owner, Status},
};
use strongroom_wire::response::{Budget, Failure};

use crate::fleet::{APP, FLEET};
pub use past::{Guess, Late};
use past::{Past, guess};
use std::collections::VecDeque;
pub use told::Told;

/// What a user is in the middle of.
enum Stage {
    Idle,
    RegisterStart(Box<Registration>, OutgoingFrame),
    RegisterFinish(Box<RegistrationFinish>, OutgoingFrame),
    RecoverStart(Box<Recovery>, OutgoingFrame, bool),
    RecoverFinish(Box<RecoveryFinish>, OutgoingFrame, bool),
    Status(Box<Status>, OutgoingFrame),
    Destroy(Box<Destroy>, OutgoingFrame),
}

/// What a user learned from one answer.
#[derive(Debug)]
pub enum Learned {
    /// More to send.
    More(Voucher),
    /// A receipt: the record is stored, or will be at this time; and the generation that it destroyed.
    Stored(Voucher, u64, Option<u64>),
    /// An owner's command is carried out.
    Done(Voucher),
    /// The backup key came back, after so many failures, from the attempt of this number.
    Key(Voucher, BackupKey, usize, u64),
    /// A guess was answered. Whether it is right.
    Guessed(Voucher, bool, Guess),
    /// The attempt brought nothing.
    Nothing(Voucher, Failure),
    /// Not now.
    Wait(Voucher, WaitReason, Budget),
    /// The fleet refused it, or the answer was not the fleet's.
    Refused(ProtocolError),
    /// An answer to something that is over.
    Stale,
}

/// One user.
pub struct User {
    /// Where everything of this user goes.
    pub destination: Destination,
    /// What the user's devices hold.
    pub backup_key: BackupKey,
    /// The right password.
    pub password: Password,
    wrong: Password,
    device: DeviceKey,
    stage: Stage,
    /// Rises with every frame, so that a late answer is told from a new one.
    pub frame_number: u64,
    /// Whether a receipt was seen.
    pub stored: bool,
    /// Attempts that failed since the last success, as far as this user knows.
    pub wrong_since_success: usize,
    /// Attempts since then that the user gave up, and that may be charged.
    pub maybe_failed: usize,
    /// Recoveries begun since the last registration, and those begun before: each of the latter may
    /// be charged once more, because the same KE1 under another generation is another attempt.
    pub begun: usize,
    /// The latter.
    pub begun_before: usize,
    /// Whether a right finish was given up since: it may have arrived after all.
    pub maybe_succeeded: bool,
    /// Whether a registration was given up: it may have been stored after all.
    pub maybe_stored: bool,
    /// Whether somebody else did something to the slot.
    pub touched: bool,
    /// Frames sent without an answer.
    pub unanswered: u32,
    generation: u64,
    counter: u64,
    /// The last owner's question that was answered: its frame, and where the log has it.
    asked: Option<(u64, Box<Status>, u64)>,
    past: VecDeque<(u64, Past)>,
    /// What the last offer said.
    offered: told::Offered,
    /// What the last answer said, until somebody takes it.
    pub told: Option<Told>,
    /// Whose passwords and keys these are, in histories.
    named: u64,
    /// Whether the record was destroyed by this user's own wrong passwords.
    pub locked: bool,
    /// Recoveries that brought the key back.
    pub recoveries: u64,
}

impl User {
    /// A user who has not enrolled yet.
    ///
    /// # Panics
    /// If the world's manifest cannot serve the account: a defect of the simulator.
    pub fn new(manifest: &Verified<Manifest>, number: usize, now_ms: u64, seed: [u8; 32]) -> Self {
        let account = Account::normalise(&format!("user{number}")).expect("account");
        let floors = Floors::DANGER_DEVELOPMENT;
        let destination = Destination::new(manifest, FLEET, APP, &account, &floors, now_ms)
            .expect("destination")
            .danger_unstretched();
        let mut device = seed;
        device[0] ^= 0x55;
        let right = format!("right password {number}");
        Self::at(destination, [&right, &format!("wrong password {number}")], &device, seed)
    }

    fn at(
        destination: Destination,
        passwords: [&str; 2],
        device: &[u8; 32],
        seed: [u8; 32],
    ) -> Self {
        let [password, wrong] = passwords.map(|text| Password::prepare(text).expect("a password"));
        Self {
            destination,
            backup_key: BackupKey::from_bytes(seed),
            password,
            wrong,
            device: DeviceKey::from_seed(device),
            stage: Stage::Idle,
            frame_number: 0,
            stored: false,
            wrong_since_success: 0,
            maybe_failed: 0,
            begun: 0,
            begun_before: 0,
            maybe_succeeded: false,
            maybe_stored: false,
            touched: false,
            unanswered: 0,
            generation: 0,
            counter: 0,
            asked: None,
            past: VecDeque::new(),
            offered: told::Offered::default(),
            told: None,
            named: told::OWNER,
            locked: false,
            recoveries: 0,
        }
    }

    /// Somebody else who asks for the same slot, with wrong passwords and a device of its own.
    ///
    /// # Panics
    /// If a password cannot be prepared: a defect of the simulator.
    pub fn thief(victim: &Self, seed: [u8; 32]) -> Self {
        let passwords = ["the thief's own password", "a guess"];
        let thief = Self::at(victim.destination.clone(), passwords, &seed, seed);
        Self { touched: true, named: told::THIEF, ..thief }
    }

    /// The frame to carry now, again and again until its answer comes.
    pub fn frame(&self) -> Option<&OutgoingFrame> {
        match &self.stage {
            Stage::Idle => None,
            Stage::RegisterStart(_, frame)
            | Stage::RegisterFinish(_, frame)
            | Stage::RecoverStart(_, frame, _)
            | Stage::RecoverFinish(_, frame, _)
            | Stage::Status(_, frame)
            | Stage::Destroy(_, frame) => Some(frame),
        }
    }

    fn begin(&mut self, stage: Stage) {
        self.stage = stage;
        self.frame_number += 1;
        self.unanswered = 0;
    }

    fn owner(&mut self) -> (DeviceKey, u64, u64) {
        self.counter += 1;
        (self.device.clone(), self.generation, self.counter)
    }

    /// Asks how the slot stands.
    ///
    /// # Panics
    /// If the protocol refuses its own inputs.
    pub fn ask_status(&mut self, seed: [u8; 32]) {
        let (key, generation, counter) = self.owner();
        let owner = Owner { key: &key, generation, counter };
        let (ask, frame) = Status::ask(&self.destination, &owner, seed).expect("status");
        self.begin(Stage::Status(Box::new(ask), frame));
    }

    /// Begins to destroy the record.
    ///
    /// # Panics
    /// If the protocol refuses its own inputs.
    pub fn destroy(&mut self, seed: [u8; 32]) {
        let (key, generation, counter) = self.owner();
        let owner = Owner { key: &key, generation, counter };
        let (ask, frame) = Destroy::ask(&self.destination, &owner, seed).expect("destroy");
        self.begin(Stage::Destroy(Box::new(ask), frame));
    }

    /// Begins to enroll.
    ///
    /// # Panics
    /// If the protocol refuses its own inputs.
    pub fn enroll(&mut self, seed: [u8; 32]) {
        let (registration, frame) = Registration::start(
            &self.destination,
            &self.password,
            &self.backup_key,
            self.device.public(),
            seed,
        )
        .expect("registration");
        self.begin(Stage::RegisterStart(Box::new(registration), frame));
    }

    /// Begins to recover, with the right password or a wrong one.
    ///
    /// # Panics
    /// If the protocol refuses its own inputs.
    pub fn recover(&mut self, right: bool, seed: [u8; 32]) {
        self.begun += 1;
        let password = if right { &self.password } else { &self.wrong };
        let (recovery, frame) =
            Recovery::start(&self.destination, password, self.device.public(), false, seed)
                .expect("recovery");
        self.begin(Stage::RecoverStart(Box::new(recovery), frame, right));
    }

    /// Gives up on what is under way; what it cost stays.
    pub fn abandon(&mut self) {
        match &self.stage {
            // It may be charged at any time, when it arrives at last.
            Stage::RecoverStart(..) => self.begun_before += 1,
            Stage::RecoverFinish(_, _, right) => {
                self.maybe_failed += usize::from(*right);
                self.maybe_succeeded |= right;
            }
            Stage::RegisterFinish(..) => self.maybe_stored = true,
            _ => {}
        }
        match core::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::RecoverStart(recovery, ..) => self.remember(Past::Start(recovery)),
            Stage::RecoverFinish(finish, ..) => self.remember(Past::Finish(finish)),
            _ => {}
        }
        self.begin(Stage::Idle);
    }

    /// Takes the answer to the frame of this number.
    pub fn on_answer(&mut self, frame_number: u64, answer: &[u8]) -> Learned {
        if frame_number != self.frame_number {
            return Learned::Stale;
        }
        self.told = None;
        match core::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => Learned::Stale,
            Stage::RegisterStart(registration, _) => self.register_started(*registration, answer),
            Stage::RegisterFinish(finish, frame) => match finish.on_finished(answer) {
                Ok(registered) => {
                    self.stored = true;
                    self.generation = registered.receipt.generation;
                    let receipt = registered.receipt;
                    self.told = Some(Told::stored(&receipt, &registered.by));
                    Learned::Stored(registered.by, receipt.effective_ms, receipt.destroyed)
                }
                Err(error) => {
                    self.stage = Stage::RegisterFinish(finish, frame);
                    Learned::Refused(error)
                }
            },
            Stage::Status(ask, frame) => match ask.on_answer(answer) {
                Ok((_, by)) => {
                    self.asked = Some((frame_number, ask, by.index));
                    self.told = Some(Told::done(&by));
                    Learned::Done(by)
                }
                Err(error) => {
                    self.stage = Stage::Status(ask, frame);
                    Learned::Refused(error)
                }
            },
            Stage::Destroy(ask, frame) => match ask.on_answer(answer) {
                Ok((_, by)) => {
                    self.told = Some(Told::done(&by));
                    Learned::Done(by)
                }
                Err(error) => {
                    self.stage = Stage::Destroy(ask, frame);
                    Learned::Refused(error)
                }
            },
            Stage::RecoverStart(recovery, frame, right) => {
                self.recover_started(recovery, frame, right, answer)
            }
            Stage::RecoverFinish(finish, frame, right) => {
                self.recover_finished(finish, frame, right, answer)
            }
        }
    }

    fn register_started(&mut self, registration: Registration, answer: &[u8]) -> Learned {
        let offer = match registration.on_started(answer) {
            Ok(offer) => offer,
            Err(error) => return Learned::Refused(error),
        };
        let by = offer.by().clone();
        self.begun_before += core::mem::take(&mut self.begun);
        // A device that owns what is there says so. What is there is one generation older.
        let owned = offer.occupied() && (self.stored || self.maybe_stored);
        let generation = offer.generation().saturating_sub(1);
        self.offered = told::Offered { generation: offer.generation(), owned };
        self.told = Some(Told::offered(&offer));
        let (key, _, counter) = self.owner();
        let authorisation = if owned {
            Authorisation::Device { key: &key, generation, counter }
        } else {
            Authorisation::None
        };
        match offer.finish(&authorisation) {
            Ok((finish, frame)) => {
                self.begin(Stage::RegisterFinish(Box::new(finish), frame));
                Learned::More(by)
            }
            Err(error) => Learned::Refused(error),
        }
    }

    fn recover_started(
        &mut self,
        recovery: Box<Recovery>,
        frame: OutgoingFrame,
        right: bool,
        answer: &[u8],
    ) -> Learned {
        let learned = match recovery.on_started(answer) {
            Ok(Started::Charged(charged)) => {
                self.remember(Past::Start(recovery));
                self.told = Told::charged(&charged);
                let guess = guess(&charged);
                self.begin(Stage::RecoverFinish(Box::new(charged.next), charged.frame, right));
                return Learned::Guessed(charged.by, right, guess);
            }
            Ok(Started::Wait { reason, budget, by }) => {
                self.told = Some(Told::wait(&by));
                Learned::Wait(by, reason, budget)
            }
            Ok(Started::Failed(failed)) => {
                // Charged, and over before the device heard of it.
                let closed = failed.why == Failure::Closed;
                self.maybe_failed += usize::from(closed && !right);
                self.told = Some(Told::failed(&failed));
                Learned::Nothing(failed.by, failed.why)
            }
            Err(error) => {
                self.stage = Stage::RecoverStart(recovery, frame, right);
                return Learned::Refused(error);
            }
        };
        self.remember(Past::Start(recovery));
        learned
    }

    fn recover_finished(
        &mut self,
        finish: Box<RecoveryFinish>,
        frame: OutgoingFrame,
        right: bool,
        answer: &[u8],
    ) -> Learned {
        match finish.on_finished(answer) {
            Ok(Outcome::Recovered(recovered)) => {
                let failures = recovered.receipt.failures_ms.len();
                self.told = Some(self.got(&recovered));
                self.recoveries += 1;
                let attempt = finish.attempt();
                self.remember(Past::Finish(finish));
                Learned::Key(recovered.by, recovered.backup_key, failures, attempt)
            }
            Ok(Outcome::Failed(failed)) => {
                self.told = Some(Told::failed(&failed));
                self.remember(Past::Finish(finish));
                Learned::Nothing(failed.by, failed.why)
            }
            Err(error) => {
                self.stage = Stage::RecoverFinish(finish, frame, right);
                Learned::Refused(error)
            }
        }
    }
}
