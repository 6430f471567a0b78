//! `strongroom verify`: three outcomes, never confused, whatever a mirror serves.

mod ledger;

use ledger::{
    Ledger, Manner, deployed, fresh, grow, grow_as, history, making, manifest, pins, serve,
    world::{DAY_MS, LOG, OPERATOR, World, signed},
};
use std::{fs, os::unix::fs::symlink, path::Path};
use strongroom_wire::digest::sha256;

const HOUR_MS: u64 = 3_600_000;

#[test]
fn a_whole_history_is_verified_from_a_folder_and_over_http() {
    let ledger = Ledger::new();
    let mut world = history(3);
    let mut moved = manifest(4, &[1, 2, 3]);
    moved.fleets[0].nodes[2].site = "elsewhere".to_owned();
    grow(&mut world, &moved);
    let folder = ledger.export("log", &world);
    let ran = ledger.verify(&["--log", "{log}"]).ends(0);
    for stage in ["trust", "checkpoint", "witnesses", "epochs", "custodians", "auditor", "operator"]
    {
        let line = ran.out.lines().find(|line| line.starts_with(&format!("{stage} ")));
        assert!(line.is_some_and(|line| line.contains(" ok ")), "{stage}: {}", ran.out);
    }
    assert!(
        ran.out.contains("w2.example/a at 20") && ran.out.contains("w3.example/a at 20"),
        "{ran:?}"
    );
    assert!(ran.out.contains("site-3") && ran.out.contains("elsewhere"), "{ran:?}");
    assert!(ran.last().starts_with("Verified: epochs 1 to 4 of org."), "{ran:?}");
    assert!(ran.last().ends_with("Not checked: the event log, the vault's binary."), "{ran:?}");
    assert!(ran.last().contains("fleet one is keys-only"), "{ran:?}");
    for manner in [Manner::Serve, Manner::Hiccup] {
        let address = serve(&folder, manner);
        let ran = ledger.verify(&["--log", &address]).ends(0);
        assert!(ran.last().starts_with("Verified: epochs 1 to 4"), "{ran:?}");
    }
}

#[test]
fn the_event_log_is_checked_under_the_history_that_holds() {
    let ledger = Ledger::new();
    let world = history(3);
    let log = ledger.export("log", &world);
    let good = [deployed(&world, 1, OPERATOR), deployed(&world, 3, OPERATOR)];
    let events = ledger.export_events("log", &world, &good);
    let ran = ledger.verify(&["--json", "--log", "{log}"]).ends(0);
    assert_eq!(ran.stage("events"), "verified");
    let ran = ledger.verify(&["--log", &serve(&log, Manner::Serve)]).ends(0);
    assert!(ran.out.contains("2 events hold: 2 deployments, 0 positions"), "{ran:?}");
    assert!(ran.last().ends_with("Not checked: the vault's binary."), "{ran:?}");
    // Nothing happened yet, and that is cosigned.
    ledger.export_events("log", &world, &[]);
    assert_eq!(ledger.verify(&["--json", "--log", "{log}"]).ends(0).stage("events"), "verified");

    // What the log signed and breaks a rule is its own doing.
    for (leaves, why) in [
        (vec![deployed(&world, 1, LOG)], "which signs no event"),
        (vec![good[1].clone(), good[0].clone()], "epoch 1 after one of epoch 3"),
        (vec![good[0].clone(), good[0].clone()], "the same event is in the log"),
        (vec![b"org.example/events/event/v1\n{}".to_vec()], "no leaf of this event log"),
    ] {
        ledger.export_events("log", &world, &leaves);
        let ran = ledger.verify(&["--log", "{log}"]).ends(1);
        assert!(ran.last().starts_with("CONTRADICTION") && ran.last().contains(why), "{ran:?}");
        assert!(ran.last().contains("own files are the proof"), "{ran:?}");
        // What contradicts is no ground to go on from.
        ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(1);
        assert!(!ledger.path("head").exists());
    }

    // What a copy spoilt accuses nobody.
    for (file, change) in [
        ("tile/entries/000.p/2", "flip"),
        ("tile/0/000.p/2", "remove"),
        ("checkpoint", "flip"),
        ("checkpoint", "cut"),
    ] {
        ledger.export_events("log", &world, &good);
        spoil(&events.join(file), change);
        let ran = ledger.verify(&["--json", "--log", "{log}"]).ends(3);
        assert_eq!(ran.stage("events"), "unchecked", "{file} {change}");
        assert_eq!(ran.stage("epochs"), "verified", "{file} {change}");
    }
    // An event of an epoch that this copy does not show is not judged.
    let longer = history(4);
    let (three, four) = (world, deployed(&longer, 4, OPERATOR));
    ledger.export_events("log", &three, &[four]);
    let ran = ledger.verify(&["--json", "--log", "{log}"]).ends(3);
    assert_eq!(ran.stage("events"), "unchecked");
    // Under a history that does not hold, events stand on nothing.
    ledger.export_events("log", &three, &good);
    spoil(&log.join("tile/entries/000.p/3"), "flip");
    let ran = ledger.verify(&["--json", "--log", "{log}"]).ends(3);
    assert_eq!(ran.stage("events"), "unchecked");
}

