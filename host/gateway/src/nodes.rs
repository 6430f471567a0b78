//! The nodes as seen from here, and one try at one of them.

use crate::{
    fetch::{self, FetchError, PlainClient},
    metrics::Metrics,
};
use axum::body::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri, header};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::Duration,
};
use strongroom_wire::{
    caps::RESPONSE_FRAME_LEN,
    relay::{self, RelayRefusal},
};
use tokio::{task::JoinSet, time::Instant};

/// A node answers `Unknown` by itself after five seconds.
const TRY_TIMEOUT: Duration = Duration::from_secs(6);
const POLL_TIMEOUT: Duration = Duration::from_millis(700);
/// `0 ‖ frame`.
const REPLY_LEN_MAX: usize = 1 + RESPONSE_FRAME_LEN;
const READY_LEN_MAX: usize = 4 * 1_024;
/// A node counts as ready for so many polls after it last said so.
const POLLS_BELIEVED: u32 = 3;

/// How one try at one node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TryOutcome {
    /// A sealed answer, of the one size.
    Answer(Bytes),
    /// The vault refused, and said why.
    Refused(RelayRefusal),
    /// The node was not reached: it cannot have accepted anything.
    NotReached,
    /// The node was reached and gave no answer that can be used.
    Unclear,
}

impl TryOutcome {
    /// A word for metrics and logs.
    pub(crate) const fn kind(&self) -> &'static str {
        match self {
            Self::Answer(_) => "answer",
            Self::Refused(RelayRefusal::NoQuorum) => "no_quorum",
            Self::Refused(RelayRefusal::Malformed) => "malformed",
            Self::Refused(RelayRefusal::TicketRefused) => "ticket_refused",
            Self::Refused(RelayRefusal::Busy) => "busy",
            Self::Refused(RelayRefusal::Unknown) => "unknown",
            Self::NotReached => "not_reached",
            Self::Unclear => "unclear",
        }
    }
}

/// One node.
pub(crate) struct Node {
    pub(crate) id: u8,
    /// Where it stands, for messages to people.
    pub(crate) site: String,
    relay: Uri,
    readyz: Uri,
    /// Milliseconds after [`Nodes::started`] when it last said that it was ready; 0 is never.
    ready_at_ms: AtomicU64,
}

impl Node {
    /// Takes the node's base address, `http://host:port`.
    pub(crate) fn new(id: u8, site: String, url: &str) -> Result<Self, String> {
        let base = url.trim_end_matches('/');
        let address = |path: &str| {
            let uri: Uri = format!("{base}{path}")
                .parse()
                .map_err(|_| format!("node {id}: {url}: not an address"))?;
            if uri.scheme_str() == Some("http") && uri.host().is_some() {
                Ok(uri)
            } else {
                Err(format!("node {id}: {url}: expected http://host:port"))
            }
        };
        Ok(Self {
            id,
            site,
            relay: address("/v1/relay")?,
            readyz: address("/readyz")?,
            ready_at_ms: AtomicU64::new(0),
        })
    }
}

/// All nodes of the fleet.
pub(crate) struct Nodes {
    nodes: Vec<Arc<Node>>,
    client: PlainClient,
    turn: AtomicUsize,
    started: Instant,
    poll_every: Duration,
    metrics: Arc<Metrics>,
}

impl Nodes {
    pub(crate) fn new(nodes: Vec<Node>, poll_every: Duration, metrics: Arc<Metrics>) -> Self {
        Self {
            nodes: nodes.into_iter().map(Arc::new).collect(),
            client: fetch::plain_client(),
            turn: AtomicUsize::new(0),
            started: Instant::now(),
            poll_every,
            metrics,
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.nodes.len()
    }

    fn is_ready(&self, node: &Node) -> bool {
        let at = node.ready_at_ms.load(Ordering::Relaxed);
        let age = self.now_ms().saturating_sub(at);
        at != 0 && u128::from(age) <= (self.poll_every * POLLS_BELIEVED + POLL_TIMEOUT).as_millis()
    }

    fn now_ms(&self) -> u64 {
        // 0 is kept for "never".
        u64::try_from(self.started.elapsed().as_millis()).map_or(u64::MAX, |ms| ms.max(1))
    }

    /// Each node and whether it is ready.
    pub(crate) fn readiness(&self) -> impl Iterator<Item = (u8, bool)> + '_ {
        self.nodes.iter().map(|node| (node.id, self.is_ready(node)))
    }

