//! What can go wrong, sorted by whose turn it is.

use std::io;
use std::path::{Path, PathBuf};

use rustic_core::RusticError;

use crate::location::SCHEMES;

/// The result of everything here.
pub type Result<T> = std::result::Result<T, Error>;

/// Whose turn it is after an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Blame {
    /// The person or program that called: something else must be given.
    Caller,
    /// The machine: space, permissions, another process.
    Environment,
    /// The repository, or whoever stores it: data is missing or changed.
    Repository,
    /// Nobody: the work ended early or incompletely, and everything that was done stands.
    Outcome,
    /// This program.
    Bug,
}

/// Everything that can go wrong. `Display` says what happened, expected against got; [`Error::hint`]
/// says what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    // --- the caller ---
    /// The digits are no key.
    #[error("not a backup key: expected 64 hexadecimal digits, got {got} characters")]
    BadKey {
        /// Characters that were given.
        got: usize,
    },
    /// The key opens none of the repository's key files.
    #[error("wrong backup key: it opens none of the {keys} key file(s) of {location}")]
    WrongKey {
        /// The repository.
        location: String,
        /// Key files that were tried.
        keys: usize,
    },
    /// No such kind of location.
    #[error("unknown location scheme \"{scheme}:\"; supported: a path, or {}", schemes())]
    UnknownScheme {
        /// What stood before the colon.
        scheme: String,
    },
    /// The location is empty.
    #[error("the location of the repository is empty; expected a path, or {}", schemes())]
    EmptyLocation,
    /// There is no repository.
    #[error("no repository at {location}: {why}")]
    NoRepository {
        /// Where one was expected.
        location: String,
        /// What is there instead.
        why: &'static str,
    },
    /// There is one already.
    #[error("there already is a repository at {location}")]
    RepositoryExists {
        /// Where it is.
        location: String,
    },
    /// A new repository wants an empty place.
    #[error("cannot make a repository at {location}: the directory holds other things ({example})")]
    NotEmpty {
        /// Where one was wanted.
        location: String,
        /// One of the things.
        example: String,
    },
    /// No snapshot of that name.
    #[error("no snapshot {wanted:?}; the repository has {have}")]
    NoSnapshot {
        /// What was asked for.
        wanted: String,
        /// How many there are.
        have: usize,
    },
    /// The prefix fits several.
    #[error("snapshot prefix {wanted:?} fits {matches} snapshots, expected one")]
    AmbiguousSnapshot {
        /// What was asked for.
        wanted: String,
        /// How many it fits.
        matches: usize,
    },
    /// The snapshot holds no such path.
    #[error("snapshot {snapshot} holds nothing at {}", path.display())]
    NotInSnapshot {
        /// Which snapshot.
        snapshot: String,
        /// What was asked for.
        path: PathBuf,
    },
    /// Nothing was named to back up.
    #[error("nothing to back up: no path was given")]
    NoPaths,
    /// A named path cannot be read at all.
    #[error("cannot back up {}: {source}", path.display())]
    BadPath {
        /// The path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },

    // --- the machine ---
    /// Another program has exclusive use of the repository.
    #[error("{location} is locked by {holder} since {since}")]
    Locked {
        /// The repository.
        location: String,
        /// Host, user and process of the other program, as it says itself.
        holder: String,
        /// When it took the lock.
        since: String,
    },
    /// No space left.
    #[error("disk full while writing {what}")]
    DiskFull {
        /// The file.
        what: String,
    },
    /// The operating system refused.
    #[error("cannot {action} {what}: {source}")]
    Io {
        /// A verb.
        action: &'static str,
        /// The file.
        what: String,
        /// The operating system's answer.
        source: io::Error,
    },

    // --- the repository ---
    /// Stored data is missing or is not what was stored.
    #[error("damaged repository: {what}: {detail}")]
    Damaged {
        /// The file in the repository, or the file it belongs to.
        what: String,
        /// Expected against got.
        detail: String,
    },

    // --- outcomes ---
    /// All of it was done except for some entries, which the summary lists.
    #[error("incomplete: {problems} entr{} had a problem, the first: {first}", if *problems == 1 { "y" } else { "ies" })]
    Partial {
        /// How many.
        problems: usize,
        /// The first of them.
        first: String,
    },
    /// The progress callback asked to stop.
    #[error("cancelled")]
    Cancelled,

    // --- this program ---
    /// The engine failed in a way that is not sorted above.
    #[error("the backup engine failed: {detail}")]
    Engine {
        /// Its own words.
        detail: String,
    },
}

