//! The host as an adversary: what it does next, and how often.

mod disks;
mod forgery;
mod forker;
mod gateway;
mod mind;
mod moments;
mod network;
mod siege;
mod strategy;
mod thief;

use super::{Event, World};
use crate::{
    acts::{Act, Deeds},
    plan::{Dice, Plan},
};
pub(crate) use forgery::STRANGER;
pub(crate) use gateway::Asked;
use gateway::Seen;
use mind::Mind;
pub(crate) use siege::Habit;
use siege::Siege;
use std::collections::{BTreeMap, VecDeque};
pub(crate) use strategy::Strategy;
pub(crate) use thief::{THIEVES, Thief};

/// The adversary leaves the fleet's first second alone.
pub(crate) const GENESIS_MS: u64 = 1_000;

/// What the adversary has gathered.
pub(crate) struct Foe {
    pub(crate) strategy: Strategy,
    mind: Mind,
    deeds: Deeds,
    /// When it acts.
    pub(crate) pace: Dice,
    /// How it does what it did last.
    pub(crate) dice: Dice,
    /// Requests that passed a gateway, to be handed in again.
    seen: VecDeque<Seen>,
    /// Requests that were held back, and since when.
    hoard: Vec<(u64, Asked)>,
    /// Users all of whose requests are held back for now, and until when.
    hoarding: BTreeMap<usize, u64>,
    pub(crate) thieves: Vec<Thief>,
    pub(crate) siege: Option<Siege>,
    /// By sender and receiver: when the last frame of that stream arrives.
    arrives_ms: BTreeMap<(u8, usize), u64>,
    /// By node: when its clock last ceased to lie.
    lied_ms: BTreeMap<usize, u64>,
    /// By node: how much longer its frames take, and until when.
    lag: BTreeMap<usize, (u64, u64)>,
}

impl Foe {
    pub(crate) fn new(plan: &Plan) -> Self {
        let mut dice = Dice::new(plan.seed, 3);
        Self {
            strategy: Strategy::draw(plan, &mut dice),
            mind: Mind::default(),
            deeds: Deeds::new(plan.seed),
            pace: Dice::new(plan.seed, 7),
            dice,
            seen: VecDeque::new(),
            hoard: Vec::new(),
            hoarding: BTreeMap::new(),
            thieves: Vec::new(),
            siege: Siege::draw(plan),
            arrives_ms: BTreeMap::new(),
            lied_ms: BTreeMap::new(),
            lag: BTreeMap::new(),
        }
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.dice.below(bound as u64)).unwrap_or(0)
    }
}

impl World {
    /// The adversary's turn.
    pub(crate) fn fault(&mut self) {
        if !self.faulty() {
            return;
        }
        if self.plan.kill_leaders_every_ms > 0 {
            self.kill_leader();
            self.at(self.plan.kill_leaders_every_ms, Event::Fault { extra: false });
            return;
        }
        self.take_turn();
        let next = 1 + self.foe.pace.below(2 * self.plan.fault_every_ms);
        self.at(next, Event::Fault { extra: false });
    }

    /// Something durable, a commit, another role or another seat: the adversary likes the moments
    /// right after it.
    pub(crate) fn heat(&mut self, thousandths: u64) {
        // A genesis that fails half-way is the custodians' to repeat; it is not what runs are about.
        let calm = self.plan.kill_leaders_every_ms > 0 || self.now() < GENESIS_MS;
        if self.faulty() && !calm && self.foe.pace.chance(thousandths / self.plan.quiet) {
            let after = self.foe.pace.below(4);
            self.at(after, Event::Fault { extra: true });
        }
    }

    /// One turn: each act by its own dice, as often as this run's strategy and what was learned in
    /// it say.
    pub(crate) fn take_turn(&mut self) {
        if !self.faulty() {
            return;
        }
        let signature = self.signature();
        self.foe.mind.look(signature);
        for act in strategy::DELIBERATE {
            let rate = self.foe.mind.rate(act, self.foe.strategy.weight(act));
            if self.may(act, rate) && self.commit(act) {
                self.foe.mind.did(act);
            }
        }
    }