fn spoil(path: &Path, change: &str) {
    let mut bytes = fs::read(path).expect("there");
    match change {
        "flip" => {
            let at = bytes.len() / 2;
            bytes[at] ^= 0x01;
            fs::write(path, bytes).expect("written");
        }
        "cut" => fs::write(path, &bytes[..bytes.len() - 7]).expect("written"),
        _ => fs::remove_file(path).expect("removed"),
    }
}

#[test]
fn a_change_of_custodians_across_bundles_is_followed() {
    let ledger = Ledger::new();
    let mut world = history(256);
    grow_as(&mut world, &signed(&manifest(257, &[4, 5, 6]), &[1, 2]));
    grow_as(&mut world, &signed(&manifest(258, &[4, 5, 6]), &[4, 6]));
    ledger.export("log", &world);
    // The bundle's chain is not made here; what devices are given is another test's.
    fs::remove_file(ledger.path("log/bundle")).expect("removed");
    let ran = ledger.verify(&["--json", "--log", "{log}"]).ends(0);
    assert_eq!(ran.stage("bundle"), "skipped");
    let changes = ran.lines().into_iter().filter(|line| line["message_type"] == "change");
    assert_eq!(changes.count(), 6, "three custodians went, three came");
}

#[test]
fn a_kept_head_goes_on_and_never_back() {
    let ledger = Ledger::new();
    let mut world = history(2);
    ledger.export("log", &world);
    let first = ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(0);
    assert!(first.err.contains("no kept head"), "{first:?}");
    assert!(first.last().contains("epochs 1 to 2"), "{first:?}");
    let again = ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(0);
    assert!(again.last().starts_with("Verified: nothing new after epoch 2"), "{again:?}");
    grow(&mut world, &manifest(3, &[1, 2, 3]));
    grow(&mut world, &manifest(4, &[1, 2, 3]));
    ledger.export("log", &world);
    let on = ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(0);
    assert!(on.last().contains("epochs 3 to 4"), "{on:?}");
    assert!(on.out.contains("the tree extends the kept one of 2 epochs"), "{on:?}");
    // An old copy is no accusation, and takes nothing back.
    let kept = fs::read(ledger.path("head")).expect("kept");
    let old = World { leaves: world.leaves[..3].to_vec() };
    ledger.export("log", &old);
    let back = ledger.verify(&["--json", "--log", "{log}", "--from", "{head}"]).ends(3);
    assert_eq!(back.stage("kept_head"), "unchecked");
    assert_eq!(fs::read(ledger.path("head")).expect("kept"), kept);
}

#[test]
fn a_kept_head_of_other_pins_or_with_other_contents_is_refused() {
    let ledger = Ledger::new();
    ledger.export("log", &history(2));
    ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(0);
    let head = fs::read_to_string(ledger.path("head")).expect("kept");
    let mut other = pins();
    other.cosignature_max_age_ms += 1;
    ledger.write_pins(&other);
    let ran = ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(2);
    assert!(ran.err.contains("checked under a trust file with SHA-256"), "{ran:?}");
    ledger.write_pins(&pins());
    for (from, to) in [("\"size\":2", "\"size\":1"), ("\"epoch\":2", "\"epoch\":1"), ("{", "")] {
        fs::write(ledger.path("head"), head.replacen(from, to, 1)).expect("written");
        ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(2);
    }
    // Another threshold of the custodians in force is not what the tree holds.
    fs::write(ledger.path("head"), head.replace("\"threshold\":2", "\"threshold\":1"))
        .expect("written");
    let ran = ledger.verify(&["--json", "--log", "{log}", "--from", "{head}"]).ends(3);
    assert_eq!(ran.stage("kept_head"), "unchecked");
}

