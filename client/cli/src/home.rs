//! The folder of one user: `profile.toml`, which an app or administrator writes; `device.toml`, which
//! this program writes and which holds the device's secrets; `head.json`, the latest head of the log of
//! manifests that the device has seen.

use crate::failure::{Failure, exit};
use serde::{Deserialize, Serialize};
use std::{
    fs::{self, File, OpenOptions},
    io::{ErrorKind, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};
use strongroom_sdk::{BackupKey, DeviceKey, Head, HeadStore, now_ms, random};
use zeroize::{Zeroize, Zeroizing};

const FILE_LEN_MAX: u64 = 64 * 1_024;
const DEVICE_VERSION: u32 = 1;

/// Which floors a client demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum FloorsName {
    /// What protects people.
    #[default]
    Production,
    /// A fleet on a developer's own machine.
    Development,
}

/// Where the user's fleet is and which manifest is its.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Profile {
    pub(crate) gateway: String,
    pub(crate) app: String,
    pub(crate) fleet: String,
    /// Pins for manifests that come over the air. Either this, or the next two.
    pub(crate) trust: Option<PathBuf>,
    /// Where the log of manifests is published, for whoever checks its whole history.
    #[expect(dead_code, reason = "read by `strongroom verify`")]
    pub(crate) log: Option<String>,
    /// One pinned manifest, and its SHA-256 in hexadecimal digits.
    pub(crate) manifest: Option<PathBuf>,
    pub(crate) manifest_sha256: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) token: Option<String>,
    pub(crate) token_file: Option<PathBuf>,
    #[serde(default)]
    pub(crate) floors: FloorsName,
}

/// What was sent without an answer: only the fleet knows whether it counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    /// The generation that may be stored.
    pub(crate) generation: u64,
    /// Vault time from which an announced replacement is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) effective_ms: Option<u64>,
}

/// What this device is and holds.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Device {
    version: u32,
    /// The account that the key belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) account: Option<String>,
    /// Seed of the key that signs the owner's commands.
    device_key: String,
    /// The stored generation that this device knows; 0: none.
    pub(crate) generation: u64,
    /// The next counter of the device's signatures.
    counter: u64,
    /// 64 hexadecimal digits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backup_key: Option<String>,
    /// The repository used last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repository: Option<String>,
    /// A registration whose receipt has not come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) pending: Option<Pending>,
}

impl Drop for Device {
    fn drop(&mut self) {
        self.device_key.zeroize();
        self.backup_key.zeroize();
    }
}

impl Device {
    /// A device with a new signing key.
    pub(crate) fn new() -> Result<Self, Failure> {
        let seed = Zeroizing::new(random::<32>().map_err(|e| Failure::machine(e.to_string()))?);
        Ok(Self {
            version: DEVICE_VERSION,
            account: None,
            device_key: hex::encode(seed.as_slice()),
            generation: 0,
            counter: 1,
            backup_key: None,
            repository: None,
            pending: None,
        })
    }

    pub(crate) fn key(&self) -> Result<DeviceKey, Failure> {
        let seed = digits(&self.device_key, "device_key")?;
        Ok(DeviceKey::from_seed(&seed))
    }

    pub(crate) fn backup_key(&self) -> Result<Option<BackupKey>, Failure> {
        let key = self.backup_key.as_deref();
        let key = key.map(|key| digits(key, "backup_key").map(|key| BackupKey::from_bytes(*key)));
        key.transpose()
    }

    /// The backup key, or what to do to get one.
    pub(crate) fn wanted_backup_key(&self) -> Result<BackupKey, Failure> {
        self.backup_key()?.ok_or_else(no_key)
    }

    pub(crate) fn set_backup_key(&mut self, key: &BackupKey) {
        self.backup_key.zeroize();
        self.backup_key = Some(hex::encode(key.as_bytes()));
    }

    /// Counters for one command and its repetition: used up even if nothing comes of it.
    pub(crate) fn take_counters(&mut self) -> u64 {
        let counter = self.counter;
        self.counter = self.counter.saturating_add(2);
        counter
    }
}

pub(crate) fn no_key() -> Failure {
    Failure::new(exit::NO_RECORD, "no_key", "this device has no backup key")
        .hint(
            "`strongroom enroll` makes one, `strongroom recover` brings one back, `strongroom key \
             import` takes one from its digits",
        )
        .free()
}

fn digits(text: &str, what: &str) -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    hex::decode_to_slice(text, bytes.as_mut_slice()).map_err(|_| {
        Failure::machine(format!("device.toml: {what}: expected 64 hexadecimal digits"))
    })?;
    Ok(bytes)
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Home {
    dir: PathBuf,
}

