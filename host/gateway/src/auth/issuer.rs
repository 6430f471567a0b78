//! Where an issuer's keys come from, and how they stay fresh.

use super::keys::{KEY_SET_LEN_MAX, KeySet};
use crate::{
    config::{self, JwtAlgorithm, JwtConfig},
    error::GatewayError,
    fetch,
};
use axum::body::Bytes;
use http_body_util::Full;
use hyper::{Request, StatusCode, Uri};
use std::{
    path::PathBuf,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};
use tokio::{sync::Mutex, time::Instant};

/// Looked at again even if no token asks for it.
const REFRESH_EVERY: Duration = Duration::from_secs(300);
/// A token with an unknown `kid` makes the keys be fetched again, but no more often than this:
/// strangers can send as many unknown `kid`s as they like.
const REFRESH_AGAIN_AFTER: Duration = Duration::from_secs(10);
/// Keys that could not be confirmed for so long admit nobody: they may have been withdrawn.
const STALE_AFTER: Duration = Duration::from_secs(24 * 3_600);
const FETCH_TIMEOUT: Duration = Duration::from_secs(5);

enum Source {
    File(PathBuf),
    Plain(Uri, fetch::PlainClient),
    #[cfg(feature = "jwks-https")]
    Https(
        Uri,
        hyper_util::client::legacy::Client<
            hyper_rustls::HttpsConnector<hyper_util::client::legacy::connect::HttpConnector>,
            Full<Bytes>,
        >,
    ),
}

struct Held {
    keys: Arc<KeySet>,
    confirmed: Instant,
}

/// The issuer's keys, and the way to new ones.
pub(crate) struct Issuer {
    source: Source,
    algorithms: Vec<JwtAlgorithm>,
    held: RwLock<Option<Held>>,
    /// Holds the time of the last try; its lock lets one caller fetch while others wait for it.
    last_try: Mutex<Option<Instant>>,
}

impl Issuer {
    /// A file must be good at once. An address may be down for now: then the gateway runs, says
    /// that it is not ready, and admits nobody.
    pub(crate) async fn open(config: &JwtConfig) -> Result<Self, GatewayError> {
        let issuer = Self {
            source: source_of(config)?,
            algorithms: config.algorithms.clone(),
            held: RwLock::new(None),
            last_try: Mutex::new(None),
        };
        if let Err(what) = issuer.refresh().await {
            match &issuer.source {
                Source::File(path) => {
                    return Err(GatewayError::Content { path: path.clone(), what });
                }
                _ => tracing::warn!(what, "the issuer's keys could not be fetched"),
            }
        }
        if let Source::File(path) = &issuer.source
            && issuer.keys().is_some_and(|keys| keys.has_secrets())
        {
            config::check_private(path)?;
        }
        Ok(issuer)
    }

    /// The keys, unless they are too old to be believed.
    pub(crate) fn keys(&self) -> Option<Arc<KeySet>> {
        let held = self.held.read().unwrap_or_else(PoisonError::into_inner);
        held.as_ref()
            .filter(|held| held.confirmed.elapsed() < STALE_AFTER)
            .map(|held| Arc::clone(&held.keys))
    }

    /// Newer keys for a token that the held ones do not fit; nothing if they were fetched just now.
    pub(crate) async fn newer_keys(&self) -> Option<Arc<KeySet>> {
        let before = self.keys();
        let recently = |tried: &Option<Instant>| {
            tried.is_some_and(|tried| tried.elapsed() < REFRESH_AGAIN_AFTER)
        };
        {
            let last_try = self.last_try.lock().await;
            if recently(&last_try) {
                // Somebody else may have fetched them while this caller waited for the lock.
                drop(last_try);
                let after = self.keys()?;
                return match before {
                    Some(before) if Arc::ptr_eq(&before, &after) => None,
                    _ => Some(after),
                };
            }
        }
        if let Err(what) = self.refresh().await {
            tracing::warn!(what, "the issuer's keys could not be fetched");
            return None;
        }
        self.keys()
    }

    pub(crate) async fn keep_fresh(&self) {
        loop {
            // Without any keys the gateway is shut: then the next try is soon.
            let pause = if self.keys().is_some() { REFRESH_EVERY } else { REFRESH_AGAIN_AFTER };
            tokio::time::sleep(pause).await;
            if let Err(what) = self.refresh().await {
                tracing::warn!(what, "the issuer's keys could not be fetched");
            }
        }
    }

    async fn refresh(&self) -> Result<(), String> {
        let mut last_try = self.last_try.lock().await;
        *last_try = Some(Instant::now());
        let (bytes, public) = match &self.source {
            Source::File(path) => (config::read(path).map_err(|e| e.to_string())?, false),
            Source::Plain(uri, client) => (download(client, uri).await?, true),
            #[cfg(feature = "jwks-https")]
            Source::Https(uri, client) => (download(client, uri).await?, true),
        };
        let keys = KeySet::parse(&bytes, public, &self.algorithms)?;
        let held = Held { keys: Arc::new(keys), confirmed: Instant::now() };
        *self.held.write().unwrap_or_else(PoisonError::into_inner) = Some(held);
        Ok(())
    }
}