/// Two worlds that share two epochs and differ in the third, under one set of keys.
fn split() -> (World, World) {
    let (mut one, mut other) = (history(2), history(2));
    grow(&mut one, &manifest(3, &[1, 2, 3]));
    let mut moved = manifest(3, &[1, 2, 3]);
    moved.fleets[0].nodes[0].identity_key.0[0] ^= 0x40;
    grow(&mut other, &moved);
    (one, other)
}

#[test]
fn a_split_view_is_a_contradiction_that_others_can_judge() {
    let ledger = Ledger::new();
    let (one, mut other) = split();
    ledger.export("log", &one);
    ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(0);
    let kept = fs::read(ledger.path("head")).expect("kept");
    ledger.export("log", &other);
    let ran =
        ledger.verify(&["--log", "{log}", "--from", "{head}", "--evidence-out", "{two}"]).ends(1);
    assert!(ran.last().starts_with("CONTRADICTION"), "{ran:?}");
    let judged = ledger.verify(&["evidence", "{two}", "--trust", "{trust.json}"]).ends(0);
    // Both were cosigned by the same two witnesses, who are accused, too.
    for name in ["log auditor.example", "witness w2.example/a", "witness w3.example/a"] {
        assert!(judged.out.contains(name), "{name}: {judged:?}");
    }
    grow(&mut other, &manifest(4, &[1, 2, 3]));
    ledger.export("log", &other);
    let ran = ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(1);
    assert!(ran.last().contains("kept_head: the first 3 epochs make"), "{ran:?}");
    let evidence = ledger.evidence();
    let judged = ["evidence", evidence.to_str().expect("text"), "--trust", "{trust.json}"];
    let told = ledger.verify(&judged).ends(0);
    assert!(told.out.contains("a tree of 3 leaves"), "{told:?}");
    assert_eq!(fs::read(ledger.path("head")).expect("kept"), kept, "a contradiction keeps nothing");
    // What is changed proves nothing, and neither does it to who pins others.
    let text = fs::read_to_string(&evidence).expect("evidence");
    let at = text.find("other_root\":\"").expect("a root") + 13;
    let digit = if &text[at..=at] == "0" { "1" } else { "0" };
    fs::write(ledger.path("changed"), [&text[..at], digit, &text[at + 1..]].concat())
        .expect("written");
    ledger.verify(&["evidence", "{changed}", "--trust", "{trust.json}"]).ends(1);
    fs::write(ledger.path("noise"), "{}").expect("written");
    ledger.verify(&["evidence", "{noise}", "--trust", "{trust.json}"]).ends(1);
    ledger.verify(&["evidence", "{nowhere}", "--trust", "{trust.json}"]).ends(3);
}

#[test]
fn an_epoch_that_breaks_a_rule_under_the_signed_root_is_a_contradiction() {
    let ledger = Ledger::new();
    let mut world = history(2);
    grow_as(&mut world, &signed(&manifest(3, &[7, 8, 9]), &[7, 8, 9]));
    grow_as(&mut world, &signed(&manifest(4, &[7, 8, 9]), &[7, 8, 9]));
    ledger.export("log", &world);
    // A mirror that hides the signatures hides nothing of it.
    fs::remove_dir_all(ledger.path("log/signatures")).expect("removed");
    let ran = ledger.verify(&["--json", "--log", "{log}", "--evidence-out", "{e}"]).ends(1);
    assert_eq!(ran.stage("custodians"), "contradiction");
    assert_eq!(ran.stage("auditor"), "unchecked");
    let judged = ledger.verify(&["evidence", "{e}", "--trust", "{trust.json}"]).ends(0);
    assert!(judged.out.contains("at epoch 3") && judged.out.contains("log auditor."), "{judged:?}");
}

