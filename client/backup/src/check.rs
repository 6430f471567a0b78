//! Whether everything that the snapshots promise is there.
//!
//! The engine compares index and packs. Trees and data are followed here: its own walk aborts the
//! process when a damaged tree makes it stop early, and its data check skips packs that no snapshot
//! uses, which a later backup would.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Instant;

use rustic_core::repofile::{BlobType, NodeType, SnapshotFile, SnapshotId};
use rustic_core::{BlobId, CheckOptions as EngineOptions, Id, TreeId};

use crate::backup::millis;
use crate::error::{Error, Result};
use crate::guard::{Guard, drop_window};
use crate::progress::{Meter, Phase, Progress};
use crate::repository::{Repository, Session};
use crate::store::Kind;
use crate::summary::{CheckSummary, Finding};
use crate::tree::{self, Indexed};

/// How to check.
#[derive(Debug, Clone, Default)]
pub struct CheckOptions {
    /// Read all data back and compare it with its hashes. Otherwise only its presence and size are
    /// checked, and a changed byte in a pack goes unnoticed.
    pub read_data: bool,
}

/// Blobs in use, by pack.
type Used = BTreeMap<Id, BTreeMap<BlobId, BlobType>>;

impl Repository {
    /// Checks the repository: index against packs, every snapshot down to the last file, and with
    /// `read_data` every byte. Writes nothing.
    ///
    /// # Errors
    /// Only what prevents the check itself (the store does not answer, the callback cancelled). Damage is
    /// in the summary; [`CheckSummary::clean`] makes an error of it.
    pub fn check(
        &self,
        options: &CheckOptions,
        progress: Arc<dyn Progress>,
    ) -> Result<CheckSummary> {
        let started = Instant::now();
        let session = self.session(progress)?;
        let mut summary = CheckSummary {
            snapshots: 0,
            trees: 0,
            blobs: 0,
            read_data: options.read_data,
            packs_read: 0,
            bytes_read: 0,
            errors: Vec::new(),
            warnings: Vec::new(),
            duration_ms: 0,
        };
        let snapshots = read_snapshots(&session, &mut summary)?;
        session.meter.phase(Phase::CheckingStructure, None, Some(snapshots.len() as u64));
        check_index(&session, &mut summary)?;
        let Session { engine, guard, meter } = session;
        match engine.to_indexed() {
            Ok(engine) => {
                let mut walk = Walk {
                    engine: &engine,
                    guard: &guard,
                    meter: &meter,
                    seen: BTreeSet::new(),
                    used: Used::new(),
                    summary: &mut summary,
                };
                for snapshot in &snapshots {
                    walk.snapshot(snapshot)?;
                }
                let used = walk.used;
                if options.read_data {
                    read_data(&engine, &guard, &meter, &used, &mut summary)?;
                }
            }
            Err(error) => note(&mut summary, guard.explain(&error))?,
        }
        meter.flush();
        // The same damaged file shows up in several steps.
        let mut seen = BTreeSet::new();
        summary
            .errors
            .retain(|finding| seen.insert((finding.what.clone(), finding.detail.clone())));
        summary.duration_ms = millis(started);
        Ok(summary)
    }
}

/// Damage is noted; anything else ends the check.
fn note(summary: &mut CheckSummary, error: Error) -> Result<()> {
    match error {
        Error::Damaged { what, detail } => summary.errors.push(Finding { what, detail }),
        Error::Engine { detail } => {
            summary.errors.push(Finding { what: "repository".to_owned(), detail })
        }
        error => return Err(error),
    }
    Ok(())
}

fn read_snapshots(session: &Session, summary: &mut CheckSummary) -> Result<Vec<SnapshotFile>> {
    let mut snapshots = Vec::new();
    for (id, _) in session.guard.files(Kind::Snapshot)? {
        let id = SnapshotId::from(id);
        match session.engine.get_file::<SnapshotFile>(&id) {
            Ok(mut file) => {
                file.id = id;
                snapshots.push(file);
            }
            Err(error) => note(summary, session.guard.explain(&error))?,
        }
    }
    Ok(snapshots)
}

/// Index against the list of packs.
fn check_index(session: &Session, summary: &mut CheckSummary) -> Result<()> {
    let options = EngineOptions::default();
    match session.engine.check_with_trees(options, Vec::new()) {
        Ok(results) => {
            for (level, finding) in results.0 {
                let is_error = format!("{level:?}") == "Error";
                let list = if is_error { &mut summary.errors } else { &mut summary.warnings };
                list.push(Finding { what: "index".to_owned(), detail: finding.to_string() });
            }
            Ok(())
        }
        Err(error) => note(summary, session.guard.explain(&error)),
    }
}

