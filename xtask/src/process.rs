//! Runs other programs: inherited output, captured output, or both at once.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Why a command of ours ends, and with which exit code.
#[derive(Debug)]
pub(crate) struct Failure {
    /// The exit code: 1 a check failed, 3 not available in this tree.
    pub(crate) code: u8,
    /// What happened and what to do.
    pub(crate) message: String,
}

impl Failure {
    /// A check failed.
    pub(crate) fn check(message: impl Into<String>) -> Failure {
        Failure { code: 1, message: message.into() }
    }

    /// The thing asked for does not exist in this tree.
    pub(crate) fn absent(message: impl Into<String>) -> Failure {
        Failure { code: 3, message: message.into() }
    }
}

/// The repository root: the folder above this crate.
pub(crate) fn workspace_root() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_path_buf()
}

/// The cargo that started us, so that a chosen toolchain stays chosen.
pub(crate) fn cargo() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// Where cargo puts what it builds.
pub(crate) fn target_dir(root: &Path) -> PathBuf {
    match std::env::var_os("CARGO_TARGET_DIR") {
        Some(dir) => root.join(dir),
        None => root.join("target"),
    }
}

/// True when `program --version` can be run.
pub(crate) fn is_installed(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Runs a program in `root` with our own output; a non-zero end is an error that names it.
pub(crate) fn run(root: &Path, program: &str, arguments: &[&str]) -> Result<(), String> {
    announce(program, arguments);
    let status = command(root, program, arguments).status();
    ended(program, arguments, status.map(|status| (status.success(), status.to_string())))
}

/// Runs a program and returns its standard output; its standard error goes into the error text.
pub(crate) fn capture(root: &Path, program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = command(root, program, arguments).output();
    let output = output.map_err(|error| format!("cannot run {program}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let complaint = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "{} {} ended with {}: {}",
        program,
        arguments.join(" "),
        output.status,
        complaint.trim()
    ))
}

/// Which of the two streams to read along.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stream {
    /// Standard output.
    Out,
    /// Standard error.
    Err,
}

/// Runs a program, shows everything, and hands each line of one stream to `see`.
pub(crate) fn run_watching(
    root: &Path,
    program: &str,
    arguments: &[&str],
    stream: Stream,
    mut see: impl FnMut(&str),
) -> Result<(), String> {
    announce(program, arguments);
    let mut command = command(root, program, arguments);
    match stream {
        Stream::Out => command.stdout(Stdio::piped()),
        Stream::Err => command.stderr(Stdio::piped()),
    };
    let mut child = command.spawn().map_err(|error| format!("cannot run {program}: {error}"))?;
    match stream {
        Stream::Out => copy_lines(child.stdout.take(), std::io::stdout(), &mut see),
        Stream::Err => copy_lines(child.stderr.take(), std::io::stderr(), &mut see),
    }
    let status = child.wait();
    ended(program, arguments, status.map(|status| (status.success(), status.to_string())))
}

fn copy_lines(from: Option<impl std::io::Read>, mut to: impl Write, see: &mut impl FnMut(&str)) {
    let Some(from) = from else { return };
    let mut reader = BufReader::new(from);
    let mut bytes = Vec::new();
    while let Ok(1..) = reader.read_until(b'\n', &mut bytes) {
        see(String::from_utf8_lossy(&bytes).trim_end());
        // Our own reader may have gone away; the child's verdict still counts.
        let _ = to.write_all(&bytes);
        bytes.clear();
    }
}

fn command(root: &Path, program: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(root);
    command
}

fn announce(program: &str, arguments: &[&str]) {
    let name = Path::new(program).file_name().map_or(program.into(), |name| name.to_string_lossy());
    println!("$ {name} {}", arguments.join(" "));
}

fn ended(
    program: &str,
    arguments: &[&str],
    status: std::io::Result<(bool, String)>,
) -> Result<(), String> {
    let first = arguments.first().copied().unwrap_or_default();
    match status {
        Ok((true, _)) => Ok(()),
        Ok((false, status)) => Err(format!("`{program} {first}` ended with {status}")),
        Err(error) => Err(format!("cannot run {program}: {error}")),
    }
}