#[test]
fn another_statement_to_devices_than_in_the_log_is_a_contradiction() {
    let (one, mut other) = (history(2), history(1));
    let second = signed(&manifest(2, &[1, 2, 3]), &[1, 3]);
    other.publish_as(&second, 2, one.leaves[1].statement.timestamp_ms + 1);
    for (has_signatures, kind) in [(true, "two_statements"), (false, "statement_against_leaf")] {
        let ledger = Ledger::new();
        ledger.export("log", &one);
        let bundle = other.bundle(2, &fresh(&other)).to_bytes();
        fs::write(ledger.path("log/bundle"), bundle).expect("written");
        if !has_signatures {
            fs::remove_dir_all(ledger.path("log/signatures")).expect("removed");
        }
        let ran = ledger.verify(&["--json", "--log", "{log}", "--evidence-out", "{e}"]).ends(1);
        assert_eq!(ran.stage("bundle"), "contradiction");
        let judged =
            ledger.verify(&["--json", "evidence", "{e}", "--trust", "{trust.json}"]).ends(0);
        assert_eq!(judged.lines()[0]["kind"], kind);
    }
}

#[test]
fn what_a_mirror_damages_or_withholds_accuses_nobody() {
    let world = history(3);
    for (file, change) in [
        ("tile/entries/000.p/3", "flip"),
        ("tile/entries/000.p/3", "cut"),
        ("tile/entries/000.p/3", "remove"),
        ("tile/0/000.p/3", "flip"),
        ("tile/0/000.p/3", "cut"),
        ("tile/0/000.p/3", "remove"),
        ("signatures/000.p/3", "flip"),
        ("signatures/000.p/3", "cut"),
        ("signatures/000.p/3", "remove"),
        ("checkpoint", "flip"),
        ("checkpoint", "cut"),
        ("checkpoint", "remove"),
        ("bundle", "flip"),
        ("bundle", "cut"),
    ] {
        let ledger = Ledger::new();
        let path = ledger.export("log", &world).join(file);
        spoil(&path, change);
        let ran = ledger.verify(&["--log", "{log}", "--from", "{head}"]);
        assert_eq!(ran.code, 3, "{file} {change}: {ran:?}");
        assert!(ran.last().starts_with("Could NOT check"), "{file} {change}: {ran:?}");
        assert!(!ledger.path("head").exists() || file == "bundle", "{file} {change}");
    }
}

#[test]
fn a_stale_checkpoint_or_a_witness_short_is_not_verified() {
    let world = history(2);
    for ages in [
        [None, None, Some(HOUR_MS), Some(4 * DAY_MS)],
        [None, None, Some(HOUR_MS), None],
        [Some(HOUR_MS), Some(HOUR_MS), None, None],
    ] {
        let ledger = Ledger::new();
        ledger.export_as("log", &world, &making(&world, ages));
        let ran = ledger.verify(&["--json", "--log", "{log}", "--from", "{head}"]).ends(3);
        assert_eq!(ran.stage("witnesses"), "unchecked");
        assert_eq!(ran.stage("epochs"), "verified");
        assert!(!ledger.path("head").exists());
    }
}

#[test]
fn a_bundle_alone_is_judged_and_its_history_is_not() {
    let ledger = Ledger::new();
    let world = history(2);
    ledger.export("log", &world);
    let ran = ledger.verify(&["--offline", "{log/bundle}"]).ends(0);
    assert!(ran.last().starts_with("Verified: the bundle of epoch 2, not its history"), "{ran:?}");
    assert!(ran.last().contains("Not checked: the history before this bundle"), "{ran:?}");
    let text = fs::read_to_string(ledger.path("log/bundle")).expect("bundle");
    fs::write(ledger.path("b"), text.replacen("site-1", "site-x", 1)).expect("written");
    ledger.verify(&["--offline", "{b}"]).ends(3);
    ledger.verify(&["--offline", "{nowhere}"]).ends(3);
    // The retired first epoch under a checkpoint of then.
    let old = world.bundle(1, &fresh(&world)).to_bytes();
    fs::write(ledger.path("b"), old).expect("written");
    let ran = ledger.verify(&["--json", "--offline", "{b}"]).ends(3);
    assert_eq!(ran.stage("bundle"), "unchecked");
    // Against a head that this reader kept: another tree of that size is a contradiction.
    let (one, other) = split();
    ledger.export("log", &one);
    ledger.verify(&["--log", "{log}", "--from", "{head}"]).ends(0);
    fs::write(ledger.path("b"), other.bundle(3, &fresh(&other)).to_bytes()).expect("written");
    ledger.verify(&["--offline", "{b}", "--from", "{head}"]).ends(1);
    ledger.evidence();
}

