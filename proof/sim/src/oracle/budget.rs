//! INV-1, counted from answers alone: which guesses were answered, and which charge paid for each.

use super::Oracle;
use crate::client::Guess;
use std::collections::{BTreeMap, BTreeSet};
use strongroom_manifest::Policy;
use strongroom_protocol::Voucher;
use strongroom_wire::response::Budget;

/// Who asked, and with which of its frames.
pub type Asked = (usize, u64);

/// A guess at a user's slot that was answered, to whomever.
#[derive(Debug)]
pub struct Answered<'a> {
    /// Whose slot.
    pub user: usize,
    /// Who asked.
    pub asked: Asked,
    /// What the answer said.
    pub guess: &'a Guess,
    /// Whether a right finish is on its way since.
    pub finished: bool,
    /// Whether a record answered. What an empty slot answers is called the first attempt, too.
    pub sure: bool,
    /// Who signed it.
    pub by: &'a Voucher,
}

/// What became of a guess, as far as anybody was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Failed,
    /// A right finish is under way: it may succeed long before anybody hears of it.
    Unheard,
    /// Where the log released the key.
    Succeeded(u64),
}

/// One charged attempt.
#[derive(Debug)]
struct Attempt {
    asked: Asked,
    sure: bool,
    generation: u64,
    /// Where the log answered it, first and last, in the order of answers seen.
    first: u64,
    last: u64,
    /// It was charged behind this index.
    behind: u64,
    /// It is closed then, at the latest.
    closes_ms: u64,
    verdict: Verdict,
}

/// A start that lost charges: its index is not above this one.
#[derive(Debug, Clone, Copy)]
struct Era {
    index: u64,
}

/// What was seen of one user's slot.
#[derive(Debug, Default)]
pub(super) struct Slot {
    attempts: BTreeMap<u64, Attempt>,
    /// The highest attempt that succeeded.
    success: u64,
    /// Since which starts the slot has had a record.
    eras: Vec<Era>,
    stored: bool,
}

/// A request that reached vaults.
#[derive(Debug, Default)]
pub(super) struct Handed {
    /// The highest index and vault time that was answered before.
    index: u64,
    now_ms: u64,
    /// The tickets that came with it.
    tickets: BTreeSet<u64>,
}

impl Slot {
    /// Row after row since the last success: how many of them had to be granted, or nothing if no
    /// grants explain what was answered.
    ///
    /// A grant comes with another generation. Where a finish went unheard the row may have begun
    /// anew for nothing.
    fn grants_needed(&self, policy: &Policy) -> Option<u8> {
        let (mut row, mut since_generation, mut grants) = (0_u8, 0_u8, 0_u8);
        let mut generation = 0;
        for attempt in self.attempts.range(self.success + 1..).map(|(_, attempt)| attempt) {
            if attempt.generation != generation {
                (generation, since_generation) = (attempt.generation, 0);
            }
            (row, since_generation) = (row + 1, since_generation + 1);
            if row > policy.row {
                if since_generation == row {
                    return None;
                }
                (row, grants) = (since_generation, grants + 1);
            }
            if attempt.verdict == Verdict::Unheard {
                (row, since_generation) = (0, 0);
            }
        }
        Some(grants)
    }

    /// What the year holds at an index at least: failures, and what starts counted as lost.
    fn year(&self, policy: &Policy, lost: usize, index: u64) -> usize {
        let full = usize::from(policy.year);
        let before = |at: u64| {
            let all = self.attempts.values().filter(move |a| a.first <= index && a.behind < at);
            let failed = |a: &&Attempt| a.verdict == Verdict::Failed;
            all.clone().filter(failed).count()
        };
        // It may have been open at the start, and a failure until it succeeded.
        let open = |at: u64| {
            let may = |a: &&Attempt| match a.verdict {
                Verdict::Failed => false,
                Verdict::Unheard => a.behind < at,
                Verdict::Succeeded(index) => a.behind < at && index >= at,
            };
            self.attempts.values().filter(may).count()
        };
        let mut held = 0;
        let mut counted = 0;
        for era in self.eras.iter().filter(|era| era.index < index) {
            let failed = before(era.index);
            held += failed.saturating_sub(counted);
            counted = failed;
            let room = full.saturating_sub(open(era.index));
            held = held.max((held + lost).min(room));
        }
        held + before(u64::MAX).saturating_sub(counted)
    }
}

