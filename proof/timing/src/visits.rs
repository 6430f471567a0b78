//! What is measured: one kind of visit after another, in an order that dice decide.

use crate::{
    fleet::Times,
    town::{Errand, Town},
};
use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};
use strongroom_sim::plan::Dice;

/// People of each kind.
const PEOPLE: usize = 32;
/// Visits of each kind before anything is written down.
const WARM_UP: usize = 8;

/// How a run is made.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// Everything but time follows from it.
    pub seed: u64,
    /// Nodes of the fleet.
    pub nodes: u8,
    /// Measurements of each class.
    pub samples: usize,
    /// The run ends after this long, with what it has.
    pub at_most: Duration,
    /// What the positive control adds.
    pub leak: Duration,
    /// The controls alone.
    pub only_controls: bool,
}

/// Who comes, and what for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Visit {
    /// A recovery with the right password.
    Right,
    /// The same thing.
    Same,
    /// The same thing, and the vault is made to take longer.
    Leaky,
    /// With a wrong one.
    Wrong,
    /// For a slot that never held anything.
    Unknown,
    /// For a slot whose record was destroyed by failures.
    Locked,
    /// For a slot that must wait.
    Waiting,
    /// A registration for an empty slot.
    RegisterEmpty,
    /// For a slot with a record.
    RegisterKnown,
    /// For a locked one: its first half.
    RegisterLocked,
    /// How many attempts a slot with a record has left.
    BudgetKnown,
    /// And one without.
    BudgetUnknown,
    /// An owner asks how the slot stands.
    StatusOwner,
    /// Somebody asks the same of an empty one.
    StatusStranger,
}

use Visit::{
    BudgetKnown, BudgetUnknown, Leaky, Locked, RegisterEmpty, RegisterKnown, RegisterLocked, Right,
    Same, StatusOwner, StatusStranger, Unknown, Waiting, Wrong,
};

const CONTROLS: [Visit; 3] = [Right, Same, Leaky];
const ALL: [Visit; 14] = [
    Right,
    Same,
    Leaky,
    Wrong,
    Unknown,
    Locked,
    Waiting,
    RegisterEmpty,
    RegisterKnown,
    RegisterLocked,
    BudgetKnown,
    BudgetUnknown,
    StatusOwner,
    StatusStranger,
];

/// A visit's first or second request.
pub(crate) type Class = (Visit, usize);

/// Measurements by class.
pub(crate) type Samples = BTreeMap<Class, Vec<Times>>;

/// Makes the visits of a plan.
pub(crate) fn measure(plan: &Plan) -> Samples {
    let begun = Instant::now();
    let visits: &[Visit] = if plan.only_controls { &CONTROLS } else { &ALL };
    let mut town = Town::new(plan.seed, plan.nodes, PEOPLE);
    // Apart from the town's dice: who comes next does not depend on what vaults and devices drew.
    let mut dice = Dice::new(plan.seed, 12);
    let mut samples = Samples::new();
    for round in 0..WARM_UP + plan.samples {
        if begun.elapsed() >= plan.at_most {
            break;
        }
        // In every round each kind comes once, in a new order: a machine that gets slower or faster
        // does so for all of them.
        let mut order = visits.to_vec();
        while !order.is_empty() {
            let visit = order.swap_remove(below(&mut dice, order.len()));
            let times = town.visit(visit, &mut dice, plan.leak);
            if round >= WARM_UP {
                for (request, times) in times.into_iter().enumerate() {
                    samples.entry((visit, request)).or_default().push(times);
                }
            }
        }
    }
    samples
}

fn below(dice: &mut Dice, bound: usize) -> usize {
    usize::try_from(dice.below(bound as u64)).unwrap_or(0)
}

impl Visit {
    const fn errand(self) -> Errand {
        match self {
            Right | Same | Leaky | Unknown | Locked => Errand::Recover { right: true },
            Wrong => Errand::Recover { right: false },
            Waiting => Errand::Wait,
            RegisterEmpty | RegisterKnown => Errand::Enroll,
            RegisterLocked => Errand::AskToEnroll,
            BudgetKnown | BudgetUnknown => Errand::Budget,
            StatusOwner => Errand::Status { owner: true },
            StatusStranger => Errand::Status { owner: false },
        }
    }
}

impl Town {
    fn visit(&mut self, visit: Visit, dice: &mut Dice, leak: Duration) -> Vec<Times> {
        let mut new = [self.stranger()];
        let Self { fleet, known, settled, unknown, locked, waiting, .. } = self;
        let people = match visit {
            Right | Same | Leaky | Wrong => known.as_mut_slice(),
            Unknown | BudgetUnknown | StatusStranger => unknown,
            Locked | RegisterLocked => locked,
            Waiting => waiting,
            RegisterEmpty => new.as_mut_slice(),
            RegisterKnown | BudgetKnown | StatusOwner => settled,
        };
        let person = below(dice, people.len());
        let person = &mut people[person];
        let more = if visit == Leaky { leak } else { Duration::ZERO };
        let times = person.visit(fleet, visit.errand(), more);
        if matches!(visit, Wrong | RegisterEmpty) {
            // The slot stands as it did; a new one holds what those of most people hold.
            person.visit(fleet, Right.errand(), Duration::ZERO);
        }
        times
    }
}
