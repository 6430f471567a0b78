//! What one seed does to a fleet: drawn once, before anything happens.

use crate::acts::Deed;
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use std::collections::BTreeSet;
use strongroom_manifest::Policy;

/// The shape of one run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Everything follows from it.
    pub seed: u64,
    /// Nodes in the fleet.
    pub nodes: u8,
    /// Users.
    pub users: usize,
    /// How long faults go on, in virtual milliseconds.
    pub faults_ms: u64,
    /// Mean time between two faults.
    pub fault_every_ms: u64,
    /// Frames between vaults that are lost, in thousandths.
    pub loss: u64,
    /// Frames between vaults that arrive twice, in thousandths.
    pub repeat: u64,
    /// Longest time that a frame takes.
    pub delay_ms: u64,
    /// Answers that are lost after they left a vault, in thousandths.
    pub lost_answers: u64,
    /// Crashes right between a durable step and the next, in thousandths of all such steps.
    pub crash_at_step: u64,
    /// Kill whoever leads, and nobody else, this often; 0 for the usual faults.
    pub kill_leaders_every_ms: u64,
    /// Users in a hundred who type only wrong passwords until the record is gone.
    pub forgetful: u64,
    /// Nodes beyond a majority that must hold an entry before its answer leaves.
    pub tolerance: u8,
    /// Thousands of users who want little.
    pub crowd: bool,
    /// So much rarer than usual are faults: an operator who lays siege to a slot needs a fleet that
    /// serves. 1 where there is no siege.
    pub quiet: u64,
    /// The budget.
    pub policy: Policy,
    /// The run ends then, whatever is still to come.
    pub ends_ms: u64,
    /// The only deeds that are done; all, if `None`.
    pub only: Option<BTreeSet<Deed>>,
}

/// One seed in so many has thousands of users.
const CROWDS: u64 = 512;

/// One seed in so many has a siege.
const SIEGES: u64 = 4;

/// Numbers from a seed.
pub struct Dice(pub ChaCha20Rng);

impl Dice {
    /// Dice of a seed and a purpose.
    pub fn new(seed: u64, purpose: u8) -> Self {
        let mut bytes = [purpose; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        Self(ChaCha20Rng::from_seed(bytes))
    }

    /// Dice of a seed, a purpose, and whatever two numbers name within it.
    pub fn of(seed: u64, purpose: u8, one: u64, other: u64) -> Self {
        let mut bytes = [purpose; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&one.to_le_bytes());
        bytes[16..24].copy_from_slice(&other.to_le_bytes());
        Self(ChaCha20Rng::from_seed(bytes))
    }

    /// A number below `bound`.
    pub fn below(&mut self, bound: u64) -> u64 {
        if bound == 0 { 0 } else { self.0.next_u64() % bound }
    }

    /// True in `thousandths` of a thousand cases.
    pub fn chance(&mut self, thousandths: u64) -> bool {
        self.below(1_000) < thousandths
    }

    /// 32 bytes.
    pub fn bytes(&mut self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

impl Plan {
    /// The plan of a seed.
    pub fn of(seed: u64) -> Self {
        let mut dice = Dice::new(seed, 1);
        let mut apart = Dice::new(seed, 5);
        let crowd = seed % CROWDS == CROWDS - 1;
        let users = if crowd { 1_000 + dice.below(1_000) } else { 3 + dice.below(6) };
        let quiet = if apart.below(SIEGES) == 0 && !crowd { 4 + apart.below(20) } else { 1 };
        Self {
            seed,
            quiet,
            nodes: 7 + u8::try_from(dice.below(5).saturating_sub(2)).unwrap_or(0),
            users: usize::try_from(users).unwrap_or(4),
            tolerance: u8::from(dice.chance(300)),
            crowd,
            // A crowd's run costs a minute as it is.
            faults_ms: if quiet > 1 { 22_000 } else { 12_000 }
                + dice.below(if crowd { 4_000 } else { 28_000 }),
            fault_every_ms: (400 + dice.below(2_000)) * quiet,
            loss: dice.below(60) / quiet,
            repeat: dice.below(60),
            delay_ms: 1 + dice.below(25),
            lost_answers: dice.below(150) / quiet,
            crash_at_step: dice.below(8) / quiet,
            kill_leaders_every_ms: 0,
            forgetful: 20,
            policy: Self::policy(if dice.chance(500) { 8_000 } else { 300_000 }),
            ends_ms: u64::MAX,
            only: None,
        }
    }

    /// Whether attempts outlive every outage of a run, so that an honest user loses none at all.
    pub const fn attempts_outlive_outages(&self) -> bool {
        self.policy.open_ms > 200_000
    }

    /// A run without faults.
    pub fn calm(seed: u64, users: usize) -> Self {
        Self {
            nodes: 7,
            users,
            tolerance: 0,
            crowd: false,
            quiet: 1,
            faults_ms: 0,
            loss: 0,
            repeat: 0,
            delay_ms: 1,
            lost_answers: 0,
            crash_at_step: 0,
            forgetful: 0,
            ..Self::of(seed)
        }
    }

    /// Users who enroll and recover once with the right password, while every leader is killed
    /// after a while and comes back.
    pub fn honest(seed: u64, users: usize) -> Self {
        Self {
            faults_ms: 60_000,
            lost_answers: 20,
            kill_leaders_every_ms: 3_000,
            policy: Self::policy(300_000),
            ..Self::calm(seed, users)
        }
    }

    /// The standard counts, with waits and windows that fit into a minute.
    pub fn policy(open_ms: u64) -> Policy {
        let mut policy = Policy::standard().with_waits_divided_by(100_000);
        policy.open_ms = open_ms;
        policy.pending_ms = 8_000;
        policy.fresh_ms = 8_000;
        policy.compact_ms = 4_000;
        policy
    }
}
