//! Runs that are kept, run again, shrunk and stepped through.

use std::{collections::BTreeSet, io::BufReader, time::Duration};
use strongroom_sim::{
    Plan, Report,
    acts::{Act, Deed},
    runner::run_plan,
    shrink::{Effort, shrink, shrink_to},
    step::{Filter, Said, Stepper},
    story,
    trace::{Detail, FORMAT, Kind, LINE_MAX, ReadError, Tape, read, write},
};

/// A short run in which something happens.
fn plan(seed: u64) -> Plan {
    Plan { ends_ms: 6_000, ..Plan::of(seed) }
}

fn taped(seed: u64) -> Tape {
    run_plan(&plan(seed), Detail::All).tape
}

fn written(tape: &Tape) -> String {
    let mut bytes = Vec::new();
    write(&mut bytes, tape).expect("memory");
    String::from_utf8(bytes).expect("JSON")
}

#[test]
fn a_run_with_notes_is_the_run_without() {
    let quiet = run_plan(&plan(7), Detail::Off);
    let told = run_plan(&plan(7), Detail::All);
    assert_eq!(quiet.report, told.report);
    assert_eq!(quiet.tape.entries, []);
    let kinds = [Kind::Deed, Kind::Host, Kind::Vault, Kind::Client, Kind::Wire, Kind::State];
    for kind in kinds {
        assert!(told.tape.entries.iter().any(|entry| entry.kind == kind), "no entry of {kind:?}");
    }
}

#[test]
fn a_run_of_all_its_deeds_is_the_same_run_and_one_without_them_is_another() {
    let whole = run_plan(&plan(7), Detail::Off);
    let all: BTreeSet<Deed> = whole.deeds.iter().copied().collect();
    assert!(all.len() > 20, "{all:?}");
    assert_eq!(all.len(), whole.deeds.len(), "two deeds of one name");
    let again = run_plan(&Plan { only: Some(all.clone()), ..plan(7) }, Detail::Off);
    assert_eq!(again.report, whole.report);

    let users: BTreeSet<Deed> = all.into_iter().filter(|d| d.act == Act::TakePart).collect();
    let calm = run_plan(&Plan { only: Some(users), ..plan(7) }, Detail::Off);
    assert_ne!(calm.report.digest, whole.report.digest);
    assert!(whole.report.crashes > 0 && calm.report.crashes == 0, "{:?}", calm.report);
}

#[test]
fn a_run_shrinks_to_what_is_sought_and_no_further() {
    let effort = Effort { at_most: Duration::from_secs(600), jobs: 2 };
    let sought = |report: &Report| report.crashes >= 2 && report.answers >= 1;
    let shrunk = shrink_to(&plan(7), &sought, effort, &|_, _| {}).expect("it happens");
    assert!(shrunk.minimal);
    assert!(sought(&shrunk.run.report), "{:?}", shrunk.run.report);
    // One user, and two deeds that end a process each, or one that ends more.
    assert!(shrunk.deeds.1 <= 3 && shrunk.deeds.0 > 20, "{:?}", shrunk.plan.only);
    let kept = shrunk.plan.only.clone().expect("deeds");
    for deed in &kept {
        let fewer = Some(kept.iter().filter(|other| *other != deed).copied().collect());
        let report = run_plan(&Plan { only: fewer, ..shrunk.plan.clone() }, Detail::Off).report;
        assert!(!sought(&report), "{deed} was not needed");
    }
    let story = story::tell(&shrunk);
    let named: Vec<String> = kept.iter().map(ToString::to_string).collect();
    assert!(story.contains(&format!("--seed 7 --only {}", named.join(","))), "{story}");
    assert!(story.contains("is killed"), "{story}");

    assert!(shrink(&plan(7), effort, &|_, _| {}).is_none(), "nothing is broken here");
}

#[test]
fn time_that_is_up_ends_a_search_with_what_it_has() {
    let effort = Effort { at_most: Duration::ZERO, jobs: 1 };
    let sought = |report: &Report| report.crashes >= 2;
    let shrunk = shrink_to(&plan(7), &sought, effort, &|_, _| {}).expect("it happens");
    assert!(!shrunk.minimal);
    assert_eq!(shrunk.deeds.0, shrunk.deeds.1);
    assert!(sought(&shrunk.run.report));
}

#[test]
fn a_trace_is_read_as_it_was_written() {
    let tape = taped(7);
    let text = written(&tape);
    assert_eq!(read(BufReader::new(text.as_bytes())).expect("a trace"), tape);
}

