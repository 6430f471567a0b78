//! One process of one node: its parts, its birth, and what the vault may ask of it.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use raft::eraftpb::{HardState, Snapshot};
use raft::{RawNode, StateRole};

use crate::batch::Batches;
use crate::config::{self, majority};
use crate::disk::{self, Boot, Chain, Meta};
use crate::erasure::{Erasure, prf};
use crate::holders::Waiting;
use crate::log::{Base, Log};
use crate::seal::Sealer;
use crate::seats::{Seats, Standing};
use crate::{
    BootError, BootReport, CompactError, Config, DiskImage, Halt, MAX_PAYLOAD, NodeId, Output,
    Position, ProposeError, Proposed, ReplicaEvent, ReplicaId, Role, codec,
};

/// One process of one node, from its birth to its halt.
///
/// # INV-4
///
/// Terms and log positions never go back: a new process starts as [`Role::Joining`] and never votes or acknowledges
/// for an earlier one, whatever its disk says, because it cannot tell its disk from last week's.
pub struct Replica {
    pub(crate) config: Config,
    pub(crate) sealer: Sealer,
    pub(crate) erasure: Erasure,
    /// The library, once admitted or started.
    pub(crate) raft: Option<RawNode<Log>>,
    /// Counts libraries; a batch of an earlier one means nothing to the next.
    pub(crate) generation: u64,
    /// What an earlier process left, for a position; gone when a snapshot takes its place.
    pub(crate) old: Option<Chain>,
    pub(crate) report: BootReport,
    /// The end of the disk after every batch so far.
    pub(crate) meta: Meta,
    pub(crate) batches: Batches,
    /// Batches that the library must not outrun: a snapshot or a start that is not yet durable.
    pub(crate) blocks: u32,
    pub(crate) given: Option<Position>,
    pub(crate) halted: Option<Halt>,
    pub(crate) joiners: BTreeMap<NodeId, ReplicaId>,
    pub(crate) superseded: BTreeSet<u64>,
    pub(crate) superseded_order: VecDeque<u64>,
    pub(crate) waiting: Waiting,
    /// Last entry applied, or installed.
    pub(crate) applied: u64,
    /// Last entry that the vault saw.
    pub(crate) shown: u64,
    pub(crate) erased_through: u64,
    pub(crate) ticks: u64,
    /// When a leader was last heard of.
    pub(crate) heard_at_tick: u64,
    pub(crate) next_tick_ms: Option<u64>,
    /// What was committed one tick ago: a learner that has that much may vote.
    pub(crate) commit_at_tick: u64,
    pub(crate) snapshots_sent: BTreeMap<u64, u64>,
    pub(crate) last_leader: (u64, u64),
    pub(crate) last_role: Role,
    pub(crate) jitter: (u64, usize),
    pub(crate) out: Output,
}

/// Most replaced processes that are remembered; the links forget the rest.
const SUPERSEDED_KEPT: usize = 1024;

impl Replica {
    /// A new process. It never continues what an earlier one began: its disk is kept only to tell a position.
    pub fn new(mut config: Config, image: DiskImage) -> Result<Self, BootError> {
        config.check()?;
        let mut sealer = Sealer::new(config.sealing_root, &config.fleet, config.id);
        let keys = disk::cell_keys(config.cell.as_deref()).ok_or(BootError::BadCell)?;
        let Boot { meta, chain, report, erasure_number } = disk::read(&image, &mut sealer, &keys);
        let erasure = Erasure::new(&config.seed, keys, erasure_number).ok_or(BootError::Library)?;
        // The seed made the erasure keys' generator: only what the jitter needs of it is kept.
        config.seed =
            prf(&config.seed, b"strongroom/replica/jitter-seed/v1", 0).ok_or(BootError::Library)?;
        sealer.forget_salt_keys();
        let mut replica = Self {
            sealer,
            erasure,
            raft: None,
            generation: 0,
            old: chain,
            report,
            meta,
            batches: Batches::default(),
            blocks: 0,
            given: None,
            halted: None,
            joiners: BTreeMap::new(),
            superseded: BTreeSet::new(),
            superseded_order: VecDeque::new(),
            waiting: Waiting::default(),
            applied: 0,
            shown: 0,
            erased_through: 0,
            ticks: 0,
            heard_at_tick: 0,
            next_tick_ms: None,
            commit_at_tick: 0,
            snapshots_sent: BTreeMap::new(),
            last_leader: (0, 0),
            last_role: Role::Joining,
            jitter: (u64::MAX, 0),
            out: Output::default(),
            config,
        };
        replica.out.events.push(ReplicaEvent::Disk(report));
        Ok(replica)
    }

