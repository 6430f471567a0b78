//! Files that hold secrets: readable by their owner alone, never half written, never replaced.

use crate::failure::Failure;
use rustix::{fs::FlockOperation, io::Errno};
use std::time::{Duration, Instant};
use std::{
    fs::{self, DirBuilder, File, OpenOptions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};
use zeroize::Zeroizing;

/// The largest key file, in bytes.
const SECRET_LEN_MAX: u64 = 64 * 1_024;
const OTHERS: u32 = 0o077;

/// Makes a folder that only its owner may enter; one that exists must be so already.
///
/// # Errors
/// [`Failure`].
pub fn private_dir(path: &Path) -> Result<(), Failure> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(|e| Failure::io("make the folder", path, &e))?;
    check_private_dir(path)
}

/// Refuses a folder that others may enter.
///
/// # Errors
/// [`Failure`].
pub fn check_private_dir(path: &Path) -> Result<(), Failure> {
    let metadata = fs::metadata(path).map_err(|e| Failure::io("look at", path, &e))?;
    let mode = metadata.mode() & 0o7777;
    if !metadata.is_dir() || mode & OTHERS != 0 {
        return Err(Failure::Refused(format!(
            "{} has mode {mode:04o}, expected a folder of 0700: chmod 700 it",
            path.display()
        )));
    }
    Ok(())
}

/// Reads a secret file, and refuses one that anybody but its owner may read.
///
/// The mode is taken from the opened file, not from the path: between two looks at a path a file
/// can be exchanged. A symbolic link is refused for the same reason.
///
/// # Errors
/// [`Failure`].
pub fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let cannot = |e: std::io::Error| Failure::io("read", path, &e);
    let file = OpenOptions::new()
        .read(true)
        .custom_flags(libc::O_NOFOLLOW | libc::O_CLOEXEC)
        .open(path)
        .map_err(cannot)?;
    let metadata = file.metadata().map_err(cannot)?;
    let (mode, owner) = (metadata.mode() & 0o7777, metadata.uid());
    let own = rustix::process::geteuid().as_raw();
    if !metadata.is_file() || mode & OTHERS != 0 || owner != own {
        return Err(Failure::Refused(format!(
            "{} has mode {mode:04o} and owner {owner}, expected a file of 0600 and owner {own}",
            path.display()
        )));
    }
    if metadata.len() > SECRET_LEN_MAX {
        let got = metadata.len();
        return Err(Failure::Refused(format!(
            "{} has {got} bytes, at most {SECRET_LEN_MAX} expected",
            path.display()
        )));
    }
    // Reserved in full, so that reading never moves the bytes and leaves a copy behind.
    let mut bytes = Zeroizing::new(Vec::with_capacity(SECRET_LEN_MAX as usize + 1));
    file.take(SECRET_LEN_MAX).read_to_end(&mut bytes).map_err(cannot)?;
    Ok(bytes)
}

/// Reads a file without secrets of at most `cap` bytes.
///
/// # Errors
/// [`Failure`].
pub fn read_public(path: &Path, cap: usize) -> Result<Vec<u8>, Failure> {
    let cannot = |e: std::io::Error| Failure::io("read", path, &e);
    let file = File::open(path).map_err(cannot)?;
    let mut bytes = Vec::new();
    file.take(cap as u64 + 1).read_to_end(&mut bytes).map_err(cannot)?;
    if bytes.len() > cap {
        return Err(Failure::Refused(format!("{} is longer than {cap} bytes", path.display())));
    }
    Ok(bytes)
}

/// Writes a new file of mode 0600, durably. Refuses to touch one that exists.
///
/// # Errors
/// [`Failure`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let draft = draft_of(path);
    write_draft(&draft, bytes).map_err(|e| Failure::io("write", &draft, &e))?;
    // A link, not a rename: it fails where a file stands, and a crash before it leaves no key file
    // rather than a torn one.
    let linked = fs::hard_link(&draft, path);
    let _ = fs::remove_file(&draft);
    match linked {
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => {
            Err(Failure::Refused(format!("{} exists and is never overwritten", path.display())))
        }
        Err(e) => Err(Failure::io("create", path, &e)),
        Ok(()) => sync_dir_of(path).map_err(|e| Failure::io("sync the folder of", path, &e)),
    }
}

/// A folder that this process alone uses, for as long as the process lives: the system takes the lock back
/// at its end, however it ends.
pub struct Lock(#[expect(dead_code, reason = "held, not used")] File);

/// How long a process waits for its predecessor to end.
const LOCK_PATIENCE: Duration = Duration::from_secs(3);

impl Lock {
    /// Takes the folder, and waits a little for a process that is about to end.
    ///
    /// # Errors
    /// [`Failure::Machine`] if another process has it.
    pub fn take(dir: &Path) -> Result<Self, Failure> {
        let folder = File::open(dir).map_err(|e| Failure::io("open", dir, &e))?;
        let began = Instant::now();
        loop {
            match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Self(folder)),
                Err(Errno::WOULDBLOCK | Errno::INTR) if began.elapsed() < LOCK_PATIENCE => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(Errno::WOULDBLOCK) => {
                    return Err(Failure::Machine(format!(
                        "another vault process uses {}; expected one process for each node: end it first",
                        dir.display()
                    )));
                }
                Err(e) => return Err(Failure::io("lock", dir, &e.into())),
            }
        }
    }
}

/// Where a file is prepared before it takes its place.
pub(crate) fn draft_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".draft");
    PathBuf::from(name)
}

pub(crate) fn write_draft(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    // Left over from a crash: it never took its place.
    let _ = fs::remove_file(path);
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    file.sync_all()
}

pub(crate) fn sync_dir_of(path: &Path) -> std::io::Result<()> {
    let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_secret_file_is_for_its_owner_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("secret");
        write_new(&path, b"abc").expect("write");
        assert_eq!(fs::metadata(&path).expect("stat").mode() & 0o7777, 0o600);
        assert_eq!(read_secret(&path).expect("read").as_slice(), b"abc");
        for mode in [0o644, 0o640, 0o604, 0o601] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("chmod");
            assert!(matches!(read_secret(&path), Err(Failure::Refused(_))), "{mode:o}");
        }
    }

    #[test]
    fn a_symbolic_link_to_a_secret_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let (path, link) = (dir.path().join("secret"), dir.path().join("link"));
        write_new(&path, b"abc").expect("write");
        std::os::unix::fs::symlink(&path, &link).expect("link");
        assert!(read_secret(&link).is_err());
    }

    #[test]
    fn a_secret_file_is_never_overwritten() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("secret");
        write_new(&path, b"abc").expect("write");
        assert!(matches!(write_new(&path, b"xyz"), Err(Failure::Refused(_))));
        assert_eq!(read_secret(&path).expect("read").as_slice(), b"abc");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1);
    }

    #[test]
    fn a_folder_that_others_may_enter_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("vault");
        private_dir(&path).expect("make");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("chmod");
        assert!(matches!(private_dir(&path), Err(Failure::Refused(_))));
    }
}
