//! A deployment directory that holds, and each way to spoil one.

mod kit;
#[path = "../../log/tests/events/making.rs"]
mod making;
#[path = "../../log/tests/stage/mod.rs"]
mod stage;

use kit::{deployed, pins, written};
use making::{deployment, position, restart};
use stage::copy;
use stage::world::{DAY_MS, NOW_MS, OPERATOR, key, trust_file};
use std::path::Path;
use strongroom_deployment::{At, Checked, Directory, WriteError, check_deployment, write_status};
use strongroom_manifest::{Floors, Hex};
use strongroom_page::{Outcome, Page};
use strongroom_verify::{Bundle, Event, Noted, Trust};

fn check_at(place: &Path, now_ms: u64) -> Checked {
    let trust = Trust::new(trust_file()).expect("pins");
    check_deployment(&Directory::at(place), &trust, &At { now_ms, floors: &Floors::PRODUCTION })
}

fn ended(checked: &Checked) -> (Outcome, Option<&'static str>) {
    let broken = checked.stages().iter().find(|stage| !stage.holds);
    assert_eq!(broken.is_none(), checked.outcome() == Outcome::Verified);
    assert_eq!(checked.proven().is_some(), checked.outcome() == Outcome::Verified);
    (checked.outcome(), broken.map(|stage| stage.name))
}

/// Drops the lines of all other witnesses from a checkpoint.
fn keep_witnesses(path: &Path, names: &[&str]) {
    let text = std::fs::read_to_string(path).expect("text");
    let keep = |line: &&str| {
        let named = line.strip_prefix("— ").and_then(|rest| rest.split(' ').next());
        named.is_none_or(|name| names.contains(&name) || !name.starts_with('w'))
    };
    let lines: Vec<&str> = text.lines().filter(keep).collect();
    std::fs::write(path, lines.join("\n") + "\n").expect("writes");
}

#[test]
fn a_directory_is_verified_by_a_stranger_and_says_what_was_deployed() {
    let (_deployed, place) = written();
    let checked = check_at(&place, NOW_MS);
    assert_eq!(ended(&checked), (Outcome::Verified, None), "{:?}", checked.stages());
    let steps: Vec<_> = checked.stages().iter().map(|stage| stage.name).collect();
    assert_eq!(
        steps,
        [
            "log",
            "witnesses",
            "history",
            "validity",
            "trust",
            "events",
            "record",
            "ceremony",
            "evidence",
            "bundle"
        ]
    );
    let proven = checked.proven().expect("proven");
    assert_eq!((proven.record.epoch, proven.record.fleet.as_str()), (2, "one"));
    assert_eq!(proven.events.events.len(), 5);
    assert_eq!(proven.events.events[3].noted, Noted::Behind);
    let readme = std::fs::read_to_string(place.join("README.txt")).expect("text");
    assert!(readme.contains("strongroom verify fleet .") && readme.contains("epoch 2"));
    // Copied to another place, as a web server or a stick has it, it says the same.
    let elsewhere = tempfile::tempdir().expect("a folder");
    copy(&place, elsewhere.path());
    assert_eq!(check_at(elsewhere.path(), NOW_MS).outcome(), Outcome::Verified);
}

#[test]
fn a_missing_file_is_never_a_success_and_accuses_nobody() {
    let (_deployed, place) = written();
    for (file, step) in [
        ("checkpoint", "log"),
        ("tile/entries/000.p/2", "history"),
        ("tile/0/000.p/2", "history"),
        ("signatures/000.p/2", "history"),
        ("trust.json", "trust"),
        ("events/checkpoint", "events"),
        ("events/tile/entries/000.p/5", "events"),
        ("events/tile/0/000.p/5", "events"),
        ("deployment.json", "record"),
        ("ceremony.txt", "ceremony"),
        ("evidence.bin", "evidence"),
        ("bundle", "bundle"),
    ] {
        let (path, kept) = (place.join(file), place.join("kept"));
        std::fs::rename(&path, &kept).expect("moves");
        assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Unchecked, Some(step)), "{file}");
        std::fs::rename(&kept, &path).expect("moves");
    }
    assert_eq!(check_at(&place, NOW_MS).outcome(), Outcome::Verified);
}

