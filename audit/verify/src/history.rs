//! Every epoch of a namespace, from the first to the tip (spec §21).
//!
//! What a signed root leads to and breaks a rule is the log's own doing, and the auditor's who signed
//! it: a contradiction. What merely cannot be had, or does not lead to the root, says nothing about
//! anybody: it could not be checked.

use crate::{kept::KeptHead, leaf::Leaf, trust::Trust};
use std::{num::NonZero, sync::Arc};
use strongroom_manifest::{
    CustodianKeys, Delta, Hex, Manifest, ManifestError, deltas, follows_under, parse,
};
use strongroom_tlog::{
    Hash, SignedCheckpoint, TreeHead, merkle,
    tiles::{TileError, TileSource, VerifiedTiles, WIDTH},
};
use strongroom_wire::digest::sha256;

/// The auditor's signature and the operator's counter-signature of one epoch.
pub const SIGNATURES_LEN: usize = 128;

/// How many custodians signed a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counted {
    /// Valid signatures of distinct custodians.
    pub signed: usize,
    /// The threshold.
    pub needed: usize,
    /// Custodians in force.
    pub listed: usize,
}

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
    /// Of the custodians of the epoch before.
    pub custodians: Counted,
    /// What changed since the epoch before.
    pub deltas: Vec<Delta>,
}

/// A history that holds.
#[derive(Debug, Clone)]
pub struct History {
    /// Its epochs: all, or those after a kept head.
    pub epochs: Vec<CheckedEpoch>,
    /// The last leaf and its manifest; none in an empty log.
    pub last: Option<(Leaf, Manifest)>,
    /// Of the tree that was checked.
    pub(crate) head: TreeHead,
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
    /// The tree does not begin with the kept one.
    OtherTree {
        /// The root that this tree has at the kept size.
        other_root: Hash,
    },
    /// The tree is smaller than the kept one, which proves nothing: an old checkpoint is signed too.
    Behind {
        /// Leaves now.
        got: u64,
        /// Leaves in the kept tree.
        kept: u64,
    },
    /// The last leaf of the kept head is not what the file says it is: the file was changed.
    KeptLeaf,
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
    Missing,
}

impl<F: Into<Fault>> From<F> for Wrong {
    fn from(fault: F) -> Self {
        Self::Fault(fault.into())
    }
}

/// An entry read once, for its own check and for that of the next.
pub(crate) struct Read {
    bytes: Vec<u8>,
    hash: Hash,
    leaf: Option<(Leaf, Manifest, [u8; 32])>,
}

impl Read {
    pub(crate) fn of(origin: &str, bytes: Vec<u8>, hash: Hash) -> Self {
        let leaf = Leaf::parse(origin, &bytes).and_then(|leaf| {
            let manifest = parse(&leaf.manifest).ok()?;
            let digest = sha256(&leaf.manifest);
            Some((leaf, manifest, digest))
        });
        Self { bytes, hash, leaf }
    }

    pub(crate) const fn leaf(&self) -> Option<&(Leaf, Manifest, [u8; 32])> {
        self.leaf.as_ref()
    }
}

/// One epoch's check, which needs nothing of the others but the leaf before.
struct Job<'a> {
    epoch: u64,
    before: Option<&'a Read>,
    /// Who may sign it: the custodians of the leaf before, or the genesis set.
    in_force: Arc<CustodianKeys>,
    read: &'a Read,
    vouched: Vouched,
}

/// What stands beside the log for an epoch.
enum Vouched {
    /// Leaves alone are looked at.
    NotAsked,
    /// The signatures, if they could be had.
    Asked(Option<[u8; SIGNATURES_LEN]>),
}

