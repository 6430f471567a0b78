//! HTTP/1.1 to a gateway: https, or plain on loopback.

use crate::{
    belief::{Belief, BeliefError},
    now_ms, problem,
    transport::{CarryCode, CarryError, Retry, Transport},
};
use bytes::Bytes;
use core::fmt;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::{
    Method, Request, Uri,
    header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, HeaderValue},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use std::{net::IpAddr, sync::Arc, time::Duration};
use strongroom_protocol::OutgoingFrame;
use strongroom_verify::BUNDLE_LEN_MAX;
use strongroom_wire::{caps, digest::sha256};
use zeroize::Zeroizing;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const RETRY_PAUSE: Duration = Duration::from_millis(200);
/// With each answer: SHA-256 of the bundle that the gateway has.
const BUNDLE_HEADER: &str = "strongroom-bundle";

#[cfg(feature = "tls")]
type Connector = hyper_rustls::HttpsConnector<HttpConnector>;
#[cfg(not(feature = "tls"))]
type Connector = HttpConnector;

/// A bearer token that says to the gateway who the user is. Wiped on drop.
pub struct Token(Zeroizing<String>);

impl Token {
    /// Takes a token.
    pub fn new(token: impl Into<String>) -> Self {
        Self(Zeroizing::new(token.into()))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

/// Why a gateway's address or token cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HttpError {
    /// Not an address with a scheme and a host.
    Address(String),
    /// Plain http to another machine would show the token to the network.
    PlainToOthers {
        /// The host.
        host: String,
    },
    /// https, which this build does not have.
    NoTls,
    /// The token holds characters that no header may.
    Token,
    /// The system's trusted certificates cannot be read.
    Roots(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => {
                write!(f, "not a gateway's address: {address:?}, expected https://HOST")
            }
            Self::PlainToOthers { host } => {
                write!(f, "plain http to {host}, expected https (http only on this machine)")
            }
            Self::NoTls => {
                write!(f, "this build has no https; it was made without the feature `tls`")
            }
            Self::Token => write!(f, "the token holds characters that a header cannot carry"),
            Self::Roots(why) => write!(f, "cannot read the system's trusted certificates: {why}"),
        }
    }
}

impl std::error::Error for HttpError {}

/// A gateway over HTTP.
pub struct Http {
    client: Client<Connector, Full<Bytes>>,
    base: String,
    authorization: HeaderValue,
    guard: Option<Guard>,
}

/// What answers must be accompanied by.
#[derive(Clone)]
struct Guard {
    belief: Arc<Belief>,
    /// The manifest that requests are sealed to.
    sealed_to: [u8; 32],
}

impl Http {
    /// A gateway's address, `https://HOST[:PORT][/PREFIX]`, and a user's token.
    ///
    /// # Errors
    /// [`HttpError`].
    pub fn new(address: &str, token: &Token) -> Result<Self, HttpError> {
        let wrong = || HttpError::Address(address.to_owned());
        let base = address.trim_end_matches('/').to_owned();
        let uri: Uri = base.parse().map_err(|_| wrong())?;
        let host = uri.host().ok_or_else(wrong)?.to_owned();
        match uri.scheme_str() {
            Some("http") if is_loopback(&host) => {}
            Some("http") => return Err(HttpError::PlainToOthers { host }),
            Some("https") if cfg!(feature = "tls") => {}
            Some("https") => return Err(HttpError::NoTls),
            _ => return Err(wrong()),
        }
        let bearer = Zeroizing::new(format!("Bearer {}", *token.0));
        let mut authorization = HeaderValue::from_str(&bearer).map_err(|_| HttpError::Token)?;
        authorization.set_sensitive(true);
        Ok(Self {
            client: Client::builder(TokioExecutor::new())
                .pool_timer(TokioTimer::new())
                .build(connector()?),
            base,
            authorization,
            guard: None,
        })
    }

