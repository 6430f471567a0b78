//! Requests on their way through the vault: each waits for its one reply.

use crate::vitals::Vitals;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use strongroom_wire::{
    caps::RESPONSE_FRAME_LEN,
    codec::Blob,
    process::ToVault,
    relay::{RelayRefusal, RelayRequest, reply_from_bytes, reply_to_bytes},
};
use tokio::sync::{mpsc::error::TrySendError, oneshot};

/// Requests that wait at once.
const WAITING_MAX: usize = 4_096;
/// A request without a reply after this long is answered `Unknown`: it may have been charged.
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Default)]
struct Table {
    next: u64,
    waiting: HashMap<u64, oneshot::Sender<Vec<u8>>>,
}

/// The requests that wait.
pub(crate) struct Relay {
    vitals: Arc<Vitals>,
    table: Mutex<Table>,
}

impl Relay {
    pub(crate) fn new(vitals: Arc<Vitals>) -> Self {
        Self { vitals, table: Mutex::default() }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Carries one request to the vault. The reply is [`reply_to_bytes`], the vault's or a refusal
    /// of this host.
    pub(crate) async fn ask(&self, request: RelayRequest) -> Vec<u8> {
        let started = Instant::now();
        let reply = self.ask_vault(request).await;
        let reply = reply.unwrap_or_else(|refusal| reply_to_bytes(&Err(refusal)));
        let refusal = reply_from_bytes(&reply).ok().and_then(Result::err);
        self.vitals.metrics.relayed(refusal, started.elapsed());
        reply
    }

    async fn ask_vault(&self, request: RelayRequest) -> Result<Vec<u8>, RelayRefusal> {
        // Without a vault the request is certainly not charged, and the gateway may ask another.
        let port = self.vitals.port().ok_or(RelayRefusal::NoQuorum)?;
        let (place, reply) = self.open().ok_or(RelayRefusal::Busy)?;
        let message = ToVault::Request {
            id: place.id,
            ticket: Blob(request.ticket),
            frame: Blob(request.frame),
        };
        port.requests.try_send(message).map_err(|e| match e {
            TrySendError::Full(_) => RelayRefusal::Busy,
            TrySendError::Closed(_) => RelayRefusal::NoQuorum,
        })?;
        match tokio::time::timeout(PATIENCE, reply).await {
            Ok(Ok(reply)) => Ok(reply),
            // From here on the vault may have taken it: silence and a dead process cost alike.
            Ok(Err(_)) | Err(_) => Err(RelayRefusal::Unknown),
        }
    }

    fn open(&self) -> Option<(Place<'_>, oneshot::Receiver<Vec<u8>>)> {
        let mut table = self.table();
        if table.waiting.len() >= WAITING_MAX {
            return None;
        }
        let id = table.next;
        table.next += 1;
        let (sender, reply) = oneshot::channel();
        table.waiting.insert(id, sender);
        let waiting = table.waiting.len();
        self.vitals.metrics.relay_waiting.set(waiting as f64);
        Some((Place { relay: self, id }, reply))
    }

    /// The vault's reply. One that nobody waits for, or of an impossible size, is dropped.
    pub(crate) fn reply(&self, id: u64, reply: Vec<u8>) {
        let sender = self.table().waiting.remove(&id);
        if let Some(sender) = sender
            && !reply.is_empty()
            && reply.len() <= RESPONSE_FRAME_LEN + 1
        {
            let _ = sender.send(reply);
        }
    }

    /// The process is gone: whoever waits learns that nothing is known.
    pub(crate) fn abandon(&self) {
        self.table().waiting.clear();
    }
}

/// One waiting request. Its place is free again when the client has gone away, too.
struct Place<'a> {
    relay: &'a Relay,
    id: u64,
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut table = self.relay.table();
        table.waiting.remove(&self.id);
        let waiting = table.waiting.len();
        self.relay.vitals.metrics.relay_waiting.set(waiting as f64);
    }
}
