//! One check of a log, from its checkpoint to its latest manifest (spec §23.2).
//!
//! What hangs from nothing that a pinned key signed is a source's word, and ends as `unchecked`.

use super::{
    binary,
    bundle::look_at_bundle,
    events,
    report::{Latest, Outcome, Report, Voucher},
    signatures::SignatureFiles,
    source::{Source, SourceError},
};
use crate::time::utc;
use std::path::Path;
use strongroom_manifest::{ManifestError, parse};
use strongroom_tlog::{
    Note, SignedCheckpoint, caps,
    policy::QuorumError,
    tiles::{TileSource as _, VerifiedTiles},
};
use strongroom_verify::{
    Evidence, Fault, History, HistoryError, KeptHead, Leaf, Trust, continue_history,
};

type Tiles<'a> = VerifiedTiles<&'a Source>;

/// What is checked.
pub(crate) struct Subject<'a> {
    pub(crate) trust: &'a Trust,
    pub(crate) source: &'a Source,
    pub(crate) kept: Option<&'a KeptHead>,
    pub(crate) binary: Option<&'a Path>,
    pub(crate) now_ms: u64,
}

const AFTER_CHECKPOINT: [&str; 4] = ["epochs", "custodians", "auditor", "operator"];

/// Looks at everything, and goes on after what fails as far as it can.
pub(crate) fn examine(
    subject: &Subject<'_>,
    progress: impl FnMut(u64, u64),
) -> (Report, Option<SignedCheckpoint>) {
    let mut report = Report::default();
    trust_stage(subject.trust, &mut report);
    let events = events::look(subject.source);
    let signed = match checkpoint(subject.source, subject.trust) {
        Ok(signed) => signed,
        Err(why) => {
            report.put("checkpoint", Outcome::Unchecked, why);
            let because = "there is no checkpoint of the pinned log";
            report.unreached(&["witnesses"], because);
            report.unreached(&AFTER_CHECKPOINT, because);
            report.unreached(&["latest"], because);
            unreached_binary(subject, &mut report);
            return (report, None);
        }
    };
    let head = signed.checkpoint().head();
    let log = subject.trust.log();
    report.put_vouched(
        "checkpoint",
        Outcome::Verified,
        format!("{} epochs, root {}, signed by the log {}", head.size, head.root, log.name()),
        vec![Voucher {
            role: "log",
            name: log.name().to_owned(),
            key: Some(*log.public()),
            at_ms: None,
        }],
    );
    witnesses(subject, &signed, &mut report);
    tree(subject, &signed, &events, &mut report, progress);
    (report, Some(signed))
}

/// The pins that everything else rests on.
pub(crate) fn trust_stage(trust: &Trust, report: &mut Report) {
    let file = trust.file();
    let text = format!(
        "pins with SHA-256 {}: custodians {} of {}, {} auditor keys, {} witnesses",
        hex::encode(trust.digest()),
        file.custodians.threshold,
        file.custodians.keys.len(),
        file.auditor_keys.len(),
        trust.policy().witnesses().len(),
    );
    report.put("trust", Outcome::Verified, text);
}

/// The checkpoint that a source shows, if the pinned log signed it.
pub(crate) fn checkpoint(source: &Source, trust: &Trust) -> Result<SignedCheckpoint, String> {
    let bytes = source
        .read("checkpoint", caps::NOTE_LEN_MAX)
        .map_err(|error| format!("checkpoint could not be read: {error}"))?;
    let note = Note::parse(&bytes).map_err(|error| format!("checkpoint: {error}"))?;
    SignedCheckpoint::verify(note, trust.log()).map_err(|error| format!("checkpoint: {error}"))
}

