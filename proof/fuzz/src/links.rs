//! Two ends of a link, and a host between them that loses, repeats, swaps and changes frames.

use crate::pieces::{join, split};
use std::collections::{BTreeSet, VecDeque};
use strongroom_link::{Config, LinkEvent, Links, NodeId, public_key};

/// Frames that the host keeps.
const KEPT: usize = 512;

struct End {
    node: NodeId,
    links: Links,
    process: u64,
    /// Frames for this end, in the order in which they were sent.
    inbox: VecDeque<Vec<u8>>,
    /// Numbers of messages that arrived here.
    heard: BTreeSet<u64>,
}

fn id(node: NodeId, process: u64) -> u64 {
    (u64::from(node) << 56) | process
}

fn links(node: NodeId, process: u64) -> Links {
    let secret = |node: NodeId| [node; 32];
    let mut seed = [node; 32];
    seed[..8].copy_from_slice(&process.to_be_bytes());
    let config = Config {
        own: node,
        id: id(node, process),
        static_secret: secret(node),
        peers: [(3 - node, public_key(&secret(3 - node)))].to_vec(),
        manifest_digest: [9; 32],
        fleet: "eu".to_owned(),
        seed,
    };
    Links::new(config).expect("a configuration")
}

struct Pair {
    ends: [End; 2],
    now_ms: u64,
    sent: u64,
    passed: bool,
}

/// `what ‖ end ‖ argument ‖ argument`, a piece each.
pub(crate) fn link(bytes: &[u8]) -> bool {
    let end = |node| End {
        node,
        links: links(node, 1),
        process: 1,
        inbox: VecDeque::new(),
        heard: BTreeSet::new(),
    };
    let mut pair = Pair { ends: [end(1), end(2)], now_ms: 1_000, sent: 0, passed: false };
    for piece in split(bytes).into_iter().take(400) {
        pair.act(piece);
    }
    pair.passed
}

impl Pair {
    fn act(&mut self, piece: &[u8]) {
        let byte = |at: usize| piece.get(at).copied().unwrap_or(0);
        let at = usize::from(byte(1) & 1);
        let pick = usize::from(byte(2));
        match byte(0) % 8 {
            0 => {
                self.now_ms += 10 * u64::from(byte(2));
                let events = self.ends[at].links.tick(self.now_ms);
                self.absorb(at, events);
            }
            1 | 2 => {
                if let Some(frame) = self.ends[at].inbox.pop_front() {
                    self.give(at, &frame);
                }
            }
            3 => self.ends[at].inbox.rotate_left(pick % self.ends[at].inbox.len().max(1)),
            4 => {
                // Again, or changed at one place.
                let Some(frame) = self.ends[at].inbox.get(pick % KEPT).cloned() else { return };
                let mut frame = frame;
                if let Some(changed) = frame.get_mut(usize::from(byte(3))) {
                    *changed ^= byte(4);
                }
                self.give(at, &frame);
            }
            5 => self.say(at, usize::from(byte(2)) * usize::from(byte(3))),
            6 => {
                let end = &mut self.ends[at];
                end.process += 1;
                end.links = links(end.node, end.process);
                end.heard.clear();
            }
            // Whatever the host makes up.
            _ => {
                let made_up = piece.get(2..).unwrap_or_default().to_vec();
                self.give(at, &made_up);
            }
        }
    }

    fn give(&mut self, at: usize, frame: &[u8]) {
        let from = self.ends[1 - at].node;
        let events = self.ends[at].links.on_frame(self.now_ms, from, frame);
        self.absorb(at, events);
    }

    /// Sends a message that tells its number and its sender's process.
    fn say(&mut self, at: usize, len: usize) {
        let other = &self.ends[1 - at];
        let to = id(other.node, other.process);
        self.sent += 1;
        let mut message = self.sent.to_be_bytes().to_vec();
        message.extend_from_slice(&id(self.ends[at].node, self.ends[at].process).to_be_bytes());
        message.resize(16 + len, 7);
        let frames = self.ends[at].links.send(to, &message);
        self.ends[1 - at].inbox.extend(frames);
    }

    fn absorb(&mut self, at: usize, events: Vec<LinkEvent>) {
        for event in events {
            match event {
                LinkEvent::Send { bytes, .. } => {
                    let inbox = &mut self.ends[1 - at].inbox;
                    inbox.push_back(bytes);
                    inbox.truncate(KEPT);
                }
                LinkEvent::Message { from, bytes } => {
                    let (number, rest) = bytes.split_first_chunk::<8>().expect("as it was sent");
                    let (sender, rest) = rest.split_first_chunk::<8>().expect("as it was sent");
                    assert_eq!(u64::from_be_bytes(*sender), from, "from another process");
                    assert!(rest.iter().all(|byte| *byte == 7), "changed on its way");
                    let fresh = self.ends[at].heard.insert(u64::from_be_bytes(*number));
                    assert!(fresh, "the same message twice");
                    self.passed = true;
                }
                LinkEvent::Up { replica, .. } => {
                    assert!(replica <= id(self.ends[1 - at].node, self.ends[1 - at].process));
                }
                LinkEvent::Halt(_) => panic!("nobody put a memory back"),
            }
        }
    }
}

/// A handshake and some messages.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let tick = |end| [0, end, 10].to_vec();
    let give = |end| [1, end].to_vec();
    let say = |end| [5, end, 40, 200].to_vec();
    let mut pieces = vec![tick(0), tick(1), give(1), give(0), give(1), give(0)];
    for _ in 0..3 {
        pieces.extend([say(0), say(1), give(0), give(1), tick(0), tick(1)]);
    }
    let mut again = pieces.clone();
    again.extend([vec![6, 0], tick(0), give(1), give(0), say(0), give(1), vec![4, 1, 0, 20, 1]]);
    vec![join(&pieces), join(&again)]
}
