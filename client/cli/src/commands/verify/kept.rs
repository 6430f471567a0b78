//! The kept head on the disk (spec §23.5), and new files beside it.

use crate::failure::Failure;
use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, ErrorKind, Read as _, Write as _},
    path::{Path, PathBuf},
};
use strongroom_verify::{KEPT_LEN_MAX, KeptHead, Trust};

/// Reads a file of at most `cap` bytes; none if it is not there.
pub(crate) fn read(path: &Path, cap: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error),
    };
    let mut bytes = Vec::new();
    file.take((cap as u64).saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > cap {
        return Err(io::Error::other(format!("longer than {cap} bytes")));
    }
    Ok(Some(bytes))
}

/// The kept head, if there is one yet.
pub(crate) fn load(path: &Path, trust: &Trust) -> Result<Option<KeptHead>, Failure> {
    let wrong = |what: String| {
        Failure::usage(format!("{}: {what}", path.display()))
            .hint("check the whole history again without --from, or into another file")
            .free()
    };
    let Some(bytes) = read(path, KEPT_LEN_MAX).map_err(|error| wrong(error.to_string()))? else {
        return Ok(None);
    };
    KeptHead::parse(&bytes, trust).map(Some).map_err(|error| wrong(error.to_string()))
}

/// Keeps a head: whole or not at all, synced, and never a smaller one in the place of a larger.
pub(crate) fn save(path: &Path, head: &KeptHead, trust: &Trust) -> Result<(), Failure> {
    let failed = |error: io::Error| {
        Failure::machine(format!("cannot write {}: {error}", path.display())).free()
    };
    // Two checks that end at once: the slower one must not take the faster one's head back.
    let lock = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(beside(path, ".lock"))
        .map_err(failed)?;
    lock.lock().map_err(failed)?;
    let there = read(path, KEPT_LEN_MAX).map_err(failed)?;
    let there = there.and_then(|bytes| KeptHead::parse(&bytes, trust).ok());
    if there.is_some_and(|there| there.head().size > head.head().size) {
        return Ok(());
    }
    write(path, &head.to_bytes()).map_err(failed)
}

/// Writes a file in the place of an older one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let draft = beside(path, ".new");
    let mut file = File::create(&draft)?;
    file.write_all(bytes)?;
    // A crash here leaves the older file, and a draft that nobody reads.
    file.sync_all()?;
    fs::rename(&draft, path)?;
    // A crash before this may show the older head: the same epochs are checked once more.
    sync_parent(path)
}

/// Writes a new file and never over another.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    sync_parent(path)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}
