//! What has to be written, and what is there already.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs::{self, File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64};

use rustic_core::repofile::{Node, NodeType, SnapshotFile};
use rustic_core::{BlobId, DataId, TreeId};
use rustix::fs::OFlags;

use crate::error::{Error, Result};
use crate::guard::{Guard, drop_window};
use crate::progress::Meter;
use crate::restore::attributes;
use crate::restore::{PARTIAL, RestoreOptions};
use crate::summary::{Problem, ProblemKind, RestoreSummary};
use crate::tree::{self, Indexed, MAX_DEPTH, Place};

/// What every step needs.
pub(crate) struct Work<'a> {
    pub(crate) engine: &'a Indexed,
    pub(crate) guard: &'a Guard,
    pub(crate) meter: &'a Meter,
    pub(crate) options: &'a RestoreOptions,
    /// Canonical.
    pub(crate) target: &'a Path,
    /// Where this snapshot's unfinished files are.
    pub(crate) partial: PathBuf,
}

/// Everything that is to be done, in the order of the snapshot.
#[derive(Default)]
pub(crate) struct Plan {
    pub(crate) files: Vec<FilePlan>,
    pub(crate) pieces: Vec<Piece>,
    /// Parents before children.
    pub(crate) dirs: Vec<(PathBuf, Node)>,
    pub(crate) specials: Vec<(PathBuf, Node)>,
    /// (first name, further name) of the same file.
    pub(crate) hard_links: Vec<(PathBuf, PathBuf)>,
    pub(crate) bytes_to_write: u64,
}

/// A file whose content is not yet all there.
pub(crate) struct FilePlan {
    pub(crate) path: PathBuf,
    pub(crate) partial: PathBuf,
    pub(crate) node: Node,
    pub(crate) length: u64,
    pub(crate) missing: AtomicU64,
    pub(crate) damaged: AtomicBool,
}

/// One piece of content and one place that it goes to.
pub(crate) struct Piece {
    pub(crate) from: Place,
    pub(crate) blob: DataId,
    pub(crate) file: usize,
    pub(crate) at: u64,
}

/// A directory to follow.
struct Step {
    tree: TreeId,
    /// Its path in the snapshot.
    inside: PathBuf,
    /// Its path below the target.
    out: PathBuf,
}

struct Planner<'a> {
    work: &'a Work<'a>,
    plan: Plan,
    summary: &'a mut RestoreSummary,
    /// Components of snapshot paths that are dropped.
    strip: PathBuf,
    only: Option<PathBuf>,
    found_only: bool,
    taken: BTreeSet<PathBuf>,
    same_file: BTreeMap<(u64, u64), PathBuf>,
    serial: u64,
}

pub(crate) fn make(
    work: &Work<'_>,
    snapshot: &SnapshotFile,
    summary: &mut RestoreSummary,
) -> Result<Plan> {
    let only = work.options.only.as_deref().map(relative);
    let strip = match (&only, work.options.full_paths) {
        (_, true) => PathBuf::new(),
        (Some(only), _) => only.parent().map(Path::to_owned).unwrap_or_default(),
        (None, _) => common_parent(snapshot.paths.iter().map(String::as_str)),
    };
    let mut planner = Planner {
        work,
        plan: Plan::default(),
        summary,
        strip,
        found_only: only.is_none(),
        only,
        taken: BTreeSet::new(),
        same_file: BTreeMap::new(),
        serial: 0,
    };
    planner.follow(snapshot.tree)?;
    drop_window();
    if !planner.found_only {
        return Err(Error::NotInSnapshot {
            snapshot: planner.summary.snapshot.short_id().to_owned(),
            path: work.options.only.clone().unwrap_or_default(),
        });
    }
    Ok(planner.plan)
}

