//! `strongroomd page`: a log and its status page, for any static web server (spec §25).

use crate::{
    Failure,
    deployment::{now_ms, read, verifier},
};
use clap::Args;
use std::path::PathBuf;
use strongroom_deployment::{Directory, write_status};
use strongroom_page::{Command, Page};
use strongroom_verify::TRUST_LEN_MAX;

/// What goes into the directory.
#[derive(Args)]
pub(crate) struct PageArgs {
    /// The auditor's folder, or any copy of its log
    #[arg(long, value_name = "DIR")]
    log: PathBuf,
    /// The pins that the page checks with and ships
    #[arg(long, value_name = "FILE")]
    trust: PathBuf,
    /// The directory; an older page there is replaced
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The address at which it will be found: for the commands that the page shows
    #[arg(long, value_name = "URL")]
    url: String,
    /// The check for browsers, as `cargo xtask page` builds it; without it the page says that it
    /// verifies nothing
    #[arg(long, value_name = "DIR")]
    verifier: Option<PathBuf>,
}

/// Checks a log and writes its page.
pub(crate) fn write(args: &PageArgs) -> Result<(), Failure> {
    let trust = read(&args.trust, TRUST_LEN_MAX)?;
    let verifier = verifier(args.verifier.as_deref())?;
    let url = args.url.trim_end_matches('/');
    let command = |what: &str, line: String| Command { what: what.to_owned(), line };
    let commands = [
        command(
            "The whole history, with a trust file that you have from elsewhere",
            format!("strongroom verify --trust trust.json --log {url}"),
        ),
        command(
            "The same again and again, with an alarm for every change",
            format!("strongroom verify --trust trust.json --log {url} --from head.json --watch"),
        ),
        command(
            "A vault's program against what is published",
            format!("strongroom verify --trust trust.json --log {url} --binary strongroom-vault"),
        ),
    ];
    let (verifier, now_ms) = (verifier.as_ref(), now_ms());
    let page = Page { trust: &trust, commands: &commands, verifier, now_ms };
    let files = write_status(&args.out, &Directory::at(&args.log), &page)
        .map_err(|error| Failure::Running(error.to_string()))?;
    println!("{}: {} files", args.out.display(), files.len());
    Ok(())
}
