//! `strongroom status`: how the stored key stands, as the fleet signs it.

use crate::{
    Context,
    commands::{owner, timings},
    connect::{Connection, connect},
    failure::{Failure, left, name, node},
    home::{Device, HomeLock},
    time,
};
use serde_json::json;
use strongroom_sdk::{ProtocolError, Refusal, SdkError, StatusAnswer};

/// Asks, and settles what was pending.
pub(crate) async fn run(cx: &Context) -> Result<(), Failure> {
    let held = cx.home.lock()?;
    let connection = connect(cx, None, &held).await?;
    let device = cx.home.device()?;
    let Some(mut device) = device.filter(|d| d.generation > 0 || d.pending.is_some()) else {
        return budget(cx, &connection).await;
    };
    let pending = device.pending.as_ref().map(|pending| pending.generation);
    let known = Some(device.generation).filter(|generation| *generation > 0);
    // A registration without a receipt is there or not: the first that the fleet knows is the truth.
    let mut answer = None;
    for generation in pending.into_iter().chain(known) {
        match ask(cx, &connection, &mut device, &held, generation).await {
            Err(error) if is_other_generation(&error) => answer = Some(Err(error)),
            done => {
                answer = Some(done);
                break;
            }
        }
    }
    let Some(answer) = answer else {
        return budget(cx, &connection).await;
    };
    match answer {
        Ok(answer) => {
            device.generation = answer.status.generation;
            device.pending = None;
            cx.home.save(&device, &held)?;
            say(cx, &connection, &answer, pending);
            Ok(())
        }
        Err(error) => {
            let still_waits = device.pending.as_ref().and_then(|p| p.effective_ms);
            // The fleet says that the registration is not there and, unless it was announced, will
            // not come: its entry has been refused or has expired by now.
            if is_refusal(&error) && device.pending.is_some() && still_waits.is_none() {
                device.pending = None;
            }
            if is_gone(&error) {
                device.generation = 0;
            }
            cx.home.save(&device, &held)?;
            let failure = connection.failure(&error);
            Err(match still_waits {
                Some(at) => failure.hint(format!(
                    "the replacement of this device takes effect at {}, unless the owner objects",
                    time::utc(at)
                )),
                None => failure,
            })
        }
    }
}

async fn ask(
    cx: &Context,
    connection: &Connection,
    device: &mut Device,
    held: &HomeLock,
    generation: u64,
) -> Result<StatusAnswer, SdkError> {
    let owner = owner(device, generation).map_err(|_| SdkError::NoEntropy)?;
    cx.home.save(device, held).map_err(|_| SdkError::NoEntropy)?;
    connection.client.status(&owner).await
}

fn is_other_generation(error: &SdkError) -> bool {
    matches!(
        error,
        SdkError::Protocol {
            error: ProtocolError::Refused { why: Refusal::GenerationMoved | Refusal::NotOwner, .. },
            ..
        }
    )
}

/// Whether nothing is stored, so that this device may enrol again.
fn is_gone(error: &SdkError) -> bool {
    matches!(
        error,
        SdkError::Protocol { error: ProtocolError::Refused { why: Refusal::NoRecord, .. }, .. }
    )
}

fn is_refusal(error: &SdkError) -> bool {
    matches!(error, SdkError::Protocol { error: ProtocolError::Refused { .. }, .. })
}

/// A device that is not enrolled may still ask how many attempts are left.
async fn budget(cx: &Context, connection: &Connection) -> Result<(), Failure> {
    let asked = connection.client.budget().await;
    let (budget, by) = asked.map_err(|e| connection.failure(&e))?;
    cx.voice.result(
        "budget",
        &format!(
            "This device is not enrolled for {}.\n  attempts: {}",
            connection.account,
            left(&budget, connection.row(), &by)
        ),
        json!({
            "account": connection.account.as_str(),
            "enrolled": false,
            "attempts_left": budget.row_left,
            "attempts_left_year": budget.year_left,
            "next_attempt_ms": budget.next_ms,
            "signed_by": node(&by),
        }),
    );
    Ok(())
}

fn say(cx: &Context, connection: &Connection, answer: &StatusAnswer, pending: Option<u64>) {
    let StatusAnswer { status, by, timings: spent } = answer;
    if status.cancelled_replacement {
        cx.voice.warn(
            "somebody without authority had announced to replace this key; asking cancelled it",
        );
    }
    let times: Vec<String> = status.failures_ms.iter().map(|ms| time::utc(*ms)).collect();
    let failures = if times.is_empty() {
        "none since the last success".to_owned()
    } else {
        format!("{} since the last success: {}", times.len(), times.join(", "))
    };
    let mut lines = vec![
        ("account", connection.account.to_string()),
        ("fleet", format!("{} (protection: {})", connection.fleet(), connection.protection())),
        (
            "stored",
            format!(
                "generation {} of {}, keyset {}",
                status.generation,
                time::utc(status.registered_ms),
                status.keyset
            ),
        ),
        ("devices", status.devices.to_string()),
        (
            "attempts",
            format!(
                "{} of {} in a row, {} of {} in a year",
                status.budget.row_left,
                connection.row(),
                status.budget.year_left,
                connection.manifest.policy.year
            ),
        ),
        ("failures", failures),
    ];
    if let Some(old) = status.destroyed {
        let how = if status.erased {
            "destroyed and erased everywhere"
        } else {
            "destroyed; its traces are not erased everywhere yet"
        };
        lines.push(("earlier", format!("generation {old} is {how}")));
    }
    if pending == Some(status.generation) {
        lines.push(("receipt", "the registration without a receipt is stored".to_owned()));
    }
    lines.push(("signed", format!("by node {} at {}", name(by), time::utc(by.now_ms))));
    let text: Vec<String> =
        lines.iter().map(|(what, value)| format!("{what:<10}{value}")).collect();
    cx.voice.result(
        "status",
        &text.join("\n"),
        json!({
            "account": connection.account.as_str(),
            "enrolled": true,
            "fleet": connection.fleet(),
            "protection": connection.protection(),
            "generation": status.generation,
            "registered_ms": status.registered_ms,
            "keyset": status.keyset,
            "devices": status.devices,
            "attempts_left": status.budget.row_left,
            "attempts_left_year": status.budget.year_left,
            "next_attempt_ms": status.budget.next_ms,
            "failures_ms": status.failures_ms,
            "failures_year": status.failures_year,
            "cancelled_replacement": status.cancelled_replacement,
            "destroyed_generation": status.destroyed,
            "erased": status.erased,
            "signed_by": node(by),
            "timings": timings(spent),
        }),
    );
}