impl Planner<'_> {
    /// Follows all trees, parents before children, without recursion: a snapshot may be deep.
    fn follow(&mut self, root: TreeId) -> Result<()> {
        let mut open = Vec::new();
        let mut next = Some(Step { tree: root, inside: PathBuf::new(), out: PathBuf::new() });
        loop {
            if let Some(step) = next.take() {
                self.work.meter.go_on()?;
                if open.len() < MAX_DEPTH {
                    let nodes = self.nodes(&step)?;
                    open.push((step, nodes.into_iter()));
                } else {
                    self.problem(ProblemKind::Unsafe, &step.out, "directories nest too deep");
                }
            }
            let Some((step, nodes)) = open.last_mut() else {
                return Ok(());
            };
            match nodes.next() {
                Some(node) => next = self.entry(node, step)?,
                None => drop(open.pop()),
            }
        }
    }

    fn nodes(&mut self, step: &Step) -> Result<Vec<Node>> {
        match tree::nodes(self.work.engine, self.work.guard, step.tree) {
            Err(error @ Error::Damaged { .. }) => {
                self.problem(ProblemKind::Damaged, &step.inside, error);
                Ok(Vec::new())
            }
            nodes => nodes,
        }
    }

    /// Plans one entry of a directory; returns the directory that it is, if it is one.
    fn entry(&mut self, node: Node, parent: &Step) -> Result<Option<Step>> {
        let name = node.name().into_owned();
        if !is_plain(&name) {
            let shown = parent.inside.join(node.name.replace('/', "\\"));
            let detail = "its name is not a single plain name";
            self.problem(ProblemKind::Unsafe, &shown, detail);
            return Ok(None);
        }
        let inside = parent.inside.join(&name);
        if let Some(only) = &self.only {
            if inside.starts_with(only) {
                self.found_only = true;
            } else if !(only.starts_with(&inside) && node.is_dir()) {
                return Ok(None);
            }
        }
        // A directory above what was backed up: only the way there.
        if node.is_dir() && self.strip.starts_with(&inside) {
            let out = parent.out.clone();
            return Ok(node.subtree.map(|tree| Step { tree, inside, out }));
        }
        let out = parent.out.join(&name);
        if out.starts_with(PARTIAL) || !self.taken.insert(out.clone()) {
            self.problem(ProblemKind::Unsafe, &out, "its name is taken already");
            return Ok(None);
        }
        let path = self.work.target.join(&out);
        match node.node_type {
            NodeType::Dir => {
                let Some(tree) = node.subtree else {
                    self.problem(ProblemKind::Damaged, &out, "a directory without content");
                    return Ok(None);
                };
                if !self.make_directory(&path) {
                    return Ok(None);
                }
                self.plan.dirs.push((path, node));
                return Ok(Some(Step { tree, inside, out }));
            }
            NodeType::File => self.file(path, node)?,
            NodeType::Symlink { .. } | NodeType::Fifo | NodeType::Socket => {
                self.plan.specials.push((path, node));
            }
            NodeType::Dev { .. } | NodeType::Chardev { .. } => {
                self.problem(ProblemKind::Unsupported, &out, "devices are not restored");
            }
        }
        Ok(None)
    }

    /// Makes sure that this is a real directory, so that what is written below it stays below it.
    fn make_directory(&mut self, path: &Path) -> bool {
        match fs::symlink_metadata(path) {
            Ok(found) if found.is_dir() => {
                self.summary.dirs += 1;
                return true;
            }
            Ok(_) if !self.work.options.overwrite => {
                self.problem(ProblemKind::InTheWay, path, "not a directory");
                return false;
            }
            Ok(_) => {
                if let Err(error) = fs::remove_file(path) {
                    self.problem(ProblemKind::Unwritable, path, error);
                    return false;
                }
            }
            Err(_) => {}
        }
        match fs::create_dir(path) {
            Ok(()) => {
                self.summary.dirs += 1;
                true
            }
            Err(error) => {
                self.problem(ProblemKind::Unwritable, path, error);
                false
            }
        }
    }

    fn file(&mut self, path: PathBuf, node: Node) -> Result<()> {
        // The order of a snapshot never changes, so the number names the same file in each run.
        self.serial += 1;
        if node.meta.links > 1 && node.meta.inode != 0 && node.meta.device_id != 0 {
            let key = (node.meta.device_id, node.meta.inode);
            if let Some(first) = self.same_file.get(&key) {
                self.plan.hard_links.push((first.clone(), path));
                return Ok(());
            }
            self.same_file.insert(key, path.clone());
        }
        let mut content = Vec::new();
        let mut length = 0u64;
        for blob in node.content.iter().flatten() {
            let Some(place) = tree::place(self.work.engine, blob) else {
                let id = BlobId::from(*blob);
                let detail = format!("content {} is not in the index", &*id.to_hex());
                self.problem(ProblemKind::Damaged, &path, detail);
                return Ok(());
            };
            content.push((place, *blob, length));
            length = length.saturating_add(place.content.into());
        }
        self.summary.bytes = self.summary.bytes.saturating_add(length);

        match fs::symlink_metadata(&path) {
            Err(_) => {}
            Ok(found) if found.is_file() && found.len() == length => {
                if self.is_same(&path, &content)? {
                    self.summary.files_verified += 1;
                    self.summary.bytes_reused += length;
                    self.summary.attributes_refused +=
                        attributes::on_path(&path, &node, self.work.options);
                    return Ok(());
                }
                if !self.may_replace(&path, "a file with other content") {
                    return Ok(());
                }
            }
            Ok(found) if found.is_dir() => {
                self.problem(ProblemKind::InTheWay, &path, "a directory");
                return Ok(());
            }
            Ok(_) => {
                if !self.may_replace(&path, "something else") {
                    return Ok(());
                }
            }
        }
        self.new_file(path, node, length, content)
    }

    /// Plans what a partial file of an earlier run does not already have.
    fn new_file(
        &mut self,
        path: PathBuf,
        node: Node,
        length: u64,
        content: Vec<(Place, DataId, u64)>,
    ) -> Result<()> {
        let partial = self.work.partial.join(self.serial.to_string());
        let mut earlier = open_no_follow(&partial).ok();
        let file = self.plan.files.len();
        let mut missing = 0;
        for (from, blob, at) in content {
            self.work.meter.go_on()?;
            let size = u64::from(from.content);
            let is_there =
                earlier.as_mut().is_some_and(|earlier| blob.blob_matches_reader(size, earlier));
            if is_there {
                self.summary.bytes_reused += size;
            } else {
                missing += 1;
                self.plan.bytes_to_write = self.plan.bytes_to_write.saturating_add(size);
                self.plan.pieces.push(Piece { from, blob, file, at });
                // A short read has moved to nobody knows where.
                let next = SeekFrom::Start(at.saturating_add(size));
                if earlier.as_mut().is_some_and(|file| file.seek(next).is_err()) {
                    earlier = None;
                }
            }
        }
        self.plan.files.push(FilePlan {
            path,
            partial,
            node,
            length,
            missing: AtomicU64::new(missing),
            damaged: AtomicBool::new(false),
        });
        Ok(())
    }

    fn is_same(&self, path: &Path, content: &[(Place, DataId, u64)]) -> Result<bool> {
        let Ok(mut file) = open_no_follow(path) else {
            return Ok(false);
        };
        for (place, blob, _) in content {
            self.work.meter.go_on()?;
            if !blob.blob_matches_reader(place.content.into(), &mut file) {
                return Ok(false);
            }
            self.work.meter.bytes(place.content.into());
        }
        self.work.meter.file();
        Ok(true)
    }

    fn may_replace(&mut self, path: &Path, what: &str) -> bool {
        if !self.work.options.overwrite {
            self.problem(ProblemKind::InTheWay, path, what);
        }
        self.work.options.overwrite
    }

    fn problem(&mut self, kind: ProblemKind, path: &Path, detail: impl std::fmt::Display) {
        self.summary.problems.push(Problem::new(kind, path, detail));
    }
}

