//! The loop that accepts: capped connections, heads and times, TLS if there is any, and a stop that
//! finishes what it began.

use super::reply::Reply;
use crate::{error::ServeError, tls::Doorkeeper};
use hyper::{Request, body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    server::graceful::{GracefulShutdown, Watcher},
};
use std::{convert::Infallible, io, net::SocketAddr, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, watch},
};

/// Connections at once; more wait in the kernel's queue.
const CONNECTIONS_MAX: usize = 1_024;
const HEAD_LEN_MAX: usize = 16 * 1_024;
const HEADERS_MAX: usize = 64;
/// For the head of the first request and, while idle, of the next.
const HEAD_PATIENCE: Duration = Duration::from_secs(15);
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// Who reads the largest file slower than this holds a place that others need.
const CONNECTION_PATIENCE: Duration = Duration::from_secs(600);
const STOP_PATIENCE: Duration = Duration::from_secs(10);
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// What answers requests.
pub(crate) trait Site: Send + Sync + 'static {
    /// One answer; there is always one.
    fn answer(self: &Arc<Self>, request: Request<Incoming>) -> impl Future<Output = Reply> + Send;
}

pub(crate) async fn bind(
    setting: &'static str,
    address: SocketAddr,
) -> Result<TcpListener, ServeError> {
    let listener = TcpListener::bind(address).await;
    listener.map_err(|source| ServeError::Listen { setting, address, source })
}

/// Serves until `stop` holds true, then finishes the requests under way.
pub(crate) async fn serve<S: Site>(
    site: Arc<S>,
    listener: TcpListener,
    door: Option<Arc<Doorkeeper>>,
    mut stop: watch::Receiver<bool>,
) {
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let graceful = GracefulShutdown::new();
    loop {
        let accepted = tokio::select! {
            accepted = accept(&places, &listener) => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (place, stream) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, usually: give those in use a moment to come back.
                tracing::warn!(%error, "a connection was not accepted");
                tokio::time::sleep(ACCEPT_PAUSE).await;
                continue;
            }
        };
        let _ = stream.set_nodelay(true);
        let (site, door, watcher) = (Arc::clone(&site), door.clone(), graceful.watcher());
        tokio::spawn(async move {
            let served = async {
                let Some(door) = door else { return connection(site, stream, watcher).await };
                // A handshake that fails is the other end's news; that somebody knocked is ours.
                match tokio::time::timeout(HANDSHAKE_PATIENCE, door.admit(stream)).await {
                    Ok(Ok(stream)) => connection(site, stream, watcher).await,
                    Ok(Err(why)) => tracing::warn!(why, "a publisher was turned away"),
                    Err(_) => tracing::warn!("a publisher did not finish its handshake"),
                }
            };
            let _ = tokio::time::timeout(CONNECTION_PATIENCE, served).await;
            drop(place);
        });
    }
    drop(listener);
    if tokio::time::timeout(STOP_PATIENCE, graceful.shutdown()).await.is_err() {
        tracing::warn!("stopped with requests under way");
    }
}

/// A place, and then a connection for it.
async fn accept(
    places: &Arc<Semaphore>,
    listener: &TcpListener,
) -> io::Result<(OwnedSemaphorePermit, TcpStream)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    Ok((place, listener.accept().await?.0))
}

async fn connection<S: Site>(
    site: Arc<S>,
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    watcher: Watcher,
) {
    let service = service_fn(move |request| {
        let site = Arc::clone(&site);
        async move { Ok::<_, Infallible>(site.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_PATIENCE)
        .max_buf_size(HEAD_LEN_MAX)
        .max_headers(HEADERS_MAX)
        .serve_connection(TokioIo::new(stream), service);
    // Whatever breaks a connection is the other end's news, not ours.
    let _ = watcher.watch(connection).await;
}
