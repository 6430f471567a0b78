//! Recovery: charged first, then answered (spec §6.3, §10.1).

use crate::{
    effect::{Effect, LoginInputs},
    entry::Command,
    salt::Salt,
    slot::{Attempt, AttemptState, PAST_KEPT, PastAttempt, Record, SlotState, Success},
    state::{Context, State, is_open},
};
use core::hint::black_box;
use strongroom_manifest::Policy;
use strongroom_wire::{
    Fixed, Slot,
    response::{Budget, Failure, Outcome, RecoveryReceipt, WaitReason},
};

impl State {
    /// Charges an attempt, or finds the one that the same KE1 made.
    ///
    /// The same KE1 again is the same attempt: a lost reply or a dead leader costs its owner
    /// nothing. Its answer is computed from the seed committed then, so it tells a guesser nothing
    /// new. Under another generation it is another attempt, and charged: the answer would be new.
    pub(crate) fn recover_start(
        &mut self,
        cx: &Context,
        slot: Slot,
        ke1: Fixed<32>,
        seed: Fixed<32>,
    ) -> Effect {
        let Some((state, policy)) = self.with_policy(slot) else {
            pretend(cx, &Command::Budget {});
            return Effect::StandIn {
                expires_ms: cx.now_ms.saturating_add(cx.policy.open_ms),
                budget: SlotState::default().counters.view(&cx.policy, cx.now_ms),
            };
        };
        let budget = state.counters.view(&policy, cx.now_ms);
        let expires_ms = cx.now_ms.saturating_add(policy.open_ms);
        let Some(record) = state.record.clone() else {
            pretend(cx, &Command::Budget {});
            return Effect::StandIn { expires_ms, budget };
        };
        let same = |a: &&Attempt| {
            let this = a.generation == record.generation
                || cfg!(feature = "danger_mutant_old_ke1_new_generation");
            a.ke1 == ke1 && this && cx.now_ms <= a.expires_ms
        };
        if let Some(attempt) = state.attempt.clone().filter(|a| same(&a)) {
            return challenge(&record, &attempt, budget);
        }
        // A request that was held up on its way, of an attempt that is over, or of a record that its owner
        // has replaced since: nothing is evaluated, so nothing is charged. Charging it would cost its
        // owner two attempts for one password.
        let late = |past: &PastAttempt| past.ke1 == ke1 && cx.now_ms <= past.expires_ms;
        let replaced = |a: &Attempt| a.generation != record.generation;
        let open = state.attempt.iter().filter(|a| replaced(a));
        let open = open.map(|a| PastAttempt { ke1: a.ke1, expires_ms: a.expires_ms });
        let late = state.past.iter().cloned().chain(open).any(|past| late(&past));
        if late && !cfg!(feature = "danger_mutant_late_is_charged") {
            return failed(Failure::Closed, state, &policy, cx.now_ms);
        }
        if cx.spent {
            return refused_spent(record.generation);
        }
        // An open last attempt is not closed by another: the row has no attempt left to give. (Where
        // a later policy made the row shorter than what was charged, one last attempt is left.)
        if state.held_attempt().is_some() {
            let until = state.attempt.as_ref().map_or(expires_ms, |a| a.expires_ms);
            return wait(WaitReason::Row, budget, until);
        }
        if let Some((until, reason)) = state.counters.next(&policy, cx.now_ms) {
            return wait(reason, budget, until);
        }
        let last = state.counters.next_is_last(&policy);
        if last && let Err(until) = self.lock_ceiling(&policy) {
            return wait(WaitReason::LockCeiling, budget, until);
        }
        self.charge(cx, slot, &policy, &record, (ke1, seed), last)
    }

    fn charge(
        &mut self,
        cx: &Context,
        slot: Slot,
        policy: &Policy,
        record: &Record,
        (ke1, seed): (Fixed<32>, Fixed<32>),
        last: bool,
    ) -> Effect {
        let Some(state) = self.slots.get_mut(&slot) else {
            return refused_spent(record.generation);
        };
        let free = cfg!(feature = "danger_mutant_free_new_ke1")
            && state.attempt.as_ref().is_some_and(|open| is_open(open, cx.now_ms));
        state.attempts = state.attempts.saturating_add(1);
        if !free {
            state.counters.charge(policy, cx.now_ms);
        }
        let attempt = Attempt {
            number: state.attempts,
            generation: record.generation,
            ke1,
            seed,
            charged_ms: cx.now_ms,
            expires_ms: cx.now_ms.saturating_add(policy.open_ms),
            state: AttemptState::Open,
            ke3: None,
            last,
        };
        let effect = challenge(record, &attempt, state.counters.view(policy, cx.now_ms));
        #[cfg(feature = "danger_mutant_refund_unfinished")]
        if state.attempt.as_ref().is_some_and(|open| is_open(open, cx.now_ms)) {
            state.counters.refund();
        }
        state.past.retain(|past| cx.now_ms <= past.expires_ms);
        if cfg!(feature = "danger_mutant_held_finish_refills")
            && state.attempt.as_ref().is_some_and(|open| is_open(open, cx.now_ms))
        {
            return effect;
        }
        if let Some(Attempt { ke1, expires_ms, .. }) = state.attempt.replace(attempt) {
            state.past.push(PastAttempt { ke1, expires_ms });
        }
        // Who knows a password succeeds as often as they like, and each time leaves one behind.
        while state.past.len() > PAST_KEPT {
            state.past.remove(0);
        }
        effect
    }

