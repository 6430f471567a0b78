//! Users: what they want, and what the oracle makes of what they get.

use super::{Event, World, patience_ms};
use crate::{
    client::Learned,
    hardware::EPOCH_MS,
    plan::{Dice, Plan},
};
use strongroom_protocol::{ProtocolError, Refusal, Voucher, WaitReason};
use strongroom_wire::{relay::reply_from_bytes, response::Failure};

/// What a user still wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    /// Recoveries to come: right or wrong.
    steps: Vec<bool>,
    enrolled: bool,
    forgetful: bool,
    started: bool,
}

impl Script {
    /// What one user wants.
    pub(crate) fn draw(dice: &mut Dice, plan: &Plan) -> Self {
        if plan.kill_leaders_every_ms > 0 {
            let steps = vec![true];
            return Self { steps, enrolled: false, forgetful: false, started: false };
        }
        let forgetful = plan.forgetful;
        let forgetful = dice.below(100) < forgetful;
        let steps = if forgetful {
            vec![false; 12]
        } else {
            // Some wrong passwords, a right one; two or three times.
            let mut steps = Vec::new();
            for _ in 0..2 + dice.below(2) {
                let wrong = dice.below(4);
                steps.extend((0..wrong).map(|_| false));
                steps.push(true);
            }
            steps
        };
        Self { steps, enrolled: false, forgetful, started: false }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.enrolled && self.steps.is_empty()
    }
}

impl World {
    /// The user begins the next thing, unless something is under way.
    pub(crate) fn wake(&mut self, user: usize) {
        if self.users[user].frame().is_some() || self.scripts[user].is_done() {
            return;
        }
        let seed = self.dice.bytes();
        if !self.scripts[user].enrolled {
            self.users[user].enroll(seed);
        } else if let Some(right) = self.scripts[user].steps.first().copied() {
            self.users[user].recover(right, seed);
        }
        self.send(user);
    }

    /// Carries the user's frame to some node, with a ticket minted for this try.
    pub(crate) fn send(&mut self, user: usize) {
        let Some(frame) = self.users[user].frame() else {
            return;
        };
        let (verb, bytes) = (frame.verb(), frame.bytes().to_vec());
        let slot = *self.users[user].destination.slot();
        let now_ms = EPOCH_MS + self.now();
        let ticket = self.ceremony.ticket(&mut self.dice.0, &slot, verb, &bytes, now_ms);
        let frame_number = self.users[user].frame_number;
        let node = self.some_node();
        let after = 1 + self.dice.below(self.plan.delay_ms);
        let frame = bytes;
        self.at(after, Event::Request { node, user, frame_number, ticket, frame });
        self.at(patience_ms(), Event::Timeout { user, frame_number });
    }

    fn some_node(&mut self) -> usize {
        let up: Vec<usize> =
            (0..self.nodes.len()).filter(|n| self.nodes[*n].vault.is_some()).collect();
        let pick = self.dice.below(up.len().max(1) as u64);
        up.get(usize::try_from(pick).unwrap_or(0)).copied().unwrap_or(0)
    }

    pub(crate) fn answer(
        &mut self,
        user: usize,
        frame_number: u64,
        reply: &[u8],
        held: &[u64],
        forged: bool,
    ) {
        let Ok(Ok(frame)) = reply_from_bytes(reply) else {
            // No answer: the user's patience runs out by itself.
            return;
        };
        if self.users[user].frame_number != frame_number {
            return;
        }
        let learned = self.users[user].on_answer(frame_number, &frame);
        self.report.answers += 1;
        self.say(|| format!("user {user} learns {learned:?}"));
        let refused = match &learned {
            Learned::Refused(error) => Some(error),
            _ => None,
        };
        self.oracle.inv6_signed(forged, refused);
        if !forged {
            self.learn(user, frame_number, learned, held);
        }
    }

    fn signed(&mut self, user: usize, frame_number: u64, by: &Voucher, held: &[u64]) {
        let majority = self.majority();
        self.oracle.inv2_charged_first(by, held, majority);
        self.oracle.inv4_inv5_one_history((user, frame_number), by);
    }

