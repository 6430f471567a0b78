//! What an operation did, for people and for JSON. Times are RFC 3339 in UTC.

use std::path::{Path, PathBuf};

use rustic_core::repofile::SnapshotFile;
use serde::Serialize;

use crate::error::{Error, Result};

/// One snapshot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Snapshot {
    /// 64 hexadecimal digits; any unique prefix names it.
    pub id: String,
    /// When the backup started.
    pub time: String,
    /// What was backed up.
    pub paths: Vec<String>,
    /// The machine.
    pub hostname: String,
    /// Free labels.
    pub tags: Vec<String>,
    /// Files in it, if its maker noted that.
    pub files: Option<u64>,
    /// Bytes in it, if its maker noted that.
    pub bytes: Option<u64>,
}

impl Snapshot {
    /// The first eight digits, as restic shows ids.
    pub fn short_id(&self) -> &str {
        self.id.get(..8).unwrap_or(&self.id)
    }

    pub(crate) fn from_file(file: &SnapshotFile) -> Self {
        let summary = file.summary.as_ref();
        Self {
            id: file.id.to_hex().to_string(),
            time: file.time.timestamp().to_string(),
            paths: file.paths.iter().cloned().collect(),
            hostname: file.hostname.clone(),
            tags: file.tags.iter().cloned().collect(),
            files: summary.map(|summary| summary.total_files_processed),
            bytes: summary.map(|summary| summary.total_bytes_processed),
        }
    }
}

/// Why an entry is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum ProblemKind {
    /// A file or directory could not be read and is not in the snapshot.
    Unreadable,
    /// The repository's data for it is missing or changed.
    Damaged,
    /// Something else is in the target under its name, and was left alone.
    InTheWay,
    /// It could not be written.
    Unwritable,
    /// The snapshot asks for something that no honest one contains.
    Unsafe,
    /// This kind of entry is not restored.
    Unsupported,
    /// The repository had a fault that this backup repaired.
    Repaired,
}

/// One entry that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// Why.
    pub kind: ProblemKind,
    /// Which entry.
    pub path: PathBuf,
    /// In words.
    pub detail: String,
}

impl Problem {
    pub(crate) fn new(
        kind: ProblemKind,
        path: impl Into<PathBuf>,
        detail: impl std::fmt::Display,
    ) -> Self {
        Self { kind, path: path.into(), detail: detail.to_string() }
    }
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.path.display(), self.detail)
    }
}

/// `Ok` when nothing is wrong; damage counts more than other problems.
fn verdict(problems: &[Problem]) -> Result<()> {
    let open: Vec<_> =
        problems.iter().filter(|problem| problem.kind != ProblemKind::Repaired).collect();
    let damaged = open
        .iter()
        .find(|problem| matches!(problem.kind, ProblemKind::Damaged | ProblemKind::Unsafe));
    match (damaged, open.first()) {
        (Some(problem), _) => {
            Err(Error::damaged(problem.path.display().to_string(), problem.detail.clone()))
        }
        (None, Some(first)) => {
            Err(Error::Partial { problems: open.len(), first: first.to_string() })
        }
        (None, None) => Ok(()),
    }
}

/// What a backup did. The snapshot exists, even when `problems` says that it lacks some entries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct BackupSummary {
    /// The new snapshot.
    pub snapshot: Snapshot,
    /// The snapshot that unchanged files were taken from.
    pub parent: Option<String>,
    /// Files that the parent does not have.
    pub files_new: u64,
    /// Files that differ from the parent's.
    pub files_changed: u64,
    /// Files taken from the parent unread.
    pub files_unmodified: u64,
    /// Directories that the parent does not have.
    pub dirs_new: u64,
    /// Directories that differ from the parent's.
    pub dirs_changed: u64,
    /// Directories that are the parent's.
    pub dirs_unmodified: u64,
    /// Bytes in all files.
    pub bytes: u64,
    /// Bytes that the repository did not have, before compression.
    pub bytes_added: u64,
    /// Bytes that the repository grew by, apart from index and snapshot.
    pub bytes_stored: u64,
    /// Finished packs of an interrupted backup that were taken over instead of stored again.
    pub packs_adopted: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// What is missing from the snapshot, and what was repaired.
    pub problems: Vec<Problem>,
}

impl BackupSummary {
    /// Turns a snapshot that lacks entries into [`Error::Partial`].
    pub fn complete(self) -> Result<Self> {
        verdict(&self.problems)?;
        Ok(self)
    }
}

/// What a restore did. Whatever is under its own name in the target is whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RestoreSummary {
    /// What was restored.
    pub snapshot: Snapshot,
    /// Where to.
    pub target: PathBuf,
    /// Files written.
    pub files_restored: u64,
    /// Files that were there already, compared byte for byte.
    pub files_verified: u64,
    /// Directories made or found.
    pub dirs: u64,
    /// Symbolic links, hard links, pipes and sockets.
    pub links_and_specials: u64,
    /// Bytes in all files.
    pub bytes: u64,
    /// Bytes written.
    pub bytes_written: u64,
    /// Bytes that were in the target already, compared.
    pub bytes_reused: u64,
    /// Bytes fetched from the repository.
    pub bytes_fetched: u64,
    /// Owners, extended attributes and the like that the system refused to set; content is not affected.
    pub attributes_refused: u64,
    /// How long it took.
    pub duration_ms: u64,
    /// What is not as in the snapshot.
    pub problems: Vec<Problem>,
}

impl RestoreSummary {
    /// Turns missing entries into [`Error::Damaged`] or [`Error::Partial`].
    pub fn complete(self) -> Result<Self> {
        verdict(&self.problems)?;
        Ok(self)
    }

    pub(crate) fn new(snapshot: Snapshot, target: &Path) -> Self {
        Self {
            snapshot,
            target: target.to_owned(),
            files_restored: 0,
            files_verified: 0,
            dirs: 0,
            links_and_specials: 0,
            bytes: 0,
            bytes_written: 0,
            bytes_reused: 0,
            bytes_fetched: 0,
            attributes_refused: 0,
            duration_ms: 0,
            problems: Vec::new(),
        }
    }
}

/// One thing that a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The file of the repository, or the path in a snapshot.
    pub what: String,
    /// Expected against got.
    pub detail: String,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CheckSummary {
    /// Snapshots followed to the last file.
    pub snapshots: u64,
    /// Directory trees read.
    pub trees: u64,
    /// Different pieces of file content that snapshots refer to.
    pub blobs: u64,
    /// Whether data was read back; if not, only its presence and size were checked.
    pub read_data: bool,
    /// Packs read back.
    pub packs_read: u64,
    /// Bytes read back.
    pub bytes_read: u64,
    /// Data is missing or changed.
    pub errors: Vec<Finding>,
    /// Odd, but no data is affected.
    pub warnings: Vec<Finding>,
    /// How long it took.
    pub duration_ms: u64,
}

impl CheckSummary {
    /// Turns findings into [`Error::Damaged`].
    pub fn clean(self) -> Result<Self> {
        if let Some(first) = self.errors.first() {
            let more = match self.errors.len() {
                1 => String::new(),
                n => format!(" (and {} more)", n - 1),
            };
            return Err(Error::damaged(first.what.clone(), format!("{}{more}", first.detail)));
        }
        Ok(self)
    }
}
