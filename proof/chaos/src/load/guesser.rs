//! Somebody with a user's token and no password. The fleet may evaluate ten guesses in a row for
//! them and forty in a year, whatever is done to its nodes.

use super::device::{Attempt, Device, Door};
use std::time::Duration;
use strongroom_account::Password;
use strongroom_protocol::{BackupKey, Failure};

const ROW: u32 = 10;
const YEAR: u32 = 40;
/// A wait that is longer is not waited for.
const PATIENCE_MS: u64 = 10_000;

/// Guesses at one account after the other.
pub(super) async fn guesser(doors: Vec<Door>) {
    for door in doors {
        let Some(mut device) = door.open() else { return };
        if device.shared.is_stopping() {
            return;
        }
        guess_at(&mut device).await;
    }
}

/// Counted here, and by nobody who is tested.
#[derive(Default)]
struct Evaluated {
    row: u32,
    year: u32,
}

async fn guess_at(device: &mut Device) {
    let Ok(right) = Password::prepare(&format!("the right one of {}", device.account)) else {
        return;
    };
    let mut evaluated = Evaluated::default();
    let mut live = false;
    let mut guesses = 0_u32;
    while !device.shared.is_stopping() {
        if !live {
            let key = BackupKey::from_bytes(device.seed());
            if device.enroll(&right, &key, None).await.is_none() {
                return;
            }
            live = true;
            // A registration may begin a new row; the year it never touches.
            evaluated.row = 0;
        }
        device.dawdle(150, 900).await;
        if device.below(12) == 0 {
            if let Attempt::Key(_) = device.recover(&right, true).await {
                evaluated.row = 0;
            }
            continue;
        }
        guesses += 1;
        let Ok(wrong) = Password::prepare(&format!("guess {guesses} at {}", device.account)) else {
            return;
        };
        match device.recover(&wrong, false).await {
            Attempt::Key(_) => {
                device.shared.book.broken(format!("{}: a wrong password fits", device.account));
            }
            Attempt::Failed { failed, charged } => {
                live = failed.why == Failure::WrongPassword;
                // Without a record what was answered is a stand-in: nothing was evaluated.
                if charged && failed.why != Failure::NoRecord {
                    count(device, &mut evaluated);
                }
            }
            // Whether it was evaluated nobody knows: then it is not counted against the fleet.
            Attempt::Nothing => {}
            Attempt::Wait { year, for_ms } => {
                if year || for_ms > PATIENCE_MS {
                    return;
                }
                device.shared.pause(Duration::from_millis(for_ms + 20)).await;
            }
        }
    }
}

fn count(device: &Device, evaluated: &mut Evaluated) {
    evaluated.row += 1;
    evaluated.year += 1;
    if evaluated.row > ROW || evaluated.year > YEAR {
        device.shared.book.broken(format!(
            "{}: {} guesses in a row and {} in a year were evaluated",
            device.account, evaluated.row, evaluated.year
        ));
    }
}
