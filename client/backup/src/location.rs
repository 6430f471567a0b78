//! Where a repository lives.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::{Error, Result};

/// The schemes that [`Location`] understands, for messages.
pub const SCHEMES: &[&str] = &["local"];

/// Where a repository lives: `PATH` or `local:PATH`.
///
/// Anything else of the form `scheme:rest` is refused, since a mistyped `s3:bucket` must not become
/// a directory of that name. A path that really starts so is written `./s3:bucket` or `local:s3:bucket`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Location {
    /// A directory on this machine.
    Local(PathBuf),
}

impl FromStr for Location {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let path = match text.split_once(':') {
            Some(("local", path)) => path,
            Some((scheme, _)) if is_scheme(scheme) => {
                return Err(Error::UnknownScheme { scheme: scheme.to_owned() });
            }
            _ => text,
        };
        if path.is_empty() {
            return Err(Error::EmptyLocation);
        }
        Ok(Self::Local(PathBuf::from(path)))
    }
}

impl From<&Path> for Location {
    fn from(path: &Path) -> Self {
        Self::Local(path.to_owned())
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(path) => write!(f, "{}", path.display()),
        }
    }
}

/// RFC 3986 §3.1, and more than one letter, so that a Windows drive is a path.
fn is_scheme(text: &str) -> bool {
    text.len() > 1
        && text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_with_and_without_the_scheme_are_the_same_place() {
        let bare: Location = "/srv/repo".parse().unwrap();
        assert_eq!(bare, "local:/srv/repo".parse().unwrap());
        assert_eq!(bare.to_string(), "/srv/repo");
        let odd: Location = "./s3:bucket".parse().unwrap();
        assert_eq!(odd, Location::Local("./s3:bucket".into()));
    }

    #[test]
    fn an_unknown_scheme_is_refused_and_the_known_ones_are_named() {
        let error = "s3:bucket/x".parse::<Location>().unwrap_err();
        let text = error.to_string();
        assert!(text.contains("s3") && text.contains("local"), "{text}");
        assert!("local:".parse::<Location>().is_err());
        assert!("".parse::<Location>().is_err());
    }
}