    /// Appends to the log, as leader. Call [`Replica::step`] with [`crate::Event::Tick`] to send it.
    pub fn propose(&mut self, payload: Vec<u8>, salt: [u8; 32]) -> Result<Proposed, ProposeError> {
        let leader = self.leader();
        let era = self.meta.era;
        let acts = self.acts();
        let Some(raft) = self.raft.as_mut().filter(|r| acts && r.raft.state == StateRole::Leader)
        else {
            return Err(ProposeError::NotLeader { leader });
        };
        if payload.len() > MAX_PAYLOAD {
            return Err(ProposeError::TooLarge);
        }
        if !raft.raft.apply_to_current_term() {
            return Err(ProposeError::Busy);
        }
        // The library drops proposals when too much is uncommitted.
        raft.propose(salt.to_vec(), payload).map_err(|_| ProposeError::Busy)?;
        let (term, index) = (raft.raft.term, raft.raft.raft_log.last_index());
        self.waiting.push(era, term, index);
        Ok(Proposed { term, index })
    }

    /// True when `propose` would be taken: this replica leads, and has committed and applied an entry of its own term,
    /// and with it everything that earlier leaders committed (INV-5).
    pub fn ready_to_serve(&self) -> bool {
        let leads =
            |r: &RawNode<Log>| r.raft.state == StateRole::Leader && r.raft.apply_to_current_term();
        self.acts() && self.raft.as_ref().is_some_and(leads)
    }

    /// Replaces the log up to the applied index by `state`, and forgets the salts that are not in `salts`.
    ///
    /// `index` is the last entry that `state` contains: [`Replica::applied_index`], or the last payload before it.
    pub fn compact(
        &mut self,
        index: u64,
        state: Vec<u8>,
        salts: Vec<u8>,
    ) -> Result<(), CompactError> {
        let index = self.state_index(index)?;
        if self.erasure.in_progress() || self.blocks > 0 {
            return Err(CompactError::Busy);
        }
        let base = {
            let Some(raft) = self.raft.as_mut() else {
                return Err(CompactError::NotRunning);
            };
            raft.mut_store().compact(index).ok_or(CompactError::NotRunning)?
        };
        if !self.erasure.prepare() {
            self.halt(Halt::Exhausted);
            return Ok(());
        }
        self.record_compaction(&base, &state, &salts);
        Ok(())
    }

    /// Answers [`Output::snapshot_wanted`]; `index` as for [`Replica::compact`].
    pub fn provide_snapshot(
        &mut self,
        index: u64,
        state: Vec<u8>,
        salts: Vec<u8>,
    ) -> Result<(), CompactError> {
        let index = self.state_index(index)?;
        let tick = self.ticks;
        let Some(raft) = self.raft.as_mut() else {
            return Err(CompactError::NotRunning);
        };
        let log = raft.mut_store();
        let (Some(term), Some(hash)) = (log.term_at(index), log.hash_at(index)) else {
            return Err(CompactError::NotRunning);
        };
        let Some(body) = codec::encode_snapshot_body(&hash, &state, &salts) else {
            return Err(CompactError::NotRunning);
        };
        if body.len() > self.config.max_frame {
            self.out.events.push(ReplicaEvent::SnapshotTooLarge { bytes: body.len() as u64 });
        }
        let mut snapshot = Snapshot { data: body.into(), ..Snapshot::default() };
        let conf = log.seats.to_conf();
        let meta = snapshot.mut_metadata();
        (meta.index, meta.term) = (index, term);
        meta.set_conf_state(conf);
        log.offer(snapshot, tick);
        Ok(())
    }