async fn download<C>(
    client: &hyper_util::client::legacy::Client<C, Full<Bytes>>,
    uri: &Uri,
) -> Result<Vec<u8>, String>
where
    C: hyper_util::client::legacy::connect::Connect + Clone + Send + Sync + 'static,
{
    let request = Request::get(uri)
        .header("accept", "application/json")
        .body(Full::default())
        .map_err(|e| e.to_string())?;
    let (status, body) = fetch::fetch(client, request, KEY_SET_LEN_MAX, FETCH_TIMEOUT)
        .await
        .map_err(|e| e.text().to_owned())?;
    // Redirects are not followed: they would let the issuer's server name another one.
    if status != StatusCode::OK {
        return Err(format!("HTTP status {status}, expected 200"));
    }
    Ok(body.to_vec())
}

fn source_of(config: &JwtConfig) -> Result<Source, GatewayError> {
    let setting = |what: &str| GatewayError::Setting(what.to_owned());
    let url = match (&config.jwks_file, &config.jwks_url) {
        (Some(path), None) => return Ok(Source::File(path.clone())),
        (None, Some(url)) => url,
        _ => return Err(setting("auth: give either jwks_file or jwks_url")),
    };
    let uri: Uri = url.parse().map_err(|_| setting("auth.jwks_url: not an address"))?;
    let host = uri.host().unwrap_or("");
    let is_loopback = host == "localhost"
        || host
            .trim_matches(['[', ']'])
            .parse::<std::net::IpAddr>()
            .is_ok_and(|address| address.is_loopback());
    match uri.scheme_str() {
        Some("http") if is_loopback => Ok(Source::Plain(uri, fetch::plain_client())),
        // Whoever stands between could hand us keys of their own and sign in as anybody.
        Some("http") => Err(setting(
            "auth.jwks_url: plain http is accepted on loopback only; use https or jwks_file",
        )),
        #[cfg(feature = "jwks-https")]
        Some("https") => https(uri),
        #[cfg(not(feature = "jwks-https"))]
        Some("https") => Err(setting(
            "auth.jwks_url: this build has no https (feature `jwks-https`); use jwks_file",
        )),
        _ => Err(setting("auth.jwks_url: expected https://…")),
    }
}

#[cfg(feature = "jwks-https")]
fn https(uri: Uri) -> Result<Source, GatewayError> {
    use hyper_util::{client::legacy::Client, rt::TokioExecutor};
    let mut connector = fetch::plain_connector();
    connector.enforce_http(false);
    let connector = hyper_rustls::HttpsConnectorBuilder::new()
        .with_provider_and_native_roots(hyper_rustls_provider())
        .map_err(|source| GatewayError::System { what: "the system's certificates", source })?
        .https_only()
        .enable_http1()
        .wrap_connector(connector);
    let client = Client::builder(TokioExecutor::new()).build(connector);
    Ok(Source::Https(uri, client))
}

#[cfg(feature = "jwks-https")]
fn hyper_rustls_provider() -> rustls::crypto::CryptoProvider {
    rustls::crypto::aws_lc_rs::default_provider()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::JwtAlgorithm;
    use jsonwebtoken::Algorithm;
    use std::fs;

    fn set(kid: &str) -> String {
        let secret = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        format!("{{\"keys\":[{{\"kty\":\"oct\",\"kid\":\"{kid}\",\"k\":\"{secret}\"}}]}}")
    }

    fn private(path: &std::path::Path, content: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        fs::write(path, content).expect("write");
        fs::set_permissions(path, fs::Permissions::from_mode(0o600)).expect("mode");
    }

    async fn issuer(path: &std::path::Path) -> Issuer {
        let config = JwtConfig {
            issuer: "i".to_owned(),
            audience: "a".to_owned(),
            jwks_file: Some(path.to_owned()),
            jwks_url: None,
            account_claim: "sub".to_owned(),
            algorithms: vec![JwtAlgorithm::HS256],
        };
        Issuer::open(&config).await.expect("issuer")
    }

    #[tokio::test(start_paused = true)]
    async fn unknown_kids_fetch_new_keys_but_not_all_the_time() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("jwks.json");
        private(&path, &set("old"));
        let issuer = issuer(&path).await;
        private(&path, &set("new"));
        assert!(issuer.newer_keys().await.is_none(), "fetched just now");
        tokio::time::advance(REFRESH_AGAIN_AFTER).await;
        let newer = issuer.newer_keys().await.expect("newer");
        assert!(newer.find(Some("new"), Algorithm::HS256).is_some());
        assert!(newer.find(Some("old"), Algorithm::HS256).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_cannot_be_confirmed_for_a_day_admit_nobody() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("jwks.json");
        private(&path, &set("old"));
        let issuer = issuer(&path).await;
        fs::remove_file(&path).expect("remove");
        tokio::time::advance(STALE_AFTER / 2).await;
        assert!(issuer.refresh().await.is_err() && issuer.keys().is_some());
        tokio::time::advance(STALE_AFTER / 2).await;
        assert!(issuer.keys().is_none());
    }
}
