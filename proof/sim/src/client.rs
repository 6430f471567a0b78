//! One simulated user: enrolls, forgets, types right and wrong passwords, never gives up.

use strongroom_account::{Account, Password};
use strongroom_manifest::{Floors, Manifest, Verified};
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, DeviceKey, Outcome, OutgoingFrame, ProtocolError,
    Recovery, RecoveryFinish, Registration, RegistrationFinish, Started, Voucher, WaitReason,
};
use strongroom_wire::response::Failure;

use crate::fleet::{APP, FLEET};

/// What a user is in the middle of.
enum Stage {
    Idle,
    RegisterStart(Box<Registration>, OutgoingFrame),
    RegisterFinish(Box<RegistrationFinish>, OutgoingFrame),
    RecoverStart(Box<Recovery>, OutgoingFrame, bool),
    RecoverFinish(Box<RecoveryFinish>, OutgoingFrame, bool),
}

/// What a user learned from one answer.
#[derive(Debug)]
pub enum Learned {
    /// More to send.
    More(Voucher),
    /// A receipt: the record is stored.
    Stored(Voucher),
    /// The backup key came back.
    Key(Voucher, BackupKey, usize),
    /// A guess was answered: the KE1 that it answered is a new one for this user.
    Guessed(Voucher, bool),
    /// The attempt brought nothing.
    Nothing(Voucher, Failure),
    /// Not now.
    Wait(Voucher, WaitReason, u64),
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
    /// Wrong passwords whose attempts were answered since the last success.
    pub wrong_since_success: usize,
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
        Self {
            destination,
            backup_key: BackupKey::from_bytes(seed),
            password: Password::prepare(&format!("right password {number}")).expect("password"),
            wrong: Password::prepare(&format!("wrong password {number}")).expect("password"),
            device: DeviceKey::from_seed(&device),
            stage: Stage::Idle,
            frame_number: 0,
            stored: false,
            wrong_since_success: 0,
            locked: false,
            recoveries: 0,
        }
    }

    /// The frame to carry now, again and again until its answer comes.
    pub fn frame(&self) -> Option<&OutgoingFrame> {
        match &self.stage {
            Stage::Idle => None,
            Stage::RegisterStart(_, frame)
            | Stage::RegisterFinish(_, frame)
            | Stage::RecoverStart(_, frame, _)
            | Stage::RecoverFinish(_, frame, _) => Some(frame),
        }
    }

    fn begin(&mut self, stage: Stage) {
        self.stage = stage;
        self.frame_number += 1;
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
        let password = if right { &self.password } else { &self.wrong };
        let (recovery, frame) =
            Recovery::start(&self.destination, password, self.device.public(), false, seed)
                .expect("recovery");
        self.begin(Stage::RecoverStart(Box::new(recovery), frame, right));
    }

    /// Gives up on what is under way; what it cost stays.
    pub fn abandon(&mut self) {
        self.begin(Stage::Idle);
    }

    /// Takes the answer to the frame of this number.
    pub fn on_answer(&mut self, frame_number: u64, answer: &[u8]) -> Learned {
        if frame_number != self.frame_number {
            return Learned::Stale;
        }
        match core::mem::replace(&mut self.stage, Stage::Idle) {
            Stage::Idle => Learned::Stale,
            Stage::RegisterStart(registration, _) => self.register_started(*registration, answer),
            Stage::RegisterFinish(finish, frame) => match finish.on_finished(answer) {
                Ok(registered) => {
                    self.stored = true;
                    Learned::Stored(registered.by)
                }
                Err(error) => {
                    self.stage = Stage::RegisterFinish(finish, frame);
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
        match offer.finish(&Authorisation::None) {
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
        match recovery.on_started(answer) {
            Ok(Started::Charged(charged)) => {
                self.begin(Stage::RecoverFinish(Box::new(charged.next), charged.frame, right));
                Learned::Guessed(charged.by, right)
            }
            Ok(Started::Wait { reason, budget, by }) => Learned::Wait(by, reason, budget.next_ms),
            Ok(Started::Failed(failed)) => Learned::Nothing(failed.by, failed.why),
            Err(error) => {
                self.stage = Stage::RecoverStart(recovery, frame, right);
                Learned::Refused(error)
            }
        }
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
                self.recoveries += 1;
                Learned::Key(recovered.by, recovered.backup_key, failures)
            }
            Ok(Outcome::Failed(failed)) => Learned::Nothing(failed.by, failed.why),
            Err(error) => {
                self.stage = Stage::RecoverFinish(finish, frame, right);
                Learned::Refused(error)
            }
        }
    }
}