    /// The applied index, if the vault's state can be as of that: nothing that it must apply came after `index`.
    fn state_index(&self, index: u64) -> Result<u64, CompactError> {
        if self.raft.is_none() || self.applied == 0 || self.halted.is_some() {
            return Err(CompactError::NotRunning);
        }
        if index > self.applied || index < self.shown {
            return Err(CompactError::NotApplied { applied: self.applied });
        }
        Ok(self.applied)
    }

    /// Index of the newest compaction whose old erasure key is gone. What was erased at or before it is erased (INV-7)
    /// on this node.
    pub fn erased_through(&self) -> u64 {
        self.erased_through
    }

    /// What this replica is.
    pub fn role(&self) -> Role {
        if self.halted.is_some() {
            return Role::Halted;
        }
        if self.is_frozen() {
            return Role::Frozen;
        }
        let Some(raft) = &self.raft else {
            return Role::Joining;
        };
        match (raft.store().seats.standing(self.config.id), raft.raft.state) {
            (Standing::Voter, StateRole::Leader) => Role::Leader,
            (Standing::Voter, StateRole::Follower) => Role::Follower,
            (Standing::Voter, _) => Role::Candidate,
            _ => Role::Learner,
        }
    }

    /// Who leads, as far as this replica knows.
    pub fn leader(&self) -> Option<ReplicaId> {
        let leader = self.raft.as_ref().map_or(0, |r| r.raft.leader_id);
        ReplicaId::from_u64(leader).filter(|_| self.acts())
    }

    /// This process.
    pub fn id(&self) -> ReplicaId {
        self.config.id
    }

    /// The newest era that this replica knows; 0 before genesis.
    pub fn era(&self) -> u64 {
        self.meta.era
    }

    /// The term that it acts in; 0 before it was admitted.
    pub fn term(&self) -> u64 {
        self.raft.as_ref().map_or(0, |r| r.raft.term)
    }

    /// Last entry handed over in `applied` or `install`, or skipped because it holds nothing for the vault.
    pub fn applied_index(&self) -> u64 {
        self.applied
    }

    /// Last entry known to be committed.
    pub fn commit_index(&self) -> u64 {
        self.raft.as_ref().map_or(0, |r| r.raft.raft_log.committed)
    }

    /// Last entry of the log.
    pub fn last_index(&self) -> u64 {
        self.raft.as_ref().map_or(0, |r| r.store().last())
    }

    /// Chain hash at an entry that the log still has.
    pub fn chain_hash(&self, index: u64) -> Option<[u8; 32]> {
        self.raft.as_ref().and_then(|r| r.store().hash_at(index))
    }

    /// Voters of the applied configuration, sorted.
    pub fn voters(&self) -> Vec<ReplicaId> {
        let seats =
            self.raft.as_ref().map(|r| r.store().seats.voters.as_slice()).unwrap_or_default();
        seats.iter().copied().filter_map(ReplicaId::from_u64).collect()
    }

    /// Voters that a change under way still asks, sorted; none outside of one.
    pub fn outgoing(&self) -> Vec<ReplicaId> {
        let seats =
            self.raft.as_ref().map(|r| r.store().seats.outgoing.as_slice()).unwrap_or_default();
        seats.iter().copied().filter_map(ReplicaId::from_u64).collect()
    }

    /// Learners of the applied configuration, sorted.
    pub fn learners(&self) -> Vec<ReplicaId> {
        let seats =
            self.raft.as_ref().map(|r| r.store().seats.learners.as_slice()).unwrap_or_default();
        seats.iter().copied().filter_map(ReplicaId::from_u64).collect()
    }

    /// True between the two halves of a swap.
    pub fn is_joint(&self) -> bool {
        self.raft.as_ref().is_some_and(|r| r.store().seats.is_joint())
    }

