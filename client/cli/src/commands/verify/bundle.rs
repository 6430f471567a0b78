//! What devices are given, against what the log holds: the same, or somebody is shown another fleet.

use super::{
    examine::{Subject, short},
    report::{Latest, Outcome, Report, Voucher},
    signatures::SignatureFiles,
    source::{Source, SourceError},
};
use strongroom_tlog::{
    LogProof, SignedCheckpoint, merkle,
    tiles::{TileSource as _, VerifiedTiles},
};
use strongroom_verify::{
    BUNDLE_LEN_MAX, Bundle, Evidence, Leaf, Published, Statement, Trust, check_published,
};

/// Reads `bundle`, if it is served, and compares all that it says with the log.
pub(crate) fn look_at_bundle(
    subject: &Subject<'_>,
    signed: &SignedCheckpoint,
    tiles: &VerifiedTiles<&Source>,
    signatures: &SignatureFiles<'_>,
    report: &mut Report,
) {
    let trust = subject.trust;
    let bytes = match subject.source.read("bundle", BUNDLE_LEN_MAX) {
        Ok(bytes) => bytes,
        Err(SourceError::Missing) => return report.put("bundle", Outcome::Skipped, "not served"),
        Err(error) => return report.put("bundle", Outcome::Unchecked, error.to_string()),
    };
    // First what pinned keys said in it, whatever else is wrong with it.
    if let Ok(bundle) = Bundle::parse(&bytes) {
        let other = other_statement(&bundle, signed, tiles, signatures, trust);
        let other = other.or_else(|| other_tree(&bundle, signed, tiles, trust));
        if let Some((evidence, text)) = other {
            report.put("bundle", Outcome::Contradiction, text);
            report.evidence.get_or_insert(evidence);
            return;
        }
    }
    match check_published(&bytes, trust, subject.now_ms, None) {
        Ok(published) => {
            let (head, tip) = (published.head(), signed.checkpoint().head());
            if (head.size, head.root.0) == (tip.size, tip.root.0) {
                let vouchers = vouchers(&published, trust);
                let text = format!("devices are given epoch {}, the tip", head.epoch);
                report.put_vouched("bundle", Outcome::Verified, text, vouchers);
            } else {
                let text = format!(
                    "devices are given epoch {}, the log has {}: ask again, it may have just grown",
                    head.epoch, tip.size
                );
                report.put("bundle", Outcome::Unchecked, text);
            }
        }
        Err(refusal) => {
            let text = format!("a device refuses it at step {}: {refusal}", refusal.step());
            report.put("bundle", Outcome::Unchecked, text);
        }
    }
}

/// Judges a bundle alone.
pub(crate) fn offline(
    bytes: &[u8],
    trust: &Trust,
    now_ms: u64,
    kept: Option<&strongroom_verify::KeptHead>,
    report: &mut Report,
) {
    // Two signed roots of one size, or two statements for one epoch, are more than a refusal.
    if let (Some(kept), Ok(bundle)) = (kept, Bundle::parse(bytes))
        && let Some(theirs) = signed_in(&bundle, trust)
        && let Some(evidence) = Evidence::two_roots(kept.signed(), &theirs, trust)
    {
        let text = "its checkpoint and the kept one are of one size, with different roots";
        report.put("bundle", Outcome::Contradiction, text);
        report.evidence = Some(evidence);
        return;
    }
    let seen = kept.map(strongroom_verify::KeptHead::as_head);
    match check_published(bytes, trust, now_ms, seen.as_ref()) {
        Ok(published) => {
            let (head, (statement, ..)) = (published.head(), published.audit());
            report.latest = Some(Latest {
                manifest: published.manifest().clone(),
                digest: head.manifest_sha256.0,
                audited_ms: statement.timestamp_ms,
                root: head.root.0,
            });
            let vouchers = vouchers(&published, trust);
            let text = format!("epoch {}, the tip of a log of {} epochs", head.epoch, head.size);
            report.put_vouched("bundle", Outcome::Verified, text, vouchers);
        }
        Err(refusal) => {
            let text = format!("a device refuses it at step {}: {refusal}", refusal.step());
            report.put("bundle", Outcome::Unchecked, text);
        }
    }
}

