//! Connections that other hosts opened: what they bring goes to the vault.

use super::frame;
use crate::vitals::Vitals;
use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};
use strongroom_wire::{codec::Blob, process::ToVault};
use tokio::{
    io::BufReader,
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    task::AbortHandle,
};

/// Connections that have not yet said who opened them.
const UNNAMED_MAX: usize = 64;
/// Connections of one node; the oldest gives way. More than one, so that somebody who borrows a
/// node's number does not at once end that node's own.
const PER_NODE_MAX: usize = 4;
const HELLO: Duration = Duration::from_secs(5);
/// Three keepalives.
const SILENCE: Duration = Duration::from_secs(16);

type Live = Arc<Mutex<BTreeMap<u8, Vec<AbortHandle>>>>;

/// Accepts until the node stops. `known` are the nodes that may connect.
pub(crate) async fn accept(
    listener: TcpListener,
    known: Vec<u8>,
    vitals: Arc<Vitals>,
    mut stop: watch::Receiver<bool>,
) {
    let unnamed = Arc::new(Semaphore::new(UNNAMED_MAX));
    let live: Live = Arc::default();
    let known: Arc<[u8]> = known.into();
    let forever = async {
        loop {
            let stream = match listener.accept().await {
                Ok((stream, _)) => stream,
                Err(error) => {
                    // Out of descriptors, most likely: others close theirs meanwhile.
                    tracing::warn!(%error, "a peer's connection was not accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            let Ok(permit) = Arc::clone(&unnamed).try_acquire_owned() else {
                vitals.metrics.peer_connections_refused.increment(1);
                continue;
            };
            let (known, vitals, live) =
                (Arc::clone(&known), Arc::clone(&vitals), Arc::clone(&live));
            tokio::spawn(async move {
                let greeted = greet(stream, &known).await;
                drop(permit);
                match greeted {
                    Ok((node, stream)) => {
                        let task = tokio::spawn(receive(node, stream, vitals));
                        make_room(&live, node, task.abort_handle());
                    }
                    Err(error) => {
                        vitals.metrics.peer_connections_refused.increment(1);
                        tracing::debug!(%error, "a connection was refused");
                    }
                }
            });
        }
    };
    tokio::select! {
        () = forever => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
    let live = live.lock().unwrap_or_else(PoisonError::into_inner);
    live.values().flatten().for_each(AbortHandle::abort);
}

async fn greet(stream: TcpStream, known: &[u8]) -> io::Result<(u8, BufReader<TcpStream>)> {
    let mut stream = BufReader::with_capacity(128 * 1_024, stream);
    let first = tokio::time::timeout(HELLO, frame::read(&mut stream)).await;
    let first = first.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    match frame::node_of_hello(&first) {
        Some(node) if known.contains(&node) => Ok((node, stream)),
        Some(node) => Err(io::Error::other(format!("node {node} is no peer"))),
        None => Err(io::Error::other("the first frame is no hello")),
    }
}

fn make_room(live: &Live, node: u8, newest: AbortHandle) {
    let mut live = live.lock().unwrap_or_else(PoisonError::into_inner);
    let of_node = live.entry(node).or_default();
    of_node.retain(|task| !task.is_finished());
    of_node.push(newest);
    while of_node.len() > PER_NODE_MAX {
        of_node.remove(0).abort();
    }
}

async fn receive(node: u8, mut stream: BufReader<TcpStream>, vitals: Arc<Vitals>) {
    let error = loop {
        let read = tokio::time::timeout(SILENCE, frame::read(&mut stream)).await;
        let bytes = match read {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) => break error,
            Err(_) => break io::ErrorKind::TimedOut.into(),
        };
        vitals.metrics.peer_frames_received.increment(1);
        // Empty frames say only that the far end is there. Without a vault a frame is lost; links
        // repeat what matters.
        let Some(port) = vitals.port().filter(|_| !bytes.is_empty()) else {
            continue;
        };
        let bytes = Blob(bytes);
        // Waiting here slows this connection, and the far end's queue; nobody else.
        let _ = port.frames.send(ToVault::Peer { from: node, bytes }).await;
    };
    tracing::debug!(node, %error, "a peer's connection ended");
}
