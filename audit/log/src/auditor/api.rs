//! What an auditor answers over HTTP, without the network: Cloudflare's Key Transparency auditor API at
//! the root of its host, and the log below the namespace's name (spec §21.9).

use super::{Auditor, Countersigned, Submission, SubmitError};
use crate::{
    answer::{Answer, YEAR_S},
    log::{Served, is_within},
};
use serde::{Deserialize, Serialize};
use strongroom_manifest::{Hex, ManifestSignatures};
use strongroom_tlog::{NoteSigner, tiles::Tile};
use strongroom_verify::LEAF_LEN_MAX;
use strongroom_wire::digest::sha256;

/// The largest body of a request to publish, in bytes.
pub const PUBLISH_LEN_MAX: usize = 2 * LEAF_LEN_MAX;
/// The largest body of a request to keep a counter-signature, in bytes.
pub const COUNTERSIGN_LEN_MAX: usize = 1_024;

#[derive(Serialize)]
struct Info {
    keys: [KeyInfo; 1],
    logs: [String; 1],
}

#[derive(Serialize)]
struct KeyInfo {
    public_key: Hex<32>,
    not_before: u64,
}

#[derive(Serialize)]
struct Namespaces {
    namespaces: [Namespace; 1],
}

/// As Cloudflare's client reads it: `log_directory` is null, since a folder there would be one of AKD
/// proofs; an empty string there stops that client.
#[derive(Serialize)]
struct Namespace {
    name: String,
    log_directory: Option<String>,
    root: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    last_verified_epoch: Option<u64>,
    status: &'static str,
    reports_uri: String,
    audits_uri: String,
    signature_version: u32,
    ciphersuite: u32,
}

#[derive(Serialize)]
struct LastVerified {
    job_id: String,
    epoch: u64,
    start_hash: Hex<32>,
    end_hash: Hex<32>,
    timestamp: u64,
}

/// A request to publish: Cloudflare's two fields, and what this auditor must have read before it signs.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublishRequest {
    epoch: u64,
    digest: Hex<32>,
    #[serde(default)]
    manifest: Option<String>,
    #[serde(default)]
    signatures: Option<ManifestSignatures>,
}

/// A request to keep the operator's counter-signature of an epoch.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CountersignRequest {
    signature: Hex<64>,
}

#[derive(Serialize)]
struct Kept {
    epoch: u64,
}

impl Submission {
    /// Reads a request to publish; nothing is looked at yet but its shape.
    ///
    /// # Errors
    /// The answer to give.
    pub fn from_request(body: &[u8]) -> Result<Self, Answer> {
        if body.len() > PUBLISH_LEN_MAX {
            let detail = format!("{} bytes, at most {PUBLISH_LEN_MAX}", body.len());
            return Err(Answer::problem(413, "too_long", detail));
        }
        let request: PublishRequest = serde_json::from_slice(body)
            .map_err(|error| Answer::problem(400, "malformed", error.to_string()))?;
        let (Some(manifest), Some(signatures)) = (request.manifest, request.signatures) else {
            let detail =
                "this auditor signs what it has read: send `manifest` and `signatures`, too";
            return Err(Answer::problem(400, "manifest_needed", detail.to_owned()));
        };
        let digest = Hex(sha256(manifest.as_bytes()));
        if digest != request.digest {
            let detail =
                format!("manifest has SHA-256 {digest:?}, `digest` is {:?}", request.digest);
            return Err(Answer::problem(400, "digest", detail));
        }
        Ok(Self { epoch: request.epoch, manifest, signatures })
    }
}

impl<S: NoteSigner, A: NoteSigner> Auditor<S, A> {
    /// Answers `GET`.
    pub fn get(&self, path: &str) -> Answer {
        self.route(path).unwrap_or_else(|error| self.failed(&error))
    }

    fn route(&self, path: &str) -> Result<Answer, SubmitError> {
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let namespace = self.setup.namespace.as_str();
        match parts.as_slice() {
            ["info"] => Ok(Answer::json(&Info {
                keys: [KeyInfo {
                    public_key: Hex(self.setup.statement_signer.public()),
                    not_before: self.setup.statement_not_before_ms,
                }],
                logs: [format!("/{namespace}")],
            })),
            ["namespaces"] => {
                Ok(Answer::json(&Namespaces { namespaces: [self.namespace_info()?] }))
            }
            ["namespaces", name, rest @ ..] if *name == namespace => match rest {
                [] => Ok(Answer::json(&self.namespace_info()?)),
                ["audits", epoch] => self.audit(path, epoch),
                ["last-verified-epoch"] => self.last_verified(path),
                _ => Ok(Answer::not_found(path)),
            },
            [name, rest @ ..] if *name == namespace => self.log_file(path, rest),
            _ => Ok(Answer::not_found(path)),
        }
    }

    fn audit(&self, path: &str, epoch: &str) -> Result<Answer, SubmitError> {
        let released = epoch_of(epoch).map(|epoch| self.response(epoch)).transpose()?.flatten();
        Ok(released.map_or_else(
            || Answer::not_found(path),
            // What was released never changes.
            |one| Answer { max_age_s: YEAR_S, ..Answer::json(one.response()) },
        ))
    }

    /// The last epoch whose signature was released.
    fn last_released(&self) -> Result<u64, SubmitError> {
        let published = self.log.published()?.map_or(0, |signed| signed.checkpoint().size());
        // A crash may come between a checkpoint's publication and the signature that it allows.
        Ok(if self.response(published)?.is_some() {
            published
        } else {
            published.saturating_sub(1)
        })
    }

