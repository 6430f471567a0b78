//! What stops this program, by who can mend it, with one exit code each.

use std::{fmt, path::Path};

/// Why the program stopped.
#[derive(Debug)]
pub enum Failure {
    /// The command line is wrong. Exit code 2.
    Usage(String),
    /// Keys, pins or manifest do not belong together. Exit code 3.
    Refused(String),
    /// The machine did not do what it was asked. Exit code 1.
    Machine(String),
    /// The vault stopped for good and a new process may take its place. Exit code 4.
    Halted {
        /// The reason's number (spec §10.6).
        code: u16,
        /// The reason in words.
        reason: String,
    },
}

impl Failure {
    /// A failed operation on a path.
    pub fn io(what: &str, path: &Path, error: &std::io::Error) -> Self {
        Self::Machine(format!("cannot {what} {}: {error}", path.display()))
    }

    /// The process's exit code.
    pub const fn exit_code(&self) -> u8 {
        match self {
            Self::Machine(_) => 1,
            Self::Usage(_) => 2,
            Self::Refused(_) => 3,
            Self::Halted { .. } => 4,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Usage(text) | Self::Machine(text) => f.write_str(text),
            Self::Refused(text) => write!(f, "refused: {text}"),
            Self::Halted { code, reason } => write!(f, "halted with code {code}: {reason}"),
        }
    }
}

impl std::error::Error for Failure {}
