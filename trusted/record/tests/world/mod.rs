//! A state, a clock, and short ways to ask.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Effect, Entry, Limits, Spending, State};
use strongroom_wire::{
    AccountHash, Fixed, Slot,
    digest::sha256,
    request::{Registration, Verb},
    response::{Outcome, Receipt},
};

pub const MINUTE: u64 = 60_000;
pub const DAY: u64 = 24 * 60 * MINUTE;

pub struct World {
    pub state: State,
    pub now: u64,
    pub index: u64,
    pub limits: Limits,
    next: u64,
}

impl World {
    pub fn new() -> Self {
        let limits = Limits { slots: 1_000 };
        let state = State::new(1, Policy::standard(), limits);
        Self { state, now: 1_800_000_000_000, index: 1, limits, next: 0 }
    }

    pub fn slot(name: &str) -> Slot {
        Slot::of("chat", &AccountHash::of(name).expect("name"))
    }

    pub fn fresh(&mut self) -> [u8; 32] {
        self.next += 1;
        sha256(&self.next.to_be_bytes())
    }

    pub fn ticket(&mut self) -> Spending {
        let id = self.fresh();
        Spending { expires_ms: self.now + MINUTE, id: Fixed::from_slice(&id[..16]).expect("16") }
    }

    pub fn apply_with(
        &mut self,
        slot: Slot,
        ticket: Spending,
        command: Command,
        salt: [u8; 32],
    ) -> Effect {
        self.index += 1;
        let blind = Fixed([0; 32]);
        let entry = Entry { time_ms: self.now, slot, ticket: Some(ticket), blind, command };
        let bytes = entry.to_bytes().expect("fits");
        let entry = Entry::from_bytes(&bytes).expect("reads back");
        // A node that restarted a moment ago does the same.
        let mut restarted = self.restarted();
        let effect = self.state.apply(self.index, &entry, Some(salt));
        assert_eq!(restarted.apply(self.index, &entry, Some(salt)), effect);
        assert_eq!(restarted.to_bytes(), self.state.to_bytes());
        assert_eq!(restarted.held(), self.state.held());
        assert_eq!(restarted.records(), self.state.records());
        // (A deadline that has passed while another was waited for is one that a restart asks once more.)
        assert!(self.state.deadlines() <= restarted.deadlines());
        effect
    }

    /// The state as a node has it that reads its snapshot.
    pub fn restarted(&self) -> State {
        let (state, salts) = (self.state.to_bytes(), self.state.salts_to_bytes());
        State::from_bytes(&state, &salts, self.limits).expect("reads back")
    }

    pub fn apply(&mut self, slot: Slot, command: Command) -> Effect {
        let ticket = self.ticket();
        self.apply_with(slot, ticket, command, [0; 32])
    }

    /// A start; what was announced.
    pub fn register_start(&mut self, slot: Slot, request: u8) -> Effect {
        let (entry, salt) = (self.fresh(), self.fresh());
        let command = Command::RegisterStart {
            request: Fixed([request; 32]),
            entry: Fixed(entry),
            salt: Fixed(sha256(&salt)),
            keyset: 1,
        };
        let ticket = self.ticket();
        self.apply_with(slot, ticket, command, salt)
    }

    pub fn registration(started: &Effect, device: u8) -> Registration {
        let Effect::Evaluate { entry, generation, .. } = started else {
            panic!("not started: {started:?}")
        };
        Registration {
            entry: *entry,
            generation: *generation,
            upload: Fixed([1; 192]),
            wrapped_key: Fixed([2; 48]),
            device: Fixed([device; 32]),
            ksf_version: 1,
        }
    }

    pub fn finish(
        &mut self,
        slot: Slot,
        registration: &Registration,
        authorised: Authorised,
    ) -> Effect {
        let registration = registration.clone();
        self.apply(slot, Command::RegisterFinish { registration, authorised })
    }

    pub fn register(&mut self, slot: Slot, device: u8) -> Receipt {
        let request = self.fresh()[0];
        let started = self.register_start(slot, request);
        let registration = Self::registration(&started, device);
        match self.finish(slot, &registration, Authorised::Nobody {}) {
            Effect::Registered(receipt) => receipt,
            other => panic!("not registered: {other:?}"),
        }
    }

    pub fn attempt(&mut self, slot: Slot, ke1: u8) -> Effect {
        let seed = self.fresh();
        self.apply(slot, Command::RecoverStart { ke1: Fixed([ke1; 32]), seed: Fixed(seed) })
    }

    pub fn close(&mut self, slot: Slot, attempt: u64, ke1: u8, right: bool) -> Effect {
        let command = Self::finish_command(attempt, ke1, right);
        self.apply(slot, command)
    }

    pub fn finish_command(attempt: u64, ke1: u8, right: bool) -> Command {
        Command::RecoverFinish {
            attempt,
            ke1: Fixed([ke1; 32]),
            ke3: Fixed([ke1; 32]),
            proved: right.then_some(Fixed([7; 32])),
            device: Fixed([9; 32]),
            keep_device: false,
        }
    }

    /// One wrong attempt from start to finish, however long it has to wait first.
    pub fn fail(&mut self, slot: Slot, ke1: u8) -> Effect {
        self.wait(slot);
        let started = self.attempt(slot, ke1);
        let attempt = number(&started);
        self.close(slot, attempt, ke1, false)
    }

    /// A record with one attempt of its row left, which may be made now.
    pub fn spend_all_but_one(&mut self, slot: Slot) {
        for ke1 in 1..10 {
            self.fail(slot, ke1);
        }
        self.wait(slot);
    }

    /// The row's last attempt, open.
    pub fn open_the_last(&mut self, slot: Slot) -> u64 {
        self.spend_all_but_one(slot);
        number(&self.attempt(slot, 10))
    }

    /// Moves the clock to where the next attempt is accepted.
    pub fn wait(&mut self, slot: Slot) {
        if let Effect::Plain(Outcome::BudgetIs { budget }) = self.apply(slot, Command::Budget {}) {
            self.now = self.now.max(budget.next_ms);
        }
    }

    pub fn owner(&mut self, slot: Slot, verb: Verb, device: u8, generation: u64, n: u64) -> Effect {
        let device = Fixed([device; 32]);
        let enroll = (verb == Verb::EnrollDevice).then_some(Fixed([77; 32]));
        self.apply(slot, Command::Owner { verb, device, generation, counter: n, enroll })
    }
}

pub fn number(effect: &Effect) -> u64 {
    match effect {
        Effect::Challenge { attempt, .. } => *attempt,
        other => panic!("not charged: {other:?}"),
    }
}
