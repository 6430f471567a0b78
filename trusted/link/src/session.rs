//! One session: counters, acknowledgements and the message that is arriving.

use snow::StatelessTransportState;

use crate::ReplicaId;
use crate::fragment::{self, Part, Reassembly};
use crate::frame::{self, DATA_HEADER, ID, MAX_FRAME, TAG};
use crate::handshake::Established;

/// Noise reserves the highest nonce, and a session that got here has lived for ages.
const LAST_COUNTER: u64 = u64::MAX - 1;

pub(crate) struct Session {
    transport: StatelessTransportState,
    id: [u8; ID],
    peer: ReplicaId,
    /// The counter of the last frame that was made here. The first has 1.
    sent: u64,
    /// The highest counter that was accepted from the peer.
    received: u64,
    messages: u64,
    inbound: Reassembly,
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
            transport: established.transport,
            id: established.session,
            peer: established.peer,
            sent: 0,
            received: 0,
            messages: 0,
            inbound: Reassembly::default(),
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

    /// Takes a data frame that names this session.
    pub(crate) fn hear(&mut self, now_ms: u64, counter: u64, sealed: &[u8]) -> Heard {
        if counter <= self.received || counter > LAST_COUNTER || sealed.len() > MAX_FRAME {
            return Heard::Nothing;
        }
        let mut plain = vec![0; sealed.len()];
        let Ok(read) = self.transport.read_message(counter, sealed, &mut plain) else {
            return Heard::Nothing;
        };
        let Some(part) = plain.get(..read).and_then(Part::parse) else {
            return Heard::Nothing;
        };
        // Only the peer can write this number, and it writes what it has received. So either these
        // frames were sent by a later state of this process than the one that now runs, or by a twin.
        if part.acknowledged > self.sent {
            return Heard::RolledBack;
        }
        self.received = counter;
        self.last_heard_ms = now_ms;
        Heard::Frame(part.body.and_then(|fragment| self.inbound.take(&fragment)))
    }

    /// A frame without a message: it acknowledges, and shows that this end lives.
    pub(crate) fn keepalive(&mut self, now_ms: u64) -> Option<Vec<u8>> {
        self.seal(
            now_ms,
            &Part {
                acknowledged: self.received,
                body: None,
            },
        )
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
        let acknowledged = self.received;
        fragments
            .map_while(|fragment| {
                self.seal(
                    now_ms,
                    &Part {
                        acknowledged,
                        body: Some(fragment),
                    },
                )
            })
            .collect()
    }

    fn seal(&mut self, now_ms: u64, part: &Part<'_>) -> Option<Vec<u8>> {
        let counter = self.sent.checked_add(1).filter(|c| *c <= LAST_COUNTER)?;
        // The counter is spent before the cipher sees it: no failure can make it serve twice.
        self.sent = counter;
        self.last_sent_ms = now_ms;
        let plain = part.encode();
        let mut frame = frame::data(self.id, counter, plain.len().checked_add(TAG)?);
        self.transport
            .write_message(counter, &plain, frame.get_mut(DATA_HEADER..)?)
            .ok()?;
        Some(frame)
    }
}
