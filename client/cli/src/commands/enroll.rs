//! `strongroom enroll`: a backup key, stored under a password.

use crate::{
    Context,
    args::EnrollArgs,
    commands::{receipt, timings_line},
    connect::{Connection, connect},
    failure::{Failure, exit, name},
    home::{Device, Pending},
    password, time,
};
use strongroom_sdk::{Authority, BackupKey, Enrolled, SdkError, random};

/// Enrols.
pub(crate) async fn run(cx: &Context, args: &EnrollArgs) -> Result<(), Failure> {
    let held = cx.home.lock()?;
    let connection = connect(cx, args.account.as_deref(), &held).await?;
    let mut device = match cx.home.device()? {
        Some(device) => device,
        None => Device::new()?,
    };
    refuse_if_enrolled(&device)?;
    explain(cx, &connection);
    let account = connection.account.as_str().to_owned();
    let password = args.password.read_new(&account, args.allow_weak)?;
    let connection = connection.looked_at_again(cx).await?;
    let backup_key = match device.backup_key()? {
        Some(key) => key,
        None => BackupKey::from_bytes(random().map_err(|e| connection.failure(&e))?),
    };
    device.account = Some(account);
    device.set_backup_key(&backup_key);
    // Before anything is sent: a stored record whose device lost its key would be nobody's.
    cx.home.save(&device, &held)?;

    let client = &connection.client;
    let key = device.key()?;
    let enrolment = client
        .begin_enroll(&password, &backup_key, &key)
        .await
        .map_err(|e| connection.failure(&e))?;
    if enrolment.occupied() && !args.replace {
        if !may_announce(cx, &connection) {
            let by = enrolment.by().clone();
            return Err(connection.failure(&SdkError::Occupied { by }));
        }
        connection.still_stands(cx).await?;
    }
    device.pending = Some(Pending { generation: enrolment.generation(), effective_ms: None });
    cx.home.save(&device, &held)?;
    let enrolled = match client.finish_enroll(enrolment, &Authority::None).await {
        Ok(enrolled) => enrolled,
        Err(error @ SdkError::ReceiptMissing { .. }) => return Err(connection.failure(&error)),
        Err(error) => {
            device.pending = None;
            cx.home.save(&device, &held)?;
            return Err(connection.failure(&error));
        }
    };
    let receipt = &enrolled.receipt;
    if receipt.effective_ms == 0 {
        device.generation = receipt.generation;
        device.pending = None;
    } else {
        device.pending = Some(Pending {
            generation: receipt.generation,
            effective_ms: Some(receipt.effective_ms),
        });
    }
    cx.home.save(&device, &held)?;
    say(cx, &connection, &enrolled)
}

fn refuse_if_enrolled(device: &Device) -> Result<(), Failure> {
    if device.generation > 0 {
        return Err(Failure::usage("this device is enrolled already")
            .hint("`strongroom password change` takes another password; `strongroom status` asks")
            .free());
    }
    if let Some(pending) = &device.pending {
        let what = match pending.effective_ms {
            None => "an enrolment without a receipt".to_owned(),
            Some(at) => format!("a replacement announced for {}", time::utc(at)),
        };
        return Err(Failure::new(exit::PARTIAL, "pending", format!("there is {what}"))
            .hint("`strongroom status` asks what became of it")
            .free());
    }
    Ok(())
}

/// Said before the password is chosen, since afterwards it is too late.
fn explain(cx: &Context, connection: &Connection) {
    let policy = &connection.manifest.policy;
    cx.voice.note(
        "notice",
        &format!(
            "The password for {} brings your backup key back when this device is gone.\n\
             If you forget it: this device still has the key, and `strongroom key show` prints it. \
             If the device is\ngone too, nobody can restore it, neither the app nor the operator.\n\
             After {} wrong passwords in a row, or while {} were wrong within a year, nothing is \
             restored; the former\ndestroys the stored key.",
            connection.account, policy.row, policy.year
        ),
    );
}

/// Asks whether to announce a replacement over somebody else's record.
fn may_announce(cx: &Context, connection: &Connection) -> bool {
    if cx.voice.is_json() {
        return false;
    }
    let days = time::duration(connection.manifest.policy.replace_ms);
    let question = format!(
        "Another device owns the backup key of {}. A replacement takes effect in {days}, unless that \
         device\nobjects. If you know the password, use `strongroom recover` instead.\n\
         Announce the replacement? (yes/no)",
        connection.account
    );
    password::ask(&question).is_some_and(|answer| answer == "yes")
}

fn say(cx: &Context, connection: &Connection, enrolled: &Enrolled) -> Result<(), Failure> {
    let facts = receipt(enrolled, connection);
    let by = name(&enrolled.by);
    let effective_ms = enrolled.receipt.effective_ms;
    if effective_ms > 0 {
        cx.voice.result(
            "replacement_announced",
            &format!(
                "Announced: from {} the key of this device replaces the stored one, unless its owner \
                 objects (signed by node {by}).\nUntil then nothing of this device is stored.",
                time::utc(effective_ms)
            ),
            facts,
        );
        return Err(Failure::new(exit::PARTIAL, "replacement_announced", "not stored yet")
            .hint("`strongroom status` after that time says whether it is")
            .free());
    }
    let left = enrolled.receipt.budget.row_left;
    let destroyed = enrolled
        .receipt
        .destroyed
        .map_or(String::new(), |old| format!("\n  generation {old} was destroyed"));
    cx.voice.result(
        "enrolled",
        &format!(
            "Stored: the backup key of {} in fleet {}, generation {} (signed by node {by}).\n  \
             {left} attempts in a row before it is destroyed{destroyed}{}",
            connection.account,
            connection.fleet(),
            enrolled.receipt.generation,
            timings_line(cx, &enrolled.timings)
        ),
        facts,
    );
    Ok(())
}
