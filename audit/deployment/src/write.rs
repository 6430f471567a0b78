//! Writing a directory (spec §24.3).

use crate::{
    BUNDLE, CEREMONY, CHECKPOINT, EVENTS, EVIDENCE, RECORD, TRUST,
    check::{At, Checked, check_deployment},
    directory::{Below, Directory},
};
use core::fmt::Write as _;
use std::{
    fs, io,
    path::{Path, PathBuf},
};
use strongroom_manifest::Floors;
use strongroom_page::{Command, Outcome, Page, PageError, Verifier};
use strongroom_tlog::{
    Checkpoint, Note, caps,
    tiles::{TileKind, TileSource, VerifiedTiles, written},
};
use strongroom_verify::{Event, Trust, TrustError, events_origin};

/// A bundle of 256 entries, each with its length.
const FILE_LEN_MAX: usize = 256 * (65_535 + 2);

/// What goes in beside the two logs.
#[derive(Debug, Clone)]
pub struct Papers<'a> {
    /// The fleet that was deployed.
    pub fleet: &'a str,
    /// The pins that the auditor publishes.
    pub trust: &'a [u8],
    /// The validation bundle of the latest epoch.
    pub bundle: &'a [u8],
    /// The ceremony's transcript.
    pub ceremony: &'a [u8],
    /// What the hardware says; empty where nothing speaks.
    pub evidence: &'a [u8],
    /// Lines by which a stranger checks the directory.
    pub commands: &'a [Command],
    /// The page's check, if it was built.
    pub verifier: Option<&'a Verifier>,
    /// What clients accept.
    pub floors: &'a Floors,
    /// The writer's clock, milliseconds since the Unix epoch.
    pub now_ms: u64,
}

/// What was written, and what its check found.
#[derive(Debug)]
pub struct Written {
    /// Files, below the directory.
    pub files: Vec<String>,
    /// The check of all of them.
    pub checked: Checked,
}

/// Writes a deployment directory out of a manifest log and its event log, each as its folder or host has
/// it. `place` must not exist.
///
/// # Errors
/// [`WriteError`]; then nothing has the name `place`.
pub fn write_deployment<M: TileSource, E: TileSource>(
    place: &Path,
    manifest_log: &M,
    event_log: &E,
    papers: &Papers<'_>,
) -> Result<Written, WriteError> {
    let trust = Trust::parse(papers.trust)?;
    if place.exists() {
        return Err(WriteError::Exists { place: place.to_owned() });
    }
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let draft = place.with_file_name(format!(".{name}.draft"));
    if draft.exists() {
        // Of a crash within this function: nothing else makes it.
        fs::remove_dir_all(&draft).map_err(|source| WriteError::io(&draft, source))?;
    }
    let mut out = Draft { root: draft, files: Vec::new() };
    let size = copy_log(manifest_log, "", &mut out)?;
    copy_log(event_log, "events/", &mut out)?;
    // From here on of the copies: a log that lives may have grown meanwhile.
    let copied = Directory::at(&out.root);
    let events = Below { source: &copied, folder: EVENTS };
    let record = record(&events, &trust, papers.fleet, size)?;
    out.put(RECORD, &record.to_json())?;
    out.put(CEREMONY, papers.ceremony)?;
    out.put(EVIDENCE, papers.evidence)?;
    out.put(BUNDLE, papers.bundle)?;
    let page = Page {
        trust: papers.trust,
        commands: papers.commands,
        verifier: papers.verifier,
        now_ms: papers.now_ms,
    };
    let checkpoint = read(&copied, CHECKPOINT)?;
    let files = strongroom_page::write(&out.root, &checkpoint, &copied, &page)?;
    out.files.extend(files.files);
    out.put("README.txt", readme(&trust, &record, papers).as_bytes())?;

    let at = At { now_ms: papers.now_ms, floors: papers.floors };
    let checked = check_deployment(&Directory::at(&out.root), &trust, &at);
    if checked.outcome() != Outcome::Verified {
        let last = checked.stages().last();
        let why = last.map(|stage| format!("{}: {}", stage.name, stage.text)).unwrap_or_default();
        return Err(WriteError::NotVerified { outcome: checked.outcome(), why });
    }
    sync(&out.root)?;
    // A crash before this leaves a draft; once this has returned, the directory is there whole.
    fs::rename(&out.root, place).map_err(|source| WriteError::io(place, source))?;
    sync_name(place)?;
    Ok(Written { files: out.files, checked })
}

