//! Requests on their way to a fleet: held back, held up, handed to many, handed in again.
//!
//! The gateway is the operator's: it mints tickets for whatever passes.

use super::super::{About, Event, World};
use super::thief::{self, THIEVES};
use crate::{acts::Act, client::User, hardware::EPOCH_MS, lots::Whose, trace::Kind};
use strongroom_wire::{Slot, request::Verb};

/// Requests that the operator remembers.
const SEEN: usize = 512;
/// Longest time for which requests are held back, and held up.
const HOARD_MS: u64 = 30_000;
const HELD_UP_MS: u64 = 9_000;

/// The number of frames that nobody waits for.
const NOBODYS: u64 = u64::MAX;

/// A request that passed, when, and with which ticket, if it was handed in.
pub(crate) struct Seen {
    at_ms: u64,
    pub(super) asked: Asked,
    ticket: Option<Vec<u8>>,
}

/// One request, and who asks.
#[derive(Clone)]
pub(crate) struct Asked {
    /// A user's number, or a thief's.
    pub(crate) asker: usize,
    pub(crate) frame_number: u64,
    pub(crate) slot: Slot,
    pub(crate) verb: Verb,
    pub(crate) frame: Vec<u8>,
}

impl World {
    /// Carries a request to some node, or does something else with it.
    pub(crate) fn ask(&mut self, asked: Asked) {
        let mut node = self.some_node(asked.asker);
        let lots = self.lots.of(Whose::Asker(asked.asker));
        let mut after = 1 + lots.below(self.plan.delay_ms);
        if self.at_large() {
            if self.siege_holds(&asked) {
                return self.remember(asked, None);
            }
            if self.hoards(&asked) {
                self.says_of(&asked, "is held back");
                let now = self.now();
                self.foe.hoard.push((now, asked.clone()));
                return self.remember(asked, None);
            }
            if let Some(wait_ms) = self.outwaits(&asked) {
                after = wait_ms;
            }
            if self.may(Act::SpreadRequest, self.foe.strategy.weight(Act::SpreadRequest)) {
                for _ in 0..1 + self.foe.below(3) {
                    let (node, after) = (self.foe.below(self.count()), self.foe.dice.below(30));
                    self.hand_in(&asked, node, after);
                }
            }
            if self.may(Act::DelayRequest, self.foe.strategy.weight(Act::DelayRequest)) {
                after += self.foe.dice.below(HELD_UP_MS);
            }
            self.ask_behind(&asked, after);
            node = self.accompany(&asked, after).unwrap_or(node);
            if asked.verb == Verb::RecoverFinish {
                self.sicken_leader(after);
            }
        }
        let ticket = self.mint(&asked);
        self.relay_with(&asked, ticket.clone(), node, after);
        self.remember(asked, Some(ticket));
    }

    pub(super) fn says_of(&self, asked: &Asked, what: &str) {
        self.say(Kind::Host, About::Asker(asked.asker), || {
            format!("{} of {} {what}", asked.verb.name(), self.asker(asked.asker))
        });
    }

    fn remember(&mut self, asked: Asked, ticket: Option<Vec<u8>>) {
        let at_ms = self.now();
        self.foe.seen.push_back(Seen { at_ms, asked, ticket });
        if self.foe.seen.len() > SEEN {
            self.foe.seen.pop_front();
        }
    }

    /// Behind a registration comes, once more, what was last asked of the record that it replaces.
    fn ask_behind(&mut self, asked: &Asked, after: u64) {
        let weight = 10 * self.foe.strategy.weight(Act::ReplayRequest);
        let victim = self.owner_of(asked.asker).filter(|user| self.is_victim(*user));
        let Some(victim) = victim.filter(|_| asked.verb == Verb::RegisterFinish) else {
            return;
        };
        let start =
            |seen: &&Seen| seen.asked.verb == Verb::RecoverStart && seen.asked.slot == asked.slot;
        let Some(last) = self.foe.seen.iter().rev().find(start).map(|seen| seen.asked.clone())
        else {
            return;
        };
        if self.may(Act::ReplayRequest, weight) {
            self.touch(victim);
            let (node, later) = (self.foe.below(self.count()), self.foe.dice.below(600));
            self.hand_in(&last, node, after + 20 + later);
        }
    }

    /// Two strangers begin to register at the slot of a row's last attempt, one in the same moment and one
    /// later: what each of them waits for has a deadline of its own. All goes to the node that leads; what
    /// comes behind is held back until the attempt is over.
    fn accompany(&mut self, asked: &Asked, after: u64) -> Option<usize> {
        let victim = self.owner_of(asked.asker).filter(|user| self.is_victim(*user))?;
        if asked.verb != Verb::RecoverStart {
            return None;
        }
        let place = self.leader()?;
        let leader = self.node_of(place);
        // Whoever has a ticket may ask how much of a row is left.
        let state = self.nodes[place].vault.as_ref()?.danger_state();
        let now_ms = state.now_ms();
        let left = state.slot(&asked.slot)?.counters.view(&self.plan.policy, now_ms).row_left;
        let weight = self.foe.strategy.weight(Act::Accompany);
        if left != 1 || !self.may(Act::Accompany, weight) {
            return None;
        }
        self.touch(victim);
        if self.plan.policy.open_ms <= HOARD_MS {
            let until = self.now() + after + self.plan.policy.open_ms + 500;
            self.foe.hoarding.insert(asked.asker, until);
        }
        let asker = THIEVES + self.thief_of(victim);
        for after in [after, after + 50 + self.foe.dice.below(2_000)] {
            let seeds = [self.foe.dice.bytes(), self.foe.dice.bytes()];
            let mut stranger = User::thief(&self.users[victim], seeds[0]);
            stranger.enroll(seeds[1]);
            if let Some(frame) = stranger.frame() {
                let frame_number = NOBODYS;
                let (verb, frame) = (frame.verb(), frame.bytes().to_vec());
                let asked = Asked { asker, frame_number, slot: asked.slot, verb, frame };
                self.hand_in(&asked, leader, after);
            }
        }
        Some(leader)
    }

