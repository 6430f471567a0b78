//! `strongroom destroy`: the stored key goes, the one on this device stays.

use crate::{
    Context,
    args::DestroyArgs,
    commands::owner,
    connect::connect,
    failure::{Failure, name, node},
    home::no_key,
    password,
};
use serde_json::json;

/// Destroys the record.
pub(crate) async fn run(cx: &Context, args: &DestroyArgs) -> Result<(), Failure> {
    let held = cx.home.lock()?;
    let connection = connect(cx, None, &held).await?;
    let mut device = cx.home.device()?.ok_or_else(no_key)?;
    let account = connection.account.as_str();
    if !args.yes {
        let question = format!(
            "The stored backup key of {account} will be destroyed; no password restores it then.\n\
             Type the account's name to go on"
        );
        match password::ask(&question) {
            None => {
                return Err(Failure::usage("nobody to ask: standard input is not a terminal")
                    .hint("--yes destroys without asking")
                    .free());
            }
            Some(answer) if answer == account => {}
            Some(_) => return Err(Failure::declined()),
        }
        connection.still_stands(cx).await?;
    }
    let generation = device.generation;
    let owner = owner(&mut device, generation)?;
    cx.home.save(&device, &held)?;
    let gone = connection.client.destroy(&owner).await.map_err(|e| connection.failure(&e))?;
    device.generation = 0;
    device.pending = None;
    cx.home.save(&device, &held)?;
    let how = if gone.found_gone { "nothing is stored any more" } else { "destroyed" };
    cx.voice.result(
        "destroyed",
        &format!(
            "Generation {}: {how} (signed by node {}).\nThis device still has its backup key; `strongroom \
             enroll` stores it again.",
            gone.generation,
            name(&gone.by)
        ),
        json!({
            "account": account,
            "generation": gone.generation,
            "found_gone": gone.found_gone,
            "signed_by": node(&gone.by),
        }),
    );
    Ok(())
}