    fn namespace_info(&self) -> Result<Namespace, SubmitError> {
        let last = Some(self.last_released()?).filter(|epoch| *epoch > 0);
        let root = self.response(1)?.map(|first| format!("1/{:?}", first.response().digest));
        let name = self.setup.namespace.clone();
        Ok(Namespace {
            log_directory: None,
            root,
            last_verified_epoch: last,
            status: if last.is_some() { "Online" } else { "Initialization" },
            reports_uri: format!("/namespaces/{name}/reports"),
            audits_uri: format!("/namespaces/{name}/audits"),
            signature_version: 1,
            ciphersuite: 1,
            name,
        })
    }

    fn last_verified(&self, path: &str) -> Result<Answer, SubmitError> {
        let epoch = self.last_released()?;
        let Some(last) = self.response(epoch)? else { return Ok(Answer::not_found(path)) };
        let before = self.response(epoch.saturating_sub(1))?;
        let digest = last.response().digest;
        Ok(Answer::json(&LastVerified {
            job_id: job_id(&digest.0),
            epoch,
            start_hash: before.map_or(Hex([0; 32]), |before| before.response().digest),
            end_hash: digest,
            timestamp: last.response().timestamp,
        }))
    }

    fn log_file(&self, path: &str, rest: &[&str]) -> Result<Answer, SubmitError> {
        match rest {
            ["bundle"] => Ok(match self.bundle()? {
                Some(bundle) => Answer::json_bytes(bundle.to_bytes()),
                None => Answer::not_found(path),
            }),
            ["signatures", name @ ..] => self.signature_file(path, &name.join("/")),
            _ => Ok(Answer::of_log(path, self.log.served(&rest.join("/"))?)),
        }
    }

    /// Named, and cut, like the entries that it lies beside.
    fn signature_file(&self, path: &str, name: &str) -> Result<Answer, SubmitError> {
        let size = self.log.published()?.map_or(0, |published| published.checkpoint().size());
        let tile = Tile::parse(&format!("tile/entries/{name}")).ok();
        let file = match tile.filter(|tile| is_within(*tile, size)) {
            Some(tile) => self.signatures(tile)?,
            None => None,
        };
        Ok(Answer::of_log(path, file.map(Served::File)))
    }

    /// Takes a request to publish up to where witnesses are needed; the epoch that then waits for them.
    ///
    /// # Errors
    /// The answer to give.
    pub fn publish_request(&mut self, body: &[u8], now_ms: u64) -> Result<u64, Answer> {
        let submission = Submission::from_request(body)?;
        self.submit(&submission, now_ms).map_err(|error| self.failed(&error))?;
        Ok(submission.epoch)
    }

    /// The response for a submission whose epoch is released already; none if it is not.
    ///
    /// # Errors
    /// [`SubmitError::Equivocation`] if the epoch was released with another manifest.
    pub fn released(&self, submission: &Submission) -> Result<Option<Answer>, SubmitError> {
        let epoch = submission.epoch;
        let Some(released) = self.response(epoch)? else { return Ok(None) };
        if released.response().digest.0 != sha256(submission.manifest.as_bytes()) {
            return Err(SubmitError::Equivocation { epoch });
        }
        Ok(Some(Answer::json(released.response())))
    }

    /// Answers a request to keep the operator's counter-signature of an epoch.
    ///
    /// # Errors
    /// The answer to give.
    pub fn countersign_request(&mut self, epoch: &str, body: &[u8]) -> Result<Answer, Answer> {
        let Some(epoch) = epoch_of(epoch) else { return Err(Answer::not_found(epoch)) };
        if body.len() > COUNTERSIGN_LEN_MAX {
            let detail = format!("{} bytes, at most {COUNTERSIGN_LEN_MAX}", body.len());
            return Err(Answer::problem(413, "too_long", detail));
        }
        let request: CountersignRequest = serde_json::from_slice(body)
            .map_err(|error| Answer::problem(400, "malformed", error.to_string()))?;
        let given = Countersigned { epoch, signature: request.signature.0 };
        self.countersign(&given).map_err(|error| self.failed(&error))?;
        Ok(Answer::json(&Kept { epoch }))
    }

    /// The answer for an error: by whose mistake, and what happened.
    pub fn failed(&self, error: &SubmitError) -> Answer {
        Answer::from(error)
    }
}

impl From<&SubmitError> for Answer {
    fn from(error: &SubmitError) -> Self {
        let (status, code) = match error {
            SubmitError::Manifest(_) | SubmitError::Epoch { .. } | SubmitError::NoLeaf => {
                (400, "manifest_refused")
            }
            SubmitError::Floor(_) => (400, "below_floor"),
            SubmitError::CounterSignature { .. } => (400, "countersignature"),
            SubmitError::Equivocation { .. } => (409, "published_before"),
            SubmitError::ChainFull => (409, "custodians_full"),
            SubmitError::NotReleased { .. } => (409, "not_released"),
            SubmitError::Quorum(_) | SubmitError::Unconfirmed | SubmitError::Unreleased { .. } => {
                (503, "witnesses")
            }
            SubmitError::Restored { .. } => (503, "restored"),
            _ => (500, "auditor"),
        };
        Self::problem(status, code, error.to_string())
    }
}

/// One spelling for one epoch: caches and readers must not see two.
fn epoch_of(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

/// A UUID (RFC 9562, version 8) out of a digest: the same for the same epoch, after a crash too.
fn job_id(digest: &[u8; 32]) -> String {
    let mut id = [0; 16];
    id.copy_from_slice(&digest[..16]);
    id[6] = (id[6] & 0x0f) | 0x80;
    id[8] = (id[8] & 0x3f) | 0x80;
    let text = hex::encode(id);
    [&text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..]].join("-")
}
