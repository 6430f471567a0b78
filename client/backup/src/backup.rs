//! Making a snapshot.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustic_core::{BackupOptions as EngineOptions, SnapshotOptions};

use crate::error::{Error, Result};
use crate::progress::{Phase, Progress};
use crate::repository::{Repository, Session};
use crate::resume;
use crate::source::{Source, Watch};
use crate::summary::{BackupSummary, Snapshot};

/// How to back up.
#[derive(Debug, Clone, Default)]
pub struct BackupOptions {
    /// Labels for the snapshot.
    pub tags: Vec<String>,
    /// The machine's name in the snapshot; its own by default. Unchanged files are looked for in the
    /// last snapshot of the same machine and paths.
    pub hostname: Option<String>,
    /// Do not enter other file systems that are mounted below the paths.
    pub one_file_system: bool,
    /// Read every file, even those whose size and times are as in the last snapshot.
    pub read_everything: bool,
}

impl Repository {
    /// Backs up files and directories into a new snapshot.
    ///
    /// What an earlier, interrupted backup has stored is taken over. Entries that cannot be read are
    /// left out and listed in the summary; [`BackupSummary::complete`] makes an error of them.
    ///
    /// # Errors
    /// The repository cannot be read or written, a named path does not exist, or the callback
    /// cancelled. Then there is no new snapshot; what was stored stays and is used next time.
    pub fn backup(
        &self,
        paths: &[PathBuf],
        options: &BackupOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<BackupSummary> {
        let started = Instant::now();
        let paths = resolve(paths)?;
        let session = self.session(progress)?;
        session.meter.phase(Phase::Preparing, None, None);
        let _lock = self.lock()?;
        let adopted = resume::adopt(&session.engine, &session.guard, &session.meter)?;

        let Session { engine, guard, meter } = session;
        let engine = engine.to_indexed_ids().map_err(|error| guard.explain(&error))?;
        meter.go_on()?;
        meter.phase(Phase::BackingUp, None, None);
        let watch = Watch {
            meter: meter.clone(),
            guard: guard.clone(),
            problems: Arc::new(Mutex::new(adopted.problems)),
        };
        let source = Source::new(&paths, options.one_file_system, watch.clone())?;
        let done =
            engine.archive(&engine_options(options), &source, new_snapshot(options)?, &paths);
        meter.flush();
        let snapshot = done.map_err(|error| guard.explain(&error))?;

        let problems = watch
            .problems
            .lock()
            .map(|mut problems| std::mem::take(&mut *problems))
            .unwrap_or_default();
        let counts = snapshot.summary.clone().unwrap_or_default();
        Ok(BackupSummary {
            parent: snapshot.parent.map(|id| id.to_hex().to_string()),
            files_new: counts.files_new,
            files_changed: counts.files_changed,
            files_unmodified: counts.files_unmodified,
            dirs_new: counts.dirs_new,
            dirs_changed: counts.dirs_changed,
            dirs_unmodified: counts.dirs_unmodified,
            bytes: counts.total_bytes_processed,
            bytes_added: counts.data_added,
            bytes_stored: counts.data_added_packed,
            packs_adopted: adopted.packs,
            duration_ms: millis(started),
            problems,
            snapshot: Snapshot::from_file(&snapshot),
        })
    }
}

/// Milliseconds since `started`.
pub(crate) fn millis(started: Instant) -> u64 {
    u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX)
}

/// Absolute, sorted, and without those that lie inside another.
fn resolve(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut resolved = paths.iter().map(|path| resolve_one(path)).collect::<Result<Vec<_>>>()?;
    resolved.sort();
    resolved.dedup_by(|later, earlier| later.starts_with(&*earlier));
    if resolved.is_empty() {
        return Err(Error::NoPaths);
    }
    Ok(resolved)
}

fn resolve_one(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(|source| Error::BadPath { path: path.to_owned(), source })
}

fn engine_options(options: &BackupOptions) -> EngineOptions {
    let mut engine = EngineOptions::default();
    engine.parent_opts.force = options.read_everything;
    engine
}

fn new_snapshot(options: &BackupOptions) -> Result<rustic_core::repofile::SnapshotFile> {
    let mut snapshot = SnapshotOptions::default();
    if let Some(hostname) = &options.hostname {
        snapshot = snapshot.host(hostname.clone());
    }
    for tag in &options.tags {
        snapshot = snapshot.add_tags(tag).map_err(|error| Error::engine(&error))?;
    }
    let mut snapshot = snapshot.to_snapshot().map_err(|error| Error::engine(&error))?;
    snapshot.program_version = concat!("strongroom ", env!("CARGO_PKG_VERSION")).to_owned();
    Ok(snapshot)
}