impl Oracle {
    /// A request reaches a vault: what it causes comes behind all that was answered before.
    pub fn handed_in(&mut self, asked: Asked, ticket: u64) {
        let newest = self.answered.last_key_value();
        let (index, now_ms) = newest.map_or((0, 0), |(index, (_, now_ms))| (*index, *now_ms));
        let first = || Handed { index, now_ms, ..Handed::default() };
        self.handed_in.entry(asked).or_insert_with(first).tickets.insert(ticket);
    }

    /// A record is stored in this user's slot.
    pub fn inv1_stored(&mut self, user: usize) {
        self.slots.entry(user).or_default().stored = true;
    }

    /// A vault counts what a start lost; nothing behind it was answered yet.
    pub fn inv1_era(&mut self, era: u64, index: u64) {
        if era <= self.era {
            return;
        }
        self.era = era;
        if era > 1 {
            for slot in self.slots.values_mut().filter(|slot| slot.stored) {
                slot.eras.push(Era { index });
            }
        }
    }

    /// The newest era that a vault counted.
    pub const fn era(&self) -> u64 {
        self.era
    }

    /// A guess at one user's slot was answered, to whoever asked: one charge pays for it, and row
    /// and year have room for it.
    pub fn inv1_guess_answered(&mut self, answered: &Answered<'_>, policy: &Policy) {
        let Answered { user, asked, guess, finished, sure, by } = *answered;
        let behind = self.handed_in.get(&asked).map_or(0, |handed| handed.index);
        let slot = self.slots.entry(user).or_default();
        let number = guess.attempt;
        let new = Attempt {
            asked,
            sure,
            generation: guess.generation,
            first: by.index,
            last: by.index,
            behind,
            closes_ms: by.now_ms + policy.open_ms,
            verdict: Verdict::Failed,
        };
        let known = slot.attempts.entry(number).or_insert(new);
        if finished && known.verdict == Verdict::Failed {
            known.verdict = Verdict::Unheard;
        }
        known.sure &= sure;
        if known.sure {
            self.inv1_one_guess_a_charge(answered, policy);
            self.inv1_in_order(user, number, by.index);
            self.inv4_ticket_once(user, asked);
            self.inv1_told(user, &guess.budget, by.index, policy);
        }
        self.inv1_within(user, policy);
    }

    /// A charge pays for one KE1 under one generation.
    fn inv1_one_guess_a_charge(&mut self, answered: &Answered<'_>, policy: &Policy) {
        let Answered { user, asked, guess, by, .. } = *answered;
        let number = guess.attempt;
        let slot = self.slots.entry(user).or_default();
        let Some(known) = slot.attempts.get_mut(&number) else {
            return;
        };
        known.closes_ms = known.closes_ms.min(by.now_ms + policy.open_ms);
        if (known.asked, known.generation) != (asked, guess.generation) {
            let story = format!(
                "user {user}: attempt {number} paid for frame {:?} under generation {}, and for \
                 frame {asked:?} under {}",
                known.asked, known.generation, guess.generation
            );
            self.fail("INV-1", "one-guess-a-charge", story);
        }
    }

    /// One attempt is open at a time: where a later one was answered, an earlier one is over.
    fn inv1_in_order(&mut self, user: usize, number: u64, index: u64) {
        let slot = self.slots.entry(user).or_default();
        if let Some(known) = slot.attempts.get_mut(&number) {
            (known.first, known.last) = (known.first.min(index), known.last.max(index));
        }
        let Some(Attempt { first, last, .. }) = slot.attempts.get(&number) else {
            return;
        };
        let later = slot.attempts.range(number + 1..).find(|(_, later)| later.first < *last);
        let over = |earlier: &Attempt| earlier.sure && earlier.last > *first;
        let earlier = slot.attempts.range(..number).find(|(_, earlier)| over(earlier));
        let story = match (later, earlier) {
            (Some((later, at)), _) => Some((number, *last, *later, at.first)),
            (_, Some((earlier, at))) => Some((*earlier, at.last, number, *first)),
            _ => None,
        };
        if let Some((one, at, other, before)) = story {
            let story = format!(
                "user {user}: attempt {one} lives at index {at}, closed by attempt {other} at {before}"
            );
            self.fail("INV-1", "in-order", story);
        }
    }

