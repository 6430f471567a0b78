//! The vault itself: one message in, messages out.

use crate::{
    boot::Loading,
    clock::Clocks,
    forward::Forwarded,
    history::History,
    keys::FleetKeys,
    peers::{self, Note},
    setup::{BootError, Setup},
    waiting::{ReplyTo, WaitingRoom},
};
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use std::collections::BTreeMap;
use strongroom_hardware::Hardware;
use strongroom_link::Links;
use strongroom_manifest::{Fleet, Manifest, Verified};
use strongroom_record::State;
use strongroom_replica::{Event, Replica, ReplicaId};
use strongroom_wire::{
    codec::Blob,
    process::{ToHost, ToVault},
    relay::{RelayReply, reply_to_bytes},
};
use zeroize::Zeroizing;

/// Requests under way at once; more are told to come again.
pub(crate) const WAITING_MAX: usize = 4_096;
/// A request that was not committed within this time is answered `Unknown`.
pub(crate) const WAITING_MS: u64 = 4_000;

/// One node's vault process.
pub struct Vault<H: Hardware> {
    pub(crate) node: u8,
    pub(crate) incarnation: ReplicaId,
    pub(crate) manifest: Verified<Manifest>,
    pub(crate) fleet: Fleet,
    pub(crate) tick_ms: u64,
    pub(crate) hardware: H,
    pub(crate) keys: FleetKeys,
    pub(crate) rng: ChaCha20Rng,
    pub(crate) links: Links,
    /// Until everything that was kept is handed over.
    pub(crate) loading: Option<Loading>,
    pub(crate) replica: Option<Replica>,
    pub(crate) state: State,
    /// The last entry that `state` contains.
    pub(crate) applied: u64,
    pub(crate) history: History,
    pub(crate) clocks: Clocks,
    pub(crate) waiting: WaitingRoom,
    /// Requests passed on to the leader, by our name for each.
    pub(crate) forwarded: BTreeMap<u64, Forwarded>,
    pub(crate) next_forward: u64,
    /// By node: its process, and what it says it has forgotten.
    pub(crate) erased: BTreeMap<u8, (u64, u64)>,
    pub(crate) next_beat_ms: u64,
    pub(crate) next_health_ms: u64,
    pub(crate) next_link_tick_ms: u64,
    pub(crate) compacted_ms: u64,
    pub(crate) compacted_index: u64,
    /// An upkeep entry that was proposed and is not applied yet.
    pub(crate) upkeep: Option<(u64, u64)>,
    pub(crate) halted: Option<(u16, &'static str)>,
    pub(crate) out: Vec<ToHost>,
}

impl<H: Hardware> Vault<H> {
    /// A new process: a new incarnation of its node.
    ///
    /// # Errors
    /// [`BootError`].
    pub fn new(setup: Setup, mut hardware: H) -> Result<Self, BootError> {
        let fleet = setup.manifest.fleet(&setup.fleet).ok_or(BootError::NoFleet)?.clone();
        let node = fleet.node(setup.node).ok_or(BootError::NoNode)?;
        if hardware.identity_public() != node.identity_key.0 {
            return Err(BootError::IdentityKey);
        }
        let link_secret = hardware.link_secret()?;
        if strongroom_link::public_key(&link_secret) != node.link_key.0 {
            return Err(BootError::LinkKey);
        }
        let keys = FleetKeys::load(&setup, &fleet, &hardware)?;
        let mut rng = ChaCha20Rng::from_seed(*hardware.seed()?);
        let incarnation = crate::boot::new_incarnation(setup.node, &mut rng)?;
        let links = crate::boot::links(&setup, &fleet, incarnation, &link_secret, &mut rng)?;
        let state = State::before_all_epochs();
        Ok(Self {
            node: setup.node,
            incarnation,
            fleet,
            manifest: setup.manifest,
            tick_ms: setup.tick_ms,
            hardware,
            keys,
            rng,
            links,
            loading: Some(Loading::default()),
            replica: None,
            state,
            applied: 0,
            history: History::default(),
            clocks: Clocks::default(),
            waiting: WaitingRoom::default(),
            forwarded: BTreeMap::new(),
            next_forward: 0,
            erased: BTreeMap::new(),
            next_beat_ms: 0,
            next_health_ms: 0,
            next_link_tick_ms: 0,
            compacted_ms: 0,
            compacted_index: 0,
            upkeep: None,
            halted: None,
            out: Vec::new(),
        })
    }

    /// This process's incarnation.
    pub const fn incarnation(&self) -> u64 {
        self.incarnation.as_u64()
    }