pub(crate) fn open_no_follow(path: &Path) -> std::io::Result<File> {
    OpenOptions::new().read(true).custom_flags(no_follow()).open(path)
}

/// The flags that make the system refuse to open a symbolic link, or to wait for a pipe.
pub(crate) fn no_follow() -> i32 {
    (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed()
}

/// One name that stays in its directory.
fn is_plain(name: &OsStr) -> bool {
    let mut components = Path::new(name).components();
    let single = matches!(components.next(), Some(Component::Normal(only)) if only == name);
    single && components.next().is_none() && !name.as_bytes().contains(&0)
}

/// A path of a snapshot without its root.
fn relative(path: &Path) -> PathBuf {
    path.components().filter(|component| matches!(component, Component::Normal(_))).collect()
}

/// The longest directory that holds all the paths.
fn common_parent<'a>(paths: impl Iterator<Item = &'a str>) -> PathBuf {
    let parents = paths.map(|path| {
        let path = relative(Path::new(path));
        path.parent().map(Path::to_owned).unwrap_or_default()
    });
    let common = parents.reduce(|a, b| {
        a.components().zip(b.components()).take_while(|(a, b)| a == b).map(|(a, _)| a).collect()
    });
    common.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_single_plain_names_are_taken() {
        for name in ["a", "ä 🏔", "..a", "a.", "-", "a\nb"] {
            assert!(is_plain(OsStr::new(name)), "{name}");
        }
        for name in ["", ".", "..", "/", "a/b", "/a", "a/", "../a", "a\0b", "a/."] {
            assert!(!is_plain(OsStr::new(name)), "{name:?}");
        }
    }

    #[test]
    fn what_is_dropped_from_paths_is_what_all_share() {
        let of = |paths: &[&str]| common_parent(paths.iter().copied());
        assert_eq!(of(&["/home/ada/photos"]), Path::new("home/ada"));
        assert_eq!(of(&["/home/ada/a", "/home/ada/b"]), Path::new("home/ada"));
        assert_eq!(of(&["/home/ada/a", "/srv/b"]), Path::new(""));
        assert_eq!(of(&[]), Path::new(""));
        assert_eq!(of(&["/"]), Path::new(""));
    }
}