    pub(crate) fn ready_count(&self) -> usize {
        self.readiness().filter(|(_, ready)| *ready).count()
    }

    /// All nodes in the order in which to ask them: ready ones first, each time another in front.
    ///
    /// Nodes that seem down stand at the end and not outside: the poll may be wrong.
    pub(crate) fn in_turn(&self) -> Vec<Arc<Node>> {
        let count = self.nodes.len().max(1);
        let turn = self.turn.fetch_add(1, Ordering::Relaxed) % count;
        let (mut ready, down): (Vec<_>, Vec<_>) = self
            .nodes
            .iter()
            .cycle()
            .skip(turn)
            .take(self.nodes.len())
            .cloned()
            .partition(|node| self.is_ready(node));
        ready.extend(down);
        ready
    }

    /// Sends one ticket and frame to one node.
    pub(crate) fn ask(
        &self,
        node: &Arc<Node>,
        body: Vec<u8>,
    ) -> impl Future<Output = TryOutcome> + Send + 'static {
        let (client, node) = (self.client.clone(), Arc::clone(node));
        let metrics = Arc::clone(&self.metrics);
        async move {
            let began = Instant::now();
            let outcome = ask(&client, &node, body).await;
            metrics.tried(node.id, outcome.kind(), began.elapsed());
            outcome
        }
    }

    /// Asks every node again and again whether it could serve now.
    pub(crate) async fn poll(self: Arc<Self>) {
        loop {
            let mut polls = JoinSet::new();
            for node in &self.nodes {
                let (nodes, node) = (Arc::clone(&self), Arc::clone(node));
                polls.spawn(async move {
                    if says_ready(&nodes.client, &node).await {
                        node.ready_at_ms.store(nodes.now_ms(), Ordering::Relaxed);
                    } else {
                        node.ready_at_ms.store(0, Ordering::Relaxed);
                    }
                });
            }
            while polls.join_next().await.is_some() {}
            tokio::time::sleep(self.poll_every).await;
        }
    }
}

async fn ask(client: &PlainClient, node: &Node, body: Vec<u8>) -> TryOutcome {
    let request = Request::post(&node.relay)
        .header(header::CONTENT_TYPE, "application/octet-stream")
        .body(Full::new(Bytes::from(body)));
    // The address was parsed at start and the header is a constant.
    let Ok(request) = request else {
        return TryOutcome::NotReached;
    };
    match fetch::fetch(client, request, REPLY_LEN_MAX, TRY_TIMEOUT).await {
        Err(FetchError::NotSent) => TryOutcome::NotReached,
        Err(FetchError::Broken | FetchError::TooLong) => TryOutcome::Unclear,
        Ok((status, bytes)) if status == StatusCode::OK => match relay::reply_from_bytes(&bytes) {
            Ok(Ok(frame)) => TryOutcome::Answer(Bytes::from(frame)),
            Ok(Err(refusal)) => TryOutcome::Refused(refusal),
            Err(_) => TryOutcome::Unclear,
        },
        Ok(_) => TryOutcome::Unclear,
    }
}

async fn says_ready(client: &PlainClient, node: &Node) -> bool {
    let Ok(request) = Request::get(&node.readyz).body(Full::default()) else {
        return false;
    };
    fetch::fetch(client, request, READY_LEN_MAX, POLL_TIMEOUT)
        .await
        .is_ok_and(|(status, _)| status == StatusCode::OK)
}
