//! An auditor's addresses (spec §21.9).

mod config;
mod desk;
mod events;
mod gauges;
mod publish;
mod round;
mod routes;
mod shelf;

pub use crate::tls::TlsConfig;
pub use config::{Config, FloorsName, PublishConfig, WitnessConfig};

use crate::{error::ServeError, http, tls::Doorkeeper};
use desk::Desk;
use routes::{Public, Publishers};
use std::sync::Arc;
use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinSet, spawn_blocking},
};

/// Serves until `stop` completes, then finishes the requests under way.
///
/// # Errors
/// [`ServeError`] when the configuration, the folder or an address cannot be used.
pub async fn run(
    config: Config,
    stop: impl Future<Output = ()> + Send + 'static,
) -> Result<(), ServeError> {
    // Addresses first: reading a long log and then failing over a port wastes everybody's time.
    config.look_at()?;
    let public = http::bind("listen", config.listen).await?;
    let publishers = match &config.publish {
        Some(publish) => Some(http::bind("publish.listen", publish.listen).await?),
        None => None,
    };
    Server::open(config).await?.serve(public, publishers, stop).await;
    Ok(())
}

/// An auditor that is ready to serve.
pub struct Server {
    desk: Arc<Desk>,
    door: Option<Arc<Doorkeeper>>,
}

impl Server {
    /// Reads what the configuration names, locks the folder, and reads every leaf again.
    ///
    /// # Errors
    /// [`ServeError`].
    pub async fn open(config: Config) -> Result<Self, ServeError> {
        config.look_at()?;
        let door = match config.publish.as_ref() {
            Some(PublishConfig { tls: Some(tls), .. }) => Some(Arc::new(Doorkeeper::new(tls)?)),
            Some(PublishConfig { listen, tls: None }) => {
                tracing::warn!(%listen, "whoever reaches this loopback address may publish");
                None
            }
            None => {
                tracing::warn!("no [publish]: nothing new is published");
                None
            }
        };
        let opened = spawn_blocking(move || Desk::open(config)).await;
        let desk = opened.map_err(|error| ServeError::System {
            what: "the auditor's folder",
            detail: error.to_string(),
        })??;
        Ok(Self { desk: Arc::new(desk), door })
    }

    /// Serves on listeners of one's own: `public` for everybody, `publishers` behind the door that the
    /// configuration describes.
    pub async fn serve(
        self,
        public: TcpListener,
        publishers: Option<TcpListener>,
        stop: impl Future<Output = ()> + Send + 'static,
    ) {
        let (asked, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::clone(&self.desk).keep(stopped.clone()));
        let site = Arc::new(Public(Arc::clone(&self.desk)));
        tasks.spawn(http::serve(site, public, None, stopped.clone()));
        if let Some(publishers) = publishers {
            let site = Arc::new(Publishers(Arc::clone(&self.desk)));
            tasks.spawn(http::serve(site, publishers, self.door, stopped));
        }
        tokio::select! {
            () = stop => {}
            // An auditor without its keeper or an address is none: better ended than half alive.
            _ = tasks.join_next() => tracing::error!("a server task ended by itself; stopping"),
        }
        asked.send_replace(true);
        // A round that is under way ends with its witnesses' patience; whatever it would have changed
        // is finished at the next start.
        while let Some(ended) = tasks.join_next().await {
            if let Err(error) = ended {
                tracing::error!(%error, "a server task ended early");
            }
        }
    }
}
