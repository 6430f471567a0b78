//! Processes that outlive the command, and how to be sure that a pid is still theirs.
//!
//! A pid alone is a number that the system gives to somebody else one day. A pid file here holds
//! the pid, the moment it was given and the boot it was given in; nothing is signalled unless all
//! three still agree, and the signal goes through a descriptor that was opened before the check.

use super::{
    error::DevError,
    layout::{Process, ProcessFiles, write_private},
};
use rustix::process::{Pid, Signal};
use serde::{Deserialize, Serialize};
use std::{
    ffi::OsString,
    fs,
    io::{Read as _, Seek as _, SeekFrom},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

const PAUSE: Duration = Duration::from_millis(20);
const LOG_TAIL_LEN: u64 = 4 * 1_024;
const LOG_TAIL_LINES: usize = 8;

/// One process of this boot, whatever its pid is given to later.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Identity {
    pub(crate) pid: i32,
    /// Clock ticks from boot to the process' start (proc(5), field 22).
    start_time: u64,
    boot_id: String,
}

/// What `/proc/PID/stat` says.
struct Stat {
    parent: i32,
    start_time: u64,
    is_zombie: bool,
}

impl Identity {
    /// The process that has this pid now.
    fn of(pid: i32) -> Option<Self> {
        let stat = stat(pid)?;
        Some(Self { pid, start_time: stat.start_time, boot_id: boot_id()? })
    }

    /// Whether the process still runs. A dead child that nobody has waited for does not.
    pub(crate) fn is_alive(&self) -> bool {
        boot_id().as_ref() == Some(&self.boot_id)
            && stat(self.pid)
                .is_some_and(|stat| stat.start_time == self.start_time && !stat.is_zombie)
    }

    /// Signals the process, and never another that got its pid. False if it is gone.
    #[cfg(target_os = "linux")]
    pub(crate) fn signal(&self, signal: Signal) -> Result<bool, DevError> {
        use rustix::process::{PidfdFlags, pidfd_open, pidfd_send_signal};
        let Some(pid) = Pid::from_raw(self.pid) else {
            return Ok(false);
        };
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else {
            return Ok(false);
        };
        // The descriptor stands for one process for good: if that one passes the check, no later
        // process can receive the signal.
        if !self.is_alive() {
            return Ok(false);
        }
        match pidfd_send_signal(&process, signal) {
            Ok(()) => Ok(true),
            Err(rustix::io::Errno::SRCH) => Ok(false),
            Err(e) => Err(DevError::failed(format!("cannot signal {}: {e}", self.pid))),
        }
    }

    /// Development fleets need Linux: elsewhere no process can be told from its successor.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn signal(&self, _: Signal) -> Result<bool, DevError> {
        Err(DevError::failed("development fleets run on Linux only"))
    }

    /// Waits until the process is gone; false if it is not gone in time.
    pub(crate) fn wait_gone(&self, patience: Duration) -> bool {
        let end = Instant::now() + patience;
        while self.is_alive() {
            if Instant::now() >= end {
                return false;
            }
            thread::sleep(PAUSE);
        }
        true
    }

    /// The processes that this one started and that still run.
    pub(crate) fn children(&self) -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else {
            return Vec::new();
        };
        entries
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .filter(|pid| stat(*pid).is_some_and(|stat| stat.parent == self.pid))
            .filter_map(Self::of)
            .collect()
    }
}

fn stat(pid: i32) -> Option<Stat> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The second field is the program's name in parentheses and may hold anything, also spaces and
    // parentheses; the last `)` ends it.
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(Stat {
        is_zombie: matches!(*fields.first()?, "Z" | "X"),
        parent: fields.get(1)?.parse().ok()?,
        start_time: fields.get(19)?.parse().ok()?,
    })
}

fn boot_id() -> Option<String> {
    let text = fs::read_to_string("/proc/sys/kernel/random/boot_id").ok()?;
    Some(text.trim().to_owned())
}

/// The programs that a fleet is made of.
#[derive(Debug, Clone)]
pub(crate) struct Programs {
    /// `strongroom` itself, which detaches others.
    own: PathBuf,
    pub(crate) daemon: PathBuf,
    pub(crate) vault: PathBuf,
}