struct Walk<'a> {
    engine: &'a Indexed,
    guard: &'a Guard,
    meter: &'a Meter,
    seen: BTreeSet<Id>,
    used: Used,
    summary: &'a mut CheckSummary,
}

impl Walk<'_> {
    /// Each tree once, however many snapshots share it; without recursion, since trees may be deep.
    fn snapshot(&mut self, snapshot: &SnapshotFile) -> Result<()> {
        let root = PathBuf::from(format!("snapshot {}", snapshot.id));
        let mut open = vec![(snapshot.tree, root)];
        while let Some((id, path)) = open.pop() {
            self.meter.go_on()?;
            if self.seen.insert(*id) {
                self.directory(id, &path, &mut open)?;
            }
        }
        self.summary.snapshots += 1;
        self.meter.file();
        Ok(())
    }

    fn directory(
        &mut self,
        id: TreeId,
        path: &Path,
        open: &mut Vec<(TreeId, PathBuf)>,
    ) -> Result<()> {
        if let Some(place) = tree::place(self.engine, &id) {
            let blobs = self.used.entry(place.pack).or_default();
            blobs.insert(BlobId::from(id), BlobType::Tree);
        }
        let nodes = match tree::nodes(self.engine, self.guard, id) {
            Ok(nodes) => nodes,
            Err(Error::Damaged { what, detail }) => {
                self.finding(path, format!("{what}: {detail}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        self.summary.trees += 1;
        for node in nodes {
            let path = path.join(&*node.name());
            match (&node.node_type, node.subtree) {
                (NodeType::Dir, Some(tree)) => open.push((tree, path)),
                (NodeType::Dir, None) => self.finding(&path, "a directory without content"),
                (NodeType::File, _) => {
                    for blob in node.content.iter().flatten() {
                        self.content(*blob, &path);
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn content(&mut self, blob: rustic_core::DataId, path: &Path) {
        let id = BlobId::from(blob);
        match tree::place(self.engine, &blob) {
            Some(place) => {
                let blobs = self.used.entry(place.pack).or_default();
                if blobs.insert(id, BlobType::Data).is_none() {
                    self.summary.blobs += 1;
                }
            }
            None => self.finding(path, format!("content {} is not in the index", &*id.to_hex())),
        }
    }

    fn finding(&mut self, path: &Path, detail: impl std::fmt::Display) {
        self.summary
            .errors
            .push(Finding { what: path.display().to_string(), detail: detail.to_string() });
    }
}

/// Every pack against its name, and every blob in use against its own.
fn read_data(
    engine: &Indexed,
    guard: &Guard,
    meter: &Meter,
    used: &Used,
    summary: &mut CheckSummary,
) -> Result<()> {
    let packs = guard.files(Kind::Pack)?;
    let total = packs.iter().map(|(_, size)| u64::from(*size)).sum();
    meter.phase(Phase::CheckingData, Some(total), Some(packs.len() as u64));
    let next = AtomicUsize::new(0);
    let read = AtomicU64::new(0);
    let findings = Mutex::new(Vec::new());
    let fatal = Mutex::new(None);
    let none = BTreeMap::new();
    let worker = || {
        while let Some((pack, size)) = packs.get(next.fetch_add(1, SeqCst)) {
            let blobs = used.get(pack).unwrap_or(&none);
            let outcome = meter.go_on().and_then(|()| read_pack(engine, guard, *pack, blobs));
            match outcome {
                Ok(()) => {}
                Err(Error::Damaged { what, detail }) => {
                    if let Ok(mut findings) = findings.lock() {
                        findings.push(Finding { what, detail });
                    }
                }
                Err(error) => {
                    if let Ok(mut fatal) = fatal.lock() {
                        fatal.get_or_insert(error);
                    }
                    break;
                }
            }
            read.fetch_add(u64::from(*size), SeqCst);
            meter.bytes(u64::from(*size));
            meter.file();
        }
        drop_window();
    };
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(worker);
        }
    });
    if let Ok(Some(error)) = fatal.into_inner() {
        return Err(error);
    }
    summary.packs_read = packs.len() as u64;
    summary.bytes_read = read.into_inner();
    let mut findings = findings.into_inner().unwrap_or_default();
    findings.sort_by(|a, b| a.what.cmp(&b.what));
    summary.errors.extend(findings);
    Ok(())
}

fn read_pack(
    engine: &Indexed,
    guard: &Guard,
    pack: Id,
    blobs: &BTreeMap<BlobId, BlobType>,
) -> Result<()> {
    guard.read_pack_ahead(pack)?;
    // The pack is what was stored; this finds a writer that stored something wrong.
    for (id, kind) in blobs {
        tree::blob(engine, guard, *kind, id)?;
    }
    Ok(())
}
