//! What the auditor's addresses share: the auditor, behind one lock and one turn.

use super::{
    config::Config,
    events::{Events, RECORDING_MAX},
    gauges::Gauges,
    shelf::{Shelf, shown},
};
use crate::{
    ask::{Asker, WitnessAddress},
    error::ServeError,
    files::AnySigner,
    http::Kept,
    now_s,
};
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
    time::Duration,
};
use strongroom_log::{Answer, Auditor, EventSubmitError, Folder, SubmitError};
use tokio::{
    sync::{Mutex as TurnMutex, MutexGuard as TurnGuard, Notify, Semaphore},
    task::spawn_blocking,
};

pub(crate) type LiveAuditor = Auditor<AnySigner, AnySigner>;

/// Files that are read at one time; each may be 16 MiB.
const READING_MAX: usize = 16;
/// How long a publisher waits for another.
const TURN_PATIENCE: Duration = Duration::from_secs(60);

/// One auditor at work.
pub(crate) struct Desk {
    pub(crate) config: Config,
    /// None after its disk failed: whoever comes next opens it anew, which reads what is there.
    auditor: RwLock<Option<LiveAuditor>>,
    /// The event log beside it, if it keeps one.
    pub(crate) events: Option<Events>,
    pub(crate) shelf: Shelf,
    pub(crate) gauges: Gauges,
    pub(crate) witnesses: Vec<WitnessAddress>,
    pub(crate) asker: Asker,
    turn: TurnMutex<Turn>,
    health: Mutex<Health>,
    /// Tells the keeper that something waits for witnesses.
    pub(crate) wake: Notify,
    reading: Semaphore,
    pub(crate) recording: Semaphore,
}

/// Held by whoever asks witnesses or grows the log: one at a time.
pub(crate) struct Turn {
    manifests: Vec<u64>,
    events: Vec<u64>,
}

/// Which of the two logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Book {
    Manifests,
    Events,
}

impl Turn {
    fn of(witnesses: usize) -> Self {
        Self { manifests: vec![0; witnesses], events: vec![0; witnesses] }
    }

    /// The size that each witness is believed to have.
    pub(crate) fn sizes(&mut self, book: Book) -> &mut Vec<u64> {
        match book {
            Book::Manifests => &mut self.manifests,
            Book::Events => &mut self.events,
        }
    }
}

/// How it goes, for whoever watches.
#[derive(Debug, Clone, Default)]
pub(crate) struct Health {
    /// When a quorum last cosigned the head.
    pub(crate) confirmed_s: Option<u64>,
    /// When a quorum last cosigned the event log's.
    pub(crate) events_confirmed_s: Option<u64>,
    /// Events.
    pub(crate) events: u64,
    /// The last epoch waits for its quorum.
    pub(crate) is_unreleased: bool,
    /// A witness had seen more; nothing is taken until a person has looked and started again.
    pub(crate) restored: Option<String>,
    /// Leaves.
    pub(crate) size: u64,
    /// What the last round failed with.
    pub(crate) trouble: Option<String>,
}

/// Why something was not done.
#[derive(Debug)]
pub(crate) enum Failure {
    /// The auditor refuses or fails.
    Submit(SubmitError),
    /// The event log does.
    Event(Box<EventSubmitError>),
    /// There is no auditor at the moment, or no turn.
    Unavailable(&'static str, String),
}

impl From<SubmitError> for Failure {
    fn from(error: SubmitError) -> Self {
        Self::Submit(error)
    }
}

impl From<EventSubmitError> for Failure {
    fn from(error: EventSubmitError) -> Self {
        Self::Event(Box::new(error))
    }
}

impl Failure {
    /// Of which size a witness has cosigned a log that is shorter here.
    pub(crate) fn witnessed(&self) -> Option<u64> {
        match self {
            Self::Submit(SubmitError::Restored { witnessed, .. }) => Some(*witnessed),
            Self::Event(error) => match **error {
                EventSubmitError::Restored { witnessed, .. } => Some(witnessed),
                _ => None,
            },
            _ => None,
        }
    }
}

impl From<&Failure> for Answer {
    fn from(failure: &Failure) -> Self {
        match failure {
            Failure::Submit(error) => error.into(),
            Failure::Event(error) => error.as_ref().into(),
            Failure::Unavailable(code, what) => Self::problem(503, code, what.clone()),
        }
    }
}

impl core::fmt::Display for Failure {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Submit(error) => error.fmt(f),
            Self::Event(error) => error.fmt(f),
            Self::Unavailable(_, what) => f.write_str(what),
        }
    }
}

