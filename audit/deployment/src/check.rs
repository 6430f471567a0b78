//! The check of a directory (spec §24.2).

use crate::{
    BUNDLE, CEREMONY, CHECKPOINT, EVENTS_CHECKPOINT, EVIDENCE, PAPER_LEN_MAX, RECORD, TRUST,
    events::{CheckedEvent, CheckedEvents, check_event_log},
};
use strongroom_manifest::{Floors, Hex, Manifest};
use strongroom_page::{Facts, Outcome, Report, Stage, Stopped};
use strongroom_tlog::{TreeHead, caps, tiles::TileSource};
use strongroom_verify::{
    BUNDLE_LEN_MAX, Circumstances, Deployment, EVENT_LEN_MAX, Event, Head, TRUST_LEN_MAX, Trust,
};
use strongroom_wire::digest::sha256;

/// What the reader knows of itself.
#[derive(Debug, Clone, Copy)]
pub struct At<'a> {
    /// The reader's clock, or the day that it asks about; milliseconds since the Unix epoch.
    pub now_ms: u64,
    /// What the reader's clients accept.
    pub floors: &'a Floors,
}

/// A deployment, every part of it checked.
#[derive(Debug, Clone)]
pub struct Proven {
    /// The manifest log.
    pub facts: Facts,
    /// The record: who deployed what, when.
    pub record: Deployment,
    /// Every event of the namespace, and who cosigned their log.
    pub events: CheckedEvents,
}

/// The check of a directory.
pub type Checked = Report<Proven>;

/// Checks a deployment directory with the reader's own pins, without a network.
pub fn check_deployment<S: TileSource>(source: &S, trust: &Trust, at: &At<'_>) -> Checked {
    Report::of(|stages| run(source, trust, at, stages))
}

fn run<S: TileSource>(
    source: &S,
    trust: &Trust,
    at: &At<'_>,
    stages: &mut Vec<Stage>,
) -> Result<Proven, Stopped> {
    let checkpoint = file(source, "log", CHECKPOINT, caps::NOTE_LEN_MAX)?;
    let log = strongroom_page::check(trust, &checkpoint, source, at.now_ms);
    let Some(facts) = log.proven().cloned() else {
        let (mut own, outcome) = (log.stages().to_vec(), log.outcome());
        // The last is the one that does not hold.
        let last = own.pop();
        stages.extend(own);
        return Err(
            last.map_or(("log", outcome, String::new()), |last| (last.name, outcome, last.text))
        );
    };
    stages.extend_from_slice(log.stages());
    let mut hold = |name, text| stages.push(Stage { name, holds: true, text });

    let pins = same_pins(&file(source, "trust", TRUST, TRUST_LEN_MAX)?, trust)?;
    hold("trust", pins);

    let head = facts.checkpoint.head();
    let note = file(source, "events", EVENTS_CHECKPOINT, caps::NOTE_LEN_MAX)?;
    let events = check_event_log(source, &note, trust, head, at.now_ms)?;
    hold("events", events.told());

    let json = file(source, "record", RECORD, EVENT_LEN_MAX)?;
    let record = record(&json, &events.events, facts.manifest.epoch)?;
    hold(
        "record",
        format!("the operator deployed fleet {} under epoch {}", record.fleet, record.epoch),
    );

    for (step, name, expected) in [
        ("ceremony", CEREMONY, record.ceremony_sha256),
        ("evidence", EVIDENCE, record.evidence_sha256),
    ] {
        let got = Hex(sha256(&file(source, step, name, PAPER_LEN_MAX)?));
        if got != expected {
            let text = format!("{name} has SHA-256 {got:?}, the record says {expected:?}");
            return Err((step, Outcome::Refused, text));
        }
        hold(step, format!("{name} has the record's SHA-256 {got:?}"));
    }

    let bundle = file(source, "bundle", BUNDLE, BUNDLE_LEN_MAX)?;
    believed(&bundle, trust, at, &record, &facts.manifest, head)?;
    hold("bundle", format!("a client believes epoch {} for this fleet", record.epoch));
    Ok(Proven { facts, record, events })
}

