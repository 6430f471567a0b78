//! A fleet of real vaults between which everything is carried at once, and whose hosts obey.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its own part")]

use chacha20::{ChaCha20Rng, rand_core::SeedableRng as _};
use std::{cell::RefCell, collections::VecDeque, rc::Rc};
use strongroom_manifest::{Manifest, Verified, to_canonical_json};
use strongroom_sim::{
    Plan,
    disk::Image,
    fleet::{self, Ceremony},
    hardware::{EPOCH_MS, SimHardware, WorldClock},
};
use strongroom_vault::{Setup, Vault};
use strongroom_wire::{
    Slot, codec,
    codec::Blob,
    digest::sha256,
    process::{ToHost, ToVault},
    relay::{RelayReply, reply_from_bytes},
    request::Verb,
    start::SignedPosition,
};

pub struct Small {
    pub of: Ceremony,
    pub clock: Rc<RefCell<WorldClock>>,
    pub vaults: Vec<Vault<SimHardware>>,
    disks: Vec<Image>,
    positions: Vec<SignedPosition>,
    processes: u8,
    pub replies: Vec<(u64, RelayReply)>,
}

impl Small {
    pub fn new() -> Self {
        let of = Ceremony::new(&mut ChaCha20Rng::from_seed([4; 32]), &Plan::calm(1, 0));
        let clock = Rc::new(RefCell::new(WorldClock::default()));
        let disks = vec![Image::default(); of.nodes.len()];
        let (vaults, positions, replies) = (Vec::new(), Vec::new(), Vec::new());
        Self { of, clock, vaults, disks, positions, processes: 0, replies }
    }

    /// Stops every process, and begins an era with new ones under the manifest of now.
    pub fn begin(&mut self) {
        self.vaults.clear();
        self.positions.clear();
        for (node, id) in (1..).enumerate().take(self.of.nodes.len()) {
            self.processes += 1;
            let (keys, secrets) = (self.of.nodes[node].clone(), self.of.secrets.clone());
            let seed = [self.processes; 32];
            let hardware = SimHardware::new(keys, secrets, self.clock.clone(), seed);
            let (manifest, fleet) = (self.of.manifest.clone(), fleet::FLEET.to_owned());
            let setup = Setup { node: id, fleet, manifest, tick_ms: 20 };
            self.vaults.push(Vault::new(setup, hardware).expect("a vault"));
        }
        for node in 0..self.vaults.len() {
            let loads = self.disks[node].load();
            loads.into_iter().for_each(|load| self.step(node, load));
            self.step(node, ToVault::Position {});
        }
        let start = Blob(codec::encode(&self.of.start(self.positions.clone())));
        for node in 0..self.vaults.len() {
            self.step(node, ToVault::Start { bytes: start.clone() });
        }
    }

    pub fn step(&mut self, node: usize, input: ToVault) {
        let out = self.vaults[node].step(input);
        self.carry(node, out);
    }

    fn carry(&mut self, node: usize, out: Vec<ToHost>) {
        let mut queue: VecDeque<(usize, ToHost)> = out.into_iter().map(|out| (node, out)).collect();
        while let Some((node, out)) = queue.pop_front() {
            let (to, input) = match out {
                ToHost::Peer { to, bytes } => {
                    let from = u8::try_from(node + 1).expect("a node");
                    (usize::from(to) - 1, ToVault::Peer { from, bytes })
                }
                ToHost::Persist { number, ops } => {
                    self.disks[node].apply(&ops);
                    (node, ToVault::Persisted { number })
                }
                ToHost::Position { bytes } => {
                    self.positions.push(codec::decode(&bytes.0, 4_096).expect("a position"));
                    continue;
                }
                ToHost::Reply { id, reply } => {
                    let reply = reply_from_bytes(&reply.0).expect("a reply");
                    self.replies.push((id, reply));
                    continue;
                }
                _ => continue,
            };
            queue.extend(self.vaults[to].step(input).into_iter().map(|out| (to, out)));
        }
    }

    /// Lets so much time pass.
    pub fn run(&mut self, ms: u64) {
        for _ in 0..ms / 10 {
            self.clock.borrow_mut().now_ms += 10;
            for node in 0..self.vaults.len() {
                let out = self.vaults[node].tick();
                self.carry(node, out);
            }
        }
    }

    /// The node that leads.
    pub fn leader(&self) -> usize {
        let leads = |vault: &Vault<_>| vault.danger_replica().is_some_and(|r| r.ready_to_serve());
        self.vaults.iter().position(leads).expect("a leader")
    }

    /// A ticket as an honest gateway mints it.
    pub fn ticket(&self, slot: &Slot, verb: Verb, frame: &[u8]) -> Vec<u8> {
        let now_ms = EPOCH_MS + self.clock.borrow().now_ms;
        self.of.ticket(&mut ChaCha20Rng::from_seed([6; 32]), slot, verb, frame, now_ms)
    }

    pub fn change(&mut self, change: impl FnOnce(&mut Manifest)) -> Verified<Manifest> {
        let mut manifest = Manifest::clone(&self.of.manifest);
        change(&mut manifest);
        let bytes = to_canonical_json(&manifest);
        let changed = Verified::pinned(&bytes, &sha256(&bytes)).expect("a manifest by the rules");
        std::mem::replace(&mut self.of.manifest, changed)
    }

    /// The policy epoch of each state, and why its process stopped.
    pub fn stand(&self) -> Vec<(u64, Option<u16>)> {
        let halted = |vault: &Vault<_>| vault.halted().map(|(code, _)| code);
        self.vaults.iter().map(|v| (v.danger_state().policy_epoch(), halted(v))).collect()
    }
}
