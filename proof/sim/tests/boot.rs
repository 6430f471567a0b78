//! One vault before it has peers: wrong keys, hardware that fails at each call, statements that
//! start nothing.

use chacha20::{ChaCha20Rng, rand_core::SeedableRng as _};
use std::{cell::Cell as Count, cell::RefCell, rc::Rc};
use strongroom_hardware::{Cell, Clock, Counter, Entropy, HardwareError, Keys};
use strongroom_sim::{
    Plan,
    fleet::{self, Ceremony},
    hardware::{SimHardware, WorldClock},
};
use strongroom_vault::{BootError, Setup, Vault};
use strongroom_wire::{
    codec,
    codec::Blob,
    process::{ToHost, ToVault},
    relay::{RelayRefusal, reply_from_bytes},
    start::{Position, SignedPosition, SignedStart},
};
use zeroize::Zeroizing;

/// Hardware that answers so many calls and then one no more.
struct Failing {
    inner: SimHardware,
    /// Calls until the one that fails.
    left: Rc<Count<u32>>,
}

impl Failing {
    fn call<T>(
        &self,
        then: impl FnOnce(&SimHardware) -> Result<T, HardwareError>,
    ) -> Result<T, HardwareError> {
        let left = self.left.get();
        self.left.set(left.wrapping_sub(1));
        if left == 0 { Err(HardwareError::Unavailable) } else { then(&self.inner) }
    }
}

type Secret = Result<Zeroizing<[u8; 32]>, HardwareError>;

impl Keys for Failing {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HardwareError> {
        self.call(|inner| inner.sign(message))
    }

    fn identity_public(&self) -> [u8; 32] {
        self.inner.identity_public()
    }

    fn link_secret(&self) -> Secret {
        self.call(SimHardware::link_secret)
    }

    fn sealing_root(&self) -> Secret {
        self.call(SimHardware::sealing_root)
    }

    fn hpke_seed(&self) -> Secret {
        self.call(SimHardware::hpke_seed)
    }

    fn record_key_material(&self, keyset: u32, identifier: &[u8; 72]) -> Secret {
        self.call(|inner| inner.record_key_material(keyset, identifier))
    }

    fn server_private(&self, keyset: u32) -> Secret {
        self.call(|inner| inner.server_private(keyset))
    }

    fn fake_key(&self) -> Secret {
        self.call(SimHardware::fake_key)
    }
}

impl Cell for Failing {
    fn claim(&mut self, process: u64) -> Result<Zeroizing<Vec<u8>>, HardwareError> {
        self.call(|_| Ok(()))?;
        self.inner.claim(process)
    }

    fn overwrite(&mut self, process: u64, bytes: &[u8]) -> Result<(), HardwareError> {
        self.call(|_| Ok(()))?;
        self.inner.overwrite(process, bytes)
    }
}

impl Counter for Failing {
    fn value(&self) -> Option<u64> {
        self.inner.value()
    }

    fn advance(&mut self) -> Result<u64, HardwareError> {
        self.inner.advance()
    }
}

impl Entropy for Failing {
    fn seed(&mut self) -> Secret {
        self.call(|_| Ok(()))?;
        self.inner.seed()
    }
}

impl Clock for Failing {
    fn monotonic_ms(&self) -> u64 {
        self.inner.monotonic_ms()
    }

    fn wall_ms(&self) -> u64 {
        self.inner.wall_ms()
    }
}

fn ceremony() -> Ceremony {
    Ceremony::new(&mut ChaCha20Rng::from_seed([4; 32]), &Plan::calm(1, 0))
}

fn setup(of: &Ceremony, node: u8, fleet: &str) -> Setup {
    Setup { node, fleet: fleet.to_owned(), manifest: of.manifest.clone(), tick_ms: 20 }
}

fn hardware(of: &Ceremony, node: usize) -> SimHardware {
    let clock = Rc::new(RefCell::new(WorldClock::default()));
    SimHardware::new(of.nodes[node].clone(), of.secrets.clone(), clock, [9; 32])
}

fn boot(of: &Ceremony) -> Vault<SimHardware> {
    Vault::new(setup(of, 1, fleet::FLEET), hardware(of, 0)).expect("a vault")
}

fn loaded(of: &Ceremony) -> Vault<SimHardware> {
    let mut vault = boot(of);
    vault.step(ToVault::LoadEnd {});
    assert_eq!(vault.halted(), None);
    vault
}

fn said(out: &[ToHost]) -> Vec<&str> {
    out.iter()
        .filter_map(|out| match out {
            ToHost::Refused { reason } => Some(reason.as_str()),
            ToHost::Event { text } => Some(text.as_str()),
            _ => None,
        })
        .collect()
}