impl Programs {
    /// Looks beside this program, or in the given folder.
    pub(crate) fn find(folder: Option<&Path>) -> Result<Self, DevError> {
        let own = std::env::current_exe()
            .map_err(|e| DevError::failed(format!("cannot find this program: {e}")))?;
        let beside = own.parent().unwrap_or(Path::new("/")).to_owned();
        let folder = match folder {
            Some(folder) => {
                std::path::absolute(folder).map_err(|e| DevError::io("find", folder, &e))?
            }
            None => beside,
        };
        let program = |name: &str| {
            let path = folder.join(name);
            if path.is_file() {
                Ok(path)
            } else {
                Err(DevError::failed(format!("there is no {}", path.display())).hint(
                    "install all three programs together, or name their folder with --programs",
                ))
            }
        };
        Ok(Self { own, daemon: program("strongroomd")?, vault: program("strongroom-vault")? })
    }

    /// Runs the vault program to its end and gives what it printed.
    pub(crate) fn vault(&self, arguments: &[OsString]) -> Result<String, DevError> {
        run(&self.vault, arguments)
    }

    /// Runs a command of the servers' program to its end and gives what it printed.
    pub(crate) fn daemon(&self, arguments: &[OsString]) -> Result<String, DevError> {
        run(&self.daemon, arguments)
    }

    /// Starts a process of its own session, and remembers it.
    pub(crate) fn start(
        &self,
        process: Process,
        files: &ProcessFiles,
    ) -> Result<Identity, DevError> {
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&files.log)
            .map_err(|e| DevError::io("open", &files.log, &e))?;
        let errors = log.try_clone().map_err(|e| DevError::io("open", &files.log, &e))?;
        let child = Command::new(&self.own)
            .args(["dev", "detached"])
            .arg(&self.daemon)
            .args([process.role(), "--config"])
            .arg(&files.config)
            .stdin(Stdio::null())
            .stdout(log)
            .stderr(errors)
            .current_dir("/")
            .spawn()
            .map_err(|e| DevError::io("run", &self.own, &e))?;
        // The detaching program becomes the daemon by `exec`: the pid stays.
        let identity = i32::try_from(child.id())
            .ok()
            .and_then(Identity::of)
            .ok_or_else(|| DevError::failed(format!("{process} is gone at once")))?;
        remember(&files.pid, &identity)?;
        Ok(identity)
    }
}

fn run(program: &Path, arguments: &[OsString]) -> Result<String, DevError> {
    let output = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|e| DevError::io("run", program, &e))?;
    let name = program.file_name().unwrap_or_default().display();
    if !output.status.success() {
        let words = String::from_utf8_lossy(&output.stderr);
        return Err(DevError::failed(format!(
            "{name} {}: {}",
            arguments.first().unwrap_or(&OsString::new()).display(),
            words.trim()
        )));
    }
    String::from_utf8(output.stdout)
        .map_err(|_| DevError::failed(format!("{name} printed no text")))
}

/// Becomes the program in a session of its own: no terminal that closes takes it along.
pub(crate) fn become_detached(program: &Path, arguments: &[OsString]) -> DevError {
    // Fails only for a leader of a process group; then there is a shell in between, and the group
    // is new in any case.
    let _ = rustix::process::setsid();
    let error = Command::new(program).args(arguments).exec();
    DevError::io("run", program, &error)
}

fn remember(path: &Path, identity: &Identity) -> Result<(), DevError> {
    let text = serde_json::to_vec(identity).map_err(|e| DevError::failed(e.to_string()))?;
    write_private(path, &text)
}

/// The process of a pid file, if it still runs.
pub(crate) fn running(files: &ProcessFiles) -> Option<Identity> {
    let text = fs::read(&files.pid).ok()?;
    let identity: Identity = serde_json::from_slice(&text).ok()?;
    identity.is_alive().then_some(identity)
}

/// Kills a host and its vault at once, as a power failure would. False if nothing ran.
pub(crate) fn kill(files: &ProcessFiles) -> Result<bool, DevError> {
    let Some(host) = running(files) else {
        return Ok(false);
    };
    // Before the host is gone: afterwards its children have another parent.
    let vaults = host.children();
    let did = host.signal(Signal::KILL)?;
    for vault in &vaults {
        vault.signal(Signal::KILL)?;
    }
    let patience = Duration::from_secs(5);
    let gone = host.wait_gone(patience) && vaults.iter().all(|vault| vault.wait_gone(patience));
    if !gone {
        return Err(DevError::failed(format!("{} does not die", host.pid)));
    }
    let _ = fs::remove_file(&files.pid);
    Ok(did)
}

/// Asks a process to end, and kills it if it does not. False if nothing ran.
pub(crate) fn stop(files: &ProcessFiles, patience: Duration) -> Result<bool, DevError> {
    let Some(host) = running(files) else {
        return Ok(false);
    };
    host.signal(Signal::TERM)?;
    if host.wait_gone(patience) {
        let _ = fs::remove_file(&files.pid);
        return Ok(true);
    }
    kill(files)
}