    /// What was found on the disk.
    pub fn boot_report(&self) -> BootReport {
        self.report
    }

    /// True while it may vote, acknowledge, propose or answer.
    pub(crate) fn acts(&self) -> bool {
        self.halted.is_none() && !self.is_frozen() && self.blocks == 0
    }

    /// Whether it told custodians where it stands, and waits for what they make of it.
    pub(crate) fn is_frozen(&self) -> bool {
        self.given.is_some() && !cfg!(feature = "danger_mutant_position_does_not_freeze")
    }

    pub(crate) fn needed_holders(&self) -> usize {
        majority(self.config.nodes.len())
            .saturating_add(usize::from(self.config.rollback_tolerance))
    }

    /// Stops for good. The first reason stays.
    pub(crate) fn halt(&mut self, reason: Halt) {
        if self.halted.is_none() {
            self.halted = Some(reason);
            self.waiting.abandon();
        }
    }

    /// Makes the library anew, over `log`.
    pub(crate) fn open_raft(&mut self, log: Log, applied: u64) -> bool {
        let settings = raft::Config {
            id: self.config.id.as_u64(),
            election_tick: config::ELECTION_TICKS,
            heartbeat_tick: config::HEARTBEAT_TICKS,
            applied,
            max_size_per_msg: config::MESSAGE_BYTES as u64,
            max_inflight_msgs: config::INFLIGHT,
            check_quorum: true,
            pre_vote: true,
            min_election_tick: config::ELECTION_TICKS,
            max_election_tick: config::ELECTION_TICKS.saturating_mul(2),
            batch_append: true,
            priority: 0,
            max_uncommitted_size: config::UNCOMMITTED_BYTES,
            max_committed_size_per_ready: config::UNCOMMITTED_BYTES,
            ..raft::Config::default()
        };
        // The library's debug records contain entries: they go nowhere.
        let silence = slog::Logger::root(slog::Discard, slog::o!());
        let Ok(raft) = RawNode::new(&settings, log, &silence) else {
            return false;
        };
        self.raft = Some(raft);
        self.generation = self.generation.saturating_add(1);
        self.applied = applied;
        self.commit_at_tick = applied;
        self.heard_at_tick = self.ticks;
        self.snapshots_sent.clear();
        self.waiting.abandon();
        self.steady();
        true
    }

    /// A log without entries, for a process that was let in and waits for a snapshot.
    pub(crate) fn empty_log(seats: Seats, term: u64) -> Log {
        // A node at term 0 that refuses a pre-vote kills the library.
        let hard = HardState { term: term.max(1), ..HardState::default() };
        Log::new(Base::default(), Vec::new(), seats, hard)
    }

    /// The library draws its election timeout from the system's generator on every change of term or role; this puts
    /// a deterministic one in its place. To be called after each call into the library.
    pub(crate) fn steady(&mut self) {
        let Some(raft) = self.raft.as_mut() else {
            return;
        };
        let term = raft.raft.term;
        if self.jitter.0 != term {
            let drawn =
                prf(&self.config.seed, b"strongroom/replica/jitter/v1", term).map_or(0, |d| d[0]);
            self.jitter = (term, usize::from(drawn) % config::ELECTION_TICKS);
        }
        raft.raft
            .set_randomized_election_timeout(config::ELECTION_TICKS.saturating_add(self.jitter.1));
    }

    /// Remembers processes that lost their seat.
    pub(crate) fn remember_superseded(&mut self, before: &Seats, after: &Seats) {
        for id in before.ids().filter(|id| after.ids().all(|a| a != *id)) {
            self.supersede(id);
        }
    }

    pub(crate) fn supersede(&mut self, id: u64) {
        if self.superseded.insert(id) {
            self.superseded_order.push_back(id);
        }
        while self.superseded_order.len() > SUPERSEDED_KEPT {
            if let Some(id) = self.superseded_order.pop_front() {
                self.superseded.remove(&id);
            }
        }
    }
}

#[cfg(test)]
#[path = "limits_tests.rs"]
mod tests;
