//! A check in sentences for people, and in the lines of spec §23.4 for programs.

use super::report::{Latest, Outcome, Report, Stage, Voucher, protection};
use crate::{failure::exit, time::utc, voice::Voice};
use comfy_table::{ContentArrangement, Table, presets};
use serde_json::{Value, json};
use std::path::Path;
use strongroom_verify::{CheckedEpoch, Trust};

/// Of every line's fields.
pub(crate) const SCHEMA: u32 = 1;

/// Keys have more digits than a table has room for.
const SHOWN_LEN: usize = 40;

/// Every stage, and then what changed.
pub(crate) fn stages(voice: Voice, report: &Report) {
    for stage in &report.stages {
        let mark = match stage.outcome {
            Outcome::Verified => "ok",
            Outcome::Skipped | Outcome::Unchecked => "NOT CHECKED",
            Outcome::Contradiction => "CONTRADICTION",
        };
        let text = format!("{:<12}{mark:<13}{}", stage.name, stage.text);
        voice.result("stage", &text, facts(stage));
    }
    let Some(history) = &report.history else { return };
    // Against nothing, all is new: the first epoch is not a change.
    let changed: Vec<&CheckedEpoch> =
        history.epochs.iter().filter(|epoch| epoch.epoch > 1 && !epoch.deltas.is_empty()).collect();
    for epoch in &changed {
        for delta in &epoch.deltas {
            let facts = json!({
                "schema": SCHEMA,
                "epoch": epoch.epoch,
                "audited_ms": epoch.audited_ms,
                "subject": delta.subject,
                "before": delta.before,
                "after": delta.after,
            });
            voice.result("change", "", facts);
        }
    }
    if !voice.is_json() {
        voice.result("change", &table(history.epochs.first(), &changed), json!({}));
    }
}

fn table(first: Option<&CheckedEpoch>, changed: &[&CheckedEpoch]) -> String {
    let genesis = first.filter(|epoch| epoch.epoch == 1).map_or_else(String::new, |epoch| {
        format!("Epoch 1 of {} lists {} facts.\n", utc(epoch.audited_ms), epoch.deltas.len())
    });
    if changed.is_empty() {
        return genesis + "No key, role, site, custodian or setting changed since.";
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["epoch", "signed", "what", "before", "after"]);
    for epoch in changed {
        for delta in &epoch.deltas {
            table.add_row([
                epoch.epoch.to_string(),
                utc(epoch.audited_ms),
                cut(&delta.subject),
                cut(delta.before.as_deref().unwrap_or("(new)")),
                cut(delta.after.as_deref().unwrap_or("(gone)")),
            ]);
        }
    }
    format!("{genesis}{table}")
}

fn cut(text: &str) -> String {
    if text.chars().count() <= SHOWN_LEN {
        return text.to_owned();
    }
    text.chars().take(SHOWN_LEN).collect::<String>() + "…"
}

fn facts(stage: &Stage) -> Value {
    let vouchers: Vec<Value> = stage.vouchers.iter().map(voucher).collect();
    json!({
        "schema": SCHEMA,
        "stage": stage.name,
        "outcome": stage.outcome.name(),
        "text": stage.text,
        "vouchers": vouchers,
    })
}

fn voucher(voucher: &Voucher) -> Value {
    json!({
        "role": voucher.role,
        "name": voucher.name,
        "key": voucher.key.map(hex::encode),
        "at_ms": voucher.at_ms,
    })
}

/// The exit code of an outcome.
pub(crate) const fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Verified => 0,
        Outcome::Skipped | Outcome::Unchecked => exit::PARTIAL,
        Outcome::Contradiction => exit::FAILED,
    }
}

/// The last line.
pub(crate) fn verdict(voice: Voice, report: &Report, trust: &Trust, evidence: Option<&Path>) {
    let outcome = match report.outcome() {
        Outcome::Skipped => Outcome::Unchecked,
        outcome => outcome,
    };
    let text = sentence(report, outcome, trust, evidence);
    let latest = report.latest.as_ref();
    let fleets: Vec<Value> = latest.map_or_else(Vec::new, |latest| {
        let fleets = latest.manifest.fleets.iter().map(|fleet| {
            json!({
                "id": fleet.id,
                "protection": protection(fleet.protection),
                "measurement": fleet.measurement,
                "nodes": fleet.nodes.len(),
            })
        });
        fleets.collect()
    });
    let facts = json!({
        "schema": SCHEMA,
        "outcome": outcome.name(),
        "exit_code": exit_code(outcome),
        "history": report.history.is_some(),
        "namespace": trust.file().namespace,
        "origin": trust.origin(),
        "trust_sha256": hex::encode(trust.digest()),
        "first_epoch": report.first_epoch,
        "last_epoch": latest.map(|latest| latest.manifest.epoch),
        "root": latest.map(|latest| hex::encode(latest.root)),
        "manifest_sha256": latest.map(|latest| hex::encode(latest.digest)),
        "audited_ms": latest.map(|latest| latest.audited_ms),
        "fleets": fleets,
        "not_checked": not_checked(report),
        "evidence": evidence.map(|path| path.display().to_string()),
        "text": text,
    });
    voice.result("verdict", &text, facts);
}

