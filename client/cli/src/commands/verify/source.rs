//! Where a log's files come from: a folder or an HTTP host, neither of which is believed (spec §23.8).

use crate::interrupt;
use core::fmt;
use std::{path::Path, time::Duration};
use strongroom_deployment::{Directory, DirectoryError};
use strongroom_tlog::tiles::TileSource;
use ureq::Agent;

/// Of what may pass: no connection, a busy host.
const TRIES: u32 = 3;
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// A folder or a host.
#[derive(Debug)]
pub(crate) enum Source {
    /// A static export.
    Folder(Directory),
    /// Everything below an address.
    Http {
        /// Without a slash at its end.
        prefix: String,
        /// With a time limit, and without redirects.
        agent: Agent,
    },
}

/// Why a file cannot be had. Nobody is accused of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SourceError {
    /// Not there.
    Missing,
    /// Longer than a file of its kind may be.
    TooLong { cap: usize },
    /// A symbolic link, a folder, a pipe.
    NotAFile,
    /// The host sends elsewhere.
    Redirect,
    /// Another status than 200.
    Status(u16),
    /// The system or the network says no.
    Failed(String),
    /// The user interrupted.
    Cancelled,
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing => write!(f, "not there"),
            Self::TooLong { cap } => write!(f, "longer than {cap} bytes"),
            Self::NotAFile => write!(f, "not a regular file (links are not followed)"),
            Self::Redirect => write!(f, "the host redirects, which is not followed"),
            Self::Status(status) => write!(f, "HTTP status {status}"),
            Self::Failed(why) => f.write_str(why),
            Self::Cancelled => write!(f, "interrupted"),
        }
    }
}

impl Source {
    /// Opens what the user named. Nothing is read.
    pub(crate) fn open(named: &str, patience: Duration) -> Result<Self, String> {
        let is_https = named.starts_with("https://");
        if is_https || named.starts_with("http://") {
            let prefix = named.trim_end_matches('/').to_owned();
            return Ok(Self::Http { prefix, agent: agent(patience, is_https)? });
        }
        if named.contains("://") {
            return Err(format!("{named}: expected http://, https:// or a folder"));
        }
        let path = Path::new(named);
        let failed = |what: &dyn fmt::Display| format!("cannot open the folder {named}: {what}");
        match path.metadata() {
            Ok(there) if there.is_dir() => Ok(Self::Folder(Directory::at(path))),
            Ok(_) => Err(failed(&"not a folder")),
            Err(error) => Err(failed(&error)),
        }
    }
}

impl TileSource for Source {
    type Error = SourceError;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, SourceError> {
        if interrupt::is_cancelled() {
            return Err(SourceError::Cancelled);
        }
        match self {
            Self::Folder(folder) => Ok(folder.read(path, len_max)?),
            Self::Http { prefix, agent } => get(agent, &format!("{prefix}/{path}"), len_max),
        }
    }
}

impl From<DirectoryError> for SourceError {
    fn from(error: DirectoryError) -> Self {
        match error {
            DirectoryError::Missing => Self::Missing,
            DirectoryError::NotAFile => Self::NotAFile,
            DirectoryError::TooLong { cap } => Self::TooLong { cap },
            DirectoryError::Io(error) => Self::Failed(error.to_string()),
        }
    }
}

fn agent(patience: Duration, is_https: bool) -> Result<Agent, String> {
    let config = Agent::config_builder()
        .timeout_global(Some(patience))
        .http_status_as_error(false)
        // Another host is another source, which nobody named.
        .max_redirects(0)
        .max_redirects_will_error(false)
        .user_agent("strongroom-verify");
    if !is_https {
        // What answers here is next door, or a mirror by name.
        return Ok(config.proxy(None).build().into());
    }
    #[cfg(feature = "tls")]
    return Ok(config.https_only(true).tls_config(tls()?).build().into());
    #[cfg(not(feature = "tls"))]
    Err("https: this program was built without TLS; build it with `--features tls`, or name a folder"
        .to_owned())
}

#[cfg(feature = "tls")]
fn tls() -> Result<ureq::tls::TlsConfig, String> {
    use ureq::tls::{Certificate, RootCerts, TlsConfig, TlsProvider};
    let roots = rustls_native_certs::load_native_certs();
    if roots.certs.is_empty() {
        return Err("https: this machine lists no certificate authorities".to_owned());
    }
    let roots = roots.certs.iter().map(|der| Certificate::from_der(der).to_owned());
    let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    Ok(TlsConfig::builder()
        .provider(TlsProvider::Rustls)
        .unversioned_rustls_crypto_provider(provider)
        .root_certs(RootCerts::Specific(std::sync::Arc::new(roots.collect())))
        .build())
}

fn get(agent: &Agent, url: &str, len_max: usize) -> Result<Vec<u8>, SourceError> {
    let mut pause = FIRST_PAUSE;
    let mut last = SourceError::Missing;
    for attempt in 1..=TRIES {
        match get_once(agent, url, len_max) {
            Err(error @ (SourceError::Failed(_) | SourceError::Status(408 | 429 | 500..=599))) => {
                last = error;
            }
            settled => return settled,
        }
        if attempt < TRIES && !interrupt::is_cancelled() {
            std::thread::sleep(pause);
            pause *= 3;
        }
    }
    Err(last)
}

fn get_once(agent: &Agent, url: &str, len_max: usize) -> Result<Vec<u8>, SourceError> {
    let failed = |error: ureq::Error| SourceError::Failed(error.to_string());
    let mut response = agent.get(url).call().map_err(failed)?;
    match response.status().as_u16() {
        200 => {}
        404 | 410 => return Err(SourceError::Missing),
        300..=399 => return Err(SourceError::Redirect),
        status => return Err(SourceError::Status(status)),
    }
    let cap = len_max as u64;
    // One byte more than is read would be too much; the library stops there.
    match response.body_mut().with_config().limit(cap).read_to_vec() {
        Ok(bytes) => Ok(bytes),
        Err(ureq::Error::BodyExceedsLimit(_)) => Err(SourceError::TooLong { cap: len_max }),
        Err(error) => Err(failed(error)),
    }
}
