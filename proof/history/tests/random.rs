//! Random executions of one slot are explained; random lies are mostly refused.

use proptest::prelude::*;
use strongroom_history::{Answer, Call, Operation, Rules, check};

/// A slot that answers one call after the other, written without the specification's code.
#[derive(Default)]
struct Real {
    key: Option<u64>,
    generation: u64,
    attempts: u64,
    since: u64,
    row: u64,
    locked: bool,
}

impl Real {
    /// One client's whole exchange, which nobody interrupts: calls and answers in order.
    fn exchange(&mut self, kind: u8, key: u64) -> Vec<(Call, Answer)> {
        match kind {
            0 => self.register(key),
            1..=3 => self.recover(kind > 1),
            _ => vec![(Call::Budget, Answer::Done)],
        }
    }

    fn register(&mut self, key: u64) -> Vec<(Call, Answer)> {
        let before = self.key.map(|_| self.generation);
        self.generation += 1;
        let generation = self.generation;
        let started = Answer::RegisterStarted { generation, occupied: before.is_some() };
        (self.key, self.locked, self.row) = (Some(key), false, 0);
        let finish = Call::RegisterFinish { generation, key, password: 1, authority: true };
        let receipt = Answer::Registered { generation, destroyed: before, announced: false };
        vec![(Call::RegisterStart, started), (finish, receipt)]
    }

    fn recover(&mut self, right: bool) -> Vec<(Call, Answer)> {
        let password = u64::from(right);
        let start = Call::RecoverStart { password };
        let Some(key) = self.key else {
            let why = if self.locked { Answer::Locked } else { Answer::NoRecord };
            let finish = Call::RecoverFinish { number: 1, password };
            return vec![(start, Answer::Charged { number: 1, fits: false }), (finish, why)];
        };
        self.attempts += 1;
        self.row += 1;
        self.since += 1;
        let number = self.attempts;
        let end = if right {
            let failures = self.since.min(10) - 1;
            (self.row, self.since) = (0, 0);
            Answer::Recovered { generation: self.generation, key, failures }
        } else if self.row == 10 {
            (self.key, self.locked) = (None, true);
            Answer::Locked
        } else {
            Answer::WrongPassword
        };
        let charged = Answer::Charged { number, fits: right };
        vec![(start, charged), (Call::RecoverFinish { number, password }, end)]
    }
}

/// Exchanges happen at moments in order; each is asked a little before and answered a little later, so
/// that neighbours overlap. Some answers are lost.
fn history(script: &[(u8, u64, u64, bool)]) -> Vec<Operation> {
    let mut real = Real::default();
    let mut operations = Vec::new();
    let mut at = 1_000_u64;
    for (number, (kind, before, after, lost)) in script.iter().enumerate() {
        let steps = real.exchange(*kind, number as u64);
        let mut asked_after = 0;
        for (call, answer) in steps {
            at += 10;
            let invoked_ms = at.saturating_sub(*before).max(asked_after);
            let end = at + after;
            asked_after = at;
            let returned = Some((end, answer)).filter(|_| !lost);
            let by = returned.as_ref().map(|_| (at, at));
            operations.push(Operation {
                client: number as u64,
                slot: 0,
                call,
                invoked_ms,
                returned,
                by,
            });
        }
    }
    operations
}

fn scripts() -> impl Strategy<Value = Vec<(u8, u64, u64, bool)>> {
    let step = (0..6_u8, 0..25_u64, 0..25_u64, prop::bool::weighted(0.1));
    prop::collection::vec(step, 5..60)
}

/// Another answer of the same kind.
fn lie(operation: &mut Operation, dice: u64) -> bool {
    let Some((_, answer)) = &mut operation.returned else { return false };
    let off = 1 + dice % 3;
    match answer {
        Answer::RegisterStarted { occupied, .. } if dice.is_multiple_of(2) => {
            *occupied = !*occupied
        }
        Answer::RegisterStarted { generation, .. } => *generation += off,
        Answer::Registered { generation, .. } => *generation += off,
        Answer::Charged { fits, .. } if dice.is_multiple_of(4) => *fits = !*fits,
        Answer::Charged { number, .. } => *number += off,
        Answer::Recovered { key, .. } if dice.is_multiple_of(2) => *key += off,
        Answer::Recovered { failures, .. } => *failures += off,
        Answer::WrongPassword => *answer = Answer::Locked,
        Answer::Locked => *answer = Answer::NoRecord,
        Answer::NoRecord => *answer = Answer::Locked,
        _ => return false,
    }
    true
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn executions_are_explained(script in scripts()) {
        let history = history(&script);
        let checked = check(&history, &Rules::EXACT);
        prop_assert!(checked.is_ok(), "{}", checked.err().map_or_else(String::new, |e| e.to_string()));
        prop_assert_eq!(checked.map(|checked| checked.undecided), Ok(0));
    }
}

#[test]
fn lies_are_mostly_refused() {
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut told, mut refused) = (0, 0);
    for dice in 0..200_u64 {
        let script = scripts().new_tree(&mut runner).expect("a script").current();
        let mut history = history(&script);
        let at = (dice.wrapping_mul(0x9E37_79B9)) as usize % history.len();
        if lie(&mut history[at], dice) {
            told += 1;
            let rules = Rules { steps: 150_000, ..Rules::EXACT };
            refused += u32::from(check(&history, &rules).is_err());
        }
    }
    eprintln!("{refused} of {told} lies refused");
    assert!(told > 100, "only {told} lies were told");
    assert!(refused * 100 >= told * 90, "{refused} of {told} lies refused");
}
