//! The user's data: back up, restore, list, check. No fleet is asked.

use crate::{
    Context,
    args::{BackupArgs, CheckArgs, Place, RestoreArgs},
    failure::Failure,
    home::{Device, no_key},
    progress::Shown,
};
use comfy_table::{Table, presets};
use indicatif::{HumanBytes, HumanCount};
use serde::Serialize;
use serde_json::{Value, json};
use strongroom_backup::{
    BackupKey, BackupOptions, CheckOptions, Error, Location, Problem, Repository, RestoreOptions,
    Snapshot,
};

/// This device, its key, and the repository it uses.
struct Opened {
    device: Device,
    location: Location,
    key: BackupKey,
    /// Whether the location was used by this device before.
    is_known: bool,
}

fn open(cx: &Context, place: &Place) -> Result<Opened, Failure> {
    let device = cx.home.device()?.ok_or_else(no_key)?;
    let key = BackupKey::from_bytes(*device.wanted_backup_key()?.as_bytes());
    let known = device.repository.clone();
    let named = place.repository.clone().map(absolute).transpose()?;
    let text = named.clone().or(known.clone()).ok_or_else(|| {
        Failure::usage("no repository")
            .hint("name one with --repository LOCATION; it is remembered once it has been used")
    })?;
    Ok(Opened {
        location: text.parse()?,
        is_known: known.is_some_and(|known| known == text),
        device,
        key,
    })
}

/// A path keeps its meaning when the next command runs in another folder.
fn absolute(text: String) -> Result<String, Failure> {
    let Location::Local(path) = text.parse::<Location>()? else {
        return Ok(text);
    };
    let path = std::path::absolute(&path)
        .map_err(|e| Failure::machine(format!("cannot find {}: {e}", path.display())))?;
    Ok(format!("local:{}", path.display()))
}

/// Remembers a repository that has been used.
fn remember(cx: &Context, location: &Location) -> Result<(), Failure> {
    let held = cx.home.lock()?;
    let text = format!("local:{location}");
    if let Some(mut device) = cx.home.device()?
        && device.repository.as_deref() != Some(text.as_str())
    {
        device.repository = Some(text);
        cx.home.save(&device, &held)?;
    }
    Ok(())
}

/// Backs up.
pub(crate) fn backup(cx: &Context, args: &BackupArgs) -> Result<(), Failure> {
    let opened = open(cx, &args.place)?;
    if opened.device.generation == 0 {
        cx.voice.warn(
            "the backup key is on this device only; `strongroom enroll` stores it under a password",
        );
    }
    let repository = match Repository::open(&opened.location, &opened.key) {
        // A place that this device has used before is not made anew: what was there is missing.
        Err(Error::NoRepository { .. }) if !opened.is_known => {
            let made = Repository::init(&opened.location, &opened.key)?;
            let text = format!("made a new repository at {}", opened.location);
            cx.voice.note("repository_made", &text);
            made
        }
        other => other?,
    };
    remember(cx, &opened.location)?;
    let options = BackupOptions {
        tags: args.tag.clone(),
        hostname: None,
        one_file_system: args.one_file_system,
        read_everything: args.read_everything,
    };
    let shown = Shown::new(cx.voice);
    let done = repository.backup(&args.paths, &options, shown.clone());
    shown.clear();
    let summary = done?;
    problems(cx, &summary.problems);
    let text = format!(
        "Snapshot {}: {} files, {}; {} new or changed, {} added to the repository",
        summary.snapshot.short_id(),
        HumanCount(summary.files_new + summary.files_changed + summary.files_unmodified),
        HumanBytes(summary.bytes),
        HumanCount(summary.files_new + summary.files_changed),
        HumanBytes(summary.bytes_stored),
    );
    cx.voice.result("backed_up", &text, value(&summary));
    summary.complete()?;
    Ok(())
}