/// Writes a log and its status page into a directory that any static web server carries, in the place of
/// an older one if there is one (spec §25.4).
///
/// # Errors
/// [`WriteError`]; then what had the name has it still.
pub fn write_status<M: TileSource>(
    place: &Path,
    manifest_log: &M,
    page: &Page<'_>,
) -> Result<Vec<String>, WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::io(&path, source)
    };
    let name = place.file_name().unwrap_or_default().to_string_lossy();
    let beside = |kind: &str| place.with_file_name(format!(".{name}.{kind}"));
    let (draft, old) = (beside("draft"), beside("old"));
    // A crash between the two renames below left the older page aside: it is the page until a new one is
    // made.
    if !place.exists() && old.exists() {
        fs::rename(&old, place).map_err(failed(place))?;
    }
    // Nothing else than a page is ever replaced, and a deployment directory is written once.
    let is_page = place.join("status/style.css").is_file() && !place.join(RECORD).exists();
    if place.exists() && !is_page {
        return Err(WriteError::NoPage { place: place.to_owned() });
    }
    for left in [&draft, &old] {
        if left.exists() {
            // Of a crash within this function: nothing else makes them.
            fs::remove_dir_all(left).map_err(failed(left))?;
        }
    }
    let mut out = Draft { root: draft, files: Vec::new() };
    copy_log(manifest_log, "", &mut out)?;
    // Of the copy: what is checked is what is published, however the log grows meanwhile.
    let copied = Directory::at(&out.root);
    let checkpoint = read(&copied, CHECKPOINT)?;
    out.files.extend(strongroom_page::write(&out.root, &checkpoint, &copied, page)?.files);
    sync(&out.root)?;
    let replaces = place.exists();
    if replaces {
        fs::rename(place, &old).map_err(failed(place))?;
    }
    // A crash here: see above. The names are synced once both are as they shall be.
    if let Err(error) = fs::rename(&out.root, place) {
        if replaces {
            fs::rename(&old, place).map_err(failed(place))?;
        }
        return Err(WriteError::io(place, error));
    }
    sync_name(place)?;
    if replaces {
        fs::remove_dir_all(&old).map_err(failed(&old))?;
    }
    Ok(out.files)
}

struct Draft {
    root: PathBuf,
    files: Vec<String>,
}

impl Draft {
    fn put(&mut self, path: &str, bytes: &[u8]) -> Result<(), WriteError> {
        let target = self.root.join(path);
        let failed = |source| WriteError::io(&target, source);
        if let Some(parent) = target.parent() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
        fs::write(&target, bytes).map_err(failed)?;
        self.files.push(path.to_owned());
        Ok(())
    }
}

/// Everything that was written, on the disk before the directory gets its name.
fn sync(folder: &Path) -> Result<(), WriteError> {
    let failed = |source| WriteError::io(folder, source);
    for entry in fs::read_dir(folder).map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        if path.is_dir() {
            sync(&path)?;
        } else {
            fs::File::open(&path).and_then(|file| file.sync_all()).map_err(failed)?;
        }
    }
    fs::File::open(folder).and_then(|file| file.sync_all()).map_err(failed)
}

/// The name of a directory, on the disk.
fn sync_name(place: &Path) -> Result<(), WriteError> {
    let parent = place.parent().filter(|parent| !parent.as_os_str().is_empty());
    let parent = parent.unwrap_or(Path::new("."));
    let synced = fs::File::open(parent).and_then(|folder| folder.sync_all());
    synced.map_err(|source| WriteError::io(parent, source))
}

fn read<S: TileSource>(source: &S, path: &str) -> Result<Vec<u8>, WriteError> {
    let failed =
        |error: S::Error| WriteError::Source { path: path.to_owned(), why: error.to_string() };
    source.read(path, FILE_LEN_MAX).map_err(failed)
}

/// What a log's checkpoint claims; whether it is true, the check at the end says.
fn claimed(checkpoint: &[u8]) -> Result<Checkpoint, WriteError> {
    let damaged = |why: String| WriteError::Source { path: CHECKPOINT.to_owned(), why };
    let note = Note::parse(checkpoint).map_err(|error| damaged(error.to_string()))?;
    Checkpoint::parse(note.text()).map_err(|error| damaged(error.to_string()))
}