    /// INV-4: a ticket moves a slot once. One that is spent may be told what another one opened.
    fn inv4_ticket_once(&mut self, user: usize, asked: Asked) {
        let tickets = self.handed_in.get(&asked).map_or(0, |handed| handed.tickets.len());
        let attempts = self.slots.entry(user).or_default().attempts.values();
        let opened = attempts.filter(|attempt| attempt.sure && attempt.asked == asked).count();
        if opened > tickets {
            let story = format!("user {user}: {tickets} tickets opened {opened} attempts");
            self.fail("INV-4", "ticket-once", story);
        }
    }

    /// A row's last attempt, failed or expired, ends the record: none is open when its time is over.
    pub fn inv1_settled(&mut self, over: Option<usize>) {
        if let Some(user) = over {
            let story = format!("user {user}: the row's last attempt is open after its time");
            self.fail("INV-1", "settled", story);
        }
    }

    /// What the fleet says of a budget at an index leaves no more than what was not answered yet.
    pub fn inv1_told(&mut self, user: usize, told: &Budget, index: u64, policy: &Policy) {
        let lost = usize::from(policy.attempts_within(UNWITNESSED_MS));
        let held = self.slots.entry(user).or_default().year(policy, lost, index);
        let left = usize::from(told.year_left);
        if held + left > usize::from(policy.year) {
            let story = format!(
                "user {user}: the year has {left} attempts left at index {index}, after {held}"
            );
            self.fail("INV-1", "budget-told", story);
        }
    }

    fn inv1_within(&mut self, user: usize, policy: &Policy) {
        let lost = usize::from(policy.attempts_within(UNWITNESSED_MS));
        let slot = self.slots.entry(user).or_default();
        let (grants, held) = (slot.grants_needed(policy), slot.year(policy, lost, u64::MAX));
        if grants.is_none_or(|grants| grants > policy.grants) {
            let since = slot.attempts.range(slot.success + 1..).count();
            let story = format!("user {user}: {since} guesses answered since the last success");
            self.fail("INV-1", "row", story);
        }
        if held > usize::from(policy.year) {
            let story = format!("user {user}: {held} failures in a year, lost ones included");
            self.fail("INV-1", "year", story);
        }
    }

    /// The user proved the password: the row begins anew and that attempt is no failure. It was
    /// open when its finish first reached a vault, and nothing had closed it.
    pub fn inv1_success(&mut self, user: usize, asked: Asked, number: u64, by: &Voucher) {
        let handed_ms = self.handed_in.get(&asked).map_or(0, |handed| handed.now_ms);
        let slot = self.slots.entry(user).or_default();
        slot.success = slot.success.max(number);
        let Some(known) = slot.attempts.get_mut(&number) else {
            return;
        };
        let index = match known.verdict {
            Verdict::Succeeded(before) => before.min(by.index),
            _ => by.index,
        };
        known.verdict = Verdict::Succeeded(index);
        let (closes_ms, sure) = (known.closes_ms, known.sure);
        if sure && handed_ms > closes_ms {
            let story = format!(
                "user {user}: attempt {number} closed at {closes_ms} ms and succeeded by what came \
                 at {handed_ms}"
            );
            self.fail("INV-1", "success-in-time", story);
        }
        if sure {
            self.inv1_in_order(user, number, by.index);
        }
    }
}

/// A cold start forgets at most this much (spec §10.1).
const UNWITNESSED_MS: u64 = 86_400_000;

#[cfg(test)]
mod tests;
