//! Stands between the engine and the store.
//!
//! The engine logs many failures and goes on, drops the cause of others, and believes what a store
//! returns. So everything it asks for passes here: files are compared with the hash that names them,
//! the first real failure is kept for the report, and a cancelled or failed backup can write no
//! snapshot, since that would look like a complete one.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use rustic_core::{
    BytesList, ErrorKind, FileType, Id, ReadBackend, RusticError, RusticResult, WriteBackend,
};
use serde::Deserialize;

use crate::error::{Error, Result};
use crate::progress::Meter;
use crate::store::{Kind, Store};

/// One operation's view of a store.
pub(crate) struct Guard {
    store: Arc<dyn Store>,
    meter: Arc<Meter>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The first failure, in our words.
    failure: Option<Error>,
    /// A write failed: nothing that follows may claim to be complete.
    write_failed: bool,
    /// Packs that are to be treated as absent.
    hidden: BTreeSet<Id>,
    /// Lock files, which the engine can decrypt only under the name of a kind it knows.
    locks: BTreeSet<Id>,
    /// Snapshots that are written here are locks: those written so far.
    own_locks: Option<Vec<Id>>,
}

/// A piece of a pack that this thread has read ahead.
struct Window {
    pack: Id,
    offset: u32,
    data: Bytes,
}

thread_local! {
    /// Packs are named by their content, so a window is right in whatever repository it is used.
    static WINDOW: RefCell<Option<Window>> = const { RefCell::new(None) };
}

impl Guard {
    pub(crate) fn new(store: Arc<dyn Store>, meter: Arc<Meter>) -> Arc<Self> {
        Arc::new(Self { store, meter, state: Mutex::default() })
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The best explanation of an error of the engine.
    pub(crate) fn explain(&self, error: &RusticError) -> Error {
        if self.meter.is_cancelled() {
            return Error::Cancelled;
        }
        self.take_failure().unwrap_or_else(|| Error::engine(error))
    }

    pub(crate) fn take_failure(&self) -> Option<Error> {
        self.with_state(|state| state.failure.take())
    }

    pub(crate) fn has_write_failed(&self) -> bool {
        self.with_state(|state| state.write_failed)
    }

    pub(crate) fn hide_packs(&self, packs: impl IntoIterator<Item = Id>) {
        self.with_state(|state| state.hidden.extend(packs));
    }

    pub(crate) fn show_locks(&self, locks: impl IntoIterator<Item = Id>) {
        self.with_state(|state| state.locks.extend(locks));
    }

    /// From now on what the engine writes as a snapshot is a lock.
    pub(crate) fn write_locks(&self) {
        self.with_state(|state| state.own_locks = Some(Vec::new()));
    }

    /// The locks that were written here, oldest first, except for the last `keep`.
    pub(crate) fn forget_locks(&self, keep: usize) -> Vec<Id> {
        self.with_state(|state| {
            let own = state.own_locks.get_or_insert_default();
            own.drain(..own.len().saturating_sub(keep)).collect()
        })
    }

    /// All files of a kind.
    pub(crate) fn files(&self, kind: Kind) -> Result<Vec<(Id, u32)>> {
        self.store.list(kind).map_err(|error| Error::io("list", self.name(kind), error))
    }

    /// A whole file whose content is what its name says.
    pub(crate) fn read_checked(&self, kind: Kind, id: &Id) -> Result<Bytes> {
        let what = kind.describe(id);
        let data = self.store.read(kind, id).map_err(|error| {
            if error.kind() == io::ErrorKind::NotFound {
                Error::damaged(what.clone(), "the file is missing")
            } else {
                Error::io("read", what.clone(), error)
            }
        })?;
        if kind != Kind::Config && !id.blob_matches_reader(data.len() as u64, &mut &data[..]) {
            return Err(Error::damaged(
                what,
                format!("its {} bytes do not have the SHA-256 that names it", data.len()),
            ));
        }
        if kind == Kind::Key {
            check_key_file(&what, &data)?;
        }
        Ok(data.into())
    }

    /// Reads a range of a pack ahead for this thread.
    pub(crate) fn read_ahead(&self, pack: Id, offset: u32, length: u32) -> Result<()> {
        let data = self
            .store
            .read_range(Kind::Pack, &pack, offset, length)
            .map_err(|error| pack_error(&pack, error))?;
        set_window(pack, offset, data.into());
        Ok(())
    }

    /// Reads a whole pack ahead for this thread and compares it with its name.
    pub(crate) fn read_pack_ahead(&self, pack: Id) -> Result<u64> {
        let data = self.read_checked(Kind::Pack, &pack)?;
        let length = data.len() as u64;
        set_window(pack, 0, data);
        Ok(length)
    }

    fn name(&self, kind: Kind) -> String {
        format!("{}/{}", self.store.location(), kind.name())
    }

    fn with_state<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        // A panic while this was held cannot have left it half changed.
        let mut state = match self.state.lock() {
            Ok(state) => state,
            Err(poisoned) => poisoned.into_inner(),
        };
        f(&mut state)
    }

    /// Keeps the first failure and makes the engine's error of it.
    fn fail(&self, error: Error) -> Box<RusticError> {
        let told = RusticError::new(ErrorKind::Backend, error.to_string());
        self.with_state(|state| {
            state.failure.get_or_insert(error);
        });
        told
    }

    fn fail_write(&self, error: Error) -> Box<RusticError> {
        self.with_state(|state| state.write_failed = true);
        self.fail(error)
    }
}

/// Forgets what this thread read ahead.
pub(crate) fn drop_window() {
    WINDOW.with_borrow_mut(|window| *window = None);
}

