//! The promises, as properties of every state.

use crate::fleet::{Entry, Fleet, Process, Role, State};
use stateright::Property;

/// An answer that left a vault.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Answered {
    /// The charge.
    pub number: u8,
    /// Where it stands in the log.
    pub index: usize,
    /// The era of who answered.
    pub era: u8,
    /// And the term.
    pub term: u8,
}

/// All that is checked, by the names of spec §2 and §17.
pub(crate) fn properties() -> Vec<Property<Fleet>> {
    vec![
        Property::always("INV-2, INV-8: whoever leads later holds every answered charge", held),
        Property::always("INV-5: one leader a term", |_, state: &State| {
            state.leaders.iter().all(|(era, term, who)| {
                state.leaders.iter().all(|(e, t, w)| (e, t) != (era, term) || w == who)
            })
        }),
        Property::always("INV-5: one history: no index answers two charges", |_, state: &State| {
            state
                .answered
                .iter()
                .all(|a| state.answered.iter().all(|b| a.index != b.index || a.number == b.number))
        }),
        Property::always("INV-5: nobody answers before it was readmitted", |_, state: &State| {
            state.processes().all(|p| p.role != Role::Leader || p.seats().holds(p.name))
        }),
        Property::sometimes("a charge is answered", |_, state: &State| !state.answered.is_empty()),
    ]
}

/// A readmission that is worth the name: a state to be reached, where processes start again.
pub(crate) fn after_a_restart() -> Property<Fleet> {
    Property::sometimes("a restarted process votes again", |_, state: &State| {
        let again = |p: &Process| p.name % 16 > 1 && p.role == Role::Follower && p.voted.is_some();
        state.processes().any(again)
    })
}

/// A cold start keeps what was answered: a state to be reached, where cold starts are allowed.
pub(crate) fn after_a_start() -> Property<Fleet> {
    Property::sometimes("a fleet that was started again answers", |_, state: &State| {
        state.answered.iter().any(|a| a.era > 1)
    })
}

/// Leader completeness over eras, for what was *answered*: a charge that only committed may be lost
/// with the disks that held it, and nobody was told.
fn held(_: &Fleet, state: &State) -> bool {
    state.processes().filter(|p| p.role == Role::Leader).all(|leader| {
        let later = |a: &&Answered| (leader.disk.era, leader.disk.term) > (a.era, a.term);
        state.answered.iter().filter(later).all(|a| {
            let at = leader.disk.log.get(a.index);
            matches!(at, Some(Entry::Charge { number, .. }) if *number == a.number)
        })
    })
}
