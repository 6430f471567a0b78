//! A witness: cosigns what extends all that it cosigned before, one log after another (spec §21.6).

use crate::folder::{Folder, FolderError};
use std::sync::Arc;
use strongroom_tlog::{
    CheckpointError, LogKey, Note, NoteError, NoteSigner, SignError, SignedCheckpoint, TreeHead,
    WitnessSigner, caps, cosign,
    witness::{AddCheckpoint, KnownLog, Refusal, cosigned_body, latest_path},
};

/// A witness of some logs.
pub struct Witness<S> {
    folder: Arc<Folder>,
    signer: WitnessSigner<S>,
    logs: Vec<(LogKey, Option<SignedCheckpoint>)>,
}

impl<S: NoteSigner> Witness<S> {
    /// Opens a witness's folder and reads what it cosigned last of each log.
    ///
    /// # Errors
    /// [`WitnessError`]: a witness that does not know what it cosigned cosigns nothing.
    pub fn open(
        folder: Arc<Folder>,
        signer: WitnessSigner<S>,
        logs: Vec<LogKey>,
    ) -> Result<Self, WitnessError> {
        let mut known = Vec::with_capacity(logs.len());
        for log in logs {
            let latest = match folder.read(&latest_path(log.name()), caps::NOTE_LEN_MAX)? {
                Some(note) => Some(SignedCheckpoint::verify(Note::parse(&note)?, &log)?),
                None => None,
            };
            known.push((log, latest));
        }
        Ok(Self { folder, signer, logs: known })
    }

    /// Answers `POST add-checkpoint`: the body, or a refusal with its status.
    ///
    /// It takes the witness whole, so nothing comes between the comparison and the disk: two requests
    /// at once cannot roll it back.
    ///
    /// # Errors
    /// [`WitnessError::Refused`] for the log to mend, others for the witness's operator.
    pub fn add_checkpoint(&mut self, body: &[u8], now_s: u64) -> Result<String, WitnessError> {
        self.add_checkpoint_if(body, now_s, |_| Ok(()))
    }

    /// The same by a witness that says more than that a tree was extended: `vet` looks at what the
    /// checkpoint, signed by its log and consistent, leads to (spec §21.6).
    ///
    /// # Errors
    /// [`WitnessError`], also what `vet` says; nothing was cosigned or kept.
    pub fn add_checkpoint_if(
        &mut self,
        body: &[u8],
        now_s: u64,
        vet: impl FnOnce(&SignedCheckpoint) -> Result<(), WitnessError>,
    ) -> Result<String, WitnessError> {
        let request = AddCheckpoint::parse(body).map_err(Refusal::from)?;
        let at = self.logs.iter().position(|(log, _)| log.name() == request.origin());
        let entry = at.and_then(|at| self.logs.get_mut(at));
        let Some((log, latest)) = entry else {
            return Err(Refusal::UnknownOrigin { got: request.origin().to_owned() }.into());
        };
        let last: Option<TreeHead> = latest.as_ref().map(|latest| latest.checkpoint().head());
        let consistent = request.decide(Some(&KnownLog::new(log.clone())), last)?;
        vet(consistent.signed())?;
        let line = cosign(&consistent, &self.signer, now_s)?;
        // The log's line and this witness's own are kept; whatever else the request carried is not
        // this witness's to serve.
        let mut signed = only_the_logs(consistent.signed(), log)?;
        // The line was made here; that it is good is what the signer checked.
        signed
            .add_cosignature(line.clone(), self.signer.key())
            .map_err(|error| WitnessError::Own(error.to_string()))?;
        // A crash before this has cosigned nothing that anybody saw; after it, the log asks again and
        // gets a second cosignature of the same tree.
        self.folder.write(&latest_path(log.name()), &signed.to_bytes())?;
        *latest = Some(signed);
        Ok(cosigned_body(&[line]))
    }

    /// The latest checkpoint of a log that it cosigned: `GET <origin hash>/checkpoint`.
    pub fn latest(&self, origin: &str) -> Option<&SignedCheckpoint> {
        let of = self.logs.iter().find(|(log, _)| log.name() == origin);
        of.and_then(|(_, latest)| latest.as_ref())
    }
}

fn only_the_logs(
    signed: &SignedCheckpoint,
    log: &LogKey,
) -> Result<SignedCheckpoint, WitnessError> {
    let lines = signed.note().signatures().iter().filter(|line| line.names(log)).cloned();
    let note = Note::new(signed.note().text(), lines.collect())?;
    Ok(SignedCheckpoint::verify(note, log)?)
}

/// Why a witness did not cosign.
#[derive(Debug, thiserror::Error)]
pub enum WitnessError {
    /// The request; its status and body are the refusal's.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The leaves could not be had, so they could not be looked at.
    #[error("not cosigned: the leaves could not be looked at: {0}")]
    Unchecked(String),
    /// A leaf breaks a rule under a root that its log signed.
    #[error("not cosigned: {0}")]
    Leaf(String),
    /// The folder.
    #[error(transparent)]
    Folder(#[from] FolderError),
    /// What it kept is no checkpoint of the log.
    #[error("the checkpoint on the disk: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// What it kept is no note.
    #[error("the checkpoint on the disk: {0}")]
    Note(#[from] NoteError),
    /// The signer.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// Its own line does not fit.
    #[error("own cosignature: {0}")]
    Own(String),
}
