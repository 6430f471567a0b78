//! What this process knows of one other node, and every decision about its sessions.
//!
//! The lower node id says hello, the higher one answers. The one that answered knows nothing until
//! the first data frame arrives: a hello may be years old, a data frame under fresh keys cannot be.

use std::collections::VecDeque;

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::frame::{CIPHERTEXT, Data, Frame, ID, NOISE_1, NOISE_2};
use crate::handshake::{self, Established, Keys, Pair};
use crate::seeds::Seeds;
use crate::session::{Heard, Session};
use crate::{
    Halt, KEEPALIVE_MS, LinkEvent, NodeId, RETRY_MS, ReplicaId, SILENCE_MS, is_process_of,
};

/// Answers that wait for their first data frame. A host can push one out with old hellos; the
/// hello comes again and gets the same answer, so that costs time and nothing else.
const MAX_PROVISIONAL: usize = 4;
/// Processes of one node that are remembered as gone.
const MAX_RETIRED: usize = 4_096;

const ANSWER_LABEL: &[u8] = b"strongroom link v1 answer seed";

pub(crate) struct Peer {
    node: NodeId,
    pair: Pair,
    initiator: bool,
    current: Option<Current>,
    /// The hello that waits for an answer (initiator only).
    pending: Option<Pending>,
    last_hello_ms: Option<u64>,
    /// Sessions that wait for their first data frame (responder only).
    provisional: VecDeque<Provisional>,
    /// Hellos of the current process for which it already has a session; no need to open them again.
    refused: Option<[u8; ID]>,
    retired: VecDeque<ReplicaId>,
    /// Decides the answers (responder only). Each session that begins replaces it: with it somebody who
    /// recorded the handshake could make the session's keys again.
    answer_secret: Zeroizing<[u8; 32]>,
}

/// The one session that counts.
struct Current {
    session: Session,
    /// What made it: the initiator repeats its hello, the responder its answer, while the other end may lack it.
    hello: [u8; ID],
    repeat: Vec<u8>,
}

struct Pending {
    seed: Zeroizing<[u8; 32]>,
    hello: [u8; ID],
    frame: Vec<u8>,
}

struct Provisional {
    session: Session,
    hello: [u8; ID],
    answer: Vec<u8>,
}

impl Peer {
    pub(crate) fn new(own: NodeId, node: NodeId, peer_public: [u8; 32], seeds: &mut Seeds) -> Peer {
        let pair = Pair { initiator: own.min(node), responder: own.max(node), peer_public };
        Peer {
            node,
            pair,
            initiator: own < node,
            current: None,
            pending: None,
            last_hello_ms: None,
            provisional: VecDeque::new(),
            refused: None,
            retired: VecDeque::new(),
            answer_secret: seeds.fresh(),
        }
    }

    pub(crate) fn node(&self) -> NodeId {
        self.node
    }

    pub(crate) fn process(&self) -> Option<ReplicaId> {
        self.current.as_ref().map(|c| c.session.peer())
    }

    pub(crate) fn send(&mut self, now_ms: u64, to: ReplicaId, message: &[u8]) -> Vec<Vec<u8>> {
        match &mut self.current {
            Some(current) if current.session.peer() == to => current.session.send(now_ms, message),
            _ => Vec::new(),
        }
    }

    pub(crate) fn on_frame(
        &mut self,
        keys: &Keys,
        seeds: &mut Seeds,
        now_ms: u64,
        bytes: &[u8],
    ) -> Vec<LinkEvent> {
        let mut events = Vec::new();
        match Frame::parse(bytes) {
            Some(Frame::Data(data)) => self.on_data(seeds, now_ms, &data, &mut events),
            Some(Frame::Hello(noise)) if !self.initiator => {
                self.on_hello(keys, now_ms, noise, &mut events);
            }
            Some(Frame::Answer { hello, ciphertext, noise }) if self.initiator => {
                let answered = self.on_answer(keys, hello, ciphertext, noise);
                if let Some((established, pending)) = answered {
                    let Pending { hello, frame: repeat, .. } = pending;
                    let session = Session::new(established, now_ms);
                    self.begin(seeds, Current { session, hello, repeat }, &mut events);
                    self.confirm(now_ms, &mut events);
                }
            }
            _ => {}
        }
        events
    }

