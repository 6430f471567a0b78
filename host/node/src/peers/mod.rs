//! Frames between hosts, over TCP.
//!
//! Each host opens one connection to every other and sends on it; what it receives comes on the
//! connections that the others opened. Nothing here is authenticated or secret: a frame is sealed
//! between the vaults, and a host that names a wrong node only wastes its peer's time.

mod accept;
mod dial;
mod frame;
mod queue;

pub(crate) use accept::accept;

use crate::{config::PeerConfig, vitals::Vitals};
use queue::Queue;
use std::{collections::BTreeMap, sync::Arc};
use tokio::sync::watch;

/// The queues towards the other nodes.
#[derive(Clone)]
pub(crate) struct Outgoing {
    queues: Arc<BTreeMap<u8, Arc<Queue>>>,
    vitals: Arc<Vitals>,
}

impl Outgoing {
    /// Starts one task for each peer.
    pub(crate) fn start(
        own: u8,
        peers: &[PeerConfig],
        vitals: &Arc<Vitals>,
        stop: &watch::Receiver<bool>,
    ) -> Self {
        let mut queues = BTreeMap::new();
        for peer in peers {
            let queue = Arc::new(Queue::default());
            queues.insert(peer.node, Arc::clone(&queue));
            tokio::spawn(dial::keep_connected(
                own,
                peer.clone(),
                queue,
                Arc::clone(vitals),
                stop.clone(),
            ));
        }
        Self { queues: Arc::new(queues), vitals: Arc::clone(vitals) }
    }

    /// Queues one frame, or drops it: a vault is never made to wait for a peer, and its links
    /// repeat what was lost.
    pub(crate) fn send(&self, to: u8, frame: Vec<u8>) {
        let queued = self.queues.get(&to).is_some_and(|queue| queue.push(frame));
        if !queued {
            self.vitals.metrics.peer_frames_dropped.increment(1);
        }
    }
}
