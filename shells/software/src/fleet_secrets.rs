//! What all nodes of a fleet share: `D/fleet.keys`, which is also what a box carries.

use crate::{
    failure::Failure,
    files,
    node_keys::{self, NodeKeys},
    text::{Reader, Writer},
};
use std::path::Path;
use strongroom_manifest::{Hex, Keyset};
use strongroom_opaque::{Server, generate_server_key};
use strongroom_session::{FleetPublic, FleetSecret, seal_box};
use strongroom_wire::caps;
use zeroize::Zeroizing;

const HEADER: &str = "strongroom fleet secrets v1";
/// The file's name in the vault's folder.
pub const FILE: &str = "fleet.keys";
/// More than any fleet file has.
const LEN_MAX: usize = 32 * 1_024;
const KEYSETS_MAX: usize = 64;

/// One OPRF seed and one OPAQUE private key.
pub struct KeysetSecrets {
    /// Rises; new registrations take the highest.
    pub id: u32,
    /// The OPRF seed.
    pub oprf_seed: Zeroizing<[u8; 64]>,
    /// A ristretto255 scalar.
    pub server_private: Zeroizing<[u8; 32]>,
}

/// The secrets of one fleet.
pub struct FleetSecrets {
    fleet: String,
    hpke_seed: Zeroizing<[u8; 32]>,
    fake_key: Zeroizing<[u8; 32]>,
    keysets: Vec<KeysetSecrets>,
}

/// The public halves, as a manifest lists them.
#[derive(Debug, serde::Serialize)]
pub struct FleetInfo {
    /// X-Wing.
    pub hpke_key: Hex<1216>,
    /// By rising id.
    pub keysets: Vec<Keyset>,
}

impl FleetSecrets {
    /// New secrets with keyset 1.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn generate(fleet: &str) -> Result<Self, Failure> {
        check_fleet(fleet)?;
        let (mut oprf_seed, halves) =
            (Zeroizing::new([0; 64]), [node_keys::fresh()?, node_keys::fresh()?]);
        for (target, half) in oprf_seed.chunks_exact_mut(32).zip(halves.iter()) {
            target.copy_from_slice(half.as_slice());
        }
        let (server_private, _) = generate_server_key(*node_keys::fresh()?)
            .map_err(|_| Failure::Machine("no OPAQUE key could be made".to_owned()))?;
        Ok(Self {
            fleet: fleet.to_owned(),
            hpke_seed: node_keys::fresh()?,
            fake_key: node_keys::fresh()?,
            keysets: vec![KeysetSecrets { id: 1, oprf_seed, server_private }],
        })
    }

    /// Reads the file's bytes; `path` is for the refusal.
    fn parse(path: &Path, bytes: &[u8]) -> Result<Self, Failure> {
        let mut reader = Reader::new(path, bytes, HEADER)?;
        let fleet = reader.word("fleet")?.to_owned();
        let (hpke_seed, fake_key) = (reader.bytes("hpke_seed")?, reader.bytes("fake_key")?);
        let mut keysets: Vec<KeysetSecrets> = Vec::new();
        while reader.has_more() && keysets.len() < KEYSETS_MAX {
            keysets.push(KeysetSecrets {
                id: reader.number("keyset")?,
                oprf_seed: reader.bytes("oprf_seed")?,
                server_private: reader.bytes("server_private")?,
            });
        }
        reader.finish()?;
        check_fleet(&fleet)?;
        if keysets.is_empty() || !keysets.is_sorted_by(|one, other| one.id < other.id) {
            return Err(Failure::Refused(format!(
                "{}: expected keysets by rising id",
                path.display()
            )));
        }
        Ok(Self { fleet, hpke_seed, fake_key, keysets })
    }

    fn to_text(&self) -> Zeroizing<Vec<u8>> {
        let head = Writer::new(HEADER)
            .word("fleet", &self.fleet)
            .bytes("hpke_seed", self.hpke_seed.as_slice())
            .bytes("fake_key", self.fake_key.as_slice());
        let add = |writer: Writer, keyset: &KeysetSecrets| {
            writer
                .word("keyset", &keyset.id.to_string())
                .bytes("oprf_seed", keyset.oprf_seed.as_slice())
                .bytes("server_private", keyset.server_private.as_slice())
        };
        self.keysets.iter().fold(head, add).finish()
    }

    /// Reads `D/fleet.keys`.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn load(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(FILE);
        Self::parse(&path, &files::read_secret(&path)?)
    }

    /// Writes `D/fleet.keys`, once.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn save(&self, dir: &Path) -> Result<(), Failure> {
        files::write_new(&dir.join(FILE), &self.to_text())
    }

    /// Seals the secrets to one node.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn seal_to(&self, box_key: &Hex<1216>) -> Result<Vec<u8>, Failure> {
        let refused = |e| Failure::Refused(format!("box key: {e}"));
        let public = FleetPublic::from_bytes(&box_key.0).map_err(refused)?;
        let seed = *node_keys::fresh()?;
        seal_box(&label(&self.fleet), &public, &self.to_text(), seed).map_err(refused)
    }

    /// Opens a box that was sealed to this node for this fleet.
    ///
    /// # Errors
    /// [`Failure::Refused`].
    pub fn open(keys: &NodeKeys, fleet: &str, path: &Path, sealed: &[u8]) -> Result<Self, Failure> {
        check_fleet(fleet)?;
        let plain = keys.box_secret().open_box(&label(fleet), sealed, LEN_MAX).map_err(|_| {
            Failure::Refused(format!(
                "{} was not sealed to node {} for fleet {fleet}",
                path.display(),
                keys.node()
            ))
        })?;
        let secrets = Self::parse(path, &Zeroizing::new(plain))?;
        if secrets.fleet != fleet {
            return Err(Failure::Refused(format!(
                "{} holds fleet {}, expected {fleet}",
                path.display(),
                secrets.fleet
            )));
        }
        Ok(secrets)
    }

    /// The fleet's name.
    pub fn fleet(&self) -> &str {
        &self.fleet
    }

    /// The public halves.
    ///
    /// # Errors
    /// [`Failure::Refused`] for a private key that has no public half.
    pub fn info(&self) -> Result<FleetInfo, Failure> {
        let hpke_key = FleetSecret::from_seed(*self.hpke_seed).public().to_bytes();
        let hpke_key = hpke_key
            .try_into()
            .map_err(|_| Failure::Machine("the HPKE key is not 1216 bytes".to_owned()))?;
        let keysets = self.keysets.iter().map(|keyset| {
            let id = keyset.id;
            Server::new(&keyset.server_private, [0; 32])
                .and_then(|server| server.public())
                .map(|server_key| Keyset { id, server_key: Hex(server_key) })
                .map_err(|_| Failure::Refused(format!("keyset {id}: not an OPAQUE private key")))
        });
        Ok(FleetInfo { hpke_key: Hex(hpke_key), keysets: keysets.collect::<Result<_, _>>()? })
    }

    pub(crate) fn keyset(&self, id: u32) -> Option<&KeysetSecrets> {
        self.keysets.iter().find(|keyset| keyset.id == id)
    }

    pub(crate) fn hpke_seed(&self) -> Zeroizing<[u8; 32]> {
        self.hpke_seed.clone()
    }

    pub(crate) fn fake_key(&self) -> Zeroizing<[u8; 32]> {
        self.fake_key.clone()
    }
}

