//! `strongroom password change`: the same key under another password.

use crate::{
    Context,
    args::ChangeArgs,
    commands::{receipt, timings_line},
    connect::connect,
    failure::{Failure, name},
    home::{Pending, no_key},
};
use strongroom_sdk::{Authority, SdkError};

/// Changes the password. This device's key says that it may; the old password is not needed.
pub(crate) async fn run(cx: &Context, args: &ChangeArgs) -> Result<(), Failure> {
    let held = cx.home.lock()?;
    let connection = connect(cx, None, &held).await?;
    let mut device = cx.home.device()?.ok_or_else(no_key)?;
    let backup_key = device.wanted_backup_key()?;
    if device.generation == 0 {
        return Err(Failure::usage("this device is not enrolled")
            .hint(
                "`strongroom enroll` stores its key; `strongroom status` asks about a lost receipt",
            )
            .free());
    }
    let account = connection.account.as_str();
    let password = args.password.read_new(account, args.allow_weak)?;
    let connection = connection.looked_at_again(cx).await?;
    let client = &connection.client;
    let key = device.key()?;
    let enrolment = client
        .begin_enroll(&password, &backup_key, &key)
        .await
        .map_err(|e| connection.failure(&e))?;
    let authority =
        Authority::Device { key, generation: device.generation, counter: device.take_counters() };
    device.pending = Some(Pending { generation: enrolment.generation(), effective_ms: None });
    cx.home.save(&device, &held)?;
    let changed = match client.finish_enroll(enrolment, &authority).await {
        Ok(changed) => changed,
        Err(error @ SdkError::ReceiptMissing { .. }) => {
            return Err(connection
                .failure(&error)
                .hint("both passwords may be the right one; `strongroom status` says which"));
        }
        Err(error) => {
            device.pending = None;
            cx.home.save(&device, &held)?;
            return Err(connection.failure(&error));
        }
    };
    device.generation = changed.receipt.generation;
    device.pending = None;
    cx.home.save(&device, &held)?;
    cx.voice.result(
        "password_changed",
        &format!(
            "Changed: the old password opens nothing any more (generation {}, signed by node {}).{}",
            changed.receipt.generation,
            name(&changed.by),
            timings_line(cx, &changed.timings)
        ),
        receipt(&changed, &connection),
    );
    Ok(())
}