impl Error {
    /// Whose turn it is.
    pub fn blame(&self) -> Blame {
        match self {
            Self::BadKey { .. }
            | Self::WrongKey { .. }
            | Self::UnknownScheme { .. }
            | Self::EmptyLocation
            | Self::NoRepository { .. }
            | Self::RepositoryExists { .. }
            | Self::NotEmpty { .. }
            | Self::NoSnapshot { .. }
            | Self::AmbiguousSnapshot { .. }
            | Self::NotInSnapshot { .. }
            | Self::NoPaths
            | Self::BadPath { .. } => Blame::Caller,
            Self::Locked { .. } | Self::DiskFull { .. } | Self::Io { .. } => Blame::Environment,
            Self::Damaged { .. } => Blame::Repository,
            Self::Partial { .. } | Self::Cancelled => Blame::Outcome,
            Self::Engine { .. } => Blame::Bug,
        }
    }

    /// What to do next, where there is something to do.
    pub fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::BadKey { .. } => "the digits are what `strongroom key show` prints",
            Self::WrongKey { .. } => {
                "each repository has its own key; recover the one this repository was made with"
            }
            Self::UnknownScheme { .. } | Self::EmptyLocation => {
                "write ./NAME for a local path that contains a colon"
            }
            Self::NoRepository { .. } => "check the location, or make a repository there first",
            Self::RepositoryExists { .. } => "open it, or choose another place",
            Self::NotEmpty { .. } => "choose an empty or a new directory",
            Self::NoSnapshot { .. } | Self::NotInSnapshot { .. } => {
                "`strongroom snapshots` lists what there is"
            }
            Self::AmbiguousSnapshot { .. } => "give more digits of the id",
            Self::NoPaths => "name at least one file or directory",
            Self::BadPath { .. } => "check that it exists and may be read",
            Self::Locked { .. } => {
                "wait until it has ended; if it crashed, `restic unlock` removes its lock"
            }
            Self::DiskFull { .. } => "free some space and run the same command again: it continues",
            Self::Io { .. } => {
                "nothing finished was lost; run the same command again: it continues"
            }
            Self::Damaged { .. } => {
                "run `strongroom check` with read-data to see the extent; back up again from the \
                 original to replace what is missing"
            }
            Self::Partial { .. } => {
                "the rest was done; the entries are listed, and the same command tries them again"
            }
            Self::Cancelled => "run the same command again: it continues",
            Self::Engine { .. } => return None,
        })
    }

    /// Sorts an answer of the operating system.
    pub(crate) fn io(action: &'static str, what: impl Into<String>, source: io::Error) -> Self {
        let what = what.into();
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { what },
            _ => Self::Io { action, what, source },
        }
    }

    pub(crate) fn path(action: &'static str, path: &Path, source: io::Error) -> Self {
        Self::io(action, path.display().to_string(), source)
    }

    pub(crate) fn damaged(what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self::Damaged { what: what.into(), detail: detail.into() }
    }

    /// The engine's own error, when nothing of ours explains it better.
    pub(crate) fn engine(error: &RusticError) -> Self {
        Self::Engine { detail: error.display_log() }
    }
}

fn schemes() -> String {
    SCHEMES.iter().map(|scheme| format!("\"{scheme}:…\"")).collect::<Vec<_>>().join(", ")
}