#[test]
fn a_vault_whose_keys_are_not_the_manifests_does_not_start() {
    let refused = |of: &Ceremony, node, fleet: &str| {
        Vault::new(setup(of, node, fleet), hardware(of, 0)).err()
    };
    let of = ceremony();
    assert_eq!(refused(&of, 1, fleet::FLEET), None);
    assert_eq!(refused(&of, 1, "another"), Some(BootError::NoFleet));
    assert_eq!(refused(&of, 9, fleet::FLEET), Some(BootError::NoNode));
    assert_eq!(refused(&of, 2, fleet::FLEET), Some(BootError::IdentityKey));
    let mut wrong = ceremony();
    Rc::get_mut(&mut wrong.nodes[0]).expect("one owner").link = [1; 32];
    assert_eq!(refused(&wrong, 1, fleet::FLEET), Some(BootError::LinkKey));
    let mut wrong = ceremony();
    Rc::get_mut(&mut wrong.secrets).expect("one owner").hpke_seed = [1; 32];
    assert_eq!(refused(&wrong, 1, fleet::FLEET), Some(BootError::HpkeKey));
    let mut wrong = ceremony();
    let (another, _) = strongroom_opaque::generate_server_key([3; 32]).expect("a key");
    Rc::get_mut(&mut wrong.secrets).expect("one owner").server_private = *another;
    assert_eq!(refused(&wrong, 1, fleet::FLEET), Some(BootError::Keyset(1)));
    Rc::get_mut(&mut wrong.secrets).expect("one owner").server_private = [0; 32];
    assert_eq!(refused(&wrong, 1, fleet::FLEET), Some(BootError::Keyset(1)), "no key at all");
}

#[test]
fn every_reason_not_to_start_is_told_in_its_own_words() {
    let hardware = [
        HardwareError::NoKey,
        HardwareError::Unavailable,
        HardwareError::Broken,
        HardwareError::Taken,
    ];
    let mut all: Vec<BootError> = hardware.map(BootError::Hardware).to_vec();
    all.extend([
        BootError::NoFleet,
        BootError::NoNode,
        BootError::IdentityKey,
        BootError::LinkKey,
        BootError::HpkeKey,
        BootError::Keyset(1),
        BootError::Keyset(2),
        BootError::Links,
        BootError::Replica(strongroom_replica::BootError::BadCell),
    ]);
    let mut words: Vec<String> = all.iter().map(ToString::to_string).collect();
    words.sort();
    words.dedup();
    assert_eq!(words.len(), all.len(), "{words:?}");
}

#[test]
fn hardware_that_fails_at_any_call_of_a_start_starts_nothing() {
    let of = ceremony();
    let mut refused = (0, 0);
    for failing in 0.. {
        let left = Rc::new(Count::new(failing));
        let failing = Failing { inner: hardware(&of, 0), left: left.clone() };
        let mut vault = match Vault::new(setup(&of, 1, fleet::FLEET), failing) {
            Ok(vault) => vault,
            Err(error) => {
                assert_eq!(error, BootError::Hardware(HardwareError::Unavailable));
                refused.0 += 1;
                continue;
            }
        };
        let out = vault.step(ToVault::LoadEnd {});
        match vault.halted() {
            Some((code, _)) => {
                assert_eq!(code, 100);
                assert!(said(&out).contains(&"boot: the hardware does not answer"), "{out:?}");
                assert!(vault.tick().is_empty(), "it goes on after it halted");
                refused.1 += 1;
            }
            // Nothing failed: the start asks no more.
            None => break,
        }
    }
    // Link key, sealed-request key, stand-in key, one keyset, entropy; then the cell and its key.
    assert_eq!(refused, (5, 2));
}

#[test]
fn a_cell_that_cannot_be_overwritten_halts_the_vault_before_it_seals_anything_under_the_new_key() {
    let of = ceremony();
    let left = Rc::new(Count::new(u32::MAX));
    let failing = Failing { inner: hardware(&of, 0), left: left.clone() };
    let mut vault = Vault::new(setup(&of, 1, fleet::FLEET), failing).expect("a vault");
    vault.step(ToVault::LoadEnd {});
    left.set(0);
    let out = vault.tick();
    assert_eq!(vault.halted().map(|(code, _)| code), Some(103), "{out:?}");
    assert!(!out.iter().any(|out| matches!(out, ToHost::Persist { .. })), "{out:?}");
}

