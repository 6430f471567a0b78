//! The processes of a run: started, signalled by who they are, and gone when the run is.

use crate::{Trouble, fleet::Part, network::End};
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, kill_process};
use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Children that nobody has waited for: their numbers are given to nobody else.
#[derive(Default)]
pub(crate) struct Processes(Mutex<BTreeMap<End, Child>>);

impl Processes {
    fn children(&self) -> MutexGuard<'_, BTreeMap<End, Child>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn start(
        &self,
        end: End,
        program: &Path,
        words: &[&Path],
        environment: &[(&'static str, PathBuf)],
        log: &Path,
    ) -> Result<(), Trouble> {
        let open = |e: std::io::Error| Trouble::io("open", log, &e);
        let errors = fs::OpenOptions::new().create(true).append(true).open(log).map_err(open)?;
        let mut command = Command::new(program);
        command
            .args(words)
            .envs(environment.iter().map(|(name, value)| (*name, value)))
            .current_dir("/")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(errors);
        let child = command.spawn().map_err(|e| Trouble::io("run", program, &e))?;
        self.children().insert(end, child);
        Ok(())
    }

    /// Signals a host, its vault, or both, as near to at once as it gets.
    pub(crate) fn signal(&self, node: u8, part: Part, signal: Signal) -> Result<(), Trouble> {
        let children = self.children();
        let host = children.get(&End::Node(node)).map(Child::id);
        let host = host.ok_or_else(|| Trouble::new(format!("node {node} does not run")))?;
        let vaults = if part == Part::Host { Vec::new() } else { children_of(host) };
        let host = (part != Part::Vault).then_some(host);
        for pid in host.into_iter().chain(vaults) {
            let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
            // A vault that has just ended by itself is no trouble.
            let _ = pid.map(|pid| kill_process(pid, signal));
        }
        Ok(())
    }

    /// Waits for the end of a host that was killed.
    pub(crate) fn bury(&self, node: u8) -> Result<(), Trouble> {
        let child = self.children().remove(&End::Node(node));
        let waited = child.map(|mut child| child.wait());
        waited.transpose().map(drop).map_err(|e| Trouble::new(format!("node {node}: {e}")))
    }

    /// Whether a host runs; one that died by itself is buried.
    pub(crate) fn is_running(&self, node: u8) -> bool {
        let mut children = self.children();
        let end = End::Node(node);
        let runs = children.get_mut(&end).is_some_and(|child| matches!(child.try_wait(), Ok(None)));
        if !runs {
            children.remove(&end);
        }
        runs
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for (_, mut child) in std::mem::take(&mut *self.children()) {
            for vault in children_of(child.id()) {
                let pid = i32::try_from(vault).ok().and_then(Pid::from_raw);
                let _ = pid.map(|pid| kill_process(pid, Signal::KILL));
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The processes that this one started, by `/proc/PID/stat`.
fn children_of(parent: u32) -> Vec<u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|pid| parent_of(*pid) == Some(parent))
        .collect()
}

fn parent_of(pid: u32) -> Option<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The program's name stands in parentheses and may hold anything.
    let (_, rest) = text.rsplit_once(')')?;
    rest.split_whitespace().nth(1)?.parse().ok()
}
