//! Why a history is refused, as short as it can be told.

use crate::{
    Contradiction, Operation, Rules,
    search::{Verdict, search},
};

/// Calls looked at for each shorter story.
const STEPS: u64 = 40_000;
/// Histories that are tried for a shorter story.
const TRIES: usize = 2_000;

fn contradicted(history: &[Operation], rules: &Rules) -> Option<String> {
    match search(history, &Rules { steps: rules.steps.min(STEPS), ..*rules }).0 {
        Verdict::Contradicted(why) => Some(why),
        _ => None,
    }
}

/// What was asked until a moment, and answered until then.
fn until(history: &[Operation], end: u64) -> Vec<Operation> {
    let begun = history.iter().filter(|operation| operation.invoked_ms <= end).cloned();
    let cut = |mut operation: Operation| {
        operation.returned = operation.returned.filter(|(at, _)| *at <= end);
        operation
    };
    begun.map(cut).collect()
}

/// The shortest story of a history that no order explains: cut at its first end that contradicts; then
/// each answer is forgotten that is not needed. Who forgets an answer asks less of the history.
pub(crate) fn told(history: &[Operation], rules: &Rules) -> Contradiction {
    let slot = history.first().map_or(0, |operation| operation.slot);
    let mut ends: Vec<u64> =
        history.iter().filter_map(|o| o.returned.as_ref()).map(|r| r.0).collect();
    ends.sort_unstable();
    let cut = ends.partition_point(|end| contradicted(&until(history, *end), rules).is_none());
    let mut least = ends.get(cut).map_or_else(|| history.to_vec(), |end| until(history, *end));
    let mut why = contradicted(&least, rules).unwrap_or_default();
    for at in (0..least.len()).take(TRIES) {
        let Some(forgotten) = least[at].returned.take() else { continue };
        match contradicted(&least, rules) {
            Some(shorter) => why = shorter,
            None => least[at].returned = Some(forgotten),
        }
    }
    let (operations, others): (Vec<_>, Vec<_>) =
        least.into_iter().partition(|operation| operation.returned.is_some());
    Contradiction {
        slot,
        operations,
        others: others.len(),
        why: format!("expected an order, {why}"),
    }
}

/// Real time and the log agree: what was asked after an answer is answered behind it, at no earlier
/// vault time.
pub(crate) fn indexes_rise(history: &[Operation]) -> Result<(), Contradiction> {
    let signed = |operation: &&Operation| operation.by.is_some() && operation.returned.is_some();
    let mut ended: Vec<&Operation> = history.iter().filter(signed).collect();
    ended.sort_by_key(|operation| operation.returned.as_ref().map(|(at, _)| *at));
    let mut ended = ended.into_iter().peekable();
    // The farthest answer among those that were there before this one was asked.
    let mut farthest: Option<&Operation> = None;
    for operation in history.iter().filter(signed) {
        let before =
            |o: &&Operation| o.returned.as_ref().is_some_and(|(at, _)| *at < operation.invoked_ms);
        while let Some(earlier) = ended.next_if(before) {
            if farthest.is_none_or(|known| known.by < earlier.by) {
                farthest = Some(earlier);
            }
        }
        let Some(earlier) = farthest else { continue };
        let ((Some(was), Some(is)), slot) = ((earlier.by, operation.by), operation.slot) else {
            continue;
        };
        if is.0 <= was.0 || is.1 < was.1 {
            let why =
                format!("expected indexes and vault times that rise, got {was:?}, then {is:?}");
            let operations = vec![earlier.clone(), operation.clone()];
            return Err(Contradiction { slot, operations, others: history.len() - 2, why });
        }
    }
    Ok(())
}
