//! `strongroomd deployment`: all that proves a deployment (spec §24).

use crate::Failure;
use clap::Args;
use std::{
    fs::File,
    io::Read as _,
    path::{Path, PathBuf},
    time::{SystemTime, UNIX_EPOCH},
};
use strongroom_deployment::{Directory, PAPER_LEN_MAX, Papers, write_deployment};
use strongroom_manifest::Floors;
use strongroom_page::{Command, Verifier};
use strongroom_verify::{BUNDLE_LEN_MAX, TRUST_LEN_MAX};

/// What goes into the directory.
#[derive(Args)]
pub(crate) struct DeploymentArgs {
    /// The auditor's folder, or any copy of its log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The event log's folder, or a copy
    #[arg(long, value_name = "DIR")]
    events: PathBuf,
    /// The pins that the auditor publishes
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The fleet
    #[arg(long, value_name = "NAME")]
    fleet: String,
    /// The validation bundle of the latest epoch, as the auditor serves it
    #[arg(long, value_name = "FILE")]
    bundle: PathBuf,
    /// The ceremony's transcript
    #[arg(long, value_name = "FILE")]
    ceremony: PathBuf,
    /// What the hardware says of the fleet's keys; nothing speaks without it
    #[arg(long, value_name = "FILE")]
    evidence: Option<PathBuf>,
    /// The directory; it must not exist
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The check for browsers, as `cargo xtask page` builds it
    #[arg(long, value_name = "DIR")]
    verifier: Option<PathBuf>,
    /// Of a development fleet, which no client of a released app accepts
    #[arg(long)]
    development: bool,
}

/// Writes a deployment directory, and checks it before it gets its name.
pub(crate) fn write(args: &DeploymentArgs) -> Result<(), Failure> {
    let (trust, bundle) = (read(&args.trust, TRUST_LEN_MAX)?, read(&args.bundle, BUNDLE_LEN_MAX)?);
    let ceremony = read(&args.ceremony, PAPER_LEN_MAX)?;
    let evidence = args.evidence.as_ref().map(|path| read(path, PAPER_LEN_MAX)).transpose()?;
    let verifier = verifier(args.verifier.as_deref())?;
    let floors = if args.development { &Floors::DANGER_DEVELOPMENT } else { &Floors::PRODUCTION };
    let development = if args.development { " --development" } else { "" };
    let command = |what: &str, line: String| Command { what: what.to_owned(), line };
    let commands = [
        command(
            "All of it, with a trust file that you have from elsewhere, without a network",
            format!("strongroom verify fleet .{development} --trust YOUR-TRUST.json"),
        ),
        command(
            "The history of the keys alone",
            "strongroom verify --log . --trust YOUR-TRUST.json".to_owned(),
        ),
    ];
    let papers = Papers {
        fleet: &args.fleet,
        trust: &trust,
        bundle: &bundle,
        ceremony: &ceremony,
        evidence: evidence.as_deref().unwrap_or_default(),
        commands: &commands,
        verifier: verifier.as_ref(),
        floors,
        now_ms: now_ms(),
    };
    let (log, events) = (Directory::at(&args.log), Directory::at(&args.events));
    let written = write_deployment(&args.out, &log, &events, &papers)
        .map_err(|error| Failure::Running(error.to_string()))?;
    println!("{}: {} files, verified", args.out.display(), written.files.len());
    Ok(())
}

/// The check for browsers, if a folder of it is named.
pub(crate) fn verifier(folder: Option<&Path>) -> Result<Option<Verifier>, Failure> {
    let wrong = |dir: &Path, e| Failure::Configuration(format!("{}: {e}", dir.display()));
    folder.map(|dir| Verifier::from_folder(dir).map_err(|e| wrong(dir, e))).transpose()
}

/// This machine's clock.
pub(crate) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

pub(crate) fn read(path: &Path, cap: usize) -> Result<Vec<u8>, Failure> {
    let wrong = |what: String| Failure::Configuration(format!("{}: {what}", path.display()));
    let file = File::open(path).map_err(|e| wrong(e.to_string()))?;
    let mut bytes = Vec::new();
    let mut capped = file.take((cap as u64).saturating_add(1));
    capped.read_to_end(&mut bytes).map_err(|e| wrong(e.to_string()))?;
    if bytes.len() > cap {
        return Err(wrong(format!("more than the {cap} bytes expected")));
    }
    Ok(bytes)
}
