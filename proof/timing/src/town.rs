//! Who asks the fleet: as many of each kind, so that none is easier to find in a cache.

use crate::fleet::{Fleet, Times};
use std::time::Duration;
use strongroom_account::{Account, Password};
use strongroom_manifest::{Floors, Policy};
use strongroom_protocol::{
    Authorisation, BackupKey, Destination, DeviceKey, OutgoingFrame, Recovery, RecoveryFinish,
    Registration, RegistrationFinish, Started,
    owner::{AskBudget, Owner, Status},
};
use strongroom_sim::{
    fleet::{APP, FLEET},
    hardware::EPOCH_MS,
};

/// A record takes two wrong passwords in a row, and the third after this long.
const LAST_MS: u64 = 3 * 3_600_000;
const ROW: u8 = 3;

/// What a device waits for.
#[expect(clippy::large_enum_variant, reason = "one at a time, and short-lived")]
enum Talk {
    Offer(Registration),
    Receipt(RegistrationFinish),
    Attempt(Recovery),
    Key(RecoveryFinish),
    Budget(AskBudget),
    Status(Status),
}

/// One account.
pub(crate) struct Person {
    to: Destination,
    device: DeviceKey,
    /// The last counter that the device used.
    counter: u64,
}

/// What somebody comes for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Errand {
    /// A registration by nobody's authority.
    Enroll,
    /// The first half of one.
    AskToEnroll,
    /// An attempt to its end.
    Recover {
        /// Whether the password is every record's, or none's.
        right: bool,
    },
    /// An attempt that is not accepted.
    Wait,
    /// How many attempts are left.
    Budget,
    /// How the slot stands, by its first record's device.
    Status {
        /// Or by somebody who is refused.
        owner: bool,
    },
}

const WRONG: Errand = Errand::Recover { right: false };

/// Everybody, by how their slots stand.
pub(crate) struct Town {
    pub(crate) fleet: Fleet,
    /// They recover.
    pub(crate) known: Vec<Person>,
    /// They have records, and register.
    pub(crate) settled: Vec<Person>,
    /// They have none.
    pub(crate) unknown: Vec<Person>,
    /// They had.
    pub(crate) locked: Vec<Person>,
    /// They have records and must wait.
    pub(crate) waiting: Vec<Person>,
    strangers: u64,
}

/// No wait but one, and a year so short that a person's failures are few, as those of most people are.
fn policy() -> Policy {
    let mut policy = Policy::standard().with_waits_divided_by(u64::MAX);
    policy.row = ROW;
    policy.last_attempt_ms = LAST_MS;
    policy.year = 40;
    policy.year_ms = 2_000;
    policy.open_ms = 2_000;
    policy.pending_ms = 2_000;
    policy.replace_ms = 100 * LAST_MS;
    policy.compact_ms = 60_000;
    policy.lock_ceiling = 1_000_000;
    policy
}

impl Town {
    pub(crate) fn new(seed: u64, nodes: u8, people: usize) -> Self {
        let fleet = Fleet::new(seed, nodes, policy());
        let mut town = Self {
            fleet,
            known: Vec::new(),
            settled: Vec::new(),
            unknown: Vec::new(),
            locked: Vec::new(),
            waiting: Vec::new(),
            strangers: 0,
        };
        for _ in 0..people {
            town.locked.push(Person::new(&mut town.fleet, &mut town.strangers));
        }
        town.populate(people);
        town
    }

    fn populate(&mut self, people: usize) {
        let Self { fleet, strangers, .. } = self;
        let do_all = |fleet: &mut Fleet, person: &mut Person, errands: &[Errand]| {
            for errand in errands {
                person.visit(fleet, *errand, Duration::ZERO);
            }
        };
        for person in &mut self.locked {
            do_all(fleet, person, &[Errand::Enroll, WRONG, WRONG]);
        }
        fleet.jump(LAST_MS);
        for person in &mut self.locked {
            do_all(fleet, person, &[WRONG]);
        }
        for _ in 0..people {
            let [mut known, mut settled, mut waiting, unknown] =
                [(); 4].map(|()| Person::new(fleet, strangers));
            do_all(fleet, &mut known, &[Errand::Enroll, Errand::Recover { right: true }]);
            do_all(fleet, &mut settled, &[Errand::Enroll]);
            do_all(fleet, &mut waiting, &[Errand::Enroll, WRONG, WRONG]);
            self.known.push(known);
            self.settled.push(settled);
            self.waiting.push(waiting);
            self.unknown.push(unknown);
        }
    }

