//! One node's own keys: `D/node.keys`.

use crate::{
    failure::Failure,
    files,
    text::{Reader, Writer},
};
use ed25519_dalek::{Signer, SigningKey};
use std::path::Path;
use strongroom_manifest::Hex;
use strongroom_session::FleetSecret;
use strongroom_wire::caps;
use zeroize::Zeroizing;

const HEADER: &str = "strongroom node keys v1";
/// The file's name in the vault's folder.
pub const FILE: &str = "node.keys";

/// The keys that make a node that node.
pub struct NodeKeys {
    node: u8,
    identity_seed: Zeroizing<[u8; 32]>,
    link_secret: Zeroizing<[u8; 32]>,
    sealing_root: Zeroizing<[u8; 32]>,
    box_seed: Zeroizing<[u8; 32]>,
}

/// What a ceremony learns of a node.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeInfo {
    /// The node.
    pub node: u8,
    /// Ed25519.
    pub identity_key: Hex<32>,
    /// X25519.
    pub link_key: Hex<32>,
    /// X-Wing: fleet secrets reach this node sealed to it.
    pub box_key: Hex<1216>,
}

/// 32 fresh bytes.
///
/// # Errors
/// [`Failure::Machine`].
pub fn fresh() -> Result<Zeroizing<[u8; 32]>, Failure> {
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(bytes.as_mut_slice())
        .map_err(|e| Failure::Machine(format!("no random bytes from the system: {e}")))?;
    Ok(bytes)
}

impl NodeKeys {
    /// New keys.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn generate(node: u8) -> Result<Self, Failure> {
        check_node(node)?;
        Ok(Self {
            node,
            identity_seed: fresh()?,
            link_secret: fresh()?,
            sealing_root: fresh()?,
            box_seed: fresh()?,
        })
    }

    /// Reads `D/node.keys`.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn load(dir: &Path) -> Result<Self, Failure> {
        let path = dir.join(FILE);
        let bytes = files::read_secret(&path)?;
        let mut reader = Reader::new(&path, &bytes, HEADER)?;
        let keys = Self {
            node: reader.number("node")?,
            identity_seed: reader.bytes("identity_seed")?,
            link_secret: reader.bytes("link_secret")?,
            sealing_root: reader.bytes("sealing_root")?,
            box_seed: reader.bytes("box_seed")?,
        };
        reader.finish()?;
        check_node(keys.node)?;
        Ok(keys)
    }

    /// Writes `D/node.keys`, once.
    ///
    /// # Errors
    /// [`Failure`].
    pub fn save(&self, dir: &Path) -> Result<(), Failure> {
        let text = Writer::new(HEADER)
            .word("node", &self.node.to_string())
            .bytes("identity_seed", self.identity_seed.as_slice())
            .bytes("link_secret", self.link_secret.as_slice())
            .bytes("sealing_root", self.sealing_root.as_slice())
            .bytes("box_seed", self.box_seed.as_slice())
            .finish();
        files::write_new(&dir.join(FILE), &text)
    }

    /// The node.
    pub const fn node(&self) -> u8 {
        self.node
    }

    /// The public halves.
    ///
    /// # Errors
    /// [`Failure::Machine`], if the box key has another size than its type.
    pub fn info(&self) -> Result<NodeInfo, Failure> {
        let box_key = self.box_secret().public().to_bytes();
        let box_key = box_key
            .try_into()
            .map_err(|_| Failure::Machine("the box key is not 1216 bytes".to_owned()))?;
        Ok(NodeInfo {
            node: self.node,
            identity_key: Hex(self.identity_public()),
            link_key: Hex(strongroom_link::public_key(&self.link_secret)),
            box_key: Hex(box_key),
        })
    }

    /// The key that opens what ceremonies seal to this node.
    pub fn box_secret(&self) -> FleetSecret {
        FleetSecret::from_seed(*self.box_seed)
    }

    pub(crate) fn identity_public(&self) -> [u8; 32] {
        SigningKey::from_bytes(&self.identity_seed).verifying_key().to_bytes()
    }

    pub(crate) fn sign(&self, message: &[u8]) -> [u8; 64] {
        SigningKey::from_bytes(&self.identity_seed).sign(message).to_bytes()
    }

    pub(crate) fn link_secret(&self) -> Zeroizing<[u8; 32]> {
        self.link_secret.clone()
    }

    pub(crate) fn sealing_root(&self) -> Zeroizing<[u8; 32]> {
        self.sealing_root.clone()
    }
}

fn check_node(node: u8) -> Result<(), Failure> {
    if node == 0 || usize::from(node) > caps::NODES_MAX {
        return Err(Failure::Refused(format!("node {node}, expected 1 to {}", caps::NODES_MAX)));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn keys_are_read_back_as_they_were_written() {
        let dir = tempfile::tempdir().expect("dir");
        let keys = NodeKeys::generate(7).expect("keys");
        keys.save(dir.path()).expect("save");
        let again = NodeKeys::load(dir.path()).expect("load");
        assert_eq!(again.info().expect("info"), keys.info().expect("info"));
        assert_eq!(*again.sealing_root(), *keys.sealing_root());
    }

    #[test]
    fn a_key_file_in_any_other_spelling_is_refused_and_nothing_of_it_is_repeated() {
        let dir = tempfile::tempdir().expect("dir");
        NodeKeys::generate(7).and_then(|keys| keys.save(dir.path())).expect("save");
        let path = dir.path().join(FILE);
        let good = fs::read_to_string(&path).expect("read");
        let secret = good.lines().find_map(|line| line.strip_prefix("link_secret ")).expect("line");
        let bad = [
            good.replace("v1", "v2"),
            good.replace("node 7", "node 07"),
            good.replace("node 7", "node 63"),
            good.replace("link_secret", "link_secrets"),
            good.replace(secret, &secret[2..]),
            good.replace(secret, &format!("{}AA", &secret[2..])),
            good.replace(secret, &format!("{}zz", &secret[2..])),
            format!("{good}\n"),
            format!("{good}more 1\n"),
            good.trim_end().to_owned(),
            good.replace('\n', "\r\n"),
            String::new(),
        ];
        for text in bad {
            fs::write(&path, &text).expect("write");
            let error = NodeKeys::load(dir.path()).err().expect("refused");
            let said = error.to_string();
            assert!(matches!(error, Failure::Refused(_)), "{text}");
            assert!(!said.contains(&secret[4..12]), "{said}");
        }
    }
}
