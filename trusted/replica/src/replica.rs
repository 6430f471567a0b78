//! The driver.
use crate::*;
use alloc::vec::Vec;

/// One process of one node, from its birth to its halt.
pub struct Replica {
    config: Config,
}

impl Replica {
    /// A new process. It never continues what an earlier one began: its disk is kept only to tell a position.
    pub fn new(config: Config, _disk: DiskImage) -> Result<Self, BootError> {
        config.check()?;
        Ok(Self { config })
    }
    /// Handles one event.
    pub fn step(&mut self, _now_ms: u64, _event: Event) -> Output {
        Output::default()
    }
    /// Appends to the log, as leader. Call [`Replica::step`] with [`Event::Tick`] to send it.
    pub fn propose(
        &mut self,
        _payload: Vec<u8>,
        _salt: [u8; 32],
    ) -> Result<Proposed, ProposeError> {
        Err(ProposeError::Busy)
    }
    /// True when `propose` would be taken: leads, and has applied an entry of its own term.
    pub fn ready_to_serve(&self) -> bool {
        false
    }
    /// Freezes and tells what this process holds.
    pub fn position(&mut self) -> Position {
        Position {
            node: self.config.node,
            id: self.config.id,
            era: 0,
            hard_term: 0,
            last_term: 0,
            last_index: 0,
            chain_hash: [0; 32],
            empty: true,
        }
    }
    /// Opens an era.
    pub fn start(&mut self, _now_ms: u64, _start: Start) -> Result<Output, StartError> {
        Err(StartError::NotMyPosition)
    }
    /// Replaces the log up to the applied index by the state, and forgets the salts that are not in it.
    pub fn compact(
        &mut self,
        _index: u64,
        _state: Vec<u8>,
        _salts: Vec<u8>,
    ) -> Result<(), CompactError> {
        Err(CompactError::NotRunning)
    }
    /// Answers `snapshot_wanted`.
    pub fn provide_snapshot(
        &mut self,
        _index: u64,
        _state: Vec<u8>,
        _salts: Vec<u8>,
    ) -> Result<(), CompactError> {
        Err(CompactError::NotRunning)
    }
    /// Index of the newest compaction whose old erasure key is gone.
    pub fn erased_through(&self) -> u64 {
        0
    }
    /// What this replica is.
    pub fn role(&self) -> Role {
        Role::Joining
    }
    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Option<ReplicaId> {
        None
    }
    /// This process.
    pub fn id(&self) -> ReplicaId {
        self.config.id
    }
    /// The era that this replica acts in; 0 before it was admitted.
    pub fn era(&self) -> u64 {
        0
    }
    /// The library's term; 0 before it was admitted.
    pub fn term(&self) -> u64 {
        0
    }
    /// Last entry handed over in `applied` or `install`.
    pub fn applied_index(&self) -> u64 {
        0
    }
    /// Last entry known to be committed.
    pub fn commit_index(&self) -> u64 {
        0
    }
    /// Last entry of the log.
    pub fn last_index(&self) -> u64 {
        0
    }
    /// Voters of the applied configuration, sorted.
    pub fn voters(&self) -> Vec<ReplicaId> {
        Vec::new()
    }
    /// What was found on the disk.
    pub fn boot_report(&self) -> BootReport {
        BootReport::Empty
    }
}
