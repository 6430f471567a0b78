//! One frame, as many nodes as it takes: the first good answer wins.
//!
//! Asking twice is safe: the vault answers the same frame again and charges it once.

use crate::{
    metrics::Metrics,
    nodes::{Node, Nodes, TryOutcome},
    problem::{Code, Problem},
    tally::Tally,
    ticket::{Claim, Mint},
};
use axum::body::Bytes;
use std::{sync::Arc, time::Duration};
use strongroom_wire::relay::RelayRequest;
use tokio::{task::JoinSet, time::Instant};

/// Nodes that one request keeps busy at one time. Without a bound an overloaded fleet would get
/// every request as many times as it has nodes.
const AT_ONCE_MAX: usize = 3;

/// What a relay needs of the gateway.
pub(crate) struct Relay {
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) mint: Mint,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) hedge: Duration,
    pub(crate) deadline: Duration,
}

/// The answer, and how many tries it took.
pub(crate) struct Relayed {
    pub(crate) result: Result<Bytes, Problem>,
    pub(crate) tries: usize,
}

impl Relay {
    /// Sends a frame. When the caller goes away this future is dropped, and every try with it.
    pub(crate) async fn send(&self, claim: Claim, frame: Bytes, may_hedge: bool) -> Relayed {
        let mut round = Round {
            relay: self,
            claim,
            frame,
            left: self.nodes.in_turn().into_iter(),
            tries: JoinSet::new(),
            begun: 0,
        };
        let result = round.run(may_hedge).await;
        Relayed { result, tries: round.begun }
    }
}

/// One request under way.
struct Round<'a> {
    relay: &'a Relay,
    claim: Claim,
    frame: Bytes,
    left: std::vec::IntoIter<Arc<Node>>,
    tries: JoinSet<(Arc<Node>, TryOutcome)>,
    begun: usize,
}

impl Round<'_> {
    async fn run(&mut self, may_hedge: bool) -> Result<Bytes, Problem> {
        let deadline = Instant::now() + self.relay.deadline;
        let mut tally = Tally::default();
        self.begin_next()?;
        let mut hedge_at = Instant::now() + self.relay.hedge;
        loop {
            let can_hedge = may_hedge && self.tries.len() < AT_ONCE_MAX && self.left.len() > 0;
            tokio::select! {
                // A finished try goes before the clock: an answer in hand is never thrown away.
                biased;
                Some(joined) = self.tries.join_next() => {
                    match joined {
                        Ok((_, TryOutcome::Answer(frame))) => return Ok(frame),
                        Ok((node, outcome)) => tally.add(&node.site, &outcome),
                        // The task died: what it sent is anybody's guess.
                        Err(_) => tally.add_unfinished(1),
                    }
                    if tally.is_settled() {
                        tally.add_unfinished(self.tries.len());
                        return Err(tally.problem(self.relay.nodes.len()));
                    }
                    if self.begin_next()? {
                        hedge_at = Instant::now() + self.relay.hedge;
                    } else if self.tries.is_empty() {
                        return Err(tally.problem(self.relay.nodes.len()));
                    }
                }
                () = tokio::time::sleep_until(hedge_at), if can_hedge => {
                    self.relay.metrics.hedged();
                    self.begin_next()?;
                    hedge_at = Instant::now() + self.relay.hedge;
                }
                () = tokio::time::sleep_until(deadline) => {
                    tally.add_unfinished(self.tries.len());
                    return Err(tally.problem(self.relay.nodes.len()));
                }
            }
        }
    }

    /// Asks the next node with a ticket of its own; false when all were asked.
    fn begin_next(&mut self) -> Result<bool, Problem> {
        let Some(node) = self.left.next() else {
            return Ok(false);
        };
        let ticket = self.relay.mint.ticket(&self.claim).map_err(|e| {
            tracing::error!(what = e.0, "no ticket could be made");
            // An earlier try may be under way.
            let cost = if self.begun == 0 {
                crate::problem::Cost::None
            } else {
                crate::problem::Cost::Unknown
            };
            Problem::new(Code::Internal, e.0).cost(cost)
        })?;
        let body = RelayRequest { ticket, frame: self.frame.to_vec() }.to_bytes();
        let answer = self.relay.nodes.ask(&node, body);
        self.tries.spawn(async move { (node, answer.await) });
        self.begun += 1;
        Ok(true)
    }
}
