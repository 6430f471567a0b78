//! One real vault among puppets: peers with the right link keys that say what a test makes them say.
#![allow(unreachable_pub, reason = "one test file uses it")]

use chacha20::{ChaCha20Rng, rand_core::SeedableRng as _};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use strongroom_link::{Config, LinkEvent, Links};
use strongroom_sim::{
    Plan,
    fleet::{self, Ceremony},
    hardware::{SimHardware, WorldClock},
};
use strongroom_vault::{Setup, Vault};
use strongroom_wire::{
    codec::Blob,
    process::{ToHost, ToVault},
};

/// Where the log begins that [`Stage::admitted`] gives the vault.
pub const BASE: u64 = 5;
pub const BASE_HASH: [u8; 32] = [8; 32];
/// The era and the term that the puppets speak of.
const ERA: u64 = 1;
const TERM: u64 = 1;

/// The vault is node 1; nodes 2 to 7 are puppets.
pub struct Stage {
    vault: Vault<SimHardware>,
    clock: Rc<RefCell<WorldClock>>,
    puppets: Vec<Links>,
    /// What the vault told its host, in order.
    pub events: Vec<String>,
    pub halts: Vec<(u16, String)>,
}

/// The process of a puppet.
pub fn puppet(node: u8) -> u64 {
    (u64::from(node) << 56) | 77
}

impl Stage {
    /// Everybody has a link with the vault, and it asks to be let in.
    pub fn new() -> Self {
        let of = Ceremony::new(&mut ChaCha20Rng::from_seed([4; 32]), &Plan::calm(1, 0));
        let clock = Rc::new(RefCell::new(WorldClock::default()));
        let hardware =
            SimHardware::new(of.nodes[0].clone(), of.secrets.clone(), clock.clone(), [9; 32]);
        let (manifest, fleet) = (of.manifest.clone(), fleet::FLEET.to_owned());
        let setup = Setup { node: 1, fleet, manifest, tick_ms: 20 };
        let vault = Vault::new(setup, hardware).expect("a vault");
        let links = |own: u8| {
            let config = Config {
                own,
                id: puppet(own),
                static_secret: of.nodes[usize::from(own) - 1].link,
                peers: vec![(1, of.manifest.fleets[0].nodes[0].link_key.0)],
                manifest_digest: *of.manifest.digest(),
                fleet: fleet::FLEET.to_owned(),
                seed: [own; 32],
            };
            Links::new(config).expect("links")
        };
        let puppets = (2..=7).map(links).collect();
        let mut stage = Self { vault, clock, puppets, events: Vec::new(), halts: Vec::new() };
        stage.step(ToVault::LoadEnd {});
        stage.run(1_000);
        assert!(stage.puppets.iter().all(|links| links.process_of(1) == Some(stage.own())));
        stage
    }

    /// Puppet 2 let the vault in as a learner, with this state as of entry [`BASE`].
    pub fn admitted(state: &[u8]) -> Self {
        let mut stage = Self::new();
        let own = stage.own();
        let mut e = Words::new();
        e.array(4).number(2).number(ERA).number(TERM).seats(own);
        stage.say(2, &replica(e));
        let mut body = Words::new();
        body.array(3).bytes(&BASE_HASH).bytes(state).bytes(b"");
        let mut e = stage.frame(5, 2, Numbers::default(), Some(BASE_HASH));
        e.array(0).array(4).number(BASE).number(TERM).seats(own).bytes(&body.0);
        stage.say(2, &replica(e));
        stage
    }

    pub fn own(&self) -> u64 {
        self.vault.incarnation()
    }

    pub fn halted(&self) -> Option<u16> {
        self.vault.halted().map(|(code, _)| code)
    }

    /// An append after the base, of one entry of this kind.
    pub fn append(&mut self, before: [u8; 32], kind: u64, bytes: &[u8], salt: &[u8]) {
        let numbers = Numbers { log_term: TERM, index: BASE, commit: BASE + 1 };
        let mut e = self.frame(1, 2, numbers, Some(before));
        e.array(1).array(4).number(kind).number(TERM).bytes(bytes).bytes(salt).null();
        self.say(2, &replica(e));
    }

