//! One person against a calm fleet, step by step.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use strongroom_account::{Account, Password};
use strongroom_manifest::Floors;
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, DeviceKey, Outcome, Recovery, Registered, Registration,
    Started, Verdict,
    owner::{AskBudget, Destroy, Owner, Status},
};
use strongroom_sim::{World, fleet};
use strongroom_wire::{
    Slot,
    response::{Budget, SlotStatus},
};

pub struct Person {
    pub to: Destination,
    pub device: DeviceKey,
    pub backup_key: BackupKey,
    seed: u8,
}

pub fn password(text: &str) -> Password {
    Password::prepare(text).expect("password")
}

impl Person {
    pub fn new(world: &World, name: &str, seed: u8) -> Self {
        let account = Account::normalise(name).expect("account");
        let floors = Floors::DANGER_DEVELOPMENT;
        let now = strongroom_sim::hardware::EPOCH_MS;
        let manifest = &world.ceremony().manifest;
        let to = Destination::new(manifest, fleet::FLEET, fleet::APP, &account, &floors, now)
            .expect("destination")
            .danger_unstretched();
        Self {
            to,
            device: DeviceKey::from_seed(&[seed; 32]),
            backup_key: BackupKey::from_bytes([seed ^ 0xff; 32]),
            seed,
        }
    }

    pub fn slot(&self) -> Slot {
        *self.to.slot()
    }

    pub fn next(&mut self) -> [u8; 32] {
        self.seed = self.seed.wrapping_add(13);
        [self.seed; 32]
    }

    pub fn enroll(&mut self, world: &mut World, word: &str) -> Registered {
        self.enroll_as(world, word, &Authorisation::None)
    }

    pub fn enroll_as(
        &mut self,
        world: &mut World,
        word: &str,
        by: &Authorisation<'_>,
    ) -> Registered {
        let (seed, slot) = (self.next(), self.slot());
        let device = self.device.public();
        let (start, frame) =
            Registration::start(&self.to, &password(word), &self.backup_key, device, seed)
                .expect("start");
        let offer = start.on_started(&world.carry_to_leader(&slot, &frame)).expect("offer");
        let (finish, frame) = offer.finish(by).expect("finish");
        finish.on_finished(&world.carry_to_leader(&slot, &frame)).expect("receipt")
    }

    /// One attempt from start to finish, or the wait that it was told.
    pub fn recover(&mut self, world: &mut World, word: &str) -> Result<Outcome, Budget> {
        let (seed, slot) = (self.next(), self.slot());
        let device = self.device.public();
        let (recovery, frame) =
            Recovery::start(&self.to, &password(word), device, false, seed).expect("start");
        match recovery.on_started(&world.carry_to_leader(&slot, &frame)).expect("started") {
            Started::Charged(charged) => {
                assert!(!matches!(charged.verdict, Verdict::Refused(_)));
                let answer = world.carry_to_leader(&slot, &charged.frame);
                Ok(charged.next.on_finished(&answer).expect("finished"))
            }
            Started::Wait { budget, .. } => Err(budget),
            Started::Failed(failed) => Ok(Outcome::Failed(failed)),
        }
    }

    pub fn budget(&mut self, world: &mut World) -> Budget {
        let (seed, slot) = (self.next(), self.slot());
        let (ask, frame) = AskBudget::ask(&self.to, seed).expect("ask");
        ask.on_answer(&world.carry_to_leader(&slot, &frame)).expect("budget").0
    }

    pub fn status(&mut self, world: &mut World, generation: u64, counter: u64) -> SlotStatus {
        let (seed, slot) = (self.next(), self.slot());
        let owner = Owner { key: &self.device, generation, counter };
        let (ask, frame) = Status::ask(&self.to, &owner, seed).expect("ask");
        ask.on_answer(&world.carry_to_leader(&slot, &frame)).expect("status").0
    }

    pub fn destroy(&mut self, world: &mut World, generation: u64, counter: u64) -> u64 {
        let (seed, slot) = (self.next(), self.slot());
        let owner = Owner { key: &self.device, generation, counter };
        let (ask, frame) = Destroy::ask(&self.to, &owner, seed).expect("ask");
        ask.on_answer(&world.carry_to_leader(&slot, &frame)).expect("destroyed").0
    }

    /// Fails so often, however long it takes.
    pub fn spend(&mut self, world: &mut World, times: usize) {
        let mut failed = 0;
        while failed < times {
            match self.recover(world, "wrong") {
                Ok(_) => failed += 1,
                Err(budget) => {
                    let now = strongroom_sim::hardware::EPOCH_MS + world.now_ms();
                    world.pass(budget.next_ms.saturating_sub(now) + 50);
                }
            }
        }
        // Until the next attempt is taken.
        let now = strongroom_sim::hardware::EPOCH_MS + world.now_ms();
        let next = self.budget(world).next_ms;
        world.pass(next.saturating_sub(now) + 50);
    }

    /// Wrong passwords until the record is gone.
    pub fn lock_out(&mut self, world: &mut World) {
        for n in 0..40 {
            match self.recover(world, &format!("wrong {n}")) {
                Ok(Outcome::Failed(failed)) if failed.destroyed.is_some() => return,
                Ok(Outcome::Failed(_)) => {}
                Ok(Outcome::Recovered(_)) => panic!("a wrong password was right"),
                Err(budget) => {
                    let now = strongroom_sim::hardware::EPOCH_MS + world.now_ms();
                    world.pass(budget.next_ms.saturating_sub(now) + 50);
                }
            }
        }
        panic!("not locked out after forty tries");
    }
}
