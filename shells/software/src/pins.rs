//! The namespace and the custodians of its genesis manifest, pinned once: `D/pins.json`.

use crate::{failure::Failure, files};
use serde::{Deserialize, Serialize};
use std::path::Path;
use strongroom_manifest::Custodians;

/// The file's name in the vault's folder.
pub const FILE: &str = "pins.json";
const LEN_MAX: usize = 16 * 1_024;

/// Reads a set of custodians.
///
/// # Errors
/// [`Failure`].
pub fn read(path: &Path) -> Result<Custodians, Failure> {
    let bytes = files::read_public(path, LEN_MAX)?;
    let custodians: Custodians = serde_json::from_slice(&bytes)
        .map_err(|e| Failure::Refused(format!("{}: {e}", path.display())))?;
    check(path, custodians)
}

fn check(path: &Path, custodians: Custodians) -> Result<Custodians, Failure> {
    let keys = custodians.keys.len();
    let sorted = custodians.keys.is_sorted_by(|one, other| one < other);
    if !sorted || !(1..=keys).contains(&usize::from(custodians.threshold)) {
        return Err(Failure::Refused(format!(
            "{}: expected keys by rising bytes without doubles, and a threshold of 1 to {keys}; got {}",
            path.display(),
            custodians.threshold
        )));
    }
    Ok(custodians)
}

/// What a vault believes before it has seen any manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pins {
    /// Who sign the manifest of epoch 1.
    pub custodians: Custodians,
    /// The one namespace. Custodians may serve several; a manifest of another is not this vault's.
    pub namespace: String,
}

/// Pins custodians and namespace. Pinning the same again changes nothing; others are refused.
///
/// # Errors
/// [`Failure`].
pub fn pin(dir: &Path, pins: &Pins) -> Result<(), Failure> {
    let path = dir.join(FILE);
    if path.exists() {
        return if load(dir)? == *pins {
            Ok(())
        } else {
            Err(Failure::Refused(format!(
                "{} pins other custodians or another namespace, and a vault never changes whom it \
                 believes at genesis",
                path.display()
            )))
        };
    }
    let text = serde_json::to_vec(pins).unwrap_or_default();
    files::write_new(&path, &text)
}

/// What is pinned.
///
/// # Errors
/// [`Failure`].
pub fn load(dir: &Path) -> Result<Pins, Failure> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Err(Failure::Refused(format!(
            "{} is missing: pin the custodians first",
            path.display()
        )));
    }
    let bytes = files::read_public(&path, LEN_MAX)?;
    let pins: Pins = serde_json::from_slice(&bytes)
        .map_err(|e| Failure::Refused(format!("{}: {e}", path.display())))?;
    check(&path, pins.custodians.clone()).map(|_| pins)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_manifest::Hex;

    #[test]
    fn custodians_are_pinned_once() {
        let dir = tempfile::tempdir().expect("dir");
        let set = Custodians { keys: vec![Hex([1; 32]), Hex([2; 32])], threshold: 2 };
        let pins = Pins { custodians: set.clone(), namespace: "one".to_owned() };
        assert!(load(dir.path()).is_err());
        pin(dir.path(), &pins).expect("pin");
        pin(dir.path(), &pins).expect("the same again");
        let fewer = Custodians { threshold: 1, ..set };
        for other in [
            Pins { custodians: fewer, ..pins.clone() },
            Pins { namespace: "two".to_owned(), ..pins.clone() },
        ] {
            assert!(pin(dir.path(), &other).is_err());
        }
        assert_eq!(load(dir.path()).expect("load"), pins);
    }

    #[test]
    fn a_set_that_nobody_can_satisfy_or_count_is_refused() {
        let dir = tempfile::tempdir().expect("dir");
        let path = dir.path().join("custodians.json");
        let key = |digit: &str| format!("\"{}\"", digit.repeat(64));
        for (keys, threshold) in [
            (vec![key("1"), key("2")], 3),
            (vec![key("1"), key("2")], 0),
            (vec![key("1"), key("1")], 1),
            (vec![key("2"), key("1")], 1),
            (vec![], 0),
        ] {
            let text = format!("{{\"keys\":[{}],\"threshold\":{threshold}}}", keys.join(","));
            std::fs::write(&path, &text).expect("write");
            assert!(read(&path).is_err(), "{text}");
        }
    }
}
