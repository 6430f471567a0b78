//! Believing a manifest that came over the air, and going on believing it (spec §22.3, §22.5).

use crate::{
    carry::Patience,
    http::Http,
    now_ms,
    transport::{CarryError, Retry},
};
use core::fmt;
use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};
use strongroom_manifest::Floors;
use strongroom_verify::{Believed, Circumstances, Head, Refusal, Trust, check};
use strongroom_wire::{Slot, digest::sha256};
use tokio::time::{Instant, sleep, timeout};

/// A bundle that passed is asked for again after this: cosignatures age, also in an app that runs for days.
const PASSED_FOR: Duration = Duration::from_secs(300);

/// Where a device keeps the latest head of the log that it has seen.
pub trait HeadStore: Send + Sync {
    /// The latest head, if there is one. What does not read is an error and not "none": whoever can
    /// damage a file could otherwise wind the device back.
    ///
    /// # Errors
    /// What went wrong, for people.
    fn latest(&self) -> Result<Option<Head>, String>;

    /// Keeps a head. When this returns it is there after any crash.
    ///
    /// # Errors
    /// What went wrong, for people.
    fn keep(&self, head: &Head) -> Result<(), String>;
}

/// Why a bundle is not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BeliefError {
    /// It breaks the rule.
    Refused(Box<Refusal>),
    /// What this device has seen cannot be read or kept.
    Head(String),
}

impl fmt::Display for BeliefError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(refusal) => write!(f, "{refusal} (step `{}`)", refusal.step()),
            Self::Head(what) => write!(f, "the latest head that this device has seen: {what}"),
        }
    }
}

impl std::error::Error for BeliefError {}

/// What an account pins, and the bundle that passed last.
pub struct Belief {
    trust: Trust,
    floors: Floors,
    fleet: String,
    slot: Slot,
    heads: Box<dyn HeadStore>,
    /// SHA-256 of the last bundle that passed, and of the manifest in it.
    last: Mutex<Option<Last>>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    bundle: [u8; 32],
    manifest: [u8; 32],
    passed: Instant,
}

impl Belief {
    /// Nothing is believed yet.
    pub fn new(
        trust: Trust,
        floors: Floors,
        fleet: &str,
        slot: Slot,
        heads: impl HeadStore + 'static,
    ) -> Self {
        let (fleet, heads) = (fleet.to_owned(), Box::new(heads));
        Self { trust, floors, fleet, slot, heads, last: Mutex::new(None) }
    }

    /// Checks a bundle by the whole rule and keeps its head, before anything is sent to what it lists.
    ///
    /// # Errors
    /// [`BeliefError`]; what was believed before still is.
    pub fn admit(&self, bundle: &[u8], now_ms: u64) -> Result<Believed, BeliefError> {
        // Held throughout: of two bundles at once, one is compared with the other's head.
        let mut last = self.last();
        let seen = self.heads.latest().map_err(BeliefError::Head)?;
        let at = Circumstances {
            now_ms,
            seen: seen.as_ref(),
            fleet: &self.fleet,
            floors: &self.floors,
            slot: self.slot.as_bytes(),
        };
        let refused = |refusal| BeliefError::Refused(Box::new(refusal));
        let believed = check(bundle, &self.trust, &at).map_err(refused)?;
        if seen.as_ref() != Some(believed.head()) {
            // A crash before this has seen nothing; after it, older heads are refused.
            self.heads.keep(believed.head()).map_err(BeliefError::Head)?;
        }
        let manifest = *believed.manifest().digest();
        *last = Some(Last { bundle: sha256(bundle), manifest, passed: Instant::now() });
        Ok(believed)
    }

    fn last(&self) -> MutexGuard<'_, Option<Last>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether this is the digest of the bundle that passed last, and lately.
    pub(crate) fn passed_lately(&self, bundle: &[u8; 32]) -> bool {
        let is_it = |last: Last| last.bundle == *bundle && last.passed.elapsed() < PASSED_FOR;
        self.last().is_some_and(is_it)
    }

    /// SHA-256 of the manifest that is believed.
    pub(crate) fn manifest(&self) -> Option<[u8; 32]> {
        self.last().map(|last| last.manifest)
    }
}

impl fmt::Debug for Belief {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Belief").field("fleet", &self.fleet).finish_non_exhaustive()
    }
}

/// Why there is nothing to believe. Nothing was sent but a question for the bundle.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LookError {
    /// No bundle came.
    Unavailable(CarryError),
    /// A bundle came and is not believed.
    Belief(BeliefError),
}

impl fmt::Display for LookError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => write!(f, "no validation bundle: {error}"),
            Self::Belief(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for LookError {}

/// Fetches the bundle and checks it: before a password is asked for, and again after it was typed.
///
/// A bundle that does not come is asked for again while patience lasts; one that is refused is not.
///
/// # Errors
/// [`LookError`].
pub async fn look(
    http: &Http,
    belief: &Belief,
    patience: &Patience,
) -> Result<Believed, LookError> {
    let end = Instant::now() + patience.deadline;
    let mut pause = Duration::from_millis(100);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        let error = match timeout(patience.one_try.min(left), http.bundle()).await {
            Ok(Ok(bundle)) => return belief.admit(&bundle, now_ms()).map_err(LookError::Belief),
            Ok(Err(error)) => error,
            Err(_) => CarryError { may_have_arrived: false, ..crate::carry::too_late() },
        };
        let wait = match error.retry {
            Retry::Never => None,
            Retry::Now => Some(pause),
            Retry::After(wait) => Some(wait.max(pause)),
        };
        pause = pause.saturating_mul(2).min(Duration::from_secs(1));
        match wait.filter(|wait| Instant::now() + *wait < end) {
            Some(wait) => sleep(wait).await,
            None => return Err(LookError::Unavailable(error)),
        }
    }
}
