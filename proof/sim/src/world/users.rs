//! Users: what they want, and what the oracle makes of what they get.

use super::{
    About, Event, World,
    adversary::{Asked, Habit, THIEVES},
    patience_ms,
};
use crate::{
    client::Learned,
    hardware::EPOCH_MS,
    lots::Whose,
    plan::{Dice, Plan},
    trace::Kind,
};
use strongroom_protocol::{ProtocolError, Refusal, Voucher, WaitReason};
use strongroom_wire::{
    relay::reply_from_bytes,
    response::{FAILURES_MAX, Failure},
};

/// No user waits for longer than this: most runs are over by then.
const RUN_MS: u64 = 60_000;

/// So often the victim of a siege does what it does.
const BESIEGED: usize = 9;

/// One thing that a user does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// Recovers with the right password.
    Right,
    /// Recovers with a wrong one.
    Wrong,
    /// Registers again, as the owner.
    Again,
    /// Asks how the slot stands.
    Status,
    /// Destroys the record, and enrolls anew.
    Destroy,
}

/// What a user still wants to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Script {
    steps: Vec<Step>,
    enrolled: bool,
    forgetful: bool,
    /// Frames sent without an answer after which the user begins anew; never, if 0.
    patience: u32,
}

impl Script {
    /// What one user wants.
    pub(crate) fn draw(dice: &mut Dice, plan: &Plan) -> Self {
        if plan.kill_leaders_every_ms > 0 || plan.crowd {
            let steps = [Step::Right].to_vec();
            return Self { steps, enrolled: false, forgetful: false, patience: 0 };
        }
        let forgetful = plan.forgetful;
        let forgetful = dice.below(100) < forgetful;
        let mut steps = Vec::new();
        if forgetful {
            steps.extend([Step::Wrong; 12]);
        } else {
            // Some wrong passwords, a right one; two or three times.
            for _ in 0..2 + dice.below(2) {
                let wrong = dice.below(4);
                steps.extend((0..wrong).map(|_| Step::Wrong));
                steps.push(Step::Right);
            }
            if plan.faults_ms > 0 {
                for step in [Step::Again, Step::Again, Step::Status, Step::Destroy] {
                    let at = dice.below(3 * steps.len() as u64);
                    let at = usize::try_from(at).unwrap_or(usize::MAX);
                    if at <= steps.len() {
                        steps.insert(at, step);
                    }
                }
            }
        }
        let patience = if plan.faults_ms > 0 && dice.chance(500) { 3 + dice.below(6) } else { 0 };
        let patience = u32::try_from(patience).unwrap_or(0);
        Self { steps, enrolled: false, forgetful, patience }
    }

    /// What the victim of a siege does.
    pub(crate) fn besieged(habit: Habit) -> Self {
        let steps = match habit {
            Habit::Registers => [Step::Again; BESIEGED].to_vec(),
            Habit::Recovers => [Step::Right; BESIEGED].to_vec(),
        };
        Self { steps, enrolled: false, forgetful: false, patience: 0 }
    }

    /// What somebody wants who takes no part.
    pub(crate) const fn nothing() -> Self {
        Self { steps: Vec::new(), enrolled: false, forgetful: false, patience: 0 }
    }

    /// Whether nothing is left to do.
    pub(crate) fn is_done(&self) -> bool {
        self.steps.is_empty()
    }
}

impl World {
    /// The user begins the next thing, unless something is under way.
    pub(crate) fn wake(&mut self, user: usize) {
        if user >= THIEVES {
            return self.besieger_wakes(user);
        }
        if self.users[user].frame().is_some() || self.scripts[user].is_done() {
            return;
        }
        let seed = self.lots.of(Whose::User(user)).bytes();
        if !self.scripts[user].enrolled {
            self.users[user].enroll(seed);
        } else {
            match self.scripts[user].steps.first().copied() {
                Some(Step::Right) => self.users[user].recover(true, seed),
                Some(Step::Wrong) => self.users[user].recover(false, seed),
                Some(Step::Again) => self.users[user].enroll(seed),
                Some(Step::Status) => self.users[user].ask_status(seed),
                Some(Step::Destroy) => self.users[user].destroy(seed),
                None => {}
            }
        }
        self.send(user);
    }

    /// Has the user's frame carried to some node, with a ticket minted for this try.
    pub(crate) fn send(&mut self, user: usize) {
        let Some(frame) = self.users[user].frame() else {
            return;
        };
        let asked = Asked {
            asker: user,
            frame_number: self.users[user].frame_number,
            slot: *self.users[user].destination.slot(),
            verb: frame.verb(),
            frame: frame.bytes().to_vec(),
        };
        let frame_number = asked.frame_number;
        self.users[user].unanswered += 1;
        self.asks(user, user);
        self.ask(asked);
        // Thousands who ask again at once are a load that runs are not about.
        let wait = if self.plan.crowd { 4 * patience_ms() } else { patience_ms() };
        self.at(wait, Event::Timeout { user, frame_number });
    }