/// Checks every epoch of a log at a head whose checkpoint the caller verified.
///
/// `signatures` gives the [`SIGNATURES_LEN`] bytes of an epoch. Epochs are checked on all cores,
/// bundle by bundle; `progress` hears how many are done.
///
/// # Errors
/// [`HistoryError`]: a contradiction wherever it stands, or the first epoch that could not be checked.
pub fn check_history<S: TileSource>(
    source: S,
    head: TreeHead,
    trust: &Trust,
    signatures: impl Fn(u64) -> Option<[u8; SIGNATURES_LEN]>,
    progress: impl FnMut(u64),
) -> Result<Vec<CheckedEpoch>, HistoryError<S::Error>> {
    let tiles = VerifiedTiles::open(source, head).map_err(HistoryError::Unchecked)?;
    Ok(continue_history(&tiles, None, trust, signatures, progress)?.epochs)
}

/// Checks the epochs after a kept head, and that the tree begins with the kept one; without a head, all
/// epochs. What is kept was checked when it was kept, so no epoch is ever left out (spec §23.5).
///
/// # Errors
/// [`HistoryError`]: a contradiction wherever it stands, or the first epoch that could not be checked.
pub fn continue_history<S: TileSource>(
    tiles: &VerifiedTiles<S>,
    kept: Option<&KeptHead>,
    trust: &Trust,
    signatures: impl Fn(u64) -> Option<[u8; SIGNATURES_LEN]>,
    progress: impl FnMut(u64),
) -> Result<History, HistoryError<S::Error>> {
    go_on(tiles, kept, trust, |epoch| Vouched::Asked(signatures(epoch)), progress)
}

/// How far the leaves of a log were read, and no more than that: nobody's signature beside the log was
/// looked at, so no verifier goes on from here.
#[derive(Debug)]
pub struct ReadLeaves(KeptHead);

impl ReadLeaves {
    /// Size and root.
    pub const fn head(&self) -> TreeHead {
        self.0.head()
    }
}

/// The same of the leaves alone, below a checkpoint: what a witness can look at before anybody signed
/// anything beside the log. None for an empty log, of which there is nothing to read.
///
/// # Errors
/// [`HistoryError`].
pub fn continue_leaves<S: TileSource>(
    source: S,
    signed: &SignedCheckpoint,
    before: Option<&ReadLeaves>,
    trust: &Trust,
) -> Result<Option<ReadLeaves>, HistoryError<S::Error>> {
    let tiles = VerifiedTiles::open(source, signed.checkpoint().head());
    let tiles = tiles.map_err(HistoryError::Unchecked)?;
    let before = before.map(|before| &before.0);
    let history = go_on(&tiles, before, trust, |_| Vouched::NotAsked, |_| ())?;
    Ok(KeptHead::of(&history, signed, trust).map(ReadLeaves))
}

fn go_on<S: TileSource>(
    tiles: &VerifiedTiles<S>,
    kept: Option<&KeptHead>,
    trust: &Trust,
    vouched: impl Fn(u64) -> Vouched,
    mut progress: impl FnMut(u64),
) -> Result<History, HistoryError<S::Error>> {
    let genesis = Arc::new(CustodianKeys::new(&trust.file().custodians));
    let (mut last, from) = match kept {
        Some(kept) => (kept_leaf(tiles, kept, trust)?, kept.head().size),
        None => (None, 0),
    };
    let mut in_force = match &last {
        Some(Read { leaf: Some((_, manifest, _)), .. }) => {
            Arc::new(CustodianKeys::new(&manifest.custodians))
        }
        _ => genesis,
    };
    let width = u64::from(WIDTH);
    let mut checked: Vec<CheckedEpoch> = Vec::new();
    // What could not be checked waits until it is known that nothing contradicts: whoever withholds the
    // signatures of one epoch must not hide the leaf of another.
    let mut pending = None;
    for bundle in from / width..tiles.head().size.div_ceil(width) {
        let mut first = bundle.saturating_mul(width).saturating_add(1);
        let mut entries = tiles.hashed_bundle(bundle).map_err(HistoryError::Unchecked)?;
        if first <= from {
            entries.drain(..entries.len().min((from % width) as usize));
            first = from.saturating_add(1);
        }
        let origin = trust.origin();
        let reads = on_all_cores(entries, |(bytes, hash)| Read::of(origin, bytes, hash));
        let before = core::iter::once(last.as_ref()).chain(reads.iter().map(Some));
        let jobs = (first..).zip(before.zip(&reads)).map(|(epoch, (before, read))| {
            let in_force = advance(&mut in_force, before);
            Job { epoch, before, in_force, read, vouched: vouched(epoch) }
        });
        let jobs: Vec<Job<'_>> = jobs.collect();
        for result in on_all_cores(jobs, |job| (job.epoch, check_epoch(&job, trust))) {
            let unchecked = match result {
                (epoch, Err(Wrong::Fault(fault))) => {
                    return Err(HistoryError::Contradiction { epoch, fault });
                }
                (epoch, Err(Wrong::Signature(whose))) => {
                    HistoryError::FalseSignature { epoch, whose }
                }
                (epoch, Err(Wrong::Missing)) => HistoryError::NoSignatures { epoch },
                (_, Ok(epoch)) => {
                    checked.extend(epoch);
                    continue;
                }
            };
            pending.get_or_insert(unchecked);
        }
        progress(checked.len() as u64);
        last = reads.into_iter().next_back().or(last);
    }
    match pending {
        Some(unchecked) => Err(unchecked),
        None => {
            let last = last.and_then(|read| read.leaf).map(|(leaf, manifest, _)| (leaf, manifest));
            Ok(History { epochs: checked, last, head: tiles.head() })
        }
    }
}