#[test]
fn a_changed_byte_in_any_file_that_is_read_is_found() {
    let (_deployed, place) = written();
    // Of more witnesses than are needed one may be lost; of just enough, none.
    for file in ["checkpoint", "events/checkpoint"] {
        keep_witnesses(&place.join(file), &["w1.example/a", "w2.example/a"]);
    }
    assert_eq!(check_at(&place, NOW_MS).outcome(), Outcome::Verified);
    for file in [
        "checkpoint",
        "tile/entries/000.p/2",
        "tile/0/000.p/2",
        "signatures/000.p/2",
        "trust.json",
        "events/checkpoint",
        "events/tile/entries/000.p/5",
        "events/tile/0/000.p/5",
        "deployment.json",
        "ceremony.txt",
    ] {
        let path = place.join(file);
        let good = std::fs::read(&path).expect("a file");
        for part in 1..32 {
            let mut bytes = good.clone();
            let at = bytes.len() * part / 32;
            bytes[at] ^= 1;
            std::fs::write(&path, &bytes).expect("writes");
            let checked = check_at(&place, NOW_MS);
            // Of the shipped pins what may differ between two apps may differ here.
            if file != "trust.json" {
                assert_ne!(checked.outcome(), Outcome::Verified, "{file} at {at}");
            }
        }
        std::fs::write(&path, &good).expect("writes");
    }
    std::fs::write(place.join("evidence.bin"), b"x").expect("writes");
    assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("evidence")));
}

#[test]
fn each_field_of_the_record_is_the_logs() {
    let (_deployed, place) = written();
    let path = place.join("deployment.json");
    let Event::Deployment(good) = deployment(2) else { unreachable!("made so") };
    type Change = fn(&mut strongroom_verify::Deployment);
    let changes: [(&str, Change); 8] = [
        ("ceremony_sha256", |r| r.ceremony_sha256.0[0] ^= 1),
        ("epoch", |r| r.epoch = 1),
        ("evidence_sha256", |r| r.evidence_sha256.0[0] ^= 1),
        ("fleet", |r| r.fleet = "two".to_owned()),
        ("manifest_sha256", |r| r.manifest_sha256.0[0] ^= 1),
        ("measurement", |r| r.measurement = "ab".to_owned()),
        ("signatures", |r| r.signatures[0].signature.0[0] ^= 1),
        ("time_ms", |r| r.time_ms += 1),
    ];
    for (field, change) in changes {
        let mut record = good.clone();
        change(&mut record);
        let changed = Event::Deployment(record);
        // As it is, and signed anew by the operator: it stands in no log either way.
        for event in [changed.clone(), making::signed_by_operator(changed)] {
            std::fs::write(&path, event.to_json()).expect("writes");
            let same = event == deployment(2);
            let expected =
                if same { (Outcome::Verified, None) } else { (Outcome::Refused, Some("record")) };
            assert_eq!(ended(&check_at(&place, NOW_MS)), expected, "{field}");
        }
    }
}

#[test]
fn a_record_of_another_epoch_or_kind_is_refused_though_it_stands_in_the_log() {
    let (_deployed, place) = written();
    for event in [deployment(1), restart(1, 1), position(1, 3, 1, 40)] {
        std::fs::write(place.join("deployment.json"), event.to_json()).expect("writes");
        assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("record")));
    }
}

#[test]
fn a_bundle_of_another_epoch_or_with_a_changed_part_is_refused() {
    let (deployed, place) = written();
    std::fs::write(place.join("bundle"), &deployed.bundles[0]).expect("writes");
    assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("bundle")));
    type Change = fn(&mut Bundle);
    let changes: [(&str, Change); 7] = [
        ("audit", |b| b.audit.signature.0[0] ^= 1),
        ("countersignature", |b| b.countersignature.0[0] ^= 1),
        ("manifest", |b| b.manifest = b.manifest.replace("site-1", "site-0")),
        ("previous_leaf_hash", |b| b.previous_leaf_hash.0[0] ^= 1),
        ("proof", |b| b.proof = b.proof.replace("\n2\n", "\n3\n")),
        ("signatures", |b| b.signatures = Default::default()),
        ("version", |b| b.version = 2),
    ];
    for (field, change) in changes {
        let good = Bundle::parse(deployed.bundles.last().expect("one")).expect("reads");
        let mut bundle = good.clone();
        change(&mut bundle);
        assert_ne!(bundle, good, "{field}");
        std::fs::write(place.join("bundle"), bundle.to_bytes()).expect("writes");
        assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("bundle")), "{field}");
    }
}

