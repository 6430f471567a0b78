//! The event log beside the manifest log: deployments, positions, starts (spec §21.7, §23.2).

use super::{
    examine::Subject,
    report::{Outcome, Report, Voucher},
    source::{Source, SourceError},
};
use strongroom_deployment::{EVENTS_CHECKPOINT, check_event_log};
use strongroom_page::Outcome as Found;
use strongroom_tlog::{SignedCheckpoint, caps, tiles::TileSource as _};

/// The event log's checkpoint, as a source shows it.
pub(super) type Shown = Result<Vec<u8>, SourceError>;

/// Reads it; before the manifest log's checkpoint, so that no event is of a later epoch than that shows.
pub(super) fn look(source: &Source) -> Shown {
    source.read(EVENTS_CHECKPOINT, caps::NOTE_LEN_MAX)
}

/// Each event under the manifest of its epoch, and all of them in their order.
pub(super) fn stage(
    subject: &Subject<'_>,
    shown: &Shown,
    signed: &SignedCheckpoint,
    report: &mut Report,
) {
    let note = match shown {
        Ok(note) => note,
        Err(SourceError::Missing) => return report.put("events", Outcome::Skipped, "not served"),
        Err(error) => {
            let text = format!("{EVENTS_CHECKPOINT}: {error}");
            return report.put("events", Outcome::Unchecked, text);
        }
    };
    // Events stand under manifests: without a history that holds, they stand on nothing.
    if report.history.is_none() {
        return report.unreached(&["events"], "the history does not hold");
    }
    let head = signed.checkpoint().head();
    match check_event_log(subject.source, note, subject.trust, head, subject.now_ms) {
        Ok(found) => {
            let vouchers = Voucher::witnesses(&found.witnesses);
            report.put_vouched("events", Outcome::Verified, found.told(), vouchers);
        }
        Err((_, Found::Contradiction, text)) => {
            report.put("events", Outcome::Contradiction, text);
        }
        Err((_, _, text)) => report.put("events", Outcome::Unchecked, text),
    }
}
