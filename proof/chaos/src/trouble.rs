//! Why a run could not be made, which is not the same as a promise that did not hold.

use std::{fmt, path::Path};

/// What is in the way, and whether the machine lacks something.
#[derive(Debug)]
pub struct Trouble {
    what: String,
}

impl Trouble {
    pub(crate) fn new(what: impl Into<String>) -> Self {
        Self { what: what.into() }
    }

    /// This machine or this user has no such thing.
    pub(crate) fn missing(what: impl fmt::Display) -> Self {
        Self { what: format!("this machine lacks {what}") }
    }

    pub(crate) fn io(act: &str, path: &Path, error: &std::io::Error) -> Self {
        Self { what: format!("cannot {act} {}: {error}", path.display()) }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Trouble {}

impl From<strongroom_cli::dev::DevError> for Trouble {
    fn from(error: strongroom_cli::dev::DevError) -> Self {
        Self::new(error.to_string())
    }
}
