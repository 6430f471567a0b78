//! One loopback, and a small TCP proxy on every link: for machines that permit no namespaces.
//!
//! What a cut link holds back arrives when it heals, as a repeated packet would. A lost packet is a
//! pause of the shortest time after which TCP sends again.

use super::{End, Weather, rewrite, set_peers, set_urls};
use crate::Trouble;
use chacha20::{
    ChaCha20Rng,
    rand_core::{Rng as _, SeedableRng as _},
};
use std::{collections::BTreeMap, net::TcpListener as Bound, time::Duration};
use strongroom_cli::dev::DevFleet;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
};

const SLOW: Duration = Duration::from_millis(40);
const RESENT_AFTER: Duration = Duration::from_millis(200);
const CHUNK: usize = 16 * 1_024;

/// The proxies of one run. They end with this value.
pub(crate) struct Proxies {
    weather: watch::Sender<Weather>,
    /// Dropped in a thread of its own: a runtime may not be dropped inside another.
    runtime: Option<tokio::runtime::Runtime>,
}

impl Proxies {
    pub(super) fn lay(fleet: &DevFleet) -> Result<Self, Trouble> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(|e| Trouble::new(format!("no runtime: {e}")))?;
        let (weather, now) = watch::channel(Weather::default());
        let mut ports = BTreeMap::new();
        let ends = fleet.nodes().map(End::Node).chain([End::Gateway]);
        for from in ends {
            for node in fleet.nodes().filter(|node| from != End::Node(*node)) {
                let target = match from {
                    End::Gateway => fleet.addresses(node).http_port,
                    End::Node(_) => fleet.addresses(node).peer_port,
                };
                let link = Link { from, to: End::Node(node), weather: now.clone() };
                ports.insert((from, node), listen(&runtime, link, target)?);
            }
        }
        let via = |from: End, node: u8| {
            format!("127.0.0.1:{}", ports.get(&(from, node)).copied().unwrap_or(0))
        };
        for node in fleet.nodes() {
            rewrite(&fleet.node_config(node), |table| {
                set_peers(table, |peer| via(End::Node(node), peer))
            })?;
        }
        rewrite(&fleet.gateway_config(), |table| {
            set_urls(table, |node| format!("http://{}", via(End::Gateway, node)))
        })?;
        Ok(Self { weather, runtime: Some(runtime) })
    }

    pub(super) fn set(&self, weather: &Weather) {
        self.weather.send_replace(weather.clone());
    }
}

impl Drop for Proxies {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// One link, as seen by who connects.
#[derive(Clone)]
struct Link {
    from: End,
    to: End,
    weather: watch::Receiver<Weather>,
}

fn listen(runtime: &tokio::runtime::Runtime, link: Link, target: u16) -> Result<u16, Trouble> {
    let fail = |e: std::io::Error| Trouble::new(format!("no proxy: {e}"));
    let bound = Bound::bind("127.0.0.1:0").map_err(fail)?;
    bound.set_nonblocking(true).map_err(fail)?;
    let port = bound.local_addr().map_err(fail)?.port();
    let _inside = runtime.enter();
    let listener = TcpListener::from_std(bound).map_err(fail)?;
    runtime.spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(carry(link.clone(), stream, target));
        }
    });
    Ok(port)
}

/// Carries one connection, whose handshake needs both ways.
async fn carry(mut link: Link, near: TcpStream, target: u16) {
    link.passable(link.from, link.to).await;
    link.passable(link.to, link.from).await;
    let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
    let _ = (near.set_nodelay(true), far.set_nodelay(true));
    let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
    let there = pump(link.clone(), link.from, link.to, near_in, far_out);
    let back = pump(link.clone(), link.to, link.from, far_in, near_out);
    // Whichever end closes, the connection is over.
    tokio::select! {
        () = there => {}
        () = back => {}
    }
}

async fn pump(
    mut link: Link,
    from: End,
    to: End,
    mut read: OwnedReadHalf,
    mut write: OwnedWriteHalf,
) {
    let mut chunk = vec![0; CHUNK];
    let mut dice = ChaCha20Rng::from_seed([number(from) ^ number(to).rotate_left(4); 32]);
    loop {
        let Ok(len @ 1..) = read.read(&mut chunk).await else { return };
        let (is_slow, loss) = {
            let weather = link.weather.borrow();
            let slow = |end: End| matches!(end, End::Node(node) if weather.slow.contains(&node));
            (slow(from) || slow(to), weather.loss_percent)
        };
        if is_slow {
            tokio::time::sleep(SLOW).await;
        }
        if dice.next_u32() % 100 < u32::from(loss) {
            tokio::time::sleep(RESENT_AFTER).await;
        }
        link.passable(from, to).await;
        if write.write_all(chunk.get(..len).unwrap_or_default()).await.is_err() {
            return;
        }
    }
}

fn number(end: End) -> u8 {
    match end {
        End::Node(node) => node,
        End::Gateway => 0,
    }
}

impl Link {
    async fn passable(&mut self, from: End, to: End) {
        // An error means that the run is over.
        let _ = self.weather.wait_for(|weather| !weather.cut.contains(&(from, to))).await;
    }
}