/// The last lines of a log, for an error message.
pub(crate) fn log_tail(path: &Path) -> String {
    let read = || -> std::io::Result<String> {
        let mut file = fs::File::open(path)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(LOG_TAIL_LEN)))?;
        let mut bytes = Vec::new();
        file.take(LOG_TAIL_LEN).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LOG_TAIL_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(dir: &Path) -> ProcessFiles {
        ProcessFiles { config: dir.join("x.toml"), log: dir.join("x.log"), pid: dir.join("x.pid") }
    }

    fn sleeper() -> (std::process::Child, Identity) {
        let child = Command::new("sleep").arg("60").spawn().expect("spawn");
        let pid = i32::try_from(child.id()).expect("pid");
        (child, Identity::of(pid).expect("identity"))
    }

    #[test]
    fn a_process_is_killed_by_its_pid_file() {
        let dir = tempfile::tempdir().expect("dir");
        let files = files(dir.path());
        let (mut child, identity) = sleeper();
        remember(&files.pid, &identity).expect("remember");
        assert_eq!(running(&files), Some(identity));
        assert!(kill(&files).expect("kill"));
        assert!(!child.wait().expect("wait").success());
        assert!(!files.pid.exists() && running(&files).is_none());
        assert!(!kill(&files).expect("nothing to kill"));
    }

    #[test]
    fn a_recycled_pid_is_never_killed() {
        let dir = tempfile::tempdir().expect("dir");
        let files = files(dir.path());
        let (mut child, identity) = sleeper();
        let earlier = Identity { start_time: identity.start_time - 1, ..identity.clone() };
        let other_boot = Identity { boot_id: "another".to_owned(), ..identity.clone() };
        for stranger in [earlier, other_boot] {
            remember(&files.pid, &stranger).expect("remember");
            assert!(!kill(&files).expect("kill"));
            assert!(!stop(&files, Duration::from_secs(1)).expect("stop"));
            assert!(!stranger.signal(Signal::KILL).expect("signal"));
        }
        assert!(identity.is_alive());
        child.kill().expect("kill");
        child.wait().expect("wait");
    }

    #[test]
    fn a_dead_child_that_nobody_waited_for_is_gone() {
        let (mut child, identity) = sleeper();
        child.kill().expect("kill");
        assert!(identity.wait_gone(Duration::from_secs(5)));
        child.wait().expect("wait");
    }

    #[test]
    fn killing_takes_the_children_along() {
        let dir = tempfile::tempdir().expect("dir");
        let files = files(dir.path());
        let mut shell = Command::new("sh");
        let mut host = shell.args(["-c", "sleep 61 & sleep 62 & wait"]).spawn().expect("spawn");
        let identity = i32::try_from(host.id()).ok().and_then(Identity::of);
        let identity = identity.expect("identity");
        let end = Instant::now() + Duration::from_secs(5);
        while identity.children().len() < 2 && Instant::now() < end {
            thread::sleep(PAUSE);
        }
        let children = identity.children();
        assert_eq!(children.len(), 2);
        remember(&files.pid, &identity).expect("remember");
        assert!(kill(&files).expect("kill"));
        assert!(children.iter().all(|child| !child.is_alive()));
        host.wait().expect("wait");
    }

    #[test]
    fn a_stop_is_a_request_first_and_then_an_order() {
        let dir = tempfile::tempdir().expect("dir");
        let files = files(dir.path());
        let (mut polite, identity) = sleeper();
        remember(&files.pid, &identity).expect("remember");
        assert!(stop(&files, Duration::from_secs(5)).expect("stop"));
        polite.wait().expect("wait");
        let mut deaf = Command::new("sh")
            .args(["-c", "trap '' TERM; echo set; while true; do sleep 1; done"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("spawn");
        let mut word = [0; 3];
        let out = deaf.stdout.as_mut().expect("stdout");
        out.read_exact(&mut word).expect("trap is set");
        let identity = i32::try_from(deaf.id()).ok().and_then(Identity::of);
        remember(&files.pid, &identity.expect("identity")).expect("remember");
        assert!(stop(&files, Duration::from_millis(200)).expect("stop"));
        deaf.wait().expect("wait");
    }

    #[test]
    fn the_tail_of_a_log_is_its_end() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("log");
        let lines: Vec<String> = (0..5_000).map(|n| format!("line {n}")).collect();
        fs::write(&path, lines.join("\n")).expect("write");
        let tail = log_tail(&path);
        assert_eq!(tail.lines().count(), LOG_TAIL_LINES);
        assert!(tail.ends_with("line 4999"));
        assert_eq!(log_tail(&dir.path().join("none")), "");
    }
}
