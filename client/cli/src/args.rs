//! The command line.

use crate::dev::DevCommand;
use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;

const AFTER: &str = "\
Exit codes: 0 ok, 1 failed, 2 usage, 3 partial or could not check, 10 no record, 11 busy or too early, \
12 wrong password, 13 locked, 14 no quorum, 15 fleet key refused, 130 cancelled.";

/// Keep a backup key behind a password that nobody can guess in time
#[derive(Debug, Parser)]
#[command(name = "strongroom", version, about, after_help = AFTER, max_term_width = 100)]
pub(crate) struct Cli {
    /// Folder of profile.toml and device.toml [default: ~/.config/strongroom]
    #[arg(long, global = true, env = "STRONGROOM_HOME", value_name = "DIR")]
    pub(crate) home: Option<PathBuf>,
    /// Say everything as JSON, one object a line
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Say where the time went
    #[arg(long, global = true)]
    pub(crate) timings: bool,
    /// Seconds to try for one answer
    #[arg(long, global = true, value_name = "SECONDS", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=3_600))]
    pub(crate) timeout: u64,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a backup key and store it under a password
    Enroll(EnrollArgs),
    /// Get the backup key back with the password
    Recover(RecoverArgs),
    /// Show how the stored key stands, signed by the fleet
    Status,
    /// The password
    #[command(subcommand)]
    Password(PasswordCommand),
    /// The backup key on this device
    #[command(subcommand)]
    Key(KeyCommand),
    /// Destroy the stored key; the one on this device stays
    Destroy(DestroyArgs),
    /// Back up files and directories
    Backup(BackupArgs),
    /// Restore a snapshot into a directory
    Restore(RestoreArgs),
    /// List the snapshots
    Snapshots(Place),
    /// Check the repository
    Check(CheckArgs),
    /// Check the whole published history of a fleet's keys
    Verify(VerifyArgs),
    /// A whole fleet on this machine, to try things
    #[command(subcommand)]
    Dev(DevCommand),
    /// Print completions for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// What can be done with the password.
#[derive(Debug, Subcommand)]
pub(crate) enum PasswordCommand {
    /// Store the same key under another password
    Change(ChangeArgs),
}

/// What can be done with the key.
#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Print its 64 hexadecimal digits, as `restic --password-command` wants them
    Show,
    /// Take a backup key from its 64 hexadecimal digits
    Import(ImportArgs),
}

