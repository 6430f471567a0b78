//! Why a server does not start.

use std::{io, net::SocketAddr, path::PathBuf};
use strongroom_log::{EventSubmitError, FolderError, SubmitError, WitnessError};

/// Each names the file or setting to look at.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
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
    /// A setting that cannot work.
    #[error("configuration: {0}")]
    Setting(String),
    /// The folder of an auditor or a witness.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// The auditor's files.
    #[error("the auditor does not start: {0}")]
    Auditor(#[from] SubmitError),
    /// The witness's files.
    #[error("the witness does not start: {0}")]
    Witness(#[from] WitnessError),
    /// The event log's files.
    #[error("the event log does not open: {0}")]
    Event(Box<EventSubmitError>),
    /// An address cannot be listened on.
    #[error("{setting}: cannot listen on {address}: {source}")]
    Listen {
        /// The setting.
        setting: &'static str,
        /// The address.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The system's trusted certificates, or the metrics' recorder.
    #[error("{what}: {detail}")]
    System {
        /// What was asked.
        what: &'static str,
        /// What the system said.
        detail: String,
    },
}

impl From<EventSubmitError> for ServeError {
    fn from(error: EventSubmitError) -> Self {
        Self::Event(Box::new(error))
    }
}

impl ServeError {
    /// Whether the configuration, or a file that it names, is to blame.
    pub const fn is_configuration(&self) -> bool {
        matches!(
            self,
            Self::Read { .. } | Self::Content { .. } | Self::Readable { .. } | Self::Setting(_)
        )
    }
}
