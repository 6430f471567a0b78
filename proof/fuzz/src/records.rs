//! The replicated state: read from a snapshot, and driven entry by entry.

use crate::pieces::split;
use std::collections::{BTreeMap, BTreeSet};
use strongroom_manifest::Policy;
use strongroom_record::{Authorised, Command, Effect, Entry, Limits, Spending, State};
use strongroom_wire::{
    Fixed, Slot, caps,
    request::{Registration, Verb},
    response::Refusal,
};

/// A snapshot in the first piece, its salts in the second.
pub(crate) fn state(bytes: &[u8]) -> bool {
    let pieces = split(bytes);
    let (Some(state), Some(salts)) = (pieces.first(), pieces.get(1)) else { return false };
    let Ok(read) = State::from_bytes(state, salts, Limits::default()) else { return false };
    // What is read may be applied to, and is then written and read again.
    let mut machine = Machine { state: read, ..Machine::new() };
    machine.do_piece(&[3, 0, 1, 1]);
    machine.restarted();
    true
}

/// One fleet's state under a sequence of entries, a few bytes each. INV-1 is counted here, from
/// effects alone.
pub(crate) fn record(bytes: &[u8]) -> bool {
    let mut machine = Machine::new();
    for piece in split(bytes).into_iter().take(256) {
        machine.do_piece(piece);
    }
    machine.restarted();
    machine.answered > 0
}

/// What the effects said of one slot.
#[derive(Default)]
struct Seen {
    /// Attempts that were answered in this row. One attempt answers one KE1.
    row: BTreeSet<u64>,
    /// When each attempt that never succeeded was answered.
    failures: BTreeMap<u64, u64>,
    /// The record's generation.
    generation: u64,
    /// The KE1 that each attempt answered.
    attempts: BTreeMap<u64, [u8; 32]>,
    /// When a new record began a new row.
    grants: Vec<u64>,
}

impl Seen {
    /// A new record begins a new row if an owner made it, or the row was spent, and only so often.
    fn grant(&mut self, policy: &Policy, owned: bool, now_ms: u64) {
        if self.row.is_empty() || !(owned || self.row.len() >= usize::from(policy.row)) {
            return;
        }
        self.grants.retain(|at| now_ms.saturating_sub(*at) < policy.grants_window_ms);
        if self.grants.len() < usize::from(policy.grants) {
            self.grants.push(now_ms);
            self.row.clear();
        }
    }
}

struct Machine {
    state: State,
    policy: Policy,
    index: u64,
    now_ms: u64,
    tickets: u64,
    pending: Option<(Fixed<32>, u64)>,
    attempt: u64,
    answered: u64,
    seen: BTreeMap<Slot, Seen>,
}

impl Machine {
    fn new() -> Self {
        let mut policy = Policy::standard().with_waits_divided_by(100_000);
        policy.open_ms = 10_000;
        Self {
            state: State::new(1, policy.clone(), Limits { slots: 4 }),
            policy,
            index: 1,
            now_ms: 1_800_000_000_000,
            tickets: 0,
            pending: None,
            attempt: 1,
            answered: 0,
            seen: BTreeMap::new(),
        }
    }

