//! What a configuration names: bounded files, and secrets that only their owner can read.

use crate::error::ServeError;
use serde::de::DeserializeOwned;
use std::{
    fs::File,
    io::Read as _,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};
use strongroom_tlog::{NoteSigner, SeedSigner};
use zeroize::Zeroizing;

/// More than any configuration, key or certificate has.
const FILE_LEN_MAX: u64 = 1_024 * 1_024;

/// A signer of whatever kind: a seed in a file today, a token behind the same trait.
pub type AnySigner = Box<dyn NoteSigner + Send + Sync>;

pub(crate) fn toml<T: DeserializeOwned>(path: &Path) -> Result<T, ServeError> {
    toml::from_str(&read_text(path)?)
        .map_err(|error| ServeError::Content { path: path.to_owned(), what: error.to_string() })
}

pub(crate) fn json<T: DeserializeOwned>(path: &Path) -> Result<T, ServeError> {
    serde_json::from_slice(&read(path)?)
        .map_err(|error| ServeError::Content { path: path.to_owned(), what: error.to_string() })
}

/// Paths are relative to the file that names them.
pub(crate) fn anchor(base: &Path, path: &mut PathBuf) {
    *path = base.parent().unwrap_or(Path::new("")).join(&*path);
}

pub(crate) fn read_text(path: &Path) -> Result<String, ServeError> {
    let what = || "not UTF-8 text".to_owned();
    String::from_utf8(read(path)?)
        .map_err(|_| ServeError::Content { path: path.to_owned(), what: what() })
}

pub(crate) fn read(path: &Path) -> Result<Vec<u8>, ServeError> {
    let mut bytes = Vec::new();
    let read = File::open(path)
        .and_then(|file| file.take(FILE_LEN_MAX.saturating_add(1)).read_to_end(&mut bytes));
    read.map_err(|source| ServeError::Read { path: path.to_owned(), source })?;
    if bytes.len() as u64 > FILE_LEN_MAX {
        let what = format!("more than {FILE_LEN_MAX} bytes");
        return Err(ServeError::Content { path: path.to_owned(), what });
    }
    Ok(bytes)
}

/// A file that only its owner can read.
pub(crate) fn read_secret(path: &Path) -> Result<Zeroizing<Vec<u8>>, ServeError> {
    let metadata = std::fs::metadata(path)
        .map_err(|source| ServeError::Read { path: path.to_owned(), source })?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(ServeError::Readable { path: path.to_owned(), mode });
    }
    read(path).map(Zeroizing::new)
}

/// The signer of a file with 64 hexadecimal digits that only its owner can read.
///
/// # Errors
/// [`ServeError`] naming the file.
pub fn signer(path: &Path) -> Result<AnySigner, ServeError> {
    let digits = read_secret(path)?;
    let mut seed = Zeroizing::new([0; 32]);
    hex::decode_to_slice(digits.trim_ascii(), seed.as_mut_slice()).map_err(|_| {
        let what = "expected 64 hexadecimal digits".to_owned();
        ServeError::Content { path: path.to_owned(), what }
    })?;
    Ok(Box::new(SeedSigner::new(&seed)))
}
