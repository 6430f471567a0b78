//! What people asked and were told, as `strongroom-history` reads it: one history, or a contradiction.

use crate::{
    Trouble,
    record::{Answer, Call, Operation},
};
use serde::Serialize;
use std::{collections::BTreeMap, fmt, path::Path};
use strongroom_history as history;

/// What the checker said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Verdict {
    pub(crate) operations: u64,
    pub(crate) slots: u64,
    /// Slots that were not decided. They are not explained.
    pub(crate) undecided: u64,
    pub(crate) contradictions: Vec<String>,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { operations, slots, undecided, contradictions } = self;
        write!(
            f,
            "histories: {operations} operations of {slots} slots, {undecided} undecided, {} \
             contradictions",
            contradictions.len()
        )
    }
}

/// Asks of each account's operations whether one order explains them.
pub(crate) fn judge(operations: &[Operation]) -> Verdict {
    let mut accounts: BTreeMap<&str, Vec<history::Operation>> = BTreeMap::new();
    for operation in operations {
        let slot = accounts.len() as u64;
        let known = accounts.entry(&operation.account).or_default();
        let slot = known.first().map_or(slot, |first| first.slot);
        known.push(read(operation, slot));
    }
    let mut verdict = Verdict::default();
    for (account, operations) in accounts {
        verdict.operations += operations.len() as u64;
        verdict.slots += 1;
        match history::check(&operations, &history::Rules::EXACT) {
            Ok(checked) => verdict.undecided += checked.undecided,
            Err(story) => verdict.contradictions.push(format!("{account}: {story}")),
        }
    }
    verdict
}

/// Judges a saved history.
pub(crate) fn judge_file(path: &Path) -> Result<Verdict, Trouble> {
    let text = std::fs::read_to_string(path).map_err(|e| Trouble::io("read", path, &e))?;
    let mut operations = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let operation = serde_json::from_str(line).map_err(|e| {
            Trouble::new(format!("{}:{}: no operation: {e}", path.display(), number + 1))
        })?;
        operations.push(operation);
    }
    if operations.is_empty() {
        return Err(Trouble::new(format!("{}: no operations", path.display())));
    }
    Ok(judge(&operations))
}

fn read(operation: &Operation, slot: u64) -> history::Operation {
    let answer = operation.answer.as_ref().and_then(answered);
    history::Operation {
        client: operation.client.into(),
        slot,
        call: called(&operation.call),
        invoked_ms: operation.invoked_us,
        returned: operation.returned_us.zip(answer),
        by: operation.by.map(|by| (by.index, by.now_ms)),
    }
}

/// Keys are named by the first bytes of their digests.
fn key(name: &str) -> u64 {
    u64::from_str_radix(name, 16).unwrap_or(u64::MAX)
}

fn called(call: &Call) -> history::Call {
    match call {
        Call::RegisterStart { .. } => history::Call::RegisterStart,
        Call::RegisterFinish { generation, key: name, fresh, .. } => {
            let (generation, key) = (*generation, key(name));
            history::Call::RegisterFinish { generation, key, password: 1, authority: *fresh }
        }
        Call::RecoverStart { right, .. } => {
            history::Call::RecoverStart { password: u64::from(*right) }
        }
        Call::RecoverFinish { number, right, .. } => {
            history::Call::RecoverFinish { number: *number, password: u64::from(*right) }
        }
        Call::Budget => history::Call::Budget,
    }
}

/// An answer that nobody signed is none: it is told apart as a broken promise.
fn answered(answer: &Answer) -> Option<history::Answer> {
    Some(match answer {
        Answer::RegisterStarted { generation, occupied } => {
            history::Answer::RegisterStarted { generation: *generation, occupied: *occupied }
        }
        Answer::Registered { generation, destroyed, effective_ms, .. } => {
            history::Answer::Registered {
                generation: *generation,
                destroyed: *destroyed,
                announced: *effective_ms > 0,
            }
        }
        Answer::Charged { number, fits, .. } => {
            history::Answer::Charged { number: *number, fits: *fits }
        }
        Answer::Wait { .. } => history::Answer::Wait,
        Answer::Recovered { generation, key: name, failures, .. } => history::Answer::Recovered {
            generation: *generation,
            key: key(name),
            failures: *failures as u64,
        },
        Answer::Failed { why, .. } => match why.as_str() {
            "WrongPassword" => history::Answer::WrongPassword,
            "NoRecord" => history::Answer::NoRecord,
            "Locked" => history::Answer::Locked,
            _ => history::Answer::Closed,
        },
        Answer::Budget { .. } => history::Answer::Done,
        Answer::Refused { .. } => history::Answer::Refused,
        Answer::Bad { .. } => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::judge;
    use crate::record::Operation;

    fn line(call: &str, at: u64, answer: &str) -> Operation {
        let text = format!(
            "{{\"client\":1,\"account\":\"a\",\"call\":{call},\"invoked_us\":{at},\"returned_us\":{},\
             \"answer\":{answer},\"by\":{{\"node\":1,\"incarnation\":1,\"index\":{at},\"now_ms\":{at}}},\
             \"misses\":[]}}",
            at + 1
        );
        serde_json::from_str(&text).expect("an operation")
    }

    fn history(generation: u64) -> Vec<Operation> {
        let started = "{\"outcome\":\"register_started\",\"generation\":1,\"occupied\":false}";
        let receipt = format!(
            "{{\"outcome\":\"registered\",\"generation\":{generation},\"destroyed\":null,\
             \"effective_ms\":0,\"budget\":{{\"row\":10,\"year\":40,\"next_ms\":0}}}}"
        );
        let finish = "{\"verb\":\"register_finish\",\"registration\":1,\"generation\":1,\
                      \"key\":\"00ff\",\"fresh\":false}";
        vec![
            line("{\"verb\":\"register_start\",\"registration\":1}", 10, started),
            line(finish, 20, &receipt),
        ]
    }

    #[test]
    fn a_saved_history_is_judged() {
        let verdict = judge(&history(1));
        assert_eq!((verdict.operations, verdict.slots), (2, 1));
        assert_eq!((verdict.undecided, verdict.contradictions.len()), (0, 0));
        assert_eq!(judge(&history(2)).contradictions.len(), 1);
    }
}
