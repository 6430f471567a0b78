//! The fault layer: a small library in C that is loaded into a host and its vault, and the file of
//! switches that commands it while they run.

use crate::Trouble;
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
    process::Command,
};

const SOURCE: &str = include_str!("../layer/faults.c");
const FILE_LEN: u64 = 4_096;

/// `EIO`: the disk failed.
pub(crate) const EIO: u64 = 5;
/// `ENOSPC`: the disk is full.
pub(crate) const ENOSPC: u64 = 28;

/// The compiled library.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    library: PathBuf,
}

impl Layer {
    /// Compiles it with the system's C compiler.
    pub(crate) fn build(folder: &Path) -> Result<Self, Trouble> {
        let (source, library) = (folder.join("faults.c"), folder.join("faults.so"));
        std::fs::write(&source, SOURCE).map_err(|e| Trouble::io("write", &source, &e))?;
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-o"])
            .arg(&library)
            .arg(&source)
            .arg("-ldl")
            .output()
            .map_err(|e| {
                Trouble::missing(format!(
                    "a C compiler, `cc`, for the faults of clock and disk: {e}"
                ))
            })?;
        if !output.status.success() {
            let words = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(Trouble::missing(format!("the fault layer does not compile: {words}")));
        }
        Ok(Self { library })
    }

    /// What a program needs in its environment to be under the switches.
    pub(crate) fn environment(
        &self,
        switches: &Switches,
        disk: &Path,
    ) -> [(&'static str, PathBuf); 3] {
        [
            ("LD_PRELOAD", self.library.clone()),
            ("STRONGROOM_CHAOS", switches.path.clone()),
            ("STRONGROOM_CHAOS_DISK", disk.to_path_buf()),
        ]
    }

    /// A program that starts the vault with the layer: hosts give their vaults an empty environment.
    pub(crate) fn wrapper(
        &self,
        at: &Path,
        vault: &Path,
        switches: &Switches,
        disk: &Path,
    ) -> Result<(), Trouble> {
        let mut text = "#!/bin/sh\n".to_owned();
        for (name, value) in self.environment(switches, disk) {
            text.push_str(&format!("export {name}='{}'\n", value.display()));
        }
        text.push_str(&format!("exec '{}' \"$@\"\n", vault.display()));
        let io = |e: std::io::Error| Trouble::io("write", at, &e);
        std::fs::write(at, text).map_err(io)?;
        std::fs::set_permissions(at, std::fs::Permissions::from_mode(0o700)).map_err(io)
    }
}

/// What has been injected so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Injected {
    pub(crate) syncs_failed: u64,
    pub(crate) writes_failed: u64,
    pub(crate) writes_torn: u64,
    pub(crate) clocks_moved: u64,
}

impl std::ops::AddAssign for Injected {
    fn add_assign(&mut self, more: Self) {
        self.syncs_failed += more.syncs_failed;
        self.writes_failed += more.writes_failed;
        self.writes_torn += more.writes_torn;
        self.clocks_moved += more.clocks_moved;
    }
}

/// One node's switches: the layout is `struct switches` in `layer/faults.c`.
#[derive(Debug)]
pub(crate) struct Switches {
    path: PathBuf,
    file: File,
}

impl Switches {
    pub(crate) fn create(path: PathBuf) -> Result<Self, Trouble> {
        let io = |e: std::io::Error| Trouble::io("make", &path, &e);
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(true).mode(0o600);
        let file = options.open(&path).map_err(io)?;
        file.set_len(FILE_LEN).map_err(io)?;
        Ok(Self { path, file })
    }

    /// Moves the wall clock, from now on.
    pub(crate) fn clock_offset_ms(&self, offset: i64) -> Result<(), Trouble> {
        self.set(0, offset.cast_unsigned())
    }

    /// Lets every sync fail with this error number; 0 ends it.
    pub(crate) fn sync_error(&self, errno: u64) -> Result<(), Trouble> {
        self.set(1, errno)
    }

    /// Lets every write fail with this error number; 0 ends it.
    pub(crate) fn write_error(&self, errno: u64) -> Result<(), Trouble> {
        self.set(2, errno)
    }

    /// Tears the n-th write from now: a part of it reaches the file, and the writer dies.
    pub(crate) fn tear_after(&self, writes: u64) -> Result<(), Trouble> {
        self.set(3, writes)
    }

    pub(crate) fn injected(&self) -> Injected {
        Injected {
            syncs_failed: self.get(4),
            writes_failed: self.get(5),
            writes_torn: self.get(6),
            clocks_moved: self.get(7),
        }
    }

    fn set(&self, place: u64, value: u64) -> Result<(), Trouble> {
        let written = self.file.write_all_at(&value.to_ne_bytes(), place * 8);
        written.map_err(|e| Trouble::io("write", &self.path, &e))
    }

    fn get(&self, place: u64) -> u64 {
        let mut bytes = [0; 8];
        match self.file.read_exact_at(&mut bytes, place * 8) {
            Ok(()) => u64::from_ne_bytes(bytes),
            Err(_) => 0,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(
        layer: &Layer,
        switches: &Switches,
        disk: &Path,
        program: &str,
        script: &str,
    ) -> std::process::Output {
        let environment = layer.environment(switches, disk);
        let mut command = Command::new(program);
        command.args(["-c", script]).current_dir(disk).envs(environment);
        command.output().expect("run")
    }

    #[test]
    fn the_layer_fails_syncs_and_writes_tears_and_moves_clocks() {
        let folder = tempfile::tempdir().expect("folder");
        let disk = folder.path().canonicalize().expect("path").join("disk");
        std::fs::create_dir(&disk).expect("disk");
        let layer = Layer::build(folder.path()).expect("layer");
        let switches = Switches::create(folder.path().join("switches")).expect("switches");
        let sync = "printf x > file && sync -d file";
        assert!(run(&layer, &switches, &disk, "sh", sync).status.success());
        switches.sync_error(EIO).expect("set");
        assert!(!run(&layer, &switches, &disk, "sh", sync).status.success());
        switches.sync_error(0).expect("set");

        switches.write_error(ENOSPC).expect("set");
        let full = run(&layer, &switches, &disk, "sh", "printf x > file");
        assert!(!full.status.success(), "{full:?}");
        switches.write_error(0).expect("set");

        switches.tear_after(1).expect("set");
        run(&layer, &switches, &disk, "sh", "dd if=/dev/zero of=torn bs=4096 count=1 status=none");
        let len = std::fs::metadata(disk.join("torn")).expect("torn").len();
        assert_eq!(len, 2_048);

        let year = |output: std::process::Output| -> i64 {
            String::from_utf8_lossy(&output.stdout).trim().parse().expect("a year")
        };
        let now = year(run(&layer, &switches, &disk, "sh", "date +%Y"));
        switches.clock_offset_ms(-10 * 365 * 86_400_000).expect("set");
        let moved = year(run(&layer, &switches, &disk, "sh", "date +%Y"));
        assert!((9..=11).contains(&(now - moved)), "{now} {moved}");
        let injected = switches.injected();
        assert!(injected.syncs_failed >= 1 && injected.writes_failed >= 1, "{injected:?}");
        assert!(injected.writes_torn == 1 && injected.clocks_moved >= 1, "{injected:?}");
    }
}
