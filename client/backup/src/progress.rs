//! How far a long operation is, and the way to stop it.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustic_core::{HiddenProgress, ProgressBars, ProgressType, RusticProgress};
use serde::Serialize;

use crate::error::{Error, Result};

/// What is going on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Phase {
    /// Reading the index; taking over what an interrupted backup left.
    Preparing,
    /// Reading files and storing what is new.
    BackingUp,
    /// Comparing the snapshot with what is in the target already.
    Comparing,
    /// Writing files.
    Restoring,
    /// Times and permissions of directories.
    Finishing,
    /// Checking index and directory trees.
    CheckingStructure,
    /// Reading all data back.
    CheckingData,
}

/// One report. Counters only grow within a phase.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Update {
    /// What is going on.
    pub phase: Phase,
    /// Bytes done.
    pub bytes_done: u64,
    /// Bytes in all, once known.
    pub bytes_total: Option<u64>,
    /// Files (in checks: snapshots or packs) done.
    pub files_done: u64,
    /// Files in all, once known.
    pub files_total: Option<u64>,
}

/// The answer to a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flow {
    /// Go on.
    Continue,
    /// Stop soon and return [`Error::Cancelled`]. What was stored stays and is used next time.
    Cancel,
}

/// Receives reports, at most about ten a second and one at each change of phase, from any thread.
pub trait Progress: Send + Sync + 'static {
    /// One report.
    fn update(&self, update: &Update) -> Flow;
}

impl<F: Fn(&Update) -> Flow + Send + Sync + 'static> Progress for F {
    fn update(&self, update: &Update) -> Flow {
        self(update)
    }
}

/// Shows nothing.
#[derive(Debug, Clone, Copy)]
pub struct Silent;

impl Progress for Silent {
    fn update(&self, _: &Update) -> Flow {
        Flow::Continue
    }
}

const INTERVAL: Duration = Duration::from_millis(100);

/// Counts, and reports what it counted.
pub(crate) struct Meter {
    sink: Arc<dyn Progress>,
    cancelled: AtomicBool,
    bytes_done: AtomicU64,
    files_done: AtomicU64,
    shown: Mutex<Shown>,
}

struct Shown {
    phase: Phase,
    bytes_total: Option<u64>,
    files_total: Option<u64>,
    at: Option<Instant>,
}

impl Meter {
    pub(crate) fn new(sink: Arc<dyn Progress>) -> Arc<Self> {
        Arc::new(Self {
            sink,
            cancelled: AtomicBool::new(false),
            bytes_done: AtomicU64::new(0),
            files_done: AtomicU64::new(0),
            shown: Mutex::new(Shown {
                phase: Phase::Preparing,
                bytes_total: None,
                files_total: None,
                at: None,
            }),
        })
    }

    pub(crate) fn phase(&self, phase: Phase, bytes_total: Option<u64>, files_total: Option<u64>) {
        self.bytes_done.store(0, Relaxed);
        self.files_done.store(0, Relaxed);
        if let Ok(mut shown) = self.shown.lock() {
            *shown = Shown { phase, bytes_total, files_total, at: None };
        }
        self.report();
    }

    pub(crate) fn totals(&self, bytes: u64, files: u64) {
        if let Ok(mut shown) = self.shown.lock() {
            shown.bytes_total = Some(bytes);
            shown.files_total = Some(files);
        }
    }

    pub(crate) fn bytes(&self, bytes: u64) {
        self.bytes_done.fetch_add(bytes, Relaxed);
        self.report();
    }

    pub(crate) fn file(&self) {
        self.files_done.fetch_add(1, Relaxed);
        self.report();
    }

    /// The last report of a phase, whatever the clock says.
    pub(crate) fn flush(&self) {
        if let Ok(mut shown) = self.shown.lock() {
            shown.at = None;
        }
        self.report();
    }

    pub(crate) fn is_cancelled(&self) -> bool {
        self.cancelled.load(Relaxed)
    }

    pub(crate) fn go_on(&self) -> Result<()> {
        if self.is_cancelled() {
            return Err(Error::Cancelled);
        }
        Ok(())
    }

    fn report(&self) {
        // Whoever finds the lock taken leaves the report to the thread that holds it.
        let Ok(mut shown) = self.shown.try_lock() else {
            return;
        };
        if shown.at.is_some_and(|at| at.elapsed() < INTERVAL) {
            return;
        }
        shown.at = Some(Instant::now());
        let update = Update {
            phase: shown.phase,
            bytes_done: self.bytes_done.load(Relaxed),
            bytes_total: shown.bytes_total,
            files_done: self.files_done.load(Relaxed),
            files_total: shown.files_total,
        };
        if self.sink.update(&update) == Flow::Cancel {
            self.cancelled.store(true, Relaxed);
        }
    }
}

impl std::fmt::Debug for Meter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Meter").finish_non_exhaustive()
    }
}

/// Feeds the engine's byte counter of a backup into the meter; its other bars say nothing.
#[derive(Debug, Clone)]
pub(crate) struct Bars(pub(crate) Arc<Meter>);

impl ProgressBars for Bars {
    fn progress(&self, kind: ProgressType, prefix: &str) -> rustic_core::Progress {
        if matches!(kind, ProgressType::Bytes) && prefix.starts_with("backing up") {
            rustic_core::Progress::new(self.clone())
        } else {
            rustic_core::Progress::new(HiddenProgress)
        }
    }
}

impl RusticProgress for Bars {
    fn is_hidden(&self) -> bool {
        false
    }
    fn set_length(&self, _: u64) {}
    fn set_title(&self, _: &str) {}
    fn inc(&self, bytes: u64) {
        self.0.bytes(bytes);
    }
    fn finish(&self) {}
}
