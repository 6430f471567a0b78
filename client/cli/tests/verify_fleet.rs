//! `strongroom verify fleet`: a deployment directory in the hands of a stranger.

#[path = "../../../audit/deployment/tests/kit/mod.rs"]
mod kit;
#[path = "../../../audit/log/tests/events/making.rs"]
mod making;
#[path = "../../../audit/log/tests/stage/mod.rs"]
mod stage;

use kit::{pins, written};
use serde_json::Value;
use stage::world::{DAY_MS, NOW_MS, trust_file};
use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

/// The pins that a stranger has from elsewhere.
fn trust(folder: &Path) -> PathBuf {
    let path = folder.join("own-trust.json");
    fs::write(&path, pins(&trust_file())).expect("writes");
    path
}

fn verify(place: &Path, trust: &Path, at_ms: u64, more: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .args(["--home", "/nonexistent"])
        .args(more)
        .args(["verify", "fleet"])
        .arg(place)
        .arg("--trust")
        .arg(trust)
        .args(["--at-ms", &at_ms.to_string()])
        .env_remove("STRONGROOM_HOME")
        .stdin(Stdio::null())
        .output()
        .expect("runs")
}

fn ended(output: &Output) -> (i32, String) {
    let out = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().expect("a code"), out)
}

#[test]
fn a_directory_that_holds_is_verified_and_says_what_was_deployed() {
    let (deployed, place) = written();
    let trust = trust(deployed.root());
    let (code, out) = ended(&verify(&place, &trust, NOW_MS, &[]));
    assert_eq!(code, 0, "{out}");
    let last = out.lines().last().expect("a line");
    assert!(
        last.starts_with("Verified as of 2026-")
            && last.contains("epoch 2, the latest in this copy"),
        "{out}"
    );
    assert!(last.contains("Not checked: the vaults' code"), "{out}");
    let (code, out) = ended(&verify(&place, &trust, NOW_MS, &["--json"]));
    assert_eq!(code, 0, "{out}");
    let lines: Vec<Value> =
        out.lines().map(|line| serde_json::from_str(line).expect("JSON lines")).collect();
    let stages = lines.iter().filter(|line| line["message_type"] == "stage");
    assert!(stages.clone().count() == 10 && stages.clone().all(|s| s["outcome"] == "verified"));
    let verdict = lines.last().expect("a verdict");
    assert_eq!((&verdict["outcome"], &verdict["epoch"]), (&"verified".into(), &2.into()));
}

#[test]
fn what_is_spoilt_missing_or_old_is_never_verified() {
    let (deployed, place) = written();
    let trust = trust(deployed.root());
    let fails = |word: &str, at_ms: u64| {
        let (code, out) = ended(&verify(&place, &trust, at_ms, &[]));
        assert_eq!(code, 3, "{out}");
        assert!(out.contains(word) && !out.contains("\nVerified"), "{word}: {out}");
    };
    // Cosignatures of last month say nothing of today.
    fails("Not verified: ", NOW_MS + 30 * DAY_MS);
    let ceremony = place.join("ceremony.txt");
    let honest = fs::read(&ceremony).expect("reads");
    fs::write(&ceremony, b"what was said\n").expect("writes");
    fails("REFUSED", NOW_MS);
    fs::remove_file(&ceremony).expect("removes");
    fails("Could not check: ", NOW_MS);
    fs::write(&ceremony, honest).expect("writes");
    assert_eq!(ended(&verify(&place, &trust, NOW_MS, &[])).0, 0);
    // The directory's own pins are whoever's who made it.
    let mut file = trust_file();
    file.operator_key = stage::world::custodians(&[99]).keys[0];
    fs::write(&trust, pins(&file)).expect("writes");
    fails("REFUSED", NOW_MS);
}

#[test]
fn options_of_the_log_are_refused_beside_it() {
    let (deployed, place) = written();
    let trust = trust(deployed.root());
    let output = Command::new(env!("CARGO_BIN_EXE_strongroom"))
        .args(["--home", "/nonexistent", "verify", "--watch", "fleet"])
        .arg(&place)
        .arg("--trust")
        .arg(&trust)
        .stdin(Stdio::null())
        .output()
        .expect("runs");
    assert_eq!(output.status.code(), Some(2), "{output:?}");
}
