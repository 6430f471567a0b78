//! The monitor: the same check again and again, each from the head of the last one (spec §23.7).

use super::{
    Settings,
    bundle::{Elsewhere, against_tree},
    examine::{Subject, checkpoint, examine},
    kept,
    report::{Outcome, Report},
    say,
    source::Source,
    write_evidence,
};
use crate::{Context, failure::Failure, interrupt};
use serde_json::json;
use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};
use strongroom_sdk::now_ms;
use strongroom_tlog::{
    Note, SignedCheckpoint, caps,
    tiles::{TileSource as _, VerifiedTiles},
    verify_cosignature,
    witness::latest_path,
};
use strongroom_verify::{KeptHead, Trust};

const LOOK_EVERY: Duration = Duration::from_millis(50);

/// What is wrong now, so that each thing is told once, when it begins and when it ends.
#[derive(Default)]
struct Troubles(BTreeSet<String>);

struct Monitor<'a> {
    cx: &'a Context,
    settings: &'a Settings,
    trust: &'a Trust,
    troubles: Troubles,
    worst: Outcome,
}

/// Watches until it is told to end, or until the log contradicts itself.
pub(crate) fn watch(
    cx: &Context,
    settings: &Settings,
    trust: &Trust,
    source: &Source,
) -> Result<(), Failure> {
    let mut head = settings.load_head(trust)?;
    let worst = Outcome::Verified;
    let mut monitor = Monitor { cx, settings, trust, troubles: Troubles::default(), worst };
    let mut round = 0;
    loop {
        round += 1;
        let report = monitor.round(source, head.as_ref(), round == 1)?;
        if let Some(new) = report.head {
            if let Some(path) = &settings.from {
                // A crash before this is on the disk tells the same news once more, and skips nothing.
                kept::save(path, &new, trust)?;
            }
            head = Some(new);
        }
        if monitor.worst == Outcome::Contradiction || settings.rounds == Some(round) {
            break;
        }
        pause(settings.every)?;
    }
    match say::exit_code(monitor.worst) {
        0 => Ok(()),
        code => Err(Failure::said(code)),
    }
}

fn pause(span: Duration) -> Result<(), Failure> {
    let start = Instant::now();
    while start.elapsed() < span {
        if interrupt::is_cancelled() {
            return Err(Failure::declined());
        }
        std::thread::sleep(LOOK_EVERY.min(span));
    }
    Ok(())
}