    /// Finishes are worth most: a user's right one refills a row.
    fn hoards(&mut self, asked: &Asked) -> bool {
        let now = self.now();
        if self.foe.hoarding.get(&asked.asker).is_some_and(|until| *until > now) {
            return true;
        }
        let weight = self.foe.strategy.weight(Act::Hoard);
        let weight = if ends_something(asked) { weight } else { weight / 4 };
        if weight == 0 || !self.may(Act::Hoard, weight) {
            return false;
        }
        // What the device sends again meanwhile is held back too.
        let until = now + self.foe.dice.below(HOARD_MS);
        self.foe.hoarding.insert(asked.asker, until);
        true
    }

    /// A finish may be held up until what it ends is over by itself.
    fn outwaits(&mut self, asked: &Asked) -> Option<u64> {
        let open_ms = self.plan.policy.open_ms;
        let weight = self.foe.strategy.weight(Act::Outwait);
        if open_ms > HOARD_MS || !ends_something(asked) || !self.may(Act::Outwait, weight) {
            return None;
        }
        let wait_ms = open_ms + self.foe.dice.below(2_000);
        self.foe.hoarding.insert(asked.asker, self.now() + wait_ms + 500);
        self.siege_outwaits(asked, wait_ms);
        self.says_of(asked, "is held up");
        Some(wait_ms)
    }

    fn mint(&mut self, asked: &Asked) -> Vec<u8> {
        let now_ms = EPOCH_MS + self.now();
        let lots = self.lots.of(Whose::Asker(asked.asker));
        self.ceremony.ticket(&mut lots.0, &asked.slot, asked.verb, &asked.frame, now_ms)
    }

    /// Hands a request to a node, with a ticket of now.
    pub(super) fn hand_in(&mut self, asked: &Asked, node: usize, after: u64) {
        let ticket = self.mint(asked);
        self.relay_with(asked, ticket, node, after);
    }

    fn relay_with(&mut self, asked: &Asked, ticket: Vec<u8>, node: usize, after: u64) {
        let Asked { asker, frame_number, frame, .. } = asked.clone();
        self.at(after, Event::Request { node, user: asker, frame_number, ticket, frame });
    }

    /// Delivers what was held back; likes to do it right behind a guess of its own, to the node that
    /// leads.
    pub(super) fn release_hoard(&mut self) -> bool {
        if self.foe.hoard.is_empty() {
            return false;
        }
        let pick = self.foe.below(self.foe.hoard.len());
        let (_, asked) = self.foe.hoard.swap_remove(pick);
        self.foe.hoarding.remove(&asked.asker);
        let leader = self.leader().map(|place| self.node_of(place));
        let node = leader.unwrap_or_else(|| self.foe.below(self.count()));
        if self.foe.dice.chance(600) && self.is_victim(asked.asker) {
            self.thief_at(asked.asker, thief::Aim::Guess, Some(node));
        }
        self.says_of(&asked, "is let go");
        self.hand_in(&asked, node, 1);
        true
    }

    /// When faults stop, everything that was held back arrives.
    pub(crate) fn empty_hoard(&mut self) {
        self.foe.hoarding.clear();
        for (_, asked) in core::mem::take(&mut self.foe.hoard) {
            let (node, after) = (self.foe.below(self.count()), self.foe.dice.below(500));
            self.hand_in(&asked, node, after);
        }
    }

    /// A request that passed before: as it was, with a new ticket, or for something else.
    pub(super) fn replay_request(&mut self) -> bool {
        let Some((mut asked, ticket)) = self.old_request() else {
            return false;
        };
        let Some(victim) = self.owner_of(asked.asker).filter(|user| self.is_victim(*user)) else {
            return false;
        };
        // The same KE1 once more may be an attempt of its own, when the first is long over.
        self.touch(victim);
        let node = self.foe.below(self.count());
        self.says_of(&asked, "once more");
        if let Some(ticket) = ticket.filter(|_| self.foe.dice.chance(500)) {
            self.relay_with(&asked, ticket, node, 1);
            return true;
        }
        match self.foe.below(6) {
            0 => {
                let verbs = [Verb::RecoverStart, Verb::Destroy, Verb::Status, Verb::Budget];
                asked.verb = verbs[self.foe.below(verbs.len())];
            }
            1 => {
                let other = self.foe.below(self.users.len());
                asked.slot = *self.users[other].destination.slot();
            }
            _ => {}
        }
        self.hand_in(&asked, node, 1);
        true
    }

    /// Any that is remembered, or one that began an attempt that is over by now.
    fn old_request(&mut self) -> Option<(Asked, Option<Vec<u8>>)> {
        let over_ms = self.now().saturating_sub(self.plan.policy.open_ms);
        let over = |seen: &Seen| seen.asked.verb == Verb::RecoverStart && seen.at_ms < over_ms;
        let starts = self.foe.seen.iter().enumerate().filter(|(_, seen)| over(seen));
        let starts: Vec<usize> = starts.map(|(at, _)| at).collect();
        let pick = if !starts.is_empty() && self.foe.dice.chance(500) {
            starts[self.foe.below(starts.len())]
        } else {
            self.foe.below(self.foe.seen.len())
        };
        self.foe.seen.get(pick).map(|seen| (seen.asked.clone(), seen.ticket.clone()))
    }
}

fn ends_something(asked: &Asked) -> bool {
    matches!(asked.verb, Verb::RecoverFinish | Verb::RegisterFinish)
}
