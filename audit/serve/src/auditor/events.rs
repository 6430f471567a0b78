//! The event log beside the manifest log: the same keys, witnesses and turn (spec §21.7).

use super::{
    config::Config,
    desk::{Book, Desk, Failure, LiveAuditor, Turn, unavailable},
    round::{CLOCK_BEHIND_S, ROUNDS_MAX},
};
use crate::{error::ServeError, files::AnySigner, now_ms, now_s};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
};
use strongroom_log::{Answer, EventLog, EventSubmitError, Folder};
use strongroom_verify::Event;
use tokio::task::spawn_blocking;

/// Events that wait for the turn.
pub(crate) const RECORDING_MAX: usize = 8;

pub(crate) type LiveEvents = EventLog<AnySigner>;

/// The event log, as the auditor is kept: none after its disk failed, and opened anew by the next.
pub(crate) struct Events {
    folder: PathBuf,
    log: RwLock<Option<LiveEvents>>,
}

impl Events {
    /// Opens the event log, if the auditor keeps one: reads every event again, each under its manifest.
    pub(crate) fn open(config: &Config, auditor: &LiveAuditor) -> Result<Option<Self>, ServeError> {
        let Some(folder) = config.events_folder.clone() else { return Ok(None) };
        let log = match open(config, &folder, auditor) {
            Ok(log) => {
                let (vkey, events) = (log.log().key().to_string(), log.log().head().size);
                tracing::info!(vkey, events, "event log");
                Some(log)
            }
            // A setting is for whoever starts it. A folder is not: manifests go on, and `/readyz` says no.
            Err(error) if error.is_configuration() => return Err(error),
            Err(error) => {
                tracing::error!(%error, "the event log does not open; manifests go on without it");
                None
            }
        };
        Ok(Some(Self { folder, log: RwLock::new(log) }))
    }
}

fn open(config: &Config, folder: &Path, auditor: &LiveAuditor) -> Result<LiveEvents, ServeError> {
    let setup = config.loaded()?.events(config)?;
    Ok(EventLog::open(Arc::new(Folder::open(folder)?), setup, auditor)?)
}

