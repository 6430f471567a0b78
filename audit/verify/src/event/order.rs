//! What events must keep together: the same rules where one enters the log and where all are read.

use super::{
    Event,
    checks::{position_of, start_of},
};
use std::collections::{BTreeMap, BTreeSet};
use strongroom_wire::{codec::encode, digest::sha256};

/// The events of one log so far, as far as later ones depend on them.
#[derive(Debug, Clone, Default)]
pub struct EventOrder {
    /// Where each event stands, by its SHA-256.
    seen: BTreeMap<[u8; 32], u64>,
    /// The signed positions in the log, by their SHA-256: those of events and those inside starts.
    positions: BTreeSet<[u8; 32]>,
    /// The latest epoch of each fleet.
    epochs: BTreeMap<String, u64>,
    deployed: BTreeSet<(String, u64)>,
    /// The latest era of each fleet.
    eras: BTreeMap<String, u64>,
    /// Where each node stood furthest: era, last term, last index.
    furthest: BTreeMap<(String, u8), (u64, u64, u64)>,
}

/// What is worth telling of an event that was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noted {
    /// Nothing.
    Plain,
    /// A position behind an earlier one of the same node: its disk was put back, or lost.
    Behind,
}

impl EventOrder {
    /// The place of this very event, if it was taken.
    pub fn index_of(&self, event: &Event) -> Option<u64> {
        self.seen.get(&sha256(&event.to_json())).copied()
    }

    /// Takes the next event, which holds under its manifest ([`super::check_event`]).
    ///
    /// # Errors
    /// [`OrderFault`]; nothing was taken then.
    pub fn take(&mut self, event: &Event) -> Result<Noted, OrderFault> {
        let digest = sha256(&event.to_json());
        if self.seen.contains_key(&digest) {
            return Err(OrderFault::Twice);
        }
        let (fleet, epoch) = (event.fleet().to_owned(), event.epoch());
        if let Some(&last) = self.epochs.get(&fleet).filter(|last| epoch < **last) {
            return Err(OrderFault::EpochBack { got: epoch, last });
        }
        let mut noted = Noted::Plain;
        match event {
            Event::Deployment(_) => {
                if !self.deployed.insert((fleet.clone(), epoch)) {
                    return Err(OrderFault::SecondDeployment { fleet, epoch });
                }
            }
            Event::Position(position) => {
                let signed = position_of(position).ok_or(OrderFault::Inside)?;
                // Nobody signs an event of a position but the node that signed the position, so who copies
                // one would otherwise record it again and again, and make its node look wound back.
                if !self.positions.insert(sha256(&encode(&signed))) {
                    return Err(OrderFault::PositionTwice);
                }
                let signed = signed.position;
                let at = (signed.era, signed.last_term, signed.last_index);
                let furthest = self.furthest.entry((fleet.clone(), position.node)).or_default();
                if at < *furthest {
                    noted = Noted::Behind;
                }
                *furthest = at.max(*furthest);
            }
            Event::Restart(restart) => {
                let start = start_of(restart).ok_or(OrderFault::Inside)?.start;
                let era = start.era;
                let last = self.eras.get(&fleet).copied().unwrap_or_default();
                if era <= last {
                    return Err(OrderFault::EraBack { fleet, got: era, last });
                }
                self.eras.insert(fleet.clone(), era);
                self.positions.extend(start.positions.iter().map(|one| sha256(&encode(one))));
            }
        }
        self.epochs.insert(fleet, epoch);
        let place = self.seen.len() as u64;
        self.seen.insert(digest, place);
        Ok(noted)
    }
}

/// Why an event does not come after those before it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OrderFault {
    /// It is in the log.
    #[error("the same event is in the log")]
    Twice,
    /// Its signed position is.
    #[error("the same signed position is in the log")]
    PositionTwice,
    /// Of an older manifest than an event of the same fleet before it.
    #[error("event of epoch {got} after one of epoch {last} of the same fleet")]
    EpochBack {
        /// The event's.
        got: u64,
        /// The latest before it.
        last: u64,
    },
    /// Another deployment of the same fleet and epoch is in the log.
    #[error("fleet {fleet} has another deployment record for epoch {epoch}")]
    SecondDeployment {
        /// The fleet.
        fleet: String,
        /// The epoch.
        epoch: u64,
    },
    /// Another start of the same era, or of a later one, is in the log.
    #[error("start of era {got} of fleet {fleet} after one of era {last}")]
    EraBack {
        /// The fleet.
        fleet: String,
        /// The event's.
        got: u64,
        /// The latest before it.
        last: u64,
    },
    /// What it carries does not read.
    #[error("what the event carries does not read (spec §11)")]
    Inside,
}
