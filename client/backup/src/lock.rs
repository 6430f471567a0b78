//! Keeping out of the way of restic, and restic out of ours.
//!
//! The engine knows no locks: it prunes in two steps, days apart. restic deletes at once, under an
//! exclusive lock. So a backup and a restore here leave a shared lock, which restic's `prune` respects,
//! and a backup refuses to start beside an exclusive one.
//!
//! The engine has no name for lock files either. A lock is a small encrypted JSON object, and so is a
//! snapshot, whose fields include all that a lock must have; so locks are written and read as snapshots
//! by a [`Guard`] that puts them into `locks/`.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use rustic_core::FileType;
use rustic_core::jiff::Timestamp;
use rustic_core::repofile::SnapshotFile;
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::repository::Session;
use crate::store::Kind;

/// restic renews a lock every five minutes …
const RENEW: Duration = Duration::from_secs(5 * 60);
/// … and takes one of thirty for dead.
const STALE_SECONDS: i64 = 30 * 60;
/// Sets our locks apart. As a host name it equals no machine's, so restic does not look for the process.
const MARK: &str = "strongroom on ";

/// What a lock says.
#[derive(Deserialize)]
struct Lock {
    time: String,
    #[serde(default)]
    exclusive: bool,
    #[serde(default)]
    hostname: String,
    #[serde(default)]
    username: String,
    #[serde(default)]
    pid: u64,
}

impl Lock {
    fn is_stale(&self) -> bool {
        let Ok(time) = self.time.parse::<Timestamp>() else {
            return false;
        };
        Timestamp::now().as_second() - time.as_second() > STALE_SECONDS
    }
}

/// A shared lock, renewed by a thread until it is dropped.
pub(crate) struct SharedLock {
    stop: Sender<()>,
    thread: Option<JoinHandle<()>>,
}

impl SharedLock {
    /// Takes the lock, then looks for exclusive ones, in that order: whoever comes later sees it.
    /// `session` is used for nothing else.
    pub(crate) fn take(session: Session) -> Result<Self> {
        session.guard.write_locks();
        session.write_lock()?;
        if let Err(error) = session.refuse_if_locked() {
            session.remove_own_locks(0);
            return Err(error);
        }
        let (stop, stopped) = channel();
        let thread = std::thread::spawn(move || keep(&session, &stopped));
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for SharedLock {
    fn drop(&mut self) {
        // The thread may have ended by itself; there is nothing to do about that here.
        let _ = self.stop.send(());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn keep(session: &Session, stopped: &Receiver<()>) {
    while stopped.recv_timeout(RENEW) == Err(RecvTimeoutError::Timeout) {
        // The new one first. If it cannot be written the old one stands, for half an hour.
        if session.write_lock().is_ok() {
            session.remove_own_locks(1);
        }
    }
    session.remove_own_locks(0);
}

impl Session {
    fn write_lock(&self) -> Result<()> {
        // Host and user as the engine determines them for snapshots; the process number is not in it.
        let host = rustic_core::SnapshotOptions::default()
            .to_snapshot()
            .map(|snapshot| snapshot.hostname)
            .unwrap_or_default();
        let lock = SnapshotFile {
            hostname: format!("{MARK}{host}"),
            username: std::env::var("USER").unwrap_or_default(),
            ..SnapshotFile::default()
        };
        self.engine.save_snapshots(vec![lock]).map_err(|error| self.guard.explain(&error))
    }

    /// Removes all locks that this session wrote, except for the last `keep`.
    fn remove_own_locks(&self, keep: usize) {
        for id in self.guard.forget_locks(keep) {
            // One that stays behind is stale in half an hour, and removed by the next backup.
            let _ = self.guard.store().remove(Kind::Lock, &id);
        }
    }

    /// Refuses to go on beside an exclusive lock; clears away our own dead ones.
    fn refuse_if_locked(&self) -> Result<()> {
        let locks = self.guard.files(Kind::Lock)?;
        self.guard.show_locks(locks.iter().map(|(id, _)| *id));
        for (id, _) in locks {
            // A lock that vanishes or cannot be read meanwhile is none.
            let Ok(data) = self.engine.cat_file(FileType::Snapshot, &id.to_hex()) else {
                let _ = self.guard.take_failure();
                continue;
            };
            let Ok(lock) = serde_json::from_slice::<Lock>(&data) else {
                continue;
            };
            if lock.is_stale() {
                if lock.hostname.starts_with(MARK) {
                    let _ = self.guard.store().remove(Kind::Lock, &id);
                }
            } else if lock.exclusive {
                return Err(Error::Locked {
                    location: self.guard.store().location(),
                    holder: format!("{}@{} (process {})", lock.username, lock.hostname, lock.pid),
                    since: lock.time,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustic_core::jiff::SignedDuration;

    #[test]
    fn a_lock_that_was_not_renewed_for_half_an_hour_is_stale() {
        let aged = |minutes| {
            let time = Timestamp::now() - SignedDuration::from_mins(minutes);
            let lock = format!(r#"{{"time":"{time}","exclusive":true,"pid":7}}"#);
            serde_json::from_str::<Lock>(&lock).unwrap().is_stale()
        };
        assert!(!aged(0) && !aged(29));
        assert!(aged(31));
    }
}