    pub fn heartbeat(&mut self, node: u8, commit: u64) {
        let numbers = Numbers { commit, ..Numbers::default() };
        let mut e = self.frame(3, node, numbers, None);
        e.array(0).null();
        self.say(node, &replica(e));
    }

    /// A note of where a node stands.
    pub fn beat(&mut self, node: u8, applied: u64, hash: [u8; 32]) {
        let mut e = Words::new();
        e.array(2).number(1).array(4).number(0).number(applied).bytes(&hash).number(0);
        self.say(node, &[&[2], e.0.as_slice()].concat());
    }

    /// The head of a library's message, up to its entries and its snapshot.
    fn frame(&self, kind: u64, from: u8, n: Numbers, hash: Option<[u8; 32]>) -> Words {
        let mut e = Words::new();
        e.array(15).number(0).number(ERA).number(kind).number(puppet(from)).number(self.own());
        e.number(TERM).number(n.log_term).number(n.index).number(n.commit).number(0);
        e.no().number(0);
        match hash {
            Some(hash) => e.bytes(&hash),
            None => e.null(),
        };
        e
    }

    /// A puppet says this to the vault, whatever it is.
    pub fn say(&mut self, node: u8, message: &[u8]) {
        let to = self.own();
        let frames = self.puppets[usize::from(node) - 2].send(to, message);
        assert!(!frames.is_empty(), "no link");
        for bytes in frames {
            self.step(ToVault::Peer { from: node, bytes: Blob(bytes) });
        }
        self.run(100);
    }

    fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.clock.borrow_mut().now_ms += 10;
            let out = self.vault.tick();
            self.carry(out);
        }
    }

    fn step(&mut self, input: ToVault) {
        let out = self.vault.step(input);
        self.carry(out);
    }

    fn carry(&mut self, out: Vec<ToHost>) {
        let mut queue: VecDeque<ToHost> = out.into();
        while let Some(out) = queue.pop_front() {
            match out {
                ToHost::Peer { to, bytes } => {
                    let now_ms = self.clock.borrow().now_ms;
                    let said = self.puppets[usize::from(to) - 2].on_frame(now_ms, 1, &bytes.0);
                    for event in said {
                        if let LinkEvent::Send { bytes, .. } = event {
                            let input = ToVault::Peer { from: to, bytes: Blob(bytes) };
                            queue.extend(self.vault.step(input));
                        }
                    }
                }
                ToHost::Persist { number, .. } => {
                    queue.extend(self.vault.step(ToVault::Persisted { number }));
                }
                ToHost::Event { text } => self.events.push(text),
                ToHost::Halted { code, reason } => self.halts.push((code, reason)),
                _ => {}
            }
        }
    }
}

#[derive(Default)]
struct Numbers {
    log_term: u64,
    index: u64,
    commit: u64,
}

/// The vault's message that carries one of its replica's.
pub fn replica(words: Words) -> Vec<u8> {
    [&[1], words.0.as_slice()].concat()
}

/// CBOR, word by word, as replicas write it.
pub struct Words(Vec<u8>);

impl Words {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn put(&mut self, what: impl minicbor::Encode<()>) -> &mut Self {
        self.0.extend(minicbor::to_vec(what).expect("into memory"));
        self
    }

    pub fn array(&mut self, len: u8) -> &mut Self {
        self.0.push(0x80 | len);
        self
    }

    pub fn number(&mut self, number: u64) -> &mut Self {
        self.put(number)
    }

    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.put(minicbor::bytes::ByteVec::from(bytes.to_vec()))
    }

    fn no(&mut self) -> &mut Self {
        self.put(false)
    }

    fn null(&mut self) -> &mut Self {
        self.put(Option::<u64>::None)
    }

    /// Puppet 2 votes, and the vault learns.
    fn seats(&mut self, own: u64) -> &mut Self {
        self.array(4).array(1).number(puppet(2)).array(0).array(1).number(own).array(0)
    }
}