/// Copies what the log's checkpoint, read once, says that there is. Its size.
fn copy_log<S: TileSource>(source: &S, folder: &str, out: &mut Draft) -> Result<u64, WriteError> {
    let checkpoint = source.read(CHECKPOINT, caps::NOTE_LEN_MAX);
    let checkpoint = checkpoint.map_err(|error| WriteError::Source {
        path: CHECKPOINT.to_owned(),
        why: error.to_string(),
    })?;
    let size = claimed(&checkpoint)?.size();
    let tiles = written(0, size).map_err(|error| WriteError::Source {
        path: CHECKPOINT.to_owned(),
        why: error.to_string(),
    })?;
    out.put(&format!("{folder}{CHECKPOINT}"), &checkpoint)?;
    for tile in tiles {
        let path = tile.path();
        out.put(&format!("{folder}{path}"), &read(source, &path)?)?;
        if tile.kind() == TileKind::Entries && folder.is_empty() {
            let signatures = path.replacen("tile/entries/", "signatures/", 1);
            // A missing one is found by the check that follows.
            if let Ok(bytes) = source.read(&signatures, FILE_LEN_MAX) {
                out.put(&signatures, &bytes)?;
            }
        }
    }
    Ok(size)
}

/// The fleet's deployment under the latest epoch.
fn record<S: TileSource>(
    source: &S,
    trust: &Trust,
    fleet: &str,
    epoch: u64,
) -> Result<Event, WriteError> {
    let head = claimed(&read(source, CHECKPOINT)?)?.head();
    let failed = |why: String| WriteError::Source { path: EVENTS.to_owned(), why };
    let tiles = VerifiedTiles::open(source, head).map_err(|error| failed(error.to_string()))?;
    let origin = events_origin(trust.origin());
    let mut found = None;
    for entry in tiles.entries(0) {
        let (_, entry) = entry.map_err(|error| failed(error.to_string()))?;
        match Event::from_leaf(&origin, &entry) {
            Ok(event @ Event::Deployment(_))
                if event.fleet() == fleet && event.epoch() == epoch =>
            {
                found = Some(event);
            }
            _ => {}
        }
    }
    found.ok_or_else(|| WriteError::NoRecord { fleet: fleet.to_owned(), epoch })
}

fn readme(trust: &Trust, record: &Event, papers: &Papers<'_>) -> String {
    let mut text = format!(
        "Deployment of fleet {} of {}, epoch {}.\n\n\
         Everything here can be checked without a network and without believing whoever gave it to you.\n\
         Take the program and the trust file from elsewhere: from the app, its source, or its makers. The\n\
         {TRUST} here is for comparison, and the page (index.html) is a convenience.\n\n",
        record.fleet(),
        trust.file().namespace,
        record.epoch()
    );
    for command in papers.commands {
        // Writing to a string has no error.
        let _ = write!(text, "{}:\n\n    {}\n\n", command.what, command.line);
    }
    text.push_str(
        "The papers, against ceremony_sha256 and evidence_sha256 of deployment.json:\n\n    \
         sha256sum ceremony.txt evidence.bin\n    cat deployment.json\n\n\
         Files: checkpoint, tile/, signatures/ and bundle are the manifest log; events/ is the event log;\n\
         deployment.json is the operator's record, which stands in the event log. The formats are in the\n\
         Strongroom specification, chapters 9, 21, 22 and 24.\n",
    );
    text
}

/// Why no directory was written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// The pins.
    #[error(transparent)]
    Trust(#[from] TrustError),
    /// Something has the name.
    #[error("{} exists; a deployment directory is written once", place.display())]
    Exists {
        /// The name.
        place: PathBuf,
    },
    /// Something else has the name.
    #[error("{} exists and is no status page; nothing was written", place.display())]
    NoPage {
        /// The name.
        place: PathBuf,
    },
    /// A log's file.
    #[error("cannot read {path} of the log: {why}")]
    Source {
        /// Below the log.
        path: String,
        /// What its source says.
        why: String,
    },
    /// Nobody recorded the deployment.
    #[error(
        "the event log has no deployment of fleet {fleet} under epoch {epoch}, the latest; record it first"
    )]
    NoRecord {
        /// The fleet.
        fleet: String,
        /// The latest epoch.
        epoch: u64,
    },
    /// The page.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The directory does not hold.
    #[error("no directory was written: it is not verified ({}): {why}", outcome.name())]
    NotVerified {
        /// How the check ended.
        outcome: Outcome,
        /// The step that does not hold.
        why: String,
    },
    /// The system says no.
    #[error("cannot write {}: {source}", path.display())]
    Io {
        /// On what.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

impl WriteError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}