fn file<S: TileSource>(
    source: &S,
    step: &'static str,
    path: &str,
    len_max: usize,
) -> Result<Vec<u8>, Stopped> {
    // Not had is not refused, and never a success.
    source
        .read(path, len_max)
        .map_err(|error| (step, Outcome::Unchecked, format!("{path}: {error}")))
}

/// Whether the directory's trust file is of the same namespace. Auditor keys and witnesses may differ, as
/// apps of different times do; that they do is told.
fn same_pins(bytes: &[u8], trust: &Trust) -> Result<String, Stopped> {
    let refused = |text: String| ("trust", Outcome::Refused, text);
    let theirs = Trust::parse(bytes).map_err(|error| refused(error.to_string()))?;
    let (got, expected) = (theirs.file(), trust.file());
    let differing = [
        ("namespace", got.namespace == expected.namespace),
        ("log", theirs.log() == trust.log()),
        ("operator_key", got.operator_key == expected.operator_key),
        ("custodians", got.custodians == expected.custodians),
    ];
    match differing.iter().find(|(_, same)| !same) {
        Some((what, _)) => Err(refused(format!("{TRUST} has another {what} than your pins"))),
        None if (&got.auditor_keys, &got.policy) == (&expected.auditor_keys, &expected.policy) => {
            Ok(format!("{TRUST} names the same parties as your pins"))
        }
        None => Ok(format!(
            "{TRUST} names the same log, operator and custodians as your pins, and OTHER auditor keys or \
             witnesses: nobody should copy it"
        )),
    }
}

/// The record is an event of the log, of today's epoch, and the last of its fleet.
fn record(json: &[u8], events: &[CheckedEvent], epoch: u64) -> Result<Deployment, Stopped> {
    let refused = |text: String| ("record", Outcome::Refused, text);
    let event = Event::parse(json).map_err(|error| refused(error.to_string()))?;
    let Event::Deployment(record) = &event else {
        return Err(refused(format!("{RECORD} is a {}, expected a deployment", event.kind())));
    };
    if !events.iter().any(|one| one.event == event) {
        return Err(refused(format!("{RECORD} does not stand in the event log")));
    }
    if record.epoch != epoch {
        let text = format!("{RECORD} is of epoch {}, the latest is {epoch}", record.epoch);
        return Err(refused(text));
    }
    // One for each fleet and epoch, and epochs do not go back: of the latest epoch it is the last.
    Ok(record.clone())
}

fn believed(
    bundle: &[u8],
    trust: &Trust,
    at: &At<'_>,
    record: &Deployment,
    manifest: &Manifest,
    head: TreeHead,
) -> Result<(), Stopped> {
    let refused = |text: String| ("bundle", Outcome::Refused, text);
    let fleet = manifest.fleet(&record.fleet);
    let fleet = fleet.ok_or_else(|| refused(format!("no fleet {}", record.fleet)))?;
    let here = Head {
        epoch: record.epoch,
        manifest_sha256: record.manifest_sha256,
        origin: trust.origin().to_owned(),
        root: Hex(head.root.0),
        size: head.size,
    };
    let circumstances = Circumstances {
        now_ms: at.now_ms,
        seen: Some(&here),
        fleet: &record.fleet,
        floors: at.floors,
        slot: &fleet.slots.first.0,
    };
    let believed = strongroom_verify::check(bundle, trust, &circumstances);
    let believed = believed.map_err(|refusal| refused(format!("{}: {refusal}", refusal.step())))?;
    if *believed.head() != here {
        let (got, expected) = (believed.head().size, here.size);
        return Err(refused(format!(
            "bundle of a log with {got} epochs, this copy has {expected}"
        )));
    }
    Ok(())
}
