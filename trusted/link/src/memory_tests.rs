//! Somebody recorded every frame between two vaults and later reads both their memories and keys.

use zeroize::Zeroizing;

use crate::direction::Direction;
use crate::fragment::Part;
use crate::frame::{Data, Frame};
use crate::handshake::{self, Established};
use crate::peer::Memory;
use crate::seeds::Seeds;
use crate::{Config, LinkEvent, Links, NodeId, ReplicaId, public_key};

fn secret(node: NodeId) -> [u8; 32] {
    [node; 32]
}

fn replica(node: NodeId, process: u64) -> ReplicaId {
    (u64::from(node) << 56) | process
}

fn links(own: NodeId, process: u64) -> Links {
    let peer = 3 - own;
    Links::new(Config {
        own,
        id: replica(own, process),
        static_secret: secret(own),
        peers: vec![(peer, public_key(&secret(peer)))],
        manifest_digest: [9; 32],
        fleet: "eu-1".into(),
        seed: [own.wrapping_mul(16).wrapping_add(process as u8); 32],
    })
    .unwrap()
}

/// Nodes 1 and 2, and everything that their hosts saw.
struct Tap {
    ends: [Links; 2],
    now_ms: u64,
    recorded: Vec<Vec<u8>>,
}

fn sent(events: Vec<LinkEvent>) -> Vec<Vec<u8>> {
    let frame = |e| if let LinkEvent::Send { bytes, .. } = e { Some(bytes) } else { None };
    events.into_iter().filter_map(frame).collect()
}

impl Tap {
    fn new() -> Tap {
        Tap { ends: [links(1, 1), links(2, 1)], now_ms: 0, recorded: Vec::new() }
    }

    /// Carries frames from one end until nothing is under way.
    fn carry(&mut self, from: usize, frames: Vec<Vec<u8>>) {
        for frame in frames {
            let events = self.ends[1 - from].on_frame(self.now_ms, from as u8 + 1, &frame);
            self.recorded.push(frame);
            self.carry(1 - from, sent(events));
        }
    }

    fn tick(&mut self, ticks: u64) {
        for _ in 0..ticks {
            self.now_ms += 100;
            for end in 0..2 {
                let frames = sent(self.ends[end].tick(self.now_ms));
                self.carry(end, frames);
            }
        }
    }

    fn say(&mut self, end: usize, text: &[u8]) -> Vec<Vec<u8>> {
        let to = self.ends[end].process_of(2 - end as u8).unwrap();
        self.ends[end].send(to, text)
    }

    fn exchange(&mut self, text: &str) {
        for end in 0..2 {
            let frames = self.say(end, format!("{text} by {end}").as_bytes());
            self.carry(end, frames);
        }
    }

    fn retire(&mut self, through: u64) {
        self.ends.iter_mut().for_each(|end| end.retire(through));
    }

    /// Every text among the recorded frames that opens with what is in this end's memory.
    fn read_memory(&self, end: usize) -> Vec<String> {
        let links = &self.ends[end];
        let Memory { mut keys, answer_secret, pending } = links.peers[0].memory();
        // With the static key, what decides a handshake brings its session back.
        let mut seeds = vec![answer_secret];
        seeds.extend(pending);
        let mut next = Seeds::new(*links.seeds_now());
        seeds.extend((0..4).map(|_| next.fresh()));
        for made in seeds.iter().flat_map(|seed| self.made_again(links, seed)) {
            keys.extend([made.outbound.key_now(), made.inbound.key_now()]);
        }
        let mut texts: Vec<String> = self
            .recorded
            .iter()
            .flat_map(|frame| match Frame::parse(frame) {
                Some(Frame::Data(data)) => keys.iter().filter_map(|key| text(key, &data)).collect(),
                _ => Vec::new(),
            })
            .collect();
        texts.sort();
        texts.dedup();
        texts
    }

    fn made_again(&self, links: &Links, seed: &[u8; 32]) -> Vec<Established> {
        let (keys, peer) = (&links.keys, &links.peers[0]);
        let frames = || self.recorded.iter().filter_map(|f| Frame::parse(f));
        frames()
            .filter_map(|frame| match frame {
                Frame::Hello(noise) => {
                    let seed = peer.danger_answer_seed(seed, noise);
                    let opened = handshake::open(keys, peer.danger_pair(), &seed, noise)?;
                    opened.answer(keys).map(|(made, _)| made)
                }
                Frame::Answer { ciphertext, noise, .. } => {
                    handshake::finish(keys, peer.danger_pair(), seed, ciphertext, noise)
                }
                Frame::Data(_) => None,
            })
            .collect()
    }
}

