//! The budget and its clocks (spec §10). All times are milliseconds of agreed vault time.

use minicbor::{Decode, Encode};
use serde::{Deserialize, Serialize};

const MINUTE_MS: u64 = 60_000;
const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// What a record may be asked, how often, and how long things wait.
///
/// A record keeps the policy it was registered under; later epochs may only tighten it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Encode, Decode)]
#[serde(deny_unknown_fields)]
#[cbor(array)]
pub struct Policy {
    /// How often a node compacts its log and changes its erasure key.
    #[n(0)]
    pub compact_ms: u64,
    /// How long after a success its session may authorise a registration.
    #[n(1)]
    pub fresh_ms: u64,
    /// New rows that authorised registrations may start in one window.
    #[n(2)]
    pub grants: u8,
    /// That window.
    #[n(3)]
    pub grants_window_ms: u64,
    /// From the row's first failure until the row's last attempt.
    #[n(4)]
    pub last_attempt_ms: u64,
    /// Records that may lock in one window, at least.
    #[n(5)]
    pub lock_ceiling: u64,
    /// The same in thousandths of all records, where that is more.
    #[n(6)]
    pub lock_ceiling_per_mille: u64,
    /// That window.
    #[n(7)]
    pub lock_window_ms: u64,
    /// How long an attempt stays open.
    #[n(8)]
    pub open_ms: u64,
    /// How long a pending registration lives.
    #[n(9)]
    pub pending_ms: u64,
    /// How long a replacement without authority waits.
    #[n(10)]
    pub replace_ms: u64,
    /// Attempts in a row.
    #[n(11)]
    pub row: u8,
    /// The wait before the next attempt, from the third failure of a row on; the last attempt of a
    /// row has [`Policy::last_attempt_ms`].
    #[n(12)]
    pub waits_ms: Vec<u64>,
    /// Failures in one year window.
    #[n(13)]
    pub year: u8,
    /// The year window.
    #[n(14)]
    pub year_ms: u64,
}

impl Policy {
    /// The policy of a production fleet (spec §10.1).
    pub fn standard() -> Self {
        Self {
            compact_ms: HOUR_MS,
            grants: 2,
            grants_window_ms: 30 * DAY_MS,
            fresh_ms: 10 * MINUTE_MS,
            last_attempt_ms: 7 * DAY_MS,
            lock_ceiling: 100,
            lock_ceiling_per_mille: 1,
            lock_window_ms: DAY_MS,
            open_ms: 10 * MINUTE_MS,
            pending_ms: 10 * MINUTE_MS,
            replace_ms: 7 * DAY_MS,
            row: 10,
            waits_ms: [
                MINUTE_MS,
                5 * MINUTE_MS,
                15 * MINUTE_MS,
                HOUR_MS,
                4 * HOUR_MS,
                12 * HOUR_MS,
            ]
            .to_vec(),
            year: 40,
            year_ms: 365 * DAY_MS,
        }
    }

    /// The same counts with every wait divided, for development fleets: the code path is the same.
    ///
    /// The windows in which failures, grants and locks are counted stay as they are.
    #[must_use]
    pub fn with_waits_divided_by(mut self, divisor: u64) -> Self {
        let divisor = divisor.max(1);
        for wait in &mut self.waits_ms {
            *wait /= divisor;
        }
        self.last_attempt_ms /= divisor;
        self.replace_ms /= divisor;
        self
    }

    /// This policy, made at least as strict as a later one: a record keeps what it was registered
    /// under, and later epochs may only tighten it.
    #[must_use]
    pub fn tightened_by(&self, later: &Self) -> Self {
        let mut strict = self.clone();
        strict.row = self.row.min(later.row);
        strict.year = self.year.min(later.year);
        strict.year_ms = self.year_ms.max(later.year_ms);
        strict.grants = self.grants.min(later.grants);
        strict.grants_window_ms = self.grants_window_ms.max(later.grants_window_ms);
        strict.last_attempt_ms = self.last_attempt_ms.max(later.last_attempt_ms);
        strict.replace_ms = self.replace_ms.max(later.replace_ms);
        strict.fresh_ms = self.fresh_ms.min(later.fresh_ms);
        strict.open_ms = self.open_ms.min(later.open_ms);
        strict.pending_ms = self.pending_ms.min(later.pending_ms);
        strict.compact_ms = self.compact_ms.min(later.compact_ms);
        strict.lock_ceiling = self.lock_ceiling.min(later.lock_ceiling);
        strict.lock_ceiling_per_mille =
            self.lock_ceiling_per_mille.min(later.lock_ceiling_per_mille);
        strict.lock_window_ms = self.lock_window_ms.max(later.lock_window_ms);
        let steps = self.waits_ms.len().max(later.waits_ms.len());
        strict.waits_ms = (3..=u8::MAX)
            .take(steps)
            .map(|failures| self.wait_after(failures).max(later.wait_after(failures)))
            .collect();
        strict
    }