/// Restores.
pub(crate) fn restore(cx: &Context, args: &RestoreArgs) -> Result<(), Failure> {
    let opened = open(cx, &args.place)?;
    let repository = Repository::open(&opened.location, &opened.key)?;
    remember(cx, &opened.location)?;
    let options = RestoreOptions {
        only: args.only.clone(),
        overwrite: args.overwrite,
        full_paths: args.full_paths,
        no_owners: false,
    };
    let shown = Shown::new(cx.voice);
    let done = repository.restore(&args.snapshot, &args.target, &options, shown.clone());
    shown.clear();
    let summary = done?;
    problems(cx, &summary.problems);
    let text = format!(
        "Restored snapshot {} into {}: {} files written, {} already there, {}",
        summary.snapshot.short_id(),
        summary.target.display(),
        HumanCount(summary.files_restored),
        HumanCount(summary.files_verified),
        HumanBytes(summary.bytes),
    );
    cx.voice.result("restored", &text, value(&summary));
    summary.complete()?;
    Ok(())
}

/// Lists snapshots.
pub(crate) fn snapshots(cx: &Context, place: &Place) -> Result<(), Failure> {
    let opened = open(cx, place)?;
    let found = Repository::open(&opened.location, &opened.key)?.snapshots()?;
    remember(cx, &opened.location)?;
    if cx.voice.is_json() {
        for snapshot in &found {
            cx.voice.result("snapshot", "", value(snapshot));
        }
        return Ok(());
    }
    let text = if found.is_empty() {
        format!("no snapshots in {}", opened.location)
    } else {
        table(&found)
    };
    cx.voice.result("snapshots", &text, json!({}));
    Ok(())
}

fn table(snapshots: &[Snapshot]) -> String {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_header(["id", "time", "host", "tags", "files", "size", "paths"]);
    for snapshot in snapshots {
        let count = |n: Option<u64>| n.map_or_else(String::new, |n| HumanCount(n).to_string());
        let size = snapshot.bytes.map_or_else(String::new, |n| HumanBytes(n).to_string());
        table.add_row([
            snapshot.short_id().to_owned(),
            snapshot.time.clone(),
            snapshot.hostname.clone(),
            snapshot.tags.join(","),
            count(snapshot.files),
            size,
            snapshot.paths.join("\n"),
        ]);
    }
    table.trim_fmt()
}

/// Checks.
pub(crate) fn check(cx: &Context, args: &CheckArgs) -> Result<(), Failure> {
    let opened = open(cx, &args.place)?;
    let repository = Repository::open(&opened.location, &opened.key)?;
    let options = CheckOptions { read_data: args.read_data };
    let shown = Shown::new(cx.voice);
    let done = repository.check(&options, shown.clone());
    shown.clear();
    let summary = done?;
    for finding in &summary.warnings {
        cx.voice.warn(&format!("{}: {}", finding.what, finding.detail));
    }
    for finding in &summary.errors {
        cx.voice.warn(&format!("damaged: {}: {}", finding.what, finding.detail));
    }
    let scope = if summary.read_data {
        format!("all data read back ({})", HumanBytes(summary.bytes_read))
    } else {
        "NOT checked: the data itself, which --read-data reads back".to_owned()
    };
    let verdict = if summary.errors.is_empty() { "no errors" } else { "DAMAGED" };
    let text = format!(
        "{verdict}: {} snapshots, {} directories, {} pieces of content; {scope}",
        HumanCount(summary.snapshots),
        HumanCount(summary.trees),
        HumanCount(summary.blobs),
    );
    cx.voice.result("checked", &text, value(&summary));
    summary.clean()?;
    Ok(())
}

fn problems(cx: &Context, problems: &[Problem]) {
    for problem in problems {
        cx.voice.warn(&problem.to_string());
    }
}

fn value(summary: &impl Serialize) -> Value {
    serde_json::to_value(summary).unwrap_or_else(|_| json!({}))
}