    /// From now on an answer counts only with a bundle that is believed, and that holds the manifest with
    /// this SHA-256: the one that requests are sealed to.
    #[must_use]
    pub fn believing(self, belief: Arc<Belief>, sealed_to: [u8; 32]) -> Self {
        Self { guard: Some(Guard { belief, sealed_to }), ..self }
    }

    /// Fetches the validation bundle; nobody believes it yet.
    ///
    /// # Errors
    /// [`CarryError`].
    pub async fn bundle(&self) -> Result<Vec<u8>, CarryError> {
        // Without the token: what everybody sees is not to depend on who asks.
        let request = Request::get(format!("{}/v1/bundle", self.base))
            .header(ACCEPT, "application/json, application/problem+json")
            .body(Full::default())
            .map_err(|e| unsent(CarryCode::Other, e.to_string(), Retry::Never))?;
        let response = self.client.request(request).await.map_err(|e| self.not_reached(&e))?;
        let status = response.status();
        let cap = if status.is_success() { BUNDLE_LEN_MAX } else { problem::PROBLEM_LEN_MAX };
        let body = Limited::new(response.into_body(), cap).collect().await.map_err(|e| {
            broken(format!("the validation bundle broke off, or has more than {cap} bytes: {e}"))
        })?;
        let body = body.to_bytes();
        if status.is_success() {
            Ok(body.to_vec())
        } else {
            Err(problem::read(status.as_u16(), &body))
        }
    }

    /// Checks what came with an answer. `named` is the header, if there is a good one.
    async fn guarded(&self, guard: &Guard, named: Option<[u8; 32]>) -> Result<(), CarryError> {
        let refused = |what: String| CarryError {
            code: CarryCode::BundleRefused,
            retry: Retry::Never,
            ..broken(what)
        };
        let named =
            named.ok_or_else(|| refused("the answer names no validation bundle".to_owned()))?;
        if !guard.belief.passed_lately(&named) {
            // Whatever becomes of this question, the frame was answered: it arrived, and may have cost.
            let arrived = |error| CarryError { may_have_arrived: true, ..error };
            let bundle = self.bundle().await.map_err(arrived)?;
            if sha256(&bundle) != named {
                return Err(broken(
                    "the gateway names one validation bundle and has another".to_owned(),
                ));
            }
            guard.belief.admit(&bundle, now_ms()).map_err(|error| match error {
                BeliefError::Refused(_) => refused(error.to_string()),
                BeliefError::Head(_) => {
                    CarryError { code: CarryCode::Device, ..refused(error.to_string()) }
                }
            })?;
        }
        if guard.belief.manifest() == Some(guard.sealed_to) {
            return Ok(());
        }
        let what = "the fleet has a newer manifest than this request was sealed to".to_owned();
        Err(CarryError { code: CarryCode::Superseded, retry: Retry::Never, ..broken(what) })
    }

    fn not_reached(&self, error: &hyper_util::client::legacy::Error) -> CarryError {
        let detail = format!("cannot reach the gateway at {}: {}", self.base, cause(error));
        if error.is_connect() {
            unsent(CarryCode::Unreachable, detail, Retry::After(RETRY_PAUSE))
        } else {
            broken(detail)
        }
    }

