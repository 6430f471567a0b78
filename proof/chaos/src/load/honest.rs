//! People who know their password. None of them may ever lose an attempt or a key.

use super::device::{Attempt, Device, Door};
use std::sync::atomic::Ordering;
use strongroom_account::Password;
use strongroom_protocol::{BackupKey, FreshAuthority};

/// Registrations over a record: more would wait for their grants.
const RENEWALS: u32 = 2;
/// Clients beside those that were counted out.
const TWINS_FROM: u32 = 1_000_000;

fn password(account: &str) -> Option<Password> {
    Password::prepare(&format!("the right one of {account}")).ok()
}

/// Enrols, recovers again and again, sometimes with a new key, and recovers once more at the end.
pub(super) async fn honest(door: Door) {
    let Some(mut device) = door.open() else { return };
    let Some(password) = password(&device.account) else { return };
    let Some(mut key) = enroll(&mut device, &password, None).await else { return };
    let mut renewals = 0;
    loop {
        device.dawdle(300, 1_500).await;
        let is_last = device.shared.is_stopping();
        let fresh = recover(&mut device, &password, &key).await;
        if is_last {
            return;
        }
        let Some(fresh) = fresh else { continue };
        if renewals < RENEWALS && device.below(8) == 0 {
            renewals += 1;
            match enroll(&mut device, &password, Some(&fresh)).await {
                Some(newer) => key = newer,
                // Only at the end of a run does a receipt stay away: then nobody knows.
                None => return,
            }
        }
    }
}

/// New accounts, one after the other, each of which gets its key back once, and again at the end.
pub(super) async fn newcomers(doors: Vec<Door>) {
    let mut enrolled = Vec::new();
    for door in doors {
        let shared = std::sync::Arc::clone(&door.shared);
        if shared.is_stopping() {
            break;
        }
        let Some(mut device) = door.open() else { return };
        let Some(password) = password(&device.account) else { return };
        device.dawdle(200, 600).await;
        let Some(key) = enroll(&mut device, &password, None).await else { return };
        recover(&mut device, &password, &key).await;
        enrolled.push((device, password, key));
    }
    for (mut device, password, key) in enrolled {
        recover(&mut device, &password, &key).await;
    }
}

/// Two devices of one account that know nothing of each other: their attempts may close one
/// another, which costs what it costs. What they see must still be one history.
pub(super) async fn twins(mut door: Door) {
    let other = door.twin(TWINS_FROM + door.client);
    let (Some(mut one), Some(mut other)) = (door.open(), other.open()) else { return };
    let Some(password) = password(&one.account) else { return };
    if enroll(&mut one, &password, None).await.is_none() {
        return;
    }
    let shared = std::sync::Arc::clone(&one.shared);
    while !shared.is_stopping() {
        one.dawdle(2_000, 5_000).await;
        other.dawdle(0, 30).await;
        tokio::join!(one.recover(&password, true), other.recover(&password, true));
    }
}

async fn enroll(
    device: &mut Device,
    password: &Password,
    fresh: Option<&FreshAuthority>,
) -> Option<BackupKey> {
    let key = BackupKey::from_bytes(device.seed());
    let stored = device.enroll(password, &key, fresh).await;
    if stored.is_none() && !device.shared.is_stopping() {
        device.shared.book.broken(format!("{}: an enrolment was refused", device.account));
    }
    stored.map(|_| key)
}

/// Recovers and looks at what came: the key that was acknowledged, and no attempt lost.
async fn recover(
    device: &mut Device,
    password: &Password,
    expected: &BackupKey,
) -> Option<FreshAuthority> {
    let account = device.account.clone();
    let broken = |story: String| format!("{account}: {story}");
    match device.recover(password, true).await {
        Attempt::Key(recovered) => {
            let book = &device.shared.book;
            if recovered.backup_key != *expected {
                book.broken(broken("another key came back than was acknowledged".to_owned()));
            }
            let lost = recovered.receipt.failures_ms.len();
            if lost > 0 {
                book.broken(broken(format!("an honest user lost {lost} attempts")));
            }
            let cold_starts = device.shared.cold_starts.load(Ordering::Relaxed);
            if cold_starts == 0 && recovered.receipt.failures_year > 0 {
                let lost = recovered.receipt.failures_year;
                book.broken(broken(format!("an honest user's year counts {lost} failures")));
            }
            Some(recovered.fresh)
        }
        Attempt::Failed { failed, .. } => {
            let story = format!("an honest attempt failed: {:?}", failed.why);
            device.shared.book.broken(broken(story));
            None
        }
        Attempt::Wait { .. } => {
            device.shared.book.broken(broken("an honest user has to wait".to_owned()));
            None
        }
        Attempt::Nothing => {
            if !device.shared.is_stopping() {
                device.shared.book.broken(broken("an honest attempt was refused".to_owned()));
            }
            None
        }
    }
}
