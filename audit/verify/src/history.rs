//! Every epoch of a namespace, from the first to the tip (spec §21).
//!
//! What a signed root leads to and breaks a rule is the log's own doing, and the auditor's who signed
//! it: a contradiction. What merely cannot be had, or does not lead to the root, says nothing about
//! anybody: it could not be checked.

use crate::{leaf::Leaf, trust::Trust};
use std::num::NonZero;
use strongroom_manifest::{
    Delta, Hex, Manifest, ManifestError, Succession, deltas, follows, parse,
};
use strongroom_tlog::{
    TreeHead, leaf_hash,
    tiles::{TileError, TileSource, VerifiedTiles, WIDTH},
};
use strongroom_wire::digest::sha256;

/// The auditor's signature and the operator's counter-signature of one epoch.
pub const SIGNATURES_LEN: usize = 128;

/// One epoch that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckedEpoch {
    /// From 1.
    pub epoch: u64,
    /// When the auditor made its statement, milliseconds since the Unix epoch.
    pub audited_ms: u64,
    /// SHA-256 of the manifest.
    pub digest: [u8; 32],
    /// The auditor key that signed.
    pub auditor: [u8; 32],
    /// What changed since the epoch before.
    pub deltas: Vec<Delta>,
}

/// What is wrong with an epoch that a signed root leads to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// The entry is no leaf of this log.
    #[error("the entry is no leaf of this log (spec §21.3)")]
    Leaf,
    /// It does not name the leaf before it.
    #[error("the leaf names {got:?} as the one before it, expected {expected:?}")]
    Previous {
        /// Named.
        got: Hex<32>,
        /// The tree's.
        expected: Hex<32>,
    },
    /// The statement is about something else.
    #[error("the auditor's statement is of {0}")]
    Statement(String),
    /// The manifest does not follow.
    #[error("{0}")]
    Manifest(#[from] ManifestError),
    /// Dated before its key was in use.
    #[error("statement of {got_ms} ms, its key signs nothing before {not_before_ms} ms")]
    AuditorKeyEarly {
        /// The statement's time.
        got_ms: u64,
        /// The key's.
        not_before_ms: u64,
    },
    /// Dated before the epoch before it.
    #[error("statement of {got_ms} ms, the epoch before has {before_ms} ms")]
    TimeBackwards {
        /// The statement's.
        got_ms: u64,
        /// The one before's.
        before_ms: u64,
    },
}

/// How reading a history ended.
#[derive(Debug)]
pub enum HistoryError<E> {
    /// An epoch breaks a rule under a root that its log signed.
    Contradiction {
        /// The first such epoch.
        epoch: u64,
        /// What is wrong.
        fault: Fault,
    },
    /// Something could not be had, or is not what the root leads to.
    Unchecked(TileError<E>),
    /// The signatures of an epoch are not there.
    NoSignatures {
        /// The epoch.
        epoch: u64,
    },
    /// The signatures that were served for an epoch are false. They do not hang from the root: whoever
    /// served them may have spoilt them, so nobody is accused.
    FalseSignature {
        /// The epoch.
        epoch: u64,
        /// Whose.
        whose: &'static str,
    },
}

