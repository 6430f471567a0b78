//! The user's data: encrypted, deduplicated, incremental and resumable backups in the restic
//! repository format, opened by the 64 hexadecimal digits of the backup key.
//!
//! **What it is.** A synchronous library over `rustic_core`. The engine chunks, packs and encrypts on
//! the way in; reading back (restore, check) is written here, on the engine's index and decryption,
//! because its own restore panics on a damaged pack, follows symbolic links that are in the target,
//! and holds the data in memory. Stock `restic` opens the same repository with the same digits.
//!
//! **What it may assume.** The key is random and secret; this machine's file system is honest; the
//! paths below the target of a restore are not changed by others meanwhile.
//!
//! **What it must never do.** Believe the store with more than availability: what comes back is
//! compared with its SHA-256. Write outside the target of a restore, whatever a snapshot says. Put a
//! file under its name before all of its content is there. Call a backup complete that is not: what
//! could not be read is listed. Show the key.
//!
//! ```no_run
//! use std::sync::Arc;
//! use strongroom_backup::{BackupKey, BackupOptions, Repository, RestoreOptions, Silent};
//!
//! # fn main() -> strongroom_backup::Result<()> {
//! let key = BackupKey::from_digits(&"5e".repeat(32))?;
//! let repository = Repository::init(&"/srv/backup".parse()?, &key)?;
//! let paths = ["/home/ada/photos".into()];
//! let done = repository.backup(&paths, &BackupOptions::default(), Arc::new(Silent))?;
//! println!("{} new files in snapshot {}", done.files_new, done.snapshot.id);
//! let back = RestoreOptions::default();
//! repository.restore("latest", "out".as_ref(), &back, Arc::new(Silent))?.complete()?;
//! # Ok(())
//! # }
//! ```
#![forbid(unsafe_code)]
#![deny(missing_docs)]

mod backup;
mod check;
mod error;
#[cfg(test)]
mod faults;
mod guard;
mod key;
mod local;
mod location;
mod lock;
mod progress;
mod repository;
mod restore;
mod resume;
mod source;
mod store;
mod summary;
mod tree;

pub use backup::BackupOptions;
pub use check::CheckOptions;
pub use error::{Blame, Error, Result};
pub use key::BackupKey;
pub use location::{Location, SCHEMES};
pub use progress::{Flow, Phase, Progress, Silent, Update};
pub use repository::Repository;
pub use restore::RestoreOptions;
pub use summary::{
    BackupSummary, CheckSummary, Finding, Problem, ProblemKind, RestoreSummary, Snapshot,
};
