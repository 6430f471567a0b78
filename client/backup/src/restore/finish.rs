//! Links, pipes and sockets, and at last the attributes of directories.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;

use rustic_core::repofile::{Node, NodeType};
use rustix::fs::{FileType, Mode};

use crate::error::Result;
use crate::restore::attributes;
use crate::restore::plan::{Plan, Work};
use crate::summary::{Problem, ProblemKind, RestoreSummary};

pub(crate) fn links_and_directories(
    work: &Work<'_>,
    plan: &Plan,
    summary: &mut RestoreSummary,
) -> Result<()> {
    for (first, further) in &plan.hard_links {
        work.meter.go_on()?;
        match hard_link(work, first, further) {
            Ok(()) => summary.links_and_specials += 1,
            Err(problem) => summary.problems.push(problem),
        }
    }
    for (path, node) in &plan.specials {
        work.meter.go_on()?;
        match special(work, path, node) {
            Ok(()) => {
                summary.links_and_specials += 1;
                summary.attributes_refused += attributes::on_special(path, node, work.options);
            }
            Err(problem) => summary.problems.push(problem),
        }
    }
    // Children first: a directory that may not be written, and its times, come last.
    for (path, node) in plan.dirs.iter().rev() {
        summary.attributes_refused += attributes::on_path(path, node, work.options);
    }
    Ok(())
}

fn hard_link(work: &Work<'_>, first: &Path, further: &Path) -> std::result::Result<(), Problem> {
    let unwritable = |error: io::Error| Problem::new(ProblemKind::Unwritable, further, error);
    let source = fs::symlink_metadata(first).map_err(|error| {
        let detail = format!("{}, which it is a link to: {error}", first.display());
        Problem::new(ProblemKind::Unwritable, further, detail)
    })?;
    if let Ok(found) = fs::symlink_metadata(further) {
        if (found.dev(), found.ino()) == (source.dev(), source.ino()) {
            return Ok(());
        }
        make_way(work, further, &found)?;
    }
    fs::hard_link(first, further).map_err(unwritable)
}

fn special(work: &Work<'_>, path: &Path, node: &Node) -> std::result::Result<(), Problem> {
    let unwritable = |error: io::Error| Problem::new(ProblemKind::Unwritable, path, error);
    if let Ok(found) = fs::symlink_metadata(path) {
        let is_same = match attributes::link_target(node) {
            Some(target) => fs::read_link(path).is_ok_and(|old| old.as_os_str() == target),
            None => {
                let wanted = kind(node);
                wanted.is_some_and(|wanted| wanted == FileType::from_raw_mode(found.mode()))
            }
        };
        if is_same {
            return Ok(());
        }
        make_way(work, path, &found)?;
    }
    if let Some(target) = attributes::link_target(node) {
        return symlink(target, path).map_err(unwritable);
    }
    let mode = Mode::from_raw_mode(attributes::unix_mode(node.meta.mode.unwrap_or(0o600)) & 0o777);
    match kind(node) {
        Some(kind) => make_node(path, kind, mode).map_err(unwritable),
        None => Ok(()),
    }
}

fn kind(node: &Node) -> Option<FileType> {
    match node.node_type {
        NodeType::Fifo => Some(FileType::Fifo),
        NodeType::Socket => Some(FileType::Socket),
        _ => None,
    }
}

#[cfg(not(target_vendor = "apple"))]
fn make_node(path: &Path, kind: FileType, mode: Mode) -> io::Result<()> {
    Ok(rustix::fs::mknodat(rustix::fs::CWD, path, kind, mode, 0)?)
}

#[cfg(target_vendor = "apple")]
fn make_node(_: &Path, _: FileType, _: Mode) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// Removes what is in the way, if that is wanted and it is no directory.
fn make_way(
    work: &Work<'_>,
    path: &Path,
    found: &fs::Metadata,
) -> std::result::Result<(), Problem> {
    if found.is_dir() || !work.options.overwrite {
        let what = if found.is_dir() { "a directory" } else { "something else" };
        return Err(Problem::new(ProblemKind::InTheWay, path, what));
    }
    fs::remove_file(path).map_err(|error| Problem::new(ProblemKind::Unwritable, path, error))
}
