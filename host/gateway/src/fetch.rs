//! The small HTTP client: bounded in size and time, and honest about whether anything was sent.

use axum::body::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{Request, StatusCode};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::time::Duration;

/// A node or issuer that does not complete a TCP handshake in this time counts as down.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
const IDLE_TIMEOUT: Duration = Duration::from_secs(20);

/// A pooling client for plain HTTP.
pub(crate) type PlainClient = Client<HttpConnector, Full<Bytes>>;

pub(crate) fn plain_connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    connector
}

pub(crate) fn plain_client() -> PlainClient {
    Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE_TIMEOUT)
        .build(plain_connector())
}

/// Why there is no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FetchError {
    /// No connection came about: the other end cannot have read anything.
    NotSent,
    /// The connection broke or timed out: the other end may have read all of it.
    Broken,
    /// An answer above its cap.
    TooLong,
}

impl FetchError {
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::NotSent => "no connection",
            Self::Broken => "the connection broke or timed out",
            Self::TooLong => "the answer is longer than allowed",
        }
    }
}

/// One request, one bounded answer.
pub(crate) async fn fetch<C>(
    client: &Client<C, Full<Bytes>>,
    request: Request<Full<Bytes>>,
    cap: usize,
    timeout: Duration,
) -> Result<(StatusCode, Bytes), FetchError>
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let exchange = async {
        let response = client
            .request(request)
            .await
            .map_err(|e| if e.is_connect() { FetchError::NotSent } else { FetchError::Broken })?;
        let (head, body) = response.into_parts();
        let body = Limited::new(body, cap).collect().await.map_err(|e| {
            if e.is::<http_body_util::LengthLimitError>() {
                FetchError::TooLong
            } else {
                FetchError::Broken
            }
        })?;
        Ok((head.status, body.to_bytes()))
    };
    tokio::time::timeout(timeout, exchange).await.unwrap_or(Err(FetchError::Broken))
}
