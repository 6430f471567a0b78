//! `Vault::step` as a state machine: one process of a fleet, and a host that may say anything.
//!
//! The other vaults are recorded: everything is deterministic, so what they once sent to a process
//! with these seeds is still theirs, and a recorded run replays into the same states. Mutations
//! branch off from there.

use crate::pieces::{join, split};
use std::{cell::RefCell, collections::BTreeSet, rc::Rc};
use strongroom_sim::{
    Plan, World,
    fleet::{Ceremony, FLEET},
    hardware::{SimHardware, WorldClock},
    plan::Dice,
    record::Recorded,
};
use strongroom_vault::{Setup, Vault};
use strongroom_wire::{
    caps,
    codec::{self, Blob},
    process::{ToHost, ToVault, to_host_from_bytes, to_vault_from_bytes},
    relay::reply_from_bytes,
};

const SEED: u64 = 77;
const NODES: u8 = 3;
/// The recorded node.
const NODE: usize = 0;
/// What a piece starts with.
const TICK: u8 = 0;
const MESSAGE: u8 = 1;
const BOOT: u8 = 2;

fn plan() -> Plan {
    Plan { nodes: NODES, ..Plan::calm(SEED, 2) }
}

struct Process {
    ceremony: Ceremony,
    clock: Rc<RefCell<WorldClock>>,
    vault: Option<Vault<SimHardware>>,
    asked: BTreeSet<u64>,
    persisted: u64,
    answers: u64,
}

/// `what ‖ milliseconds (u16 BE) ‖ content`, a piece each.
pub(crate) fn vault(bytes: &[u8]) -> bool {
    let ceremony = Ceremony::new(&mut Dice::new(SEED, 2).0, &plan());
    let clock = Rc::new(RefCell::new(WorldClock { now_ms: 1 }));
    let mut process =
        Process { ceremony, clock, vault: None, asked: BTreeSet::new(), persisted: 0, answers: 0 };
    for piece in split(bytes).into_iter().take(2_000) {
        process.act(piece);
    }
    process.answers > 0
}

impl Process {
    fn act(&mut self, piece: &[u8]) {
        let Some(([what, high, low], content)) = piece.split_first_chunk::<3>() else { return };
        self.clock.borrow_mut().now_ms += u64::from(u16::from_be_bytes([*high, *low]));
        match *what {
            BOOT => self.boot(content),
            MESSAGE => self.message(content),
            _ => {
                if let Some(vault) = &mut self.vault {
                    let outputs = vault.tick();
                    self.check(outputs);
                }
            }
        }
    }

    fn boot(&mut self, content: &[u8]) {
        let mut seed = [0; 32];
        for (to, from) in seed.iter_mut().zip(content) {
            *to = *from;
        }
        let hardware = SimHardware::new(
            Rc::clone(&self.ceremony.nodes[NODE]),
            Rc::clone(&self.ceremony.secrets),
            Rc::clone(&self.clock),
            seed,
        );
        let setup = Setup {
            node: 1,
            fleet: FLEET.to_owned(),
            manifest: self.ceremony.manifest.clone(),
            tick_ms: 20,
        };
        self.vault = Some(Vault::new(setup, hardware).expect("a vault of this ceremony"));
        self.asked.clear();
        self.persisted = 0;
    }

    fn message(&mut self, content: &[u8]) {
        let Ok(message) = to_vault_from_bytes(content) else { return };
        if let ToVault::Request { id, .. } = &message {
            self.asked.insert(*id);
        }
        let Some(vault) = &mut self.vault else { return };
        let halted = vault.halted().is_some();
        let mut outputs = vault.step(message);
        outputs.extend(vault.flush());
        assert!(!halted || outputs.is_empty(), "a vault that stopped for good goes on");
        self.check(outputs);
    }

    fn check(&mut self, outputs: Vec<ToHost>) {
        for output in outputs {
            let bytes = codec::encode(&output);
            assert!(bytes.len() <= caps::PROCESS_MESSAGE_LEN_MAX, "a message above the cap");
            assert_eq!(to_host_from_bytes(&bytes).as_ref(), Ok(&output), "another message is read");
            match output {
                ToHost::Reply { id, reply: Blob(reply) } => {
                    assert!(self.asked.remove(&id), "a reply to nothing, or twice");
                    let reply = reply_from_bytes(&reply).expect("a reply of one of two sizes");
                    self.answers += u64::from(reply.is_ok());
                }
                ToHost::Persist { number, .. } => {
                    assert!(number > self.persisted, "INV-4: a batch number went back");
                    self.persisted = number;
                }
                ToHost::Peer { to, .. } => {
                    assert!((2..=NODES).contains(&to), "a frame to node {to}");
                }
                _ => {}
            }
        }
    }
}

/// What one vault of a calm fleet was told: genesis, and two users who enroll and recover.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    let recorded = World::recorded(plan(), NODE);
    let mut now = 1;
    let mut piece = |at_ms: u64, what: u8, content: &[u8]| {
        let passed = u16::try_from(at_ms.saturating_sub(now)).unwrap_or(u16::MAX);
        now = at_ms;
        [&[what][..], &passed.to_be_bytes(), content].concat()
    };
    let pieces: Vec<Vec<u8>> = recorded
        .iter()
        .map(|(at_ms, what)| match what {
            Recorded::Boot(seed) => piece(*at_ms, BOOT, seed),
            Recorded::Tick => piece(*at_ms, TICK, &[]),
            Recorded::Input(message) => piece(*at_ms, MESSAGE, &codec::encode(message)),
        })
        .collect();
    vec![join(&pieces)]
}