/// A key of a memory serves for its own period; whoever has it makes the later ones too.
fn text(key: &(u64, Zeroizing<[u8; 32]>), data: &Data<'_>) -> Option<String> {
    let (period, key) = key;
    let mut direction = Direction::danger_at(key.clone(), *period);
    let plain = direction.open(data.period, data.counter, data.sealed)?;
    let body = Part::parse(&plain)?.body?;
    Some(String::from_utf8(body.bytes.to_vec()).unwrap())
}

#[test]
fn before_an_erasure_either_memory_opens_everything() {
    // The attack works: otherwise the tests below would show nothing.
    let mut tap = Tap::new();
    tap.tick(2);
    tap.exchange("salt");
    for end in 0..2 {
        assert_eq!(tap.read_memory(end), ["salt by 0", "salt by 1"]);
    }
}

#[test]
fn inv7_recorded_frames_and_both_memories_open_nothing_older_than_the_erasure() {
    let mut tap = Tap::new();
    tap.tick(2);
    for round in 1..4 {
        tap.exchange("salt");
        tap.retire(round);
        tap.exchange("later");
        tap.tick(7);
        for end in 0..2 {
            assert_eq!(tap.ends[end].retired_through(), round);
            let texts = tap.read_memory(end);
            assert!(texts.iter().all(|text| !text.starts_with("salt")), "{texts:?}");
            assert_eq!(texts, ["later by 0", "later by 1"]);
        }
        tap.recorded.retain(|frame| !matches!(Frame::parse(frame), Some(Frame::Data(_))));
    }
}

#[test]
fn inv7_what_the_peer_did_not_get_yet_is_not_retired() {
    let mut tap = Tap::new();
    tap.tick(2);
    // A host keeps the frames of one end back: the other still has their key.
    let salt = tap.say(0, b"salt by 0");
    tap.recorded.extend(salt);
    tap.retire(1);
    for _ in 0..20 {
        tap.now_ms += 100;
        let kept = sent(tap.ends[0].tick(tap.now_ms));
        tap.recorded.extend(kept);
        let frames = sent(tap.ends[1].tick(tap.now_ms));
        for frame in frames {
            let events = tap.ends[0].on_frame(tap.now_ms, 2, &frame);
            tap.recorded.extend(sent(events));
        }
    }
    assert_eq!(tap.read_memory(1), ["salt by 0"]);
    assert_eq!(tap.ends[0].retired_through(), 0, "and so node 1 says that it is not");
    tap.tick(12);
    assert_eq!(tap.ends[0].retired_through(), 1);
    assert!(tap.read_memory(0).is_empty() && tap.read_memory(1).is_empty());
}

#[test]
fn inv7_a_session_that_the_peer_has_only_half_is_not_retired_either() {
    // Node 1 finished and spoke; node 2 holds the keys and has heard nothing under them.
    let mut tap = Tap::new();
    let hello = sent(tap.ends[0].tick(0));
    let answer = sent(tap.ends[1].on_frame(0, 1, &hello[0]));
    tap.ends[0].on_frame(0, 2, &answer[0]);
    tap.recorded.extend([hello, answer].concat());
    let salt = tap.say(0, b"salt by 0");
    tap.recorded.extend(salt);
    tap.retire(1);
    tap.ends[0].tick(100);
    assert_eq!(tap.read_memory(1), ["salt by 0"]);
    assert_eq!(tap.ends[0].retired_through(), 0);
    // Old hellos push the half out of node 2's memory; the secret would still bring it back.
    for process in 10..15 {
        let hello = sent(links(1, process).tick(0));
        tap.ends[1].on_frame(0, 1, &hello[0]);
    }
    assert_eq!(tap.read_memory(1), ["salt by 0"]);
    assert_eq!(tap.ends[0].retired_through(), 0);
    tap.tick(30);
    assert_eq!(tap.ends[0].retired_through(), 1);
    assert!(tap.read_memory(0).is_empty() && tap.read_memory(1).is_empty());
}

#[test]
fn inv7_the_secret_behind_an_answer_is_gone_when_its_session_begins() {
    let mut tap = Tap::new();
    let before = tap.ends[1].peers[0].memory().answer_secret;
    tap.tick(2);
    tap.exchange("salt");
    let made = tap.made_again(&tap.ends[1], &before);
    let key = made.first().map(|made| made.inbound.key_now()).unwrap();
    let opens = |frame: &Vec<u8>| match Frame::parse(frame) {
        Some(Frame::Data(data)) => text(&key, &data).is_some(),
        _ => false,
    };
    assert!(tap.recorded.iter().any(opens), "it decides the session");
    let after = tap.ends[1].peers[0].memory().answer_secret;
    assert!(tap.made_again(&tap.ends[1], &after).iter().all(|made| {
        tap.recorded.iter().all(|frame| match Frame::parse(frame) {
            Some(Frame::Data(data)) => text(&made.inbound.key_now(), &data).is_none(),
            _ => true,
        })
    }));
}
