//! A process that is killed while it overwrites its cell.

use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};
use strongroom_hardware::Cell;
use strongroom_shell_software::{
    fleet_secrets::FleetSecrets, hardware::Software, node_keys::NodeKeys,
};

const FOLDER: &str = "STRONGROOM_TEST_CRASH_FOLDER";

fn body(dir: &Path) -> Software {
    let keys = NodeKeys::generate(1).expect("keys");
    Software::new(dir, keys, FleetSecrets::generate("dev").expect("secrets"), 0)
}

fn content(number: u64) -> Vec<u8> {
    number.to_be_bytes().repeat(11)
}

fn number_in(bytes: &[u8]) -> u64 {
    let number = bytes.first_chunk().map_or(0, |first| u64::from_be_bytes(*first));
    assert!(bytes.is_empty() || bytes == content(number), "a mixture: {bytes:?}");
    number
}

/// Run by the test below, in a process of its own: overwrites for ever, and says what is durable.
#[test]
#[ignore = "a part of another test"]
fn overwrites_until_it_is_killed() {
    let Some(dir) = std::env::var_os(FOLDER).map(PathBuf::from) else { return };
    let mut hardware = body(&dir);
    let mut number = number_in(&hardware.claim(1).expect("claim"));
    loop {
        number += 1;
        hardware.overwrite(1, &content(number)).expect("overwrite");
        println!("durable {number}");
    }
}

#[test]
fn a_kill_at_any_time_leaves_the_old_bytes_or_the_new() {
    let dir = tempfile::tempdir().expect("dir");
    let (mut before, mut kills_between) = (0, 0);
    for round in 0..40_u64 {
        let mut child = Command::new(std::env::current_exe().expect("this program"))
            .args(["--ignored", "--exact", "--nocapture", "overwrites_until_it_is_killed"])
            .env(FOLDER, dir.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("start");
        let lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let said = std::thread::spawn(move || {
            let told = lines.map_while(Result::ok).filter_map(|line| {
                line.rsplit_once("durable ").and_then(|(_, number)| number.parse().ok())
            });
            told.max().unwrap_or(0)
        });
        std::thread::sleep(Duration::from_micros(20_000 + round * 733));
        child.kill().expect("kill");
        child.wait().expect("wait");
        let durable: u64 = said.join().expect("lines");
        let draft = dir.path().join("cell.draft").exists();
        kills_between += u64::from(draft);
        let now = number_in(&body(dir.path()).claim(2).expect("the cell opens"));
        // The one that was under way may have taken its place before it could be told.
        assert!(now >= durable.max(before) && now <= durable.max(before) + 1, "{durable}: {now}");
        assert_eq!(fs::read_dir(dir.path()).expect("list").count(), 1, "and nothing beside it");
        before = now;
    }
    assert!(before > 40, "it overwrote {before} times");
    println!("{before} writes, {kills_between} kills with a draft");
}
