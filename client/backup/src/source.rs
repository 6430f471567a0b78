//! What a backup reads: directory trees of this machine, with every failure noted.
//!
//! The engine would log an unreadable file and leave it out. Here each one becomes a [`Problem`], and
//! the directories that were named themselves are recorded too, with their permissions.

use std::fs;
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rustic_core::repofile::{Metadata, Node, NodeType};
use rustic_core::{
    Excludes, LocalSource, LocalSourceFilterOptions, LocalSourceSaveOptions, ReadSource,
    ReadSourceEntry, ReadSourceOpen, RusticResult, jiff::Timestamp,
};

use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::progress::Meter;
use crate::summary::{Problem, ProblemKind};

type EngineOpen = <LocalSource as ReadSource>::Open;
type EngineReader = <EngineOpen as ReadSourceOpen>::Reader;
type Entry<O> = RusticResult<ReadSourceEntry<O>>;

/// What all parts of a running backup see.
#[derive(Clone)]
pub(crate) struct Watch {
    pub(crate) meter: Arc<Meter>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) problems: Arc<Mutex<Vec<Problem>>>,
}

impl Watch {
    fn problem(&self, path: &Path, detail: impl std::fmt::Display) {
        if let Ok(mut problems) = self.problems.lock() {
            problems.push(Problem::new(ProblemKind::Unreadable, path, detail));
        }
    }

    /// Whether reading on is of no use.
    fn is_over(&self) -> bool {
        self.meter.is_cancelled() || self.guard.has_write_failed()
    }
}

/// The trees of one backup.
pub(crate) struct Source {
    roots: Vec<(PathBuf, LocalSource)>,
    watch: Watch,
}

impl Source {
    /// `paths` are absolute, sorted, and none lies inside another.
    pub(crate) fn new(paths: &[PathBuf], one_file_system: bool, watch: Watch) -> Result<Self> {
        let roots = paths.iter().map(|path| {
            let source = LocalSource::new(
                LocalSourceSaveOptions::default(),
                &Excludes::default(),
                &LocalSourceFilterOptions::default().one_file_system(one_file_system),
                std::slice::from_ref(path),
            )
            .map_err(|error| Error::engine(&error))?;
            Ok((path.clone(), source))
        });
        Ok(Self { roots: roots.collect::<Result<_>>()?, watch })
    }
}

impl ReadSource for Source {
    type Open = WatchedOpen;
    type Iter = Box<dyn Iterator<Item = Entry<WatchedOpen>> + Send>;

    /// Runs beside the backup, so that totals appear while it is under way.
    fn size(&self) -> RusticResult<Option<u64>> {
        let counts = self.roots.iter().map(|(path, _)| count(path, &self.watch.meter));
        let (bytes, files) = counts.fold((0, 0), |(b, f), (bytes, files)| (b + bytes, f + files));
        self.watch.meter.totals(bytes, files);
        Ok(Some(bytes))
    }

    fn entries(&self) -> Self::Iter {
        let watch = self.watch.clone();
        let over = self.watch.clone();
        let roots: Vec<_> = self
            .roots
            .iter()
            .map(|(path, source)| (directory_entry(path), source.entries()))
            .collect();
        let entries = roots
            .into_iter()
            .flat_map(|(root, entries)| root.map(Ok).into_iter().chain(entries))
            .filter_map(move |entry| match entry {
                Ok(entry) => Some(Ok(watched(entry, &watch))),
                Err(error) => {
                    // The engine hides the path in its text; the text is all there is.
                    let text = error.display_log();
                    watch.problem(&path_in(&text), cause_in(&text));
                    None
                }
            })
            .take_while(move |_| !over.is_over());
        Box::new(entries)
    }
}

fn watched(entry: ReadSourceEntry<EngineOpen>, watch: &Watch) -> ReadSourceEntry<WatchedOpen> {
    let ReadSourceEntry { path, node, open } = entry;
    if !node.is_dir() {
        watch.meter.file();
    }
    let open = open.map(|inner| WatchedOpen { inner, path: path.clone(), watch: watch.clone() });
    ReadSourceEntry { path, node, open }
}

