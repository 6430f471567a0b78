//! The operator as a client: guesses, registrations and commands for slots that are not its own.
//!
//! To a vault a thief is one more client of the slot, and so it is to the oracle: what it is answered
//! counts against the budget of its victim's slot.

use super::super::{About, Event, World, patience_ms};
use super::Asked;
use crate::client::{Learned, User};
use crate::trace::Kind;

/// Thieves are numbered from here, users from 0.
pub(crate) const THIEVES: usize = 1_000_000;
/// A thief whose request is not answered sends it again this often.
const PATIENCE: u32 = 3;

/// What a thief wants of a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aim {
    /// Another answer to another password.
    Guess,
    /// The slot.
    Register,
    /// The slot's end, signed by a key of its own.
    Command,
}

/// One.
pub(crate) struct Thief {
    victim: usize,
    pub(crate) client: User,
    sent: u32,
    /// Vault time when its registration began.
    began_ms: u64,
    /// Leaves its attempts open.
    lazy: bool,
}

impl World {
    /// Every other user is left alone by thieves: what is promised to honest users is checked there
    /// to the last attempt.
    pub(crate) fn is_victim(&self, user: usize) -> bool {
        user < self.users.len() && user.is_multiple_of(2)
    }

    /// Whose slot an asker asks for.
    pub(crate) fn owner_of(&self, asker: usize) -> Option<usize> {
        match asker.checked_sub(THIEVES) {
            Some(thief) => self.foe.thieves.get(thief).map(|thief| thief.victim),
            None => Some(asker).filter(|user| *user < self.users.len()),
        }
    }

    /// From now on what this user is told depends on what somebody else did to the slot.
    pub(super) fn touch(&mut self, victim: usize) {
        self.users[victim].touched = true;
    }

    pub(super) fn thief_acts(&mut self, aim: Aim) -> bool {
        let victim = self.foe.below(self.users.len()) & !1;
        self.is_victim(victim) && self.thief_at(victim, aim, None)
    }

    /// A thief does something, at a node of its choice.
    pub(super) fn thief_at(&mut self, victim: usize, aim: Aim, node: Option<usize>) -> bool {
        // Whoever takes a slot before its owner comes is whom the gateway says that the owner is:
        // which account is whose is the gateway's word (threat model, gateway).
        if !self.users[victim].stored {
            return false;
        }
        let number = self.thief_of(victim);
        let thief = &self.foe.thieves[number];
        if thief.client.frame().is_some() {
            return false;
        }
        self.touch(victim);
        let seed = self.foe.dice.bytes();
        let thief = &mut self.foe.thieves[number];
        thief.sent = 0;
        thief.lazy = seed[0].is_multiple_of(3);
        match aim {
            Aim::Guess => thief.client.recover(false, seed),
            Aim::Register => thief.client.enroll(seed),
            Aim::Command => thief.client.destroy(seed),
        }
        self.say(Kind::Client, About::Asker(THIEVES + number), || {
            format!("the thief of user {victim} begins: {aim:?}")
        });
        self.thief_sends(number, node);
        true
    }

    pub(super) fn thief_of(&mut self, victim: usize) -> usize {
        if let Some(known) = self.foe.thieves.iter().position(|thief| thief.victim == victim) {
            return known;
        }
        let client = User::thief(&self.users[victim], self.foe.dice.bytes());
        self.foe.thieves.push(Thief { victim, client, sent: 0, began_ms: 0, lazy: false });
        self.foe.thieves.len() - 1
    }

    fn thief_sends(&mut self, number: usize, node: Option<usize>) {
        let thief = &mut self.foe.thieves[number];
        let Some(frame) = thief.client.frame() else {
            return;
        };
        thief.sent += 1;
        let victim = thief.victim;
        let asked = Asked {
            asker: THIEVES + number,
            frame_number: thief.client.frame_number,
            slot: *thief.client.destination.slot(),
            verb: frame.verb(),
            frame: frame.bytes().to_vec(),
        };
        let (user, frame_number) = (asked.asker, asked.frame_number);
        self.asks(user, victim);
        match node {
            Some(node) => self.hand_in(&asked, node, 1),
            None => self.ask(asked),
        }
        self.at(patience_ms(), Event::Timeout { user, frame_number });
    }

    /// Nothing came back in time.
    pub(crate) fn thief_timeout(&mut self, asker: usize, frame_number: u64) {
        let number = asker - THIEVES;
        let thief = &mut self.foe.thieves[number];
        if thief.client.frame_number != frame_number {
            return;
        }
        if thief.sent > PATIENCE {
            thief.client.abandon();
            self.besieger_learns(asker, None);
        } else {
            self.thief_sends(number, None);
        }
    }

    pub(crate) fn thief_learns(
        &mut self,
        asker: usize,
        frame_number: u64,
        frame: &[u8],
        held: &[u64],
    ) {
        let number = asker - THIEVES;
        let thief = &mut self.foe.thieves[number];
        let victim = thief.victim;
        let over = thief.client.frame_number != frame_number || thief.client.frame().is_none();
        if over && let Some(late) = thief.client.on_late_answer(frame_number, frame) {
            return self.learns_late(victim, (asker, frame_number), late);
        }
        let owned = thief.client.stored || thief.client.maybe_stored;
        let learned = thief.client.on_answer(frame_number, frame);
        let told = thief.client.told.take();
        self.is_told((asker, frame_number), told);
        self.say(Kind::Client, About::Asker(asker), || {
            format!("the thief of user {victim} {learned}")
        });
        match learned {
            Learned::More(by) => {
                self.foe.thieves[number].began_ms = by.now_ms;
                self.signed(asker, frame_number, &by, held);
                self.thief_sends(number, None);
            }
            Learned::Guessed(by, _, guess) => {
                self.signed(asker, frame_number, &by, held);
                self.guessed(victim, (asker, frame_number), &guess, &by, false);
                if self.foe.thieves[number].lazy || self.besieges(asker) {
                    self.foe.thieves[number].client.abandon();
                    self.besieger_learns(asker, Some((&guess.budget, &by)));
                } else {
                    self.thief_sends(number, None);
                }
            }
            Learned::Key(by, ..) => {
                self.signed(asker, frame_number, &by, held);
                let story = format!("a thief got user {victim}'s key with a wrong password");
                self.oracle.inv8_kept(false, story);
            }
            Learned::Stored(by, effective_ms, destroyed) => {
                self.signed(asker, frame_number, &by, held);
                let waited = by.now_ms.saturating_sub(self.foe.thieves[number].began_ms);
                let early = waited < self.plan.policy.replace_ms;
                let taken = effective_ms == 0 && destroyed.is_some() && early && !owned;
                let story = format!("a thief replaced user {victim}'s record in {waited} ms");
                self.oracle.inv8_kept(!taken, story);
            }
            Learned::Wait(by, _, budget) => {
                self.signed(asker, frame_number, &by, held);
                self.oracle.inv1_told(victim, &budget, by.index, &self.plan.policy);
                self.besieger_learns(asker, Some((&budget, &by)));
            }
            Learned::Done(by) | Learned::Nothing(by, _) => {
                self.signed(asker, frame_number, &by, held);
                self.besieger_learns(asker, None);
            }
            Learned::Refused(_) => {
                self.foe.thieves[number].client.abandon();
                self.besieger_learns(asker, None);
            }
            Learned::Stale => {}
        }
    }
}
