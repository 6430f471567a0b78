//! One connection to each peer, made again whenever it breaks.

use super::{frame, queue::Queue};
use crate::{config::PeerConfig, vitals::Vitals};
use std::{io, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, BufWriter},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

const CONNECT: Duration = Duration::from_secs(3);
/// A peer that takes nothing for this long is dialled again.
const WRITE: Duration = Duration::from_secs(10);
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_secs(3);
/// An empty frame after this long without another, so that the far end tells idle from gone.
const KEEPALIVE: Duration = Duration::from_secs(5);

/// Connects and sends, until the node stops.
pub(super) async fn keep_connected(
    own: u8,
    peer: PeerConfig,
    queue: Arc<Queue>,
    vitals: Arc<Vitals>,
    mut stop: watch::Receiver<bool>,
) {
    let forever = async {
        let mut pause = PAUSE_MIN;
        loop {
            match connect(own, &peer).await {
                Ok((reads, writes)) => {
                    pause = PAUSE_MIN;
                    queue.open();
                    vitals.connected(peer.node, true);
                    tracing::info!(node = peer.node, address = %peer.address, "connected to a peer");
                    let error = carry(reads, writes, &queue, &vitals).await;
                    vitals.connected(peer.node, false);
                    queue.close();
                    tracing::info!(node = peer.node, %error, "the connection to a peer ended");
                }
                Err(error) => {
                    tracing::debug!(node = peer.node, address = %peer.address, %error, "a peer does not answer");
                }
            }
            // Nodes that started together do not knock together for ever.
            tokio::time::sleep(pause + Duration::from_millis(u64::from(own))).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    };
    tokio::select! {
        () = forever => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

async fn connect(own: u8, peer: &PeerConfig) -> io::Result<(OwnedReadHalf, OwnedWriteHalf)> {
    let dialled = tokio::time::timeout(CONNECT, TcpStream::connect(&peer.address)).await;
    let stream = dialled.map_err(|_| io::Error::from(io::ErrorKind::TimedOut))??;
    stream.set_nodelay(true)?;
    // A host that vanished without a word is noticed before the kernel's quarter of an hour.
    let patience = u32::try_from(WRITE.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience);
    let (reads, mut writes) = stream.into_split();
    frame::write(&mut writes, &frame::hello(own)).await?;
    Ok((reads, writes))
}

/// Sends until the connection breaks; returns why it did.
async fn carry(
    mut reads: OwnedReadHalf,
    writes: OwnedWriteHalf,
    queue: &Queue,
    vitals: &Vitals,
) -> io::Error {
    let mut unexpected = [0; 1];
    tokio::select! {
        // Nothing is ever sent on this side: a byte or an end means that the far end is done.
        end = reads.read(&mut unexpected) => match end {
            Ok(0) => io::ErrorKind::ConnectionAborted.into(),
            Ok(_) => io::Error::other("the peer speaks where it should listen"),
            Err(error) => error,
        },
        error = send_all(writes, queue, vitals) => error,
    }
}

async fn send_all(writes: OwnedWriteHalf, queue: &Queue, vitals: &Vitals) -> io::Error {
    let mut writes = BufWriter::with_capacity(128 * 1_024, writes);
    loop {
        let next = tokio::time::timeout(KEEPALIVE, queue.next()).await;
        let written = tokio::time::timeout(WRITE, async {
            let mut frame = next.unwrap_or_default();
            // What waits already shares a segment with the first.
            loop {
                frame::write(&mut writes, &frame).await?;
                vitals.metrics.peer_frames_sent.increment(1);
                match queue.try_next() {
                    Some(next) if writes.buffer().len() < 64 * 1_024 => frame = next,
                    Some(next) => {
                        frame::write(&mut writes, &next).await?;
                        break writes.flush().await;
                    }
                    None => break writes.flush().await,
                }
            }
        });
        match written.await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => return io::ErrorKind::TimedOut.into(),
        }
    }
}