#[test]
fn a_position_that_the_hardware_does_not_sign_is_told_and_freezes_all_the_same() {
    let of = ceremony();
    let left = Rc::new(Count::new(u32::MAX));
    let failing = Failing { inner: hardware(&of, 0), left: left.clone() };
    let mut vault = Vault::new(setup(&of, 1, fleet::FLEET), failing).expect("a vault");
    vault.step(ToVault::LoadEnd {});
    left.set(0);
    assert_eq!(said(&vault.step(ToVault::Position {})), ["the hardware did not sign"]);
    let out = vault.step(ToVault::Position {});
    assert!(matches!(out.as_slice(), [ToHost::Position { .. }]), "{out:?}");
}

#[test]
fn a_vault_that_has_not_read_its_disk_serves_nobody_and_says_so() {
    let of = ceremony();
    let mut vault = boot(&of);
    let out = vault.tick();
    let health = out.iter().find_map(|out| match out {
        ToHost::Health { health } => Some(health),
        _ => None,
    });
    let health = health.expect("its host hears from it");
    assert_eq!((health.role.as_str(), health.ready, health.era), ("joining", false, 0));
    let others = |out: &ToHost| matches!(out, ToHost::Peer { .. } | ToHost::Health { .. });
    assert!(out.iter().all(others), "it asks for links and no more: {out:?}");
}

#[test]
fn what_comes_before_or_after_its_time_is_refused() {
    let of = ceremony();
    let mut vault = boot(&of);
    let start = Blob(codec::encode(&of.start(Vec::new())));
    assert_eq!(said(&vault.step(ToVault::Position {})), ["not loaded yet"]);
    assert_eq!(said(&vault.step(ToVault::Start { bytes: start })), ["not loaded yet"]);
    vault.step(ToVault::LoadEnd {});
    let late = vault.step(ToVault::LoadMeta { bytes: Blob(vec![1]) });
    assert_eq!(said(&late), ["the host handed over kept bytes after the start; ignored"]);
    assert_eq!(vault.halted(), None);
}

fn position(vault: &mut Vault<SimHardware>) -> SignedPosition {
    match vault.step(ToVault::Position {}).pop() {
        Some(ToHost::Position { bytes }) => codec::decode(&bytes.0, 4_096).expect("a position"),
        other => panic!("no position: {other:?}"),
    }
}

#[test]
fn a_start_statement_that_is_not_the_custodians_starts_nothing() {
    let of = ceremony();
    let mut vault = loaded(&of);
    let good = position(&mut vault);
    let mut told = |signed: &SignedStart| {
        let out = vault.step(ToVault::Start { bytes: Blob(codec::encode(signed)) });
        match out.as_slice() {
            [ToHost::Refused { reason }] => reason.clone(),
            other => panic!("not refused: {other:?}"),
        }
    };
    let mut other = of.start(vec![good.clone()]);
    other.start.fleet = "another".to_owned();
    assert_eq!(told(&other), "the statement is for another fleet");
    let mut few = of.start(vec![good.clone()]);
    few.signatures.truncate(1);
    assert_eq!(told(&few), "too few custodians of the manifest signed the statement");
    let mut twice = of.start(vec![good.clone()]);
    twice.signatures[1] = twice.signatures[0].clone();
    assert_eq!(
        told(&twice),
        "too few custodians of the manifest signed the statement",
        "one custodian counts once"
    );
    // From here on the custodians did sign what stands there.
    let changed = |change: fn(&mut Position)| {
        let mut position = good.clone();
        change(&mut position.position);
        of.start(vec![position])
    };
    assert_eq!(told(&changed(|p| p.node = 99)), "a position names no listed node");
    let unsigned = "a position is not signed by its node for this fleet";
    assert_eq!(told(&changed(|p| p.last_index += 1)), unsigned);
    assert_eq!(told(&changed(|p| p.node = 2)), unsigned);
    let mut elsewhere = good.clone();
    elsewhere.position.fleet = "another".to_owned();
    assert_eq!(told(&of.start(vec![elsewhere])), unsigned);
    let out = vault.step(ToVault::Start { bytes: Blob(vec![0xff]) });
    assert_eq!(said(&out), ["not a start statement of this version"]);
    assert_eq!(vault.halted(), None);
}

#[test]
fn a_vault_without_a_leader_keeps_so_many_requests_and_turns_the_next_away() {
    let of = ceremony();
    let mut vault = loaded(&of);
    let mut refused = Vec::new();
    for id in 0..4_100 {
        let (ticket, frame) = (Blob(vec![1]), Blob(vec![2]));
        for out in vault.step(ToVault::Request { id, ticket, frame }) {
            if let ToHost::Reply { id, reply } = out {
                refused.push((id, reply_from_bytes(&reply.0).expect("a reply")));
            }
        }
    }
    let busy: Vec<_> = (4_096..4_100).map(|id| (id, Err(RelayRefusal::Busy))).collect();
    assert_eq!(refused, busy);
}