    /// Whether an act happens. Whatever is drawn until the next one are its details.
    pub(crate) fn may(&mut self, act: Act, thousandths: u64) -> bool {
        let Some(deed) = self.foe.deeds.draw(act, thousandths) else {
            return false;
        };
        if self.plan.only.as_ref().is_some_and(|only| !only.contains(&deed)) {
            return false;
        }
        self.foe.dice = self.foe.deeds.details(deed);
        self.notes.deed(self.now(), deed);
        self.deeds.borrow_mut().push(deed);
        true
    }

    /// Does it, if it is possible and within reason.
    fn commit(&mut self, act: Act) -> bool {
        let node = self.foe.below(self.plan.nodes.into());
        match act {
            Act::Crash => self.crash_within_reason(node),
            Act::Restart
            | Act::OldDisk
            | Act::EmptyDisk
            | Act::TornDisk
            | Act::FlippedDisk
            | Act::CutDisk
            | Act::ForeignDisk
            | Act::OldCell => self.restart_on(node, act),
            Act::SickHardware => self.sicken(node),
            Act::Fork => self.fork(node),
            Act::Reroute => self.reroute(node),
            Act::Settle => self.settle(node),
            Act::Stop => self.stop_within_reason(node),
            Act::Succeed => self.succeed(node),
            Act::Resume => self.resume(node),
            Act::CutOff => self.cut_off(node, true),
            Act::CutOneWay => self.cut_off(node, false),
            Act::Split => self.split(),
            Act::Heal => self.heal(),
            Act::Lag => self.lag(node),
            Act::LieAboutTime => self.lie_about_time(node),
            Act::ReplayFrames => self.replay(),
            Act::KillLeader => self.leader().is_some_and(|at| self.crash_within_reason(at)),
            Act::CutLeader => self.leader().is_some_and(|at| self.cut_off(self.node_of(at), true)),
            Act::StopLeader => self.leader().is_some_and(|at| self.stop_within_reason(at)),
            Act::PowerLoss => self.all_at_once(),
            Act::AskPosition => self.ask_within_reason(node),
            Act::Release => self.release_hoard(),
            Act::ReplayRequest => self.replay_request(),
            Act::ForgeTicket => self.forge_ticket(),
            Act::Guess => self.thief_acts(thief::Aim::Guess),
            Act::Register => self.thief_acts(thief::Aim::Register),
            Act::Command => self.thief_acts(thief::Aim::Command),
            _ => false,
        }
    }

    /// Whether the adversary may do more than this run's plan says.
    pub(crate) fn at_large(&self) -> bool {
        self.faulty() && self.plan.kill_leaders_every_ms == 0
    }

    fn kill_leader(&mut self) {
        if let Some(leader) = self.leader() {
            self.crash(leader);
        }
    }

    /// What this moment looks like, in numbers that tell kinds of moments apart.
    fn signature(&self) -> u64 {
        let newest = self.nodes.iter().filter_map(|n| n.health.as_ref()).map(|h| h.term).max();
        let mut places: Vec<u64> = self
            .nodes
            .iter()
            .map(|place| {
                let role = place.health.as_ref().map_or(0, |h| match h.role.as_str() {
                    "joining" => 1,
                    "learner" => 2,
                    "follower" => 3,
                    "candidate" => 4,
                    "leader" => 5,
                    _ => 6,
                });
                let behind = place.health.as_ref().map_or(0, |h| newest.unwrap_or(0) - h.term);
                let voters = place.health.as_ref().map_or(0, |h| h.voters.len() as u64);
                let alive = u64::from(place.vault.is_some()) + u64::from(place.stopped);
                (((role * 4 + behind.min(3)) * 16 + voters) * 3 + alive) * 2
                    + u64::from(place.doubtful)
            })
            .collect();
        // Which node it is does not matter, only whether it is a twin.
        let count = self.count();
        places[..count].sort_unstable();
        places[count..].sort_unstable();
        let cuts = (self.cut.len() as u64).div_ceil(6);
        places.push(cuts);
        places.push(self.foe.hoard.len().min(3) as u64);
        places.iter().fold(0, |hash: u64, n| hash.wrapping_mul(0x100_0000_01b3) ^ (n + 1))
    }
}