fn witnesses(subject: &Subject<'_>, signed: &SignedCheckpoint, report: &mut Report) {
    let is_fresh = subject.trust.is_fresh_at(subject.now_ms);
    match subject.trust.policy().check(signed, is_fresh) {
        Ok(vouched) => {
            let names: Vec<String> = vouched
                .iter()
                .map(|w| format!("{} at {}", w.key_name, utc(w.timestamp.saturating_mul(1_000))))
                .collect();
            let vouchers = Voucher::witnesses(&vouched);
            report.put_vouched("witnesses", Outcome::Verified, names.join("; "), vouchers);
        }
        Err(QuorumError::Quorum { got, needed, absent, refused, .. }) => {
            let mut text = format!("{got} of the {needed} needed");
            for (name, at) in &refused {
                let at = utc(at.saturating_mul(1_000));
                text.push_str(&format!("; {name} cosigned at {at}, which does not count now"));
            }
            if !absent.is_empty() {
                text.push_str(&format!("; not there: {}", absent.join(", ")));
            }
            report.put("witnesses", Outcome::Unchecked, text);
        }
        Err(error) => report.put("witnesses", Outcome::Unchecked, error.to_string()),
    }
}

fn tree(
    subject: &Subject<'_>,
    signed: &SignedCheckpoint,
    events: &events::Shown,
    report: &mut Report,
    mut progress: impl FnMut(u64, u64),
) {
    let (trust, head) = (subject.trust, signed.checkpoint().head());
    // Two signed roots of one size need no tile to contradict each other.
    if let Some(kept) = subject.kept
        && kept.head().size == head.size
        && kept.head().root != head.root
    {
        let text =
            format!("the kept head of {} epochs has the root {}", head.size, kept.head().root);
        report.put("kept_head", Outcome::Contradiction, text);
        report.evidence = Evidence::two_roots(kept.signed(), signed, trust);
        report.unreached(&AFTER_CHECKPOINT, "the log shows two trees");
        report.unreached(&["latest"], "the log shows two trees");
        return unreached_binary(subject, report);
    }
    let tiles = match VerifiedTiles::open(subject.source, head) {
        Ok(tiles) => tiles,
        Err(error) => {
            let because = error.to_string();
            if subject.kept.is_some() {
                report.unreached(&["kept_head"], &because);
            }
            report.unreached(&AFTER_CHECKPOINT, &because);
            report.unreached(&["latest"], &because);
            return unreached_binary(subject, report);
        }
    };
    let signatures = SignatureFiles::new(subject.source, head.size);
    let from = subject.kept.map_or(0, |kept| kept.head().size);
    let total = head.size.saturating_sub(from);
    let found = continue_history(
        &tiles,
        subject.kept,
        trust,
        |epoch| signatures.of(epoch),
        |done| progress(done, total),
    );
    report.first_epoch = Some(from.saturating_add(1));
    match found {
        Ok(history) => {
            holds(subject, &history, from, report);
            report.history = Some(history);
        }
        Err(error) => breaks(subject, &error, signed, &tiles, &signatures, report),
    }
    let latest = last_leaf(&tiles, trust);
    look_at_bundle(subject, signed, &tiles, &signatures, report);
    events::stage(subject, events, signed, report);
    match latest {
        Ok((latest, _)) => {
            latest_stage(subject, &latest, report);
            if let Some(file) = subject.binary {
                binary::stage(file, &latest.manifest, report);
            } else {
                report.put("binary", Outcome::Skipped, "not asked for (--binary FILE)");
            }
            report.latest = Some(latest);
        }
        Err(because) => {
            report.unreached(&["latest"], &because);
            unreached_binary(subject, report);
        }
    }
    let needed =
        ["checkpoint", "witnesses", "kept_head", "epochs", "custodians", "auditor", "operator"];
    let held = |stage: &&str| report.stage(stage).is_none_or(|s| s.outcome == Outcome::Verified);
    // What contradicts, wherever it stands, is no ground to go on from.
    if needed.iter().all(held) && report.outcome() != Outcome::Contradiction {
        report.head = report.history.as_ref().and_then(|h| KeptHead::of(h, signed, trust));
    }
}

fn unreached_binary(subject: &Subject<'_>, report: &mut Report) {
    report.unreached(&["bundle", "events"], "the log's tree is not known");
    match subject.binary {
        Some(_) => report.unreached(&["binary"], "the latest manifest is not known"),
        None => report.put("binary", Outcome::Skipped, "not asked for (--binary FILE)"),
    }
}