/// By name, and never as a success.
fn not_checked(report: &Report) -> Vec<&'static str> {
    let mut names: Vec<&'static str> = report
        .stages
        .iter()
        .filter(|stage| matches!(stage.outcome, Outcome::Skipped | Outcome::Unchecked))
        .map(|stage| stage.name)
        .collect();
    if report.stage("epochs").is_none() {
        names.push("history");
    }
    names
}

fn words(name: &str) -> &str {
    match name {
        "binary" => "the vault's binary",
        "bundle" => "the bundle that devices are given",
        "events" => "the event log",
        "history" => "the history before this bundle",
        "kept_head" => "the kept head",
        name => name,
    }
}

fn sentence(report: &Report, outcome: Outcome, trust: &Trust, evidence: Option<&Path>) -> String {
    let namespace = &trust.file().namespace;
    let left: Vec<&str> = not_checked(report).into_iter().map(words).collect();
    let left =
        if left.is_empty() { String::new() } else { format!(" Not checked: {}.", left.join(", ")) };
    match outcome {
        Outcome::Verified => {
            let fleets = report.latest.as_ref().map_or_else(String::new, guarded);
            format!("Verified: {} {namespace}, {}{fleets}{left}", what(report), seen(report))
        }
        Outcome::Contradiction => {
            let stage = report.first(Outcome::Contradiction);
            let why =
                stage.map_or_else(String::new, |stage| format!("{}: {}", stage.name, stage.text));
            let next = match evidence {
                Some(path) => format!(
                    " The proof is in {path}: give it to others, who judge it with `strongroom verify \
                     evidence {path} --trust FILE`. Send nothing to this fleet.",
                    path = path.display()
                ),
                None if report.first(Outcome::Contradiction).is_some_and(|s| s.name == "binary") => {
                    " The file is not the program that the manifest names; it accuses nobody, since it \
                     may be another build."
                        .to_owned()
                }
                None if report.first(Outcome::Contradiction).is_some_and(|s| s.name == "events") => {
                    " The event log's own files are the proof: keep them, and give them to others. Send \
                     nothing to this fleet."
                        .to_owned()
                }
                None => " No proof could be written; check again and keep the log's files.".to_owned(),
            };
            format!("CONTRADICTION in {namespace}: {why}.{next}{left}")
        }
        Outcome::Unchecked | Outcome::Skipped => {
            let stage = report.first(Outcome::Unchecked);
            let why =
                stage.map_or_else(String::new, |stage| format!("{}: {}", stage.name, stage.text));
            format!("Could NOT check {namespace}: {why}. This accuses nobody.{left}")
        }
    }
}

fn what(report: &Report) -> String {
    let last = report.latest.as_ref().map_or(0, |latest| latest.manifest.epoch);
    match report.first_epoch {
        None => format!("the bundle of epoch {last}, not its history, of"),
        Some(first) if first > last => format!("nothing new after epoch {last} of"),
        Some(first) if first == last => format!("epoch {last} of"),
        Some(first) => format!("epochs {first} to {last} of"),
    }
}

fn seen(report: &Report) -> String {
    let latest = report.latest.as_ref().map_or(0, |latest| latest.audited_ms);
    let stage = report.stage("witnesses").or_else(|| report.stage("bundle"));
    let vouchers = stage.map(|stage| stage.vouchers.as_slice()).unwrap_or_default();
    let names: Vec<&str> =
        vouchers.iter().filter(|v| v.role == "witness").map(|v| v.name.as_str()).collect();
    format!(
        "the latest from {}; a quorum of witnesses saw the same log ({}).",
        utc(latest),
        names.join(", ")
    )
}

/// What stands between the fleet's secrets and whoever has root on one node: never left out.
fn guarded(latest: &Latest) -> String {
    let fleets: Vec<String> = latest
        .manifest
        .fleets
        .iter()
        .map(|fleet| {
            let name = protection(fleet.protection);
            let warning = if name == "software" { ", INSECURE: for development" } else { "" };
            format!("fleet {} is {name}{warning}", fleet.id)
        })
        .collect();
    format!(" Protection: {}.", fleets.join("; "))
}