    /// `command ‖ slot ‖ argument ‖ argument ‖ …`; missing bytes are 0.
    fn do_piece(&mut self, piece: &[u8]) {
        let byte = |at: usize| piece.get(at).copied().unwrap_or(0);
        let slot = Slot(Fixed([byte(1) % 3; 32]));
        let (a, b) = (byte(2), byte(3));
        self.now_ms = match byte(4) {
            small @ 0..=99 => self.now_ms + u64::from(small) * 1_000,
            large => self.now_ms + u64::from(large - 99) * 86_400_000 * 3,
        };
        let Some(command) = self.command(byte(0), a, b) else { return };
        let whole = matches!(
            command,
            Command::Tick {} | Command::Era { .. } | Command::Adopt { .. } | Command::Erased { .. }
        );
        self.tickets += u64::from(byte(5) % 4 != 1);
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.tickets.to_be_bytes());
        let ticket = Spending { expires_ms: self.now_ms + 60_000, id: Fixed(id) };
        let entry = Entry {
            time_ms: self.now_ms,
            slot: if whole { Slot(Fixed([0; 32])) } else { slot },
            ticket: (!whole).then_some(ticket),
            blind: Fixed([0xb3; 32]),
            command,
        };
        self.index += 1;
        // (Replayed from a disk whose salts are gone, an attempt is charged and answered by a stand-in.)
        let salt = Some([a; 32]);
        let owned = self.generation(&slot).is_some();
        let mut restarted = self.restarted();
        let effect = self.state.apply(self.index, &entry, salt);
        // INV-5: a node that restarted a moment ago does the same.
        assert_eq!(restarted.apply(self.index, &entry, salt), effect, "another effect");
        assert_eq!(restarted.to_bytes(), self.state.to_bytes(), "another state");
        assert_eq!(restarted.held(), self.state.held(), "other held attempts");
        assert_eq!(restarted.records(), self.state.records(), "other records");
        assert!(self.state.deadlines() <= restarted.deadlines(), "deadlines of nothing");
        // Without authority a record that is there is replaced later, whatever the receipt says.
        let by_owner = matches!(
            &entry.command,
            Command::RegisterFinish { authorised, .. } if *authorised != Authorised::Nobody {}
        );
        let registered = by_owner && matches!(effect, Effect::Registered(_));
        for number in 0..3 {
            let this = Slot(Fixed([number; 32]));
            self.watch_generation(this, this == slot && owned && registered);
        }
        self.watch(slot, &entry.command, &effect);
    }

    fn command(&self, which: u8, a: u8, b: u8) -> Option<Command> {
        let key = |n: u8| Fixed([n % 6; 32]);
        let device = Fixed([0xd0 | (b % 6); 32]);
        let generation = u64::from(b / 6 % 4);
        Some(match which % 12 {
            0 => Command::RegisterStart {
                request: key(a),
                entry: Fixed([a; 32]),
                salt: Fixed(strongroom_wire::digest::sha256(&[a; 32])),
                keyset: 1,
            },
            1 => {
                let (entry, generation) = self.pending?;
                let registration = Registration {
                    entry,
                    generation,
                    upload: Fixed([b; caps::opaque::REGISTRATION_UPLOAD_LEN]),
                    wrapped_key: Fixed([b; caps::WRAPPED_KEY_LEN]),
                    device,
                    ksf_version: 1,
                };
                Command::RegisterFinish {
                    registration,
                    authorised: authorised(a, device, generation),
                }
            }
            // Guessing is what an attacker does most.
            2..=4 => Command::RecoverStart { ke1: Fixed([a; 32]), seed: Fixed([b; 32]) },
            5 | 6 => Command::RecoverFinish {
                attempt: self.attempt.saturating_sub(u64::from(b % 3)),
                ke1: Fixed([a; 32]),
                ke3: key(b),
                proved: (which % 12 == 6).then_some(Fixed([b; 32])),
                device,
                keep_device: b & 1 == 1,
            },
            7 => Command::Owner {
                verb: [Verb::Status, Verb::Destroy, Verb::EnrollDevice][usize::from(a % 3)],
                device,
                generation,
                counter: u64::from(a / 3),
                enroll: (a % 3 == 2).then_some(Fixed([0xd0 | (a % 6); 32])),
            },
            8 => Command::Tick {},
            9 => Command::Era { era: u64::from(a), window_ms: u64::from(b) * 3_600_000 },
            10 => Command::Erased { through: u64::from(a) },
            _ if a.is_multiple_of(2) => Command::Budget {},
            _ => Command::Refused { why: Refusal::BadMessage },
        })
    }

    fn generation(&self, slot: &Slot) -> Option<u64> {
        Some(self.state.slot(slot)?.record.as_ref()?.generation)
    }

    fn watch(&mut self, slot: Slot, command: &Command, effect: &Effect) {
        let seen = self.seen.entry(slot).or_default();
        match (effect, command) {
            (Effect::Evaluate { entry, generation, .. }, _) => {
                self.pending = Some((*entry, *generation));
            }
            (Effect::Challenge { attempt, .. }, Command::RecoverStart { ke1, .. }) => {
                self.answered += 1;
                self.attempt = *attempt;
                // The same answer again is the same guess.
                if let Some(known) = seen.attempts.insert(*attempt, ke1.0) {
                    assert_eq!(known, ke1.0, "INV-1: one attempt answers two KE1s");
                } else {
                    seen.row.insert(*attempt);
                    seen.failures.insert(*attempt, self.now_ms);
                }
            }
            (Effect::Release { attempt, .. }, _) => {
                assert!(seen.attempts.contains_key(attempt), "released what was never answered");
                seen.row.clear();
                seen.failures.remove(attempt);
            }
            _ => {}
        }
        let row = seen.row.len();
        assert!(row <= usize::from(self.policy.row), "INV-1: {row} attempts in a row");
        let inside = |at: &&u64| self.now_ms.saturating_sub(**at) < self.policy.year_ms;
        let failures = seen.failures.values().filter(inside).count();
        assert!(failures <= usize::from(self.policy.year), "INV-1: {failures} failures in a year");
    }

    /// A new record has a new generation, and may begin a new row.
    fn watch_generation(&mut self, slot: Slot, by_owner: bool) {
        let Some(generation) = self.generation(&slot) else { return };
        let seen = self.seen.entry(slot).or_default();
        assert!(generation >= seen.generation, "INV-4: a generation went back");
        if generation > seen.generation {
            seen.generation = generation;
            seen.grant(&self.policy, by_owner, self.now_ms);
        }
    }

    /// The state as a node has it that reads its snapshot: what is written is read, and is the same.
    fn restarted(&self) -> State {
        let (state, salts) = (self.state.to_bytes(), self.state.salts_to_bytes());
        let limits = Limits { slots: 4 };
        let read = State::from_bytes(&state, &salts, limits).expect("what was written is read");
        assert_eq!(read.to_bytes(), state, "another state came back");
        assert_eq!(read.salts_to_bytes(), salts, "other salts came back");
        read
    }
}

fn authorised(a: u8, device: Fixed<32>, generation: u64) -> Authorised {
    match a % 3 {
        0 => Authorised::Nobody {},
        1 => Authorised::Device { device, generation, counter: u64::from(a / 3) },
        _ => Authorised::Fresh { generation, attempt: u64::from(a / 3) },
    }
}
