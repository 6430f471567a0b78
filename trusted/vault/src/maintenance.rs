//! What a vault does without being asked: time, deadlines, compaction, erasure, health.

use crate::{
    peers::Note,
    vault::{Vault, WAITING_MS},
};
use strongroom_hardware::Hardware;
use strongroom_record::{Command, Entry};
use strongroom_replica::{Replica, Role};
use strongroom_wire::{
    Fixed, Slot,
    process::{Health, ToHost},
    relay::RelayRefusal,
};

/// Ticks between two beats.
const BEAT_TICKS: u64 = 5;
/// Ticks until a compaction that was put off is tried again.
const RETRY_TICKS: u64 = 20;
/// How often the host is told how its vault is.
const HEALTH_MS: u64 = 250;
/// An idle fleet writes so many ticks while an attempt is open.
const TICKS_AN_ATTEMPT: u64 = 10;
/// INV-3: in what steps a host is told how many slots hold something.
const SLOTS_STEP: u64 = 1_024;
/// Entries after which the log is compacted even before its time.
const COMPACT_ENTRIES: u64 = 50_000;
/// The time before a cold start that nothing proves (spec §10.1, cold start).
const UNWITNESSED_MS: u64 = 24 * 60 * 60 * 1_000;

impl<H: Hardware> Vault<H> {
    pub(crate) fn maintain(&mut self, now_ms: u64) {
        if now_ms >= self.next_beat_ms {
            self.next_beat_ms = now_ms.saturating_add(self.tick_ms.saturating_mul(BEAT_TICKS));
            self.beat();
        }
        if now_ms >= self.next_health_ms {
            self.next_health_ms = now_ms.saturating_add(HEALTH_MS);
            let health = self.health(now_ms);
            self.out.push(ToHost::Health { health });
        }
        self.give_up_waiting(now_ms);
        self.upkeep(now_ms);
        self.compact_if_due(now_ms);
    }

    fn beat(&mut self) {
        if self.replica.is_none() {
            return;
        }
        let note = Note::Beat {
            wall_ms: self.hardware.wall_ms(),
            applied: self.applied,
            hash: Fixed(self.history.hash()),
            erased_through: self.links.retired_through(),
        };
        let others: Vec<u8> = self.others().collect();
        for node in others {
            if let Some(process) = self.links.process_of(node) {
                self.send_note(process, &note);
            }
        }
    }

    fn others(&self) -> impl Iterator<Item = u8> {
        self.fleet.nodes.iter().map(|node| node.id).filter(|id| *id != self.node)
    }

    /// Agreed vault time, if enough clocks are heard. It never goes back.
    pub(crate) fn vault_time(&self, now_ms: u64) -> Option<u64> {
        let median = self.clocks.median(self.hardware.wall_ms(), now_ms, self.majority())?;
        let own = cfg!(feature = "danger_mutant_own_clock");
        let median = if own { self.hardware.wall_ms() } else { median };
        Some(median.max(self.state.now_ms()))
    }

    /// Whether the state has counted what was lost before this era, and has a policy: no attempt is taken
    /// before.
    ///
    /// A vault whose host gave it a manifest older than the fleet's serves nobody: that manifest's
    /// gateways may have been revoked.
    pub(crate) fn era_has_begun(&self) -> bool {
        let begun = |replica: &Replica| {
            replica.era() == self.state.era()
                || cfg!(feature = "danger_mutant_serve_before_the_era")
        };
        // Epochs begin at 1: a state that has none yet has a policy that nobody agreed on.
        let adopted = 1..=self.manifest.epoch;
        self.replica.as_ref().is_some_and(begun) && adopted.contains(&self.state.policy_epoch())
    }

    fn give_up_waiting(&mut self, now_ms: u64) {
        let before_ms = now_ms.saturating_sub(WAITING_MS);
        for to in self.waiting.expired(before_ms) {
            self.reply(to, Err(RelayRefusal::Unknown));
        }
        self.route_all(now_ms);
    }

    /// The leader's own entries, one at a time: a new era, a new policy, deadlines, erasure.
    fn upkeep(&mut self, now_ms: u64) {
        let leads = self.replica.as_ref().is_some_and(Replica::ready_to_serve);
        if !leads {
            self.upkeep = None;
            return;
        }
        if self.upkeep.is_some() {
            return;
        }
        let Some(time_ms) = self.vault_time(now_ms) else {
            return;
        };
        let Some(command) = self.upkeep_command(time_ms) else {
            return;
        };
        let (blind, salt) = (Fixed(self.fresh()), self.fresh());
        let slot = Slot(Fixed([0; 32]));
        let entry = Entry { time_ms, slot, ticket: None, blind, command };
        let Ok(payload) = entry.to_bytes() else {
            return;
        };
        if let Some(Ok(at)) = self.replica.as_mut().map(|replica| replica.propose(payload, salt)) {
            self.upkeep = Some((at.term, at.index));
        }
    }

