//! All slots of a fleet, and the one door through which they change.

use crate::{
    effect::Effect,
    entry::{Command, Entry, Spending},
    salt::Salt,
    slot::{Attempt, AttemptState, SlotState},
    timers::{Deadlines, Due, Timers},
};
use core::hint::black_box;
use std::collections::{BTreeMap, BTreeSet};
use strongroom_manifest::Policy;
use strongroom_wire::{
    Slot,
    response::{Outcome, Refusal},
    ticket::TICKET_LIFE_MS_MAX,
};

/// Limits that are compiled into a vault, not agreed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Slots that one fleet holds.
    pub slots: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // A snapshot is one message of at most 60 MiB, and a slot that somebody fills on purpose
        // takes two and a half kilobytes with its salts: the fleet says that it is full before a
        // snapshot could fail.
        Self { slots: 19_000 }
    }
}

/// The replicated state.
#[derive(Debug, Clone)]
pub struct State {
    pub(crate) now_ms: u64,
    pub(crate) era: u64,
    pub(crate) erased_through: u64,
    pub(crate) policies: BTreeMap<u64, Policy>,
    pub(crate) slots: BTreeMap<Slot, SlotState>,
    pub(crate) tickets: BTreeSet<Spending>,
    pub(crate) locks_ms: Vec<u64>,
    /// Slots whose last attempt is open: each may still lock. Rebuilt, never encoded.
    pub(crate) held: BTreeSet<Slot>,
    /// Live records. Rebuilt, never encoded.
    pub(crate) records: usize,
    pub(crate) timers: Timers,
    limits: Limits,
}

/// What a transition of one slot works with.
pub(crate) struct Context {
    pub(crate) now_ms: u64,
    pub(crate) index: u64,
    /// The ticket moved a slot before, or is outside its time: nothing new may come of it.
    pub(crate) spent: bool,
    /// The policy of new records.
    pub(crate) policy: Policy,
    pub(crate) policy_epoch: u64,
}

impl State {
    /// A state without slots, under the first epoch's policy.
    pub fn new(epoch: u64, policy: Policy, limits: Limits) -> Self {
        Self {
            now_ms: 0,
            era: 0,
            erased_through: 0,
            policies: BTreeMap::from([(epoch, policy)]),
            slots: BTreeMap::new(),
            tickets: BTreeSet::new(),
            locks_ms: Vec::new(),
            held: BTreeSet::new(),
            records: 0,
            timers: Timers::default(),
            limits,
        }
    }

    /// A state before any policy was agreed on. Epochs begin at 1, and the entry that adopts one comes
    /// before all requests: what a restarted node reads from its log alone had the policies of then.
    pub fn before_all_epochs() -> Self {
        Self::new(0, Policy::standard(), Limits::default())
    }

    /// Agreed vault time: it never goes back.
    pub const fn now_ms(&self) -> u64 {
        self.now_ms
    }

    /// The era in which entries are applied.
    pub const fn era(&self) -> u64 {
        self.era
    }

    /// The newest manifest epoch adopted.
    pub fn policy_epoch(&self) -> u64 {
        self.policies.last_key_value().map_or(0, |(epoch, _)| *epoch)
    }

    /// One slot, if it holds anything.
    pub fn slot(&self, slot: &Slot) -> Option<&SlotState> {
        self.slots.get(slot)
    }

    /// That slot, or another one that holds something: what an empty slot is treated like where work
    /// takes time (INV-3). A made-up one would lie in the processor's cache.
    pub fn slot_or_next(&self, slot: &Slot) -> Option<&SlotState> {
        self.slots.range(slot..).chain(&self.slots).next().map(|(_, state)| state)
    }

    /// How many slots hold anything.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether no slot holds anything.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Live records.
    pub const fn records(&self) -> usize {
        self.records
    }

    /// Every node has forgotten the erasure keys of compactions up to this index.
    pub const fn erased_through(&self) -> u64 {
        self.erased_through
    }

    /// How many records hang on a last attempt that is open.
    pub fn held(&self) -> usize {
        self.held.len()
    }

    /// How many deadlines are kept.
    pub fn deadlines(&self) -> usize {
        self.timers.len()
    }

