//! Why a gateway does not start.

use std::{io, net::SocketAddr, path::PathBuf};
use strongroom_manifest::ManifestError;

/// Each names the file or setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// A file could not be read.
    #[error("{path}: {source}", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A file holds something else than expected.
    #[error("{path}: {what}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Expected against got.
        what: String,
    },
    /// A secret that others on this machine can read.
    #[error("{path}: mode {mode:03o} lets others read a secret; expected 600", path = path.display())]
    Readable {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The manifest is not the one that the configuration vouches for.
    #[error("{path}: {source}", path = path.display())]
    Manifest {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: ManifestError,
    },
    /// Configuration and manifest contradict each other.
    #[error("configuration and manifest disagree: {0}")]
    Disagree(String),
    /// A setting that cannot work.
    #[error("configuration: {0}")]
    Setting(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system refused something that every process needs.
    #[error("{what}: {source}")]
    System {
        /// What was asked.
        what: &'static str,
        /// What the system said.
        source: io::Error,
    },
}
