//! The monitor, and the lines that programs read.

mod ledger;

use ledger::{
    Ledger, Ran, fresh, grow, grow_as, history, making, manifest,
    world::{DAY_MS, ORIGIN, World, signed},
};
use serde_json::Value;
use std::{collections::BTreeMap, fs};
use strongroom_tlog::witness::latest_path;

const HOUR_MS: u64 = 3_600_000;

fn once(ledger: &Ledger) -> Ran {
    ledger.verify(&["--json", "--log", "{log}", "--from", "{head}", "--watch", "--once"])
}

#[test]
fn a_new_epoch_and_what_it_changed_are_told_once() {
    let ledger = Ledger::new();
    let mut world = history(1);
    ledger.export("log", &world);
    assert_eq!(once(&ledger).ends(0).events(), [] as [&str; 0]);
    grow(&mut world, &manifest(2, &[1, 2, 3]));
    let mut third = manifest(3, &[1, 2, 3]);
    third.fleets[0].nodes[1].identity_key.0[0] ^= 0x40;
    grow(&mut world, &third);
    ledger.export("log", &world);
    let ran = once(&ledger).ends(0);
    assert_eq!(ran.events(), ["new_epoch", "new_epoch", "changed"]);
    assert!(ran.out.contains("node one/2 identity_key"), "{ran:?}");
    assert_eq!(once(&ledger).ends(0).events(), [] as [&str; 0], "nothing is told twice");
}

#[test]
fn a_custodian_and_a_setting_that_change_are_told() {
    let ledger = Ledger::new();
    let mut world = history(1);
    ledger.export("log", &world);
    once(&ledger).ends(0);
    let mut second = manifest(2, &[1, 2, 4]);
    second.policy.row = 9;
    grow(&mut world, &second);
    ledger.export("log", &world);
    fs::remove_file(ledger.path("log/bundle")).expect("removed");
    let ran = once(&ledger).ends(0);
    assert_eq!(ran.events(), ["new_epoch", "changed", "changed", "changed"]);
    assert!(ran.out.contains("policy row was 10, is 9"), "{ran:?}");
}

#[test]
fn a_checkpoint_that_grows_stale_is_told_when_it_begins_and_when_it_ends() {
    let ledger = Ledger::new();
    let world = history(2);
    let old = making(&world, [None, None, Some(4 * DAY_MS), Some(HOUR_MS)]);
    ledger.export_as("log", &world, &old);
    // Both logs are cosigned in one turn, and grow old together.
    ledger.export_events_as("log", &old, &[]);
    let ran =
        ledger.verify(&["--json", "--log", "{log}", "--watch", "--rounds", "3", "--every", "1"]);
    assert_eq!(ran.ends(3).events(), ["stale"], "three rounds, one line");
}

#[test]
fn a_broken_epoch_ends_the_watch_with_evidence() {
    let ledger = Ledger::new();
    let mut world = history(2);
    ledger.export("log", &world);
    once(&ledger).ends(0);
    grow_as(&mut world, &signed(&manifest(3, &[7, 8, 9]), &[7, 8, 9]));
    ledger.export("log", &world);
    let ran = once(&ledger).ends(1);
    assert_eq!(ran.events(), ["source_failed", "contradiction"]);
    let evidence = ledger.evidence();
    let evidence = evidence.to_str().expect("text");
    ledger.verify(&["evidence", evidence, "--trust", "{trust.json}"]).ends(0);
}

/// Writes a witness's own view of a world.
fn witnessed(ledger: &Ledger, world: &World) {
    let path = ledger.path("witness").join(latest_path(ORIGIN));
    fs::create_dir_all(path.parent().expect("a parent")).expect("dir");
    let checkpoint = world.checkpoint(&fresh(world), ORIGIN).to_bytes();
    fs::write(path, checkpoint).expect("written");
}

