//! The event log: what happens to fleets between two manifests, each looked at before it is signed
//! (spec §21.7).

mod error;

pub use error::EventSubmitError;

use crate::{
    answer::Answer,
    auditor::{Auditor, SubmitError},
    cosigned::{self, CONFIRMED_S_MAX, near},
    folder::Folder,
    log::Log,
};
use std::sync::Arc;
use strongroom_manifest::{Manifest, parse};
use strongroom_tlog::{
    LogSigner, NoteSignature, NoteSigner, Policy, SignedCheckpoint, witness::AddCheckpoint,
};
use strongroom_verify::{
    CLOCK_LEAD_MAX_MS, EVENTS_MAX, Event, EventOrder, Noted, OrderFault, check_event, events_origin,
};
use strongroom_wire::digest::sha256;

/// Where an event log finds the manifests that its events are of: only released ones.
pub trait ManifestSource {
    /// The bytes of an epoch's manifest, if its auditor's signature was released.
    ///
    /// # Errors
    /// What the auditor says.
    fn released(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError>;
}

impl<S: NoteSigner, A: NoteSigner> ManifestSource for Auditor<S, A> {
    fn released(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError> {
        self.released_manifest(epoch)
    }
}

/// What an event log is set up with.
pub struct EventLogSetup<S> {
    /// The origin of the manifest log beside it.
    pub manifest_log: String,
    /// Whose deployment records it takes.
    pub operator_key: [u8; 32],
    /// The manifest log's witnesses, and how many must have cosigned.
    pub policy: Policy,
    /// The manifest log's key, under this log's origin.
    pub log_signer: LogSigner<S>,
}

/// One namespace's event log.
pub struct EventLog<S> {
    manifest_log: String,
    operator_key: [u8; 32],
    policy: Policy,
    log: Log<S>,
    order: EventOrder,
    /// When a quorum of witnesses last cosigned this folder's head, seconds since the Unix epoch.
    confirmed_s: Option<u64>,
}

impl<S: NoteSigner> EventLog<S> {
    /// Opens an event log's folder: reads every event again and checks it as when it came. It takes
    /// nothing before [`EventLog::confirm`].
    ///
    /// # Errors
    /// [`EventSubmitError`].
    pub fn open(
        folder: Arc<Folder>,
        setup: EventLogSetup<S>,
        manifests: &impl ManifestSource,
    ) -> Result<Self, EventSubmitError> {
        // Without witnesses nobody would notice a second history, this log included.
        if !setup.policy.needs_witnesses() {
            return Err(EventSubmitError::NoWitnesses);
        }
        let expected = events_origin(&setup.manifest_log);
        let got = setup.log_signer.key().name();
        if got != expected {
            return Err(EventSubmitError::Origin { got: got.to_owned(), expected });
        }
        let log = Log::open(folder, setup.log_signer)?;
        let mut events = Self {
            manifest_log: setup.manifest_log,
            operator_key: setup.operator_key,
            policy: setup.policy,
            log,
            order: EventOrder::default(),
            confirmed_s: None,
        };
        for (index, entry) in events.log.entries()? {
            let event = Event::from_leaf(events.log.origin(), &entry);
            let event = event.map_err(|error| EventSubmitError::Damaged { index, error })?;
            events.look_at(&event, manifests)?;
            events.order.take(&event)?;
        }
        Ok(events)
    }

    /// Believes that this folder is the newest there is, once a quorum of witnesses has cosigned its head
    /// now: as [`Auditor::confirm`], and against the same attack.
    ///
    /// # Errors
    /// [`EventSubmitError::Quorum`] if they are too few.
    pub fn confirm(
        &mut self,
        lines: &[NoteSignature],
        asked_s: u64,
        now_s: u64,
    ) -> Result<(), EventSubmitError> {
        self.confirmed_s = None;
        let cosigned = cosigned::newest(&self.policy, self.log.signed(), None, lines)?;
        let now = |timestamp: u64| timestamp >= asked_s && near(now_s)(timestamp);
        self.policy.check(&cosigned, now).map_err(EventSubmitError::Quorum)?;
        self.confirmed_s = Some(now_s);
        Ok(())
    }

    /// Takes an event into the log, up to where witnesses are needed; its index. The same event again is
    /// no error.
    ///
    /// # Errors
    /// [`EventSubmitError`]; nothing was signed for what was refused.
    pub fn submit(
        &mut self,
        json: &[u8],
        manifests: &impl ManifestSource,
        now_ms: u64,
    ) -> Result<u64, EventSubmitError> {
        let now_s = now_ms / 1_000;
        if self.confirmed_s.is_none_or(|at| now_s.abs_diff(at) > CONFIRMED_S_MAX) {
            return Err(EventSubmitError::Unconfirmed);
        }
        let event = Event::parse(json)?;
        if event.time_ms() > now_ms.saturating_add(CLOCK_LEAD_MAX_MS) {
            return Err(EventSubmitError::FromTheFuture { got_ms: event.time_ms(), now_ms });
        }
        let leaf = event.to_leaf(self.log.origin());
        self.look_at(&event, manifests)?;
        let mut order = self.order.clone();
        match order.take(&event) {
            Ok(_) => {}
            Err(OrderFault::Twice) => return self.index_of(&leaf),
            Err(fault) => return Err(fault.into()),
        }
        if self.log.head().size >= EVENTS_MAX {
            return Err(EventSubmitError::Full);
        }
        // An event carries all that is signed for it, so no intent comes before: a crash within leaves
        // files that nothing signed leads to, and the same event comes again or never.
        self.log.append(&[leaf])?;
        self.order = order;
        Ok(self.log.head().size.saturating_sub(1))
    }

