//! Why a development command failed, and what to do.

use std::{fmt, io, path::Path};

/// What happened, what next, and the exit code that says it to scripts.
#[derive(Debug)]
pub struct DevError {
    /// What happened, expected against got.
    pub message: String,
    /// What to do, if there is something.
    pub hint: Option<String>,
    /// 1 the machine failed, 2 usage, 3 partly done, 14 no quorum.
    pub exit_code: u8,
}

impl DevError {
    /// The machine, a file or a program failed.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None, exit_code: 1 }
    }

    /// The command asks for what cannot be.
    pub(crate) fn usage(message: impl Into<String>) -> Self {
        Self { exit_code: 2, ..Self::failed(message) }
    }

    /// Some of it is done.
    pub(crate) fn partly(message: impl Into<String>) -> Self {
        Self { exit_code: 3, ..Self::failed(message) }
    }

    /// Too few nodes.
    pub(crate) fn no_quorum(message: impl Into<String>) -> Self {
        Self { exit_code: 14, ..Self::failed(message) }
    }

    pub(crate) fn io(what: &str, path: &Path, source: &io::Error) -> Self {
        Self::failed(format!("cannot {what} {}: {source}", path.display()))
    }

    pub(crate) fn hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for DevError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for DevError {}