    fn on_hello(
        &mut self,
        keys: &Keys,
        now_ms: u64,
        noise: &[u8; NOISE_1],
        events: &mut Vec<LinkEvent>,
    ) {
        let hello = handshake::hello_id(noise);
        if let Some(current) = self.current.as_mut().filter(|c| c.hello == hello) {
            // The initiator may have missed that the session stands; or it was put back to before it,
            // and then the acknowledgement in this frame tells it so.
            let frames = [Some(current.repeat.clone()), current.session.keepalive(now_ms)];
            return self.push(frames.into_iter().flatten(), events);
        }
        if let Some(waiting) = self.provisional.iter().find(|p| p.hello == hello) {
            let answer = waiting.answer.clone();
            return self.push([answer], events);
        }
        if self.refused == Some(hello) {
            return;
        }
        let seed = answer_seed(&self.answer_secret, noise);
        let Some(opened) = handshake::open(keys, &self.pair, &seed, noise) else {
            return;
        };
        if !self.may_begin(opened.peer) {
            self.refused = Some(hello);
            return;
        }
        let Some((established, answer)) = opened.answer(keys) else {
            return;
        };
        if self.provisional.len() >= MAX_PROVISIONAL {
            self.provisional.pop_front();
        }
        let session = Session::new(established, now_ms);
        self.provisional.push_back(Provisional { session, hello, answer: answer.clone() });
        self.push([answer], events);
    }

    fn on_answer(
        &mut self,
        keys: &Keys,
        hello: [u8; ID],
        ciphertext: &[u8; CIPHERTEXT],
        noise: &[u8; NOISE_2],
    ) -> Option<(Established, Pending)> {
        let pending = self.pending.as_ref().filter(|p| p.hello == hello)?;
        let seed = &pending.seed;
        let established = handshake::finish(keys, &self.pair, seed, ciphertext, noise)?;
        // A session that was never heard of may have been forgotten there: the answer waited too long.
        // The peer said nothing under it, so nothing that it said is forgotten here.
        let unheard = |c: &Current| c.session.peer() == established.peer && !c.session.was_heard();
        if !self.may_begin(established.peer) && !self.current.as_ref().is_some_and(unheard) {
            return None;
        }
        Some((established, self.pending.take()?))
    }

    fn on_data(
        &mut self,
        seeds: &mut Seeds,
        now_ms: u64,
        data: &Data<'_>,
        events: &mut Vec<LinkEvent>,
    ) {
        if let Some(current) = self.current.as_mut().filter(|c| c.session.id() == data.session) {
            let from = current.session.peer();
            match current.session.hear(now_ms, data) {
                Heard::Nothing => {}
                Heard::RolledBack => events.push(LinkEvent::Halt(Halt::RolledBack)),
                Heard::Frame(message) => {
                    // The peer lives, so a hello that is still on its way has lost its purpose.
                    self.pending = None;
                    events.extend(message.map(|bytes| LinkEvent::Message { from, bytes }));
                }
            }
            return;
        }
        let Some(index) = self.provisional.iter().position(|p| p.session.id() == data.session)
        else {
            return;
        };
        let Some(waiting) = self.provisional.get_mut(index) else {
            return;
        };
        match waiting.session.hear(now_ms, data) {
            Heard::Nothing => {}
            Heard::RolledBack => events.push(LinkEvent::Halt(Halt::RolledBack)),
            Heard::Frame(message) => {
                let Some(Provisional { session, hello, answer }) = self.provisional.remove(index)
                else {
                    return;
                };
                let from = session.peer();
                self.begin(seeds, Current { session, hello, repeat: answer }, events);
                events.extend(message.map(|bytes| LinkEvent::Message { from, bytes }));
                self.confirm(now_ms, events);
            }
        }
    }

