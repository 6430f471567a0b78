//! The counters of a slot (spec §10.1). They belong to the slot and outlive every record in it.

use minicbor::{Decode, Encode};
use strongroom_manifest::Policy;
use strongroom_wire::response::{Budget, FAILURES_MAX, WaitReason};

/// Attempts charged, grants taken.
///
/// # INV-1: budget
/// At most `row` attempts in a row and `year` failures in any year can be made against one slot.
/// An attempt is charged here before anything is computed from the record, counts as a failure
/// until its one success, and nothing but that success and [`Counters::grant`] makes `row` fall;
/// nothing at all makes `year` fall but time and that success.
#[derive(Debug, Clone, Default, PartialEq, Eq, Encode, Decode)]
#[cbor(array)]
pub struct Counters {
    /// Attempts charged in this row.
    #[n(0)]
    row: u8,
    /// When the row's first attempt was charged.
    #[n(1)]
    row_first_ms: u64,
    /// When attempts that are still failures were charged, oldest first, within the year window.
    #[n(2)]
    year_ms: Vec<u64>,
    /// When new rows were granted, oldest first, within their window.
    #[n(3)]
    grants_ms: Vec<u64>,
    /// When attempts failed since the last success, newest last, at most a row.
    #[n(4)]
    since_success_ms: Vec<u64>,
}

impl Counters {
    /// Whether nothing was ever counted, so that an empty slot need not be kept.
    pub fn is_untouched(&self) -> bool {
        *self == Self::default()
    }

    /// Attempts charged in this row.
    pub const fn row(&self) -> u8 {
        self.row
    }

    /// Whether the next attempt is the row's last.
    pub fn next_is_last(&self, policy: &Policy) -> bool {
        self.row.saturating_add(1) >= policy.row
    }

    /// Whether the row is spent.
    pub const fn is_spent(&self, policy: &Policy) -> bool {
        self.row >= policy.row
    }

    fn year_failures(&self, policy: &Policy, now_ms: u64) -> usize {
        let inside = |at: &&u64| now_ms.saturating_sub(**at) < policy.year_ms;
        self.year_ms.iter().filter(inside).count()
    }

    /// When the next attempt is accepted, and why not now.
    pub fn next(&self, policy: &Policy, now_ms: u64) -> Option<(u64, WaitReason)> {
        let last = self.since_success_ms.last().copied().unwrap_or(0);
        let mut row_ms = 0;
        if self.row > 0 {
            row_ms = last.saturating_add(policy.wait_after(self.row));
            if self.next_is_last(policy) {
                row_ms = row_ms.max(self.row_first_ms.saturating_add(policy.last_attempt_ms));
            }
        }
        let mut year_ms = 0;
        let forget = cfg!(feature = "danger_mutant_endless_year");
        let failures = if forget { 0 } else { self.year_failures(policy, now_ms) };
        if let Some(over) = failures.checked_sub(usize::from(policy.year)) {
            // The year has room again when its oldest failures that fill it have left the window.
            let inside = |at: &&u64| now_ms.saturating_sub(**at) < policy.year_ms;
            let freeing = self.year_ms.iter().filter(inside).nth(over).copied().unwrap_or(now_ms);
            year_ms = freeing.saturating_add(policy.year_ms);
        }
        match (row_ms > now_ms, year_ms > now_ms) {
            (false, false) => None,
            (true, false) => Some((row_ms, WaitReason::Row)),
            (_, true) => Some((year_ms.max(row_ms), WaitReason::Year)),
        }
    }

    /// What a client is told.
    pub fn view(&self, policy: &Policy, now_ms: u64) -> Budget {
        let failures = u8::try_from(self.year_failures(policy, now_ms)).unwrap_or(u8::MAX);
        Budget {
            row_left: policy.row.saturating_sub(self.row),
            year_left: policy.year.saturating_sub(failures),
            next_ms: self.next(policy, now_ms).map_or(0, |(at, _)| at),
        }
    }

    /// Failures in the year that ends now.
    pub fn failures_year(&self, policy: &Policy, now_ms: u64) -> u8 {
        u8::try_from(self.year_failures(policy, now_ms)).unwrap_or(u8::MAX)
    }

    /// When attempts failed since the last success, at most a row, newest last.
    pub fn failures_ms(&self) -> Vec<u64> {
        self.since_success_ms.clone()
    }

    /// Charges one attempt. The caller has asked [`Counters::next`].
    pub(crate) fn charge(&mut self, policy: &Policy, now_ms: u64) {
        if cfg!(feature = "danger_mutant_charge_nothing") {
            return;
        }
        self.prune(policy, now_ms);
        if self.row == 0 {
            self.row_first_ms = now_ms;
        }
        self.row = self.row.saturating_add(1);
        self.year_ms.push(now_ms);
        self.since_success_ms.push(now_ms);
        if self.since_success_ms.len() > FAILURES_MAX {
            self.since_success_ms.remove(0);
        }
    }

    /// The attempt charged at `charged_ms` succeeded: it is no failure, and the row begins anew.
    pub(crate) fn succeed(&mut self, charged_ms: u64) {
        if let Some(at) = self.year_ms.iter().rposition(|at| *at == charged_ms) {
            self.year_ms.remove(at);
        }
        self.row = 0;
        self.row_first_ms = 0;
        self.since_success_ms.clear();
    }

    #[cfg(feature = "danger_mutant_refund_unfinished")]
    pub(crate) fn refund(&mut self) {
        self.row = self.row.saturating_sub(1);
        self.year_ms.pop();
    }

    /// Starts a new row if the window still has a grant; otherwise the row is inherited.
    ///
    /// Without the bound an operator could withhold receipts, let the owner register again and
    /// again with one password, and get a row of guesses each time.
    pub(crate) fn grant(&mut self, policy: &Policy, now_ms: u64) -> bool {
        if self.row == 0 {
            return true;
        }
        self.grants_ms.retain(|at| now_ms.saturating_sub(*at) < policy.grants_window_ms);
        if self.grants_ms.len() >= usize::from(policy.grants)
            && !cfg!(feature = "danger_mutant_unbounded_grants")
        {
            return false;
        }
        self.grants_ms.push(now_ms);
        self.row = 0;
        self.row_first_ms = 0;
        true
    }

    /// A cold start cannot tell which charges were lost: it counts those that were possible.
    pub(crate) fn debit(&mut self, policy: &Policy, now_ms: u64, failures: u8) {
        self.prune(policy, now_ms);
        let failures = if cfg!(feature = "danger_mutant_no_debit") { 0 } else { failures };
        for _ in 0..failures {
            if self.year_ms.len() >= usize::from(policy.year) {
                break;
            }
            self.year_ms.push(now_ms);
        }
    }

    fn prune(&mut self, policy: &Policy, now_ms: u64) {
        self.year_ms.retain(|at| now_ms.saturating_sub(*at) < policy.year_ms);
    }
}