fn set_window(pack: Id, offset: u32, data: Bytes) {
    WINDOW.with_borrow_mut(|window| *window = Some(Window { pack, offset, data }));
}

fn from_window(pack: &Id, offset: u32, length: u32) -> Option<Bytes> {
    WINDOW.with_borrow(|window| {
        let window = window.as_ref().filter(|window| window.pack == *pack)?;
        let start = usize::try_from(offset.checked_sub(window.offset)?).ok()?;
        let end = start.checked_add(usize::try_from(length).ok()?)?;
        (end <= window.data.len()).then(|| window.data.slice(start..end))
    })
}

fn pack_error(pack: &Id, error: io::Error) -> Error {
    let what = Kind::Pack.describe(pack);
    match error.kind() {
        io::ErrorKind::NotFound => Error::damaged(what, "the file is missing"),
        io::ErrorKind::UnexpectedEof => Error::damaged(what, format!("too short: {error}")),
        _ => Error::io("read", what, error),
    }
}

/// The key derivation that a store asks of us before anything is authenticated.
#[derive(Deserialize)]
struct KeyFile {
    #[serde(rename = "N")]
    n: u64,
    r: u64,
    p: u64,
}

/// scrypt takes 128·N·r bytes: a store must not be able to ask for all of them.
fn check_key_file(what: &str, data: &[u8]) -> Result<()> {
    let file: KeyFile = serde_json::from_slice(data)
        .map_err(|error| Error::damaged(what, format!("not a key file: {error}")))?;
    let sane = file.n.is_power_of_two()
        && (2..=1 << 20).contains(&file.n)
        && (1..=32).contains(&file.r)
        && (1..=32).contains(&file.p);
    if !sane {
        return Err(Error::damaged(
            what,
            format!(
                "expected scrypt with N up to 2^20 and r, p up to 32, got N={} r={} p={}",
                file.n, file.r, file.p
            ),
        ));
    }
    Ok(())
}

impl ReadBackend for Guard {
    fn location(&self) -> String {
        self.store.location()
    }

    fn list_with_size(&self, kind: FileType) -> RusticResult<Vec<(Id, u32)>> {
        let mut files = self.files(kind.into()).map_err(|error| self.fail(error))?;
        if kind == FileType::Pack {
            self.with_state(|state| files.retain(|(id, _)| !state.hidden.contains(id)));
        }
        Ok(files)
    }

    fn read_full(&self, kind: FileType, id: &Id) -> RusticResult<Bytes> {
        let is_lock =
            kind == FileType::Snapshot && self.with_state(|state| state.locks.contains(id));
        let kind = if is_lock { Kind::Lock } else { kind.into() };
        self.read_checked(kind, id).map_err(|error| self.fail(error))
    }

    fn read_partial(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        offset: u32,
        length: u32,
    ) -> RusticResult<Bytes> {
        if kind == FileType::Pack
            && let Some(data) = from_window(id, offset, length)
        {
            return Ok(data);
        }
        self.store
            .read_range(kind.into(), id, offset, length)
            .map(Bytes::from)
            .map_err(|error| self.fail(pack_error(id, error)))
    }

    fn warmup_path(&self, kind: FileType, id: &Id) -> String {
        Kind::from(kind).describe(id)
    }
}

impl WriteBackend for Guard {
    fn create(&self) -> RusticResult<()> {
        self.store
            .create()
            .map_err(|error| self.fail_write(Error::io("create", self.store.location(), error)))
    }

    fn write_bytes(
        &self,
        kind: FileType,
        id: &Id,
        _cacheable: bool,
        content: BytesList,
    ) -> RusticResult<()> {
        // The index may still be written after a failure or a cancellation: it names only packs that
        // are stored, and spares the next run their upload. A snapshot would promise completeness.
        if kind == FileType::Snapshot && (self.meter.is_cancelled() || self.has_write_failed()) {
            return Err(RusticError::new(ErrorKind::Backend, "no snapshot of half a backup"));
        }
        let kind = self.with_state(|state| match (kind, &mut state.own_locks) {
            (FileType::Snapshot, Some(locks)) => {
                locks.push(*id);
                Kind::Lock
            }
            _ => kind.into(),
        });
        self.store
            .write(kind, id, content.slice())
            .map_err(|error| self.fail_write(Error::io("write", kind.describe(id), error)))
    }

    fn remove(&self, kind: FileType, id: &Id, _cacheable: bool) -> RusticResult<()> {
        let kind = Kind::from(kind);
        self.store
            .remove(kind, id)
            .map_err(|error| self.fail_write(Error::io("remove", kind.describe(id), error)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_file_cannot_ask_for_all_memory() {
        let file = |n: u64| format!(r#"{{"kdf":"scrypt","N":{n},"r":8,"p":1}}"#);
        assert!(check_key_file("k", file(1 << 15).as_bytes()).is_ok());
        assert!(check_key_file("k", file(1 << 31).as_bytes()).is_err());
        assert!(check_key_file("k", file(0).as_bytes()).is_err());
        assert!(check_key_file("k", b"[]").is_err());
    }

    #[test]
    fn a_window_serves_only_what_lies_inside_it() {
        let pack = Id::random();
        set_window(pack, 10, Bytes::from_static(b"0123456789"));
        assert_eq!(from_window(&pack, 12, 3).as_deref(), Some(&b"234"[..]));
        assert_eq!(from_window(&pack, 9, 2), None);
        assert_eq!(from_window(&pack, 18, 3), None);
        assert_eq!(from_window(&Id::random(), 12, 3), None);
        drop_window();
        assert_eq!(from_window(&pack, 12, 3), None);
    }
}
