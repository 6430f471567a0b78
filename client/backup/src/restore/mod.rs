//! Writing a snapshot back.
//!
//! Three steps: *plan* reads the snapshot's trees, refuses what no honest snapshot contains and
//! compares what is in the target already; *content* fetches what is missing, pack by pack, into
//! `.strongroom-partial/` and moves each file to its name when it is whole; *finish* makes links
//! and sets the attributes of directories. Symbolic links come after all content, so nothing is ever
//! written through one that the snapshot brought.
//!
//! Killed at any point, the target holds whole files and a directory of partial ones; the same restore
//! again compares both and fetches the rest.

mod attributes;
mod content;
mod finish;
#[cfg(test)]
mod hostile;
mod plan;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use crate::backup::millis;
use crate::error::{Error, Result};
use crate::progress::{Phase, Progress};
use crate::repository::{Repository, Session};
use crate::summary::{RestoreSummary, Snapshot};

/// Where unfinished files are kept, below the target.
const PARTIAL: &str = ".strongroom-partial";

/// How to restore.
#[derive(Debug, Clone, Default)]
pub struct RestoreOptions {
    /// Restore only this file or directory of the snapshot (its absolute path in there).
    pub only: Option<PathBuf>,
    /// Replace files in the target that differ from the snapshot. Otherwise they are left alone and
    /// listed as [`crate::ProblemKind::InTheWay`].
    pub overwrite: bool,
    /// Put everything under its full path, as restic does (`target/home/ada/photos`), instead of under
    /// its last component (`target/photos`).
    pub full_paths: bool,
    /// Do not set owners. They are set only when running as root.
    pub no_owners: bool,
}

impl Repository {
    /// Restores a snapshot (`latest`, an id or a unique prefix) into a directory, which is made if
    /// missing. Continues an interrupted restore. Everything that is in the target already is compared
    /// byte for byte, never trusted by its time.
    ///
    /// Damaged data costs the files that need it and no others; they are listed in the summary and
    /// [`RestoreSummary::complete`] makes an error of them.
    ///
    /// # Errors
    /// The snapshot or the index cannot be read, the disk is full, or the callback cancelled. Files
    /// that were finished stay.
    pub fn restore(
        &self,
        snapshot: &str,
        target: &Path,
        options: &RestoreOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<RestoreSummary> {
        let started = Instant::now();
        let session = self.session(progress)?;
        session.meter.phase(Phase::Preparing, None, None);
        // A read-only copy of a repository can be restored too, and needs no lock.
        let _lock = match self.lock() {
            Err(error @ Error::Locked { .. }) => return Err(error),
            lock => lock.ok(),
        };
        let file = session.find_snapshot(snapshot)?;
        let Session { engine, guard, meter } = session;
        let engine = engine.to_indexed().map_err(|error| guard.explain(&error))?;

        fs::create_dir_all(target).map_err(|error| Error::path("create", target, error))?;
        // From here on the target is one fixed directory, whatever links led to it.
        let target =
            &fs::canonicalize(target).map_err(|error| Error::path("open", target, error))?;
        let mut summary = RestoreSummary::new(Snapshot::from_file(&file), target);
        let work = plan::Work {
            engine: &engine,
            guard: &guard,
            meter: &meter,
            options,
            partial: target.join(PARTIAL).join(summary.snapshot.short_id()),
            target,
        };

        meter.phase(Phase::Comparing, None, None);
        let plan = plan::make(&work, &file, &mut summary)?;
        content::restore(&work, &plan, &mut summary)?;
        meter.phase(Phase::Finishing, None, None);
        finish::links_and_directories(&work, &plan, &mut summary)?;
        work.remove_partial();
        meter.flush();
        summary.duration_ms = millis(started);
        Ok(summary)
    }
}

impl plan::Work<'_> {
    /// Removes the directory of partial files if nothing is left in it. What is left belongs to damaged
    /// files: a piece of a large file may be worth having.
    fn remove_partial(&self) {
        let _ = fs::remove_dir(&self.partial);
        let _ = fs::remove_dir(self.target.join(PARTIAL));
    }
}
