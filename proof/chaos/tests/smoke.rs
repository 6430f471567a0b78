//! A short run of everything: the programs stand beside this one, as the workspace's build left them.

use std::process::Command;

#[test]
fn a_fleet_that_is_broken_in_every_way_for_a_while_keeps_its_promises() {
    let history = tempfile::NamedTempFile::new().expect("a file for the history");
    let run = Command::new(env!("CARGO_BIN_EXE_strongroom-chaos"))
        .args(["run", "--scenario", "everything", "--seconds", "25", "--seed", "3", "--json"])
        .arg("--quiet")
        .arg("--history")
        .arg(history.path())
        .output()
        .expect("strongroom-chaos runs");
    let said = String::from_utf8_lossy(&run.stderr);
    assert_eq!(run.status.code(), Some(0), "{said}\n{}", String::from_utf8_lossy(&run.stdout));
    let operations = std::fs::read_to_string(history.path()).expect("a history").lines().count();
    assert!(operations > 100, "only {operations} operations: nothing was tested\n{said}");
}

#[test]
fn a_wrong_line_is_refused() {
    let run = Command::new(env!("CARGO_BIN_EXE_strongroom-chaos"))
        .args(["run", "--scenario", "peace"])
        .output()
        .expect("strongroom-chaos runs");
    assert_eq!(run.status.code(), Some(2));
}