    /// The replicated state with its salts, for tests that look for what must not be there.
    #[cfg(feature = "danger_inspect")]
    pub const fn danger_state(&self) -> &State {
        &self.state
    }

    /// Its part in consensus, for the same tests.
    #[cfg(feature = "danger_inspect")]
    pub const fn danger_replica(&self) -> Option<&Replica> {
        self.replica.as_ref()
    }

    /// The last entry that the state contains, for the same tests.
    #[cfg(feature = "danger_inspect")]
    pub const fn danger_applied(&self) -> u64 {
        self.applied
    }

    /// Why this process has stopped for good, if it has.
    pub const fn halted(&self) -> Option<(u16, &'static str)> {
        self.halted
    }

    /// Takes one message. Requests and peers' messages are queued; [`Vault::flush`] sends them on
    /// as one batch.
    pub fn step(&mut self, input: ToVault) -> Vec<ToHost> {
        if self.halted.is_some() {
            return core::mem::take(&mut self.out);
        }
        let now_ms = self.hardware.monotonic_ms();
        match input {
            ToVault::Peer { from, bytes } => {
                let events = self.links.on_frame(now_ms, from, &bytes.0);
                self.on_link_events(now_ms, events);
            }
            ToVault::Request { id, ticket, frame } => {
                self.on_request(now_ms, id, ticket.0, frame.0);
            }
            ToVault::Persisted { number } => {
                self.step_replica(now_ms, Event::Persisted { number });
            }
            ToVault::Position {} => self.give_position(),
            ToVault::Start { bytes } => self.on_start(now_ms, &bytes.0),
            load => self.load(now_ms, load),
        }
        core::mem::take(&mut self.out)
    }

    /// Sends on everything that was queued, as one append, one sync and one round trip.
    pub fn flush(&mut self) -> Vec<ToHost> {
        if self.halted.is_none() {
            let now_ms = self.hardware.monotonic_ms();
            self.step_replica(now_ms, Event::Tick);
        }
        core::mem::take(&mut self.out)
    }

    /// Lets time pass. Call it a few times a consensus tick.
    pub fn tick(&mut self) -> Vec<ToHost> {
        if self.halted.is_none() {
            let now_ms = self.hardware.monotonic_ms();
            if now_ms >= self.next_link_tick_ms {
                self.next_link_tick_ms = now_ms.saturating_add(100);
                let events = self.links.tick(now_ms);
                self.on_link_events(now_ms, events);
            }
            self.maintain(now_ms);
            self.step_replica(now_ms, Event::Tick);
        }
        core::mem::take(&mut self.out)
    }

    /// Nodes that make a majority of the fleet.
    pub(crate) fn majority(&self) -> usize {
        (self.fleet.nodes.len() / 2).saturating_add(1)
    }

    /// 32 bytes that cannot be made again: the generator is replaced by its own output, so that what
    /// stays in memory tells nothing of the salts that it gave (INV-7).
    pub(crate) fn fresh(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        let mut next = Zeroizing::new([0; 32]);
        self.rng.fill_bytes(&mut bytes);
        self.rng.fill_bytes(next.as_mut_slice());
        self.rng = ChaCha20Rng::from_seed(*next);
        bytes
    }

    pub(crate) fn send_note(&mut self, to: u64, note: &Note) -> bool {
        let frames = self.links.send(to, &peers::note_message(note));
        let sent = !frames.is_empty();
        self.send_frames(to, frames);
        sent
    }

    pub(crate) fn send_frames(&mut self, to: u64, frames: Vec<Vec<u8>>) {
        let to = strongroom_link::node_of(to);
        self.out.extend(frames.into_iter().map(|bytes| ToHost::Peer { to, bytes: Blob(bytes) }));
    }

    pub(crate) fn reply(&mut self, to: ReplyTo, reply: RelayReply) {
        let bytes = Blob(reply_to_bytes(&reply));
        match to {
            ReplyTo::Host(id) => self.out.push(ToHost::Reply { id, reply: bytes }),
            ReplyTo::Peer(peer, id) => {
                // If the link is gone, so is the other host's patience: it says `Unknown`.
                self.send_note(peer, &Note::Answer { id, reply: bytes });
            }
        }
    }

    pub(crate) fn event(&mut self, text: impl Into<String>) {
        self.out.push(ToHost::Event { text: text.into() });
    }

    /// Stops for good, loudly.
    pub(crate) fn halt(&mut self, code: u16, reason: &'static str) {
        if self.halted.is_none() {
            self.halted = Some((code, reason));
            self.out.push(ToHost::Halted { code, reason: reason.to_owned() });
        }
    }
}
