//! Manifests over the air, with real processes: auditor, three witnesses, gateway, seven nodes.

use serde_json::Value;
use std::{
    fs,
    path::Path,
    process::Command,
    sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst},
    thread,
    time::Duration,
};
use strongroom_fleet_tests::{Fleet, Run};

/// What each wait is divided by: nothing but the password decides here.
const WAITS: u64 = 100_000;

fn recovers(run: &Run) {
    assert_eq!(run.code, 0, "{}", run.text);
}

fn head(fleet: &Fleet, home: &str) -> Value {
    let text = fs::read(fleet.path(home).join("head.json")).expect("head.json");
    serde_json::from_slice(&text).expect("json")
}

fn enrolled() -> Fleet {
    let fleet = Fleet::start(WAITS);
    fleet.password("right", "correct horse");
    fleet.new_device("phone", "alice");
    let enrolled = fleet.device("phone", &["enroll", "--password-file", "right"]);
    recovers(&enrolled);
    fleet
}

#[test]
fn the_manifest_is_rotated_while_clients_recover() {
    let fleet = enrolled();
    let (is_over, recovered) = (AtomicBool::new(false), AtomicU32::new(0));
    thread::scope(|scope| {
        let (fleet, is_over, recovered) = (&fleet, &is_over, &recovered);
        // An old phone, which goes on by itself: one recovery after another, without an update.
        scope.spawn(move || {
            while !is_over.load(SeqCst) {
                let run = fleet.recover_patiently("phone", "right");
                // An attempt that was under way when the manifest changed is over; it says so and what
                // it cost, and nothing is spent a second time without its user.
                if run.code == 11 {
                    assert_eq!(run.field("code"), Some("superseded".into()), "{}", run.text);
                    continue;
                }
                recovers(&run);
                recovered.fetch_add(1, SeqCst);
            }
        });
        while recovered.load(SeqCst) < 2 {
            thread::sleep(Duration::from_millis(20));
        }
        let rotated = fleet.dev(&["rotate"]);
        let handed_over = fleet.dev(&["rotate", "--custodians"]);
        let before = recovered.load(SeqCst);
        while recovered.load(SeqCst) < before + 2 && rotated.code == 0 && handed_over.code == 0 {
            thread::sleep(Duration::from_millis(20));
        }
        is_over.store(true, SeqCst);
        assert_eq!(rotated.code, 0, "{}", rotated.text);
        assert_eq!(handed_over.code, 0, "{}", handed_over.text);
    });
    assert_eq!(head(&fleet, "phone")["epoch"], 3);
    // A new phone pins the first custodians only, and follows them to those of today.
    fleet.new_device("new", "alice");
    recovers(&fleet.recover("new", "right"));
    assert_eq!(head(&fleet, "new"), head(&fleet, "phone"));
    // The new custodians sign the next one.
    let rotated = fleet.dev(&["rotate"]);
    assert_eq!(rotated.code, 0, "{}", rotated.text);
    recovers(&fleet.recover("phone", "right"));
    assert_eq!(head(&fleet, "phone")["epoch"], 4);
}

#[test]
fn a_phone_that_pins_others_sends_nothing() {
    let fleet = enrolled();
    fleet.new_device("stranger", "alice");
    let trust = pin_another_auditor(&fleet);
    let profile = fleet.path("stranger").join("profile.toml");
    let text = fs::read_to_string(&profile).expect("profile");
    let pinned = fleet.path("fleet").join("trust.json").display().to_string();
    assert!(text.contains(&pinned), "{text}");
    fs::write(&profile, text.replace(&pinned, &trust)).expect("write");
    let run = fleet.recover("stranger", "right");
    assert_eq!(run.code, 15, "{}", run.text);
    assert_eq!(run.field("cost"), Some("none".into()), "{}", run.text);
    assert_eq!(run.field("step"), Some("auditor".into()), "{}", run.text);
    // The fleet counted nothing.
    let run = fleet.recover("phone", "right");
    recovers(&run);
    assert_eq!(run.field("failures_ms"), Some(Value::Array(Vec::new())), "{}", run.text);
}

/// The same pins, but for the auditor: who stands between makes bundles with a key of their own.
fn pin_another_auditor(fleet: &Fleet) -> String {
    let text = fs::read(fleet.path("fleet").join("trust.json")).expect("trust.json");
    let mut trust: Value = serde_json::from_slice(&text).expect("json");
    // A key that nobody here has: the base point.
    trust["auditor_keys"][0]["public_key"] =
        "5866666666666666666666666666666666666666666666666666666666666666".into();
    let path = fleet.path("other-trust.json");
    fs::write(&path, trust.to_string()).expect("write");
    path.display().to_string()
}