/// What a damaged trace is called.
fn refusal(text: &str) -> String {
    match read(text.as_bytes()) {
        Ok(_) => panic!("it was read"),
        Err(ReadError::Io(error)) => panic!("{error}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn a_trace_that_is_none_is_refused_with_its_line() {
    let mut tape = taped(7);
    tape.entries.truncate(3);
    tape.end.entries = 3;
    let whole = written(&tape);
    let lines: Vec<&str> = whole.lines().collect();
    assert_eq!(lines.len(), 5);

    for (cut, entries) in [(0, 0), (1, 0), (3, 2), (4, 3)] {
        let text: String = lines[..cut].iter().map(|line| format!("{line}\n")).collect();
        assert!(refusal(&text).contains(&format!("cut off after {entries} entries")), "{cut}");
    }
    let half = &whole[..whole.len() - 5];
    assert!(refusal(half).contains("line 5") && refusal(half).contains("a whole line"));

    let other = whole.replace(FORMAT, "strongroom-sim-trace/2");
    let said = refusal(&other);
    assert!(said.contains("line 1") && said.contains("expected strongroom-sim-trace/1"), "{said}");

    let swapped = [lines[0], lines[2], lines[1], lines[3], lines[4], ""].join("\n");
    assert!(refusal(&swapped).contains("line 2 of the trace: expected entry 0, got 1"));

    let short = [lines[0], lines[1], lines[2], lines[4], ""].join("\n");
    assert!(refusal(&short).contains("expected 3 entries, got 2"));

    let behind = format!("{whole}{}\n", lines[1]);
    assert!(refusal(&behind).contains("nothing behind the end"));

    let back = [lines[0], lines[1], &lines[2].replace("\"ms\":1,", "\"ms\":0,"), ""].join("\n");
    assert!(refusal(&back).contains("time runs back to 0 ms"), "{}", refusal(&back));

    let field = whole.replacen("\"kind\"", "\"mood\":1,\"kind\"", 1);
    assert!(refusal(&field).contains("unknown field `mood`"));

    let long = format!("{}\n{}\n", lines[0], "x".repeat(LINE_MAX as usize + 1));
    assert!(refusal(&long).contains("at most 65536 bytes"), "{}", refusal(&long));

    let mut bytes = whole.clone().into_bytes();
    bytes[10] = 0xff;
    assert!(read(&bytes[..]).is_err());
}

fn said(stepper: &mut Stepper, line: &str) -> String {
    match stepper.command(line) {
        Ok(Said::Text(text)) => text,
        other => panic!("{line}: {other:?}"),
    }
}

#[test]
fn a_trace_is_stepped_through_in_both_directions() {
    let tape = taped(7);
    let count = tape.entries.len();
    let mut stepper = Stepper::new(tape.clone(), Filter::default());
    let first = said(&mut stepper, "n");
    assert!(first.trim_start().starts_with("0 "), "{first}");
    let next = said(&mut stepper, "");
    assert!(next.trim_start().starts_with("1 "), "{next}");
    assert_eq!(said(&mut stepper, "b"), first);
    assert_eq!(said(&mut stepper, "n 4").lines().count(), 4);
    assert!(said(&mut stepper, "b 2").trim_start().starts_with("2 "));

    let late = said(&mut stepper, "t 5000");
    assert!(tape.entries.iter().any(|e| e.ms >= 5_000 && late.contains(&e.text)), "{late}");
    let fleet = said(&mut stepper, "f");
    assert_eq!(
        fleet.lines().filter(|line| !line.contains("twin")).count(),
        1 + usize::from(tape.head.nodes)
    );
    assert!(fleet.contains("leader") || fleet.contains("candidate"), "{fleet}");

    let deed = said(&mut stepper, "d");
    assert!(deed.contains("  ! "), "{deed}");
    assert!(said(&mut stepper, &format!("e {}", count - 1)).contains(&(count - 1).to_string()));
    assert_eq!(said(&mut stepper, "n"), "the end");
    assert!(said(&mut stepper, "b").contains(&(count - 2).to_string()));

    said(&mut stepper, "e 0");
    assert!(said(&mut stepper, "kind client").contains("entries are shown"));
    let client = said(&mut stepper, "n");
    assert!(client.contains("  ? "), "{client}");
    said(&mut stepper, "all");
    said(&mut stepper, "e 0");
    said(&mut stepper, "node 2");
    let of_two = said(&mut stepper, "/ boots");
    assert!(of_two.contains("node 2 boots"), "{of_two}");
    assert_eq!(stepper.command("q"), Ok(Said::Quit));
}

#[test]
fn a_command_that_is_none_says_what_was_expected() {
    let mut stepper = Stepper::new(taped(7), Filter::default());
    for (line, expected) in [
        ("jump", "expected a command"),
        ("t soon", "expected a number"),
        ("n -1", "expected a number"),
        ("kind gossip", "expected a kind"),
        ("node 300", "no node 300"),
        ("/", "expected a text"),
        ("x", "nothing like it"),
        ("t 99999999", "nothing like it"),
    ] {
        let error = stepper.command(line).expect_err(line);
        assert!(error.contains(expected), "{line}: {error}");
    }
    // And it still is where it was.
    assert!(said(&mut stepper, "n").trim_start().starts_with("0 "));
}
