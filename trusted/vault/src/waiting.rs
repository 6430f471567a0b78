//! Who waits for which entry.

use std::collections::BTreeMap;
use strongroom_opaque::SessionKey;
use strongroom_record::Effect;
use strongroom_session::ResponseSealer;
use strongroom_wire::{Slot, caps::opaque};

/// Where an answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ReplyTo {
    /// This node's own host.
    Host(u64),
    /// Another node's vault, which passed the request on.
    Peer(u64, u64),
}

/// What a request still needs once its entry is committed.
pub(crate) enum Work {
    /// Evaluate this registration request.
    Register([u8; opaque::REGISTRATION_REQUEST_LEN]),
    /// Answer this KE1.
    Recover([u8; opaque::KE1_LEN], [u8; 32]),
    /// Release under this session's key, if KE3 proved the password.
    Release(Option<SessionKey>),
    /// Nothing but the time that a login takes.
    Burn,
}

/// One request under way.
pub(crate) struct Waiting {
    pub(crate) to: ReplyTo,
    pub(crate) slot: Slot,
    pub(crate) work: Work,
    pub(crate) sealer: ResponseSealer,
    pub(crate) frame_digest: [u8; 32],
    pub(crate) since_ms: u64,
    /// What applying the entry gave, and vault time then.
    pub(crate) effect: Option<(Effect, u64)>,
}

/// Requests under way, by (term, index) of their entries.
#[derive(Default)]
pub(crate) struct WaitingRoom(BTreeMap<(u64, u64), Waiting>);

impl WaitingRoom {
    pub(crate) fn insert(&mut self, term: u64, index: u64, waiting: Waiting) {
        self.0.insert((term, index), waiting);
    }

    pub(crate) fn applied(&mut self, term: u64, index: u64, effect: Effect, now_ms: u64) {
        if let Some(waiting) = self.0.get_mut(&(term, index)) {
            waiting.effect = Some((effect, now_ms));
        }
    }

    pub(crate) fn take(&mut self, term: u64, index: u64) -> Option<Waiting> {
        self.0.remove(&(term, index))
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Those that waited too long, or all of them when this node no longer leads.
    pub(crate) fn expired(&mut self, before_ms: u64) -> Vec<ReplyTo> {
        let late: Vec<(u64, u64)> = self
            .0
            .iter()
            .filter(|(_, waiting)| waiting.since_ms <= before_ms)
            .map(|(at, _)| *at)
            .collect();
        late.iter().filter_map(|at| self.0.remove(at)).map(|waiting| waiting.to).collect()
    }
}
