//! The way to an auditor's publishing address: https with a client certificate, or plain on loopback.

use crate::PublishError;
use serde::Deserialize;
use std::{net::IpAddr, time::Duration};
use strongroom_tlog::tiles::TileSource;
use ureq::{Agent, http::Uri};

/// For a file.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a round of witnesses, and for whoever is publishing at the time.
const ROUND_PATIENCE: Duration = Duration::from_secs(120);
const PROBLEM_LEN_MAX: u64 = 16 * 1_024;
const SHOWN_MAX: usize = 400;

/// Who the operator is to the auditor's door, and whom it believes to be that door.
#[derive(Clone)]
pub struct TlsIdentity {
    /// The certificate and those between it and the auditor's CA, in PEM.
    pub certificates_pem: Vec<u8>,
    /// Its private key, in PEM.
    pub key_pem: Vec<u8>,
    /// Certificates of whoever signed the auditor's, in PEM. The system's are not asked.
    pub roots_pem: Vec<u8>,
}

/// The private key is not for logs.
impl core::fmt::Debug for TlsIdentity {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("TlsIdentity(…)")
    }
}

/// One auditor's publishing address.
#[derive(Debug)]
pub struct Door {
    base: String,
    agent: Agent,
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

#[derive(Deserialize)]
struct Problem {
    code: String,
    #[serde(default)]
    detail: String,
}

impl Door {
    /// A door at `http://127.0.0.1:PORT` or, with an identity, at `https://HOST[:PORT]`.
    ///
    /// # Errors
    /// [`PublishError::Address`] or [`PublishError::Identity`].
    pub fn new(address: &str, identity: Option<&TlsIdentity>) -> Result<Self, PublishError> {
        let wrong = |what| PublishError::Address { address: address.to_owned(), what };
        let uri: Uri =
            address.parse().map_err(|_| wrong("expected http:// or https:// and a host"))?;
        let host = uri.host().ok_or_else(|| wrong("expected a host"))?;
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("expected a host and nothing behind it: the API is at its root"));
        }
        if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Err(wrong("expected no name or password in it"));
        }
        let config = Agent::config_builder()
            // A status is an answer here; a redirection would lead away from the pinned door.
            .http_status_as_error(false)
            .max_redirects(0)
            .proxy(None);
        let config = match (uri.scheme_str(), identity) {
            (Some("https"), Some(identity)) => with_tls(config, identity)?,
            (Some("https"), None) => return Err(wrong("https needs a client certificate")),
            (Some("http"), None) if is_loopback(host) => config,
            (Some("http"), None) => return Err(wrong("plain http reaches this machine only")),
            (Some("http"), Some(_)) => return Err(wrong("a client certificate needs https")),
            _ => return Err(wrong("expected http:// or https://")),
        };
        let base = address.trim_end_matches('/').to_owned();
        Ok(Self { base, agent: config.build().into() })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// One `GET`; a body above its cap is refused.
    pub(crate) fn get(&self, path: &str, cap: usize) -> Result<Reply, PublishError> {
        let url = self.url(path);
        let request = self.agent.get(&url).config().timeout_global(Some(PATIENCE)).build();
        read(&url, request.call(), cap as u64)
    }

    pub(crate) fn post(&self, path: &str, body: &[u8], cap: usize) -> Result<Reply, PublishError> {
        let url = self.url(path);
        let request = self.agent.post(&url).header("content-type", "application/json");
        let request = request.config().timeout_global(Some(ROUND_PATIENCE)).build();
        read(&url, request.send(body), cap as u64)
    }
}

fn read(
    url: &str,
    result: Result<ureq::http::Response<ureq::Body>, ureq::Error>,
    cap: u64,
) -> Result<Reply, PublishError> {
    let failed = |error: ureq::Error| {
        let (url, what) = (url.to_owned(), error.to_string());
        PublishError::Unreachable { url, what }
    };
    let mut response = result.map_err(failed)?;
    let status = response.status().as_u16();
    let cap = if status == 200 { cap } else { PROBLEM_LEN_MAX };
    let body = response.body_mut().with_config().limit(cap).read_to_vec().map_err(failed)?;
    Ok(Reply { status, body })
}

/// What an answer other than 200 says.
pub(crate) fn refusal(reply: &Reply) -> PublishError {
    let status = reply.status;
    let problem = serde_json::from_slice(&reply.body).ok();
    let Problem { code, detail } =
        problem.unwrap_or(Problem { code: "unknown".to_owned(), detail: String::new() });
    let (code, detail) = (printable(&code), printable(&detail));
    // A folder that was put back needs a person, not patience.
    let waits = matches!(status, 408 | 429 | 500..=504) && code != "restored";
    if waits {
        PublishError::NotYet { status, code, detail }
    } else {
        PublishError::Refused { status, code, detail }
    }
}

/// Words of an auditor end up on a terminal.
fn printable(text: &str) -> String {
    text.chars().filter(|sign| !sign.is_control()).take(SHOWN_MAX).collect()
}

fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

type Settings = ureq::config::ConfigBuilder<ureq::typestate::AgentScope>;

#[cfg(feature = "tls")]
fn with_tls(settings: Settings, identity: &TlsIdentity) -> Result<Settings, PublishError> {
    use std::sync::Arc;
    use ureq::tls::{
        Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem,
    };
    let wrong = |what: &str| PublishError::Identity(what.to_owned());
    let certificates = |pem: &[u8]| -> Result<Vec<Certificate<'static>>, PublishError> {
        let items = parse_pem(pem).filter_map(|item| match item {
            Ok(PemItem::Certificate(one)) => Some(Ok(one)),
            Ok(_) => None,
            Err(error) => Some(Err(PublishError::Identity(error.to_string()))),
        });
        let found: Vec<_> = items.collect::<Result<_, _>>()?;
        if found.is_empty() { Err(wrong("expected a certificate in PEM")) } else { Ok(found) }
    };
    let key = PrivateKey::from_pem(&identity.key_pem)
        .map_err(|_| wrong("expected a private key in PEM"))?;
    let own = ClientCert::new_with_certs(&certificates(&identity.certificates_pem)?, key);
    let roots = RootCerts::new_with_certs(&certificates(&identity.roots_pem)?);
    let tls = TlsConfig::builder()
        .client_cert(Some(own))
        .root_certs(roots)
        .unversioned_rustls_crypto_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .build();
    Ok(settings.tls_config(tls))
}

#[cfg(not(feature = "tls"))]
fn with_tls(_: Settings, _: &TlsIdentity) -> Result<Settings, PublishError> {
    Err(PublishError::Identity("this build has no https; it was made without `tls`".to_owned()))
}

/// The files of a log.
pub(crate) struct LogFiles<'a> {
    pub(crate) door: &'a Door,
    pub(crate) prefix: String,
}

impl TileSource for LogFiles<'_> {
    type Error = PublishError;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, PublishError> {
        let reply = self.door.get(&format!("{}/{path}", self.prefix), len_max)?;
        if reply.status == 200 { Ok(reply.body) } else { Err(refusal(&reply)) }
    }
}