#[test]
fn shipped_pins_of_other_parties_are_refused() {
    let (_deployed, place) = written();
    let mut operator = trust_file();
    operator.operator_key = Hex(key(77).verifying_key().to_bytes());
    let mut custodians = trust_file();
    custodians.custodians.threshold = 1;
    let mut namespace = trust_file();
    namespace.namespace.push('x');
    let mut log = trust_file();
    let other = stage::world::log("other.example/log").key().to_string();
    log.policy =
        log.policy.replace(&stage::world::log(stage::world::ORIGIN).key().to_string(), &other);
    for file in [operator, custodians, namespace, log] {
        std::fs::write(place.join("trust.json"), pins(&file)).expect("writes");
        assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("trust")));
    }
    // Of a later app of the same parties.
    let mut later = trust_file();
    later.built_ms += DAY_MS;
    std::fs::write(place.join("trust.json"), pins(&later)).expect("writes");
    assert_eq!(check_at(&place, NOW_MS).outcome(), Outcome::Verified);
    // Of the same parties, and of an auditor or witnesses that the reader does not pin: told, not trusted.
    let mut auditors = trust_file();
    auditors.auditor_keys[0].public_key = Hex(key(78).verifying_key().to_bytes());
    let mut witnesses = trust_file();
    witnesses.policy = witnesses.policy.replace("group operators 2", "group operators 1");
    assert_ne!(witnesses.policy, trust_file().policy);
    for file in [auditors, witnesses] {
        std::fs::write(place.join("trust.json"), pins(&file)).expect("writes");
        let checked = check_at(&place, NOW_MS);
        assert_eq!(checked.outcome(), Outcome::Verified, "by the reader's own pins");
        let told = checked.stages().iter().find(|stage| stage.name == "trust").expect("a step");
        assert!(told.text.contains("OTHER auditor keys or witnesses"), "{}", told.text);
    }
}

#[test]
fn the_manifest_logs_checkpoint_is_not_the_event_logs() {
    let (_deployed, place) = written();
    let events = std::fs::read(place.join("events/checkpoint")).expect("a file");
    let manifests = std::fs::read(place.join("checkpoint")).expect("a file");
    std::fs::write(place.join("events/checkpoint"), &manifests).expect("writes");
    assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("events")));
    std::fs::write(place.join("checkpoint"), &events).expect("writes");
    assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("log")));
}

#[test]
fn witnesses_who_are_too_few_under_the_event_log_are_found() {
    let (_deployed, place) = written();
    keep_witnesses(&place.join("events/checkpoint"), &["w1.example/a", "w1.example/b"]);
    assert_eq!(ended(&check_at(&place, NOW_MS)), (Outcome::Refused, Some("events")));
}

#[test]
fn an_old_copy_is_old_and_still_says_what_held_on_its_day() {
    let (_deployed, place) = written();
    let later = NOW_MS + 30 * DAY_MS;
    assert_eq!(ended(&check_at(&place, later)), (Outcome::Refused, Some("witnesses")));
    assert_eq!(check_at(&place, NOW_MS).outcome(), Outcome::Verified);
}

#[test]
fn other_pins_verify_nothing_of_it() {
    let (_deployed, place) = written();
    let mut file = trust_file();
    file.operator_key = Hex(key(77).verifying_key().to_bytes());
    let trust = Trust::new(file).expect("pins");
    let at = At { now_ms: NOW_MS, floors: &Floors::PRODUCTION };
    let checked = check_deployment(&Directory::at(&place), &trust, &at);
    assert_eq!(ended(&checked), (Outcome::Refused, Some("history")));
    assert_ne!(key(77).verifying_key(), key(OPERATOR).verifying_key());
}

