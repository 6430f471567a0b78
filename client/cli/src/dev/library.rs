//! The same fleet for programs that run its processes themselves, in places of their choosing.

use super::{
    error::DevError,
    genesis,
    layout::{self, APP, FLEET, Layout, Process, State},
    processes::Programs,
    setup,
    users::{self, Pins},
};
use std::path::{Path, PathBuf};

/// The files of a development fleet whose processes are somebody else's to start.
#[derive(Debug, Clone)]
pub struct DevFleet {
    layout: Layout,
    state: State,
}

/// Where a node's configuration says that it listens, on loopback.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// Other hosts connect here.
    pub peer_port: u16,
    /// Gateways connect here.
    pub http_port: u16,
    /// Ceremonies connect here.
    pub admin_port: u16,
}

/// A start statement that the folder's custodians signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EraStart {
    /// The era that it starts.
    pub era: u64,
    /// The nodes that go on.
    pub nodes: Vec<u8>,
    /// What `POST /v1/start` of each of them takes.
    pub bytes: Vec<u8>,
}

impl DevFleet {
    /// The name of the one fleet in a folder.
    pub const FLEET: &str = FLEET;
    /// The name of its one app.
    pub const APP: &str = APP;

    /// Makes keys, manifest and configurations in a folder that is absent or empty. `programs` is
    /// where `strongroom-vault` and `strongroomd` lie. Its ports are a range that is free now.
    ///
    /// # Errors
    /// [`DevError`].
    pub fn create(
        folder: &Path,
        programs: &Path,
        nodes: u8,
        waits_divided_by: u64,
    ) -> Result<Self, DevError> {
        let layout = Layout::new(folder)?;
        let base_port = layout::free_base_port(nodes, layout.root())?;
        let state = State::new(nodes, base_port, waits_divided_by);
        setup::create(&layout, &state, &Programs::find(Some(programs))?)?;
        Ok(Self { layout, state })
    }

    /// Adds a user who pins the manifest, and gives the folder of `profile.toml` and `token`.
    ///
    /// # Errors
    /// [`DevError`].
    pub fn add_user(&self, name: &str) -> Result<PathBuf, DevError> {
        users::add(&self.layout, &self.state, name, Pins::Manifest)
    }

    /// The nodes' numbers.
    pub fn nodes(&self) -> impl Iterator<Item = u8> + use<> {
        self.state.node_ids()
    }

    /// How many of them are a majority.
    pub fn majority(&self) -> usize {
        self.state.majority()
    }

    /// A node's folder: its configuration, `vault/` and, from its first start on, `data/`.
    pub fn node_dir(&self, node: u8) -> PathBuf {
        self.layout.node(node)
    }

    /// A node's configuration.
    pub fn node_config(&self, node: u8) -> PathBuf {
        self.layout.files(Process::Node(node)).config
    }

    /// The gateway's configuration.
    pub fn gateway_config(&self) -> PathBuf {
        self.layout.files(Process::Gateway).config
    }

    /// The gateway's port on loopback.
    pub fn gateway_port(&self) -> u16 {
        self.state.base_port
    }

    /// A node's ports.
    pub fn addresses(&self, node: u8) -> Addresses {
        let ports = self.state.ports(node);
        Addresses { peer_port: ports.peer, http_port: ports.http, admin_port: ports.admin }
    }

    /// The manifest's file.
    pub fn manifest(&self) -> PathBuf {
        self.layout.manifest()
    }

    /// Has the custodians of the folder sign a start over positions that nodes gave.
    ///
    /// # Errors
    /// [`DevError`] if fewer than a majority of them can be believed.
    pub fn sign_start(&self, positions: &[(u8, Vec<u8>)]) -> Result<EraStart, DevError> {
        let signed = genesis::sign(&self.layout, &self.state, positions, |_, _| {})?;
        Ok(EraStart { era: signed.era, nodes: signed.nodes, bytes: signed.bytes })
    }
}
