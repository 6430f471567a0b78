//! The software body of `trusted/hardware`.

use crate::{files, fleet_secrets::FleetSecrets, node_keys::NodeKeys};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use std::{
    fs::{self, File, OpenOptions},
    io::{Seek, Write},
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use strongroom_hardware::{Cell, Clock, Counter, Entropy, HardwareError, Keys};
use zeroize::Zeroizing;

/// The cell's file name in the vault's folder.
pub const CELL_FILE: &str = "cell";
/// The owner's number follows, then what the owner keeps.
const CELL_HEADER: &[u8] = b"strongroom cell v2\n";

/// Keys in memory, the cell in a file, the system's clocks and generator, no counter.
pub struct Software {
    node_keys: NodeKeys,
    fleet_secrets: FleetSecrets,
    cell: PathBuf,
    started: Instant,
    danger_clock_offset_ms: i64,
}

impl Software {
    /// A body around loaded keys. `danger_clock_offset_ms` moves the wall clock, so that tests see
    /// waits of days pass.
    pub fn new(
        dir: &Path,
        node_keys: NodeKeys,
        fleet_secrets: FleetSecrets,
        danger_clock_offset_ms: i64,
    ) -> Self {
        Self {
            node_keys,
            fleet_secrets,
            cell: dir.join(CELL_FILE),
            started: Instant::now(),
            danger_clock_offset_ms,
        }
    }
}

impl Keys for Software {
    fn sign(&self, message: &[u8]) -> Result<[u8; 64], HardwareError> {
        Ok(self.node_keys.sign(message))
    }

    fn identity_public(&self) -> [u8; 32] {
        self.node_keys.identity_public()
    }

    fn link_secret(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        Ok(self.node_keys.link_secret())
    }

    fn sealing_root(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        Ok(self.node_keys.sealing_root())
    }

    fn hpke_seed(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        Ok(self.fleet_secrets.hpke_seed())
    }

    fn record_key_material(
        &self,
        keyset: u32,
        credential_identifier: &[u8; 72],
    ) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        let keyset = self.fleet_secrets.keyset(keyset).ok_or(HardwareError::NoKey)?;
        let mut mac = <Hmac<Sha512> as KeyInit>::new_from_slice(keyset.oprf_seed.as_slice())
            .map_err(|_| HardwareError::Broken)?;
        mac.update(credential_identifier);
        mac.update(b"OprfKey\x01");
        let block = Zeroizing::new(<[u8; 64]>::from(mac.finalize().into_bytes()));
        let mut material = Zeroizing::new([0; 32]);
        for (target, byte) in material.iter_mut().zip(block.iter()) {
            *target = *byte;
        }
        Ok(material)
    }

    fn server_private(&self, keyset: u32) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        let keyset = self.fleet_secrets.keyset(keyset);
        keyset.map(|keyset| keyset.server_private.clone()).ok_or(HardwareError::NoKey)
    }

    fn fake_key(&self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        Ok(self.fleet_secrets.fake_key())
    }
}

impl Software {
    /// The cell's owner and its bytes; nobody's and empty at first.
    fn read_cell(&self) -> Result<(u64, Zeroizing<Vec<u8>>), HardwareError> {
        if !self.cell.exists() {
            return Ok((0, Zeroizing::new(Vec::new())));
        }
        let bytes = files::read_secret(&self.cell).map_err(|_| HardwareError::Unavailable)?;
        let content = bytes.strip_prefix(CELL_HEADER).ok_or(HardwareError::Broken)?;
        let (owner, content) = content.split_first_chunk().ok_or(HardwareError::Broken)?;
        Ok((u64::from_be_bytes(*owner), Zeroizing::new(content.to_vec())))
    }

    fn write_cell(&self, owner: u64, bytes: &[u8]) -> Result<(), HardwareError> {
        let content = Zeroizing::new([CELL_HEADER, &owner.to_be_bytes(), bytes].concat());
        overwrite(&self.cell, &content).map_err(|_| HardwareError::Unavailable)
    }
}