/// Where a password comes from: a prompt on the terminal, unless one of these is given.
#[derive(Debug, Args)]
#[group(multiple = false)]
pub(crate) struct PasswordSource {
    /// Read the password from a file's first line
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Read the password from a command's first line of output
    #[arg(long, value_name = "COMMAND")]
    pub(crate) password_command: Option<String>,
    /// Read the password from an inherited descriptor's first line
    #[arg(long, value_name = "N")]
    pub(crate) password_fd: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct EnrollArgs {
    /// The account [default: the profile's]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
    /// Accept a short or common password, such as a PIN
    #[arg(long)]
    pub(crate) allow_weak: bool,
    /// If another device owns the account: announce a replacement, which its owner can cancel
    #[arg(long)]
    pub(crate) replace: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RecoverArgs {
    /// The account [default: the profile's]
    pub(crate) account: Option<String>,
    #[command(flatten)]
    pub(crate) password: PasswordSource,
    /// Keep the newest of the earlier devices enrolled beside this one
    #[arg(long)]
    pub(crate) keep_device: bool,
    /// Spend the last attempt without asking: if it fails, the key is destroyed
    #[arg(long)]
    pub(crate) yes_last_attempt: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ChangeArgs {
    /// The new password's source
    #[command(flatten)]
    pub(crate) password: PasswordSource,
    /// Accept a short or common password, such as a PIN
    #[arg(long)]
    pub(crate) allow_weak: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DestroyArgs {
    /// Do not ask
    #[arg(long)]
    pub(crate) yes: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    /// File with the digits; standard input if it is `-`; a prompt if there is none
    #[arg(long, value_name = "FILE")]
    pub(crate) key_file: Option<PathBuf>,
    /// Replace the key that this device has; the old file is kept beside the new one
    #[arg(long)]
    pub(crate) replace: bool,
}

/// Which repository.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// Where the repository is: a path, or `local:PATH` [default: the last one used]
    #[arg(short, long, value_name = "LOCATION", env = "STRONGROOM_REPOSITORY")]
    pub(crate) repository: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// Files and directories
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Label the snapshot; may be repeated
    #[arg(long, value_name = "LABEL")]
    pub(crate) tag: Vec<String>,
    /// Do not enter other file systems
    #[arg(long)]
    pub(crate) one_file_system: bool,
    /// Read every file, even if its size and times have not changed
    #[arg(long)]
    pub(crate) read_everything: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// `latest`, an id, or the beginning of one
    pub(crate) snapshot: String,
    /// Directory to restore into; made if it is missing
    pub(crate) target: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Restore only this file or directory of the snapshot
    #[arg(long, value_name = "PATH")]
    pub(crate) only: Option<PathBuf>,
    /// Replace files in the target that differ
    #[arg(long)]
    pub(crate) overwrite: bool,
    /// Put everything under its full path
    #[arg(long)]
    pub(crate) full_paths: bool,
}

#[derive(Debug, Args)]
pub(crate) struct CheckArgs {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Read all data back and compare it
    #[arg(long)]
    pub(crate) read_data: bool,
}

/// With nothing but a trust file and a log: all epochs from the first to the latest.
///
/// Exit codes: 0 verified, 1 contradiction (with an evidence file), 3 could not check.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    #[command(subcommand)]
    pub(crate) what: Option<VerifyCommand>,
    /// The pins: whose signatures count [default: the profile's `trust`]
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Where the log is [default: the profile's `log`, or what the trust file's policy says]
    #[arg(long, value_name = "URL|DIR")]
    pub(crate) log: Option<String>,
    /// Go on from the head kept in this file, and keep the new one there
    #[arg(long, value_name = "FILE")]
    pub(crate) from: Option<PathBuf>,
    /// Judge one validation bundle without a network; not its history
    #[arg(long, value_name = "BUNDLE", conflicts_with_all = ["log", "watch", "binary"])]
    pub(crate) offline: Option<PathBuf>,
    /// Compare a `strongroom-vault` with the published measurement
    #[arg(long, value_name = "FILE")]
    pub(crate) binary: Option<PathBuf>,
    /// Where to write evidence of a contradiction [default: a new file in this folder]
    #[arg(long, value_name = "FILE")]
    pub(crate) evidence_out: Option<PathBuf>,
    /// Go on and on, and tell what changes
    #[arg(long)]
    pub(crate) watch: bool,
    /// Seconds between two rounds of --watch
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "watch",
          value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) every: u64,
    /// End --watch after so many rounds
    #[arg(long, value_name = "N", requires = "watch",
          value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rounds: Option<u64>,
    /// End --watch after one round
    #[arg(long, requires = "watch", conflicts_with = "rounds")]
    pub(crate) once: bool,
    /// Ask this witness itself, too; may be repeated [default: those of the trust file's policy]
    #[arg(long, value_name = "URL|DIR", requires = "watch")]
    pub(crate) witness: Vec<String>,
}

/// What else can be verified.
#[derive(Debug, Subcommand)]
pub(crate) enum VerifyCommand {
    /// Judge an evidence file, without a network: 0 it is genuine, 1 it proves nothing
    Evidence {
        /// The file
        file: PathBuf,
        /// The pins: whose signatures count [default: the profile's `trust`]
        #[arg(long, value_name = "FILE")]
        trust: Option<PathBuf>,
    },
    /// Check a deployment directory, without a network: logs, record, transcript, evidence, bundle
    Fleet(FleetArgs),
}

/// Which directory, and as of when.
#[derive(Debug, Args)]
pub(crate) struct FleetArgs {
    /// The directory
    pub(crate) dir: PathBuf,
    /// The pins: whose signatures count; the directory's own are not believed [default: the profile's]
    #[arg(long, value_name = "FILE")]
    pub(crate) trust: Option<PathBuf>,
    /// Accept what no client of a released app accepts: a development fleet
    #[arg(long)]
    pub(crate) development: bool,
    /// As of this moment, milliseconds since 1970 [default: now]
    #[arg(long, value_name = "MS")]
    pub(crate) at_ms: Option<u64>,
}