/// The last leaf under the root, whatever the history is like.
fn last_leaf(tiles: &Tiles<'_>, trust: &Trust) -> Result<(Latest, Leaf), String> {
    let head = tiles.head();
    let index = head.size.checked_sub(1).ok_or("the log is empty")?;
    let entry = tiles.entry(index).map_err(|error| error.to_string())?;
    let leaf = Leaf::parse(trust.origin(), &entry).ok_or("the last entry is no leaf")?;
    let manifest = parse(&leaf.manifest).map_err(|error| error.to_string())?;
    let (digest, audited_ms) = (leaf.statement.digest, leaf.statement.timestamp_ms);
    Ok((Latest { manifest, digest, audited_ms, root: head.root.0 }, leaf))
}

fn latest_stage(subject: &Subject<'_>, latest: &Latest, report: &mut Report) {
    let m = &latest.manifest;
    match m.valid_at(subject.now_ms) {
        Ok(()) => {
            let text = format!(
                "epoch {}, SHA-256 {}, valid until {}",
                m.epoch,
                hex::encode(latest.digest),
                utc(m.not_after_ms)
            );
            report.put("latest", Outcome::Verified, text);
        }
        Err(error) => {
            report.put("latest", Outcome::Unchecked, format!("epoch {}: {error}", m.epoch))
        }
    }
}

/// The four lines of a history without a fault.
fn holds(subject: &Subject<'_>, history: &History, from: u64, report: &mut Report) {
    let (trust, epochs) = (subject.trust, &history.epochs);
    if subject.kept.is_some() {
        let text = format!("the tree extends the kept one of {from} epochs");
        report.put("kept_head", Outcome::Verified, text);
    }
    if history.last.is_none() {
        for name in AFTER_CHECKPOINT {
            report.put(name, Outcome::Unchecked, "the log is empty: there is nothing to check");
        }
        return;
    }
    let (Some(first), Some(last)) = (epochs.first(), epochs.last()) else {
        for name in AFTER_CHECKPOINT {
            report.put(name, Outcome::Verified, "nothing new since the kept head");
        }
        return;
    };
    let span = format!("{} to {}", first.epoch, last.epoch);
    report.put("epochs", Outcome::Verified, format!("{span}: each leaf follows the one before it"));
    let least =
        epochs.iter().map(|e| e.custodians).min_by_key(|c| c.signed.saturating_sub(c.needed));
    let text = least.map_or_else(String::new, |c| {
        format!(
            "each of {span} signed by its threshold; the narrowest by {} of {} (threshold {})",
            c.signed, c.listed, c.needed
        )
    });
    let now = epochs.last().map(|e| e.custodians).map(|c| Voucher {
        role: "custodians",
        name: format!("{} of {}", c.signed, c.listed),
        key: None,
        at_ms: None,
    });
    report.put_vouched("custodians", Outcome::Verified, text, now.into_iter().collect());
    let mut keys: Vec<[u8; 32]> = epochs.iter().map(|e| e.auditor).collect();
    keys.sort_unstable();
    keys.dedup();
    let shown: Vec<String> = keys.iter().map(short).collect();
    let text = format!(
        "key {} signed {span}, from {} to {}",
        shown.join(" and "),
        utc(first.audited_ms),
        utc(last.audited_ms)
    );
    let vouchers = keys.iter().map(|key| Voucher {
        role: "auditor",
        name: short(key),
        key: Some(*key),
        at_ms: epochs.iter().rev().find(|e| e.auditor == *key).map(|e| e.audited_ms),
    });
    report.put_vouched("auditor", Outcome::Verified, text, vouchers.collect());
    let operator = trust.file().operator_key.0;
    let voucher =
        Voucher { role: "operator", name: short(&operator), key: Some(operator), at_ms: None };
    let text = format!("key {} counter-signed {span}", short(&operator));
    report.put_vouched("operator", Outcome::Verified, text, vec![voucher]);
}