    /// The first setting in which this policy is looser than another, if any.
    pub fn looser_than(&self, other: &Self) -> Option<&'static str> {
        let waits = (3..other.row).all(|n| self.wait_after(n) >= other.wait_after(n));
        let checks = [
            (self.row <= other.row, "row"),
            (self.year <= other.year, "year"),
            (self.year_ms >= other.year_ms, "year_ms"),
            (self.grants <= other.grants, "grants"),
            (self.grants_window_ms >= other.grants_window_ms, "grants_window_ms"),
            (self.last_attempt_ms >= other.last_attempt_ms, "last_attempt_ms"),
            (self.replace_ms >= other.replace_ms, "replace_ms"),
            (self.fresh_ms <= other.fresh_ms, "fresh_ms"),
            (self.open_ms <= other.open_ms, "open_ms"),
            (self.pending_ms <= other.pending_ms, "pending_ms"),
            (self.compact_ms <= other.compact_ms, "compact_ms"),
            (self.lock_ceiling <= other.lock_ceiling, "lock_ceiling"),
            (self.lock_ceiling_per_mille <= other.lock_ceiling_per_mille, "lock_ceiling_per_mille"),
            (self.lock_window_ms >= other.lock_window_ms, "lock_window_ms"),
            (waits, "waits_ms"),
        ];
        checks.into_iter().find(|(strict, _)| !strict).map(|(_, what)| what)
    }

    /// How many failures the waits allow from an untouched row within `window_ms`.
    pub fn attempts_within(&self, window_ms: u64) -> u8 {
        let mut elapsed = 0_u64;
        for failures in 1..self.row {
            elapsed = elapsed.saturating_add(self.wait_after(failures));
            let last = failures.saturating_add(1) == self.row;
            let from = if last { elapsed.max(self.last_attempt_ms) } else { elapsed };
            if from > window_ms {
                return failures;
            }
        }
        self.row
    }

    /// The wait after the `failures`-th failure of a row, unless the next is the row's last attempt.
    pub fn wait_after(&self, failures: u8) -> u64 {
        let Some(step) = usize::from(failures).checked_sub(3) else {
            return 0;
        };
        self.waits_ms.get(step).or(self.waits_ms.last()).copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_begin_after_the_third_failure_and_grow() {
        let policy = Policy::standard();
        let waits: Vec<u64> = (0..10).map(|n| policy.wait_after(n) / MINUTE_MS).collect();
        assert_eq!(waits, [0, 0, 0, 1, 5, 15, 60, 240, 720, 720]);
    }

    #[test]
    fn waits_allow_six_attempts_in_an_hour_and_nine_in_a_day() {
        let policy = Policy::standard();
        assert_eq!(policy.attempts_within(HOUR_MS), 6);
        assert_eq!(policy.attempts_within(DAY_MS), 9);
        assert_eq!(policy.attempts_within(8 * DAY_MS), 10);
    }

    #[test]
    fn a_later_epoch_only_tightens() {
        let (standard, mut loose) = (Policy::standard(), Policy::standard());
        loose.row = 9;
        loose.year = 40;
        loose.waits_ms = [1, 2, 3].to_vec();
        let strict = standard.tightened_by(&loose);
        assert_eq!((strict.row, &strict.waits_ms), (9, &standard.waits_ms));
    }

    #[test]
    fn what_is_tightened_is_looser_than_neither_in_any_setting() {
        let standard = Policy::standard();
        let mut tight = standard.clone();
        (tight.row, tight.year, tight.grants) = (9, 30, 1);
        (tight.lock_ceiling, tight.lock_ceiling_per_mille) = (10, 0);
        for longer in [
            &mut tight.year_ms,
            &mut tight.grants_window_ms,
            &mut tight.last_attempt_ms,
            &mut tight.replace_ms,
            &mut tight.lock_window_ms,
        ] {
            *longer *= 2;
        }
        for shorter in
            [&mut tight.fresh_ms, &mut tight.open_ms, &mut tight.pending_ms, &mut tight.compact_ms]
        {
            *shorter /= 2;
        }
        for strict in [standard.tightened_by(&tight), tight.tightened_by(&standard)] {
            assert_eq!((strict.looser_than(&standard), strict.looser_than(&tight)), (None, None));
        }
    }

    #[test]
    fn division_shortens_waits_and_keeps_counts_and_windows() {
        let (standard, short) =
            (Policy::standard(), Policy::standard().with_waits_divided_by(1_000));
        assert_eq!(short.waits_ms.first(), Some(&60));
        assert_eq!((short.row, short.year, short.year_ms), (10, 40, standard.year_ms));
    }
}