impl Monitor<'_> {
    fn round(
        &mut self,
        source: &Source,
        head: Option<&KeptHead>,
        is_first: bool,
    ) -> Result<Report, Failure> {
        // Witnesses first: what they saw before, the log must show now.
        let seen: Vec<(&str, Result<SignedCheckpoint, String>)> =
            self.settings.witnesses.iter().map(|w| (w.as_str(), self.ask(w))).collect();
        let (trust, now_ms) = (self.trust, now_ms());
        let binary = self.settings.binary.as_deref();
        let subject = Subject { trust, source, kept: head, binary, now_ms };
        let (mut report, signed) = examine(&subject, |_, _| ());
        if interrupt::is_cancelled() {
            return Err(Failure::declined());
        }
        if let Some(signed) = &signed {
            let tree = VerifiedTiles::open(source, signed.checkpoint().head()).ok();
            for (name, answer) in &seen {
                self.compare(source, name, answer, signed, tree.as_ref(), &mut report);
            }
        }
        let is_first_look = is_first && head.is_none();
        if is_first {
            say::stages(self.cx.voice, &report);
        }
        if !is_first_look {
            self.news(&report);
        }
        self.trouble(&report);
        let evidence = write_evidence(self.settings, &report)?;
        if report.outcome() == Outcome::Contradiction {
            let stage = report.first(Outcome::Contradiction);
            let why = stage.map_or_else(String::new, |s| format!("{}: {}", s.name, s.text));
            self.tell("contradiction", None, &why);
        }
        if is_first || report.outcome() == Outcome::Contradiction {
            say::verdict(self.cx.voice, &report, trust, evidence.as_deref());
        }
        self.worst = self.worst.max(report.outcome());
        Ok(report)
    }

    /// New epochs, and each thing that changed in them.
    fn news(&self, report: &Report) {
        // What was not verified is no news: it is told when it is.
        let Some(history) = report.head.as_ref().and(report.history.as_ref()) else { return };
        for epoch in &history.epochs {
            let at = crate::time::utc(epoch.audited_ms);
            let text = format!("epoch {} is there, signed at {at}", epoch.epoch);
            self.tell("new_epoch", Some(epoch.epoch), &text);
            for delta in epoch.deltas.iter().filter(|_| epoch.epoch > 1) {
                let (before, after) = (delta.before.as_deref(), delta.after.as_deref());
                let text = format!(
                    "epoch {}: {} was {}, is {}",
                    epoch.epoch,
                    delta.subject,
                    before.unwrap_or("(new)"),
                    after.unwrap_or("(gone)")
                );
                self.tell("changed", Some(epoch.epoch), &text);
            }
        }
    }

    fn trouble(&mut self, report: &Report) {
        let stale = report.stage("witnesses").filter(|s| s.outcome == Outcome::Unchecked);
        // Without a checkpoint there are no cosignatures to be stale.
        let stale = stale
            .filter(|_| report.stage("checkpoint").is_some_and(|s| s.outcome == Outcome::Verified));
        let is_stale = stale.is_some();
        self.turn("stale", "fresh", stale.map(|stage| stage.text.clone()));
        // Bundle and event log grow stale with the checkpoint, for the same reason, which was told.
        let is_told = |name: &str| {
            matches!(name, "witnesses" | "binary")
                || (is_stale && matches!(name, "bundle" | "events"))
        };
        let failed =
            report.stages.iter().find(|s| s.outcome == Outcome::Unchecked && !is_told(s.name));
        let failed = failed.map(|stage| format!("{}: {}", stage.name, stage.text));
        self.turn("source_failed", "source_back", failed);
    }

    /// Tells when something begins, and when it ends.
    fn turn(&mut self, begins: &str, ends: &str, now: Option<String>) {
        match now {
            Some(text) => {
                if self.troubles.0.insert(begins.to_owned()) {
                    self.tell(kind(begins), None, &text);
                }
            }
            None => {
                if self.troubles.0.remove(begins) {
                    self.tell(kind(ends), None, "as it should be again");
                }
            }
        }
    }

    fn tell(&self, event: &str, epoch: Option<u64>, text: &str) {
        let at_ms = now_ms();
        let line = format!("{}  {event}: {text}", crate::time::utc(at_ms));
        let facts = json!({
            "schema": say::SCHEMA,
            "event": event,
            "epoch": epoch,
            "text": text,
            "at_ms": at_ms,
        });
        self.cx.voice.result("event", &line, facts);
    }

    /// What a witness itself shows of the log.
    fn ask(&self, witness: &str) -> Result<SignedCheckpoint, String> {
        let source = Source::open(witness, self.cx.patience)?;
        let path = latest_path(self.trust.origin());
        let bytes = source.read(&path, caps::NOTE_LEN_MAX).map_err(|error| error.to_string())?;
        let note = Note::parse(&bytes).map_err(|error| error.to_string())?;
        let signed = SignedCheckpoint::verify(note, self.trust.log()).map_err(|e| e.to_string())?;
        let is_cosigned = self.trust.policy().witnesses().iter().any(|witness| {
            let mut lines = signed.note().signatures().iter();
            lines.any(|l| verify_cosignature(signed.checkpoint(), l, witness.key()).is_ok())
        });
        if is_cosigned {
            Ok(signed)
        } else {
            Err("no pinned witness cosigned what it shows".to_owned())
        }
    }

    /// Whether the log still shows less than a witness has seen.
    fn shows_less(&self, source: &Source, witnessed: u64, shown: u64) -> bool {
        if witnessed <= shown {
            return false;
        }
        let now = checkpoint(source, self.trust);
        now.map_or(true, |signed| signed.checkpoint().size() < witnessed)
    }

    fn compare(
        &mut self,
        source: &Source,
        name: &str,
        answer: &Result<SignedCheckpoint, String>,
        signed: &SignedCheckpoint,
        tree: Option<&VerifiedTiles<&Source>>,
        report: &mut Report,
    ) {
        let size = signed.checkpoint().size();
        let mut failed = None;
        match answer {
            Err(why) => failed = Some(why.clone()),
            Ok(theirs) => match against_tree(theirs, signed, tree, self.trust) {
                Elsewhere::Differs(evidence, text) => {
                    let text = format!("{name}: {text}");
                    report.put("witness", Outcome::Contradiction, text);
                    report.evidence.get_or_insert(*evidence);
                    // What contradicts is no ground to go on from.
                    report.head = None;
                }
                Elsewhere::Unknown => {
                    failed = Some("what it shows could not be compared with the log".to_owned());
                }
                // An auditor asks its witnesses before it publishes: it is looked at once more.
                Elsewhere::Agrees if self.shows_less(source, theirs.checkpoint().size(), size) => {
                    let theirs = theirs.checkpoint().size();
                    failed = Some(format!("it has seen {theirs} epochs, the log shows {size}"));
                }
                Elsewhere::Agrees => {}
            },
        }
        if failed.is_some() {
            self.worst = self.worst.max(Outcome::Unchecked);
        }
        let failed = failed.map(|why| format!("{name}: {why}"));
        self.turn(&format!("witness_failed {name}"), &format!("witness_back {name}"), failed);
    }
}

/// The event without the witness that it is about.
fn kind(trouble: &str) -> &str {
    trouble.split(' ').next().unwrap_or(trouble)
}