fn vouchers(published: &Published, trust: &Trust) -> Vec<Voucher> {
    let (statement, _, auditor) = published.audit();
    let (log, operator) = (trust.log(), trust.file().operator_key.0);
    let mut vouchers = vec![
        Voucher {
            role: "auditor",
            name: short(auditor),
            key: Some(*auditor),
            at_ms: Some(statement.timestamp_ms),
        },
        Voucher { role: "operator", name: short(&operator), key: Some(operator), at_ms: None },
        Voucher { role: "log", name: log.name().to_owned(), key: Some(*log.public()), at_ms: None },
    ];
    vouchers.extend(Voucher::witnesses(published.witnesses()));
    vouchers
}

/// A statement that a pinned auditor key signed and the log does not hold.
fn other_statement(
    bundle: &Bundle,
    signed: &SignedCheckpoint,
    tiles: &VerifiedTiles<&Source>,
    signatures: &SignatureFiles<'_>,
    trust: &Trust,
) -> Option<(Evidence, String)> {
    let statement = bundle.audit.statement()?;
    let mut keys = trust.file().auditor_keys.iter();
    keys.find(|key| bundle.audit.is_signed_by(&key.public_key.0))?;
    let said = (&statement, &bundle.audit.signature.0);
    let index = statement.epoch.checked_sub(1)?;
    let leaf = Leaf::parse(trust.origin(), &tiles.entry(index).ok()?);
    if leaf.as_ref().is_some_and(|leaf| leaf.statement == statement) {
        return None;
    }
    let two =
        leaf.as_ref().and_then(|leaf| two_statements(&leaf.statement, said, signatures, trust));
    let evidence = two.or_else(|| Evidence::statement_against_leaf(said, signed, tiles, trust))?;
    let text = format!(
        "the auditor signed another statement for epoch {} than its log holds",
        statement.epoch
    );
    Some((evidence, text))
}

fn two_statements(
    logged: &Statement,
    said: (&Statement, &[u8; 64]),
    signatures: &SignatureFiles<'_>,
    trust: &Trust,
) -> Option<Evidence> {
    let both = signatures.of(logged.epoch)?;
    Evidence::two_statements((logged, both.first_chunk::<64>()?), said, trust)
}

/// The checkpoint in a bundle, if the pinned log signed it.
fn signed_in(bundle: &Bundle, trust: &Trust) -> Option<SignedCheckpoint> {
    let proof = LogProof::parse(bundle.proof.as_bytes()).ok()?;
    SignedCheckpoint::verify(proof.note().clone(), trust.log()).ok()
}

/// Another tree under the log's own signature.
fn other_tree(
    bundle: &Bundle,
    signed: &SignedCheckpoint,
    tiles: &VerifiedTiles<&Source>,
    trust: &Trust,
) -> Option<(Evidence, String)> {
    match against_tree(&signed_in(bundle, trust)?, signed, Some(tiles), trust) {
        Elsewhere::Differs(evidence, text) => Some((*evidence, text)),
        Elsewhere::Agrees | Elsewhere::Unknown => None,
    }
}

/// What a checkpoint of the log, found elsewhere, is to the tree that is shown.
pub(crate) enum Elsewhere {
    /// Of the same tree, or of one that is longer.
    Agrees,
    /// Of another tree, and the proof.
    Differs(Box<Evidence>, String),
    /// Of a smaller tree, and the tree that is shown cannot be read.
    Unknown,
}

/// Whether a checkpoint of the log, found elsewhere, is of another tree than the one that is shown.
pub(crate) fn against_tree(
    elsewhere: &SignedCheckpoint,
    signed: &SignedCheckpoint,
    tiles: Option<&VerifiedTiles<&Source>>,
    trust: &Trust,
) -> Elsewhere {
    let (a, b) = (elsewhere.checkpoint().head(), signed.checkpoint().head());
    let text = format!("the log signed another tree of {} epochs elsewhere", a.size);
    // Two signed roots of one size need no tile to contradict each other.
    if a.size == b.size {
        return Evidence::two_roots(elsewhere, signed, trust)
            .map_or(Elsewhere::Agrees, |evidence| Elsewhere::Differs(Box::new(evidence), text));
    }
    if a.size > b.size {
        return Elsewhere::Agrees;
    }
    let Some(tiles) = tiles else { return Elsewhere::Unknown };
    match merkle::root(tiles, a.size) {
        Ok(root) if root == a.root => Elsewhere::Agrees,
        Ok(_) => match Evidence::inconsistent(elsewhere, signed, tiles, trust) {
            Some(evidence) => Elsewhere::Differs(Box::new(evidence), text),
            None => Elsewhere::Unknown,
        },
        Err(_) => Elsewhere::Unknown,
    }
}