fn label(fleet: &str) -> String {
    format!("fleet-secrets/{fleet}")
}

fn check_fleet(fleet: &str) -> Result<(), Failure> {
    let plain = fleet.bytes().all(|b| b.is_ascii_graphic());
    if fleet.is_empty() || fleet.len() > caps::FLEET_LEN_MAX || !plain {
        return Err(Failure::Refused(format!(
            "fleet name: expected 1 to {} visible ASCII characters",
            caps::FLEET_LEN_MAX
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_box_opens_for_its_node_and_fleet_alone() {
        let (one, two) =
            (NodeKeys::generate(1).expect("keys"), NodeKeys::generate(2).expect("keys"));
        let secrets = FleetSecrets::generate("eu-1").expect("secrets");
        let sealed = secrets.seal_to(&two.info().expect("info").box_key).expect("seal");
        let path = Path::new("box-2.bin");
        let opened = FleetSecrets::open(&two, "eu-1", path, &sealed).expect("open");
        assert_eq!(*opened.to_text(), *secrets.to_text());
        assert!(FleetSecrets::open(&one, "eu-1", path, &sealed).is_err());
        assert!(FleetSecrets::open(&two, "eu-2", path, &sealed).is_err());
        assert!(FleetSecrets::open(&two, "eu-1", path, &sealed[1..]).is_err());
    }

    #[test]
    fn secrets_are_read_back_as_they_were_written() {
        let dir = tempfile::tempdir().expect("dir");
        let secrets = FleetSecrets::generate("eu-1").expect("secrets");
        secrets.save(dir.path()).expect("save");
        let again = FleetSecrets::load(dir.path()).expect("load");
        assert_eq!(*again.to_text(), *secrets.to_text());
        let (one, other) = (secrets.info().expect("info"), again.info().expect("info"));
        assert_eq!(one.hpke_key, other.hpke_key);
        assert_eq!(one.keysets, other.keysets);
        assert_eq!(one.keysets.len(), 1);
    }
}