    /// No answer came in time: the same frame again, or, for those who have had enough, all anew.
    pub(crate) fn timeout(&mut self, user: usize, frame_number: u64) {
        if user >= THIEVES {
            return self.thief_timeout(user, frame_number);
        }
        if self.users[user].frame_number != frame_number {
            return;
        }
        let patience = self.scripts[user].patience;
        if patience > 0 && self.users[user].unanswered >= patience && self.faulty() {
            self.say(Kind::Client, About::Asker(user), || format!("user {user} begins anew"));
            self.users[user].abandon();
            self.rest(user, 50);
        } else {
            self.send(user);
        }
    }

    pub(crate) fn some_node(&mut self, asker: usize) -> usize {
        let up: Vec<usize> = (0..self.count()).filter(|n| self.nodes[*n].vault.is_some()).collect();
        let pick = self.lots.of(Whose::Asker(asker)).below(up.len().max(1) as u64);
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
        let frame = match reply_from_bytes(reply) {
            Ok(Ok(frame)) => frame,
            // No answer: the user's patience runs out by itself.
            Ok(Err(why)) => {
                return self.say(Kind::Client, About::Asker(user), || {
                    format!("user {user} is not served: {why:?}")
                });
            }
            Err(_) => return,
        };
        if user >= THIEVES {
            return self.thief_learns(user, frame_number, &frame, held);
        }
        if self.users[user].frame_number != frame_number || self.users[user].frame().is_none() {
            if let Some(late) = self.users[user].on_late_answer(frame_number, &frame) {
                self.learns_late(user, (user, frame_number), late);
            }
            if let Some(index) = self.users[user].acted_twice(frame_number, &frame) {
                self.oracle.inv4_once(format!("user {user}'s command acts again at {index}"));
            }
            return;
        }
        let learned = self.users[user].on_answer(frame_number, &frame);
        let told = self.users[user].told.take();
        self.report.answers += 1;
        self.say(Kind::Client, About::Asker(user), || format!("user {user} {learned}"));
        let refused = match &learned {
            Learned::Refused(error) => Some(error),
            _ => None,
        };
        self.oracle.inv6_signed(forged, refused);
        if !forged {
            self.is_told((user, frame_number), told);
            self.learn(user, frame_number, learned, held);
        }
    }

    pub(crate) fn signed(&mut self, user: usize, frame_number: u64, by: &Voucher, held: &[u64]) {
        let needed = self.majority() + usize::from(self.plan.tolerance);
        self.oracle.inv2_charged_first(by, held, needed);
        self.oracle.inv4_inv5_one_history((user, frame_number), by);
    }

    fn learn(&mut self, user: usize, frame_number: u64, learned: Learned, held: &[u64]) {
        match learned {
            Learned::More(by) => {
                self.signed(user, frame_number, &by, held);
                self.send(user);
            }
            Learned::Stored(by, effective_ms, _) => {
                self.signed(user, frame_number, &by, held);
                self.oracle.inv1_stored(user);
                self.stored(user, effective_ms);
            }
            Learned::Done(by) => {
                self.signed(user, frame_number, &by, held);
                self.commanded(user);
            }
            Learned::Guessed(by, right, guess) => {
                self.signed(user, frame_number, &by, held);
                self.guessed(user, (user, frame_number), &guess, &by, right);
                if !right {
                    self.users[user].wrong_since_success += 1;
                }
                self.send(user);
            }
            Learned::Key(by, backup_key, failures, attempt) => {
                self.signed(user, frame_number, &by, held);
                self.oracle.inv1_success(user, (user, frame_number), attempt, &by);
                let same = backup_key.as_bytes() == self.users[user].backup_key.as_bytes();
                self.got_key(user, same, failures);
            }
            Learned::Nothing(by, why) => {
                self.signed(user, frame_number, &by, held);
                self.got_nothing(user, why);
            }
            Learned::Wait(by, reason, budget) => {
                self.signed(user, frame_number, &by, held);
                self.oracle.inv1_told(user, &budget, by.index, &self.plan.policy);
                let wait = budget.next_ms.saturating_sub(EPOCH_MS + self.now());
                // Another copy of the frame may be charged when it arrives.
                self.users[user].begun_before += usize::from(self.plan.faults_ms > 0);
                // The year is spent, by wrong passwords and what cold starts debited: the record
                // stays. Or somebody holds the row's last attempt open for longer than a run.
                if reason == WaitReason::Year || wait > RUN_MS {
                    self.scripts[user].steps.clear();
                }
                self.rest(user, wait + 5);
            }
            Learned::Refused(error) => self.refused(user, &error),
            Learned::Stale => {}
        }
    }

