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
use std::{
    collections::{BTreeMap, btree_map::Entry},
    sync::Arc,
};
use strongroom_manifest::{Manifest, parse};
use strongroom_tlog::{
    LogSigner, NoteSignature, NoteSigner, Policy, SignedCheckpoint, witness::AddCheckpoint,
};
use strongroom_verify::{
    CLOCK_LEAD_MAX_MS, EVENTS_MAX, Event, EventOrder, Noted, check_event, events_origin,
};
use strongroom_wire::digest::sha256;

/// Places that positions do not get: nodes sign many, and the log must outlive them.
const RESERVED: u64 = 4_096;

/// Where an event log finds the manifests that its events are of: only released ones.
pub trait ManifestSource {
    /// The bytes of an epoch's manifest, if the log holds it. What an event in the log was checked under.
    ///
    /// # Errors
    /// What the auditor says.
    fn logged(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError>;

    /// The bytes of an epoch's manifest, if its auditor's signature was released.
    ///
    /// # Errors
    /// What the auditor says.
    fn released(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError>;
}

impl<S: NoteSigner, A: NoteSigner> ManifestSource for Auditor<S, A> {
    fn logged(&self, epoch: u64) -> Result<Option<Vec<u8>>, SubmitError> {
        self.logged_manifest(epoch)
    }

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
    operator_key: [u8; 32],
    policy: Policy,
    log: Log<S>,
    order: EventOrder,
    /// What events were checked under, by epoch: logged manifests never change.
    manifests: BTreeMap<u64, (Manifest, [u8; 32])>,
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
            operator_key: setup.operator_key,
            policy: setup.policy,
            log,
            order: EventOrder::default(),
            manifests: BTreeMap::new(),
            confirmed_s: None,
        };
        for (index, entry) in events.log.entries()? {
            let event = Event::from_leaf(events.log.origin(), &entry);
            let event = event.map_err(|error| EventSubmitError::Damaged { index, error })?;
            // Its epoch was released when it came; a response that rotted since can be made again.
            events.look_at(&event, |epoch| manifests.logged(epoch))?;
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
        let cosigned = cosigned::newest(&self.policy, self.log.signed(), None, lines, now_s);
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
        let event = Event::parse(json)?;
        if let Some(index) = self.order.index_of(&event) {
            return Ok(index);
        }
        let order = self.check(&event, manifests, now_ms)?;
        let now_s = now_ms / 1_000;
        if self.confirmed_s.is_none_or(|at| now_s.abs_diff(at) > CONFIRMED_S_MAX) {
            return Err(EventSubmitError::Unconfirmed);
        }
        let leaf = event.to_leaf(self.log.origin());
        // An event carries all that is signed for it, so no intent comes before: a crash within leaves
        // files that nothing signed leads to, and the same event comes again or never.
        self.log.append(&[leaf])?;
        self.order = order;
        Ok(self.log.head().size.saturating_sub(1))
    }

    /// What an event must keep to be taken now, but for the witnesses; the order with it.
    ///
    /// # Errors
    /// [`EventSubmitError`].
    pub fn check(
        &mut self,
        event: &Event,
        manifests: &impl ManifestSource,
        now_ms: u64,
    ) -> Result<EventOrder, EventSubmitError> {
        if event.time_ms() > now_ms.saturating_add(CLOCK_LEAD_MAX_MS) {
            return Err(EventSubmitError::FromTheFuture { got_ms: event.time_ms(), now_ms });
        }
        self.look_at(event, |epoch| manifests.released(epoch))?;
        let mut order = self.order.clone();
        order.take(event)?;
        let is_position = matches!(event, Event::Position(_));
        let room = if is_position { EVENTS_MAX - RESERVED } else { EVENTS_MAX };
        if self.log.head().size >= room {
            return Err(EventSubmitError::Full);
        }
        Ok(order)
    }

    /// The same of an event that may be in the log already.
    ///
    /// # Errors
    /// [`EventSubmitError`].
    pub fn check_or_has(
        &mut self,
        event: &Event,
        manifests: &impl ManifestSource,
        now_ms: u64,
    ) -> Result<(), EventSubmitError> {
        if self.order.index_of(event).is_some() {
            return Ok(());
        }
        self.check(event, manifests, now_ms).map(drop)
    }

    /// Takes cosignatures of the last checkpoint, and publishes it when they are a quorum.
    ///
    /// # Errors
    /// [`EventSubmitError::Quorum`] if they are too few; nothing was published.
    pub fn release(&mut self, lines: &[NoteSignature], now_s: u64) -> Result<(), EventSubmitError> {
        // A published checkpoint that rotted is written anew.
        let published = self.log.published().ok().flatten();
        let signed = self.log.signed();
        let cosigned = cosigned::newest(&self.policy, signed, published.as_ref(), lines, now_s);
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
        let Some(index) = self.order.index_of(event) else { return Ok(None) };
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

    /// What an event must keep, whether it was just submitted or lies on the disk.
    fn look_at(
        &mut self,
        event: &Event,
        of: impl FnOnce(u64) -> Result<Option<Vec<u8>>, SubmitError>,
    ) -> Result<(), EventSubmitError> {
        let epoch = event.epoch();
        let (manifest, digest) = match self.manifests.entry(epoch) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let bytes = of(epoch).map_err(Box::new)?;
                let bytes = bytes.ok_or(EventSubmitError::NotReleased { epoch })?;
                let manifest = parse(&bytes).map_err(EventSubmitError::Manifest)?;
                place.insert((manifest, sha256(&bytes)))
            }
        };
        let origin = self.log.origin();
        Ok(check_event(event, origin, manifest, digest, &self.operator_key)?)
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