    /// The policy that binds a slot now: what its record was registered under, never loosened.
    pub fn policy_of(&self, slot: &SlotState) -> Policy {
        let current = self.current_policy();
        let epoch = slot.record.as_ref().map(|record| record.policy_epoch);
        match epoch.and_then(|epoch| self.policies.get(&epoch)) {
            Some(registered) => registered.tightened_by(&current),
            None => current,
        }
    }

    /// The newest epoch's policy.
    pub fn current_policy(&self) -> Policy {
        self.policies.last_key_value().map_or_else(Policy::standard, |(_, policy)| policy.clone())
    }

    /// Applies one committed entry: the same on every node.
    ///
    /// `salt` came beside the entry; it is missing where the entry is replayed from a disk whose
    /// salts are gone.
    pub fn apply(&mut self, index: u64, entry: &Entry, salt: Option<[u8; 32]>) -> Effect {
        // INV-4: a leader whose clock is behind moves nothing back.
        let kept_ms = if cfg!(feature = "danger_mutant_time_goes_back") { 0 } else { self.now_ms };
        self.now_ms = kept_ms.max(entry.time_ms);
        self.settle_due(index);
        let spent = entry.ticket.is_some_and(|ticket| self.spend(ticket));
        let cx = Context {
            now_ms: self.now_ms,
            index,
            spent,
            policy: self.current_policy(),
            policy_epoch: self.policy_epoch(),
        };
        let slot = entry.slot;
        // INV-3: whoever looks a slot up waits for its memory.
        black_box(self.slot_or_next(&slot).map(|state| {
            let policy = self.policy_of(state);
            (state.counters.view(&policy, cx.now_ms), state.clone())
        }));
        let before = self.deadlines_of(&slot);
        let effect = match &entry.command {
            Command::RegisterStart { request, entry, salt: digest, keyset } => {
                let fresh = salt.map(Salt::new).filter(|salt| salt.digest() == digest.0);
                self.register_start(&cx, slot, *request, *entry, fresh, *keyset)
            }
            Command::RegisterFinish { registration, authorised } => {
                self.register_finish(&cx, slot, registration, authorised)
            }
            Command::RecoverStart { ke1, seed } => self.recover_start(&cx, slot, *ke1, *seed),
            finish @ Command::RecoverFinish { .. } => self.recover_finish(&cx, slot, finish),
            owner @ Command::Owner { .. } => self.owner(&cx, slot, owner),
            Command::Budget {} => self.budget(&cx, slot),
            Command::Refused { why } => {
                Effect::Plain(Outcome::Refused { why: *why, generation: 0 })
            }
            Command::Tick {} => Effect::None,
            Command::Era { era, window_ms } => self.begin_era(*era, *window_ms),
            Command::Adopt { epoch, policy } => self.adopt(*epoch, policy),
            Command::Erased { through } => {
                self.erased_through = self.erased_through.max(*through);
                Effect::None
            }
        };
        self.follow(slot, &before);
        effect
    }

    fn deadlines_of(&self, slot: &Slot) -> Deadlines {
        self.slots.get(slot).map_or([None; 3], SlotState::deadlines)
    }

    /// What is derived from a slot follows it: a node that reads a snapshot derives the same.
    fn follow(&mut self, slot: Slot, before: &Deadlines) {
        let after = self.deadlines_of(&slot);
        self.timers.follow(slot, before, &after);
        if after.iter().flatten().any(|(_, due)| *due == Due::Attempt) {
            self.held.insert(slot);
        } else {
            self.held.remove(&slot);
        }
    }

    /// Marks a ticket as used. True if it was used before or is outside its time.
    fn spend(&mut self, ticket: Spending) -> bool {
        while self.tickets.first().is_some_and(|first| first.expires_ms < self.now_ms) {
            self.tickets.pop_first();
        }
        let latest = self.now_ms.saturating_add(TICKET_LIFE_MS_MAX);
        let in_time = ticket.expires_ms >= self.now_ms && ticket.expires_ms <= latest;
        let again = cfg!(feature = "danger_mutant_tickets_again");
        !again && (!in_time || !self.tickets.insert(ticket))
    }

