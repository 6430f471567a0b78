//! The backup key on this device: the way out without us.

use crate::{
    Context,
    args::ImportArgs,
    failure::Failure,
    home::{Device, no_key},
    password,
};
use serde_json::json;
use std::path::Path;
use strongroom_backup::BackupKey as Digits;
use strongroom_sdk::BackupKey;

/// Prints the 64 digits.
pub(crate) fn show(cx: &Context) -> Result<(), Failure> {
    let device = cx.home.device()?.ok_or_else(no_key)?;
    let key = device.wanted_backup_key()?;
    let digits = Digits::from_bytes(*key.as_bytes()).digits();
    cx.voice.result("key", &digits, json!({"digits": digits.as_str()}));
    Ok(())
}

/// Takes a key from its digits.
pub(crate) fn import(cx: &Context, args: &ImportArgs) -> Result<(), Failure> {
    let digits = match &args.key_file {
        None => password::prompt("Backup key (64 hexadecimal digits)")?,
        Some(path) if path == Path::new("-") => password::first_line(std::io::stdin())
            .map_err(|e| Failure::usage(format!("cannot read standard input: {e}")))?,
        Some(path) => password::first_line_of_file(path)?,
    };
    let key = Digits::from_digits(&digits)?;
    let held = cx.home.lock()?;
    let mut device = match cx.home.device()? {
        Some(device) => device,
        None => Device::new()?,
    };
    let key = BackupKey::from_bytes(*key.as_bytes());
    let before = device.backup_key()?;
    let mut kept = None;
    if before.as_ref().is_some_and(|before| *before != key) {
        if !args.replace {
            return Err(Failure::usage("this device has another backup key").hint(
                "--replace takes the new one and keeps the old file beside it; what the old key \
                 opens needs the old key",
            ));
        }
        kept = Some(cx.home.keep_aside(&held)?);
        // The stored record holds the old key: it is not this one's.
        device.generation = 0;
        device.pending = None;
    }
    device.set_backup_key(&key);
    cx.home.save(&device, &held)?;
    let mut text = "The backup key is on this device.".to_owned();
    if device.generation == 0 {
        text.push_str(" `strongroom enroll` stores it under a password.");
    }
    if let Some(kept) = &kept {
        text.push_str(&format!("\nThe old one is kept in {}.", kept.display()));
    }
    cx.voice.result("key_imported", &text, json!({"old_kept_in": kept}));
    Ok(())
}
