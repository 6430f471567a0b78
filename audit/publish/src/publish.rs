//! From a manifest that custodians signed to a bundle that devices believe.

use crate::{
    Door, PublishError,
    door::{LogFiles, refusal},
};
use serde::Serialize;
use strongroom_log::Submission;
use strongroom_manifest::{Hex, ManifestSignatures, parse};
use strongroom_tlog::{
    Note, NoteSigner, SignedCheckpoint,
    caps::NOTE_LEN_MAX,
    leaf_hash,
    tiles::{TileError, VerifiedTiles},
};
use strongroom_verify::{
    AuditResponse, BUNDLE_LEN_MAX, Bundle, CLOCK_LEAD_MAX_MS, Leaf, Trust, check_published,
    countersign_message, is_countersigned,
};
use strongroom_wire::digest::sha256;

/// A response is a few hundred bytes.
pub(crate) const RESPONSE_LEN_MAX: usize = 4_096;

/// What was published.
#[derive(Debug, Clone)]
pub struct Published {
    /// The auditor's response.
    pub response: AuditResponse,
    /// The log's entry.
    pub leaf: Vec<u8>,
    /// What devices fetch: of this epoch, under a checkpoint that ends with it.
    pub bundle: Vec<u8>,
}

#[derive(Serialize)]
struct PublishRequest<'a> {
    epoch: u64,
    digest: Hex<32>,
    manifest: &'a str,
    signatures: &'a ManifestSignatures,
}

#[derive(Serialize)]
struct CountersignRequest {
    signature: Hex<64>,
}

/// Publishes a manifest: post, check, counter-sign, post, fetch. The same call after a crash at any
/// point goes on; what is done already is found done.
///
/// # Errors
/// [`PublishError`]; each says what is signed by then, which before the counter-signature is nothing.
pub fn publish(
    door: &Door,
    submission: &Submission,
    operator: &dyn NoteSigner,
    trust: &Trust,
    now_ms: u64,
) -> Result<Published, PublishError> {
    look_at(submission, operator, trust)?;
    let digest = sha256(submission.manifest.as_bytes());
    let response = response(door, submission, &digest, trust)?;
    check_response(&response, submission.epoch, &digest, trust, now_ms)?;
    let leaf = logged_leaf(door, submission, &response, trust, now_ms)?;
    countersign(door, submission.epoch, &leaf, &response, operator, trust)?;
    let bundle = fetch_bundle(door, &trust.file().namespace)?;
    check_bundle(&bundle, submission, &leaf, &response, trust, now_ms)?;
    Ok(Published { response, leaf, bundle })
}

/// The bundle of the latest epoch, as it is served: capped, not believed.
///
/// # Errors
/// [`PublishError`].
pub fn fetch_bundle(door: &Door, namespace: &str) -> Result<Vec<u8>, PublishError> {
    let reply = door.get(&format!("/{namespace}/bundle"), BUNDLE_LEN_MAX)?;
    if reply.status == 200 { Ok(reply.body) } else { Err(refusal(&reply)) }
}

/// What can be seen to be wrong without asking anybody.
fn look_at(
    submission: &Submission,
    operator: &dyn NoteSigner,
    trust: &Trust,
) -> Result<(), PublishError> {
    // Before an epoch is released that nobody here could counter-sign.
    if operator.public() != trust.file().operator_key.0 {
        return Err(PublishError::OperatorKey);
    }
    let manifest = parse(submission.manifest.as_bytes()).map_err(PublishError::Manifest)?;
    let expected = &trust.file().namespace;
    if manifest.namespace != *expected {
        let (got, expected) = (manifest.namespace.clone(), expected.clone());
        return Err(PublishError::Submission { what: "namespace", got, expected });
    }
    if manifest.epoch != submission.epoch {
        let (got, expected) = (manifest.epoch.to_string(), submission.epoch.to_string());
        return Err(PublishError::Submission { what: "epoch", got, expected });
    }
    Ok(())
}

fn response(
    door: &Door,
    submission: &Submission,
    digest: &[u8; 32],
    trust: &Trust,
) -> Result<AuditResponse, PublishError> {
    let audits = format!("/namespaces/{}/audits", trust.file().namespace);
    // A run before this one may have come so far; its answer may have been lost.
    let path = format!("{audits}/{}", submission.epoch);
    let mut reply = door.get(&path, RESPONSE_LEN_MAX)?;
    if reply.status == 404 {
        let request = PublishRequest {
            epoch: submission.epoch,
            digest: Hex(*digest),
            manifest: &submission.manifest,
            signatures: &submission.signatures,
        };
        // These types hold only numbers, strings, lists and structures, which always serialise.
        let body = serde_json::to_vec(&request).unwrap_or_default();
        reply = door.post(&audits, &body, RESPONSE_LEN_MAX)?;
    }
    if reply.status != 200 {
        return Err(refusal(&reply));
    }
    serde_json::from_slice(&reply.body).map_err(|error| PublishError::Malformed {
        url: door.url(&path),
        expected: "an auditor's response",
        what: error.to_string(),
    })
}

