//! Fetching content and writing it where it belongs.
//!
//! Pieces are sorted by where they lie in the repository and read in runs, so each part of a pack is
//! fetched once however many files want it. Memory is bounded by threads × run, not by the snapshot.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};

use rustic_core::repofile::BlobType;
use rustic_core::{BlobId, Id};

use crate::error::{Error, Result};
use crate::guard::drop_window;
use crate::progress::Phase;
use crate::restore::attributes;
use crate::restore::plan::{FilePlan, Piece, Plan, Work, no_follow};
use crate::summary::{Problem, ProblemKind, RestoreSummary};
use crate::tree::{self, Place};

/// Bytes that one thread reads at once.
const RUN_BYTES: u32 = 8 << 20;

struct State<'a> {
    work: &'a Work<'a>,
    files: &'a [FilePlan],
    next_run: AtomicUsize,
    written: AtomicU64,
    fetched: AtomicU64,
    restored: AtomicU64,
    refused: AtomicU64,
    problems: Mutex<Vec<Problem>>,
    /// The failure that ends it all.
    fatal: Mutex<Option<Error>>,
}

pub(crate) fn restore(work: &Work<'_>, plan: &Plan, summary: &mut RestoreSummary) -> Result<()> {
    work.meter.phase(Phase::Restoring, Some(plan.bytes_to_write), Some(plan.files.len() as u64));
    if !plan.files.is_empty() {
        make_private(work)?;
    }
    let mut pieces: Vec<&Piece> = plan.pieces.iter().collect();
    pieces.sort_by_key(|piece| (piece.from, piece.file));
    let runs = runs(&pieces);
    let state = State {
        work,
        files: &plan.files,
        next_run: AtomicUsize::new(0),
        written: AtomicU64::new(0),
        fetched: AtomicU64::new(0),
        restored: AtomicU64::new(0),
        refused: AtomicU64::new(0),
        problems: Mutex::default(),
        fatal: Mutex::default(),
    };
    // Empty files, and those that an earlier run had finished but not moved.
    for file in &plan.files {
        if file.missing.load(SeqCst) == 0 {
            state.finish(file);
        }
    }
    let threads = std::thread::available_parallelism().map_or(2, |n| n.get().clamp(2, 8));
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| state.worker(&runs));
        }
    });
    work.meter.flush();
    let problems = state.problems.into_inner().unwrap_or_default();
    summary.problems.extend(problems);
    summary.bytes_written = state.written.into_inner();
    summary.bytes_fetched = state.fetched.into_inner();
    summary.files_restored = state.restored.into_inner();
    summary.attributes_refused += state.refused.into_inner();
    match state.fatal.into_inner() {
        Ok(None) => Ok(()),
        Ok(Some(error)) => Err(error),
        Err(_) => Err(Error::Engine { detail: "a thread of the restore failed".to_owned() }),
    }
}

/// The directory of partial files, readable by its owner only: the files in it have no modes yet.
fn make_private(work: &Work<'_>) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let outer = work.partial.parent().unwrap_or(work.target);
    for path in [outer, work.partial.as_path()] {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => {
                let error = io::Error::from(io::ErrorKind::NotADirectory);
                return Err(Error::path("use", path, error));
            }
            Err(_) => fs::DirBuilder::new()
                .mode(0o700)
                .create(path)
                .map_err(|error| Error::path("create", path, error))?,
        }
    }
    Ok(())
}

