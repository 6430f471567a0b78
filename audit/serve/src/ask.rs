//! The question to a witness: one `add-checkpoint`, bounded in size and time (tlog-witness).

use crate::error::ServeError;
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::{Request, Uri, body::Bytes, header::CONTENT_TYPE};
use hyper_rustls::HttpsConnector;
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use rustls::{ClientConfig, RootCertStore};
use std::{error::Error, net::IpAddr, sync::Arc, time::Duration};
use strongroom_tlog::{
    WitnessKey,
    caps::NOTE_LEN_MAX,
    witness::{ADD_CHECKPOINT_PATH, Answer},
};

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);
const IDLE: Duration = Duration::from_secs(20);

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

/// Speaks with witnesses.
#[derive(Clone)]
pub(crate) struct Asker(HttpClient);

/// One witness, as an auditor knows it.
#[derive(Debug, Clone)]
pub(crate) struct WitnessAddress {
    pub(crate) key: WitnessKey,
    pub(crate) uri: Uri,
    pub(crate) patience: Duration,
}

impl WitnessAddress {
    /// `url` is the witness's submission prefix: https, or http on loopback. What it answers is signed,
    /// so https is for who may count on being heard, and for the peace of who watches the network.
    pub(crate) fn new(key: WitnessKey, url: &str, patience: Duration) -> Result<Self, ServeError> {
        let wrong =
            |what: &str| ServeError::Setting(format!("witness {}: {url}: {what}", key.name()));
        let base: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let host = base.host().ok_or_else(|| wrong("expected a host"))?;
        match base.scheme_str() {
            Some("https") => {}
            Some("http") if is_loopback(host) => {}
            Some("http") => return Err(wrong("http on loopback only; expected https")),
            _ => return Err(wrong("expected https://")),
        }
        if base.query().is_some() {
            return Err(wrong("expected no query"));
        }
        let url = format!("{}/{ADD_CHECKPOINT_PATH}", url.trim_end_matches('/'));
        let uri = url.parse().map_err(|_| wrong("not a URL"))?;
        Ok(Self { key, uri, patience })
    }
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

impl Asker {
    /// Speaks with these.
    pub(crate) fn new(witnesses: &[WitnessAddress]) -> Result<Self, ServeError> {
        let has_https = witnesses.iter().any(|one| one.uri.scheme_str() == Some("https"));
        client(has_https).map(Self)
    }

    /// One question, one bounded answer, or why there is none.
    pub(crate) async fn ask(
        &self,
        witness: &WitnessAddress,
        request: Vec<u8>,
    ) -> Result<Answer, String> {
        let exchange = async {
            let request = Request::post(witness.uri.clone())
                .header(CONTENT_TYPE, "text/plain; charset=utf-8")
                .body(Full::new(Bytes::from(request)))
                .map_err(|error| error.to_string())?;
            let response = self.0.request(request).await.map_err(|error| with_causes(&error))?;
            let status = response.status().as_u16();
            let body = Limited::new(response.into_body(), NOTE_LEN_MAX).collect().await;
            let body = body.map_err(|error| {
                if error.is::<LengthLimitError>() {
                    format!("an answer of more than {NOTE_LEN_MAX} bytes")
                } else {
                    error.to_string()
                }
            })?;
            Answer::parse(status, &body.to_bytes()).map_err(|error| error.to_string())
        };
        let patience = witness.patience;
        let late = |_| Err(format!("no answer in {} ms", patience.as_millis()));
        tokio::time::timeout(patience, exchange).await.unwrap_or_else(late)
    }
}

/// Reads the files of a log. What comes is checked against a signed root.
pub(crate) struct Fetcher {
    client: HttpClient,
    base: String,
    patience: Duration,
}

impl Fetcher {
    /// `https://HOST/…`, or http on loopback.
    pub(crate) fn new(url: &str, patience: Duration) -> Result<Self, ServeError> {
        let wrong = |what: &str| ServeError::Setting(format!("content.log: {url}: {what}"));
        let uri: Uri = url.parse().map_err(|_| wrong("not a URL"))?;
        let host = uri.host().ok_or_else(|| wrong("expected a host"))?;
        let has_https = match uri.scheme_str() {
            Some("https") => true,
            Some("http") if is_loopback(host) => false,
            _ => return Err(wrong("expected https://, or http on loopback")),
        };
        let base = url.trim_end_matches('/').to_owned();
        Ok(Self { client: client(has_https)?, base, patience })
    }

    /// One file, bounded in size and time; redirects are not followed.
    pub(crate) async fn fetch(&self, path: &str, len_max: usize) -> Result<Vec<u8>, String> {
        let url = format!("{}/{path}", self.base);
        let exchange = async {
            let request = Request::get(&url).body(Full::default()).map_err(|e| e.to_string())?;
            let response = self.client.request(request).await.map_err(|e| with_causes(&e))?;
            let status = response.status().as_u16();
            if status != 200 {
                return Err(format!("HTTP status {status}"));
            }
            let body = Limited::new(response.into_body(), len_max).collect().await;
            body.map(|body| body.to_bytes().to_vec()).map_err(|e| e.to_string())
        };
        let late = |_| Err(format!("no answer in {} ms", self.patience.as_millis()));
        let fetched = tokio::time::timeout(self.patience, exchange).await.unwrap_or_else(late);
        fetched.map_err(|why| format!("{url}: {why}"))
    }
}

/// Without https no machine needs certificates of its system.
fn client(has_https: bool) -> Result<HttpClient, ServeError> {
    let mut plain = HttpConnector::new();
    plain.enforce_http(false);
    plain.set_connect_timeout(Some(CONNECT_PATIENCE));
    plain.set_nodelay(true);
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let system = |what| move |detail: String| ServeError::System { what, detail };
    let builder = hyper_rustls::HttpsConnectorBuilder::new();
    let builder = if has_https {
        let failed = system("the system's trusted certificates");
        let builder = builder.with_provider_and_native_roots(provider);
        builder.map_err(|error| failed(error.to_string()))?
    } else {
        let failed = system("TLS");
        let config = ClientConfig::builder_with_provider(Arc::new(provider));
        let config = config.with_safe_default_protocol_versions();
        let config = config.map_err(|error| failed(error.to_string()))?;
        let none = config.with_root_certificates(RootCertStore::empty());
        builder.with_tls_config(none.with_no_client_auth())
    };
    let connector = builder.https_or_http().enable_http1().wrap_connector(plain);
    let client = Client::builder(TokioExecutor::new())
        .pool_timer(TokioTimer::new())
        .pool_idle_timeout(IDLE)
        .build(connector);
    Ok(client)
}

fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