/// A file cannot compare and write in one step; [`files::Lock`] on the folder makes it one, since nobody
/// else writes here meanwhile. The owner in the file stands for a host that lends the folder around.
impl Cell for Software {
    fn claim(&mut self, process: u64) -> Result<Zeroizing<Vec<u8>>, HardwareError> {
        let (_, bytes) = self.read_cell()?;
        self.write_cell(process, &bytes)?;
        Ok(bytes)
    }

    fn overwrite(&mut self, process: u64, bytes: &[u8]) -> Result<(), HardwareError> {
        let (owner, _) = self.read_cell()?;
        if owner != process {
            return Err(HardwareError::Taken);
        }
        self.write_cell(process, bytes)
    }
}

/// A new file takes the old one's place in one step; then the old one's blocks are zeroed.
///
/// Zeroing reaches what an ordinary disk reads back, not what a flash controller or a snapshot keeps.
fn overwrite(path: &Path, content: &[u8]) -> std::io::Result<()> {
    let draft = files::draft_of(path);
    if let Ok(left_over) = OpenOptions::new().write(true).open(&draft) {
        zero(left_over)?;
    }
    files::write_draft(&draft, content)?;
    // A crash here: the old bytes stand, beside a draft that the next write, at the latest the next
    // process's claim, zeroes and removes. Nothing is sealed under a key that the draft alone has: no
    // output leaves the vault before this function returns.
    let old = OpenOptions::new().write(true).open(path).ok();
    fs::rename(&draft, path)?;
    // A crash here: the old bytes or the new ones, as the folder was written or not. Both keys of a
    // compaction are in whichever of the two its disk may need.
    files::sync_dir_of(path)?;
    // A crash here: the new bytes, and the old ones in blocks that no name leads to any more.
    old.map_or(Ok(()), zero)
}

fn zero(mut file: File) -> std::io::Result<()> {
    let len = usize::try_from(file.metadata()?.len()).unwrap_or(0);
    file.rewind()?;
    file.write_all(&vec![0; len])?;
    file.sync_data()
}

impl Counter for Software {
    fn value(&self) -> Option<u64> {
        None
    }

    fn advance(&mut self) -> Result<u64, HardwareError> {
        Err(HardwareError::NoKey)
    }
}

impl Entropy for Software {
    fn seed(&mut self) -> Result<Zeroizing<[u8; 32]>, HardwareError> {
        let mut seed = Zeroizing::new([0; 32]);
        getrandom::fill(seed.as_mut_slice()).map_err(|_| HardwareError::Unavailable)?;
        Ok(seed)
    }
}

