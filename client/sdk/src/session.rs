//! What one session remembers, so that nothing is paid for twice. In memory only.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use std::{
    collections::BTreeSet,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use strongroom_account::Password;
use strongroom_protocol::{Budget, Charged, OutgoingFrame, Recovery, RegistrationFinish};

/// Stands for a password and device without being either: an HMAC under a key of this session.
pub(crate) type Mark = [u8; 32];

/// A recovery that is not at its end. Whoever calls again with the same password goes on with it.
#[derive(Clone)]
pub(crate) enum Open {
    /// The first frame, which may have been sent.
    Started(Arc<(Recovery, OutgoingFrame)>),
    /// The second frame, which may have been sent.
    Charged(Arc<Charged>),
}

/// A registration whose receipt has not come.
pub(crate) struct Doubt {
    pub(crate) finish: RegistrationFinish,
    pub(crate) frame: OutgoingFrame,
    pub(crate) generation: u64,
}

#[derive(Default)]
struct State {
    refused: BTreeSet<Mark>,
    open: Option<(Mark, Open)>,
    doubt: Option<(Mark, Arc<Doubt>)>,
    budget: Option<Budget>,
}

pub(crate) struct Session {
    key: [u8; 32],
    state: Mutex<State>,
}

impl Session {
    pub(crate) fn new() -> Self {
        let mut key = [0; 32];
        // Without randomness marks are unkeyed, which matters only to who reads this memory.
        let _ = getrandom::fill(&mut key);
        Self { key, state: Mutex::default() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn mark(&self, password: &Password, device: &[u8; 32]) -> Mark {
        // HMAC takes keys of every length.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.key) else {
            return [0; 32];
        };
        mac.update(device);
        mac.update(password.as_bytes());
        mac.finalize().into_bytes().into()
    }

    pub(crate) fn was_refused(&self, mark: &Mark) -> bool {
        self.state().refused.contains(mark)
    }

    pub(crate) fn refuse(&self, mark: Mark) {
        self.state().refused.insert(mark);
    }

    pub(crate) fn forget_refused(&self) {
        self.state().refused.clear();
    }

    pub(crate) fn open(&self, mark: &Mark) -> Option<Open> {
        let state = self.state();
        let open = state.open.as_ref().filter(|(of, _)| of == mark);
        open.map(|(_, open)| open.clone())
    }

    pub(crate) fn set_open(&self, mark: Mark, open: Open) {
        self.state().open = Some((mark, open));
    }

    pub(crate) fn close(&self) {
        self.state().open = None;
    }

    pub(crate) fn doubt(&self) -> Option<(Mark, Arc<Doubt>)> {
        self.state().doubt.clone()
    }

    pub(crate) fn set_doubt(&self, mark: Mark, doubt: Arc<Doubt>) {
        self.state().doubt = Some((mark, doubt));
    }

    pub(crate) fn settle(&self) {
        self.state().doubt = None;
    }

    pub(crate) fn note(&self, budget: Budget) {
        self.state().budget = Some(budget);
    }

    pub(crate) fn last_budget(&self) -> Option<Budget> {
        self.state().budget
    }
}
