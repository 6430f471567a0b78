//! The witness that looks inside (spec §21.6): it cosigns a checkpoint only after it has read every leaf
//! below it and found that each follows.

use crate::{ask::Fetcher, error::ServeError, files};
use serde::Deserialize;
use std::{
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    time::Duration,
};
use strongroom_log::WitnessError;
use strongroom_tlog::{LogKey, SignedCheckpoint, tiles::TileSource};
use strongroom_verify::{HistoryError, ReadLeaves, Trust, continue_leaves, events_origin};
use tokio::runtime::Handle;

/// `[content]` of `witness.toml`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ContentConfig {
    /// Where the log's files lie: its auditor's address and the namespace.
    pub log: String,
    /// What apps pin: the custodians who signed the first manifest stand in it.
    pub trust: PathBuf,
    /// For one file.
    #[serde(default = "timeout_ms")]
    pub timeout_ms: u64,
}

fn timeout_ms() -> u64 {
    10_000
}

impl ContentConfig {
    pub(crate) fn anchor(&mut self, path: &Path) {
        files::anchor(path, &mut self.trust);
    }

    /// Reads the pins, and checks that they are of the log that this witness follows.
    pub(crate) fn trust(&self, logs: &[LogKey]) -> Result<Trust, ServeError> {
        let bytes = files::read(&self.trust)?;
        let trust = Trust::parse(&bytes).map_err(|error| ServeError::Content {
            path: self.trust.clone(),
            what: error.to_string(),
        })?;
        let events = LogKey::new(&events_origin(trust.origin()), trust.log().public());
        let of_trust = |log: &LogKey| log == trust.log() || events.as_ref() == Ok(log);
        if logs.contains(trust.log()) && logs.iter().all(of_trust) {
            return Ok(trust);
        }
        Err(ServeError::Setting(format!(
            "content.trust: pins {}, expected that log in `logs`, and no other beside it but its event log",
            trust.log()
        )))
    }
}

/// What was read so far. In memory only: a start reads the whole log again.
pub(crate) struct Content {
    trust: Trust,
    files: LogFiles,
    read: Mutex<Option<ReadLeaves>>,
}

impl Content {
    /// Needs a runtime: files come over the network.
    pub(crate) fn new(config: &ContentConfig, logs: &[LogKey]) -> Result<Self, ServeError> {
        let patience = Duration::from_millis(config.timeout_ms);
        let fetcher = Fetcher::new(&config.log, patience)?;
        let files = LogFiles { fetcher, runtime: Handle::current() };
        Ok(Self { trust: config.trust(logs)?, files, read: Mutex::new(None) })
    }

    /// Reads what is new below a checkpoint. Only threads that may block come here.
    pub(crate) fn look_at(&self, signed: &SignedCheckpoint) -> Result<(), WitnessError> {
        let head = signed.checkpoint().head();
        // The event log's leaves are for verifiers: here it is cosigned as any witness does.
        if signed.signer() != self.trust.log() || head.size == 0 {
            return Ok(());
        }
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if read.as_ref().is_some_and(|read| read.head() == head) {
            return Ok(());
        }
        // Until a quorum has cosigned a size, an auditor serves no file of it: it is asked again.
        *read = continue_leaves(&self.files, signed, read.as_ref(), &self.trust).map_err(why)?;
        Ok(())
    }
}

fn why(error: HistoryError<String>) -> WitnessError {
    match error {
        HistoryError::Contradiction { epoch, fault } => {
            WitnessError::Leaf(format!("epoch {epoch}: {fault}"))
        }
        HistoryError::OtherTree { other_root } => WitnessError::Leaf(format!(
            "what was read before has the root {other_root} in this tree"
        )),
        HistoryError::Unchecked(error) => WitnessError::Unchecked(error.to_string()),
        other => WitnessError::Unchecked(format!("{other:?}")),
    }
}

struct LogFiles {
    fetcher: Fetcher,
    runtime: Handle,
}

impl TileSource for &LogFiles {
    type Error = String;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, String> {
        self.runtime.block_on(self.fetcher.fetch(path, len_max))
    }
}