pub(crate) fn short(key: &[u8; 32]) -> String {
    hex::encode(key).chars().take(16).collect::<String>() + "…"
}

/// Which lines of a history hold, which do not, and which nobody looked at.
fn breaks(
    subject: &Subject<'_>,
    error: &HistoryError<SourceError>,
    signed: &SignedCheckpoint,
    tiles: &Tiles<'_>,
    signatures: &SignatureFiles<'_>,
    report: &mut Report,
) {
    let trust = subject.trust;
    let kept_is_settled = !matches!(
        error,
        HistoryError::OtherTree { .. } | HistoryError::Behind { .. } | HistoryError::KeptLeaf
    );
    if let Some(kept) = subject.kept {
        let size = kept.head().size;
        match error {
            HistoryError::OtherTree { other_root } => {
                let text = format!(
                    "the first {size} epochs make {other_root}, the log signed {} before",
                    kept.head().root
                );
                report.put("kept_head", Outcome::Contradiction, text);
                report.evidence = Evidence::inconsistent(kept.signed(), signed, tiles, trust);
            }
            HistoryError::Behind { got, .. } => report.put(
                "kept_head",
                Outcome::Unchecked,
                format!("{got} epochs are shown, {size} were checked before: an old copy"),
            ),
            HistoryError::KeptLeaf => report.put(
                "kept_head",
                Outcome::Unchecked,
                "the file's manifest or custodians are not those of the tree: it was changed",
            ),
            // Whether it was compared before the tiles failed is not known here.
            HistoryError::Unchecked(error) => {
                report.put("kept_head", Outcome::Unchecked, error.to_string());
            }
            _ => report.put("kept_head", Outcome::Verified, format!("of {size} epochs")),
        }
    }
    if !kept_is_settled {
        return report.unreached(&AFTER_CHECKPOINT, "the tree is not known to extend the kept one");
    }
    match error {
        HistoryError::Contradiction { epoch, fault } => {
            let at = match fault {
                Fault::Manifest(ManifestError::Custodians { .. }) => "custodians",
                Fault::AuditorKeyEarly { .. } | Fault::TimeBackwards { .. } => "auditor",
                _ => "epochs",
            };
            let audit = signatures.of(*epoch);
            let audit = audit.as_ref().and_then(|both| both.first_chunk::<64>());
            report.evidence = Evidence::broken_leaf(*epoch, audit, signed, tiles, trust);
            for name in AFTER_CHECKPOINT {
                if name == at {
                    report.put(name, Outcome::Contradiction, format!("epoch {epoch}: {fault}"));
                } else {
                    report.unreached(&[name], &format!("epoch {epoch} contradicts the rules"));
                }
            }
        }
        HistoryError::NoSignatures { epoch } => {
            leaves_hold(report);
            let why = signatures.why().unwrap_or_else(|| "not there".to_owned());
            for name in ["auditor", "operator"] {
                let text = format!("no signatures of epoch {epoch} and later: {why}");
                report.put(name, Outcome::Unchecked, text);
            }
        }
        HistoryError::FalseSignature { epoch, whose } => {
            leaves_hold(report);
            for name in ["auditor", "operator"] {
                let text = if name == *whose {
                    format!(
                        "a false signature was served for epoch {epoch}; a damaged copy, or worse"
                    )
                } else {
                    format!("not settled: epoch {epoch} has a false signature by the {whose}")
                };
                report.put(name, Outcome::Unchecked, text);
            }
        }
        other => {
            let because = match other {
                HistoryError::Unchecked(error) => error.to_string(),
                _ => "the tree could not be compared".to_owned(),
            };
            report.unreached(&AFTER_CHECKPOINT, &because);
        }
    }
}

/// All leaves were read and none contradicts, so the first two lines hold.
fn leaves_hold(report: &mut Report) {
    report.put("epochs", Outcome::Verified, "each leaf follows the one before it");
    report.put("custodians", Outcome::Verified, "each manifest signed by its threshold");
}
