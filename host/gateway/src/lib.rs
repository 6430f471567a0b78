//! An app's front door: checks who a user is, vouches for it with a ticket, relays sealed frames.
//!
//! * **What it is.** An HTTP server. It takes one sealed frame from a signed-in user, mints a fresh
//!   ticket for each node that it tries, hedges when a node is slow, and hands back the sealed
//!   answer or an RFC 9457 problem that says what the request can have cost.
//! * **What it may assume.** That the app's issuer (or, in development, the users file) is honest
//!   about who holds a token. Nothing of callers, and nothing of nodes: an answer that it relays is
//!   checked by the device, against keys that the gateway does not hold.
//! * **What it must never do.** Keep, log or count by anything that names a user; say how many
//!   attempts are left, which only a fleet-signed body may; reuse a ticket; or claim that an attempt
//!   cost nothing when a node may have accepted it.

#![forbid(unsafe_code)]

mod account;
mod address;
mod auth;
mod bundle;
mod config;
mod error;
mod fetch;
mod gateway;
mod limits;
mod metrics;
mod nodes;
mod problem;
mod relay;
mod routes;
mod server;
mod tally;
mod ticket;

pub use config::{AuthConfig, Config, JwtAlgorithm, JwtConfig, LimitsConfig, NodeConfig};
pub use error::GatewayError;
pub use gateway::Gateway;

use std::path::Path;

/// Serves until SIGTERM or SIGINT, then finishes the requests under way.
///
/// # Errors
/// [`GatewayError`] when the configuration, a file that it names, or the address is not usable.
pub async fn run(config_path: impl AsRef<Path>) -> Result<(), GatewayError> {
    let config = Config::load(config_path.as_ref())?;
    let listen = config.listen;
    let gateway = Gateway::new(config).await?;
    let stop = server::stop_signal()?;
    let listener = tokio::net::TcpListener::bind(listen)
        .await
        .map_err(|source| GatewayError::Listen { address: listen, source })?;
    gateway.serve(listener, stop).await
}
