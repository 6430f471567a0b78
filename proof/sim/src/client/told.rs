//! What a user asks and is told, in the words of histories (spec §18).

use super::{Stage, User};
use strongroom_history::{Answer, Call};
use strongroom_protocol::{Charged, Failed, Offer, Recovered, Verdict, Voucher};
use strongroom_wire::response::{Failure, Receipt};

/// Names of passwords and keys: the wrong password, then the right one and the key that it protects.
pub(super) const OWNER: u64 = 0;
pub(super) const THIEF: u64 = 2;
/// A key that its recoverer did not store.
const STRANGE: u64 = u64::MAX;

/// What the last offer said, and whether its taker claims the slot.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Offered {
    pub(super) generation: u64,
    pub(super) owned: bool,
}

/// One answer, and the log index and vault time that it rests on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// What it said.
    pub answer: Answer,
    /// Index and time.
    pub by: (u64, u64),
}

impl Told {
    fn new(answer: Answer, by: &Voucher) -> Self {
        Self { answer, by: (by.index, by.now_ms) }
    }

    pub(super) fn offered(offer: &Offer) -> Self {
        let (generation, occupied) = (offer.generation(), offer.occupied());
        Self::new(Answer::RegisterStarted { generation, occupied }, offer.by())
    }

    pub(super) fn stored(receipt: &Receipt, by: &Voucher) -> Self {
        let answer = Answer::Registered {
            generation: receipt.generation,
            destroyed: receipt.destroyed,
            announced: receipt.effective_ms > 0,
        };
        Self::new(answer, by)
    }

    /// A device that refuses what it was shown says nothing of the password.
    pub(super) fn charged(charged: &Charged) -> Option<Self> {
        let fits = match charged.verdict {
            Verdict::Fits => true,
            Verdict::Wrong => false,
            Verdict::Refused(_) => return None,
        };
        let number = charged.next.attempt();
        Some(Self::new(Answer::Charged { number, fits }, &charged.by))
    }

    pub(super) fn wait(by: &Voucher) -> Self {
        Self::new(Answer::Wait, by)
    }

    pub(super) fn done(by: &Voucher) -> Self {
        Self::new(Answer::Done, by)
    }

    pub(super) fn failed(failed: &Failed) -> Self {
        let answer = match failed.why {
            Failure::WrongPassword => Answer::WrongPassword,
            Failure::Locked => Answer::Locked,
            Failure::NoRecord => Answer::NoRecord,
            Failure::Closed => Answer::Closed,
        };
        Self::new(answer, &failed.by)
    }
}

impl User {
    /// The key by its name.
    pub(super) fn got(&self, recovered: &Recovered) -> Told {
        let own = recovered.backup_key.as_bytes() == self.backup_key.as_bytes();
        let answer = Answer::Recovered {
            generation: recovered.receipt.generation,
            key: if own { self.named + 1 } else { STRANGE },
            failures: recovered.receipt.failures_ms.len() as u64,
        };
        Told::new(answer, &recovered.by)
    }

    /// What the frame under way asks.
    pub fn call(&self) -> Option<Call> {
        let password = |right: bool| self.named + u64::from(right);
        Some(match &self.stage {
            Stage::Idle => return None,
            Stage::RegisterStart(..) => Call::RegisterStart,
            Stage::RegisterFinish(..) => Call::RegisterFinish {
                generation: self.offered.generation,
                key: password(true),
                password: password(true),
                authority: self.offered.owned,
            },
            Stage::RecoverStart(_, _, right) => Call::RecoverStart { password: password(*right) },
            Stage::RecoverFinish(finish, _, right) => {
                Call::RecoverFinish { number: finish.attempt(), password: password(*right) }
            }
            Stage::Status(..) => Call::Status { generation: self.generation },
            Stage::Destroy(..) => Call::Destroy { generation: self.generation },
        })
    }
}