#[test]
fn a_binary_is_measured_and_an_unpublished_measurement_is_no_success() {
    let ledger = Ledger::new();
    fs::write(ledger.path("vault"), b"the vault").expect("written");
    let measured = hex::encode(sha256(b"the vault"));
    for (measurement, code, outcome) in [
        (measured.as_str(), 0, "verified"),
        (&"0".repeat(64), 1, "contradiction"),
        ("", 3, "unchecked"),
    ] {
        let mut world = World::default();
        let mut first = manifest(1, &[1, 2, 3]);
        first.fleets[0].measurement = measurement.to_owned();
        grow(&mut world, &first);
        ledger.export("log", &world);
        let ran = ledger.verify(&["--json", "--log", "{log}", "--binary", "{vault}"]).ends(code);
        assert_eq!(ran.stage("binary"), outcome, "{measurement}");
        assert_eq!(ran.stage("operator"), "verified");
    }
    ledger.verify(&["--log", "{log}", "--binary", "{nowhere}"]).ends(3);
}

#[test]
fn a_manifest_that_is_not_valid_now_is_not_verified() {
    let ledger = Ledger::new();
    let mut world = history(1);
    let mut second = manifest(2, &[1, 2, 3]);
    second.not_after_ms = second.not_before_ms + DAY_MS;
    grow(&mut world, &second);
    ledger.export("log", &world);
    fs::remove_file(ledger.path("log/bundle")).expect("removed");
    let ran = ledger.verify(&["--json", "--log", "{log}"]).ends(3);
    assert_eq!(
        (ran.stage("latest"), ran.stage("operator")),
        ("unchecked".into(), "verified".into())
    );
}

#[test]
fn a_host_that_redirects_floods_or_is_gone_is_not_checked() {
    let ledger = Ledger::new();
    let folder = ledger.export("log", &history(1));
    let good = serve(&folder, Manner::Serve);
    let redirects = serve(&folder, Manner::Redirect(good));
    let ran = ledger.verify(&["--log", &redirects]).ends(3);
    assert!(ran.out.contains("redirects"), "{ran:?}");
    let floods = serve(&folder, Manner::Flood(70_000));
    let ran = ledger.verify(&["--log", &floods]).ends(3);
    assert!(ran.out.contains("longer than 65536 bytes"), "{ran:?}");
    ledger.verify(&["--log", "http://127.0.0.1:9"]).ends(3);
}

#[test]
fn a_folder_cannot_name_files_outside_of_itself() {
    let ledger = Ledger::new();
    let folder = ledger.export("log", &history(1));
    fs::rename(folder.join("checkpoint"), ledger.path("elsewhere")).expect("moved");
    symlink(ledger.path("elsewhere"), folder.join("checkpoint")).expect("linked");
    let ran = ledger.verify(&["--log", "{log}"]).ends(3);
    assert!(ran.out.contains("links are not followed"), "{ran:?}");
    fs::remove_file(folder.join("checkpoint")).expect("removed");
    fs::rename(ledger.path("elsewhere"), folder.join("checkpoint")).expect("moved");
    fs::rename(folder.join("tile"), ledger.path("tile")).expect("moved");
    symlink(ledger.path("tile"), folder.join("tile")).expect("linked");
    ledger.verify(&["--log", "{log}"]).ends(3);
}

#[test]
fn wrong_usage_is_2_and_a_log_that_is_not_there_is_3() {
    let ledger = Ledger::new();
    ledger.export("log", &history(1));
    ledger.run(&["verify", "--log", "{log}"]).ends(2);
    ledger.verify(&[]).ends(2);
    ledger.verify(&["--log", "{log}", "--once"]).ends(2);
    ledger.verify(&["--log", "{nowhere}"]).ends(3);
    ledger.run(&["verify", "--log", "{log}", "evidence", "{nowhere}"]).ends(2);
    ledger.run(&["verify", "--trust", "{nowhere}", "--log", "{log}"]).ends(2);
    fs::write(ledger.path("trust.json"), "{}").expect("written");
    ledger.verify(&["--log", "{log}"]).ends(2);
}

#[test]
fn a_profile_names_trust_and_log() {
    let ledger = Ledger::new();
    ledger.export("log", &history(1));
    fs::create_dir(ledger.path("home")).expect("dir");
    let profile = "trust = \"../trust.json\"\nlog = \"../log\"\n";
    fs::write(ledger.path("home/profile.toml"), profile).expect("written");
    ledger.run(&["--home", "{home}", "verify"]).ends(0);
    ledger.run(&["--home", "{home}", "verify", "--log", "{nowhere}"]).ends(3);
}