    fn learn(&mut self, user: usize, frame_number: u64, learned: Learned, held: &[u64]) {
        match learned {
            Learned::More(by) => {
                self.signed(user, frame_number, &by, held);
                self.send(user);
            }
            Learned::Stored(by) => {
                self.signed(user, frame_number, &by, held);
                self.scripts[user].enrolled = true;
                self.rest(user, 100);
            }
            Learned::Guessed(by, right) => {
                self.signed(user, frame_number, &by, held);
                let policy = self.plan.policy.clone();
                self.oracle.inv1_guess_answered(user, &policy);
                self.scripts[user].started = true;
                if !right {
                    self.users[user].wrong_since_success += 1;
                }
                self.send(user);
            }
            Learned::Key(by, backup_key, failures) => {
                self.signed(user, frame_number, &by, held);
                self.got_key(
                    user,
                    backup_key.as_bytes() == self.users[user].backup_key.as_bytes(),
                    failures,
                );
            }
            Learned::Nothing(by, why) => {
                self.signed(user, frame_number, &by, held);
                self.got_nothing(user, why);
            }
            Learned::Wait(by, reason, until_ms) => {
                self.signed(user, frame_number, &by, held);
                if reason == WaitReason::Year {
                    // Spent, by wrong passwords and what cold starts debited: the record stays.
                    self.scripts[user].steps.clear();
                }
                let wait = until_ms.saturating_sub(EPOCH_MS + self.now());
                self.rest(user, wait + 5);
            }
            Learned::Refused(error) => self.refused(user, &error),
            Learned::Stale => {}
        }
    }

    fn got_key(&mut self, user: usize, same: bool, failures: usize) {
        self.oracle.inv1_success(user);
        self.oracle.inv8_kept(same, format!("user {user} got another key back"));
        let wrong = core::mem::take(&mut self.users[user].wrong_since_success);
        // No honest user loses an attempt: what the receipt counts is what the user mistyped. An
        // attempt that closed while the fleet was down is charged again when it is made again.
        if self.plan.attempts_outlive_outages() {
            let story = format!("user {user}: {failures} failures signed, {wrong} were typed");
            self.oracle.inv8_kept(failures == wrong, story);
        }
        self.step_done(user);
    }

    fn got_nothing(&mut self, user: usize, why: Failure) {
        match why {
            Failure::WrongPassword => self.step_done(user),
            Failure::Locked => {
                let forgetful = self.scripts[user].forgetful;
                let story = format!("user {user} is locked out without ten wrong passwords");
                self.oracle.inv8_kept(forgetful, story);
                self.users[user].locked = true;
                self.scripts[user].steps.clear();
            }
            Failure::NoRecord => {
                let story = format!("user {user}: the record is gone");
                self.oracle.inv8_kept(!self.users[user].stored, story);
                self.rest(user, 500);
            }
            // Its ten minutes passed while the fleet was down: charged, and nothing came of it.
            Failure::Closed => {
                let right = self.scripts[user].steps.first().copied().unwrap_or(false);
                if right {
                    self.users[user].wrong_since_success += 1;
                }
                self.rest(user, 50);
            }
        }
    }

    fn refused(&mut self, user: usize, error: &ProtocolError) {
        let over = [Refusal::EntryUnknown, Refusal::GenerationMoved, Refusal::TicketSpent];
        if matches!(error, ProtocolError::Refused { why, .. } if over.contains(why)) {
            self.users[user].abandon();
        }
        self.rest(user, 50);
    }

    fn step_done(&mut self, user: usize) {
        if !self.scripts[user].steps.is_empty() {
            self.scripts[user].steps.remove(0);
        }
        self.scripts[user].started = false;
        self.rest(user, 100);
    }

    fn rest(&mut self, user: usize, at_least_ms: u64) {
        let after = at_least_ms + self.dice.below(400);
        self.at(after, Event::Wake { user });
    }
}