/// The custodians whose signatures the next manifest needs, read anew only when they changed.
fn advance(in_force: &mut Arc<CustodianKeys>, before: Option<&Read>) -> Arc<CustodianKeys> {
    if let Some(Read { leaf: Some((_, manifest, _)), .. }) = before
        && manifest.custodians != *in_force.custodians()
    {
        *in_force = Arc::new(CustodianKeys::new(&manifest.custodians));
    }
    Arc::clone(in_force)
}

/// The last leaf of the kept tree, which is the beginning of this one.
fn kept_leaf<S: TileSource>(
    tiles: &VerifiedTiles<S>,
    kept: &KeptHead,
    trust: &Trust,
) -> Result<Option<Read>, HistoryError<S::Error>> {
    let (head, got) = (kept.head(), tiles.head().size);
    if got < head.size {
        return Err(HistoryError::Behind { got, kept: head.size });
    }
    // Every node that the tiles give leads to the new root, so this is the one root that the new tree has
    // at the old size.
    let beyond = HistoryError::Unchecked(TileError::Beyond { size: got });
    let other_root = match merkle::root(tiles, head.size) {
        Ok(root) => root,
        Err(merkle::ProveError::Read(error)) => return Err(HistoryError::Unchecked(error)),
        Err(_) => return Err(beyond),
    };
    if other_root != head.root {
        return Err(HistoryError::OtherTree { other_root });
    }
    let Some(index) = head.size.checked_sub(1) else { return Ok(None) };
    let width = u64::from(WIDTH);
    let bundle = tiles.hashed_bundle(index / width).map_err(HistoryError::Unchecked)?;
    let entry = bundle.into_iter().nth((index % width) as usize).ok_or(beyond)?;
    let read = Read::of(trust.origin(), entry.0, entry.1);
    let is_kept = read.leaf().is_some_and(|(_, manifest, digest)| kept.is_of(manifest, digest));
    if is_kept { Ok(Some(read)) } else { Err(HistoryError::KeptLeaf) }
}

