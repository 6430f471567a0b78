//! What an ordinary process can do to keep its memory to itself, and what it could not do.
//!
//! Every measure is tried and reported; none is skipped in silence. None of them stops root on the
//! same machine: see `README.md`.

use rustix::{
    mm::{MlockAllFlags, mlockall},
    process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit},
    thread::{CapabilitySet, capabilities, set_no_new_privs},
};
use seccompiler::{SeccompAction, SeccompFilter};
use std::{collections::BTreeMap, path::Path};

/// One measure and how it went.
#[derive(Debug)]
pub struct Measure {
    /// What was tried.
    pub name: &'static str,
    /// Why it is not in force, if it is not.
    pub missing: Option<String>,
}

impl Measure {
    fn new<E: std::fmt::Display>(name: &'static str, result: Result<(), E>) -> Self {
        Self { name, missing: result.err().map(|e| e.to_string()) }
    }
}

impl std::fmt::Display for Measure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.missing {
            None => write!(f, "in force: {}", self.name),
            Some(why) => write!(f, "NOT in force: {} ({why})", self.name),
        }
    }
}

/// Before any key is read: what it will hold shall not be dumped, traced or swapped.
pub fn before_keys() -> Vec<Measure> {
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    vec![
        Measure::new("no core dumps", setrlimit(Resource::Core, no_core)),
        Measure::new(
            "no tracing by the same user",
            set_dumpable_behavior(DumpableBehavior::NotDumpable),
        ),
        Measure::new("no new privileges", set_no_new_privs(true)),
        Measure::new("memory locked against swap", lock_memory()),
        Measure::new("nothing inherited but three pipes", look_for_descriptors()),
    ]
}

/// A descriptor that whoever started this process left open is a door that no sandbox closes, a
/// socket above all. Closing what somebody else opened is not for safe code; saying so is.
fn look_for_descriptors() -> Result<(), String> {
    let open = std::fs::read_dir("/proc/self/fd").map_err(|e| e.to_string())?;
    let mut inherited: Vec<String> = open
        .filter_map(|entry| {
            let entry = entry.ok()?;
            let number: u32 = entry.file_name().to_str()?.parse().ok()?;
            let target = std::fs::read_link(entry.path()).ok()?;
            // The descriptor of this very look is not inherited.
            let own = target.starts_with("/proc");
            (number > 2 && !own).then(|| format!("{number} is {}", target.display()))
        })
        .collect();
    inherited.sort();
    if inherited.is_empty() { Ok(()) } else { Err(inherited.join(", ")) }
}

/// With everything opened that will be: files of `dir` only, no sockets, no programs.
///
/// To be called before another thread starts: a sandbox holds for the thread that made it and for
/// those that come after.
pub fn before_messages(dir: &Path) -> Vec<Measure> {
    vec![
        Measure::new("files outside of the vault's folder closed", close_files(dir)),
        Measure::new("no sockets, programs or foreign memory", close_calls()),
    ]
}

/// Locks all memory, where that can not turn a later allocation into a crash.
///
/// Under a limit, `mlockall` succeeds while memory is small and then lets an allocation fail, which
/// aborts the process in the middle of its work. So a limit means: not locked, and said so.
fn lock_memory() -> Result<(), String> {
    let limit = getrlimit(Resource::Memlock).current;
    let may_ignore_it =
        capabilities(None).is_ok_and(|sets| sets.effective.contains(CapabilitySet::IPC_LOCK));
    if let (Some(bytes), false) = (limit, may_ignore_it) {
        return Err(format!(
            "the limit is {bytes} bytes: set LimitMEMLOCK=infinity, or encrypt swap"
        ));
    }
    let flags = MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT;
    mlockall(flags).map_err(|e| e.to_string())
}

