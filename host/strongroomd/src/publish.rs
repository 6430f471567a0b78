//! `strongroomd publish` and `strongroomd record`: the operator at an auditor's publishing address (spec
//! §21.9).

use crate::{
    Failure, by_blame,
    deployment::{now_ms, read},
};
use clap::Args;
use std::{fs, path::PathBuf};
use strongroom_log::Submission;
use strongroom_manifest::parse;
use strongroom_publish::{Door, PublishError, TlsIdentity};
use strongroom_verify::{EVENT_LEN_MAX, Event, LEAF_LEN_MAX, TRUST_LEN_MAX, Trust};

/// More than any certificate chain or key has.
const PEM_LEN_MAX: usize = 1_024 * 1_024;

/// An auditor's publishing address, and who comes to it.
#[derive(Args)]
struct DoorArgs {
    /// The auditor's publishing address: https, or http on this machine
    #[arg(long, value_name = "URL")]
    auditor: String,
    /// This publisher's certificate, and those between it and the auditor's authority; PEM
    #[arg(long, value_name = "FILE", requires_all = ["key", "ca"])]
    certificate: Option<PathBuf>,
    /// Its private key; PEM
    #[arg(long, value_name = "FILE", requires = "certificate")]
    key: Option<PathBuf>,
    /// Certificates of whoever signed the auditor's; PEM. The system's are not asked
    #[arg(long, value_name = "FILE", requires = "certificate")]
    ca: Option<PathBuf>,
    /// The namespace's pins, as devices have them
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
}

/// What is published, and where.
#[derive(Args)]
pub(crate) struct PublishArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// The manifest: the very bytes that the custodians signed
    #[arg(long, value_name = "FILE")]
    manifest: PathBuf,
    /// The custodians' signatures
    #[arg(long, value_name = "FILE")]
    signatures: PathBuf,
    /// The operator's key: 64 hexadecimal digits in a file that only its owner can read
    #[arg(long, value_name = "FILE")]
    operator_key_file: PathBuf,
    /// Where to write the bundle that devices will get
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
}

/// What is recorded, and where.
#[derive(Args)]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    door: DoorArgs,
    /// The event's JSON, signed by whom it needs
    #[arg(long, value_name = "FILE")]
    event: PathBuf,
}

impl DoorArgs {
    fn open(&self) -> Result<(Door, Trust), Failure> {
        let trust = Trust::parse(&read(&self.trust, TRUST_LEN_MAX)?)
            .map_err(|e| Failure::Configuration(format!("{}: {e}", self.trust.display())))?;
        let identity = match (&self.certificate, &self.key, &self.ca) {
            (Some(certificate), Some(key), Some(ca)) => Some(TlsIdentity {
                certificates_pem: read(certificate, PEM_LEN_MAX)?,
                key_pem: read(key, PEM_LEN_MAX)?,
                roots_pem: read(ca, PEM_LEN_MAX)?,
            }),
            // clap takes all three or none.
            _ => None,
        };
        let door = Door::new(&self.auditor, identity.as_ref()).map_err(refused)?;
        Ok((door, trust))
    }
}

/// Publishes a manifest; the same again after a crash goes on where it stopped.
pub(crate) fn publish(args: &PublishArgs) -> Result<(), Failure> {
    let (door, trust) = args.door.open()?;
    let wrong = |path: &PathBuf, what: String| {
        Failure::Configuration(format!("{}: {what}", path.display()))
    };
    let manifest = read(&args.manifest, LEAF_LEN_MAX)?;
    let epoch = parse(&manifest).map_err(|e| wrong(&args.manifest, e.to_string()))?.epoch;
    let signatures = serde_json::from_slice(&read(&args.signatures, LEAF_LEN_MAX)?)
        .map_err(|e| wrong(&args.signatures, e.to_string()))?;
    let manifest =
        String::from_utf8(manifest).map_err(|_| wrong(&args.manifest, "not UTF-8".to_owned()))?;
    let operator =
        strongroom_audit_server::signer_in_file(&args.operator_key_file).map_err(by_blame)?;
    let submission = Submission { epoch, manifest, signatures };
    let published = strongroom_publish::publish(&door, &submission, &*operator, &trust, now_ms())
        .map_err(refused)?;
    if let Some(path) = &args.bundle {
        // It can be fetched again at any time: a torn one is written anew.
        fs::write(path, &published.bundle).map_err(|e| {
            Failure::Running(format!(
                "epoch {epoch} is published; {} was not written: {e}",
                path.display()
            ))
        })?;
    }
    println!(
        "published: epoch {epoch}, manifest {:?}, signed by the auditor at {} ms",
        published.response.digest, published.response.timestamp
    );
    Ok(())
}

/// Records an event; the same again is found recorded.
pub(crate) fn record(args: &RecordArgs) -> Result<(), Failure> {
    let (door, trust) = args.door.open()?;
    let event = Event::parse(&read(&args.event, EVENT_LEN_MAX)?)
        .map_err(|e| Failure::Configuration(format!("{}: {e}", args.event.display())))?;
    let index = strongroom_publish::record(&door, &event, &trust, now_ms()).map_err(refused)?;
    println!("recorded: event {index} of {}/events", trust.origin());
    Ok(())
}

fn refused(error: PublishError) -> Failure {
    if error.is_callers() {
        Failure::Configuration(error.to_string())
    } else {
        Failure::Running(error.to_string())
    }
}