    fn begin_era(&mut self, era: u64, window_ms: u64) -> Effect {
        if era <= self.era {
            return Effect::None;
        }
        self.era = era;
        let now_ms = self.now_ms;
        if window_ms > 0 {
            let policies: Vec<(Slot, Policy)> =
                self.slots.iter().map(|(slot, state)| (*slot, self.policy_of(state))).collect();
            for (slot, policy) in policies {
                let failures = policy.attempts_within(window_ms);
                if let Some(state) = self.slots.get_mut(&slot) {
                    state.counters.debit(&policy, now_ms, failures);
                    if cfg!(feature = "danger_mutant_refund_on_era") {
                        state.counters.succeed(0);
                    }
                }
            }
        }
        Effect::None
    }

    fn adopt(&mut self, epoch: u64, policy: &Policy) -> Effect {
        if epoch > self.policy_epoch() {
            self.policies.insert(epoch, policy.clone());
        }
        Effect::None
    }

    /// Whether one more slot may hold something.
    pub(crate) fn has_room(&self, slot: &Slot) -> bool {
        self.slots.contains_key(slot) || self.slots.len() < self.limits.slots
    }

    /// Whether one more record may lock within the window; if not, when to ask again.
    ///
    /// Delay never adds an attempt; it denies whoever holds a ticket key a button that destroys
    /// every record of a fleet.
    pub(crate) fn lock_ceiling(&mut self, policy: &Policy) -> Result<(), u64> {
        let now = self.now_ms;
        // The list is the fleet's, and an older policy's window may be shorter than a newer one's.
        let longest = self.policies.values().map(|policy| policy.lock_window_ms).max();
        self.locks_ms.retain(|at| now.saturating_sub(*at) < longest.unwrap_or(u64::MAX));
        let inside = |at: &&u64| now.saturating_sub(**at) < policy.lock_window_ms;
        let share = (self.records as u64)
            .saturating_mul(policy.lock_ceiling_per_mille)
            .checked_div(1_000)
            .unwrap_or(0);
        let locked = self.locks_ms.iter().filter(inside).count();
        let under_way = locked.saturating_add(self.held.len()) as u64;
        if under_way < policy.lock_ceiling.max(share) {
            return Ok(());
        }
        let oldest = self.locks_ms.iter().find(inside).copied();
        let freed = oldest.map(|at| at.saturating_add(policy.lock_window_ms));
        Err(freed.unwrap_or_else(|| now.saturating_add(policy.open_ms)))
    }

    /// Everything whose time has come, before the entry that told the time is looked at.
    fn settle_due(&mut self, index: u64) {
        while let Some(slot) = self.timers.pop_due(self.now_ms) {
            self.settle(slot, index);
        }
    }

    fn settle(&mut self, slot: Slot, index: u64) {
        let (now_ms, before) = (self.now_ms, self.deadlines_of(&slot));
        let Some(state) = self.slots.get_mut(&slot) else {
            return;
        };
        if state.pending.as_ref().is_some_and(|pending| now_ms > pending.expires_ms) {
            state.pending = None;
        }
        if state.held_attempt().is_some_and(|a| !is_open(a, now_ms)) {
            self.lock(slot, index);
        }
        self.take_due_replacement(slot, index);
        if self.slots.get(&slot).is_some_and(SlotState::is_empty) {
            self.slots.remove(&slot);
        }
        self.follow(slot, &before);
    }

    /// The last attempt brought nothing: the record is erased, for good.
    pub(crate) fn lock(&mut self, slot: Slot, index: u64) {
        if let Some(state) = self.slots.get_mut(&slot)
            && state.destroy(index, true).is_some()
        {
            self.records = self.records.saturating_sub(1);
            self.locks_ms.push(self.now_ms);
            if cfg!(feature = "danger_mutant_forget_tombstone") {
                self.slots.remove(&slot);
            }
        }
    }
}

/// Whether an attempt may still succeed.
pub(crate) fn is_open(attempt: &Attempt, now_ms: u64) -> bool {
    attempt.state == AttemptState::Open && now_ms <= attempt.expires_ms
}

/// A refusal that cost nothing.
pub(crate) const fn refused(why: Refusal, generation: u64) -> Effect {
    Effect::Plain(Outcome::Refused { why, generation })
}