/// Landlock: the vault's folder stays, every other path and every TCP port goes.
fn close_files(dir: &Path) -> Result<(), String> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, CompatLevel, Compatible, PathBeneath, PathFd, Ruleset,
        RulesetAttr, RulesetCreatedAttr, RulesetStatus,
    };
    let abi = ABI::V4;
    let text = |e: landlock::RulesetError| e.to_string();
    let folder = PathFd::new(dir).map_err(|e| e.to_string())?;
    let inside = AccessFs::ReadFile
        | AccessFs::ReadDir
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::RemoveFile;
    let status = Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(abi))
        .map_err(text)?
        .handle_access(AccessNet::from_all(abi))
        .map_err(text)?
        .create()
        .map_err(text)?
        .add_rule(PathBeneath::new(folder, inside))
        .map_err(text)?
        .restrict_self()
        .map_err(text)?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced => {
            Err("partly: this kernel's Landlock is older than version 4".to_owned())
        }
        RulesetStatus::NotEnforced => Err("this kernel has no Landlock".to_owned()),
    }
}

/// System calls that a vault has no use for and an intruder has.
const CLOSED_CALLS: [libc::c_long; 22] = [
    libc::SYS_socket,
    libc::SYS_socketpair,
    libc::SYS_connect,
    libc::SYS_bind,
    libc::SYS_listen,
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_pidfd_getfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_bpf,
    libc::SYS_userfaultfd,
    libc::SYS_memfd_create,
    libc::SYS_mount,
    libc::SYS_unshare,
    libc::SYS_keyctl,
    libc::SYS_perf_event_open,
];

fn close_calls() -> Result<(), String> {
    let arch =
        std::env::consts::ARCH.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
    // No conditions: the call is refused whatever its arguments. It returns EPERM, so that what
    // happened shows in an error instead of a dead process.
    let rules: BTreeMap<i64, Vec<_>> = CLOSED_CALLS.iter().map(|call| (*call, vec![])).collect();
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter =
        SeccompFilter::new(rules, SeccompAction::Allow, refuse, arch).map_err(|e| e.to_string())?;
    let program: seccompiler::BpfProgram =
        filter.try_into().map_err(|e: seccompiler::BackendError| e.to_string())?;
    seccompiler::apply_filter(&program).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{fleet_secrets::FleetSecrets, hardware::Software, node_keys::NodeKeys};
    use std::{fs, net::TcpListener, process::Command, thread};
    use strongroom_hardware::Cell;

    /// A sandbox holds for the thread that made it: each of these has one of its own.
    fn sandboxed(act: impl FnOnce(&Path, &[Measure]) + Send + 'static) {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().to_path_buf();
        let inside = thread::spawn(move || {
            let measures = before_messages(&path);
            act(&path, &measures);
        });
        inside.join().expect("no panic");
    }

    fn holds(measures: &[Measure], name: &str) -> bool {
        let measure = measures.iter().find(|measure| measure.name.contains(name));
        measure.expect(name).missing.is_none()
    }

    #[test]
    fn a_sandboxed_vault_opens_no_socket_and_starts_no_program() {
        sandboxed(|_, measures| {
            if holds(measures, "sockets") {
                let refused = |e: std::io::Error| e.raw_os_error() == Some(libc::EPERM);
                assert!(TcpListener::bind("127.0.0.1:0").is_err_and(refused));
                assert!(Command::new("true").status().is_err());
            }
        });
    }

    #[test]
    fn a_sandboxed_vault_reads_and_writes_its_own_folder_alone() {
        let outside = tempfile::tempdir().expect("dir");
        let file = outside.path().join("file");
        fs::write(&file, "x").expect("write");
        sandboxed(move |_, measures| {
            if holds(measures, "files outside") {
                assert!(fs::read(&file).is_err());
                assert!(fs::write(&file, "y").is_err());
                assert!(fs::write(file.with_extension("new"), "y").is_err());
            }
        });
    }

    #[test]
    fn a_sandboxed_vault_still_overwrites_its_cell() {
        sandboxed(|dir, _| {
            let keys = NodeKeys::generate(1).expect("keys");
            let secrets = FleetSecrets::generate("dev").expect("secrets");
            let mut hardware = Software::new(dir, keys, secrets, 0);
            hardware.claim(1).expect("claim");
            for content in [b"one", b"two"] {
                hardware.overwrite(1, content).expect("overwrite");
                assert_eq!(hardware.claim(1).expect("claim").as_slice(), content);
            }
        });
    }
}
