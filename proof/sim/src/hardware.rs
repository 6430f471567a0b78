//! Hardware of a simulated node: deterministic, with a clock that its host may set.

use crate::burglar::cell_keys;
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use ed25519_dalek::{Signer as _, SigningKey};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha512;
use std::{cell::RefCell, collections::BTreeSet, rc::Rc};
use strongroom_hardware::{Cell, Clock, Counter, Entropy, HardwareError, Keys};
use zeroize::Zeroizing;

/// Time as the world tells it.
#[derive(Debug, Default)]
pub struct WorldClock {
    /// Milliseconds since the world began.
    pub now_ms: u64,
}

/// What a node keeps across its processes.
#[derive(Debug)]
pub struct NodeHardware {
    /// Seeds of this node's own keys.
    pub identity: [u8; 32],
    /// X25519.
    pub link: [u8; 32],
    /// What it seals under.
    pub sealing_root: [u8; 32],
    /// The overwritable cell.
    pub cell: RefCell<Vec<u8>>,
    /// The process that may write it.
    pub cell_owner: RefCell<u64>,
    /// What was in it before: this cell's host copies it.
    pub cells: RefCell<Vec<Vec<u8>>>,
    /// Keys that its host put back: a cell that can be copied forgets nothing.
    pub copied: RefCell<BTreeSet<[u8; 32]>>,
    /// Whether it answers.
    pub illness: RefCell<Illness>,
    /// How far the host has put this node's wall clock from the truth.
    pub skew_ms: RefCell<i64>,
}

/// Hardware that does not answer every call, for a while.
#[derive(Debug, Default)]
pub struct Illness {
    /// Until then.
    pub until_ms: u64,
    /// So many calls in eight fail.
    pub failing: u8,
    /// Calls since it began.
    pub calls: u8,
}

/// Former contents of a cell that a host keeps.
const CELLS: usize = 16;

impl NodeHardware {
    /// Whether some calls fail now.
    pub fn is_sick(&self, now_ms: u64) -> bool {
        now_ms < self.illness.borrow().until_ms
    }

    /// All calls are answered again.
    pub fn heal(&self) {
        *self.illness.borrow_mut() = Illness::default();
    }

    /// Puts a former content back, this share of the way through its history, in 256ths.
    pub fn put_cell_back(&self, share: u8) {
        let cells = self.cells.borrow();
        if let Some(old) = cells.get(cells.len() * usize::from(share) / 256) {
            let keys = cell_keys(old).into_iter().map(|(_, key)| key);
            self.copied.borrow_mut().extend(keys);
            self.cell.borrow_mut().clone_from(old);
        }
    }

    fn answers(&self, now_ms: u64) -> Result<(), HardwareError> {
        let mut illness = self.illness.borrow_mut();
        if now_ms >= illness.until_ms {
            return Ok(());
        }
        // Any order that is not that of the calls will do.
        illness.calls = illness.calls.wrapping_mul(5).wrapping_add(3);
        let fails = illness.calls >> 5 < illness.failing;
        if fails { Err(HardwareError::Unavailable) } else { Ok(()) }
    }
}

/// The fleet's secrets, on every node.
#[derive(Debug)]
pub struct FleetSecrets {
    /// X-Wing.
    pub hpke_seed: [u8; 32],
    /// OPRF seed of keyset 1.
    pub oprf_seed: [u8; 64],
    /// OPAQUE key of keyset 1.
    pub server_private: [u8; 32],
    /// PRF for stand-ins.
    pub fake_key: [u8; 32],
}

/// The hardware of one process.
pub struct SimHardware {
    node: Rc<NodeHardware>,
    fleet: Rc<FleetSecrets>,
    clock: Rc<RefCell<WorldClock>>,
    rng: ChaCha20Rng,
}

/// The wall clock at which every world begins.
pub const EPOCH_MS: u64 = 1_800_000_000_000;

impl SimHardware {
    /// A new process of a node.
    pub fn new(
        node: Rc<NodeHardware>,
        fleet: Rc<FleetSecrets>,
        clock: Rc<RefCell<WorldClock>>,
        seed: [u8; 32],
    ) -> Self {
        Self { node, fleet, clock, rng: ChaCha20Rng::from_seed(seed) }
    }

    fn answers(&self) -> Result<(), HardwareError> {
        self.node.answers(self.clock.borrow().now_ms)
    }
}

impl Keys for SimHardware {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HardwareError> {
        self.answers()?;
        Ok(SigningKey::from_bytes(&self.node.identity).sign(message).to_bytes())
    }

    fn identity_public(&self) -> [u8; 32] {
        SigningKey::from_bytes(&self.node.identity).verifying_key().to_bytes()
    }

    fn link_secret(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        Ok(Zeroizing::new(self.node.link))
    }

    fn sealing_root(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        Ok(Zeroizing::new(self.node.sealing_root))
    }

    fn hpke_seed(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        Ok(Zeroizing::new(self.fleet.hpke_seed))
    }

    fn record_key_material(
        &self,
        keyset: u32,
        credential_identifier: &[u8; 72],
    ) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        if keyset != 1 {
            return Err(HardwareError::NoKey);
        }
        let mut mac = Hmac::<Sha512>::new_from_slice(&self.fleet.oprf_seed)
            .map_err(|_| HardwareError::Broken)?;
        mac.update(credential_identifier);
        mac.update(b"OprfKey\x01");
        let mut material = Zeroizing::new([0; 32]);
        material.copy_from_slice(&mac.finalize().into_bytes()[..32]);
        Ok(material)
    }

    fn server_private(&self, keyset: u32) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        if keyset == 1 {
            Ok(Zeroizing::new(self.fleet.server_private))
        } else {
            Err(HardwareError::NoKey)
        }
    }

    fn fake_key(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        Ok(Zeroizing::new(self.fleet.fake_key))
    }
}

impl Cell for SimHardware {
    fn claim(&mut self, process: u64) -> Result<Zeroizing<Vec<u8>>, HardwareError> {
        self.answers()?;
        *self.node.cell_owner.borrow_mut() = process;
        Ok(Zeroizing::new(self.node.cell.borrow().clone()))
    }

    fn overwrite(&mut self, process: u64, bytes: &[u8]) -> Result<(), HardwareError> {
        self.answers()?;
        if *self.node.cell_owner.borrow() != process {
            return Err(HardwareError::Taken);
        }
        let before = self.node.cell.replace(bytes.to_vec());
        let mut cells = self.node.cells.borrow_mut();
        if cells.len() >= CELLS {
            cells.remove(0);
        }
        cells.push(before);
        Ok(())
    }
}

impl Counter for SimHardware {
    fn value(&self) -> Option<u64> {
        None
    }

    fn advance(&mut self) -> Result<u64, HardwareError> {
        Err(HardwareError::Unavailable)
    }
}

impl Entropy for SimHardware {
    fn seed(&mut self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        self.answers()?;
        let mut seed = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(seed.as_mut_slice());
        Ok(seed)
    }
}

impl Clock for SimHardware {
    fn monotonic_ms(&self) -> u64 {
        self.clock.borrow().now_ms
    }

    fn wall_ms(&self) -> u64 {
        let truth = EPOCH_MS + self.clock.borrow().now_ms;
        truth.saturating_add_signed(*self.node.skew_ms.borrow())
    }
}