    /// Replaces the key of everything that is sent from here.
    pub(crate) fn rekey(&mut self) {
        let current = self.current.iter_mut().map(|c| &mut c.session);
        let waiting = self.provisional.iter_mut().map(|p| &mut p.session);
        current.chain(waiting).for_each(Session::rekey);
    }

    /// Whether the other end has given up the keys of everything that was sent before.
    pub(crate) fn was_rekeyed(&self) -> bool {
        self.current.as_ref().is_none_or(|c| c.session.was_rekeyed())
    }

    /// Whether that process may get a session: it is one of this node's, has none yet, and was not
    /// replaced before. Without the second rule a process whose memory was put back would begin anew,
    /// and nobody could tell it that it had said more than it remembers.
    fn may_begin(&self, process: ReplicaId) -> bool {
        is_process_of(process, self.node)
            && self.process() != Some(process)
            && !self.retired.contains(&process)
    }

    fn begin(&mut self, seeds: &mut Seeds, current: Current, events: &mut Vec<LinkEvent>) {
        let replica = current.session.peer();
        let gone = self.current.replace(current).filter(|gone| gone.session.peer() != replica);
        if let Some(gone) = gone {
            if self.retired.len() >= MAX_RETIRED {
                self.retired.pop_front();
            }
            self.retired.push_back(gone.session.peer());
        }
        self.answer_secret = seeds.fresh();
        self.provisional.clear();
        self.pending = None;
        self.refused = None;
        events.push(LinkEvent::Up { node: self.node, replica });
    }

    fn confirm(&mut self, now_ms: u64, events: &mut Vec<LinkEvent>) {
        let frame = self.current.as_mut().and_then(|c| c.session.keepalive(now_ms));
        self.push(frame, events);
    }

    pub(crate) fn tick(
        &mut self,
        keys: &Keys,
        seeds: &mut Seeds,
        now_ms: u64,
        events: &mut Vec<LinkEvent>,
    ) {
        if self.initiator {
            self.offer(keys, seeds, now_ms, events);
        }
        let idle = self.current.as_mut().filter(|c| c.session.idle_for(now_ms) >= KEEPALIVE_MS);
        let frame = idle.and_then(|c| c.session.keepalive(now_ms));
        self.push(frame, events);
    }

    /// The initiator's hellos. While it has heard nothing under its session, it repeats the hello of
    /// that session: the peer may not have been able to keep its half. After a silence it also offers a
    /// new one: the peer may be another process, which cannot ask for itself.
    fn offer(&mut self, keys: &Keys, seeds: &mut Seeds, now_ms: u64, events: &mut Vec<LinkEvent>) {
        let session = self.current.as_ref().map(|c| &c.session);
        let silent = session.is_none_or(|s| s.silent_for(now_ms) >= SILENCE_MS);
        let unheard = session.is_some_and(|s| !s.was_heard());
        let due = self.last_hello_ms.is_none_or(|last| now_ms.saturating_sub(last) >= RETRY_MS);
        if !due || !(silent || unheard) {
            return;
        }
        self.last_hello_ms = Some(now_ms);
        let repeat = self.current.as_ref().map(|c| c.repeat.clone());
        self.push(repeat, events);
        self.confirm(now_ms, events);
        if silent {
            if self.pending.is_none() {
                self.pending = self.new_pending(keys, seeds);
            }
            let hello = self.pending.as_ref().map(|p| p.frame.clone());
            self.push(hello, events);
        }
    }