/// Pieces that lie beside each other in one pack, up to [`RUN_BYTES`].
fn runs<'a>(pieces: &'a [&'a Piece]) -> Vec<&'a [&'a Piece]> {
    let mut runs = Vec::new();
    let mut rest = pieces;
    while let Some(first) = rest.first() {
        let start = first.from.offset;
        let mut end = start;
        let length = rest
            .iter()
            .take_while(|piece| {
                let from = piece.from;
                let new_end = from.offset.saturating_add(from.length).max(end);
                let joins = from.pack == first.from.pack
                    && from.offset <= end
                    && (new_end - start <= RUN_BYTES || from == first.from);
                if joins {
                    end = new_end;
                }
                joins
            })
            .count();
        // The first always joins itself, so this ends.
        let (run, later) = rest.split_at(length.max(1));
        runs.push(run);
        rest = later;
    }
    runs
}

impl State<'_> {
    fn worker(&self, runs: &[&[&Piece]]) {
        while !self.is_over() {
            let Some(run) = runs.get(self.next_run.fetch_add(1, SeqCst)) else {
                break;
            };
            if let Err(error) = self.run(run) {
                self.stop(error);
            }
        }
        drop_window();
    }

    fn run(&self, run: &[&Piece]) -> Result<()> {
        let (Some(first), Some(last)) = (run.first(), run.last()) else {
            return Ok(());
        };
        let start = first.from.offset;
        let length = last.from.offset.saturating_add(last.from.length) - start;
        match self.work.guard.read_ahead(first.from.pack, start, length) {
            Ok(()) => {
                self.fetched.fetch_add(length.into(), SeqCst);
            }
            // A pack that is cut short may still hold the first pieces: ask for each on its own.
            Err(Error::Damaged { .. }) => drop_window(),
            Err(error) => return Err(error),
        }
        for same in run.chunk_by(|a, b| is_same_blob(&a.from, &b.from)) {
            if self.is_over() {
                break;
            }
            self.piece(same)?;
        }
        Ok(())
    }

    /// One blob and all the places it goes to.
    fn piece(&self, places: &[&Piece]) -> Result<()> {
        let Some(first) = places.first() else {
            return Ok(());
        };
        let id = BlobId::from(first.blob);
        let data =
            tree::blob(self.work.engine, self.work.guard, BlobType::Data, &id).and_then(|data| {
                if data.len() as u64 == u64::from(first.from.content) {
                    return Ok(data);
                }
                // Later pieces of the file were planned by the index's word.
                Err(Error::damaged(
                    format!("content {}", &*id.to_hex()),
                    format!("the index says {} bytes, got {}", first.from.content, data.len()),
                ))
            });
        let data = match data {
            Ok(data) => data,
            Err(error @ Error::Damaged { .. }) => {
                for piece in places {
                    self.damage(piece, &error, &first.from.pack);
                }
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        for piece in places {
            let Some(file) = self.files.get(piece.file) else {
                continue;
            };
            if let Err(error) = write(file, piece.at, &data) {
                match Error::path("write", &file.path, error) {
                    error @ Error::DiskFull { .. } => return Err(error),
                    error => {
                        self.mark(file, ProblemKind::Unwritable, error);
                        continue;
                    }
                }
            }
            self.written.fetch_add(data.len() as u64, SeqCst);
            self.work.meter.bytes(data.len() as u64);
            if file.missing.fetch_sub(1, SeqCst) == 1 {
                self.finish(file);
            }
        }
        Ok(())
    }

    /// The file is whole: attributes, then its name.
    fn finish(&self, file: &FilePlan) {
        let moved = open_partial(file).and_then(|partial| {
            partial.set_len(file.length)?;
            let refused = attributes::on_file(&partial, &file.node, self.work.options);
            self.refused.fetch_add(refused, SeqCst);
            // Before this a crash leaves a partial file, after it a whole one.
            fs::rename(&file.partial, &file.path)
        });
        match moved {
            Ok(()) => {
                self.restored.fetch_add(1, SeqCst);
                self.work.meter.file();
            }
            Err(error) => match Error::path("write", &file.path, error) {
                error @ Error::DiskFull { .. } => self.stop(error),
                error => self.mark(file, ProblemKind::Unwritable, error),
            },
        }
    }

    fn damage(&self, piece: &Piece, error: &Error, pack: &Id) {
        if let Some(file) = self.files.get(piece.file) {
            let detail = format!("{error} (pack {})", &*pack.to_hex());
            self.mark(file, ProblemKind::Damaged, detail);
        }
    }

    /// One problem for each file is enough.
    fn mark(&self, file: &FilePlan, kind: ProblemKind, detail: impl std::fmt::Display) {
        if !file.damaged.swap(true, SeqCst)
            && let Ok(mut problems) = self.problems.lock()
        {
            problems.push(Problem::new(kind, &file.path, detail));
        }
    }

    fn stop(&self, error: Error) {
        if let Ok(mut fatal) = self.fatal.lock() {
            fatal.get_or_insert(error);
        }
    }

    fn is_over(&self) -> bool {
        if let Err(error) = self.work.meter.go_on() {
            self.stop(error);
        }
        self.fatal.lock().map_or(true, |fatal| fatal.is_some())
    }
}

fn is_same_blob(a: &Place, b: &Place) -> bool {
    a == b
}

fn open_partial(file: &FilePlan) -> io::Result<File> {
    OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .custom_flags(no_follow())
        .open(&file.partial)
}

fn write(file: &FilePlan, at: u64, data: &[u8]) -> io::Result<()> {
    open_partial(file)?.write_all_at(data, at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_read_together_and_a_large_run_is_cut() {
        let pack = Id::random();
        let piece = |offset: u32, length: u32| Piece {
            from: Place { pack, offset, length, content: length },
            blob: Id::random().into(),
            file: 0,
            at: 0,
        };
        let big = RUN_BYTES / 2;
        let all = [
            piece(0, 10),
            piece(10, 5),
            piece(10, 5),
            piece(20, big),
            piece(20 + big, big),
            piece(20 + 2 * big, big),
        ];
        let pieces: Vec<&Piece> = all.iter().collect();
        let lengths: Vec<_> = runs(&pieces).iter().map(|run| run.len()).collect();
        assert_eq!(lengths, [3, 2, 1]);
    }
}