    /// Closes an attempt: a success, once, or a failure.
    pub(crate) fn recover_finish(&mut self, cx: &Context, slot: Slot, finish: &Command) -> Effect {
        let Command::RecoverFinish { attempt: number, ke1, ke3, proved, device, keep_device } =
            finish
        else {
            return Effect::None;
        };
        let Some((state, policy)) = self.with_policy(slot) else {
            pretend(cx, finish);
            return failed(Failure::NoRecord, &SlotState::default(), &cx.policy, cx.now_ms);
        };
        let Some(record) = state.record.clone() else {
            pretend(cx, finish);
            let why = if state.locked { Failure::Locked } else { Failure::NoRecord };
            return failed(why, state, &policy, cx.now_ms);
        };
        let named = |a: &&Attempt| {
            cfg!(feature = "danger_mutant_finish_names_any")
                || (a.number == *number && a.ke1 == *ke1 && a.generation == record.generation)
        };
        let Some(attempt) = state.attempt.clone().filter(|a| named(&a)) else {
            return failed(Failure::Closed, state, &policy, cx.now_ms);
        };
        let repeated = attempt.ke3 == Some(*ke3);
        match attempt.state {
            AttemptState::Succeeded if cfg!(feature = "danger_mutant_replayed_finish_refills") => {}
            AttemptState::Succeeded if repeated => {
                return release(cx, state, &policy, &record, &attempt);
            }
            AttemptState::Failed if repeated => {
                return failed(Failure::WrongPassword, state, &policy, cx.now_ms);
            }
            AttemptState::Open if cfg!(feature = "danger_mutant_expired_attempt_succeeds") => {}
            AttemptState::Open if is_open(&attempt, cx.now_ms) && !cx.spent => {}
            _ => return failed(Failure::Closed, state, &policy, cx.now_ms),
        }
        let closed = Attempt {
            ke3: Some(*ke3),
            state: if proved.is_some() { AttemptState::Succeeded } else { AttemptState::Failed },
            ..attempt
        };
        // INV-3: a finish that proves nothing takes the time of one that does. What comes of it on a
        // copy is dropped.
        let mut succeeded = state.clone();
        let fresh = proved.unwrap_or(*ke3);
        succeeded.succeed(cx.now_ms, &policy, &closed, fresh, *device, *keep_device);
        let released = black_box(release(cx, &succeeded, &policy, &record, &closed));
        if proved.is_none() {
            return self.fail(cx, slot, &policy, closed);
        }
        self.slots.insert(slot, succeeded);
        released
    }

    fn fail(&mut self, cx: &Context, slot: Slot, policy: &Policy, closed: Attempt) -> Effect {
        let mut spent = false;
        if let Some(state) = self.slots.get_mut(&slot) {
            spent = state.held_attempt().is_some();
            state.attempt = Some(closed);
        }
        if spent {
            self.lock(slot, cx.index);
        }
        let why = if spent { Failure::Locked } else { Failure::WrongPassword };
        let effect = match self.slots.get(&slot) {
            Some(state) => failed(why, state, policy, cx.now_ms),
            None => Effect::None,
        };
        // A replacement that waited for this attempt waits no longer.
        self.take_due_replacement(slot, cx.index);
        effect
    }

    /// How many attempts are left, for anybody with a ticket. An unknown slot has them all.
    ///
    /// Where there is no record nothing has to be waited for: an attempt costs nothing there, and
    /// its finish says why.
    pub(crate) fn budget(&self, cx: &Context, slot: Slot) -> Effect {
        let budget = match self.with_policy(slot) {
            Some((state, policy)) => {
                let budget = state.counters.view(&policy, cx.now_ms);
                Budget { next_ms: state.record.as_ref().map_or(0, |_| budget.next_ms), ..budget }
            }
            None => SlotState::default().counters.view(&cx.policy, cx.now_ms),
        };
        Effect::Plain(Outcome::BudgetIs { budget })
    }

    pub(crate) fn with_policy(&self, slot: Slot) -> Option<(&SlotState, Policy)> {
        self.slots.get(&slot).map(|state| (state, self.policy_of(state)))
    }

    fn named(&self, slot: &Slot, attempt: u64, ke1: &[u8; 32]) -> Option<(&Record, &Attempt)> {
        let state = self.slots.get(slot)?;
        let record = state.record.as_ref()?;
        let named = |a: &&Attempt| {
            cfg!(feature = "danger_mutant_finish_names_any")
                || (a.number == attempt && a.ke1.0 == *ke1 && a.generation == record.generation)
        };
        Some((record, state.attempt.as_ref().filter(named)?))
    }

