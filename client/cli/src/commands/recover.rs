//! `strongroom recover`: the backup key, back on this device.

use crate::{
    Context,
    args::RecoverArgs,
    commands::{timings, timings_line},
    connect::{Connection, connect},
    failure::{Failure, left, name, node},
    home::{Device, HomeLock},
    password, time,
};
use serde_json::json;
use strongroom_sdk::{Budget, RecoveredKey, SdkError, Voucher, WaitReason};

/// How often a person is asked in one run.
const PROMPTS: u32 = 3;

/// Recovers.
pub(crate) async fn run(cx: &Context, args: &RecoverArgs) -> Result<(), Failure> {
    let held = cx.home.lock()?;
    let mut connection = connect(cx, args.account.as_deref(), &held).await?;
    let mut device = match cx.home.device()? {
        Some(device) => device,
        None => Device::new()?,
    };
    // Spends nothing, and says what the next attempt can cost before anybody types anything.
    let asked = connection.client.budget().await;
    let (mut budget, mut by) = asked.map_err(|e| connection.failure(&e))?;
    let mut prompts = 0;
    loop {
        before_attempt(cx, args, &connection, &budget, &by)?;
        prompts += 1;
        let password = args.password.read(&format!("Password for {}", connection.account))?;
        connection = connection.looked_at_again(cx).await?;
        let client = &connection.client;
        let key = device.key()?;
        // Before anything is sent: a success makes this the record's device.
        cx.home.save(&device, &held)?;
        let error = match client.recover(&password, &key, args.keep_device).await {
            Ok(recovered) => return finish(cx, &connection, &mut device, &held, &recovered),
            Err(error) => error,
        };
        let failure = connection.failure(&error);
        let may_ask_again = args.password.is_prompt() && prompts < PROMPTS;
        match error {
            SdkError::WrongPassword { budget: now, by: signer }
                if may_ask_again && now.row_left > 0 && now.next_ms <= signer.now_ms =>
            {
                cx.voice.fail(&failure);
                (budget, by) = (now, signer);
            }
            SdkError::RefusedBefore if may_ask_again => cx.voice.fail(&failure),
            SdkError::Locked { .. } | SdkError::NoRecord { .. } => {
                // Nothing is stored: this device, if it has the key, may enrol again.
                device.generation = 0;
                cx.home.save(&device, &held)?;
                return Err(failure);
            }
            _ => return Err(failure),
        }
    }
}

/// Says what is at stake, and asks before the last attempt.
fn before_attempt(
    cx: &Context,
    args: &RecoverArgs,
    connection: &Connection,
    budget: &Budget,
    by: &Voucher,
) -> Result<(), Failure> {
    if budget.next_ms > by.now_ms {
        let reason = if budget.year_left == 0 { WaitReason::Year } else { WaitReason::Row };
        return Err(connection.failure(&SdkError::Wait {
            reason,
            budget: *budget,
            by: by.clone(),
        }));
    }
    let left = left(budget, connection.row(), by);
    if budget.row_left > 1 {
        if budget.row_left < connection.row() && !cx.voice.is_json() {
            cx.voice.note("notice", &format!("attempts: {left}"));
        }
        return Ok(());
    }
    if args.yes_last_attempt || budget.row_left == 0 {
        return Ok(());
    }
    let refused = || {
        Failure::usage(format!("this is the last attempt: {left}"))
            .hint(
                "if it fails, the backup key is destroyed and nobody can restore it; \
                 --yes-last-attempt spends it without asking",
            )
            .free()
    };
    if cx.voice.is_json() {
        return Err(refused());
    }
    let question = format!(
        "LAST ATTEMPT: {left}. If this password is wrong, the backup key is destroyed and nobody can \
         restore it.\nSpend the last attempt? (yes/no)"
    );
    match password::ask(&question) {
        Some(answer) if answer == "yes" => Ok(()),
        Some(_) => Err(Failure::declined()),
        None => Err(refused()),
    }
}

fn finish(
    cx: &Context,
    connection: &Connection,
    device: &mut Device,
    held: &HomeLock,
    recovered: &RecoveredKey,
) -> Result<(), Failure> {
    let before = device.backup_key()?;
    let kept = match before {
        Some(before) if before != recovered.backup_key => Some(cx.home.keep_aside(held)?),
        _ => None,
    };
    device.account = Some(connection.account.as_str().to_owned());
    device.generation = recovered.receipt.generation;
    device.pending = None;
    device.set_backup_key(&recovered.backup_key);
    cx.home.save(device, held)?;
    if let Some(kept) = &kept {
        cx.voice
            .warn(&format!("this device had another backup key; it is kept in {}", kept.display()));
    }
    let receipt = &recovered.receipt;
    let times: Vec<String> = receipt.failures_ms.iter().map(|ms| time::utc(*ms)).collect();
    if !times.is_empty() {
        cx.voice.warn(&format!(
            "{} wrong password(s) since the last success: {}. If that was not you, somebody signed in \
             to your account",
            times.len(),
            times.join(", ")
        ));
    }
    cx.voice.result(
        "recovered",
        &format!(
            "Recovered: the backup key of {} is on this device (generation {}, signed by node {}).\n  \
             `strongroom restore latest DIR --repository LOCATION` brings the files back{}",
            connection.account,
            receipt.generation,
            name(&recovered.by),
            timings_line(cx, &recovered.timings)
        ),
        json!({
            "account": connection.account.as_str(),
            "fleet": connection.fleet(),
            "protection": connection.protection(),
            "generation": receipt.generation,
            "failures_ms": receipt.failures_ms,
            "failures_year": receipt.failures_year,
            "attempts_left": receipt.budget.row_left,
            "attempts_left_year": receipt.budget.year_left,
            "old_kept_in": kept,
            "signed_by": node(&recovered.by),
            "timings": timings(&recovered.timings),
        }),
    );
    Ok(())
}