fn check_response(
    response: &AuditResponse,
    epoch: u64,
    digest: &[u8; 32],
    trust: &Trust,
    now_ms: u64,
) -> Result<(), PublishError> {
    let file = trust.file();
    let wrong =
        |what, got: String, expected: String| Err(PublishError::Response { what, got, expected });
    let Some(statement) = response.statement() else {
        let got = format!("{} in version {}", response.ciphersuite, response.version);
        return wrong("ciphersuite", got, "1 in version 1".to_owned());
    };
    // Another epoch's answer, rightly signed, is no answer for this one.
    if statement.namespace != file.namespace {
        return wrong("namespace", statement.namespace, file.namespace.clone());
    }
    if statement.epoch != epoch {
        return wrong("epoch", statement.epoch.to_string(), epoch.to_string());
    }
    let signed = file.auditor_keys.iter().find(|key| response.is_signed_by(&key.public_key.0));
    let Some(key) = signed else { return Err(PublishError::NotTheAuditor) };
    if statement.digest != *digest {
        let (got, expected) = (hex::encode(statement.digest), hex::encode(digest));
        return Err(PublishError::OtherManifest { epoch, got, expected });
    }
    let latest_ms = now_ms.saturating_add(CLOCK_LEAD_MAX_MS);
    if !(key.not_before_ms..=latest_ms).contains(&statement.timestamp_ms) {
        let expected = format!("{} to {latest_ms} ms", key.not_before_ms);
        return wrong("timestamp", statement.timestamp_ms.to_string(), expected);
    }
    Ok(())
}

/// The leaf that the parts make, once a quorum's checkpoint is seen to hold it where it belongs.
fn logged_leaf(
    door: &Door,
    submission: &Submission,
    response: &AuditResponse,
    trust: &Trust,
    now_ms: u64,
) -> Result<Vec<u8>, PublishError> {
    let (epoch, namespace) = (submission.epoch, trust.file().namespace.as_str());
    let reply = door.get(&format!("/{namespace}/checkpoint"), NOTE_LEN_MAX)?;
    if reply.status != 200 {
        return Err(refusal(&reply));
    }
    let signed = SignedCheckpoint::verify(Note::parse(&reply.body)?, trust.log())?;
    trust.policy().check(&signed, trust.is_fresh_at(now_ms))?;
    let head = signed.checkpoint().head();
    let unlogged = PublishError::Unlogged { epoch, size: head.size };
    let index = epoch.checked_sub(1).filter(|index| *index < head.size).ok_or(unlogged)?;
    let files = LogFiles { door, prefix: format!("/{namespace}") };
    let tiles = VerifiedTiles::open(files, head).map_err(damaged)?;
    let previous = match index.checked_sub(1) {
        Some(before) => leaf_hash(&tiles.entry(before).map_err(damaged)?).0,
        None => [0; 32],
    };
    let statement = response.statement().ok_or(PublishError::NotTheAuditor)?;
    let manifest = submission.manifest.as_bytes().to_vec();
    let leaf = Leaf { statement, previous, manifest, signatures: submission.signatures.clone() };
    let leaf = leaf.to_bytes(trust.origin()).ok_or(PublishError::Leaf { epoch })?;
    // The entry may carry other signatures of custodians, or another time: then it is not this leaf, and
    // a signature over this one would be of no use to anybody.
    if tiles.entry(index).map_err(damaged)? == leaf {
        Ok(leaf)
    } else {
        Err(PublishError::Leaf { epoch })
    }
}

/// No connection is no damage.
pub(crate) fn damaged(error: TileError<PublishError>) -> PublishError {
    match error {
        TileError::Source { error: error @ PublishError::Unreachable { .. }, .. } => error,
        other => PublishError::Log(other.to_string()),
    }
}

fn countersign(
    door: &Door,
    epoch: u64,
    leaf: &[u8],
    response: &AuditResponse,
    operator: &dyn NoteSigner,
    trust: &Trust,
) -> Result<(), PublishError> {
    let (origin, audit) = (trust.origin(), &response.signature.0);
    let signature = operator.sign(&countersign_message(origin, leaf, audit))?;
    let key = &trust.file().operator_key.0;
    if !is_countersigned(origin, leaf, audit, key, &signature) {
        return Err(PublishError::FalseSignature);
    }
    let body =
        serde_json::to_vec(&CountersignRequest { signature: Hex(signature) }).unwrap_or_default();
    let namespace = &trust.file().namespace;
    // A crash before this is repeated from the start; after it the auditor keeps the first of two.
    let path = format!("/namespaces/{namespace}/countersignatures/{epoch}");
    let reply = door.post(&path, &body, RESPONSE_LEN_MAX)?;
    if reply.status == 200 { Ok(()) } else { Err(refusal(&reply)) }
}

/// Whether devices get what was published, and believe it: everything of their rule that does not need a
/// device.
fn check_bundle(
    bytes: &[u8],
    submission: &Submission,
    leaf: &[u8],
    response: &AuditResponse,
    trust: &Trust,
    now_ms: u64,
) -> Result<(), PublishError> {
    let bundle = Bundle::parse(bytes)?;
    let (epoch, latest) = (submission.epoch, bundle.audit.epoch);
    if latest > epoch {
        return Err(PublishError::Superseded { epoch, latest });
    }
    let other = |what| PublishError::OtherBundle { what };
    if bundle.audit != *response {
        return Err(other("response"));
    }
    if (&bundle.manifest, &bundle.signatures) != (&submission.manifest, &submission.signatures) {
        return Err(other("manifest"));
    }
    // Counter-signed over the leaf that was built here: so it is of that leaf and no other.
    let (origin, audit) = (trust.origin(), &response.signature.0);
    let key = &trust.file().operator_key.0;
    if !is_countersigned(origin, leaf, audit, key, &bundle.countersignature.0) {
        return Err(other("counter-signature"));
    }
    match check_published(bytes, trust, now_ms, None) {
        Ok(_) => Ok(()),
        Err(refusal) => Err(PublishError::Disbelieved(Box::new(refusal))),
    }
}
