//! Puts the parts together, and takes them apart in order.

use crate::{
    config::Config,
    error::NodeError,
    http,
    keeper::{Keeper, StoreDisk},
    metrics::Metrics,
    peers::{self, Outgoing},
    relay::Relay,
    vault::Supervisor,
    vitals::Vitals,
};
use std::{net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
    sync::watch,
};

/// A vault that says nothing for this long is worth a line in the log.
const SILENCE: Duration = Duration::from_secs(5);

/// Resolves on SIGTERM or SIGINT.
///
/// # Errors
/// [`NodeError::System`] if the system gives no handler.
pub fn stop_signal() -> Result<impl Future<Output = ()> + Send, NodeError> {
    let handler =
        |kind| signal(kind).map_err(|source| NodeError::System { what: "handle signals", source });
    let (mut terminate, mut interrupt): (Signal, Signal) =
        (handler(SignalKind::terminate())?, handler(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}

/// Serves until `stop` resolves: then takes no more requests, closes the vault's input, and waits
/// for it to end.
///
/// # Errors
/// [`NodeError`] if it cannot start. A node that has started keeps going, whatever its vault, its
/// disk and its peers do.
pub async fn run(
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), NodeError> {
    for difference in config.peers_against_manifest() {
        tracing::warn!(%difference, "peers and manifest differ");
    }
    let peer_listener = listen("peer_listen", config.peer_listen).await?;
    let public_listener = listen("http_listen", config.http_listen).await?;
    let admin_listener = listen("admin_listen", config.admin_listen).await?;
    let metrics = Metrics::new(config.node)?;
    let vitals = Arc::new(Vitals::new(config.node, &config.fleet, metrics));
    let disk = StoreDisk::new(config.data_dir.clone());
    let keeper = Keeper::start(disk, Arc::clone(&vitals))?;
    let (stopping, stopped) = watch::channel(false);
    let relay = Arc::new(Relay::new(Arc::clone(&vitals)));
    let outgoing = Outgoing::start(config.node, &config.peers, &vitals, &stopped);
    let known = config.peers.iter().map(|peer| peer.node).collect();
    tokio::spawn(peers::accept(peer_listener, known, Arc::clone(&vitals), stopped.clone()));
    let router = http::public_router(Arc::clone(&vitals), Arc::clone(&relay));
    let public = tokio::spawn(http::serve(public_listener, router, stopped.clone()));
    let router = http::admin_router(Arc::clone(&vitals));
    tokio::spawn(http::serve(admin_listener, router, stopped.clone()));
    tokio::spawn(note_silence(Arc::clone(&vitals)));
    tracing::info!(node = config.node, fleet = %config.fleet, http = %config.http_listen, peers = config.peers.len(), "the node runs");
    let (vault_stopping, vault_stopped) = watch::channel(false);
    let supervisor = Supervisor::new(config, vitals, relay, keeper, outgoing);
    let vault = tokio::spawn(supervisor.run(vault_stopped));
    stop.await;
    tracing::info!("stopping");
    // Requests under way first: the vault is what answers them.
    let _ = stopping.send(true);
    let _ = public.await;
    let _ = vault_stopping.send(true);
    let _ = vault.await;
    Ok(())
}

async fn listen(setting: &'static str, address: SocketAddr) -> Result<TcpListener, NodeError> {
    let bound = TcpListener::bind(address).await;
    bound.map_err(|source| NodeError::Listen { setting, address, source })
}

async fn note_silence(vitals: Arc<Vitals>) {
    let mut noted = false;
    loop {
        tokio::time::sleep(SILENCE / 5).await;
        let silence = vitals.silence().filter(|silence| *silence > SILENCE);
        if let (Some(silence), false) = (silence, noted) {
            let silent_ms = silence.as_millis() as u64;
            tracing::warn!(silent_ms, "the vault says nothing");
        }
        noted = silence.is_some();
    }
}
