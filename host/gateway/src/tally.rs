//! What many tries add up to: a problem that says what happened and what it can have cost.

use crate::{
    nodes::TryOutcome,
    problem::{Code, Cost, Problem},
};
use std::time::Duration;
use strongroom_wire::relay::RelayRefusal;

/// A refusal that does not depend on the node is believed when a second node repeats it: one lying
/// host shall not be able to turn a user away.
const WITNESSES: usize = 2;

/// What the tries of one request have shown so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    no_quorum: usize,
    malformed: usize,
    ticket_refused: usize,
    busy: usize,
    /// The vault accepted it and does not know what became of it.
    unknown: usize,
    /// No answer that can be used.
    unclear: usize,
    down: Vec<String>,
}

impl Tally {
    /// Adds a try that brought no answer.
    pub(crate) fn add(&mut self, site: &str, outcome: &TryOutcome) {
        match outcome {
            TryOutcome::Answer(_) => {}
            TryOutcome::Refused(RelayRefusal::NoQuorum) => self.no_quorum += 1,
            TryOutcome::Refused(RelayRefusal::Malformed) => self.malformed += 1,
            TryOutcome::Refused(RelayRefusal::TicketRefused) => self.ticket_refused += 1,
            TryOutcome::Refused(RelayRefusal::Busy) => self.busy += 1,
            TryOutcome::Refused(RelayRefusal::Unknown) => self.unknown += 1,
            // A broken connection may hide an acceptance.
            TryOutcome::Unclear => self.unclear += 1,
            TryOutcome::NotReached => self.down.push(site.to_owned()),
        }
    }

    /// Counts tries that were still under way when time was up.
    pub(crate) fn add_unfinished(&mut self, count: usize) {
        self.unclear += count;
    }

    /// Whether asking further nodes cannot change the answer.
    pub(crate) fn is_settled(&self) -> bool {
        self.malformed >= WITNESSES || self.ticket_refused >= WITNESSES
    }

    /// The problem for the caller. `nodes` is how many there are.
    pub(crate) fn problem(mut self, nodes: usize) -> Problem {
        let cost = if self.doubtful() == 0 { Cost::None } else { Cost::Unknown };
        let second = Duration::from_secs(1);
        if self.ticket_refused >= WITNESSES || self.is_only(self.ticket_refused) {
            return Problem::new(
                Code::TicketRefused,
                "the sealed request names another account or verb than the token and the address",
            )
            .cost(cost);
        }
        if self.malformed >= WITNESSES || self.is_only(self.malformed) {
            return Problem::new(
                Code::Malformed,
                "the frame does not open under the fleet's key: is the client's manifest current?",
            )
            .cost(cost);
        }
        if self.no_quorum > 0 || self.is_only(self.down.len()) {
            self.down.sort_unstable();
            let answered = nodes.saturating_sub(self.down.len() + self.unclear);
            let mut detail =
                format!("{answered} of {nodes} nodes answered, {} are needed", nodes / 2 + 1);
            if !self.down.is_empty() {
                detail = format!("{detail} (down: {})", self.down.join(" "));
            }
            return Problem::new(Code::NoQuorum, detail).cost(cost).after(2 * second);
        }
        if self.doubtful() > 0 {
            let detail = "the request was sent; no node answered in time";
            return Problem::new(Code::Timeout, detail).cost(cost);
        }
        Problem::new(Code::Busy, "every node that answered is busy").cost(cost).after(second)
    }

    /// Tries that may have been accepted.
    fn doubtful(&self) -> usize {
        self.unknown + self.unclear
    }

    /// Whether nothing else was seen than this many of one kind.
    fn is_only(&self, count: usize) -> bool {
        let all = self.no_quorum
            + self.malformed
            + self.ticket_refused
            + self.busy
            + self.doubtful()
            + self.down.len();
        count > 0 && count == all
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(outcomes: &[TryOutcome]) -> Problem {
        let mut tally = Tally::default();
        for (at, outcome) in outcomes.iter().enumerate() {
            tally.add(&format!("site{at}"), outcome);
        }
        tally.problem(outcomes.len())
    }

    const fn refused(refusal: RelayRefusal) -> TryOutcome {
        TryOutcome::Refused(refusal)
    }

    #[test]
    fn cost_is_none_only_if_no_node_can_have_accepted() {
        use RelayRefusal::{Busy, Malformed, NoQuorum, TicketRefused, Unknown};
        let harmless = [
            refused(NoQuorum),
            refused(Malformed),
            refused(TicketRefused),
            refused(Busy),
            TryOutcome::NotReached,
        ];
        assert_eq!(problem(&harmless).cost, Cost::None);
        for doubtful in [refused(Unknown), TryOutcome::Unclear] {
            let mut outcomes = harmless.to_vec();
            outcomes.push(doubtful);
            assert_eq!(problem(&outcomes).cost, Cost::Unknown);
        }
        let mut tally = Tally::default();
        tally.add("a", &refused(NoQuorum));
        tally.add_unfinished(1);
        assert_eq!(tally.problem(2).cost, Cost::Unknown);
    }

    #[test]
    fn one_node_alone_cannot_turn_a_user_away() {
        use RelayRefusal::{NoQuorum, TicketRefused};
        let mut tally = Tally::default();
        tally.add("a", &refused(TicketRefused));
        assert!(!tally.is_settled());
        tally.add("b", &refused(TicketRefused));
        assert!(tally.is_settled());
        let mixed = problem(&[refused(TicketRefused), refused(NoQuorum)]);
        assert_eq!(mixed.code, Code::NoQuorum);
        assert_eq!(problem(&[refused(TicketRefused)]).code, Code::TicketRefused);
    }

    #[test]
    fn no_quorum_says_who_is_down() {
        let outcomes =
            [refused(RelayRefusal::NoQuorum), TryOutcome::NotReached, TryOutcome::NotReached];
        let problem = problem(&outcomes);
        assert_eq!(problem.code, Code::NoQuorum);
        assert_eq!(problem.detail, "1 of 3 nodes answered, 2 are needed (down: site1 site2)");
    }

    #[test]
    fn a_node_that_does_not_know_has_answered() {
        use RelayRefusal::{NoQuorum, Unknown};
        let outcomes =
            [refused(Unknown), refused(NoQuorum), TryOutcome::Unclear, TryOutcome::NotReached];
        let problem = problem(&outcomes);
        assert_eq!((problem.code, problem.cost), (Code::NoQuorum, Cost::Unknown));
        assert_eq!(problem.detail, "2 of 4 nodes answered, 3 are needed (down: site3)");
    }

    #[test]
    fn silence_is_a_timeout_of_unknown_cost() {
        let problem = problem(&[TryOutcome::Unclear, TryOutcome::NotReached]);
        assert_eq!((problem.code, problem.cost), (Code::Timeout, Cost::Unknown));
    }
}