    /// Whether a finish cannot be judged here, although it names an attempt: the record's salt is not
    /// in this vault. That is no wrong password.
    pub fn lacks_salt(&self, slot: &Slot, attempt: u64, ke1: &[u8; 32]) -> bool {
        self.named(slot, attempt, ke1).is_some_and(|(record, _)| record.salt.is_none())
    }

    /// What the proposing node needs to check a finish: the attempt that it names, if it may still
    /// be answered.
    pub fn login_of(&self, slot: &Slot, attempt: u64, ke1: &[u8; 32]) -> Option<LoginInputs> {
        let (record, named) = self.named(slot, attempt, ke1)?;
        Some(LoginInputs {
            generation: record.generation,
            keyset: record.keyset,
            upload: record.upload,
            salt: record.salt.clone()?,
            seed: named.seed,
        })
    }
}

impl SlotState {
    fn succeed(
        &mut self,
        now_ms: u64,
        policy: &Policy,
        closed: &Attempt,
        fresh: Fixed<32>,
        device: Fixed<32>,
        keep_device: bool,
    ) {
        let mut failures_ms = self.counters.failures_ms();
        // The attempt that succeeded was counted as a failure until now; it is none.
        if let Some(at) = failures_ms.iter().rposition(|at| *at == closed.charged_ms) {
            failures_ms.remove(at);
        }
        self.counters.succeed(closed.charged_ms);
        self.attempt = Some(closed.clone());
        // The owner is here: a replacement that nobody authorised is void.
        self.replacement = None;
        self.success = Some(Success {
            attempt: closed.number,
            generation: closed.generation,
            until_ms: now_ms.saturating_add(policy.fresh_ms),
            fresh_key: Some(fresh),
            failures_ms,
        });
        if let Some(record) = &mut self.record {
            record.leave_devices(device, keep_device);
        }
    }
}

/// INV-3: where there is no record, the work that one would make is done on one that is made up. A
/// finish closes an attempt; anything else charges one.
fn pretend(cx: &Context, command: &Command) {
    let record = Record { salt: Some(Salt::new([0; 32])), ..Record::default() };
    let attempt = Attempt::default();
    let mut state = SlotState { record: Some(record.clone()), ..SlotState::default() };
    match command {
        Command::RecoverFinish { ke3, device, keep_device, .. } => {
            state.succeed(cx.now_ms, &cx.policy, &attempt, *ke3, *device, *keep_device);
            black_box(release(cx, &state, &cx.policy, &record, &attempt));
        }
        _ => {
            black_box(state.counters.next(&cx.policy, cx.now_ms));
            state.counters.charge(&cx.policy, cx.now_ms);
            state.past.push(PastAttempt { ke1: attempt.ke1, expires_ms: cx.now_ms });
            let budget = state.counters.view(&cx.policy, cx.now_ms);
            black_box(challenge(&record, &attempt, budget));
            state.attempt = Some(attempt);
        }
    }
    black_box(state);
}

/// The answer to a success; the same for a repeated finish.
fn release(
    cx: &Context,
    state: &SlotState,
    policy: &Policy,
    record: &Record,
    attempt: &Attempt,
) -> Effect {
    let told = state.success.as_ref().filter(|s| s.attempt == attempt.number);
    let Some(salt) = record.salt.clone() else {
        return failed(Failure::Closed, state, policy, cx.now_ms);
    };
    Effect::Release {
        attempt: attempt.number,
        login: LoginInputs {
            generation: record.generation,
            keyset: record.keyset,
            upload: record.upload,
            salt,
            seed: attempt.seed,
        },
        wrapped_key: record.wrapped_key,
        receipt: RecoveryReceipt {
            generation: record.generation,
            failures_ms: told.map(|s| s.failures_ms.clone()).unwrap_or_default(),
            failures_year: state.counters.failures_year(policy, cx.now_ms),
            budget: state.counters.view(policy, cx.now_ms),
        },
    }
}

fn challenge(record: &Record, attempt: &Attempt, budget: Budget) -> Effect {
    match record.salt.clone() {
        Some(salt) => Effect::Challenge {
            attempt: attempt.number,
            generation: record.generation,
            keyset: record.keyset,
            ksf_version: record.ksf_version,
            upload: record.upload,
            salt,
            seed: attempt.seed,
            expires_ms: attempt.expires_ms,
            budget,
        },
        None => Effect::StandIn { expires_ms: attempt.expires_ms, budget },
    }
}

fn wait(reason: WaitReason, budget: Budget, until_ms: u64) -> Effect {
    let budget = Budget { next_ms: until_ms, ..budget };
    Effect::Plain(Outcome::Wait { reason, budget })
}

fn failed(why: Failure, state: &SlotState, policy: &Policy, now_ms: u64) -> Effect {
    let budget = state.counters.view(policy, now_ms);
    let destroyed = state.destroyed.filter(|_| state.locked).map(|(generation, _)| generation);
    Effect::Plain(Outcome::RecoverFailed { why, budget, destroyed })
}

fn refused_spent(generation: u64) -> Effect {
    crate::state::refused(strongroom_wire::response::Refusal::TicketSpent, generation)
}