#[test]
fn without_witnesses_nothing_is_published_and_the_fleet_goes_on() {
    let fleet = enrolled();
    // Hung, not dead: who is dead is started again.
    let signal_witnesses = |name: &str| {
        for witness in [1, 2] {
            signal(name, &fleet.path("fleet").join(format!("witness-{witness}/witness.pid")));
        }
    };
    signal_witnesses("STOP");
    let rotated = fleet.dev(&["rotate"]);
    assert_eq!(rotated.code, 1, "{}", rotated.text);
    assert!(rotated.text.contains("the fleet goes on under its manifest"), "{}", rotated.text);
    recovers(&fleet.recover_patiently("phone", "right"));
    assert_eq!(head(&fleet, "phone")["epoch"], 1);
    // The witnesses come back, and the same manifest goes on its way.
    signal_witnesses("CONT");
    let rotated = fleet.dev(&["rotate"]);
    assert_eq!(rotated.code, 0, "{}", rotated.text);
    recovers(&fleet.recover("phone", "right"));
    assert_eq!(head(&fleet, "phone")["epoch"], 2);
}

#[test]
fn a_rotation_starts_the_witnesses_that_are_dead() {
    let fleet = enrolled();
    for witness in [1, 2] {
        signal("KILL", &fleet.path("fleet").join(format!("witness-{witness}/witness.pid")));
    }
    let rotated = fleet.dev(&["rotate"]);
    assert_eq!(rotated.code, 0, "{}", rotated.text);
    recovers(&fleet.recover("phone", "right"));
    assert_eq!(head(&fleet, "phone")["epoch"], 2);
}

#[test]
fn a_rotation_that_is_killed_anywhere_is_finished_by_the_next() {
    let fleet = enrolled();
    let mut before = 1;
    // Around the publication, and while nodes stop and start.
    for ms in [150, 500] {
        let killed = fleet.dev_killed_after(&["rotate", "--custodians"], Duration::from_millis(ms));
        assert_ne!(killed.code, 0, "it was over before it was killed: {}", killed.text);
        let finished = fleet.dev(&["rotate"]);
        assert_eq!(finished.code, 0, "{}", finished.text);
        recovers(&fleet.recover_patiently("phone", "right"));
        let seen = head(&fleet, "phone")["epoch"].as_u64().expect("a number");
        // One epoch more: what was left half done. Two if its manifest was in place already.
        assert!((before + 1..=before + 2).contains(&seen), "{before} {seen}");
        before = seen;
    }
    fleet.new_device("new", "alice");
    recovers(&fleet.recover("new", "right"));
}

#[test]
fn a_deployment_is_recorded_and_proved_by_one_directory() {
    let fleet = enrolled();
    let trust = fleet.path("fleet").join("trust.json").display().to_string();
    let verify = |name: &str| {
        let dir = fleet.path(name).display().to_string();
        fleet.device("phone", &["verify", "fleet", &dir, "--development", "--trust", &trust])
    };
    for (epoch, name) in [(1, "first"), (2, "second")] {
        let written = fleet.dev(&["deployment", "--out", name]);
        assert_eq!(written.code, 0, "{}", written.text);
        // The record stands; only its directory is written anew.
        let again = fleet.dev(&["deployment", "--out", &format!("{name}-again")]);
        assert_eq!(again.code, 0, "{}", again.text);
        for name in [name.to_owned(), format!("{name}-again")] {
            let verified = verify(&name);
            assert_eq!(verified.code, 0, "{}", verified.text);
            let says = format!("under epoch {epoch}, the latest in this copy");
            assert!(verified.text.contains(&says), "{}", verified.text);
        }
        assert_eq!(fleet.dev(&["rotate"]).code, 0);
    }
    fs::write(fleet.path("second").join("ceremony.txt"), "another").expect("writes");
    let refused = verify("second");
    assert_eq!(refused.code, 3, "{}", refused.text);
    assert!(refused.text.contains("REFUSED"), "{}", refused.text);
}

#[test]
fn starts_and_deployments_stand_in_the_event_log() {
    let fleet = enrolled();
    let verified = |events: &str| {
        let run = fleet.device("phone", &["verify"]);
        assert_eq!(run.code, 0, "{}", run.text);
        assert!(run.text.contains(events), "{}", run.text);
    };
    verified("2 events hold: 1 deployments, 0 positions (0 behind an earlier one), 1 restarts");
    // A start that the log never takes stands in nobody's way.
    let first = fs::read_to_string(fleet.path("fleet/deployments/1/event.json")).expect("event");
    let starts = fleet.path("fleet/starts");
    fs::write(starts.join("9.json"), first.replacen("\"time_ms\":1", "\"time_ms\":2", 1))
        .expect("write");
    let rotated = fleet.dev(&["rotate"]);
    assert_eq!(rotated.code, 0, "{}", rotated.text);
    assert!(rotated.text.contains("start of era 9: the auditor refuses"), "{}", rotated.text);
    assert!(starts.join("9.refused").exists() && !starts.join("9.json").exists());
    verified("4 events hold: 2 deployments, 0 positions (0 behind an earlier one), 2 restarts");
}

fn signal(name: &str, pid_file: &Path) {
    let text = fs::read(pid_file).expect("pid file");
    let identity: Value = serde_json::from_slice(&text).expect("json");
    let pid = identity["pid"].to_string();
    let sent = Command::new("kill").args(["-s", name, &pid]).status().expect("kill");
    assert!(sent.success());
}
