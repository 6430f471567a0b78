//! One session: counters, acknowledgements and the message that is arriving.

use std::collections::VecDeque;

use zeroize::Zeroizing;

use crate::ReplicaId;
use crate::direction::Direction;
use crate::fragment::{self, Fragment, Part, Reassembly};
use crate::frame::{self, Data, ID, MAX_FRAME, TAG};
use crate::handshake::Established;

/// Noise keeps the highest nonce for making the next key, and a session that got here has lived for ages.
const LAST_COUNTER: u64 = u64::MAX - 1;

/// Frames on their way whose tags are remembered. An acknowledgement older than that proves nothing.
const MAX_TAGS: usize = 4_096;

pub(crate) struct Session {
    outbound: Direction,
    inbound: Direction,
    id: [u8; ID],
    peer: ReplicaId,
    /// The counter of the last frame that was made here. The first has 1.
    sent: u64,
    /// The tags of the last frames made here, the newest (`sent`) at the end.
    tags: VecDeque<[u8; TAG]>,
    /// The highest counter that was accepted from the peer, and the tag of that frame.
    received: u64,
    received_tag: [u8; TAG],
    /// The highest counter that the peer has from here, and the first one under the key of now.
    acknowledged: u64,
    first_of_period: u64,
    messages: u64,
    arriving: Reassembly,
    last_sent_ms: u64,
    last_heard_ms: u64,
}

/// What a data frame turned out to be.
pub(crate) enum Heard {
    /// Forged, damaged, or not above what was accepted before.
    Nothing,
    /// From the peer, and new; perhaps the end of a message.
    Frame(Option<Vec<u8>>),
    /// The peer has frames of ours which we have not sent.
    RolledBack,
}

impl Session {
    pub(crate) fn new(established: Established, now_ms: u64) -> Session {
        Session {
            outbound: established.outbound,
            inbound: established.inbound,
            id: established.session,
            peer: established.peer,
            sent: 0,
            tags: VecDeque::from([[0; TAG]]),
            received: 0,
            received_tag: [0; TAG],
            acknowledged: 0,
            first_of_period: 1,
            messages: 0,
            arriving: Reassembly::default(),
            last_sent_ms: now_ms,
            last_heard_ms: now_ms,
        }
    }

    pub(crate) fn id(&self) -> [u8; ID] {
        self.id
    }

    pub(crate) fn peer(&self) -> ReplicaId {
        self.peer
    }

    /// Whether the peer is known to hold this session.
    pub(crate) fn was_heard(&self) -> bool {
        self.received != 0
    }

    pub(crate) fn silent_for(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.last_heard_ms)
    }

    pub(crate) fn idle_for(&self, now_ms: u64) -> u64 {
        now_ms.saturating_sub(self.last_sent_ms)
    }

    /// Makes the next key for what is sent from here, and drops what has half arrived.
    pub(crate) fn rekey(&mut self) {
        if self.outbound.rekey().is_none() {
            // Nothing leaves under a key that should be gone.
            self.sent = LAST_COUNTER;
        }
        self.first_of_period = self.sent.saturating_add(1);
        self.arriving = Reassembly::default();
    }

    /// Whether the peer has a frame under the key of now. Then it has given up every older one: a later
    /// key opens nothing older, and a key replaces the one before it.
    pub(crate) fn was_rekeyed(&self) -> bool {
        self.acknowledged >= self.first_of_period
    }

    /// Takes a data frame that names this session.
    pub(crate) fn hear(&mut self, now_ms: u64, frame: &Data<'_>) -> Heard {
        let Data { period, counter, sealed, .. } = *frame;
        if counter <= self.received || counter > LAST_COUNTER || sealed.len() > MAX_FRAME {
            return Heard::Nothing;
        }
        let before = self.inbound.period();
        let Some(plain) = self.inbound.open(period, counter, sealed) else {
            return Heard::Nothing;
        };
        if period != before {
            // No message goes on under another key, and half of one may hold what is to be forgotten.
            self.arriving = Reassembly::default();
        }
        let Some(part) = Part::parse(&plain) else {
            return Heard::Nothing;
        };
        // Only the peer can write this, and it writes what it has received. So that frame was sent by
        // a later state of this process than the one that now runs, or by a twin.
        if !self.sent_that(&part) {
            return Heard::RolledBack;
        }
        self.received = counter;
        self.received_tag = sealed.last_chunk().copied().unwrap_or_default();
        self.acknowledged = self.acknowledged.max(part.acknowledged);
        self.last_heard_ms = now_ms;
        Heard::Frame(part.body.and_then(|fragment| self.arriving.take(&fragment)))
    }

    /// Whether the acknowledged frame was made here. The counter alone would not do: a process that was
    /// put back goes on counting, and soon has sent as many.
    fn sent_that(&mut self, part: &Part<'_>) -> bool {
        let Some(age) = self.sent.checked_sub(part.acknowledged) else {
            return false;
        };
        let place =
            usize::try_from(age).ok().and_then(|a| self.tags.len().checked_sub(a)?.checked_sub(1));
        let Some(tag) = place.and_then(|p| self.tags.get(p)) else {
            return true;
        };
        if *tag != part.acknowledged_tag {
            return false;
        }
        self.tags.drain(..place.unwrap_or(0));
        true
    }

    /// A frame without a message: it acknowledges, and shows that this end lives.
    pub(crate) fn keepalive(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        self.seal(now_ms, None)
    }

    /// The frames of one message; none when it is too long.
    pub(crate) fn send(&mut self, now_ms: u64, message: &[u8]) -> Vec<Vec<u8>> {
        let Some(number) = self.messages.checked_add(1) else {
            return Vec::new();
        };
        let Some(fragments) = fragment::cut(number, message) else {
            return Vec::new();
        };
        self.messages = number;
        fragments.map_while(|fragment| self.seal(now_ms, Some(fragment))).collect()
    }

    fn seal(&mut self, now_ms: u64, body: Option<Fragment<'_>>) -> Option<Vec<u8>> {
        let counter = self.sent.checked_add(1).filter(|c| *c <= LAST_COUNTER)?;
        let part = Part { acknowledged: self.received, acknowledged_tag: self.received_tag, body };
        let mut text: Zeroizing<Vec<u8>> = part.encode();
        // The counter is spent before the cipher sees it: no failure can make it serve twice.
        self.sent = counter;
        self.last_sent_ms = now_ms;
        let tag = self.outbound.seal(counter, &mut text);
        if self.tags.len() > MAX_TAGS {
            self.tags.pop_front();
        }
        self.tags.push_back(tag.unwrap_or_default());
        let (period, room) = (self.outbound.period(), text.len().checked_add(TAG)?);
        let mut frame = frame::data(self.id, period, counter, room);
        frame.extend_from_slice(&text);
        frame.extend_from_slice(&tag?);
        Some(frame)
    }
}

#[cfg(test)]
impl Session {
    pub(crate) fn keys_now(&self) -> [(u64, Zeroizing<[u8; 32]>); 2] {
        [self.outbound.key_now(), self.inbound.key_now()]
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