impl Desk {
    /// Opens the auditor: reads every leaf again.
    pub(crate) fn open(config: Config) -> Result<Self, ServeError> {
        let auditor = open(&config)?;
        let witnesses = config.loaded()?.witnesses;
        let events = Events::open(&config, &auditor)?;
        let gauges = Gauges::new(witnesses.iter().map(|witness| witness.key.name()));
        let desk = Self {
            asker: Asker::new(&witnesses)?,
            auditor: RwLock::new(None),
            events,
            shelf: Shelf::default(),
            gauges,
            turn: TurnMutex::new(Turn::of(witnesses.len())),
            witnesses,
            health: Mutex::default(),
            wake: Notify::new(),
            reading: Semaphore::new(READING_MAX),
            recording: Semaphore::new(RECORDING_MAX),
            config,
        };
        desk.show(&auditor);
        *desk.write() = Some(auditor);
        desk.show_events();
        Ok(desk)
    }

    /// Changes something with the auditor, on a thread that may wait for the disk, and shows what
    /// changed.
    pub(crate) async fn change<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut LiveAuditor) -> Result<T, SubmitError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with(work, true).await
    }

    /// Looks something up. The auditor forgets a confirmation when a witness is ahead, so this takes it
    /// whole, too.
    pub(crate) async fn look<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut LiveAuditor) -> Result<T, SubmitError> + Send + 'static,
    ) -> Result<T, Failure> {
        self.with(work, false).await
    }

    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&mut LiveAuditor) -> Result<T, SubmitError> + Send + 'static,
        changes: bool,
    ) -> Result<T, Failure> {
        let desk = Arc::clone(self);
        let done = spawn_blocking(move || desk.worked(work, changes)).await;
        done.unwrap_or_else(|error| Err(unavailable(format!("the work ended early: {error}"))))
    }

    /// After an error of the disk the auditor is put away, and opened again by whoever comes next: what
    /// memory believes is on the disk may not be.
    fn worked<T>(
        &self,
        work: impl FnOnce(&mut LiveAuditor) -> Result<T, SubmitError>,
        changes: bool,
    ) -> Result<T, Failure> {
        let mut place = self.write();
        let mut auditor = match place.take() {
            Some(auditor) => auditor,
            None => open(&self.config).map_err(|error| unavailable(error.to_string()))?,
        };
        // A panic in here leaves the place empty, and the folder closed.
        let done = work(&mut auditor);
        if changes {
            self.show(&auditor);
        }
        if let Err(error @ (SubmitError::Folder(_) | SubmitError::Log(_))) = &done {
            tracing::error!(%error, "the auditor's disk failed; its folder is read again before more is signed");
        } else {
            *place = Some(auditor);
        }
        Ok(done?)
    }

    /// Shows what may have changed.
    fn show(&self, auditor: &LiveAuditor) {
        self.shelf.renew(auditor, &self.config.namespace);
        let size = auditor.log().head().size;
        // What cannot be read counts as not released: somebody should look.
        let is_unreleased = auditor.awaits_witnesses().unwrap_or(true);
        let mut health = self.health();
        (health.size, health.is_unreleased) = (size, is_unreleased);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a gauge is a float; logs have thousands of leaves"
        )]
        self.gauges.size.set(size as f64);
        self.gauges.unreleased.set(f64::from(u8::from(is_unreleased)));
    }

    /// Answers a `GET` of an address that the log or the API has, or nothing has.
    pub(crate) async fn get(self: &Arc<Self>, path: &str) -> Kept {
        if let Some(kept) = self.shelf.find(path) {
            return kept;
        }
        // Never closed, so there is a permit.
        let _place = self.reading.acquire().await;
        let (desk, path) = (Arc::clone(self), path.to_owned());
        let read = spawn_blocking(move || {
            // Before the auditor's lock is taken: whoever works with events takes that one second.
            if let Some(answer) = desk.get_event(&path) {
                let kept = shown(&path, answer);
                desk.shelf.keep(&path, &kept);
                return kept;
            }
            if desk.read().is_none() {
                // Whoever comes first after an error of the disk opens the folder again.
                if let Err(failure) = desk.worked(|_| Ok(()), true) {
                    tracing::error!(%failure, "the auditor's folder does not open");
                }
            }
            let place = desk.read();
            let Some(auditor) = place.as_ref() else {
                let what = "the auditor's folder is not open".to_owned();
                return Answer::problem(503, "auditor", what).into();
            };
            let kept = shown(&path, auditor.get(&path));
            desk.shelf.keep(&path, &kept);
            kept
        });
        let failed = |_| Answer::problem(500, "auditor", "reading ended early".to_owned()).into();
        read.await.unwrap_or_else(failed)
    }

    /// The turn, or who has it.
    pub(crate) async fn turn(&self) -> Result<TurnGuard<'_, Turn>, Failure> {
        let busy = |_| {
            let what = "another publication is under way; try again".to_owned();
            Failure::Unavailable("busy", what)
        };
        tokio::time::timeout(TURN_PATIENCE, self.turn.lock()).await.map_err(busy)
    }

    /// The turn, however long it takes.
    pub(crate) async fn turn_at_last(&self) -> TurnGuard<'_, Turn> {
        self.turn.lock().await
    }

    pub(crate) fn health(&self) -> MutexGuard<'_, Health> {
        // Plain fields, each whole.
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A quorum has cosigned the head now.
    pub(crate) fn confirmed(&self) {
        let now_s = now_s();
        let mut health = self.health();
        (health.confirmed_s, health.trouble) = (Some(now_s), None);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; seconds fit")]
        self.gauges.confirmed.set(now_s as f64);
    }

    /// The same of the event log.
    pub(crate) fn events_confirmed(&self) {
        let now_s = now_s();
        self.health().events_confirmed_s = Some(now_s);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; seconds fit")]
        self.gauges.events_confirmed.set(now_s as f64);
    }

    /// Nothing is taken any more until a person starts the auditor again.
    pub(crate) fn is_restored(&self, what: String) {
        tracing::error!(
            what,
            "a witness has seen more than this folder holds: publishing has ended"
        );
        self.gauges.restored.set(1.0);
        self.health().restored = Some(what);
    }

    /// Refuses after a witness had seen more.
    pub(crate) fn refuse_restored(&self) -> Result<(), Failure> {
        match &self.health().restored {
            Some(what) => Err(Failure::Unavailable("restored", what.clone())),
            None => Ok(()),
        }
    }

    pub(crate) fn read(&self) -> RwLockReadGuard<'_, Option<LiveAuditor>> {
        // After a panic the place is empty, which every reader and writer looks at.
        self.auditor.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Option<LiveAuditor>> {
        self.auditor.write().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(config: &Config) -> Result<LiveAuditor, ServeError> {
    let setup = config.loaded()?.setup;
    Ok(Auditor::open(Arc::new(Folder::open(&config.folder)?), setup)?)
}

pub(crate) fn unavailable(what: String) -> Failure {
    Failure::Unavailable("auditor", what)
}