/// Held by a command that changes `device.toml`, so that no counter is used twice.
pub(crate) struct HomeLock(#[expect(dead_code, reason = "held, not read")] File);

impl Home {
    /// The folder that was named, or the usual one.
    pub(crate) fn find(named: Option<PathBuf>) -> Result<Self, Failure> {
        let config = || std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".config"));
        let usual = || config().filter(|dir| dir.is_absolute()).or_else(home);
        let dir = named.or_else(|| usual().map(|dir| dir.join("strongroom")));
        dir.map(|dir| Self { dir })
            .ok_or_else(|| Failure::usage("no home folder").hint("name one with --home"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A path of the profile, which is relative to the profile.
    pub(crate) fn resolve(&self, path: &Path) -> PathBuf {
        self.dir.join(path)
    }

    pub(crate) fn profile(&self) -> Result<Profile, Failure> {
        let path = self.path("profile.toml");
        let text = read(&path)?.ok_or_else(|| {
            Failure::usage(format!("no profile: {} does not exist", path.display())).hint(
                "an app brings one; `strongroom dev up` makes one, then `export \
                 STRONGROOM_HOME=…` as it says",
            )
        })?;
        toml::from_str(&text).map_err(|e| malformed(&path, &e))
    }

    /// What this device is, if it is anything yet.
    pub(crate) fn device(&self) -> Result<Option<Device>, Failure> {
        let path = self.path("device.toml");
        let Some(text) = read(&path)? else {
            return Ok(None);
        };
        let device: Device = toml::from_str(&text).map_err(|e| malformed(&path, &e))?;
        if device.version != DEVICE_VERSION {
            let got = device.version;
            return Err(Failure::machine(format!(
                "{}: version {got}, expected {DEVICE_VERSION}",
                path.display()
            )));
        }
        Ok(Some(device))
    }

    /// Waits for nobody: another command that holds the lock may be waiting for a person.
    pub(crate) fn lock(&self) -> Result<HomeLock, Failure> {
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&self.dir)
            .map_err(|e| failed("make", &self.dir, &e))?;
        let path = self.path("lock");
        let file = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .open(&path)
            .map_err(|e| failed("open", &path, &e))?;
        match file.try_lock() {
            Ok(()) => Ok(HomeLock(file)),
            Err(fs::TryLockError::WouldBlock) => Err(Failure::new(
                exit::BUSY,
                "busy",
                format!("another strongroom command uses {}", self.dir.display()),
            )
            .hint("wait until it has ended")
            .free()),
            Err(fs::TryLockError::Error(e)) => Err(failed("lock", &path, &e)),
        }
    }

    /// Writes `device.toml`, whole or not at all, and waits until the disk has it. What follows may
    /// be sent only because this has returned.
    pub(crate) fn save(&self, device: &Device, _held: &HomeLock) -> Result<(), Failure> {
        let text = Zeroizing::new(
            toml::to_string(device).map_err(|e| Failure::machine(format!("device.toml: {e}")))?,
        );
        write_synced(&self.dir, "device.toml", text.as_bytes())
            .map_err(|e| failed("write", &self.path("device.toml"), &e))
    }

    /// The file that holds the latest head of the log that this device has seen.
    pub(crate) fn heads(&self, _held: &HomeLock) -> HeadFile {
        HeadFile { dir: self.dir.clone() }
    }

    /// Keeps a copy of `device.toml` whose key is about to be replaced.
    pub(crate) fn keep_aside(&self, _held: &HomeLock) -> Result<PathBuf, Failure> {
        let kept = self.path(&format!("device-{}.toml", now_ms()));
        fs::hard_link(self.path("device.toml"), &kept)
            .map(|()| kept.clone())
            .map_err(|e| failed("keep", &kept, &e))
    }
}

/// `head.json`, behind the same lock as `device.toml`.
pub(crate) struct HeadFile {
    dir: PathBuf,
}

const HEAD: &str = "head.json";

impl HeadStore for HeadFile {
    fn latest(&self) -> Result<Option<Head>, String> {
        let path = self.dir.join(HEAD);
        let Some(text) = read(&path).map_err(|failure| failure.message)? else {
            return Ok(None);
        };
        let head = serde_json::from_str(&text);
        head.map(Some).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn keep(&self, head: &Head) -> Result<(), String> {
        let text = serde_json::to_vec(head).map_err(|error| error.to_string())?;
        let written = write_synced(&self.dir, HEAD, &text);
        written.map_err(|error| format!("cannot write {}: {error}", self.dir.join(HEAD).display()))
    }
}

/// Writes a file, whole or not at all, and waits until the disk has it.
fn write_synced(dir: &Path, name: &str, content: &[u8]) -> std::io::Result<()> {
    let (path, draft) = (dir.join(name), dir.join(format!("{name}.new")));
    // A crash leaves the draft, which nobody reads; the next write replaces it.
    match fs::remove_file(&draft) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(e),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    // A crash from here shows the old file or the new one, both whole.
    fs::rename(&draft, &path)?;
    File::open(dir)?.sync_all()
}

fn read(path: &Path) -> Result<Option<Zeroizing<String>>, Failure> {
    match fs::metadata(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(failed("read", path, &e)),
        Ok(metadata) if metadata.len() > FILE_LEN_MAX => {
            let got = metadata.len();
            return Err(Failure::machine(format!(
                "{}: {got} bytes, at most {FILE_LEN_MAX} expected",
                path.display()
            )));
        }
        Ok(_) => {}
    }
    let text = fs::read_to_string(path).map_err(|e| failed("read", path, &e))?;
    Ok(Some(Zeroizing::new(text)))
}

/// The message without the line it quotes, which may hold a secret.
fn malformed(path: &Path, error: &toml::de::Error) -> Failure {
    Failure::usage(format!("{}: {}", path.display(), error.message()))
}

fn failed(action: &str, path: &Path, error: &std::io::Error) -> Failure {
    Failure::machine(format!("cannot {action} {}: {error}", path.display())).free()
}