impl Clock for Software {
    fn monotonic_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn wall_ms(&self) -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        let now = since.map_or(0, |d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        now.saturating_add_signed(self.danger_clock_offset_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    fn body(dir: &Path) -> Software {
        let keys = NodeKeys::generate(1).expect("keys");
        let secrets = FleetSecrets::generate("dev").expect("secrets");
        Software::new(dir, keys, secrets, 86_400_000)
    }

    #[test]
    fn the_cell_holds_what_was_written_last_and_the_old_blocks_are_zeroed() {
        let dir = tempfile::tempdir().expect("dir");
        let mut hardware = body(dir.path());
        assert!(hardware.claim(7).expect("empty").is_empty());
        hardware.overwrite(7, b"first key").expect("first");
        let old = fs::File::open(dir.path().join(CELL_FILE)).expect("hold the old file open");
        hardware.overwrite(7, b"second key").expect("second");
        assert_eq!(hardware.claim(8).expect("claim").as_slice(), b"second key");
        let mut kept = Vec::new();
        std::io::Read::read_to_end(&mut &old, &mut kept).expect("read the old file");
        assert!(kept.iter().all(|byte| *byte == 0));
        let mode = fs::metadata(dir.path().join(CELL_FILE)).expect("stat").mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn inv7_an_old_process_cannot_write_a_retired_key_back() {
        let dir = tempfile::tempdir().expect("dir");
        let (mut old, mut new) = (body(dir.path()), body(dir.path()));
        old.claim(1).expect("claim");
        old.overwrite(1, b"key 1 and key 2").expect("write");
        assert_eq!(new.claim(2).expect("claim").as_slice(), b"key 1 and key 2");
        assert_eq!(old.overwrite(1, b"key 1").err(), Some(HardwareError::Taken), "at once");
        new.overwrite(2, b"key 2").expect("write");
        for _ in 0..2 {
            assert_eq!(old.overwrite(1, b"key 1 and key 2").err(), Some(HardwareError::Taken));
        }
        assert_eq!(new.claim(3).expect("claim").as_slice(), b"key 2");
        assert_eq!(new.overwrite(0, b"").err(), Some(HardwareError::Taken));
    }

    #[test]
    fn inv7_a_draft_that_a_crash_left_is_zeroed_by_the_next_claim() {
        let dir = tempfile::tempdir().expect("dir");
        let mut hardware = body(dir.path());
        let draft = files::draft_of(&dir.path().join(CELL_FILE));
        files::write_draft(&draft, b"a key that is to be forgotten").expect("as if it crashed");
        let mut left_over = fs::File::open(&draft).expect("hold it open");
        hardware.claim(1).expect("claim");
        assert!(!draft.exists());
        let mut kept = Vec::new();
        std::io::Read::read_to_end(&mut left_over, &mut kept).expect("read");
        assert!(kept.len() == 29 && kept.iter().all(|byte| *byte == 0));
    }

    #[test]
    fn a_cell_that_others_may_read_or_that_is_torn_is_no_cell() {
        let dir = tempfile::tempdir().expect("dir");
        let mut hardware = body(dir.path());
        hardware.claim(7).expect("claim");
        hardware.overwrite(7, b"key").expect("write");
        let path = dir.path().join(CELL_FILE);
        for torn in [&b"strongroom c"[..], CELL_HEADER, b"strongroom cell v2\n1234567"] {
            fs::write(&path, torn).expect("tear");
            assert_eq!(hardware.claim(7).err(), Some(HardwareError::Broken));
            assert_eq!(hardware.overwrite(7, b"key").err(), Some(HardwareError::Broken));
        }
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&path, open).expect("chmod");
        assert_eq!(hardware.claim(7).err(), Some(HardwareError::Unavailable));
    }

    #[test]
    fn record_key_material_is_the_first_block_of_hkdf_expand() {
        let dir = tempfile::tempdir().expect("dir");
        let hardware = body(dir.path());
        let one = hardware.record_key_material(1, &[7; 72]).expect("material");
        let again = hardware.record_key_material(1, &[7; 72]).expect("material");
        let other = hardware.record_key_material(1, &[8; 72]).expect("material");
        assert_eq!(*one, *again);
        assert_ne!(*one, *other);
        let seed = &hardware.fleet_secrets.keyset(1).expect("keyset").oprf_seed;
        let library = hkdf::Hkdf::<Sha512>::from_prk(seed.as_slice()).expect("seed");
        let mut expected = [0; 32];
        library.expand_multi_info(&[&[7; 72], b"OprfKey"], &mut expected).expect("expand");
        assert_eq!(*one, expected);
        assert_eq!(hardware.record_key_material(2, &[7; 72]).err(), Some(HardwareError::NoKey));
    }

    #[test]
    fn the_offset_moves_the_wall_clock_alone() {
        let dir = tempfile::tempdir().expect("dir");
        let hardware = body(dir.path());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("now").as_millis() as u64;
        assert!(hardware.wall_ms() >= now + 86_400_000);
        assert!(hardware.monotonic_ms() < 60_000);
    }
}