/// All that hangs from the root: what a leaf must be after the one before it. How many custodians signed.
pub(crate) fn check_leaf(
    epoch: u64,
    before: Option<&Read>,
    in_force: &CustodianKeys,
    read: &Read,
    trust: &Trust,
) -> Result<usize, Fault> {
    let file = trust.file();
    let (leaf, manifest, digest) = read.leaf().ok_or(Fault::Leaf)?;
    let expected = before.map(|before| before.hash.0).unwrap_or_default();
    if leaf.previous != expected {
        return Err(Fault::Previous { got: Hex(leaf.previous), expected: Hex(expected) });
    }
    let statement = &leaf.statement;
    if statement.namespace != file.namespace {
        return Err(Fault::Statement(format!("namespace {}", statement.namespace)));
    }
    if (statement.epoch, &statement.digest) != (epoch, digest) {
        let other = format!("epoch {} and {:?}", statement.epoch, Hex(statement.digest));
        return Err(Fault::Statement(other));
    }
    let Some(before) = before else {
        return Ok(follows_genesis(in_force, manifest, digest, leaf, trust)?);
    };
    let (leaf_before, manifest_before, _) = before.leaf().ok_or(Fault::Leaf)?;
    let before_ms = leaf_before.statement.timestamp_ms;
    if statement.timestamp_ms < before_ms {
        return Err(Fault::TimeBackwards { got_ms: statement.timestamp_ms, before_ms });
    }
    Ok(follows_under(in_force, manifest_before, manifest, digest, &leaf.signatures)?)
}

/// The first epoch: by the genesis custodians, of the namespace, and the first.
fn follows_genesis(
    genesis: &CustodianKeys,
    manifest: &Manifest,
    digest: &[u8; 32],
    leaf: &Leaf,
    trust: &Trust,
) -> Result<usize, ManifestError> {
    let file = trust.file();
    let needed = usize::from(file.custodians.threshold);
    let is_theirs = *genesis.custodians() == file.custodians;
    let got = if is_theirs { genesis.count(&leaf.signatures, digest) } else { 0 };
    if got < needed {
        return Err(ManifestError::Custodians { got, needed });
    }
    if manifest.namespace != file.namespace {
        let (got, expected) = (manifest.namespace.clone(), file.namespace.clone());
        return Err(ManifestError::Namespace { got, expected });
    }
    if manifest.epoch == 1 {
        Ok(got)
    } else {
        Err(ManifestError::Epoch { got: manifest.epoch, expected: 1 })
    }
}

/// A signature of the auditor under a key that was not in use yet.
pub(crate) fn check_date(
    leaf: &Leaf,
    audit: &[u8; 64],
    trust: &Trust,
) -> Option<Result<[u8; 32], Fault>> {
    let statement = &leaf.statement;
    let auditor = trust.auditor_of(&statement.to_bytes(), audit)?;
    let (got_ms, not_before_ms) = (statement.timestamp_ms, auditor.not_before_ms);
    if got_ms < not_before_ms {
        return Some(Err(Fault::AuditorKeyEarly { got_ms, not_before_ms }));
    }
    Some(Ok(auditor.public_key.0))
}

fn check_epoch(job: &Job<'_>, trust: &Trust) -> Result<Option<CheckedEpoch>, Wrong> {
    let Job { epoch, before, in_force, read, vouched } = job;
    let signed = check_leaf(*epoch, *before, in_force, read, trust)?;
    let (leaf, manifest, digest) = read.leaf().ok_or(Fault::Leaf)?;
    let vouched = match vouched {
        Vouched::NotAsked => return Ok(None),
        Vouched::Asked(vouched) => vouched.as_ref().ok_or(Wrong::Missing)?,
    };
    let (audit, counter) = vouched.split_first_chunk::<64>().ok_or(Wrong::Signature("auditor"))?;
    let counter = counter.first_chunk::<64>().ok_or(Wrong::Signature("operator"))?;
    let auditor = check_date(leaf, audit, trust).ok_or(Wrong::Signature("auditor"))??;
    if !trust.is_countersigned(&read.bytes, audit, counter) {
        return Err(Wrong::Signature("operator"));
    }
    let custodians = in_force.custodians();
    let (needed, listed) = (usize::from(custodians.threshold), custodians.keys.len());
    let before = before.and_then(|before| before.leaf()).map(|(_, manifest, _)| manifest);
    Ok(Some(CheckedEpoch {
        epoch: *epoch,
        audited_ms: leaf.statement.timestamp_ms,
        digest: *digest,
        auditor,
        custodians: Counted { signed, needed, listed },
        deltas: deltas(before, manifest),
    }))
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
