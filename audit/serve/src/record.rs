//! One event into a namespace's event log (spec §21.7), by its auditor's keys and witnesses.
//!
//! A command and no server: events are few. It may run beside the auditor, whose folder it reads only.

use crate::{
    ask::{Asker, WitnessAddress},
    auditor::Config,
    error::ServeError,
    files, now_ms, now_s,
};
use std::{
    fs::File,
    io::{self, Read as _},
    path::{Path, PathBuf},
    sync::Arc,
};
use strongroom_log::{
    EventLog, EventLogSetup, EventSubmitError, Folder, ManifestSource, SubmitError,
};
use strongroom_tlog::{
    LogKey, LogSigner, Note, NoteSignature, NoteSigner, SignedCheckpoint,
    caps::NOTE_LEN_MAX,
    tiles::{TileSource, VerifiedTiles},
    witness::Answer,
};
use strongroom_verify::{Leaf, events_origin};

/// A witness's clock may be so far behind, and its line still counts as asked for now.
const CLOCK_BEHIND_S: u64 = 2;
/// From where it was believed to stand, from where it says that it stands, and once more if it moved.
const QUESTIONS_MAX: usize = 3;

/// Records an event; the same event again is found recorded. Its index in the event log.
///
/// `folder` is the event log's own, which is never restored, as the auditor's is not.
///
/// # Errors
/// [`ServeError`]; what was refused is in no log.
pub async fn record(config: &Config, folder: &Path, json: &[u8]) -> Result<u64, ServeError> {
    config.look_at()?;
    let loaded = config.loaded()?;
    let log_key = loaded.setup.log_signer.key().clone();
    let origin = events_origin(&config.origin);
    let signer = LogSigner::new(&origin, files::signer(&config.log_key_file)?)
        .map_err(|error| ServeError::Setting(format!("origin: {error}")))?;
    tracing::info!(vkey = %signer.key(), "event log");
    let manifests = Released { folder: config.folder.clone(), log: log_key };
    let setup = EventLogSetup {
        manifest_log: config.origin.clone(),
        operator_key: config.operator_key.0,
        policy: loaded.setup.policy,
        log_signer: signer,
    };
    let mut events = EventLog::open(Arc::new(Folder::open(folder)?), setup, &manifests)?;
    let asker = Asker::new(&loaded.witnesses)?;
    let asked_s = now_s().saturating_sub(CLOCK_BEHIND_S);
    let lines = ask_all(&asker, &loaded.witnesses, &mut events).await?;
    events.confirm(&lines, asked_s, now_s())?;
    let index = events.submit(json, &manifests, now_ms())?;
    // A crash here leaves an event that nobody saw; the same command again goes on.
    let lines = ask_all(&asker, &loaded.witnesses, &mut events).await?;
    events.release(&lines, now_s())?;
    Ok(index)
}

/// What each witness says of the head. One that is down, or refuses, says nothing; one that has seen more
/// ends it.
async fn ask_all<S: NoteSigner>(
    asker: &Asker,
    witnesses: &[WitnessAddress],
    events: &mut EventLog<S>,
) -> Result<Vec<NoteSignature>, ServeError> {
    let mut lines = Vec::new();
    for witness in witnesses {
        let name = witness.key.name();
        let mut old = 0;
        for _ in 0..QUESTIONS_MAX {
            let request = events.request(old)?;
            match asker.ask(witness, request.to_bytes()).await {
                Ok(Answer::Cosigned(own)) => {
                    lines.extend(own);
                    break;
                }
                Ok(Answer::Conflict { size }) => old = size,
                Ok(Answer::Refused { status, reason }) => {
                    tracing::warn!(witness = name, status, reason, "a witness did not cosign");
                    break;
                }
                Err(why) => {
                    tracing::warn!(witness = name, why, "a witness did not answer");
                    break;
                }
            }
        }
    }
    Ok(lines)
}

/// The manifests that an auditor released, out of its folder.
struct Released {
    folder: PathBuf,
    log: LogKey,
}

impl Released {
    /// What the published checkpoint leads to; none of what waits for witnesses.
    fn published(&self, epoch: u64) -> Result<Option<Vec<u8>>, String> {
        let Some(index) = epoch.checked_sub(1) else { return Ok(None) };
        let note = match self.read("checkpoint", NOTE_LEN_MAX) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            note => note.map_err(|error| error.to_string())?,
        };
        let note = Note::parse(&note).map_err(|error| error.to_string())?;
        let signed =
            SignedCheckpoint::verify(note, &self.log).map_err(|error| error.to_string())?;
        let head = signed.checkpoint().head();
        // The last signature may be missing after a crash: its epoch counts when it is there.
        let response = self.folder.join(format!("responses/{epoch}.json"));
        if index >= head.size || !response.is_file() {
            return Ok(None);
        }
        let tiles = VerifiedTiles::open(self, head).map_err(|error| error.to_string())?;
        let entry = tiles.entry(index).map_err(|error| error.to_string())?;
        let leaf = Leaf::parse(self.log.name(), &entry).ok_or("an entry is no leaf of this log")?;
        Ok(Some(leaf.manifest))
    }
}

impl ManifestSource for Released {
    fn released(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError> {
        self.published(epoch).map_err(SubmitError::Elsewhere)
    }
}

impl TileSource for Released {
    type Error = io::Error;

    fn read(&self, path: &str, len_max: usize) -> Result<Vec<u8>, io::Error> {
        let file = File::open(self.folder.join(path))?;
        let mut bytes = Vec::new();
        let cap = u64::try_from(len_max).unwrap_or(u64::MAX);
        file.take(cap.saturating_add(1)).read_to_end(&mut bytes)?;
        if bytes.len() > len_max {
            return Err(io::Error::other(format!("longer than {len_max} bytes")));
        }
        Ok(bytes)
    }
}

impl From<EventSubmitError> for ServeError {
    fn from(error: EventSubmitError) -> Self {
        Self::Event(Box::new(error))
    }
}
