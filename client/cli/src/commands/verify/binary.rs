//! A local `strongroom-vault` against the measurement that the latest manifest publishes.

use super::report::{Outcome, Report};
use sha2::{Digest as _, Sha256};
use std::{fs::File, io, io::Read as _, path::Path};
use strongroom_manifest::Manifest;

const CHUNK_LEN: usize = 64 * 1_024;

/// Measures the file and compares. A fleet that publishes nothing is never a success.
pub(crate) fn stage(path: &Path, manifest: &Manifest, report: &mut Report) {
    let measured = match measure(path) {
        Ok(measured) => measured,
        Err(error) => {
            let text = format!("cannot read {}: {error}", path.display());
            return report.put("binary", Outcome::Unchecked, text);
        }
    };
    let (outcome, text) = compare(&measured, manifest);
    report.put("binary", outcome, text);
}

fn compare(measured: &str, manifest: &Manifest) -> (Outcome, String) {
    let silent: Vec<&str> = manifest
        .fleets
        .iter()
        .filter(|fleet| fleet.measurement.is_empty())
        .map(|fleet| fleet.id.as_str())
        .collect();
    let others: Vec<String> = manifest
        .fleets
        .iter()
        .filter(|fleet| !fleet.measurement.is_empty() && fleet.measurement != measured)
        .map(|fleet| format!("fleet {} publishes {}", fleet.id, fleet.measurement))
        .collect();
    if !others.is_empty() {
        return (Outcome::Contradiction, format!("the file has {measured}; {}", others.join("; ")));
    }
    if !silent.is_empty() {
        let text = format!(
            "the file has {measured}; fleet {} publishes no measurement, so there is nothing to compare",
            silent.join(", ")
        );
        return (Outcome::Unchecked, text);
    }
    (Outcome::Verified, format!("SHA-256 {measured}, as every fleet publishes"))
}

fn measure(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    if !file.metadata()?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let (mut hasher, mut chunk) = (Sha256::new(), vec![0; CHUNK_LEN]);
    loop {
        let len = file.read(&mut chunk)?;
        let Some(read) = chunk.get(..len).filter(|read| !read.is_empty()) else {
            return Ok(hex::encode(hasher.finalize()));
        };
        hasher.update(read);
    }
}
