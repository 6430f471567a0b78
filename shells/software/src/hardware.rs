//! The software body of `trusted/hardware`.

use crate::{files, fleet_secrets::FleetSecrets, node_keys::NodeKeys};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha512;
use std::{
    fs::{self, OpenOptions},
    io::{Seek, Write},
    path::{Path, PathBuf},
    time::{Instant, SystemTime, UNIX_EPOCH},
};
use strongroom_hardware::{Cell, Clock, Counter, Entropy, HardwareError, Keys};
use zeroize::Zeroizing;

/// The cell's file name in the vault's folder.
pub const CELL_FILE: &str = "cell";
const CELL_HEADER: &[u8] = b"strongroom cell v1\n";

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

impl Cell for Software {
    fn read(&self) -> Result<Zeroizing<Vec<u8>>, HardwareError> {
        if !self.cell.exists() {
            return Ok(Zeroizing::new(Vec::new()));
        }
        let bytes = files::read_secret(&self.cell).map_err(|_| HardwareError::Unavailable)?;
        bytes
            .strip_prefix(CELL_HEADER)
            .map(|content| Zeroizing::new(content.to_vec()))
            .ok_or(HardwareError::Broken)
    }

    fn overwrite(&mut self, bytes: &[u8]) -> Result<(), HardwareError> {
        overwrite(&self.cell, bytes).map_err(|_| HardwareError::Unavailable)
    }
}

/// A new file takes the old one's place in one step; then the old one's blocks are zeroed.
///
/// A crash before the rename leaves the old bytes, after it the new ones: never a mixture. Zeroing
/// reaches what an ordinary disk reads back, not what a flash controller or a snapshot keeps.
fn overwrite(path: &Path, bytes: &[u8]) -> std::io::Result<()> {
    let draft = files::draft_of(path);
    let content = Zeroizing::new([CELL_HEADER, bytes].concat());
    files::write_draft(&draft, &content)?;
    let old = OpenOptions::new().write(true).open(path).ok();
    fs::rename(&draft, path)?;
    files::sync_dir_of(path)?;
    // From here on a crash has the new bytes and, at worst, the old ones in unlinked blocks.
    if let Some(mut old) = old {
        let len = usize::try_from(old.metadata()?.len()).unwrap_or(0);
        old.rewind()?;
        old.write_all(&vec![0; len])?;
        old.sync_data()?;
    }
    Ok(())
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
        assert!(hardware.read().expect("empty").is_empty());
        hardware.overwrite(b"first key").expect("first");
        let old = fs::File::open(dir.path().join(CELL_FILE)).expect("hold the old file open");
        hardware.overwrite(b"second key").expect("second");
        assert_eq!(hardware.read().expect("read").as_slice(), b"second key");
        let mut kept = Vec::new();
        std::io::Read::read_to_end(&mut &old, &mut kept).expect("read the old file");
        assert!(kept.iter().all(|byte| *byte == 0));
        let mode = fs::metadata(dir.path().join(CELL_FILE)).expect("stat").mode();
        assert_eq!(mode & 0o7777, 0o600);
    }

    #[test]
    fn a_cell_that_others_may_read_or_that_is_torn_is_no_cell() {
        let dir = tempfile::tempdir().expect("dir");
        let mut hardware = body(dir.path());
        hardware.overwrite(b"key").expect("write");
        let path = dir.path().join(CELL_FILE);
        fs::write(&path, b"strongroom c").expect("tear");
        assert_eq!(hardware.read().err(), Some(HardwareError::Broken));
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        fs::set_permissions(&path, open).expect("chmod");
        assert_eq!(hardware.read().err(), Some(HardwareError::Unavailable));
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