#[test]
fn a_witness_that_saw_another_log_is_evidence() {
    let asking = |ledger: &Ledger| {
        ledger.verify(&["--json", "--log", "{log}", "--watch", "--once", "--witness", "{witness}"])
    };
    let mut one = history(3);
    let mut other = history(1);
    let mut moved = manifest(2, &[1, 2, 3]);
    moved.fleets[0].nodes[0].site = "elsewhere".to_owned();
    grow(&mut other, &moved);
    // Smaller than the log, and not a beginning of it; then of one size; then larger than what is shown.
    for (grown, code, event) in
        [(0, 1, "contradiction"), (1, 1, "contradiction"), (2, 3, "witness_failed")]
    {
        let ledger = Ledger::new();
        ledger.export("log", &one);
        let mut view = World { leaves: other.leaves.clone() };
        for epoch in 3..3 + grown {
            grow(&mut view, &manifest(epoch, &[1, 2, 3]));
        }
        witnessed(&ledger, &view);
        let ran = asking(&ledger).ends(code);
        assert_eq!(ran.events(), [event], "{ran:?}");
        if code == 1 {
            ledger.evidence();
        }
    }
    let ledger = Ledger::new();
    ledger.export("log", &one);
    witnessed(&ledger, &one);
    assert_eq!(asking(&ledger).ends(0).events(), [] as [&str; 0]);
    // Two roots of one size need no tile; a smaller tree that cannot be compared is nobody's agreement.
    for (leaves, code) in [(other.leaves.clone(), 1), (one.leaves[..1].to_vec(), 3)] {
        let ledger = Ledger::new();
        let mut view = World { leaves };
        if code == 1 {
            grow(&mut view, &manifest(3, &[1, 2, 3]));
        }
        let log = ledger.export("log", &one);
        fs::remove_dir_all(log.join("tile")).expect("removed");
        witnessed(&ledger, &view);
        let ran = asking(&ledger).ends(code);
        if code == 1 {
            ledger.evidence();
        } else {
            assert!(ran.events().iter().any(|event| event == "witness_failed"), "{ran:?}");
        }
    }
    // Behind, and a beginning of the log: a witness that was asked before it grew.
    one.leaves.truncate(2);
    witnessed(&ledger, &one);
    asking(&ledger).ends(0);
    fs::remove_dir_all(ledger.path("witness")).expect("removed");
    assert_eq!(asking(&ledger).ends(3).events(), ["witness_failed"]);
}

/// The table of spec §23.4: for each type of line its fields, and whether each may be null.
fn schema() -> BTreeMap<String, BTreeMap<String, String>> {
    let text =
        fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/spec/23-verifier.md"));
    let text = text.expect("the chapter");
    let table = text.split("| message_type | field | type |").nth(1).expect("the table");
    let mut schema: BTreeMap<String, BTreeMap<String, String>> = BTreeMap::new();
    for row in table.lines().skip(2).take_while(|line| line.starts_with('|')) {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        let (kind, field) = (cells[1].to_owned(), cells[2].to_owned());
        let twice = schema.entry(kind).or_default().insert(field, cells[3].to_owned());
        assert_eq!(twice, None, "{row}");
    }
    schema
}

fn is_of(value: &Value, kind: &str) -> bool {
    let (name, choices) = kind.split_once(": ").unwrap_or((kind, ""));
    match name {
        "string" if choices.is_empty() => value.is_string(),
        "string" => value.as_str().is_some_and(|text| choices.split(", ").any(|one| one == text)),
        "string (null)" => value.is_string() || value.is_null(),
        "number" => value.is_u64(),
        "number (null)" => value.is_u64() || value.is_null(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn json_lines_keep_the_schema() {
    let schema = schema();
    let mut seen: BTreeMap<String, u32> = BTreeMap::new();
    let mut check = |ran: &Ran| {
        for text in ran.out.lines().chain(ran.err.lines()) {
            let line: Value = serde_json::from_str(text).expect("JSON lines only");
            let kind = line["message_type"].as_str().expect("a type").to_owned();
            let fields = schema.get(&kind).unwrap_or_else(|| panic!("undocumented: {text}"));
            let line = line.as_object().expect("an object");
            for (field, of) in fields {
                let value = line.get(field).unwrap_or_else(|| panic!("no {field}: {text}"));
                assert!(is_of(value, of), "{kind} {field} is no {of}: {text}");
            }
            for field in line.keys().filter(|field| *field != "message_type") {
                assert!(fields.contains_key(field), "undocumented {field}: {text}");
            }
            *seen.entry(kind).or_default() += 1;
        }
    };
    let ledger = Ledger::new();
    let mut world = history(2);
    ledger.export("log", &world);
    check(&once(&ledger).ends(0));
    let mut third = manifest(3, &[1, 2, 3]);
    third.fleets[0].nodes[1].site = "elsewhere".to_owned();
    grow(&mut world, &third);
    ledger.export("log", &world);
    check(&ledger.verify(&["--json", "--log", "{log}", "--from", "{none}"]).ends(0));
    check(&once(&ledger).ends(0));
    check(&ledger.verify(&["--json", "--offline", "{log/bundle}"]).ends(0));
    check(&ledger.verify(&["--json", "--log", "{nowhere}"]).ends(3));
    check(&ledger.run(&["--json", "verify"]).ends(2));
    grow_as(&mut world, &signed(&manifest(4, &[7, 8, 9]), &[7, 8, 9]));
    ledger.export("log", &world);
    check(&ledger.verify(&["--json", "--log", "{log}", "--evidence-out", "{e}"]).ends(1));
    check(&ledger.verify(&["--json", "evidence", "{e}", "--trust", "{trust.json}"]).ends(0));
    fs::write(ledger.path("e"), "[]").expect("written");
    check(&ledger.verify(&["--json", "evidence", "{e}", "--trust", "{trust.json}"]).ends(1));
    for kind in ["stage", "change", "verdict", "event", "evidence", "progress", "error", "note"] {
        assert!(seen.contains_key(kind), "{kind} was never said: {seen:?}");
    }
}
