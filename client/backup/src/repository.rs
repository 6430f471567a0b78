//! A repository: make it, open it, list what is in it.

use std::sync::Arc;

use rustic_core::repofile::{MasterKey, SnapshotFile, SnapshotId};
use rustic_core::{
    ConfigOptions, Credentials, KeyOptions, OpenStatus, Repository as Engine, RepositoryBackends,
    RepositoryOptions,
};

use crate::error::{Error, Result};
use crate::guard::Guard;
use crate::key::BackupKey;
use crate::location::Location;
use crate::lock::SharedLock;
use crate::progress::{Bars, Meter, Progress, Silent};
use crate::store::{self, Kind, Store};
use crate::summary::Snapshot;

/// Size at which a pack of file data is stored: what an interruption can cost, and restic's own figure.
const PACK_SIZE: &str = "16MiB";

/// An open repository. Operations take `&self`; each reads the index anew.
pub struct Repository {
    store: Arc<dyn Store>,
    master: MasterKey,
}

impl std::fmt::Debug for Repository {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Repository")
            .field("location", &self.store.location())
            .finish_non_exhaustive()
    }
}

/// One operation on a repository.
pub(crate) struct Session {
    pub(crate) engine: Engine<OpenStatus>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) meter: Arc<Meter>,
}

impl Repository {
    /// Makes an empty repository that the key opens.
    ///
    /// # Errors
    /// [`Error::RepositoryExists`], or [`Error::NotEmpty`] if the place holds other things. A
    /// repository whose config is gone is [`Error::Damaged`] and not made anew.
    pub fn init(location: &Location, key: &BackupKey) -> Result<Self> {
        let store = store::open(location)?;
        let place = store.location();
        let stranger = store.stranger().map_err(|error| Error::io("list", place.clone(), error))?;
        if let Some(example) = stranger {
            return Err(Error::NotEmpty { location: place, example });
        }
        let guard = Guard::new(store.clone(), Meter::new(Arc::new(Silent)));
        if !guard.files(Kind::Config)?.is_empty() {
            return Err(Error::RepositoryExists { location: place });
        }
        store.create().map_err(|error| Error::io("create", place.clone(), error))?;
        if !guard.files(Kind::Snapshot)?.is_empty() || !guard.files(Kind::Index)?.is_empty() {
            return Err(Error::damaged(
                format!("{place}/config"),
                "the file is missing, though there are snapshots",
            ));
        }
        // An init that was interrupted leaves a key file without a config. It holds another master
        // key, which would answer to the same digits later.
        for (id, _) in guard.files(Kind::Key)? {
            store
                .remove(Kind::Key, &id)
                .map_err(|error| Error::io("remove", Kind::Key.describe(&id), error))?;
        }
        let mut config = ConfigOptions::default();
        config.set_datapack_size = PACK_SIZE.parse().ok();
        let engine = engine(&guard, &Meter::new(Arc::new(Silent)))?
            .init(&credentials(key), &KeyOptions::default(), &config)
            .map_err(|error| guard.explain(&error))?;
        Ok(Self { master: engine.key(), store })
    }

    /// Opens a repository.
    ///
    /// # Errors
    /// [`Error::NoRepository`], [`Error::WrongKey`], [`Error::Damaged`] if key files or config are.
    pub fn open(location: &Location, key: &BackupKey) -> Result<Self> {
        let store = store::open(location)?;
        let meter = Meter::new(Arc::new(Silent));
        let guard = Guard::new(store.clone(), meter.clone());
        if guard.files(Kind::Config)?.is_empty() {
            let Location::Local(path) = location;
            return Err(Error::NoRepository {
                location: store.location(),
                why: if path.exists() { "it has no file \"config\"" } else { "there is nothing" },
            });
        }
        let keys = guard.files(Kind::Key)?.len();
        let opened = engine(&guard, &meter)?.open(&credentials(key));
        let engine = opened.map_err(|error| {
            if let Some(failure) = guard.take_failure() {
                failure
            } else if error.is_incorrect_password() {
                Error::WrongKey { location: store.location(), keys }
            } else {
                // The key file was opened, so the digits are right and the config is not.
                Error::damaged(format!("{}/config", store.location()), error.display_log())
            }
        })?;
        Ok(Self { master: engine.key(), store })
    }