#[test]
fn nothing_that_does_not_verify_gets_the_name() {
    let deployed = deployed();
    let place = deployed.place();
    let refused = deployed.write(&place, |papers| papers.ceremony = b"something else");
    assert!(
        matches!(&refused, Err(WriteError::NotVerified { outcome: Outcome::Refused, why }) if why.starts_with("ceremony")),
        "{refused:?}"
    );
    assert!(!place.exists());
    let nobody = deployed.write(&place, |papers| papers.fleet = "two");
    assert!(matches!(nobody, Err(WriteError::NoRecord { .. })), "{nobody:?}");
    // A draft that a crash left is no obstacle, and what is there is not written over.
    deployed.write(&place, |_| ()).expect("writes");
    assert!(matches!(deployed.write(&place, |_| ()), Err(WriteError::Exists { .. })));
    let left: Vec<_> = std::fs::read_dir(deployed.root())
        .expect("a folder")
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".draft"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_log_and_its_page_make_a_directory_that_takes_the_place_of_an_older_one() {
    let deployed = deployed();
    let (log, place) = (deployed.root().join("auditor"), deployed.root().join("public"));
    let trust = pins(&trust_file());
    let page = Page { trust: &trust, commands: &[], verifier: None, now_ms: NOW_MS };
    for _ in 0..2 {
        let files = write_status(&place, &Directory::at(&log), &page).expect("writes");
        for file in ["checkpoint", "index.html", "tile/entries/000.p/2", "signatures/000.p/2"] {
            assert!(files.iter().any(|one| one == file) && place.join(file).is_file(), "{file}");
        }
    }
    // It is a log by itself, and so is what is copied from it.
    write_status(&deployed.root().join("mirror"), &Directory::at(&place), &page).expect("writes");
    let html = std::fs::read_to_string(place.join("index.html")).expect("reads");
    assert!(html.contains("it verifies nothing"), "{html}");

    // A log that does not hold takes nobody's place, and nothing else is ever replaced.
    let entries = log.join("tile/entries/000.p/2");
    let mut bytes = std::fs::read(&entries).expect("reads");
    bytes[100] ^= 1;
    std::fs::write(&entries, bytes).expect("writes");
    let refused = write_status(&place, &Directory::at(&log), &page);
    assert!(matches!(refused, Err(WriteError::Page(_))), "{refused:?}");
    assert_eq!(std::fs::read_to_string(place.join("index.html")).expect("is there"), html);
    let photos = deployed.root().join("photos");
    std::fs::create_dir(&photos).expect("a folder");
    std::fs::write(photos.join("one.jpg"), b"x").expect("writes");
    let refused = write_status(&photos, &Directory::at(&place), &page);
    assert!(matches!(refused, Err(WriteError::NoPage { .. })), "{refused:?}");
    assert!(photos.join("one.jpg").is_file());

    // A deployment directory has a page, too, and is written once.
    let deployment = deployed.place();
    let log = deployed.root().join("mirror");
    std::fs::create_dir_all(deployment.join("status")).expect("a folder");
    for name in ["status/style.css", "deployment.json"] {
        std::fs::write(deployment.join(name), b"x").expect("writes");
    }
    let refused = write_status(&deployment, &Directory::at(&log), &page);
    assert!(matches!(refused, Err(WriteError::NoPage { .. })), "{refused:?}");

    // A crash between the renames: the older page is the page, also if the next writing fails.
    std::fs::rename(&place, deployed.root().join(".public.old")).expect("renames");
    let gone = Directory::at(&deployed.root().join("nowhere"));
    assert!(write_status(&place, &gone, &page).is_err());
    assert_eq!(std::fs::read_to_string(place.join("index.html")).expect("is there"), html);
    write_status(&place, &Directory::at(&log), &page).expect("writes");
}

#[test]
fn a_directory_leads_nowhere_else_and_holds_nobody_up() {
    let (deployed, place) = written();
    let secret = deployed.root().join("secret");
    std::fs::write(&secret, b"of the reader").expect("writes");
    for name in ["ceremony.txt", "events/checkpoint"] {
        let file = place.join(name);
        let honest = std::fs::read(&file).expect("reads");
        std::fs::remove_file(&file).expect("removes");
        std::os::unix::fs::symlink(&secret, &file).expect("a link");
        let linked = check_at(&place, NOW_MS);
        assert_eq!(linked.outcome(), Outcome::Unchecked, "{:?}", linked.stages());
        let told = &linked.stages().last().expect("a step").text;
        assert!(told.contains("links are not followed"), "{told}");
        std::fs::remove_file(&file).expect("removes");
        let made = std::process::Command::new("mkfifo").arg(&file).status().expect("mkfifo");
        assert!(made.success());
        assert_eq!(check_at(&place, NOW_MS).outcome(), Outcome::Unchecked, "a pipe");
        std::fs::remove_file(&file).expect("removes");
        std::fs::write(&file, honest).expect("writes");
    }
    // Nor through a folder.
    std::fs::rename(place.join("events"), deployed.root().join("elsewhere")).expect("renames");
    std::os::unix::fs::symlink(deployed.root().join("elsewhere"), place.join("events"))
        .expect("a link");
    assert_eq!(check_at(&place, NOW_MS).outcome(), Outcome::Unchecked);
}