    fn stored(&mut self, user: usize, effective_ms: u64) {
        if self.scripts[user].enrolled {
            return self.step_done(user);
        }
        self.scripts[user].enrolled = true;
        // Announced over somebody's record: the user comes back when it has taken effect.
        let wait = effective_ms.saturating_sub(EPOCH_MS + self.now());
        self.rest(user, 100 + wait);
    }

    fn commanded(&mut self, user: usize) {
        if self.scripts[user].steps.first() == Some(&Step::Destroy) {
            self.users[user].stored = false;
            self.users[user].maybe_stored = false;
            self.scripts[user].enrolled = false;
        }
        self.step_done(user);
    }

    fn got_key(&mut self, user: usize, same: bool, failures: usize) {
        self.oracle.inv8_kept(same, format!("user {user} got another key back"));
        let client = &mut self.users[user];
        let wrong = core::mem::take(&mut client.wrong_since_success);
        let maybe = core::mem::take(&mut client.maybe_failed) + client.begun_before;
        let least = if core::mem::take(&mut client.maybe_succeeded) { 0 } else { wrong };
        // No honest user loses an attempt: what the receipt counts is what the user mistyped or gave
        // up. An attempt that closed while the fleet was down is charged again when it is made again.
        if self.plan.attempts_outlive_outages() && !client.touched {
            let typed = least.min(FAILURES_MAX)..=(wrong + maybe).min(FAILURES_MAX);
            let story = format!("user {user}: {failures} failures signed, {typed:?} were typed");
            self.oracle.inv8_kept(typed.contains(&failures), story);
        }
        self.step_done(user);
    }

    fn got_nothing(&mut self, user: usize, why: Failure) {
        let step = self.scripts[user].steps.first().copied();
        let client = &mut self.users[user];
        let touched = client.touched;
        match why {
            Failure::WrongPassword => {
                let story = format!("user {user}: the right password is called wrong");
                self.oracle.inv8_kept(step != Some(Step::Right) || touched, story);
                self.step_done(user);
            }
            Failure::Locked => {
                // A row is spent by what was typed wrong and what was given up; where attempts are
                // short, also by requests that were held up for longer than that.
                let outlive = self.plan.attempts_outlive_outages();
                let maybe = client.maybe_failed + client.begun_before;
                let charged = client.wrong_since_success + maybe + 1;
                let spent = charged >= usize::from(self.plan.policy.row);
                client.locked = true;
                let story = format!("user {user} is locked out after {charged} attempts");
                self.oracle.inv8_kept(spent || touched || !outlive, story);
                self.scripts[user].steps.clear();
            }
            Failure::NoRecord => {
                let story = format!("user {user}: the record is gone");
                self.oracle.inv8_kept(!client.stored || touched, story);
                // Somebody else's doing: nothing is left to come back for.
                if touched {
                    self.scripts[user].steps.clear();
                }
                self.rest(user, 500);
            }
            // Its ten minutes passed while the fleet was down, or another attempt closed it: charged,
            // and nothing came of it.
            Failure::Closed => {
                if step == Some(Step::Right) {
                    client.wrong_since_success += 1;
                    // Or it succeeded, the answer was lost, and then another attempt closed it.
                    client.maybe_succeeded = true;
                }
                self.rest(user, 50);
            }
        }
    }

    fn refused(&mut self, user: usize, error: &ProtocolError) {
        // The device knows that the password was right: no hardware, no host makes a verdict of its own.
        let story = format!("user {user}: the right password, proved, is called wrong");
        self.oracle.inv8_kept(!matches!(error, ProtocolError::Contradiction), story);
        let ProtocolError::Refused { why, .. } = error else {
            return self.rest(user, 50);
        };
        let step = self.scripts[user].steps.first().copied();
        match why {
            Refusal::NoRecord if step == Some(Step::Destroy) => {
                // The first answer was lost.
                self.users[user].abandon();
                self.commanded(user);
            }
            Refusal::NotOwner
            | Refusal::NoRecord
            | Refusal::GenerationMoved
            | Refusal::RowSpent
                if self.scripts[user].enrolled || self.users[user].touched =>
            {
                // What the device knew of the slot is out of date.
                self.users[user].abandon();
                if self.scripts[user].enrolled {
                    self.step_done(user);
                } else {
                    self.scripts[user].steps.clear();
                }
            }
            Refusal::EntryUnknown
            | Refusal::GenerationMoved
            | Refusal::TicketSpent
            | Refusal::Replayed => {
                self.users[user].abandon();
                self.rest(user, 50);
            }
            _ => self.rest(user, 50),
        }
    }

    fn step_done(&mut self, user: usize) {
        if !self.scripts[user].steps.is_empty() {
            self.scripts[user].steps.remove(0);
        }
        self.rest(user, 100);
    }

    fn rest(&mut self, user: usize, at_least_ms: u64) {
        let after = at_least_ms + self.lots.of(Whose::User(user)).below(400);
        self.at(after, Event::Wake { user });
    }
}
