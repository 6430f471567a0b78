//! From what was kept to a running process.

use crate::{
    setup::{BootError, Setup},
    vault::Vault,
};
use chacha20::{ChaCha20Rng, rand_core::Rng as _};
use strongroom_hardware::Hardware;
use strongroom_link::Links;
use strongroom_manifest::Fleet;
use strongroom_replica::{Config, DiskEntry, DiskImage, NodeId, Replica, ReplicaId};
use strongroom_wire::process::ToVault;

/// The largest message between two replicas: a snapshot.
const PEER_MESSAGE_LEN_MAX: usize = 60 * 1_024 * 1_024;

/// What the host has handed over so far.
#[derive(Default)]
pub(crate) struct Loading(DiskImage);

/// A name that no process ever had: the host cannot make this node go on as an older self.
pub(crate) fn new_incarnation(node: u8, rng: &mut ChaCha20Rng) -> Result<ReplicaId, BootError> {
    let node = NodeId::new(node).ok_or(BootError::NoNode)?;
    let mut entropy = [0; 8];
    rng.fill_bytes(&mut entropy);
    if cfg!(feature = "danger_mutant_same_incarnation") {
        entropy = [7; 8];
    }
    Ok(ReplicaId::from_entropy(node, entropy))
}

pub(crate) fn links(
    setup: &Setup,
    fleet: &Fleet,
    incarnation: ReplicaId,
    link_secret: &[u8; 32],
    rng: &mut ChaCha20Rng,
) -> Result<Links, BootError> {
    let others = fleet.nodes.iter().filter(|node| node.id != setup.node);
    let mut seed = [0; 32];
    rng.fill_bytes(&mut seed);
    Links::new(strongroom_link::Config {
        own: setup.node,
        id: incarnation.as_u64(),
        static_secret: *link_secret,
        peers: others.map(|node| (node.id, node.link_key.0)).collect(),
        manifest_digest: *setup.manifest.digest(),
        fleet: setup.fleet.clone(),
        seed,
    })
    .map_err(|_| BootError::Links)
}

impl<H: Hardware> Vault<H> {
    pub(crate) fn load(&mut self, now_ms: u64, input: ToVault) {
        let Some(Loading(image)) = self.loading.as_mut() else {
            self.event("the host handed over kept bytes after the start; ignored");
            return;
        };
        match input {
            ToVault::LoadMeta { bytes } => image.meta = Some(bytes.0),
            ToVault::LoadSnapshot { bytes } => image.snapshot = Some(bytes.0),
            ToVault::LoadSalts { bytes } => image.salts = Some(bytes.0),
            ToVault::LoadEntry { index, entry, salt } => {
                image.entries.push(DiskEntry { index, entry: entry.0, salt: salt.0 });
            }
            ToVault::LoadEnd {} => self.begin(now_ms),
            _ => {}
        }
    }

    fn begin(&mut self, now_ms: u64) {
        let Some(Loading(image)) = self.loading.take() else {
            return;
        };
        self.compacted_ms = now_ms;
        match self.new_replica(image) {
            Ok(replica) => {
                self.event(format!("disk: {:?}", replica.boot_report()));
                self.replica = Some(replica);
            }
            Err(error) => {
                self.event(format!("boot: {error}"));
                self.halt(100, "consensus could not start; see the event before");
            }
        }
    }

    fn new_replica(&mut self, image: DiskImage) -> Result<Replica, BootError> {
        let cell = self.hardware.claim(self.incarnation.as_u64())?.to_vec();
        let nodes = self.fleet.nodes.iter().filter_map(|node| NodeId::new(node.id)).collect();
        let config = Config {
            node: self.incarnation.node(),
            id: self.incarnation,
            fleet: self.keys.fleet.clone(),
            nodes,
            rollback_tolerance: self.fleet.rollback_tolerance,
            seed: self.fresh(),
            sealing_root: *self.hardware.sealing_root()?,
            cell: (!cell.is_empty()).then_some(cell),
            tick_ms: self.tick_ms,
            max_frame: PEER_MESSAGE_LEN_MAX,
        };
        Replica::new(config, image).map_err(BootError::Replica)
    }
}