    /// Somebody whom the fleet has never seen.
    pub(crate) fn stranger(&mut self) -> Person {
        Person::new(&mut self.fleet, &mut self.strangers)
    }
}

fn password(right: bool) -> Password {
    let words =
        if right { "correct horse battery staple" } else { "incorrect mule battery staple" };
    Password::prepare(words).expect("a password")
}

impl Person {
    fn new(fleet: &mut Fleet, number: &mut u64) -> Self {
        *number += 1;
        let account = Account::normalise(&format!("person{number}")).expect("an account");
        let (manifest, floors) = (&fleet.ceremony.manifest, Floors::DANGER_DEVELOPMENT);
        let to = Destination::new(manifest, FLEET, APP, &account, &floors, EPOCH_MS)
            .expect("a destination")
            .danger_unstretched();
        Self { to, device: DeviceKey::from_seed(&fleet.draw()), counter: 0 }
    }

    /// An errand, request by request; `more` is time that the first one is made to take besides.
    ///
    /// There is one call of [`Fleet::carry`]: with two, stacks would lie differently, and times with them.
    pub(crate) fn visit(
        &mut self,
        fleet: &mut Fleet,
        errand: Errand,
        more: Duration,
    ) -> Vec<Times> {
        let mut times = Vec::new();
        let mut next = Some(self.begin(fleet, errand));
        while let Some((talk, frame)) = next {
            let more = if times.is_empty() { more } else { Duration::ZERO };
            let (time, answer) = fleet.carry(self.to.slot(), &frame, more);
            times.push(time);
            next = talk.hear(&answer, errand);
        }
        times
    }

    fn begin(&mut self, fleet: &mut Fleet, errand: Errand) -> (Talk, OutgoingFrame) {
        let (key, seed) = (BackupKey::from_bytes(fleet.draw()), fleet.draw());
        let (to, device) = (&self.to, self.device.public());
        match errand {
            Errand::Enroll | Errand::AskToEnroll => {
                Registration::start(to, &password(true), &key, device, seed)
                    .map(|(talk, frame)| (Talk::Offer(talk), frame))
            }
            Errand::Recover { .. } | Errand::Wait => {
                let right = errand != WRONG;
                Recovery::start(to, &password(right), device, false, seed)
                    .map(|(talk, frame)| (Talk::Attempt(talk), frame))
            }
            Errand::Budget => {
                AskBudget::ask(to, seed).map(|(talk, frame)| (Talk::Budget(talk), frame))
            }
            Errand::Status { .. } => {
                self.counter += 1;
                let owner = Owner { key: &self.device, generation: 1, counter: self.counter };
                Status::ask(to, &owner, seed).map(|(talk, frame)| (Talk::Status(talk), frame))
            }
        }
        .expect("a frame")
    }
}

impl Talk {
    /// Reads an answer, which must be the one that the errand expects.
    fn hear(self, answer: &[u8], errand: Errand) -> Option<(Self, OutgoingFrame)> {
        match self {
            Self::Offer(talk) => {
                let offer = talk.on_started(answer).expect("an offer");
                let (finish, frame) = offer.finish(&Authorisation::None).expect("a finish");
                (errand == Errand::Enroll).then_some((Self::Receipt(finish), frame))
            }
            Self::Receipt(talk) => {
                talk.on_finished(answer).expect("a receipt");
                None
            }
            Self::Attempt(talk) => match talk.on_started(answer).expect("started") {
                Started::Charged(charged) => {
                    assert!(errand != Errand::Wait, "an attempt that should wait is charged");
                    Some((Self::Key(charged.next), charged.frame))
                }
                Started::Wait { .. } | Started::Failed(_) => {
                    assert!(errand == Errand::Wait, "an attempt is not charged");
                    None
                }
            },
            Self::Key(talk) => {
                talk.on_finished(answer).expect("finished");
                None
            }
            Self::Budget(talk) => {
                talk.on_answer(answer).expect("a budget");
                None
            }
            Self::Status(talk) => {
                let owner = errand == Errand::Status { owner: true };
                assert_eq!(talk.on_answer(answer).is_ok(), owner, "another answer was expected");
                None
            }
        }
    }
}