    async fn exchange(&self, frame: &OutgoingFrame) -> Result<Vec<u8>, CarryError> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(format!("{}/v1/requests/{}", self.base, frame.verb().name()))
            .header(CONTENT_TYPE, "application/octet-stream")
            .header(ACCEPT, "application/octet-stream, application/problem+json")
            .header(AUTHORIZATION, self.authorization.clone())
            .body(Full::new(Bytes::copy_from_slice(frame.bytes())))
            .map_err(|e| unsent(CarryCode::Other, e.to_string(), Retry::Never))?;
        let response = self.client.request(request).await.map_err(|e| self.not_reached(&e))?;
        let status = response.status();
        let named =
            response.headers().get(BUNDLE_HEADER).and_then(|value| digest(value.as_bytes()));
        let cap = caps::RESPONSE_FRAME_LEN.max(problem::PROBLEM_LEN_MAX);
        let body = Limited::new(response.into_body(), cap)
            .collect()
            .await
            .map_err(|e| broken(format!("the gateway's answer broke off: {e}")))?
            .to_bytes();
        if let Some(guard) = &self.guard {
            // A proxy's error page names nothing, and is no answer. A gateway's problem may be because
            // the request was sealed to an old manifest.
            if status.is_success() || named.is_some() {
                self.guarded(guard, named).await?;
            }
        }
        if status.is_success() && body.len() == caps::RESPONSE_FRAME_LEN {
            return Ok(body.to_vec());
        }
        if status.is_success() {
            return Err(broken(format!(
                "the gateway answered with {} bytes, expected {}",
                body.len(),
                caps::RESPONSE_FRAME_LEN
            )));
        }
        Err(problem::read(status.as_u16(), &body))
    }
}

impl Transport for Http {
    async fn carry(&self, frame: &OutgoingFrame) -> Result<Vec<u8>, CarryError> {
        self.exchange(frame).await
    }
}

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http").field("base", &self.base).finish_non_exhaustive()
    }
}

/// The innermost cause: "connection refused", not "client error".
fn cause(error: &dyn std::error::Error) -> String {
    let mut inner = error;
    while let Some(source) = inner.source() {
        inner = source;
    }
    inner.to_string()
}

fn digest(digits: &[u8]) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    hex::decode_to_slice(digits, &mut digest).ok()?;
    Some(digest)
}

fn unsent(code: CarryCode, detail: String, retry: Retry) -> CarryError {
    CarryError { code, detail, may_have_arrived: false, retry, request_id: None }
}

fn broken(detail: String) -> CarryError {
    CarryError {
        code: CarryCode::Other,
        detail,
        may_have_arrived: true,
        retry: Retry::After(RETRY_PAUSE),
        request_id: None,
    }
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
}

fn plain_connector() -> HttpConnector {
    let mut connector = HttpConnector::new();
    connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
    connector.set_nodelay(true);
    connector
}

#[cfg(not(feature = "tls"))]
fn connector() -> Result<Connector, HttpError> {
    Ok(plain_connector())
}

#[cfg(feature = "tls")]
fn connector() -> Result<Connector, HttpError> {
    use hyper_rustls::ConfigBuilderExt as _;
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let roots = |e: &dyn fmt::Display| HttpError::Roots(e.to_string());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| roots(&e))?
        .with_native_roots()
        .map_err(|e| roots(&e))?
        .with_no_client_auth();
    let mut plain = plain_connector();
    plain.enforce_http(false);
    Ok(hyper_rustls::HttpsConnectorBuilder::new()
        .with_tls_config(config)
        .https_or_http()
        .enable_http1()
        .wrap_connector(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(address: &str) -> Option<HttpError> {
        Http::new(address, &Token::new("t")).err()
    }

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for good in ["http://127.0.0.1:8080", "http://localhost:1/", "http://[::1]:9"] {
            assert_eq!(refused(good), None, "{good}");
        }
        for host in ["example.com", "10.0.0.1", "localhost.example.com"] {
            let expected = HttpError::PlainToOthers { host: host.to_owned() };
            assert_eq!(refused(&format!("http://{host}:80")), Some(expected));
        }
    }

    #[test]
    fn an_address_needs_a_scheme_and_a_host() {
        for address in ["", "gateway.example", "ftp://127.0.0.1", "/v1", "http://"] {
            assert!(matches!(refused(address), Some(HttpError::Address(_))), "{address}");
        }
    }

    #[test]
    fn a_token_is_not_shown_and_not_split_over_headers() {
        let token = Token::new("secret\r\nX-Evil: 1");
        assert!(!format!("{token:?}").contains("secret"));
        assert_eq!(Http::new("http://127.0.0.1", &token).err(), Some(HttpError::Token));
    }
}
