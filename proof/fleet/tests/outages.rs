//! Nodes die; recoveries go on, stop, and go on again. No honest attempt is lost.

use std::time::Duration;
use strongroom_fleet_tests::Fleet;

const NO_QUORUM: i32 = 14;

#[test]
fn inv8_three_dead_serve_four_dead_are_silent_and_one_back_resumes() {
    let fleet = Fleet::start(100_000);
    fleet.password("right", "a password that is right");
    fleet.new_device("phone", "alice");
    let enrolled = fleet.device("phone", &["enroll", "--password-file", "right"]);
    assert_eq!(enrolled.code, 0, "{}", enrolled.text);
    fleet.new_device("new-phone", "alice");

    // The leader dies: the next recovery takes under two seconds and costs no attempt.
    let first = fleet.leader();
    assert_eq!(fleet.dev(&["kill", &first]).code, 0);
    let recovered = fleet.recover("new-phone", "right");
    assert_eq!(recovered.code, 0, "{}", recovered.text);
    assert!(recovered.took < Duration::from_secs(2), "{:?}", recovered.took);
    assert_eq!(keys(&fleet, "phone"), keys(&fleet, "new-phone"));

    // Three are dead.
    let others: Vec<String> = (1..=7).map(|n| n.to_string()).filter(|n| *n != first).collect();
    assert_eq!(fleet.dev(&["kill", &others[0], &others[1]]).code, 0);
    let recovered = fleet.recover("new-phone", "right");
    assert_eq!(recovered.code, 0, "{}", recovered.text);

    // Four are dead: silence, and a cost that is stated.
    assert_eq!(fleet.dev(&["kill", &others[2]]).code, 0);
    let refused = fleet.recover("new-phone", "right");
    assert_eq!(refused.code, NO_QUORUM, "{}", refused.text);
    assert!(refused.text.contains("cost"), "{}", refused.text);

    // One comes back.
    let started = fleet.dev(&["start", &others[2]]);
    assert_eq!(started.code, 0, "{}", started.text);
    let recovered = fleet.recover("new-phone", "right");
    assert_eq!(recovered.code, 0, "{}", recovered.text);

    // All the while nobody typed a wrong password, and the fleet agrees.
    let status = fleet.device("new-phone", &["--json", "status"]);
    assert_eq!(status.code, 0, "{}", status.text);
    assert!(!status.text.contains("\"failures_ms\":[1"), "{}", status.text);
}

fn keys(fleet: &Fleet, home: &str) -> String {
    let shown = fleet.device(home, &["key", "show"]);
    assert_eq!(shown.code, 0, "{}", shown.text);
    let digits = |line: &&str| line.len() == 64 && line.bytes().all(|b| b.is_ascii_hexdigit());
    shown.text.lines().map(str::trim).find(digits).expect("64 digits").to_owned()
}

#[test]
fn leaders_are_killed_again_and_again_and_no_attempt_is_lost() {
    let fleet = Fleet::start(100_000);
    fleet.password("right", "a password that is right");
    fleet.new_device("phone", "alice");
    assert_eq!(fleet.device("phone", &["enroll", "--password-file", "right"]).code, 0);
    for round in 0..6 {
        let leader = fleet.leader();
        let (recovered, killed) = std::thread::scope(|scope| {
            // The kill falls somewhere into the recovery.
            let recovery = scope.spawn(|| fleet.recover("phone", "right"));
            std::thread::sleep(Duration::from_millis(20 + 40 * round));
            let killed = fleet.dev(&["kill", &leader]);
            (recovery.join().expect("recovery"), killed)
        });
        assert_eq!((recovered.code, killed.code), (0, 0), "{}", recovered.text);
        assert_eq!(fleet.dev(&["start", &leader]).code, 0);
    }
    let status = fleet.device("phone", &["status"]);
    assert!(status.text.contains("10 of 10 in a row, 40 of 40 in a year"), "{}", status.text);
}
