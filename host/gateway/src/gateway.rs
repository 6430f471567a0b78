//! One gateway: its parts, checked against each other before the first request.

use crate::{
    auth::Authenticator,
    bundle::Bundles,
    config::{self, Config},
    error::GatewayError,
    limits::Limits,
    metrics::Metrics,
    nodes::{Node, Nodes},
    relay::Relay,
    routes, server,
    ticket::Mint,
};
use axum::{Router, body::Bytes};
use ed25519_dalek::SigningKey;
use std::{net::IpAddr, path::Path, sync::Arc, time::Duration};
use strongroom_manifest::{Custodians, Fleet, Manifest, ManifestSignatures, Verified};
use strongroom_session::FleetPublic;
use tokio::{net::TcpListener, task::JoinSet};
use zeroize::Zeroizing;

const UPKEEP_EVERY: Duration = Duration::from_secs(10);

/// What handlers share.
pub(crate) struct Parts {
    pub(crate) auth: Authenticator,
    pub(crate) bundles: Arc<Bundles>,
    pub(crate) limits: Limits,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) nodes: Arc<Nodes>,
    pub(crate) relay: Relay,
    pub(crate) fleet: Fleet,
    pub(crate) manifest: Bytes,
    pub(crate) trusted_proxies: Vec<IpAddr>,
}

/// A gateway that is ready to serve. Dropping it ends its background work.
pub struct Gateway {
    parts: Arc<Parts>,
    background: JoinSet<()>,
}

impl Gateway {
    /// Reads what the configuration names, checks that it fits together, and begins to watch the
    /// nodes. Needs a tokio runtime with time and IO.
    ///
    /// # Errors
    /// [`GatewayError`].
    pub async fn new(config: Config) -> Result<Self, GatewayError> {
        config.check()?;
        let (bytes, manifest) = manifest(&config)?;
        let fleet = manifest.fleet(&config.fleet).ok_or_else(|| {
            GatewayError::Disagree(format!("the manifest lists no fleet {}", config.fleet))
        })?;
        let mint = mint(&config, &manifest, fleet)?;
        let metrics = Arc::new(Metrics::new());
        let poll_every = Duration::from_millis(config.poll_ms);
        let nodes = Nodes::new(nodes(&config, fleet)?, poll_every, Arc::clone(&metrics));
        let nodes = Arc::new(nodes);
        let relay = Relay {
            nodes: Arc::clone(&nodes),
            mint,
            metrics: Arc::clone(&metrics),
            hedge: Duration::from_millis(config.hedge_ms),
            deadline: Duration::from_millis(config.deadline_ms),
        };
        let every = Duration::from_millis(config.bundle_poll_ms);
        let bundles = Arc::new(Bundles::new(config.bundle_url.as_deref(), every)?);
        let parts = Arc::new(Parts {
            bundles: Arc::clone(&bundles),
            auth: Authenticator::new(&config.auth).await?,
            limits: Limits::new(&config.limits),
            metrics,
            nodes,
            relay,
            fleet: fleet.clone(),
            manifest: Bytes::from(bytes),
            trusted_proxies: config.trusted_proxies,
        });
        let mut background = JoinSet::new();
        background.spawn(Arc::clone(&parts.nodes).poll());
        background.spawn(parts.auth.keep_fresh());
        background.spawn(async move { bundles.keep_fresh().await });
        background.spawn(upkeep(Arc::clone(&parts)));
        Ok(Self { parts, background })
    }

    /// The routes, for a server of one's own. Without [`Gateway::serve`] all callers count as one
    /// address, and sizes of headers and times of connections are the other server's business.
    pub fn router(&self) -> Router {
        routes::router(Arc::clone(&self.parts))
    }

    /// Serves until `stop` completes, then finishes the requests under way.
    ///
    /// # Errors
    /// [`GatewayError::System`] when the listener breaks for good.
    pub async fn serve(
        self,
        listener: TcpListener,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), GatewayError> {
        let router = self.router();
        server::serve(router, listener, stop).await;
        drop(self.background);
        Ok(())
    }
}

async fn upkeep(parts: Arc<Parts>) {
    loop {
        tokio::time::sleep(UPKEEP_EVERY).await;
        parts.limits.forget_idle();
        parts.metrics.upkeep();
    }
}

fn manifest(config: &Config) -> Result<(Vec<u8>, Verified<Manifest>), GatewayError> {
    let path = &config.manifest;
    let bytes = config::read(path)?;
    let refused = |source| GatewayError::Manifest { path: path.clone(), source };
    let verified = match (&config.pin, &config.signatures, &config.custodians) {
        (Some(pin), None, None) => {
            let pin = digest_of_hex(pin)
                .ok_or_else(|| GatewayError::Setting("pin: expected 64 hex digits".to_owned()))?;
            Verified::pinned(&bytes, &pin).map_err(refused)?
        }
        (None, Some(signatures), Some(custodians)) => {
            let signatures: ManifestSignatures = json(signatures)?;
            let custodians: Custodians = json(custodians)?;
            Verified::signed_by(&bytes, &signatures, &custodians).map_err(refused)?
        }
        _ => {
            let what = "give either pin, or signatures and custodians";
            return Err(GatewayError::Setting(what.to_owned()));
        }
    };
    Ok((bytes, verified))
}

fn json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, GatewayError> {
    serde_json::from_slice(&config::read(path)?)
        .map_err(|e| GatewayError::Content { path: path.to_owned(), what: e.to_string() })
}

fn digest_of_hex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(text.trim(), &mut digest).ok()?;
    Some(digest)
}

fn mint(
    config: &Config,
    manifest: &Verified<Manifest>,
    fleet: &Fleet,
) -> Result<Mint, GatewayError> {
    let path = &config.ticket_key_file;
    config::check_private(path)?;
    let text = Zeroizing::new(config::read_text(path)?);
    let content = |what: &str| GatewayError::Content { path: path.clone(), what: what.to_owned() };
    let seed = digest_of_hex(&text)
        .map(Zeroizing::new)
        .ok_or_else(|| content("expected 64 hexadecimal digits"))?;
    let key = SigningKey::from_bytes(&seed);
    // A ticket under another key, or for another app, is refused by every vault: say so now.
    match manifest.app_of(key.verifying_key().as_bytes()) {
        Some(app) if app == config.app => {}
        Some(app) => {
            let app = format!("the ticket key is listed for app {app}, not {}", config.app);
            return Err(GatewayError::Disagree(app));
        }
        None => {
            let what = "the manifest does not list this gateway's ticket key";
            return Err(GatewayError::Disagree(what.to_owned()));
        }
    }
    let fleet_public = FleetPublic::from_bytes(&fleet.hpke_key.0)
        .map_err(|e| GatewayError::Disagree(e.to_string()))?;
    Ok(Mint::new(key, config.app.clone(), fleet.id.clone(), fleet_public, *manifest.digest()))
}

fn nodes(config: &Config, fleet: &Fleet) -> Result<Vec<Node>, GatewayError> {
    let mut nodes: Vec<Node> = Vec::new();
    for given in &config.nodes {
        let listed = fleet.node(given.node).ok_or_else(|| {
            GatewayError::Disagree(format!("the manifest lists no node {}", given.node))
        })?;
        if nodes.iter().any(|node| node.id == given.node) {
            let what = format!("nodes: node {} is given twice", given.node);
            return Err(GatewayError::Setting(what));
        }
        let node = Node::new(given.node, listed.site.clone(), &given.url);
        nodes.push(node.map_err(GatewayError::Setting)?);
    }
    Ok(nodes)
}