/// The entry of a named directory itself, which the engine's walk leaves out.
fn directory_entry<O>(path: &Path) -> Option<ReadSourceEntry<O>> {
    let name = path.file_name()?;
    let found = fs::symlink_metadata(path).ok()?;
    if !found.is_dir() {
        return None;
    }
    let time = |time: io::Result<_>| time.ok().and_then(|time| Timestamp::try_from(time).ok());
    let meta = Metadata {
        mode: Some(go_directory_mode(found.mode())),
        mtime: time(found.modified()),
        atime: time(found.modified()),
        uid: Some(found.uid()),
        gid: Some(found.gid()),
        inode: found.ino(),
        ..Metadata::default()
    };
    Some(ReadSourceEntry {
        path: path.to_owned(),
        node: Node::new_node(name, NodeType::Dir, meta),
        open: None,
    })
}

/// The format keeps modes as Go's `fs.FileMode`.
fn go_directory_mode(mode: u32) -> u32 {
    const DIRECTORY: u32 = 1 << 31;
    let special = [(0o4000, 1 << 23), (0o2000, 1 << 22), (0o1000, 1 << 20)];
    special
        .iter()
        .filter(|(unix, _)| mode & unix != 0)
        .fold(DIRECTORY | mode & 0o777, |mode, (_, go)| mode | go)
}

/// What cannot be read here is reported by the walk itself.
fn count(root: &Path, meter: &Meter) -> (u64, u64) {
    let (mut bytes, mut files) = (0, 0);
    let mut open = vec![root.to_owned()];
    while let Some(path) = open.pop() {
        if meter.is_cancelled() {
            break;
        }
        match fs::symlink_metadata(&path) {
            Ok(found) if found.is_dir() => {
                let entries = fs::read_dir(&path).into_iter().flatten().flatten();
                open.extend(entries.map(|entry| entry.path()));
            }
            Ok(found) => {
                bytes += found.len();
                files += 1;
            }
            Err(_) => {}
        }
    }
    (bytes, files)
}

/// The first absolute path in the engine's text.
fn path_in(text: &str) -> PathBuf {
    let start = text.find('/').unwrap_or(text.len());
    let rest = text.get(start..).unwrap_or_default();
    let end = rest.find(": ").unwrap_or(rest.len());
    PathBuf::from(rest.get(..end).unwrap_or(rest))
}

/// The innermost cause in the engine's text, which for files is the operating system's answer.
fn cause_in(text: &str) -> &str {
    text.rsplit(": ").next().unwrap_or(text)
}

/// Opens a file, noting failure.
pub(crate) struct WatchedOpen {
    inner: EngineOpen,
    path: PathBuf,
    watch: Watch,
}

impl ReadSourceOpen for WatchedOpen {
    type Reader = WatchedReader;

    fn open(self) -> RusticResult<WatchedReader> {
        match self.inner.open() {
            Ok(inner) => Ok(WatchedReader { inner, path: self.path, watch: self.watch }),
            Err(error) => {
                self.watch.problem(&self.path, cause_in(&error.display_log()));
                Err(error)
            }
        }
    }
}

/// Reads a file, noting failure, and stops when the backup is over.
pub(crate) struct WatchedReader {
    inner: EngineReader,
    path: PathBuf,
    watch: Watch,
}

impl Read for WatchedReader {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        if self.watch.is_over() {
            return Err(io::Error::other("the backup has been stopped"));
        }
        self.inner.read(buf).inspect_err(|error| {
            if error.kind() != io::ErrorKind::Interrupted {
                self.watch.problem(&self.path, error);
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_mode_is_written_as_go_writes_it() {
        assert_eq!(go_directory_mode(0o40_700), 0x8000_01c0);
        assert_eq!(go_directory_mode(0o41_777), 0x8010_01ff);
    }

    #[test]
    fn path_and_cause_are_found_in_the_text_of_the_engine() {
        let text =
            "Failed to get next entry: caused by: /home/a b/c: Permission denied (os error 13)";
        assert_eq!(path_in(text), Path::new("/home/a b/c"));
        assert_eq!(cause_in(text), "Permission denied (os error 13)");
    }
}
