//! What vaults' states say after each step: all the same at one index, and nothing left over.

use super::World;
use crate::client::User;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use strongroom_record::{AttemptState, State};

impl World {
    /// Looks at the state of a process that went on.
    ///
    /// The first vault that counts what a start lost does so before any vault answers behind it.
    pub(crate) fn watch_state(&mut self, place: usize) {
        let Some(vault) = self.nodes[place].vault.as_ref() else {
            return;
        };
        let (state, applied) = (vault.danger_state(), vault.danger_applied());
        let era = state.era();
        if era > self.oracle.era() {
            self.oracle.inv1_era(era, applied);
        }
        if applied <= self.nodes[place].applied {
            return;
        }
        let mut hasher = DefaultHasher::new();
        (state.to_bytes(), state.salts_to_bytes(), state.held(), state.records()).hash(&mut hasher);
        let last = |user: &User| last_attempt(state, user).unwrap_or_default();
        let over = self.users.iter().position(|user| last(user) == Last::Over);
        let open = self.users.iter().filter(|user| last(user) != Last::Settled).count();
        self.oracle.inv1_settled(over);
        self.oracle.inv8_held(state.held(), open);
        self.nodes[place].applied = applied;
        self.oracle.inv5_same_state(self.number(place), (era, applied), hasher.finish());
    }
}

/// How the last attempt of a row stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
enum Last {
    /// There is none that the record hangs on.
    #[default]
    Settled,
    Open,
    /// Open, although its time is over.
    Over,
}

/// How the last attempt at a user's record stands. One at an earlier record is nobody's.
fn last_attempt(state: &State, user: &User) -> Option<Last> {
    let slot = state.slot(user.destination.slot())?;
    let (attempt, record) = (slot.attempt.as_ref()?, slot.record.as_ref()?);
    let open = attempt.state == AttemptState::Open && attempt.generation == record.generation;
    Some(match attempt.last && open {
        true if state.now_ms() > attempt.expires_ms => Last::Over,
        true => Last::Open,
        false => Last::Settled,
    })
}
