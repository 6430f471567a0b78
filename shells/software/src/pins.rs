//! The custodians of the genesis manifest, pinned once: `D/pins.json`.

use crate::{failure::Failure, files};
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

/// Pins a set of custodians. Pinning the same set again changes nothing; another set is refused.
///
/// # Errors
/// [`Failure`].
pub fn pin(dir: &Path, custodians: &Custodians) -> Result<(), Failure> {
    let path = dir.join(FILE);
    if path.exists() {
        return if read(&path)? == *custodians {
            Ok(())
        } else {
            Err(Failure::Refused(format!(
                "{} pins other custodians, and a vault never changes whom it believes at genesis",
                path.display()
            )))
        };
    }
    let text = serde_json::to_vec(custodians).unwrap_or_default();
    files::write_new(&path, &text)
}

/// The pinned custodians.
///
/// # Errors
/// [`Failure`].
pub fn load(dir: &Path) -> Result<Custodians, Failure> {
    let path = dir.join(FILE);
    if !path.exists() {
        return Err(Failure::Refused(format!(
            "{} is missing: pin the custodians first",
            path.display()
        )));
    }
    read(&path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use strongroom_manifest::Hex;

    #[test]
    fn custodians_are_pinned_once() {
        let dir = tempfile::tempdir().expect("dir");
        let set = Custodians { keys: vec![Hex([1; 32]), Hex([2; 32])], threshold: 2 };
        assert!(load(dir.path()).is_err());
        pin(dir.path(), &set).expect("pin");
        pin(dir.path(), &set).expect("the same again");
        let other = Custodians { threshold: 1, ..set.clone() };
        assert!(pin(dir.path(), &other).is_err());
        assert_eq!(load(dir.path()).expect("load"), set);
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