    /// Takes cosignatures of the last checkpoint, and publishes it when they are a quorum.
    ///
    /// # Errors
    /// [`EventSubmitError::Quorum`] if they are too few; nothing was published.
    pub fn release(&mut self, lines: &[NoteSignature], now_s: u64) -> Result<(), EventSubmitError> {
        // A published checkpoint that rotted is written anew.
        let published = self.log.published().ok().flatten();
        let signed = self.log.signed();
        let cosigned = cosigned::newest(&self.policy, signed, published.as_ref(), lines)?;
        self.policy.check(&cosigned, near(now_s)).map_err(EventSubmitError::Quorum)?;
        Ok(self.log.publish(&cosigned)?)
    }

    /// The request that asks a witness, whose last size is `old_size`, for its cosignature.
    ///
    /// # Errors
    /// [`EventSubmitError::Restored`] if the witness is ahead.
    pub fn request(&mut self, old_size: u64) -> Result<AddCheckpoint, EventSubmitError> {
        let size = self.log.head().size;
        if old_size > size {
            self.confirmed_s = None;
            return Err(EventSubmitError::Restored { got: size, witnessed: old_size });
        }
        let proof = self.log.consistency(old_size)?;
        AddCheckpoint::new(old_size, proof, self.log.signed()).map_err(EventSubmitError::Request)
    }

    /// The checkpoint that is served, if one is.
    ///
    /// # Errors
    /// [`EventSubmitError::Log`].
    pub fn published(&self) -> Result<Option<SignedCheckpoint>, EventSubmitError> {
        Ok(self.log.published()?)
    }

    /// The index of an event that stands in the log and is published; none if it does not stand there.
    ///
    /// # Errors
    /// [`EventSubmitError::Waits`] if its quorum is missing.
    pub fn recorded(&self, event: &Event) -> Result<Option<u64>, EventSubmitError> {
        if !self.order.has(event) {
            return Ok(None);
        }
        let index = self.index_of(&event.to_leaf(self.log.origin()))?;
        let published = self.published()?.map_or(0, |signed| signed.checkpoint().size());
        if index < published { Ok(Some(index)) } else { Err(EventSubmitError::Waits { index }) }
    }

    /// Answers `GET` of a path that is `below` the log's prefix.
    pub fn get(&self, path: &str, below: &str) -> Answer {
        match self.log.served(below) {
            Ok(served) => Answer::of_log(path, served),
            Err(error) => Answer::from(&EventSubmitError::Log(error)),
        }
    }

    /// Witnesses, and how many are needed.
    pub const fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The log.
    pub const fn log(&self) -> &Log<S> {
        &self.log
    }

    /// The origin of the manifest log beside it.
    pub fn manifest_log(&self) -> &str {
        &self.manifest_log
    }

    /// What an event must keep, whether it was just submitted or lies on the disk.
    fn look_at(
        &self,
        event: &Event,
        manifests: &impl ManifestSource,
    ) -> Result<(), EventSubmitError> {
        let epoch = event.epoch();
        let bytes = manifests.released(epoch).map_err(Box::new)?;
        let bytes = bytes.ok_or(EventSubmitError::NotReleased { epoch })?;
        let manifest: Manifest = parse(&bytes).map_err(EventSubmitError::Manifest)?;
        let digest = sha256(&bytes);
        let origin = self.log.origin();
        Ok(check_event(event, origin, &manifest, &digest, &self.operator_key)?)
    }

    fn index_of(&self, leaf: &[u8]) -> Result<u64, EventSubmitError> {
        let all = self.log.entries()?;
        let found = all.iter().find(|(_, entry)| entry == leaf).map(|(index, _)| *index);
        found.ok_or(EventSubmitError::Order(OrderFault::Twice))
    }

    /// Every event, in order, with what is worth telling of it.
    ///
    /// # Errors
    /// [`EventSubmitError`].
    pub fn events(&self) -> Result<Vec<(Event, Noted)>, EventSubmitError> {
        let mut order = EventOrder::default();
        let mut all = Vec::new();
        for (index, entry) in self.log.entries()? {
            let event = Event::from_leaf(self.log.origin(), &entry);
            let event = event.map_err(|error| EventSubmitError::Damaged { index, error })?;
            let noted = order.take(&event)?;
            all.push((event, noted));
        }
        Ok(all)
    }
}