    fn upkeep_command(&self, time_ms: u64) -> Option<Command> {
        let era = self.replica.as_ref()?.era();
        if era > self.state.era() {
            let window_ms = if era > 1 { UNWITNESSED_MS } else { 0 };
            return Some(Command::Era { era, window_ms });
        }
        if self.manifest.epoch > self.state.policy_epoch() {
            let (epoch, policy) = (self.manifest.epoch, self.manifest.policy.clone());
            return Some(Command::Adopt { epoch, policy });
        }
        // INV-3: an idle fleet ticks, whether a deadline passes or not. An entry that came when one
        // slot's deadline had passed would tell the host of it.
        let quiet_ms = self.state.current_policy().open_ms / TICKS_AN_ATTEMPT;
        if time_ms >= self.state.now_ms().saturating_add(quiet_ms) {
            return Some(Command::Tick {});
        }
        let through = self.erased_everywhere()?;
        (through > self.state.erased_through()).then_some(Command::Erased { through })
    }

    /// Up to where *every* node of the manifest, by its living process, has forgotten its old
    /// erasure keys, and its peers the keys of what it had sent them. As long as the keys are not split
    /// among the nodes, one that still has its old key still has the salts: a silent node stalls
    /// erasure, and the status says so.
    fn erased_everywhere(&self) -> Option<u64> {
        let mut through = self.links.retired_through();
        for node in self.others().filter(|_| !cfg!(feature = "danger_mutant_erased_by_itself")) {
            let process = self.links.process_of(node)?;
            let (from, erased) = self.erased.get(&node)?;
            if *from != process {
                return None;
            }
            through = through.min(*erased);
        }
        Some(through)
    }

    fn compact_if_due(&mut self, now_ms: u64) {
        let elapsed = now_ms.saturating_sub(self.compacted_ms);
        let entries = self.applied.saturating_sub(self.compacted_index);
        let due = elapsed >= self.manifest.policy.compact_ms || entries >= COMPACT_ENTRIES;
        if !due || self.applied == 0 {
            return;
        }
        self.compacted_ms = now_ms;
        let (state, salts) = self.snapshot();
        let index = self.applied;
        let Some(replica) = self.replica.as_mut() else {
            return;
        };
        match replica.compact(index, state, salts) {
            Ok(()) => self.compacted_index = index,
            Err(error) => {
                // It comes again soon, not after another whole interval.
                let again_ms = self.tick_ms.saturating_mul(RETRY_TICKS);
                let interval_ms = self.manifest.policy.compact_ms;
                self.compacted_ms = now_ms.saturating_add(again_ms).saturating_sub(interval_ms);
                self.event(format!("compaction put off: {error:?}"));
            }
        }
    }

    fn health(&self, now_ms: u64) -> Health {
        let replica = self.replica.as_ref();
        let role = replica.map_or(Role::Joining, Replica::role);
        let role = match role {
            Role::Joining => "joining",
            Role::Learner => "learner",
            Role::Follower => "follower",
            Role::Candidate => "candidate",
            Role::Leader => "leader",
            Role::Frozen => "frozen",
            Role::Halted => "halted",
        };
        let peers: Vec<u8> = self
            .others()
            .filter(|node| self.links.process_of(*node).is_some())
            .chain([self.node])
            .collect();
        let voters = replica.map(Replica::voters).unwrap_or_default();
        Health {
            incarnation: self.incarnation.as_u64(),
            era: replica.map_or(0, Replica::era),
            role: role.to_owned(),
            leader: replica.and_then(Replica::leader).map(|leader| leader.node().number()),
            ready: self.could_serve(now_ms),
            term: replica.map_or(0, Replica::term),
            applied: self.applied,
            peers,
            slots: (self.state.len() as u64).next_multiple_of(SLOTS_STEP),
            erased_through: replica.map_or(0, Replica::erased_through),
            now_ms: self.vault_time(now_ms).unwrap_or(0),
            voters: voters
                .iter()
                .filter(|voter| !voter.is_placeholder())
                .map(|voter| voter.node().number())
                .collect(),
        }
    }

    /// Ready means: this node could serve an attempt now.
    fn could_serve(&self, now_ms: u64) -> bool {
        let Some(replica) = &self.replica else {
            return false;
        };
        if replica.ready_to_serve() {
            return self.era_has_begun() && self.vault_time(now_ms).is_some();
        }
        // It passes requests on to a leader that it has a link with.
        let follows = matches!(replica.role(), Role::Follower | Role::Learner);
        let leader = replica.leader().filter(|leader| *leader != self.incarnation);
        follows
            && leader.is_some_and(|leader| {
                self.links.process_of(leader.node().number()) == Some(leader.as_u64())
            })
    }
}