    fn new_pending(&self, keys: &Keys, seeds: &mut Seeds) -> Option<Pending> {
        let seed = seeds.fresh();
        let frame = handshake::hello(keys, &self.pair, &seed)?;
        let Some(Frame::Hello(noise)) = Frame::parse(&frame) else {
            return None;
        };
        let hello = handshake::hello_id(noise);
        Some(Pending { seed, hello, frame })
    }

    fn push(&self, frames: impl IntoIterator<Item = Vec<u8>>, events: &mut Vec<LinkEvent>) {
        let to = self.node;
        events.extend(frames.into_iter().map(|bytes| LinkEvent::Send { to, bytes }));
    }
}

fn answer_seed(secret: &[u8; 32], noise: &[u8; NOISE_1]) -> Zeroizing<[u8; 32]> {
    let hash = Sha256::new().chain_update(ANSWER_LABEL).chain_update(secret).chain_update(noise);
    Zeroizing::new(hash.finalize().into())
}

/// What somebody finds who reads the memory of this process.
#[cfg(test)]
pub(crate) struct Memory {
    pub(crate) keys: Vec<(u64, Zeroizing<[u8; 32]>)>,
    pub(crate) answer_secret: Zeroizing<[u8; 32]>,
    pub(crate) pending: Option<Zeroizing<[u8; 32]>>,
}

#[cfg(test)]
impl Peer {
    pub(crate) fn memory(&self) -> Memory {
        let current = self.current.iter().map(|c| &c.session);
        let sessions = current.chain(self.provisional.iter().map(|p| &p.session));
        Memory {
            keys: sessions.flat_map(Session::keys_now).collect(),
            answer_secret: self.answer_secret.clone(),
            pending: self.pending.as_ref().map(|p| p.seed.clone()),
        }
    }

    pub(crate) fn danger_answer_seed(
        &self,
        secret: &[u8; 32],
        noise: &[u8; NOISE_1],
    ) -> Zeroizing<[u8; 32]> {
        answer_seed(secret, noise)
    }

    pub(crate) fn danger_pair(&self) -> &Pair {
        &self.pair
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Config, Links, public_key};

    fn links(own: NodeId, process: u64) -> Links {
        Links::new(Config {
            own,
            id: (u64::from(own) << 56) | process,
            static_secret: [own; 32],
            peers: vec![(3 - own, public_key(&[3 - own; 32]))],
            manifest_digest: [9; 32],
            fleet: "eu-1".into(),
            seed: [process as u8; 32],
        })
        .unwrap()
    }

    /// Both ends have a session, made by this process of node 1.
    fn meet(process: u64, node_2: &mut Links) {
        let mut node_1 = links(1, process);
        let sent = |events: Vec<LinkEvent>| {
            events.into_iter().find_map(|event| match event {
                LinkEvent::Send { bytes, .. } => Some(bytes),
                _ => None,
            })
        };
        let hello = sent(node_1.tick(0)).unwrap();
        let answer = sent(node_2.on_frame(0, 1, &hello)).unwrap();
        let confirmation = sent(node_1.on_frame(0, 2, &answer)).unwrap();
        node_2.on_frame(0, 1, &confirmation);
        assert_eq!(node_2.process_of(1), Some((1 << 56) | process));
    }

    #[test]
    fn a_host_that_restarts_its_node_for_ever_fills_no_memory_and_revives_no_recent_process() {
        let mut node_2 = links(2, 1);
        let gone = |nonce: u64| (1 << 56) | nonce;
        node_2.peers[0].retired = (0..MAX_RETIRED as u64).map(|n| gone(1_000 + n)).collect();
        meet(1, &mut node_2);
        meet(2, &mut node_2);
        let peer = &node_2.peers[0];
        assert_eq!(peer.retired.len(), MAX_RETIRED);
        assert!(!peer.may_begin(gone(1)), "the one that was replaced just now");
        assert!(!peer.may_begin(gone(1_001)));
        assert!(peer.may_begin(gone(1_000)), "the oldest of all is forgotten");
    }
}