/// What is wrong with an epoch, and whether a signed root leads to it.
enum Wrong {
    Fault(Fault),
    Signature(&'static str),
}

impl<F: Into<Fault>> From<F> for Wrong {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// An entry read once, for its own check and for that of the next.
struct Read {
    bytes: Vec<u8>,
    leaf: Option<(Leaf, Manifest)>,
}

impl Read {
    fn of(origin: &str, bytes: Vec<u8>) -> Self {
        let leaf = Leaf::parse(origin, &bytes);
        let leaf = leaf.and_then(|leaf| parse(&leaf.manifest).ok().map(|m| (leaf, m)));
        Self { bytes, leaf }
    }
}

/// Checks every epoch of a log at a head whose checkpoint the caller verified.
///
/// `signatures` gives the [`SIGNATURES_LEN`] bytes of an epoch. Epochs are checked on all cores,
/// bundle by bundle; `progress` hears how many are done.
///
/// # Errors
/// [`HistoryError`] for the first epoch that does not hold.
pub fn check_history<S: TileSource>(
    source: S,
    head: TreeHead,
    trust: &Trust,
    signatures: impl Fn(u64) -> Option<[u8; SIGNATURES_LEN]>,
    mut progress: impl FnMut(u64),
) -> Result<Vec<CheckedEpoch>, HistoryError<S::Error>> {
    let tiles = VerifiedTiles::open(source, head).map_err(HistoryError::Unchecked)?;
    let mut checked: Vec<CheckedEpoch> = Vec::new();
    let mut last: Option<Read> = None;
    for bundle in 0..head.size.div_ceil(u64::from(WIDTH)) {
        let entries = tiles.bundle(bundle).map_err(HistoryError::Unchecked)?;
        let first = bundle.saturating_mul(u64::from(WIDTH)).saturating_add(1);
        // Signatures that are missing hide nothing of the epochs before them.
        let vouched: Vec<_> = (first..).take(entries.len()).map_while(&signatures).collect();
        let gap = first.saturating_add(vouched.len() as u64);
        let is_whole = vouched.len() == entries.len();
        let reads = on_all_cores(entries, |bytes| Read::of(trust.origin(), bytes));
        let before = core::iter::once(last.as_ref()).chain(reads.iter().map(Some));
        let jobs: Vec<_> = (first..).zip(before.zip(&reads)).zip(vouched).collect();
        let results = on_all_cores(jobs, |((epoch, (before, read)), vouched)| {
            check_epoch(epoch, before, read, &vouched, trust).map_err(|fault| (epoch, fault))
        });
        for result in results {
            let wrong = |(epoch, wrong)| match wrong {
                Wrong::Fault(fault) => HistoryError::Contradiction { epoch, fault },
                Wrong::Signature(whose) => HistoryError::FalseSignature { epoch, whose },
            };
            checked.push(result.map_err(wrong)?);
        }
        if !is_whole {
            return Err(HistoryError::NoSignatures { epoch: gap });
        }
        progress(checked.len() as u64);
        last = reads.into_iter().next_back();
    }
    Ok(checked)
}

fn check_epoch(
    epoch: u64,
    before: Option<&Read>,
    read: &Read,
    vouched: &[u8; SIGNATURES_LEN],
    trust: &Trust,
) -> Result<CheckedEpoch, Wrong> {
    let file = trust.file();
    let (leaf, manifest) = read.leaf.as_ref().ok_or(Fault::Leaf)?;
    let expected = before.map(|before| leaf_hash(&before.bytes).0).unwrap_or_default();
    if leaf.previous != expected {
        return Err(Wrong::Fault(Fault::Previous {
            got: Hex(leaf.previous),
            expected: Hex(expected),
        }));
    }
    let statement = &leaf.statement;
    let digest = sha256(&leaf.manifest);
    if statement.namespace != file.namespace {
        return Err(Wrong::Fault(Fault::Statement(format!("namespace {}", statement.namespace))));
    }
    if (statement.epoch, statement.digest) != (epoch, digest) {
        let other = format!("epoch {} and {:?}", statement.epoch, Hex(statement.digest));
        return Err(Wrong::Fault(Fault::Statement(other)));
    }
    let before = before.map(|before| before.leaf.as_ref().ok_or(Fault::Leaf)).transpose()?;
    let before = before.map(|(leaf, manifest)| (leaf.statement.timestamp_ms, manifest));
    match before {
        Some((before_ms, _)) if statement.timestamp_ms < before_ms => {
            let got_ms = statement.timestamp_ms;
            return Err(Fault::TimeBackwards { got_ms, before_ms }.into());
        }
        Some((_, before)) => follows(before, manifest, &digest, &leaf.signatures)?,
        None => {
            Succession::pinned(&file.namespace, file.custodians.clone())
                .follow(&leaf.manifest, &leaf.signatures)?;
        }
    }
    let (audit, counter) = vouched.split_first_chunk::<64>().ok_or(Wrong::Signature("auditor"))?;
    let counter = counter.first_chunk::<64>().ok_or(Wrong::Signature("operator"))?;
    let auditor = trust.auditor_of(&statement.to_bytes(), audit);
    let auditor = auditor.ok_or(Wrong::Signature("auditor"))?;
    if statement.timestamp_ms < auditor.not_before_ms {
        let (got_ms, not_before_ms) = (statement.timestamp_ms, auditor.not_before_ms);
        return Err(Wrong::Fault(Fault::AuditorKeyEarly { got_ms, not_before_ms }));
    }
    if !trust.is_countersigned(&read.bytes, audit, counter) {
        return Err(Wrong::Signature("operator"));
    }
    Ok(CheckedEpoch {
        epoch,
        audited_ms: statement.timestamp_ms,
        digest,
        auditor: auditor.public_key.0,
        deltas: deltas(before.map(|(_, before)| before), manifest),
    })
}

/// The same work on each item, in the items' order; threads where there are any.
fn on_all_cores<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    if cores == 1 || items.len() < 2 * cores || cfg!(target_family = "wasm") {
        return items.into_iter().map(work).collect();
    }
    let size = items.len().div_ceil(cores);
    let mut rest = items.into_iter();
    let parts: Vec<Vec<T>> = core::iter::from_fn(|| {
        let part: Vec<T> = rest.by_ref().take(size).collect();
        (!part.is_empty()).then_some(part)
    })
    .collect();
    std::thread::scope(|scope| {
        let work = &work;
        let running: Vec<_> = parts
            .into_iter()
            .map(|part| scope.spawn(move || part.into_iter().map(work).collect::<Vec<R>>()))
            .collect();
        let mut done = Vec::new();
        for thread in running {
            match thread.join() {
                Ok(part) => done.extend(part),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        done
    })
}