    /// Where it is.
    pub fn location(&self) -> String {
        self.store.location()
    }

    /// All snapshots, oldest first.
    ///
    /// # Errors
    /// [`Error::Damaged`] if one of them cannot be read; [`Repository::check`] lists which.
    pub fn snapshots(&self) -> Result<Vec<Snapshot>> {
        let session = self.session(Arc::new(Silent))?;
        let files = session.snapshot_files()?;
        Ok(files.iter().map(Snapshot::from_file).collect())
    }

    /// The snapshot that `latest`, an id or a unique prefix of one names.
    pub fn snapshot(&self, wanted: &str) -> Result<Snapshot> {
        let session = self.session(Arc::new(Silent))?;
        Ok(Snapshot::from_file(&session.find_snapshot(wanted)?))
    }

    #[cfg(test)]
    pub(crate) fn replace_store(&mut self, store: Arc<dyn Store>) {
        self.store = store;
    }

    /// Keeps restic's prune away until dropped.
    pub(crate) fn lock(&self) -> Result<SharedLock> {
        SharedLock::take(self.session(Arc::new(Silent))?)
    }

    pub(crate) fn session(&self, progress: Arc<dyn Progress>) -> Result<Session> {
        let meter = Meter::new(progress);
        let guard = Guard::new(self.store.clone(), meter.clone());
        let engine = engine(&guard, &meter)?
            .open(&Credentials::Masterkey(self.master.clone()))
            .map_err(|error| guard.explain(&error))?;
        Ok(Session { engine, guard, meter })
    }
}

impl Session {
    /// All snapshots, oldest first.
    pub(crate) fn snapshot_files(&self) -> Result<Vec<SnapshotFile>> {
        let mut files =
            self.engine.get_all_snapshots().map_err(|error| self.guard.explain(&error))?;
        files.sort_by(|a, b| a.time.cmp(&b.time).then_with(|| a.id.cmp(&b.id)));
        Ok(files)
    }

    /// Finds one by `latest` or by a prefix. Only what is needed is read, so that one damaged
    /// snapshot does not stand in the way of another that was named.
    pub(crate) fn find_snapshot(&self, wanted: &str) -> Result<SnapshotFile> {
        let missing = |have| Error::NoSnapshot { wanted: wanted.to_owned(), have };
        if wanted == "latest" {
            return self.snapshot_files()?.pop().ok_or_else(|| missing(0));
        }
        let all = self.guard.files(Kind::Snapshot)?;
        let have = all.len();
        let matching: Vec<_> = all
            .into_iter()
            .filter(|(id, _)| !wanted.is_empty() && id.to_hex().starts_with(wanted))
            .collect();
        match matching.as_slice() {
            [] => Err(missing(have)),
            [(id, _)] => {
                let id = SnapshotId::from(*id);
                let mut file: SnapshotFile =
                    self.engine.get_file(&id).map_err(|error| self.guard.explain(&error))?;
                file.id = id;
                Ok(file)
            }
            several => {
                Err(Error::AmbiguousSnapshot { wanted: wanted.to_owned(), matches: several.len() })
            }
        }
    }
}

fn engine(guard: &Arc<Guard>, meter: &Arc<Meter>) -> Result<Engine<()>> {
    let options = RepositoryOptions::default().no_cache(true);
    let backends = RepositoryBackends::new(guard.clone(), None);
    Engine::new_with_progress(&options, &backends, Bars(meter.clone()))
        .map_err(|error| Error::engine(&error))
}

fn credentials(key: &BackupKey) -> Credentials {
    Credentials::password(key.digits().as_str())
}
