//! What kind of adversary a run has.

use crate::{
    acts::Act,
    plan::{Dice, Plan},
};
use std::collections::BTreeMap;

/// Acts that the adversary decides on at its turns; all others happen to something under way.
pub(crate) const DELIBERATE: [Act; 34] = [
    Act::Crash,
    Act::Restart,
    Act::OldDisk,
    Act::EmptyDisk,
    Act::TornDisk,
    Act::FlippedDisk,
    Act::CutDisk,
    Act::ForeignDisk,
    Act::OldCell,
    Act::SickHardware,
    Act::Fork,
    Act::Reroute,
    Act::Settle,
    Act::Stop,
    Act::Succeed,
    Act::Resume,
    Act::CutOff,
    Act::CutOneWay,
    Act::Split,
    Act::Heal,
    Act::Lag,
    Act::LieAboutTime,
    Act::ReplayFrames,
    Act::KillLeader,
    Act::CutLeader,
    Act::StopLeader,
    Act::PowerLoss,
    Act::AskPosition,
    Act::Release,
    Act::ReplayRequest,
    Act::ForgeTicket,
    Act::Guess,
    Act::Register,
    Act::Command,
];

/// A school of adversaries, and what it does more often than others.
const SCHOOLS: [&[Act]; 9] = [
    // The network.
    &[
        Act::CutOff,
        Act::CutOneWay,
        Act::Split,
        Act::Lag,
        Act::ReplayFrames,
        Act::CorruptFrame,
        Act::CrossWire,
        Act::LoseFrame,
        Act::RepeatFrame,
        Act::ReorderFrame,
    ],
    // Disks and hardware.
    &[
        Act::Restart,
        Act::OldDisk,
        Act::EmptyDisk,
        Act::TornDisk,
        Act::FlippedDisk,
        Act::CutDisk,
        Act::ForeignDisk,
        Act::OldCell,
        Act::SickHardware,
        Act::CrashAtStep,
    ],
    // The forker.
    &[Act::AskPosition, Act::Fork, Act::Reroute, Act::Settle, Act::Stop, Act::Succeed, Act::Resume],
    // The guesser.
    &[Act::Guess, Act::ReplayRequest, Act::LoseAnswer],
    // The hoarder of finishes.
    &[Act::Hoard, Act::Outwait, Act::Release, Act::DelayRequest, Act::SpreadRequest, Act::Guess],
    // The registrar.
    &[Act::Register, Act::Command, Act::ReplayRequest, Act::Hoard, Act::Release],
    // Clocks.
    &[Act::LieAboutTime, Act::CutLeader],
    // Power.
    &[Act::PowerLoss, Act::Crash, Act::CrashAtStep],
    // Elections.
    &[Act::KillLeader, Act::CutLeader, Act::StopLeader, Act::Resume, Act::Lag],
];

/// How often each act is tried, in thousandths: of the adversary's turns, or of the things that it
/// can be done to.
#[derive(Debug, Clone)]
pub(crate) struct Strategy {
    weights: BTreeMap<Act, u64>,
    /// Whether the adversary leaves a majority of seated voters alone, so that the fleet must come
    /// back without custodians.
    pub(crate) spares_quorum: bool,
}

impl Strategy {
    pub(crate) fn draw(plan: &Plan, dice: &mut Dice) -> Self {
        let mut weights: BTreeMap<Act, u64> = DELIBERATE.into_iter().map(|act| (act, 12)).collect();
        weights.extend([
            (Act::LoseFrame, plan.loss),
            (Act::RepeatFrame, plan.repeat),
            (Act::ReorderFrame, dice.below(300)),
            (Act::CorruptFrame, dice.below(6)),
            (Act::CrossWire, dice.below(6)),
            (Act::CrashAtStep, plan.crash_at_step),
            (Act::LoseAnswer, plan.lost_answers),
            (Act::Hoard, dice.below(30)),
            // A fleet that serves is worth the wait.
            (Act::Outwait, if plan.quiet > 1 { 450 } else { 150 }),
            (Act::Accompany, 500),
            (Act::DelayRequest, dice.below(60)),
            (Act::SpreadRequest, dice.below(60)),
            (Act::Command, 12),
            (Act::Release, 60),
            (Act::Heal, 90),
            (Act::Resume, 120),
            (Act::Settle, 60),
            (Act::Reroute, 40),
            (Act::PowerLoss, 3),
            (Act::AskPosition, 6),
            (Act::Mislead, 700),
            (Act::Rush, 850),
        ]);
        if plan.crowd {
            // Large messages do not get through a network that keeps no order.
            weights.insert(Act::ReorderFrame, 0);
        }
        for _ in 0..2 + dice.below(2) {
            let school = SCHOOLS[usize::try_from(dice.below(SCHOOLS.len() as u64)).unwrap_or(0)];
            for act in school {
                let weight = weights.entry(*act).or_default();
                *weight = match act {
                    Act::LoseFrame | Act::RepeatFrame | Act::CrashAtStep => *weight * 3 / 2,
                    Act::CorruptFrame | Act::CrossWire => *weight * 4,
                    Act::Guess => 250,
                    Act::PowerLoss => 20,
                    Act::Hoard => 200,
                    _ => (*weight * 5).min(300),
                };
            }
        }
        Self { weights, spares_quorum: dice.chance(700) }
    }

    pub(crate) fn weight(&self, act: Act) -> u64 {
        self.weights.get(&act).copied().unwrap_or(0)
    }
}
