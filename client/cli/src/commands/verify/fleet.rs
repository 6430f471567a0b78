//! `strongroom verify fleet DIR`: all that proves one deployment, without a network (spec §24).

use super::say;
use crate::{
    args::FleetArgs,
    failure::{Failure, exit},
    time::utc,
    voice::Voice,
};
use serde_json::json;
use strongroom_deployment::{At, Checked, Directory, check_deployment};
use strongroom_manifest::Floors;
use strongroom_page::Outcome;
use strongroom_sdk::now_ms;
use strongroom_verify::Trust;

/// Checks a deployment directory with the caller's own pins.
pub(super) fn check(voice: Voice, args: &FleetArgs, trust: &Trust) -> Result<(), Failure> {
    let floors = if args.development { &Floors::DANGER_DEVELOPMENT } else { &Floors::PRODUCTION };
    let at = At { now_ms: args.at_ms.unwrap_or_else(now_ms), floors };
    let checked = check_deployment(&Directory::at(&args.dir), trust, &at);
    for stage in checked.stages() {
        let outcome = if stage.holds { Outcome::Verified } else { checked.outcome() };
        let mark = match outcome {
            Outcome::Verified => "ok",
            Outcome::Contradiction => "CONTRADICTION",
            Outcome::Refused => "REFUSED",
            Outcome::Unchecked => "NOT CHECKED",
        };
        let text = format!("{:<12}{mark:<15}{}", stage.name, stage.text);
        let facts = json!({
            "schema": say::SCHEMA,
            "stage": stage.name,
            "outcome": outcome.name(),
            "text": stage.text,
            "vouchers": [],
        });
        voice.result("stage", &text, facts);
    }
    let code = exit_code(checked.outcome());
    let text = sentence(&checked, trust, at.now_ms);
    let proven = checked.proven();
    let facts = json!({
        "schema": say::SCHEMA,
        "outcome": checked.outcome().name(),
        "exit_code": code,
        "namespace": trust.file().namespace,
        "epoch": proven.map(|proven| proven.record.epoch),
        "fleet": proven.map(|proven| proven.record.fleet.clone()),
        "manifest_sha256": proven.map(|proven| proven.record.manifest_sha256),
        "measurement": proven.map(|proven| proven.record.measurement.clone()),
        "deployed_ms": proven.map(|proven| proven.record.time_ms),
        "events": proven.map(|proven| proven.events.events.len()),
        "at_ms": at.now_ms,
        "text": text,
    });
    voice.result("deployment", &text, facts);
    if code == 0 { Ok(()) } else { Err(Failure::said(code)) }
}

/// Files that do not fit accuse nobody: who copied them may have spoilt them.
const fn exit_code(outcome: Outcome) -> u8 {
    match outcome {
        Outcome::Verified => 0,
        Outcome::Contradiction => exit::FAILED,
        Outcome::Refused | Outcome::Unchecked => exit::PARTIAL,
    }
}

fn sentence(checked: &Checked, trust: &Trust, now_ms: u64) -> String {
    let namespace = &trust.file().namespace;
    if let Some(proven) = checked.proven() {
        let (record, events) = (&proven.record, proven.events.events.len());
        let measured = if record.measurement.is_empty() {
            " Not checked: the vaults' code, since no measurement is published."
        } else {
            " Not checked: a vault's binary; compare its measurement with `strongroom verify --binary`."
        };
        return format!(
            "Verified as of {}: fleet {} of {namespace} was deployed under epoch {}, the latest in this copy of the log, on {}; \
             transcript and evidence are those that the operator signed, and {events} logged events \
             keep the rules.{measured}",
            utc(now_ms),
            record.fleet,
            record.epoch,
            utc(record.time_ms),
        );
    }
    let why = checked.stages().last().map_or("", |stage| stage.text.as_str());
    match checked.outcome() {
        Outcome::Contradiction => format!(
            "CONTRADICTION: a log signed what breaks its own rules: {why}. Send nothing to this fleet."
        ),
        Outcome::Refused => format!(
            "Not verified: a file here is not what {namespace} asks for: {why}. Who spoilt it is not \
             known; get the directory from somebody else."
        ),
        _ => format!("Could not check: {why}."),
    }
}
