//! The check of a whole log (spec §25.2), in one pass and without a network.

use crate::{
    files::{shorter, signatures_path},
    report::{Facts, Outcome, Report, Stage, Stopped},
    time::{ago, utc},
};
use strongroom_manifest::Manifest;
use strongroom_tlog::{
    Note, SignedCheckpoint, TreeHead,
    policy::Vouched,
    tiles::{Tile, TileKind, TileSource, VerifiedTiles, WIDTH},
};
use strongroom_verify::{CheckedEpoch, HistoryError, SIGNATURES_LEN, Trust, continue_history};

/// The longest history that a page checks: a browser holds all of it. Longer ones are for the command
/// line.
pub const EPOCHS_MAX: u64 = 16_384;

/// Checks a checkpoint and everything below it, with the caller's trust and clock.
pub fn check<S: TileSource>(trust: &Trust, checkpoint: &[u8], source: &S, now_ms: u64) -> Report {
    Report::of(|stages| run(trust, checkpoint, source, now_ms, stages))
}

fn run<S: TileSource>(
    trust: &Trust,
    checkpoint: &[u8],
    source: &S,
    now_ms: u64,
    stages: &mut Vec<Stage>,
) -> Result<Facts, Stopped> {
    let mut hold = |name, text| stages.push(Stage { name, holds: true, text });
    let signed = signed(trust, checkpoint)?;
    let head = signed.checkpoint().head();
    hold("log", format!("{} signed its checkpoint of {} epochs", trust.origin(), head.size));

    let witnesses = trust.vouched(&signed, now_ms);
    let witnesses =
        witnesses.map_err(|error| ("witnesses", Outcome::Refused, error.to_string()))?;
    hold("witnesses", said_by(&witnesses, now_ms));

    let (epochs, manifest) = history(trust, head, source)?;
    hold(
        "history",
        format!(
            "{} of {} epochs hold: leaf, chain, custodians, auditor's signature, operator's counter-signature",
            epochs.len(),
            head.size
        ),
    );

    let (from_ms, until_ms) = (manifest.not_before_ms, manifest.not_after_ms);
    let until =
        format!("epoch {} is valid from {} until {}", manifest.epoch, utc(from_ms), utc(until_ms));
    if manifest.valid_at(now_ms).is_err() {
        let text = format!("{until}; this clock says {}: clients refuse it", utc(now_ms));
        return Err(("validity", Outcome::Refused, text));
    }
    hold("validity", until);
    let checkpoint_len = checkpoint.len();
    let checkpoint = signed.checkpoint().clone();
    Ok(Facts { checkpoint, checkpoint_len, witnesses, epochs, manifest })
}

/// The checkpoint, if the log of the trust file signed it and it is of a size that can be checked here.
pub(crate) fn signed(trust: &Trust, checkpoint: &[u8]) -> Result<SignedCheckpoint, Stopped> {
    let refused = |text: String| ("log", Outcome::Refused, text);
    let note = Note::parse(checkpoint).map_err(|error| refused(error.to_string()))?;
    let signed = SignedCheckpoint::verify(note, trust.log());
    let signed = signed.map_err(|error| refused(error.to_string()))?;
    let size = signed.checkpoint().size();
    if size == 0 {
        return Err(("log", Outcome::Unchecked, "the log has no epoch yet".to_owned()));
    }
    if size > EPOCHS_MAX {
        let text = format!(
            "the log has {size} epochs, this page checks at most {EPOCHS_MAX}; use the command line"
        );
        return Err(("log", Outcome::Unchecked, text));
    }
    Ok(signed)
}

fn said_by(witnesses: &[Vouched], now_ms: u64) -> String {
    let each = witnesses.iter().map(|witness| {
        format!("{} {}", witness.key_name, ago(witness.timestamp.saturating_mul(1_000), now_ms))
    });
    format!("cosigned by {}", each.collect::<Vec<_>>().join(", "))
}

fn history<S: TileSource>(
    trust: &Trust,
    head: TreeHead,
    source: &S,
) -> Result<(Vec<CheckedEpoch>, Manifest), Stopped> {
    let signatures = signatures(source, head.size);
    let of = |epoch: u64| {
        let at = usize::try_from(epoch.checked_sub(1)?).ok()?;
        signatures.get(at).copied()
    };
    let tiles = VerifiedTiles::open(source, head);
    let tiles = tiles.map_err(|error| ("history", Outcome::Unchecked, error.to_string()))?;
    let found = continue_history(&tiles, None, trust, of, |_| ()).map_err(wrong)?;
    let absent = || ("history", Outcome::Unchecked, "the log has no epoch yet".to_owned());
    let (_, manifest) = found.last.ok_or_else(absent)?;
    Ok((found.epochs, manifest))
}

fn wrong<E: core::fmt::Display>(error: HistoryError<E>) -> Stopped {
    let (outcome, text) = match error {
        HistoryError::Contradiction { epoch, fault } => {
            (Outcome::Contradiction, format!("epoch {epoch}: {fault}"))
        }
        HistoryError::Unchecked(error) => (Outcome::Unchecked, error.to_string()),
        HistoryError::NoSignatures { epoch } => {
            (Outcome::Unchecked, format!("the signatures of epoch {epoch} were not served"))
        }
        HistoryError::FalseSignature { epoch, whose } => {
            (Outcome::Refused, format!("epoch {epoch}: the {whose}'s signature as served is false"))
        }
        // Of kept heads, of which there is none here.
        HistoryError::OtherTree { .. } | HistoryError::Behind { .. } | HistoryError::KeptLeaf => {
            (Outcome::Unchecked, "a kept head was asked for".to_owned())
        }
    };
    ("history", outcome, text)
}

/// The signatures of all epochs, up to the first that is not there.
fn signatures<S: TileSource>(source: &S, size: u64) -> Vec<[u8; SIGNATURES_LEN]> {
    let width = u64::from(WIDTH);
    let mut all = Vec::new();
    for bundle in 0..size.div_ceil(width) {
        let here = (size - bundle * width).min(width) as u16;
        let Ok(tile) = Tile::new(TileKind::Entries, bundle, here) else { break };
        let last = Some(tile).filter(|tile| !tile.is_full());
        let candidates =
            [Some(tile), last.map(|tile| tile.full()), last.and_then(|_| shorter(size))];
        let file = candidates.into_iter().flatten().find_map(|tile| {
            let len_max = usize::from(tile.width()) * SIGNATURES_LEN;
            source.read(&signatures_path(tile), len_max).ok()
        });
        let file = file.unwrap_or_default();
        let (whole, _) = file.as_chunks::<SIGNATURES_LEN>();
        all.extend(whole.iter().take(usize::from(here)));
        if all.len() as u64 != bundle * width + u64::from(here) {
            break;
        }
    }
    all
}