impl Desk {
    /// The event log's part of a path.
    fn below_events<'a>(&self, path: &'a str) -> Option<&'a str> {
        let below = path.strip_prefix('/')?.strip_prefix(self.config.namespace.as_str())?;
        below.strip_prefix("/events/")
    }

    /// The answer to a `GET`, if the path is the event log's and there is one.
    pub(crate) fn get_event(&self, path: &str) -> Option<Answer> {
        let below = self.below_events(path)?;
        // One that is put away is opened again by the keeper's next round, not by whoever reads.
        let place = self.events.as_ref()?.log.read().unwrap_or_else(PoisonError::into_inner);
        Some(place.as_ref().map_or_else(
            || Answer::problem(503, "auditor", "the event log's folder is not open".to_owned()),
            |events| events.get(path, below),
        ))
    }

    /// Changes something with the event log, on a thread that may wait for the disk, and shows what changed.
    async fn change_events<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut LiveEvents, &LiveAuditor) -> Result<T, EventSubmitError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with_events(work, true).await
    }

    /// Looks something up in it.
    pub(crate) async fn look_events<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut LiveEvents, &LiveAuditor) -> Result<T, EventSubmitError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with_events(work, false).await
    }

    async fn with_events<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut LiveEvents, &LiveAuditor) -> Result<T, EventSubmitError> + Send + 'static,
        changes: bool,
    ) -> Result<T, Failure> {
        let desk = Arc::clone(self);
        let done = spawn_blocking(move || {
            let done = desk.worked_with_events(work);
            // Both locks are free again: showing takes the event log's once more, and whoever waits for one
            // while holding the other in the wrong order waits for ever.
            if changes {
                desk.show_events();
            }
            done
        })
        .await;
        done.unwrap_or_else(|error| Err(unavailable(format!("the work ended early: {error}"))))
    }

    fn worked_with_events<T>(
        &self,
        work: impl FnOnce(&mut LiveEvents, &LiveAuditor) -> Result<T, EventSubmitError>,
    ) -> Result<T, Failure> {
        let Some(own) = &self.events else {
            let what = "this auditor keeps no event log".to_owned();
            return Err(Failure::Unavailable("no_event_log", what));
        };
        let mut place = own.log.write().unwrap_or_else(PoisonError::into_inner);
        // In this order everywhere: the event log, then the auditor, which only is read.
        let auditor = self.read();
        let Some(auditor) = auditor.as_ref() else {
            return Err(unavailable("the auditor's folder is not open".to_owned()));
        };
        let mut events = match place.take() {
            Some(events) => events,
            None => open(&self.config, &own.folder, auditor)
                .map_err(|error| unavailable(error.to_string()))?,
        };
        // A panic in here leaves the place empty, and the folder closed.
        let done = work(&mut events, auditor);
        if let Err(error @ EventSubmitError::Log(_)) = &done {
            tracing::error!(%error, "the event log's disk failed; its folder is read again before more is signed");
        } else {
            *place = Some(events);
        }
        Ok(done?)
    }

    /// Shows what may have changed.
    pub(crate) fn show_events(&self) {
        let Some(own) = &self.events else { return };
        let path = format!("/{}/events/checkpoint", self.config.namespace);
        if let Some(answer) = self.get_event(&path) {
            self.shelf.show(&path, answer);
        }
        let place = own.log.read().unwrap_or_else(PoisonError::into_inner);
        let Some(events) = place.as_ref() else { return };
        let size = events.log().head().size;
        self.health().events = size;
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; events are 65,536 at most"
        )]
        self.gauges.events.set(size as f64);
    }

    /// Records an event, whatever becomes of who asked for it.
    pub(crate) async fn record(self: &Arc<Self>, event: Event) -> Answer {
        let desk = Arc::clone(self);
        let (kind, epoch, fleet) = (event.kind(), event.epoch(), event.fleet().to_owned());
        let done = tokio::spawn(async move { desk.recorded(event).await }).await;
        let done = done
            .unwrap_or_else(|error| Err(unavailable(format!("recording ended early: {error}"))));
        match done {
            Ok(index) => {
                tracing::info!(kind, epoch, fleet, index, "recorded");
                Answer::recorded(index)
            }
            Err(failure) => {
                tracing::warn!(kind, epoch, fleet, %failure, "not recorded");
                // It may be in the log and wait for witnesses; the keeper asks on.
                self.wake.notify_one();
                Answer::from(&failure)
            }
        }
    }

    async fn recorded(self: &Arc<Self>, event: Event) -> Result<u64, Failure> {
        let event = Arc::new(event);
        // What is published is found so, whoever is down.
        if let Ok(Some(index)) = self.find_event(&event).await {
            return Ok(index);
        }
        // Whoever waits for the turn waits with something that holds, and not too many of them: a manifest
        // waits for the same turn.
        let Ok(_place) = self.recording.try_acquire() else {
            let what = format!("{RECORDING_MAX} events wait to be recorded; try again");
            return Err(Failure::Unavailable("busy", what));
        };
        let given = Arc::clone(&event);
        self.look_events(move |events, auditor| events.check_or_has(&given, auditor, now_ms()))
            .await?;
        let mut turn = self.turn().await?;
        self.refuse_restored()?;
        for _ in 0..ROUNDS_MAX {
            let given = Arc::clone(&event);
            let taken = self
                .change_events(move |events, auditor| {
                    events.submit(&given.to_json(), auditor, now_ms())
                })
                .await;
            match taken {
                Err(Failure::Event(error)) if matches!(*error, EventSubmitError::Unconfirmed) => {
                    self.round_of_events(&mut turn).await?;
                }
                other => {
                    other?;
                    break;
                }
            }
        }
        // A crash here leaves an event that nobody saw; the keeper publishes it, or the same event again.
        let round = self.round_of_events(&mut turn).await;
        match (self.find_event(&event).await, round) {
            (Ok(Some(index)), _) => Ok(index),
            (_, Err(failure)) | (Err(failure), Ok(())) => Err(failure),
            (Ok(None), Ok(())) => Err(EventSubmitError::Unconfirmed.into()),
        }
    }

    async fn find_event(self: &Arc<Self>, event: &Arc<Event>) -> Result<Option<u64>, Failure> {
        let event = Arc::clone(event);
        self.look_events(move |events, _| events.recorded(&event)).await
    }

    /// One round of witnesses over the event log: for an event that was just taken, and for a head that
    /// is only to stay fresh.
    pub(crate) async fn round_of_events(self: &Arc<Self>, turn: &mut Turn) -> Result<(), Failure> {
        self.refuse_restored()?;
        let asked_s = now_s().saturating_sub(CLOCK_BEHIND_S);
        let (signed, policy) = self
            .look_events(|events, _| Ok((events.log().signed().clone(), events.policy().clone())))
            .await?;
        let lines = self.ask_all(Book::Events, turn, signed, &policy, asked_s).await?;
        let done = self
            .change_events(move |events, _| {
                let now_s = now_s();
                let confirmed = events.confirm(&lines, asked_s, now_s);
                events.release(&lines, now_s)?;
                confirmed
            })
            .await;
        match &done {
            Ok(()) => self.events_confirmed(),
            Err(_) => self.gauges.rounds_failed.increment(1),
        }
        done
    }
}
