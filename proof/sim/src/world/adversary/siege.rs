//! The siege of one slot: an operator who wants one more guess, and has time.
//!
//! It guesses as soon as the wait ends, never finishes, and leaves the row's last attempts alone, since
//! they would end the record. It holds back what its victim begins until the row is nearly spent, lets it
//! through so that a success or a grant begins a new row, and goes on.

use super::{
    super::{Event, World},
    Asked,
    thief::{Aim, THIEVES},
};
use crate::{
    acts::Act,
    plan::{Dice, Plan},
};
use strongroom_protocol::Voucher;
use strongroom_wire::{request::Verb, response::Budget};

/// So many attempts are left to the victim.
const LEFT: u8 = 2;
/// For how long the operator waits for its victim's turn to be over.
const YIELD_MS: u64 = 4_000;
/// From a finish that passed to its effect, more or less.
const EFFECT_MS: u64 = 400;
/// A wait that is worth waiting.
const WAIT_MS: u64 = 2_000;

/// How often the power fails everywhere when a row is nearly spent, in thousandths.
const AT_ONCE: u64 = 80;

/// What the victim of a siege does all the time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Registers again, with its device.
    Registers,
    /// Recovers, with the right password.
    Recovers,
}

/// One siege.
pub(crate) struct Siege {
    pub(crate) victim: usize,
    pub(crate) habit: Habit,
    /// What the victim began, and was held back.
    held: Option<Asked>,
    /// The victim's turn lasts until then.
    yields_ms: u64,
}

impl Siege {
    pub(crate) fn draw(plan: &Plan) -> Option<Self> {
        if plan.quiet == 1 {
            return None;
        }
        let mut dice = Dice::new(plan.seed, 6);
        let habit = if dice.chance(500) { Habit::Registers } else { Habit::Recovers };
        let victim = usize::try_from(dice.below(plan.users as u64)).unwrap_or(0) & !1;
        Some(Self { victim, habit, held: None, yields_ms: 0 })
    }
}

impl World {
    /// The number under which the besieger asks.
    fn besieger(&mut self) -> Option<usize> {
        let victim = self.foe.siege.as_ref()?.victim;
        Some(THIEVES + self.thief_of(victim))
    }

    pub(super) fn besieges(&self, asker: usize) -> bool {
        let victim = self.foe.siege.as_ref().map(|siege| siege.victim);
        asker >= THIEVES && victim.is_some() && victim == self.owner_of(asker)
    }

    /// What a victim begins is held back while the row has attempts. What it ends shows that its turn
    /// is over.
    pub(super) fn siege_holds(&mut self, asked: &Asked) -> bool {
        let now = self.now();
        let Some(siege) = self.foe.siege.as_mut().filter(|siege| siege.victim == asked.asker)
        else {
            return false;
        };
        if !self.users[asked.asker].stored {
            return false;
        }
        let turn = now < siege.yields_ms;
        match asked.verb {
            Verb::RegisterStart | Verb::RecoverStart if !turn => {
                siege.held = Some(asked.clone());
                self.besieger_rests(1);
                true
            }
            Verb::RegisterFinish | Verb::RecoverFinish if turn => {
                siege.yields_ms = now + EFFECT_MS;
                self.besieger_rests(EFFECT_MS + 1);
                false
            }
            _ => false,
        }
    }

    /// The victim's own finish may come when its attempt is over: until then nothing closes it.
    pub(super) fn siege_outwaits(&mut self, asked: &Asked, wait_ms: u64) {
        let now = self.now();
        if let Some(siege) = self.foe.siege.as_mut().filter(|siege| siege.victim == asked.asker) {
            siege.yields_ms = now + wait_ms + EFFECT_MS;
            self.besieger_rests(wait_ms + EFFECT_MS + 1);
        }
    }

    fn besieger_rests(&mut self, after_ms: u64) {
        if let Some(user) = self.besieger() {
            self.at(after_ms, Event::Wake { user });
        }
    }

    /// The next guess, if the victim's turn is over.
    pub(crate) fn besieger_wakes(&mut self, asker: usize) {
        let now = self.now();
        let Some(siege) = self.foe.siege.as_ref().filter(|_| self.besieges(asker)) else {
            return;
        };
        let victim = siege.victim;
        if !self.faulty() {
            return self.let_through();
        }
        if now < siege.yields_ms || !self.may(Act::Besiege, 1_000) {
            return;
        }
        let leader = self.leader().map(|place| self.node_of(place));
        let node = leader.unwrap_or_else(|| self.foe.below(self.count()));
        self.thief_at(victim, Aim::Guess, Some(node));
    }

    /// What a besieger was answered: how much of the row is left, and from when.
    pub(super) fn besieger_learns(&mut self, asker: usize, told: Option<(&Budget, &Voucher)>) {
        if !self.besieges(asker) {
            return;
        }
        let Some((budget, by)) = told else {
            return self.besieger_rests(100);
        };
        let wait_ms = budget.next_ms.saturating_sub(by.now_ms);
        if budget.row_left <= LEFT || wait_ms > WAIT_MS {
            // What is charged, and not yet answered for, may be forgotten in a power loss.
            if self.may(Act::PowerLoss, AT_ONCE) {
                self.all_at_once();
            }
            self.let_through();
        } else {
            self.besieger_rests(wait_ms + 1);
        }
    }

    /// The victim's turn: what it began goes through.
    fn let_through(&mut self) {
        let until = self.now() + YIELD_MS;
        let Some(siege) = self.foe.siege.as_mut() else {
            return;
        };
        siege.yields_ms = until;
        if let Some(asked) = siege.held.take() {
            self.says_of(&asked, "passes the siege");
            let node = self.some_node(asked.asker);
            self.hand_in(&asked, node, 1);
        }
        if self.faulty() {
            self.besieger_rests(YIELD_MS + 1);
        }
    }
}
